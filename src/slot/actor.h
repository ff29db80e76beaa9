/* The actor's picture, stage by stage: what a plan and a run both walk, private to this folder.
 *
 *     ids -> T5 -> text [tokens, context]         ids -> CLIP -> pooled [pooled]
 *     noise [z, h, w] -> tokens -> steps of the transformer -> latent [z, h, w] -> decoder -> RGB
 *
 * Pointers to host memory are NULL in a plan. Latents are as diffusers holds them, before the
 * autoencoder's scale and shift. */
#ifndef VX_SLOT_ACTOR_H
#define VX_SLOT_ACTOR_H

#include "config/pack.h"
#include "media/image.h"
#include "models/flux/transformer.h"
#include "models/flux/vae.h"

enum { VX_ACTOR_SIDE_MIN = 64, VX_ACTOR_SIDE_MAX = 1024 };

/* A picture's size and what follows from it. */
typedef struct vx_actor_size {
    int width, height, steps;
    int factor;             /* pixels of a latent's cell: 8 for the published autoencoder */
    int z, rows, cols;      /* the latent is [z, rows, cols] */
    int text_tokens;        /* of T5 */
    int text_width, pooled; /* floats of a text token, of CLIP's pooled vector */
} vx_actor_size;

/* The size for a pack; 0 stands for the pack's own. VX_ERR_USAGE, "bad_size", for a side that is
 * not a multiple of two latent cells (a token) or out of range, and for steps beyond 1..8. */
vx_status vx_actor_size_of(const vx_pack *pack, int width, int height, int steps,
                           vx_actor_size *size, vx_error *err);

/* Tokens that the transformer sees: 2 x 2 cells each. */
static inline int64_t vx_actor_tokens(const vx_actor_size *size)
{
    return (int64_t)(size->rows / 2) * (size->cols / 2);
}

/* Floats of a latent. */
static inline int64_t vx_actor_latent_count(const vx_actor_size *size)
{
    return (int64_t)size->z * size->rows * size->cols;
}

/* A latent on its way through the steps; its tensors lie on the lane's stack. */
typedef struct vx_sampling {
    vx_flux_prompt prompt;
    vx_tensor tokens, velocity;
} vx_sampling;

/* What does not depend on the step: the latent becomes tokens, the prompt is prepared. times[steps
 * + 1]; `scratch` and `latent` hold vx_actor_latent_count floats each. */
vx_status vx_sampling_begin(vx_sampling *sampling, vx_flux *flux, vx_ctx *ctx,
                            const vx_actor_size *size, const vx_tensor *text,
                            const vx_tensor *pooled, const float *times, const float *latent,
                            float *scratch);
/* One step, from times[step] to times[step + 1]. */
vx_status vx_sampling_step(vx_sampling *sampling, vx_flux *flux, vx_ctx *ctx, const float *times,
                           int step);
/* The tokens become a latent again. */
vx_status vx_sampling_end(const vx_sampling *sampling, vx_ctx *ctx, const vx_actor_size *size,
                          float *latent, float *scratch);

/* The latent's picture: 8 bits, round(255·clamp(x/2 + 1/2)). */
vx_status vx_actor_decode(vx_vae *vae, vx_ctx *ctx, const vx_actor_size *size, const float *latent,
                          float *scratch, const vx_picture *picture);
/* The picture's latent: the posterior's mean, scaled. */
vx_status vx_actor_encode(vx_vae *vae, vx_ctx *ctx, const vx_actor_size *size,
                          const vx_picture *picture, float *latent, float *scratch);

#endif
