#include "formats/entry.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

/* An index takes some 100 bytes for a tensor. */
enum { INDEX_BYTES_MAX = 16 << 20 };

static const char index_tail[] = ".index.json";

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), tail_length = strlen(tail);
    return length >= tail_length && strcmp(text + length - tail_length, tail) == 0;
}

/* FOLDER/NAME, or beside FILE when `beside`. */
static vx_status join(const char *path, bool beside, const char *name, char out[VX_ENTRY_PATH_MAX],
                      vx_error *err)
{
    const char *slash = strrchr(path, '/');
    int folder = !beside ? (int)strlen(path) : slash != NULL ? (int)(slash - path) : 0;
    const char *between = !beside || slash != NULL ? "/" : "";
    int length = snprintf(out, VX_ENTRY_PATH_MAX, "%.*s%s%s", folder, path, between, name);
    if (length < VX_ENTRY_PATH_MAX) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_pack", path, 0,
                      "the path of %.60s in %.200s… is too long; move it", name, path);
}

/* ---- folders */

static const char *const ranks[][6] = {
    {".safetensors.index.json"},
    {".safetensors"},
    {".gguf", ".pth", ".pt", ".bin", ".onnx"},
};
enum { RANKS = sizeof ranks / sizeof *ranks };

/* Which kind of weight file a name says: a row of `ranks`, RANKS for none. */
static int rank_of(const char *name)
{
    for (int rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < 6 && ranks[rank][i] != NULL; i++)
            if (name[0] != '.' && ends_with(name, ranks[rank][i])) return rank;
    return RANKS;
}

static vx_status no_weights(const char *path, bool pipeline, vx_error *err)
{
    if (pipeline)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                          "%s is a whole diffusers pipeline; name the folder of this component in "
                          "it, such as %s/transformer",
                          path, path);
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                      "folder %s holds no weight file (.safetensors.index.json, .safetensors, "
                      ".gguf, .pth, .pt, .bin, .onnx); put one there",
                      path);
}

static vx_status choose(const char *path, struct dirent **entries, int count,
                        char file[VX_ENTRY_PATH_MAX], vx_error *err)
{
    const char *chosen = NULL, *second = NULL;
    bool pipeline = false;
    int best = RANKS;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        int rank = rank_of(name);
        pipeline = pipeline || strcmp(name, "model_index.json") == 0;
        if (rank < best) {
            best = rank;
            chosen = name;
            second = NULL;
        } else if (rank == best && rank < RANKS && second == NULL) {
            second = name;
        }
    }
    /* Beside a pipeline's folders lie the same weights in other forms. */
    if (chosen == NULL || (pipeline && best > 0)) return no_weights(path, pipeline, err);
    if (second != NULL)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                          "folder %s holds both %s and %s; name the one to be used", path, chosen,
                          second);
    return join(path, false, chosen, file, err);
}

static vx_status cannot_read(const char *path, vx_error *err)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return vx_fail_at(err, VX_ERR_MISSING, "no_such_file", path, 0,
                          "there is no file %s; check the path", path);
    return vx_fail_at(err, VX_ERR_IO, "read_failed", path, 0, "cannot read %s: %s", path,
                      strerror(errno));
}

vx_status vx_entry_file(const char *path, char file[VX_ENTRY_PATH_MAX], vx_error *err)
{
    struct stat info;
    file[0] = '\0';
    if (stat(path, &info) != 0) return cannot_read(path, err);
    if (!S_ISDIR(info.st_mode)) {
        if (snprintf(file, VX_ENTRY_PATH_MAX, "%s", path) < VX_ENTRY_PATH_MAX) return VX_OK;
        return join(path, false, "", file, err);
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) return cannot_read(path, err);
    vx_status status = choose(path, entries, count, file, err);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return status;
}

/* ---- indices */

static vx_status bad_index(const char *path, vx_error *err, const char *what)
{
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                      "%s is no index of shards: %s; download it again, or list the shards", path,
                      what);
}

/* The names of the shards, each once, in an array that the caller releases. */
static vx_status list_shards(const char *path, json_t **shards, vx_error *err)
{
    char *text;
    size_t bytes;
    *shards = NULL;
    VX_TRY(vx_file_read_from(path, VX_FILE_REGULAR, INDEX_BYTES_MAX, NULL, &text, &bytes, err));
    json_t *json = json_loadb(text, bytes, 0, NULL), *value;
    vx_heap_free(text);
    json_t *map = json_object_get(json, "weight_map"), *seen = json_object();
    const char *tensor, *what = NULL;
    *shards = json_array();
    if (!json_is_object(map) || json_object_size(map) == 0) what = "it has no \"weight_map\"";
    json_object_foreach(map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL) {
            what = "it names a file that does not lie beside it";
            break;
        }
        if (json_object_get(seen, name) != NULL) continue;
        json_object_set_new(seen, name, json_true());
        json_array_append(*shards, value);
    }
    json_decref(seen);
    json_decref(json);
    if (what == NULL) return VX_OK;
    json_decref(*shards);
    *shards = NULL;
    return bad_index(path, err, what);
}

static vx_status open_one(const char *path, vx_source **sources, int room, int *count,
                          vx_error *err)
{
    if (*count >= room)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", path, 0,
                          "%s would be weight file %d of one component; %d is the most", path,
                          *count + 1, room);
    VX_TRY(vx_source_open(&sources[*count], path, err));
    ++*count;
    return VX_OK;
}

vx_status vx_entry_open(const char *path, vx_source **sources, int room, int *count, vx_error *err)
{
    char file[VX_ENTRY_PATH_MAX], shard[VX_ENTRY_PATH_MAX];
    VX_TRY(vx_entry_file(path, file, err));
    if (!ends_with(file, index_tail)) return open_one(file, sources, room, count, err);
    json_t *shards;
    VX_TRY(list_shards(file, &shards, err));
    vx_status status = VX_OK;
    for (size_t i = 0; status == VX_OK && i < json_array_size(shards); i++) {
        status = join(file, true, json_string_value(json_array_get(shards, i)), shard, err);
        if (status == VX_OK) status = open_one(shard, sources, room, count, err);
        if (status == VX_ERR_MISSING)
            status =
                vx_fail_at(err, VX_ERR_MISSING, "no_model", shard, 0,
                           "%s, which the index %s lists, is not there; put it there", shard, file);
    }
    json_decref(shards);
    return status;
}

static int64_t file_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

int64_t vx_entry_bytes(const char *path)
{
    char file[VX_ENTRY_PATH_MAX], shard[VX_ENTRY_PATH_MAX];
    json_t *shards;
    if (vx_entry_file(path, file, NULL) != VX_OK) return -1;
    if (!ends_with(file, index_tail)) return file_bytes(file);
    if (list_shards(file, &shards, NULL) != VX_OK) return file_bytes(file);
    int64_t total = file_bytes(file);
    for (size_t i = 0; total >= 0 && i < json_array_size(shards); i++) {
        const char *name = json_string_value(json_array_get(shards, i));
        int64_t bytes = join(file, true, name, shard, NULL) == VX_OK ? file_bytes(shard) : -1;
        total = bytes >= 0 ? total + bytes : -1;
    }
    json_decref(shards);
    return total;
}
