/* A row of layer_norm: one compilation per level, see layer_norm.h. The mean is taken first
 * and the squares of what differs from it second: the row is in the cache, and a row far from
 * zero keeps its digits. */
#include "backend/cpu/layer_norm.h"
#include "backend/cpu/kernels/lanes.h"

/* Partial sums side by side: they hide the latency and shorten the chains of roundings. */
enum { SUMS = 4 };

static inline float fold(const vf part[SUMS])
{
    return vf_sum(vf_add(vf_add(part[0], part[1]), vf_add(part[2], part[3])));
}

static inline const float *data_of(const vx_tensor *v)
{
    return v ? vx_host(v->data) : NULL;
}

typedef struct row_in {
    const void *x, *add; /* add may be NULL */
    void *sum_out;       /* may be NULL */
    float *sum;
} row_in;

/* x + add of one vector, kept in `sum` and sum_out. Lanes beyond the end are zero. */
static inline vf sum_at(const vx_layer_norm_args *a, const row_in *in, int64_t i, int lanes)
{
    vf x = vf_get_lanes(in->x, a->x->dtype, i, lanes);
    if (in->add) x = vf_add(x, vf_get_lanes(in->add, a->add->dtype, i, lanes));
    vf_put_lanes(in->sum, VX_F32, i, x, lanes);
    if (in->sum_out) vf_put_lanes(in->sum_out, a->sum_out->dtype, i, x, lanes);
    return x;
}

static float row_mean(const vx_layer_norm_args *a, int64_t r, float *sum)
{
    row_in in = {.x = vx_row(a->x, r), .sum = sum};
    if (a->add) in.add = vx_row(a->add, r);
    if (a->sum_out) in.sum_out = vx_row(a->sum_out, r);
    int64_t cols = vx_cols(a->x), i = 0;
    vf total[SUMS] = {vf_set(0.0f), vf_set(0.0f), vf_set(0.0f), vf_set(0.0f)};
    for (; i + SUMS * VF_LANES <= cols; i += SUMS * VF_LANES) {
#pragma GCC unroll 4
        for (int k = 0; k < SUMS; k++)
            total[k] = vf_add(total[k], sum_at(a, &in, i + k * VF_LANES, VF_LANES));
    }
    for (; i < cols; i += VF_LANES)
        total[0] = vf_add(total[0], sum_at(a, &in, i, vf_lanes_at(i, cols)));
    return fold(total) / (float)cols;
}

static float row_variance(const float *sum, int64_t cols, float mean)
{
    vf total[SUMS] = {vf_set(0.0f), vf_set(0.0f), vf_set(0.0f), vf_set(0.0f)}, m = vf_set(mean);
    float rest = 0;
    int64_t i = 0;
    for (; i + SUMS * VF_LANES <= cols; i += SUMS * VF_LANES) {
#pragma GCC unroll 4
        for (int k = 0; k < SUMS; k++) {
            vf d = vf_sub(vf_load(sum + i + k * VF_LANES), m);
            total[k] = vf_fma(d, d, total[k]);
        }
    }
    for (; i < cols; i++)
        rest += (sum[i] - mean) * (sum[i] - mean);
    return (fold(total) + rest) / (float)cols;
}

void VX_SIMD(vx_cpu_layer_norm_row)(const vx_layer_norm_args *a, int64_t r, float *sum)
{
    int64_t cols = vx_cols(a->x);
    float mean = row_mean(a, r, sum);
    if (a->rms) mean = 0;
    void *out = vx_row(a->out, r);
    vf m = vf_set(mean), one = vf_set(1.0f);
    vf factor = vf_set(1.0f / sqrtf(row_variance(sum, cols, mean) + a->eps));
    const float *gamma = data_of(a->gamma), *beta = data_of(a->beta);
    const float *scale = data_of(a->scale), *shift = data_of(a->shift);
    for (int64_t i = 0; i < cols; i += VF_LANES) {
        int lanes = vf_lanes_at(i, cols);
        vf y = vf_mul(vf_sub(vf_get_lanes(sum, VX_F32, i, lanes), m), factor);
        if (gamma) y = vf_mul(y, vf_get_lanes(gamma, VX_F32, i, lanes));
        if (beta) y = vf_add(y, vf_get_lanes(beta, VX_F32, i, lanes));
        if (scale) y = vf_mul(y, vf_add(vf_get_lanes(scale, VX_F32, i, lanes), one));
        if (shift) y = vf_add(y, vf_get_lanes(shift, VX_F32, i, lanes));
        vf_put_lanes(out, a->out->dtype, i, y, lanes);
    }
}
