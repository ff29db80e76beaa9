/* Kinds of jobs: speech and pictures beside films, what they say while they are made, who is taken
 * first, and what the engine says about itself. */
#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "slot_rig.h"

/* Far more than an answer takes, so that a busy machine fails no test; one
 * that never comes does. */
enum { PATIENCE_MS = 60000, HEARD_MAX = 24000 * 60, BYTES_MAX = 1 << 22 };

#define SENTENCES "Read the lead. Then read it again, and say it aloud. Who led whom, and where?"
#define SPEECH    "{script: \"" SENTENCES "\", voice_id: narrator, seed: 3}"
#define PICTURE   "{prompt: a b c, seed: 3}"

/* ---- who listens ----------------------------------------------------------------------------- */

/* What a job has told. */
typedef struct heard {
    float samples[HEARD_MAX];
    int64_t count, pieces, words, word_ends;
    int pictures, ended;
    uint8_t pixel[3];
    char bytes[BYTES_MAX];
    size_t written;
    size_t refuse_after; /* 0: everything is taken */
} heard;

static void hear_sound(void *arg, int64_t first, const float *samples, int64_t count,
                       const vx_word *words, int64_t word_count)
{
    heard *h = arg;
    assert_int_equal(first, h->count);
    assert_true(h->count + count <= HEARD_MAX);
    memcpy(h->samples + h->count, samples, (size_t)count * sizeof *samples);
    h->count += count;
    h->pieces++;
    for (int64_t i = 0; i < word_count; i++) {
        assert_true(words[i].text_bytes > 0 && words[i].start <= words[i].end);
        assert_true(words[i].end <= h->count && words[i].start >= h->word_ends);
        assert_non_null(strstr(SENTENCES, "Read"));
        h->word_ends = words[i].start;
    }
    h->words += word_count;
}

static void see_picture(void *arg, const vx_frame *picture)
{
    heard *h = arg;
    h->pictures++;
    memcpy(h->pixel, picture->rgb, 3);
}

static int take_bytes(void *arg, const void *bytes, size_t count)
{
    heard *h = arg;
    if (h->refuse_after > 0 && h->written + count > h->refuse_after) return 1;
    assert_true(h->written + count <= BYTES_MAX);
    memcpy(h->bytes + h->written, bytes, count);
    h->written += count;
    return 0;
}

static heard *new_heard(void)
{
    heard *h = calloc(1, sizeof *h);
    assert_non_null(h);
    return h;
}

static vx_submit_params listened(vx_kind kind, const char *text, heard *h)
{
    return (vx_submit_params){.kind = kind,
                              .text = text,
                              .confined = true,
                              .sound = hear_sound,
                              .picture = see_picture,
                              .write = take_bytes,
                              .arg = h};
}

static vx_job *submit(slot_rig *r, const vx_submit_params *params)
{
    vx_job *job;
    vx_status status = vx_submit(r->vortex, params, &job, &r->err);
    if (status != VX_OK) fprintf(stderr, "%s\n", r->err.message);
    assert_int_equal(status, VX_OK);
    return job;
}

static const vx_result *end_of(vx_job *job)
{
    assert_int_equal(vx_job_wait(job, PATIENCE_MS), VX_OK);
    const vx_result *result = vx_job_result(job);
    if (strcmp(result->outcome, "done") != 0) fprintf(stderr, "%s\n", result->error.message);
    return result;
}

static char *file_text(const char *path, size_t *bytes)
{
    static char *data;
    assert_int_equal(vx_file_read(path, BYTES_MAX, &data, bytes, NULL), VX_OK);
    return data;
}

static json_t *report_of(const vx_result *result)
{
    json_t *report = json_loads(result->report, 0, NULL);
    assert_non_null(report);
    return report;
}

/* ---- speech ---------------------------------------------------------------------------------- */

/* Streamed and whole are the same samples; the file and the stream differ in the
 * lengths of the header. */
static void speech_is_heard_as_it_is_made(void **state)
{
    (void)state;
    enum { WAV_HEADER = 44 };
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard();
    vx_submit_params params = listened(VX_SPEECH, SPEECH, h);
    params.path = slot_rig_path(&r, "speech.wav");
    vx_job *job = submit(&r, &params);
    const vx_result *result = end_of(job);
    assert_string_equal(result->outcome, "done");
    assert_int_equal(result->kind, VX_SPEECH);
    assert_int_equal(h->count, result->sample_count);
    assert_memory_equal(h->samples, result->samples, (size_t)h->count * sizeof(float));
    assert_true(h->pieces > 1);
    assert_int_equal(h->words, result->word_count);
    assert_int_equal(h->words, 16);
    assert_memory_equal(result->words[1].text, "the", 3);
    size_t bytes;
    char *file = file_text(slot_rig_path(&r, "speech.wav"), &bytes);
    assert_int_equal(bytes, h->written);
    assert_int_equal(bytes, WAV_HEADER + 2 * h->count);
    assert_memory_equal(file + WAV_HEADER, h->bytes + WAV_HEADER, bytes - WAV_HEADER);
    assert_memory_equal(h->bytes + 4, "\xFF\xFF\xFF\xFF", 4);
    vx_heap_free(file);
    json_t *report = report_of(result);
    assert_int_equal(json_array_size(json_object_get(json_object_get(report, "timings"), "words")),
                     16);
    json_decref(report);
    vx_job_free(&job);
    free(h);
    slot_rig_close(&r);
}

/* An engine for this job alone says the same. */
static void speech_does_not_depend_on_the_engine(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard(), *alone = new_heard();
    vx_submit_params params = listened(VX_SPEECH, SPEECH, h);
    vx_job *job = submit(&r, &params);
    end_of(job);
    vx_job_free(&job);
    vx_close(&r.vortex, 0);
    params.arg = alone;
    vx_open_params open = {.settings = r.settings, .pack = ALL_PACK, .only = &params};
    assert_int_equal(vx_open(&r.vortex, &open, &r.err), VX_OK);
    vx_submit_params film = {.recipe = ALL_RECIPE, .path = slot_rig_path(&r, "no.mp4")};
    assert_int_equal(vx_submit(r.vortex, &film, &job, &r.err), VX_ERR_MISSING);
    assert_string_equal(r.err.code, "not_loaded");
    job = submit(&r, &params);
    end_of(job);
    assert_int_equal(alone->count, h->count);
    assert_memory_equal(alone->samples, h->samples, (size_t)h->count * sizeof(float));
    vx_job_free(&job);
    free(h);
    free(alone);
    slot_rig_close(&r);
}

static void a_listener_may_stop_the_speech(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard();
    h->refuse_after = 1000;
    vx_submit_params params = listened(VX_SPEECH, SPEECH, h);
    params.path = slot_rig_path(&r, "stopped.mp3");
    vx_job *job = submit(&r, &params);
    assert_string_equal(end_of(job)->outcome, "cancelled");
    assert_int_equal(slot_rig_files(&r), 0);
    vx_job_free(&job);
    /* The engine takes the next one. */
    h->refuse_after = 0;
    h->count = h->word_ends = 0;
    job = submit(&r, &params);
    assert_string_equal(end_of(job)->outcome, "done");
    vx_job_free(&job);
    free(h);
    slot_rig_close(&r);
}

/* ---- pictures -------------------------------------------------------------------------------- */

static void a_picture_is_given_as_pixels_and_as_bytes(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard();
    vx_submit_params params = listened(VX_PICTURE, PICTURE, h);
    params.path = slot_rig_path(&r, "picture.png");
    vx_job *job = submit(&r, &params);
    const vx_result *result = end_of(job);
    assert_string_equal(result->outcome, "done");
    assert_non_null(result->picture);
    assert_int_equal(result->picture->width, 64);
    assert_int_equal(h->pictures, 1);
    assert_memory_equal(h->pixel, result->picture->rgb, 3);
    size_t bytes;
    char *file = file_text(slot_rig_path(&r, "picture.png"), &bytes);
    assert_int_equal(bytes, h->written);
    assert_memory_equal(file, h->bytes, bytes);
    vx_heap_free(file);
    json_t *report = report_of(result);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(report, "prompt"), "text")), "a b c");
    json_decref(report);
    vx_job_release(job);
    assert_null(result->picture);
    vx_job_free(&job);
    /* What was not planned for is refused by name. */
    params.text = "{prompt: a, width: 128}";
    assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_ERR_USAGE);
    assert_string_equal(r.err.code, "bad_size");
    params.text = "{prompt: a, image: x.png, strength: 0.5}";
    params.confined = false;
    assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_ERR_INPUT);
    free(h);
    slot_rig_close(&r);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static json_t *score_of(slot_rig *r, const vx_submit_params *params)
{
    vx_job *job = submit(r, params);
    const vx_result *result = end_of(job);
    assert_string_equal(result->outcome, "done");
    assert_true(result->embedding_b_count > 0);
    json_t *report = report_of(result);
    vx_job_free(&job);
    return report;
}

/* A picture by its name or by its bytes, and the film of it, which only a
 * file's request may name. */
static void pictures_and_films_are_judged(void **state)
{
    (void)state;
    slot_rig r;
    size_t bytes;
    char hex[65], text[300], request[128];
    slot_rig_open(&r, STILL_PACK, "");
    char *image = file_text(VX_TEST_DATA "/media/exif2.jpg", &bytes);
    vx_submit_params named = {.kind = VX_SCORE,
                              .text = "{image: exif2.jpg, prompts: [a b, c], embeddings: true}",
                              .folder = VX_TEST_DATA "/media"};
    vx_submit_params given = {.kind = VX_SCORE,
                              .text = "{prompts: [a b, c]}",
                              .confined = true,
                              .image = image,
                              .image_bytes = bytes};
    json_t *first = score_of(&r, &named), *second = score_of(&r, &given);
    json_t *prompts = json_object_get(first, "prompts");
    assert_true(json_equal(prompts, json_object_get(second, "prompts")));
    assert_int_equal(json_array_size(prompts), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(prompts, 1), "text")),
                        "c");
    assert_non_null(json_object_get(first, "embeddings"));
    assert_string_equal(json_string_value(json_object_get(first, "media")), "exif2.jpg");
    assert_true(json_is_null(json_object_get(second, "media")));
    json_decref(first);
    json_decref(second);
    assert_true(slot_rig_make(&r, "film.mp4", hex));
    snprintf(request, sizeof request, "%s/score.yaml", r.folder);
    snprintf(text, sizeof text, "{image: film.mp4, prompts: [a b]}");
    assert_int_equal(vx_file_write(request, text, strlen(text), NULL), VX_OK);
    vx_submit_params film = {.kind = VX_SCORE, .recipe = request};
    first = score_of(&r, &film);
    assert_int_equal(json_array_size(json_object_get(first, "frames")), 5);
    json_decref(first);
    vx_job *job;
    vx_submit_params sent = {.kind = VX_SCORE, .text = text, .folder = r.folder};
    job = submit(&r, &sent);
    assert_string_equal(end_of(job)->outcome, "bad_recipe");
    vx_job_free(&job);
    vx_heap_free(image);
    slot_rig_close(&r);
}

/* ---- beside a film --------------------------------------------------------------------------- */

static void let_go(slot_gate *g, vx_job **job)
{
    slot_gate_open(g);
    assert_string_equal(end_of(*job)->outcome, "done");
    vx_job_free(job);
    slot_gate_close(g);
}

/* And neither changes the other's bytes. */
static void a_sentence_does_not_wait_for_a_film(void **state)
{
    (void)state;
    slot_rig r;
    slot_gate g;
    char alone[65], beside[65];
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard(), *later = new_heard();
    assert_true(slot_rig_make(&r, "alone.mp4", alone));
    vx_job *film = slot_gate_start(&r, &g);
    vx_submit_params params = listened(VX_SPEECH, SPEECH, h);
    vx_job *speech = submit(&r, &params);
    assert_string_equal(end_of(speech)->outcome, "done");
    assert_int_equal(vx_job_poll(film), VX_RUNNING);
    vx_job_free(&speech);
    let_go(&g, &film);
    assert_int_equal(vx_sha256_file(slot_rig_path(&r, "gated.mp4"), beside, NULL), VX_OK);
    assert_string_equal(alone, beside);
    params.arg = later;
    speech = submit(&r, &params);
    end_of(speech);
    assert_int_equal(h->count, later->count);
    assert_memory_equal(h->samples, later->samples, (size_t)h->count * sizeof(float));
    vx_job_free(&speech);
    free(h);
    free(later);
    slot_rig_close(&r);
}

/* The film's first frame comes when it has the picture lane. */
static void a_picture_waits_for_the_lane_and_not_for_the_queue(void **state)
{
    (void)state;
    slot_rig r;
    slot_gate g;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard();
    vx_job *film = slot_gate_start(&r, &g), *next = slot_rig_submit(&r, "next.mp4");
    vx_submit_params params = listened(VX_PICTURE, PICTURE, h);
    vx_job *picture = submit(&r, &params);
    assert_int_equal(vx_job_position(next, NULL), 1);
    slot_gate_open(&g);
    assert_string_equal(end_of(picture)->outcome, "done");
    assert_string_equal(end_of(film)->outcome, "done");
    vx_job_free(&film); /* its lease */
    assert_string_equal(end_of(next)->outcome, "done");
    vx_job_free(&next);
    vx_job_free(&picture);
    free(h);
    slot_rig_close(&r);
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void priorities_go_first(void **state)
{
    (void)state;
    slot_rig r;
    slot_gate g;
    slot_rig_open(&r, ALL_PACK, "");
    vx_job *film = slot_gate_start(&r, &g), *job[3];
    const vx_priority priority[3] = {VX_LOW, VX_NORMAL, VX_HIGH};
    char path[3][128];
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/%d.mp4", r.folder, i);
        job[i] = submit(&r, &(vx_submit_params){
                                .recipe = ALL_RECIPE, .path = path[i], .priority = priority[i]});
    }
    double ahead_s;
    assert_int_equal(vx_job_position(job[2], &ahead_s), 1);
    assert_int_equal(vx_job_position(job[1], NULL), 2);
    assert_int_equal(vx_job_position(job[0], NULL), 3);
    assert_true(ahead_s < 0); /* nothing like it has ended yet */
    assert_int_equal(vx_job_position(film, NULL), 0);
    vx_figures figures;
    assert_int_equal(vx_figures_read(r.vortex, &figures), VX_OK);
    assert_int_equal(figures.waiting[VX_FILM], 3);
    assert_int_equal(figures.running[VX_FILM], 1);
    assert_true(figures.planned_bytes > 0 && figures.hard_bytes >= figures.planned_bytes);
    vx_job_cancel(job[0]);
    end_of(job[0]);
    slot_gate_open(&g);
    end_of(film);
    vx_job_free(&film);
    end_of(job[2]);
    assert_int_not_equal(vx_job_poll(job[1]), VX_ENDED); /* it waits for that lease */
    assert_int_equal(vx_job_position(job[1], &ahead_s), 1);
    assert_true(ahead_s >= 0);
    for (int i = 2; i >= 0; i--)
        vx_job_free(&job[i]);
    slot_rig_close(&r);
}

/* ---- the end --------------------------------------------------------------------------------- */

static sem_t freed;

static void free_at_end(void *arg, vx_job *job)
{
    heard *h = arg;
    assert_int_equal(vx_job_poll(job), VX_ENDED);
    assert_non_null(vx_job_result(job));
    h->ended++;
    vx_job_free(&job);
    sem_post(&freed);
}

static void count_end(void *arg, vx_job *job)
{
    heard *h = arg;
    assert_int_equal(vx_job_poll(job), VX_ENDED);
    h->ended++;
}

static void the_end_is_told(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    heard *h = new_heard();
    sem_init(&freed, 0, 0);
    vx_submit_params params = {.kind = VX_SPEECH, .text = SPEECH, .ended = free_at_end, .arg = h};
    for (int i = 0; i < 3; i++) {
        submit(&r, &params);
        while (sem_wait(&freed) != 0)
            ;
    }
    assert_int_equal(h->ended, 3);
    /* Whoever frees a job waits until its end has been told. */
    params.ended = count_end;
    for (int i = 0; i < 20; i++) {
        vx_job *job = submit(&r, &params);
        if (i % 2 == 0) vx_job_cancel(job);
        vx_job_free(&job);
        assert_int_equal(h->ended, 4 + i);
    }
    sem_destroy(&freed);
    free(h);
    slot_rig_close(&r);
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static void refused(slot_rig *r, vx_submit_params params, vx_status status, const char *code)
{
    vx_job *job;
    char *json;
    assert_int_equal(vx_submit(r->vortex, &params, &job, &r->err), status);
    assert_string_equal(r->err.code, code);
    assert_null(job);
    assert_int_equal(vx_check(r->vortex, &params, &json, &r->err), status);
    assert_string_equal(r->err.code, code);
    assert_null(json);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    static const struct {
        vx_kind kind;
        const char *text;
    } bad[] = {
        {VX_SPEECH, "{}"},
        {VX_SPEECH, "{script: a, phonemes: b}"},
        {VX_SPEECH, "{script: ' '}"},
        {VX_SPEECH, "{script: a, speed: 3}"},
        {VX_SPEECH, "{script: a, format: doc}"},
        {VX_SPEECH, "{script: a, prompt: b}"},
        {VX_SPEECH, "{script: a"},
        {VX_PICTURE, "{}"},
        {VX_PICTURE, "{prompt: a, strength: 0.5}"},
        {VX_PICTURE, "{prompt: a, steps: 9}"},
        {VX_PICTURE, "{prompt: a, width: 65}"},
        {VX_SCORE, "{prompts: [a]}"},
        {VX_SCORE, "{image: a.png, prompts: []}"},
        {VX_SCORE, "{image: a.png, prompts: [a]}"},
        {VX_PICTURE, "{prompt: a, noise: n.npy}"},
        {VX_PICTURE, "{prompt: a, latents_out: n.npy}"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&r, (vx_submit_params){.kind = bad[i].kind, .text = bad[i].text, .confined = true},
                VX_ERR_INPUT, "bad_request");
    vx_submit_params speech = {.kind = VX_SPEECH, .text = "{script: a}", .sheet = "/tmp/s.png"};
    vx_job *job;
    assert_int_equal(vx_submit(r.vortex, &speech, &job, &r.err), VX_ERR_USAGE);
    refused(&r, (vx_submit_params){.kind = VX_ANIMATION, .text = "{}"}, VX_ERR_USAGE, "bad_usage");
    refused(&r, (vx_submit_params){.kind = (vx_kind)99, .text = "{}"}, VX_ERR_USAGE, "bad_usage");
    refused(
        &r,
        (vx_submit_params){.kind = VX_SPEECH, .text = "{script: a}", .priority = (vx_priority)2},
        VX_ERR_USAGE, "bad_usage");
    slot_rig_close(&r);
}

/* A confined recipe is told nothing about what there is, wherever its text comes from. */
static void a_confined_recipe_names_no_file(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    static const char *const names[] = {"/etc/passwd", "/nowhere.png", "small.yaml"};
    char text[200], first[sizeof r.err.message] = "";
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{audio_track: {script: a}, visual_track: {image: %s}}",
                 names[i]);
        vx_submit_params params = {
            .text = text, .folder = VX_TEST_DATA "/slot", .confined = true, .path = "/tmp/f.mp4"};
        refused(&r, params, VX_ERR_INPUT, "bad_recipe");
        if (i == 0) strcpy(first, r.err.message);
        assert_null(strstr(r.err.message, "/slot"));
    }
    assert_string_not_equal(first, "");
    vx_submit_params file = {.recipe = STILL_RECIPE, .confined = true, .path = "/tmp/f.mp4"};
    refused(&r, file, VX_ERR_INPUT, "bad_recipe");
    slot_rig_close(&r);
}

/* The picture's bytes in the place of its file give the same film, and the same speech
 * and actor beside it. */
static void an_image_may_come_as_bytes(void **state)
{
    (void)state;
    slot_rig r;
    size_t bytes, frame = 0;
    slot_rig_open(&r, STILL_PACK, "");
    char *image = file_text(VX_TEST_DATA "/media/exif2.jpg", &bytes);
    heard *h = new_heard();
    vx_job *named = slot_rig_submit(&r, "named.mp4");
    const vx_frame *seen = end_of(named)->key_frames;
    frame = (size_t)seen->stride * (size_t)seen->height;
    uint8_t *pixels = malloc(frame);
    memcpy(pixels, seen->rgb, frame);
    vx_job_free(&named);
    char actor[128], audio[128], timings[128];
    snprintf(actor, sizeof actor, "%s/actor.png", r.folder);
    snprintf(audio, sizeof audio, "%s/audio.wav", r.folder);
    snprintf(timings, sizeof timings, "%s/timings.json", r.folder);
    vx_submit_params params = {.text =
                                   "slot_id: small\nseed: 3\n"
                                   "audio_track: {script: \"Read the lead.\", voice_id: narrator}\n"
                                   "visual_track: {prompt: a b c}\n",
                               .confined = true,
                               .image = image,
                               .image_bytes = bytes,
                               .path = slot_rig_path(&r, "given.mp4"),
                               .actor = actor,
                               .audio = audio,
                               .timings = timings,
                               .sound = hear_sound,
                               .picture = see_picture,
                               .arg = h};
    vx_job *job = submit(&r, &params);
    const vx_result *result = end_of(job);
    assert_string_equal(result->outcome, "done");
    assert_int_equal(h->pictures, 1);
    assert_int_equal(h->pieces, 1);
    assert_int_equal(h->words, 3);
    assert_int_equal(h->count, result->sample_count);
    assert_int_equal(slot_rig_files(&r), 5);
    assert_memory_equal(pixels, result->key_frames->rgb, frame);
    vx_job_free(&job);
    free(pixels);
    vx_heap_free(image);
    free(h);
    slot_rig_close(&r);
}

/* ---- what it says about itself --------------------------------------------------------------- */

static json_t *document(char *text)
{
    assert_non_null(text);
    json_t *parsed = json_loads(text, 0, NULL);
    assert_non_null(parsed);
    vx_text_free(text);
    return parsed;
}

static void an_engine_describes_itself(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    json_t *plan = document(vx_plan_json(r.vortex));
    vx_figures figures;
    assert_int_equal(vx_figures_read(r.vortex, &figures), VX_OK);
    assert_int_equal(json_integer_value(json_object_get(plan, "total_bytes")),
                     figures.planned_bytes);
    json_t *voices = document(vx_voices_json(r.vortex));
    assert_true(json_array_size(json_object_get(voices, "voices")) >= 2);
    json_t *info = document(vx_info_json(r.vortex));
    assert_true(json_is_true(json_object_get(json_object_get(info, "features"), "picture")));
    assert_int_equal(json_array_size(json_object_get(info, "moods")), 6);
    json_decref(plan);
    json_decref(voices);
    json_decref(info);
    char *text;
    vx_submit_params params = {.kind = VX_SPEECH, .text = SPEECH};
    assert_int_equal(vx_check(r.vortex, &params, &text, &r.err), VX_OK);
    json_t *check = document(text);
    assert_true(json_real_value(json_object_get(check, "speech_s")) > 2);
    assert_true(json_is_null(json_object_get(check, "work_s")));
    json_decref(check);
    params = (vx_submit_params){.recipe = ALL_RECIPE};
    assert_int_equal(vx_check(r.vortex, &params, NULL, &r.err), VX_OK);
    slot_rig_close(&r);
    assert_null(vx_info_json(r.vortex));
    assert_int_equal(vx_figures_read(r.vortex, &figures), VX_ERR_USAGE);
}

/* The value of a line of metrics; -1: there is none. */
static double metric(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    return at != NULL ? strtod(at + strlen(line), NULL) : -1;
}

static void metrics_may_be_a_file(void **state)
{
    (void)state;
    slot_rig r;
    char path[] = "/tmp/vortex-metrics-XXXXXX", settings[128];
    close(mkstemp(path));
    snprintf(settings, sizeof settings, "metrics: {file: %s}", path);
    slot_rig_open(&r, ALL_PACK, settings);
    size_t bytes;
    char *text = file_text(path, &bytes);
    assert_true(
        metric(text, "vortex_memory_planned_bytes{component=\"kokoro\",region=\"weights\"} ") > 0);
    vx_heap_free(text);
    vx_submit_params speech = {.kind = VX_SPEECH, .text = SPEECH};
    vx_job *job[2] = {submit(&r, &speech), slot_rig_submit(&r, "film.mp4")};
    for (int i = 0; i < 2; i++) {
        assert_string_equal(end_of(job[i])->outcome, "done");
        vx_job_free(&job[i]);
    }
    text = file_text(path, &bytes);
    assert_true(metric(text, "vortex_jobs_total{kind=\"speech\",outcome=\"done\"} ") == 1);
    assert_true(metric(text, "vortex_jobs_total{kind=\"film\",outcome=\"done\"} ") == 1);
    assert_true(metric(text, "vortex_job_duration_seconds_count{kind=\"film\"} ") == 1);
    assert_true(metric(text, "vortex_job_wait_seconds_bucket{kind=\"speech\",le=\"+Inf\"} ") == 1);
    assert_true(metric(text, "vortex_stage_duration_seconds_count{stage=\"audio\"} ") == 2);
    assert_true(metric(text, "vortex_stage_duration_seconds_bucket{stage=\"audio\",le=\"600\"} ") ==
                2);
    assert_true(metric(text, "vortex_slots_total{outcome=\"done\"} ") == 2);
    vx_heap_free(text);
    slot_rig_close(&r);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_is_heard_as_it_is_made),
        cmocka_unit_test(speech_does_not_depend_on_the_engine),
        cmocka_unit_test(a_listener_may_stop_the_speech),
        cmocka_unit_test(a_picture_is_given_as_pixels_and_as_bytes),
        cmocka_unit_test(pictures_and_films_are_judged),
        cmocka_unit_test(a_sentence_does_not_wait_for_a_film),
        cmocka_unit_test(a_picture_waits_for_the_lane_and_not_for_the_queue),
        cmocka_unit_test(priorities_go_first),
        cmocka_unit_test(the_end_is_told),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(a_confined_recipe_names_no_file),
        cmocka_unit_test(an_image_may_come_as_bytes),
        cmocka_unit_test(an_engine_describes_itself),
        cmocka_unit_test(metrics_may_be_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
