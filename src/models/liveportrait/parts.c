/* What the parts share. */
#include "models/liveportrait/parts.h"

vx_tensor vx_lp_frame(const vx_tensor *batch, int64_t i)
{
    assert(batch->rank > 1 && i >= 0 && i < batch->dim[0] && vx_dense(batch));
    int64_t rows = vx_rows(batch) / batch->dim[0];
    vx_tensor all = vx_reshape(batch, 2, (const int64_t[]){vx_rows(batch), vx_cols(batch)});
    vx_tensor one = vx_slice_rows(&all, i * rows, rows);
    return vx_reshape(&one, batch->rank - 1, batch->dim + 1);
}
