/* torch's linear interpolation with align_corners false, along one axis. */
#ifndef VX_BACKEND_CPU_ENLARGE_H
#define VX_BACKEND_CPU_ENLARGE_H

#include <stdint.h>

/* A position lies between cells at[0] and at[1]. */
typedef struct vx_between {
    int64_t at[2];
    float weight[2];
} vx_between;

/* Position i of `to` among the cells of `from`; the borders repeat. */
static inline vx_between vx_between_of(int64_t i, int64_t to, int64_t from)
{
    double x = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    if (x < 0) x = 0;
    vx_between b = {.at = {(int64_t)x, (int64_t)x + 1}};
    if (b.at[1] >= from) b.at[1] = from - 1;
    b.weight[1] = (float)(x - (double)b.at[0]);
    b.weight[0] = 1 - b.weight[1];
    return b;
}

#endif
