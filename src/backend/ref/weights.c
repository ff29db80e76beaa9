/* Weights of the reference: dense f32 rows in the order of the source.
 *
 * Quantised stores are rounded to what they would give back, so that an op on the reference differs
 * from an op on another backend by arithmetic only. */
#include "backend/ref/ref.h"

#include <math.h>

int64_t vx_ref_row_floats(const vx_weight *w)
{
    if (w->kind == VX_WEIGHT_LSTM) return w->in + w->out / 8;
    return w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
}

vx_status vx_ref_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    (void)backend;
    switch (w->store) {
    case VX_F32:
    case VX_BF16:
    case VX_F16:
    case VX_INT8_ROW:
        break;
    default:
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "the reference backend does not store weights as %s; choose f32, bf16, f16 "
                       "or int8",
                       vx_dtype_name(w->store));
    }
    if (w->compute != VX_F32 && w->compute != VX_BF16 &&
        !(w->compute == VX_U8 && w->store == VX_INT8_ROW))
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "the reference backend does not compute in %s with weights in %s; choose "
                       "f32 or bf16",
                       vx_dtype_name(w->compute), vx_dtype_name(w->store));
    w->bytes = (size_t)w->out * (size_t)vx_ref_row_floats(w) * sizeof(float);
    w->layout = NULL;
    return VX_OK;
}

static void round_int8(float *row, int64_t n)
{
    float largest = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmaxf(largest, fabsf(row[i]));
    float scale = largest / 127;
    for (int64_t i = 0; i < n && scale > 0; i++)
        row[i] = rintf(row[i] / scale) * scale;
}

static void round_row(vx_dtype store, float *row, int64_t n)
{
    if (store == VX_INT8_ROW) round_int8(row, n);
    for (int64_t i = 0; i < n; i++) {
        if (store == VX_BF16) row[i] = vx_bf16_to_f32(vx_f32_to_bf16(row[i]));
        if (store == VX_F16) row[i] = vx_f16_to_f32(vx_f32_to_f16(row[i]));
    }
}

vx_status vx_ref_weight_pack(vx_backend *backend, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err)
{
    (void)backend;
    int64_t floats = vx_ref_row_floats(w);
    int64_t chunk = (int64_t)staging_floats / floats;
    assert(chunk > 0);
    for (int64_t first = 0; first < w->out; first += chunk) {
        int64_t count = w->out - first < chunk ? w->out - first : chunk;
        VX_TRY(fetch(arg, first, count, staging, err));
        for (int64_t r = 0; r < count; r++)
            round_row(w->store, staging + r * floats, floats);
        memcpy((float *)w->data + first * floats, staging,
               (size_t)(count * floats) * sizeof *staging);
    }
    return VX_OK;
}
