/* Parts: what an engine is made of. It plans, loads and holds them, and knows none of them.
 *
 * A part is a component of the pack with its model: how to describe it (open), the list of its
 * weights (bind), what it needs beside (buffers), and each of its stages at the largest size
 * (plan). A row without a component has buffers alone. The table of parts is given to the engine
 * (slot/part.h holds ours). */
#ifndef VX_ENGINE_PART_H
#define VX_ENGINE_PART_H

#include "engine/engine.h"
#include "models/binder.h"

enum { VX_PART_SOURCES = 32, VX_PART_STAGES = 4 };

typedef struct vx_part vx_part;
typedef struct vx_buffer_list vx_buffer_list;

struct vx_part_kind {
    int component; /* vx_component, or -1: none */
    int want;      /* bit of vx_engine_params.wants that takes it; 0 ends the table */
    vx_lane_id lane;
    const char *why; /* who needs it, for messages */
    /* NULL where there is no component, as are the next two. */
    vx_status (*open)(vx_part *part, vx_backend *backend, vx_error *err);
    void (*close)(vx_part *part);
    vx_status (*bind)(void *model, vx_binder *binder);
    /* Adds the part's buffers; NULL when it has none. */
    void (*buffers)(const vx_part *part, vx_buffer_list *list);
    struct {
        const char *name;
        vx_status (*plan)(vx_part *part, vx_ctx *ctx); /* NULL ends the list */
        double (*runs)(const vx_part *part);           /* in the longest slot; NULL: once */
    } stage[VX_PART_STAGES];
};

struct vx_part {
    const vx_part_kind *kind;
    const vx_engine_params *params; /* the engine's */
    void *model;
    void *size;       /* the part's own, from vx_heap_alloc; freed with it. NULL: none */
    bool keeps_files; /* some weights stay there: the sources are not closed after loading */
    bool shared;      /* the model is another part's (same_as): nothing to load or to close */
    size_t weights_bytes;
    int weights_region;
    vx_source *sources[VX_PART_SOURCES];
    int source_count;
};

/* A buffer by its number (0..VX_ENGINE_BUFFERS-1), in as many sets as the engine has when `sets`.
 * `component` is who is named in the plan. */
void vx_buffer_add(vx_buffer_list *list, int buffer, const char *component, const char *name,
                   vx_place place, size_t bytes, bool sets);
/* The side set of a buffer; nothing where the engine has none. */
void vx_buffer_add_side(vx_buffer_list *list, int buffer, const char *component, const char *name,
                        vx_place place, size_t bytes);
/* What is taken beside the reservation, in the machine's memory: counted where
 * that is the device's. */
void vx_buffer_beside(vx_buffer_list *list, const char *name, size_t bytes);
/* Threads that are started beside the pool's: each takes address space, though hardly memory. */
void vx_buffer_threads(vx_buffer_list *list, int threads);
/* Threads of the pool; 0 on a device that has none. */
int vx_buffer_workers(const vx_buffer_list *list);

/* NULL when the engine has not got it. */
const vx_part *vx_engine_part(const vx_engine *engine, int component);

#endif
