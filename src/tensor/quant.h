/* Quantised storage: scalar encoders and decoders, the reference of every kernel.
 *
 * GGUF blocks (ggml's layouts), each along a row:
 *     q8_0   f16 d | i8 q[32]               w = d q
 *     q4_0   f16 d | u8 qs[16]              w = d (nibble - 8); low nibbles are elements 0..15
 *     q4_K   f16 d, dmin | 6-bit s, m of 8 sub-blocks in 12 bytes | u8 qs[128]
 *                                           w = d s nibble - dmin m
 *     q4_1, q5_0, q5_1, q2_K, q3_K, q5_K, q6_K, iq4_nl, iq4_xs: decoded only
 * NF4 (bitsandbytes): the flattened tensor in blocks of 64, 16 fixed values times the block's
 * largest magnitude; element 2j is the high nibble of byte j. With double quantisation the block
 * scales themselves are 8-bit codes of a fixed 256-value map, in blocks of 256, around their mean.
 * int8 per row (LLM.int8): w = q * absmax / 127.
 *
 * Decoders give the same bits as gguf's and bitsandbytes' own. Pure functions, thread-safe. Any
 * input is defined: NaN and infinity give some code, never a trap. Pointers to stored data need no
 * alignment. */
#ifndef VX_TENSOR_QUANT_H
#define VX_TENSOR_QUANT_H

#include "tensor/dtype.h"

/* `count` elements stored at `src` as floats: every dtype but nf4 and int8, whose scales lie
 * elsewhere. Integers give their value. For block formats count is a multiple of the block. */
void vx_decode(vx_dtype dtype, const void *src, int64_t count, float *dst);

/* The reverse for f32, f16, bf16, q8_0 and q4_0 (count a multiple of the block). */
void vx_encode(vx_dtype dtype, const float *src, int64_t count, void *dst);

/* ---- NF4 */

enum { VX_NF4_BLOCK = 64, VX_NF4_NESTED_BLOCK = 256 };

/* The 16 values, rising; index = code. Source: bitsandbytes' table (QLoRA, appendix E). */
extern const float vx_nf4_code[16];

/* Writes (count+1)/2 bytes of codes and returns the scale, the largest magnitude. A block of
 * zeroes has scale 0 and code 7, as has the nibble after an odd count. count <= VX_NF4_BLOCK, so
 * that one scale serves it. */
float vx_nf4_encode(const float *src, int64_t count, uint8_t *codes);
/* count elements that share `scale`. */
void vx_nf4_decode(const uint8_t *codes, float scale, int64_t count, float *dst);

/* ---- double quantisation of block scales */

/* The signed dynamic 8-bit map, 256 values, rising. For i = 0..6 the 2^i equal bins of [0.1, 1]
 * have their centres times 10^(i-6), with both signs; 0 and 1 complete it. */
extern const float vx_nf4_scale_map[256];

/* Quantises n scales: codes[n], one f32 in nested[] for each 256 of them, and their mean, which is
 * returned as the offset. */
float vx_nf4_scales_encode(const float *scales, int64_t n, uint8_t *codes, float *nested);
/* The scale that a code stands for: map[code] * nested + offset. */
static inline float vx_nf4_scale_decode(uint8_t code, float nested, float offset)
{
    return vx_nf4_scale_map[code] * nested + offset;
}

/* ---- rows as files keep them */

/* Whole rows of a matrix in codes: nf4 with double quantisation (bitsandbytes), or q8_0 and q4_0
 * (GGUF). Nothing is owned, nothing need be aligned. */
typedef struct vx_stored_rows {
    vx_dtype dtype;
    int64_t rows, cols;
    const uint8_t *codes;  /* nf4: two to a byte; else blocks with their scales in them */
    const uint8_t *scales; /* nf4: a byte per block of 64 */
    const uint8_t *nested; /* nf4: an f32 per 256 blocks, counted from the first row */
    const uint8_t *map;    /* nf4: f32 [256], what the scales' bytes stand for */
    float offset;          /* nf4 */
} vx_stored_rows;

/* ---- int8 per row */

/* Writes count codes in -127..127 and returns the scale, absmax / 127: w = q * scale. */
float vx_int8_encode(const float *src, int64_t count, int8_t *codes);

#endif
