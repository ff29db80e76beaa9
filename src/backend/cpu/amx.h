/* Products on AMX, the tile unit of Intel's server processors: sums of 16 x 16 results in tile
 * registers, 16 rows of x (64 bytes of each) times 16 words of 16 columns at once. oneDNN 2.6
 * has kernels for it, but its convolutions of narrow tiles with many channels fall back to a
 * plain loop (measured on a Xeon with AMX: 0.03 GFLOP/s, beside 250 of its large products on
 * one core), and taps.h's rows that lie anywhere need a kernel of their own anyway; so all
 * tiles are multiplied here.
 *
 * Everything is counted in words of 32 bits: a pair of neighbouring bf16 channels, or four bytes.
 * Weights are [taps][words][columns] words, as in taps.h. */
#ifndef VX_BACKEND_CPU_AMX_H
#define VX_BACKEND_CPU_AMX_H

#include "backend/cpu/cpu.h"

enum { VX_AMX_ROWS = 16 };

typedef struct vx_amx {
    bool bytes; /* u8 x with s8 weights, summed exactly in 32 bits; else bf16 */
    /* Where row r of x lies under a tap: row[tap][r] of VX_TAPS_ROWS pointers, or, where that is
     * NULL, x + tap * tap_step + r * row_step, in bytes. */
    const void *const *row;
    const char *x;
    int64_t row_step, tap_step;
    int64_t taps, words;
    const char *weights;
    int64_t weight_ld; /* words between two rows of weights */
    int64_t rows;      /* 1..VX_AMX_ROWS, or a multiple of it */
    int64_t cols;
    float *sum; /* [rows][cols]; of `bytes` rounded to float at the end */
    bool add;   /* to what is there; not of `bytes` */
} vx_amx;

/* Asks Linux for the tile registers, for the whole process (arch_prctl(2), since
 * 5.16); false without. */
bool vx_amx_permitted(void);

/* For VX_CPU_AMX. */
void vx_amx_run(const vx_amx *a);

#endif
