/* What the Kokoro tests and tests/kokoro_run.c share: a model planned, loaded and ready to run. */
#ifndef VX_TESTS_KOKORO_RIG_H
#define VX_TESTS_KOKORO_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/kokoro/kokoro.h"

typedef struct kokoro_rig {
    vx_pool *pool;
    vx_backend *backend;
    vx_source *source;
    vx_kokoro *model;
    size_t weight_bytes, work_bytes; /* planned */
    vx_counts counts;                /* planned, for the largest utterance */
    void *weights, *work;
    vx_arena work_arena;
    vx_ctx ctx;
    vx_error err;
    int32_t *alignment;
} kokoro_rig;

/* The largest utterance, on the plan. */
static inline vx_status kokoro_rig_walk(kokoro_rig *rig, vx_ctx *ctx)
{
    vx_kokoro_utterance u = {.tokens = vx_kokoro_tokens_max(rig->model),
                             .frames = vx_kokoro_frames_max(rig->model)};
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_kokoro_front(rig->model, ctx, &u));
    VX_TRY(vx_kokoro_decode(rig->model, ctx, &u, 0, 0, NULL));
    vx_release(ctx, mark);
    return VX_OK;
}

static inline vx_status kokoro_rig_plan(kokoro_rig *rig)
{
    vx_arena weights = vx_arena_measure("weights"), work = vx_arena_measure("workspace");
    vx_binder binder = {
        .backend = rig->backend, .weights = &weights, .plan = true, .err = &rig->err};
    VX_TRY(vx_kokoro_bind(rig->model, &binder));
    vx_ctx ctx = {.backend = rig->backend, .workspace = &work, .plan = true, .err = &rig->err};
    VX_TRY(kokoro_rig_walk(rig, &ctx));
    rig->weight_bytes = weights.peak;
    rig->work_bytes = work.peak;
    rig->counts = ctx.counts;
    return VX_OK;
}

static inline vx_status kokoro_rig_load(kokoro_rig *rig, const char *path)
{
    VX_TRY(vx_source_open(&rig->source, path, &rig->err));
    VX_TRY(vx_reserve(rig->weight_bytes, &rig->weights, &rig->err));
    VX_TRY(vx_reserve(rig->work_bytes, &rig->work, &rig->err));
    vx_arena weights = vx_arena_over("weights", rig->weights, rig->weight_bytes);
    vx_binder binder = {.backend = rig->backend,
                        .weights = &weights,
                        .sources = &rig->source,
                        .source_count = 1,
                        .staging = vx_heap_alloc(VX_STAGING_FLOATS * sizeof(float)),
                        .err = &rig->err};
    vx_status status = vx_kokoro_bind(rig->model, &binder);
    vx_heap_free(binder.staging);
    return status;
}

/* backend: "ref" or "cpu"; threads: 0 for all processors. The error is in rig->err; close in any case. */
static inline vx_status kokoro_rig_open(kokoro_rig *rig, const char *backend, int threads,
                                        const char *path, const vx_kokoro_params *params)
{
    memset(rig, 0, sizeof *rig);
    if (strcmp(backend, "cpu") == 0) {
        VX_TRY(vx_pool_open(&rig->pool, threads, &rig->err));
        VX_TRY(vx_backend_open_cpu(&rig->backend, rig->pool, &rig->err));
    } else {
        VX_TRY(vx_backend_open_ref(&rig->backend, &rig->err));
    }
    VX_TRY(vx_kokoro_open(&rig->model, rig->backend, params, &rig->err));
    VX_TRY(kokoro_rig_plan(rig));
    VX_TRY(kokoro_rig_load(rig, path));
    rig->work_arena = vx_arena_over("workspace", rig->work, rig->work_bytes);
    rig->ctx = (vx_ctx){.backend = rig->backend,
                        .pool = rig->pool,
                        .workspace = &rig->work_arena,
                        .err = &rig->err};
    rig->alignment =
        vx_heap_alloc((size_t)vx_kokoro_frames_max(rig->model) * sizeof *rig->alignment);
    return VX_OK;
}

static inline void kokoro_rig_close(kokoro_rig *rig)
{
    vx_heap_free(rig->alignment);
    if (rig->weights) vx_unreserve(rig->weights, rig->weight_bytes);
    if (rig->work) vx_unreserve(rig->work, rig->work_bytes);
    vx_source_close(&rig->source);
    vx_kokoro_close(&rig->model);
    vx_backend_close(&rig->backend);
    vx_pool_close(&rig->pool);
}

/* Where the downloaded weights are, as packs look them up; "" when HOME is unknown. */
static inline void kokoro_rig_weights(char path[512])
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    static const char file[] = "vortex/models/kokoro-v1.0.int8.onnx";
    path[0] = 0;
    if (data != NULL && data[0] != 0)
        snprintf(path, 512, "%s/%s", data, file);
    else if (home != NULL)
        snprintf(path, 512, "%s/.local/share/%s", home, file);
}

/* A tensor's values, at most `room`; returns how many, 0 when there is no such tensor. */
static inline int64_t kokoro_rig_floats(const vx_source *source, const char *name, float *out,
                                        int64_t room)
{
    const vx_source_tensor *t = vx_source_find(source, name);
    if (t == NULL || t->elements > room) return 0;
    return vx_source_read(source, t, 0, t->elements, out, NULL) == VX_OK ? t->elements : 0;
}

static inline int64_t kokoro_rig_ints(const vx_source *source, const char *name, int32_t *out,
                                      int64_t room)
{
    float values[1024];
    int64_t count = kokoro_rig_floats(source, name, values, room < 1024 ? room : 1024);
    for (int64_t i = 0; i < count; i++)
        out[i] = (int32_t)values[i];
    return count;
}

/* The made-up source spectrum [rows, 22] of tools/kokoro_reference.py: magnitudes in [0, 1), any
 * angle. */
static inline void kokoro_rig_spectrum(float *out, int64_t rows)
{
    for (int64_t i = 0; i < rows * 22; i++) {
        uint64_t hash = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u >> 40;
        float value = (float)((double)hash / (1 << 24));
        out[i] = i % 22 < 11 ? value : (value - 0.5f) * 6.2831853f;
    }
}

#endif
