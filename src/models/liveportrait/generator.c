/* G: the picture from the moved features, through blocks that SPADE modulates.
 *
 * A value of `seg` covers 1, 2 or 4 pixels of a block's maps along each axis. mlp_shared over an
 * enlarged seg is done at seg's size (vx_weight.upsample); with 4 its result has 3 × 3 different
 * values a cell of 4 × 4 and is kept so (cells_out), and the filters that read it save the same way
 * (cells_in). x is never enlarged: the modulation reads it repeated. A shortcut is conv_s(n (1 +
 * gamma) + beta) = conv_s(n (1 + gamma)) + beta_s(shared). */
#include "models/liveportrait/parts.h"

static const float EPS = 1e-5f; /* torch's InstanceNorm2d and BatchNorm2d */
static const vx_act NONE = {.kind = VX_ACT_NONE}, RELU = {.kind = VX_ACT_RELU},
                    LRELU = {.kind = VX_ACT_LRELU, .slope = 0.2f};

/* Side of mlp_shared's map under a map of `side`. */
static int64_t shared_side(const vx_lp_spade *s, int64_t side)
{
    return s->shared.w.cells_out ? side / 4 * 3 : side;
}

static vx_status take_maps(vx_ctx *ctx, vx_dtype dtype, int64_t n, int64_t side, int64_t channels,
                           vx_tensor *out)
{
    return vx_take(ctx, dtype, 4, (const int64_t[]){n, side, side, channels}, out);
}

/* out [n, S, S, C] = act(norm(x) modulated by seg); x is read S/side(x) times enlarged. `shared`
 * receives relu(mlp_shared(seg)), memory of the caller's. */
static vx_status run_spade(const vx_liveportrait *lp, vx_ctx *ctx, const vx_lp_spade *s,
                           const vx_tensor *seg, const vx_tensor *x, vx_act act, vx_tensor *shared,
                           vx_tensor *out)
{
    int64_t n = out->dim[0], side = out->dim[1];
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor map;
    VX_TRY(vx_layer_conv(ctx, seg, &s->shared, RELU, NULL, shared));
    VX_TRY(take_maps(ctx, lp->compute, n, side, s->map.w.out, &map));
    VX_TRY(vx_layer_conv(ctx, shared, &s->map, NONE, NULL, &map));
    for (int64_t i = 0; i < n; i++) {
        vx_tensor in = vx_lp_frame(x, i), with = vx_lp_frame(&map, i), to = vx_lp_frame(out, i);
        VX_TRY(vx_spade(ctx, &(vx_spade_args){.x = &in,
                                              .map = &with,
                                              .mean = s->mean.rank ? &s->mean : NULL,
                                              .var = s->mean.rank ? &s->var : NULL,
                                              .up = side / x->dim[1],
                                              .eps = EPS,
                                              .act = act,
                                              .out = &to}));
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* out = conv(lrelu(spade(x))) + residual. */
static vx_status run_half(const vx_liveportrait *lp, vx_ctx *ctx, const vx_lp_spade *s,
                          const vx_layer *conv, const vx_tensor *seg, const vx_tensor *x,
                          const vx_tensor *residual, vx_tensor *out)
{
    int64_t n = out->dim[0], side = out->dim[1];
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor shared, modulated;
    VX_TRY(take_maps(ctx, lp->compute, n, side, vx_cols(x), &modulated));
    VX_TRY(take_maps(ctx, lp->compute, n, shared_side(s, side), s->shared.w.out, &shared));
    VX_TRY(run_spade(lp, ctx, s, seg, x, LRELU, &shared, &modulated));
    VX_TRY(vx_layer_conv(ctx, &modulated, conv, NONE, residual, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* out = conv_s(spade(x)), the beta branch folded. */
static vx_status run_shortcut(const vx_liveportrait *lp, vx_ctx *ctx, const vx_lp_spade_block *b,
                              const vx_tensor *seg, const vx_tensor *x, vx_tensor *out)
{
    int64_t n = out->dim[0], side = out->dim[1];
    const vx_lp_spade *s = &b->norm_s;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor shared, modulated;
    VX_TRY(take_maps(ctx, lp->compute, n, shared_side(s, side), s->shared.w.out, &shared));
    vx_mark inner = vx_mark_now(ctx);
    VX_TRY(take_maps(ctx, lp->compute, n, side, b->in, &modulated));
    VX_TRY(run_spade(lp, ctx, s, seg, x, NONE, &shared, &modulated));
    VX_TRY(vx_layer_linear(ctx, &modulated, &b->conv_s, NONE, NULL, out));
    vx_release(ctx, inner);
    VX_TRY(vx_layer_conv(ctx, &shared, &b->beta_s, NONE, out, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* SPADEResnetBlock. x [n, s, s, in]; out [n, up·s, up·s, out] may be x where
 * the widths are equal. */
static vx_status run_block(const vx_liveportrait *lp, vx_ctx *ctx, const vx_lp_spade_block *b,
                           const vx_tensor *seg, const vx_tensor *x, vx_tensor *out)
{
    bool learned = b->in != b->out;
    int64_t middle = b->in < b->out ? b->in : b->out;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor hidden;
    VX_TRY(take_maps(ctx, lp->compute, out->dim[0], out->dim[1], middle, &hidden));
    VX_TRY(run_half(lp, ctx, &b->norm_0, &b->conv_0, seg, x, NULL, &hidden));
    if (learned) VX_TRY(run_shortcut(lp, ctx, b, seg, x, out));
    VX_TRY(run_half(lp, ctx, &b->norm_1, &b->conv_1, seg, &hidden, learned ? out : x, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* The up blocks and the picture of frame `index`. x [1, s, s, width of the middle]. */
static vx_status finish(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *seg,
                        const vx_tensor *x, int index, vx_dev rgb)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor at = *x, normed, logits, picture;
    for (int i = 1; i < c->g.levels; i++) {
        vx_tensor out;
        VX_TRY(take_maps(ctx, VX_F32, 1, at.dim[1] * 2, c->g.features[i], &out));
        VX_TRY(run_block(lp, ctx, &lp->g.block[c->g.middle + i - 1], seg, &at, &out));
        at = out;
        vx_observe(ctx, &at, "g.up.%d.%d", i - 1, index);
    }
    int64_t side = at.dim[1], frame = side * c->g.shuffle;
    VX_TRY(take_maps(ctx, lp->compute, 1, side, vx_cols(&at), &normed));
    VX_TRY(take_maps(ctx, VX_F32, 1, side, lp->g.conv_img.w.out, &logits));
    const int64_t shape[3] = {frame, frame, 3};
    picture = vx_view(rgb, VX_U8, 3, shape);
    VX_TRY(vx_blend(
        ctx, &(vx_blend_args){.n = 1, .x = {&at}, .scale = {1}, .act = LRELU, .out = &normed}));
    VX_TRY(vx_layer_conv(ctx, &normed, &lp->g.conv_img, NONE, NULL, &logits));
    vx_observe(ctx, &logits, "g.logits.%d", index);
    vx_tensor plane = vx_lp_frame(&logits, 0);
    VX_TRY(vx_to_picture(
        ctx, &(vx_to_picture_args){.x = &plane, .factor = c->g.shuffle, .out = &picture}));
    vx_release(ctx, mark);
    return VX_OK;
}

/* The middle works on all frames together; the large maps of the up blocks exist for
 * one frame at a time. */
vx_status vx_lp_generator_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *seg,
                              vx_dev frames, size_t stride)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t n = seg->dim[0], side = seg->dim[1];
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x;
    VX_TRY(take_maps(ctx, VX_F32, n, side, c->g.features[0], &x));
    VX_TRY(vx_layer_conv(ctx, seg, &lp->g.fc, NONE, NULL, &x));
    vx_observe(ctx, &x, "g.fc");
    for (int i = 0; i < c->g.middle; i++) {
        VX_TRY(run_block(lp, ctx, &lp->g.block[i], seg, &x, &x));
        vx_observe(ctx, &x, "g.middle.%d", i);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t one[4] = {1, side, side, c->g.features[0]};
        const int64_t one_seg[4] = {1, side, side, c->w.features};
        vx_tensor of_x = vx_lp_frame(&x, i), of_seg = vx_lp_frame(seg, i);
        of_x = vx_reshape(&of_x, 4, one);
        of_seg = vx_reshape(&of_seg, 4, one_seg);
        VX_TRY(finish(lp, ctx, &of_seg, &of_x, (int)i, vx_dev_plus(frames, i * (int64_t)stride)));
    }
    vx_release(ctx, mark);
    return VX_OK;
}
