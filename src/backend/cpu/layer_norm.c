/* layer_norm on the CPU: tiles of rows, one row of sums per worker. */
#include "backend/cpu/layer_norm.h"

static void (*const layer_norm_row[VX_CPU_LEVELS])(const vx_layer_norm_args *, int64_t,
                                                   float *) = VX_SIMD_TABLE(vx_cpu_layer_norm_row);

typedef struct job {
    const vx_layer_norm_args *args;
    vx_cpu_level level;
    int64_t tile_rows;
    float *sums; /* [workers][stride] */
    size_t stride;
} job;

/* Floats between two workers' rows: whole cache lines. */
static size_t sum_stride(const vx_tensor *x)
{
    return ((size_t)vx_cols(x) + 15) & ~(size_t)15;
}

size_t vx_cpu_layer_norm_scratch(vx_backend *backend, const vx_layer_norm_args *a)
{
    return sum_stride(a->x) * (size_t)backend->workers * sizeof(float);
}

static void norm_tile(void *arg, int64_t tile, int worker)
{
    const job *j = arg;
    int64_t first = tile * j->tile_rows, end = first + j->tile_rows, rows = vx_rows(j->args->x);
    for (int64_t r = first; r < end && r < rows; r++)
        layer_norm_row[j->level](j->args, r, j->sums + (size_t)worker * j->stride);
}

vx_status vx_cpu_layer_norm(vx_ctx *ctx, const vx_layer_norm_args *a, void *scratch)
{
    job j = {.args = a,
             .level = vx_cpu_of(ctx->backend)->level,
             .tile_rows = vx_cpu_pass_rows(vx_cols(a->x)),
             .sums = scratch,
             .stride = sum_stride(a->x)};
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(vx_rows(a->x), j.tile_rows),
                       norm_tile, &j));
    vx_host_zero_halo(a->out);
    if (a->sum_out) vx_host_zero_halo(a->sum_out);
    return VX_OK;
}
