/* The list of weights, by the published names. Shapes: docs/models/LIVEPORTRAIT.md. */
#include <stdio.h>

#include "models/liveportrait/fold.h"
#include "models/stack.h"

/* "a.%d.b" into a name that lives as long as the expression. */
#define NAME(...) (snprintf(name, sizeof name, __VA_ARGS__), name)

int vx_lp_hourglass_width(const vx_liveportrait_config *c, int i)
{
    int64_t wide = (int64_t)c->w.expansion << i;
    return wide < c->w.features_max ? (int)wide : c->w.features_max;
}

/* ---- F -------------------------------------------------------------------------------------- */

/* SameBlock2d, DownBlock2d: PREFIX.conv and PREFIX.norm. */
static vx_status bind_block(vx_liveportrait *lp, vx_binder *b, const char *prefix, int64_t out,
                            int64_t in, int64_t depth, int upsample, bool once, vx_layer *layer)
{
    char conv[VX_NAME_BYTES], norm[VX_NAME_BYTES];
    snprintf(conv, sizeof conv, "%s%sconv", prefix, prefix[0] ? "." : "");
    snprintf(norm, sizeof norm, "%s%snorm", prefix, prefix[0] ? "." : "");
    return vx_lp_bind_conv(lp, b,
                           &(vx_lp_spec){.name = conv,
                                         .norm = norm,
                                         .out = out,
                                         .in = in,
                                         .kernel = {depth, 3, 3},
                                         .upsample = upsample,
                                         .once = once},
                           layer);
}

static vx_status bind_resblock(vx_liveportrait *lp, vx_binder *b, int index, vx_lp_resblock *block)
{
    char conv[VX_NAME_BYTES], norm[VX_NAME_BYTES];
    int64_t channels = lp->config.channels;
    vx_lp_spec s = {.name = conv,
                    .norm = norm,
                    .out = channels,
                    .in = channels,
                    .kernel = {3, 3, 3},
                    .once = true};
    snprintf(norm, sizeof norm, "resblocks_3d.3dr%d.norm1", index);
    VX_TRY(vx_lp_bind_affine(lp, b, norm, channels, &block->norm1));
    snprintf(conv, sizeof conv, "resblocks_3d.3dr%d.conv1", index);
    snprintf(norm, sizeof norm, "resblocks_3d.3dr%d.norm2", index);
    VX_TRY(vx_lp_bind_conv(lp, b, &s, &block->conv1));
    snprintf(conv, sizeof conv, "resblocks_3d.3dr%d.conv2", index);
    s.norm = NULL;
    return vx_lp_bind_conv(lp, b, &s, &block->conv2);
}

static vx_status bind_appearance(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_lp_appearance *f = &lp->f;
    char name[VX_NAME_BYTES];
    VX_TRY(bind_block(lp, b, "first", c->f.features[0], 3, 1, 1, true, &f->first));
    for (int i = 0; i + 1 < c->f.levels; i++)
        VX_TRY(bind_block(lp, b, NAME("down_blocks.%d", i), c->f.features[i + 1], c->f.features[i],
                          1, 1, true, &f->down_blocks[i]));
    /* Channel c of slice d is row c·depth + d: a layer for each slice writes
     * it where it belongs. */
    for (int d = 0; d < c->depth; d++)
        VX_TRY(vx_lp_bind_linear(lp, b,
                                 &(vx_lp_spec){.name = "second",
                                               .out = c->channels,
                                               .in = c->f.features[c->f.levels - 1],
                                               .first_row = d,
                                               .row_step = c->depth,
                                               .once = true},
                                 &f->second[d]));
    for (int i = 0; i < c->f.resblocks; i++)
        VX_TRY(bind_resblock(lp, b, i, &f->resblocks[i]));
    return VX_OK;
}

/* ---- M -------------------------------------------------------------------------------------- */

static vx_status bind_next_block(vx_liveportrait *lp, vx_binder *b, const char *prefix, int64_t dim,
                                 vx_lp_next_block *block)
{
    char name[VX_NAME_BYTES];
    VX_TRY(vx_lp_bind_depthwise(b, NAME("%s.dwconv.weight", prefix), dim, 7, &block->dwconv));
    VX_TRY(vx_lp_bind_vector(b, NAME("%s.dwconv.bias", prefix), dim, &block->dwconv_bias));
    VX_TRY(vx_lp_bind_norm(b, NAME("%s.norm", prefix), "weight", "bias", dim, &block->norm));
    vx_lp_spec s = {.name = NAME("%s.pwconv1", prefix), .out = 4 * dim, .in = dim};
    s.once = true;
    VX_TRY(vx_lp_bind_linear(lp, b, &s, &block->pwconv1));
    VX_TRY(vx_lp_bind_norm(b, NAME("%s.grn", prefix), "gamma", "beta", 4 * dim, &block->grn));
    s = (vx_lp_spec){.name = NAME("%s.pwconv2", prefix), .out = dim, .in = 4 * dim};
    s.once = true;
    return vx_lp_bind_linear(lp, b, &s, &block->pwconv2);
}

/* The stem is filter then norm, the others norm then filter. */
static vx_status bind_downsample(vx_liveportrait *lp, vx_binder *b, int i)
{
    const vx_liveportrait_config *c = &lp->config;
    char name[VX_NAME_BYTES];
    int side = i == 0 ? 4 : 2, in = c->m.coordinates ? 5 : 3;
    vx_lp_spec s = {.name = NAME("detector.downsample_layers.%d.%d", i, i > 0),
                    .out = c->m.dims[i],
                    .in = i == 0 ? in : c->m.dims[i - 1],
                    .kernel = {1, side, side},
                    .stride = side,
                    .once = true};
    VX_TRY(vx_lp_bind_conv(lp, b, &s, &lp->m.downsample[i]));
    return vx_lp_bind_norm(b, NAME("detector.downsample_layers.%d.%d", i, i == 0), "weight", "bias",
                           i == 0 ? c->m.dims[0] : c->m.dims[i - 1], &lp->m.downsample_norm[i]);
}

static vx_status bind_motion(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    static const char *const heads[VX_LP_HEADS] = {"pitch", "yaw", "roll", "t",
                                                   "scale", "exp", "kp"};
    const int64_t widths[VX_LP_HEADS] = {c->m.bins, c->m.bins,     c->m.bins,    3,
                                         1,         3 * c->points, 3 * c->points};
    char name[VX_NAME_BYTES];
    for (int i = 0; i < 4; i++) {
        VX_TRY(bind_downsample(lp, b, i));
        for (int j = 0; j < c->m.depths[i]; j++) {
            char prefix[VX_NAME_BYTES / 2];
            snprintf(prefix, sizeof prefix, "detector.stages.%d.%d", i, j);
            VX_TRY(bind_next_block(lp, b, prefix, c->m.dims[i], &lp->m.stage[i][j]));
        }
    }
    VX_TRY(vx_lp_bind_norm(b, "detector.norm", "weight", "bias", c->m.dims[3], &lp->m.norm));
    for (int i = 0; i < VX_LP_HEADS; i++)
        VX_TRY(vx_lp_bind_linear(lp, b,
                                 &(vx_lp_spec){.name = NAME("detector.fc_%s", heads[i]),
                                               .out = widths[i],
                                               .in = c->m.dims[3],
                                               .once = true},
                                 &lp->m.head[i]));
    return VX_OK;
}

/* ---- W -------------------------------------------------------------------------------------- */

#define DENSE "dense_motion_network."

static vx_status bind_hourglass(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_lp_warping *w = &lp->w;
    char name[VX_NAME_BYTES];
    int blocks = c->w.blocks, read = (c->points + 1) * (c->w.compress + 1);
    for (int i = 0; i < blocks; i++)
        VX_TRY(bind_block(lp, b, NAME(DENSE "hourglass.encoder.down_blocks.%d", i),
                          vx_lp_hourglass_width(c, i + 1),
                          i == 0 ? read : vx_lp_hourglass_width(c, i), 3, 1, false,
                          &w->down_blocks[i]));
    /* up_blocks.0 is the coarsest; all but that one read a skip beside the block below. */
    for (int i = 0; i < blocks; i++) {
        int level = blocks - 1 - i;
        VX_TRY(bind_block(lp, b, NAME(DENSE "hourglass.decoder.up_blocks.%d", i),
                          vx_lp_hourglass_width(c, level),
                          (int64_t)vx_lp_hourglass_width(c, level + 1) * (i == 0 ? 1 : 2), 3, 2,
                          false, &w->up_blocks[i]));
    }
    return bind_block(lp, b, DENSE "hourglass.decoder", c->w.prediction,
                      vx_lp_hourglass_width(c, 0) + read, 3, 1, false, &w->conv);
}

static vx_status bind_warping(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_lp_warping *w = &lp->w;
    int64_t k = c->w.mask_kernel;
    VX_TRY(vx_lp_bind_linear(lp, b,
                             &(vx_lp_spec){.name = DENSE "compress",
                                           .norm = DENSE "norm",
                                           .out = c->w.compress,
                                           .in = c->channels,
                                           .once = true},
                             &w->compress));
    VX_TRY(bind_hourglass(lp, b));
    VX_TRY(vx_lp_bind_conv(
        lp, b,
        &(vx_lp_spec){
            .name = DENSE "mask", .out = c->points + 1, .in = c->w.prediction, .kernel = {k, k, k}},
        &w->mask));
    if (c->w.occlusion)
        VX_TRY(vx_lp_bind_conv(lp, b,
                               &(vx_lp_spec){.name = DENSE "occlusion",
                                             .out = 1,
                                             .in = c->w.prediction,
                                             .kernel = {c->depth / c->w.divisor, 7, 7},
                                             .no_depth_pad = true},
                               &w->occlusion));
    VX_TRY(vx_lp_bind_conv(lp, b,
                           &(vx_lp_spec){.name = "third.conv",
                                         .norm = "third.norm",
                                         .out = c->w.features,
                                         .in = (int64_t)c->channels * c->depth,
                                         .kernel = {1, 3, 3},
                                         .depth = c->depth},
                           &w->third));
    return vx_lp_bind_linear(
        lp, b, &(vx_lp_spec){.name = "fourth", .out = c->w.features, .in = c->w.features},
        &w->fourth);
}

/* ---- G -------------------------------------------------------------------------------------- */

/* PREFIX.norm_0 and its like for a map of `channels`; `up` pixels share a value of seg. */
static vx_status bind_spade(vx_liveportrait *lp, vx_binder *b, const char *prefix, int64_t channels,
                            int64_t hidden, int up, bool gamma_only, vx_lp_spade *spade)
{
    char name[VX_NAME_BYTES], beta[VX_NAME_BYTES];
    VX_TRY(vx_lp_bind_conv(lp, b,
                           &(vx_lp_spec){.name = NAME("%s.mlp_shared.0", prefix),
                                         .out = hidden,
                                         .in = lp->config.w.features,
                                         .kernel = {1, 3, 3},
                                         .upsample = up,
                                         .cells_out = up == 4},
                           &spade->shared));
    snprintf(beta, sizeof beta, "%s.mlp_beta", prefix);
    VX_TRY(vx_lp_bind_conv(lp, b,
                           &(vx_lp_spec){.name = NAME("%s.mlp_gamma", prefix),
                                         .stacked = gamma_only ? NULL : beta,
                                         .out = channels,
                                         .in = hidden,
                                         .kernel = {1, 3, 3},
                                         .cells_in = up == 4},
                           &spade->map));
    if (!lp->config.g.batch_norm) return VX_OK;
    VX_TRY(vx_lp_bind_vector(b, NAME("%s.param_free_norm.running_mean", prefix), channels,
                             &spade->mean));
    return vx_lp_bind_vector(b, NAME("%s.param_free_norm.running_var", prefix), channels,
                             &spade->var);
}

/* A block of G: seg is `map_up` times coarser than its maps, x is read
 * `block->up` times enlarged. */
static vx_status bind_spade_block(vx_liveportrait *lp, vx_binder *b, const char *prefix,
                                  int64_t hidden, int map_up, vx_lp_spade_block *block)
{
    char name[VX_NAME_BYTES];
    int in = block->in, out = block->out, middle = in < out ? in : out;
    vx_lp_spec s = {
        .out = middle, .in = in, .kernel = {1, 3, 3}, .spectral = lp->config.g.spectral};
    VX_TRY(bind_spade(lp, b, NAME("%s.norm_0", prefix), in, hidden, map_up, false, &block->norm_0));
    s.name = NAME("%s.conv_0", prefix);
    VX_TRY(vx_lp_bind_conv(lp, b, &s, &block->conv_0));
    VX_TRY(bind_spade(lp, b, NAME("%s.norm_1", prefix), middle, hidden, map_up, false,
                      &block->norm_1));
    s.name = NAME("%s.conv_1", prefix);
    s.in = middle;
    s.out = out;
    VX_TRY(vx_lp_bind_conv(lp, b, &s, &block->conv_1));
    if (in == out) return VX_OK;
    VX_TRY(bind_spade(lp, b, NAME("%s.norm_s", prefix), in, hidden, map_up, true, &block->norm_s));
    return vx_lp_bind_shortcut(lp, b, prefix, out, in, hidden, map_up == 4, &block->conv_s,
                               &block->beta_s);
}

static vx_status bind_generator(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_lp_generator *g = &lp->g;
    char prefix[VX_NAME_BYTES / 2];
    vx_lp_spec s = {
        .name = "fc", .out = c->g.features[0], .in = c->w.features, .kernel = {1, 3, 3}};
    VX_TRY(vx_lp_bind_conv(lp, b, &s, &g->fc));
    for (int i = 0; i < c->g.middle; i++) {
        g->block[i].in = g->block[i].out = c->g.features[0];
        g->block[i].up = 1;
        snprintf(prefix, sizeof prefix, "G_middle_%d", i);
        VX_TRY(bind_spade_block(lp, b, prefix, c->g.hidden[0], 1, &g->block[i]));
    }
    for (int i = 1; i < c->g.levels; i++) {
        vx_lp_spade_block *block = &g->block[c->g.middle + i - 1];
        block->in = c->g.features[i - 1];
        block->out = c->g.features[i];
        block->up = 2;
        snprintf(prefix, sizeof prefix, "up_%d", i - 1);
        VX_TRY(bind_spade_block(lp, b, prefix, c->g.hidden[i], 1 << i, block));
    }
    /* A Sequential with PixelShuffle, or a filter alone. */
    s.name = c->g.shuffle > 1 ? "conv_img.0" : "conv_img";
    s.in = c->g.features[c->g.levels - 1];
    s.out = (int64_t)3 * c->g.shuffle * c->g.shuffle;
    return vx_lp_bind_conv(lp, b, &s, &g->conv_img);
}

/* ---- stitching ------------------------------------------------------------------------------ */

/* The .pth nests the network (a data-parallel one) under its name; the
 * safetensors join it by '_'. */
static const char *const stitch_prefixes[] = {"retarget_shoulder.module.",
                                              "retarget_shoulder_module.", "retarget_shoulder."};

static vx_status fetch_zeroes(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)first, (void)err;
    memset(dst, 0, (size_t)count * (size_t) * (const int64_t *)arg * sizeof *dst);
    return VX_OK;
}

/* Its memory is planned in every case: a plan sees no files. */
static vx_status bind_stitching(vx_liveportrait *lp, vx_binder *b)
{
    const vx_liveportrait_config *c = &lp->config;
    char name[VX_NAME_BYTES];
    const char *prefix = NULL;
    for (size_t i = 0; i < sizeof stitch_prefixes / sizeof stitch_prefixes[0] && !b->plan; i++)
        if (prefix == NULL && vx_binder_find(b, NAME("%smlp.0.weight", stitch_prefixes[i]), NULL))
            prefix = stitch_prefixes[i];
    for (int i = 0; i < c->stitch_layers; i++) {
        vx_layer *layer = &lp->stitch[i];
        int64_t in = i == 0 ? 6 * c->points : c->stitch_hidden[i - 1];
        int64_t out = i + 1 == c->stitch_layers ? 3 * c->points + 2 : c->stitch_hidden[i];
        layer->w = vx_weight_linear(out, in, VX_F32, VX_F32);
        if (b->plan || prefix != NULL) {
            VX_TRY(vx_bind_named_weight(b, &layer->w,
                                        NAME("%smlp.%d.weight", prefix ? prefix : "", 2 * i)));
            VX_TRY(vx_bind_named_vector(b, &layer->bias, out,
                                        NAME("%smlp.%d.bias", prefix ? prefix : "", 2 * i)));
        } else {
            VX_TRY(vx_bind_weight(b, &layer->w, fetch_zeroes, &in));
            VX_TRY(vx_bind_table(b, &layer->bias, VX_F32, 1, out, fetch_zeroes, &out));
        }
    }
    lp->stitches = prefix != NULL;
    return VX_OK;
}

vx_status vx_liveportrait_bind(vx_liveportrait *lp, vx_binder *b)
{
    VX_TRY(bind_appearance(lp, b));
    VX_TRY(bind_motion(lp, b));
    VX_TRY(bind_warping(lp, b));
    VX_TRY(bind_generator(lp, b));
    return bind_stitching(lp, b);
}
