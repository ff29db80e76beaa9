#include "packs/synth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "slot/part.h"
#include "packs/synth_tokens.h"

typedef struct synth {
    const vx_synth_params *params;
    vx_synth_report *report;
    vx_backend *backend;
    vx_settings settings;
    json_t *yaml; /* the new pack.yaml */
    vx_error *err;
} synth;

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the new pack.yaml");
}

/* ---- weights -------------------------------------------------------------------------------- */

/* Asks the model's binding code for its tensors. */
static vx_status list_tensors(synth *s, vx_part *part, vx_record *record)
{
    vx_arena weights = vx_arena_measure("weights");
    vx_binder binder = {
        .backend = s->backend, .weights = &weights, .record = record, .err = s->err};
    return part->kind->bind(part->model, &binder);
}

static vx_status write_weights(synth *s, const vx_part_kind *kind)
{
    vx_engine_params params = {VX_OUR_PARTS, .settings = &s->settings, .pack = s->params->pack,
                               .wants = VX_WANT_ALL, .image_to_image = true};
    const vx_pack_component *c = &params.pack->components[kind->component];
    const char *name = vx_component_name((vx_component)kind->component);
    bool gguf = c->precision == VX_Q4_0 || c->precision == VX_Q8_0;
    vx_synth_file *file = &s->report->file[s->report->files];
    vx_part part = {.kind = kind, .params = &params};
    vx_record *record = NULL;
    vx_path path;
    *file = (vx_synth_file){.component = (vx_component)kind->component};
    snprintf(file->name, sizeof file->name, "%s.%s", name, gguf ? "gguf" : "safetensors");
    if (!vx_path_join(&path, s->params->folder, file->name))
        return vx_fail(s->err, VX_ERR_USAGE, "bad_usage", "the folder's path is too long");
    vx_status status = kind->open(&part, s->backend, s->err);
    if (status == VX_OK) status = vx_record_open(&record, s->err);
    if (status == VX_OK) status = list_tensors(s, &part, record);
    if (status == VX_OK)
        status = vx_synth_write(s->params, record, c->precision, path.text, name, file, s->err);
    if (status == VX_OK) s->report->files++;
    vx_record_close(&record);
    if (part.model != NULL) kind->close(&part);
    vx_heap_free(part.size);
    return status;
}

/* ---- the pack ------------------------------------------------------------------------------- */

static vx_status copy_file(synth *s, const char *from, const char *name)
{
    enum { TOKENIZER_BYTES_MAX = 64 << 20 };
    char *data;
    size_t bytes;
    vx_path path;
    vx_path_join(&path, s->params->folder, name);
    VX_TRY(vx_file_read(from, TOKENIZER_BYTES_MAX, &data, &bytes, s->err));
    vx_status status = vx_file_write(path.text, data, bytes, s->err);
    vx_heap_free(data);
    return status;
}

/* A copy of the pack's own tokenizer; one that is not there is made up. */
static vx_status write_tokenizer(synth *s, vx_component component, json_t *out)
{
    const vx_pack_component *c = &s->params->pack->components[component];
    char name[80];
    vx_path path;
    if (c->tokenizer.name == NULL) return VX_OK;
    bool clip = component != VX_COMPONENT_FLUX_T5;
    if (c->tokenizer.found) {
        snprintf(name, sizeof name, "%.15s.%.60s", vx_component_name(component),
                 vx_path_base(c->tokenizer.name));
        VX_TRY(copy_file(s, c->tokenizer.path, name));
    } else {
        snprintf(name, sizeof name, "%s.%s", vx_component_name(component),
                 clip ? "merges.txt" : "tokenizer.json");
        vx_path_join(&path, s->params->folder, name);
        VX_TRY(clip ? vx_synth_clip_tokens(c->config, path.text, s->err)
                    : vx_synth_t5_tokens(c->config, path.text, s->err));
    }
    return json_object_set_new(out, "tokenizer", json_string(name)) == 0 ? VX_OK
                                                                         : no_memory(s->err);
}

/* A folder or file that stays where it is, by its full path; when it is not there the name stays,
 * and it is looked for again. */
static void keep_in_place(json_t *out, const char *key, const vx_pack_file *file)
{
    char full[PATH_MAX];
    if (file->name != NULL && file->found && realpath(file->path, full) != NULL)
        json_object_set_new(out, key, json_string(full));
}

static vx_status describe(synth *s, const vx_synth_file *file)
{
    const vx_pack_component *c = &s->params->pack->components[file->component];
    json_t *out =
        json_object_get(json_object_get(s->yaml, "components"), vx_component_name(file->component));
    static const char *const gone[] = {"sha256", "alternatives", "sources", "hint"};
    if (out == NULL) return no_memory(s->err);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        json_object_del(out, gone[i]);
    json_object_set_new(out, "files", json_pack("[s]", file->name));
    if (c->config != NULL) json_object_set(out, "config", c->config);
    keep_in_place(out, "voices", &c->voices);
    keep_in_place(out, "lexicon", &c->lexicon);
    keep_in_place(out, "controls", &c->controls);
    return write_tokenizer(s, file->component, out);
}

/* JSON is YAML too. */
static vx_status write_pack(synth *s)
{
    vx_path path;
    json_object_set_new(s->yaml, "synthetic", json_true());
    char *text = json_dumps(s->yaml, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (text == NULL) return no_memory(s->err);
    vx_path_join(&path, s->params->folder, "pack.yaml");
    vx_status status = vx_file_write(path.text, text, strlen(text), s->err);
    free(text);
    return status;
}

static vx_status run(synth *s)
{
    const vx_pack *pack = s->params->pack;
    vx_settings_default(&s->settings);
    VX_TRY(vx_backend_open_ref(&s->backend, s->err));
    VX_TRY(vx_folder_make(s->params->folder, s->err));
    s->yaml = vx_yaml_to_json(vx_yaml_root(pack->document));
    if (s->yaml == NULL) return no_memory(s->err);
    for (const vx_part_kind *kind = vx_part_kinds; kind->want != 0; kind++) {
        if (kind->component < 0) continue;
        const vx_pack_component *c = &pack->components[kind->component];
        if (c->present && c->same_as < 0) VX_TRY(write_weights(s, kind));
    }
    for (int i = 0; i < s->report->files; i++)
        VX_TRY(describe(s, &s->report->file[i]));
    return write_pack(s);
}

vx_status vx_synth(const vx_synth_params *params, vx_synth_report *report, vx_error *err)
{
    synth s = {.params = params, .report = report, .err = err};
    *report = (vx_synth_report){0};
    vx_status status = run(&s);
    json_decref(s.yaml);
    vx_backend_close(&s.backend);
    return status;
}
