#include "backend/cpu/product.h"

#include <stdatomic.h>

#include "backend/cpu/codes.h"
#include "backend/cpu/quantise.h"

/* Panels of one unit of work. Few units would leave workers idle at the end, many would convert the
 * same rows again and again; where rows need conversion, a unit takes twice as many. */
enum { GROUP = 4, GROUP_CONVERTING = 8 };
/* Rows of one unit where panels are decoded: it costs as much as the product of about ten rows. */
enum { CHUNK_ROWS = 1024 };

typedef struct run {
    const vx_cpu *cpu;
    const vx_cpu_job *job;
    bool convert;
    int64_t group, groups;                           /* panels of one, their number */
    int64_t tiles, first_of_size[VX_TILE_SIZES + 1]; /* of rows */
    int64_t chunk, chunks;                           /* tiles of one, their number; for codes */
    const char *x;                                   /* for codes: the rows in the compute type */
    char *scratch;
    size_t slice, window_offset, scratchpad_offset;
    atomic_bool failed;
} run;

int64_t vx_cpu_cut(int64_t rows, int64_t first[VX_TILE_SIZES + 1])
{
    int64_t tiles = 0;
    for (int i = 0; i < VX_TILE_SIZES; i++) {
        first[i] = tiles;
        tiles += rows / vx_tile_rows[i];
        rows %= vx_tile_rows[i];
    }
    first[VX_TILE_SIZES] = tiles;
    return tiles;
}

int vx_cpu_tile(const int64_t first[VX_TILE_SIZES + 1], int64_t tile, int64_t *row)
{
    int size = 0;
    *row = 0;
    while (tile >= first[size + 1]) {
        *row += (first[size + 1] - first[size]) * vx_tile_rows[size];
        size++;
    }
    *row += (tile - first[size]) * vx_tile_rows[size];
    return size;
}

vx_status vx_cpu_product_failed(vx_error *err)
{
    return vx_fail(err, VX_ERR_INTERNAL, "onednn",
                   "oneDNN failed to run a product; this is a fault of Vortex or of oneDNN, please "
                   "report the command");
}

static int64_t window_rows(const vx_cpu_layout *l, int64_t rows)
{
    return (rows - 1) * l->stride + (l->taps - 1) * l->dilation + 1;
}

static size_t scratchpad_bytes(const vx_cpu_layout *l)
{
    size_t last = vx_product_scratch_bytes(l->last);
    size_t full = l->full ? vx_product_scratch_bytes(l->full) : 0;
    return vx_align_up(full > last ? full : last);
}

/* A worker's slice: the private tile, oneDNN's scratchpad, and the converted window or the decoded
 * panel. */
static size_t slice_bytes(const vx_cpu_layout *l)
{
    size_t elements = l->codes ? (size_t)(vx_codes_rows(l->in) * VX_PANEL)
                               : (size_t)(window_rows(l, VX_TILE_ROWS) * l->in);
    return vx_align_up(VX_TILE_ROWS * VX_PANEL * sizeof(float)) + scratchpad_bytes(l) +
           vx_align_up(elements * vx_dtype_bytes(l->type));
}

static bool converts(const vx_cpu_job *job)
{
    return job->x_dtype != job->layout->type || job->x_ld != job->layout->in;
}

/* For codes, every panel reads every row: rows that need conversion are converted once. */
static size_t rows_bytes(const vx_cpu_job *job)
{
    const vx_cpu_layout *l = job->layout;
    if (!l->codes || !converts(job)) return 0;
    return vx_align_up((size_t)(job->rows * l->in) * vx_dtype_bytes(l->type));
}

size_t vx_cpu_job_scratch(const vx_cpu *cpu, const vx_cpu_job *job)
{
    return rows_bytes(job) + slice_bytes(job->layout) * (size_t)cpu->backend.workers;
}

/* Finishes one tile; the borders of a transposed convolution row by row. */
static void finish(const run *r, const float *tile, int64_t row, int64_t rows, int64_t col,
                   int64_t cols)
{
    const vx_cpu_job *job = r->job;
    vx_tile_finish_fn fn = vx_tile_finish[r->cpu->level];
    int64_t last = row + rows;
    if (row == 0 && job->head > 0) {
        int64_t skip = job->head - col;
        if (skip < 0) skip = 0;
        if (skip < cols) fn(&job->epilogue, tile + skip, cols, 0, 1, col + skip, cols - skip);
        row++;
        tile += cols;
    }
    if (last == job->rows && job->tail < r->job->layout->columns) {
        last--;
        int64_t keep = job->tail - col;
        if (keep > cols) keep = cols;
        if (keep > 0) fn(&job->epilogue, tile + (last - row) * cols, cols, last, 1, col, keep);
    }
    if (last > row) fn(&job->epilogue, tile, cols, row, last - row, col, cols);
}

static void unit(void *arg, int64_t index, int worker)
{
    run *r = arg;
    const vx_cpu_job *job = r->job;
    const vx_cpu_layout *l = job->layout;
    char *slice = r->scratch + (size_t)worker * r->slice;
    float *tile = (float *)(void *)slice;
    /* All tiles of a group before the next group, so that weights stream from memory once. */
    int64_t row, group = index / r->tiles;
    int size = vx_cpu_tile(r->first_of_size, index % r->tiles, &row);
    int64_t rows = vx_tile_rows[size];

    const char *x =
        (const char *)job->x + row * l->stride * job->x_ld * (int64_t)vx_dtype_bytes(job->x_dtype);
    if (r->convert) {
        void *window = slice + r->window_offset;
        if (l->type == VX_U8)
            vx_quantise(x, job->x_dtype, job->x_ld, window_rows(l, rows), l->in, job->inverse_scale,
                        job->zero, window);
        else
            vx_tile_convert[r->cpu->level](x, job->x_dtype, job->x_ld, window_rows(l, rows), l->in,
                                           window, l->type);
        x = window;
    }
    int64_t end = (group + 1) * r->group;
    if (end > l->panels) end = l->panels;
    for (int64_t p = group * r->group; p < end; p++) {
        const vx_product *product = p == l->panels - 1 ? l->last : l->full;
        int64_t cols = p == l->panels - 1 ? l->columns - p * VX_PANEL : VX_PANEL;
        const char *weights = (const char *)job->weights + (size_t)p * l->panel_bytes;
        if (!vx_product_run(product, size, x, weights, tile, slice + r->scratchpad_offset)) {
            atomic_store(&r->failed, true);
            return;
        }
        finish(r, tile, row, rows, p * VX_PANEL, cols);
    }
}

static void convert_tile(void *arg, int64_t index, int worker)
{
    (void)worker;
    const run *r = arg;
    const vx_cpu_job *job = r->job;
    int64_t in = job->layout->in, step = vx_cpu_pass_rows(in), first = index * step;
    int64_t rows = job->rows - first < step ? job->rows - first : step;
    vx_tile_convert[r->cpu->level](
        (const char *)job->x + first * job->x_ld * (int64_t)vx_dtype_bytes(job->x_dtype),
        job->x_dtype, job->x_ld, rows, in,
        r->scratch + (size_t)(first * in) * vx_dtype_bytes(job->layout->type), job->layout->type);
}

/* One panel of codes, decoded, and one chunk of tiles. */
static void codes_unit(void *arg, int64_t index, int worker)
{
    run *r = arg;
    const vx_cpu_job *job = r->job;
    const vx_cpu_layout *l = job->layout;
    char *slice = r->scratch + rows_bytes(job) + (size_t)worker * r->slice;
    float *tile = (float *)(void *)slice;
    char *decoded = slice + r->window_offset;
    int64_t panel = index / r->chunks, chunk = index % r->chunks;
    bool is_last = panel == l->panels - 1;
    const vx_product *product = is_last ? l->last : l->full;
    int64_t cols = is_last ? l->columns - panel * VX_PANEL : VX_PANEL;
    vx_codes_decode(r->cpu->level, l, job->weights, panel, decoded);
    int64_t end = (chunk + 1) * r->chunk;
    if (end > r->tiles) end = r->tiles;
    for (int64_t i = chunk * r->chunk; i < end; i++) {
        int64_t row;
        int size = vx_cpu_tile(r->first_of_size, i, &row);
        const char *x = r->x + (size_t)(row * l->in) * vx_dtype_bytes(l->type);
        if (!vx_product_run(product, size, x, decoded, tile, slice + r->scratchpad_offset)) {
            atomic_store(&r->failed, true);
            return;
        }
        finish(r, tile, row, vx_tile_rows[size], panel * VX_PANEL, cols);
    }
}

static vx_status run_codes(vx_ctx *ctx, run *r)
{
    const vx_cpu_job *job = r->job;
    r->x = job->x;
    if (r->convert) {
        int64_t passes = vx_cpu_tiles(job->rows, vx_cpu_pass_rows(job->layout->in));
        r->x = r->scratch;
        VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, passes, convert_tile, r));
    }
    r->chunks = vx_cpu_tiles(job->rows, CHUNK_ROWS);
    r->chunk = vx_cpu_tiles(r->tiles, r->chunks);
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, job->layout->panels * r->chunks, codes_unit,
                       r);
}

vx_status vx_cpu_job_run(vx_ctx *ctx, const vx_cpu_job *job, void *scratch)
{
    const vx_cpu *cpu = vx_cpu_of(ctx->backend);
    const vx_cpu_layout *l = job->layout;
    assert(vx_pool_workers(vx_cpu_pool(ctx)) <= cpu->backend.workers);
    run r = {.cpu = cpu, .job = job, .scratch = scratch, .slice = slice_bytes(l)};
    r.convert = converts(job);
    r.group = r.convert ? GROUP_CONVERTING : GROUP;
    r.groups = vx_cpu_tiles(l->panels, r.group);
    r.scratchpad_offset = vx_align_up(VX_TILE_ROWS * VX_PANEL * sizeof(float));
    r.window_offset = r.scratchpad_offset + scratchpad_bytes(l);
    r.tiles = vx_cpu_cut(job->rows, r.first_of_size);
    if (l->codes)
        VX_TRY(run_codes(ctx, &r));
    else
        VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, r.tiles * r.groups, unit, &r));
    if (atomic_load(&r.failed)) return vx_cpu_product_failed(ctx->err);
    return VX_OK;
}
