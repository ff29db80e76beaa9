/* vortex models list, vortex models inspect. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/json_out.h"
#include "config/pack.h"
#include "formats/entry.h"

typedef struct list_state {
    const vx_cli *cli;
    json_t *packs;
    vx_error *err;
} list_state;

static int64_t file_bytes(const vx_pack_file *file)
{
    return file->found ? vx_entry_bytes(file->path) : -1;
}

static json_t *files_json(const vx_pack_component *component)
{
    json_t *files = json_array();
    for (int i = 0; i < component->file_count; i++) {
        const vx_pack_file *file = &component->files[i];
        int64_t bytes = file_bytes(file);
        json_t *size = bytes >= 0 ? json_integer(bytes) : json_null();
        json_array_append_new(files, json_pack("{s:s, s:o, s:b, s:o}", "name", file->name, "path",
                                               vx_json_text(file->path), "found", file->found,
                                               "bytes", size));
    }
    return files;
}

static json_t *pack_json(const vx_pack *pack)
{
    json_t *components = json_array();
    for (int i = 0; i < VX_COMPONENTS; i++) {
        const vx_pack_component *c = &pack->components[i];
        if (!c->present) continue;
        json_t *same = c->same_as >= 0 ? json_string(vx_component_name(c->same_as)) : json_null();
        json_array_append_new(components,
                              json_pack("{s:s, s:s, s:o, s:b, s:o}", "name", vx_component_name(i),
                                        "precision", vx_dtype_name(c->precision), "same_as", same,
                                        "ready", vx_pack_need(pack, i, "", NULL) == VX_OK, "files",
                                        files_json(c)));
    }
    return json_pack("{s:s, s:s, s:s*, s:b, s:o, s:o}", "name", pack->name, "version",
                     pack->version, "license", pack->license, "synthetic", pack->synthetic,
                     "folder", vx_json_text(pack->folder), "components", components);
}

static void print_pack(const vx_pack *pack)
{
    printf("%s %s%s  (%s)\n", pack->name, pack->version, pack->synthetic ? ", synthetic" : "",
           pack->folder);
    if (pack->license != NULL) printf("  licence: %s\n", pack->license);
    for (int i = 0; i < VX_COMPONENTS; i++) {
        const vx_pack_component *c = &pack->components[i];
        if (!c->present) continue;
        printf("  %-17s %-5s", vx_component_name(i), vx_dtype_name(c->precision));
        if (c->same_as >= 0) printf(" same as %s", vx_component_name(c->same_as));
        for (int k = 0; k < c->file_count; k++) {
            int64_t bytes = file_bytes(&c->files[k]);
            if (k > 0) printf("\n%25s", "");
            if (bytes >= 0)
                printf(" %s (%.1f MB)", c->files[k].name, (double)bytes * 1e-6);
            else
                printf(" %s is missing", c->files[k].name);
        }
        printf("\n");
    }
}

static vx_status list_pack(void *arg, const char *name, const char *folder)
{
    (void)name;
    list_state *state = arg;
    vx_pack pack;
    VX_TRY(vx_pack_open(&pack, folder, state->err));
    if (state->cli->json)
        json_array_append_new(state->packs, pack_json(&pack));
    else
        print_pack(&pack);
    vx_pack_close(&pack);
    return VX_OK;
}

static vx_status run_list(vx_cli *cli, void *params, vx_error *err)
{
    (void)params;
    list_state state = {.cli = cli, .packs = cli->json ? json_array() : NULL, .err = err};
    vx_status status = vx_pack_each(list_pack, &state);
    if (status != VX_OK || !cli->json) {
        json_decref(state.packs);
        return status;
    }
    return vx_json_print(json_pack("{s:o}", "packs", state.packs), err);
}

static json_t *tensor_json(const vx_source_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer(tensor->dim[i]));
    return json_pack("{s:o, s:s, s:o, s:I}", "name", vx_json_text(tensor->name), "dtype",
                     vx_dtype_name(tensor->dtype), "shape", shape, "bytes",
                     (json_int_t)tensor->bytes);
}

static void print_tensor(const vx_source_tensor *tensor)
{
    char shape[VX_SOURCE_RANK_MAX * 22 + 3] = "[";
    size_t used = 1;
    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64, i > 0 ? "," : "",
                                 tensor->dim[i]);
    snprintf(shape + used, sizeof shape - used, "]");
    printf("%-60s %-8s %-22s %12" PRIu64 "\n", tensor->name, vx_dtype_name(tensor->dtype), shape,
           tensor->bytes);
}

static vx_status run_inspect(vx_cli *cli, void *params, vx_error *err)
{
    (void)params;
    vx_source *source;
    VX_TRY(vx_source_open(&source, cli->words[0], err));
    json_t *tensors = cli->json ? json_array() : NULL;
    uint64_t bytes = 0;
    int64_t elements = 0, count = vx_source_count(source);
    for (int64_t i = 0; i < count; i++) {
        const vx_source_tensor *tensor = vx_source_at(source, i);
        bytes += tensor->bytes;
        elements += tensor->elements;
        if (cli->json)
            json_array_append_new(tensors, tensor_json(tensor));
        else
            print_tensor(tensor);
    }
    vx_status status = VX_OK;
    const char *format = vx_source_format(source);
    if (cli->json)
        status = vx_json_print(json_pack("{s:o, s:s, s:I, s:I, s:o}", "file",
                                         vx_json_text(cli->words[0]), "format", format, "elements",
                                         (json_int_t)elements, "bytes", (json_int_t)bytes,
                                         "tensors", tensors),
                               err);
    else
        printf("%s: %" PRId64 " tensors, %" PRId64 " values, %.1f MB\n", format, count, elements,
               (double)bytes * 1e-6);
    vx_source_close(&source);
    return status;
}

const vx_command vx_command_models_list = {
    .name = "models list",
    .usage = "",
    .summary = "the packs there are, their components and files",
    .run = run_list,
};

const vx_command vx_command_models_inspect = {
    .name = "models inspect",
    .usage = "FILE",
    .summary = "the tensors of a weight file: name, type, shape, bytes",
    .details = "FILE is safetensors, PyTorch's .pth, ONNX, GGUF, NPY or NPZ; nothing in it is "
               "executed.\n",
    .words_min = 1,
    .words_max = 1,
    .word = {{VX_USE_IN, "the file"}},
    .run = run_inspect,
};
