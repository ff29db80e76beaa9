/* Pieces of the ops over dense motion, one build per level (kernels/motion.c). */
#ifndef VX_BACKEND_CPU_MOTION_H
#define VX_BACKEND_CPU_MOTION_H

#include "backend/cpu/simd.h"

/* What one key point (or the background) does along one axis, at each of its n positions. */
typedef struct vx_motion_axis {
    const int32_t *cell;       /* [n] the first of two cells, in [0, size) */
    const float *low, *high;   /* [n] weights of that cell and of the next one, 0 outside */
    const float *drive, *rest; /* [n] the Gaussians' factors at x_d and x_s */
    int64_t next;              /* cells to the second one: 1, or 0 where there is only one */
} vx_motion_axis;

/* Line (z, y) of motion_input for one key point, into columns [0, F] of value, `step` floats a
 * cell. line: room for W*F floats. heat: whether there are Gaussians. */
VX_SIMD_DECLARE(void, vx_cpu_motion_line, const vx_tensor *feature, const vx_motion_axis axis[3],
                bool heat, int64_t z, int64_t y, float *line, float *value, int64_t step)

/* Cells [first, first + rows) of motion_field. by: [4][room] floats by logit: 1 and the shifts
 * along x, y, z, all 0 beyond K+1. */
VX_SIMD_DECLARE(void, vx_cpu_field_rows, const vx_motion_field_args *a, const float *by,
                int64_t room, int64_t first, int64_t rows)

/* out[C] = the sum of weight[i]*x[i], n <= 8 rows of C. */
VX_SIMD_DECLARE(void, vx_cpu_weighted_rows, const void *const x[8], const float weight[8], int n,
                vx_dtype from, void *out, vx_dtype to, int64_t cols)

#endif
