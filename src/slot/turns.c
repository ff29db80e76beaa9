#include "slot/turns.h"

#include "base/clock.h"

/* How often somebody who waits looks at the token, which wakes nobody. */
enum { LOOK_MS = 10 };

typedef struct vx_waiter {
    int lanes;
    struct vx_waiter *next;
} waiter;

void vx_turns_open(vx_turns *turns)
{
    *turns = (vx_turns){0};
    pthread_mutex_init(&turns->lock, NULL);
    vx_cond_open(&turns->changed);
}

void vx_turns_close(vx_turns *turns)
{
    pthread_cond_destroy(&turns->changed);
    pthread_mutex_destroy(&turns->lock);
}

/* Whether the lanes are free and nobody who wants one of them came before; the lock is held. */
static bool may_pass(const vx_turns *turns, const waiter *w)
{
    int wanted = turns->taken;
    for (const waiter *other = turns->first; other != w; other = other->next)
        wanted |= other->lanes;
    return (wanted & w->lanes) == 0;
}

bool vx_turns_take(vx_turns *turns, int lanes, vx_cancel *cancel)
{
    waiter w = {.lanes = lanes};
    pthread_mutex_lock(&turns->lock);
    waiter **end = &turns->first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = &w;
    bool pass;
    while (!(pass = may_pass(turns, &w)) && !vx_cancelled(cancel)) {
        struct timespec until = vx_deadline_in(LOOK_MS);
        pthread_cond_timedwait(&turns->changed, &turns->lock, &until);
    }
    end = &turns->first;
    while (*end != &w)
        end = &(*end)->next;
    *end = w.next;
    if (pass) turns->taken |= lanes;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
    return pass;
}

void vx_turns_leave(vx_turns *turns, int lanes)
{
    pthread_mutex_lock(&turns->lock);
    turns->taken &= ~lanes;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
}
