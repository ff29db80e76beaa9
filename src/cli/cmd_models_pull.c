/* vortex models pull: downloads a pack's weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "packs/pull.h"

static void show(void *arg, uint64_t done, uint64_t total)
{
    vx_progress_update(arg, done, total);
}

static vx_status pull_one(vx_cli *cli, const vx_pack_source *source, const char *folder,
                          json_t *files, vx_error *err)
{
    vx_progress progress;
    vx_progress_start(&progress, cli->quiet, source->file, NULL);
    vx_pull_options options = {.hub = getenv("VORTEX_HUB"),
                               .token = getenv("HF_TOKEN"),
                               .cancel = cli->cancel,
                               .progress = show,
                               .arg = &progress};
    bool fetched;
    vx_status status = vx_pull(source, folder, &options, &fetched, err);
    vx_progress_end(&progress);
    VX_TRY(status);
    vx_path path;
    vx_path_join(&path, folder, source->file);
    if (files != NULL)
        json_array_append_new(files, json_pack("{s:s, s:o, s:s, s:b}", "file", source->file, "path",
                                               vx_json_text(path.text), "sha256", source->sha256,
                                               "fetched", fetched));
    else
        printf("%s %s\n", path.text, fetched ? "fetched" : "was there already");
    return VX_OK;
}

static bool is_component(const char *name)
{
    for (int i = 0; i < VX_COMPONENTS; i++)
        if (strcmp(name, vx_component_name(i)) == 0) return true;
    return false;
}

/* All sources of the component that is named, or of every one. */
static vx_status pull_sources(vx_cli *cli, const vx_pack *pack, json_t *files, vx_error *err)
{
    const char *name = cli->words[0];
    bool all = !is_component(name);
    int count = 0;
    vx_path folder;
    if (!vx_path_data(&folder, "models"))
        return vx_fail(err, VX_ERR_USAGE, "no_home",
                       "no folder for models is known; set HOME or XDG_DATA_HOME");
    for (int i = 0; i < VX_COMPONENTS; i++) {
        const vx_pack_component *component = &pack->components[i];
        if (!component->present || (!all && strcmp(name, vx_component_name(i)) != 0)) continue;
        const vx_pack_source *sources = component->sources.items;
        for (int k = 0; k < component->sources.count; k++, count++)
            VX_TRY(pull_one(cli, &sources[k], folder.text, files, err));
    }
    if (count > 0) return VX_OK;
    return vx_fail(err, VX_ERR_MISSING, "no_source",
                   "pack %s names no source for '%.60s'; its components: see 'vortex models list'",
                   pack->name, name);
}

static vx_status run_pull(vx_cli *cli, void *params, vx_error *err)
{
    (void)params;
    const char *name = cli->words[0];
    bool of_settings = is_component(name) || strcmp(name, "all") == 0;
    vx_pack pack;
    VX_TRY(vx_pack_open(&pack, of_settings ? cli->settings.pack : name, err));
    json_t *files = cli->json ? json_array() : NULL;
    vx_status status = pull_sources(cli, &pack, files, err);
    vx_pack_close(&pack);
    if (status == VX_OK && cli->json) return vx_json_print(json_pack("{s:o}", "files", files), err);
    json_decref(files);
    return status;
}

const vx_command vx_command_models_pull = {
    .name = "models pull",
    .usage = "COMPONENT|PACK|all",
    .summary = "fetches weights from where their pack says",
    .details =
        "COMPONENT is one of the --pack (kokoro, flux.transformer, ...), 'all' every one of\n"
        "them; the name of a pack (full) is every one of that pack. Files go to\n"
        "$XDG_DATA_HOME/vortex/models; what was interrupted goes on, and every file is\n"
        "compared with its SHA-256. Environment: HF_TOKEN, a token for models that ask for\n"
        "one; VORTEX_HUB, another address of the model hub.\n",
    .words_min = 1,
    .words_max = 1,
    .run = run_pull,
};
