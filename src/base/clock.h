/* Monotonic time. */
#ifndef VX_BASE_CLOCK_H
#define VX_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Seconds since an arbitrary start, monotonic. */
double vx_now_s(void);

/* The monotonic time in `ms` milliseconds, or now when that is negative: until when to wait for a
 * condition of vx_cond_open. */
struct timespec vx_deadline_in(int64_t ms);

/* A condition variable whose timed waits count by the monotonic clock. */
void vx_cond_open(pthread_cond_t *condition);

#endif
