/* copy, gather, broadcast, blend, gate and depthwise_up2 on the CPU: tiles of rows.
 *
 * Where all tensors of an op are dense, their rows are one long row, cut into pieces of PIECE
 * elements: a column [86401, 1] then costs no more than a row. */
#include "backend/cpu/elementwise.h"

static void (*const convert_row[VX_CPU_LEVELS])(const void *, vx_dtype, void *, vx_dtype,
                                                int64_t) = VX_SIMD_TABLE(vx_cpu_convert_row);
static void (*const blend_row[VX_CPU_LEVELS])(const vx_blend_args *, const void *const[3], void *,
                                              int64_t) = VX_SIMD_TABLE(vx_cpu_blend_row);
static void (*const gate_row[VX_CPU_LEVELS])(const vx_gate_args *, const void *, const void *,
                                             void *, int64_t) = VX_SIMD_TABLE(vx_cpu_gate_row);
static void (*const up2_row[VX_CPU_LEVELS])(const vx_depthwise_up2_args *, const float *,
                                            const void *, const void *, void *,
                                            void *) = VX_SIMD_TABLE(vx_cpu_up2_row);

/* ---- rows, or pieces of one row ------------------------------------------------------------- */

enum { PIECE = 4096 };

/* How an elementwise op walks its tensors. */
typedef struct walk {
    int64_t rows, cols; /* as walked: a piece counts as a row */
    int64_t last;       /* columns of the last row */
    bool dense;
} walk;

static walk walk_over(const vx_tensor *out, int n, const vx_tensor *const x[])
{
    walk w = {.rows = vx_rows(out), .cols = vx_cols(out), .last = vx_cols(out)};
    w.dense = vx_dense(out);
    for (int i = 0; i < n; i++)
        w.dense = w.dense && vx_dense(x[i]);
    int64_t all = vx_elements(out);
    if (!w.dense || all == 0) return w;
    w.rows = (all + PIECE - 1) / PIECE;
    w.cols = PIECE;
    w.last = all - (w.rows - 1) * PIECE;
    return w;
}

static void *row_at(const walk *w, const vx_tensor *t, int64_t r)
{
    if (!w->dense) return vx_row(t, r);
    return (char *)vx_host(t->data) + (size_t)(r * PIECE) * vx_dtype_bytes(t->dtype);
}

/* One op under way. */
typedef struct job {
    walk walk;
    vx_cpu_level level;
    int64_t rows_of_tile;
    const void *args;
    const float *taps;
} job;

static vx_status run(vx_ctx *ctx, job *j, vx_tile_fn tile)
{
    j->level = vx_cpu_of(ctx->backend)->level;
    j->rows_of_tile = vx_cpu_pass_rows(j->walk.cols);
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(j->walk.rows, j->rows_of_tile),
                       tile, j);
}

#define EACH_ROW_OF_TILE(j, tile, r)                                                               \
    for (int64_t r = (tile) * (j)->rows_of_tile, r##_end = r + (j)->rows_of_tile < (j)->walk.rows  \
                                                               ? r + (j)->rows_of_tile             \
                                                               : (j)->walk.rows;                   \
         r < r##_end; r++)

static int64_t row_cols(const job *j, int64_t r)
{
    return r + 1 == j->walk.rows ? j->walk.last : j->walk.cols;
}

/* ---- moving --------------------------------------------------------------------------------- */

static void move_row(vx_cpu_level level, const void *src, vx_dtype from, void *dst, vx_dtype to,
                     int64_t n)
{
    if (from == to)
        memcpy(dst, src, (size_t)n * vx_dtype_bytes(to));
    else
        convert_row[level](src, from, dst, to, n);
}

static void copy_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_copy_args *a = j->args;
    EACH_ROW_OF_TILE(j, tile, r)
    move_row(j->level, row_at(&j->walk, a->x, r), a->x->dtype, row_at(&j->walk, a->out, r),
             a->out->dtype, row_cols(j, r));
}

vx_status vx_cpu_copy(vx_ctx *ctx, const vx_copy_args *a, void *scratch)
{
    (void)scratch;
    job j = {.walk = walk_over(a->out, 1, &a->x), .args = a};
    VX_TRY(run(ctx, &j, copy_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* Rows that are not walked as pieces: each has its own source. */
static walk row_walk(const vx_tensor *out)
{
    return (walk){.rows = vx_rows(out), .cols = vx_cols(out), .last = vx_cols(out)};
}

static void gather_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_gather_args *a = j->args;
    const int32_t *index = vx_host(a->index->data);
    EACH_ROW_OF_TILE(j, tile, r)
    {
        assert(index[r] >= 0 && index[r] < vx_rows(a->table));
        move_row(j->level, vx_row(a->table, index[r]), a->table->dtype, vx_row(a->out, r),
                 a->out->dtype, j->walk.cols);
    }
}

vx_status vx_cpu_gather(vx_ctx *ctx, const vx_gather_args *a, void *scratch)
{
    (void)scratch;
    job j = {.walk = row_walk(a->out), .args = a};
    VX_TRY(run(ctx, &j, gather_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

static void broadcast_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_broadcast_args *a = j->args;
    EACH_ROW_OF_TILE(j, tile, r)
    move_row(j->level, vx_host(a->x->data), a->x->dtype, vx_row(a->out, r), a->out->dtype,
             j->walk.cols);
}

vx_status vx_cpu_broadcast(vx_ctx *ctx, const vx_broadcast_args *a, void *scratch)
{
    (void)scratch;
    job j = {.walk = row_walk(a->out), .args = a};
    VX_TRY(run(ctx, &j, broadcast_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- elementwise ---------------------------------------------------------------------------- */

static void blend_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_blend_args *a = j->args;
    EACH_ROW_OF_TILE(j, tile, r)
    {
        const void *x[3] = {NULL};
        for (int i = 0; i < a->n; i++)
            x[i] = row_at(&j->walk, a->x[i], r);
        blend_row[j->level](a, x, row_at(&j->walk, a->out, r), row_cols(j, r));
    }
}

vx_status vx_cpu_blend(vx_ctx *ctx, const vx_blend_args *a, void *scratch)
{
    (void)scratch;
    job j = {.walk = a->slopes != NULL ? row_walk(a->out) : walk_over(a->out, a->n, a->x),
             .args = a};
    VX_TRY(run(ctx, &j, blend_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

static void gate_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_gate_args *a = j->args;
    EACH_ROW_OF_TILE(j, tile, r)
    gate_row[j->level](a, row_at(&j->walk, a->x, r), row_at(&j->walk, a->y, r),
                       row_at(&j->walk, a->out, r), row_cols(j, r));
}

vx_status vx_cpu_gate(vx_ctx *ctx, const vx_gate_args *a, void *scratch)
{
    (void)scratch;
    job j = {.walk = walk_over(a->out, 2, (const vx_tensor *const[]){a->x, a->y}), .args = a};
    VX_TRY(run(ctx, &j, gate_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- depthwise_up2 -------------------------------------------------------------------------- */

/* The three taps and the bias, each as a row of its own. */
size_t vx_cpu_depthwise_up2_scratch(vx_backend *backend, const vx_depthwise_up2_args *a)
{
    (void)backend;
    return (size_t)vx_cols(a->x) * 4 * sizeof(float);
}

static void up2_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_depthwise_up2_args *a = j->args;
    EACH_ROW_OF_TILE(j, tile, r)
    up2_row[j->level](a, j->taps, vx_row(a->x, r),
                      r + 1 < j->walk.rows ? vx_row(a->x, r + 1) : NULL, vx_row(a->out, 2 * r),
                      vx_row(a->out, 2 * r + 1));
}

vx_status vx_cpu_depthwise_up2(vx_ctx *ctx, const vx_depthwise_up2_args *a, void *scratch)
{
    int64_t cols = vx_cols(a->x);
    float *taps = scratch;
    for (int64_t c = 0; c < cols; c++) {
        for (int k = 0; k < 3; k++)
            taps[k * cols + c] = ((const float *)vx_host(a->weight->data))[3 * c + k];
        taps[3 * cols + c] = a->bias ? ((const float *)vx_host(a->bias->data))[c] : 0;
    }
    job j = {.walk = row_walk(a->x), .args = a, .taps = taps};
    VX_TRY(run(ctx, &j, up2_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
