/* Cases: copies, look-ups and elementwise ops. */
#include "checkop.h"

static const co_fill UNIT = {.scale = 1};
/* A conversion is one rounding, the reference's own: the outputs are equal, bf16 within its half
 * unit (which the checker adds). */
static const co_tolerance EXACT = {0};

/* ---- copy, gather, broadcast ----------------------------------------------------------------- */

typedef struct copy_case {
    const char *label;
    vx_dtype from, to;
    int64_t rows, cols;
    co_place source, place;
    co_fill fill;
} copy_case;

static vx_status copy_body(co *c, const void *variant)
{
    const copy_case *v = variant;
    vx_tensor *x = co_input(c, v->from, v->rows, v->cols, v->source, v->fill);
    vx_tensor *out = co_output(c, v->to, v->rows, v->cols, v->place, EXACT);
    return vx_copy(co_ctx(c), &(vx_copy_args){.x = x, .out = out});
}

static void copy_draw(co_random *random, void *variant)
{
    copy_case *v = variant;
    v->from = co_dtype(random), v->to = co_dtype(random);
    v->rows = co_range(random, 1, 300), v->cols = co_range(random, 1, 200);
    v->source = co_anywhere(random, true), v->place = co_anywhere(random, true);
    v->fill = UNIT;
}

static const copy_case copy_cases[] = {
    {"one element", VX_F32, VX_F32, 1, 1, {0}, {0}, {1, 0, 0}},
    {"one row f32 to bf16", VX_F32, VX_BF16, 1, 37, {0}, {0}, {1, 0, 0}},
    {"one column bf16 to f32", VX_BF16, VX_F32, 211, 1, {0}, {0}, {1, 0, 0}},
    {"sequence with halo", VX_BF16, VX_BF16, 700, 24, {0}, {0, 0, 30, true}, {1, 0, 0}},
    {"into columns of a wider row", VX_F32, VX_F32, 33, 512, {0}, {0, 128, 0, 0}, {1, 0, 0}},
    {"huge values", VX_F32, VX_BF16, 9, 65, {0}, {0}, {1e38, 0, 0}},
    {"no rows", VX_F32, VX_F32, 0, 8, {0}, {0}, {1, 0, 0}},
    {"f16 source", VX_F16, VX_F32, 13, 29, {0}, {0}, {1, 0, 0}},
};
static const copy_case copy_bench[] = {
    {"86401x128 bf16", VX_BF16, VX_BF16, 86401, 128, {0}, {0, 0, 25, true}, {1, 0, 0}},
    {"86401x128 f32 to bf16", VX_F32, VX_BF16, 86401, 128, {0}, {0, 0, 25, true}, {1, 0, 0}},
};
const co_op co_copy_op = {CO_OP(copy),       .body = copy_body,    CO_VARIANTS(copy_cases),
                          .draw = copy_draw, CO_BENCH(copy_bench), .per_element = true};

typedef struct gather_case {
    const char *label;
    vx_dtype from, to;
    int64_t entries, rows, cols;
    co_place source, place;
} gather_case;

static vx_status gather_body(co *c, const void *variant)
{
    const gather_case *v = variant;
    vx_tensor *table = co_input(c, v->from, v->entries, v->cols, v->source, UNIT);
    const vx_tensor *index = co_index(c, v->rows, (int32_t)v->entries);
    vx_tensor *out = co_output(c, v->to, v->rows, v->cols, v->place, EXACT);
    return vx_gather(co_ctx(c), &(vx_gather_args){.table = table, .index = index, .out = out});
}

static void gather_draw(co_random *random, void *variant)
{
    gather_case *v = variant;
    v->from = co_range(random, 0, 2) ? co_dtype(random) : VX_F16, v->to = co_dtype(random);
    v->entries = co_range(random, 1, 90);
    v->rows = co_range(random, 1, 300), v->cols = co_range(random, 1, 200);
    v->source = co_anywhere(random, false), v->place = co_anywhere(random, true);
}

static const gather_case gather_cases[] = {
    {"one entry", VX_F32, VX_F32, 1, 5, 3, {0}, {0}},
    {"f16 table", VX_F16, VX_BF16, 178, 57, 512, {0}, {0}},
    {"nearest x2", VX_BF16, VX_BF16, 40, 80, 256, {0}, {0, 0, 1, true}},
};
static const gather_case gather_bench[] = {
    {"1440 of 720 rows x 1024 bf16", VX_BF16, VX_BF16, 720, 1440, 1024, {0}, {0}},
};
const co_op co_gather_op = {CO_OP(gather),       .body = gather_body,    CO_VARIANTS(gather_cases),
                            .draw = gather_draw, CO_BENCH(gather_bench), .per_element = true};

typedef struct broadcast_case {
    const char *label;
    vx_dtype from, to;
    int64_t rows, cols;
    co_place place;
} broadcast_case;

static vx_status broadcast_body(co *c, const void *variant)
{
    const broadcast_case *v = variant;
    vx_tensor *x = co_input(c, v->from, 1, v->cols, (co_place){0}, UNIT);
    vx_tensor *out = co_output(c, v->to, v->rows, v->cols, v->place, EXACT);
    return vx_broadcast(co_ctx(c), &(vx_broadcast_args){.x = x, .out = out});
}

static void broadcast_draw(co_random *random, void *variant)
{
    broadcast_case *v = variant;
    v->from = co_dtype(random), v->to = co_dtype(random);
    v->rows = co_range(random, 1, 300), v->cols = co_range(random, 1, 200);
    v->place = co_anywhere(random, true);
}

static const broadcast_case broadcast_cases[] = {
    {"one element", VX_F32, VX_F32, 1, 1, {0}},
    {"style beside a sequence", VX_F32, VX_BF16, 314, 128, {512, 0, 0, 0}},
};
const co_op co_broadcast_op = {CO_OP(broadcast), .body = broadcast_body,
                               CO_VARIANTS(broadcast_cases), .draw = broadcast_draw};

/* ---- blend, gate ----------------------------------------------------------------------------- */

/* Sums of three products and the vector polynomials for exp, erf and tanh: a few units of f32. */
static const co_tolerance ELEMENTWISE = {.abs = 1.5e-7, .rel = 5e-7};

typedef struct blend_case {
    const char *label;
    int n;
    vx_dtype dtype[3], to;
    int64_t rows, cols;
    vx_act act; /* LRELU of slope 0: each column has its own */
    float scale[3];
    bool in_place;
    co_place place;
    co_fill fill;
} blend_case;

/* Rounding grows with the inputs, not with a result in which they cancel. */
static co_tolerance scaled(co_tolerance t, co_fill fill)
{
    t.abs *= fill.scale + (fill.offset < 0 ? -fill.offset : fill.offset);
    return t;
}

static vx_status blend_body(co *c, const void *variant)
{
    const blend_case *v = variant;
    vx_blend_args a = {.n = v->n, .act = v->act};
    co_tolerance tolerance = scaled(ELEMENTWISE, v->fill);
    memcpy(a.scale, v->scale, sizeof a.scale);
    for (int i = 0; i < v->n; i++)
        if (i > 0 || !v->in_place)
            a.x[i] = co_input(c, v->dtype[i], v->rows, v->cols, v->place, v->fill);
    if (v->in_place) {
        a.out = co_inout(c, v->to, v->rows, v->cols, v->place, v->fill, tolerance);
        a.x[0] = a.out;
    } else {
        a.out = co_output(c, v->to, v->rows, v->cols, v->place, tolerance);
    }
    bool slopes = v->act.kind == VX_ACT_LRELU && v->act.slope == 0;
    a.slopes = co_vector(c, slopes, v->cols, (co_fill){.scale = 1});
    return vx_blend(co_ctx(c), &a);
}

static void blend_draw(co_random *random, void *variant)
{
    blend_case *v = variant;
    v->n = (int)co_range(random, 1, 3);
    v->to = co_dtype(random);
    v->rows = co_range(random, 1, 300), v->cols = co_range(random, 1, 200);
    v->in_place = co_range(random, 0, 1);
    for (int i = 0; i < 3; i++) {
        v->dtype[i] = v->in_place && i == 0 ? v->to : co_dtype(random);
        v->scale[i] = (float)co_range(random, -20, 20) / 10;
    }
    v->act = (vx_act){(vx_act_kind)co_range(random, VX_ACT_NONE, VX_ACT_TANH),
                      0.2f * (float)co_range(random, 0, 1)};
    v->place = co_anywhere(random, true);
    v->fill = (co_fill){.scale = (double)co_range(random, 1, 8)};
}

#define F3                                                                                         \
    {                                                                                              \
        VX_F32, VX_F32, VX_F32                                                                     \
    }
#define B3                                                                                         \
    {                                                                                              \
        VX_BF16, VX_BF16, VX_BF16                                                                  \
    }
static const blend_case blend_cases[] = {
    {"one element", 1, F3, VX_F32, 1, 1, {0}, {1}, false, {0}, {1, 0, 0}},
    {"mean of three", 3, B3, VX_BF16, 333, 128, {0}, {.33f, .33f, .33f}, false, {0}, {1, 0, 0}},
    {"residual over root two", 2, B3, VX_F32, 65, 96, {0}, {.7071f, .7071f}, true, {0}, {1, 0, 0}},
    {"lrelu", 1, F3, VX_BF16, 99, 31, {VX_ACT_LRELU, 0.1f}, {1}, false, {0}, {3, 0, 0}},
    {"relu", 1, F3, VX_F32, 17, 19, {VX_ACT_RELU, 0}, {1}, true, {0}, {3, 0, 0}},
    {"silu", 1, F3, VX_F32, 64, 64, {VX_ACT_SILU, 0}, {1}, false, {0}, {8, 0, 4}},
    {"gelu tanh", 1, F3, VX_F32, 64, 64, {VX_ACT_GELU_TANH, 0}, {1}, false, {0}, {4, 0, 4}},
    {"gelu erf", 1, F3, VX_F32, 64, 64, {VX_ACT_GELU_ERF, 0}, {1}, false, {0}, {4, 0, 4}},
    {"quick gelu", 1, F3, VX_F32, 64, 64, {VX_ACT_QUICK_GELU, 0}, {1}, false, {0}, {8, 0, 4}},
    {"sigmoid", 1, F3, VX_F32, 64, 64, {VX_ACT_SIGMOID, 0}, {1}, false, {0}, {20, 0, 9}},
    {"tanh", 1, F3, VX_F32, 64, 64, {VX_ACT_TANH, 0}, {1}, false, {0}, {2, 0, 9}},
    {"tanh near zero", 1, F3, VX_F32, 16, 64, {VX_ACT_TANH, 0}, {1}, false, {0}, {1e-3, 0, 0}},
    {"silu of huge", 1, F3, VX_F32, 9, 33, {VX_ACT_SILU, 0}, {1}, false, {0}, {1e30, 0, 0}},
    {"gelu of huge", 1, F3, VX_F32, 9, 33, {VX_ACT_GELU_TANH, 0}, {1}, false, {0}, {1e10, 0, 0}},
    {"zeroes", 2, F3, VX_BF16, 9, 33, {VX_ACT_SILU, 0}, {1, 1}, false, {0}, {0, 0, 0}},
    {"prelu", 2, F3, VX_F32, 300, 128, {VX_ACT_LRELU, 0}, {1, 1}, true, {0}, {2, 0, 0}},
    {"prelu of a column", 1, B3, VX_F32, 7, 1, {VX_ACT_LRELU, 0}, {1}, false, {0}, {2, 0, 0}},
};
/* clang-format off */
static const blend_case blend_bench[] = {
    {"mean of three 86401x128 bf16", 3, B3, VX_BF16, 86401, 128,  {VX_ACT_LRELU, .1f},   {.3f, .3f, .3f}, false, {0, 0, 25, true}, {1, 0, 0}},
    {"sum 86401x128 bf16",           2, B3, VX_BF16, 86401, 128,  {0},                   {1, 1},          true,  {0, 0, 25, true}, {1, 0, 0}},
    {"gelu tanh 314x2048 f32",       1, F3, VX_F32,  314,   2048, {VX_ACT_GELU_TANH, 0}, {1},             true,  {0},              {1, 0, 0}},
};
/* clang-format on */
const co_op co_blend_op = {CO_OP(blend),       .body = blend_body,    CO_VARIANTS(blend_cases),
                           .draw = blend_draw, CO_BENCH(blend_bench), .per_element = true};

typedef struct gate_case {
    const char *label;
    vx_dtype x, y, to;
    int64_t rows, cols;
    vx_act act;
    bool in_place; /* out is x */
    co_place place;
} gate_case;

static vx_status gate_body(co *c, const void *variant)
{
    const gate_case *v = variant;
    const co_fill fill = {.scale = 3};
    /* The product of two factors below 3, the first with the error of an activation. */
    const co_tolerance tolerance = {.abs = 1e-6, .rel = 1e-6};
    vx_gate_args a = {.act = v->act};
    a.y = co_input(c, v->y, v->rows, v->cols, v->place, fill);
    if (v->in_place) {
        a.out = co_inout(c, v->to, v->rows, v->cols, v->place, fill, tolerance);
        a.x = a.out;
    } else {
        a.x = co_input(c, v->x, v->rows, v->cols, v->place, fill);
        a.out = co_output(c, v->to, v->rows, v->cols, v->place, tolerance);
    }
    return vx_gate(co_ctx(c), &a);
}

static void gate_draw(co_random *random, void *variant)
{
    gate_case *v = variant;
    v->x = co_dtype(random), v->y = co_dtype(random), v->to = co_dtype(random);
    v->rows = co_range(random, 1, 200), v->cols = co_range(random, 1, 200);
    v->act = (vx_act){(vx_act_kind)co_range(random, VX_ACT_NONE, VX_ACT_TANH), 0.2f};
    v->in_place = co_range(random, 0, 1);
    v->place = co_anywhere(random, true);
}

static const gate_case gate_cases[] = {
    {"one element", VX_F32, VX_F32, VX_F32, 1, 1, {VX_ACT_GELU_TANH, 0}, false, {0}},
    {"T5", VX_BF16, VX_BF16, VX_BF16, 77, 1024, {VX_ACT_GELU_TANH, 0}, true, {0}},
};
static const gate_case gate_bench[] = {
    {"T5 256x10240 bf16", VX_BF16, VX_BF16, VX_BF16, 256, 10240, {VX_ACT_GELU_TANH, 0}, true, {0}},
};
const co_op co_gate_op = {CO_OP(gate),       .body = gate_body,    CO_VARIANTS(gate_cases),
                          .draw = gate_draw, CO_BENCH(gate_bench), .per_element = true};

/* ---- depthwise_up2 --------------------------------------------------------------------------- */

typedef struct up2_case {
    const char *label;
    vx_dtype from, to;
    int64_t rows, cols;
    bool bias;
    co_place source, place;
} up2_case;

static vx_status up2_body(co *c, const void *variant)
{
    const up2_case *v = variant;
    vx_depthwise_up2_args a = {0};
    a.x = co_input(c, v->from, v->rows, v->cols, v->source, UNIT);
    a.weight = co_vector(c, true, 3 * v->cols, UNIT);
    a.bias = co_vector(c, v->bias, v->cols, UNIT);
    /* Three products and two sums: three units of f32 of the sum of magnitudes. */
    a.out = co_output(c, v->to, 2 * v->rows, v->cols, v->place, (co_tolerance){.mag = 2e-7});
    return vx_depthwise_up2(co_ctx(c), &a);
}

static void up2_draw(co_random *random, void *variant)
{
    up2_case *v = variant;
    v->from = co_dtype(random), v->to = co_dtype(random);
    v->rows = co_range(random, 1, 150), v->cols = co_range(random, 1, 200);
    v->bias = co_range(random, 0, 1);
    v->source = co_anywhere(random, true), v->place = co_anywhere(random, true);
}

static const up2_case up2_cases[] = {
    {"one element", VX_F32, VX_F32, 1, 1, true, {0}, {0}},
    {"one row", VX_BF16, VX_BF16, 1, 512, true, {0}, {0, 0, 1, true}},
    {"no bias", VX_F32, VX_F32, 40, 33, false, {0}, {0}},
};
static const up2_case up2_bench[] = {
    {"720x1090 bf16", VX_BF16, VX_BF16, 720, 1090, true, {0}, {0, 0, 1, true}},
};
const co_op co_depthwise_up2_op = {CO_OP(depthwise_up2),   .body = up2_body,
                                   CO_VARIANTS(up2_cases), .draw = up2_draw,
                                   CO_BENCH(up2_bench),    .per_element = true};
