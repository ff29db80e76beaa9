/* Cases: SPADE, response norm, pooling, depthwise filters, gates, dense motion, warping, pictures. */
#include "checkop.h"

#include <math.h>

#define F VX_F32
#define B VX_BF16
#define NONE                                                                                       \
    {                                                                                              \
        VX_ACT_NONE, 0                                                                             \
    }
#define LRELU                                                                                      \
    {                                                                                              \
        VX_ACT_LRELU, 0.2f                                                                         \
    }

/* The same rows under other dims, gaps kept. */
static vx_tensor shaped(const vx_tensor *rows, int rank, const int64_t *dim)
{
    vx_tensor t = *rows;
    t.rank = rank;
    for (int i = 0; i < rank; i++)
        t.dim[i] = dim[i];
    return t;
}

/* ---- spade ---------------------------------------------------------------------------------- */

typedef struct spade_case {
    const char *label;
    vx_dtype x, map, out;
    int64_t height, width, cols, up;
    bool beta, given;
    vx_act act;
    co_place place;
    co_fill fill;
} spade_case;

static vx_status spade_body(co *c, const void *variant)
{
    const spade_case *v = variant;
    const co_fill one = {.scale = 1};
    /* As for instance_norm, times up to 2, and the modulation's own rounding. */
    double spread = v->fill.scale > 0 ? 1 + fabs(v->fill.offset) / v->fill.scale : 1;
    if (v->fill.outlier != 0) spread *= 4;
    const co_tolerance tolerance = {.abs = 3e-6 * spread, .rel = 1e-6};
    int64_t from = v->height * v->width, to = from * v->up * v->up;
    int64_t wide[2] = {v->height * v->up, v->width * v->up};
    vx_tensor *rows = co_input(c, v->x, from, v->cols, v->place, v->fill);
    vx_tensor x = shaped(rows, 3, (int64_t[]){v->height, v->width, v->cols});
    int64_t mapped = v->beta ? 2 * v->cols : v->cols;
    rows = co_input(c, v->map, to, mapped, v->place, one);
    vx_tensor map = shaped(rows, 3, (int64_t[]){wide[0], wide[1], mapped});
    vx_spade_args a = {.x = &x, .map = &map, .up = v->up, .eps = 1e-5f, .act = v->act};
    a.mean = co_vector(c, v->given, v->cols, one);
    a.var = co_vector(c, v->given, v->cols, (co_fill){.scale = 0.5, .offset = 1});
    rows = co_output(c, v->out, to, v->cols, v->place, tolerance);
    vx_tensor out = shaped(rows, 3, (int64_t[]){wide[0], wide[1], v->cols});
    a.out = &out;
    return vx_spade(co_ctx(c), &a);
}

static void spade_draw(co_random *random, void *variant)
{
    spade_case *v = variant;
    v->x = co_dtype(random), v->map = co_dtype(random), v->out = co_dtype(random);
    v->height = co_range(random, 1, 15), v->width = co_range(random, 1, 15);
    v->cols = co_range(random, 1, 90), v->up = co_range(random, 1, 3);
    v->beta = co_range(random, 0, 1), v->given = co_range(random, 0, 1);
    v->act = (vx_act){(vx_act_kind)co_range(random, VX_ACT_NONE, VX_ACT_SILU), 0.2f};
    v->place = co_anywhere(random, false);
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -3, 3)};
}

static const spade_case spade_cases[] = {
    {"one pixel, one channel", F, F, F, 1, 1, 1, 1, true, false, LRELU, {0}, {1, 0, 0}},
    {"one pixel, enlarged", F, F, F, 1, 1, 33, 4, true, true, NONE, {0}, {1, 0, 0}},
    {"middle block", B, B, B, 16, 16, 512, 1, true, false, LRELU, {0}, {1, 0, 0}},
    {"residual in f32", F, B, B, 16, 16, 64, 2, true, false, LRELU, {0}, {1, 0, 0}},
    {"shortcut", B, B, B, 16, 12, 64, 2, false, false, NONE, {0}, {1, 0, 0}},
    {"batch norm", F, F, F, 9, 7, 24, 1, true, true, LRELU, {0}, {1, 0, 0}},
    {"one value everywhere", F, F, F, 9, 7, 24, 1, true, false, LRELU, {0}, {0, 3, 0}},
    {"far from zero", F, F, F, 24, 24, 32, 1, true, false, LRELU, {0}, {1, 100, 0}},
    {"outliers", F, F, F, 24, 24, 32, 2, true, false, LRELU, {0}, {1, 0, 1000}},
};
static const spade_case spade_bench[] = {
    {"64x64x512 bf16", B, B, B, 64, 64, 512, 1, true, false, LRELU, {0}, {1, 0, 0}},
    {"64x64x512 f32, up 2", F, B, B, 64, 64, 512, 2, true, false, LRELU, {0}, {1, 0, 0}},
    {"128x128x256 f32, up 2", F, B, B, 128, 128, 256, 2, true, false, LRELU, {0}, {1, 0, 0}},
    {"256x256x64 bf16", B, B, B, 256, 256, 64, 1, true, false, LRELU, {0}, {1, 0, 0}},
};
const co_op co_spade_op = {CO_OP(spade),       .body = spade_body,    CO_VARIANTS(spade_cases),
                           .draw = spade_draw, CO_BENCH(spade_bench), .per_element = true};

/* ---- response_norm -------------------------------------------------------------------------- */

typedef struct response_case {
    const char *label;
    vx_dtype x, out;
    int64_t rows, cols;
    bool affine, in_place;
    co_place place;
    co_fill fill;
} response_case;

static vx_status response_body(co *c, const void *variant)
{
    const response_case *v = variant;
    const co_fill one = {.scale = 1};
    /* x times 1 + gamma N, whose relative error is that of a column's length and their mean. */
    const co_tolerance tolerance = {.abs = 1e-6, .rel = 2e-6, .mag = 1e-6};
    vx_tensor *x = v->in_place ? co_inout(c, v->x, v->rows, v->cols, v->place, v->fill, tolerance)
                               : co_input(c, v->x, v->rows, v->cols, v->place, v->fill);
    vx_response_norm_args a = {.x = x, .eps = 1e-6f, .out = x};
    a.gamma = co_vector(c, v->affine, v->cols, one);
    a.beta = co_vector(c, v->affine, v->cols, one);
    if (!v->in_place) a.out = co_output(c, v->out, v->rows, v->cols, v->place, tolerance);
    return vx_response_norm(co_ctx(c), &a);
}

static void response_draw(co_random *random, void *variant)
{
    response_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 200), v->cols = co_range(random, 1, 300);
    v->affine = co_range(random, 0, 1), v->in_place = co_range(random, 0, 1);
    v->place = co_anywhere(random, true);
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -3, 3)};
}

static const response_case response_cases[] = {
    {"one value", F, F, 1, 1, true, false, {0}, {1, 0, 0}},
    {"first stage", F, F, 256, 384, true, true, {0}, {1, 0, 0}},
    {"in bf16", B, B, 64, 100, true, false, {0}, {1, 0, 0}},
    {"outliers", F, F, 64, 100, true, false, {0}, {1, 0, 1000}},
    {"zeroes", F, F, 9, 33, true, false, {0}, {0, 0, 0}},
};
static const response_case response_bench[] = {
    {"4096x384 f32", F, F, 4096, 384, true, true, {0}, {1, 0, 0}},
};
const co_op co_response_norm_op = {CO_OP(response_norm),        .body = response_body,
                                   CO_VARIANTS(response_cases), .draw = response_draw,
                                   CO_BENCH(response_bench),    .per_element = true};

/* ---- pool2 ---------------------------------------------------------------------------------- */

typedef struct pool_case {
    const char *label;
    vx_dtype x, out;
    int64_t n, depth, height, width, cols; /* depth 0: planes */
    bool deep;
    co_place place; /* of out */
    bool largest;
} pool_case;

static vx_status pool_body(co *c, const void *variant)
{
    const pool_case *v = variant;
    const co_tolerance tolerance = {.abs = 4e-7, .rel = 1e-7};
    int64_t depth = v->depth > 0 ? v->depth : 1, depth_out = v->deep ? depth / 2 : depth;
    int64_t in[5] = {v->n, depth, v->height, v->width, v->cols};
    int64_t to[5] = {v->n, depth_out, v->height / 2, v->width / 2, v->cols};
    if (v->depth == 0)
        for (int i = 1; i < 4; i++)
            in[i] = in[i + 1], to[i] = to[i + 1];
    int rank = v->depth > 0 ? 5 : 4;
    vx_tensor x = shaped(co_input(c, v->x, v->n * depth * v->height * v->width, v->cols,
                                  (co_place){0}, (co_fill){.scale = 1}),
                         rank, in);
    vx_tensor out = shaped(co_output(c, v->out, v->n * depth_out * (v->height / 2) * (v->width / 2),
                                     v->cols, v->place, tolerance),
                           rank, to);
    return vx_pool2(co_ctx(c), &(vx_pool2_args){.x = &x, .largest = v->largest, .out = &out});
}

static void pool_draw(co_random *random, void *variant)
{
    pool_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->n = co_range(random, 1, 3), v->depth = co_range(random, 0, 6);
    v->height = co_range(random, 2, 17), v->width = co_range(random, 2, 17);
    v->cols = co_range(random, 1, 70);
    v->deep = v->depth >= 2 && co_range(random, 0, 1);
    v->place = co_anywhere(random, false);
    v->largest = co_range(random, 0, 1);
}

static const pool_case pool_cases[] = {
    {"one pixel left", F, F, 1, 0, 2, 2, 1, false, {0}, false},
    {"odd sizes", F, F, 2, 0, 5, 7, 3, false, {0}, false},
    {"volume", B, B, 1, 16, 8, 8, 64, false, {0}, false},
    {"half the depth", F, B, 2, 5, 8, 6, 33, true, {0}, false},
    {"beside others", B, B, 1, 3, 8, 6, 33, false, {.lead = 32, .gap = 7}, false},
    {"largest", F, F, 1, 0, 48, 48, 64, false, {0}, true},
    {"largest of eight", B, F, 1, 4, 6, 5, 19, true, {0}, true},
};
static const pool_case pool_bench[] = {
    {"16x64x64x64 bf16", B, B, 1, 16, 64, 64, 64, false, {0}, false},
    {"256x256x128 bf16", B, B, 1, 0, 256, 256, 128, false, {0}, false},
};
const co_op co_pool2_op = {CO_OP(pool2),      .body = pool_body,    CO_VARIANTS(pool_cases),
                           .draw = pool_draw, CO_BENCH(pool_bench), .per_element = true};

/* ---- depthwise ------------------------------------------------------------------------------ */

typedef struct depthwise_case {
    const char *label;
    vx_dtype x, out;
    int64_t height, width, cols, kernel;
    bool bias;
    co_place place;            /* of out */
    int64_t stride, pad, h, w; /* h and w are read when stride > 0 */
} depthwise_case;

static vx_status depthwise_body(co *c, const void *variant)
{
    const depthwise_case *v = variant;
    const co_fill one = {.scale = 1};
    int64_t rows = v->height * v->width, taps = v->kernel * v->kernel;
    const co_tolerance tolerance = {.abs = 1e-7, .mag = 6e-8 * (double)taps};
    vx_tensor x = shaped(co_input(c, v->x, rows, v->cols, (co_place){0}, one), 3,
                         (int64_t[]){v->height, v->width, v->cols});
    vx_tensor weight = shaped(co_input(c, F, taps, v->cols, (co_place){0}, one), 3,
                              (int64_t[]){v->kernel, v->kernel, v->cols});
    vx_depthwise_args a = {.x = &x, .weight = &weight, .stride = v->stride, .pad = v->pad};
    a.bias = co_vector(c, v->bias, v->cols, one);
    int64_t h = v->stride > 0 ? v->h : v->height, w = v->stride > 0 ? v->w : v->width;
    vx_tensor out = shaped(co_output(c, v->out, h * w, v->cols, v->place, tolerance), 3,
                           (int64_t[]){h, w, v->cols});
    a.out = &out;
    return vx_depthwise(co_ctx(c), &a);
}

static void depthwise_draw(co_random *random, void *variant)
{
    depthwise_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->height = co_range(random, 1, 14), v->width = co_range(random, 1, 14);
    v->cols = co_range(random, 1, 100), v->kernel = 2 * co_range(random, 0, 4) + 1;
    v->bias = co_range(random, 0, 1), v->place = co_anywhere(random, false);
    v->stride = co_range(random, 0, 3);
    v->pad = v->stride > 0 ? co_range(random, 0, v->kernel - 1) : 0;
    if (v->stride == 0) return;
    v->h = co_range(random, 1, (v->height - 1 + v->pad) / v->stride + 1);
    v->w = co_range(random, 1, (v->width - 1 + v->pad) / v->stride + 1);
}

static const depthwise_case depthwise_cases[] = {
    {"one pixel", F, F, 1, 1, 1, 7, true, {0}, 0, 0, 0, 0},
    {"smaller than the filter", F, F, 3, 2, 17, 7, true, {0}, 0, 0, 0, 0},
    {"last stage", F, F, 8, 8, 768, 7, true, {0}, 0, 0, 0, 0},
    {"in bf16", B, B, 9, 12, 24, 7, true, {0}, 0, 0, 0, 0},
    {"one tap", F, F, 4, 5, 9, 1, false, {0}, 0, 0, 0, 0},
    {"every other pixel", F, F, 48, 48, 64, 3, true, {0}, 2, 0, 24, 24},
    {"padded before and behind", F, F, 9, 7, 24, 5, true, {0}, 2, 1, 5, 4},
    {"without padding", F, F, 14, 26, 96, 3, false, {0}, 1, 0, 12, 24},
};
static const depthwise_case depthwise_bench[] = {
    {"64x64x96 f32", F, F, 64, 64, 96, 7, true, {0}, 0, 0, 0, 0},
    {"16x16x384 f32", F, F, 16, 16, 384, 7, true, {0}, 0, 0, 0, 0},
};
const co_op co_depthwise_op = {
    CO_OP(depthwise),       .body = depthwise_body,    CO_VARIANTS(depthwise_cases),
    .draw = depthwise_draw, CO_BENCH(depthwise_bench), .per_element = true};

/* ---- row_gate ------------------------------------------------------------------------------- */

typedef struct row_case {
    const char *label;
    vx_dtype x, s, out;
    int64_t height, width, h, w, cols;
    bool in_place;
    vx_act act;
    co_place place;
} row_case;

static vx_status row_body(co *c, const void *variant)
{
    const row_case *v = variant;
    const co_fill one = {.scale = 2};
    const co_tolerance tolerance = {.abs = 2e-6, .rel = 5e-7};
    int64_t rows = v->height * v->width;
    vx_tensor *rows_x = v->in_place ? co_inout(c, v->x, rows, v->cols, v->place, one, tolerance)
                                    : co_input(c, v->x, rows, v->cols, v->place, one);
    vx_tensor x = shaped(rows_x, 4, (int64_t[]){1, v->height, v->width, v->cols}), out = x;
    vx_tensor s = shaped(co_input(c, v->s, v->h * v->w, 1, (co_place){0}, one), 3,
                         (int64_t[]){v->h, v->w, 1});
    if (!v->in_place)
        out = shaped(co_output(c, v->out, rows, v->cols, v->place, tolerance), 4, x.dim);
    return vx_row_gate(co_ctx(c),
                       &(vx_row_gate_args){.x = &x, .s = &s, .act = v->act, .out = &out});
}

static void row_draw(co_random *random, void *variant)
{
    row_case *v = variant;
    v->x = co_dtype(random), v->s = co_dtype(random), v->out = co_dtype(random);
    v->height = co_range(random, 1, 20), v->width = co_range(random, 1, 20);
    v->h = co_range(random, 0, 1) ? v->height : co_range(random, 1, v->height);
    v->w = v->h == v->height ? v->width : co_range(random, 1, v->width);
    v->cols = co_range(random, 1, 90), v->in_place = co_range(random, 0, 1);
    v->act = (vx_act){co_range(random, 0, 1) ? VX_ACT_SIGMOID : VX_ACT_NONE, 0};
    v->place = co_anywhere(random, false);
}

#define SIGMOID                                                                                    \
    {                                                                                              \
        VX_ACT_SIGMOID, 0                                                                          \
    }
static const row_case row_cases[] = {
    {"one value", F, F, F, 1, 1, 1, 1, 1, false, SIGMOID, {0}},
    {"occlusion", B, F, B, 16, 16, 16, 16, 256, true, SIGMOID, {0}},
    {"occlusion of half the size", F, F, B, 16, 16, 8, 8, 80, false, SIGMOID, {0}},
    {"a gate of one pixel", F, F, F, 5, 6, 1, 1, 3, false, NONE, {0}},
};
static const row_case row_bench[] = {
    {"64x64x256 bf16", B, F, B, 64, 64, 64, 64, 256, true, SIGMOID, {0}},
};
const co_op co_row_gate_op = {CO_OP(row_gate),  .body = row_body,    CO_VARIANTS(row_cases),
                              .draw = row_draw, CO_BENCH(row_bench), .per_element = true};

/* ---- motion_input --------------------------------------------------------------------------- */

typedef struct input_case {
    const char *label;
    vx_dtype x, out;
    int64_t depth, height, width, features, points;
    vx_grid grid;
    double range; /* of the key points */
    co_place place;
} input_case;

static vx_status input_body(co *c, const void *variant)
{
    const input_case *v = variant;
    /* An index carries the rounding of coordinates in f32 and of their tables, times the slope between two
     * features, at most 2; a Gaussian the errors of three factors. */
    const co_tolerance tolerance = {.abs = 2e-6, .rel = 1e-6};
    int64_t rows = v->depth * v->height * v->width, cols = (v->points + 1) * (v->features + 1);
    vx_tensor feature =
        shaped(co_input(c, v->x, rows, v->features, (co_place){0}, (co_fill){.scale = 1}), 4,
               (int64_t[]){v->depth, v->height, v->width, v->features});
    const co_fill near = {.scale = v->range};
    vx_motion_input_args a = {.feature = &feature, .grid = v->grid, .variance = 0.01f};
    a.source = co_input(c, F, v->points, 3, (co_place){0}, near);
    a.driving = co_input(c, F, v->points, 3, (co_place){0}, near);
    vx_tensor out = shaped(co_output(c, v->out, rows, cols, v->place, tolerance), 4,
                           (int64_t[]){v->depth, v->height, v->width, cols});
    a.out = &out;
    return vx_motion_input(co_ctx(c), &a);
}

static void input_draw(co_random *random, void *variant)
{
    input_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->depth = co_range(random, 1, 5), v->height = co_range(random, 1, 9);
    v->width = co_range(random, 1, 20), v->features = co_range(random, 1, 6);
    v->points = co_range(random, 1, 22), v->range = (double)co_range(random, 1, 30) / 10;
    v->grid = co_range(random, 0, 1) ? VX_GRID_CENTRES : VX_GRID_PUBLISHED;
    v->place = co_anywhere(random, false);
}

static const input_case input_cases[] = {
    {"one cell", F, F, 1, 1, 1, 1, 1, VX_GRID_PUBLISHED, 1, {0}},
    {"published", F, F, 4, 12, 12, 4, 21, VX_GRID_PUBLISHED, 0.7, {0}},
    {"beside the decoder", F, B, 4, 12, 12, 4, 21, VX_GRID_PUBLISHED, 0.7, {.lead = 32}},
    {"half the volume", B, B, 4, 10, 10, 2, 21, VX_GRID_CENTRES, 0.7, {0}},
    {"nothing moves", F, F, 3, 9, 8, 4, 5, VX_GRID_CENTRES, 0, {0}},
    {"all outside", F, F, 3, 9, 8, 4, 5, VX_GRID_PUBLISHED, 1000, {0}},
};
static const input_case input_bench[] = {
    {"16x64x64, 21 points", F, B, 16, 64, 64, 4, 21, VX_GRID_PUBLISHED, 0.7, {.lead = 32}},
};
const co_op co_motion_input_op = {CO_OP(motion_input),      .body = input_body,
                                  CO_VARIANTS(input_cases), .draw = input_draw,
                                  CO_BENCH(input_bench),    .per_element = true};

/* ---- motion_field --------------------------------------------------------------------------- */

typedef struct field_case {
    const char *label;
    vx_dtype x;
    int64_t depth, height, width, points;
    co_place place;
    co_fill fill;
} field_case;

static vx_status field_body(co *c, const void *variant)
{
    const field_case *v = variant;
    const co_fill near = {.scale = 0.7};
    /* Weights that sum to 1, of shifts below 1.4; e^x takes the rounding of its argument. */
    const co_tolerance tolerance = {.abs = 2e-6 + 3e-7 * v->fill.scale};
    int64_t rows = v->depth * v->height * v->width, count = v->points + 1;
    vx_tensor logits = shaped(co_input(c, v->x, rows, count, v->place, v->fill), 4,
                              (int64_t[]){v->depth, v->height, v->width, count});
    vx_motion_field_args a = {.logits = &logits};
    a.source = co_input(c, F, v->points, 3, (co_place){0}, near);
    a.driving = co_input(c, F, v->points, 3, (co_place){0}, near);
    vx_tensor out = shaped(co_output(c, F, rows, 3, (co_place){0}, tolerance), 4,
                           (int64_t[]){v->depth, v->height, v->width, 3});
    a.out = &out;
    return vx_motion_field(co_ctx(c), &a);
}

static void field_draw(co_random *random, void *variant)
{
    field_case *v = variant;
    v->x = co_dtype(random);
    v->depth = co_range(random, 1, 5), v->height = co_range(random, 1, 9);
    v->width = co_range(random, 1, 20), v->points = co_range(random, 1, 40);
    v->place = co_anywhere(random, false);
    v->fill = (co_fill){.scale = (double)co_range(random, 1, 9)};
}

static const field_case field_cases[] = {
    {"one cell, one point", F, 1, 1, 1, 1, {0}, {1, 0, 0}},
    {"published", F, 4, 8, 8, 21, {0}, {5, 0, 0}},
    {"whole vectors", B, 2, 5, 7, 31, {0}, {5, 0, 0}},
    {"far below zero", F, 2, 5, 7, 21, {0}, {5, -300, 0}},
    {"far above zero", F, 2, 5, 7, 21, {0}, {5, 300, 0}},
    {"one mask takes all", F, 2, 5, 7, 21, {0}, {5, 0, 40}},
};
static const field_case field_bench[] = {
    {"16x64x64, 21 points", F, 16, 64, 64, 21, {0}, {5, 0, 0}},
};
const co_op co_motion_field_op = {CO_OP(motion_field),      .body = field_body,
                                  CO_VARIANTS(field_cases), .draw = field_draw,
                                  CO_BENCH(field_bench),    .per_element = true};

/* ---- warp ----------------------------------------------------------------------------------- */

typedef struct warp_case {
    const char *label;
    vx_dtype x, out;
    int64_t depth, height, width, cols, field[3];
    vx_grid grid;
    bool folded;
    double range; /* of the displacements */
    co_place place;
} warp_case;

static vx_status warp_body(co *c, const void *variant)
{
    const warp_case *v = variant;
    const int64_t *f = v->field;
    /* An index of up to 64 from displacements enlarged in f32, times the slope between two cells. */
    const co_tolerance tolerance = {.abs = 1.5e-5 * (1 + v->range), .rel = 1e-6};
    int64_t plane = v->height * v->width, rows = v->depth * plane;
    int64_t dim[4] = {v->depth, v->height, v->width, v->cols};
    vx_tensor x =
        shaped(co_input(c, v->x, rows, v->cols, (co_place){0}, (co_fill){.scale = 1}), 4, dim);
    vx_tensor field =
        shaped(co_input(c, F, f[0] * f[1] * f[2], 3, (co_place){0}, (co_fill){.scale = v->range}),
               4, (int64_t[]){f[0], f[1], f[2], 3});
    vx_tensor out;
    if (v->folded) {
        int64_t cols = v->depth * v->cols;
        out = shaped(co_output(c, v->out, plane, cols, v->place, tolerance), 3,
                     (int64_t[]){v->height, v->width, cols});
    } else {
        out = shaped(co_output(c, v->out, rows, v->cols, v->place, tolerance), 4, dim);
    }
    return vx_warp(co_ctx(c),
                   &(vx_warp_args){.x = &x, .field = &field, .grid = v->grid, .out = &out});
}

static void warp_draw(co_random *random, void *variant)
{
    warp_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->depth = co_range(random, 1, 6), v->height = co_range(random, 1, 12);
    v->width = co_range(random, 1, 12), v->cols = co_range(random, 1, 50);
    v->folded = co_range(random, 0, 1);
    v->field[0] = co_range(random, 1, v->depth), v->field[1] = co_range(random, 1, v->height);
    v->field[2] = co_range(random, 1, v->width);
    v->grid = co_range(random, 0, 1) ? VX_GRID_CENTRES : VX_GRID_PUBLISHED;
    v->range = (double)co_range(random, 0, 30) / 10;
    v->place = co_anywhere(random, false);
}

#define PUBLISHED VX_GRID_PUBLISHED
#define CENTRES   VX_GRID_CENTRES
static const warp_case warp_cases[] = {
    {"one cell", F, F, 1, 1, 1, 1, {1, 1, 1}, PUBLISHED, false, 0.1, {0}},
    {"published", F, F, 6, 16, 16, 32, {6, 16, 16}, PUBLISHED, false, 0.3, {0}},
    {"channels of a picture", B, B, 6, 16, 16, 32, {6, 16, 16}, PUBLISHED, true, 0.3, {0}},
    {"half the volume", F, B, 8, 12, 12, 16, {4, 6, 6}, CENTRES, true, 0.3, {0}},
    {"identity", F, F, 4, 8, 8, 16, {4, 8, 8}, CENTRES, false, 0, {0}},
    {"all outside", F, F, 4, 8, 8, 16, {4, 8, 8}, CENTRES, false, 1e30, {0}},
};
static const warp_case warp_bench[] = {
    {"16x64x64x32 bf16", B, B, 16, 64, 64, 32, {16, 64, 64}, PUBLISHED, true, 0.1, {0}},
    {"8x64x64x16 from half", B, B, 8, 64, 64, 16, {4, 32, 32}, CENTRES, true, 0.1, {0}},
};
const co_op co_warp_op = {CO_OP(warp),       .body = warp_body,    CO_VARIANTS(warp_cases),
                          .draw = warp_draw, CO_BENCH(warp_bench), .per_element = true};

/* ---- to_picture ----------------------------------------------------------------------------- */

typedef struct picture_case {
    const char *label;
    vx_dtype x, out;
    int64_t height, width, factor;
    co_place place; /* of x */
    co_fill fill;
    vx_picture_range range;
} picture_case;

/* A byte is the value times 255 rounded; values within the sigmoid's error of a half may go either way. */
static const char *check_bytes(const vx_tensor *want, const vx_tensor *got, double *share)
{
    for (int64_t r = 0; r < vx_rows(want); r++)
        for (int i = 0; i < 3; i++) {
            double value = 255 * fmin(fmax((double)((const float *)vx_row(want, r))[i], 0), 1);
            double off = fabs(value - ((const uint8_t *)vx_row(got, r))[i]) / (0.5 + 1e-4);
            if (!(off <= 1)) return "a byte is not 255 times the value, rounded";
            *share = off > *share ? off : *share;
        }
    return NULL;
}

static vx_status picture_body(co *c, const void *variant)
{
    const picture_case *v = variant;
    const co_tolerance tolerance = {.abs = 3e-7};
    int64_t f = v->factor, cols = 3 * f * f, rows = v->height * v->width;
    vx_tensor x = shaped(co_input(c, v->x, rows, cols, v->place, v->fill), 3,
                         (int64_t[]){v->height, v->width, cols});
    vx_tensor *to = co_output(c, v->out, rows * f * f, 3, (co_place){0}, tolerance);
    if (v->out == VX_U8) co_check(c, check_bytes);
    vx_tensor out = shaped(to, 3, (int64_t[]){v->height * f, v->width * f, 3});
    return vx_to_picture(
        co_ctx(c), &(vx_to_picture_args){.x = &x, .range = v->range, .factor = f, .out = &out});
}

static void picture_draw(co_random *random, void *variant)
{
    picture_case *v = variant;
    v->x = co_dtype(random), v->out = co_range(random, 0, 1) ? VX_U8 : VX_F32;
    v->height = co_range(random, 1, 20), v->width = co_range(random, 1, 40);
    v->factor = co_range(random, 1, 4), v->place = co_anywhere(random, false);
    v->fill = (co_fill){.scale = (double)co_range(random, 1, 8)};
    v->range = (vx_picture_range)co_range(random, 0, 1);
}

static const picture_case picture_cases[] = {
    {"one pixel", F, VX_U8, 1, 1, 1, {0}, {1, 0, 0}, VX_PICTURE_LOGITS},
    {"shuffle by 2", B, VX_U8, 9, 12, 2, {0}, {4, 0, 0}, VX_PICTURE_LOGITS},
    {"shuffle by 4", F, VX_U8, 9, 12, 4, {0}, {4, 0, 0}, VX_PICTURE_LOGITS},
    {"values", F, VX_F32, 9, 12, 2, {0}, {4, 0, 0}, VX_PICTURE_LOGITS},
    {"black and white", F, VX_U8, 9, 12, 2, {0}, {3000, 0, 0}, VX_PICTURE_LOGITS},
    {"beside others", F, VX_U8, 9, 12, 2, {.lead = 4, .gap = 3}, {4, 0, 0}, VX_PICTURE_LOGITS},
    {"-1 to 1", F, VX_U8, 9, 12, 1, {0}, {1.3, 0, 0}, VX_PICTURE_SIGNED},
    {"-1 to 1, bf16", B, VX_U8, 7, 33, 1, {0}, {2, 0, 0}, VX_PICTURE_SIGNED},
};
static const picture_case picture_bench[] = {
    {"256x256 by 2", F, VX_U8, 256, 256, 2, {0}, {4, 0, 0}, VX_PICTURE_LOGITS},
    {"128x128 by 4", F, VX_U8, 128, 128, 4, {0}, {4, 0, 0}, VX_PICTURE_LOGITS},
};
const co_op co_to_picture_op = {CO_OP(to_picture),          .body = picture_body,
                                CO_VARIANTS(picture_cases), .draw = picture_draw,
                                CO_BENCH(picture_bench),    .per_element = true};

/* ---- from_picture --------------------------------------------------------------------------- */

typedef struct bytes_case {
    const char *label;
    int64_t rows, cols;
    float divisor, mean[3], deviation[3];
    vx_dtype out;
} bytes_case;

static vx_status bytes_body(co *c, const void *variant)
{
    const bytes_case *v = variant;
    /* Two roundings in f32 on values up to 255 / divisor / deviation. */
    const co_tolerance tolerance = {.abs = 2e-6, .rel = 3e-7};
    vx_from_picture_args a = {.x = co_bytes(c, v->rows, v->cols), .divisor = v->divisor};
    memcpy(a.mean, v->mean, sizeof a.mean);
    memcpy(a.deviation, v->deviation, sizeof a.deviation);
    a.out = co_output(c, v->out, v->rows, v->cols, (co_place){0}, tolerance);
    return vx_from_picture(co_ctx(c), &a);
}

static const bytes_case bytes_cases[] = {
    {"one pixel", 1, 3, 255, {0}, {0}, F},
    {"0 to 1", 37, 3 * 11, 255, {0}, {0}, F},
    {"-1 to 1", 64, 3 * 64, 127.5f, {1, 1, 1}, {0}, B},
    {"CLIP's", 50, 3 * 7, 255, {0.48f, 0.45f, 0.40f}, {0.26f, 0.27f, 0.28f}, F},
};
static const bytes_case bytes_bench[] = {{"512x512", 512, 3 * 512, 255, {0}, {0}, F}};
const co_op co_from_picture_op = {CO_OP(from_picture), .body = bytes_body, CO_VARIANTS(bytes_cases),
                                  CO_BENCH(bytes_bench), .per_element = true};
