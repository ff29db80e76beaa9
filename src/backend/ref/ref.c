/* The reference backend's table, and what its kernels share. */
#include "backend/ref/ref.h"

#include <math.h>

#include "base/mem.h"
#include "base/reserve.h"

/* ---- elements ---- */

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
    return v ? ((const float *)vx_host(v->data))[c] : absent;
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

/* ---- the backend ---- */

static void ref_close(vx_backend *backend)
{
    vx_heap_free(backend);
}

#define VX_REF_RUN(op)                                                                             \
    static vx_status run_##op(vx_ctx *ctx, const void *args, vx_dev scratch)                       \
    {                                                                                              \
        return vx_ref_##op(ctx, args, vx_host(scratch));                                           \
    }
#define VX_REF_NEED(op)                                                                            \
    static size_t scratch_##op(vx_backend *backend, const void *args)                              \
    {                                                                                              \
        return vx_ref_##op##_scratch(backend, args);                                               \
    }
VX_OPS(VX_REF_RUN)
VX_REF_SCRATCH(VX_REF_NEED)

static const vx_backend_ops ref_ops = {.name = "ref",
                                       .close = ref_close,
                                       VX_HOST_VERBS,
                                       .weight_plan = vx_ref_weight_plan,
                                       .weight_pack = vx_ref_weight_pack,
#define VX_REF_LINE(name)      .op[VX_OP_##name].run = run_##name,
#define VX_REF_NEED_LINE(name) .op[VX_OP_##name].scratch = scratch_##name,
                                       VX_OPS(VX_REF_LINE) VX_REF_SCRATCH(VX_REF_NEED_LINE)};

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
                                       .efficiency = 1,
                                       .alignment = VX_ALIGN,
                                       .allocation_max = SIZE_MAX},
                            .workers = 1,
                            .half = VX_BF16,
                            .native = VX_F32};
    *out = backend;
    return VX_OK;
}
