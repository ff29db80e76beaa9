/* For kernels whose loops are written once for whole vectors and the end of a row: `lanes`
 * is VF_LANES in the body, which the compiler sees, and less at the end. */
#ifndef VX_CPU_LANES_H
#define VX_CPU_LANES_H

#include "backend/cpu/simd.h"

#define VF_INLINE static inline __attribute__((always_inline))

VF_INLINE vf vf_get_lanes(const void *row, vx_dtype dtype, int64_t i, int lanes)
{
    return lanes == VF_LANES ? vf_get(row, dtype, i) : vf_getn(row, dtype, i, lanes);
}
VF_INLINE void vf_put_lanes(void *row, vx_dtype dtype, int64_t i, vf x, int lanes)
{
    if (lanes == VF_LANES)
        vf_put(row, dtype, i, x);
    else
        vf_putn(row, dtype, i, x, lanes);
}
/* Lanes of the vector at element i of a row of n. */
VF_INLINE int vf_lanes_at(int64_t i, int64_t n)
{
    return n - i < VF_LANES ? (int)(n - i) : VF_LANES;
}

#endif
