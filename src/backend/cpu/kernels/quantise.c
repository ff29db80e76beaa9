/* Only processors with VNNI take byte products, and all of those have AVX-512 here. */
#include "backend/cpu/quantise.h"
#include "backend/cpu/simd.h"

static const void *row_of(const void *x, vx_dtype dtype, int64_t index)
{
    return (const char *)x + index * (dtype == VX_BF16 ? 2 : 4);
}

void vx_quantise_range(const void *x, vx_dtype dtype, int64_t ld, int64_t rows, int64_t cols,
                       float *low, float *high)
{
    vf least = vf_set(*low), greatest = vf_set(*high);
    int64_t whole = cols - cols % VF_LANES;
    __mmask16 rest = vf_first((int)(cols - whole));
    for (int64_t r = 0; r < rows; r++) {
        const void *row = row_of(x, dtype, r * ld);
        /* The range so far is the second operand: it stays where the value is NaN. */
        for (int64_t c = 0; c < whole; c += VF_LANES) {
            vf v = vf_get(row, dtype, c);
            least = vf_min(v, least);
            greatest = vf_max(v, greatest);
        }
        if (rest != 0) {
            vf v = vf_getn(row, dtype, whole, (int)(cols - whole));
            least = _mm512_mask_min_ps(least, rest, v, least);
            greatest = _mm512_mask_max_ps(greatest, rest, v, greatest);
        }
    }
    *low = _mm512_reduce_min_ps(least);
    *high = _mm512_reduce_max_ps(greatest);
}

static inline __m128i bytes(vf v, vf inverse_scale, vf zero)
{
    __m512i q = _mm512_cvtps_epi32(vf_fma(v, inverse_scale, zero));
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(q, _mm512_setzero_si512()));
}

void vx_quantise(const void *x, vx_dtype dtype, int64_t ld, int64_t rows, int64_t cols,
                 float inverse_scale, float zero, uint8_t *out)
{
    const vf inverse = vf_set(inverse_scale), centre = vf_set(zero);
    int64_t whole = cols - cols % VF_LANES;
    int rest = (int)(cols - whole);
    for (int64_t r = 0; r < rows; r++, out += cols) {
        const void *row = row_of(x, dtype, r * ld);
        for (int64_t c = 0; c < whole; c += VF_LANES)
            _mm_storeu_si128((__m128i *)(void *)(out + c),
                             bytes(vf_get(row, dtype, c), inverse, centre));
        if (rest > 0)
            _mm_mask_storeu_epi8(out + whole, vf_first(rest),
                                 bytes(vf_getn(row, dtype, whole, rest), inverse, centre));
    }
}
