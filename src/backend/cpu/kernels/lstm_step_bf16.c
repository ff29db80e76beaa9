/* The recurrent product in bf16: pairs of h against pairs of weights, summed in f32. */
#include "backend/cpu/lstm.h"

#include <immintrin.h>

void vx_lstm_gates_bf16(const void *recurrent, int64_t hidden, const void *h, float *gates)
{
    enum { VECTORS = VX_LSTM_BLOCK / 16 };
    int64_t pairs = (hidden + 1) / 2;
    for (int64_t block = 0; block < vx_lstm_blocks(hidden); block++) {
        const uint16_t *weights = (const uint16_t *)recurrent + block * pairs * VX_LSTM_BLOCK * 2;
        float *out = gates + block * VX_LSTM_BLOCK;
        __m512 sum[VECTORS];
        for (int i = 0; i < VECTORS; i++)
            sum[i] = _mm512_loadu_ps(out + i * 16);
        for (int64_t k = 0; k < pairs; k++) {
            int32_t pair;
            memcpy(&pair, (const uint16_t *)h + 2 * k, sizeof pair);
            __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            const uint16_t *row = weights + k * VX_LSTM_BLOCK * 2;
            for (int i = 0; i < VECTORS; i++)
                sum[i] = _mm512_dpbf16_ps(
                    sum[i], x, (__m512bh)_mm512_loadu_si512((const void *)(row + i * 32)));
        }
        for (int i = 0; i < VECTORS; i++)
            _mm512_storeu_ps(out + i * 16, sum[i]);
    }
}
