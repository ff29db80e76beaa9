#include "server/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"

vx_status vx_feed_open(vx_feed **out, const char *folder, vx_error *err)
{
    *out = NULL;
    vx_feed *feed = vx_heap_alloc(sizeof *feed);
    if (feed == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for an answer");
    feed->fd = folder != NULL ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
    if (feed->fd < 0) feed->fd = memfd_create("vortex", MFD_CLOEXEC);
    if (feed->fd < 0) {
        int cause = errno;
        vx_heap_free(feed);
        return vx_fail_write(err, cause, "make", "a temporary file");
    }
    atomic_store(&feed->holders, 1);
    *out = feed;
    return VX_OK;
}

int vx_feed_write(vx_feed *feed, const void *bytes, size_t count)
{
    const char *at = bytes;
    long long offset = atomic_load(&feed->written);
    while (count > 0) {
        ssize_t done = pwrite(feed->fd, at, count, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return -1;
        at += done;
        count -= (size_t)done;
        offset += done;
        atomic_store(&feed->written, offset);
    }
    return 0;
}

void vx_feed_end(vx_feed *feed, bool whole)
{
    atomic_store(&feed->end, whole ? 1 : -1);
}

ssize_t vx_feed_read(vx_feed *feed, int64_t offset, void *buffer, size_t room)
{
    int64_t there = atomic_load(&feed->written) - offset;
    if (there <= 0) return 0;
    return pread(feed->fd, buffer, there < (int64_t)room ? (size_t)there : room, offset);
}

vx_feed *vx_feed_hold(vx_feed *feed)
{
    atomic_fetch_add(&feed->holders, 1);
    return feed;
}

void vx_feed_drop(vx_feed **feed)
{
    vx_feed *f = *feed;
    *feed = NULL;
    if (f == NULL || atomic_fetch_sub(&f->holders, 1) > 1) return;
    close(f->fd);
    vx_heap_free(f);
}
