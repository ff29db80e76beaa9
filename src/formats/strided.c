/* Tensors whose elements do not lie in row-major order: transposed and sliced PyTorch tensors,
 * Fortran-order NumPy arrays. */
#include <assert.h>
#include <string.h>

#include "formats/source_impl.h"
#include "tensor/quant.h"

typedef struct strided_private {
    vx_source_reader reader;
    int64_t stride[VX_SOURCE_RANK_MAX]; /* in elements */
} strided_private;

/* Copies `count` elements that lie `stride` apart and decodes them. */
static void gather(vx_dtype dtype, const unsigned char *at, int64_t stride, int64_t count,
                   float *dst)
{
    enum { BATCH = 256 };
    unsigned char batch[BATCH * 8];
    size_t bytes = vx_dtype_bytes(dtype);
    while (count > 0) {
        int64_t step = count < BATCH ? count : BATCH;
        for (int64_t i = 0; i < step; i++)
            memcpy(batch + (size_t)i * bytes, at + (size_t)(i * stride) * bytes, bytes);
        vx_decode(dtype, batch, step, dst);
        at += (size_t)(step * stride) * bytes;
        dst += step;
        count -= step;
    }
}

static vx_status read_strided(const vx_source *source, const vx_source_tensor *tensor,
                              int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)source;
    (void)err;
    const strided_private *p = tensor->private;
    int last = tensor->rank - 1;
    size_t bytes = vx_dtype_bytes(tensor->dtype);
    while (count > 0) {
        int64_t rest = first, offset = 0;
        int64_t column = first % tensor->dim[last];
        for (int i = last; i >= 0; i--) {
            offset += rest % tensor->dim[i] * p->stride[i];
            rest /= tensor->dim[i];
        }
        int64_t run = tensor->dim[last] - column;
        if (run > count) run = count;
        const unsigned char *at = (const unsigned char *)tensor->data + (size_t)offset * bytes;
        if (p->stride[last] == 1)
            vx_decode(tensor->dtype, at, run, dst);
        else
            gather(tensor->dtype, at, p->stride[last], run, dst);
        first += run;
        dst += run;
        count -= run;
    }
    return VX_OK;
}

vx_status vx_source_set_strides(vx_source *source, vx_source_tensor *tensor, const int64_t *stride,
                                vx_error *err)
{
    assert(vx_dtype_bytes(tensor->dtype) > 0);
    int64_t dense = 1;
    bool in_order = true;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->dim[i] != 1 && stride[i] != dense) in_order = false;
        dense *= tensor->dim[i];
    }
    if (in_order || tensor->elements == 0) return VX_OK;
    strided_private *p = vx_source_keep(source, sizeof *p);
    if (p == NULL) return vx_source_no_memory(source, err);
    p->reader.read = read_strided;
    memcpy(p->stride, stride, (size_t)tensor->rank * sizeof *stride);
    tensor->private = p;
    return VX_OK;
}
