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

#include "base/limits.h"
#include "base/mem.h"

/* About 20 µs of pauses on current processors. */
enum { SPINS = 2000 };

typedef struct worker {
    vx_pool *pool;
    int index;
    pthread_t thread;
} worker;

/* One call of vx_pool_run, on its caller's stack. */
typedef struct run {
    vx_tile_fn fn;
    void *arg;
    vx_cancel *cancel;
    int64_t tiles;
    bool urgent;
    atomic_bool calls; /* it is urgent, offered, and has tiles left: counted in pool->urgent */
    _Atomic int64_t next;
    _Atomic int helpers; /* at work on it; changed under the pool's lock */
    struct run *previous, *following;
} run;

struct vx_pool {
    int workers;
    worker *threads;      /* workers - 1 of them; the caller is worker 0 */
    pthread_mutex_t lock; /* guards the list, sleeping and waking */
    pthread_cond_t wake, idle;
    run *first;             /* runs that may have tiles left, the oldest first */
    _Atomic uint64_t epoch; /* one more for each run */
    _Atomic int urgent;     /* runs that call helpers away from others */
    atomic_bool closing;
};

static _Thread_local bool thread_is_urgent;

bool vx_pool_urgent(bool urgent)
{
    bool was = thread_is_urgent;
    thread_is_urgent = urgent;
    return was;
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

/* In tiles denormals count as zeros: the key points' heat fades into them, and each costs a product
 * more than a hundred cycles (docs/bench/liveportrait.md). The thread's own mode is put back. */
static unsigned flush_denormals(void)
{
#if defined(__x86_64__)
    enum { FLUSH_TO_ZERO = 1 << 15, DENORMALS_ARE_ZEROS = 1 << 6 };
    unsigned mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(mode | FLUSH_TO_ZERO | DENORMALS_ARE_ZEROS);
    return mode;
#else
    return 0;
#endif
}

static void restore_denormals(unsigned mode)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(mode);
#else
    (void)mode;
#endif
}

/* Nobody is called to this run any more: its tiles are taken. */
static void end_call(vx_pool *pool, run *r)
{
    if (atomic_exchange(&r->calls, false)) atomic_fetch_sub(&pool->urgent, 1);
}

/* The thread whose run it is works to the end; a helper may be called away. */
static void work(vx_pool *pool, run *r, int index)
{
    unsigned mode = flush_denormals();
    bool helps = index > 0 && !r->urgent;
    while (!vx_cancelled(r->cancel)) {
        if (helps && atomic_load(&pool->urgent) > 0) break;
        int64_t tile = atomic_fetch_add(&r->next, 1);
        if (tile >= r->tiles) break;
        if (tile == r->tiles - 1) end_call(pool, r);
        r->fn(r->arg, tile, index);
    }
    restore_denormals(mode);
}

static bool has_tiles(run *r)
{
    return atomic_load(&r->next) < r->tiles && !vx_cancelled(r->cancel);
}

/* Whether a run is better to help with than another: an urgent one, else the one with the fewest
 * helpers, so that two lanes get the same. */
static bool is_better(run *r, run *than)
{
    if (than == NULL || r->urgent != than->urgent) return than == NULL || r->urgent;
    return atomic_load(&r->helpers) < atomic_load(&than->helpers);
}

/* The run with tiles left that is best to help with; the lock is held. */
static run *choose(vx_pool *pool)
{
    run *best = NULL;
    for (run *r = pool->first; r != NULL; r = r->following)
        if (has_tiles(r) && is_better(r, best)) best = r;
    return best;
}

/* Helps until no run has tiles left; the epoch up to which that holds. */
static uint64_t help(vx_pool *pool, int index)
{
    run *r;
    pthread_mutex_lock(&pool->lock);
    while ((r = choose(pool)) != NULL) {
        atomic_fetch_add(&r->helpers, 1);
        pthread_mutex_unlock(&pool->lock);
        work(pool, r, index);
        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&r->helpers, 1) == 1) pthread_cond_broadcast(&pool->idle);
    }
    uint64_t seen = atomic_load(&pool->epoch);
    pthread_mutex_unlock(&pool->lock);
    return seen;
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
    while (!atomic_load(&pool->closing)) {
        wait_for_epoch(pool, seen);
        seen = help(pool, self->index);
    }
    return NULL;
}

static int processors(void)
{
    vx_limits limits;
    vx_limits_read(&limits, "");
    return limits.processors.value < VX_WORKERS_MAX ? (int)limits.processors.value : VX_WORKERS_MAX;
}

vx_status vx_pool_open(vx_pool **out, int workers, vx_error *err)
{
    *out = NULL;
    if (workers < 0 || workers > VX_WORKERS_MAX)
        return vx_fail(err, VX_ERR_USAGE, "bad_threads",
                       "%d threads were asked for; choose 1 to %d", workers, VX_WORKERS_MAX);
    vx_pool *pool = vx_heap_alloc(sizeof *pool);
    if (pool == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the worker pool");
    int wanted = workers == 0 ? processors() : workers;
    pool->workers = 1;
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
    vx_heap_free(pool->threads);
    vx_heap_free(pool);
    *handle = NULL;
}

int vx_pool_workers(const vx_pool *pool)
{
    return pool->workers;
}

static void offer(vx_pool *pool, run *r)
{
    pthread_mutex_lock(&pool->lock);
    run **end = &pool->first;
    while (*end != NULL) {
        r->previous = *end;
        end = &(*end)->following;
    }
    *end = r;
    if (r->urgent) {
        atomic_store(&r->calls, true);
        atomic_fetch_add(&pool->urgent, 1);
    }
    atomic_fetch_add(&pool->epoch, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* Takes the run from the list and waits for those who still help with it. */
static void withdraw(vx_pool *pool, run *r)
{
    pthread_mutex_lock(&pool->lock);
    if (r->previous != NULL)
        r->previous->following = r->following;
    else
        pool->first = r->following;
    if (r->following != NULL) r->following->previous = r->previous;
    pthread_mutex_unlock(&pool->lock);
    end_call(pool, r); /* of a cancelled one */
    for (int i = 0; i < SPINS && atomic_load(&r->helpers) > 0; i++)
        relax();
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&r->helpers) > 0)
        pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

vx_status vx_pool_run(vx_pool *pool, vx_cancel *cancel, int64_t tiles, vx_tile_fn fn, void *arg)
{
    assert(tiles >= 0);
    if (vx_cancelled(cancel)) return VX_ERR_CANCELLED;
    run r = {.fn = fn, .arg = arg, .cancel = cancel, .tiles = tiles, .urgent = thread_is_urgent};
    bool helped = tiles > 1 && pool->workers > 1;
    if (helped) offer(pool, &r);
    work(pool, &r, 0);
    if (helped) withdraw(pool, &r);
    return atomic_load(&r.next) >= tiles ? VX_OK : VX_ERR_CANCELLED;
}
