/* Memory and copies of backends whose memory is the process's. */
#include "backend/host.h"

#include <string.h>

#include "base/mem.h"
#include "base/reserve.h"

struct vx_memory {
    void *base;
    size_t bytes;
};

vx_status vx_host_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                          vx_error *err)
{
    if (backend->before_bytes == 0) {
        backend->before_bytes = vx_rss_bytes();
        vx_rss_reset_peak();
    }
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += vx_align_up(room[i].bytes);
    if (bytes == 0) return VX_OK;
    vx_memory *m = vx_heap_alloc(sizeof *m);
    if (m == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for a reservation's description");
    m->bytes = bytes;
    vx_status status = vx_reserve(bytes, &m->base, err);
    if (status != VX_OK) {
        vx_heap_free(m);
        return status;
    }
    char *at = m->base;
    for (int i = 0; i < count; at += vx_align_up(room[i++].bytes)) {
        room[i].at = room[i].place == VX_PLACE_HOST ? (vx_dev){0} : vx_host_dev(at);
        room[i].host = at;
    }
    *memory = m;
    return VX_OK;
}

void vx_host_unreserve(vx_backend *backend, vx_memory *memory)
{
    (void)backend;
    vx_unreserve(memory->base, memory->bytes);
    vx_heap_free(memory);
}

void vx_host_taken(vx_backend *backend, vx_dev at, size_t bytes)
{
    (void)backend;
    vx_unpoison(vx_host(at), bytes);
}

void vx_host_released(vx_backend *backend, vx_dev at, size_t bytes)
{
    (void)backend;
    vx_poison(vx_host(at), bytes);
}

vx_status vx_host_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err)
{
    (void)lane, (void)err;
    memcpy(vx_host(to), host, bytes);
    return VX_OK;
}

vx_status vx_host_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err)
{
    (void)lane, (void)err;
    memcpy(host, vx_host(from), bytes);
    return VX_OK;
}

static size_t row_bytes(const vx_tensor *t)
{
    return (size_t)vx_cols(t) * vx_dtype_bytes(t->dtype);
}

vx_status vx_host_upload(vx_ctx *ctx, const void *host, vx_tensor *out)
{
    (void)ctx;
    size_t bytes = row_bytes(out);
    for (int64_t r = 0; r < vx_rows(out); r++)
        memcpy(vx_row(out, r), (const char *)host + (size_t)r * bytes, bytes);
    vx_host_zero_halo(out);
    return VX_OK;
}

vx_status vx_host_download(vx_ctx *ctx, const vx_tensor *x, void *host)
{
    (void)ctx;
    size_t bytes = row_bytes(x);
    for (int64_t r = 0; r < vx_rows(x); r++)
        memcpy((char *)host + (size_t)r * bytes, vx_row(x, r), bytes);
    return VX_OK;
}

vx_memory_use vx_host_memory(vx_backend *backend)
{
    size_t now = vx_rss_bytes(), peak = vx_rss_peak_bytes(), before = backend->before_bytes;
    return (vx_memory_use){now > before ? now - before : 0, peak > before ? peak - before : 0};
}
