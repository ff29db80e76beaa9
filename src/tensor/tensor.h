/* Tensors: views of memory that somebody else owns.
 *
 * Channels come last. A tensor is a stack of rows: every dimension but the last counts rows, row r
 * starts `ld` elements after row r-1, and within a row elements are adjacent. So a slice of
 * channels or of rows is again a tensor over the same memory.
 *
 * A sequence that convolutions read carries a halo: `halo` rows of zeroes lie before the
 * first row and after the last one, in memory that belongs to the tensor. Whoever writes the
 * rows of a tensor keeps its halo zero (ops do). What stands at `data` is for backends to
 * read and write (base/dev.h). */
#ifndef VX_TENSOR_TENSOR_H
#define VX_TENSOR_TENSOR_H

#include <assert.h>
#include <stdbool.h>

#include "base/dev.h"
#include "tensor/dtype.h"

enum { VX_RANK_MAX = 5 };

typedef struct vx_tensor {
    vx_dev data; /* first element of the first row (after the halo) */
    vx_dtype dtype;
    int rank;
    int64_t dim[VX_RANK_MAX]; /* outermost first, channels last; entries beyond rank are 1 */
    int64_t ld;               /* elements between the starts of two rows, >= dim[rank-1] */
    int64_t halo;             /* rows of zeroes before and after; 0 for most */
} vx_tensor;

static inline int64_t vx_cols(const vx_tensor *t)
{
    return t->dim[t->rank - 1];
}
static inline int64_t vx_rows(const vx_tensor *t)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < t->rank; i++)
        rows *= t->dim[i];
    return rows;
}
static inline int64_t vx_elements(const vx_tensor *t)
{
    return vx_rows(t) * vx_cols(t);
}
static inline bool vx_dense(const vx_tensor *t)
{
    return t->ld == vx_cols(t);
}
/* Address of row r; r may lie in the halo. */
static inline vx_dev vx_row_at(const vx_tensor *t, int64_t r)
{
    return vx_dev_plus(t->data, r * t->ld * (int64_t)vx_dtype_bytes(t->dtype));
}

/* A dense view over `data`: rank 1..5 dims, the last one channels. */
vx_tensor vx_view(vx_dev data, vx_dtype dtype, int rank, const int64_t *dim);
static inline vx_tensor vx_view2(vx_dev data, vx_dtype dtype, int64_t rows, int64_t cols)
{
    return vx_view(data, dtype, 2, (const int64_t[]){rows, cols});
}

/* Channels [first, first+count) of every row, over the same memory. */
vx_tensor vx_slice_cols(const vx_tensor *t, int64_t first, int64_t count);
/* Rows [first, first+count) as a rank-2 view without halo. */
vx_tensor vx_slice_rows(const vx_tensor *t, int64_t first, int64_t count);
/* The same elements under other dims; t must be dense and the products equal. Drops the halo. */
vx_tensor vx_reshape(const vx_tensor *t, int rank, const int64_t *dim);

#endif
