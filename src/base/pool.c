/* Workers spin briefly for the next run before they sleep: ops follow each other within
 * microseconds, and a sleeping worker costs tens of them to wake. */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* About 20 µs of pauses on current processors. */
enum { SPINS = 2000, WORKERS_MAX = 256 };

typedef struct worker {
    vx_pool *pool;
    int index;
    pthread_t thread;
} worker;

struct vx_pool {
    int workers;
    worker *threads; /* workers - 1 of them; the caller is worker 0 */
    pthread_mutex_t run_lock;
    pthread_mutex_t lock; /* guards sleeping and waking */
    pthread_cond_t wake, idle;
    _Atomic uint64_t epoch; /* one more for each run */
    _Atomic int running;    /* helpers that have not finished the present epoch */
    atomic_bool closing;
    /* The present run, valid while running > 0 or the caller works. */
    vx_tile_fn fn;
    void *arg;
    vx_cancel *cancel;
    int64_t tiles;
    _Atomic int64_t next;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

static void work(vx_pool *pool, int index)
{
    while (!vx_cancelled(pool->cancel)) {
        int64_t tile = atomic_fetch_add(&pool->next, 1);
        if (tile >= pool->tiles) return;
        pool->fn(pool->arg, tile, index);
    }
}

static void wait_for_epoch(vx_pool *pool, uint64_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&pool->epoch) != seen || atomic_load(&pool->closing)) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->epoch) == seen && !atomic_load(&pool->closing))
        pthread_cond_wait(&pool->wake, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *arg)
{
    worker *self = arg;
    vx_pool *pool = self->pool;
    char name[16];
    snprintf(name, sizeof name, "vx-worker-%d", self->index);
    pthread_setname_np(pthread_self(), name);
    uint64_t seen = 0;
    for (;;) {
        wait_for_epoch(pool, seen);
        if (atomic_load(&pool->closing)) return NULL;
        seen++;
        work(pool, self->index);
        if (atomic_fetch_sub(&pool->running, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->idle);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : count;
}

vx_status vx_pool_open(vx_pool **out, int workers, vx_error *err)
{
    *out = NULL;
    if (workers < 0 || workers > WORKERS_MAX)
        return vx_fail(err, VX_ERR_USAGE, "bad_threads",
                       "%d threads were asked for; choose 1 to %d", workers, WORKERS_MAX);
    vx_pool *pool = vx_heap_alloc(sizeof *pool);
    if (pool == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the worker pool");
    int wanted = workers == 0 ? processors() : workers;
    pool->workers = 1;
    pthread_mutex_init(&pool->run_lock, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->threads = vx_heap_alloc(sizeof *pool->threads * (size_t)wanted);
    if (pool->threads == NULL) {
        vx_pool_close(&pool);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the worker pool");
    }
    while (pool->workers < wanted) {
        worker *w = &pool->threads[pool->workers - 1];
        *w = (worker){.pool = pool, .index = pool->workers};
        int failed = pthread_create(&w->thread, NULL, worker_main, w);
        if (failed) {
            vx_pool_close(&pool);
            return vx_fail(err, VX_ERR_MEMORY, "no_threads",
                           "the system refused a worker thread: %s", strerror(failed));
        }
        pool->workers++;
    }
    *out = pool;
    return VX_OK;
}

void vx_pool_close(vx_pool **handle)
{
    vx_pool *pool = *handle;
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->closing, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->workers - 1; i++)
        pthread_join(pool->threads[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->run_lock);
    vx_heap_free(pool->threads);
    vx_heap_free(pool);
    *handle = NULL;
}

int vx_pool_workers(const vx_pool *pool)
{
    return pool->workers;
}

vx_status vx_pool_run(vx_pool *pool, vx_cancel *cancel, int64_t tiles, vx_tile_fn fn, void *arg)
{
    assert(tiles >= 0);
    if (vx_cancelled(cancel)) return VX_ERR_CANCELLED;
    if (tiles == 0) return VX_OK;
    pthread_mutex_lock(&pool->run_lock);
    pool->fn = fn;
    pool->arg = arg;
    pool->cancel = cancel;
    pool->tiles = tiles;
    atomic_store(&pool->next, 0);
    bool helped = tiles > 1 && pool->workers > 1;
    if (helped) {
        atomic_store(&pool->running, pool->workers - 1);
        pthread_mutex_lock(&pool->lock);
        atomic_fetch_add(&pool->epoch, 1);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    work(pool, 0);
    if (helped) {
        for (int i = 0; i < SPINS && atomic_load(&pool->running) > 0; i++)
            relax();
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->running) > 0)
            pthread_cond_wait(&pool->idle, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    bool whole = atomic_load(&pool->next) >= tiles;
    pthread_mutex_unlock(&pool->run_lock);
    return whole ? VX_OK : VX_ERR_CANCELLED;
}
