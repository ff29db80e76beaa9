/* The weights of the five networks and their forward functions, private to this folder. Members are
 * named after the checkpoints' tensors. */
#ifndef VX_MODELS_LIVEPORTRAIT_PARTS_H
#define VX_MODELS_LIVEPORTRAIT_PARTS_H

#include "models/layer.h"
#include "models/liveportrait/liveportrait.h"

typedef struct vx_lp_norm {
    vx_tensor gamma, beta;
} vx_lp_norm;

/* F's pre-activation block: norm1 cannot be folded into anything and is a diagonal matrix. */
typedef struct vx_lp_resblock {
    vx_layer norm1, conv1, conv2;
} vx_lp_resblock;

typedef struct vx_lp_appearance {
    vx_layer first, down_blocks[VX_PORTRAIT_LEVELS_MAX];
    vx_layer second[VX_PORTRAIT_DEPTH_MAX]; /* one for each slice of depth */
    vx_lp_resblock resblocks[VX_PORTRAIT_BLOCKS_MAX];
} vx_lp_appearance;

typedef struct vx_lp_next_block {
    vx_tensor dwconv, dwconv_bias; /* [7, 7, C] */
    vx_lp_norm norm, grn;
    vx_layer pwconv1, pwconv2;
} vx_lp_next_block;

enum { VX_LP_HEADS = 7 };

typedef struct vx_lp_detector {
    vx_layer downsample[4];
    vx_lp_norm downsample_norm[4];
    vx_lp_next_block stage[4][VX_PORTRAIT_STAGE_MAX];
    vx_lp_norm norm;
    vx_layer head[VX_LP_HEADS];
} vx_lp_detector;

typedef struct vx_lp_warping {
    vx_layer compress;
    vx_layer down_blocks[VX_PORTRAIT_BLOCKS_MAX], up_blocks[VX_PORTRAIT_BLOCKS_MAX];
    vx_layer conv, mask, occlusion, third, fourth;
} vx_lp_warping;

/* `map` is mlp_gamma and mlp_beta as one filter, or mlp_gamma alone. mean.rank 0: instance norm. */
typedef struct vx_lp_spade {
    vx_layer shared, map;
    vx_tensor mean, var;
} vx_lp_spade;

typedef struct vx_lp_spade_block {
    int in, out, up; /* up: each pixel of x is repeated so often first */
    vx_lp_spade norm_0, norm_1, norm_s;
    vx_layer conv_0, conv_1;
    vx_layer conv_s; /* 1 × 1; its bias is conv_s of norm_s's beta bias */
    vx_layer beta_s; /* conv_s after norm_s.mlp_beta, one 3 × 3 filter */
} vx_lp_spade_block;

typedef struct vx_lp_generator {
    vx_layer fc, conv_img;
    vx_lp_spade_block block[VX_PORTRAIT_BLOCKS_MAX + 2]; /* middle, then up */
} vx_lp_generator;

struct vx_liveportrait {
    vx_liveportrait_config config;
    vx_dtype store, compute; /* of W and G; what runs once for a picture is f32 */
    int batch;
    bool stitches;
    vx_lp_appearance f;
    vx_lp_detector m;
    vx_lp_warping w;
    vx_lp_generator g;
    vx_layer stitch[VX_PORTRAIT_LEVELS_MAX];
    float *host; /* M's coordinates on their way to the device */
};

/* Widths of the hourglass: of the map below its level i, level 0 being the finest. */
int vx_lp_hourglass_width(const vx_liveportrait_config *c, int i);

/* ---- forward; every tensor dense, n frames first ---- */

/* Frame i of a batch. */
vx_tensor vx_lp_frame(const vx_tensor *batch, int64_t i);

/* picture [S, S, 3] f32 in 0..1 -> features [D, s, s, C]. */
vx_status vx_lp_appearance_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture,
                               vx_tensor *features);
/* picture -> motion on the host. */
vx_status vx_lp_motion_run(vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *picture,
                           vx_motion *out);
/* features -> compressed. */
vx_status vx_lp_compress(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *features,
                         vx_tensor *compressed);
/* x_s [K, 3], x_d [n, K, 3] on the device -> seg [n, s, s, w.features]. */
vx_status vx_lp_warping_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_portrait *portrait,
                            const vx_tensor *x_s, const vx_tensor *x_d, vx_tensor *seg);
/* seg -> picture i at frames + i*stride. */
vx_status vx_lp_generator_run(const vx_liveportrait *lp, vx_ctx *ctx, const vx_tensor *seg,
                              vx_dev frames, size_t stride);

#endif
