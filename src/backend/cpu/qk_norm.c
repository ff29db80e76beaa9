/* FLUX's query and key preparation: root mean square, weight and rotation, a row of heads at a time. */
#include <math.h>

#include "backend/cpu/tile.h"

/* Channels of a head that fit the row on the stack. */
enum { HEAD_MAX = 512 };

typedef struct job {
    const vx_qk_norm_args *args;
    vx_cpu_level level;
    int64_t rows_of_tile;
} job;

static void turn(float *y, const float *table, int64_t width)
{
    for (int64_t i = 0; i < width; i += 2) {
        float a = y[i], b = y[i + 1];
        y[i] = table[i] * a - table[i + 1] * b;
        y[i + 1] = table[i + 1] * a + table[i] * b;
    }
}

static void head(const job *j, int64_t row, int64_t first, int64_t width)
{
    const vx_qk_norm_args *a = j->args;
    const float *weight = a->weight->data;
    float y[HEAD_MAX], squares[16] = {0}, sum = 0;
    size_t in_bytes = vx_dtype_bytes(a->x->dtype), out_bytes = vx_dtype_bytes(a->out->dtype);
    vx_tile_convert[j->level]((const char *)vx_row(a->x, row) + (size_t)first * in_bytes,
                              a->x->dtype, width, 1, width, y, VX_F32);
    for (int64_t i = 0; i < width; i++)
        squares[i % 16] += y[i] * y[i];
    for (int i = 0; i < 16; i++)
        sum += squares[i];
    float factor = 1 / sqrtf(sum / (float)width + a->eps);
    for (int64_t i = 0; i < width; i++)
        y[i] *= factor * weight[i];
    if (a->table != NULL) turn(y, vx_row(a->table, row), width);
    vx_tile_convert[j->level](y, VX_F32, width, 1, width,
                              (char *)vx_row(a->out, row) + (size_t)first * out_bytes,
                              a->out->dtype);
}

static void tile(void *arg, int64_t index, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_qk_norm_args *a = j->args;
    int64_t cols = vx_cols(a->x), width = cols / a->heads, end = (index + 1) * j->rows_of_tile;
    if (end > vx_rows(a->x)) end = vx_rows(a->x);
    for (int64_t row = index * j->rows_of_tile; row < end; row++)
        for (int64_t first = 0; first < cols; first += width)
            head(j, row, first, width);
}

vx_status vx_cpu_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a, void *scratch)
{
    (void)scratch;
    assert(vx_cols(a->x) / a->heads <= HEAD_MAX);
    job j = {.args = a,
             .level = vx_cpu_of(ctx->backend)->level,
             .rows_of_tile = vx_cpu_pass_rows(vx_cols(a->x))};
    return vx_pool_run(ctx->pool, ctx->cancel, vx_cpu_tiles(vx_rows(a->x), j.rows_of_tile), tile,
                       &j);
}
