#include "base/reserve.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef VX_ASAN
#include <sanitizer/asan_interface.h>
#endif

enum { HUGE_PAGE = 2 << 20 };

void vx_poison(void *at, size_t bytes)
{
#ifdef VX_POISON
    memset(at, 0xFF, bytes);
#endif
#ifdef VX_ASAN
    ASAN_POISON_MEMORY_REGION(at, bytes);
#endif
    (void)at, (void)bytes;
}

void vx_unpoison(void *at, size_t bytes)
{
#ifdef VX_ASAN
    ASAN_UNPOISON_MEMORY_REGION(at, bytes);
#endif
    (void)at, (void)bytes;
}

#ifdef MADV_POPULATE_WRITE
/* Zeroing gigabytes takes seconds: large reservations are touched by several threads. */
enum { TOUCH_THREADS = 4, TOUCH_ALONE = 64 << 20 };

typedef struct touching {
    char *base;
    size_t bytes;
    bool refused;
} touching;

static void *touch_part(void *arg)
{
    touching *t = arg;
    t->refused = madvise(t->base, t->bytes, MADV_POPULATE_WRITE) != 0 && errno == ENOMEM;
    return NULL;
}

/* False when the system has less. */
static bool touch(char *base, size_t bytes)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int parts = bytes < TOUCH_ALONE || processors < 1 ? 1
                : processors < TOUCH_THREADS          ? (int)processors
                                                      : TOUCH_THREADS;
    size_t step = (bytes / (size_t)parts + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    touching part[TOUCH_THREADS];
    pthread_t thread[TOUCH_THREADS];
    bool started[TOUCH_THREADS] = {false}, refused = false;
    for (int i = 0; i < parts; i++) {
        size_t from = (size_t)i * step < bytes ? (size_t)i * step : bytes;
        size_t left = bytes - from;
        part[i] =
            (touching){.base = base + from, .bytes = i + 1 < parts && left > step ? step : left};
        if (i + 1 < parts) started[i] = pthread_create(&thread[i], NULL, touch_part, &part[i]) == 0;
        if (!started[i]) touch_part(&part[i]);
    }
    for (int i = 0; i < parts; i++) {
        if (started[i]) pthread_join(thread[i], NULL);
        refused |= part[i].refused;
    }
    return !refused;
}
#endif

vx_status vx_reserve(size_t bytes, void **out, vx_error *err)
{
    *out = NULL;
    if (bytes == 0 || bytes > SIZE_MAX - 2 * (size_t)HUGE_PAGE)
        return vx_fail(err, VX_ERR_INTERNAL, "bad_reservation",
                       "a reservation of %zu bytes makes no sense", bytes);
    size_t rounded = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    char *raw =
        mmap(NULL, rounded + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return vx_fail(
            err, VX_ERR_MEMORY, "no_memory",
            "the system refused %zu bytes of memory (%s); close other programs or choose a "
            "smaller pack",
            rounded, strerror(errno));
    char *base = (char *)(((uintptr_t)raw + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
    if (base > raw) munmap(raw, (size_t)(base - raw));
    size_t tail = (size_t)(raw + rounded + HUGE_PAGE - (base + rounded));
    if (tail > 0) munmap(base + rounded, tail);
    madvise(base, rounded, MADV_HUGEPAGE); /* a hint: without it everything still works */
#ifdef MADV_POPULATE_WRITE
    if (!touch(base, bytes)) {
        munmap(base, rounded);
        return vx_fail(
            err, VX_ERR_MEMORY, "no_memory",
            "the system has less than the %zu bytes that were planned; close other programs or "
            "choose a smaller pack",
            bytes);
    }
#endif
    *out = base;
    return VX_OK;
}

void vx_unreserve(void *base, size_t bytes)
{
    if (base == NULL) return;
    size_t rounded = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    vx_unpoison(base, rounded);
    munmap(base, rounded);
}
