/* The recurrent weights of an LSTM as its kernel streams them: for each direction, [H/2 pairs of h]
 * [4H gates][2] in bf16, or [H][4H] in f32, gates in torch's order. */
#ifndef VX_BACKEND_CPU_LSTM_H
#define VX_BACKEND_CPU_LSTM_H

#include "backend/cpu/product.h"

size_t vx_cpu_lstm_recurrent_bytes(vx_dtype type, int64_t hidden);
/* Places row `gate` (0..4H) of one direction, H floats. `recurrent` is that direction's part. */
void vx_cpu_lstm_pack_row(vx_dtype type, int64_t hidden, int64_t gate, const float *row,
                          void *recurrent);

#endif
