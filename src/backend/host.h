/* For backends whose memory is the process's own: `cpu` and `ref`, and nobody else. There a vx_dev
 * is a pointer in other clothes. */
#ifndef VX_BACKEND_HOST_H
#define VX_BACKEND_HOST_H

#include <string.h>

#include "backend/backend.h"

static inline void *vx_host(vx_dev at)
{
    return (void *)(uintptr_t)at.at;
}
static inline vx_dev vx_host_dev(const void *pointer)
{
    return (vx_dev){(uintptr_t)pointer};
}

/* Row r of a tensor; r may lie in the halo. */
static inline void *vx_row(const vx_tensor *t, int64_t r)
{
    assert(t->data.at != 0);
    return vx_host(vx_row_at(t, r));
}

/* Verbs of vx_backend_ops over the process's memory. Every place is one mapping (base/reserve.h);
 * the limit of one allocation does not matter. */
vx_status vx_host_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                          vx_error *err);
void vx_host_unreserve(vx_backend *backend, vx_memory *memory);
void vx_host_taken(vx_backend *backend, vx_dev at, size_t bytes);
void vx_host_released(vx_backend *backend, vx_dev at, size_t bytes);

/* Zeroes the halo rows of a tensor that a kernel has written. */
static inline void vx_host_zero_halo(const vx_tensor *t)
{
    size_t bytes = (size_t)vx_cols(t) * vx_dtype_bytes(t->dtype);
    for (int64_t h = 1; h <= t->halo; h++) {
        memset(vx_row(t, -h), 0, bytes);
        memset(vx_row(t, vx_rows(t) + h - 1), 0, bytes);
    }
}

vx_status vx_host_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err);
vx_status vx_host_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err);
vx_status vx_host_upload(vx_ctx *ctx, const void *host, vx_tensor *out);
vx_status vx_host_download(vx_ctx *ctx, const vx_tensor *x, void *host);
/* What the process uses beyond what it did before the backend's first reservation. */
vx_memory_use vx_host_memory(vx_backend *backend);

/* All of them, for a backend's table. */
#ifdef VX_POISON
#define VX_HOST_POISON , .taken = vx_host_taken, .released = vx_host_released
#else
#define VX_HOST_POISON
#endif
#define VX_HOST_VERBS                                                                              \
    .reserve = vx_host_reserve, .unreserve = vx_host_unreserve, .memory = vx_host_memory,          \
    .write = vx_host_write, .read = vx_host_read, .upload = vx_host_upload,                        \
    .download = vx_host_download VX_HOST_POISON

#endif
