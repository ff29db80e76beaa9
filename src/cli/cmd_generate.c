/* vortex generate: a slot from a recipe. */
#include <stdio.h>
#include <string.h>

#include <vortex/vortex.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "config/recipe.h"

/* How soon an interrupt reaches the slot. */
enum { POLL_MS = 20 };

typedef struct generate_params {
    const char *out, *report, *sheet, *srt, *vtt;
    double loudness;
    int subtitles;
    int64_t deadline_ms;
} generate_params;

/* One bar at a time: the stage that runs. */
typedef struct bar {
    vx_progress progress;
    const char *stage;
    bool quiet;
} bar;

static void show(void *arg, const char *stage, double share)
{
    bar *b = arg;
    if (b->stage == NULL || strcmp(b->stage, stage) != 0) {
        if (b->stage != NULL) vx_progress_end(&b->progress);
        b->stage = stage;
        vx_progress_start(&b->progress, b->quiet, stage, "");
    }
    vx_progress_update(&b->progress, (uint64_t)(share * 1000), 1000);
}

static void show_loading(void *arg, const char *component, double share)
{
    if (component[0] != '\0') show(arg, component, share);
}

/* Waits for the slot and passes an interrupt on to it. */
static void await(const vx_cli *cli, vx_job *job)
{
    while (vx_job_wait(job, POLL_MS) != VX_OK)
        if (vx_cancelled(cli->cancel)) vx_job_cancel(job);
}

/* "slot.mp4: 8.2 s, 197 frames, -16.0 LUFS; B 0.71, L 0.69, passed" */
static void tell(const vx_cli *cli, const generate_params *p, const vx_result *r,
                 const json_t *report)
{
    char scores[96] = "", loudness[32] = "";
    const json_t *lufs =
        json_object_get(json_object_get(json_object_get(report, "audio"), "loudness"), "lufs");
    if (json_is_real(lufs))
        snprintf(loudness, sizeof loudness, ", %.1f LUFS", json_real_value(lufs));
    if (r->verified)
        snprintf(scores, sizeof scores, "; B %.3f, L %.3f, %s", r->score_b, r->score_l,
                 r->pass ? "passed" : "failed");
    vx_tell(cli, "%s: %.1f s, %lld frames%s%s", p->out, (double)r->sample_count / r->sample_rate,
            (long long)r->frames, loudness, scores);
}

/* The report goes where it was asked for whenever there is a film. */
static vx_status deliver(const vx_cli *cli, const generate_params *p, const vx_result *result,
                         vx_error *err)
{
    vx_status status = result->error.status;
    if (status != VX_OK && status != VX_ERR_VERIFY) {
        *err = result->error;
        return status;
    }
    json_t *report = json_loads(result->report, 0, NULL);
    vx_status delivered = VX_OK;
    tell(cli, p, result, report);
    if (p->report != NULL) delivered = vx_json_write(p->report, json_incref(report), err);
    if (delivered == VX_OK && cli->json) delivered = vx_json_print(json_incref(report), err);
    json_decref(report);
    if (delivered == VX_OK) *err = result->error;
    return delivered != VX_OK ? delivered : status;
}

/* Of the library 0 is the settings'; of --threads it is all that there are. */
static int threads_of(const vx_cli *cli)
{
    vx_limits limits;
    if (cli->threads != 0) return cli->threads > 0 ? (int)cli->threads : 0;
    vx_limits_read(&limits, "");
    return limits.processors.value < VX_WORKERS_MAX ? (int)limits.processors.value : VX_WORKERS_MAX;
}

static vx_status run_generate(vx_cli *cli, void *raw, vx_error *err)
{
    generate_params *p = raw;
    vx_vortex *vortex = NULL;
    vx_job *job = NULL;
    bar b = {.quiet = cli->quiet};
    char *text = NULL, level[8], subtitles[16];
    bool piped = strcmp(cli->words[0], "-") == 0;
    vx_submit_params submit = {.recipe = piped ? NULL : cli->words[0],
                               .folder = piped ? "." : NULL,
                               .path = p->out,
                               .sheet = p->sheet,
                               .has_seed = cli->seed >= 0,
                               .seed = cli->seed,
                               .deadline_ms = p->deadline_ms,
                               .progress = show,
                               .arg = &b,
                               .loudness = p->loudness == VX_LOUDNESS_UNSET ? 0
                                           : p->loudness == VX_LOUDNESS_OFF ? 1
                                                                            : p->loudness,
                               .srt = p->srt,
                               .vtt = p->vtt};
    if (p->subtitles >= 0)
        submit.subtitles =
            vx_choice_name(VX_SUBTITLES_NAMES, p->subtitles, subtitles, sizeof subtitles);
    vx_open_params open = {.settings = cli->config,
                           .pack = cli->pack,
                           .device = cli->device,
                           .threads = threads_of(cli),
                           .only = &submit,
                           .progress = show_loading,
                           .progress_arg = &b,
                           .cancel = cli->cancel,
                           .log_level = vx_choice_name(VX_LOG_LEVEL_NAMES, cli->settings.log_level,
                                                       level, sizeof level)};
    vx_status status = VX_OK;
    if (piped) status = vx_file_read("-", VX_YAML_BYTES_MAX, &text, &submit.text_bytes, err);
    submit.text = text;
    if (status == VX_OK) status = vx_open(&vortex, &open, err);
    if (status == VX_OK) status = vx_submit(vortex, &submit, &job, err);
    if (status == VX_OK) await(cli, job);
    if (b.stage != NULL) vx_progress_end(&b.progress);
    if (status == VX_OK) status = deliver(cli, p, vx_job_result(job), err);
    vx_job_free(&job);
    vx_close(&vortex, 0);
    vx_heap_free(text);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(OUT, "mp4 mkv", "out", 'o', "FILE", generate_params, out, "the film: .mp4 or .mkv",
                 .required = true),
    VX_FLAG_FILE(OUT, "json", "report", 0, "FILE", generate_params, report,
                 "the slot's report, as JSON"),
    VX_FLAG_FILE(OUT, "png jpg jpeg", "sheet", 0, "FILE", generate_params, sheet,
                 "a picture (.png, .jpg) of key frames, waveform, phonemes, jaw and scores"),
    VX_FLAG_FILE(OUT, "srt", "srt", 0, "FILE", generate_params, srt, "captions as SubRip"),
    VX_FLAG_FILE(OUT, "vtt", "vtt", 0, "FILE", generate_params, vtt,
                 "captions as WebVTT, with word times"),
    VX_FLAG("subtitles", 0, "HOW", generate_params, subtitles, ENUM,
            "captions in the film: none, track or burn; else the recipe's",
            .choices = VX_SUBTITLES_NAMES),
    VX_FLAG("loudness", 0, "LUFS", generate_params, loudness, FLOAT,
            "-30 to -10, or off; else the recipe's, the settings' or -16", .min = VX_LOUDNESS_MIN,
            .max = VX_LOUDNESS_MAX, .off = true, .fallback = VX_LOUDNESS_UNSET_TEXT),
    VX_FLAG("deadline-ms", 0, "N", generate_params, deadline_ms, INT,
            "give up when the slot is not done in N milliseconds", .min = 1, .max = 86400000,
            .fallback = "0"),
    VX_FLAGS_END,
};

const vx_command vx_command_generate = {
    .name = "generate",
    .usage = "RECIPE -o slot.mp4",
    .summary = "a slot from a recipe: the main job",
    .details = "A recipe's picture lies beside it or where its path says; a recipe from standard "
               "input (-) may name\n"
               "only what lies beneath the working folder.",
    .flags = flags,
    .params_bytes = sizeof(generate_params),
    .words_min = 1,
    .words_max = 1,
    .word = {{VX_USE_IN, "the recipe"}},
    .run = run_generate,
};
