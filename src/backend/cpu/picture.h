/* Rows of the ops over pictures, one build per level (kernels/picture.c). */
#ifndef VX_BACKEND_CPU_PICTURE_H
#define VX_BACKEND_CPU_PICTURE_H

#include "backend/cpu/simd.h"

/* out = the mean of n (4 or 8) rows x of `cols`. */
VX_SIMD_DECLARE(void, vx_cpu_mean_row, const void *const x[8], int n, vx_dtype from, void *out,
                vx_dtype to, int64_t cols)

/* out = the largest of each of n rows. */
VX_SIMD_DECLARE(void, vx_cpu_largest_row, const void *const x[8], int n, vx_dtype from, void *out,
                vx_dtype to, int64_t cols)

/* Pixel (y, x) of depthwise's out. */
VX_SIMD_DECLARE(void, vx_cpu_depthwise_pixel, const vx_depthwise_args *a, int64_t y, int64_t x)

/* Rows [first, first + rows) of row_gate. */
VX_SIMD_DECLARE(void, vx_cpu_gate_rows, const vx_row_gate_args *a, int64_t first, int64_t rows)

/* value[i] = sigmoid(x[i]) when `logits`, else x[i]/2 + 1/2, n elements; times 255, whole and
 * within 0..255 when `bytes`. */
VX_SIMD_DECLARE(void, vx_cpu_level_row, const void *x, vx_dtype from, bool logits, float *value,
                bool bytes, int64_t n)

#endif
