/* One frame of the harmonic source: one compilation per level, see harmonic.h. */
#include "backend/cpu/harmonic.h"

#include "base/random.h"

/* sin(2 pi t) for |t| of a few cycles: with d = 2t - round(2t) it is sin(pi d), negated when the
 * round is odd. Minimax polynomial on |d| <= 1/2, within 3.4e-9. */
static inline vf sin_cycles(vf t)
{
    vf twice = vf_add(t, t), n = vf_round(twice), d = vf_sub(twice, n), z = vf_mul(d, d);
    vf p = vf_set(0.0772201269865036f);
    p = vf_fma(p, z, vf_set(-0.5980451703071594f));
    p = vf_fma(p, z, vf_set(2.5500314235687256f));
    p = vf_fma(p, z, vf_set(-5.1677069664001465f));
    p = vf_fma(p, z, vf_set(3.141592502593994f));
    vf half = vf_mul(n, vf_set(0.5f)), off = vf_abs(vf_sub(half, vf_round(half)));
    vf odd = vf_sub(vf_set(1.0f), vf_mul(off, vf_set(4.0f))); /* off is 0 or 1/2 */
    return vf_mul(vf_mul(p, d), odd);
}

/* Sums the harmonics into y, whole vectors: up to VF_LANES - 1 values beyond the half. */
static void add_sines(const vx_source_frame *f, const vx_source_half *h, float *y)
{
    for (int m = 0; m < VX_SOURCE_HALF; m += VF_LANES) {
        float index[VF_LANES];
        for (int i = 0; i < VF_LANES; i++)
            index[i] = (float)(m + i);
        vf at = vf_load(index), sum = vf_set(f->bias);
        for (int k = 0; k < VX_HARMONICS; k++) {
            vf whole = vf_mul(at, vf_set(h->hi[k]));
            vf t = vf_fma(at, vf_set(h->lo[k]), vf_sub(whole, vf_round(whole)));
            t = vf_add(t, vf_set(h->start[k]));
            sum = vf_fma(vf_set(f->weight[k]), sin_cycles(t), sum);
        }
        vf_store(y + m, sum);
    }
}

#if defined(__AVX512F__) || defined(__AVX2__)
/* ---- vx_random_normal, VF_LANES at a time: the same words, logarithm and cosine in f32 */

#if defined(__AVX512F__)
typedef __m512i vu;
#define VU(op)       _mm512_##op
#define VU_XOR(a, b) _mm512_xor_si512(a, b)
#define VU_LOAD(p)   _mm512_loadu_si512(p)
static inline vu vu_high_lanes(vu even, vu odd)
{
    return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}
static inline vu vu_low_lanes(vu even, vu odd)
{
    return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}
static inline vf vu_to_float(vu a)
{
    return _mm512_cvtepi32_ps(a);
}
/* Exponent and mantissa in [0.75, 1.5). */
static inline void split(vf x, vf *mantissa, vf *exponent)
{
    *mantissa = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_zero);
    *exponent = _mm512_getexp_ps(_mm512_div_ps(x, *mantissa));
}
#else
typedef __m256i vu;
#define VU(op)       _mm256_##op
#define VU_XOR(a, b) _mm256_xor_si256(a, b)
#define VU_LOAD(p)   _mm256_loadu_si256((const __m256i *)(p))
static inline vu vu_high_lanes(vu even, vu odd)
{
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
static inline vu vu_low_lanes(vu even, vu odd)
{
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
static inline vf vu_to_float(vu a)
{
    return _mm256_cvtepi32_ps(a);
}
static inline void split(vf x, vf *mantissa, vf *exponent)
{
    __m256i bits = _mm256_castps_si256(x), base = _mm256_set1_epi32(0x3F400000); /* 0.75 */
    __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, base), 23);
    *mantissa = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));
    *exponent = _mm256_cvtepi32_ps(n);
}
#endif

/* Words 0 and 1 of the Philox blocks of VF_LANES counters; base/random.c has the scalar form. */
static inline void philox(uint64_t seed, uint32_t stage, const uint32_t low[VF_LANES],
                          const uint32_t high[VF_LANES], vu *word0, vu *word1)
{
    vu c0 = VU_LOAD(low), c1 = VU_LOAD(high);
    vu c2 = VU(set1_epi32)((int)stage), c3 = VU(set1_epi32)(0);
    const vu m0 = VU(set1_epi32)((int)0xD2511F53u), m1 = VU(set1_epi32)((int)0xCD9E8D57u);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        vu even0 = VU(mul_epu32)(c0, m0), odd0 = VU(mul_epu32)(VU(srli_epi64)(c0, 32), m0);
        vu even1 = VU(mul_epu32)(c2, m1), odd1 = VU(mul_epu32)(VU(srli_epi64)(c2, 32), m1);
        vu n0 = VU_XOR(VU_XOR(vu_high_lanes(even1, odd1), c1), VU(set1_epi32)((int)k0));
        vu n2 = VU_XOR(VU_XOR(vu_high_lanes(even0, odd0), c3), VU(set1_epi32)((int)k1));
        c1 = vu_low_lanes(even1, odd1);
        c3 = vu_low_lanes(even0, odd0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    *word0 = c0;
    *word1 = c1;
}

/* ln x for positive normal x: Cephes' logf over a mantissa in [0.75, 1.5), within 2 ulp. */
static inline vf ln(vf x)
{
    vf m, e;
    split(x, &m, &e);
    m = vf_sub(m, vf_set(1.0f));
    vf z = vf_mul(m, m), p = vf_set(7.0376836292e-2f);
    p = vf_fma(p, m, vf_set(-1.1514610310e-1f));
    p = vf_fma(p, m, vf_set(1.1676998740e-1f));
    p = vf_fma(p, m, vf_set(-1.2420140846e-1f));
    p = vf_fma(p, m, vf_set(1.4249322787e-1f));
    p = vf_fma(p, m, vf_set(-1.6668057665e-1f));
    p = vf_fma(p, m, vf_set(2.0000714765e-1f));
    p = vf_fma(p, m, vf_set(-2.4999993993e-1f));
    p = vf_fma(p, m, vf_set(3.3333331174e-1f));
    vf y = vf_fma(vf_mul(p, m), z, vf_mul(e, vf_set(-2.12194440e-4f)));
    y = vf_fma(vf_set(-0.5f), z, y);
    return vf_fma(e, vf_set(0.693359375f), vf_add(m, y));
}

static inline vf unit(vu word)
{
    vf whole = vf_add(vu_to_float(VU(srli_epi32)(word, 8)), vf_set(0.5f));
    return vf_min(vf_mul(whole, vf_set(1.0f / 16777216.0f)), vf_set(0x1.fffffep-1f));
}

static inline vf normals(uint64_t seed, uint64_t counter)
{
    uint32_t low[VF_LANES], high[VF_LANES];
    for (int i = 0; i < VF_LANES; i++) {
        low[i] = (uint32_t)(counter + (uint64_t)i);
        high[i] = (uint32_t)((counter + (uint64_t)i) >> 32);
    }
    vu word0, word1;
    philox(seed, VX_STREAM_VOICE_NOISE, low, high, &word0, &word1);
    vf radius = vf_sqrt(vf_mul(vf_set(-2.0f), ln(unit(word0))));
    /* cos(2 pi u) = sin(2 pi (1/4 - |v|)) with v = u - round(u): the difference is exact. */
    vf u = unit(word1), v = vf_abs(vf_sub(u, vf_round(u)));
    return vf_mul(radius, sin_cycles(vf_sub(vf_set(0.25f), v)));
}
#else
static inline vf normals(uint64_t seed, uint64_t counter)
{
    return vx_random_normal(seed, VX_STREAM_VOICE_NOISE, counter);
}
#endif

void VX_SIMD(vx_cpu_source_frame)(const vx_source_frame *f, float out[VX_SOURCE_FRAME])
{
    float y[VX_SOURCE_FRAME + 2 * VF_LANES];
    for (int m = 0; m < VX_SOURCE_FRAME; m++)
        y[m] = f->bias;
    for (int h = 0; h < 2 && f->voiced; h++)
        add_sines(f, &f->half[h], y + h * VX_SOURCE_HALF);
    for (int m = 0; m < VX_SOURCE_FRAME; m += VF_LANES) {
        int lanes = VX_SOURCE_FRAME - m < VF_LANES ? VX_SOURCE_FRAME - m : VF_LANES;
        vf sum = vf_load(y + m);
        if (f->deviation != 0)
            sum = vf_fma(vf_set(f->deviation), normals(f->seed, f->counter + (uint64_t)m), sum);
        vf_storen(out + m, vf_tanh(sum), lanes);
    }
}
