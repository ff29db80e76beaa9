#include "tensor/tensor.h"

vx_tensor vx_view(vx_dev data, vx_dtype dtype, int rank, const int64_t *dim)
{
    assert(rank >= 1 && rank <= VX_RANK_MAX);
    vx_tensor t = {.data = data, .dtype = dtype, .rank = rank, .ld = dim[rank - 1]};
    for (int i = 0; i < VX_RANK_MAX; i++)
        t.dim[i] = i < rank ? dim[i] : 1;
    for (int i = 0; i < rank; i++)
        assert(dim[i] >= 0);
    return t;
}

static vx_dev offset(const vx_tensor *t, int64_t elements)
{
    return vx_dev_plus(t->data, elements * (int64_t)vx_dtype_bytes(t->dtype));
}

vx_tensor vx_slice_cols(const vx_tensor *t, int64_t first, int64_t count)
{
    assert(first >= 0 && count >= 0 && first + count <= vx_cols(t));
    vx_tensor view = *t;
    view.data = offset(t, first);
    view.dim[t->rank - 1] = count;
    return view;
}

vx_tensor vx_slice_rows(const vx_tensor *t, int64_t first, int64_t count)
{
    assert(first >= 0 && count >= 0 && first + count <= vx_rows(t));
    vx_tensor view = vx_view2(offset(t, first * t->ld), t->dtype, count, vx_cols(t));
    view.ld = t->ld;
    return view;
}

vx_tensor vx_reshape(const vx_tensor *t, int rank, const int64_t *dim)
{
    assert(vx_dense(t));
    vx_tensor view = vx_view(t->data, t->dtype, rank, dim);
    assert(vx_elements(&view) == vx_elements(t));
    return view;
}
