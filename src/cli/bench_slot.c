#include "cli/bench_slot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vortex/vortex.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/json_out.h"
#include "cli/progress.h"

enum { STAGES_MAX = 16, POLL_MS = 20 };

static const char RECIPE[] =
    "slot_id: bench\n"
    "audio_track:\n"
    "  script: >-\n"
    "    The quick brown fox jumps over the lazy dog, and the sun goes down behind the hills.\n"
    "    Every morning the baker opens his store at six.\n"
    "visual_track: {prompt: a portrait of a person who looks into the camera}\n";

/* Durations of one stage, or of whole slots, in the order of the runs. */
typedef struct series {
    char name[32];
    double *seconds;
    int count;
} series;

typedef struct slot_bench {
    vx_cli *cli;
    const char *recipe;
    char path[64]; /* of the film that every run writes anew */
    int runs;
    vx_vortex *vortex;
    double cold_s, together_s; /* opening; how long audio and actor were both at work, all runs */
    series stage[STAGES_MAX], slot;
    int stages;
    int64_t frames;
    double video_s;
    size_t planned_bytes, peak_bytes;
    vx_heap_counts heap; /* of the runs */
} slot_bench;

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the bench");
}

static series *series_of(slot_bench *b, const char *name, vx_error *err)
{
    for (int i = 0; i < b->stages; i++)
        if (strcmp(b->stage[i].name, name) == 0) return &b->stage[i];
    if (b->stages == STAGES_MAX) return NULL;
    series *s = &b->stage[b->stages];
    /* Room for a second try in every run. */
    s->seconds = vx_heap_alloc(2 * (size_t)b->runs * sizeof *s->seconds);
    if (s->seconds == NULL) {
        no_memory(err);
        return NULL;
    }
    snprintf(s->name, sizeof s->name, "%s", name);
    b->stages++;
    return s;
}

static vx_status make_slot(slot_bench *b, vx_job **job, vx_error *err)
{
    vx_submit_params params = {.recipe = b->recipe,
                               .text = b->recipe == NULL ? RECIPE : NULL,
                               .path = b->path,
                               .has_seed = b->cli->seed >= 0,
                               .seed = b->cli->seed};
    VX_TRY(vx_submit(b->vortex, &params, job, err));
    while (vx_job_wait(*job, POLL_MS) != VX_OK)
        if (vx_cancelled(b->cli->cancel)) vx_job_cancel(*job);
    const vx_result *r = vx_job_result(*job);
    if (r->error.status != VX_OK && r->error.status != VX_ERR_VERIFY) {
        *err = r->error;
        return r->error.status;
    }
    return VX_OK;
}

/* How long two stages of a slot were at work at the same time. */
static double overlap_s(const vx_result *r)
{
    double sum = 0;
    for (int i = 0; i < r->stage_count; i++)
        for (int j = i + 1; j < r->stage_count; j++)
            sum += fmax(0, fmin(r->stages[i].end_s, r->stages[j].end_s) -
                               fmax(r->stages[i].start_s, r->stages[j].start_s));
    return sum;
}

static vx_status note(slot_bench *b, const vx_result *r, vx_error *err)
{
    double end_s = 0;
    for (int i = 0; i < r->stage_count; i++) {
        series *s = series_of(b, r->stages[i].name, err);
        if (s == NULL) return VX_ERR_MEMORY;
        double seconds = r->stages[i].end_s - r->stages[i].start_s;
        if (s->count < 2 * b->runs) s->seconds[s->count++] = seconds;
        if (strcmp(s->name, "video") == 0) b->video_s += seconds;
        if (r->stages[i].peak_bytes > b->peak_bytes) b->peak_bytes = r->stages[i].peak_bytes;
        end_s = fmax(end_s, r->stages[i].end_s);
    }
    b->slot.seconds[b->slot.count++] = end_s;
    b->together_s += overlap_s(r);
    b->frames += r->frames;
    json_t *report = json_loads(r->report, 0, NULL);
    b->planned_bytes = (size_t)json_integer_value(
        json_object_get(json_object_get(report, "memory"), "planned_bytes"));
    json_decref(report);
    return VX_OK;
}

static vx_status run_slots(slot_bench *b, vx_error *err)
{
    vx_progress progress;
    vx_status status = VX_OK;
    vx_heap_counts before = {0};
    vx_progress_start(&progress, b->cli->quiet, "slot", "runs");
    for (int i = 0; i <= b->runs && status == VX_OK; i++) {
        vx_job *job = NULL;
        if (i == 1) before = vx_heap_read();
        status = make_slot(b, &job, err);
        if (status == VX_OK && i > 0) status = note(b, vx_job_result(job), err);
        vx_job_free(&job);
        vx_progress_update(&progress, (uint64_t)i, (uint64_t)b->runs);
    }
    vx_progress_end(&progress);
    vx_heap_counts after = vx_heap_read();
    b->heap = (vx_heap_counts){after.calls - before.calls, after.bytes - before.bytes,
                               after.live_bytes - before.live_bytes};
    return status;
}

/* ---- report --------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The nearest rank: the smallest value that `share` of all do not exceed. */
static double percentile(const series *s, double share)
{
    int rank = (int)ceil(share * s->count);
    return s->count == 0 ? 0 : s->seconds[rank > 0 ? rank - 1 : 0];
}

static json_t *series_json(series *s)
{
    qsort(s->seconds, (size_t)s->count, sizeof *s->seconds, by_value);
    return json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "name", s->name, "runs", s->count, "p50_s",
                     percentile(s, 0.5), "p95_s", percentile(s, 0.95), "p99_s", percentile(s, 0.99),
                     "max_s", percentile(s, 1));
}

static json_t *report(slot_bench *b)
{
    json_t *stages = json_array();
    for (int i = 0; i < b->stages; i++)
        json_array_append_new(stages, series_json(&b->stage[i]));
    return json_pack("{s:s, s:i, s:f, s:o, s:o, s:f, s:f, s:I, s:I, s:{s:I, s:I, s:I}}", "stage",
                     "slot", "runs", b->slot.count, "cold_start_s", b->cold_s, "slot",
                     series_json(&b->slot), "stages", stages, "frames_per_s",
                     b->video_s > 0 ? (double)b->frames / b->video_s : 0.0, "side_by_side_s",
                     b->slot.count > 0 ? b->together_s / b->slot.count : 0.0, "planned_bytes",
                     (json_int_t)b->planned_bytes, "peak_rss_bytes", (json_int_t)b->peak_bytes,
                     "heap_after_start", "calls", (json_int_t)b->heap.calls, "bytes",
                     (json_int_t)b->heap.bytes, "live_bytes", (json_int_t)b->heap.live_bytes);
}

static void print_row(const json_t *row)
{
    printf("%-12s %10.3f s %10.3f s %10.3f s\n", json_string_value(json_object_get(row, "name")),
           json_real_value(json_object_get(row, "p50_s")),
           json_real_value(json_object_get(row, "p95_s")),
           json_real_value(json_object_get(row, "p99_s")));
}

static void print_report(const slot_bench *b, const json_t *doc)
{
    size_t i;
    json_t *row;
    printf("cold start %.2f s, then %d slots\n", b->cold_s, b->slot.count);
    printf("%-12s %12s %12s %12s\n", "stage", "P50", "P95", "P99");
    json_array_foreach(json_object_get(doc, "stages"), i, row) print_row(row);
    print_row(json_object_get(doc, "slot"));
    printf("%.1f frames/s in the video stage; stages side by side for %.3f s of a slot\n",
           json_real_value(json_object_get(doc, "frames_per_s")),
           json_real_value(json_object_get(doc, "side_by_side_s")));
    printf("memory: planned %.1f MB, highest %.1f MB\n", (double)b->planned_bytes / 1e6,
           (double)b->peak_bytes / 1e6);
    printf("heap after the start: %lld allocations of %.1f kB, %lld bytes still held\n",
           (long long)b->heap.calls, (double)b->heap.bytes / 1e3, (long long)b->heap.live_bytes);
}

static vx_status measure(slot_bench *b, vx_error *err)
{
    char level[8];
    vx_open_params params = {
        .settings = b->cli->config,
        .pack = b->cli->pack,
        .device = b->cli->device,
        .threads = b->cli->threads > 0 ? (int)b->cli->threads : 0,
        .cancel = b->cli->cancel,
        .log_level =
            vx_choice_name(VX_LOG_LEVEL_NAMES, b->cli->settings.log_level, level, sizeof level)};
    double start = vx_now_s();
    VX_TRY(vx_open(&b->vortex, &params, err));
    b->cold_s = vx_now_s() - start;
    VX_TRY(run_slots(b, err));
    json_t *doc = report(b);
    if (b->cli->json) return vx_json_print(doc, err);
    print_report(b, doc);
    json_decref(doc);
    return VX_OK;
}

vx_status vx_bench_slot(vx_cli *cli, int runs, const char *recipe, vx_error *err)
{
    slot_bench b = {.cli = cli, .recipe = recipe, .runs = runs, .slot = {.name = "slot"}};
    char folder[] = "/tmp/vortex-bench-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return vx_fail(err, VX_ERR_IO, "io", "no folder can be made in /tmp for the films");
    snprintf(b.path, sizeof b.path, "%s/slot.mp4", folder);
    b.slot.seconds = vx_heap_alloc((size_t)runs * sizeof *b.slot.seconds);
    vx_status status = b.slot.seconds != NULL ? measure(&b, err) : no_memory(err);
    vx_close(&b.vortex, 0);
    for (int i = 0; i < b.stages; i++)
        vx_heap_free(b.stage[i].seconds);
    vx_heap_free(b.slot.seconds);
    unlink(b.path);
    rmdir(folder);
    return status;
}
