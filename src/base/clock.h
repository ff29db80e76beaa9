/* Monotonic time. */
#ifndef VX_BASE_CLOCK_H
#define VX_BASE_CLOCK_H

/* Seconds since an arbitrary start, monotonic. */
double vx_now_s(void);

#endif
