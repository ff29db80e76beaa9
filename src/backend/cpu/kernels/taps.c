/* Kernel of taps.h, for one level. The includer may have set TAPS_NAME, and TAPS_DOT(sum,
 * word, weights), the multiplication of one word by a vector of them, and for AVX-512
 * TAPS_HALF, by half a vector. */
#include "backend/cpu/taps.h"

#ifndef TAPS_NAME
#define TAPS_NAME                     VX_SIMD(vx_taps_f32)
#define TAPS_DOT(sum, word, weights)  vf_fma(vf_set(word), weights, sum)
#define TAPS_HALF(sum, word, weights) _mm256_fmadd_ps(_mm256_set1_ps(word), weights, sum)
#endif

/* Vectors of one call at most: with six rows their sums fill the registers. */
enum { VECTORS = VF_LANES == 16 ? 4 : 16 / VF_LANES, HALVES = 3 };
/* Words of a block of weights in the L1 cache. */
enum { BLOCK_WORDS = 4 << 10 };

typedef struct block {
    const vx_taps *t;
    int64_t tap, taps, word, words; /* its part of the taps, and of each tap's words */
    int64_t col;
    bool add;
} block;

#define SIX           six
#define SIX_VECTORS   VECTORS
#define V             vf
#define LANES         VF_LANES
#define V_LOAD(p)     vf_load(p)
#define V_STORE(p, x) vf_store(p, x)
#define V_ZERO()      vf_set(0)
#define V_DOT         TAPS_DOT
#include "backend/cpu/kernels/taps_six.inc"

#if defined(__AVX512F__)
#define SIX           six_halves
#define SIX_VECTORS   HALVES
#define V             __m256
#define LANES         8
#define V_LOAD(p)     _mm256_loadu_ps(p)
#define V_STORE(p, x) _mm256_storeu_ps(p, x)
#define V_ZERO()      _mm256_setzero_ps()
#define V_DOT         TAPS_HALF
#include "backend/cpu/kernels/taps_six.inc"
#endif

#define EACH_SIX(call)                                                                             \
    for (int64_t row = 0; row < b->t->rows; row += VX_TAPS_STEP)                                   \
    call

/* All rows under `cols` columns from b->col on, as next_columns gives them. */
static void all_rows(const block *b, int64_t cols)
{
#if defined(__AVX512F__)
    if (cols == 64)
        EACH_SIX(six(b, row, 4));
    else if (cols == 48)
        EACH_SIX(six(b, row, 3));
    else if (cols == 32)
        EACH_SIX(six(b, row, 2));
    else if (cols == 16)
        EACH_SIX(six(b, row, 1));
    else if (cols == 24)
        EACH_SIX(six_halves(b, row, 3));
    else
        EACH_SIX(six_halves(b, row, 1));
#else
    if (cols == VECTORS * VF_LANES)
        EACH_SIX(six(b, row, VECTORS));
    else
        EACH_SIX(six(b, row, VX_TAPS_COLS / VF_LANES));
#endif
}

/* Columns to take of those that are left: whole vectors, then 24 or 8 in halves. */
static int64_t next_columns(int64_t left)
{
    if (left >= VECTORS * VF_LANES) return VECTORS * VF_LANES;
    return left % VF_LANES != 0 && left > HALVES * VX_TAPS_COLS ? left - HALVES * VX_TAPS_COLS
                                                                : left;
}

void TAPS_NAME(const vx_taps *t)
{
    assert(t->rows % VX_TAPS_STEP == 0 && t->cols % VX_TAPS_COLS == 0);
    int64_t fit = BLOCK_WORDS / t->cols, pieces = (t->words + fit - 1) / fit;
    int64_t words = (t->words + pieces - 1) / pieces, taps = fit / words;
    for (block b = {.t = t, .add = t->add}; b.tap < t->taps; b.tap += b.taps) {
        b.taps = t->taps - b.tap < taps ? t->taps - b.tap : taps;
        if (words < t->words) b.taps = 1;
        for (b.word = 0; b.word < t->words; b.word += words) {
            b.words = t->words - b.word < words ? t->words - b.word : words;
            for (int64_t cols = b.col = 0; b.col < t->cols; b.col += cols)
                all_rows(&b, cols = next_columns(t->cols - b.col));
            b.add = true;
        }
    }
}
