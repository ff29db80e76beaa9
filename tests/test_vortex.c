/* The resident engine through its public interface, on small packs: slot after slot, leases, the queue,
 * cancel, memory pressure, shutdown. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/reserve.h"
#include "media/image.h"
#include "slot_rig.h"

#include "sanitized.h"

/* ---- bytes copied -----------------------------------------------------------------------------
 * The linker sends every memcpy and memmove of the library here (tests/CMakeLists.txt). */
static _Thread_local bool counting;
static _Thread_local size_t copied;

void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__real_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes);

void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
    if (counting) copied += bytes;
    return __real_memcpy(to, from, bytes);
}

void *__wrap_memmove(void *to, const void *from, size_t bytes)
{
    if (counting) copied += bytes;
    return __real_memmove(to, from, bytes);
}

/* ---- the clock --------------------------------------------------------------------------------
 * Sent here too, so that a test can make a stage long by the library's clock, however busy the machine is. */
static atomic_int passed_s;

double __real_vx_now_s(void);
double __wrap_vx_now_s(void);
double __wrap_vx_now_s(void)
{
    return __real_vx_now_s() + atomic_load(&passed_s);
}

/* ---- results ---------------------------------------------------------------------------------- */

typedef struct seen {
    atomic_int steps, frames;
    const uint8_t *rgb;
    char stages[256];
} seen;

static void see_step(void *arg, const char *stage, double share)
{
    seen *s = arg;
    atomic_fetch_add(&s->steps, 1);
    assert_true(share >= 0 && share <= 1.001);
    if (strstr(s->stages, stage) == NULL) strcat(s->stages, stage);
}

static void see_frame(void *arg, int64_t index, const vx_frame *frame)
{
    seen *s = arg;
    assert_int_equal(index, atomic_fetch_add(&s->frames, 1));
    s->rgb = frame->rgb;
}

static void a_result_is_a_lease(void **state)
{
    (void)state;
    slot_rig r;
    seen s = {0};
    vx_job *job;
    slot_rig_open(&r, STILL_PACK, "");
    vx_submit_params params = {.recipe = STILL_RECIPE,
                               .path = slot_rig_path(&r, "a.mp4"),
                               .progress = see_step,
                               .frame = see_frame,
                               .arg = &s};
    assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_OK);
    counting = true;
    assert_int_equal(vx_job_wait(job, -1), VX_OK);
    const vx_result *result = vx_job_result(job);
    counting = false;
    assert_int_equal(copied, 0);
    assert_string_equal(result->outcome, "done");
    assert_int_equal(result->sample_rate, 24000);
    /* 18 frames of speech, none of them silent, between the film's lead and tail; 12 pictures a second. */
    assert_int_equal(result->sample_count, 10800 + 6000 + 9600);
    assert_int_equal(result->frames, 14);
    assert_int_equal(atomic_load(&s.frames), 14);
    for (int i = 0; i < 6000; i++)
        assert_true(result->samples[i] == 0);
    /* The frame that the encoder got is the key frame, at the same place in memory. */
    assert_int_equal(result->key_frame_count, 1);
    assert_ptr_equal(result->key_frames[0].rgb, s.rgb);
    assert_int_equal(result->key_frames[0].width, 64);
    assert_true(result->symbol_count > 10 && result->symbol_times[3].end > 0);
    assert_true(result->verified && result->pass);
    double square = 0;
    for (int i = 0; i < result->embedding_l_count; i++)
        square += (double)result->embedding_l[i] * (double)result->embedding_l[i];
    assert_true(fabs(square - 1) < 1e-5);
    assert_non_null(strstr(result->report, "\"recipe_sha256\""));
    assert_int_equal(result->stage_count, 4);
    assert_non_null(strstr(s.stages, "verify"));
    vx_job_release(job);
    assert_null(vx_job_result(job)->samples);
    assert_string_equal(vx_job_result(job)->outcome, "done");
    vx_job_free(&job);
    char *metrics = vx_metrics_text(r.vortex);
    assert_non_null(strstr(metrics, "vortex_slots_total{outcome=\"done\"} 1"));
    assert_non_null(strstr(metrics, "vortex_stage_seconds{stage=\"audio\",quantile=\"0.95\"}"));
    assert_non_null(strstr(metrics, "vortex_memory_planned_bytes{component=\"kokoro\""));
    vx_text_free(metrics);
    slot_rig_close(&r);
}

static void the_next_slot_waits_for_the_lease(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, STILL_PACK, "");
    vx_job *first = slot_rig_submit(&r, "1.mp4"), *second = slot_rig_submit(&r, "2.mp4");
    assert_int_equal(vx_job_wait(first, -1), VX_OK);
    assert_int_equal(vx_job_wait(second, 100), VX_ERR_DEADLINE);
    assert_int_equal(vx_job_poll(second), VX_QUEUED);
    vx_job_release(first);
    assert_int_equal(vx_job_wait(second, -1), VX_OK);
    assert_string_equal(vx_job_result(second)->outcome, "done");
    /* One whose buffers are held until its deadline has passed ends by it. */
    vx_submit_params params = {
        .recipe = STILL_RECIPE, .path = slot_rig_path(&r, "3.mp4"), .deadline_ms = 50};
    vx_job *third;
    assert_int_equal(vx_submit(r.vortex, &params, &third, &r.err), VX_OK);
    assert_int_equal(vx_job_wait(third, -1), VX_OK);
    assert_string_equal(vx_job_result(third)->outcome, "deadline");
    assert_non_null(strstr(vx_job_result(third)->error.message, "released"));
    vx_job_free(&third);
    vx_job_free(&second);
    vx_job_free(&first);
    slot_rig_close(&r);
}

static void a_second_set_lets_the_next_slot_run(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, STILL_PACK, "pipeline_depth: 2\n");
    vx_job *first = slot_rig_submit(&r, "1.mp4");
    assert_int_equal(vx_job_wait(first, -1), VX_OK);
    const vx_result *a = vx_job_result(first);
    float *samples = malloc((size_t)a->sample_count * sizeof *samples);
    for (int64_t i = 0; i < a->sample_count; i++)
        samples[i] = a->samples[i];
    vx_job *second;
    vx_submit_params params = {
        .text = "{audio_track: {script: 'The fox.'}, visual_track: {image: media/dot.png}}",
        .folder = VX_TEST_DATA,
        .path = slot_rig_path(&r, "2.mp4")};
    assert_int_equal(vx_submit(r.vortex, &params, &second, &r.err), VX_OK);
    assert_int_equal(vx_job_wait(second, -1), VX_OK);
    const vx_result *b = vx_job_result(second);
    assert_string_equal(b->outcome, "done");
    assert_true(a->samples != b->samples && a->symbol != b->symbol &&
                a->key_frames[0].rgb != b->key_frames[0].rgb);
    assert_memory_equal(a->samples, samples, (size_t)a->sample_count * sizeof *samples);
    free(samples);
    vx_job_free(&first);
    vx_job_free(&second);
    slot_rig_close(&r);
}

static void a_sheet_shows_the_slot(void **state)
{
    (void)state;
    slot_rig r;
    vx_job *job;
    char sheet[128];
    slot_rig_open(&r, ALL_PACK, "");
    snprintf(sheet, sizeof sheet, "%s", slot_rig_path(&r, "a.png"));
    vx_submit_params params = {
        .recipe = ALL_RECIPE, .path = slot_rig_path(&r, "a.mp4"), .sheet = sheet};
    assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_OK);
    vx_job_wait(job, -1);
    const vx_result *result = vx_job_result(job);
    assert_string_equal(result->outcome, "done");
    assert_int_equal(result->key_frame_count, 5);
    vx_picture picture;
    assert_int_equal(vx_image_read(&picture, sheet, NULL, &r.err), VX_OK);
    assert_int_equal(picture.width, 1280);
    /* The first key frame is there, in its colours on the mean, and the paper around it is not. */
    const vx_frame *key = &result->key_frames[0];
    double want = 0, got = 0;
    int side = (1280 - 2 * 16 - 4 * 8) / 5;
    for (int i = 0; i < key->width * key->height * 3; i++)
        want += key->rgb[i] / (double)(key->width * key->height * 3);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side * 3; x++)
            got += vx_picture_row(&picture, 56 + y)[16 * 3 + x] / (double)(side * side * 3);
    assert_true(fabs(got - want) < 3);
    vx_image_free(&picture);
    vx_job_free(&job);
    slot_rig_close(&r);
}

/* Whoever verifies or watches sees frames without captions, the film shows them. */
static void captions_are_in_the_film_alone(void **state)
{
    (void)state;
    slot_rig r;
    char hex[2][65];
    uint8_t key[2][64 * 64 * 3];
    slot_rig_open(&r, STILL_PACK, "");
    for (int i = 0; i < 2; i++) {
        vx_job *job;
        vx_submit_params params = {.recipe = STILL_RECIPE,
                                   .path = slot_rig_path(&r, "a.mp4"),
                                   .subtitles = i == 0 ? "none" : "burn"};
        assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_OK);
        vx_job_wait(job, -1);
        const vx_result *result = vx_job_result(job);
        assert_string_equal(result->outcome, "done");
        assert_int_equal(result->key_frames[0].width, 64);
        memcpy(key[i], result->key_frames[0].rgb, sizeof key[i]);
        assert_true((strstr(result->report, "\"in_film\": \"burn\"") != NULL) == (i == 1));
        assert_true((strstr(result->report, "captions_small") != NULL) == (i == 1));
        vx_job_free(&job);
        assert_int_equal(vx_sha256_file(slot_rig_path(&r, "a.mp4"), hex[i], NULL), VX_OK);
    }
    assert_memory_equal(key[0], key[1], sizeof key[0]);
    assert_string_not_equal(hex[0], hex[1]);
    slot_rig_close(&r);
}

/* ---- cancel ----------------------------------------------------------------------------------- */

/* Cancels the job it belongs to at one of its steps. */
typedef struct stopper {
    _Atomic(vx_job *) job;
    int step, at;
} stopper;

static void cancel_at_step(void *arg, const char *stage, double share)
{
    stopper *s = arg;
    (void)stage;
    (void)share;
    if (s->step++ != s->at) return;
    while (atomic_load(&s->job) == NULL)
        usleep(1000);
    vx_job_cancel(atomic_load(&s->job));
}

/* After `wait_us`, whatever the slot is at by then; how long the answer took. */
static double cancel_later(slot_rig *r, vx_job **job, double wait_us)
{
    *job = slot_rig_submit(r, "b.mp4");
    usleep((useconds_t)wait_us);
    double asked = vx_now_s();
    vx_job_cancel(*job);
    assert_int_equal(vx_job_wait(*job, 100000), VX_OK);
    return vx_now_s() - asked;
}

/* At a step with more of them to come, so that it is in time on the busiest machine. */
static void cancel_early(slot_rig *r, vx_job **job, int step)
{
    stopper s = {.at = step};
    vx_submit_params params = {.recipe = r->recipe,
                               .path = slot_rig_path(r, "b.mp4"),
                               .progress = cancel_at_step,
                               .arg = &s};
    assert_int_equal(vx_submit(r->vortex, &params, job, &r->err), VX_OK);
    atomic_store(&s.job, *job);
    assert_int_equal(vx_job_wait(*job, 100000), VX_OK);
    assert_string_equal(vx_job_result(*job)->outcome, "cancelled");
}

static void cancels_are_answered(void **state)
{
    (void)state;
    slot_rig r;
    char want[65], got[65];
    double longest = 0;
    int cancelled = 0;
    unsigned random = 1;
    enum { EARLY_STEPS = 6 }; /* speech, picture, and the film's first frames */
    slot_rig_open(&r, ALL_PACK, "");
    assert_true(slot_rig_make(&r, "a.mp4", want));
    double start = vx_now_s();
    assert_true(slot_rig_make(&r, "a.mp4", want));
    double usual = vx_now_s() - start;
    assert_int_equal(slot_rig_files(&r), 1);
    for (int i = 0; i < 100; i++) {
        vx_job *job;
        random = random * 1664525 + 1013904223;
        if (i % 4 == 0)
            cancel_early(&r, &job, i / 4 % EARLY_STEPS);
        else
            longest = fmax(longest, cancel_later(&r, &job, usual * 1e6 * (random >> 16) / 65536.0));
        const char *outcome = vx_job_result(job)->outcome;
        bool was = strcmp(outcome, "cancelled") == 0;
        assert_true(was || strcmp(outcome, "done") == 0);
        cancelled += was;
        vx_job_free(&job);
        if (was) {
            assert_int_equal(slot_rig_files(&r), 1);
        } else {
            assert_int_equal(unlink(slot_rig_path(&r, "b.mp4")), 0);
        }
        if (i % 10 == 9) {
            assert_true(slot_rig_make(&r, "a.mp4", got));
            assert_string_equal(got, want);
        }
    }
    printf("100 cancels: %d were in time, the slowest answer took %.0f ms\n", cancelled,
           longest * 1e3);
    /* A second is the contract's on a machine that has a processor for us. */
    if (!SANITIZED) assert_true(longest < 10);
    slot_rig_close(&r);
}

/* ---- the queue -------------------------------------------------------------------------------- */

typedef struct client {
    slot_rig *rig;
    pthread_t thread;
    int index, done, busy, other;
} client;

/* Every job is cancelled at once in most cases, so that a thousand of them fit a test. */
static void *submit_many(void *arg)
{
    client *c = arg;
    for (int i = 0; i < 125; i++) {
        char name[32];
        vx_error err = {0};
        vx_job *job;
        snprintf(name, sizeof name, "%d.mp4", c->index);
        vx_submit_params params = {.recipe = STILL_RECIPE, .path = slot_rig_path(c->rig, name)};
        if (vx_submit(c->rig->vortex, &params, &job, &err) != VX_OK) {
            if (strcmp(err.code, "busy") == 0)
                c->busy++;
            else
                c->other++;
            continue;
        }
        if (i % 5 != 0) vx_job_cancel(job);
        vx_job_wait(job, -1);
        const char *outcome = vx_job_result(job)->outcome;
        if (strcmp(outcome, "done") == 0 || strcmp(outcome, "cancelled") == 0)
            c->done++;
        else
            c->other++;
        vx_job_free(&job);
    }
    return NULL;
}

static void everyone_is_answered(void **state)
{
    (void)state;
    slot_rig r;
    client clients[8];
    int done = 0, busy = 0;
    slot_rig_open(&r, STILL_PACK, "queue: 4\n");
    for (int i = 0; i < 8; i++) {
        clients[i] = (client){.rig = &r, .index = i};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, submit_many, &clients[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].other, 0);
        done += clients[i].done;
        busy += clients[i].busy;
    }
    printf("1,000 submissions by 8 threads: %d answered with an outcome, %d busy\n", done, busy);
    assert_int_equal(done + busy, 1000);
    assert_true(busy > 0 && done >= 8);
    char *metrics = vx_metrics_text(r.vortex), line[64];
    snprintf(line, sizeof line, "outcome=\"busy\"} %d\n", busy);
    assert_non_null(strstr(metrics, line));
    vx_text_free(metrics);
    slot_rig_close(&r);
}

static void closing_gives_everyone_an_outcome(void **state)
{
    (void)state;
    for (int drain_ms = -1; drain_ms <= 0; drain_ms++) {
        slot_rig r;
        vx_job *job[4];
        slot_rig_open(&r, STILL_PACK, "queue: 4\npipeline_depth: 4\n");
        for (int i = 0; i < 4; i++) {
            char name[16];
            snprintf(name, sizeof name, "%d.mp4", i);
            job[i] = slot_rig_submit(&r, name);
            assert_non_null(job[i]);
        }
        vx_close(&r.vortex, drain_ms);
        for (int i = 0; i < 4; i++) {
            const vx_result *result = vx_job_result(job[i]);
            assert_non_null(result);
            if (drain_ms < 0) assert_string_equal(result->outcome, "done");
            if (i == 3 && drain_ms == 0) assert_string_equal(result->outcome, "cancelled");
            assert_null(result->samples);
            assert_true(result->report[0] == '{');
            vx_job_free(&job[i]);
        }
        slot_rig_close(&r);
    }
}

/* ---- deadlines and memory --------------------------------------------------------------------- */

static void a_second_passes(void *arg, const char *stage, double share)
{
    (void)arg;
    (void)stage;
    (void)share;
    atomic_fetch_add(&passed_s, 1);
}

static void a_hopeless_deadline_ends_early(void **state)
{
    (void)state;
    slot_rig r;
    vx_job *job;
    double usual = 0;
    slot_rig_open(&r, STILL_PACK, "");
    for (int i = 0; i < 4; i++) {
        vx_submit_params slow = {.recipe = STILL_RECIPE,
                                 .path = slot_rig_path(&r, "a.mp4"),
                                 .progress = a_second_passes};
        double start = vx_now_s();
        assert_int_equal(vx_submit(r.vortex, &slow, &job, &r.err), VX_OK);
        vx_job_wait(job, -1);
        assert_string_equal(vx_job_result(job)->outcome, "done");
        vx_job_free(&job);
        usual = vx_now_s() - start;
    }
    /* A longer speech than the deadline can hold, by what speech and film have been taking. */
    char text[2048] = "{audio_track: {fit: truncate, script: '";
    for (int i = 0; i < 60; i++)
        strcat(text, "Read the lead. ");
    strcat(text, "'}, visual_track: {image: media/dot.png}}");
    vx_submit_params params = {.text = text,
                               .folder = VX_TEST_DATA,
                               .path = slot_rig_path(&r, "b.mp4"),
                               .deadline_ms = (int64_t)(usual * 2000)};
    assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_OK);
    vx_job_wait(job, -1);
    assert_string_equal(vx_job_result(job)->outcome, "deadline");
    assert_non_null(strstr(vx_job_result(job)->error.message, "cannot meet"));
    vx_job_free(&job);
    assert_int_equal(slot_rig_files(&r), 1);
    slot_rig_close(&r);
}

static void memory_pressure_ends_the_slot_and_not_the_engine(void **state)
{
    (void)state;
    if (SANITIZED) return;
    slot_rig r;
    char hex[65];
    /* The engine counts from what the process held before it opened, whatever tests left there. */
    slot_rig_open(&r, STILL_PACK, "budget: {soft_bytes: 150000000, hard_bytes: 250000000}\n");
    assert_true(slot_rig_make(&r, "a.mp4", hex));
    size_t ballast_bytes = 200000000;
    void *ballast[2];
    assert_int_equal(vx_reserve(ballast_bytes, &ballast[0], NULL), VX_OK);
    assert_true(slot_rig_make(&r, "a.mp4", hex)); /* soft: a warning, one for both slots */
    assert_true(slot_rig_make(&r, "a.mp4", hex));
    assert_int_equal(vx_reserve(ballast_bytes, &ballast[1], NULL), VX_OK);
    vx_job *job = slot_rig_submit(&r, "b.mp4");
    vx_job_wait(job, -1);
    assert_string_equal(vx_job_result(job)->outcome, "memory_pressure");
    assert_int_equal(vx_job_result(job)->error.status, VX_ERR_MEMORY);
    vx_job_free(&job);
    char *metrics = vx_metrics_text(r.vortex);
    assert_non_null(strstr(metrics, "vortex_memory_soft_events_total 1\n"));
    vx_text_free(metrics);
    vx_unreserve(ballast[0], ballast_bytes);
    vx_unreserve(ballast[1], ballast_bytes);
    assert_int_equal(slot_rig_files(&r), 1);
    assert_true(slot_rig_make(&r, "a.mp4", hex));
    slot_rig_close(&r);
}

static void bad_submissions_are_refused(void **state)
{
    (void)state;
    slot_rig r;
    vx_job *job;
    slot_rig_open(&r, STILL_PACK, "");
    const char *path = slot_rig_path(&r, "a.mp4");
    const struct {
        vx_submit_params params;
        vx_status status;
    } bad[] = {
        {{.path = path}, VX_ERR_USAGE},
        {{.recipe = STILL_RECIPE}, VX_ERR_USAGE},
        {{.recipe = STILL_RECIPE, .path = path, .has_seed = true, .seed = -1}, VX_ERR_USAGE},
        {{.recipe = "/nowhere.yaml", .path = path}, VX_ERR_MISSING},
        {{.text = "{audio_track: 1}", .path = path}, VX_ERR_INPUT},
        {{.text = "{audio_track: {script: a}, visual_track: {image: b}, output: {width: 1024}}",
          .path = path},
         VX_ERR_INPUT},
        {{.text = "{audio_track: {script: a}, visual_track: {image: b}, output: {max_seconds: 40}}",
          .path = path},
         VX_ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vx_submit(r.vortex, &bad[i].params, &job, &r.err), bad[i].status);
        assert_null(job);
    }
    slot_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_a_lease),
        cmocka_unit_test(the_next_slot_waits_for_the_lease),
        cmocka_unit_test(a_second_set_lets_the_next_slot_run),
        cmocka_unit_test(a_sheet_shows_the_slot),
        cmocka_unit_test(captions_are_in_the_film_alone),
        cmocka_unit_test(cancels_are_answered),
        cmocka_unit_test(everyone_is_answered),
        cmocka_unit_test(closing_gives_everyone_an_outcome),
        cmocka_unit_test(a_hopeless_deadline_ends_early),
        cmocka_unit_test(memory_pressure_ends_the_slot_and_not_the_engine),
        cmocka_unit_test(bad_submissions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
