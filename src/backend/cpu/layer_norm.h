/* A row of layer_norm, one build per level (kernels/layer_norm.c). */
#ifndef VX_BACKEND_CPU_LAYER_NORM_H
#define VX_BACKEND_CPU_LAYER_NORM_H

#include "backend/cpu/simd.h"

/* `sum` is room for the row's x + add. */
VX_SIMD_DECLARE(void, vx_cpu_layer_norm_row, const vx_layer_norm_args *a, int64_t r, float *sum)

#endif
