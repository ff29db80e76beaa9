/* Cases: linear layers and convolutions along time. */
#include "checkop.h"

#include <math.h>

/* Products are summed in f32 in another order than the reference's: rounding errors of K terms add
 * up like a random walk of half units of the sum of magnitudes; four times that never happens. The
 * activations have slopes up to 1.13. */
static co_tolerance product_tolerance(int64_t terms)
{
    return (co_tolerance){.abs = 1e-6, .rel = 1e-6, .mag = 4 * 6e-8 * sqrt((double)terms) * 1.2};
}

/* ---- linear -------------------------------------------------------------------------------- */

typedef struct linear_case {
    const char *label;
    vx_dtype store, compute, x, out;
    int64_t rows, in, outs;
    bool bias, gate;
    int residual; /* 0 none, 1 its own tensor, 2 out itself */
    vx_act act;
    co_place place;
} linear_case;

static vx_status linear_body(co *c, const void *variant)
{
    const linear_case *v = variant;
    const co_fill one = {.scale = 1};
    const vx_weight description =
        vx_weight_linear(v->outs, v->in, v->store, co_compute(v->compute));
    vx_linear_args a = {.act = co_act(c, v->act)};
    a.x = co_input(c, v->x, v->rows, v->in, v->place, one);
    a.w = co_weight(c, description, (co_fill){.scale = 1 / sqrt((double)v->in)});
    if (a.w == NULL) return VX_ERR_INTERNAL;
    a.bias = co_vector(c, v->bias, v->outs, one);
    a.gate = co_vector(c, v->gate, v->outs, one);
    if (v->residual == 1) a.residual = co_input(c, VX_F32, v->rows, v->outs, v->place, one);
    a.out = v->residual == 2
                ? co_inout(c, v->out, v->rows, v->outs, v->place, one, product_tolerance(v->in))
                : co_output(c, v->out, v->rows, v->outs, v->place, product_tolerance(v->in));
    if (v->residual == 2) a.residual = a.out;
    return vx_linear(co_ctx(c), &a);
}

static void linear_draw(co_random *random, void *variant)
{
    static const vx_dtype store[] = {VX_F32,  VX_BF16, VX_F16, VX_INT8_ROW,
                                     VX_Q8_0, VX_Q4_0, VX_NF4};
    linear_case *v = variant;
    v->store = store[co_range(random, 0, 6)];
    v->compute = co_dtype(random), v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 200);
    v->in = co_range(random, 1, 300), v->outs = co_range(random, 1, 300);
    /* Whole blocks. */
    if (v->store == VX_Q8_0 || v->store == VX_Q4_0 || v->store == VX_NF4)
        v->in = (v->in + 63) / 64 * 64;
    v->bias = co_range(random, 0, 1), v->gate = co_range(random, 0, 1);
    v->residual = (int)co_range(random, 0, 2);
    v->act = (vx_act){.kind = (vx_act_kind)co_range(random, 0, VX_ACT_TANH), .slope = 0.2f};
    v->place = co_anywhere(random, true);
}

#define F VX_F32
#define B VX_BF16
#define NO                                                                                         \
    {                                                                                              \
        VX_ACT_NONE, 0                                                                             \
    }
/* clang-format off */
static const linear_case linear_cases[] = {
    {"one by one",                F,           F, F, F, 1,               1,    1,    true,  false, 0, NO,                    {0}},
    {"one by one bf16",           B,           B, B, B, 1,               1,    1,    true,  false, 0, NO,                    {0}},
    {"style vector",              F,           F, F, F, 1,               128,  1024, true,  false, 0, NO,                    {0}},
    {"four modulations",          B,           B, F, F, 4,               256,  1536, true,  false, 0, NO,                    {0}},
    {"every tile size",           F,           F, F, F, 64 + 16 + 4 + 1, 96,   64,   true,  false, 0, NO,                    {0}},
    {"64 rows and panels",        B,           B, B, B, 64,              128,  128,  true,  false, 0, NO,                    {0}},
    {"gelu",                      F,           B, B, B, 130,             192,  320,  true,  false, 0, {VX_ACT_GELU_TANH, 0}, {0}},
    {"gated residual in place",   B,           B, B, F, 70,              320,  200,  true,  true,  2, NO,                    {0}},
    {"strided",                   F,           F, F, F, 37,              100,  70,   true,  true,  1, {VX_ACT_SILU, 0},      {3, 5, 0, false}},
    {"strided to bf16",           F,           B, B, B, 37,              100,  70,   false, true,  2, NO,                    {3, 5, 0, false}},
    {"one output",                F,           F, F, F, 300,             256,  1,    true,  false, 0, NO,                    {0}},
    {"one output bf16",           F,           B, F, B, 300,             256,  1,    true,  false, 0, NO,                    {0}},
    {"long rows",                 F,           F, F, F, 20,              3072, 66,   true,  false, 0, NO,                    {0}},
    {"nf4",                       VX_NF4,      B, B, B, 130,             256,  192,  true,  false, 0, NO,                    {0}},
    {"nf4, one row, many scales", VX_NF4,      B, F, F, 1,               320,  1000, true,  false, 0, NO,                    {0}},
    {"nf4 in f32",                VX_NF4,      F, F, F, 20,              64,   65,   true,  false, 0, NO,                    {0}},
    {"q8_0",                      VX_Q8_0,     B, B, B, 130,             96,   192,  true,  false, 0, NO,                    {0}},
    {"q4_0",                      VX_Q4_0,     B, B, F, 130,             32,   70,   true,  true,  2, NO,                    {0}},
    {"int8",                      VX_INT8_ROW, B, B, F, 77,              101,  70,   true,  false, 0, NO,                    {0}},
    {"nf4, two chunks of rows",   VX_NF4,      B, F, F, 1100,            64,   64,   true,  false, 0, NO,                    {2, 3, 0, false}},
    {"halo",                      F,           F, F, F, 20,              64,   66,   true,  false, 0, NO,                    {0, 0, 3, false}},
};
static const linear_case linear_bench[] = {
    {"314x768x768 f32",                    F,           F, F, F, 314,  768,   768,   true, false, 0, NO,                    {0}},
    {"314x768x768 bf16",                   B,           B, B, B, 314,  768,   768,   true, false, 0, NO,                    {0}},
    {"314x768x2048 f32 gelu",              F,           F, F, F, 314,  768,   2048,  true, false, 0, {VX_ACT_GELU_TANH, 0}, {0}},
    {"314x768x2048 bf16 gelu",             B,           B, B, B, 314,  768,   2048,  true, false, 0, {VX_ACT_GELU_TANH, 0}, {0}},
    {"1280x3072x3072 f32",                 F,           F, F, F, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"1280x3072x3072 bf16",                B,           B, B, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"1280x3072x3072 bf16 from f32",       B,           B, F, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"1280x3072x3072 bf16 gated residual", B,           B, B, F, 1280, 3072,  3072,  true, true,  2, NO,                    {0}},
    {"1280x3072x3072 nf4",                 VX_NF4,      B, B, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"512x3072x9216 nf4",                  VX_NF4,      B, B, B, 512,  3072,  9216,  true, false, 0, NO,                    {0}},
    {"1280x15360x3072 nf4",                VX_NF4,      B, B, F, 1280, 15360, 3072,  true, true,  2, NO,                    {0}},
    {"1280x3072x3072 q4_0",                VX_Q4_0,     B, B, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"1280x3072x3072 q8_0",                VX_Q8_0,     B, B, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"1280x3072x3072 int8",                VX_INT8_ROW, B, B, B, 1280, 3072,  3072,  true, false, 0, NO,                    {0}},
    {"4x3072x18432 nf4",                   VX_NF4,      B, B, F, 4,    3072,  18432, true, false, 0, NO,                    {0}},
    {"1x128x1024 f32",                     F,           F, F, F, 1,    128,   1024,  true, false, 0, NO,                    {0}},
    {"1x3072x3072 bf16",                   B,           B, B, B, 1,    3072,  3072,  true, false, 0, NO,                    {0}},
    {"4x3072x18432 bf16",                  B,           B, B, B, 4,    3072,  18432, true, false, 0, NO,                    {0}},
};
/* clang-format on */
const co_op co_linear_op = {CO_OP(linear), .body = linear_body, CO_VARIANTS(linear_cases),
                            .draw = linear_draw, CO_BENCH(linear_bench)};

/* ---- conv1d -------------------------------------------------------------------------------- */

typedef struct conv1d_case {
    const char *label;
    vx_dtype store, compute, x, out;
    int64_t rows, in, outs, taps, stride, dilation;
    bool bias, accumulate;
    vx_act act;
} conv1d_case;

static vx_status conv1d_body(co *c, const void *variant)
{
    const conv1d_case *v = variant;
    const co_fill one = {.scale = 1};
    int64_t pad = v->dilation * (v->taps - 1) / 2, terms = v->in * v->taps;
    const vx_weight description = vx_weight_conv1d(v->outs, v->in, v->taps, v->stride, v->dilation,
                                                   pad, v->store, co_compute(v->compute));
    int64_t rows_out = (v->rows + 2 * pad - v->dilation * (v->taps - 1) - 1) / v->stride + 1;
    vx_conv1d_args a = {.act = co_act(c, v->act), .accumulate = v->accumulate};
    const co_fill skew = {.scale = 1, .offset = 0.5};
    a.x = co_input(c, v->x, v->rows, v->in, (co_place){.halo = pad + 1, .seq = true},
                   v->compute == VX_U8 ? skew : one);
    a.w = co_weight(c, description, (co_fill){.scale = 1 / sqrt((double)terms)});
    if (a.w == NULL) return VX_ERR_INTERNAL;
    a.bias = co_vector(c, v->bias, v->outs, one);
    const co_place place = {.halo = 2, .seq = true};
    co_tolerance tolerance = product_tolerance(terms);
    /* Steps of 1/255 of the range [-0.5, 1.5]: half a step for values of size 0.6 on average. */
    if (v->compute == VX_U8) tolerance.mag = 1.0 / 255 / 0.5;
    a.out = v->accumulate ? co_inout(c, v->out, rows_out, v->outs, place, one, tolerance)
                          : co_output(c, v->out, rows_out, v->outs, place, tolerance);
    return vx_conv1d(co_ctx(c), &a);
}

static void conv1d_draw(co_random *random, void *variant)
{
    conv1d_case *v = variant;
    v->store = co_dtype(random), v->compute = co_dtype(random);
    if (co_range(random, 0, 3) == 0) v->store = VX_INT8_ROW, v->compute = VX_U8;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 300);
    v->in = co_range(random, 1, 70), v->outs = co_range(random, 1, 150);
    v->taps = 2 * co_range(random, 0, 5) + 1;
    v->dilation = co_range(random, 1, 5), v->stride = 1;
    v->bias = co_range(random, 0, 1), v->accumulate = co_range(random, 0, 1);
    v->act = (vx_act){.kind = (vx_act_kind)co_range(random, 0, VX_ACT_TANH), .slope = 0.2f};
}

static const conv1d_case conv1d_cases[] = {
    {"one row", F, F, F, F, 1, 8, 8, 3, 1, 1, true, false, NO},
    {"one channel, stride 2", F, F, F, F, 101, 1, 1, 3, 2, 1, true, false, NO},
    {"one channel, stride 2, bf16", F, B, F, B, 100, 1, 1, 3, 2, 1, true, false, NO},
    {"noise, stride 6", F, B, F, B, 601, 22, 256, 12, 6, 1, true, false, NO},
    {"noise, one tap", F, B, F, B, 131, 22, 128, 1, 1, 1, true, false, NO},
    {"post", F, B, B, F, 211, 128, 22, 7, 1, 1, true, false, NO},
    {"residual", F, B, B, B, 150, 128, 128, 11, 1, 5, true, true, NO},
    {"odd channels", F, F, F, F, 85, 109, 66, 3, 1, 1, true, false, {VX_ACT_LRELU, 0.2f}},
    {"bytes", VX_INT8_ROW, VX_U8, B, B, 150, 128, 128, 11, 1, 5, true, true, NO},
    {"bytes, one row", VX_INT8_ROW, VX_U8, F, F, 1, 7, 70, 3, 1, 1, false, false, NO},
    {"odd channels bf16", F, B, B, B, 85, 109, 66, 3, 1, 1, true, false, {VX_ACT_LRELU, 0.2f}},
};
static const conv1d_case conv1d_bench[] = {
#define STAGE0(k, d)                                                                               \
    {                                                                                              \
        "14400x256 k" #k " d" #d " bf16", B, B, B, B, 14400, 256, 256, k, 1, d, true, false, NO    \
    }
    STAGE0(3, 1),
    STAGE0(3, 5),
    STAGE0(7, 3),
    STAGE0(11, 1),
    STAGE0(11, 5),
    {"14400x256 k11 d5 f32", F, F, F, F, 14400, 256, 256, 11, 1, 5, true, false, NO},
    {"14400x256 k3 d1 bf16 accumulated", B, B, B, B, 14400, 256, 256, 3, 1, 1, true, true, NO},
    {"86401x128 k3 d1 bf16", B, B, B, B, 86401, 128, 128, 3, 1, 1, true, false, NO},
    {"86401x128 k3 d1 bf16 accumulated", B, B, B, B, 86401, 128, 128, 3, 1, 1, true, true, NO},
    {"86401x128 k11 d5 bf16", B, B, B, B, 86401, 128, 128, 11, 1, 5, true, false, NO},
    {"86401x128 k3 d1 f32", F, F, F, F, 86401, 128, 128, 3, 1, 1, true, false, NO},
    {"14400x256 k11 d5 u8", VX_INT8_ROW, VX_U8, B, B, 14400, 256, 256, 11, 1, 5, true, false, NO},
    {"86401x128 k3 d1 u8", VX_INT8_ROW, VX_U8, B, B, 86401, 128, 128, 3, 1, 1, true, false, NO},
    {"86401x128 k11 d5 u8", VX_INT8_ROW, VX_U8, B, B, 86401, 128, 128, 11, 1, 5, true, false, NO},
    {"86401x128->22 k7 bf16", B, B, B, F, 86401, 128, 22, 7, 1, 1, true, false, NO},
    {"86401x22->256 k12 s6 bf16", B, B, B, B, 86401, 22, 256, 12, 6, 1, true, false, NO},
    {"720x514->1024 k3 bf16", B, B, B, B, 720, 514, 1024, 3, 1, 1, true, false, NO},
    {"720x1024->1024 k3 bf16", B, B, B, B, 720, 1024, 1024, 3, 1, 1, true, false, NO},
    {"720x1090->1024 k3 bf16", B, B, B, B, 720, 1090, 1024, 3, 1, 1, true, false, NO},
    {"720x1090->1024 k3 f32", F, F, F, F, 720, 1090, 1024, 3, 1, 1, true, false, NO},
    {"314x512->512 k5 f32", F, F, F, F, 314, 512, 512, 5, 1, 1, true, false, NO},
};
const co_op co_conv1d_op = {CO_OP(conv1d), .body = conv1d_body, CO_VARIANTS(conv1d_cases),
                            .draw = conv1d_draw, CO_BENCH(conv1d_bench)};

/* ---- conv_transpose1d ---------------------------------------------------------------------- */

typedef struct transpose_case {
    const char *label;
    vx_dtype store, compute, x, out;
    int64_t rows, in, outs, stride;
    bool bias;
} transpose_case;

static vx_status transpose_body(co *c, const void *variant)
{
    const transpose_case *v = variant;
    const co_fill one = {.scale = 1};
    vx_weight description = vx_weight_conv1d(v->outs, v->in, 2 * v->stride, v->stride, 1,
                                             v->stride / 2, v->store, co_compute(v->compute));
    description.kind = VX_WEIGHT_CONV_TRANSPOSE;
    vx_conv_transpose1d_args a = {0};
    a.x = co_input(c, v->x, v->rows, v->in, (co_place){.halo = 1, .seq = true}, one);
    a.w = co_weight(c, description, (co_fill){.scale = 1 / sqrt(2.0 * (double)v->in)});
    if (a.w == NULL) return VX_ERR_INTERNAL;
    a.bias = co_vector(c, v->bias, v->outs, one);
    a.out = co_output(c, v->out, v->rows * v->stride, v->outs,
                      (co_place){.halo = v->stride / 2, .seq = true}, product_tolerance(2 * v->in));
    return vx_conv_transpose1d(co_ctx(c), &a);
}

static void transpose_draw(co_random *random, void *variant)
{
    transpose_case *v = variant;
    v->store = co_dtype(random), v->compute = co_dtype(random);
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 140), v->stride = co_range(random, 1, 12);
    v->in = co_range(random, 1, 60), v->outs = co_range(random, 1, 80);
    v->bias = co_range(random, 0, 1);
}

static const transpose_case transpose_cases[] = {
    {"one row", F, F, F, F, 1, 8, 8, 10, true},
    {"ups.0", F, B, B, B, 33, 64, 32, 10, true},
    {"ups.1", F, B, B, B, 70, 64, 128, 6, true},
    {"odd stride, whole tiles of rows", F, F, F, F, 512, 8, 8, 3, true},
};
static const transpose_case transpose_bench[] = {
    {"1440x512->256 s10 bf16", B, B, B, B, 1440, 512, 256, 10, true},
    {"14400x256->128 s6 bf16", B, B, B, B, 14400, 256, 128, 6, true},
    {"14400x256->128 s6 f32", F, F, F, F, 14400, 256, 128, 6, true},
};
const co_op co_conv_transpose1d_op = {CO_OP(conv_transpose1d), .body = transpose_body,
                                      CO_VARIANTS(transpose_cases), .draw = transpose_draw,
                                      CO_BENCH(transpose_bench)};

/* ---- attention ----------------------------------------------------------------------------- */

typedef struct attention_case {
    const char *label;
    vx_dtype compute, in, out;
    int64_t queries, keys, heads, width;
    float scale; /* times 1/sqrt(width) */
    bool causal, bias;
    co_place place;
} attention_case;

/* Values are below 1 in magnitude, so is every result. In f32 the rounding error of a score (scores
 * grow with v->scale) becomes the relative error of its weight. In bf16 the weights, which the
 * reference keeps whole, are rounded before they meet the values: 2^-8 of their sum, which is 1. */
static vx_status attention_body(co *c, const void *variant)
{
    const attention_case *v = variant;
    const co_fill one = {.scale = 1};
    int64_t columns = v->heads * v->width;
    vx_attention_args a = {.heads = (int)v->heads, .causal = v->causal};
    a.scale = v->scale / sqrtf((float)v->width);
    a.compute = co_compute(v->compute);
    a.q = co_input(c, v->in, v->queries, columns, v->place, one);
    a.k = co_input(c, v->in, v->keys, columns, v->place, one);
    a.v = co_input(c, v->in, v->keys, columns, v->place, one);
    a.bias = co_vector(c, v->bias, v->heads * (v->queries + v->keys - 1), one);
    const co_tolerance tolerance = {.abs =
                                        a.compute == VX_BF16 ? 1.0 / 256 : 2e-6 + 2e-7 * v->scale};
    a.out = co_output(c, v->out, v->queries, columns, v->place, tolerance);
    return vx_attention(co_ctx(c), &a);
}

static void attention_draw(co_random *random, void *variant)
{
    attention_case *v = variant;
    v->compute = co_dtype(random), v->in = co_dtype(random), v->out = co_dtype(random);
    v->queries = co_range(random, 1, 150), v->keys = co_range(random, 1, 400);
    v->heads = co_range(random, 1, 4), v->width = co_range(random, 1, 140);
    v->causal = co_range(random, 0, 1), v->bias = co_range(random, 0, 1);
    if (v->causal) v->keys = v->queries;
    v->scale = (float)co_range(random, 1, 20);
    v->place = co_anywhere(random, true);
}

static const attention_case attention_cases[] = {
    {"one key", F, F, F, 1, 1, 1, 1, 1, false, false, {0}},
    {"one key bf16", B, B, B, 1, 1, 2, 3, 1, true, true, {0}},
    {"CLIP text", B, B, B, 77, 77, 12, 64, 1, true, false, {0, 1536, 0, false}},
    {"T5", B, F, B, 256, 256, 3, 64, 8, false, true, {0}},
    {"T5 f32", F, F, F, 256, 256, 3, 64, 8, false, true, {0}},
    {"FLUX", B, B, B, 320, 320, 2, 128, 1, false, false, {0}},
    {"autoencoder", F, F, F, 100, 100, 1, 512, 1, false, false, {0}},
    {"ALBERT", F, F, F, 314, 314, 3, 64, 1, false, false, {0}},
    {"few keys", F, F, F, 70, 3, 2, 32, 1, false, false, {0}},
    {"sharp", F, F, F, 70, 330, 2, 32, 100, false, false, {0}},
};
static const attention_case attention_bench[] = {
    {"314 of 12x64 f32", F, F, F, 314, 314, 12, 64, 1, false, false, {0}},
    {"314 of 12x64 bf16", B, B, B, 314, 314, 12, 64, 1, false, false, {0}},
    {"512 of 24x128 bf16", B, B, B, 512, 512, 24, 128, 1, false, false, {0}},
    {"1280 of 24x128 bf16", B, B, B, 1280, 1280, 24, 128, 1, false, false, {0}},
    {"4096 of 1x512 f32", F, F, F, 4096, 4096, 1, 512, 1, false, false, {0}},
    {"4096 of 1x512 bf16", B, B, B, 4096, 4096, 1, 512, 1, false, false, {0}},
    {"256 of 64x64 bf16 bias", B, B, B, 256, 256, 64, 64, 8, false, true, {0}},
};
const co_op co_attention_op = {CO_OP(attention), .body = attention_body,
                               CO_VARIANTS(attention_cases), .draw = attention_draw,
                               CO_BENCH(attention_bench)};

/* ---- lstm ---------------------------------------------------------------------------------- */

typedef struct lstm_case {
    const char *label;
    vx_dtype store, compute, x, out;
    int64_t rows, in, hidden;
    bool bias;
    co_place place;
} lstm_case;

/* Weights of torch's initial scale, so that the state neither dies nor saturates. In f32 the errors
 * of the gates are a few units of 1, damped by the forget gates. In bf16 the state is rounded
 * before each step, and where backend and reference fall on two sides of a rounding limit they
 * differ by one unit (2^-8) of a value below 1 until that has faded. */
static vx_status lstm_body(co *c, const void *variant)
{
    const lstm_case *v = variant;
    const co_fill one = {.scale = 1};
    vx_dtype compute = co_compute(v->compute);
    vx_weight description = vx_weight_linear(8 * v->hidden, v->in, v->store, compute);
    description.kind = VX_WEIGHT_LSTM;
    vx_lstm_args a = {0};
    a.x = co_input(c, v->x, v->rows, v->in, v->place, one);
    a.w = co_weight(c, description, (co_fill){.scale = 1 / sqrt((double)v->hidden)});
    if (a.w == NULL) return VX_ERR_INTERNAL;
    a.bias = co_vector(c, v->bias, 8 * v->hidden, (co_fill){.scale = 0.1});
    const co_tolerance tolerance = {.abs = compute == VX_BF16 ? 4e-3 : 1e-5};
    a.out = co_output(c, v->out, v->rows, 2 * v->hidden, v->place, tolerance);
    return vx_lstm(co_ctx(c), &a);
}

static void lstm_draw(co_random *random, void *variant)
{
    lstm_case *v = variant;
    v->store = co_dtype(random), v->compute = co_dtype(random);
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 90);
    v->in = co_range(random, 1, 90), v->hidden = co_range(random, 1, 70);
    v->bias = co_range(random, 0, 1);
    v->place = co_anywhere(random, true);
}

static const lstm_case lstm_cases[] = {
    {"one step, one unit", F, F, F, F, 1, 1, 1, true, {0}},
    {"one unit bf16", F, B, B, B, 5, 3, 1, true, {0}},
    {"Kokoro", F, F, F, F, 40, 640, 256, true, {0, 128, 0, false}},
    {"Kokoro bf16", B, B, B, B, 40, 512, 256, true, {0}},
};
static const lstm_case lstm_bench[] = {
    {"314x640 H256 f32", F, F, F, F, 314, 640, 256, true, {0}},
    {"720x640 H256 f32", F, F, F, F, 720, 640, 256, true, {0}},
    {"720x640 H256 bf16", F, B, F, F, 720, 640, 256, true, {0}},
};
const co_op co_lstm_op = {CO_OP(lstm), .body = lstm_body, CO_VARIANTS(lstm_cases),
                          .draw = lstm_draw, CO_BENCH(lstm_bench)};
