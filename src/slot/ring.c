#include "slot/ring.h"

#include <assert.h>
#include <string.h>

#include "base/wait.h"

static void *taker(void *arg)
{
    vx_ring *r = arg;
    vx_wait_scope(r->heed);
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->taken >= r->made && !r->ended)
            pthread_cond_wait(&r->changed, &r->lock);
        if (r->taken >= r->made) break;
        int64_t index = r->taken;
        pthread_mutex_unlock(&r->lock);
        vx_error err = {0};
        vx_status status =
            r->take(r->arg, index, r->memory + r->frame_bytes * (size_t)(index % r->slots), &err);
        pthread_mutex_lock(&r->lock);
        r->taken = index + 1;
        r->status = status;
        r->err = err;
        pthread_cond_broadcast(&r->changed);
        if (status != VX_OK) break;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

vx_status vx_ring_start(vx_ring *r, void *memory, size_t frame_bytes, int slots, vx_ring_take take,
                        void *arg, vx_error *err)
{
    *r = (vx_ring){.memory = memory,
                   .frame_bytes = frame_bytes,
                   .slots = slots,
                   .take = take,
                   .arg = arg,
                   .heed = vx_wait_token()};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    int failed = pthread_create(&r->thread, NULL, taker, r);
    if (failed == 0) return VX_OK;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    return vx_fail(err, VX_ERR_MEMORY, "no_threads",
                   "the system refused a thread for the encoder: %s", strerror(failed));
}

static vx_status failure(const vx_ring *r, vx_error *err)
{
    if (r->status != VX_OK && err != NULL) *err = r->err;
    return r->status;
}

vx_status vx_ring_room(vx_ring *r, int n, uint8_t **frames, vx_error *err)
{
    pthread_mutex_lock(&r->lock);
    int64_t slot = r->made % r->slots;
    assert(n > 0 && slot + n <= r->slots);
    while (r->made + n - r->taken > r->slots && r->status == VX_OK)
        pthread_cond_wait(&r->changed, &r->lock);
    vx_status status = failure(r, err);
    pthread_mutex_unlock(&r->lock);
    *frames = r->memory + r->frame_bytes * (size_t)slot;
    return status;
}

void vx_ring_made(vx_ring *r, int n)
{
    pthread_mutex_lock(&r->lock);
    r->made += n;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

vx_status vx_ring_finish(vx_ring *r, bool drop, vx_error *err)
{
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    if (drop) r->made = r->taken; /* the frame under way is counted when it is done */
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    vx_status status = failure(r, err);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    return status;
}
