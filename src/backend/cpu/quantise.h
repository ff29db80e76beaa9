/* Activations as unsigned bytes: q = round(x / scale) + zero, one scale and zero point for a whole
 * tensor. The range always holds 0, so that 0 (and with it a halo) is exactly the zero point. */
#ifndef VX_BACKEND_CPU_QUANTISE_H
#define VX_BACKEND_CPU_QUANTISE_H

#include "backend/cpu/cpu.h"

/* Least and greatest of rows x cols of f32 or bf16 (not NaN), together with what
 * *low and *high hold. */
void vx_quantise_range(const void *x, vx_dtype dtype, int64_t ld, int64_t rows, int64_t cols,
                       float *low, float *high);
/* Dense u8; what lies outside the range goes to its end, NaN to 0. */
void vx_quantise(const void *x, vx_dtype dtype, int64_t ld, int64_t rows, int64_t cols,
                 float inverse_scale, float zero, uint8_t *out);

#endif
