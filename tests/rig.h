/* A test's engine in small: one backend, one model, weights and workspace at their planned sizes.
 *
 *     rig_open(&rig, "ref", 1);
 *     rig_plan(&rig, bind, run, model);       both walk the model in plan mode and set the sizes
 *     rig_load(&rig, bind, model, sources, n);
 *     … rig.ctx is ready to run …
 *     rig_close(&rig);
 *
 * VX_DEVICE names the device that takes the CPU's place: so a parity test runs on a GPU as it is. */
#ifndef VX_TESTS_RIG_H
#define VX_TESTS_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ops.h"
#include "base/mem.h"
#include "models/binder.h"

typedef struct rig {
    vx_error err;
    vx_pool *pool;
    vx_backend *backend;
    vx_lane lane;
    vx_arena weights, workspace;
    size_t weights_bytes, workspace_bytes;
    vx_memory *memory;
    vx_memory *more[4]; /* rig_room's */
    int rooms;
    vx_counts planned;
    vx_ctx ctx;
} rig;

typedef vx_status (*rig_bind_fn)(void *model, vx_binder *binder);
typedef vx_status (*rig_run_fn)(void *model, vx_ctx *ctx);

static inline void rig_must(rig *r, vx_status status, const char *what)
{
    if (status == VX_OK) return;
    fprintf(stderr, "%s: %s (%s)\n", what, r->err.message, vx_status_name(status));
    abort();
}

static inline void rig_open(rig *r, const char *backend, int threads)
{
    memset(r, 0, sizeof *r);
    const char *device = getenv("VX_DEVICE");
    rig_must(r, vx_pool_open(&r->pool, threads, &r->err), "pool");
    if (strcmp(backend, "cpu") == 0 && device != NULL)
        rig_must(r, vx_backend_open_device(&r->backend, device, r->pool, &r->err), device);
    else if (strcmp(backend, "cpu") == 0)
        rig_must(r, vx_backend_open_cpu(&r->backend, r->pool, &r->err), "cpu backend");
    else
        rig_must(r, vx_backend_open_ref(&r->backend, &r->err), "ref backend");
    rig_must(r, vx_lane_open(&r->lane, r->backend, &r->err), "lane");
}

/* Memory of the backend for as long as the rig is open. */
static inline vx_room rig_room(rig *r, vx_place place, size_t bytes)
{
    vx_room room = {.place = place, .bytes = bytes};
    assert(r->rooms < (int)(sizeof r->more / sizeof r->more[0]));
    rig_must(r, vx_backend_reserve(r->backend, &room, 1, &r->more[r->rooms++], &r->err), "memory");
    return room;
}

/* What a tensor holds, as floats on the heap; in the middle of a run or after it. f32 and bf16. */
static inline float *rig_values(vx_ctx *ctx, const vx_tensor *t)
{
    size_t count = (size_t)vx_elements(t);
    float *values = vx_heap_alloc(sizeof *values * count);
    if (vx_download(ctx, t, values) != VX_OK || vx_finish(ctx) != VX_OK) abort();
    for (size_t i = count; t->dtype != VX_F32 && i-- > 0;) {
        uint16_t half;
        memcpy(&half, (char *)values + i * sizeof half, sizeof half);
        values[i] = t->dtype == VX_BF16 ? vx_bf16_to_f32(half) : vx_f16_to_f32(half);
    }
    return values;
}

static inline void rig_plan(rig *r, rig_bind_fn bind, rig_run_fn run, void *model)
{
    r->weights = vx_arena_measure("weights");
    r->workspace = vx_arena_measure("workspace");
    vx_binder binder = {
        .backend = r->backend, .weights = &r->weights, .plan = true, .err = &r->err};
    rig_must(r, bind(model, &binder), "planning the weights");
    r->ctx =
        (vx_ctx){.backend = r->backend, .workspace = &r->workspace, .plan = true, .err = &r->err};
    rig_must(r, run(model, &r->ctx), "planning the run");
    r->planned = r->ctx.counts;
    r->weights_bytes = r->weights.peak;
    r->workspace_bytes = r->workspace.peak;
}

/* Gives memory of exactly the planned sizes and loads; the status is the binder's. */
static inline vx_status rig_load(rig *r, rig_bind_fn bind, void *model, vx_source **sources,
                                 int count)
{
    vx_room room[2] = {{.place = VX_PLACE_DEVICE, .bytes = r->weights_bytes},
                       {.place = VX_PLACE_DEVICE, .bytes = r->workspace_bytes}};
    rig_must(r, vx_backend_reserve(r->backend, room, 2, &r->memory, &r->err), "memory");
    r->weights = vx_arena_over("weights", room[0].at, r->weights_bytes);
    r->workspace = vx_arena_over("workspace", room[1].at, r->workspace_bytes);
    vx_binder binder = {.backend = r->backend,
                        .lane = &r->lane,
                        .weights = &r->weights,
                        .sources = sources,
                        .source_count = count,
                        .staging = vx_heap_alloc(sizeof(float) * VX_STAGING_FLOATS),
                        .err = &r->err};
    vx_status status = bind(model, &binder);
    vx_heap_free(binder.staging);
    r->ctx = (vx_ctx){
        .backend = r->backend, .lane = &r->lane, .workspace = &r->workspace, .err = &r->err};
    return status;
}

static inline void rig_close(rig *r)
{
    for (int i = 0; i < r->rooms; i++)
        vx_backend_unreserve(r->backend, &r->more[i]);
    vx_backend_unreserve(r->backend, &r->memory);
    vx_lane_close(&r->lane);
    vx_backend_close(&r->backend);
    vx_pool_close(&r->pool);
}

/* A whole tensor of a source as floats on the heap; aborts when it is not there. */
static inline float *rig_read(const vx_source *source, const char *name, int64_t *elements)
{
    const vx_source_tensor *tensor = vx_source_find(source, name);
    if (tensor == NULL) {
        fprintf(stderr, "no tensor %s in %s\n", name, vx_source_path(source));
        abort();
    }
    float *values = vx_heap_alloc(sizeof *values * (size_t)tensor->elements);
    if (vx_source_read(source, tensor, 0, tensor->elements, values, NULL) != VX_OK) abort();
    if (elements != NULL) *elements = tensor->elements;
    return values;
}

#endif
