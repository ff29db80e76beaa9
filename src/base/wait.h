/* Waiting for pipes, terminals and sockets with an ear for the wish to stop.
 *
 * A blocking read or write hears a signal only on the thread that it hits, and a cancel not at all.
 * So whoever reads or writes what may block opens it without blocking or asks here first. Which
 * token is heeded is a matter of the thread: of the command line's main thread that of its signals,
 * of a slot's threads that of the slot. */
#ifndef VX_BASE_WAIT_H
#define VX_BASE_WAIT_H

#include "base/cancel.h"
#include "base/status.h"

/* The token that this thread's waiting heeds from now on; NULL: none. Returns the one before. */
vx_cancel *vx_wait_scope(vx_cancel *cancel);
/* The same token, for a thread that works for this one. */
vx_cancel *vx_wait_token(void);

/* Waits until fd is ready for `events` (POLLIN, POLLOUT) or has failed. VX_ERR_CANCELLED, with its
 * sentence, when the token is asked first; what is ready already counts as ready. */
vx_status vx_wait_ready(int fd, short events, vx_error *err);
/* Waits a moment, for what poll(2) does not tell; VX_ERR_CANCELLED the same. */
vx_status vx_wait_moment(vx_error *err);

#endif
