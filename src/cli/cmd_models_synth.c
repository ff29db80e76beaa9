/* vortex models synth: a pack with random weights. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "packs/synth.h"

typedef struct synth_params {
    const char *out;
} synth_params;

/* One bar for each component. */
typedef struct bar {
    vx_progress progress;
    const char *component;
    bool quiet;
} bar;

static void show(void *arg, const char *component, double share)
{
    bar *b = arg;
    if (b->component == NULL || strcmp(b->component, component) != 0) {
        if (b->component != NULL) vx_progress_end(&b->progress);
        b->component = component;
        vx_progress_start(&b->progress, b->quiet, component, "");
    }
    vx_progress_update(&b->progress, (uint64_t)(share * 1000), 1000);
}

static vx_status deliver(const vx_cli *cli, const synth_params *p, const vx_synth_report *report,
                         vx_error *err)
{
    json_t *files = json_array();
    for (int i = 0; i < report->files; i++) {
        const vx_synth_file *file = &report->file[i];
        if (!cli->json)
            printf("%s/%s: %" PRId64 " tensors, %.1f MB\n", p->out, file->name, file->tensors,
                   (double)file->bytes * 1e-6);
        json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:I}", "component",
                                               vx_component_name(file->component), "file",
                                               file->name, "tensors", (json_int_t)file->tensors,
                                               "bytes", (json_int_t)file->bytes));
    }
    if (!cli->json) {
        json_decref(files);
        return VX_OK;
    }
    return vx_json_print(json_pack("{s:o, s:b, s:o}", "folder", vx_json_text(p->out), "synthetic",
                                   1, "files", files),
                         err);
}

static vx_status run_synth(vx_cli *cli, void *raw, vx_error *err)
{
    const synth_params *p = raw;
    vx_pack pack;
    vx_synth_report report;
    bar b = {.quiet = cli->quiet};
    VX_TRY(vx_pack_open(&pack, cli->words[0], err));
    vx_synth_params params = {.pack = &pack,
                              .folder = p->out,
                              .seed = cli->seed > 0 ? (uint64_t)cli->seed : 0,
                              .cancel = cli->cancel,
                              .progress = show,
                              .progress_arg = &b};
    vx_status status = vx_synth(&params, &report, err);
    if (b.component != NULL) vx_progress_end(&b.progress);
    if (status == VX_OK) status = deliver(cli, p, &report, err);
    vx_pack_close(&pack);
    return status;
}

static const vx_flag synth_flags[] = {
    VX_FLAG_FILE(OUT_FOLDER, NULL, "out", 'o', "DIR", synth_params, out, "the new pack's folder",
                 .required = true),
    VX_FLAGS_END,
};

const vx_command vx_command_models_synth = {
    .name = "models synth",
    .usage = "PACK -o DIR",
    .summary = "a pack with random weights at a pack's sizes and precisions",
    .details = "For measuring memory and speed; what such a pack makes is marked as synthetic.\n",
    .flags = synth_flags,
    .params_bytes = sizeof(synth_params),
    .words_min = 1,
    .words_max = 1,
    .run = run_synth,
};
