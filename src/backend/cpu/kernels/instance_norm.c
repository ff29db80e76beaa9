/* Columns of instance_norm: one compilation per level, see instance_norm.h.
 *
 * Work goes down the rows of a tile in strips of columns, whose sums or
 * factors stay in registers. */
#include "backend/cpu/instance_norm.h"
#include "backend/cpu/kernels/lanes.h"

/* Vectors of a strip, and rows after which the sums are added to those in memory: sums of few terms
 * keep f32's digits. */
enum { STRIP = 4, RUN = 32 };

/* Bytes from row to row. vx_row is a call, which the loops below cannot afford: it would put their
 * registers into memory. */
VF_INLINE int64_t row_bytes(const vx_tensor *t, vx_dtype dtype)
{
    return t->ld * (dtype == VX_BF16 ? 2 : 4);
}

/* ---- sums ----------------------------------------------------------------------------------- */

VF_INLINE void add_to(float *total, vf x, int lanes)
{
    if (lanes == VF_LANES)
        vf_store(total, vf_add(vf_load(total), x));
    else
        vf_storen(total, vf_add(vf_loadn(total, lanes), x), lanes);
}

/* `vectors` and `dtype` are constants after inlining. */
VF_INLINE void sum_strip(const vx_tensor *x, vx_dtype dtype, int64_t first, int64_t rows, int64_t c,
                         int vectors, int lanes, const float *shift, float *sum, float *square)
{
    vf base[STRIP], s[STRIP], q[STRIP];
    int64_t step = row_bytes(x, dtype);
    for (int64_t r = 0; r < rows; r += RUN) {
        int64_t end = r + RUN < rows ? r + RUN : rows;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            base[v] = vf_get_lanes(shift, VX_F32, c + v * VF_LANES, lanes);
            s[v] = q[v] = vf_set(0.0f);
        }
        const char *row = vx_row(x, first + r);
        for (int64_t k = r; k < end; k++, row += step) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                vf d = vf_sub(vf_get_lanes(row, dtype, c + v * VF_LANES, lanes), base[v]);
                s[v] = vf_add(s[v], d);
                q[v] = vf_fma(d, d, q[v]);
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            add_to(sum + c + v * VF_LANES, s[v], lanes);
            add_to(square + c + v * VF_LANES, q[v], lanes);
        }
    }
}

VF_INLINE void sum_columns(const vx_tensor *x, vx_dtype dtype, int64_t first, int64_t rows,
                           float *shift, float *sum, float *square)
{
    int64_t cols = vx_cols(x), c = 0;
    for (; c < cols; c++) {
        shift[c] = dtype == VX_BF16 ? vx_bf16_to_f32(((const uint16_t *)vx_row(x, first))[c])
                                    : ((const float *)vx_row(x, first))[c];
        sum[c] = square[c] = 0;
    }
    for (c = 0; c + STRIP * VF_LANES <= cols; c += STRIP * VF_LANES)
        sum_strip(x, dtype, first, rows, c, STRIP, VF_LANES, shift, sum, square);
    for (; c + VF_LANES <= cols; c += VF_LANES)
        sum_strip(x, dtype, first, rows, c, 1, VF_LANES, shift, sum, square);
    if (c < cols) sum_strip(x, dtype, first, rows, c, 1, (int)(cols - c), shift, sum, square);
}

void VX_SIMD(vx_cpu_column_sums)(const vx_tensor *x, int64_t first, int64_t rows, float *shift,
                                 float *sum, float *square)
{
    if (x->dtype == VX_BF16)
        sum_columns(x, VX_BF16, first, rows, shift, sum, square);
    else
        sum_columns(x, VX_F32, first, rows, shift, sum, square);
}

/* ---- apply ---------------------------------------------------------------------------------- */

/* What follows the affine step: Snake; a slope below zero (1: nothing); any activation. */
enum { SNAKE, SLOPE, ANY };

/* `from`, `to`, `then` and `vectors` are constants after inlining. */
VF_INLINE void apply_strip(const vx_cpu_columns *f, const vx_tensor *x, vx_dtype from,
                           const vx_tensor *out, vx_dtype to, int then, int64_t first, int64_t rows,
                           int64_t c, int vectors, int lanes)
{
    vf mean[STRIP], gain[STRIP], bias[STRIP], turn[STRIP], amount[STRIP];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        int64_t i = c + v * VF_LANES;
        mean[v] = vf_get_lanes(f->mean, VX_F32, i, lanes);
        gain[v] = vf_get_lanes(f->gain, VX_F32, i, lanes);
        bias[v] = vf_get_lanes(f->bias, VX_F32, i, lanes);
        turn[v] = then == SNAKE ? vf_get_lanes(f->turn, VX_F32, i, lanes) : gain[v];
        amount[v] = then == SNAKE ? vf_get_lanes(f->amount, VX_F32, i, lanes) : gain[v];
    }
    vf slope = vf_set(f->act.kind == VX_ACT_LRELU ? f->act.slope : 1.0f), zero = vf_set(0.0f);
    const char *source = vx_row(x, first);
    char *target = vx_row(out, first);
    int64_t source_step = row_bytes(x, from), target_step = row_bytes(out, to);
    for (int64_t r = 0; r < rows; r++, source += source_step, target += target_step) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            int64_t i = c + v * VF_LANES;
            vf y = vf_sub(vf_get_lanes(source, from, i, lanes), mean[v]);
            y = vf_fma(y, gain[v], bias[v]);
            if (then == SNAKE)
                y = vf_fma(amount[v], vf_sin2_pi(vf_mul(turn[v], y)), y);
            else if (then == SLOPE)
                y = vf_select(vf_less(y, zero), vf_mul(y, slope), y);
            else
                y = vf_act(y, f->act);
            vf_put_lanes(target, to, i, y, lanes);
        }
    }
}

VF_INLINE void apply_columns(const vx_cpu_columns *f, const vx_tensor *x, vx_dtype from,
                             const vx_tensor *out, vx_dtype to, int then, int64_t first,
                             int64_t rows)
{
    int64_t cols = vx_cols(x), c = 0;
    for (; c + STRIP * VF_LANES <= cols; c += STRIP * VF_LANES)
        apply_strip(f, x, from, out, to, then, first, rows, c, STRIP, VF_LANES);
    for (; c + VF_LANES <= cols; c += VF_LANES)
        apply_strip(f, x, from, out, to, then, first, rows, c, 1, VF_LANES);
    if (c < cols) apply_strip(f, x, from, out, to, then, first, rows, c, 1, (int)(cols - c));
}

/* The common pairs of types get their own code, any other one decides row by row. */
VF_INLINE void apply_types(const vx_cpu_columns *f, const vx_tensor *x, const vx_tensor *out,
                           int then, int64_t first, int64_t rows)
{
    if (x->dtype == VX_BF16 && out->dtype == VX_BF16)
        apply_columns(f, x, VX_BF16, out, VX_BF16, then, first, rows);
    else if (x->dtype == VX_F32 && out->dtype == VX_F32)
        apply_columns(f, x, VX_F32, out, VX_F32, then, first, rows);
    else
        apply_columns(f, x, x->dtype, out, out->dtype, then, first, rows);
}

void VX_SIMD(vx_cpu_column_apply)(const vx_cpu_columns *f, const vx_tensor *x, const vx_tensor *out,
                                  int64_t first, int64_t rows)
{
    if (f->turn)
        apply_types(f, x, out, SNAKE, first, rows);
    else if (f->act.kind == VX_ACT_NONE || f->act.kind == VX_ACT_LRELU)
        apply_types(f, x, out, SLOPE, first, rows);
    else
        apply_columns(f, x, x->dtype, out, out->dtype, ANY, first, rows);
}
