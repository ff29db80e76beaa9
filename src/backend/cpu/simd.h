/* One vector of floats, by the level that a file is compiled for: 16 lanes (AVX-512), 8 (AVX2) or
 * 1. A fourth build, with VX_SIMD_DECLARE_BF16 and VX_SIMD_TABLE_BF16, is for kernels that spend
 * their time rounding to bf16: the processor's own conversion, which takes denormals as 0.
 *
 * A kernel is written once, in kernels/, over these functions; each of its external functions is
 * named VX_SIMD(name). kernels/CMakeLists.txt lists which are compiled for which level. Callers
 * choose by vx_cpu.level through a table made with VX_SIMD_TABLE. Results differ between levels by
 * rounding only; within a level an element's value does not depend on its place.
 *
 * Names: vf_… works on all lanes; …n takes the first n lanes, 1 <= n <= VF_LANES (others load as 0
 * and are not stored). bf16 is rounded to nearest even with NaN kept. */
#ifndef VX_BACKEND_CPU_SIMD_H
#define VX_BACKEND_CPU_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu/cpu.h"

/* Prototypes of the three builds of one kernel, and the table that calls are made through. */
#define VX_SIMD_DECLARE(result, name, ...)                                                         \
    result name##_generic(__VA_ARGS__);                                                            \
    result name##_avx2(__VA_ARGS__);                                                               \
    result name##_avx512(__VA_ARGS__);
#define VX_SIMD_TABLE(name)                                                                        \
    {                                                                                              \
        name##_generic, name##_avx2, name##_avx512, name##_avx512, name##_avx512                   \
    }

#define VX_SIMD_DECLARE_BF16(result, name, ...)                                                    \
    VX_SIMD_DECLARE(result, name, __VA_ARGS__)                                                     \
    result name##_avx512bf16(__VA_ARGS__);
#define VX_SIMD_TABLE_BF16(name)                                                                   \
    {                                                                                              \
        name##_generic, name##_avx2, name##_avx512, name##_avx512bf16, name##_avx512bf16           \
    }

#if defined(__AVX512F__)
/* ---- AVX-512 */
#include <immintrin.h>
#if defined(__AVX512BF16__)
#define VX_SIMD(name) name##_avx512bf16
#else
#define VX_SIMD(name) name##_avx512
#endif
enum { VF_LANES = 16 };
typedef __m512 vf;
typedef __mmask16 vf_mask;

static inline __mmask16 vf_first(int n)
{
    return (__mmask16)((1u << n) - 1u);
}
static inline vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline vf vf_loadn(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(vf_first(n), p);
}
static inline void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
static inline void vf_storen(float *p, vf x, int n)
{
    _mm512_mask_storeu_ps(p, vf_first(n), x);
}
static inline vf vf_from_bf16(__m256i bits)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
#if defined(__AVX512BF16__)
static inline __m256i vf_to_bf16(vf x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}
#else
static inline __m256i vf_to_bf16(vf x)
{
    __m512i wide = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(wide, 16), _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(wide, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    sum = _mm512_mask_or_epi32(sum, nan, wide, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(sum, 16));
}
#endif
static inline vf vf_load_bf16(const uint16_t *p)
{
    return vf_from_bf16(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_loadn_bf16(const uint16_t *p, int n)
{
    return vf_from_bf16(_mm256_maskz_loadu_epi16(vf_first(n), p));
}
static inline void vf_store_bf16(uint16_t *p, vf x)
{
    _mm256_storeu_si256((__m256i *)p, vf_to_bf16(x));
}
static inline void vf_storen_bf16(uint16_t *p, vf x, int n)
{
    _mm256_mask_storeu_epi16(p, vf_first(n), vf_to_bf16(x));
}
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_loadn_f16(const uint16_t *p, int n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vf_first(n), p));
}
static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
/* a*b + c in one rounding (two in the generic build). */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* The second operand where one is NaN. */
static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf vf_abs(vf a)
{
    return _mm512_abs_ps(a);
}
/* To the nearest integer, ties to even. */
static inline vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf_mask vf_less(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline vf vf_select(vf_mask mask, vf yes, vf no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}
/* a * 2^n for whole n in [-126, 127]. */
static inline vf vf_scale2(vf a, vf n)
{
    __m512i exponent = _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23);
    return _mm512_mul_ps(a, _mm512_castsi512_ps(_mm512_add_epi32(
                                exponent, _mm512_castps_si512(_mm512_set1_ps(1.0f)))));
}
/* p * 2^n for whole n of any size, to infinity and through the denormals to
 * zero; NaN n gives NaN. */
static inline vf vf_exp_scale(vf p, vf n)
{
    return _mm512_scalef_ps(p, n);
}
/* Of neighbouring lanes 2i and 2i + 1: both exchanged, both the first, both the second. */
static inline vf vf_swap(vf a)
{
    return _mm512_permute_ps(a, 0xB1);
}
static inline vf vf_firsts(vf a)
{
    return _mm512_moveldup_ps(a);
}
static inline vf vf_seconds(vf a)
{
    return _mm512_movehdup_ps(a);
}
static inline float vf_sum(vf a)
{
    return _mm512_reduce_add_ps(a);
}
static inline float vf_largest(vf a)
{
    return _mm512_reduce_max_ps(a);
}

#elif defined(__AVX2__)
/* ---- AVX2 */
#include <immintrin.h>
#define VX_SIMD(name) name##_avx2
enum { VF_LANES = 8 };
typedef __m256 vf;
typedef __m256 vf_mask;

static inline __m256i vf_first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline vf vf_loadn(const float *p, int n)
{
    return _mm256_maskload_ps(p, vf_first(n));
}
static inline void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
static inline void vf_storen(float *p, vf x, int n)
{
    _mm256_maskstore_ps(p, vf_first(n), x);
}
static inline vf vf_from_bf16(__m128i bits)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
static inline __m128i vf_to_bf16(vf x)
{
    __m256i wide = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(wide, 16), _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(wide, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    __m256 quiet = _mm256_castsi256_ps(_mm256_or_si256(wide, _mm256_set1_epi32(0x400000)));
    __m256 nan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    sum = _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(sum), quiet, nan));
    sum = _mm256_srli_epi32(sum, 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}
static inline __m128i vf_loadn_half(const uint16_t *p, int n)
{
    uint16_t lane[8] = {0};
    memcpy(lane, p, (size_t)n * sizeof *p);
    return _mm_loadu_si128((const __m128i *)lane);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    return vf_from_bf16(_mm_loadu_si128((const __m128i *)p));
}
static inline vf vf_loadn_bf16(const uint16_t *p, int n)
{
    return vf_from_bf16(vf_loadn_half(p, n));
}
static inline void vf_store_bf16(uint16_t *p, vf x)
{
    _mm_storeu_si128((__m128i *)p, vf_to_bf16(x));
}
static inline void vf_storen_bf16(uint16_t *p, vf x, int n)
{
    uint16_t lane[8];
    _mm_storeu_si128((__m128i *)lane, vf_to_bf16(x));
    memcpy(p, lane, (size_t)n * sizeof *p);
}
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vf vf_loadn_f16(const uint16_t *p, int n)
{
    return _mm256_cvtph_ps(vf_loadn_half(p, n));
}
static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf vf_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
static inline vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf_mask vf_less(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
static inline vf vf_select(vf_mask mask, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, mask);
}
static inline vf vf_scale2(vf a, vf n)
{
    __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_add_epi32(
                                exponent, _mm256_castps_si256(_mm256_set1_ps(1.0f)))));
}
/* As for AVX-512, but 0 instead of denormals; n beyond +-200 is not asked for. */
static inline vf vf_exp_scale(vf p, vf n)
{
    vf half = vf_round(vf_mul(n, vf_set(0.5f)));
    vf y = vf_scale2(vf_scale2(p, half), vf_sub(n, half));
    return vf_select(vf_less(n, vf_set(-126.0f)), vf_set(0.0f), y);
}
static inline vf vf_swap(vf a)
{
    return _mm256_permute_ps(a, 0xB1);
}
static inline vf vf_firsts(vf a)
{
    return _mm256_moveldup_ps(a);
}
static inline vf vf_seconds(vf a)
{
    return _mm256_movehdup_ps(a);
}
static inline float vf_sum(vf a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
static inline float vf_largest(vf a)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

#else
/* ---- any processor: a vector is one float */
#define VX_SIMD(name) name##_generic
enum { VF_LANES = 1 };
typedef float vf;
typedef int vf_mask;

static inline vf vf_set(float x)
{
    return x;
}
static inline vf vf_load(const float *p)
{
    return *p;
}
static inline vf vf_loadn(const float *p, int n)
{
    (void)n;
    return *p;
}
static inline void vf_store(float *p, vf x)
{
    *p = x;
}
static inline void vf_storen(float *p, vf x, int n)
{
    (void)n;
    *p = x;
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    return vx_bf16_to_f32(*p);
}
static inline vf vf_loadn_bf16(const uint16_t *p, int n)
{
    (void)n;
    return vx_bf16_to_f32(*p);
}
static inline void vf_store_bf16(uint16_t *p, vf x)
{
    *p = vx_f32_to_bf16(x);
}
static inline void vf_storen_bf16(uint16_t *p, vf x, int n)
{
    (void)n;
    *p = vx_f32_to_bf16(x);
}
static inline vf vf_load_f16(const uint16_t *p)
{
    return vx_f16_to_f32(*p);
}
static inline vf vf_loadn_f16(const uint16_t *p, int n)
{
    (void)n;
    return vx_f16_to_f32(*p);
}
static inline vf vf_add(vf a, vf b)
{
    return a + b;
}
static inline vf vf_sub(vf a, vf b)
{
    return a - b;
}
static inline vf vf_mul(vf a, vf b)
{
    return a * b;
}
static inline vf vf_div(vf a, vf b)
{
    return a / b;
}
static inline vf vf_sqrt(vf a)
{
    return sqrtf(a);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return a * b + c;
}
static inline vf vf_min(vf a, vf b)
{
    return a < b ? a : b;
}
static inline vf vf_max(vf a, vf b)
{
    return a > b ? a : b;
}
static inline vf vf_abs(vf a)
{
    return fabsf(a);
}
static inline vf vf_round(vf a)
{
    return rintf(a);
}
static inline vf_mask vf_less(vf a, vf b)
{
    return a < b;
}
static inline vf vf_select(vf_mask mask, vf yes, vf no)
{
    return mask ? yes : no;
}
static inline vf vf_scale2(vf a, vf n)
{
    if (!(n >= -126 && n <= 127)) return NAN; /* only from a NaN */
    return ldexpf(a, (int)n);
}
/* As for AVX-512, but 0 instead of denormals; n beyond +-200 is not asked for. */
static inline vf vf_exp_scale(vf p, vf n)
{
    vf half = vf_round(vf_mul(n, vf_set(0.5f)));
    vf y = vf_scale2(vf_scale2(p, half), vf_sub(n, half));
    return vf_select(vf_less(n, vf_set(-126.0f)), vf_set(0.0f), y);
}
static inline float vf_sum(vf a)
{
    return a;
}
static inline float vf_largest(vf a)
{
    return a;
}
#endif

/* ---- functions over any level */

/* e^x: within 2 ulp; infinity above 88.8, 0 far below. Cody-Waite reduction and the polynomial of
 * Cephes' expf. */
static inline vf vf_exp(vf x)
{
    vf inside = vf_max(vf_set(-105.0f), vf_min(vf_set(89.0f), x)); /* a NaN passes */
    vf n = vf_round(vf_mul(inside, vf_set(1.44269504f)));
    vf r = vf_fma(n, vf_set(-0.693359375f), inside);
    r = vf_fma(n, vf_set(2.12194440e-4f), r);
    vf p = vf_set(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), vf_add(r, vf_set(1.0f)));
    return vf_exp_scale(p, n);
}

/* 2^x for x <= 0 (or NaN), the same polynomial: softmax with log2(e) in its scale. */
static inline vf vf_exp2_negative(vf x)
{
    x = vf_max(vf_set(-150.0f), x);
    vf n = vf_round(x);
    vf r = vf_mul(vf_sub(x, n), vf_set(0.69314718f));
    vf p = vf_set(1.3981999507e-3f);
    p = vf_fma(p, r, vf_set(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set(5.0000001201e-1f));
    p = vf_fma(p, vf_mul(r, r), vf_add(r, vf_set(1.0f)));
    return vf_exp_scale(p, n);
}

static inline vf vf_sigmoid(vf x)
{
    vf one = vf_set(1.0f);
    return vf_div(one, vf_add(one, vf_exp(vf_sub(vf_set(0.0f), x))));
}

/* Cephes' tanhf: a polynomial below 0.625, 1 - 2/(e^2x + 1) above. */
static inline vf vf_tanh(vf x)
{
    vf z = vf_mul(x, x);
    vf p = vf_set(-5.70498872745e-3f);
    p = vf_fma(p, z, vf_set(2.06390887954e-2f));
    p = vf_fma(p, z, vf_set(-5.37397155531e-2f));
    p = vf_fma(p, z, vf_set(1.33314422036e-1f));
    p = vf_fma(p, z, vf_set(-3.33332819422e-1f));
    vf small = vf_fma(vf_mul(p, z), x, x);
    vf e = vf_exp(vf_add(x, x));
    vf large = vf_sub(vf_set(1.0f), vf_div(vf_set(2.0f), vf_add(e, vf_set(1.0f))));
    return vf_select(vf_less(vf_abs(x), vf_set(0.625f)), small, large);
}

/* Cephes' erff below 1, formula 7.1.26 of Abramowitz and Stegun (error 1.5e-7) above. */
static inline vf vf_erf(vf x)
{
    vf z = vf_mul(x, x);
    vf p = vf_set(7.853861353153693e-5f);
    p = vf_fma(p, z, vf_set(-8.010193625184903e-4f));
    p = vf_fma(p, z, vf_set(5.188327685732524e-3f));
    p = vf_fma(p, z, vf_set(-2.685381193529856e-2f));
    p = vf_fma(p, z, vf_set(1.128358514861418e-1f));
    p = vf_fma(p, z, vf_set(-3.761262582423300e-1f));
    vf small = vf_mul(x, vf_fma(p, z, vf_set(1.128379165726710f)));
    vf a = vf_abs(x);
    vf t = vf_div(vf_set(1.0f), vf_fma(a, vf_set(0.3275911f), vf_set(1.0f)));
    vf q = vf_set(1.061405429f);
    q = vf_fma(q, t, vf_set(-1.453152027f));
    q = vf_fma(q, t, vf_set(1.421413741f));
    q = vf_fma(q, t, vf_set(-0.284496736f));
    q = vf_fma(q, t, vf_set(0.254829592f));
    q = vf_mul(vf_mul(q, t), vf_exp(vf_sub(vf_set(0.0f), z)));
    vf large = vf_sub(vf_set(1.0f), q);
    large = vf_select(vf_less(x, vf_set(0.0f)), vf_sub(vf_set(0.0f), large), large);
    return vf_select(vf_less(a, vf_set(1.0f)), small, large);
}

/* sin(pi r)^2 of r = x/pi - round(x/pi): the square has period pi, so no quadrant is needed. The
 * polynomial is within 2.2e-8. Takes x/pi. */
static inline vf vf_sin2_pi(vf x_over_pi)
{
    vf r = vf_sub(x_over_pi, vf_round(x_over_pi));
    vf z = vf_mul(r, r);
    vf p = vf_set(-3.35610865f);
    p = vf_fma(p, z, vf_set(13.04979619f));
    p = vf_fma(p, z, vf_set(-30.10139955f));
    p = vf_fma(p, z, vf_set(42.72719041f));
    p = vf_fma(p, z, vf_set(-32.46967099f));
    p = vf_fma(p, z, vf_set(9.86960431f));
    return vf_mul(p, z);
}

/* The activations of backend/ops.h. */
static inline vf vf_act(vf x, vx_act act)
{
    const vf zero = vf_set(0.0f);
    switch (act.kind) {
    case VX_ACT_NONE:
        return x;
    case VX_ACT_RELU:
        return vf_select(vf_less(x, zero), zero, x);
    case VX_ACT_LRELU:
        return vf_select(vf_less(x, zero), vf_mul(x, vf_set(act.slope)), x);
    case VX_ACT_SILU:
        return vf_mul(x, vf_sigmoid(x));
    case VX_ACT_GELU_TANH: {
        /* 0.5(1 + tanh u) = sigmoid(2u) */
        vf inner = vf_fma(vf_mul(vf_mul(x, x), x), vf_set(0.044715f), x);
        return vf_mul(x, vf_sigmoid(vf_mul(inner, vf_set(2 * 0.7978845608028654f))));
    }
    case VX_ACT_GELU_ERF: {
        vf t = vf_erf(vf_mul(x, vf_set(0.7071067811865476f)));
        return vf_mul(vf_mul(x, vf_set(0.5f)), vf_add(vf_set(1.0f), t));
    }
    case VX_ACT_QUICK_GELU:
        return vf_mul(x, vf_sigmoid(vf_mul(x, vf_set(1.702f))));
    case VX_ACT_SIGMOID:
        return vf_sigmoid(x);
    case VX_ACT_TANH:
        return vf_tanh(x);
    }
    return x;
}

/* ---- rows of either dtype: the branch is the same for a whole row */

static inline vf vf_get(const void *row, vx_dtype dtype, int64_t i)
{
    return dtype == VX_BF16 ? vf_load_bf16((const uint16_t *)row + i)
                            : vf_load((const float *)row + i);
}
static inline vf vf_getn(const void *row, vx_dtype dtype, int64_t i, int n)
{
    return dtype == VX_BF16 ? vf_loadn_bf16((const uint16_t *)row + i, n)
                            : vf_loadn((const float *)row + i, n);
}
static inline void vf_put(void *row, vx_dtype dtype, int64_t i, vf x)
{
    if (dtype == VX_BF16)
        vf_store_bf16((uint16_t *)row + i, x);
    else
        vf_store((float *)row + i, x);
}
static inline void vf_putn(void *row, vx_dtype dtype, int64_t i, vf x, int n)
{
    if (dtype == VX_BF16)
        vf_storen_bf16((uint16_t *)row + i, x, n);
    else
        vf_storen((float *)row + i, x, n);
}

#endif
