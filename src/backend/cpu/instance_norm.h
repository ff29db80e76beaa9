/* Columns of instance_norm, one build per level (kernels/instance_norm.c). */
#ifndef VX_BACKEND_CPU_INSTANCE_NORM_H
#define VX_BACKEND_CPU_INSTANCE_NORM_H

#include "backend/cpu/simd.h"

/* Sums of rows [first, first + rows) of x, rows >= 1, for all C columns: shift[C] is the first of
 * these rows, sum[C] and square[C] are of what the rows differ from it. Shifted so, a column far
 * from zero keeps its digits. */
VX_SIMD_DECLARE_BF16(void, vx_cpu_column_sums, const vx_tensor *x, int64_t first, int64_t rows,
                     float *shift, float *sum, float *square)

/* Factors of a column, each array with C floats: y = (x - mean)*gain + bias, then the activation
 * or, when turn is not NULL, Snake: y + amount*sin^2(pi*turn*y). */
typedef struct vx_cpu_columns {
    const float *mean, *gain, *bias, *turn, *amount;
    vx_act act;
} vx_cpu_columns;

VX_SIMD_DECLARE_BF16(void, vx_cpu_column_apply, const vx_cpu_columns *f, const vx_tensor *x,
                     const vx_tensor *out, int64_t first, int64_t rows)

/* The factors of instance_norm's columns, without writing out: spade goes on from there. `scratch`
 * as vx_cpu_instance_norm_scratch says; the factors lie in it. */
vx_status vx_cpu_column_factors(vx_ctx *ctx, const vx_instance_norm_args *a, void *scratch,
                                vx_cpu_columns *factors);

#endif
