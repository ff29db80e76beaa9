/* Weights: rows of the source's order, each [taps][channels], which every engine reads.
 *
 * Plain types and int8 have their channels padded with zeroes to a multiple of 8, so that 16 bytes
 * of 16-bit values can be read at once. Blocks of files stay as they are. Behind the rows lie
 *   int8   f32 [rows], the scales
 *   nf4    u8 [blocks], codes of the scales; f32 [groups][2], what a group multiplies its codes by
 *          and what is added; f32 [256], what codes stand for
 * A transposed filter has stride * out rows of two taps: row phase * out + o sees the input before
 * with tap phase + stride and its own with tap phase. An LSTM has the rows of its inputs' weights,
 * then those of its state's. */
#include "backend/vulkan/weight.h"

#include <string.h>

#include "base/mem.h"
#include "tensor/quant.h"

static size_t aligned(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static int64_t padded(int64_t channels)
{
    return (channels + 7) / 8 * 8;
}

static bool in_blocks(vx_dtype store)
{
    return store == VX_Q8_0 || store == VX_Q4_0 || store == VX_NF4;
}

/* Bytes of so many values of a row. */
static size_t stored_bytes(vx_dtype store, int64_t count)
{
    if (store == VX_NF4) return (size_t)count / 2;
    if (store == VX_INT8_ROW) return (size_t)count;
    return vx_row_bytes(store, count);
}

vx_vk_layout vx_vk_layout_of(const vx_weight *w)
{
    vx_vk_layout l = {.rows = w->out,
                      .taps = w->kernel[0] * w->kernel[1] * w->kernel[2],
                      .in = w->in,
                      .pad = in_blocks(w->store) ? w->in : padded(w->in)};
    if (w->kind == VX_WEIGHT_CONV_TRANSPOSE) {
        l.rows = w->stride[2] * w->out;
        l.taps = 2;
    }
    l.row_bytes = stored_bytes(w->store, l.taps * l.pad);
    l.bytes = aligned((size_t)l.rows * l.row_bytes);
    if (w->store == VX_INT8_ROW) {
        l.scales = l.bytes;
        l.bytes += aligned((size_t)l.rows * sizeof(float));
    }
    if (w->store == VX_NF4) {
        int64_t blocks = l.rows * l.in / VX_NF4_BLOCK;
        l.groups = (blocks + VX_NF4_NESTED_BLOCK - 1) / VX_NF4_NESTED_BLOCK;
        l.scales = l.bytes;
        l.nested = l.scales + aligned((size_t)blocks);
        l.map = l.nested + aligned((size_t)l.groups * 2 * sizeof(float));
        l.bytes = l.map + 256 * sizeof(float);
    }
    if (w->kind == VX_WEIGHT_LSTM) {
        l.state = l.bytes;
        l.state_pad = padded(w->out / 8);
        l.bytes += aligned((size_t)l.rows * stored_bytes(w->store, l.state_pad));
    }
    return l;
}

static bool supported(const vx_weight *w)
{
    /* Products of bytes are taken in f32, from the codes' values. */
    if (w->compute == VX_U8) return w->kind == VX_WEIGHT_CONV && w->store == VX_INT8_ROW;
    if (w->compute != VX_F32) return false;
    if (w->store == VX_F32 || w->store == VX_BF16 || w->store == VX_F16) return true;
    if (w->store == VX_INT8_ROW) return w->kind == VX_WEIGHT_LINEAR || w->kind == VX_WEIGHT_CONV;
    return w->kind == VX_WEIGHT_LINEAR && in_blocks(w->store) &&
           w->in % (w->store == VX_NF4 ? VX_NF4_BLOCK : 32) == 0;
}

vx_status vx_vk_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    if (!supported(w))
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "%s has no kernel for this kind of weight with rows of %lld stored as %s "
                       "and products in %s; choose another precision for this component",
                       backend->device.title, (long long)w->in, vx_dtype_name(w->store),
                       vx_dtype_name(w->compute));
    w->bytes = vx_vk_layout_of(w).bytes;
    return VX_OK;
}

/* ---- packing ---- */

typedef struct packing {
    vx_lane *lane;
    const vx_weight *w;
    vx_vk_layout l;
    int64_t floats; /* of a source row */
    float *row;     /* one of the layout's rows, in order */
    float *scale;   /* of each row or block */
    int8_t *codes;  /* of one source row */
    uint64_t at;
    vx_error *err;
} packing;

static void encode(vx_dtype store, const float *src, int64_t count, void *dst)
{
    if (store == VX_F32)
        memcpy(dst, src, (size_t)count * sizeof *src);
    else
        vx_encode(store, src, count, dst);
}

/* Values of p->row to a place behind the weight's beginning. */
static vx_status put_values(packing *p, size_t offset, int64_t count)
{
    size_t bytes = stored_bytes(p->w->store, count);
    void *stage;
    VX_TRY(vx_vk_stage(p->lane, bytes, &stage, p->err));
    encode(p->w->store, p->row, count, stage);
    return vx_vk_staged(p->lane, (vx_dev){p->at + offset}, bytes, p->err);
}

/* [in][taps] to [taps][pad]; the padding of p->row is zero and stays so. */
static vx_status put_row(packing *p, int64_t index, const float *row)
{
    const vx_vk_layout *l = &p->l;
    for (int64_t i = 0; i < l->in; i++)
        for (int64_t t = 0; t < l->taps; t++)
            p->row[t * l->pad + i] = row[i * l->taps + t];
    return put_values(p, (size_t)index * l->row_bytes, l->taps * l->pad);
}

static vx_status put_int8(packing *p, int64_t index, const float *row)
{
    const vx_vk_layout *l = &p->l;
    void *stage;
    p->scale[index] = vx_int8_encode(row, p->floats, p->codes);
    VX_TRY(vx_vk_stage(p->lane, l->row_bytes, &stage, p->err));
    memset(stage, 0, l->row_bytes);
    for (int64_t i = 0; i < l->in; i++)
        for (int64_t t = 0; t < l->taps; t++)
            ((int8_t *)stage)[t * l->pad + i] = p->codes[i * l->taps + t];
    return vx_vk_staged(p->lane, (vx_dev){p->at + (uint64_t)index * l->row_bytes}, l->row_bytes,
                        p->err);
}

static vx_status put_nf4(packing *p, int64_t index, const float *row)
{
    const vx_vk_layout *l = &p->l;
    int64_t blocks = l->in / VX_NF4_BLOCK;
    void *stage;
    VX_TRY(vx_vk_stage(p->lane, l->row_bytes, &stage, p->err));
    for (int64_t b = 0; b < blocks; b++)
        p->scale[index * blocks + b] =
            vx_nf4_encode(row + b * VX_NF4_BLOCK, VX_NF4_BLOCK,
                          (uint8_t *)stage + (size_t)b * (VX_NF4_BLOCK / 2));
    return vx_vk_staged(p->lane, (vx_dev){p->at + (uint64_t)index * l->row_bytes}, l->row_bytes,
                        p->err);
}

static vx_status put_transposed(packing *p, int64_t index, const float *row)
{
    const vx_vk_layout *l = &p->l;
    int64_t stride = p->w->stride[2];
    for (int64_t phase = 0; phase < stride; phase++) {
        for (int64_t i = 0; i < l->in; i++) {
            p->row[i] = row[i * 2 * stride + phase + stride];
            p->row[l->pad + i] = row[i * 2 * stride + phase];
        }
        VX_TRY(put_values(p, (size_t)(phase * p->w->out + index) * l->row_bytes, 2 * l->pad));
    }
    return VX_OK;
}

static vx_status put_gate(packing *p, int64_t index, const float *row)
{
    const vx_vk_layout *l = &p->l;
    int64_t hidden = p->w->out / 8;
    VX_TRY(put_row(p, index, row));
    memset(p->row, 0, (size_t)l->state_pad * sizeof *p->row);
    memcpy(p->row, row + l->in, (size_t)hidden * sizeof *p->row);
    VX_TRY(put_values(p, l->state + (size_t)index * stored_bytes(p->w->store, l->state_pad),
                      l->state_pad));
    memset(p->row, 0, (size_t)(l->pad > l->state_pad ? l->pad : l->state_pad) * sizeof *p->row);
    return VX_OK;
}

static vx_status put(packing *p, int64_t index, const float *row)
{
    if (p->w->kind == VX_WEIGHT_CONV_TRANSPOSE) return put_transposed(p, index, row);
    if (p->w->kind == VX_WEIGHT_LSTM) return put_gate(p, index, row);
    if (p->w->store == VX_INT8_ROW) return put_int8(p, index, row);
    return p->w->store == VX_NF4 ? put_nf4(p, index, row) : put_row(p, index, row);
}

/* The scales of all blocks in 8 bits, one mean for the whole weight. */
static vx_status put_nested(packing *p, int64_t blocks)
{
    const vx_vk_layout *l = &p->l;
    uint8_t *code = vx_heap_alloc((size_t)blocks);
    float *nested = vx_heap_alloc((size_t)l->groups * 3 * sizeof *nested), *pair;
    if (code == NULL || nested == NULL) {
        vx_heap_free(code);
        vx_heap_free(nested);
        return vx_fail(p->err, VX_ERR_MEMORY, "no_memory", "no memory for the scales of a weight");
    }
    float offset = vx_nf4_scales_encode(p->scale, blocks, code, nested);
    pair = nested + l->groups;
    for (int64_t g = 0; g < l->groups; g++) {
        pair[2 * g] = nested[g];
        pair[2 * g + 1] = offset;
    }
    vx_status status =
        vx_vk_write(p->lane, (vx_dev){p->at + l->scales}, code, (size_t)blocks, p->err);
    if (status == VX_OK)
        status = vx_vk_write(p->lane, (vx_dev){p->at + l->nested}, pair,
                             (size_t)l->groups * 2 * sizeof *pair, p->err);
    vx_heap_free(code);
    vx_heap_free(nested);
    return status;
}

static vx_status put_scales(packing *p)
{
    const vx_vk_layout *l = &p->l;
    if (p->w->store == VX_INT8_ROW)
        return vx_vk_write(p->lane, (vx_dev){p->at + l->scales}, p->scale,
                           (size_t)l->rows * sizeof(float), p->err);
    if (p->w->store != VX_NF4) return VX_OK;
    VX_TRY(put_nested(p, l->rows * l->in / VX_NF4_BLOCK));
    return vx_vk_write(p->lane, (vx_dev){p->at + l->map}, vx_nf4_scale_map, 256 * sizeof(float),
                       p->err);
}

static vx_status pack(packing *p, vx_fetch_fn fetch, void *arg, float *staging, int64_t step)
{
    for (int64_t first = 0; first < p->w->out; first += step) {
        int64_t count = p->w->out - first < step ? p->w->out - first : step;
        VX_TRY(fetch(arg, first, count, staging, p->err));
        for (int64_t i = 0; i < count; i++)
            VX_TRY(put(p, first + i, staging + i * p->floats));
    }
    return put_scales(p);
}

vx_status vx_vk_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                            float *staging, size_t staging_floats, vx_error *err)
{
    packing p = {.lane = lane, .w = w, .l = vx_vk_layout_of(w), .at = w->data.at, .err = err};
    const vx_vk_layout *l = &p.l;
    p.floats = w->kind == VX_WEIGHT_LSTM ? w->in + w->out / 8
                                         : w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    int64_t longest = l->taps * l->pad > l->state_pad ? l->taps * l->pad : l->state_pad;
    int64_t scales = w->store == VX_NF4        ? l->rows * l->in / VX_NF4_BLOCK
                     : w->store == VX_INT8_ROW ? l->rows
                                               : 0;
    assert(l->bytes == w->bytes && (int64_t)staging_floats >= p.floats);
    p.row = vx_heap_alloc((size_t)(longest + scales) * sizeof *p.row);
    p.codes = vx_heap_alloc((size_t)p.floats);
    p.scale = p.row != NULL ? p.row + longest : NULL;
    vx_status status = p.row != NULL && p.codes != NULL
                           ? pack(&p, fetch, arg, staging, (int64_t)staging_floats / p.floats)
                           : vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to pack weights");
    vx_heap_free(p.row);
    vx_heap_free(p.codes);
    return status;
}

/* ---- rows as files keep them ---- */

static bool fits(const vx_weight *w, const vx_vk_layout *l, const vx_stored_rows *parts, int count)
{
    if (w->kind != VX_WEIGHT_LINEAR || !in_blocks(w->store)) return false;
    int64_t blocks = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].dtype != w->store || parts[i].cols != l->in) return false;
        /* Groups of scales do not span parts, and all codes stand for the same. */
        if (blocks % VX_NF4_NESTED_BLOCK != 0) return false;
        if (w->store == VX_NF4) {
            blocks += parts[i].rows * l->in / VX_NF4_BLOCK;
            if (memcmp(parts[i].map, parts[0].map, 256 * sizeof(float)) != 0) return false;
        }
    }
    return true;
}

static vx_status take_nested(vx_lane *lane, vx_dev at, const vx_stored_rows *part, int64_t groups,
                             vx_error *err)
{
    void *stage;
    for (int64_t g = 0; g < groups; g += VX_VK_STAGE / 8) {
        int64_t n = groups - g < VX_VK_STAGE / 8 ? groups - g : VX_VK_STAGE / 8;
        VX_TRY(vx_vk_stage(lane, (size_t)n * 8, &stage, err));
        for (int64_t i = 0; i < n; i++) {
            memcpy((char *)stage + i * 8, part->nested + (g + i) * 4, 4);
            memcpy((char *)stage + i * 8 + 4, &part->offset, 4);
        }
        VX_TRY(vx_vk_staged(lane, vx_dev_plus(at, g * 8), (size_t)n * 8, err));
    }
    return VX_OK;
}

vx_status vx_vk_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts,
                                   int count, bool *taken, vx_error *err)
{
    vx_vk_layout l = vx_vk_layout_of(w);
    int64_t row = 0, blocks = 0;
    *taken = fits(w, &l, parts, count);
    for (int i = 0; i < count && *taken; i++) {
        const vx_stored_rows *part = &parts[i];
        VX_TRY(vx_vk_write(lane, vx_dev_plus(w->data, row * (int64_t)l.row_bytes), part->codes,
                           (size_t)part->rows * l.row_bytes, err));
        row += part->rows;
        if (w->store != VX_NF4) continue;
        int64_t own = part->rows * l.in / VX_NF4_BLOCK;
        VX_TRY(vx_vk_write(lane, vx_dev_plus(w->data, (int64_t)l.scales + blocks), part->scales,
                           (size_t)own, err));
        VX_TRY(take_nested(
            lane, vx_dev_plus(w->data, (int64_t)l.nested + blocks / VX_NF4_NESTED_BLOCK * 8), part,
            (own + VX_NF4_NESTED_BLOCK - 1) / VX_NF4_NESTED_BLOCK, err));
        blocks += own;
    }
    if (*taken && w->store == VX_NF4)
        VX_TRY(vx_vk_write(lane, vx_dev_plus(w->data, (int64_t)l.map), parts[0].map,
                           256 * sizeof(float), err));
    return VX_OK;
}
