/* Parts: the models as the engine sees them, private to this folder.
 *
 * A part knows how to describe itself (open), list its weights (bind) and walk each of its stages at the
 * largest size (plan). Everything that differs between models for the engine's purposes is here. */
#ifndef VX_SLOT_PART_H
#define VX_SLOT_PART_H

#include "engine/engine.h"

enum { VX_PART_SOURCES = 32, VX_PART_STAGES = 4 };

typedef struct vx_part vx_part;

typedef struct vx_part_kind {
    vx_component component;
    int want; /* VX_WANT_* that takes it */
    vx_lane lane;
    const char *why; /* who needs it, for messages */
    vx_status (*open)(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                      vx_error *err);
    void (*close)(vx_part *part);
    vx_status (*bind)(void *model, vx_binder *binder);
    struct {
        const char *name;
        vx_status (*plan)(vx_part *part, vx_ctx *ctx); /* NULL ends the list */
    } stage[VX_PART_STAGES];
} vx_part_kind;

struct vx_part {
    const vx_part_kind *kind;
    const vx_actor_size *actor; /* the engine's */
    void *model;
    bool keeps_files; /* some weights stay there: the sources are not closed after loading */
    bool encodes;     /* flux.vae: the encoder is wanted too */
    bool shared;      /* the model is another part's (same_as): nothing to load or to close */
    size_t weights_bytes;
    int weights_region;
    vx_source *sources[VX_PART_SOURCES];
    int source_count;
};

/* Every kind of part, in the order of loading; ends with a NULL open. */
extern const vx_part_kind vx_part_kinds[];

#endif
