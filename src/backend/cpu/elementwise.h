/* Rows of the ops that move or combine elements, one build per level (kernels/elementwise.c). */
#ifndef VX_BACKEND_CPU_ELEMENTWISE_H
#define VX_BACKEND_CPU_ELEMENTWISE_H

#include "backend/cpu/simd.h"

/* dst = src, n elements; src f32, bf16 or f16, dst f32 or bf16. */
VX_SIMD_DECLARE(void, vx_cpu_convert_row, const void *src, vx_dtype from, void *dst, vx_dtype to,
                int64_t n)

/* out = act(sum of scale[i]*x[i]) over the n elements of a row, or of a piece where there are no
 * slopes. */
VX_SIMD_DECLARE(void, vx_cpu_blend_row, const vx_blend_args *a, const void *const x[3], void *out,
                int64_t n)

/* out = act(x) * y. */
VX_SIMD_DECLARE(void, vx_cpu_gate_row, const vx_gate_args *a, const void *x, const void *y,
                void *out, int64_t n)

/* Two rows of depthwise_up2 from row `here` and the one after it (NULL at the end). `taps` holds
 * taps 0, 1, 2 and the bias, n floats each. */
VX_SIMD_DECLARE(void, vx_cpu_up2_row, const vx_depthwise_up2_args *a, const float *taps,
                const void *here, const void *next, void *even, void *odd)

#endif
