/* Running filters over planes and volumes; see plane.h. */
#include <stdatomic.h>

#include "backend/cpu/plane.h"
#include "backend/cpu/product.h"

/* Panels whose partial sums a worker keeps at once: 8 tiles of 16 KB and the gathered inputs stay in its L2
 * cache, and the inputs are gathered once for all of them. */
enum { GROUP = 8, TILE_FLOATS = VX_TILE_ROWS * VX_PANEL };

typedef struct run {
    const vx_cpu *cpu;
    const vx_conv_args *a;
    const vx_cpu_plane *l;
    int64_t depth, height, width;      /* of x */
    int64_t out_h, out_w;              /* of out */
    int64_t cells_d, cells_h, cells_w; /* outputs of one phase: depth, rows, columns */
    int64_t cells;                     /* all of them, images included */
    int64_t groups, tiles, first_of_size[VX_TILE_SIZES + 1];
    char *scratch;
    size_t slice, part_offset, gather_offset, scratchpad_offset;
    atomic_bool failed;
} run;

static size_t align(size_t bytes)
{
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

static int64_t widest(const vx_cpu_plane *l)
{
    int64_t taps = 1;
    for (int x = 0; x < l->width.phases; x++)
        taps = l->width.phase[x].taps > taps ? l->width.phase[x].taps : taps;
    return taps;
}

static size_t scratchpad_bytes(const vx_cpu_plane *l)
{
    size_t bytes = 0;
    for (int x = 0; x < l->width.phases; x++) {
        size_t full = vx_product_scratch_bytes(l->full[x]),
               last = vx_product_scratch_bytes(l->last[x]);
        bytes = full > bytes ? full : bytes;
        bytes = last > bytes ? last : bytes;
    }
    return align(bytes);
}

/* A worker's slice: sums of a group, one partial tile, gathered inputs, oneDNN's scratchpad. */
static size_t gather_bytes(const vx_cpu_plane *l)
{
    return align((size_t)(VX_TILE_ROWS * widest(l) * l->key.in) * vx_dtype_bytes(l->type));
}

static size_t slice_bytes(const vx_cpu_plane *l)
{
    return (GROUP + 1) * TILE_FLOATS * sizeof(float) + gather_bytes(l) + scratchpad_bytes(l);
}

/* A 1 × 1 filter is a linear layer over pixels. */
static vx_cpu_job pixels_job(const vx_conv_args *a)
{
    vx_cpu_job job = {.layout = a->w->layout,
                      .weights = a->w->data,
                      .x = a->x->data,
                      .x_dtype = a->x->dtype,
                      .x_ld = a->x->ld,
                      .rows = vx_rows(a->out),
                      .tail = a->w->out};
    job.epilogue = (vx_epilogue){.bias = a->bias ? a->bias->data : NULL,
                                 .act = a->act,
                                 .out = a->out->data,
                                 .out_dtype = a->out->dtype,
                                 .out_ld = a->out->ld};
    if (a->residual != NULL) {
        job.epilogue.residual = a->residual->data;
        job.epilogue.residual_dtype = a->residual->dtype;
        job.epilogue.residual_ld = a->residual->ld;
    }
    return job;
}

size_t vx_cpu_conv_scratch(vx_backend *backend, const vx_conv_args *a)
{
    const vx_cpu *cpu = vx_cpu_of(backend);
    if (!vx_cpu_is_plane(a->w)) {
        vx_cpu_job job = pixels_job(a);
        return vx_cpu_job_scratch(cpu, &job);
    }
    return slice_bytes(a->w->layout) * (size_t)cpu->backend.workers;
}

/* ---- gathering ----------------------------------------------------------------------------- */

/* A cell: which output of its phase. */
typedef struct cell {
    int64_t n, d, h, w;
} cell;

static cell cell_of(const run *r, int64_t index)
{
    cell c = {.w = index % r->cells_w};
    index /= r->cells_w;
    c.h = index % r->cells_h;
    index /= r->cells_h;
    c.d = index % r->cells_d;
    c.n = index / r->cells_d;
    return c;
}

/* One pixel's inputs under a row of taps: `taps` neighbouring pixels from column `first` of row (n, d, h),
 * zero where that is padding, at place `to` in the type of the products. False when all of it is. */
static bool gather_pixel(const run *r, cell at, int64_t d, int64_t h, int64_t first, int64_t taps,
                         char *to)
{
    int64_t in = r->l->key.in;
    size_t size = vx_dtype_bytes(r->l->type), pixel = (size_t)in * size;
    int64_t begin = first < 0 ? -first : 0, end = first + taps > r->width ? r->width - first : taps;
    if (d < 0 || d >= r->depth || h < 0 || h >= r->height || begin >= end) {
        memset(to, 0, (size_t)taps * pixel);
        return false;
    }
    const vx_tensor *x = r->a->x;
    int64_t row = ((at.n * r->depth + d) * r->height + h) * r->width + first + begin;
    const void *from = vx_row(x, row);
    memset(to, 0, (size_t)begin * pixel);
    if (x->dtype == r->l->type)
        memcpy(to + (size_t)begin * pixel, from, (size_t)(end - begin) * pixel);
    else
        vx_tile_convert[r->cpu->level](from, x->dtype, in, end - begin, in,
                                       to + (size_t)begin * pixel, r->l->type);
    memset(to + (size_t)end * pixel, 0, (size_t)(taps - end) * pixel);
    return true;
}

/* The inputs of `rows` cells from `index` on; false when they are all padding. */
static bool gather(const run *r, int64_t index, int64_t rows, const vx_axis_phase *py,
                   const vx_axis_phase *px, int64_t kd, int64_t ky, char *to)
{
    const vx_cpu_plane *l = r->l;
    size_t stride = (size_t)(px->taps * l->key.in) * vx_dtype_bytes(l->type);
    bool any = false;
    cell at = cell_of(r, index);
    for (int64_t i = 0; i < rows; i++, to += stride) {
        int64_t d = at.d * l->depth.in_step + l->depth.phase[0].first + kd;
        int64_t h = at.h * l->height.in_step + py->first + ky;
        any |= gather_pixel(r, at, d, h, at.w * l->width.in_step + px->first, px->taps, to);
        if (++at.w == r->cells_w) at = cell_of(r, index + i + 1);
    }
    return any;
}

/* ---- one unit ------------------------------------------------------------------------------ */

static void add(float *sum, const float *part, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += part[i];
}

/* Writes a finished tile: runs of cells within one output row lie `out_step` pixels apart. */
static void finish(const run *r, int y, int x, int64_t index, int64_t rows, const float *tile,
                   int64_t col, int64_t cols)
{
    const vx_cpu_plane *l = r->l;
    const vx_tensor *out = r->a->out, *residual = r->a->residual;
    vx_epilogue e = {.bias = r->a->bias ? r->a->bias->data : NULL,
                     .act = r->a->act,
                     .out_dtype = out->dtype,
                     .out_ld = out->ld * l->width.out_step};
    for (int64_t done = 0; done < rows;) {
        cell at = cell_of(r, index + done);
        int64_t run_rows = r->cells_w - at.w < rows - done ? r->cells_w - at.w : rows - done;
        int64_t line = (at.n * r->cells_d + at.d) * r->out_h + at.h * l->height.out_step +
                       l->height.phase[y].out;
        int64_t pixel = line * r->out_w + at.w * l->width.out_step + l->width.phase[x].out;
        e.out = vx_row(out, pixel);
        if (residual != NULL) {
            e.residual = vx_row(residual, pixel);
            e.residual_dtype = residual->dtype;
            e.residual_ld = residual->ld * l->width.out_step;
        }
        vx_tile_finish[r->cpu->level](&e, tile + done * cols, cols, 0, run_rows, col, cols);
        done += run_rows;
    }
}

static void unit(void *arg, int64_t number, int worker)
{
    run *r = arg;
    const vx_cpu_plane *l = r->l;
    char *slice = r->scratch + (size_t)worker * r->slice, *inputs = slice + r->gather_offset;
    float *sums = (float *)(void *)slice, *part = (float *)(void *)(slice + r->part_offset);
    int64_t index, group = number / r->tiles % r->groups, phase = number / r->tiles / r->groups;
    int size = vx_cpu_tile(r->first_of_size, number % r->tiles, &index);
    int64_t rows = vx_tile_rows[size];
    int x = (int)(phase % l->width.phases), y = (int)(phase / l->width.phases);
    const vx_axis_phase *py = &l->height.phase[y], *px = &l->width.phase[x];
    int64_t first = group * GROUP, end = first + GROUP < l->panels ? first + GROUP : l->panels;
    size_t row_bytes = (size_t)(l->panels - 1) * l->full_bytes[x] + l->last_bytes[x];
    const char *weights = (const char *)r->a->w->data + l->offset[y][x];
    bool begun = false;
    for (int64_t k = 0; k < l->depth.phase[0].taps * py->taps; k++, weights += row_bytes) {
        if (!gather(r, index, rows, py, px, k / py->taps, k % py->taps, inputs)) continue;
        for (int64_t p = first; p < end; p++) {
            bool last = p == l->panels - 1;
            int64_t cols = last ? l->key.out - p * VX_PANEL : VX_PANEL;
            float *sum = sums + (p - first) * TILE_FLOATS;
            if (!vx_product_run(last ? l->last[x] : l->full[x], size, inputs,
                                weights + (size_t)p * l->full_bytes[x], begun ? part : sum,
                                slice + r->scratchpad_offset)) {
                atomic_store(&r->failed, true);
                return;
            }
            if (begun) add(sum, part, rows * cols);
        }
        begun = true;
    }
    for (int64_t p = first; p < end; p++) {
        int64_t cols = p == l->panels - 1 ? l->key.out - p * VX_PANEL : VX_PANEL;
        float *sum = sums + (p - first) * TILE_FLOATS;
        if (!begun) memset(sum, 0, (size_t)(rows * cols) * sizeof *sum);
        finish(r, y, x, index, rows, sum, p * VX_PANEL, cols);
    }
}

vx_status vx_cpu_conv(vx_ctx *ctx, const vx_conv_args *a, void *scratch)
{
    if (!vx_cpu_is_plane(a->w)) {
        assert(a->w->kernel[2] == 1 && a->w->stride[2] == 1);
        vx_cpu_job job = pixels_job(a);
        return vx_cpu_job_run(ctx, &job, scratch);
    }
    const vx_cpu_plane *l = a->w->layout;
    int rank = a->x->rank;
    run r = {.cpu = vx_cpu_of(ctx->backend),
             .a = a,
             .l = l,
             .scratch = scratch,
             .slice = slice_bytes(l)};
    r.depth = rank == 5 ? a->x->dim[1] : 1;
    r.height = a->x->dim[rank - 3];
    r.width = a->x->dim[rank - 2];
    r.out_h = a->out->dim[rank - 3];
    r.out_w = a->out->dim[rank - 2];
    r.cells_d = rank == 5 ? a->out->dim[1] : 1;
    r.cells_h = r.out_h / l->height.out_step;
    r.cells_w = r.out_w / l->width.out_step;
    r.cells = a->x->dim[0] * r.cells_d * r.cells_h * r.cells_w;
    r.groups = (l->panels + GROUP - 1) / GROUP;
    r.part_offset = GROUP * TILE_FLOATS * sizeof(float);
    r.gather_offset = r.part_offset + TILE_FLOATS * sizeof(float);
    r.scratchpad_offset = r.gather_offset + gather_bytes(l);
    r.tiles = vx_cpu_cut(r.cells, r.first_of_size);
    int64_t phases = l->height.phases * l->width.phases;
    VX_TRY(vx_pool_run(ctx->pool, ctx->cancel, r.tiles * r.groups * phases, unit, &r));
    if (atomic_load(&r.failed)) return vx_cpu_product_failed(ctx->err);
    return VX_OK;
}
