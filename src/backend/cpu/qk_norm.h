/* Kernel of qk_norm: one row of heads. */
#ifndef VX_BACKEND_CPU_QK_NORM_H
#define VX_BACKEND_CPU_QK_NORM_H

#include "backend/cpu/simd.h"

/* Channels of a head that fit the row on the stack. */
enum { QK_HEAD_MAX = 512 };

VX_SIMD_DECLARE_BF16(void, vx_cpu_qk_norm_row, const vx_qk_norm_args *a, int64_t row)

#endif
