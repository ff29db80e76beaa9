/* What the Kokoro tests and tests/kokoro_run.c share: a model planned, loaded and ready to run. */
#ifndef VX_TESTS_KOKORO_RIG_H
#define VX_TESTS_KOKORO_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/kokoro/kokoro.h"
#include "rig.h"

typedef struct kokoro_rig {
    rig base;
    vx_source *source;
    vx_kokoro *model;
    int32_t *alignment;
} kokoro_rig;

static inline vx_status kokoro_rig_bind(void *model, vx_binder *binder)
{
    return vx_kokoro_bind(model, binder);
}

/* The largest utterance, on the plan. */
static inline vx_status kokoro_rig_walk(void *model, vx_ctx *ctx)
{
    vx_kokoro_utterance u = {.tokens = vx_kokoro_tokens_max(model),
                             .frames = vx_kokoro_frames_max(model)};
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_kokoro_front(model, ctx, &u));
    VX_TRY(vx_kokoro_decode(model, ctx, &u, 0, 0, NULL));
    vx_release(ctx, mark);
    return VX_OK;
}

/* backend: "ref" or "cpu"; threads: 0 for all processors. The error is in k->base.err; close in
 * any case. */
static inline vx_status kokoro_rig_open(kokoro_rig *k, const char *backend, int threads,
                                        const char *path, const vx_kokoro_params *params)
{
    memset(k, 0, sizeof *k);
    rig_open(&k->base, backend, threads);
    vx_error *err = &k->base.err;
    VX_TRY(vx_kokoro_open(&k->model, k->base.backend, params, err));
    rig_plan(&k->base, kokoro_rig_bind, kokoro_rig_walk, k->model);
    VX_TRY(vx_source_open(&k->source, path, err));
    VX_TRY(rig_load(&k->base, kokoro_rig_bind, k->model, &k->source, 1));
    k->alignment = vx_heap_alloc((size_t)vx_kokoro_frames_max(k->model) * sizeof *k->alignment);
    return VX_OK;
}

static inline void kokoro_rig_close(kokoro_rig *k)
{
    vx_heap_free(k->alignment);
    vx_source_close(&k->source);
    vx_kokoro_close(&k->model);
    rig_close(&k->base);
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
