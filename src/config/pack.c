#include "config/pack.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sha256.h"
#include "formats/entry.h"

static const char *const component_names[VX_COMPONENTS] = {
    [VX_COMPONENT_KOKORO] = "kokoro",     [VX_COMPONENT_FLUX_TRANSFORMER] = "flux.transformer",
    [VX_COMPONENT_FLUX_T5] = "flux.t5",   [VX_COMPONENT_FLUX_CLIP_TEXT] = "flux.clip_text",
    [VX_COMPONENT_FLUX_VAE] = "flux.vae", [VX_COMPONENT_LIVEPORTRAIT] = "liveportrait",
    [VX_COMPONENT_CLIP_B] = "clip_b",     [VX_COMPONENT_CLIP_L] = "clip_l",
    [VX_COMPONENT_FACE] = "face",
};

const char *vx_component_name(vx_component component)
{
    assert(component >= 0 && component < VX_COMPONENTS);
    return component_names[component];
}

/* A component as it is written; vx_pack_component is what becomes of it. */
typedef struct component_text {
    vx_list files, alternatives, sha256, sources;
    int precision, same_as;
    const vx_yaml_node *config;
    const char *tokenizer, *controls, *voices, *lexicon, *hint;
} component_text;

/* What the table fills. */
typedef struct pack_text {
    vx_pack pack; /* first, so that its offsets hold here */
    component_text components[VX_COMPONENTS];
} pack_text;

#define COMPONENT_NAMES                                                                            \
    "kokoro|flux.transformer|flux.t5|flux.clip_text|flux.vae|liveportrait|clip_b|clip_l|face"
#define PRECISION_NAMES "f32|bf16|f16|int8|q8_0|q4_0|nf4"
static const vx_dtype precisions[] = {VX_F32,  VX_BF16, VX_F16, VX_INT8_ROW,
                                      VX_Q8_0, VX_Q4_0, VX_NF4};

static vx_status check_sha256(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                              vx_error *err)
{
    const char *hex = *(const char *const *)value;
    if (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
        return vx_yaml_fail(yaml, node, err,
                            "'%.20s' is no SHA-256; write its 64 lower-case hex digits", hex);
    return VX_OK;
}

/* A file name in models/: nothing that leads out of the folder. */
static vx_status check_file_name(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                                 vx_error *err)
{
    const char *name = *(const char *const *)value;
    if (name[0] == '.' || strchr(name, '/') != NULL)
        return vx_yaml_fail(yaml, node, err, "'%.60s' must be a bare file name", name);
    return VX_OK;
}

static vx_status check_component(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                                 vx_error *err)
{
    const component_text *text = value;
    if ((text->same_as >= 0) == (text->files.count > 0))
        return vx_yaml_fail(yaml, node, err, "component %s needs either files or same_as",
                            node->key);
    if (text->sha256.count > 0 && text->sha256.count != text->files.count)
        return vx_yaml_fail(yaml, vx_yaml_get(node, "sha256"), err,
                            "component %s has %d files and %d hashes; give one for each", node->key,
                            text->files.count, text->sha256.count);
    if (text->config != NULL && text->config->kind == VX_YAML_LIST)
        return vx_yaml_fail(yaml, text->config, err,
                            "config of %s is a list and must be a mapping or a file's path",
                            node->key);
    return VX_OK;
}

static const vx_field path_element = {.type = VX_FIELD_WORD, .min = 1, .max = 1000};
static const vx_field hash_element = {
    .type = VX_FIELD_WORD, .numeric = true, .check = check_sha256};

/* NAME==VERSION, and nothing that pip would take for a flag or an address. */
static vx_status check_pip(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                           vx_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    const char *text = *(const char *const *)value;
    size_t name = strspn(text, allowed), version = 0;
    if (strncmp(text + name, "==", 2) == 0) version = strspn(text + name + 2, allowed);
    if (name == 0 || version == 0 || text[name + 2 + version] != '\0' || text[0] == '-' ||
        text[0] == '.')
        return vx_yaml_fail(yaml, node, err, "'%.60s' must be NAME==VERSION", text);
    return VX_OK;
}

/* A file inside a package: no way out of it. */
static vx_status check_member(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                              vx_error *err)
{
    const char *name = *(const char *const *)value;
    if (name[0] == '/' || strstr(name, "..") != NULL)
        return vx_yaml_fail(yaml, node, err, "'%.60s' must be a path inside the package", name);
    return VX_OK;
}

static vx_status check_source(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                              vx_error *err)
{
    const vx_pack_source *source = value;
    int ways = (source->url != NULL) + (source->whole.pip != NULL) + (source->parts.count > 0);
    if (ways != 1 || (source->whole.pip != NULL) != (source->whole.member != NULL))
        return vx_yaml_fail(yaml, node, err,
                            "source of %s needs either url, or pip and member, or parts of those",
                            source->file);
    return VX_OK;
}

static const vx_field part_rows[] = {
    VX_ROW(vx_pack_part, pip, WORD, .required = true, .min = 1, .max = 200, .check = check_pip),
    VX_ROW(vx_pack_part, member, WORD, .required = true, .min = 1, .max = 200,
           .check = check_member),
    VX_ROWS_END,
};
static const vx_field part_element = {.type = VX_FIELD_MAP, .fields = part_rows};
static const vx_field source_rows[] = {
    VX_ROW(vx_pack_source, file, WORD, .required = true, .min = 1, .max = 200,
           .check = check_file_name),
    VX_ROW(vx_pack_source, folder, ENUM, .choices = VX_PACK_FOLDERS, .fallback = "models"),
    VX_ROW(vx_pack_source, url, WORD, .min = 1, .max = 1000),
    VX_ROW_AS("pip", vx_pack_source, whole.pip, WORD, .min = 1, .max = 200, .check = check_pip),
    VX_ROW_AS("member", vx_pack_source, whole.member, WORD, .min = 1, .max = 200,
              .check = check_member),
    VX_ROW(vx_pack_source, parts, LIST, .element = &part_element, .size = sizeof(vx_pack_part),
           .min = 1, .max = 16),
    VX_ROW(vx_pack_source, bytes, INT, .min = 1, .max = 1e12),
    VX_ROW(vx_pack_source, sha256, WORD, .numeric = true, .required = true, .check = check_sha256),
    VX_ROWS_END,
};
static const vx_field source_element = {
    .type = VX_FIELD_MAP, .fields = source_rows, .check = check_source};

/* The rows that all components have. */
#define COMMON_ROWS                                                                                \
    VX_ROW(component_text, files, LIST, .element = &path_element, .size = sizeof(char *),          \
           .min = 1, .max = 64),                                                                   \
        VX_ROW(component_text, alternatives, LIST, .element = &path_element,                       \
               .size = sizeof(char *), .min = 0, .max = 64),                                       \
        VX_ROW(component_text, sha256, LIST, .element = &hash_element, .size = sizeof(char *),     \
               .min = 0, .max = 64),                                                               \
        VX_ROW(component_text, sources, LIST, .element = &source_element,                          \
               .size = sizeof(vx_pack_source), .min = 0, .max = 64),                               \
        VX_ROW(component_text, precision, ENUM, .choices = PRECISION_NAMES, .fallback = "bf16"),   \
        VX_ROW(component_text, same_as, ENUM, .choices = COMPONENT_NAMES),                         \
        VX_ROW(component_text, hint, WORD, .min = 1, .max = 200),                                  \
        VX_ROW(component_text, config, NODE)

#define PATH_ROW(name) VX_ROW(component_text, name, WORD, .min = 1, .max = 1000)

static const vx_field kokoro_rows[] = {
    COMMON_ROWS,
    PATH_ROW(voices),
    PATH_ROW(lexicon),
    VX_ROWS_END,
};
static const vx_field tokenizer_rows[] = {
    COMMON_ROWS,
    PATH_ROW(tokenizer),
    VX_ROWS_END,
};
static const vx_field liveportrait_rows[] = {
    COMMON_ROWS,
    PATH_ROW(controls),
    VX_ROWS_END,
};

static const vx_field plain_rows[] = {
    COMMON_ROWS,
    VX_ROWS_END,
};

#define COMPONENT_ROW(index, name, rows)                                                           \
    VX_ROW_AS(name, pack_text, components[index], MAP, .fields = rows, .check = check_component)

static const vx_field component_rows[] = {
    COMPONENT_ROW(VX_COMPONENT_KOKORO, "kokoro", kokoro_rows),
    COMPONENT_ROW(VX_COMPONENT_FLUX_TRANSFORMER, "flux.transformer", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_FLUX_T5, "flux.t5", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_FLUX_CLIP_TEXT, "flux.clip_text", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_FLUX_VAE, "flux.vae", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_LIVEPORTRAIT, "liveportrait", liveportrait_rows),
    COMPONENT_ROW(VX_COMPONENT_CLIP_B, "clip_b", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_CLIP_L, "clip_l", tokenizer_rows),
    COMPONENT_ROW(VX_COMPONENT_FACE, "face", plain_rows),
    VX_ROWS_END,
};

static const vx_field slot_rows[] = {
    VX_ROW(vx_pack, width, INT, .min = 64, .max = 1024, .multiple = 16, .fallback = "512"),
    VX_ROW(vx_pack, height, INT, .min = 64, .max = 1024, .multiple = 16, .fallback = "512"),
    VX_ROW(vx_pack, fps, INT, .min = 1, .max = 60, .fallback = "24"),
    VX_ROW(vx_pack, max_seconds, FLOAT, .min = 0.1, .max = 45, .fallback = "45"),
    VX_ROWS_END,
};

static const vx_field imagine_rows[] = {
    VX_ROW_AS("width", vx_pack, image_width, INT, .min = 64, .max = 1024, .multiple = 16,
              .fallback = "512"),
    VX_ROW_AS("height", vx_pack, image_height, INT, .min = 64, .max = 1024, .multiple = 16,
              .fallback = "512"),
    VX_ROW(vx_pack, steps, INT, .min = 1, .max = 8, .fallback = "4"),
    VX_ROW(vx_pack, max_sequence_length, INT, .min = 1, .max = 512, .fallback = "256"),
    VX_ROW_AS("expand", vx_pack, expand.name, WORD, .min = 1, .max = 4096),
    VX_ROWS_END,
};

/* Self-check thresholds of the design; a pack with other networks has its own. */
static const vx_field verify_rows[] = {
    VX_ROW(vx_pack, threshold_b, FLOAT, .min = 0, .max = 2.5, .fallback = "0.70"),
    VX_ROW(vx_pack, threshold_l, FLOAT, .min = 0, .max = 2.5, .fallback = "0.72"),
    VX_ROW(vx_pack, outlier, FLOAT, .min = 0, .max = 2.5, .fallback = "0.15"),
    VX_ROWS_END,
};

static const vx_field voice_rows[] = {
    VX_ROW(vx_voice_alias, name, WORD, .required = true, .min = 1, .max = 100),
    VX_ROW(vx_voice_alias, voice, WORD, .required = true, .min = 1, .max = 256),
    VX_ROWS_END,
};
const vx_field vx_voice_alias_element = {.type = VX_FIELD_MAP, .fields = voice_rows};

static const vx_field pack_rows[] = {
    VX_ROW(vx_pack, name, WORD, .numeric = true, .required = true, .min = 1, .max = 64,
           .check = check_file_name),
    VX_ROW(vx_pack, version, WORD, .numeric = true, .required = true, .min = 1, .max = 64),
    VX_ROW(vx_pack, license, TEXT, .min = 1, .max = 1000),
    VX_ROW(vx_pack, synthetic, BOOL),
    VX_PART("slot", .fields = slot_rows),
    VX_PART("imagine", .fields = imagine_rows),
    VX_PART("verify", .fields = verify_rows),
    VX_ROW(vx_pack, voices, LIST, .element = &vx_voice_alias_element,
           .size = sizeof(vx_voice_alias), .min = 0, .max = 256),
    VX_PART("components", .required = true, .fields = component_rows),
    VX_ROWS_END,
};

static vx_status no_memory(const vx_pack *pack, vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to read pack %s",
                   pack->folder != NULL ? pack->folder : "");
}

static char *keep(vx_pack *pack, const char *text)
{
    char *copy = vx_yaml_alloc(pack->document, strlen(text) + 1);
    return copy != NULL ? strcpy(copy, text) : NULL;
}

/* What `files` may name (formats/entry.h). */
static bool is_weights(const char *path)
{
    return vx_path_is_file(path) || vx_path_is_folder(path);
}

/* Where a file or folder lies: beside pack.yaml, else under $XDG_DATA_HOME/vortex/`below` by its
 * bare name. What is nowhere is expected in the latter place, where a download goes. */
static vx_status locate(vx_pack *pack, const char *name, const char *below,
                        bool (*is_there)(const char *), vx_pack_file *file, vx_error *err)
{
    *file = (vx_pack_file){.name = name};
    if (name == NULL) return VX_OK;
    vx_path path, shared, root;
    bool fits = vx_path_join(&path, pack->folder, name);
    file->found = fits && is_there(path.text);
    if (!file->found && vx_path_data(&root, below) &&
        vx_path_join(&shared, root.text, vx_path_base(name))) {
        file->found = is_there(shared.text);
        if (file->found || name[0] != '/') path = shared;
    }
    file->path = keep(pack, path.text);
    return file->path != NULL ? VX_OK : no_memory(pack, err);
}

/* All files of the component; when one is missing and an alternative to all of them is there, that.
 */
static vx_status locate_files(vx_pack *pack, const component_text *text,
                              vx_pack_component *component, vx_error *err)
{
    const char *const *names = text->files.items, *const *hashes = text->sha256.items;
    component->files =
        vx_yaml_alloc(pack->document, (size_t)text->files.count * sizeof(vx_pack_file));
    if (component->files == NULL) return no_memory(pack, err);
    bool complete = true;
    for (int i = 0; i < text->files.count; i++) {
        VX_TRY(locate(pack, names[i], "models", is_weights, &component->files[i], err));
        if (i < text->sha256.count) component->files[i].sha256 = hashes[i];
        complete &= component->files[i].found;
    }
    component->file_count = text->files.count;
    const char *const *others = text->alternatives.items;
    for (int i = 0; i < text->alternatives.count && !complete; i++) {
        vx_pack_file other;
        VX_TRY(locate(pack, others[i], "models", is_weights, &other, err));
        if (!other.found) continue;
        const vx_pack_source *sources = text->sources.items;
        for (int k = 0; k < text->sources.count; k++)
            if (strcmp(sources[k].file, vx_path_base(other.name)) == 0)
                other.sha256 = sources[k].sha256;
        component->files[0] = other;
        component->file_count = 1;
        complete = true;
    }
    return VX_OK;
}

/* The model's own configuration: the mapping here, or the file it names. */
static vx_status read_config(vx_pack *pack, const vx_yaml_node *node, json_t **config,
                             vx_error *err)
{
    *config = NULL;
    if (node == NULL) return VX_OK;
    vx_yaml *file = NULL;
    const vx_yaml *owner = pack->document;
    if (node->kind == VX_YAML_SCALAR) {
        vx_path path;
        if (node->length == 0 || !vx_path_join(&path, pack->folder, node->text))
            return vx_yaml_fail(owner, node, err, "config must be a mapping or a file's path");
        vx_status status = vx_yaml_load(&file, path.text, "bad_pack", NULL, err);
        if (status == VX_ERR_MISSING)
            return vx_yaml_fail(owner, node, err, "config file %s is not there; restore the pack",
                                path.text);
        VX_TRY(status);
        owner = file;
        node = vx_yaml_root(file);
    }
    vx_status status = VX_OK;
    if (node->kind != VX_YAML_MAP)
        status = vx_yaml_fail(owner, node, err, "a configuration must be a mapping of keys");
    else if ((*config = vx_yaml_to_json(node)) == NULL)
        status = vx_yaml_fail(owner, node, err,
                              "this configuration can't be held: a number is infinite or no "
                              "number, or memory is short");
    vx_yaml_close(&file);
    return status;
}

static vx_status take_component(vx_pack *pack, vx_component which, const component_text *text,
                                vx_error *err)
{
    vx_pack_component *component = &pack->components[which];
    *component = (vx_pack_component){.same_as = text->same_as,
                                     .precision = precisions[text->precision],
                                     .sources = text->sources,
                                     .names = text->files,
                                     .alternatives = text->alternatives,
                                     .hint = text->hint};
    const vx_yaml_node *node = vx_yaml_get(vx_yaml_get(vx_yaml_root(pack->document), "components"),
                                           vx_component_name(which));
    if (node == NULL) return VX_OK;
    component->present = true;
    VX_TRY(locate_files(pack, text, component, err));
    VX_TRY(locate(pack, text->tokenizer, "models", vx_path_is_file, &component->tokenizer, err));
    VX_TRY(locate(pack, text->controls, "models", vx_path_is_file, &component->controls, err));
    VX_TRY(locate(pack, text->voices, "", vx_path_is_folder, &component->voices, err));
    VX_TRY(locate(pack, text->lexicon, "", vx_path_is_folder, &component->lexicon, err));
    return read_config(pack, text->config, &component->config, err);
}

/* A component may share another's weights, which then must be there and its own. */
static vx_status check_sharing(const vx_pack *pack, vx_error *err)
{
    const vx_yaml_node *all = vx_yaml_get(vx_yaml_root(pack->document), "components");
    for (int i = 0; i < VX_COMPONENTS; i++) {
        int other = pack->components[i].same_as;
        if (!pack->components[i].present || other < 0) continue;
        if (!pack->components[other].present || pack->components[other].same_as >= 0)
            return vx_yaml_fail(pack->document, vx_yaml_get(all, vx_component_name(i)), err,
                                "%s is the same as %s, which has no files here; name a component "
                                "that has",
                                vx_component_name(i), vx_component_name(other));
    }
    return VX_OK;
}

/* From the document, which is the pack's from now on. */
static vx_status fill_pack(vx_pack *pack, vx_yaml *document, const char *folder,
                           const char sha256[65], vx_error *err)
{
    pack->document = document;
    pack_text *text = vx_yaml_alloc(document, sizeof *text);
    if (text == NULL) return no_memory(pack, err);
    VX_TRY(vx_schema_read(document, pack_rows, text, err));
    *pack = text->pack;
    pack->document = document;
    memcpy(pack->sha256, sha256, sizeof pack->sha256);
    pack->folder = keep(pack, folder);
    if (pack->folder == NULL) return no_memory(pack, err);
    VX_TRY(locate(pack, pack->expand.name, "models", vx_path_is_file, &pack->expand, err));
    for (int i = 0; i < VX_COMPONENTS; i++)
        VX_TRY(take_component(pack, i, &text->components[i], err));
    return check_sharing(pack, err);
}

static vx_status read_pack(vx_pack *pack, const char *folder, vx_error *err)
{
    vx_path path;
    char sha256[65];
    vx_yaml *document;
    if (!vx_path_join(&path, folder, "pack.yaml"))
        return vx_fail(err, VX_ERR_USAGE, "bad_pack", "the pack's path is too long; shorten it");
    VX_TRY(vx_yaml_load(&document, path.text, "bad_pack", sha256, err));
    return fill_pack(pack, document, folder, sha256, err);
}

vx_status vx_pack_parse(vx_pack *pack, const char *folder, const char *text, size_t bytes,
                        vx_error *err)
{
    char sha256[65];
    vx_yaml *document;
    *pack = (vx_pack){0};
    vx_sha256_bytes(text, bytes, sha256);
    VX_TRY(vx_yaml_parse(&document, "pack.yaml", text, bytes, "bad_pack", err));
    vx_status status = fill_pack(pack, document, folder, sha256, err);
    if (status != VX_OK) vx_pack_close(pack);
    return status;
}

static bool holds_pack(const char *folder)
{
    vx_path path;
    return vx_path_join(&path, folder, "pack.yaml") && vx_path_is_file(path.text);
}

static bool find_by_name(const char *name, vx_path *out)
{
    vx_path folder;
    for (int i = 0; strchr(name, '/') == NULL && vx_path_shared(i, "packs", &folder); i++)
        if (folder.text[0] != '\0' && vx_path_join(out, folder.text, name) && holds_pack(out->text))
            return true;
    return false;
}

/* Finds the folder of a pack. */
static bool find_pack(const char *name, vx_path *out)
{
    if (holds_pack(name)) return vx_path_join(out, name, "");
    if (strcmp(vx_path_base(name), "pack.yaml") == 0 && vx_path_is_file(name)) {
        vx_path_folder(out, name);
        return true;
    }
    return find_by_name(name, out);
}

/* The face finder of the pack of that name, for one that moves portraits and has none. */
static vx_status take_finder(vx_pack *pack, vx_error *err)
{
    vx_path folder;
    vx_pack other = {0};
    if (!pack->components[VX_COMPONENT_LIVEPORTRAIT].present ||
        pack->components[VX_COMPONENT_FACE].present || !find_by_name("face", &folder))
        return VX_OK;
    vx_status status = read_pack(&other, folder.text, err);
    if (status == VX_OK && other.components[VX_COMPONENT_FACE].present) {
        pack->components[VX_COMPONENT_FACE] = other.components[VX_COMPONENT_FACE];
        pack->finder = other.document;
        other.components[VX_COMPONENT_FACE].config = NULL;
        other.document = NULL;
    }
    vx_pack_close(&other);
    return status;
}

vx_status vx_pack_open(vx_pack *pack, const char *name, vx_error *err)
{
    *pack = (vx_pack){0};
    vx_path folder;
    bool found = name != NULL ? find_pack(name, &folder)
                              : find_pack("toon", &folder) || find_pack("speech", &folder);
    if (!found)
        return vx_fail(err, VX_ERR_MISSING, "no_pack",
                       "there is no pack '%.200s', neither as a folder with a pack.yaml nor by "
                       "name; see 'vortex models list' for the packs there are",
                       name != NULL ? name : "toon or speech");
    vx_status status = read_pack(pack, folder.text, err);
    if (status == VX_OK) status = take_finder(pack, err);
    if (status != VX_OK) vx_pack_close(pack);
    return status;
}

void vx_pack_close(vx_pack *pack)
{
    for (int i = 0; i < VX_COMPONENTS; i++)
        json_decref(pack->components[i].config);
    vx_yaml_close(&pack->document);
    vx_yaml_close(&pack->finder);
    *pack = (vx_pack){0};
}

/* What can't be looked at for another reason is not missing. */
static vx_status check_missing(const char *path, vx_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 || errno == ENOENT || errno == ENOTDIR) return VX_OK;
    return vx_fail_at(err, VX_ERR_IO, "read_failed", path, 0, "cannot read %s: %s", path,
                      strerror(errno));
}

static vx_status need_file(const vx_pack *pack, vx_component component, const char *why,
                           const vx_pack_file *file, vx_error *err)
{
    vx_path own;
    if (file->name == NULL || file->found) return VX_OK;
    if (vx_path_join(&own, pack->folder, file->name)) VX_TRY(check_missing(own.text, err));
    VX_TRY(check_missing(file->path, err));
    const vx_pack_component *c = &pack->components[component];
    char fix[400] = "put it there";
    if (c->sources.count > 0)
        snprintf(fix, sizeof fix, "run 'vortex --pack %s models pull %s'", pack->name,
                 vx_component_name(component));
    if (c->hint != NULL) {
        size_t used = c->sources.count > 0 ? strlen(fix) : 0;
        snprintf(fix + used, sizeof fix - used, "%s%s", used > 0 ? ", or " : "", c->hint);
    }
    return vx_fail_at(err, VX_ERR_MISSING, "no_model", file->path, 0,
                      "%s needs %s of pack %s, and %s is not there; %s", why,
                      vx_component_name(component), pack->name, file->path, fix);
}

vx_status vx_pack_need(const vx_pack *pack, vx_component component, const char *why, vx_error *err)
{
    const vx_pack_component *c = &pack->components[component];
    if (!c->present)
        return vx_fail(err, VX_ERR_MISSING, "no_model",
                       "%s needs %s, which pack %s does not have; choose another with --pack", why,
                       vx_component_name(component), pack->name);
    if (c->same_as >= 0) VX_TRY(vx_pack_need(pack, c->same_as, why, err));
    for (int i = 0; i < c->file_count; i++)
        VX_TRY(need_file(pack, component, why, &c->files[i], err));
    VX_TRY(need_file(pack, component, why, &c->tokenizer, err));
    VX_TRY(need_file(pack, component, why, &c->controls, err));
    return need_file(pack, component, why, &c->voices, err);
}

const vx_pack_component *vx_pack_files(const vx_pack *pack, vx_component component)
{
    const vx_pack_component *c = &pack->components[component];
    return c->same_as >= 0 ? &pack->components[c->same_as] : c;
}

vx_status vx_pack_verify(const vx_pack *pack, vx_component component, vx_error *err)
{
    const vx_pack_component *c = &pack->components[component];
    for (int i = 0; i < c->file_count; i++) {
        const vx_pack_file *file = &c->files[i];
        char hex[65], path[VX_ENTRY_PATH_MAX];
        if (file->sha256 == NULL || !file->found) continue;
        VX_TRY(vx_entry_file(file->path, path, err));
        VX_TRY(vx_sha256_file(path, hex, err));
        if (strcmp(hex, file->sha256) != 0)
            return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                              "%s has SHA-256 %.12s… and must have %.12s…; fetch it again", path,
                              hex, file->sha256);
    }
    return VX_OK;
}

bool vx_pack_source_is(const vx_pack_source *source, const char *path)
{
    struct stat info;
    char hex[65];
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           (source->bytes == 0 || info.st_size == source->bytes) &&
           vx_sha256_file(path, hex, NULL) == VX_OK && strcmp(hex, source->sha256) == 0;
}

/* Whether an earlier folder of the look-up holds a pack of this name. */
static bool is_hidden(int folder_index, const char *name)
{
    vx_path folder, path;
    for (int i = 0; i < folder_index; i++)
        if (vx_path_shared(i, "packs", &folder) && folder.text[0] != '\0' &&
            vx_path_join(&path, folder.text, name) && holds_pack(path.text))
            return true;
    return false;
}

vx_status vx_pack_each(vx_status (*visit)(void *arg, const char *name, const char *folder),
                       void *arg)
{
    vx_path folder, path;
    for (int i = 0; vx_path_shared(i, "packs", &folder); i++) {
        struct dirent **entries;
        int count = folder.text[0] != '\0' ? scandir(folder.text, &entries, NULL, alphasort) : -1;
        vx_status status = VX_OK;
        for (int k = 0; k < count; k++) {
            const char *name = entries[k]->d_name;
            if (status == VX_OK && name[0] != '.' && !is_hidden(i, name) &&
                vx_path_join(&path, folder.text, name) && holds_pack(path.text))
                status = visit(arg, name, path.text);
            free(entries[k]);
        }
        if (count >= 0) free(entries);
        VX_TRY(status);
    }
    return VX_OK;
}

const char *vx_pack_voice(const vx_pack *pack, const vx_list *first, const char *id)
{
    const vx_voice_alias *own = pack->voices.items;
    if (id == NULL) return pack->voices.count > 0 ? own[0].voice : "af_heart";
    const vx_list *lists[] = {first, &pack->voices};
    for (int k = 0; k < 2; k++) {
        const vx_voice_alias *alias = lists[k] != NULL ? lists[k]->items : NULL;
        for (int i = 0; alias != NULL && i < lists[k]->count; i++)
            if (strcmp(alias[i].name, id) == 0) return alias[i].voice;
    }
    return id;
}
