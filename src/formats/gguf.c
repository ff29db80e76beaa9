/* GGUF versions 2 and 3, little-endian.
 *
 *     "GGUF" | u32 version | u64 tensors | u64 keys | keys | tensor infos | padding | data
 *     key     string name, u32 type, value; an array is u32 item type, u64 count, items
 *     info    string name, u32 rank, u64 dims (innermost first), u32 type, u64 offset
 *     string  u64 length, bytes
 *
 * Offsets count from the start of the data, which is aligned to general.alignment (32 unless the
 * file says otherwise), as is every tensor. Dims are turned round to torch's order. */
#include "formats/gguf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source_impl.h"

static const struct {
    int type;
    vx_dtype dtype;
} types[] = {
    {0, VX_F32},   {1, VX_F16},   {2, VX_Q4_0},  {3, VX_Q4_1},    {6, VX_Q5_0},
    {7, VX_Q5_1},  {8, VX_Q8_0},  {12, VX_Q4_K}, {13, VX_Q5_K},   {14, VX_Q6_K},
    {24, VX_I8},   {25, VX_I16},  {26, VX_I32},  {27, VX_I64},    {28, VX_F64},
    {30, VX_BF16}, {10, VX_Q2_K}, {11, VX_Q3_K}, {20, VX_IQ4_NL}, {23, VX_IQ4_XS},
};

/* ggml's other types, by their number; what Vortex reads stands above. Source: ggml.h. */
static const char *const unread_types[] = {
    [9] = "Q8_1",   [15] = "Q8_K",  [16] = "IQ2_XXS", [17] = "IQ2_XS", [18] = "IQ3_XXS",
    [19] = "IQ1_S", [21] = "IQ3_S", [22] = "IQ2_S",   [29] = "IQ1_M",  [34] = "TQ1_0",
    [35] = "TQ2_0", [39] = "MXFP4", [40] = "NVFP4",   [41] = "Q1_0",
};

static const char *type_name(uint64_t type, char room[32])
{
    if (type < sizeof unread_types / sizeof *unread_types && unread_types[type] != NULL)
        return unread_types[type];
    snprintf(room, 32, "number %llu", (unsigned long long)type);
    return room;
}

int vx_gguf_type(vx_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].type;
    return -1;
}

int vx_gguf_dtype(uint32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint32_t)types[i].type == type) return types[i].dtype;
    return -1;
}

/* The header being read. */
typedef struct reader {
    vx_source *source;
    const unsigned char *at, *end;
    uint64_t alignment;
    vx_error *err;
} reader;

static vx_status take(reader *r, uint64_t bytes, const unsigned char **at)
{
    *at = r->at;
    if (bytes > (uint64_t)(r->end - r->at))
        return vx_source_bad(r->source, r->err, "its header breaks off at byte %llu of %llu",
                             (unsigned long long)(r->at - r->source->bytes),
                             (unsigned long long)r->source->size);
    r->at += bytes;
    return VX_OK;
}

static vx_status take_number(reader *r, size_t bytes, uint64_t *value)
{
    const unsigned char *at;
    *value = 0;
    VX_TRY(take(r, bytes, &at));
    memcpy(value, at, bytes);
    return VX_OK;
}

static vx_status take_text(reader *r, const char **text, uint64_t *bytes)
{
    const unsigned char *at = NULL;
    *text = NULL;
    VX_TRY(take_number(r, 8, bytes));
    VX_TRY(take(r, *bytes, &at));
    *text = (const char *)at;
    return VX_OK;
}

/* ---- keys */

static vx_meta_kind kind_of(int type)
{
    if (type == VX_META_TYPE_TEXT) return VX_META_TEXT;
    if (type == VX_META_TYPE_BOOL) return VX_META_BOOL;
    return type == VX_META_TYPE_F32 || type == VX_META_TYPE_F64 ? VX_META_FLOAT : VX_META_INT;
}

/* Texts differ in length: an index of their starts makes any of them reachable. */
static vx_status index_texts(reader *r, int64_t count, vx_meta_values *values)
{
    const unsigned char *first = r->at;
    if ((uint64_t)count > (uint64_t)(r->end - r->at) / 8)
        return vx_source_bad(r->source, r->err, "an array claims %lld texts, beyond the file",
                             (long long)count);
    uint64_t *starts = vx_source_keep(r->source, ((size_t)count + 1) * sizeof *starts);
    if (starts == NULL) return vx_source_no_memory(r->source, r->err);
    for (int64_t i = 0; i < count; i++) {
        const char *text;
        uint64_t bytes;
        starts[i] = (uint64_t)(r->at - first);
        VX_TRY(take_text(r, &text, &bytes));
    }
    starts[count] = (uint64_t)(r->at - first);
    values->at = first;
    values->starts = starts;
    return VX_OK;
}

static vx_status take_array(reader *r, const char *shown, vx_source_meta *meta,
                            vx_meta_values *values)
{
    uint64_t type, count;
    VX_TRY(take_number(r, 4, &type));
    VX_TRY(take_number(r, 8, &count));
    values->type = type <= VX_META_TYPE_F64 ? (int)type : -1;
    size_t bytes = vx_meta_type_bytes(values->type);
    if (bytes == 0 && values->type != VX_META_TYPE_TEXT)
        return vx_source_bad(r->source, r->err, "the key \"%s\" is an array of type %llu", shown,
                             (unsigned long long)type);
    if (count > (uint64_t)(r->end - r->at))
        return vx_source_bad(r->source, r->err, "the key \"%s\" claims %llu items, beyond the file",
                             shown, (unsigned long long)count);
    meta->array = true;
    meta->count = (int64_t)count;
    if (bytes == 0) return index_texts(r, meta->count, values);
    return take(r, count * bytes, &values->at); /* both are small: no overflow */
}

static vx_status take_value(reader *r, const char *shown, vx_source_meta *meta,
                            vx_meta_values *values)
{
    const unsigned char *start = r->at;
    uint64_t type, length;
    const char *text;
    VX_TRY(take_number(r, 4, &type));
    meta->count = 1;
    values->type = type <= VX_META_TYPE_F64 ? (int)type : -1;
    size_t bytes = vx_meta_type_bytes(values->type);
    if (type == VX_META_TYPE_ARRAY) {
        VX_TRY(take_array(r, shown, meta, values));
    } else if (type == VX_META_TYPE_TEXT) {
        VX_TRY(take_text(r, &text, &length));
        values->at = (const unsigned char *)text;
        values->length = (size_t)length;
    } else if (bytes > 0) {
        VX_TRY(take(r, bytes, &values->at));
    } else {
        return vx_source_bad(r->source, r->err, "the key \"%s\" has the unknown type %llu", shown,
                             (unsigned long long)type);
    }
    meta->kind = kind_of(values->type);
    values->raw = start;
    values->raw_bytes = (size_t)(r->at - start);
    return VX_OK;
}

static vx_status take_key(reader *r)
{
    const char *key;
    uint64_t bytes;
    char shown[VX_SHOWN];
    vx_source_meta *meta;
    VX_TRY(take_text(r, &key, &bytes));
    vx_source_shown(shown, key, bytes);
    VX_TRY(vx_source_add_meta(r->source, key, bytes, &meta, r->err));
    vx_meta_values *values = vx_source_keep(r->source, sizeof *values);
    if (values == NULL) return vx_source_no_memory(r->source, r->err);
    VX_TRY(take_value(r, shown, meta, values));
    meta->private = values;
    if (strcmp(meta->key, "general.alignment") != 0) return VX_OK;
    int64_t alignment = meta->kind == VX_META_INT && meta->count == 1 ? vx_meta_int(meta, 0) : 0;
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
        return vx_source_bad(r->source, r->err, "its alignment is no power of two up to 2^20");
    r->alignment = (uint64_t)alignment;
    return VX_OK;
}

/* ---- tensors */

static vx_status take_tensor(reader *r, vx_extent *extent)
{
    const char *name;
    char shown[VX_SHOWN], room[32];
    uint64_t name_bytes, rank, type, size[VX_SOURCE_RANK_MAX];
    int64_t dim[VX_SOURCE_RANK_MAX];
    VX_TRY(take_text(r, &name, &name_bytes));
    vx_source_shown(shown, name, name_bytes);
    VX_TRY(take_number(r, 4, &rank));
    if (rank > VX_SOURCE_RANK_MAX)
        return vx_source_bad(r->source, r->err,
                             "tensor \"%s\" has %llu dimensions, at most %d are "
                             "read",
                             shown, (unsigned long long)rank, VX_SOURCE_RANK_MAX);
    for (uint64_t i = 0; i < rank; i++) {
        VX_TRY(take_number(r, 8, &size[i]));
        dim[rank - 1 - i] = size[i] > INT64_MAX ? -1 : (int64_t)size[i];
    }
    VX_TRY(take_number(r, 4, &type));
    VX_TRY(take_number(r, 8, &extent->begin));
    int dtype = vx_gguf_dtype((uint32_t)type);
    if (dtype < 0)
        return vx_source_bad(
            r->source, r->err,
            "tensor \"%s\" has the ggml type %s, which Vortex does not read; use a file in F16, "
            "BF16, Q8_0, Q6_K, Q5_K, Q5_0, Q4_K, Q4_0, Q3_K, Q2_K, IQ4_NL or IQ4_XS",
            shown, type_name(type, room));
    vx_source_tensor *tensor;
    VX_TRY(vx_source_add(r->source, name, name_bytes, (vx_dtype)dtype, (int)rank, dim, &tensor,
                         r->err));
    if (extent->begin % r->alignment != 0)
        return vx_source_bad(r->source, r->err, "tensor \"%s\" is not aligned to %llu bytes", shown,
                             (unsigned long long)r->alignment);
    return VX_OK;
}

/* Sets the addresses, now that the start of the data is known, and looks for overlaps. */
static vx_status place(reader *r, vx_extent *extents)
{
    vx_source *source = r->source;
    uint64_t header = (uint64_t)(r->at - source->bytes);
    uint64_t start = (header + r->alignment - 1) / r->alignment * r->alignment;
    uint64_t rest = start < source->size ? source->size - start : 0;
    for (int64_t i = 0; i < source->count; i++) {
        vx_source_tensor *tensor = &source->tensors[i];
        char shown[VX_SHOWN];
        if (extents[i].begin > rest || tensor->bytes > rest - extents[i].begin)
            return vx_source_bad(source, r->err,
                                 "tensor \"%s\" needs %llu bytes at %llu but the data has %llu; it "
                                 "is truncated or damaged",
                                 vx_source_shown(shown, tensor->name, strlen(tensor->name)),
                                 (unsigned long long)tensor->bytes,
                                 (unsigned long long)extents[i].begin, (unsigned long long)rest);
        if (tensor->bytes > 0) tensor->data = source->bytes + start + extents[i].begin;
        extents[i].end = extents[i].begin + tensor->bytes;
    }
    vx_extents_sort(extents, source->count);
    for (int64_t i = 1; i < source->count; i++)
        if (extents[i].begin < extents[i - 1].end)
            return vx_source_bad(source, r->err, "its tensors overlap at byte %llu of the data",
                                 (unsigned long long)extents[i].begin);
    return VX_OK;
}

static vx_status take_tensors(reader *r, uint64_t count)
{
    /* An info takes 24 bytes at least, so the list is bounded by the file. */
    if (count > (uint64_t)(r->end - r->at) / 24 || count > VX_SOURCE_TENSORS_MAX)
        return vx_source_bad(r->source, r->err, "it claims %llu tensors, which cannot be",
                             (unsigned long long)count);
    vx_extent *extents = vx_heap_alloc((size_t)count * sizeof *extents);
    if (extents == NULL) return vx_source_no_memory(r->source, r->err);
    vx_status status = VX_OK;
    for (uint64_t i = 0; status == VX_OK && i < count; i++)
        status = take_tensor(r, &extents[i]);
    if (status == VX_OK) status = place(r, extents);
    vx_heap_free(extents);
    return status;
}

vx_status vx_gguf_parse(vx_source *source, vx_error *err)
{
    reader r = {.source = source,
                .at = source->bytes + 4,
                .end = source->bytes + source->size,
                .alignment = VX_GGUF_ALIGNMENT,
                .err = err};
    uint64_t version, tensors, keys;
    VX_TRY(take_number(&r, 4, &version));
    if (version != 2 && version != VX_GGUF_VERSION)
        return vx_source_bad(source, err,
                             "it has version %llu or another byte order; versions 2 and 3 in "
                             "little-endian order are read",
                             (unsigned long long)version);
    VX_TRY(take_number(&r, 8, &tensors));
    VX_TRY(take_number(&r, 8, &keys));
    for (uint64_t i = 0; i < keys; i++)
        VX_TRY(take_key(&r));
    return take_tensors(&r, tensors);
}
