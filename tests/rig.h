/* A test's engine in small: one backend, one model, weights and workspace at their planned sizes.
 *
 *     rig_open(&rig, "ref", 1);
 *     rig_plan(&rig, bind, run, model);       both walk the model in plan mode and set the sizes
 *     rig_load(&rig, bind, model, sources, n);
 *     … rig.ctx is ready to run …
 *     rig_close(&rig); */
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
    vx_arena weights, workspace;
    size_t weights_bytes, workspace_bytes;
    void *weights_memory, *workspace_memory;
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
    rig_must(r, vx_pool_open(&r->pool, threads, &r->err), "pool");
    if (strcmp(backend, "cpu") == 0)
        rig_must(r, vx_backend_open_cpu(&r->backend, r->pool, &r->err), "cpu backend");
    else
        rig_must(r, vx_backend_open_ref(&r->backend, &r->err), "ref backend");
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
    rig_must(r, vx_reserve(r->weights_bytes, &r->weights_memory, &r->err), "weights");
    rig_must(r, vx_reserve(r->workspace_bytes, &r->workspace_memory, &r->err), "workspace");
    r->weights = vx_arena_over("weights", r->weights_memory, r->weights_bytes);
    r->workspace = vx_arena_over("workspace", r->workspace_memory, r->workspace_bytes);
    vx_binder binder = {.backend = r->backend,
                        .weights = &r->weights,
                        .sources = sources,
                        .source_count = count,
                        .staging = vx_heap_alloc(sizeof(float) * VX_STAGING_FLOATS),
                        .err = &r->err};
    vx_status status = bind(model, &binder);
    vx_heap_free(binder.staging);
    r->ctx = (vx_ctx){
        .backend = r->backend, .pool = r->pool, .workspace = &r->workspace, .err = &r->err};
    return status;
}

static inline void rig_close(rig *r)
{
    vx_unreserve(r->weights_memory, r->weights_bytes);
    vx_unreserve(r->workspace_memory, r->workspace_bytes);
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
