/* CLIP: an image tower and a text tower that meet in one embedding space.
 *
 * Source: Radford et al., "Learning transferable visual models from natural language supervision";
 * reference implementations transformers modeling_clip.py and openai/CLIP model.py. See
 * docs/models/CLIP.md.
 *
 * image  [n, S, S, 3] floats -> patches -> [n, tokens, vw] -> blocks -> class token -> [n, e],
 * length 1 text   ids [t]              -> [t, tw] -> causal blocks -> first EOS token -> pooled
 * [tw] -> [e], length 1
 *
 * The weights of one tower can be left out, so that FLUX's text conditioning and the verification
 * share one copy of ViT-L/14's text tower. */
#ifndef VX_MODELS_CLIP_CLIP_H
#define VX_MODELS_CLIP_CLIP_H

#include <jansson.h>

#include "models/binder.h"

enum { VX_CLIP_IMAGE = 1, VX_CLIP_TEXT = 2, VX_CLIP_TEXT_PROJECTION = 4 };
enum { VX_CLIP_LAYERS_MAX = 64, VX_CLIP_CONTEXT_MAX = 512 };
enum { VX_CLIP_IMAGES_MAX = 5 }; /* together: the key frames of a film */

typedef struct vx_clip_tower {
    int width, layers, heads, mlp;
    int act;   /* 0 quick_gelu, 1 gelu, in the order of the configuration's choices */
    float eps; /* of every layer norm */
} vx_clip_tower;

typedef struct vx_clip_config {
    vx_clip_tower vision, text;
    int image_size, patch;
    int vocab, context, eos;
    int embed;
} vx_clip_config;

typedef struct vx_clip vx_clip;

/* OpenAI's published models: clip-vit-base-patch32 and clip-vit-large-patch14. */
typedef enum vx_clip_published { VX_CLIP_BASE_32, VX_CLIP_LARGE_14 } vx_clip_published;

/* Reads transformers' config.json: either a whole CLIPConfig or a CLIPTextConfig alone. Absent keys
 * have transformers' defaults, which are the base model's; NULL gives the sizes of `published`.
 * VX_ERR_INPUT names a key or value that does not exist here. */
vx_status vx_clip_config_read(const json_t *json, vx_clip_published published,
                              vx_clip_config *config, vx_error *err);

/* `parts` is a set of VX_CLIP_*. `precision` is how matrices are stored; f32 also computes in f32,
 * the others in `native` (vx_backend.native). NULL handle on failure. */
vx_status vx_clip_open(vx_clip **clip, const vx_clip_config *config, vx_dtype precision,
                       vx_dtype native, int parts, vx_error *err);
void vx_clip_close(vx_clip **clip);
const vx_clip_config *vx_clip_configuration(const vx_clip *clip);

/* Lists the weights by the names of transformers, of OpenAI and open_clip, or of a text tower
 * alone. */
vx_status vx_clip_bind(vx_clip *clip, vx_binder *binder);

/* n images, 1 to VX_CLIP_IMAGES_MAX. pixels: host, [n, S, S, 3], bytes as media/resize.h makes
 * them, or f32 that are normalised already (parity tests). embed: host, [n, e], each row of length
 * 1. Both may be NULL in a plan. */
vx_status vx_clip_image(vx_clip *clip, vx_ctx *ctx, const void *pixels, vx_dtype dtype, int n,
                        float *embed);

/* ids: host, `count` <= context tokens with BOS and EOS; what follows the first EOS is not
 * computed. pooled: [1, tw] f32, the final layer norm at EOS, or NULL; embed: host [e] of length 1,
 * or NULL. In a plan everything may be NULL and count is the longest. */
vx_status vx_clip_text(vx_clip *clip, vx_ctx *ctx, const int32_t *ids, int count, vx_tensor *pooled,
                       float *embed);

#endif
