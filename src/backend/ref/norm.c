/* Reference: norms. */
#include "backend/ref/ref.h"

#include <math.h>

/* One row of sums, since sum_out may be one of the inputs. */
size_t vx_ref_layer_norm_scratch(vx_backend *backend, const vx_layer_norm_args *a)
{
    (void)backend;
    return (size_t)vx_cols(a->x) * sizeof(double);
}

vx_status vx_ref_layer_norm(vx_ctx *ctx, const vx_layer_norm_args *a, void *scratch)
{
    (void)ctx;
    double *row = scratch;
    int64_t cols = vx_cols(a->x);
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        double mean = 0, square = 0;
        for (int64_t c = 0; c < cols; c++) {
            row[c] = vx_ref_get(a->x, r, c) + (a->add ? vx_ref_get(a->add, r, c) : 0);
            mean += row[c] / (double)cols;
        }
        if (a->rms) mean = 0;
        for (int64_t c = 0; c < cols; c++)
            square += (row[c] - mean) * (row[c] - mean) / (double)cols;
        double factor = 1 / sqrt(square + (double)a->eps);
        for (int64_t c = 0; c < cols; c++) {
            double y = (row[c] - mean) * factor;
            y = y * vx_ref_at(a->gamma, c, 1) + vx_ref_at(a->beta, c, 0);
            y = y * (1 + vx_ref_at(a->scale, c, 0)) + vx_ref_at(a->shift, c, 0);
            vx_ref_set(a->out, r, c, y);
        }
        for (int64_t c = 0; c < cols && a->sum_out; c++)
            vx_ref_set(a->sum_out, r, c, row[c]);
    }
    vx_ref_zero_halo(a->out);
    if (a->sum_out) vx_ref_zero_halo(a->sum_out);
    return VX_OK;
}

vx_status vx_ref_instance_norm(vx_ctx *ctx, const vx_instance_norm_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t rows = vx_rows(a->x);
    for (int64_t c = 0; c < vx_cols(a->x); c++) {
        double mean = 0, square = 0;
        for (int64_t r = 0; r < rows; r++)
            mean += vx_ref_get(a->x, r, c) / (double)rows;
        for (int64_t r = 0; r < rows; r++) {
            double d = vx_ref_get(a->x, r, c) - mean;
            square += d * d / (double)rows;
        }
        double factor = 1 / sqrt(square + (double)a->eps);
        for (int64_t r = 0; r < rows; r++) {
            double y = (vx_ref_get(a->x, r, c) - mean) * factor;
            y = y * (1 + vx_ref_at(a->scale, c, 0)) + vx_ref_at(a->shift, c, 0);
            if (a->alpha) {
                double alpha = vx_ref_at(a->alpha, c, 1), s = sin(alpha * y);
                y += s * s / alpha;
            }
            vx_ref_set(a->out, r, c, vx_ref_act(a->act, y));
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* One group of one image: `pixels` rows from `first`, columns [from, from + count). */
static void group_norm(const vx_group_norm_args *a, int64_t first, int64_t pixels, int64_t from,
                       int64_t count)
{
    double mean = 0, square = 0, n = (double)(pixels * count);
    for (int64_t r = first; r < first + pixels; r++)
        for (int64_t c = from; c < from + count; c++)
            mean += vx_ref_get(a->x, r, c) / n;
    for (int64_t r = first; r < first + pixels; r++)
        for (int64_t c = from; c < from + count; c++)
            square += pow(vx_ref_get(a->x, r, c) - mean, 2) / n;
    double factor = 1 / sqrt(square + (double)a->eps);
    for (int64_t c = from; c < from + count && a->out == NULL; c++) {
        vx_ref_set(a->factors, 0, c, mean);
        vx_ref_set(a->factors, 1, c, factor * vx_ref_at(a->gamma, c, 1));
        vx_ref_set(a->factors, 2, c, vx_ref_at(a->beta, c, 0));
    }
    if (a->out == NULL) return;
    for (int64_t r = first; r < first + pixels; r++) {
        for (int64_t c = from; c < from + count; c++) {
            double y = (vx_ref_get(a->x, r, c) - mean) * factor;
            y = y * vx_ref_at(a->gamma, c, 1) + vx_ref_at(a->beta, c, 0);
            vx_ref_set(a->out, r, c, vx_ref_act(a->act, y));
        }
    }
}

static void apply_factors(const vx_group_norm_args *a)
{
    for (int64_t r = 0; r < vx_rows(a->x); r++)
        for (int64_t c = 0; c < vx_cols(a->x); c++) {
            double y = (vx_ref_get(a->x, r, c) - vx_ref_get(a->factors, 0, c)) *
                           vx_ref_get(a->factors, 1, c) +
                       vx_ref_get(a->factors, 2, c);
            vx_ref_set(a->out, r, c, vx_ref_act(a->act, y));
        }
}

vx_status vx_ref_group_norm(vx_ctx *ctx, const vx_group_norm_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    if (a->factors != NULL && a->out != NULL) {
        apply_factors(a);
        return VX_OK;
    }
    int64_t images = a->x->dim[0], pixels = images > 0 ? vx_rows(a->x) / images : 0;
    int64_t count = vx_cols(a->x) / a->groups;
    for (int64_t n = 0; n < images; n++)
        for (int g = 0; g < a->groups; g++)
            group_norm(a, n * pixels, pixels, g * count, count);
    if (a->out != NULL) vx_ref_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_ref_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t width = vx_cols(a->x) / a->heads;
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        for (int64_t first = 0; first < vx_cols(a->x); first += width) {
            double square = 0;
            for (int64_t i = 0; i < width; i++)
                square += pow(vx_ref_get(a->x, r, first + i), 2) / (double)width;
            double factor = 1 / sqrt(square + (double)a->eps);
            for (int64_t i = 0; i < width; i += 2) {
                double y0 = vx_ref_get(a->x, r, first + i) * factor * vx_ref_at(a->weight, i, 1);
                double y1 =
                    vx_ref_get(a->x, r, first + i + 1) * factor * vx_ref_at(a->weight, i + 1, 1);
                double cosine = a->table ? vx_ref_get(a->table, r, i) : 1;
                double sine = a->table ? vx_ref_get(a->table, r, i + 1) : 0;
                vx_ref_set(a->out, r, first + i, cosine * y0 - sine * y1);
                vx_ref_set(a->out, r, first + i + 1, sine * y0 + cosine * y1);
            }
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}
