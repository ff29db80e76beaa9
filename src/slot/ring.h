/* The frame ring: frames pass from the stage that makes them to the one that encodes them, on a
 * thread of its own, without being copied. Memory is the caller's. One maker, one taker. */
#ifndef VX_SLOT_RING_H
#define VX_SLOT_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/status.h"

/* Takes frame `index`, whose pixels may be read until it returns. A failure ends
 * the passing of frames. */
typedef vx_status (*vx_ring_take)(void *arg, int64_t index, uint8_t *frame, vx_error *err);

typedef struct vx_ring {
    uint8_t *memory;
    size_t frame_bytes;
    int slots;
    vx_ring_take take;
    void *arg;
    vx_cancel *heed; /* what the taker's waiting heeds: what the maker's does (base/wait.h) */
    pthread_t thread;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t changed;
    int64_t made, taken;
    bool ended;
    vx_status status; /* of the taker */
    vx_error err;
} vx_ring;

/* Starts the taker's thread. `memory` has slots * frame_bytes bytes. VX_ERR_MEMORY when the system
 * gives no thread; then there is nothing to finish. */
vx_status vx_ring_start(vx_ring *ring, void *memory, size_t frame_bytes, int slots,
                        vx_ring_take take, void *arg, vx_error *err);

/* Waits for room for the next n frames and gives the first one's memory; they lie side by side,
 * so all calls but the last have the same n, of which `slots` is a multiple. The taker's
 * failure, when it has failed. */
vx_status vx_ring_room(vx_ring *ring, int n, uint8_t **frames, vx_error *err);
/* The n frames are made: the taker may have them. */
void vx_ring_made(vx_ring *ring, int n);

/* Waits until every frame that was made is taken - or, when `drop`, only the one that is being
 * taken - and ends the thread. The taker's failure, when it has failed. */
vx_status vx_ring_finish(vx_ring *ring, bool drop, vx_error *err);

#endif
