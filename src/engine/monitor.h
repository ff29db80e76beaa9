/* The memory monitor: what the machine says is used, not our own books.
 *
 * On the CPU that is the resident size of the process beyond what it held before the engine opened,
 * and what the machine has left. Above the soft limit there is one warning per episode (until it is
 * below again); above the hard limit, or when the machine runs out, the check fails and the slot
 * ends. Over a hundred slots the resident size should stay where it was: a rise of more than 100 MB
 * is reported as a leak. Thread-safe. */
#ifndef VX_ENGINE_MONITOR_H
#define VX_ENGINE_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

typedef struct vx_monitor_limits {
    vx_backend
        *backend; /* whose memory is looked at; NULL: nothing is used. Set before slots run, */
    size_t soft_bytes, hard_bytes; /* … as are these; SIZE_MAX for none */
    size_t free_bytes;             /* what machine and control groups must have left; 0: whatever */
} vx_monitor_limits;

typedef struct vx_monitor_figures {
    int64_t soft_events, hard_events, leaks;
    size_t used_bytes, highest_bytes; /* of the last check and of all */
} vx_monitor_figures;

typedef struct vx_monitor {
    vx_monitor_limits limits;
    pthread_mutex_t lock; /* guards all below */
    vx_monitor_figures figures;
    bool above_soft;
    double checked_s;
    int64_t slots; /* ended since `base_bytes` was taken */
    size_t base_bytes;
} vx_monitor;

enum { VX_LEAK_SLOTS = 100 };
#define VX_LEAK_BYTES ((size_t)100000000)

void vx_monitor_open(vx_monitor *monitor, const vx_monitor_limits *limits);
void vx_monitor_close(vx_monitor *monitor);

/* VX_ERR_MEMORY, code "memory_pressure", above the hard limit. Reading costs
 * some ten microseconds. */
vx_status vx_monitor_check(vx_monitor *monitor, vx_error *err);
/* The same when the last check is older than 50 ms: for every frame. */
vx_status vx_monitor_glance(vx_monitor *monitor, vx_error *err);

/* A slot has ended: watches the drift. */
void vx_monitor_slot(vx_monitor *monitor);

vx_monitor_figures vx_monitor_read(vx_monitor *monitor);

#endif
