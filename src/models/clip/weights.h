/* The weights of both towers, private to this folder. */
#ifndef VX_MODELS_CLIP_WEIGHTS_H
#define VX_MODELS_CLIP_WEIGHTS_H

#include "models/clip/clip.h"

/* One transformer block; names after transformers' encoder.layers.N. */
typedef struct vx_clip_block {
    vx_tensor ln1_w, ln1_b, ln2_w, ln2_b; /* [w] */
    vx_weight q, kv, o;                   /* [w,w], [2w,w] keys then values, [w,w] */
    vx_tensor q_b, kv_b, o_b;
    vx_weight fc1, fc2; /* [mlp,w], [w,mlp] */
    vx_tensor fc1_b, fc2_b;
} vx_clip_block;

struct vx_clip {
    vx_clip_config config;
    vx_dtype store;   /* of the blocks' matrices and the projections */
    vx_dtype dense;   /* of the patch filter and the token table: never quantised */
    vx_dtype compute; /* of all products */
    int parts;
    vx_clip_block *vision, *text;
    vx_weight patch;     /* [vw, 3pp], columns in the order y, x, channel */
    vx_tensor positions; /* [tokens, vw], the class embedding added to row 0 */
    vx_tensor pre_w, pre_b, post_w, post_b;
    vx_weight vision_projection, text_projection; /* [e, vw], [e, tw] */
    vx_tensor tokens, text_positions;             /* [vocab, tw], [context, tw] */
    vx_tensor final_w, final_b;
    void *patches; /* host, rows of VX_CLIP_IMAGES_MAX images in bytes: [tokens-1, 3pp] each */
};

#endif
