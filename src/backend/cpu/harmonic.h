/* One frame of the harmonic source, one build per level (kernels/harmonic.c). */
#ifndef VX_BACKEND_CPU_HARMONIC_H
#define VX_BACKEND_CPU_HARMONIC_H

#include "backend/cpu/simd.h"

/* istftnet.py: SineGen(samp_rate 24000, upsample_scale 300, harmonic_num 8, sine_amp 0.1,
 * noise_std 0.003, voiced_threshold 10). A frame is two halves: the phase runs from the middle of a
 * frame to the middle of the next. */
enum { VX_HARMONICS = 9, VX_SOURCE_HALF = 150, VX_SOURCE_FRAME = 2 * VX_SOURCE_HALF };

/* Phases over half a frame, in cycles: harmonic k has start[k] at its first sample, wrapped, and
 * gains hi[k] + lo[k] per sample. hi is a multiple of 2^-14, so that m*hi is exact for m < 512. */
typedef struct vx_source_half {
    float start[VX_HARMONICS], hi[VX_HARMONICS], lo[VX_HARMONICS];
} vx_source_half;

/* The 300 samples of a frame: tanh(bias + sum of weight[k]*sine k + deviation*normal). */
typedef struct vx_source_frame {
    vx_source_half half[2];
    const float *weight; /* [9], the sines' amplitude included */
    float bias;
    bool voiced;     /* no sines where not */
    float deviation; /* of the noise; 0: none is drawn */
    uint64_t seed, counter;
} vx_source_frame;

VX_SIMD_DECLARE(void, vx_cpu_source_frame, const vx_source_frame *f, float out[VX_SOURCE_FRAME])

#endif
