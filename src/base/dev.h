/* An address that only a backend can follow.
 *
 * Tensors, weights and arenas hold it. Arithmetic on it is anybody's; what stands there is read and
 * written by the backend whose memory it is (backend/backend.h: vx_write, vx_upload, …). A plan has
 * no memory, and its addresses are numbers like any other: they begin at VX_DEV_PLAN and are never
 * 0, so that code which is right in a plan is right in a run. */
#ifndef VX_BASE_DEV_H
#define VX_BASE_DEV_H

#include <stdint.h>

typedef struct vx_dev {
    uint64_t at; /* 0: no address */
} vx_dev;

/* Where plans begin. */
#define VX_DEV_PLAN ((vx_dev){UINT64_C(1) << 32})

static inline vx_dev vx_dev_plus(vx_dev from, int64_t bytes)
{
    return (vx_dev){from.at + (uint64_t)bytes};
}

#endif
