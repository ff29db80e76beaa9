/* motion_input, motion_field and warp on the CPU.
 *
 * A sparse motion shifts the whole volume, so sampling along it is three interpolations along the
 * axes, and a Gaussian is a product of three: tables of one entry per key point, axis and
 * position say it all. */
#include "backend/cpu/motion.h"

#include "backend/cpu/enlarge.h"

static void (*const motion_line[VX_CPU_LEVELS])(const vx_tensor *, const vx_motion_axis[3], bool,
                                                int64_t, int64_t, float *, float *,
                                                int64_t) = VX_SIMD_TABLE(vx_cpu_motion_line);
static void (*const field_rows[VX_CPU_LEVELS])(const vx_motion_field_args *, const float *, int64_t,
                                               int64_t, int64_t) = VX_SIMD_TABLE(vx_cpu_field_rows);
static void (*const weighted_rows[VX_CPU_LEVELS])(const void *const[8], const float[8], int,
                                                  vx_dtype, void *, vx_dtype,
                                                  int64_t) = VX_SIMD_TABLE(vx_cpu_weighted_rows);

/* Coordinate of position i of n, and the index that a coordinate samples (vx_grid). */
static double coordinate(vx_grid grid, int64_t i, int64_t n)
{
    if (grid == VX_GRID_CENTRES) return (2 * (double)i + 1) / (double)n - 1;
    return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : -1;
}
static double sample_index(double x, int64_t n)
{
    return ((x + 1) * (double)n - 1) / 2;
}

/* Where an index lies among n cells: the first of two, in range, and both weights, 0 outside. An
 * index that is no number counts as outside. */
typedef struct place {
    int64_t cell;
    float low, high;
} place;

static place place_of(double index, int64_t n)
{
    if (!(index > -1 && index < (double)n)) return (place){0};
    if (index < 0) return (place){.cell = 0, .low = (float)(index + 1)};
    int64_t cell = (int64_t)index;
    double high = index - (double)cell;
    if (cell + 1 < n) return (place){.cell = cell, .low = (float)(1 - high), .high = (float)high};
    /* The last cell, as the second of two where there are two. */
    if (n > 1) return (place){.cell = n - 2, .high = (float)(1 - high)};
    return (place){.cell = 0, .low = (float)(1 - high)};
}

/* ---- motion_input --------------------------------------------------------------------------- */

enum { TABLES = 5 }; /* cell, low, high, drive, rest */

typedef struct input_job {
    const vx_motion_input_args *args;
    vx_cpu_level level;
    vx_motion_axis *axis; /* [K+1][3], then their tables */
    float *lines;         /* [workers][line_floats] */
    int64_t line_floats;
} input_job;

static size_t whole_lines(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Floats of a worker: a combined line of features, then a line of results. */
static int64_t line_floats(const vx_motion_input_args *a)
{
    int64_t width = a->feature->dim[2];
    return (width * (vx_cols(a->feature) + vx_cols(a->out)) + 15) & ~15;
}

static size_t axis_bytes(const vx_motion_input_args *a)
{
    return whole_lines((size_t)(vx_rows(a->source) + 1) * 3 * sizeof(vx_motion_axis));
}

static size_t table_bytes(const vx_motion_input_args *a)
{
    const int64_t *n = a->feature->dim;
    return whole_lines((size_t)((vx_rows(a->source) + 1) * (n[0] + n[1] + n[2]) * TABLES) *
                       sizeof(float));
}

size_t vx_cpu_motion_input_scratch(vx_backend *backend, const vx_motion_input_args *a)
{
    return axis_bytes(a) + table_bytes(a) +
           (size_t)(line_floats(a) * backend->workers) * sizeof(float);
}

/* Tables of key point k (0: the background) along axis i (x, y, z) with n
 * positions; returns their end. */
static float *set_axis(const vx_motion_input_args *a, int64_t k, int i, int64_t n,
                       vx_motion_axis *axis, float *table)
{
    int32_t *cell = (int32_t *)table;
    float *low = table + n, *high = low + n, *drive = high + n, *rest = drive + n;
    double from = k > 0 ? ((const float *)vx_host(a->source->data))[(k - 1) * 3 + i] : 0;
    double to = k > 0 ? ((const float *)vx_host(a->driving->data))[(k - 1) * 3 + i] : 0;
    for (int64_t p = 0; p < n; p++) {
        double g = coordinate(a->grid, p, n);
        place at = place_of(sample_index(g + from - to, n), n);
        cell[p] = (int32_t)at.cell, low[p] = at.low, high[p] = at.high;
        drive[p] = (float)exp(-0.5 * (g - to) * (g - to) / (double)a->variance);
        rest[p] = (float)exp(-0.5 * (g - from) * (g - from) / (double)a->variance);
    }
    *axis = (vx_motion_axis){.cell = cell, .low = low, .high = high, .drive = drive, .rest = rest};
    axis->next = n > 1 ? 1 : 0;
    return table + TABLES * n;
}

/* A tile is one line (z, y). */
static void input_tile(void *arg, int64_t tile, int worker)
{
    const input_job *j = arg;
    const vx_motion_input_args *a = j->args;
    int64_t width = a->feature->dim[2], height = a->feature->dim[1], cols = vx_cols(a->out);
    int64_t step = vx_cols(a->feature) + 1;
    float *line = j->lines + j->line_floats * worker, *value = line + width * (step - 1);
    for (int64_t k = 0; k * step < cols; k++)
        motion_line[j->level](a->feature, j->axis + 3 * k, k > 0, tile / height, tile % height,
                              line, value + k * step, cols);
    const float one[8] = {1};
    for (int64_t x = 0; x < width; x++) {
        const void *from[8] = {value + x * cols};
        weighted_rows[j->level](from, one, 1, VX_F32, vx_row(a->out, tile * width + x),
                                a->out->dtype, cols);
    }
}

vx_status vx_cpu_motion_input(vx_ctx *ctx, const vx_motion_input_args *a, void *scratch)
{
    char *room = scratch;
    input_job j = {.args = a, .level = vx_cpu_of(ctx->backend)->level, .axis = scratch};
    float *table = (float *)(room + axis_bytes(a));
    for (int64_t k = 0; k <= vx_rows(a->source); k++)
        for (int i = 0; i < 3; i++)
            table = set_axis(a, k, i, a->feature->dim[2 - i], &j.axis[3 * k + i], table);
    j.lines = (float *)(room + axis_bytes(a) + table_bytes(a));
    j.line_floats = line_floats(a);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, a->feature->dim[0] * a->feature->dim[1],
                       input_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- motion_field --------------------------------------------------------------------------- */

typedef struct field_job {
    const vx_motion_field_args *args;
    vx_cpu_level level;
    const float *by;
    int64_t room, tile_rows;
} field_job;

/* Logits in whole vectors of any level. */
static int64_t field_room(const vx_motion_field_args *a)
{
    return (vx_cols(a->logits) + 15) & ~15;
}

size_t vx_cpu_motion_field_scratch(vx_backend *backend, const vx_motion_field_args *a)
{
    (void)backend;
    return (size_t)field_room(a) * 4 * sizeof(float);
}

static void field_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const field_job *j = arg;
    int64_t first = tile * j->tile_rows, left = vx_rows(j->args->logits) - first;
    field_rows[j->level](j->args, j->by, j->room, first, left < j->tile_rows ? left : j->tile_rows);
}

vx_status vx_cpu_motion_field(vx_ctx *ctx, const vx_motion_field_args *a, void *scratch)
{
    float *by = scratch;
    const float *source = vx_host(a->source->data), *driving = vx_host(a->driving->data);
    field_job j = {.args = a, .level = vx_cpu_of(ctx->backend)->level, .by = by};
    j.room = field_room(a);
    j.tile_rows = vx_cpu_pass_rows(vx_cols(a->logits));
    memset(by, 0, (size_t)j.room * 4 * sizeof *by);
    for (int64_t k = 0; k < vx_cols(a->logits); k++) {
        by[k] = 1;
        for (int i = 0; i < 3 && k > 0; i++)
            by[(i + 1) * j.room + k] = source[(k - 1) * 3 + i] - driving[(k - 1) * 3 + i];
    }
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(vx_rows(a->logits), j.tile_rows),
                       field_tile, &j);
}

/* ---- warp ----------------------------------------------------------------------------------- */

/* A position along x: where it lies among the field's cells, and its coordinate. */
typedef struct column {
    vx_between between;
    double g;
} column;

typedef struct warp_job {
    const vx_warp_args *args;
    vx_cpu_level level;
    const column *columns; /* [W] */
    float *lines;          /* [workers][line_floats] */
    int64_t line_floats;
} warp_job;

/* Floats of a line of the field, whole cache lines. */
static int64_t field_line(const vx_warp_args *a)
{
    return (a->field->dim[2] * 3 + 15) & ~15;
}

static size_t column_bytes(const vx_warp_args *a)
{
    return whole_lines((size_t)a->x->dim[2] * sizeof(column));
}

size_t vx_cpu_warp_scratch(vx_backend *backend, const vx_warp_args *a)
{
    return column_bytes(a) + (size_t)(field_line(a) * backend->workers) * sizeof(float);
}

/* The field's line at (z, y), enlarged along both where it is smaller. */
static void blend_lines(const warp_job *j, const vx_between *z, const vx_between *y, float *line)
{
    const vx_tensor *field = j->args->field;
    int64_t height = field->dim[1], width = field->dim[2];
    const void *from[8];
    float weight[8];
    int n = 0;
    for (int corner = 0; corner < 4; corner++) {
        float w = z->weight[corner >> 1] * y->weight[corner & 1];
        if (w == 0) continue;
        from[n] = (const float *)vx_host(field->data) +
                  (z->at[corner >> 1] * height + y->at[corner & 1]) * width * 3;
        weight[n++] = w;
    }
    weighted_rows[j->level](from, weight, n, VX_F32, line, VX_F32, width * 3);
}

/* out = x at a place along each axis (x, y, z). */
static void sample(const warp_job *j, const place at[3], void *out)
{
    const vx_warp_args *a = j->args;
    int64_t step = vx_cols(a->x) * (a->x->dtype == VX_BF16 ? 2 : 4);
    const void *row[8];
    float weight[8];
    int n = 0;
    for (int corner = 0; corner < 8; corner++) {
        float w = (corner & 4 ? at[2].high : at[2].low) * (corner & 2 ? at[1].high : at[1].low) *
                  (corner & 1 ? at[0].high : at[0].low);
        if (w == 0) continue;
        int64_t z = at[2].cell + (corner >> 2), y = at[1].cell + (corner >> 1 & 1);
        row[n] = (const char *)vx_host(a->x->data) +
                 ((z * a->x->dim[1] + y) * a->x->dim[2] + at[0].cell + (corner & 1)) * step;
        weight[n++] = w;
    }
    weighted_rows[j->level](row, weight, n, a->x->dtype, out, a->out->dtype, vx_cols(a->x));
}

/* A tile is one line (z, y). */
static void warp_tile(void *arg, int64_t tile, int worker)
{
    const warp_job *j = arg;
    const vx_warp_args *a = j->args;
    const int64_t *n = a->x->dim, *from = a->field->dim;
    int64_t z = tile / n[1], y = tile % n[1], cols = vx_cols(a->x);
    bool folded = vx_rows(a->out) != vx_rows(a->x);
    float *line = j->lines + j->line_floats * worker;
    vx_between bz = vx_between_of(z, n[0], from[0]), by = vx_between_of(y, n[1], from[1]);
    double gz = coordinate(a->grid, z, n[0]), gy = coordinate(a->grid, y, n[1]);
    int64_t size = (int64_t)vx_dtype_bytes(a->out->dtype), step = a->out->ld * size;
    char *out = vx_row(a->out, (folded ? y : tile) * n[2]);
    if (folded) out += z * cols * size;
    blend_lines(j, &bz, &by, line);
    for (int64_t x = 0; x < n[2]; x++, out += step) {
        const vx_between *b = &j->columns[x].between;
        const float *low = line + b->at[0] * 3, *high = line + b->at[1] * 3;
        double d[3];
        for (int i = 0; i < 3; i++)
            d[i] = (double)(b->weight[0] * low[i] + b->weight[1] * high[i]);
        place at[3] = {place_of(sample_index(j->columns[x].g + d[0], n[2]), n[2]),
                       place_of(sample_index(gy + d[1], n[1]), n[1]),
                       place_of(sample_index(gz + d[2], n[0]), n[0])};
        sample(j, at, out);
    }
}

vx_status vx_cpu_warp(vx_ctx *ctx, const vx_warp_args *a, void *scratch)
{
    column *columns = scratch;
    for (int64_t x = 0; x < a->x->dim[2]; x++)
        columns[x] = (column){.between = vx_between_of(x, a->x->dim[2], a->field->dim[2]),
                              .g = coordinate(a->grid, x, a->x->dim[2])};
    warp_job j = {.args = a,
                  .level = vx_cpu_of(ctx->backend)->level,
                  .columns = columns,
                  .lines = (float *)(void *)((char *)scratch + column_bytes(a)),
                  .line_floats = field_line(a)};
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, a->x->dim[0] * a->x->dim[1], warp_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
