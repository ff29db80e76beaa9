/* instance_norm (AdaIN, with an activation or Snake), group_norm and response_norm on the
 * CPU, in three passes:
 *   1. tiles of rows sum their columns: shift, sum, square [tiles][3][C]
 *   2. strips of columns merge the tiles in order, in double, into five factors per column
 *      (group_norm: then the columns of a group share theirs; response_norm: all of them)
 *   3. tiles of rows apply the factors
 * Tiles depend on the shape alone and the merge's order is fixed, so the number of workers changes
 * nothing. */
#include "backend/cpu/instance_norm.h"

static void (*const column_sums[VX_CPU_LEVELS])(const vx_tensor *, int64_t, int64_t, float *,
                                                float *,
                                                float *) = VX_SIMD_TABLE_BF16(vx_cpu_column_sums);
static void (*const column_apply[VX_CPU_LEVELS])(const vx_cpu_columns *, const vx_tensor *,
                                                 const vx_tensor *, int64_t,
                                                 int64_t) = VX_SIMD_TABLE_BF16(vx_cpu_column_apply);

/* More tiles would spend their time in the merge. */
enum { SUM_TILES_MAX = 64, MERGE_COLS = 64 };

typedef struct job {
    const vx_instance_norm_args *args; /* NULL for the other two */
    const vx_tensor *x, *out;          /* of group_norm: one image */
    vx_act act;
    vx_cpu_level level;
    int64_t cols, rows, sum_rows, sum_tiles, apply_rows;
    float *parts; /* [sum_tiles][3][cols] */
    float *mean, *gain, *bias, *turn, *amount;
} job;

static int64_t sum_rows_of(const vx_tensor *x)
{
    int64_t rows = vx_cpu_pass_rows(vx_cols(x)), spread = vx_cpu_tiles(vx_rows(x), SUM_TILES_MAX);
    return rows > spread ? rows : spread;
}

size_t vx_cpu_instance_norm_scratch(vx_backend *backend, const vx_instance_norm_args *a)
{
    (void)backend;
    int64_t tiles = vx_cpu_tiles(vx_rows(a->x), sum_rows_of(a->x));
    return (size_t)((3 * tiles + 5) * vx_cols(a->x)) * sizeof(float);
}

static int64_t rows_in(int64_t rows, int64_t tile_rows, int64_t tile)
{
    int64_t left = rows - tile * tile_rows;
    return left < tile_rows ? left : tile_rows;
}

static void sum_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    float *part = j->parts + tile * 3 * j->cols;
    column_sums[j->level](j->x, tile * j->sum_rows, rows_in(j->rows, j->sum_rows, tile), part,
                          part + j->cols, part + 2 * j->cols);
}

static double at(const vx_tensor *v, int64_t c, double absent)
{
    return v ? ((const float *)vx_host(v->data))[c] : absent;
}

/* AdaIN's factors of column c, whose mean is kept in float: what that rounding loses counts as much
 * as the column's spread is small. */
static void set_factors(const job *j, int64_t c, double mean, double variance)
{
    const vx_instance_norm_args *a = j->args;
    const double pi = 3.141592653589793;
    double alpha = at(a->alpha, c, 1);
    double gain = (1 + at(a->scale, c, 0)) / sqrt(variance + (double)a->eps);
    j->gain[c] = (float)gain;
    j->bias[c] = (float)(at(a->shift, c, 0) + ((double)j->mean[c] - mean) * gain);
    j->turn[c] = (float)(alpha / pi);
    j->amount[c] = (float)(1 / alpha);
}

/* Chan, Golub and LeVeque's merge of means and sums of squared deviations, tile after tile. */
static void merge_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    int64_t first = tile * MERGE_COLS, count = rows_in(j->cols, MERGE_COLS, tile);
    double mean[MERGE_COLS] = {0}, squares[MERGE_COLS] = {0}, n = 0;
    for (int64_t t = 0; t < j->sum_tiles; t++) {
        const float *shift = j->parts + t * 3 * j->cols + first;
        const float *sum = shift + j->cols, *square = sum + j->cols;
        double add = (double)rows_in(j->rows, j->sum_rows, t), all = n + add;
        for (int64_t c = 0; c < count; c++) {
            double part = (double)sum[c] / add, delta = (double)shift[c] + part - mean[c];
            squares[c] +=
                (double)square[c] - part * (double)sum[c] + delta * delta * (n * add / all);
            mean[c] += delta * (add / all);
        }
        n = all;
    }
    for (int64_t c = 0; c < count; c++) {
        double variance = squares[c] > 0 ? squares[c] / n : 0;
        j->mean[first + c] = (float)mean[c];
        if (j->args != NULL)
            set_factors(j, first + c, mean[c], variance);
        else
            j->gain[first + c] = (float)variance; /* until share_groups, share_response */
    }
}

static void apply_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    vx_cpu_columns f = {.mean = j->mean, .gain = j->gain, .bias = j->bias, .act = j->act};
    if (j->args != NULL && j->args->alpha) f.turn = j->turn, f.amount = j->amount;
    column_apply[j->level](&f, j->x, j->out, tile * j->apply_rows,
                           rows_in(j->rows, j->apply_rows, tile));
}

/* Lays the parts and factors out in the scratch and fills in what the passes go by. */
static void set_up(job *j, const vx_tensor *x, const vx_tensor *out, void *scratch)
{
    j->x = x, j->out = out, j->parts = scratch;
    j->cols = vx_cols(x), j->rows = vx_rows(x);
    j->sum_rows = sum_rows_of(x);
    j->sum_tiles = vx_cpu_tiles(j->rows, j->sum_rows);
    j->apply_rows = vx_cpu_pass_rows(j->cols);
    j->mean = j->parts + j->sum_tiles * 3 * j->cols;
    j->gain = j->mean + j->cols;
    j->bias = j->gain + j->cols, j->turn = j->bias + j->cols, j->amount = j->turn + j->cols;
}

static vx_status measure(vx_ctx *ctx, job *j)
{
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, j->sum_tiles, sum_tile, j));
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(j->cols, MERGE_COLS), merge_tile,
                       j);
}

static vx_status apply(vx_ctx *ctx, job *j)
{
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(j->rows, j->apply_rows),
                       apply_tile, j);
}

vx_status vx_cpu_instance_norm(vx_ctx *ctx, const vx_instance_norm_args *a, void *scratch)
{
    job j = {.args = a, .act = a->act, .level = vx_cpu_of(ctx->backend)->level};
    set_up(&j, a->x, a->out, scratch);
    VX_TRY(measure(ctx, &j));
    VX_TRY(apply(ctx, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_cpu_column_factors(vx_ctx *ctx, const vx_instance_norm_args *a, void *scratch,
                                vx_cpu_columns *factors)
{
    job j = {.args = a, .level = vx_cpu_of(ctx->backend)->level};
    set_up(&j, a->x, NULL, scratch);
    VX_TRY(measure(ctx, &j));
    *factors = (vx_cpu_columns){.mean = j.mean, .gain = j.gain, .bias = j.bias};
    return VX_OK;
}

/* ---- group_norm ---------------------------------------------------------------------------- */

static vx_tensor image_of(const vx_tensor *t, int64_t n)
{
    int64_t rows = vx_rows(t) / t->dim[0];
    return vx_slice_rows(t, n * rows, rows);
}

size_t vx_cpu_group_norm_scratch(vx_backend *backend, const vx_group_norm_args *a)
{
    (void)backend;
    vx_tensor image = image_of(a->x, 0);
    int64_t tiles = vx_cpu_tiles(vx_rows(&image), sum_rows_of(&image));
    return (size_t)((3 * tiles + 5) * vx_cols(a->x)) * sizeof(float);
}

/* The columns of a group get one mean and one variance: the mean of their variances plus the
 * variance of their means. */
static void share_groups(const job *j, const vx_group_norm_args *a)
{
    int64_t width = j->cols / a->groups;
    for (int64_t first = 0; first < j->cols; first += width) {
        double mean = 0, variance = 0;
        for (int64_t c = first; c < first + width; c++)
            mean += (double)j->mean[c] / (double)width;
        for (int64_t c = first; c < first + width; c++) {
            double delta = (double)j->mean[c] - mean;
            variance += ((double)j->gain[c] + delta * delta) / (double)width;
        }
        for (int64_t c = first; c < first + width; c++) {
            j->mean[c] = (float)mean;
            double gain = at(a->gamma, c, 1) / sqrt(variance + (double)a->eps);
            j->gain[c] = (float)gain;
            j->bias[c] = (float)(at(a->beta, c, 0) + ((double)j->mean[c] - mean) * gain);
        }
    }
}

vx_status vx_cpu_group_norm(vx_ctx *ctx, const vx_group_norm_args *a, void *scratch)
{
    for (int64_t n = 0; n < a->x->dim[0]; n++) {
        vx_tensor x = image_of(a->x, n), out = a->out != NULL ? image_of(a->out, n) : x;
        job j = {.act = a->act, .level = vx_cpu_of(ctx->backend)->level};
        set_up(&j, &x, &out, scratch);
        if (a->out != NULL && a->factors != NULL) {
            j.mean = vx_host(a->factors->data);
            j.gain = j.mean + j.cols, j.bias = j.gain + j.cols;
        } else {
            VX_TRY(measure(ctx, &j));
            share_groups(&j, a);
        }
        if (a->out != NULL)
            VX_TRY(apply(ctx, &j));
        else /* the three lie one after the other in the scratch, too */
            memcpy(vx_host(a->factors->data), j.mean, (size_t)(3 * j.cols) * sizeof(float));
    }
    return VX_OK;
}

/* ---- response_norm -------------------------------------------------------------------------- */

size_t vx_cpu_response_norm_scratch(vx_backend *backend, const vx_response_norm_args *a)
{
    vx_instance_norm_args norm = {.x = a->x};
    return vx_cpu_instance_norm_scratch(backend, &norm);
}

/* A column's length is sqrt(rows*(variance + mean^2)); then x*(1 + gamma*N) + beta. */
static void share_response(const job *j, const vx_response_norm_args *a)
{
    double total = 0;
    for (int64_t c = 0; c < j->cols; c++) {
        double mean = (double)j->mean[c];
        j->gain[c] = (float)sqrt((double)j->rows * ((double)j->gain[c] + mean * mean));
        total += (double)j->gain[c];
    }
    double least = total / (double)j->cols + (double)a->eps;
    for (int64_t c = 0; c < j->cols; c++) {
        j->mean[c] = 0;
        j->gain[c] = (float)(1 + at(a->gamma, c, 1) * (double)j->gain[c] / least);
        j->bias[c] = (float)at(a->beta, c, 0);
    }
}

vx_status vx_cpu_response_norm(vx_ctx *ctx, const vx_response_norm_args *a, void *scratch)
{
    job j = {.level = vx_cpu_of(ctx->backend)->level};
    set_up(&j, a->x, a->out, scratch);
    VX_TRY(measure(ctx, &j));
    share_response(&j, a);
    VX_TRY(apply(ctx, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
