/* The reference backend's table, and what its kernels share. */
#include "backend/ref/ref.h"

#include <math.h>

#include "base/mem.h"

/* ---- elements
 * --------------------------------------------------------------------------------------- */

double vx_ref_get(const vx_tensor *t, int64_t r, int64_t c)
{
    const void *row = vx_row(t, r);
    switch (t->dtype) {
    case VX_F32:
        return ((const float *)row)[c];
    case VX_BF16:
        return vx_bf16_to_f32(((const uint16_t *)row)[c]);
    default:
        assert(t->dtype == VX_F16);
        return vx_f16_to_f32(((const uint16_t *)row)[c]);
    }
}

void vx_ref_set(const vx_tensor *t, int64_t r, int64_t c, double value)
{
    void *row = vx_row(t, r);
    switch (t->dtype) {
    case VX_F32:
        ((float *)row)[c] = (float)value;
        break;
    case VX_BF16:
        ((uint16_t *)row)[c] = vx_f32_to_bf16((float)value);
        break;
    default:
        assert(t->dtype == VX_F16);
        ((uint16_t *)row)[c] = vx_f32_to_f16((float)value);
    }
}

double vx_ref_at(const vx_tensor *v, int64_t c, double absent)
{
    return v ? ((const float *)v->data)[c] : absent;
}

double vx_ref_operand(vx_dtype compute, double value)
{
    return compute == VX_BF16 ? vx_bf16_to_f32(vx_f32_to_bf16((float)value)) : value;
}

void vx_ref_zero_halo(const vx_tensor *t)
{
    for (int64_t h = 1; h <= t->halo; h++) {
        for (int64_t c = 0; c < vx_cols(t); c++) {
            vx_ref_set(t, -h, c, 0);
            vx_ref_set(t, vx_rows(t) + h - 1, c, 0);
        }
    }
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double vx_ref_act(vx_act act, double x)
{
    switch (act.kind) {
    case VX_ACT_NONE:
        return x;
    case VX_ACT_RELU:
        return x < 0 ? 0 : x;
    case VX_ACT_LRELU:
        return x < 0 ? (double)act.slope * x : x;
    case VX_ACT_SILU:
        return x * sigmoid(x);
    case VX_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case VX_ACT_GELU_ERF:
        return 0.5 * x * (1 + erf(x * 0.7071067811865476));
    case VX_ACT_QUICK_GELU:
        return x * sigmoid(1.702 * x);
    case VX_ACT_SIGMOID:
        return sigmoid(x);
    case VX_ACT_TANH:
        return tanh(x);
    }
    assert(!"a known activation");
    return x;
}

/* ---- the backend
 * ------------------------------------------------------------------------------------ */

static vx_status ref_upload(vx_ctx *ctx, const void *host, vx_tensor *out)
{
    (void)ctx;
    size_t row = (size_t)vx_cols(out) * vx_dtype_bytes(out->dtype);
    for (int64_t r = 0; r < vx_rows(out); r++)
        memcpy(vx_row(out, r), (const char *)host + (size_t)r * row, row);
    vx_ref_zero_halo(out);
    return VX_OK;
}

static vx_status ref_download(vx_ctx *ctx, const vx_tensor *x, void *host)
{
    (void)ctx;
    size_t row = (size_t)vx_cols(x) * vx_dtype_bytes(x->dtype);
    for (int64_t r = 0; r < vx_rows(x); r++)
        memcpy((char *)host + (size_t)r * row, vx_row(x, r), row);
    return VX_OK;
}

static void ref_close(vx_backend *backend)
{
    vx_heap_free(backend);
}

static const vx_backend_ops ref_ops = {
    .name = "ref",
    .close = ref_close,
    .weight_plan = vx_ref_weight_plan,
    .weight_pack = vx_ref_weight_pack,
    .upload = ref_upload,
    .download = ref_download,
#define VX_REF_LINE(op) .op = vx_ref_##op,
    VX_OPS(VX_REF_LINE)
#undef VX_REF_LINE
        .attention_scratch = vx_ref_attention_scratch,
    .lstm_scratch = vx_ref_lstm_scratch,
    .layer_norm_scratch = vx_ref_layer_norm_scratch,
    .harmonic_source_scratch = vx_ref_harmonic_source_scratch,
};

vx_status vx_backend_open_ref(vx_backend **out, vx_error *err)
{
    *out = NULL;
    vx_backend *backend = vx_heap_alloc(sizeof *backend);
    if (backend == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the reference backend");
    /* Rates of no machine: a roofline of the oracle means nothing. */
    *backend = (vx_backend){.ops = &ref_ops,
                            .device = {.name = "ref",
                                       .title = "reference in plain C",
                                       .flops_per_s_f32 = 1e9,
                                       .bytes_per_s = 1e9,
                                       .efficiency = 1},
                            .workers = 1,
                            .native = VX_F32};
    *out = backend;
    return VX_OK;
}
