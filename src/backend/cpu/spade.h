/* Rows of spade, one build per level (kernels/spade.c). */
#ifndef VX_BACKEND_CPU_SPADE_H
#define VX_BACKEND_CPU_SPADE_H

#include "backend/cpu/instance_norm.h"

/* Pixels [first, first + rows) of out; f holds mean, gain and bias of the columns of x. */
VX_SIMD_DECLARE_BF16(void, vx_cpu_spade_rows, const vx_spade_args *a, const vx_cpu_columns *f,
                     int64_t first, int64_t rows)

#endif
