/* Rows of pool2, depthwise, row_gate and to_picture: one compilation per level, see picture.h. */
#include "backend/cpu/enlarge.h"
#include "backend/cpu/picture.h"
#include "backend/cpu/kernels/each_vector.inc"
#include "backend/cpu/kernels/lanes.h"

VF_INLINE void largest_at(const void *const x[8], int n, vx_dtype from, void *out, vx_dtype to,
                          int64_t i, int lanes)
{
    vf most = vf_get_lanes(x[0], from, i, lanes);
    for (int k = 1; k < n; k++) {
        vf value = vf_get_lanes(x[k], from, i, lanes);
        most = vf_select(vf_less(most, value), value, most);
    }
    vf_put_lanes(out, to, i, most, lanes);
}

void VX_SIMD(vx_cpu_largest_row)(const void *const x[8], int n, vx_dtype from, void *out,
                                 vx_dtype to, int64_t cols)
{
    EACH_VECTOR(cols, largest_at, x, n, from, out, to);
}

VF_INLINE void mean_at(const void *const x[8], int n, vx_dtype from, void *out, vx_dtype to,
                       int64_t i, int lanes)
{
    vf sum = vf_get_lanes(x[0], from, i, lanes);
    for (int k = 1; k < n; k++)
        sum = vf_add(sum, vf_get_lanes(x[k], from, i, lanes));
    vf_put_lanes(out, to, i, vf_mul(sum, vf_set(1.0f / (float)n)), lanes);
}

void VX_SIMD(vx_cpu_mean_row)(const void *const x[8], int n, vx_dtype from, void *out, vx_dtype to,
                              int64_t cols)
{
    if (n == 4 && from == VX_BF16 && to == VX_BF16)
        EACH_VECTOR(cols, mean_at, x, 4, VX_BF16, out, VX_BF16);
    else if (n == 4 && from == VX_F32 && to == VX_F32)
        EACH_VECTOR(cols, mean_at, x, 4, VX_F32, out, VX_F32);
    else
        EACH_VECTOR(cols, mean_at, x, n, from, out, to);
}

/* ---- depthwise ------------------------------------------------------------------------------ */

/* The taps of a filter that meet the picture, for one pixel. */
typedef struct window {
    const char *x; /* the first of them */
    const float *weight;
    int64_t rows, columns, x_row, x_column, weight_row, weight_column; /* steps: bytes, floats */
} window;

VF_INLINE void depthwise_at(const vx_depthwise_args *a, const window *w, void *out, int64_t c,
                            int lanes)
{
    vx_dtype from = a->x->dtype;
    vf sum = a->bias ? vf_get_lanes(vx_host(a->bias->data), VX_F32, c, lanes) : vf_set(0.0f);
    for (int64_t i = 0; i < w->rows; i++)
        for (int64_t k = 0; k < w->columns; k++) {
            const char *x = w->x + i * w->x_row + k * w->x_column;
            const float *weight = w->weight + i * w->weight_row + k * w->weight_column;
            sum = vf_fma(vf_get_lanes(x, from, c, lanes), vf_get_lanes(weight, VX_F32, c, lanes),
                         sum);
        }
    vf_put_lanes(out, a->out->dtype, c, sum, lanes);
}

void VX_SIMD(vx_cpu_depthwise_pixel)(const vx_depthwise_args *a, int64_t y, int64_t x)
{
    int64_t height = a->x->dim[0], width = a->x->dim[1], k = a->weight->dim[0];
    int64_t stride = a->stride > 0 ? a->stride : 1, pad = a->stride > 0 ? a->pad : k / 2;
    int64_t above = y * stride - pad, before = x * stride - pad; /* where the filter begins */
    int64_t top = above < 0 ? -above : 0, left = before < 0 ? -before : 0;
    int64_t bottom = above + k < height ? k : height - above;
    int64_t right = before + k < width ? k : width - before;
    window w = {.rows = bottom - top, .columns = right - left};
    w.x = vx_row(a->x, (above + top) * width + before + left);
    w.weight = (const float *)vx_host(a->weight->data) + (top * k + left) * a->weight->ld;
    w.x_column = a->x->ld * (a->x->dtype == VX_BF16 ? 2 : 4);
    w.x_row = w.x_column * width;
    w.weight_column = a->weight->ld;
    w.weight_row = w.weight_column * k;
    EACH_VECTOR(vx_cols(a->x), depthwise_at, a, &w, vx_row(a->out, y * a->out->dim[1] + x));
}

/* ---- row_gate ------------------------------------------------------------------------------- */

VF_INLINE float one_value(const vx_row_gate_args *a, int64_t r)
{
    float value[VF_LANES];
    vf_store(value, vf_act(vf_getn(vx_row(a->s, r), a->s->dtype, 0, 1), a->act));
    return value[0];
}

VF_INLINE float gate_of(const vx_row_gate_args *a, int64_t r)
{
    if (vx_rows(a->s) == vx_rows(a->x)) return one_value(a, r);
    const int64_t *x = a->x->dim + a->x->rank - 3, *s = a->s->dim + a->s->rank - 3;
    vx_between v = vx_between_of(r / x[1], x[0], s[0]), h = vx_between_of(r % x[1], x[1], s[1]);
    float top = one_value(a, v.at[0] * s[1] + h.at[0]) * h.weight[0] +
                one_value(a, v.at[0] * s[1] + h.at[1]) * h.weight[1];
    float bottom = one_value(a, v.at[1] * s[1] + h.at[0]) * h.weight[0] +
                   one_value(a, v.at[1] * s[1] + h.at[1]) * h.weight[1];
    return top * v.weight[0] + bottom * v.weight[1];
}

VF_INLINE void gate_at(const vx_row_gate_args *a, const void *x, vf gate, void *out, int64_t i,
                       int lanes)
{
    vf_put_lanes(out, a->out->dtype, i, vf_mul(vf_get_lanes(x, a->x->dtype, i, lanes), gate),
                 lanes);
}

void VX_SIMD(vx_cpu_gate_rows)(const vx_row_gate_args *a, int64_t first, int64_t rows)
{
    for (int64_t r = first; r < first + rows; r++) {
        vf gate = vf_set(gate_of(a, r));
        EACH_VECTOR(vx_cols(a->x), gate_at, a, vx_row(a->x, r), gate, vx_row(a->out, r));
    }
}

/* ---- to_picture ----------------------------------------------------------------------------- */

VF_INLINE void level_at(const void *x, vx_dtype from, bool logits, float *value, bool bytes,
                        int64_t i, int lanes)
{
    vf y = vf_get_lanes(x, from, i, lanes), half = vf_set(0.5f), white = vf_set(255.0f);
    y = logits ? vf_sigmoid(y) : vf_add(vf_mul(y, half), half);
    /* NaN: 0 */
    if (bytes) y = vf_min(vf_max(vf_round(vf_mul(y, white)), vf_set(0.0f)), white);
    vf_put_lanes(value, VX_F32, i, y, lanes);
}

void VX_SIMD(vx_cpu_level_row)(const void *x, vx_dtype from, bool logits, float *value, bool bytes,
                               int64_t n)
{
    if (logits)
        EACH_VECTOR(n, level_at, x, from, true, value, bytes);
    else
        EACH_VECTOR(n, level_at, x, from, false, value, bytes);
}
