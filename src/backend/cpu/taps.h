/* The product inside filters over planes and volumes: rows that lie anywhere, a pointer for each
 * row and tap, times packed weights.
 *
 * Everything is counted in words of 32 bits: a float, or a pair of neighbouring bf16 channels.
 * Weights of one panel are [taps][words][cols] words. The rows' words are broadcast one by one
 * against vectors of columns, six rows at a time, with all sums of 6 x 64 in registers; weights are
 * taken in blocks that stay in the L1 cache for all rows. A pointer per row makes padding, strides,
 * upsampling and the borders of a map cost nothing: no input is copied. */
#ifndef VX_BACKEND_CPU_TAPS_H
#define VX_BACKEND_CPU_TAPS_H

#include "backend/cpu/simd.h"

/* Rows are taken in sixes, up to VX_TAPS_ROWS; columns are a multiple of 8: half a vector of
 * AVX-512 is half the work, on the processors that do such a vector in two. */
enum { VX_TAPS_STEP = 6, VX_TAPS_ROWS = 96, VX_TAPS_COLS = 8 };

typedef struct vx_taps {
    const void *const *row; /* [taps][VX_TAPS_ROWS] */
    int64_t taps, words;    /* words that each row has under a tap */
    const void *weights;
    int64_t rows, cols;
    float *sum; /* [rows][cols] */
    bool add;   /* to what is there */
} vx_taps;

typedef void (*vx_taps_fn)(const vx_taps *t);

/* Floats. */
VX_SIMD_DECLARE(void, vx_taps_f32, const vx_taps *t)
/* Pairs of bf16, for VX_CPU_AVX512_BF16 and later. */
void vx_taps_bf16(const vx_taps *t);

#endif
