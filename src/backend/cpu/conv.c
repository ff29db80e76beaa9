/* Running filters over planes and volumes; see plane.h. */
#include "backend/cpu/amx.h"
#include "backend/cpu/plane.h"
#include "backend/cpu/product.h"
#include "backend/cpu/taps.h"

/* Panels whose sums a worker keeps at once: four tiles of 24 KB stay in its L2 cache with the
 * inputs, whose pointers, and conversion where the map has another type, are then shared by
 * four. */
enum { GROUP = 4, TILE_FLOATS = VX_TAPS_ROWS * VX_PANEL };

static const vx_taps_fn taps_f32[VX_CPU_LEVELS] = VX_SIMD_TABLE(vx_taps_f32);

typedef struct run {
    const vx_cpu *cpu;
    const vx_conv_args *a;
    const vx_cpu_plane *l;
    int64_t depth, height, width;      /* of x */
    int64_t out_h, out_w;              /* of out */
    int64_t cells_d, cells_h, cells_w; /* outputs of one phase: depth, rows, columns */
    int64_t cells;                     /* all of them, images included */
    int64_t groups, tiles;
    bool convert;
    const void *zeroes; /* one pixel */
    char *slices;
} run;

/* A worker's slice: sums of a group, the tile's pointers, and its inputs
 * where they are converted. */
typedef struct slice {
    size_t pointers, inputs, bytes;
} slice;

static size_t pixel_bytes(const vx_cpu_plane *l)
{
    return (size_t)l->words * sizeof(float);
}

static bool converts(const vx_conv_args *a)
{
    const vx_cpu_plane *l = a->w->layout;
    return a->x->dtype != l->type || (l->type == VX_BF16 && (l->key.in % 2 || a->x->ld % 2));
}

static slice slice_of(const vx_conv_args *a)
{
    const vx_cpu_plane *l = a->w->layout;
    int64_t taps = 1;
    for (int x = 0; x < l->width.phases; x++)
        taps = l->width.phase[x].taps > taps ? l->width.phase[x].taps : taps;
    /* Neighbouring pixels share inputs, unless the taps are fewer than the step. */
    int64_t pixels = VX_TAPS_ROWS * (taps > l->width.in_step ? taps : l->width.in_step);
    slice s = {.pointers = vx_align_up(GROUP * TILE_FLOATS * sizeof(float))};
    s.inputs = s.pointers + vx_align_up((size_t)(taps * VX_TAPS_ROWS) * sizeof(void *));
    s.bytes = s.inputs + (converts(a) ? vx_align_up((size_t)pixels * pixel_bytes(l)) : 0);
    return s;
}

/* A 1 × 1 filter is a linear layer over pixels. */
static vx_cpu_job pixels_job(const vx_conv_args *a)
{
    vx_cpu_job job = {.layout = a->w->layout,
                      .weights = vx_host(a->w->data),
                      .x = vx_host(a->x->data),
                      .x_dtype = a->x->dtype,
                      .x_ld = a->x->ld,
                      .rows = vx_rows(a->out),
                      .tail = a->w->out};
    job.epilogue = (vx_epilogue){.bias = a->bias ? vx_host(a->bias->data) : NULL,
                                 .act = a->act,
                                 .out = vx_host(a->out->data),
                                 .out_dtype = a->out->dtype,
                                 .out_ld = a->out->ld};
    if (a->residual != NULL) {
        job.epilogue.residual = vx_host(a->residual->data);
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
    return vx_align_up(pixel_bytes(a->w->layout)) +
           slice_of(a).bytes * (size_t)cpu->backend.workers;
}

/* ---- inputs -------------------------------------------------------------------------------- */

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

/* `count` pixels of x from `row` on, in the type of the products at `to`, whole words each. */
static void convert(const run *r, int64_t row, int64_t count, char *to)
{
    const vx_tensor *x = r->a->x;
    const vx_cpu_plane *l = r->l;
    int64_t in = l->key.in;
    bool whole = l->type == VX_F32 || in % 2 == 0;
    for (int64_t i = 0; i < count; i += whole ? count : 1) {
        char *pixel = to + (size_t)i * pixel_bytes(l);
        if (!whole) memset(pixel + pixel_bytes(l) - sizeof(float), 0, sizeof(float));
        vx_tile_convert[r->cpu->level](vx_row(x, row + i), x->dtype, x->ld, whole ? count : 1, in,
                                       pixel, l->type);
    }
}

/* Where the inputs of `count` neighbouring cells lie under one row of taps, which covers `taps`
 * pixels from column `first` of row (n, d, h) on. Returns the end of what was converted to `to`. */
static char *point_run(const run *r, cell at, int64_t d, int64_t h, int64_t first, int64_t count,
                       int64_t taps, const void **pointers, char *to)
{
    int64_t step = r->l->width.in_step, end = first + (count - 1) * step + taps;
    int64_t row = ((at.n * r->depth + d) * r->height + h) * r->width;
    int64_t low = first < 0 ? 0 : first, high = end < r->width ? end : r->width;
    const char *pixels = vx_row(r->a->x, row);
    size_t size = (size_t)r->a->x->ld * vx_dtype_bytes(r->a->x->dtype);
    if (r->convert && high > low) {
        convert(r, row + low, high - low, to);
        size = pixel_bytes(r->l);
        pixels = to - (size_t)low * size;
        to += (size_t)(high - low) * size;
    }
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < count; i++) {
            int64_t column = first + i * step + t;
            bool inside = column >= 0 && column < r->width;
            pointers[t * VX_TAPS_ROWS + i] = inside ? pixels + (size_t)column * size : r->zeroes;
        }
    return to;
}

/* Points at the inputs of `rows` cells from `index` on; false when they are all padding. */
static bool point(const run *r, int64_t index, int64_t rows, const vx_axis_phase *py,
                  const vx_axis_phase *px, int64_t kd, int64_t ky, const void **pointers, char *to)
{
    const vx_cpu_plane *l = r->l;
    bool any = false;
    for (int64_t t = 0; t < px->taps; t++)
        for (int64_t i = 0; i < VX_TAPS_ROWS; i++)
            pointers[t * VX_TAPS_ROWS + i] = r->zeroes;
    for (int64_t done = 0, count; done < rows; done += count) {
        cell at = cell_of(r, index + done);
        count = r->cells_w - at.w < rows - done ? r->cells_w - at.w : rows - done;
        int64_t d = at.d * l->depth.in_step + l->depth.phase[0].first + kd;
        int64_t h = at.h * l->height.in_step + py->first + ky + r->a->above;
        if (d < 0 || d >= r->depth || h < 0 || h >= r->height) continue;
        to = point_run(r, at, d, h, at.w * l->width.in_step + px->first, count, px->taps,
                       pointers + done, to);
        any = true;
    }
    return any;
}

/* ---- one unit ------------------------------------------------------------------------------ */

/* Writes a finished tile: runs of cells within one output row lie `out_step` pixels apart, and of
 * folded outputs the last cell of a row may hold fewer. */
static void finish(const run *r, int y, int x, int64_t index, int64_t rows, const float *tile,
                   int64_t panel)
{
    const vx_cpu_plane *l = r->l;
    bool last = panel == l->panels - 1;
    int64_t ld = last ? l->last : VX_PANEL, col = panel * VX_PANEL;
    int64_t cols = last ? l->key.out - col : VX_PANEL;
    const vx_tensor *out = r->a->out, *residual = r->a->residual;
    vx_epilogue e = {.bias = r->a->bias ? vx_host(r->a->bias->data) : NULL,
                     .act = r->a->act,
                     .out_dtype = out->dtype,
                     .out_ld = out->ld * l->width.out_step};
    for (int64_t done = 0; done < rows;) {
        cell at = cell_of(r, index + done);
        int64_t run_rows = r->cells_w - at.w < rows - done ? r->cells_w - at.w : rows - done;
        int64_t line = (at.n * r->cells_d + at.d) * r->out_h + at.h * l->height.out_step +
                       l->height.phase[y].out;
        for (int64_t f = 0; f < l->fold; f++) {
            int64_t column = at.w * l->width.out_step + l->width.phase[x].out + f;
            int64_t left = (r->out_w - column + l->width.out_step - 1) / l->width.out_step;
            e.out = vx_row(out, line * r->out_w + column);
            if (residual != NULL) {
                e.residual = vx_row(residual, line * r->out_w + column);
                e.residual_dtype = residual->dtype;
                e.residual_ld = residual->ld * l->width.out_step;
            }
            vx_tile_finish[r->cpu->level](&e, tile + done * ld + f * cols, ld, 0,
                                          left < run_rows ? left : run_rows, col, cols);
        }
        done += run_rows;
    }
}

/* The tile unit takes rows in sixteens; those that are too many read zeroes
 * and are not finished. */
static void taps_amx(const vx_taps *t)
{
    static_assert(VX_TAPS_ROWS % VX_AMX_ROWS == 0, "there is room");
    vx_amx_run(&(vx_amx){.row = t->row,
                         .taps = t->taps,
                         .words = t->words,
                         .weights = t->weights,
                         .weight_ld = t->cols,
                         .rows = vx_cpu_tiles(t->rows, VX_AMX_ROWS) * VX_AMX_ROWS,
                         .cols = t->cols,
                         .sum = t->sum,
                         .add = t->add});
}

static vx_taps_fn taps_fn(const run *r)
{
    if (r->l->type != VX_BF16) return taps_f32[r->cpu->level];
    return r->cpu->level == VX_CPU_AMX ? taps_amx : vx_taps_bf16;
}

static void unit(void *arg, int64_t number, int worker)
{
    const run *r = arg;
    const vx_cpu_plane *l = r->l;
    slice part = slice_of(r->a);
    char *base = r->slices + (size_t)worker * part.bytes;
    const void **pointers = (const void **)(void *)(base + part.pointers);
    float *sums = (float *)(void *)base;
    int64_t index = number % r->tiles * VX_TAPS_ROWS;
    int64_t rows = r->cells - index < VX_TAPS_ROWS ? r->cells - index : VX_TAPS_ROWS;
    int64_t group = number / r->tiles % r->groups, phase = number / r->tiles / r->groups;
    int x = (int)(phase % l->width.phases), y = (int)(phase / l->width.phases);
    const vx_axis_phase *py = &l->height.phase[y], *px = &l->width.phase[x];
    int64_t first = group * GROUP, end = first + GROUP < l->panels ? first + GROUP : l->panels;
    const float *weights =
        (const float *)(const void *)((const char *)vx_host(r->a->w->data) + l->offset[y][x]);
    int64_t panel_words = px->taps * l->words * VX_PANEL,
            row_words = px->taps * l->words * l->columns;
    vx_taps t = {.row = pointers, .taps = px->taps, .words = l->words};
    t.rows = (rows + VX_TAPS_STEP - 1) / VX_TAPS_STEP * VX_TAPS_STEP;
    vx_taps_fn fn = taps_fn(r);
    for (int64_t k = 0; k < l->depth.phase[0].taps * py->taps; k++) {
        if (!point(r, index, rows, py, px, k / py->taps, k % py->taps, pointers,
                   base + part.inputs))
            continue;
        for (int64_t p = first; p < end; p++) {
            t.weights = weights + k * row_words + p * panel_words;
            t.cols = p == l->panels - 1 ? l->last : VX_PANEL;
            t.sum = sums + (p - first) * TILE_FLOATS;
            fn(&t);
        }
        t.add = true;
    }
    for (int64_t p = first; p < end; p++) {
        float *sum = sums + (p - first) * TILE_FLOATS;
        if (!t.add) memset(sum, 0, TILE_FLOATS * sizeof *sum);
        finish(r, y, x, index, rows, sum, p);
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
    size_t zeroes = vx_align_up(pixel_bytes(l));
    run r = {.cpu = vx_cpu_of(ctx->backend), .a = a, .l = l, .zeroes = scratch};
    memset(scratch, 0, zeroes);
    r.slices = (char *)scratch + zeroes;
    r.convert = converts(a);
    r.depth = rank == 5 ? a->x->dim[1] : 1;
    r.height = a->x->dim[rank - 3];
    r.width = a->x->dim[rank - 2];
    r.out_h = a->out->dim[rank - 3];
    r.out_w = a->out->dim[rank - 2];
    r.cells_d = rank == 5 ? a->out->dim[1] : 1;
    r.cells_h = r.out_h / l->height.out_step;
    r.cells_w = vx_cpu_tiles(r.out_w, l->width.out_step);
    r.cells = a->x->dim[0] * r.cells_d * r.cells_h * r.cells_w;
    r.groups = vx_cpu_tiles(l->panels, GROUP);
    r.tiles = vx_cpu_tiles(r.cells, VX_TAPS_ROWS);
    int64_t phases = l->height.phases * l->width.phases;
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, r.tiles * r.groups * phases, unit, &r);
}
