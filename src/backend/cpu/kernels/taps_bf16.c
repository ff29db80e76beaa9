#include "backend/cpu/simd.h"

/* A word is a pair of bf16, a vector of weights sixteen pairs. */
static inline vf dot(vf sum, const float *pair, vf weights)
{
    int32_t word;
    memcpy(&word, pair, sizeof word);
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(word), (__m512bh)weights);
}

static inline __m256 dot_half(__m256 sum, const float *pair, __m256 weights)
{
    int32_t word;
    memcpy(&word, pair, sizeof word);
    return _mm256_dpbf16_ps(sum, (__m256bh)_mm256_set1_epi32(word), (__m256bh)weights);
}

#define TAPS_NAME                     vx_taps_bf16
#define TAPS_DOT(sum, word, weights)  dot(sum, &(word), weights)
#define TAPS_HALF(sum, word, weights) dot_half(sum, &(word), weights)
/* The same loops over another product. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "backend/cpu/kernels/taps.c"
