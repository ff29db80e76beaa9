/* Names of tensors across the forms in which a checkpoint circulates, and rows
 * gathered from several.
 *
 * Binding code spells the official name. A translation function gives the other names that the
 * same tensor has elsewhere; rows of several tensors can be stacked into one matrix (query,
 * key and value, say). */
#ifndef VX_MODELS_STACK_H
#define VX_MODELS_STACK_H

#include "models/binder.h"

enum { VX_NAME_BYTES = 192, VX_STACK_MAX = 4 };

/* Rows [first_row, first_row + rows) of a tensor with `cols` elements a row. */
typedef struct vx_rows_of {
    const vx_source *source;
    const vx_source_tensor *tensor;
    int64_t first_row, rows, cols;
    bool transposed; /* the file has [cols, rows], whole */
} vx_rows_of;

/* Rows [first, first + count) of them. */
vx_status vx_rows_read(const vx_rows_of *rows, int64_t first, int64_t count, float *dst,
                       vx_error *err);

/* Up to VX_STACK_MAX blocks of rows, one below the other. */
typedef struct vx_stack {
    int count;
    vx_rows_of part[VX_STACK_MAX];
} vx_stack;

/* Fetches rows of a vx_stack (vx_fetch_fn). */
vx_status vx_fetch_stack(void *stack, int64_t first, int64_t count, float *dst, vx_error *err);

/* vx_bind_weight from a stack; rows of a linear layer that a file keeps in the codes of w->store
 * are taken as they are. Pages of the files are given back. The stack is unused in a plan. */
vx_status vx_bind_stack(vx_binder *b, vx_weight *w, vx_stack *stack);

/* Its last part: packs the stack's rows into w->data, of a weight that is planned and has memory.
 * Of the binder it takes the lane, the staging buffer and err. */
vx_status vx_pack_stack(vx_binder *b, vx_weight *w, vx_stack *stack);

/* Fetches a vx_stack as one row: for vectors, whose parts are columns of one element. */
vx_status vx_fetch_stack_as_row(void *stack, int64_t first, int64_t count, float *dst,
                                vx_error *err);

/* Tells the system that the parts' pages are not needed again. */
void vx_stack_release(const vx_stack *stack);

#endif
