/* The worker pool: the only parallelism on the CPU.
 *
 * An op splits its work into tiles whose number and bounds depend on shapes alone, never on the
 * number of workers; workers claim tiles in order. So the same bytes come out with one worker or
 * with sixteen, and a cancel is seen between two tiles. The calling thread is worker 0 of its run
 * and works too.
 *
 * Several threads may run ops at once, which is how the lanes share a pool: each works on its own
 * run, and a helper that is free goes to the run with the fewest helpers. So a lane that is busy
 * with an op of one tile leaves the helpers to the other lane, and neither waits for the other. */
#ifndef VX_BASE_POOL_H
#define VX_BASE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/status.h"

typedef struct vx_pool vx_pool;

/* One tile of work: `tile` in [0, tiles), `worker` in [0, vx_pool_workers). Must not block. */
typedef void (*vx_tile_fn)(void *arg, int64_t tile, int worker);

enum { VX_WORKERS_MAX = 256 };

/* 1 to VX_WORKERS_MAX workers; 0 takes one for each processor this process may use (limits.h).
 * *pool is NULL on failure.
 */
vx_status vx_pool_open(vx_pool **pool, int workers, vx_error *err);
/* Joins the threads and sets *pool to NULL; safe on NULL. Not while a run is under way. */
void vx_pool_close(vx_pool **pool);
int vx_pool_workers(const vx_pool *pool);

/* Whether this thread's runs go first from now on: helpers leave others' runs for them at the next
 * tile and are back when none is left. Returns what was. */
bool vx_pool_urgent(bool urgent);

/* Runs fn over all tiles and returns when every one has ended. VX_ERR_CANCELLED when the token was
 * set before all tiles were claimed; then some tiles never ran and none is running. Any number of
 * threads may call it at once; no two tiles of a run have the same `worker` at one time, but tiles
 * of two runs may. A tile must not call vx_pool_run on its pool. */
vx_status vx_pool_run(vx_pool *pool, vx_cancel *cancel, int64_t tiles, vx_tile_fn fn, void *arg);

#endif
