/* FLUX's autoencoder: latents to pictures and back.
 *
 * Source: black-forest-labs/flux src/flux/modules/autoencoder.py; diffusers AutoencoderKL. See
 * docs/models/FLUX.md. Layout is channels-last; pictures are f32 in about [-1, 1]. */
#ifndef VX_MODELS_FLUX_VAE_H
#define VX_MODELS_FLUX_VAE_H

#include <jansson.h>

#include "models/binder.h"

enum { VX_VAE_CHANNELS_MAX = 4096, VX_VAE_LEVELS_MAX = 6, VX_VAE_BLOCKS_MAX = 4 };
enum { VX_VAE_DECODER = 1, VX_VAE_ENCODER = 2 };

typedef struct vx_vae_config {
    int levels;                      /* resolutions; the picture is 2^(levels-1) times the latent */
    int channels[VX_VAE_LEVELS_MAX]; /* per level, finest first */
    int blocks;         /* residual blocks per level of the encoder; the decoder has one more */
    int z, groups;      /* latent channels, groups of every norm */
    float scale, shift; /* transformer's latent = (z - shift)·scale; callers apply it */
    bool mid_attention;
} vx_vae_config;

typedef struct vx_vae vx_vae;

/* diffusers' AutoencoderKL config.json; absent keys have the values of FLUX.1. */
vx_status vx_vae_config_read(const json_t *json, vx_vae_config *config, vx_error *err);

/* `parts` is a set of VX_VAE_*. f32 computes in f32, other precisions in
 * `native`. NULL on failure. */
vx_status vx_vae_open(vx_vae **vae, const vx_vae_config *config, vx_dtype precision,
                      vx_dtype native, int parts, vx_error *err);
void vx_vae_close(vx_vae **vae);

/* How many elements of a map are normed at once on their way into a filter, as a strip of whole
 * rows: less workspace, the same bytes. Before planning. */
enum { VX_VAE_STRIP = 4 << 20 };
void vx_vae_set_strip(vx_vae *vae, int64_t elements);
const vx_vae_config *vx_vae_configuration(const vx_vae *vae);

/* Weights by the original names (ae.safetensors) or diffusers'. */
vx_status vx_vae_bind(vx_vae *vae, vx_binder *binder);

/* z [h, w, z] f32 (the transformer's latent divided by `scale`, plus `shift`) -> picture [h·f, w·f,
 * 3] f32, f = 2^(levels-1). */
vx_status vx_vae_decode(vx_vae *vae, vx_ctx *ctx, const vx_tensor *z, vx_tensor *picture);

/* picture [H, W, 3] f32 in [-1, 1], H and W multiples of f -> mean [H/f, W/f, z] f32 of the
 * posterior, not yet scaled. */
vx_status vx_vae_encode(vx_vae *vae, vx_ctx *ctx, const vx_tensor *picture, vx_tensor *mean);

#endif
