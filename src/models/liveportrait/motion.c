/* M: ConvNeXt V2 with heads for key points, expression and pose. */
#include <math.h>

#include "models/liveportrait/parts.h"

/* convnextv2.py: every layer norm, and GRN's. */
static const float EPS = 1e-6f;
static const vx_act NONE = {.kind = VX_ACT_NONE}, GELU = {.kind = VX_ACT_GELU_ERF};

static vx_status run_norm(vx_ctx *ctx, const vx_tensor *x, const vx_lp_norm *norm, vx_tensor *out)
{
    return vx_layer_norm(
        ctx, &(vx_layer_norm_args){
                 .x = x, .gamma = &norm->gamma, .beta = &norm->beta, .eps = EPS, .out = out});
}

/* x += pwconv2(grn(gelu(pwconv1(norm(dwconv(x)))))). x [1, s, s, C]. */
static vx_status run_block(vx_ctx *ctx, const vx_lp_next_block *b, vx_tensor *x)
{
    int64_t side = x->dim[1], channels = vx_cols(x);
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y, hidden;
    vx_tensor plane = vx_reshape(x, 3, (const int64_t[]){side, side, channels});
    VX_TRY(vx_take(ctx, VX_F32, 3, plane.dim, &y));
    VX_TRY(vx_take2(ctx, VX_F32, side * side, 4 * channels, &hidden));
    VX_TRY(vx_depthwise(
        ctx, &(vx_depthwise_args){
                 .x = &plane, .weight = &b->dwconv, .bias = &b->dwconv_bias, .out = &y}));
    VX_TRY(run_norm(ctx, &y, &b->norm, &y));
    VX_TRY(vx_layer_linear(ctx, &y, &b->pwconv1, GELU, NULL, &hidden));
    VX_TRY(vx_response_norm(ctx, &(vx_response_norm_args){.x = &hidden,
                                                          .gamma = &b->grn.gamma,
                                                          .beta = &b->grn.beta,
                                                          .eps = EPS,
                                                          .out = &hidden}));
    VX_TRY(vx_layer_linear(ctx, &hidden, &b->pwconv2, NONE, x, x));
    vx_release(ctx, mark);
    return VX_OK;
}

/* The picture at M's size with its coordinate channels; coordinates (2i+1)/n - 1. */
static vx_status prepare(vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture, vx_tensor *out)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t side = c->image_size, size = c->m.input_size, channels = c->m.coordinates ? 5 : 3;
    VX_TRY(vx_take(ctx, VX_F32, 4, (const int64_t[]){1, size, size, channels}, out));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x = vx_reshape(picture, 4, (const int64_t[]){1, side, side, 3});
    while (side > size) {
        vx_tensor half;
        side /= 2;
        VX_TRY(vx_take(ctx, VX_F32, 4, (const int64_t[]){1, side, side, 3}, &half));
        VX_TRY(vx_pool2(ctx, &(vx_pool2_args){.x = &x, .out = &half}));
        x = half;
    }
    vx_tensor colours = vx_slice_cols(out, 0, 3);
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &x, .out = &colours}));
    if (c->m.coordinates) {
        vx_tensor ramps, target = vx_slice_cols(out, 3, 2);
        VX_TRY(vx_take2(ctx, VX_F32, size * size, 2, &ramps));
        for (int64_t i = 0; i < size * size && !ctx->plan; i++) {
            lp->host[2 * i] = (float)(2 * (i % size) + 1) / (float)size - 1;
            lp->host[2 * i + 1] = (float)(2 * (i / size) + 1) / (float)size - 1;
        }
        VX_TRY(vx_upload(ctx, lp->host, &ramps));
        VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &ramps, .out = &target}));
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* The four stages: -> [1, size/32, size/32, dims[3]] in *x; memory is left to the caller's mark. */
static vx_status run_stages(vx_liveportrait *lp, vx_ctx *ctx, vx_tensor *x)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t side = c->m.input_size;
    for (int i = 0; i < 4; i++) {
        vx_tensor y;
        side /= i == 0 ? 4 : 2;
        if (i > 0) VX_TRY(run_norm(ctx, x, &lp->m.downsample_norm[i], x));
        VX_TRY(vx_take(ctx, VX_F32, 4, (const int64_t[]){1, side, side, c->m.dims[i]}, &y));
        VX_TRY(vx_layer_conv(ctx, x, &lp->m.downsample[i], NONE, NULL, &y));
        if (i == 0) VX_TRY(run_norm(ctx, &y, &lp->m.downsample_norm[0], &y));
        for (int j = 0; j < c->m.depths[i]; j++)
            VX_TRY(run_block(ctx, &lp->m.stage[i][j], &y));
        *x = y;
        vx_observe(ctx, x, "m.stage.%d", i);
    }
    /* The mean over all pixels: their number is a power of four. */
    for (; side > 1; side /= 2) {
        vx_tensor half;
        VX_TRY(
            vx_take(ctx, VX_F32, 4, (const int64_t[]){1, side / 2, side / 2, c->m.dims[3]}, &half));
        VX_TRY(vx_pool2(ctx, &(vx_pool2_args){.x = x, .out = &half}));
        *x = half;
    }
    return VX_OK;
}

/* headpose_pred_to_degree: the mean of the bins' angles under softmax. */
static float angle_of(const float *logits, int bins)
{
    double largest = (double)logits[0], sum = 0, angle = 0;
    for (int i = 1; i < bins; i++)
        largest = fmax(largest, (double)logits[i]);
    for (int i = 0; i < bins; i++) {
        double e = exp((double)logits[i] - largest);
        sum += e;
        angle += e * (3.0 * i - 97.5);
    }
    return (float)(angle / sum);
}

static void read_heads(const vx_liveportrait_config *c, const float *v, vx_motion *out)
{
    int bins = c->m.bins;
    out->pitch = angle_of(v, bins);
    out->yaw = angle_of(v + bins, bins);
    out->roll = angle_of(v + 2 * (ptrdiff_t)bins, bins);
    v += 3 * (ptrdiff_t)bins;
    memcpy(out->t, v, sizeof out->t);
    out->scale = v[3];
    size_t points = (size_t)c->points * sizeof out->expression[0];
    memcpy(out->expression, v + 4, points);
    memcpy(out->canonical, v + 4 + 3 * (ptrdiff_t)c->points, points);
}

enum { HEADS_MAX = 3 * 66 + 4 + 6 * VX_PORTRAIT_POINTS_MAX };

vx_status vx_lp_motion_run(vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture,
                           vx_motion *out)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, heads;
    float values[HEADS_MAX];
    int64_t wide = 3 * c->m.bins + 4 + 6 * c->points, at = 0;
    assert(wide <= HEADS_MAX);
    VX_TRY(vx_take2(ctx, VX_F32, 1, wide, &heads));
    VX_TRY(prepare(lp, ctx, picture, &x));
    VX_TRY(run_stages(lp, ctx, &x));
    VX_TRY(run_norm(ctx, &x, &lp->m.norm, &x));
    for (int i = 0; i < VX_LP_HEADS; i++) {
        vx_tensor part = vx_slice_cols(&heads, at, lp->m.head[i].w.out);
        VX_TRY(vx_layer_linear(ctx, &x, &lp->m.head[i], NONE, NULL, &part));
        at += lp->m.head[i].w.out;
    }
    vx_observe(ctx, &heads, "m.heads");
    VX_TRY(vx_download(ctx, &heads, values));
    vx_release(ctx, mark);
    VX_TRY(vx_finish(ctx));
    if (!ctx->plan) read_heads(c, values, out);
    return VX_OK;
}
