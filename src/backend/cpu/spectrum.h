/* Tiles of stft and istft, one build per level (kernels/spectrum.c).
 *
 * n_fft 20, hop 5, periodic Hann (Kokoro's config.json: gen_istft_n_fft, gen_istft_hop_size). The
 * signal is kept as five streams, stream m holding the samples 5h + m of the hops h: sample
 * n = 5q + m of frame f is element f + q - 2 of stream m, and neighbouring frames are neighbours in
 * memory, so that each lane of a vector is a frame. */
#ifndef VX_BACKEND_CPU_SPECTRUM_H
#define VX_BACKEND_CPU_SPECTRUM_H

#include "backend/cpu/simd.h"

enum { VX_FFT = 20, VX_HOP = 5, VX_BINS = 11, VX_POLAR = 2 * VX_BINS };
/* Frames of a tile, and the elements of a stream that it reads or writes: three hops more, and room
 * for a whole last vector. */
enum { VX_SPECTRUM_TILE = 256, VX_STREAM_ROOM = VX_SPECTRUM_TILE + 3 + 16 };

/* w[n] = 0.5 - 0.5 cos(2 pi n/20), cos and sin of 2 pi i/20. */
typedef struct vx_spectrum_tables {
    float window[VX_FFT], cosine[VX_FFT], sine[VX_FFT];
} vx_spectrum_tables;

/* Rows [first, first + frames) of out; stream element 0 is hop first - 2. */
VX_SIMD_DECLARE(void, vx_cpu_stft_tile, const vx_spectrum_tables *t,
                float stream[VX_HOP][VX_STREAM_ROOM], const vx_tensor *out, int64_t first,
                int64_t frames)

/* Adds the windowed inverse transforms of rows [first, first + frames) of x to the streams, whose
 * element 0 is hop first - 2. */
VX_SIMD_DECLARE(void, vx_cpu_istft_tile, const vx_spectrum_tables *t, const vx_tensor *x,
                float stream[VX_HOP][VX_STREAM_ROOM], int64_t first, int64_t frames)

#endif
