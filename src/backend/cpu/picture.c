/* pool2, depthwise, row_gate and pictures in and out on the CPU: tiles of rows, pixels or lines. */
#include "backend/cpu/picture.h"

static void (*const mean_row[VX_CPU_LEVELS])(const void *const[8], int, vx_dtype, void *, vx_dtype,
                                             int64_t) = VX_SIMD_TABLE(vx_cpu_mean_row);
static void (*const largest_row[VX_CPU_LEVELS])(const void *const[8], int, vx_dtype, void *,
                                                vx_dtype,
                                                int64_t) = VX_SIMD_TABLE(vx_cpu_largest_row);
static void (*const depthwise_pixel[VX_CPU_LEVELS])(const vx_depthwise_args *, int64_t, int64_t) =
    VX_SIMD_TABLE(vx_cpu_depthwise_pixel);
static void (*const gate_rows[VX_CPU_LEVELS])(const vx_row_gate_args *, int64_t,
                                              int64_t) = VX_SIMD_TABLE(vx_cpu_gate_rows);
static void (*const level_row[VX_CPU_LEVELS])(const void *, vx_dtype, bool, float *, bool,
                                              int64_t) = VX_SIMD_TABLE(vx_cpu_level_row);

/* One op under way: `rows` of anything, in tiles. */
typedef struct job {
    const void *args;
    vx_cpu_level level;
    int64_t rows, tile_rows;
    float *lines; /* to_picture: [workers][line] */
    int64_t line;
} job;

static vx_status run(vx_ctx *ctx, job *j, int64_t cols, vx_tile_fn tile)
{
    j->level = vx_cpu_of(ctx->backend)->level;
    j->tile_rows = vx_cpu_pass_rows(cols);
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(j->rows, j->tile_rows), tile, j);
}

static int64_t end_of(const job *j, int64_t tile)
{
    int64_t end = (tile + 1) * j->tile_rows;
    return end < j->rows ? end : j->rows;
}

/* ---- pool2 ---------------------------------------------------------------------------------- */

/* Rows of a tile are pixels of out. */
static void pool_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_pool2_args *a = j->args;
    int rank = a->x->rank, n = rank == 5 && a->out->dim[1] != a->x->dim[1] ? 8 : 4;
    int64_t height = a->x->dim[rank - 3], width = a->x->dim[rank - 2];
    int64_t h = a->out->dim[rank - 3], w = a->out->dim[rank - 2];
    for (int64_t r = tile * j->tile_rows; r < end_of(j, tile); r++) {
        int64_t plane = r / (h * w), y = r / w % h, x = r % w;
        if (n == 8) plane = plane / a->out->dim[1] * a->x->dim[1] + plane % a->out->dim[1] * 2;
        const void *from[8];
        for (int k = 0; k < n; k++)
            from[k] = vx_row(a->x, ((plane + k / 4) * height + 2 * y + k / 2 % 2) * width + 2 * x +
                                       k % 2);
        (a->largest ? largest_row : mean_row)[j->level](from, n, a->x->dtype, vx_row(a->out, r),
                                                        a->out->dtype, vx_cols(a->x));
    }
}

vx_status vx_cpu_pool2(vx_ctx *ctx, const vx_pool2_args *a, void *scratch)
{
    (void)scratch;
    job j = {.args = a, .rows = vx_rows(a->out)};
    VX_TRY(run(ctx, &j, 4 * vx_cols(a->out), pool_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- depthwise ------------------------------------------------------------------------------ */

static void depthwise_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_depthwise_args *a = j->args;
    for (int64_t r = tile * j->tile_rows; r < end_of(j, tile); r++)
        depthwise_pixel[j->level](a, r / a->out->dim[1], r % a->out->dim[1]);
}

vx_status vx_cpu_depthwise(vx_ctx *ctx, const vx_depthwise_args *a, void *scratch)
{
    (void)scratch;
    job j = {.args = a, .rows = vx_rows(a->out)};
    VX_TRY(run(ctx, &j, a->weight->dim[0] * vx_cols(a->x), depthwise_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- row_gate ------------------------------------------------------------------------------- */

static void gate_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    int64_t first = tile * j->tile_rows;
    gate_rows[j->level](j->args, first, end_of(j, tile) - first);
}

vx_status vx_cpu_row_gate(vx_ctx *ctx, const vx_row_gate_args *a, void *scratch)
{
    (void)scratch;
    job j = {.args = a, .rows = vx_rows(a->x)};
    VX_TRY(run(ctx, &j, vx_cols(a->x), gate_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- to_picture ----------------------------------------------------------------------------- */

/* Floats of one line of x, whole cache lines. */
static int64_t line_of(const vx_to_picture_args *a)
{
    return (a->x->dim[1] * vx_cols(a->x) + 15) & ~15;
}

size_t vx_cpu_to_picture_scratch(vx_backend *backend, const vx_to_picture_args *a)
{
    return (size_t)(line_of(a) * backend->workers) * sizeof(float);
}

/* The f lines of the picture that one line of values makes; f and bytes are
 * constants after inlining. */
static inline __attribute__((always_inline)) void
shuffle(const vx_to_picture_args *a, const float *value, int64_t y, int64_t f, bool bytes)
{
    int64_t width = a->x->dim[1], cols = 3 * f * f;
    for (int64_t dy = 0; dy < f; dy++) {
        void *row = vx_row(a->out, (y * f + dy) * width * f);
        for (int64_t x = 0; x < width; x++)
            for (int64_t dx = 0; dx < f; dx++)
                for (int64_t c = 0; c < 3; c++) {
                    float v = value[x * cols + c * f * f + dy * f + dx];
                    int64_t i = (x * f + dx) * 3 + c;
                    if (bytes)
                        ((uint8_t *)row)[i] = (uint8_t)(int)v;
                    else
                        ((float *)row)[i] = v;
                }
    }
}

static void shuffle_line(const vx_to_picture_args *a, const float *value, int64_t y)
{
    if (a->out->dtype == VX_F32)
        shuffle(a, value, y, a->factor, false);
    else if (a->factor == 2)
        shuffle(a, value, y, 2, true);
    else if (a->factor == 4)
        shuffle(a, value, y, 4, true);
    else
        shuffle(a, value, y, a->factor, true);
}

static void picture_tile(void *arg, int64_t tile, int worker)
{
    const job *j = arg;
    const vx_to_picture_args *a = j->args;
    float *value = j->lines + j->line * worker;
    bool bytes = a->out->dtype == VX_U8, logits = a->range == VX_PICTURE_LOGITS;
    int64_t width = a->x->dim[1], cols = vx_cols(a->x);
    for (int64_t y = tile * j->tile_rows; y < end_of(j, tile); y++) {
        if (vx_dense(a->x))
            level_row[j->level](vx_row(a->x, y * width), a->x->dtype, logits, value, bytes,
                                width * cols);
        for (int64_t x = 0; x < width && !vx_dense(a->x); x++)
            level_row[j->level](vx_row(a->x, y * width + x), a->x->dtype, logits, value + x * cols,
                                bytes, cols);
        shuffle_line(a, value, y);
    }
}

vx_status vx_cpu_to_picture(vx_ctx *ctx, const vx_to_picture_args *a, void *scratch)
{
    job j = {.args = a, .rows = a->x->dim[0], .lines = scratch, .line = line_of(a)};
    return run(ctx, &j, j.line, picture_tile);
}

/* ---- from_picture --------------------------------------------------------------------------- */

size_t vx_cpu_from_picture_scratch(vx_backend *backend, const vx_from_picture_args *a)
{
    (void)backend, (void)a;
    return 3 * 256 * sizeof(float);
}

/* A byte has 256 values: `lines` holds what each becomes in each channel. */
static void bytes_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_from_picture_args *a = j->args;
    const float *red = j->lines, *green = red + 256, *blue = green + 256;
    int64_t cols = vx_cols(a->x);
    for (int64_t r = tile * j->tile_rows; r < end_of(j, tile); r++) {
        const uint8_t *x = vx_row(a->x, r);
        float *out = vx_row(a->out, r);
        uint16_t *half = vx_row(a->out, r);
        for (int64_t c = 0; c < cols && a->out->dtype == VX_F32; c += 3) {
            out[c] = red[x[c]];
            out[c + 1] = green[x[c + 1]];
            out[c + 2] = blue[x[c + 2]];
        }
        for (int64_t c = 0; c < cols && a->out->dtype != VX_F32; c += 3) {
            half[c] = vx_f32_to_bf16(red[x[c]]);
            half[c + 1] = vx_f32_to_bf16(green[x[c + 1]]);
            half[c + 2] = vx_f32_to_bf16(blue[x[c + 2]]);
        }
    }
}

vx_status vx_cpu_from_picture(vx_ctx *ctx, const vx_from_picture_args *a, void *scratch)
{
    job j = {.args = a, .rows = vx_rows(a->x), .lines = scratch};
    for (int i = 0; i < 3 * 256; i++) {
        float deviation = a->deviation[i / 256];
        j.lines[i] = ((float)(i % 256) / a->divisor - a->mean[i / 256]);
        if (deviation != 0) j.lines[i] /= deviation;
    }
    VX_TRY(run(ctx, &j, vx_cols(a->x), bytes_tile));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
