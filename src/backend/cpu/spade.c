/* spade on the CPU: the columns' factors as for instance_norm, or from given statistics; then
 * tiles of output pixels. */
#include "backend/cpu/spade.h"

static void (*const spade_rows[VX_CPU_LEVELS])(const vx_spade_args *, const vx_cpu_columns *,
                                               int64_t,
                                               int64_t) = VX_SIMD_TABLE_BF16(vx_cpu_spade_rows);

typedef struct job {
    const vx_spade_args *args;
    vx_cpu_columns factors;
    vx_cpu_level level;
    int64_t tile_rows;
} job;

static vx_instance_norm_args norm_of(const vx_spade_args *a)
{
    return (vx_instance_norm_args){.x = a->x, .eps = a->eps};
}

size_t vx_cpu_spade_scratch(vx_backend *backend, const vx_spade_args *a)
{
    vx_instance_norm_args norm = norm_of(a);
    return a->mean ? 3 * (size_t)vx_cols(a->x) * sizeof(float)
                   : vx_cpu_instance_norm_scratch(backend, &norm);
}

static vx_cpu_columns given_factors(const vx_spade_args *a, float *scratch)
{
    int64_t cols = vx_cols(a->x);
    const float *var = vx_host(a->var->data);
    float *mean = scratch, *gain = scratch + cols, *bias = scratch + 2 * cols;
    for (int64_t c = 0; c < cols; c++) {
        mean[c] = ((const float *)vx_host(a->mean->data))[c];
        gain[c] = (float)(1 / sqrt((double)var[c] + (double)a->eps));
        bias[c] = 0;
    }
    return (vx_cpu_columns){.mean = mean, .gain = gain, .bias = bias};
}

static void spade_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    int64_t first = tile * j->tile_rows, left = vx_rows(j->args->out) - first;
    spade_rows[j->level](j->args, &j->factors, first, left < j->tile_rows ? left : j->tile_rows);
}

vx_status vx_cpu_spade(vx_ctx *ctx, const vx_spade_args *a, void *scratch)
{
    job j = {.args = a,
             .level = vx_cpu_of(ctx->backend)->level,
             .tile_rows = vx_cpu_pass_rows(vx_cols(a->x))};
    if (a->mean) {
        j.factors = given_factors(a, scratch);
    } else {
        vx_instance_norm_args norm = norm_of(a);
        VX_TRY(vx_cpu_column_factors(ctx, &norm, scratch, &j.factors));
    }
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(vx_rows(a->out), j.tile_rows),
                       spade_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
