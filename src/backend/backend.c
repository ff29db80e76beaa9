/* Tensors on the lane's stack, weight descriptions, and closing. */
#include "backend/backend.h"

#include <stdarg.h>
#include <stdio.h>

#include "backend/ops.h"

vx_weight vx_weight_linear(int64_t out, int64_t in, vx_dtype store, vx_dtype compute)
{
    return (vx_weight){.kind = VX_WEIGHT_LINEAR,
                       .store = store,
                       .compute = compute,
                       .out = out,
                       .in = in,
                       .kernel = {1, 1, 1},
                       .stride = {1, 1, 1},
                       .dilation = {1, 1, 1},
                       .upsample = 1};
}

vx_weight vx_weight_conv1d(int64_t out, int64_t in, int64_t k, int64_t stride, int64_t dilation,
                           int64_t pad, vx_dtype store, vx_dtype compute)
{
    vx_weight w = vx_weight_linear(out, in, store, compute);
    w.kind = VX_WEIGHT_CONV;
    w.kernel[2] = k;
    w.stride[2] = stride;
    w.dilation[2] = dilation;
    w.pad[2] = pad;
    return w;
}

vx_weight vx_weight_conv(int64_t out, int64_t in, const int64_t kernel[3], vx_dtype store,
                         vx_dtype compute)
{
    vx_weight w = vx_weight_linear(out, in, store, compute);
    w.kind = VX_WEIGHT_CONV;
    for (int i = 0; i < 3; i++) {
        w.kernel[i] = kernel[i];
        w.pad[i] = (kernel[i] - 1) / 2;
    }
    return w;
}

vx_status vx_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    assert(w->out > 0 && w->in > 0);
    return backend->ops->weight_plan(backend, w, err);
}

vx_status vx_weight_pack(vx_backend *backend, vx_weight *w, vx_fetch_fn fetch, void *arg,
                         float *staging, size_t staging_floats, vx_error *err)
{
    assert(w->data != NULL && w->bytes > 0);
    return backend->ops->weight_pack(backend, w, fetch, arg, staging, staging_floats, err);
}

vx_status vx_weight_pack_stored(vx_backend *backend, vx_weight *w, const vx_stored_rows *parts,
                                int count, bool *taken, vx_error *err)
{
    assert(w->data != NULL && w->bytes > 0);
    *taken = false;
    if (backend->ops->weight_pack_stored == NULL) return VX_OK;
    return backend->ops->weight_pack_stored(backend, w, parts, count, taken, err);
}

void vx_backend_close(vx_backend **backend)
{
    if (*backend == NULL) return;
    (*backend)->ops->close(*backend);
    *backend = NULL;
}

vx_status vx_take(vx_ctx *ctx, vx_dtype dtype, int rank, const int64_t *dim, vx_tensor *out)
{
    *out = vx_view(NULL, dtype, rank, dim);
    return vx_arena_take(ctx->workspace, (size_t)vx_elements(out) * vx_dtype_bytes(dtype),
                         &out->data, ctx->err);
}

vx_status vx_take_seq(vx_ctx *ctx, vx_dtype dtype, int64_t rows, int64_t cols, int64_t halo,
                      vx_tensor *out)
{
    assert(rows >= 0 && halo >= 0);
    *out = vx_view2(NULL, dtype, rows, cols);
    out->halo = halo;
    int64_t room = (rows + VX_SEQ_TILE - 1) / VX_SEQ_TILE * VX_SEQ_TILE + 2 * halo;
    size_t row_bytes = (size_t)cols * vx_dtype_bytes(dtype);
    void *base;
    VX_TRY(vx_arena_take(ctx->workspace, (size_t)room * row_bytes, &base, ctx->err));
    if (base != NULL) out->data = (char *)base + (size_t)halo * row_bytes;
    return VX_OK;
}

void vx_tap(vx_ctx *ctx, const vx_tensor *tensor, const char *format, ...)
{
    if (ctx->tap == NULL || ctx->plan) return;
    char name[96];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    ctx->tap(ctx->tap_arg, name, tensor);
}
