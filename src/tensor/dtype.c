#include "tensor/dtype.h"

#include <assert.h>
#include <math.h>

static const struct {
    const char *name;
    size_t bytes;  /* of one element, 0 for block formats */
    int64_t block; /* elements of a block */
    size_t block_bytes;
} dtypes[VX_DTYPES] = {
    [VX_F32] = {"f32", 4, 1, 4},
    [VX_BF16] = {"bf16", 2, 1, 2},
    [VX_F16] = {"f16", 2, 1, 2},
    [VX_I8] = {"i8", 1, 1, 1},
    [VX_U8] = {"u8", 1, 1, 1},
    [VX_I32] = {"i32", 4, 1, 4},
    [VX_I64] = {"i64", 8, 1, 8},
    [VX_F64] = {"f64", 8, 1, 8},
    [VX_BOOL] = {"bool", 1, 1, 1},
    [VX_F8_E4M3] = {"f8_e4m3", 1, 1, 1},
    /* f16 scale + 32 codes; f16 scale + 16 bytes; GGUF's super-block of 256. */
    [VX_Q8_0] = {"q8_0", 0, 32, 34},
    [VX_Q4_0] = {"q4_0", 0, 32, 18},
    [VX_Q4_K] = {"q4_K", 0, 256, 144},
    /* Codes alone: the double-quantised scales are kept beside them (tensor/quant.h). */
    [VX_NF4] = {"nf4", 0, 64, 32},
    [VX_INT8_ROW] = {"int8", 1, 1, 1},
    [VX_I16] = {"i16", 2, 1, 2},
    [VX_Q4_1] = {"q4_1", 0, 32, 20},
    [VX_Q5_0] = {"q5_0", 0, 32, 22},
    [VX_Q5_1] = {"q5_1", 0, 32, 24},
    [VX_Q5_K] = {"q5_K", 0, 256, 176},
    [VX_Q6_K] = {"q6_K", 0, 256, 210},
    [VX_Q2_K] = {"q2_K", 0, 256, 84},
    [VX_Q3_K] = {"q3_K", 0, 256, 110},
    [VX_IQ4_NL] = {"iq4_nl", 0, 32, 18},
    [VX_IQ4_XS] = {"iq4_xs", 0, 256, 136},
    [VX_F8_E5M2] = {"f8_e5m2", 1, 1, 1},
};

const char *vx_dtype_name(vx_dtype dtype)
{
    assert((int)dtype >= 0 && dtype < VX_DTYPES);
    return dtypes[dtype].name;
}

int vx_dtype_parse(const char *name)
{
    for (int i = 0; i < VX_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) return i;
    return -1;
}

size_t vx_dtype_bytes(vx_dtype dtype)
{
    assert((int)dtype >= 0 && dtype < VX_DTYPES);
    return dtypes[dtype].bytes;
}

int64_t vx_dtype_block(vx_dtype dtype)
{
    assert((int)dtype >= 0 && dtype < VX_DTYPES);
    return dtypes[dtype].block;
}

size_t vx_row_bytes(vx_dtype dtype, int64_t elements)
{
    assert((int)dtype >= 0 && dtype < VX_DTYPES);
    assert(elements >= 0 && elements % dtypes[dtype].block == 0);
    return (size_t)(elements / dtypes[dtype].block) * dtypes[dtype].block_bytes;
}

uint16_t vx_f32_to_f16(float value)
{
    uint32_t wide;
    memcpy(&wide, &value, sizeof wide);
    uint32_t sign = (wide >> 16) & 0x8000u, magnitude = wide & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) /* NaN */
        return (uint16_t)(sign | 0x7E00u);
    if (magnitude >= 0x477FF000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    if (magnitude < 0x38800000u) {           /* below 2^-14: subnormal */
        float shifted = fabsf(value) + 0.5f; /* whose last bit is f16's smallest step, 2^-24 */
        memcpy(&wide, &shifted, sizeof wide);
        return (uint16_t)(sign | (wide - 0x3F000000u));
    }
    uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

float vx_f8_e4m3_to_f32(uint8_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x80u) << 24, low = bits & 0x7Fu;
    uint32_t wide = (low << 20) + (120u << 23); /* rebias 7 to 127 */
    float value;
    memcpy(&value, &wide, sizeof value);
    if (low < 8) value = (float)low * 0.001953125f; /* subnormal: steps of 2^-9 */
    if (low == 0x7F) value = NAN;
    memcpy(&wide, &value, sizeof wide);
    wide |= sign;
    memcpy(&value, &wide, sizeof value);
    return value;
}
