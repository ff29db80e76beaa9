/* Cases: filters over planes and volumes, group norm, query and key norm. */
#include "checkop.h"

#include <math.h>

/* ---- conv ----------------------------------------------------------------------------------- */

typedef struct conv_case {
    const char *label;
    vx_dtype store, compute, x, out;
    int64_t n, depth, height, width, in, outs; /* depth 0: a plane */
    int64_t kernel[3], stride, upsample;
    bool cells_in, cells_out, bias;
    int residual; /* 0 none, 1 its own tensor, 2 out itself */
    vx_act act;
    int64_t above, below;
    bool ends; /* one row and one column of padding, at the far ends only */
} conv_case;

/* As for other products (checkop_matrix.c). Over upsampled maps and cells a backend may add taps up
 * before it rounds them to bf16: then each of the K terms differs by two roundings of at most 2^-8
 * each, a random walk again, of which five times 2^-8 sqrt(K) mean terms never happens. */
static co_tolerance conv_tolerance(const conv_case *v)
{
    double terms = (double)(v->in * v->kernel[0] * v->kernel[1] * v->kernel[2]);
    co_tolerance t = {.abs = 1e-6, .rel = 1e-6, .mag = 4 * 6e-8 * sqrt(terms) * 1.2};
    if (v->compute == VX_BF16 && (v->upsample > 1 || v->cells_in)) t.mag += 5.0 / 256 / sqrt(terms);
    return t;
}

static int64_t size_out(const conv_case *v, int axis, int64_t size)
{
    int64_t full = axis > 0 ? (v->cells_in ? size / 3 * 4 : size) * v->upsample : size;
    int64_t stride = axis > 0 ? v->stride : 1;
    int64_t padding = axis > 0 && v->ends ? 1 : 2 * ((v->kernel[axis] - 1) / 2);
    int64_t out = (full + padding - v->kernel[axis]) / stride + 1;
    return axis > 0 && v->cells_out ? out / 4 * 3 : out;
}

/* The same rows as planes or volumes. */
static vx_tensor shaped(const vx_tensor *rows, const conv_case *v, int64_t depth, int64_t height,
                        int64_t width)
{
    int64_t volume[5] = {v->n, depth, height, width, vx_cols(rows)};
    int64_t plane[4] = {v->n, height, width, vx_cols(rows)};
    return v->depth > 0 ? vx_reshape(rows, 5, volume) : vx_reshape(rows, 4, plane);
}

static vx_status conv_body(co *c, const void *variant)
{
    const conv_case *v = variant;
    const co_fill one = {.scale = 1};
    const co_place dense = {0};
    double taps = (double)(v->kernel[0] * v->kernel[1] * v->kernel[2]);
    vx_weight description =
        vx_weight_conv(v->outs, v->in, v->kernel, v->store, co_compute(v->compute));
    description.stride[1] = description.stride[2] = v->stride;
    for (int i = 1; v->ends && i < 3; i++)
        description.pad[i] = 0, description.pad_end[i] = 1;
    description.upsample = v->upsample;
    description.cells_in = v->cells_in, description.cells_out = v->cells_out;

    int64_t depth = v->depth > 0 ? v->depth : 1;
    int64_t depth_out = size_out(v, 0, depth), height_out = size_out(v, 1, v->height);
    int64_t width_out = size_out(v, 2, v->width);
    height_out -= v->above + v->below;
    int64_t rows = v->n * depth * v->height * v->width;
    int64_t rows_out = v->n * depth_out * height_out * width_out;
    vx_tensor x = *co_input(c, v->x, rows, v->in, dense, one), residual, out;
    vx_conv_args a = {.x = &x, .act = co_act(c, v->act), .out = &out};
    a.above = v->above, a.below = v->below;
    a.w = co_weight(c, description, (co_fill){.scale = 1 / sqrt((double)v->in * taps)});
    if (a.w == NULL) return VX_ERR_INTERNAL;
    a.bias = co_vector(c, v->bias, v->outs, one);
    if (v->residual == 1) {
        residual = *co_input(c, VX_F32, rows_out, v->outs, dense, one);
        residual = shaped(&residual, v, depth_out, height_out, width_out);
        a.residual = &residual;
    }
    out = v->residual == 2 ? *co_inout(c, v->out, rows_out, v->outs, dense, one, conv_tolerance(v))
                           : *co_output(c, v->out, rows_out, v->outs, dense, conv_tolerance(v));
    x = shaped(&x, v, depth, v->height, v->width);
    out = shaped(&out, v, depth_out, height_out, width_out);
    if (v->residual == 2) a.residual = &out;
    return vx_conv(co_ctx(c), &a);
}

static void conv_draw(co_random *random, void *variant)
{
    conv_case *v = variant;
    bool volume = co_range(random, 0, 2) == 0, structured = co_range(random, 0, 1);
    v->compute = co_dtype(random), v->x = co_dtype(random), v->out = co_dtype(random);
    v->store = v->compute;
    v->n = co_range(random, 1, 2), v->depth = volume ? co_range(random, 1, 5) : 0;
    v->height = co_range(random, 1, 11), v->width = co_range(random, 1, 11);
    v->in = co_range(random, 1, 40), v->outs = co_range(random, 1, 90);
    v->stride = v->upsample = 1;
    v->kernel[0] = volume ? 2 * co_range(random, 0, 1) + 1 : 1;
    v->kernel[1] = v->kernel[2] = structured ? 3 : 2 * co_range(random, 0, 3) + 1;
    if (structured) {
        int kind = (int)co_range(random, 0, 3);
        v->upsample = kind == 0 ? 2 : kind == 3 ? 1 : 4;
        v->cells_out = kind == 2;
        v->cells_in = kind == 3;
        if (v->cells_in) v->height *= 3, v->width *= 3;
    } else {
        v->stride = co_range(random, 1, 2);
        int64_t fits = v->kernel[1] - 1;
        v->ends = v->height >= fits && v->width >= fits && co_range(random, 0, 1);
    }
    v->bias = co_range(random, 0, 1), v->residual = (int)co_range(random, 0, 2);
    v->act = (vx_act){(vx_act_kind)co_range(random, VX_ACT_NONE, VX_ACT_TANH), 0.2f};
}

/* clang-format off */
#define F    VX_F32
#define B    VX_BF16
#define K1   {1, 1, 1}
#define K3   {1, 3, 3}
#define K333 {3, 3, 3}
#define RELU {VX_ACT_RELU, 0}
#define NONE {VX_ACT_NONE, 0}
static const conv_case conv_cases[] = {
    {"one pixel",                  F,      F, F, F, 1, 0, 1,  1,  1,  1,  K3,        1, 1, false, false, true,  0, NONE, 0, 0, false},
    {"one by one taps",            B,      B, B, B, 1, 0, 9,  7,  33, 20, K1,        1, 1, false, false, true,  0, NONE, 0, 0, false},
    {"relu",                       F,      F, F, F, 2, 0, 9,  12, 16, 70, K3,        1, 1, false, false, true,  0, RELU, 0, 0, false},
    {"relu bf16",                  B,      B, B, B, 2, 0, 9,  12, 16, 70, K3,        1, 1, false, false, true,  0, RELU, 0, 0, false},
    {"seven by seven, one output", B,      B, B, F, 1, 0, 8,  8,  40, 1,  {1, 7, 7}, 1, 1, false, false, true,  0, NONE, 0, 0, false},
    {"stride 2",                   F,      F, F, F, 1, 0, 11, 8,  12, 24, K3,        2, 1, false, false, false, 0, NONE, 0, 0, false},
    {"padded at the ends",         F,      F, F, F, 1, 0, 10, 8,  12, 24, K3,        2, 1, false, false, true,  0, NONE, 0, 0, true},
    {"padded at the ends, bf16",   B,      B, B, B, 2, 0, 9,  12, 33, 70, K3,        2, 1, false, false, true,  0, NONE, 0, 0, true},
    {"residual",                   B,      B, B, F, 1, 0, 8,  8,  32, 64, K3,        1, 1, false, false, true,  1, NONE, 0, 0, false},
    {"residual in place",          F,      F, F, F, 1, 0, 8,  8,  32, 65, K3,        1, 1, false, false, true,  2, NONE, 0, 0, false},
    {"upsampled by 2",             F,      F, F, F, 1, 0, 7,  5,  24, 40, K3,        1, 2, false, false, true,  0, RELU, 0, 0, false},
    {"upsampled by 2, bf16",       B,      B, B, B, 1, 0, 7,  5,  24, 40, K3,        1, 2, false, false, true,  0, RELU, 0, 0, false},
    {"upsampled by 4",             F,      F, F, F, 1, 0, 5,  4,  24, 40, K3,        1, 4, false, false, true,  0, NONE, 0, 0, false},
    {"to cells",                   F,      F, F, F, 1, 0, 5,  4,  24, 40, K3,        1, 4, false, true,  true,  0, RELU, 0, 0, false},
    {"to cells, bf16",             B,      B, B, B, 1, 0, 5,  4,  24, 40, K3,        1, 4, false, true,  true,  0, RELU, 0, 0, false},
    {"from cells",                 F,      F, F, F, 1, 0, 9,  12, 24, 40, K3,        1, 1, true,  false, true,  0, NONE, 0, 0, false},
    {"from cells, bf16",           B,      B, B, B, 1, 0, 9,  12, 24, 40, K3,        1, 1, true,  false, true,  0, NONE, 0, 0, false},
    {"volume",                     B,      B, B, B, 1, 4, 6,  5,  20, 36, K333,      1, 1, false, false, true,  0, RELU, 0, 0, false},
    {"volume of two images",       F,      F, F, F, 2, 3, 6,  5,  20, 36, K333,      1, 1, false, false, true,  0, NONE, 0, 0, false},
    {"volume upsampled",           F,      F, F, F, 1, 3, 4,  5,  20, 36, K333,      1, 2, false, false, true,  0, RELU, 0, 0, false},
    {"volume, seven",              F,      F, F, F, 1, 5, 5,  5,  6,  22, {7, 7, 7}, 1, 1, false, false, true,  0, NONE, 0, 0, false},
    {"strip of a plane",           B,      B, B, B, 1, 0, 9,  14, 24, 70, K3,        1, 1, false, false, true,  0, RELU, 1, 1, false},
    {"strip at the end",           F,      F, F, F, 2, 0, 9,  14, 24, 70, {1, 5, 5}, 1, 1, false, false, true,  1, NONE, 2, 0, false},
    {"half precision store",       VX_F16, F, F, F, 1, 0, 5,  6,  9,  12, K3,        1, 1, false, false, true,  0, NONE, 0, 0, false},
};
static const conv_case conv_bench[] = {
    {"512->512 64x64",            B, B, B, B, 1, 0,  64,  64,  512,  512, K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"256->64 256x256",           B, B, B, B, 1, 0,  256, 256, 256,  64,  K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"128->256 16x32x32",         B, B, B, B, 1, 16, 32,  32,  128,  256, K333,      1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"512->256 64x64 up 2",       B, B, B, B, 1, 0,  64,  64,  512,  256, K3,        1, 2, false, false, true, 0, NONE, 0, 0, false},
    {"512->512 32x32",            B, B, B, B, 1, 0,  32,  32,  512,  512, K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"128->128 256x256",          B, B, B, B, 1, 0,  256, 256, 128,  128, K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"128->3 256x256",            B, B, B, B, 1, 0,  256, 256, 128,  3,   K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"128->512 64x64 from cells", B, B, B, B, 1, 0,  192, 192, 128,  512, K3,        1, 1, true,  false, true, 0, NONE, 0, 0, false},
    {"142->142 16x64x64",         B, B, B, B, 1, 16, 64,  64,  142,  142, K333,      1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"142->22 16x64x64, seven",   B, B, B, B, 1, 16, 64,  64,  142,  22,  {7, 7, 7}, 1, 1, false, false, true, 0, NONE, 0, 0, false},
    {"1024->512 16x4x4 up 2",     B, B, B, B, 1, 16, 4,   4,   1024, 512, K333,      1, 2, false, false, true, 0, NONE, 0, 0, false},
    {"512->512 64x64 f32",        F, F, F, F, 1, 0,  64,  64,  512,  512, K3,        1, 1, false, false, true, 0, NONE, 0, 0, false},
};
/* clang-format on */
const co_op co_conv_op = {CO_OP(conv), .body = conv_body, CO_VARIANTS(conv_cases),
                          .draw = conv_draw, CO_BENCH(conv_bench)};

/* ---- group_norm ----------------------------------------------------------------------------- */

typedef struct group_case {
    const char *label;
    vx_dtype x, out;
    int64_t n, height, width, cols;
    int groups;
    bool affine, in_place;
    vx_act act;
    co_fill fill;
} group_case;

static vx_status group_body(co *c, const void *variant)
{
    const group_case *v = variant;
    const co_fill one = {.scale = 1};
    const co_place dense = {0};
    /* As for layer_norm, and the activation's own error. */
    double spread = v->fill.scale > 0 ? 1 + fabs(v->fill.offset) / v->fill.scale : 1;
    const co_tolerance tolerance = {.abs = 1.5e-6 * spread, .rel = 1e-6};
    int64_t rows = v->n * v->height * v->width;
    int64_t dim[4] = {v->n, v->height, v->width, v->cols};
    vx_tensor *x2 = v->in_place ? co_inout(c, v->x, rows, v->cols, dense, v->fill, tolerance)
                                : co_input(c, v->x, rows, v->cols, dense, v->fill);
    vx_tensor x = vx_reshape(x2, 4, dim), out;
    vx_group_norm_args a = {.x = &x, .groups = v->groups, .eps = 1e-6f, .act = v->act};
    a.gamma = co_vector(c, v->affine, v->cols, one);
    a.beta = co_vector(c, v->affine, v->cols, one);
    if (!v->in_place) {
        x2 = co_output(c, v->out, rows, v->cols, dense, tolerance);
        out = vx_reshape(x2, 4, dim);
    }
    a.out = v->in_place ? &x : &out;
    return vx_group_norm(co_ctx(c), &a);
}

static void group_draw(co_random *random, void *variant)
{
    group_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->n = co_range(random, 1, 3);
    v->height = co_range(random, 1, 20), v->width = co_range(random, 1, 20);
    v->groups = (int)co_range(random, 1, 32);
    v->cols = v->groups * co_range(random, 1, 9);
    v->affine = co_range(random, 0, 1), v->in_place = co_range(random, 0, 1);
    v->act = (vx_act){co_range(random, 0, 1) ? VX_ACT_SILU : VX_ACT_NONE, 0};
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -3, 3)};
}

#define SILU                                                                                       \
    {                                                                                              \
        VX_ACT_SILU, 0                                                                             \
    }
static const group_case group_cases[] = {
    {"one pixel, one channel", F, F, 1, 1, 1, 1, 1, true, false, NONE, {1, 0, 0}},
    {"one pixel", F, F, 1, 1, 1, 64, 32, true, false, SILU, {1, 0, 0}},
    {"autoencoder", B, B, 1, 24, 24, 128, 32, true, false, SILU, {1, 0, 0}},
    {"two images", F, F, 2, 9, 7, 96, 32, true, true, SILU, {1, 0, 0}},
    {"groups of one", F, F, 1, 9, 7, 33, 33, false, false, NONE, {1, 0, 0}},
    {"one group", F, F, 1, 30, 30, 40, 1, true, false, NONE, {1, 0, 0}},
    {"far from zero", F, F, 1, 40, 40, 64, 32, false, false, NONE, {1, 100, 0}},
    {"outliers", F, F, 1, 40, 40, 64, 32, false, false, NONE, {1, 0, 1000}},
    {"zeroes", F, F, 1, 9, 9, 64, 32, true, false, SILU, {0, 0, 0}},
};
static const group_case group_bench[] = {
    {"512x512x128 bf16 silu", B, B, 1, 512, 512, 128, 32, true, false, SILU, {1, 0, 0}},
    {"64x64x512 bf16 silu", B, B, 1, 64, 64, 512, 32, true, false, SILU, {1, 0, 0}},
};
const co_op co_group_norm_op = {CO_OP(group_norm),  .body = group_body,    CO_VARIANTS(group_cases),
                                .draw = group_draw, CO_BENCH(group_bench), .per_element = true};

/* ---- qk_norm -------------------------------------------------------------------------------- */

typedef struct qk_case {
    const char *label;
    vx_dtype x, out;
    int64_t rows, width;
    int heads;
    bool rotate, in_place;
    co_place place;
    co_fill fill;
} qk_case;

static vx_status qk_body(co *c, const void *variant)
{
    const qk_case *v = variant;
    const co_fill one = {.scale = 1};
    /* y has root mean square 1; two products and a sum with a sine and a cosine below 1. */
    const co_tolerance tolerance = {.abs = 8e-7, .rel = 5e-7};
    int64_t cols = v->heads * v->width;
    vx_tensor *x = v->in_place ? co_inout(c, v->x, v->rows, cols, v->place, v->fill, tolerance)
                               : co_input(c, v->x, v->rows, cols, v->place, v->fill);
    vx_qk_norm_args a = {.x = x, .heads = v->heads, .eps = 1e-6f, .out = x};
    a.weight = co_vector(c, true, v->width, one);
    if (v->rotate) a.table = co_input(c, VX_F32, v->rows, v->width, (co_place){0}, one);
    if (!v->in_place) a.out = co_output(c, v->out, v->rows, cols, v->place, tolerance);
    return vx_qk_norm(co_ctx(c), &a);
}

static void qk_draw(co_random *random, void *variant)
{
    qk_case *v = variant;
    v->x = co_dtype(random), v->out = co_dtype(random);
    v->rows = co_range(random, 1, 90);
    v->width = 2 * co_range(random, 1, 70), v->heads = (int)co_range(random, 1, 9);
    v->rotate = co_range(random, 0, 1), v->in_place = co_range(random, 0, 1);
    v->place = co_anywhere(random, false);
    v->fill = (co_fill){.scale = 2};
}

static const qk_case qk_cases[] = {
    {"one pair", F, F, 1, 2, 1, true, false, {0}, {1, 0, 0}},
    {"text, not rotated", B, B, 40, 128, 24, false, false, {0}, {1, 0, 0}},
    {"query of three", B, B, 33, 128, 24, true, true, {0, 6144, 0, false}, {1, 0, 0}},
    {"in f32", F, F, 33, 128, 4, true, true, {0}, {1, 0, 0}},
    {"outliers", F, F, 33, 128, 4, true, false, {0}, {1, 0, 1000}},
    {"zeroes", F, F, 3, 64, 4, true, false, {0}, {0, 0, 0}},
};
static const qk_case qk_bench[] = {
    {"1280x3072 bf16", B, B, 1280, 128, 24, true, true, {0}, {1, 0, 0}},
};
const co_op co_qk_norm_op = {CO_OP(qk_norm),  .body = qk_body,    CO_VARIANTS(qk_cases),
                             .draw = qk_draw, CO_BENCH(qk_bench), .per_element = true};
