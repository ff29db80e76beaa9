/* The time that a stage cannot go below: work over peak or bytes over
 * bandwidth, whichever is more. */
#ifndef VX_BACKEND_PLAN_ROOFLINE_H
#define VX_BACKEND_PLAN_ROOFLINE_H

#include "backend/backend.h"

typedef struct vx_roofline {
    double roofline_s;  /* at the device's full rates; 0 for no work */
    double projected_s; /* at the share of them that the device is known to reach */
    bool memory_bound;  /* the bytes take longer than the products */
} vx_roofline;

/* `compute` is the type of the stage's products: VX_BF16 takes the device's bf16 rate where it has
 * one, anything else the f32 rate. A plan's counts are one number for the whole stage, so a stage
 * that computes in both types is asked for in parts and summed. */
vx_roofline vx_roofline_of(const vx_device *device, const vx_counts *counts, vx_dtype compute);

#endif
