/* LivePortrait: one picture of a face, moved by key points.
 *
 * Source: KwaiVGI/LivePortrait src/modules, Guo et al., "LivePortrait: Efficient Portrait Animation
 * with Stitching and Retargeting Control". See docs/models/LIVEPORTRAIT.md.
 *
 *     F  picture -> volume of features f_s        M  picture -> key points, pose, expression
 *     W  f_s, x_s, x_d -> warped features         G  warped features -> picture
 *     S  x_s, x_d -> x_d that joins the picture's frame (stitching; not every pack has it)
 *
 * F and M run once for a picture, W and G for every frame. Key points are x, y, z in -1..1: x to
 * the right, y down, z inward. The crop is a square of `image_size` pixels, RGB, 8 bits. */
#ifndef VX_MODELS_LIVEPORTRAIT_LIVEPORTRAIT_H
#define VX_MODELS_LIVEPORTRAIT_LIVEPORTRAIT_H

#include <jansson.h>

#include "backend/ops.h"
#include "models/binder.h"

enum {
    VX_PORTRAIT_POINTS_MAX = 64,
    VX_PORTRAIT_LEVELS_MAX = 6, /* of F's and G's widths */
    VX_PORTRAIT_BLOCKS_MAX = 8, /* residual, hourglass and middle blocks */
    VX_PORTRAIT_STAGE_MAX = 16, /* blocks in a stage of M */
    VX_PORTRAIT_DEPTH_MAX = 16, /* slices of f_s: a filter spans all of them */
    VX_PORTRAIT_BATCH =
        4, /* frames together, unless said otherwise: fills the hourglass's 2 × 2 maps */
    VX_PORTRAIT_BATCH_MAX = 32
};

/* Where M's expression enters: x = scale (x_c R + e) + t, or x = scale ((x_c + e) R) + t. */
typedef enum vx_portrait_expression {
    VX_EXPRESSION_AFTER_ROTATION, /* published */
    VX_EXPRESSION_BEFORE_ROTATION
} vx_portrait_expression;

/* The pack's configuration, resolved. Published values in brackets. */
typedef struct vx_liveportrait_config {
    int points;          /* [21] */
    int image_size;      /* side of the crop [256] */
    int channels, depth; /* of f_s [32, 16] */
    struct {
        int levels;                           /* [3] */
        int features[VX_PORTRAIT_LEVELS_MAX]; /* [64, 128, 256]; each level halves the side */
        int resblocks;                        /* [6] */
    } f;
    struct {
        int input_size;   /* side of what M sees [256] */
        bool coordinates; /* two more channels: x and y of the pixels [false] */
        int dims[4], depths[4];
        int bins; /* of each angle, 3 degrees apart [66] */
    } m;
    struct {
        vx_grid grid;
        vx_portrait_expression expression;
        int features;                        /* of `third` and `fourth` [256] */
        int compress, divisor;               /* [4]; dense motion at 1/divisor of the volume [1] */
        int expansion, features_max, blocks; /* of the hourglass [32, 1024, 5] */
        int prediction;                      /* width of its last convolution [142] */
        int mask_kernel;                     /* [7] */
        bool occlusion;                      /* [true] */
    } w;
    struct {
        int levels;                           /* middle, then one for each up block [3] */
        int features[VX_PORTRAIT_LEVELS_MAX]; /* [512, 256, 64] */
        int hidden[VX_PORTRAIT_LEVELS_MAX];   /* [128, 128, 128] */
        int middle;                           /* blocks [6] */
        bool batch_norm;                      /* instead of instance norm [false] */
        bool spectral; /* conv_0, conv_1, conv_s are spectrally normed [true] */
        int shuffle;   /* PixelShuffle's factor [2] */
    } g;
    int stitch_layers;                         /* [4] */
    int stitch_hidden[VX_PORTRAIT_LEVELS_MAX]; /* widths between them [128, 128, 64] */
    /* What drives: expressions added to M's (published), or in their place. */
    bool absolute_expression;
} vx_liveportrait_config;

/* What M reads from a picture. Angles in degrees. */
typedef struct vx_motion {
    float pitch, yaw, roll;
    float t[3]; /* z is not used */
    float scale;
    float expression[VX_PORTRAIT_POINTS_MAX][3];
    float canonical[VX_PORTRAIT_POINTS_MAX][3];
} vx_motion;

/* A prepared source. The tensors lie in the caller's memory. */
typedef struct vx_portrait {
    vx_motion motion;
    float x_s[VX_PORTRAIT_POINTS_MAX][3];
    vx_tensor features;   /* [depth, side, side, channels] f32: f_s */
    vx_tensor compressed; /* [d, side', side', compress] f32: what dense motion shifts about */
    vx_tensor points;     /* [points, 3] f32: x_s where ops find it */
} vx_portrait;

typedef struct vx_liveportrait vx_liveportrait;

/* models.yaml's `model_params` (or what lies within), with the options of small networks
 * beside; absent keys have their published values. VX_ERR_INPUT names a key or a value that
 * does not exist here. */
vx_status vx_liveportrait_config_read(const json_t *json, vx_liveportrait_config *config,
                                      vx_error *err);
/* Sides of f_s's maps and of a frame. */
int vx_liveportrait_feature_side(const vx_liveportrait_config *config);
int vx_liveportrait_frame_side(const vx_liveportrait_config *config);

/* `precision` is f32, bf16 or f16: how the filters of W and G are stored; f32 computes in f32, the
 * others in `native`. What runs once for a picture, F and M, is f32 always: an error in x_s moves
 * the whole frame. `batch` frames at most go through W and G together. NULL handle on failure. */
vx_status vx_liveportrait_open(vx_liveportrait **model, const vx_liveportrait_config *config,
                               vx_dtype precision, vx_dtype native, int batch, vx_error *err);
void vx_liveportrait_close(vx_liveportrait **model);
const vx_liveportrait_config *vx_liveportrait_configuration(const vx_liveportrait *model);
int vx_liveportrait_batch(const vx_liveportrait *model);

/* Lists the weights by the published names: the official .pth files and the safetensors made of
 * them. The eye and lip networks are left alone. */
vx_status vx_liveportrait_bind(vx_liveportrait *model, vx_binder *binder);
/* Whether the files held the stitching network; false before binding. */
bool vx_liveportrait_stitches(const vx_liveportrait *model);

/* Bytes of device memory that a portrait takes, a multiple of VX_ALIGN. */
size_t vx_liveportrait_source_bytes(const vx_liveportrait *model);

/* rgb: host, [image_size, image_size, 3]. Fills *out; `memory`
 * (vx_liveportrait_source_bytes, aligned to VX_ALIGN) stays the caller's and must live as
 * long as *out is used. In a plan rgb is NULL. */
vx_status vx_liveportrait_source(vx_liveportrait *model, vx_ctx *ctx, const uint8_t *rgb,
                                 vx_dev memory, vx_portrait *out);
/* M alone, for driving pictures and for refining a crop. */
vx_status vx_liveportrait_motion(vx_liveportrait *model, vx_ctx *ctx, const uint8_t *rgb,
                                 vx_motion *out);

/* R of three angles in degrees, for row vectors: v R. (Rz(roll) Ry(yaw) Rx(pitch))^T. */
void vx_liveportrait_rotation(float pitch, float yaw, float roll, float out[3][3]);
/* out [points][3] from canonical key points [points][3] and the rest of a motion, whose own
 * canonical points are not looked at. */
void vx_liveportrait_keypoints(const vx_liveportrait_config *config, const float (*canonical)[3],
                               const vx_motion *motion, float (*out)[3]);

/* Frames that are made together. */
typedef struct vx_portrait_batch {
    int n;            /* 1 to the model's batch */
    bool stitch;      /* x_d is moved by the stitching network first, which the files must have */
    const float *x_d; /* host, [n][points][3]; NULL in a plan */
    vx_dev frames;    /* receives frame i at frames + i*stride: [side, side, 3] 8 bits */
    size_t stride;
} vx_portrait_batch;

/* The frames are there after vx_finish. In a plan portrait is NULL. */
vx_status vx_liveportrait_frames(vx_liveportrait *model, vx_ctx *ctx, const vx_portrait *portrait,
                                 const vx_portrait_batch *batch);

#endif
