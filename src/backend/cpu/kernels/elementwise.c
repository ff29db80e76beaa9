/* Rows of copy, blend, gate and depthwise_up2: one compilation per level, see elementwise.h. */
#include "backend/cpu/elementwise.h"
#include "backend/cpu/kernels/each_vector.inc"
#include "backend/cpu/kernels/lanes.h"

static inline void convert_at(const void *src, vx_dtype from, void *dst, vx_dtype to, int64_t i,
                              int lanes)
{
    if (from != VX_F16)
        vf_put_lanes(dst, to, i, vf_get_lanes(src, from, i, lanes), lanes);
    else if (lanes == VF_LANES)
        vf_put_lanes(dst, to, i, vf_load_f16((const uint16_t *)src + i), lanes);
    else
        vf_put_lanes(dst, to, i, vf_loadn_f16((const uint16_t *)src + i, lanes), lanes);
}

void VX_SIMD(vx_cpu_convert_row)(const void *src, vx_dtype from, void *dst, vx_dtype to, int64_t n)
{
    EACH_VECTOR(n, convert_at, src, from, dst, to);
}

static inline void blend_at(const vx_blend_args *a, const void *const x[3], void *out, int64_t i,
                            int lanes)
{
    vf sum = vf_mul(vf_set(a->scale[0]), vf_get_lanes(x[0], a->x[0]->dtype, i, lanes));
    if (a->n > 1)
        sum = vf_fma(vf_set(a->scale[1]), vf_get_lanes(x[1], a->x[1]->dtype, i, lanes), sum);
    if (a->n > 2)
        sum = vf_fma(vf_set(a->scale[2]), vf_get_lanes(x[2], a->x[2]->dtype, i, lanes), sum);
    if (a->slopes) {
        vf slopes = vf_get_lanes(vx_host(a->slopes->data), VX_F32, i, lanes);
        sum = vf_select(vf_less(sum, vf_set(0.0f)), vf_mul(sum, slopes), sum);
    } else {
        sum = vf_act(sum, a->act);
    }
    vf_put_lanes(out, a->out->dtype, i, sum, lanes);
}

void VX_SIMD(vx_cpu_blend_row)(const vx_blend_args *a, const void *const x[3], void *out, int64_t n)
{
    EACH_VECTOR(n, blend_at, a, x, out);
}

static inline void gate_at(const vx_gate_args *a, const void *x, const void *y, void *out,
                           int64_t i, int lanes)
{
    vf gate = vf_act(vf_get_lanes(x, a->x->dtype, i, lanes), a->act);
    vf_put_lanes(out, a->out->dtype, i, vf_mul(gate, vf_get_lanes(y, a->y->dtype, i, lanes)),
                 lanes);
}

void VX_SIMD(vx_cpu_gate_row)(const vx_gate_args *a, const void *x, const void *y, void *out,
                              int64_t n)
{
    EACH_VECTOR(n, gate_at, a, x, y, out);
}

static inline void up2_at(const vx_depthwise_up2_args *a, const float *taps, const void *here,
                          const void *next, void *even, void *odd, int64_t i, int lanes)
{
    int64_t n = vx_cols(a->x);
    vx_dtype from = a->x->dtype, to = a->out->dtype;
    vf x = vf_get_lanes(here, from, i, lanes), bias = vf_get_lanes(taps + 3 * n, VX_F32, i, lanes);
    vf_put_lanes(even, to, i, vf_fma(x, vf_get_lanes(taps + n, VX_F32, i, lanes), bias), lanes);
    vf sum = vf_fma(x, vf_get_lanes(taps + 2 * n, VX_F32, i, lanes), bias);
    if (next)
        sum = vf_fma(vf_get_lanes(next, from, i, lanes), vf_get_lanes(taps, VX_F32, i, lanes), sum);
    vf_put_lanes(odd, to, i, sum, lanes);
}

void VX_SIMD(vx_cpu_up2_row)(const vx_depthwise_up2_args *a, const float *taps, const void *here,
                             const void *next, void *even, void *odd)
{
    EACH_VECTOR(vx_cols(a->x), up2_at, a, taps, here, next, even, odd);
}
