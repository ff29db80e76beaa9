/* Weight descriptions, memory, lanes, and tensors on a lane's stack. */
#include "backend/backend.h"

#include <stdarg.h>
#include <stdio.h>

#include "backend/ops.h"

/* ---- weights ------------------------------------------------------------------------------- */

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

vx_status vx_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg, float *staging,
                         size_t staging_floats, vx_error *err)
{
    assert(w->data.at != 0 && w->bytes > 0);
    return lane->backend->ops->weight_pack(lane, w, fetch, arg, staging, staging_floats, err);
}

vx_status vx_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts, int count,
                                bool *taken, vx_error *err)
{
    assert(w->data.at != 0 && w->bytes > 0);
    *taken = false;
    if (lane->backend->ops->weight_pack_stored == NULL) return VX_OK;
    return lane->backend->ops->weight_pack_stored(lane, w, parts, count, taken, err);
}

void vx_backend_close(vx_backend **backend)
{
    if (*backend == NULL) return;
    (*backend)->ops->close(*backend);
    *backend = NULL;
}

vx_status vx_backend_peak(vx_backend *backend, double *flops_per_s, vx_error *err)
{
    if (backend->ops->peak != NULL) return backend->ops->peak(backend, flops_per_s, err);
    return vx_fail(err, VX_ERR_MISSING, "no_peak", "%s has no product to be measured by",
                   backend->device.title);
}

/* ---- memory -------------------------------------------------------------------------------- */

vx_status vx_rooms_place(const vx_device *device, const size_t *bytes, int count, int *block,
                         size_t *offset, size_t *block_bytes, int *blocks, vx_error *err)
{
    assert(device->alignment >= VX_ALIGN && (device->alignment & (device->alignment - 1)) == 0);
    *blocks = 0;
    for (int i = 0; i < count; i++) {
        size_t rounded = (bytes[i] + device->alignment - 1) & ~(device->alignment - 1);
        if (rounded > device->allocation_max)
            return vx_fail(err, VX_ERR_MEMORY, "does_not_fit",
                           "a region needs %zu bytes in one piece and %s gives at most %zu; choose "
                           "a smaller precision or size in the pack",
                           rounded, device->title, device->allocation_max);
        if (*blocks == 0 || rounded > device->allocation_max - block_bytes[*blocks - 1])
            block_bytes[(*blocks)++] = 0;
        block[i] = *blocks - 1;
        offset[i] = block_bytes[*blocks - 1];
        block_bytes[*blocks - 1] += rounded;
    }
    return VX_OK;
}

vx_status vx_backend_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                             vx_error *err)
{
    *memory = NULL;
    return backend->ops->reserve(backend, room, count, memory, err);
}

void vx_backend_unreserve(vx_backend *backend, vx_memory **memory)
{
    if (*memory == NULL) return;
    backend->ops->unreserve(backend, *memory);
    *memory = NULL;
}

vx_memory_use vx_backend_memory(vx_backend *backend)
{
    return backend->ops->memory(backend);
}

/* ---- lanes --------------------------------------------------------------------------------- */

vx_status vx_lane_open(vx_lane *lane, vx_backend *backend, vx_error *err)
{
    *lane = (vx_lane){.backend = backend};
    return backend->ops->lane_open ? backend->ops->lane_open(lane, err) : VX_OK;
}

void vx_lane_close(vx_lane *lane)
{
    if (lane->backend != NULL && lane->backend->ops->lane_close != NULL)
        lane->backend->ops->lane_close(lane);
    *lane = (vx_lane){0};
}

vx_status vx_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err)
{
    return lane->backend->ops->write(lane, to, host, bytes, err);
}

vx_status vx_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err)
{
    return lane->backend->ops->read(lane, from, host, bytes, err);
}

vx_status vx_flush(vx_ctx *ctx)
{
    if (ctx->plan) return VX_OK;
    vx_lane *lane = ctx->lane;
    lane->pending_s = 0;
    if (vx_cancelled(ctx->cancel))
        return vx_fail(ctx->err, VX_ERR_CANCELLED, "cancelled", "the work was cancelled");
    lane->flushes++;
    return lane->backend->ops->flush ? lane->backend->ops->flush(lane, ctx->err) : VX_OK;
}

vx_status vx_finish(vx_ctx *ctx)
{
    if (ctx->plan) return VX_OK;
    vx_status status = vx_flush(ctx);
    const vx_backend_ops *ops = ctx->backend->ops;
    if (status != VX_OK) {
        vx_abandon(ctx);
        return status;
    }
    return ops->finish != NULL ? ops->finish(ctx->lane, ctx->err) : VX_OK;
}

void vx_abandon(vx_ctx *ctx)
{
    ctx->lane->pending_s = 0;
    if (ctx->backend->ops->abandon != NULL) ctx->backend->ops->abandon(ctx->lane);
}

/* ---- the lane's stack ----------------------------------------------------------------------- */

vx_status vx_take_bytes(vx_ctx *ctx, size_t bytes, vx_dev *out)
{
    VX_TRY(vx_arena_take(ctx->workspace, bytes, out, ctx->err));
    if (!ctx->plan && ctx->backend->ops->taken != NULL && bytes > 0)
        ctx->backend->ops->taken(ctx->backend, *out, vx_align_up(bytes));
    return VX_OK;
}

void vx_release(vx_ctx *ctx, vx_mark mark)
{
    vx_arena *a = ctx->workspace;
    assert(mark <= a->used);
    if (!ctx->plan && ctx->backend->ops->released != NULL && a->used > mark)
        ctx->backend->ops->released(ctx->backend, vx_dev_plus(a->base, (int64_t)mark),
                                    a->used - mark);
    vx_arena_release(a, mark);
}

vx_status vx_take(vx_ctx *ctx, vx_dtype dtype, int rank, const int64_t *dim, vx_tensor *out)
{
    *out = vx_view((vx_dev){0}, dtype, rank, dim);
    return vx_take_bytes(ctx, (size_t)vx_elements(out) * vx_dtype_bytes(dtype), &out->data);
}

vx_status vx_take_seq(vx_ctx *ctx, vx_dtype dtype, int64_t rows, int64_t cols, int64_t halo,
                      vx_tensor *out)
{
    assert(rows >= 0 && halo >= 0);
    *out = vx_view2((vx_dev){0}, dtype, rows, cols);
    out->halo = halo;
    int64_t room = (rows + VX_SEQ_TILE - 1) / VX_SEQ_TILE * VX_SEQ_TILE + 2 * halo;
    size_t row_bytes = (size_t)cols * vx_dtype_bytes(dtype);
    VX_TRY(vx_take_bytes(ctx, (size_t)room * row_bytes, &out->data));
    out->data = vx_dev_plus(out->data, halo * (int64_t)row_bytes);
    return VX_OK;
}

void vx_observe(vx_ctx *ctx, const vx_tensor *tensor, const char *format, ...)
{
    if (ctx->observe == NULL || ctx->plan) return;
    char name[96];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    ctx->observe(ctx->observe_arg, ctx, name, tensor);
}
