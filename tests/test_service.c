/* The resident engine as a host meets it: waiting jobs that are answered whatever else happens, closing,
 * threads that race with it, versions of the header, the log, arguments that are not there. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "slot_rig.h"

/* Far more than an answer takes, so that a busy machine fails no test; one that never comes does. */
enum { PATIENCE_MS = 60000 };

/* ---- jobs that wait --------------------------------------------------------------------------- */

static vx_job *submit_for(slot_rig *r, const char *name, int64_t deadline_ms)
{
    vx_job *job;
    vx_submit_params params = {
        .recipe = r->recipe, .path = slot_rig_path(r, name), .deadline_ms = deadline_ms};
    assert_int_equal(vx_submit(r->vortex, &params, &job, &r->err), VX_OK);
    return job;
}

static void expect_end(vx_job *job, const char *outcome, const char *words)
{
    assert_int_equal(vx_job_wait(job, PATIENCE_MS), VX_OK);
    const vx_result *result = vx_job_result(job);
    assert_string_equal(result->outcome, outcome);
    assert_non_null(strstr(result->error.message, words));
    assert_non_null(strstr(result->report, outcome));
    assert_null(result->samples);
}

static void waiting_jobs_are_answered_while_one_runs(void **state)
{
    (void)state;
    slot_rig r;
    slot_gate g;
    slot_rig_open(&r, STILL_PACK, "queue: 3\n");
    vx_job *running = slot_gate_start(&r, &g);
    vx_job *first = slot_rig_submit(&r, "1.mp4"), *second = slot_rig_submit(&r, "2.mp4");
    vx_job *overdue = submit_for(&r, "3.mp4", 1);
    expect_end(overdue, "deadline", "waited for others");
    /* Its place is free, and taken: from the middle of the queue too. */
    vx_job *third = slot_rig_submit(&r, "3.mp4");
    assert_non_null(third);
    assert_null(slot_rig_submit(&r, "4.mp4"));
    assert_string_equal(r.err.code, "busy");
    vx_job_cancel(second);
    expect_end(second, "cancelled", "before it began");
    vx_job *fourth = slot_rig_submit(&r, "4.mp4");
    assert_non_null(fourth);
    vx_job_free(&third);
    assert_null(third);
    assert_int_equal(vx_job_poll(running), VX_RUNNING);
    assert_int_equal(vx_job_poll(first), VX_QUEUED);
    char *metrics = vx_metrics_text(r.vortex);
    assert_non_null(strstr(metrics, "vortex_queue_waiting 2\n"));
    assert_non_null(strstr(metrics, "vortex_slots_running 1\n"));
    vx_text_free(metrics);
    slot_gate_open(&g);
    vx_job_wait(running, -1);
    assert_string_equal(vx_job_result(running)->outcome, "done");
    vx_job_free(&running);
    /* Those who stayed are served, in their order. */
    vx_job_wait(first, -1);
    assert_string_equal(vx_job_result(first)->outcome, "done");
    assert_int_equal(vx_job_poll(fourth), VX_QUEUED);
    vx_job_free(&first);
    vx_job_wait(fourth, -1);
    assert_string_equal(vx_job_result(fourth)->outcome, "done");
    vx_job_free(&fourth);
    vx_job_free(&second);
    vx_job_free(&overdue);
    slot_rig_close(&r);
}

static void waiting_jobs_are_answered_while_a_lease_is_held(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, STILL_PACK, "");
    vx_job *leased = slot_rig_submit(&r, "1.mp4");
    vx_job_wait(leased, -1);
    vx_job *next = slot_rig_submit(&r, "2.mp4");
    vx_job *overdue = submit_for(&r, "3.mp4", 1), *cancelled = slot_rig_submit(&r, "4.mp4");
    expect_end(overdue, "deadline", "not released");
    vx_job_cancel(cancelled);
    expect_end(cancelled, "cancelled", "before it began");
    assert_int_equal(vx_job_poll(next), VX_QUEUED);
    vx_job_free(&next);
    assert_non_null(vx_job_result(leased)->samples);
    vx_job_free(&overdue);
    vx_job_free(&cancelled);
    vx_job_free(&leased);
    slot_rig_close(&r);
}

/* ---- closing ---------------------------------------------------------------------------------- */

static void closing_takes_leases_back(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, STILL_PACK, "");
    vx_job *leased = slot_rig_submit(&r, "1.mp4"), *next = slot_rig_submit(&r, "2.mp4");
    vx_job_wait(leased, -1);
    assert_non_null(vx_job_result(leased)->samples);
    vx_close(&r.vortex, -1);
    assert_null(vx_job_result(leased)->samples);
    assert_string_equal(vx_job_result(next)->outcome, "done");
    vx_job_free(&next);
    vx_job_free(&leased);
    slot_rig_close(&r);
}

typedef struct racer {
    slot_rig *rig;
    vx_vortex *vortex; /* the handle as it was */
    atomic_bool *stop;
    pthread_t thread;
    int index, other;
} racer;

static atomic_int jobs_taken, times_busy;

static void *submit_on(void *arg)
{
    racer *a = arg;
    char name[16];
    snprintf(name, sizeof name, "%d.mp4", a->index);
    while (!atomic_load(a->stop)) {
        vx_error err = {0};
        vx_job *job;
        vx_submit_params params = {.recipe = STILL_RECIPE, .path = slot_rig_path(a->rig, name)};
        vx_status status = vx_submit(a->vortex, &params, &job, &err);
        if (status == VX_OK) {
            atomic_fetch_add(&jobs_taken, 1);
            vx_job_wait(job, a->index % 2 == 0 ? -1 : 1);
            vx_job_free(&job);
        } else if (status == VX_ERR_DEADLINE && strcmp(err.code, "busy") == 0) {
            atomic_fetch_add(&times_busy, 1);
        } else {
            a->other++;
        }
        vx_text_free(vx_metrics_text(a->vortex));
    }
    return NULL;
}

static void submits_race_with_close(void **state)
{
    (void)state;
    slot_rig r;
    racer racers[8];
    atomic_bool stop = false;
    slot_rig_open(&r, STILL_PACK, "");
    for (int i = 0; i < 8; i++) {
        racers[i] = (racer){.rig = &r, .vortex = r.vortex, .stop = &stop, .index = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, submit_on, &racers[i]), 0);
    }
    while (atomic_load(&jobs_taken) == 0)
        usleep(1000);
    usleep(50000);
    vx_vortex *stale = r.vortex, *twice = stale;
    vx_close(&r.vortex, 0);
    vx_close(&twice, 0);
    assert_null(twice);
    /* Once more after the end, by this thread. */
    vx_job *job;
    vx_submit_params params = {.recipe = STILL_RECIPE, .path = slot_rig_path(&r, "x.mp4")};
    assert_int_equal(vx_submit(stale, &params, &job, &r.err), VX_ERR_DEADLINE);
    assert_string_equal(r.err.code, "busy");
    assert_null(vx_metrics_text(stale));
    int so_far = atomic_load(&times_busy);
    while (atomic_load(&times_busy) == so_far)
        usleep(1000);
    atomic_store(&stop, true);
    for (int i = 0; i < 8; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].other, 0);
    }
    printf("8 threads: %d jobs taken, %d times busy, %d files\n", atomic_load(&jobs_taken),
           atomic_load(&times_busy), slot_rig_files(&r));
    slot_rig_close(&r);
}

/* ---- versions --------------------------------------------------------------------------------- */

static void versions_are_told_apart(void **state)
{
    (void)state;
    slot_rig r;
    vx_job *job;
    vx_vortex *v;
    slot_rig_open(&r, STILL_PACK, "");
    assert_int_equal(vx_api(), VORTEX_API);
    vx_open_params open = {.settings = r.settings, .pack = STILL_PACK};
    assert_int_equal(vx_open_api(&v, &open, &r.err, VORTEX_API + 1), VX_ERR_MISSING);
    assert_null(v);
    char named[32];
    snprintf(named, sizeof named, "version %d", VORTEX_API + 1);
    assert_non_null(strstr(r.err.message, named));
    assert_non_null(strstr(r.err.message, vx_version()));
    assert_int_equal(vx_open_api(&v, &open, &r.err, 0), VX_ERR_USAGE);
    vx_submit_params submit = {.recipe = STILL_RECIPE, .path = slot_rig_path(&r, "a.mp4")};
    assert_int_equal(vx_submit_api(r.vortex, &submit, &job, &r.err, VORTEX_API + 1),
                     VX_ERR_MISSING);
    assert_null(job);
    /* The plain function is version 1: what came later is not looked at. */
    open.log_level = "no such level";
    assert_int_equal((vx_open)(&v, &open, &r.err), VX_OK);
    assert_int_equal((vx_submit)(v, &submit, &job, &r.err), VX_OK);
    vx_job_wait(job, -1);
    assert_string_equal(vx_job_result(job)->outcome, "done");
    assert_int_equal(vx_job_result(job)->bytes, sizeof(vx_result));
    vx_job_free(&job);
    vx_close(&v, 0);
    slot_rig_close(&r);
}

/* ---- the log ---------------------------------------------------------------------------------- */

typedef struct lines {
    int count, of_slot, of_audio;
    vx_log_level highest;
} lines;

static void take_line(void *arg, const vx_log_line *line)
{
    lines *l = arg;
    l->count++;
    l->of_slot += strcmp(line->slot, "small") == 0;
    l->of_audio += strcmp(line->stage, "audio") == 0;
    if (line->level > l->highest) l->highest = line->level;
    vx_log(VX_LOG_ERROR, "a line about a line");
}

static lines log_of_a_slot(slot_rig *r, const char *level)
{
    lines l = {0};
    char hex[65];
    vx_open_params open = {.settings = r->settings,
                           .pack = STILL_PACK,
                           .log = take_line,
                           .log_arg = &l,
                           .log_level = level};
    assert_int_equal(vx_open(&r->vortex, &open, &r->err), VX_OK);
    assert_true(slot_rig_make(r, "a.mp4", hex));
    vx_close(&r->vortex, 0);
    int count = l.count;
    vx_log(VX_LOG_ERROR, "a line to standard error, which is as it should be");
    assert_int_equal(l.count, count);
    return l;
}

static void a_host_takes_the_log(void **state)
{
    (void)state;
    slot_rig r;
    /* Random weights make noise, of whose loudness there would be a warning. */
    slot_rig_open(&r, STILL_PACK, "log: {level: info}\naudio: {loudness: off}\n");
    vx_close(&r.vortex, 0);
    lines l = log_of_a_slot(&r, NULL);
    assert_int_equal(l.highest, VX_LOG_INFO); /* the settings' level */
    assert_true(l.of_slot >= 4 && l.of_audio >= 1);
    assert_int_equal(log_of_a_slot(&r, "warn").of_slot, 0);
    assert_int_equal(log_of_a_slot(&r, "error").count, 0);
    vx_open_params open = {.settings = r.settings, .pack = STILL_PACK, .log_level = "loud"};
    assert_int_equal(vx_open(&r.vortex, &open, &r.err), VX_ERR_USAGE);
    assert_non_null(strstr(r.err.message, "loud"));
    vx_log_set_level(VX_LOG_WARN);
    slot_rig_close(&r);
}

/* ---- nothing ---------------------------------------------------------------------------------- */

static void nothing_is_no_fault(void **state)
{
    (void)state;
    slot_rig r;
    vx_job *none = NULL, *job;
    vx_vortex *closed = NULL;
    vx_cancel *gone = NULL;
    slot_rig_open(&r, STILL_PACK, "");
    vx_submit_params params = {.recipe = STILL_RECIPE, .path = slot_rig_path(&r, "a.mp4")};
    assert_int_equal(vx_open(NULL, &(vx_open_params){0}, &r.err), VX_ERR_USAGE);
    assert_true(strlen(r.err.message) > 10);
    assert_int_equal(vx_open(NULL, NULL, NULL), VX_ERR_USAGE);
    assert_int_equal(vx_submit(NULL, &params, &job, &r.err), VX_ERR_USAGE);
    assert_int_equal(vx_submit(r.vortex, &params, NULL, &r.err), VX_ERR_USAGE);
    assert_int_equal(vx_submit(r.vortex, NULL, &job, &r.err), VX_ERR_USAGE);
    assert_int_equal(vx_submit(r.vortex, NULL, &job, NULL), VX_ERR_USAGE);
    assert_null(job);
    vx_close(NULL, 0);
    vx_close(&closed, 0);
    vx_job_free(NULL);
    vx_job_free(&none);
    vx_job_cancel(NULL);
    vx_job_release(NULL);
    assert_null(vx_job_result(NULL));
    assert_int_equal(vx_job_poll(NULL), VX_ENDED);
    assert_int_equal(vx_job_wait(NULL, -1), VX_ERR_USAGE);
    vx_cancel_set(NULL);
    vx_cancel_free(NULL);
    vx_cancel_free(&gone);
    vx_text_free(NULL);
    assert_null(vx_metrics_text(NULL));
    slot_rig_close(&r);
}

/* What NULL for vx_open's params means, with settings that are found by themselves. */
static void no_params_are_the_defaults(void **state)
{
    (void)state;
    slot_rig r;
    vx_error err = {0};
    vx_vortex *v;
    char path[192];
    slot_rig_open(&r, STILL_PACK, "");
    vx_close(&r.vortex, 0);
    snprintf(path, sizeof path,
             "mkdir %s/vortex && mv %s %s/vortex/ && echo 'pack: no-such-pack' >> "
             "%s/vortex/vortex.yaml",
             r.folder, r.settings, r.folder, r.folder);
    assert_int_equal(system(path), 0);
    setenv("XDG_CONFIG_HOME", r.folder, 1);
    vx_status status = vx_open(&v, NULL, &err);
    unsetenv("XDG_CONFIG_HOME");
    assert_int_not_equal(status, VX_OK);
    assert_null(v);
    assert_non_null(strstr(err.message, "no-such-pack"));
    slot_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_jobs_are_answered_while_one_runs),
        cmocka_unit_test(waiting_jobs_are_answered_while_a_lease_is_held),
        cmocka_unit_test(closing_takes_leases_back),
        cmocka_unit_test(submits_race_with_close),
        cmocka_unit_test(versions_are_told_apart),
        cmocka_unit_test(a_host_takes_the_log),
        cmocka_unit_test(nothing_is_no_fault),
        cmocka_unit_test(no_params_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
