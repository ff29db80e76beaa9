/* Reference: SPADE, response norm, pooling, depthwise filters, dense motion, warping, pictures. */
#include <math.h>

#include "backend/ref/ref.h"

/* x [h, w, C] -> out [h*up, w*up, C], modulated by the map. */
static void spade_channel(const vx_spade_args *a, int64_t c)
{
    int64_t rows = vx_rows(a->x), cols = vx_cols(a->x), width = a->out->dim[1];
    double mean = 0, var = 0;
    for (int64_t r = 0; r < rows; r++)
        mean += vx_ref_get(a->x, r, c) / (double)rows;
    for (int64_t r = 0; r < rows; r++)
        var += pow(vx_ref_get(a->x, r, c) - mean, 2) / (double)rows;
    mean = vx_ref_at(a->mean, c, mean);
    var = vx_ref_at(a->var, c, var);
    double factor = 1 / sqrt(var + (double)a->eps);
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        int64_t from = r / width / a->up * a->x->dim[1] + r % width / a->up;
        double y = (vx_ref_get(a->x, from, c) - mean) * factor;
        double beta = vx_cols(a->map) > cols ? vx_ref_get(a->map, r, cols + c) : 0;
        vx_ref_set(a->out, r, c, vx_ref_act(a->act, y * (1 + vx_ref_get(a->map, r, c)) + beta));
    }
}

vx_status vx_ref_spade(vx_ctx *ctx, const vx_spade_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t c = 0; c < vx_cols(a->x); c++)
        spade_channel(a, c);
    return VX_OK;
}

static double column_norm(const vx_tensor *x, int64_t c)
{
    double square = 0;
    for (int64_t r = 0; r < vx_rows(x); r++)
        square += pow(vx_ref_get(x, r, c), 2);
    return sqrt(square);
}

/* x [R, C]. out may be x, so a column's norm is taken before the column is written. */
vx_status vx_ref_response_norm(vx_ctx *ctx, const vx_response_norm_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t cols = vx_cols(a->x);
    double mean = 0;
    for (int64_t c = 0; c < cols; c++)
        mean += column_norm(a->x, c) / (double)cols;
    for (int64_t c = 0; c < cols; c++) {
        double n = column_norm(a->x, c) / (mean + (double)a->eps);
        for (int64_t r = 0; r < vx_rows(a->x); r++) {
            double x = vx_ref_get(a->x, r, c);
            vx_ref_set(a->out, r, c,
                       vx_ref_at(a->gamma, c, 1) * x * n + vx_ref_at(a->beta, c, 0) + x);
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* [.., H, W, C] -> [.., H/2, W/2, C], or [N, D, H, W, C] -> [N, D/2, H/2, W/2, C] */
vx_status vx_ref_pool2(vx_ctx *ctx, const vx_pool2_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int rank = a->x->rank;
    int64_t width = a->x->dim[rank - 2], height = a->x->dim[rank - 3];
    int64_t w = a->out->dim[rank - 2], h = a->out->dim[rank - 3];
    int64_t deep = rank == 5 && a->out->dim[1] != a->x->dim[1] ? 2 : 1;
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        int64_t plane = r / (h * w), y = r / w % h, x = r % w;
        if (deep == 2) plane = plane / a->out->dim[1] * a->x->dim[1] + plane % a->out->dim[1] * 2;
        for (int64_t c = 0; c < vx_cols(a->x); c++) {
            double sum = 0, largest = -INFINITY;
            for (int64_t t = 0; t < 4 * deep; t++) {
                int64_t row = (plane + t / 4) * height + 2 * y + t / 2 % 2;
                double value = vx_ref_get(a->x, row * width + 2 * x + t % 2, c);
                sum += value;
                largest = fmax(largest, value);
            }
            vx_ref_set(a->out, r, c, a->largest ? largest : sum / (double)(4 * deep));
        }
    }
    return VX_OK;
}

/* x [H, W, C], weight [k, k, C] -> [h, w, C] */
vx_status vx_ref_depthwise(vx_ctx *ctx, const vx_depthwise_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t height = a->x->dim[0], width = a->x->dim[1], k = a->weight->dim[0];
    int64_t stride = a->stride > 0 ? a->stride : 1, pad = a->stride > 0 ? a->pad : k / 2;
    int64_t w = a->out->dim[1];
    for (int64_t r = 0; r < a->out->dim[0] * w; r++)
        for (int64_t c = 0; c < vx_cols(a->x); c++) {
            double sum = vx_ref_at(a->bias, c, 0);
            for (int64_t t = 0; t < k * k; t++) {
                int64_t y = r / w * stride + t / k - pad, x = r % w * stride + t % k - pad;
                if (y >= 0 && y < height && x >= 0 && x < width)
                    sum += vx_ref_get(a->x, y * width + x, c) * vx_ref_get(a->weight, t, c);
            }
            vx_ref_set(a->out, r, c, sum);
        }
    return VX_OK;
}

/* torch's interpolate with align_corners false: position i of `to` lies between cells at[0] and
 * at[1] of `from`, weight[1] of the way. The borders repeat. */
static void between(int64_t i, int64_t to, int64_t from, int64_t at[2], double weight[2])
{
    double x = fmax(((double)i + 0.5) * (double)from / (double)to - 0.5, 0);
    at[0] = (int64_t)x;
    at[1] = at[0] + 1 < from ? at[0] + 1 : from - 1;
    weight[1] = x - (double)at[0];
    weight[0] = 1 - weight[1];
}

/* Column c of t [d, h, w, ..] at cell (z, y, x) of a map enlarged to D × H ×
 * W, `act` taken before. */
static double enlarged(const vx_tensor *t, vx_act act, const int64_t from[3], const int64_t to[3],
                       const int64_t cell[3], int64_t c)
{
    int64_t at[3][2];
    double weight[3][2], sum = 0;
    for (int i = 0; i < 3; i++)
        between(cell[i], to[i], from[i], at[i], weight[i]);
    for (int corner = 0; corner < 8; corner++) {
        int z = corner >> 2, y = corner >> 1 & 1, x = corner & 1;
        int64_t row = (at[0][z] * from[1] + at[1][y]) * from[2] + at[2][x];
        sum += weight[0][z] * weight[1][y] * weight[2][x] * vx_ref_act(act, vx_ref_get(t, row, c));
    }
    return sum;
}

/* x [R, C], s [R, 1]; or x [H, W, C], s [h, w, 1] */
vx_status vx_ref_row_gate(vx_ctx *ctx, const vx_row_gate_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    bool small = vx_rows(a->s) != vx_rows(a->x);
    const int64_t *x_dim = a->x->dim + a->x->rank - 3, *s_dim = a->s->dim + a->s->rank - 3;
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        double s = small ? enlarged(a->s, a->act, (const int64_t[]){1, s_dim[0], s_dim[1]},
                                    (const int64_t[]){1, x_dim[0], x_dim[1]},
                                    (const int64_t[]){0, r / x_dim[1], r % x_dim[1]}, 0)
                         : vx_ref_act(a->act, vx_ref_get(a->s, r, 0));
        for (int64_t c = 0; c < vx_cols(a->x); c++)
            vx_ref_set(a->out, r, c, vx_ref_get(a->x, r, c) * s);
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Coordinate of position i of n, and the (fractional) index that a coordinate samples. */
static double coordinate(vx_grid grid, int64_t i, int64_t n)
{
    if (grid == VX_GRID_CENTRES) return (2 * (double)i + 1) / (double)n - 1;
    return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : -1;
}
static double sample_index(double x, int64_t n)
{
    return ((x + 1) * (double)n - 1) / 2;
}

/* Channel c of x [D, H, W, C] at fractional index (d, h, w), zero outside. */
static double sample(const vx_tensor *x, double d, double h, double w, int64_t c)
{
    double sum = 0, d0 = floor(d), h0 = floor(h), w0 = floor(w);
    for (int corner = 0; corner < 8; corner++) {
        double cd = d0 + (corner >> 2), ch = h0 + (corner >> 1 & 1), cw = w0 + (corner & 1);
        if (cd < 0 || cd >= (double)x->dim[0] || ch < 0 || ch >= (double)x->dim[1] || cw < 0 ||
            cw >= (double)x->dim[2])
            continue;
        double weight = (1 - fabs(d - cd)) * (1 - fabs(h - ch)) * (1 - fabs(w - cw));
        int64_t row = ((int64_t)cd * x->dim[1] + (int64_t)ch) * x->dim[2] + (int64_t)cw;
        sum += weight * vx_ref_get(x, row, c);
    }
    return sum;
}

/* The grid's coordinates (x, y, z) at row r of [D, H, W]. */
static void grid_at(const vx_tensor *t, vx_grid grid, int64_t r, double g[3])
{
    g[0] = coordinate(grid, r % t->dim[2], t->dim[2]);
    g[1] = coordinate(grid, r / t->dim[2] % t->dim[1], t->dim[1]);
    g[2] = coordinate(grid, r / (t->dim[2] * t->dim[1]), t->dim[0]);
}

static double heat(const double g[3], const vx_tensor *points, int64_t k, double variance)
{
    double square = 0;
    for (int i = 0; i < 3; i++)
        square += pow(g[i] - vx_ref_get(points, k, i), 2);
    return exp(-0.5 * square / variance);
}

/* feature [D, H, W, F] -> out [D, H, W, (K+1)(F+1)] */
vx_status vx_ref_motion_input(vx_ctx *ctx, const vx_motion_input_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t points = vx_rows(a->source), features = vx_cols(a->feature);
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        double g[3];
        grid_at(a->feature, a->grid, r, g);
        for (int64_t k = 0; k <= points; k++) {
            double at[3] = {g[0], g[1], g[2]}, h = 0;
            for (int i = 0; i < 3 && k > 0; i++)
                at[i] += vx_ref_get(a->source, k - 1, i) - vx_ref_get(a->driving, k - 1, i);
            if (k > 0)
                h = heat(g, a->driving, k - 1, (double)a->variance) -
                    heat(g, a->source, k - 1, (double)a->variance);
            vx_ref_set(a->out, r, k * (features + 1), h);
            for (int64_t f = 0; f < features; f++)
                vx_ref_set(a->out, r, k * (features + 1) + 1 + f,
                           sample(a->feature, sample_index(at[2], a->feature->dim[0]),
                                  sample_index(at[1], a->feature->dim[1]),
                                  sample_index(at[0], a->feature->dim[2]), f));
        }
    }
    return VX_OK;
}

/* logits [D, H, W, K+1] -> out [D, H, W, 3] */
vx_status vx_ref_motion_field(vx_ctx *ctx, const vx_motion_field_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t points = vx_rows(a->source);
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        double by[3] = {0}, largest = vx_ref_get(a->logits, r, 0), sum = 0;
        for (int64_t k = 1; k <= points; k++)
            largest = fmax(largest, vx_ref_get(a->logits, r, k));
        for (int64_t k = 0; k <= points; k++)
            sum += exp(vx_ref_get(a->logits, r, k) - largest);
        for (int64_t k = 1; k <= points; k++) {
            double m = exp(vx_ref_get(a->logits, r, k) - largest) / sum;
            for (int i = 0; i < 3; i++)
                by[i] += m * (vx_ref_get(a->source, k - 1, i) - vx_ref_get(a->driving, k - 1, i));
        }
        for (int i = 0; i < 3; i++)
            vx_ref_set(a->out, r, i, by[i]);
    }
    return VX_OK;
}

/* x [D, H, W, C], field [d, h, w, 3] -> out [D, H, W, C] or [H, W, D*C] */
vx_status vx_ref_warp(vx_ctx *ctx, const vx_warp_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t depth = a->x->dim[0], height = a->x->dim[1], width = a->x->dim[2];
    int64_t cols = vx_cols(a->x);
    bool folded = vx_rows(a->out) != vx_rows(a->x);
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        int64_t pixel = r % (height * width), d = r / (height * width);
        double at[3];
        grid_at(a->x, a->grid, r, at);
        for (int i = 0; i < 3; i++)
            at[i] += enlarged(a->field, (vx_act){VX_ACT_NONE, 0}, a->field->dim, a->x->dim,
                              (const int64_t[]){d, pixel / width, pixel % width}, i);
        for (int64_t c = 0; c < cols; c++)
            vx_ref_set(a->out, folded ? pixel : r, folded ? d * cols + c : c,
                       sample(a->x, sample_index(at[2], depth), sample_index(at[1], height),
                              sample_index(at[0], width), c));
    }
    return VX_OK;
}

/* x [H, W, 3ff] -> out [Hf, Wf, 3] */
vx_status vx_ref_to_picture(vx_ctx *ctx, const vx_to_picture_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t f = a->factor, width = a->out->dim[1];
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        int64_t y = r / width, x = r % width;
        for (int64_t c = 0; c < 3; c++) {
            int64_t channel = c * f * f + y % f * f + x % f;
            double v = vx_ref_get(a->x, y / f * a->x->dim[1] + x / f, channel);
            double s = a->range == VX_PICTURE_SIGNED ? v / 2 + 0.5 : 1 / (1 + exp(-v));
            if (a->out->dtype == VX_F32)
                vx_ref_set(a->out, r, c, s);
            else
                ((uint8_t *)vx_row(a->out, r))[c] = (uint8_t)lrint(fmin(fmax(255 * s, 0), 255));
        }
    }
    return VX_OK;
}

/* x [R, C] bytes -> out [R, C] */
vx_status vx_ref_from_picture(vx_ctx *ctx, const vx_from_picture_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->x); r++)
        for (int64_t c = 0; c < vx_cols(a->x); c++) {
            double value = ((const uint8_t *)vx_row(a->x, r))[c] / (double)a->divisor;
            double deviation = a->deviation[c % 3] != 0 ? a->deviation[c % 3] : 1;
            vx_ref_set(a->out, r, c, (value - a->mean[c % 3]) / deviation);
        }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}
