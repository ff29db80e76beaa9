/* The reference backend, for tests: every op as plainly as C allows.
 *
 * One thread; values pass through get and set, so any dtype and stride works; sums are double.
 * What defines an op beyond its formula is here too: operands of a product are first rounded to the
 * compute type (bf16), results are rounded once, to the output's dtype. Weights are packed as f32
 * rows in the order they are fetched, each value as it comes back from its stored form.
 *
 * Kernels are named vx_ref_<op>, their scratch vx_ref_<op>_scratch where they need some. */
#ifndef VX_BACKEND_REF_REF_H
#define VX_BACKEND_REF_REF_H

#include "backend/host.h"
#include "backend/ops.h"

#define VX_REF_KERNEL(op)                                                                          \
    vx_status vx_ref_##op(vx_ctx *ctx, const vx_##op##_args *a, void *scratch);
VX_OPS(VX_REF_KERNEL)
#undef VX_REF_KERNEL

#define VX_REF_SCRATCH(X) X(attention) X(lstm) X(layer_norm) X(harmonic_source)
#define VX_REF_BYTES(name)                                                                         \
    size_t vx_ref_##name##_scratch(vx_backend *backend, const vx_##name##_args *args);
VX_REF_SCRATCH(VX_REF_BYTES)
#undef VX_REF_BYTES

vx_status vx_ref_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err);
vx_status vx_ref_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err);

/* Floats of one row of the source, as vx_fetch_fn gives them. */
int64_t vx_ref_row_floats(const vx_weight *w);

/* f(x) of the activation, in double. */
double vx_ref_act(vx_act act, double x);

/* Element (r, c); r may lie in the halo. f32, bf16 and f16. */
double vx_ref_get(const vx_tensor *t, int64_t r, int64_t c);
/* Rounds to f32, then to the tensor's dtype. */
void vx_ref_set(const vx_tensor *t, int64_t r, int64_t c, double value);
/* Element c of a vector; `absent` when there is none. */
double vx_ref_at(const vx_tensor *v, int64_t c, double absent);
/* The value as an operand of a product in `compute`. */
double vx_ref_operand(vx_dtype compute, double value);
/* Zeroes the rows before and after. Ends every kernel. */
void vx_ref_zero_halo(const vx_tensor *t);

#endif
