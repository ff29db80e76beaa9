/* The binder: puts a model's weights at their planned places.
 *
 * A model lists its weights once, in one function that calls the binder for each. Run with `plan`
 * set it only measures; run again with memory and files it reads, converts and packs. Both walk the
 * same list in the same order, so the plan's offsets are the load's. */
#ifndef VX_MODELS_BINDER_H
#define VX_MODELS_BINDER_H

#include "backend/backend.h"
#include "formats/record.h"
#include "formats/source.h"

/* Rows pass through this many floats (4 MB) on their way from file to device. */
enum { VX_STAGING_FLOATS = 1 << 20 };

typedef struct vx_binder {
    vx_backend *backend;
    vx_lane *lane;     /* NULL in a plan */
    vx_arena *weights; /* measuring in a plan */
    bool plan;
    vx_source **sources; /* files of this component, searched in order; unused in a plan */
    int source_count;
    /* What may stand before the official names in an all-in-one file, NULL at the end;
     * tried in this order after none at all, each also twice. Set by the model's binding
     * function; NULL for none. */
    const char *const *prefixes;
    float *staging;    /* VX_STAGING_FLOATS; NULL in a plan */
    vx_cancel *cancel; /* ends a load between two tensors; may be NULL */
    /* When not NULL (and `plan` not set): nothing is loaded, every tensor is found, and what was
     * asked for is listed here. `weights` measures. */
    vx_record *record;
    vx_error *err;
} vx_binder;

/* A tensor in one of the binder's files, by its name or with one of the prefixes before it, or
 * NULL. *source receives the file (may be NULL). */
const vx_source_tensor *vx_binder_find(const vx_binder *b, const char *name,
                                       const vx_source **source);

/* As vx_binder_find, but a missing tensor or another shape is VX_ERR_INPUT, naming the tensor, what
 * was expected and the file. Dims of 1 may be missing or extra (Conv1d k=1 as a matrix). */
vx_status vx_binder_need(const vx_binder *b, const char *name, int rank, const int64_t *dim,
                         const vx_source_tensor **tensor, const vx_source **source);

/* VX_ERR_INPUT: no file has that tensor. Says what the files are, or which
 * prefixes their names have. */
vx_status vx_binder_missing(const vx_binder *b, const char *name);

/* VX_ERR_CANCELLED when the token is set; the functions below begin with it. */
vx_status vx_binder_go_on(const vx_binder *b);

/* Plans *w and takes its memory. */
vx_status vx_bind_place(vx_binder *b, vx_weight *w);
/* Whether contents follow: in a load, not in a plan or a record. */
static inline bool vx_binder_loads(const vx_binder *b)
{
    return !b->plan && b->record == NULL;
}
/* The same, and in a load packs the rows that `fetch` gives. */
vx_status vx_bind_weight(vx_binder *b, vx_weight *w, vx_fetch_fn fetch, void *arg);
/* rows x cols values as a dense tensor of `dtype` (f32, f16 or bf16): tables, norms. */
vx_status vx_bind_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows, int64_t cols,
                        vx_fetch_fn fetch, void *arg);

/* The plain cases, bound by the checkpoint's own name. The weight's description gives the shape. */
vx_status vx_bind_named_weight(vx_binder *b, vx_weight *w, const char *name);
vx_status vx_bind_named_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows,
                              int64_t cols, const char *name);
/* An f32 vector [n]. */
static inline vx_status vx_bind_named_vector(vx_binder *b, vx_tensor *out, int64_t n,
                                             const char *name)
{
    vx_status status = vx_bind_named_table(b, out, VX_F32, 1, n, name);
    out->rank = 1;
    out->dim[0] = n;
    out->dim[1] = 1;
    return status;
}

#endif
