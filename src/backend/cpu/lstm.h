/* LSTM steps. The recurrent weights of a direction lie as its kernel streams them from the L2
 * cache, once per step: gates (4H, torch's order i, f, g, o) in blocks of 128,
 *     f32    [block][h][128]
 *     bf16   [block][pair of h][128][2]
 * with zeroes where 4H or H do not fill the last block or pair. */
#ifndef VX_BACKEND_CPU_LSTM_H
#define VX_BACKEND_CPU_LSTM_H

#include "backend/cpu/product.h"
#include "backend/cpu/simd.h"

enum { VX_LSTM_BLOCK = 128 };

static inline int64_t vx_lstm_blocks(int64_t hidden)
{
    return (4 * hidden + VX_LSTM_BLOCK - 1) / VX_LSTM_BLOCK;
}

/* Bytes of one direction's recurrent weights, a multiple of VX_ALIGN. */
size_t vx_cpu_lstm_recurrent_bytes(vx_dtype type, int64_t hidden);
/* Places row `gate` (0..4H) of one direction, H floats; the memory starts zeroed. */
void vx_cpu_lstm_pack_row(vx_dtype type, int64_t hidden, int64_t gate, const float *row,
                          void *recurrent);

/* gates [blocks*128] += recurrent h. For bf16, h is [pairs][2] bf16. */
typedef void (*vx_lstm_gates_fn)(const void *recurrent, int64_t hidden, const void *h,
                                 float *gates);
/* c = sigmoid(f) c + sigmoid(i) tanh(g); h = sigmoid(o) tanh(c). */
typedef void (*vx_lstm_update_fn)(int64_t hidden, const float *gates, float *c, float *h);

VX_SIMD_DECLARE(void, vx_lstm_gates, const void *recurrent, int64_t hidden, const void *h,
                float *gates)
VX_SIMD_DECLARE(void, vx_lstm_update, int64_t hidden, const float *gates, float *c, float *h)
void vx_lstm_gates_bf16(const void *recurrent, int64_t hidden, const void *h, float *gates);

#endif
