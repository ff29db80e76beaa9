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
    return VX_OK;
}

/* [.., H, W, C] -> [.., H/2, W/2, C] */
vx_status vx_ref_pool2(vx_ctx *ctx, const vx_pool2_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int rank = a->x->rank;
    int64_t width = a->x->dim[rank - 2], height = a->x->dim[rank - 3];
    int64_t w = a->out->dim[rank - 2], h = a->out->dim[rank - 3];
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        int64_t plane = r / (h * w), y = r / w % h, x = r % w;
        int64_t from = (plane * height + 2 * y) * width + 2 * x;
        for (int64_t c = 0; c < vx_cols(a->x); c++)
            vx_ref_set(a->out, r, c,
                       (vx_ref_get(a->x, from, c) + vx_ref_get(a->x, from + 1, c) +
                        vx_ref_get(a->x, from + width, c) + vx_ref_get(a->x, from + width + 1, c)) /
                           4);
    }
    return VX_OK;
}

/* x [H, W, C], weight [k, k, C] */
vx_status vx_ref_depthwise(vx_ctx *ctx, const vx_depthwise_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t height = a->x->dim[0], width = a->x->dim[1], k = a->weight->dim[0];
    for (int64_t r = 0; r < height * width; r++)
        for (int64_t c = 0; c < vx_cols(a->x); c++) {
            double sum = vx_ref_at(a->bias, c, 0);
            for (int64_t t = 0; t < k * k; t++) {
                int64_t y = r / width + t / k - k / 2, x = r % width + t % k - k / 2;
                if (y >= 0 && y < height && x >= 0 && x < width)
                    sum += vx_ref_get(a->x, y * width + x, c) * vx_ref_get(a->weight, t, c);
            }
            vx_ref_set(a->out, r, c, sum);
        }
    return VX_OK;
}

vx_status vx_ref_row_gate(vx_ctx *ctx, const vx_row_gate_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        double s = vx_ref_act(a->act, vx_ref_get(a->s, r, 0));
        for (int64_t c = 0; c < vx_cols(a->x); c++)
            vx_ref_set(a->out, r, c, vx_ref_get(a->x, r, c) * s);
    }
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
        double g[3], largest = vx_ref_get(a->logits, r, 0), sum = 0;
        grid_at(a->logits, a->grid, r, g);
        for (int64_t k = 1; k <= points; k++)
            largest = fmax(largest, vx_ref_get(a->logits, r, k));
        for (int64_t k = 0; k <= points; k++)
            sum += exp(vx_ref_get(a->logits, r, k) - largest);
        for (int64_t k = 1; k <= points; k++) {
            double m = exp(vx_ref_get(a->logits, r, k) - largest) / sum;
            for (int i = 0; i < 3; i++)
                g[i] += m * (vx_ref_get(a->source, k - 1, i) - vx_ref_get(a->driving, k - 1, i));
        }
        for (int i = 0; i < 3; i++)
            vx_ref_set(a->out, r, i, g[i]);
    }
    return VX_OK;
}

/* Component i of the field [D, h, w, 3] at plane d and pixel (y, x) of an H × W map: bilinear with
 * align_corners false, the borders repeated, as torch's interpolate. */
static double field_at(const vx_warp_args *a, int64_t d, int64_t y, int64_t x, int i)
{
    int64_t h = a->field->dim[1], w = a->field->dim[2], height = a->x->dim[1], width = a->x->dim[2];
    double fy = fmax(((double)y + 0.5) * (double)h / (double)height - 0.5, 0);
    double fx = fmax(((double)x + 0.5) * (double)w / (double)width - 0.5, 0);
    int64_t y0 = (int64_t)fy, x0 = (int64_t)fx;
    int64_t y1 = y0 + 1 < h ? y0 + 1 : h - 1, x1 = x0 + 1 < w ? x0 + 1 : w - 1;
    double wy = fy - (double)y0, wx = fx - (double)x0;
    double top = (1 - wx) * vx_ref_get(a->field, (d * h + y0) * w + x0, i) +
                 wx * vx_ref_get(a->field, (d * h + y0) * w + x1, i);
    double bottom = (1 - wx) * vx_ref_get(a->field, (d * h + y1) * w + x0, i) +
                    wx * vx_ref_get(a->field, (d * h + y1) * w + x1, i);
    return (1 - wy) * top + wy * bottom;
}

/* x [D, H, W, C], field [D, h, w, 3] -> out [D, H, W, C] */
vx_status vx_ref_warp(vx_ctx *ctx, const vx_warp_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t height = a->x->dim[1], width = a->x->dim[2];
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        int64_t d = r / (height * width), y = r / width % height, x = r % width;
        double at[3];
        for (int i = 0; i < 3; i++)
            at[i] = field_at(a, d, y, x, i);
        for (int64_t c = 0; c < vx_cols(a->x); c++)
            vx_ref_set(a->out, r, c,
                       sample(a->x, sample_index(at[2], a->x->dim[0]), sample_index(at[1], height),
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
            double s = 1 / (1 + exp(-v));
            if (a->out->dtype == VX_F32)
                vx_ref_set(a->out, r, c, s);
            else
                ((uint8_t *)vx_row(a->out, r))[c] = (uint8_t)lrint(255 * s);
        }
    }
    return VX_OK;
}
