/* Key-value metadata: typed access to what a parser indexed. */
#include <assert.h>
#include <string.h>

#include "formats/source_impl.h"

vx_status vx_source_add_text(vx_source *source, const char *key, const char *text, size_t bytes,
                             vx_error *err)
{
    vx_source_meta *meta;
    VX_TRY(vx_source_add_meta(source, key, strlen(key), &meta, err));
    vx_meta_values *values = vx_source_keep(source, sizeof *values);
    unsigned char *copy = vx_source_keep(source, bytes + 1);
    if (values == NULL || copy == NULL) return vx_source_no_memory(source, err);
    memcpy(copy, text, bytes);
    *values = (vx_meta_values){.at = copy, .type = VX_META_TYPE_TEXT, .length = bytes};
    meta->kind = VX_META_TEXT;
    meta->count = 1;
    meta->private = values;
    return VX_OK;
}

int64_t vx_source_meta_count(const vx_source *source)
{
    return source->meta_count;
}

const vx_source_meta *vx_source_meta_at(const vx_source *source, int64_t index)
{
    assert(index >= 0);
    assert(index < source->meta_count);
    return &source->metas[index];
}

const vx_source_meta *vx_source_meta_find(const vx_source *source, const char *key)
{
    for (int64_t i = 0; i < source->meta_count; i++)
        if (strcmp(source->metas[i].key, key) == 0) return &source->metas[i];
    return NULL;
}

size_t vx_meta_type_bytes(int type)
{
    static const size_t bytes[] = {
        [VX_META_TYPE_U8] = 1,    [VX_META_TYPE_I8] = 1,   [VX_META_TYPE_U16] = 2,
        [VX_META_TYPE_I16] = 2,   [VX_META_TYPE_U32] = 4,  [VX_META_TYPE_I32] = 4,
        [VX_META_TYPE_F32] = 4,   [VX_META_TYPE_BOOL] = 1, [VX_META_TYPE_TEXT] = 0,
        [VX_META_TYPE_ARRAY] = 0, [VX_META_TYPE_U64] = 8,  [VX_META_TYPE_I64] = 8,
        [VX_META_TYPE_F64] = 8,
    };
    return type >= 0 && type < (int)(sizeof bytes / sizeof *bytes) ? bytes[type] : 0;
}

/* The number at `index` as both kinds. */
static void load_number(const vx_source_meta *meta, int64_t index, int64_t *whole, double *real)
{
    assert(index >= 0);
    assert(index < meta->count);
    const vx_meta_values *values = meta->private;
    size_t bytes = vx_meta_type_bytes(values->type);
    assert(bytes > 0);
    const unsigned char *at = values->at + (size_t)index * bytes;
    uint64_t raw = 0;
    memcpy(&raw, at, bytes);
    *whole = 0;
    float single;
    switch (values->type) {
    case VX_META_TYPE_F32:
        memcpy(&single, at, sizeof single);
        *real = (double)single;
        return;
    case VX_META_TYPE_F64:
        memcpy(real, at, sizeof *real);
        return;
    case VX_META_TYPE_BOOL:
        *whole = raw != 0;
        break;
    case VX_META_TYPE_I8:
        *whole = (int64_t)(raw ^ 0x80) - 0x80; /* sign bit to weight -128 */
        break;
    case VX_META_TYPE_I16:
        *whole = (int16_t)raw;
        break;
    case VX_META_TYPE_I32:
        *whole = (int32_t)raw;
        break;
    case VX_META_TYPE_I64:
        *whole = (int64_t)raw;
        break;
    default:
        *whole = raw > INT64_MAX ? INT64_MAX : (int64_t)raw;
        break;
    }
    *real = (double)*whole;
}

int64_t vx_meta_int(const vx_source_meta *meta, int64_t index)
{
    assert(meta->kind == VX_META_INT || meta->kind == VX_META_BOOL);
    int64_t whole;
    double real;
    load_number(meta, index, &whole, &real);
    return whole;
}

double vx_meta_float(const vx_source_meta *meta, int64_t index)
{
    assert(meta->kind != VX_META_TEXT);
    int64_t whole;
    double real;
    load_number(meta, index, &whole, &real);
    return real;
}

const char *vx_meta_text(const vx_source_meta *meta, int64_t index, size_t *bytes)
{
    assert(meta->kind == VX_META_TEXT);
    assert(index >= 0);
    assert(index < meta->count);
    const vx_meta_values *values = meta->private;
    if (values->starts == NULL) {
        *bytes = values->length;
        return (const char *)values->at;
    }
    const unsigned char *at = values->at + values->starts[index];
    *bytes = (size_t)(values->starts[index + 1] - values->starts[index] - sizeof(uint64_t));
    return (const char *)at + sizeof(uint64_t);
}
