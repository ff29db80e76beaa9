/* Quiet: writes that fail instead of raising a signal.
 *
 * A pipe without a reader raises SIGPIPE and a file at its limit SIGXFSZ, in the thread that
 * writes, and both end the process unless somebody asked otherwise. What the process does with
 * signals is the host's to say and not a library's, so here a thread holds these two back for
 * as long as it works for us: the write fails with EPIPE or EFBIG. Threads that are made
 * meanwhile inherit it. */
#ifndef VX_BASE_QUIET_H
#define VX_BASE_QUIET_H

#include <signal.h>

typedef struct vx_quiet {
    sigset_t mask, pending; /* of the thread, before */
} vx_quiet;

/* Keeps errno. They nest. */
void vx_quiet_begin(vx_quiet *quiet);
/* Takes back what was raised since, and puts the thread's mask back. Keeps errno. */
void vx_quiet_end(const vx_quiet *quiet);

#endif
