/* bitsandbytes' quantised weights inside safetensors: a weight P whose scales lie in tensors beside
 * it becomes one tensor with its logical shape, and the tensors beside it are hidden.
 *
 *     NF4    P                       packed codes of the flattened weight, high nibble first
 *            P.absmax                a scale per block, or its 8-bit code (double quantisation)
 *            P.nested_absmax, P.nested_quant_map    with double quantisation
 *            P.quant_map             the 16 values; the NF4 table is fixed, so it is not read
 *            P.quant_state.bitsandbytes__nf4        JSON: shape, blocksize, dtype, nested_…
 *     int8   M.weight i8 [out, in], M.SCB f32 [out] (the row's largest magnitude), M.weight_format
 *
 * Values come out as bitsandbytes' own kernels give them: an f32 product, rounded to the dtype that
 * the file records. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/source_impl.h"
#include "tensor/quant.h"

enum { STATE_BYTES_MAX = 1 << 16, BLOCK_MAX = 1 << 16 };

typedef struct nf4_private {
    vx_source_reader reader;
    vx_dtype rounding; /* the dtype that the weight had */
    int64_t block;
    vx_dtype scale_dtype; /* of absmax; VX_U8 with double quantisation */
    const unsigned char *scales;
    const unsigned char *nested; /* f32 each; NULL without double quantisation */
    const unsigned char *map;    /* f32 [256] */
    int64_t nested_block;
    float offset;
} nf4_private;

typedef struct int8_private {
    vx_source_reader reader;
    const unsigned char *absmax; /* f32 [out] */
} int8_private;

static float load_f32(const unsigned char *array, int64_t index)
{
    float value;
    memcpy(&value, array + (size_t)index * sizeof value, sizeof value);
    return value;
}

static float scale_of(const nf4_private *p, int64_t block)
{
    if (p->nested != NULL)
        return load_f32(p->map, p->scales[block]) * load_f32(p->nested, block / p->nested_block) +
               p->offset;
    float value;
    vx_decode(p->scale_dtype, p->scales + (size_t)block * vx_dtype_bytes(p->scale_dtype), 1,
              &value);
    return value;
}

static void round_to(vx_dtype dtype, float *values, int64_t count)
{
    if (dtype == VX_BF16)
        for (int64_t i = 0; i < count; i++)
            values[i] = vx_bf16_to_f32(vx_f32_to_bf16(values[i]));
    else if (dtype == VX_F16)
        for (int64_t i = 0; i < count; i++)
            values[i] = vx_f16_to_f32(vx_f32_to_f16(values[i]));
}

static vx_status read_nf4(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                          int64_t count, float *dst, vx_error *err)
{
    (void)source;
    (void)err;
    const nf4_private *p = tensor->private;
    const unsigned char *codes = tensor->data;
    int64_t end = first + count;
    for (int64_t i = first; i < end;) {
        float scale = scale_of(p, i / p->block);
        int64_t stop = (i / p->block + 1) * p->block;
        if (stop > end) stop = end;
        if (i % 2 != 0) { /* the decoder starts at a whole byte */
            *dst++ = vx_nf4_code[codes[i / 2] & 15] * scale;
            i++;
        }
        if (i < stop) vx_nf4_decode(codes + i / 2, scale, stop - i, dst);
        dst += stop - i;
        i = stop;
    }
    round_to(p->rounding, dst - count, count);
    return VX_OK;
}

static bool stored_nf4(const vx_source_tensor *tensor, int64_t first, vx_stored_rows *out)
{
    const nf4_private *p = tensor->private;
    int64_t blocks = first * (out->cols / VX_NF4_BLOCK);
    if (p->block != VX_NF4_BLOCK || out->cols % VX_NF4_BLOCK != 0 || p->nested == NULL ||
        p->nested_block != VX_NF4_NESTED_BLOCK || blocks % VX_NF4_NESTED_BLOCK != 0)
        return false;
    out->codes = (const uint8_t *)tensor->data + (size_t)(first * out->cols / 2);
    out->scales = p->scales + blocks;
    out->nested = p->nested + (size_t)(blocks / VX_NF4_NESTED_BLOCK) * sizeof(float);
    out->map = p->map;
    out->offset = p->offset;
    return true;
}

static vx_status read_int8(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                           int64_t count, float *dst, vx_error *err)
{
    (void)source;
    (void)err;
    const int8_private *p = tensor->private;
    const int8_t *codes = (const int8_t *)tensor->data;
    int64_t cols = tensor->dim[1];
    for (int64_t i = 0; i < count; i++) /* two products, as bitsandbytes: q absmax, then 1/127 */
        dst[i] = (float)codes[first + i] * load_f32(p->absmax, (first + i) / cols) *
                 7.874015718698502e-3f;
    return VX_OK;
}

/* A weight being folded: the tensors beside it share its name as a prefix. */
typedef struct folding {
    vx_source *source;
    const char *base;
    size_t base_bytes;
    bool *hidden; /* per tensor: describes a weight and is not listed */
    char shown[VX_SHOWN];
    vx_error *err;
} folding;

/* The tensor "BASE SUFFIX", or NULL. */
static vx_source_tensor *beside(const folding *f, const char *suffix)
{
    char name[VX_SOURCE_NAME_MAX + 64];
    snprintf(name, sizeof name, "%.*s%s", (int)f->base_bytes, f->base, suffix);
    return (vx_source_tensor *)vx_source_find(f->source, name);
}

static void hide(const folding *f, const vx_source_tensor *tensor)
{
    if (tensor != NULL) f->hidden[tensor - f->source->tensors] = true;
}

static bool ends_with(const char *name, const char *suffix, size_t *base_bytes)
{
    size_t length = strlen(name), tail = strlen(suffix);
    if (length <= tail || strcmp(name + length - tail, suffix) != 0) return false;
    *base_bytes = length - tail;
    return true;
}

/* What the JSON says of one NF4 weight. */
typedef struct nf4_state {
    int rank;
    int64_t dim[VX_SOURCE_RANK_MAX];
    int64_t block, nested_block;
    vx_dtype rounding;
    double offset;
} nf4_state;

static bool read_state(const json_t *json, nf4_state *state)
{
    const char *type = json_string_value(json_object_get(json, "quant_type"));
    const char *dtype = json_string_value(json_object_get(json, "dtype"));
    const json_t *shape = json_object_get(json, "shape");
    if (type == NULL || strcmp(type, "nf4") != 0 || dtype == NULL) return false;
    if (strcmp(dtype, "bfloat16") == 0)
        state->rounding = VX_BF16;
    else if (strcmp(dtype, "float16") == 0)
        state->rounding = VX_F16;
    else if (strcmp(dtype, "float32") == 0)
        state->rounding = VX_F32;
    else
        return false;
    size_t rank = json_array_size(shape);
    if (rank == 0 || rank > VX_SOURCE_RANK_MAX) return false;
    state->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0) return false;
        state->dim[i] = json_integer_value(size);
    }
    state->block = json_integer_value(json_object_get(json, "blocksize"));
    const json_t *nested = json_object_get(json, "nested_blocksize");
    state->nested_block = nested != NULL ? json_integer_value(nested) : 1;
    state->offset = json_number_value(json_object_get(json, "nested_offset"));
    return state->block > 0 && state->block <= BLOCK_MAX && state->block % 2 == 0 &&
           state->nested_block > 0 && state->nested_block <= BLOCK_MAX;
}

/* Reads the description of `weight` and gives it its logical shape in *folded. */
static vx_status describe_nf4(const folding *f, const vx_source_tensor *description,
                              const vx_source_tensor *weight, nf4_state *state,
                              vx_source_tensor *folded)
{
    json_t *json = NULL;
    if (description->dtype == VX_U8 && description->bytes > 0 &&
        description->bytes <= STATE_BYTES_MAX)
        json = json_loadb(description->data, (size_t)description->bytes, 0, NULL);
    bool good = read_state(json, state);
    json_decref(json);
    good = good && vx_source_shape(folded, VX_NF4, state->rank, state->dim);
    /* The codes may be stored as a wider dtype, which pads them to whole elements. */
    if (!good || weight->bytes < folded->bytes || weight->bytes - folded->bytes >= 8)
        return vx_source_bad(f->source, f->err,
                             "the NF4 description of \"%s\" does not fit its codes", f->shown);
    folded->name = weight->name;
    folded->data = weight->data;
    return VX_OK;
}

/* Finds the scales of `blocks` blocks. */
static vx_status find_scales(const folding *f, int64_t blocks, nf4_private *p)
{
    const vx_source_tensor *scales = beside(f, ".absmax");
    bool good = scales != NULL && scales->elements == blocks;
    if (good && scales->dtype == VX_U8) {
        const vx_source_tensor *nested = beside(f, ".nested_absmax");
        const vx_source_tensor *map = beside(f, ".nested_quant_map");
        int64_t groups = blocks / p->nested_block + (blocks % p->nested_block != 0);
        good = nested != NULL && nested->dtype == VX_F32 && nested->elements == groups &&
               map != NULL && map->dtype == VX_F32 && map->elements == 256;
        if (good) {
            p->nested = nested->data;
            p->map = map->data;
        }
        hide(f, nested);
        hide(f, map);
    } else if (good) {
        good = scales->dtype == VX_F32 || scales->dtype == VX_F16 || scales->dtype == VX_BF16;
    }
    if (!good)
        return vx_source_bad(f->source, f->err,
                             "the scales of the NF4 weight \"%s\" do not fit its shape", f->shown);
    p->scales = scales->data;
    p->scale_dtype = scales->dtype;
    hide(f, scales);
    hide(f, beside(f, ".quant_map"));
    return VX_OK;
}

static vx_status fold_nf4(const folding *f, const vx_source_tensor *description)
{
    vx_source_tensor *weight = beside(f, ""), folded = {0};
    if (weight == NULL)
        return vx_source_bad(f->source, f->err, "\"%s\" is NF4 but its codes are not there",
                             f->shown);
    nf4_state state = {0};
    VX_TRY(describe_nf4(f, description, weight, &state, &folded));
    nf4_private *p = vx_source_keep(f->source, sizeof *p);
    if (p == NULL) return vx_source_no_memory(f->source, f->err);
    *p = (nf4_private){.reader = {.read = read_nf4, .stored_rows = stored_nf4},
                       .rounding = state.rounding,
                       .block = state.block,
                       .nested_block = state.nested_block,
                       .offset = (float)state.offset};
    int64_t blocks = folded.elements / state.block + (folded.elements % state.block != 0);
    VX_TRY(find_scales(f, blocks, p));
    folded.private = p;
    *weight = folded;
    hide(f, description);
    return VX_OK;
}

static vx_status fold_int8(const folding *f, const vx_source_tensor *scales)
{
    vx_source_tensor *weight = beside(f, ".weight");
    if (weight == NULL || weight->dtype != VX_I8) return VX_OK; /* some other tensor of that name */
    const vx_source_tensor *format = beside(f, ".weight_format");
    if (format != NULL && (format->dtype != VX_U8 || format->elements != 1 ||
                           *(const unsigned char *)format->data != 0))
        return vx_source_bad(f->source, f->err,
                             "the int8 weight of \"%s\" is not in row order; save it in that",
                             f->shown);
    if (weight->rank != 2 || scales->dtype != VX_F32 || scales->elements != weight->dim[0])
        return vx_source_bad(f->source, f->err,
                             "the row scales of the int8 weight of \"%s\" do not fit its shape",
                             f->shown);
    int8_private *p = vx_source_keep(f->source, sizeof *p);
    if (p == NULL) return vx_source_no_memory(f->source, f->err);
    *p = (int8_private){.reader = {.read = read_int8}, .absmax = scales->data};
    weight->dtype = VX_INT8_ROW;
    weight->private = p;
    hide(f, scales);
    hide(f, format);
    return VX_OK;
}

static vx_status fold_all(vx_source *source, bool *hidden, vx_error *err)
{
    for (int64_t i = 0; i < source->count; i++) {
        const vx_source_tensor *tensor = &source->tensors[i];
        folding f = {.source = source, .base = tensor->name, .hidden = hidden, .err = err};
        bool fp4 = ends_with(f.base, ".quant_state.bitsandbytes__fp4", &f.base_bytes);
        bool nf4 = !fp4 && ends_with(f.base, ".quant_state.bitsandbytes__nf4", &f.base_bytes);
        bool int8 = !fp4 && !nf4 && ends_with(f.base, ".SCB", &f.base_bytes);
        if (!fp4 && !nf4 && !int8) continue;
        vx_source_shown(f.shown, f.base, f.base_bytes);
        if (fp4)
            return vx_source_bad(source, err,
                                 "\"%s\" is quantised as FP4, which Vortex does not read; use NF4",
                                 f.shown);
        VX_TRY(nf4 ? fold_nf4(&f, tensor) : fold_int8(&f, tensor));
    }
    return VX_OK;
}

vx_status vx_bnb_fold(vx_source *source, vx_error *err)
{
    bool *hidden = vx_heap_alloc((size_t)source->count * sizeof *hidden);
    if (hidden == NULL) return vx_source_no_memory(source, err);
    vx_status status = fold_all(source, hidden, err);
    int64_t listed = 0;
    for (int64_t i = 0; i < source->count; i++)
        if (!hidden[i]) source->tensors[listed++] = source->tensors[i];
    source->count = listed;
    vx_heap_free(hidden);
    return status;
}
