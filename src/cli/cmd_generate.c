/* vortex generate: a slot from a recipe. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "engine/slot.h"

typedef struct generate_params {
    const char *out, *report;
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

static vx_status make(vx_cli *cli, const generate_params *p, const vx_recipe *recipe,
                      const vx_pack *pack, json_t **report, vx_error *err)
{
    vx_crew crew;
    bar b = {.quiet = cli->quiet};
    vx_engine_params params = {.settings = &cli->settings, .pack = pack, .cancel = cli->cancel};
    VX_TRY(vx_slot_needs(recipe, pack, &params, err));
    int accents = vx_speaker_accents(&cli->settings, pack, recipe->audio.voice_id);
    vx_status status = vx_crew_open(&crew, &params, accents, err);
    vx_slot_request request = {.recipe = recipe,
                               .path = p->out,
                               .deadline_ms = p->deadline_ms,
                               .cancel = cli->cancel,
                               .progress = show,
                               .progress_arg = &b};
    if (status == VX_OK) status = vx_slot_run(&crew, &request, report, err);
    if (b.stage != NULL) vx_progress_end(&b.progress);
    vx_crew_close(&crew);
    return status;
}

/* The report goes where it was asked for whenever there is a film. */
static vx_status deliver(const vx_cli *cli, const generate_params *p, json_t *report,
                         vx_status status, vx_error *err)
{
    vx_status delivered = VX_OK;
    if (p->report != NULL) delivered = vx_json_write(p->report, json_incref(report), err);
    if (delivered == VX_OK && cli->json) delivered = vx_json_print(json_incref(report), err);
    return delivered != VX_OK ? delivered : status;
}

static vx_status run_generate(vx_cli *cli, void *raw, vx_error *err)
{
    generate_params *p = raw;
    vx_recipe recipe = {0};
    vx_pack pack = {0};
    json_t *report = NULL;
    vx_status status = vx_recipe_read(&recipe, cli->words[0], err);
    if (cli->seed >= 0) recipe.seed = cli->seed;
    if (status == VX_OK) status = vx_pack_open(&pack, cli->settings.pack, err);
    if (status == VX_OK) status = make(cli, p, &recipe, &pack, &report, err);
    if (report != NULL && (status == VX_OK || status == VX_ERR_VERIFY))
        status = deliver(cli, p, report, status, err);
    json_decref(report);
    vx_pack_close(&pack);
    vx_recipe_close(&recipe);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("out", 'o', "FILE", generate_params, out, WORD, "the film: .mp4 or .mkv",
            .required = true),
    VX_FLAG("report", 0, "FILE", generate_params, report, WORD, "the slot's report, as JSON"),
    VX_FLAG("deadline-ms", 0, "N", generate_params, deadline_ms, INT,
            "give up when the slot is not done in N milliseconds", .min = 1, .max = 86400000,
            .fallback = "0"),
    VX_FLAGS_END,
};

const vx_command vx_command_generate = {
    .name = "generate",
    .usage = "RECIPE -o slot.mp4",
    .summary = "a slot from a recipe: the main job",
    .flags = flags,
    .params_bytes = sizeof(generate_params),
    .words_min = 1,
    .words_max = 1,
    .run = run_generate,
};
