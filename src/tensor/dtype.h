/* Element types and their scalar conversions. */
#ifndef VX_TENSOR_DTYPE_H
#define VX_TENSOR_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum vx_dtype {
    VX_F32,
    VX_BF16,
    VX_F16,
    VX_I8,
    VX_U8,
    VX_I32,
    VX_I64,
    VX_F64,
    VX_BOOL,
    VX_F8_E4M3,
    /* Block formats: a row is cut into blocks that share scales (tensor/quant.h). */
    VX_Q8_0,
    VX_Q4_0,
    VX_Q4_K,
    VX_NF4,
    VX_INT8_ROW, /* int8 with one f32 scale per output row: w = q*scale */
    /* Read from files only, never kept in memory. */
    VX_I16,
    VX_Q4_1,
    VX_Q5_0,
    VX_Q5_1,
    VX_Q5_K,
    VX_Q6_K,
    VX_Q2_K,
    VX_Q3_K,
    VX_IQ4_NL,
    VX_IQ4_XS,
    VX_F8_E5M2,
    VX_DTYPES
} vx_dtype;

/* "f32", "bf16", … as packs and messages spell them. Never NULL. */
const char *vx_dtype_name(vx_dtype dtype);
/* The dtype of that name, or -1. */
int vx_dtype_parse(const char *name);
/* Bytes of one element; 0 for block formats. */
size_t vx_dtype_bytes(vx_dtype dtype);
/* Elements that share a block; 1 for plain types. */
int64_t vx_dtype_block(vx_dtype dtype);
/* Bytes of `elements` consecutive elements of one row, block formats included; their row length
 * must be a whole number of blocks. */
size_t vx_row_bytes(vx_dtype dtype, int64_t elements);

static inline float vx_bf16_to_f32(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Round to nearest even; NaN stays a quiet NaN. */
static inline uint16_t vx_f32_to_bf16(float value)
{
    uint32_t wide;
    memcpy(&wide, &value, sizeof wide);
    if ((wide & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((wide >> 16) | 0x0040u);
    return (uint16_t)((wide + 0x7FFFu + ((wide >> 16) & 1u)) >> 16);
}

static inline float vx_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, wide = (uint32_t)(bits & 0x7FFFu) << 13;
    float value;
    if (bits & 0x7C00u) {
        wide += (bits & 0x7C00u) == 0x7C00u ? 0x70000000u : 0x38000000u; /* rebias 15 to 127 */
        memcpy(&value, &wide, sizeof value);
    } else { /* subnormal: give it the exponent of 2^-14 with the leading one, then take it off */
        wide += 0x38800000u;
        memcpy(&value, &wide, sizeof value);
        value -= 6.103515625e-05f;
    }
    memcpy(&wide, &value, sizeof wide);
    wide |= sign;
    memcpy(&value, &wide, sizeof value);
    return value;
}
/* Round to nearest even; overflow gives infinity. */
uint16_t vx_f32_to_f16(float value);
/* FP8 E4M3FN: no infinities, 0x7F is NaN. */
float vx_f8_e4m3_to_f32(uint8_t bits);
/* FP8 E5M2: the upper half of an f16, infinities included. */
static inline float vx_f8_e5m2_to_f32(uint8_t bits)
{
    return vx_f16_to_f32((uint16_t)(bits << 8));
}

#endif
