/* safetensors: u64 header length, JSON header, data.
 *
 *     {"__metadata__": {"key": "text"}, "NAME": {"dtype": "F32", "shape": [..],
 *      "data_offsets": [begin, end]}, …}
 *
 * Offsets count from the end of the header. The tensors must fill the data without overlap and
 * without holes, as the format demands; so a file that grew or shrank is noticed here. Weights that
 * bitsandbytes quantised are folded afterwards (bnb.c). */
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source_impl.h"

/* Headers of the largest published checkpoints are near 1 MB; the JSON tree takes up to 20 times
 * the text, so the text is bounded well below the format's own 100 MB. */
enum { HEADER_MAX = 16 << 20 };

static const struct {
    const char *name;
    vx_dtype dtype;
} dtype_names[] = {
    {"F32", VX_F32}, {"F16", VX_F16},   {"BF16", VX_BF16},       {"F64", VX_F64},
    {"I8", VX_I8},   {"U8", VX_U8},     {"I16", VX_I16},         {"I32", VX_I32},
    {"I64", VX_I64}, {"BOOL", VX_BOOL}, {"F8_E4M3", VX_F8_E4M3}, {"F8_E5M2", VX_F8_E5M2},
};

static int find_dtype(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof dtype_names / sizeof *dtype_names; i++)
        if (strcmp(dtype_names[i].name, name) == 0) return dtype_names[i].dtype;
    return -1;
}

/* A JSON array of `most` non-negative integers at most; -1 when it is something else. */
static int read_integers(const json_t *array, int most, int64_t *out)
{
    if (!json_is_array(array) || json_array_size(array) > (size_t)most) return -1;
    int count = (int)json_array_size(array);
    for (int i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 0) return -1;
        out[i] = json_integer_value(item);
    }
    return count;
}

static vx_status add_tensor(vx_source *source, const char *name, const json_t *info,
                            const unsigned char *data, uint64_t data_bytes, vx_extent *at,
                            vx_error *err)
{
    char shown[VX_SHOWN], shown_type[VX_SHOWN];
    vx_source_shown(shown, name, strlen(name));
    const char *type = json_string_value(json_object_get(info, "dtype"));
    int dtype = find_dtype(type);
    if (type == NULL) return vx_source_bad(source, err, "tensor \"%s\" has no dtype", shown);
    if (dtype < 0)
        return vx_source_bad(source, err, "tensor \"%s\" has dtype %s, which Vortex does not read",
                             shown, vx_source_shown(shown_type, type, strlen(type)));
    int64_t dim[VX_SOURCE_RANK_MAX], offsets[2];
    int rank = read_integers(json_object_get(info, "shape"), VX_SOURCE_RANK_MAX, dim);
    if (rank < 0)
        return vx_source_bad(source, err,
                             "the shape of tensor \"%s\" is not a list of up to %d sizes", shown,
                             VX_SOURCE_RANK_MAX);
    if (read_integers(json_object_get(info, "data_offsets"), 2, offsets) != 2)
        return vx_source_bad(source, err, "tensor \"%s\" has no pair of data_offsets", shown);
    *at = (vx_extent){(uint64_t)offsets[0], (uint64_t)offsets[1]};
    if (at->begin > at->end || at->end > data_bytes)
        return vx_source_bad(source, err,
                             "tensor \"%s\" lies at %llu..%llu but the data has %llu bytes; it is "
                             "truncated or damaged",
                             shown, (unsigned long long)at->begin, (unsigned long long)at->end,
                             (unsigned long long)data_bytes);
    vx_source_tensor *tensor;
    VX_TRY(vx_source_add(source, name, strlen(name), (vx_dtype)dtype, rank, dim, &tensor, err));
    if (tensor->bytes != at->end - at->begin)
        return vx_source_bad(
            source, err, "tensor \"%s\" needs %llu bytes by its shape but has %llu", shown,
            (unsigned long long)tensor->bytes, (unsigned long long)(at->end - at->begin));
    if (tensor->bytes > 0) tensor->data = data + at->begin;
    return VX_OK;
}

static vx_status add_metadata(vx_source *source, json_t *texts, vx_error *err)
{
    const char *key;
    char shown[VX_SHOWN];
    json_t *value;
    if (!json_is_object(texts)) return vx_source_bad(source, err, "__metadata__ is not a mapping");
    json_object_foreach(texts, key, value)
    {
        if (!json_is_string(value))
            return vx_source_bad(source, err, "__metadata__ holds \"%s\", which is not text",
                                 vx_source_shown(shown, key, strlen(key)));
        VX_TRY(vx_source_add_text(source, key, json_string_value(value), json_string_length(value),
                                  err));
    }
    return VX_OK;
}

/* Every byte of the data belongs to exactly one tensor. */
static vx_status check_extents(const vx_source *source, vx_extent *extents, uint64_t data_bytes,
                               vx_error *err)
{
    vx_extents_sort(extents, source->count);
    uint64_t at = 0;
    for (int64_t i = 0; i < source->count; i++) {
        if (extents[i].begin != at)
            return vx_source_bad(source, err, "its tensors %s at byte %llu of the data",
                                 extents[i].begin < at ? "overlap" : "leave a hole",
                                 (unsigned long long)at);
        at = extents[i].end;
    }
    if (at != data_bytes)
        return vx_source_bad(source, err, "its tensors take %llu bytes but %llu follow the header",
                             (unsigned long long)at, (unsigned long long)data_bytes);
    return VX_OK;
}

static vx_status walk_header(vx_source *source, json_t *header, const unsigned char *data,
                             uint64_t data_bytes, vx_extent *extents, vx_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            VX_TRY(add_metadata(source, value, err));
        else
            VX_TRY(add_tensor(source, name, value, data, data_bytes, &extents[source->count], err));
    }
    return check_extents(source, extents, data_bytes, err);
}

static vx_status bad_header(const vx_source *source, const char *text, const json_error_t *failure,
                            vx_error *err)
{
    char shown[VX_SHOWN];
    /* jansson does not say which; it stops behind the key's second quote. */
    size_t end = failure->position > 0 ? (size_t)failure->position - 1 : 0, start = end;
    while (start > 0 && text[start - 1] != '"')
        start--;
    if (json_error_code(failure) == json_error_duplicate_key)
        return vx_source_bad(source, err, "it holds tensor \"%s\" twice",
                             vx_source_shown(shown, text + start, end - start));
    return vx_source_bad(source, err, "its header is not a JSON mapping: %s",
                         vx_source_shown(shown, failure->text, strlen(failure->text)));
}

vx_status vx_safetensors_parse(vx_source *source, vx_error *err)
{
    uint64_t length;
    memcpy(&length, source->bytes, sizeof length); /* the opener saw nine bytes */
    uint64_t rest = source->size - sizeof length;
    if (length > HEADER_MAX && source->bytes[0] == '{') return vx_source_not_weights(source, err);
    if (length > HEADER_MAX)
        return vx_source_bad(source, err, "its header claims %llu bytes, at most %d are read",
                             (unsigned long long)length, HEADER_MAX);
    if (length > rest)
        return vx_source_bad(source, err,
                             "its header claims %llu bytes but %llu are there; it is truncated",
                             (unsigned long long)length, (unsigned long long)rest);
    const char *text = (const char *)source->bytes + sizeof length;
    json_error_t failure;
    json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &failure);
    if (header == NULL) return bad_header(source, text, &failure, err);
    vx_status status;
    vx_extent *extents = vx_heap_alloc((json_object_size(header) + 1) * sizeof *extents);
    if (extents == NULL)
        status = vx_source_no_memory(source, err);
    else
        status = walk_header(source, header, (const unsigned char *)text + length, rest - length,
                             extents, err);
    vx_heap_free(extents);
    json_decref(header);
    if (status != VX_OK) return status;
    VX_TRY(vx_source_index(source, err));
    return vx_bnb_fold(source, err);
}
