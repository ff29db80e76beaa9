/* The FLUX.1-schnell transformer: predicts the velocity of a latent picture under a prompt.
 *
 * Source: black-forest-labs/flux src/flux/model.py and modules/layers.py; diffusers
 * transformer_flux.py. See docs/models/FLUX.md. Sequence order is text first, then picture.
 *
 * Work that does not depend on the step is done once per prompt by vx_flux_prepare: the text
 * projection, the rotation table and the modulations of all steps (27 % of the parameters are
 * modulation weights, applied to one vector per step). vx_flux_step then does one step. */
#ifndef VX_MODELS_FLUX_TRANSFORMER_H
#define VX_MODELS_FLUX_TRANSFORMER_H

#include <jansson.h>

#include "models/binder.h"

enum { VX_FLUX_DOUBLE_MAX = 64, VX_FLUX_SINGLE_MAX = 128, VX_FLUX_STEPS_MAX = 8 };

typedef struct vx_flux_config {
    int channels;        /* of a picture token: latent channels × 2 × 2 */
    int context, pooled; /* widths of the T5 rows and of CLIP's pooled vector */
    int heads, head_dim;
    int double_blocks, single_blocks;
    int axes[3]; /* how many of a head's channels turn with (0, row, column) */
} vx_flux_config;

typedef struct vx_flux vx_flux;

/* diffusers' config.json of FluxTransformer2DModel; absent keys have FLUX.1-schnell's values. */
vx_status vx_flux_config_read(const json_t *json, vx_flux_config *config, vx_error *err);

/* Where the weights of the modulations are, which are used once per prompt. */
typedef enum vx_flux_modulations {
    VX_FLUX_RESIDENT, /* with all others */
    /* in their files, which must stay open: vx_flux_prepare reads them one by one */
    VX_FLUX_STREAMED
} vx_flux_modulations;

/* `precision` is how matrices are stored; f32 computes in f32, others in `native`. `tokens_max` is
 * of the largest picture. NULL on failure. */
vx_status vx_flux_open(vx_flux **flux, const vx_flux_config *config, vx_dtype precision,
                       vx_dtype native, vx_flux_modulations modulations, int64_t tokens_max,
                       vx_error *err);
void vx_flux_close(vx_flux **flux);
const vx_flux_config *vx_flux_configuration(const vx_flux *flux);

/* Weights by Black Forest Labs' names (also GGUF's; the prefix model.diffusion_model. is
 * stripped) or diffusers'. */
vx_status vx_flux_bind(vx_flux *flux, vx_binder *binder);

/* What one prompt needs at every step; tensors lie on the lane's stack. */
typedef struct vx_flux_prompt {
    int steps, grid_rows, grid_cols;
    vx_tensor text;        /* [text tokens, D] f32 */
    vx_tensor modulations; /* [steps, all blocks' vectors] f32 */
    vx_tensor turns;       /* [picture tokens, head_dim] f32: cos, sin per pair */
} vx_flux_prompt;

/* text [n, context] f32; pooled [1, pooled] f32; times[steps] in (0, 1], host, NULL in a
 * plan; the picture has grid_rows × grid_cols tokens. Takes the prompt's tensors from ctx
 * and leaves them there. */
vx_status vx_flux_prepare(vx_flux *flux, vx_ctx *ctx, const vx_tensor *text,
                          const vx_tensor *pooled, const float *times, int steps, int grid_rows,
                          int grid_cols, vx_flux_prompt *prompt);

/* latent [tokens, channels] f32 -> velocity of the same shape. */
vx_status vx_flux_step(vx_flux *flux, vx_ctx *ctx, const vx_flux_prompt *prompt, int step,
                       const vx_tensor *latent, vx_tensor *velocity);

#endif
