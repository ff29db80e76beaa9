/* Counter-based random numbers: Philox 4x32-10.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11).
 *
 * A draw is a pure function of (seed, stage, counter), so any worker may make any part of a
 * sequence and the same recipe gives the same bytes whatever the thread count. */
#ifndef VX_BASE_RANDOM_H
#define VX_BASE_RANDOM_H

#include <stdint.h>

/* Who draws: one number for each independent stream of a slot. Values are part of the output's
 * identity and never change. */
typedef enum vx_stream {
    VX_STREAM_VOICE_NOISE = 1, /* Kokoro's harmonic source */
    VX_STREAM_LATENT = 2,      /* FLUX's start latent */
    VX_STREAM_DRIVE = 3,       /* blinks, gaze, head motion */
    VX_STREAM_PROMPT = 4,      /* prompt expander */
    VX_STREAM_SYNTH = 5,       /* synthetic weights */
    VX_STREAM_TEST = 6,
    VX_STREAM_ROOM_TONE = 7 /* noise under the speech of films */
} vx_stream;

/* The four 32-bit words of block `counter`. */
void vx_philox(uint64_t seed, uint32_t stage, uint64_t counter, uint32_t out[4]);

/* Uniform in (0, 1): 24 random bits, never 0 or 1. */
float vx_random_uniform(uint64_t seed, uint32_t stage, uint64_t index);

/* Standard normal, Box-Muller on words 0 and 1 of block `index`. */
float vx_random_normal(uint64_t seed, uint32_t stage, uint64_t index);

#endif
