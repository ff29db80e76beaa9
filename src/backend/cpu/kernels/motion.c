/* Pieces of motion_input, motion_field and warp: one compilation per level, see motion.h. */
#include "backend/cpu/motion.h"
#include "backend/cpu/kernels/lanes.h"

VF_INLINE void weighted(const void *const x[8], const float weight[8], int n, vx_dtype from,
                        void *out, vx_dtype to, int64_t cols)
{
    for (int64_t i = 0; i < cols; i += VF_LANES) {
        int lanes = vf_lanes_at(i, cols);
        vf sum = vf_set(0.0f);
        for (int k = 0; k < n; k++)
            sum = vf_fma(vf_get_lanes(x[k], from, i, lanes), vf_set(weight[k]), sum);
        vf_put_lanes(out, to, i, sum, lanes);
    }
}

void VX_SIMD(vx_cpu_weighted_rows)(const void *const x[8], const float weight[8], int n,
                                   vx_dtype from, void *out, vx_dtype to, int64_t cols)
{
    if (n == 8 && from == VX_BF16 && to == VX_BF16)
        weighted(x, weight, 8, VX_BF16, out, VX_BF16, cols);
    else if (n == 8 && from == VX_F32 && to == VX_BF16)
        weighted(x, weight, 8, VX_F32, out, VX_BF16, cols);
    else
        weighted(x, weight, n, from, out, to, cols);
}

/* ---- motion_input --------------------------------------------------------------------------- */

/* Along x: value[i*step + 1 + f] from two neighbours of the combined line. */
VF_INLINE void along_x(const vx_motion_axis *x, int64_t width, int64_t features, const float *line,
                       float *value, int64_t step)
{
    for (int64_t i = 0; i < width; i++) {
        const float *low = line + x->cell[i] * features, *high = low + x->next * features;
        float *out = value + i * step + 1;
        for (int64_t f = 0; f < features; f++)
            out[f] = x->low[i] * low[f] + x->high[i] * high[f];
    }
}

void VX_SIMD(vx_cpu_motion_line)(const vx_tensor *feature, const vx_motion_axis axis[3], bool heat,
                                 int64_t z, int64_t y, float *line, float *value, int64_t step)
{
    const vx_motion_axis *ax = &axis[0], *ay = &axis[1], *az = &axis[2];
    int64_t width = feature->dim[2], height = feature->dim[1], features = vx_cols(feature);
    const void *from[8];
    float weight[8];
    int n = 0;
    for (int corner = 0; corner < 4; corner++) {
        float wz = corner & 2 ? az->high[z] : az->low[z],
              wy = corner & 1 ? ay->high[y] : ay->low[y];
        if (wz * wy == 0) continue;
        int64_t cz = az->cell[z] + (corner & 2 ? az->next : 0);
        int64_t cy = ay->cell[y] + (corner & 1 ? ay->next : 0);
        from[n] = vx_row(feature, (cz * height + cy) * width);
        weight[n++] = wz * wy;
    }
    weighted(from, weight, n, feature->dtype, line, VX_F32, width * features);
    if (features == 4)
        along_x(ax, width, 4, line, value, step);
    else
        along_x(ax, width, features, line, value, step);
    float drive = heat ? az->drive[z] * ay->drive[y] : 0,
          rest = heat ? az->rest[z] * ay->rest[y] : 0;
    for (int64_t i = 0; i < width; i++)
        value[i * step] = heat ? drive * ax->drive[i] - rest * ax->rest[i] : 0;
}

/* ---- motion_field --------------------------------------------------------------------------- */

void VX_SIMD(vx_cpu_field_rows)(const vx_motion_field_args *a, const float *by, int64_t room,
                                int64_t first, int64_t rows)
{
    int64_t count = vx_cols(a->logits);
    vf least = vf_set(-3.4e38f), half = vf_set(0.5f);
    for (int64_t r = first; r < first + rows; r++) {
        const void *row = vx_row(a->logits, r);
        vf most = least;
        for (int64_t k = 0; k < count; k += VF_LANES) {
            vf v = vf_get_lanes(row, a->logits->dtype, k, vf_lanes_at(k, count));
            most = vf_max(vf_select(vf_less(half, vf_load(by + k)), v, least), most);
        }
        vf peak = vf_set(vf_largest(most)), sum[4];
        for (int i = 0; i < 4; i++)
            sum[i] = vf_set(0.0f);
        for (int64_t k = 0; k < count; k += VF_LANES) {
            vf below = vf_sub(vf_get_lanes(row, a->logits->dtype, k, vf_lanes_at(k, count)), peak);
            vf e = vf_exp(vf_min(vf_set(0.0f), below)); /* lanes that are no logit hold 0 */
            for (int i = 0; i < 4; i++)
                sum[i] = vf_fma(e, vf_load(by + i * room + k), sum[i]);
        }
        float *out = (float *)vx_host(a->out->data) + r * 3, total = vf_sum(sum[0]);
        for (int i = 0; i < 3; i++)
            out[i] = vf_sum(sum[i + 1]) / total;
    }
}
