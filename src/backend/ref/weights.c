/* Weights of the reference: dense f32 rows in the order of the source.
 *
 * Quantised stores are rounded to what they would give back, so that an op on the reference differs
 * from an op on another backend by arithmetic only. NF4 is double-quantised over the whole weight,
 * its rows flattened. */
#include "backend/ref/ref.h"

#include "base/mem.h"
#include "tensor/quant.h"

int64_t vx_ref_row_floats(const vx_weight *w)
{
    if (w->kind == VX_WEIGHT_LSTM) return w->in + w->out / 8;
    return w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
}

/* Elements that share a scale within a row; 1 for plain types, 0 for types that no weight has. */
static int64_t store_block(vx_dtype store)
{
    switch (store) {
    case VX_F32:
    case VX_BF16:
    case VX_F16:
    case VX_INT8_ROW:
        return 1;
    case VX_Q8_0:
    case VX_Q4_0:
        return 32;
    case VX_NF4:
        return VX_NF4_BLOCK;
    default:
        return 0;
    }
}

vx_status vx_ref_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    (void)backend;
    int64_t block = store_block(w->store);
    bool computes = w->compute == VX_F32 || w->compute == VX_BF16 ||
                    (w->compute == VX_U8 && w->store == VX_INT8_ROW);
    if (block == 0 || !computes)
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "weights stored as %s with products in %s are not known; choose f32, bf16, "
                       "f16, int8, q8_0, q4_0 or nf4 with products in f32 or bf16",
                       vx_dtype_name(w->store), vx_dtype_name(w->compute));
    if (vx_ref_row_floats(w) % block != 0)
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "%s needs rows of a multiple of %lld weights, and this one's have %lld; "
                       "choose another precision for it",
                       vx_dtype_name(w->store), (long long)block, (long long)vx_ref_row_floats(w));
    w->bytes = (size_t)w->out * (size_t)vx_ref_row_floats(w) * sizeof(float);
    w->layout = NULL;
    return VX_OK;
}

/* A row through its stored form and back; `stored` has room for 4 n bytes. NF4 has its own pass. */
static void round_row(vx_dtype store, float *row, int64_t n, void *stored)
{
    if (store == VX_INT8_ROW) {
        float scale = vx_int8_encode(row, n, stored);
        for (int64_t i = 0; i < n; i++)
            row[i] = (float)((int8_t *)stored)[i] * scale;
    } else if (store != VX_NF4) {
        vx_encode(store, row, n, stored);
        vx_decode(store, stored, n, row);
    }
}

/* The whole weight through NF4 and back: codes by block, then the scales' own quantisation. */
static vx_status round_nf4(float *data, int64_t n, vx_error *err)
{
    int64_t blocks = n / VX_NF4_BLOCK;
    int64_t groups = (blocks + VX_NF4_NESTED_BLOCK - 1) / VX_NF4_NESTED_BLOCK;
    float *scale = vx_heap_alloc((size_t)(blocks + groups) * sizeof *scale);
    uint8_t *code = vx_heap_alloc((size_t)blocks), packed[VX_NF4_BLOCK / 2];
    if (scale == NULL || code == NULL) {
        vx_heap_free(scale);
        vx_heap_free(code);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the scales of a weight");
    }
    float *nested = scale + blocks;
    for (int64_t b = 0; b < blocks; b++)
        scale[b] = vx_nf4_encode(data + b * VX_NF4_BLOCK, VX_NF4_BLOCK, packed);
    float offset = vx_nf4_scales_encode(scale, blocks, code, nested);
    for (int64_t b = 0; b < blocks; b++) {
        float *block = data + b * VX_NF4_BLOCK;
        vx_nf4_encode(block, VX_NF4_BLOCK, packed);
        vx_nf4_decode(packed, vx_nf4_scale_decode(code[b], nested[b / VX_NF4_NESTED_BLOCK], offset),
                      VX_NF4_BLOCK, block);
    }
    vx_heap_free(scale);
    vx_heap_free(code);
    return VX_OK;
}

vx_status vx_ref_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err)
{
    (void)lane;
    int64_t floats = vx_ref_row_floats(w);
    int64_t chunk = (int64_t)staging_floats / floats;
    assert(chunk > 0);
    for (int64_t first = 0; first < w->out; first += chunk) {
        int64_t count = w->out - first < chunk ? w->out - first : chunk;
        VX_TRY(fetch(arg, first, count, staging, err));
        for (int64_t r = 0; r < count; r++) {
            /* The row's own place holds the stored form for a moment. */
            float *place = (float *)vx_host(w->data) + (first + r) * floats;
            round_row(w->store, staging + r * floats, floats, place);
            memcpy(place, staging + r * floats, (size_t)floats * sizeof *place);
        }
    }
    return w->store == VX_NF4 ? round_nf4(vx_host(w->data), w->out * floats, err) : VX_OK;
}
