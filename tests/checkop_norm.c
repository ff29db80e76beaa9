/* Cases: norms. */
#include "checkop.h"

#include <math.h>

/* ---- layer_norm ------------------------------------------------------------------------------ */

typedef struct layer_case {
    const char *label;
    vx_dtype x, out;
    int64_t rows, cols;
    bool rms, affine, modulated, add;
    int sum; /* 0 none, 1 its own tensor, 2 in x */
    co_place place;
    co_fill fill;
} layer_case;

static vx_status layer_body(co *c, const void *variant)
{
    const layer_case *v = variant;
    const co_fill one = {.scale = 1};
    /* y is of order one; statistics in f32 lose what mean/deviation costs: an offset of 100
     * deviations makes x itself uncertain by 100 units. */
    double spread = v->fill.scale > 0 ? 1 + fabs(v->fill.offset) / v->fill.scale : 1;
    const co_tolerance tolerance = {.abs = 8e-7 * spread, .rel = 5e-7};
    const co_tolerance sum_tolerance = {.abs = 2.4e-7 * (v->fill.scale + fabs(v->fill.offset))};
    vx_layer_norm_args a = {.eps = 1e-5f, .rms = v->rms};
    vx_tensor *x = v->sum == 2
                       ? co_inout(c, v->x, v->rows, v->cols, v->place, v->fill, sum_tolerance)
                       : co_input(c, v->x, v->rows, v->cols, v->place, v->fill);
    a.x = x;
    if (v->add) a.add = co_input(c, VX_BF16, v->rows, v->cols, v->place, v->fill);
    if (v->sum == 2) a.sum_out = x;
    if (v->sum == 1) a.sum_out = co_output(c, VX_F32, v->rows, v->cols, v->place, sum_tolerance);
    a.gamma = co_vector(c, v->affine, v->cols, one);
    a.beta = co_vector(c, v->affine && !v->rms, v->cols, one);
    a.scale = co_vector(c, v->modulated, v->cols, one);
    a.shift = co_vector(c, v->modulated, v->cols, one);
    a.out = co_output(c, v->out, v->rows, v->cols, v->place, tolerance);
    return vx_layer_norm(co_ctx(c), &a);
}

static void layer_draw(co_random *random, void *variant)
{
    layer_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 120), v->cols = co_range(random, 2, 900);
    v->rms = co_range(random, 0, 1), v->affine = co_range(random, 0, 1);
    v->modulated = co_range(random, 0, 1), v->add = co_range(random, 0, 1);
    v->sum = (int)co_range(random, 0, 2);
    v->place = co_anywhere(random, true);
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -3, 3)};
}

static const layer_case layer_cases[] = {
    {"one column", VX_F32, VX_F32, 5, 1, false, true, false, false, 0, {0}, {1, 0, 0}},
    {"one row", VX_F32, VX_BF16, 1, 768, false, true, false, true, 2, {0}, {1, 0, 0}},
    {"AdaLN", VX_F32, VX_F32, 31, 512, false, false, true, false, 0, {0, 128, 0, 0}, {1, 0, 0}},
    {"rms", VX_BF16, VX_BF16, 7, 4096, true, true, false, true, 1, {0}, {1, 0, 0}},
    {"far from zero", VX_F32, VX_F32, 9, 768, false, false, false, false, 0, {0}, {1, 100, 0}},
    {"outliers", VX_F32, VX_F32, 9, 777, false, false, false, false, 0, {0}, {1, 0, 1000}},
    {"huge", VX_F32, VX_F32, 3, 100, false, false, false, false, 0, {0}, {1e15, 0, 0}},
    {"zeroes", VX_F32, VX_F32, 3, 100, false, true, true, true, 1, {0}, {0, 0, 0}},
};
/* clang-format off */
static const layer_case layer_bench[] = {
    {"314x768 f32 affine",              VX_F32, VX_F32,  314,  768,  false, true,  false, true,  2, {0}, {1, 0, 0}},
    {"1280x3072 f32 to bf16 modulated", VX_F32, VX_BF16, 1280, 3072, false, false, true,  false, 0, {0}, {1, 0, 0}},
    {"256x4096 rms f32 to bf16",        VX_F32, VX_BF16, 256,  4096, true,  true,  false, false, 0, {0}, {1, 0, 0}},
};
/* clang-format on */
const co_op co_layer_norm_op = {CO_OP(layer_norm),  .body = layer_body,    CO_VARIANTS(layer_cases),
                                .draw = layer_draw, CO_BENCH(layer_bench), .per_element = true};

/* ---- instance_norm --------------------------------------------------------------------------- */

typedef struct instance_case {
    const char *label;
    vx_dtype x, out;
    int64_t rows, cols;
    bool modulated, snake, in_place;
    vx_act act;
    co_place place;
    co_fill fill;
    co_fill alpha;
} instance_case;

static vx_status instance_body(co *c, const void *variant)
{
    const instance_case *v = variant;
    const co_fill half = {.scale = 0.5};
    /* As for layer_norm; Snake's sin^2(alpha y)/alpha has slope at most 1 in y, and what its
     * polynomial leaves (4e-8, absolute) is divided by alpha: for small alpha the kernel's relative
     * error counts instead. */
    double spread = v->fill.scale > 0 ? 1 + fabs(v->fill.offset) / v->fill.scale : 1;
    const co_tolerance tolerance = {.abs = 1.5e-6 * spread, .rel = 1e-6};
    vx_instance_norm_args a = {.eps = 1e-5f, .act = v->act};
    vx_tensor *x = v->in_place ? co_inout(c, v->x, v->rows, v->cols, v->place, v->fill, tolerance)
                               : co_input(c, v->x, v->rows, v->cols, v->place, v->fill);
    a.x = x;
    a.scale = co_vector(c, v->modulated, v->cols, half);
    a.shift = co_vector(c, v->modulated, v->cols, half);
    a.alpha = co_vector(c, v->snake, v->cols, v->alpha);
    a.out = v->in_place ? x : co_output(c, v->out, v->rows, v->cols, v->place, tolerance);
    return vx_instance_norm(co_ctx(c), &a);
}

static void instance_draw(co_random *random, void *variant)
{
    instance_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 2500), v->cols = co_range(random, 1, 160);
    v->modulated = co_range(random, 0, 1), v->snake = co_range(random, 0, 1);
    v->in_place = co_range(random, 0, 1);
    if (!v->snake && co_range(random, 0, 1)) v->act = (vx_act){VX_ACT_LRELU, 0.2f};
    v->place = co_anywhere(random, true);
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -3, 3)};
    v->alpha = (co_fill){.scale = 1.1, .offset = 1.15};
}

#define ALPHA                                                                                      \
    {                                                                                              \
        1.1, 1.2, 0                                                                                \
    }
#define SEQ                                                                                        \
    {                                                                                              \
        0, 0, 25, true                                                                             \
    }
/* clang-format off */
static const instance_case instance_cases[] = {
    {"one row",              VX_F32,  VX_F32,  1,     64,  true,  true,  false, {0},                  {0},             {1, 0, 0},    ALPHA},
    {"one column",           VX_F32,  VX_F32,  999,   1,   true,  true,  false, {0},                  {0},             {1, 0, 0},    ALPHA},
    {"snake",                VX_BF16, VX_BF16, 1300,  128, true,  true,  false, {0},                  SEQ,             {2, 0, 0},    ALPHA},
    {"snake in f32",         VX_F32,  VX_F32,  1300,  128, true,  true,  true,  {0},                  SEQ,             {2, 0, 0},    ALPHA},
    {"small alpha",          VX_F32,  VX_F32,  300,   65,  true,  true,  false, {0},                  {0},             {1, 0, 0},    {1e-4, 0, 0}},
    {"negative alpha",       VX_F32,  VX_F32,  300,   65,  true,  true,  false, {0},                  {0},             {1, 0, 0},    {.5, -.6, 0}},
    {"large alpha",          VX_F32,  VX_F32,  300,   65,  true,  true,  false, {0},                  {0},             {1, 0, 0},    {1, 8, 0}},
    {"lrelu",                VX_BF16, VX_BF16, 720,   514, true,  false, false, {VX_ACT_LRELU, 0.2f}, {0, 0, 1, true}, {1, 0, 0},    {0, 0, 0}},
    {"far from zero",        VX_F32,  VX_F32,  5000,  32,  false, false, false, {0},                  {0},             {1, 100, 0},  {0, 0, 0}},
    {"far from zero, short", VX_F32,  VX_F32,  50,    32,  false, false, false, {0},                  {0},             {1, 100, 0},  {0, 0, 0}},
    {"outliers",             VX_F32,  VX_F32,  5000,  32,  false, false, false, {0},                  {0},             {1, 0, 1000}, {0, 0, 0}},
    {"huge",                 VX_F32,  VX_F32,  700,   32,  false, false, false, {0},                  {0},             {1e15, 0, 0}, {0, 0, 0}},
    {"zeroes",               VX_F32,  VX_F32,  700,   32,  true,  true,  false, {0},                  {0},             {0, 0, 0},    ALPHA},
    {"long",                 VX_BF16, VX_BF16, 20001, 128, true,  true,  false, {0},                  SEQ,             {1, 1, 0},    ALPHA},
};
static const instance_case instance_bench[] = {
    {"snake 86401x128 bf16", VX_BF16, VX_BF16, 86401, 128,  true, true,  false, {0},                  SEQ,             {1, 0, 0}, ALPHA},
    {"snake 86401x128 f32",  VX_F32,  VX_F32,  86401, 128,  true, true,  false, {0},                  SEQ,             {1, 0, 0}, ALPHA},
    {"snake 14400x256 bf16", VX_BF16, VX_BF16, 14400, 256,  true, true,  false, {0},                  SEQ,             {1, 0, 0}, ALPHA},
    {"lrelu 720x1090 bf16",  VX_BF16, VX_BF16, 720,   1090, true, false, false, {VX_ACT_LRELU, 0.2f}, {0, 0, 1, true}, {1, 0, 0}, {0, 0, 0}},
    {"plain 86401x128 bf16", VX_BF16, VX_BF16, 86401, 128,  true, false, false, {0},                  SEQ,             {1, 0, 0}, {0, 0, 0}},
};
/* clang-format on */
const co_op co_instance_norm_op = {CO_OP(instance_norm),        .body = instance_body,
                                   CO_VARIANTS(instance_cases), .draw = instance_draw,
                                   CO_BENCH(instance_bench),    .per_element = true};
