/* The watch over a slot: its lanes' threads, and every reason to stop them. Private to slot.c. */
#ifndef VX_SLOT_WATCH_H
#define VX_SLOT_WATCH_H

#include <pthread.h>

#include "slot/slot.h"

/* A lane of the slot: the stage that runs there, on a thread of its own. */
typedef struct vx_watch_lane {
    vx_stage_run run; /* first: vx_stage_step finds the lane by it */
    struct vx_watch *watch;
    vx_cancel cancel;
    vx_error err;
    vx_status status;
    pthread_t thread;
    vx_stage_time time;
    bool second; /* this is the second try */
    /* Guarded by the watch's lock. */
    bool busy, timed_out;
    double expected_s, timeout_s; /* expected duration; when it is too long, absolute */
} vx_watch_lane;

typedef struct vx_watch {
    vx_slot *slot;
    const vx_slot_request *request;
    double start_s, deadline_s; /* absolute; deadline 0: none */
    double later_s;             /* what the phases after this one should take */
    vx_watch_lane lane[VX_LANES];
    pthread_mutex_t lock; /* guards `stop` and what says so above */
    pthread_cond_t ended;
    vx_error stop; /* why the slot stops; status VX_OK: it doesn't */
} vx_watch;

void vx_watch_open(vx_watch *watch, vx_slot *slot, const vx_slot_request *request);
/* Runs the stages of a phase; returns when all of them have ended and their lanes are idle. */
vx_status vx_watch_phase(vx_watch *watch, int phase, vx_error *err);
/* How long a slot like this has been taking, in seconds; negative while there is no history. */
double vx_watch_expect_s(const vx_slot *slot);
/* How long the slot took, in seconds. */
double vx_watch_close(vx_watch *watch);

#endif
