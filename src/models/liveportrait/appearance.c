/* F, and the part of W that depends on the source alone. */
#include "models/liveportrait/parts.h"

static const vx_act NONE = {.kind = VX_ACT_NONE}, RELU = {.kind = VX_ACT_RELU};

static vx_status take_map(vx_ctx *ctx, int64_t side, int64_t channels, vx_tensor *out)
{
    return vx_take(ctx, VX_F32, 4, (const int64_t[]){1, side, side, channels}, out);
}

/* The picture's maps at feature size, [1, s, s, last width], in new memory that
 * the caller releases. */
static vx_status run_maps(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture,
                          vx_tensor *out)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t side = c->image_size;
    VX_TRY(take_map(ctx, side >> (c->f.levels - 1), c->f.features[c->f.levels - 1], out));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, y, in = vx_reshape(picture, 4, (const int64_t[]){1, side, side, 3});
    VX_TRY(take_map(ctx, side, c->f.features[0], &x));
    VX_TRY(vx_layer_conv(ctx, &in, &lp->f.first, RELU, NULL, &x));
    for (int i = 0; i + 1 < c->f.levels; i++) {
        vx_tensor pooled = *out;
        bool last = i + 2 == c->f.levels;
        if (!last) VX_TRY(take_map(ctx, side / 2, c->f.features[i + 1], &pooled));
        vx_mark inner = vx_mark_now(ctx);
        VX_TRY(take_map(ctx, side, c->f.features[i + 1], &y));
        VX_TRY(vx_layer_conv(ctx, &x, &lp->f.down_blocks[i], RELU, NULL, &y));
        VX_TRY(vx_pool2(ctx, &(vx_pool2_args){.x = &y, .out = &pooled}));
        vx_release(ctx, inner);
        x = pooled;
        side /= 2;
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* x += conv2(relu(norm2(conv1(relu(norm1(x)))))), norm2 folded into conv1. */
static vx_status run_resblock(vx_ctx *ctx, const vx_lp_resblock *block, vx_tensor *x)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor normed, hidden;
    VX_TRY(vx_take(ctx, VX_F32, 5, x->dim, &normed));
    VX_TRY(vx_take(ctx, VX_F32, 5, x->dim, &hidden));
    VX_TRY(vx_layer_linear(ctx, x, &block->norm1, RELU, NULL, &normed));
    VX_TRY(vx_layer_conv(ctx, &normed, &block->conv1, RELU, NULL, &hidden));
    VX_TRY(vx_layer_conv(ctx, &hidden, &block->conv2, NONE, x, x));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_lp_appearance_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture,
                               vx_tensor *features)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t side = vx_liveportrait_feature_side(c), pixels = side * side;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor maps;
    VX_TRY(run_maps(lp, ctx, picture, &maps));
    vx_tensor volume =
        vx_reshape(features, 5, (const int64_t[]){1, c->depth, side, side, c->channels});
    vx_tensor x = vx_reshape(&maps, 2, (const int64_t[]){pixels, vx_cols(&maps)});
    for (int d = 0; d < c->depth; d++) {
        vx_tensor slice = vx_slice_rows(features, d * pixels, pixels);
        VX_TRY(vx_layer_linear(ctx, &x, &lp->f.second[d], NONE, NULL, &slice));
    }
    for (int i = 0; i < c->f.resblocks; i++)
        VX_TRY(run_resblock(ctx, &lp->f.resblocks[i], &volume));
    vx_observe(ctx, features, "f_s");
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_lp_compress(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *features,
                         vx_tensor *compressed)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x = *features;
    if (c->w.divisor == 2) {
        int64_t depth = c->depth, side = features->dim[1], channels = c->channels;
        vx_tensor volume =
            vx_reshape(features, 5, (const int64_t[]){1, depth, side, side, channels});
        VX_TRY(vx_take(ctx, VX_F32, 5,
                       (const int64_t[]){1, depth / 2, side / 2, side / 2, channels}, &x));
        VX_TRY(vx_pool2(ctx, &(vx_pool2_args){.x = &volume, .out = &x}));
    }
    VX_TRY(vx_layer_linear(ctx, &x, &lp->w.compress, RELU, NULL, compressed));
    vx_observe(ctx, compressed, "compressed");
    vx_release(ctx, mark);
    return VX_OK;
}
