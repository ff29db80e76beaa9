#include "base/quiet.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static const int held[] = {SIGPIPE, SIGXFSZ};

enum { HELD = sizeof held / sizeof *held };

void vx_quiet_begin(vx_quiet *q)
{
    int before = errno;
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < HELD; i++)
        sigaddset(&set, held[i]);
    sigpending(&q->pending);
    pthread_sigmask(SIG_BLOCK, &set, &q->mask);
    errno = before;
}

void vx_quiet_end(const vx_quiet *q)
{
    int before = errno;
    sigset_t ours;
    sigemptyset(&ours);
    for (int i = 0; i < HELD; i++)
        if (!sigismember(&q->pending, held[i])) sigaddset(&ours, held[i]);
    while (sigtimedwait(&ours, NULL, &(struct timespec){0}) > 0 || errno == EINTR)
        ;
    pthread_sigmask(SIG_SETMASK, &q->mask, NULL);
    errno = before;
}
