/* PyTorch checkpoints: a zip archive with one folder that holds
 *
 *     data.pkl     the objects, as a pickle (pickle.h)
 *     data/KEY     the raw little-endian elements of each storage, stored, not compressed
 *     byteorder    "little" or "big"; absent in older files
 *
 * Nested dicts, lists and tuples are flattened: the names on the way are joined with '.'.
 * Everything that is no tensor is passed over. TorchScript archives and the format from before
 * PyTorch 1.6 are refused with the way to convert them. */
#include <stdio.h>
#include <string.h>

#include "formats/pickle.h"
#include "formats/zip.h"

/* Objects may be shared, so that the flattened tree can be larger than the pickle, or endless. */
enum { DEPTH_MAX = 32, VISITS_MAX = 1 << 22 };

typedef struct flattening {
    vx_source *source;
    vx_zip *zip;
    const vx_pickle *pickle;
    const char *folder;
    size_t folder_bytes;
    char name[VX_SOURCE_NAME_MAX + 1]; /* of the node being visited */
    int64_t visits;
    vx_error *err;
} flattening;

/* FOLDER/rest, or NULL. */
static const vx_zip_entry *find_inside(const vx_zip *zip, const char *folder, size_t folder_bytes,
                                       const char *rest, size_t rest_bytes)
{
    char name[1024];
    if (folder_bytes + 1 + rest_bytes > sizeof name) return NULL;
    memcpy(name, folder, folder_bytes);
    name[folder_bytes] = '/';
    memcpy(name + folder_bytes + 1, rest, rest_bytes);
    return vx_zip_find(zip, name, folder_bytes + 1 + rest_bytes);
}

/* True when the view stays inside its storage and shows no element twice. */
static bool view_fits(const vx_pickle_tensor *t, int64_t elements, int64_t storage_elements)
{
    int64_t last = t->offset;
    if (t->offset < 0 || elements > storage_elements) return false;
    for (int i = 0; i < t->rank; i++) {
        int64_t reach;
        if (t->stride[i] < 0 ||
            __builtin_mul_overflow(t->dim[i] > 0 ? t->dim[i] - 1 : 0, t->stride[i], &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    }
    return elements == 0 ? t->offset <= storage_elements : last < storage_elements;
}

static vx_status add_tensor(flattening *f, const vx_pickle_tensor *t)
{
    const vx_storage *storage = &f->pickle->storages[t->storage];
    char shown[VX_SHOWN], key[256];
    vx_source_shown(shown, f->name, strlen(f->name));
    int key_bytes = snprintf(key, sizeof key, "data/%.*s",
                             storage->key_bytes < 200 ? (int)storage->key_bytes : 200,
                             (const char *)storage->key);
    const vx_zip_entry *entry =
        find_inside(f->zip, f->folder, f->folder_bytes, key, (size_t)key_bytes);
    if (entry == NULL)
        return vx_source_bad(f->source, f->err, "the values of \"%s\" are not in the archive",
                             shown);
    if (entry->method != VX_ZIP_STORED)
        return vx_source_bad(f->source, f->err,
                             "the values of \"%s\" are compressed; pack the archive with storing "
                             "only, as torch.save does",
                             shown);
    vx_source_tensor *tensor;
    VX_TRY(vx_source_add(f->source, f->name, strlen(f->name), storage->dtype, t->rank, t->dim,
                         &tensor, f->err));
    int64_t there = (int64_t)(entry->bytes / vx_dtype_bytes(storage->dtype));
    if (storage->elements > there)
        return vx_source_bad(f->source, f->err,
                             "the storage of \"%s\" claims %lld elements but has %lld", shown,
                             (long long)storage->elements, (long long)there);
    if (!view_fits(t, tensor->elements, storage->elements))
        return vx_source_bad(f->source, f->err,
                             "the tensor \"%s\" reaches beyond its storage of %lld elements, or "
                             "repeats them; save it after contiguous()",
                             shown, (long long)storage->elements);
    if (tensor->bytes == 0) return VX_OK;
    tensor->data = entry->data + (size_t)t->offset * vx_dtype_bytes(storage->dtype);
    return vx_source_set_strides(f->source, tensor, t->stride, f->err);
}

/* Appends ".key" to the name; false when the key is neither text nor a number, or too long. */
static bool extend_name(flattening *f, const vx_node *key, int64_t position)
{
    size_t length = strlen(f->name);
    size_t room = sizeof f->name - length;
    const char *dot = length > 0 ? "." : "";
    int wanted = -1;
    if (key == NULL)
        wanted = snprintf(f->name + length, room, "%s%lld", dot, (long long)position);
    else if (key->kind == VX_NODE_INT)
        wanted = snprintf(f->name + length, room, "%s%lld", dot, (long long)key->as.whole);
    else if (key->kind == VX_NODE_TEXT && memchr(key->as.text, 0, (size_t)key->count) == NULL)
        wanted = snprintf(f->name + length, room, "%s%.*s", dot, (int)key->count, key->as.text);
    return wanted >= 0 && (size_t)wanted < room;
}

static vx_status visit(flattening *f, int32_t number, int depth)
{
    const vx_node *node = &f->pickle->nodes[number];
    if (++f->visits > VISITS_MAX)
        return vx_source_bad(f->source, f->err, "its objects unfold to more than %d", VISITS_MAX);
    if (node->kind == VX_NODE_TENSOR) return add_tensor(f, &f->pickle->tensors[node->as.whole]);
    if (node->kind != VX_NODE_DICT && node->kind != VX_NODE_LIST && node->kind != VX_NODE_TUPLE)
        return VX_OK;
    if (depth == DEPTH_MAX)
        return vx_source_bad(f->source, f->err, "its objects are nested deeper than %d", DEPTH_MAX);
    size_t length = strlen(f->name);
    int64_t position = 0;
    for (int32_t at = node->as.chain.first; at >= 0; at = f->pickle->cells[at].next) {
        const vx_cell *cell = &f->pickle->cells[at];
        const vx_node *key = cell->key >= 0 ? &f->pickle->nodes[cell->key] : NULL;
        if (!extend_name(f, key, position++)) {
            f->name[length] = '\0';
            char shown[VX_SHOWN];
            return vx_source_bad(f->source, f->err,
                                 "a key below \"%s\" is too long or neither text nor a number",
                                 vx_source_shown(shown, f->name, length));
        }
        VX_TRY(visit(f, cell->value, depth + 1));
        f->name[length] = '\0';
    }
    return VX_OK;
}

static vx_status check_byte_order(flattening *f)
{
    const vx_zip_entry *order = find_inside(f->zip, f->folder, f->folder_bytes, "byteorder", 9);
    if (order == NULL) return VX_OK;
    const unsigned char *text;
    VX_TRY(vx_zip_bytes(f->source, f->zip, order, &text, f->err));
    if (order->bytes == 6 && memcmp(text, "little", 6) == 0) return VX_OK;
    return vx_source_bad(f->source, f->err,
                         "it was written on a big-endian machine; save it on a little-endian one");
}

static vx_status parse_archive(vx_source *source, vx_zip *zip, const vx_zip_entry *objects,
                               vx_error *err)
{
    flattening f = {.source = source, .zip = zip, .folder = objects->name, .err = err};
    f.folder_bytes = objects->name_bytes - strlen("/data.pkl");
    if (find_inside(zip, f.folder, f.folder_bytes, "constants.pkl", 13) != NULL)
        return vx_source_bad(source, err,
                             "it is a TorchScript program; load it with torch.jit.load and save "
                             "its state_dict() with torch.save");
    VX_TRY(check_byte_order(&f));
    const unsigned char *bytes;
    VX_TRY(vx_zip_bytes(source, zip, objects, &bytes, err));
    vx_pickle pickle;
    vx_status status = vx_pickle_run(source, bytes, objects->bytes, &pickle, err);
    f.pickle = &pickle;
    if (status == VX_OK) {
        /* A file that is one tensor has no name for it. */
        if (pickle.nodes[pickle.root].kind == VX_NODE_TENSOR) strcpy(f.name, "data");
        status = visit(&f, pickle.root, 0);
    }
    vx_pickle_close(&pickle);
    return status;
}

vx_status vx_zip_parse(vx_source *source, vx_error *err)
{
    static const char tail[] = "/data.pkl";
    vx_zip zip;
    VX_TRY(vx_zip_open(source, &zip, err));
    bool arrays = false;
    for (int64_t i = 0; i < zip.count; i++) {
        const vx_zip_entry *entry = &zip.entries[i];
        size_t bytes = entry->name_bytes;
        if (bytes >= sizeof tail &&
            memcmp(entry->name + bytes - (sizeof tail - 1), tail, sizeof tail - 1) == 0) {
            source->format = "pth";
            return parse_archive(source, &zip, entry, err);
        }
        arrays = arrays || (bytes > 4 && memcmp(entry->name + bytes - 4, ".npy", 4) == 0);
    }
    if (!arrays)
        return vx_source_bad(source, err,
                             "it is neither a PyTorch checkpoint nor an NPZ: no data.pkl and no "
                             ".npy in it");
    source->format = "npz";
    return vx_npz_parse(source, &zip, err);
}

vx_status vx_legacy_pth_parse(vx_source *source, vx_error *err)
{
    return vx_source_bad(source, err,
                         "it is a bare pickle, PyTorch's format before 1.6 or no checkpoint at "
                         "all; load it with torch.load and save it again with torch.save");
}
