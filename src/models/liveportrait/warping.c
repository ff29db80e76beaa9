/* W: dense motion from key points, and the features moved by it. */
#include "models/liveportrait/parts.h"

/* kp2gaussian's variance in dense_motion.py; LeakyReLU's default slope in SameBlock2d. */
static const float VARIANCE = 0.01f;
static const vx_act NONE = {.kind = VX_ACT_NONE}, RELU = {.kind = VX_ACT_RELU},
                    LRELU = {.kind = VX_ACT_LRELU, .slope = 0.01f},
                    SIGMOID = {.kind = VX_ACT_SIGMOID};

/* What one call works on: the dense-motion volume [n, d, s, s]. */
typedef struct volume {
    const vx_liveportrait *lp;
    int64_t n, d, side;
} volume;

static vx_status take_volume(vx_ctx *ctx, const volume *v, vx_dtype dtype, int halvings,
                             int64_t channels, vx_tensor *out)
{
    int64_t side = v->side >> halvings;
    return vx_take(ctx, dtype, 5, (const int64_t[]){v->n, v->d, side, side, channels}, out);
}

/* Columns [at, at + width of x) of a map that several layers fill. */
static vx_status put(vx_ctx *ctx, const vx_tensor *x, vx_tensor *map, int64_t at)
{
    vx_tensor columns = vx_slice_cols(map, at, vx_cols(x));
    return vx_copy(ctx, &(vx_copy_args){.x = x, .out = &columns});
}

/* The encoder: skip[0] is given, skip[i + 1] is half of skip[i]. */
static vx_status encode(vx_ctx *ctx, const volume *v, vx_tensor *skip)
{
    const vx_liveportrait_config *c = &v->lp->config;
    for (int i = 0; i < c->w.blocks; i++) {
        int64_t width = vx_lp_hourglass_width(c, i + 1);
        vx_tensor full;
        VX_TRY(take_volume(ctx, v, v->lp->compute, i + 1, width, &skip[i + 1]));
        vx_mark mark = vx_mark_now(ctx);
        VX_TRY(take_volume(ctx, v, v->lp->compute, i, width, &full));
        VX_TRY(vx_layer_conv(ctx, &skip[i], &v->lp->w.down_blocks[i], RELU, NULL, &full));
        VX_TRY(vx_pool2(ctx, &(vx_pool2_args){.x = &full, .out = &skip[i + 1]}));
        vx_release(ctx, mark);
    }
    return VX_OK;
}

/* The decoder: every block's map beside the skip of its size. *out is left to the caller's mark. */
static vx_status decode(vx_ctx *ctx, const volume *v, const vx_tensor *skip, vx_tensor *out)
{
    const vx_liveportrait_config *c = &v->lp->config;
    vx_tensor x = skip[c->w.blocks];
    for (int i = 0; i < c->w.blocks; i++) {
        int level = c->w.blocks - 1 - i;
        int64_t width = vx_lp_hourglass_width(c, level);
        vx_tensor up, both;
        VX_TRY(take_volume(ctx, v, v->lp->compute, level, width + vx_cols(&skip[level]), &both));
        vx_mark mark = vx_mark_now(ctx);
        VX_TRY(take_volume(ctx, v, v->lp->compute, level, width, &up));
        VX_TRY(vx_layer_conv(ctx, &x, &v->lp->w.up_blocks[i], RELU, NULL, &up));
        VX_TRY(put(ctx, &up, &both, 0));
        VX_TRY(put(ctx, &skip[level], &both, width));
        vx_release(ctx, mark);
        x = both;
    }
    *out = x;
    return VX_OK;
}

/* prediction [n, d, s, s, w.prediction]. */
static vx_status predict(vx_ctx *ctx, const volume *v, const vx_tensor *compressed,
                         const vx_tensor *x_s, const vx_tensor *x_d, vx_tensor *prediction)
{
    const vx_liveportrait_config *c = &v->lp->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor skip[VX_PORTRAIT_BLOCKS_MAX + 1], both;
    int64_t read = (int64_t)(c->points + 1) * (c->w.compress + 1);
    VX_TRY(take_volume(ctx, v, v->lp->compute, 0, read, &skip[0]));
    for (int64_t i = 0; i < v->n; i++) {
        vx_tensor out = vx_lp_frame(&skip[0], i), driving = vx_lp_frame(x_d, i);
        VX_TRY(vx_motion_input(ctx, &(vx_motion_input_args){.feature = compressed,
                                                            .source = x_s,
                                                            .driving = &driving,
                                                            .grid = c->w.grid,
                                                            .variance = VARIANCE,
                                                            .out = &out}));
    }
    vx_observe(ctx, &skip[0], "w.input");
    VX_TRY(encode(ctx, v, skip));
    VX_TRY(decode(ctx, v, skip, &both));
    VX_TRY(vx_layer_conv(ctx, &both, &v->lp->w.conv, RELU, NULL, prediction));
    vx_observe(ctx, prediction, "w.prediction");
    vx_release(ctx, mark);
    return VX_OK;
}

/* Displacements [n, d, s, s, 3]. */
static vx_status run_field(vx_ctx *ctx, const volume *v, const vx_tensor *prediction,
                           const vx_tensor *x_s, const vx_tensor *x_d, vx_tensor *field)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor logits;
    VX_TRY(take_volume(ctx, v, VX_F32, 0, v->lp->config.points + 1, &logits));
    VX_TRY(vx_layer_conv(ctx, prediction, &v->lp->w.mask, NONE, NULL, &logits));
    vx_observe(ctx, &logits, "w.mask");
    for (int64_t i = 0; i < v->n; i++) {
        vx_tensor in = vx_lp_frame(&logits, i), driving = vx_lp_frame(x_d, i);
        vx_tensor out = vx_lp_frame(field, i);
        VX_TRY(vx_motion_field(
            ctx, &(vx_motion_field_args){
                     .logits = &in, .source = x_s, .driving = &driving, .out = &out}));
    }
    vx_observe(ctx, field, "w.displacement");
    vx_release(ctx, mark);
    return VX_OK;
}

/* seg *= the occlusion, which has the dense-motion grid's size. */
static vx_status occlude(vx_ctx *ctx, const volume *v, const vx_tensor *prediction, vx_tensor *seg)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor logits;
    VX_TRY(vx_take(ctx, VX_F32, 5, (const int64_t[]){v->n, 1, v->side, v->side, 1}, &logits));
    VX_TRY(vx_layer_conv(ctx, prediction, &v->lp->w.occlusion, NONE, NULL, &logits));
    vx_observe(ctx, &logits, "w.occlusion");
    for (int64_t i = 0; i < v->n; i++) {
        vx_tensor x = vx_lp_frame(seg, i), s = vx_lp_frame(&logits, i);
        VX_TRY(vx_row_gate(ctx, &(vx_row_gate_args){.x = &x, .s = &s, .act = SIGMOID, .out = &x}));
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* seg = fourth(third(features moved by the field)); channels of `third` are d·channels + c. */
static vx_status move(vx_ctx *ctx, const volume *v, const vx_tensor *features,
                      const vx_tensor *field, vx_tensor *seg)
{
    const vx_liveportrait_config *c = &v->lp->config;
    int64_t side = seg->dim[1], folded = (int64_t)c->depth * c->channels;
    vx_dtype dtype = v->lp->compute;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor warped, hidden;
    VX_TRY(vx_take(ctx, dtype, 4, (const int64_t[]){v->n, side, side, folded}, &warped));
    VX_TRY(vx_take(ctx, dtype, 4, seg->dim, &hidden));
    for (int64_t i = 0; i < v->n; i++) {
        vx_tensor by = vx_lp_frame(field, i), out = vx_lp_frame(&warped, i);
        VX_TRY(vx_warp(
            ctx, &(vx_warp_args){.x = features, .field = &by, .grid = c->w.grid, .out = &out}));
    }
    vx_observe(ctx, &warped, "w.warped");
    VX_TRY(vx_layer_conv(ctx, &warped, &v->lp->w.third, LRELU, NULL, &hidden));
    VX_TRY(vx_layer_linear(ctx, &hidden, &v->lp->w.fourth, NONE, NULL, seg));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_lp_warping_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_portrait *portrait,
                            const vx_tensor *x_s, const vx_tensor *x_d, vx_tensor *seg)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t side = vx_liveportrait_feature_side(c);
    volume v = {
        .lp = lp, .n = seg->dim[0], .d = c->depth / c->w.divisor, .side = side / c->w.divisor};
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor prediction, field;
    VX_TRY(take_volume(ctx, &v, VX_F32, 0, 3, &field));
    VX_TRY(take_volume(ctx, &v, lp->compute, 0, c->w.prediction, &prediction));
    VX_TRY(predict(ctx, &v, &portrait->compressed, x_s, x_d, &prediction));
    VX_TRY(run_field(ctx, &v, &prediction, x_s, x_d, &field));
    VX_TRY(move(ctx, &v, &portrait->features, &field, seg));
    if (c->w.occlusion) VX_TRY(occlude(ctx, &v, &prediction, seg));
    vx_observe(ctx, seg, "w.seg");
    vx_release(ctx, mark);
    return VX_OK;
}
