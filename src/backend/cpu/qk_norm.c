/* FLUX's query and key preparation: root mean square, weight and rotation, a
 * row of heads at a time. */
#include "backend/cpu/qk_norm.h"

static void (*const qk_norm_row[VX_CPU_LEVELS])(const vx_qk_norm_args *,
                                                int64_t) = VX_SIMD_TABLE_BF16(vx_cpu_qk_norm_row);

typedef struct job {
    const vx_qk_norm_args *args;
    vx_cpu_level level;
    int64_t rows_of_tile;
} job;

static void tile(void *arg, int64_t index, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_qk_norm_args *a = j->args;
    int64_t end = (index + 1) * j->rows_of_tile;
    if (end > vx_rows(a->x)) end = vx_rows(a->x);
    for (int64_t row = index * j->rows_of_tile; row < end; row++)
        qk_norm_row[j->level](a, row);
}

vx_status vx_cpu_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a, void *scratch)
{
    (void)scratch;
    assert(vx_cols(a->x) / a->heads <= QK_HEAD_MAX);
    job j = {.args = a,
             .level = vx_cpu_of(ctx->backend)->level,
             .rows_of_tile = vx_cpu_pass_rows(vx_cols(a->x))};
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(vx_rows(a->x), j.rows_of_tile),
                       tile, &j);
}
