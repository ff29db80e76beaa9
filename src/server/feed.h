/* Bytes that one thread makes and clients read while they are made: a film, a sound. They lie in a
 * file without a name, so that they cost no memory that was not planned, and a client that reads
 * slowly holds nobody up. */
#ifndef VX_SERVER_FEED_H
#define VX_SERVER_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct vx_feed {
    atomic_int holders;
    int fd;
    atomic_llong written; /* bytes that may be read */
    atomic_int end;       /* 0: more may come, 1: that was all, -1: what there is is half */
} vx_feed;

/* `folder` is where a file without a name may lie; without one, and where that can't be, memory.
 * VX_ERR_IO. */
vx_status vx_feed_open(vx_feed **feed, const char *folder, vx_error *err);
/* 0, or -1 when the disk is full; by one thread. */
int vx_feed_write(vx_feed *feed, const void *bytes, size_t count);
void vx_feed_end(vx_feed *feed, bool whole);
/* How many bytes from `offset` on are in the buffer; 0: none yet, or no more. */
ssize_t vx_feed_read(vx_feed *feed, int64_t offset, void *buffer, size_t room);
/* Another holder; and one less, the last of which frees it. Sets NULL; safe on NULL. */
vx_feed *vx_feed_hold(vx_feed *feed);
void vx_feed_drop(vx_feed **feed);

#endif
