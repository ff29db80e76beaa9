/* Flow-matching sampling with schnell's schedule, and the packing of latents into tokens.
 *
 * Source: black-forest-labs/flux src/flux/sampling.py; diffusers FlowMatchEulerDiscreteScheduler
 * with shift 1. Latents outside are float32 [z, h, w], as diffusers holds them (before scale and
 * shift of the autoencoder); inside, token (r, c) of the picture has channel ch·4 + dy·2 + dx for
 * latent[ch, 2r + dy, 2c + dx]. */
#ifndef VX_MODELS_FLUX_SAMPLER_H
#define VX_MODELS_FLUX_SAMPLER_H

#include <stdint.h>

/* times[0..steps]: 1, 1 - 1/steps, …, 0. *first is the index of the first step that is run: 0, or
 * with `strength` < 1 (picture to picture) floor(steps - steps·strength), so that the last ones are
 * (FluxImg2ImgPipeline.get_timesteps). */
void vx_flux_schedule(int steps, double strength, float *times, int *first);

/* Start noise [z, h, w]: standard normal of Philox (stream VX_STREAM_LATENT, counter = index). */
void vx_flux_noise(uint64_t seed, int64_t count, float *noise);

/* [z, h, w] -> [(h/2)(w/2), 4z] and back; h and w even. */
void vx_flux_pack(const float *latent, int z, int h, int w, float *tokens);
void vx_flux_unpack(const float *tokens, int z, int h, int w, float *latent);

/* latent [z, h, w] -> what the decoder takes, [h, w, z]: latent/scale + shift. */
void vx_flux_to_decoder(const float *latent, int z, int h, int w, float scale, float shift,
                        float *out);
/* The encoder's mean [h, w, z] -> latent [z, h, w]: (mean - shift)·scale. */
void vx_flux_from_encoder(const float *mean, int z, int h, int w, float scale, float shift,
                          float *out);

#endif
