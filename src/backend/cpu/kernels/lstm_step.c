/* Kernels of lstm.h in f32, for one level. */
#include "backend/cpu/lstm.h"

void VX_SIMD(vx_lstm_gates)(const void *recurrent, int64_t hidden, const void *h, float *gates)
{
    /* Eight accumulators hide the latency of a multiply-add on every processor of the last decade.
     */
    enum { ACCUMULATORS = 8, CHUNK = ACCUMULATORS * VF_LANES };
    const float *state = h;
    for (int64_t block = 0; block < vx_lstm_blocks(hidden); block++) {
        const float *weights = (const float *)recurrent + block * hidden * VX_LSTM_BLOCK;
        for (int first = 0; first < VX_LSTM_BLOCK; first += CHUNK) {
            float *out = gates + block * VX_LSTM_BLOCK + first;
            vf sum[ACCUMULATORS];
            for (int i = 0; i < ACCUMULATORS; i++)
                sum[i] = vf_load(out + i * VF_LANES);
            for (int64_t k = 0; k < hidden; k++) {
                const float *row = weights + k * VX_LSTM_BLOCK + first;
                vf x = vf_set(state[k]);
                for (int i = 0; i < ACCUMULATORS; i++)
                    sum[i] = vf_fma(x, vf_load(row + i * VF_LANES), sum[i]);
            }
            for (int i = 0; i < ACCUMULATORS; i++)
                vf_store(out + i * VF_LANES, sum[i]);
        }
    }
}

static inline vf step(vf in, vf forget, vf candidate, vf out, vf *c)
{
    vf next = vf_fma(vf_sigmoid(forget), *c, vf_mul(vf_sigmoid(in), vf_tanh(candidate)));
    *c = next;
    return vf_mul(vf_sigmoid(out), vf_tanh(next));
}

void VX_SIMD(vx_lstm_update)(int64_t hidden, const float *gates, float *c, float *h)
{
    const float *in = gates, *forget = gates + hidden, *candidate = gates + 2 * hidden,
                *out = gates + 3 * hidden;
    int64_t i = 0;
    for (; i + VF_LANES <= hidden; i += VF_LANES) {
        vf cell = vf_load(c + i);
        vf state = step(vf_load(in + i), vf_load(forget + i), vf_load(candidate + i),
                        vf_load(out + i), &cell);
        vf_store(c + i, cell);
        vf_store(h + i, state);
    }
    int n = (int)(hidden - i);
    if (n > 0) {
        vf cell = vf_loadn(c + i, n);
        vf state = step(vf_loadn(in + i, n), vf_loadn(forget + i, n), vf_loadn(candidate + i, n),
                        vf_loadn(out + i, n), &cell);
        vf_storen(c + i, cell, n);
        vf_storen(h + i, state, n);
    }
}
