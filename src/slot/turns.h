/* Turns: stages of several jobs take turns on the lanes, first come, first served.
 *
 * A stage takes its lane, or all of them at once, works, and leaves. Whoever waits for all lanes is
 * not overtaken by those who want one of them. Private to src/slot. */
#ifndef VX_SLOT_TURNS_H
#define VX_SLOT_TURNS_H

#include <pthread.h>

#include "base/cancel.h"
#include "engine/engine.h"

enum { VX_LANES_ALL = (1 << VX_LANES) - 1 };

typedef struct vx_turns {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    int taken;               /* a bit for each lane */
    struct vx_waiter *first; /* those who wait, the oldest first */
} vx_turns;

void vx_turns_open(vx_turns *turns);
void vx_turns_close(vx_turns *turns);

/* Waits until the lanes (a bit for each) are free and takes them; false when the token was asked
 * before, and then nothing is taken. */
bool vx_turns_take(vx_turns *turns, int lanes, vx_cancel *cancel);
void vx_turns_leave(vx_turns *turns, int lanes);

#endif
