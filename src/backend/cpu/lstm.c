#include "backend/cpu/lstm.h"

size_t vx_cpu_lstm_recurrent_bytes(vx_dtype type, int64_t hidden)
{
    size_t bytes = (size_t)((hidden + 1) / 2 * 2 * 4 * hidden) * vx_dtype_bytes(type);
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

void vx_cpu_lstm_pack_row(vx_dtype type, int64_t hidden, int64_t gate, const float *row,
                          void *recurrent)
{
    int64_t gates = 4 * hidden;
    for (int64_t h = 0; h < hidden; h++) {
        if (type == VX_BF16)
            ((uint16_t *)recurrent)[(h / 2 * gates + gate) * 2 + h % 2] = vx_f32_to_bf16(row[h]);
        else
            ((float *)recurrent)[h * gates + gate] = row[h];
    }
    if (type == VX_BF16 && hidden % 2 != 0)
        ((uint16_t *)recurrent)[(hidden / 2 * gates + gate) * 2 + 1] = 0;
}
