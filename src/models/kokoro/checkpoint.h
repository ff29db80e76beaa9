/* Kokoro's tensors under their official names, whatever file they lie in.
 *
 * A name is the one of kokoro-v1_0.pth without ".module" and with weight norm folded, for instance
 * "decoder.generator.resblocks.0.convs1.0.weight". Beneath it lie
 *   - the official .pth and its copies as safetensors: names with or without ".module"; weight norm
 * as the pair weight_g, weight_v or parametrizations.weight.original0, original1 (w = g v / |v|,
 * the norm over all but the first dimension), or folded already; convolutions in torch's order
 * [O, I, K] or in MLX's [O, K, I], told apart by their shape;
 *   - the published int8 ONNX file (onnx_names.h), values dequantised, matrices turned to torch's
 * order, LSTM gates put from i, o, f, c into i, f, g, o. */
#ifndef VX_KOKORO_CHECKPOINT_H
#define VX_KOKORO_CHECKPOINT_H

#include "models/binder.h"
#include "models/kokoro/onnx_names.h"

enum { VX_KOKORO_NAME_MAX = 160 };

/* A found tensor: rows of its first dimension, each `cols` values in torch's order. */
typedef struct vx_kokoro_tensor {
    int64_t rows, cols;
    const vx_source *source;
    const vx_source_tensor *value; /* weight, or weight_v */
    const vx_source_tensor *norm;  /* weight_g [rows], or NULL */
    int64_t turned; /* MLX order: the length of the kernel, which comes before the inputs; else 0 */
    const vx_kokoro_onnx_name *onnx; /* NULL in other files */
    const vx_source_tensor *scale, *zero;
} vx_kokoro_tensor;

/* Finds `name` of torch shape dim[rank] (rank 1..3) in the binder's files, not in a plan.
 * VX_ERR_INPUT, naming the tensor and the file, when it is absent or shaped otherwise, and for an
 * ONNX file that is not the published one. */
vx_status vx_kokoro_find(const vx_binder *b, const char *name, int rank, const int64_t *dim,
                         vx_kokoro_tensor *out);

/* Rows [first, first+count) as floats, row r at dst + (r-first)*ld; ld >= cols. */
vx_status vx_kokoro_read(const vx_kokoro_tensor *t, int64_t first, int64_t count, int64_t ld,
                         float *dst, vx_error *err);

/* Lets go of the mapped pages. */
void vx_kokoro_done(const vx_kokoro_tensor *t);

#endif
