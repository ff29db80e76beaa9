#include "tensor/quant.h"

#include <assert.h>
#include <math.h>

static uint16_t load16(const uint8_t *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    return bits;
}

static float load_f16(const uint8_t *at)
{
    return vx_f16_to_f32(load16(at));
}

/* A comparison that sends NaN to the lower bound, so that the conversion to int is defined. */
static float clamp(float value, float low, float high)
{
    return value > low ? (value < high ? value : high) : low;
}

/* roundf and lrintf for small magnitudes, without a call. */
static int round_half_away(float value)
{
    int whole = (int)value;
    float rest = value - (float)whole; /* exact */
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

static int round_half_even(float value)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: the sum's last bit is worth 1 */
    return (int)((value + shift) - shift);
}

static float absolute_max(const float *src, int64_t count)
{
    float most = 0;
    for (int64_t i = 0; i < count; i++) {
        float magnitude = fabsf(src[i]);
        if (magnitude > most) most = magnitude;
    }
    return most;
}

/* ---- GGUF blocks, decoded: src is one block */

static void decode_q8_0(const uint8_t *src, float *dst)
{
    float d = load_f16(src);
    for (int i = 0; i < 32; i++)
        dst[i] = d * (float)(int8_t)src[2 + i];
}

static void decode_q4_0(const uint8_t *src, float *dst)
{
    float d = load_f16(src);
    for (int i = 0; i < 16; i++) {
        dst[i] = d * (float)((src[2 + i] & 15) - 8);
        dst[i + 16] = d * (float)((src[2 + i] >> 4) - 8);
    }
}

static void decode_q4_1(const uint8_t *src, float *dst)
{
    float d = load_f16(src), m = load_f16(src + 2);
    for (int i = 0; i < 16; i++) {
        dst[i] = d * (float)(src[4 + i] & 15) + m;
        dst[i + 16] = d * (float)(src[4 + i] >> 4) + m;
    }
}

/* The fifth bits of q5_0 and q5_1: bit e of a little-endian word belongs to element e. */
static int five_bits(const uint8_t *high, const uint8_t *low, int e)
{
    int nibble = e < 16 ? low[e] & 15 : low[e - 16] >> 4;
    return nibble | ((high[e / 8] >> (e % 8)) & 1) << 4;
}

static void decode_q5_0(const uint8_t *src, float *dst)
{
    float d = load_f16(src);
    for (int i = 0; i < 32; i++)
        dst[i] = d * (float)(five_bits(src + 2, src + 6, i) - 16);
}

static void decode_q5_1(const uint8_t *src, float *dst)
{
    float d = load_f16(src), m = load_f16(src + 2);
    for (int i = 0; i < 32; i++)
        dst[i] = d * (float)five_bits(src + 4, src + 8, i) + m;
}

/* Scale and minimum of sub-block j: 6 bits each, packed in 12 bytes. */
static void k_scale(const uint8_t *packed, int j, int *scale, int *minimum)
{
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
        *minimum = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
    }
}

/* q4_K, and q5_K when `high` holds the fifth bits. */
static void decode_k(const uint8_t *src, const uint8_t *high, const uint8_t *codes, float *dst)
{
    float d = load_f16(src), dmin = load_f16(src + 2);
    for (int j = 0; j < 8; j++) {
        int s, m;
        k_scale(src + 4, j, &s, &m);
        float scale = d * (float)s, minimum = dmin * (float)m;
        for (int i = 0; i < 32; i++) {
            int code = (codes[j / 2 * 32 + i] >> (j % 2 * 4)) & 15;
            if (high != NULL) code |= ((high[i] >> j) & 1) << 4;
            dst[j * 32 + i] = scale * (float)code - minimum;
        }
    }
}

static void decode_q4_k(const uint8_t *src, float *dst)
{
    decode_k(src, NULL, src + 16, dst);
}

static void decode_q5_k(const uint8_t *src, float *dst)
{
    decode_k(src, src + 16, src + 48, dst);
}

static void decode_q6_k(const uint8_t *src, float *dst)
{
    const uint8_t *low = src, *high = src + 128, *scales = src + 192;
    float d = load_f16(src + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, l = i % 32;
        int nibble = low[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
        int top = high[half * 32 + l] >> (quarter * 2) & 3;
        float scale = d * (float)(int8_t)scales[i / 16];
        dst[i] = scale * (float)((nibble | top << 4) - 32);
    }
}

/* Scale and minimum of 16 elements share a byte; the code of element e of a half lies in 32 bytes,
 * two bits for each of its four quarters. */
static void decode_q2_k(const uint8_t *src, float *dst)
{
    const uint8_t *codes = src + 16;
    float d = load_f16(src + 80), dmin = load_f16(src + 82);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, l = i % 32;
        int code = codes[half * 32 + l] >> (quarter * 2) & 3;
        float scale = d * (float)(src[i / 16] & 15), minimum = dmin * (float)(src[i / 16] >> 4);
        dst[i] = scale * (float)code - minimum;
    }
}

/* Scale j of q3_K: four bits of byte j (of j-8 the upper ones) and two of byte 8 + j%4. */
static int q3_scale(const uint8_t *packed, int j)
{
    int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
    return (low | (packed[8 + j % 4] >> (j / 4 * 2) & 3) << 4) - 32;
}

/* A third bit that is clear takes four off. */
static void decode_q3_k(const uint8_t *src, float *dst)
{
    const uint8_t *high = src, *codes = src + 32, *scales = src + 96;
    float d = load_f16(src + 108);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, quarter = i % 128 / 32, l = i % 32;
        int code = codes[half * 32 + l] >> (quarter * 2) & 3;
        if ((high[l] >> (i / 32) & 1) == 0) code -= 4;
        dst[i] = d * (float)q3_scale(scales, i / 16) * (float)code;
    }
}

/* ggml's kvalues_iq4nl: what the 16 codes of iq4_nl and iq4_xs stand for. */
static const float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};

static void decode_iq4(const uint8_t *codes, float scale, float *dst)
{
    for (int i = 0; i < 16; i++) {
        dst[i] = scale * iq4_values[codes[i] & 15];
        dst[i + 16] = scale * iq4_values[codes[i] >> 4];
    }
}

static void decode_iq4_nl(const uint8_t *src, float *dst)
{
    decode_iq4(src + 2, load_f16(src), dst);
}

/* f16 d | u16 upper two bits of 8 scales | 4 bytes of their lower nibbles | codes */
static void decode_iq4_xs(const uint8_t *src, float *dst)
{
    float d = load_f16(src);
    int high = load16(src + 2);
    for (int j = 0; j < 8; j++) {
        int low = src[4 + j / 2] >> (j % 2 * 4) & 15;
        int scale = (low | (high >> (2 * j) & 3) << 4) - 32;
        decode_iq4(src + 8 + j * 16, d * (float)scale, dst + j * 32);
    }
}

/* ---- plain types */

#define DECODE_PLAIN(type, expression)                                                             \
    for (int64_t i = 0; i < count; i++) {                                                          \
        type v;                                                                                    \
        memcpy(&v, bytes + i * (int64_t)sizeof v, sizeof v);                                       \
        dst[i] = (expression);                                                                     \
    }                                                                                              \
    break

static void decode_plain(vx_dtype dtype, const uint8_t *bytes, int64_t count, float *dst)
{
    switch (dtype) {
    case VX_F32:
        memcpy(dst, bytes, (size_t)count * sizeof *dst);
        break;
    case VX_BF16:
        DECODE_PLAIN(uint16_t, vx_bf16_to_f32(v));
    case VX_F16:
        DECODE_PLAIN(uint16_t, vx_f16_to_f32(v));
    case VX_F64:
        DECODE_PLAIN(double, (float)v);
    case VX_I8:
        DECODE_PLAIN(int8_t, (float)v);
    case VX_U8:
        DECODE_PLAIN(uint8_t, (float)v);
    case VX_BOOL:
        DECODE_PLAIN(uint8_t, v != 0 ? 1.0f : 0.0f);
    case VX_I16:
        DECODE_PLAIN(int16_t, (float)v);
    case VX_I32:
        DECODE_PLAIN(int32_t, (float)v);
    case VX_I64:
        DECODE_PLAIN(int64_t, (float)v);
    case VX_F8_E4M3:
        DECODE_PLAIN(uint8_t, vx_f8_e4m3_to_f32(v));
    case VX_F8_E5M2:
        DECODE_PLAIN(uint8_t, vx_f8_e5m2_to_f32(v));
    default:
        assert(!"a dtype whose scales lie elsewhere");
    }
}

typedef void (*block_decoder)(const uint8_t *src, float *dst);

static block_decoder decoder_of(vx_dtype dtype)
{
    switch (dtype) {
    case VX_Q8_0:
        return decode_q8_0;
    case VX_Q4_0:
        return decode_q4_0;
    case VX_Q4_1:
        return decode_q4_1;
    case VX_Q5_0:
        return decode_q5_0;
    case VX_Q5_1:
        return decode_q5_1;
    case VX_Q4_K:
        return decode_q4_k;
    case VX_Q5_K:
        return decode_q5_k;
    case VX_Q6_K:
        return decode_q6_k;
    case VX_Q2_K:
        return decode_q2_k;
    case VX_Q3_K:
        return decode_q3_k;
    case VX_IQ4_NL:
        return decode_iq4_nl;
    case VX_IQ4_XS:
        return decode_iq4_xs;
    default:
        return NULL;
    }
}

void vx_decode(vx_dtype dtype, const void *src, int64_t count, float *dst)
{
    if (count == 0) return;
    block_decoder decode = decoder_of(dtype);
    if (decode == NULL) {
        decode_plain(dtype, src, count, dst);
        return;
    }
    int64_t block = vx_dtype_block(dtype);
    size_t bytes = vx_row_bytes(dtype, block);
    assert(count % block == 0);
    const uint8_t *at = src;
    for (int64_t i = 0; i < count; i += block, at += bytes)
        decode(at, dst + i);
}

/* ---- encoders */

static void store_f16(uint8_t *at, float value)
{
    uint16_t bits = vx_f32_to_f16(value);
    memcpy(at, &bits, sizeof bits);
}

static void encode_q8_0(const float *src, uint8_t *dst)
{
    float d = absolute_max(src, 32) / 127.0f;
    float inverse = d > 0 ? 1.0f / d : 0;
    store_f16(dst, d);
    for (int i = 0; i < 32; i++)
        dst[2 + i] = (uint8_t)round_half_away(clamp(src[i] * inverse, -127, 127));
}

static void encode_q4_0(const float *src, uint8_t *dst)
{
    float extreme = 0; /* the value of largest magnitude, with its sign, becomes code 0 */
    for (int i = 0; i < 32; i++)
        if (fabsf(src[i]) > fabsf(extreme)) extreme = src[i];
    float d = extreme / -8.0f;
    float inverse = d != 0 ? 1.0f / d : 0;
    store_f16(dst, d);
    int code[32];
    for (int i = 0; i < 32; i++) /* two roundings, product and sum, as ggml's reference */
        code[i] = (int)clamp(src[i] * inverse + 8.5f, 0, 15);
    for (int i = 0; i < 16; i++)
        dst[2 + i] = (uint8_t)(code[i] | code[i + 16] << 4);
}

void vx_encode(vx_dtype dtype, const float *src, int64_t count, void *dst)
{
    uint8_t *at = dst;
    if (dtype == VX_F32) {
        if (count > 0) memcpy(dst, src, (size_t)count * sizeof *src);
    } else if (dtype == VX_F16 || dtype == VX_BF16) {
        for (int64_t i = 0; i < count; i++) {
            uint16_t bits = dtype == VX_F16 ? vx_f32_to_f16(src[i]) : vx_f32_to_bf16(src[i]);
            memcpy(at + 2 * i, &bits, sizeof bits);
        }
    } else {
        assert(dtype == VX_Q8_0 || dtype == VX_Q4_0);
        assert(count % 32 == 0);
        size_t bytes = vx_row_bytes(dtype, 32);
        for (int64_t i = 0; i < count; i += 32, at += bytes)
            dtype == VX_Q8_0 ? encode_q8_0(src + i, at) : encode_q4_0(src + i, at);
    }
}

/* ---- NF4 */

const float vx_nf4_code[16] = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f,
};

/* Halfway between neighbours, as bitsandbytes' kernels spell them. */
static const float nf4_midpoint[15] = {
    -0.8480964004993439f,  -0.6106329262256622f,  -0.4599952697753906f,   -0.33967943489551544f,
    -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
    0.1202552504837513f,   0.2035212516784668f,   0.2920137718319893f,    0.3893125355243683f,
    0.5016634166240692f,   0.6427869200706482f,   0.8614784181118011f,
};

static unsigned nf4_nearest(float x)
{
    unsigned code = 8u * (x > nf4_midpoint[7]); /* a search without branches */
    code += 4u * (x > nf4_midpoint[code + 3]);
    code += 2u * (x > nf4_midpoint[code + 1]);
    return code + (x > nf4_midpoint[code]);
}

float vx_nf4_encode(const float *src, int64_t count, uint8_t *codes)
{
    assert(count <= VX_NF4_BLOCK);
    float scale = absolute_max(src, count);
    float inverse = scale > 0 ? 1.0f / scale : 0; /* 0 makes every code 7, the zero */
    for (int64_t i = 0; i < count; i += 2) {
        unsigned high = nf4_nearest(src[i] * inverse);
        unsigned low = i + 1 < count ? nf4_nearest(src[i + 1] * inverse) : 7;
        codes[i / 2] = (uint8_t)(high << 4 | low);
    }
    return scale;
}

void vx_nf4_decode(const uint8_t *codes, float scale, int64_t count, float *dst)
{
    for (int64_t i = 0; i < count; i++) {
        unsigned code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15u;
        dst[i] = vx_nf4_code[code] * scale;
    }
}

/* Nearest value of the map; halfway goes down, as in the codes above. */
static unsigned map_nearest(float x)
{
    unsigned code = 0;
    for (unsigned step = 128; step > 0; step /= 2) {
        unsigned next = code + step;
        if (x > (vx_nf4_scale_map[next - 1] + vx_nf4_scale_map[next]) / 2) code = next;
    }
    return code;
}

float vx_nf4_scales_encode(const float *scales, int64_t n, uint8_t *codes, float *nested)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += scales[i];
    float offset = n > 0 ? (float)(sum / (double)n) : 0;
    for (int64_t first = 0; first < n; first += VX_NF4_NESTED_BLOCK) {
        int64_t count = n - first < VX_NF4_NESTED_BLOCK ? n - first : VX_NF4_NESTED_BLOCK;
        float centred[VX_NF4_NESTED_BLOCK];
        for (int64_t i = 0; i < count; i++)
            centred[i] = scales[first + i] - offset;
        float most = absolute_max(centred, count);
        float inverse = most > 0 ? 1.0f / most : 0;
        for (int64_t i = 0; i < count; i++)
            codes[first + i] = (uint8_t)map_nearest(centred[i] * inverse);
        nested[first / VX_NF4_NESTED_BLOCK] = most;
    }
    return offset;
}

/* ---- int8 per row */

float vx_int8_encode(const float *src, int64_t count, int8_t *codes)
{
    float most = absolute_max(src, count);
    float inverse = most > 0 ? 127.0f / most : 0;
    for (int64_t i = 0; i < count; i++)
        codes[i] = (int8_t)round_half_even(clamp(src[i] * inverse, -127, 127));
    return most / 127.0f;
}
