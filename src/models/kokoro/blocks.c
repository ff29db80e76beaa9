/* The two residual blocks with adaptive instance norm (istftnet.py). */
#include <math.h>
#include <stdio.h>

#include "models/kokoro/parts.h"

static const float norm_eps = 1e-5f; /* torch's InstanceNorm1d */

/* ---- AdainResBlk1d -------------------------------------------------------------------------- */

vx_status vx_kokoro_block_bind(vx_binder *b, vx_kokoro_block *block, vx_kokoro_styles *styles,
                               vx_kokoro_type type, int64_t in, int64_t out, bool up,
                               const char *stem)
{
    block->in = in;
    block->out = out;
    block->up = up;
    block->type = type;
    block->norm1 = vx_kokoro_style_add(styles, in, "%s.norm1.fc", stem);
    block->norm2 = vx_kokoro_style_add(styles, out, "%s.norm2.fc", stem);
    VX_TRY(vx_kokoro_bind_conv(b, &block->conv1, type, out, in, 3, 1, "%s.conv1", stem));
    VX_TRY(vx_kokoro_bind_conv(b, &block->conv2, type, out, out, 3, 1, "%s.conv2", stem));
    if (in != out)
        VX_TRY(
            vx_kokoro_bind_linear(b, &block->shortcut, type, out, in, false, "%s.conv1x1", stem));
    if (!up) return VX_OK;
    VX_TRY(vx_kokoro_bind_values(b, &block->pool_weight, in, 3, "%s.pool.weight", stem));
    return vx_kokoro_bind_values(b, &block->pool_bias, in, 1, "%s.pool.bias", stem);
}

static vx_status adain(vx_ctx *ctx, const vx_tensor *styles, int64_t place, const vx_tensor *x,
                       vx_tensor *out)
{
    vx_tensor scale, shift;
    vx_kokoro_style_at(styles, place, vx_cols(x), &scale, &shift);
    return vx_instance_norm(ctx, &(vx_instance_norm_args){.x = x,
                                                          .scale = &scale,
                                                          .shift = &shift,
                                                          .eps = norm_eps,
                                                          .act = {VX_ACT_LRELU, 0.2f},
                                                          .out = out});
}

static vx_status conv(vx_ctx *ctx, const vx_layer *layer, const vx_tensor *x, bool add,
                      vx_tensor *out)
{
    return vx_conv1d(
        ctx,
        &(vx_conv1d_args){
            .x = x, .w = &layer->w, .bias = vx_layer_bias(layer), .accumulate = add, .out = out});
}

/* The branch of convolutions: out [L or 2L, out] from vx_take_seq. */
static vx_status block_branch(vx_ctx *ctx, const vx_kokoro_block *block, const vx_tensor *styles,
                              const vx_tensor *x, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_dtype dtype = block->type.sequence;
    int64_t rows = vx_rows(x), long_rows = block->up ? 2 * rows : rows;
    vx_tensor in, middle, pooled;
    VX_TRY(vx_take_seq(ctx, dtype, rows, block->in, 1, &in));
    VX_TRY(adain(ctx, styles, block->norm1, x, &in));
    if (block->up) {
        VX_TRY(vx_take_seq(ctx, dtype, long_rows, block->in, 1, &pooled));
        VX_TRY(vx_depthwise_up2(ctx, &(vx_depthwise_up2_args){.x = &in,
                                                              .weight = &block->pool_weight,
                                                              .bias = &block->pool_bias,
                                                              .out = &pooled}));
    }
    VX_TRY(vx_take_seq(ctx, dtype, long_rows, block->out, 1, &middle));
    VX_TRY(conv(ctx, &block->conv1, block->up ? &pooled : &in, false, &middle));
    VX_TRY(adain(ctx, styles, block->norm2, &middle, &middle));
    VX_TRY(conv(ctx, &block->conv2, &middle, false, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* Each row twice: [L, C] into [2L, C], seen as [L, 2C]. */
static vx_status repeat_rows(vx_ctx *ctx, const vx_tensor *x, const vx_tensor *out)
{
    int64_t cols = vx_cols(x);
    vx_tensor pairs = vx_reshape(out, 2, (const int64_t[]){vx_rows(x), 2 * cols});
    for (int i = 0; i < 2; i++) {
        vx_tensor half = vx_slice_cols(&pairs, i * cols, cols);
        VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = x, .out = &half}));
    }
    return VX_OK;
}

vx_status vx_kokoro_block_run(vx_ctx *ctx, const vx_kokoro_block *block, const vx_tensor *styles,
                              const vx_tensor *x, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_dtype dtype = block->type.sequence;
    int64_t rows = vx_rows(x), long_rows = vx_rows(out);
    assert(vx_cols(x) == block->in && vx_cols(out) == block->out);
    assert(long_rows == (block->up ? 2 * rows : rows));
    vx_tensor branch, narrow, repeated;
    VX_TRY(vx_take_seq(ctx, dtype, long_rows, block->out, 0, &branch));
    VX_TRY(block_branch(ctx, block, styles, x, &branch));

    /* The shortcut is pointwise, so it may come before the doubling of the length. */
    const vx_tensor *shortcut = x;
    if (block->in != block->out) {
        VX_TRY(vx_take2(ctx, dtype, rows, block->out, &narrow));
        VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = x, .w = &block->shortcut.w, .out = &narrow}));
        shortcut = &narrow;
    }
    if (block->up) {
        VX_TRY(vx_take2(ctx, dtype, long_rows, block->out, &repeated));
        VX_TRY(repeat_rows(ctx, shortcut, &repeated));
        shortcut = &repeated;
    }
    const float half = sqrtf(0.5f);
    VX_TRY(vx_blend(ctx, &(vx_blend_args){
                             .n = 2, .x = {&branch, shortcut}, .scale = {half, half}, .out = out}));
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- AdaINResBlock1 ------------------------------------------------------------------------- */

vx_status vx_kokoro_snake_bind(vx_binder *b, vx_kokoro_snake *snake, vx_kokoro_styles *styles,
                               vx_kokoro_type type, int64_t channels, int kernel,
                               const int *dilations, const char *stem)
{
    snake->channels = channels;
    for (int i = 0; i < VX_KOKORO_BLOCKS; i++) {
        snake->norm1[i] = vx_kokoro_style_add(styles, channels, "%s.adain1.%d.fc", stem, i);
        snake->norm2[i] = vx_kokoro_style_add(styles, channels, "%s.adain2.%d.fc", stem, i);
        VX_TRY(vx_kokoro_bind_conv(b, &snake->conv1[i], type, channels, channels, kernel,
                                   dilations[i], "%s.convs1.%d", stem, i));
        VX_TRY(vx_kokoro_bind_conv(b, &snake->conv2[i], type, channels, channels, kernel, 1,
                                   "%s.convs2.%d", stem, i));
        VX_TRY(vx_kokoro_bind_values(b, &snake->alpha1[i], channels, 1, "%s.alpha1.%d", stem, i));
        VX_TRY(vx_kokoro_bind_values(b, &snake->alpha2[i], channels, 1, "%s.alpha2.%d", stem, i));
    }
    return VX_OK;
}

static vx_status adain_snake(vx_ctx *ctx, const vx_tensor *styles, int64_t place,
                             const vx_tensor *alpha, const vx_tensor *x, vx_tensor *out)
{
    vx_tensor scale, shift;
    vx_kokoro_style_at(styles, place, vx_cols(x), &scale, &shift);
    return vx_instance_norm(
        ctx,
        &(vx_instance_norm_args){
            .x = x, .scale = &scale, .shift = &shift, .alpha = alpha, .eps = norm_eps, .out = out});
}

vx_status vx_kokoro_snake_run(vx_ctx *ctx, const vx_kokoro_snake *snake, const vx_tensor *styles,
                              vx_tensor *x, vx_tensor *t1, vx_tensor *t2)
{
    for (int i = 0; i < VX_KOKORO_BLOCKS; i++) {
        VX_TRY(adain_snake(ctx, styles, snake->norm1[i], &snake->alpha1[i], x, t1));
        VX_TRY(conv(ctx, &snake->conv1[i], t1, false, t2));
        VX_TRY(adain_snake(ctx, styles, snake->norm2[i], &snake->alpha2[i], t2, t2));
        VX_TRY(conv(ctx, &snake->conv2[i], t2, true, x));
    }
    return VX_OK;
}
