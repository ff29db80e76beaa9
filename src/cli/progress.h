/* Progress bars: on a terminal only, on stderr, at most ten times a second. */
#ifndef VX_CLI_PROGRESS_H
#define VX_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vx_progress {
    bool shown;        /* a terminal, and not --quiet */
    bool bytes;        /* amounts are bytes: written as MB, and the rate as MB/s */
    const char *label; /* not owned */
    const char *unit;  /* "frames", when not bytes */
    uint64_t first;    /* the amount when it began: a resumed download */
    double start_s, drawn_s;
} vx_progress;

/* `unit` NULL: bytes; "": amounts mean nothing by themselves, only their share is shown. */
void vx_progress_start(vx_progress *progress, bool quiet, const char *label, const char *unit);
/* Draws when it is time to. total 0: not known, no share and no time left. */
void vx_progress_update(vx_progress *progress, uint64_t done, uint64_t total);
/* Clears the line. */
void vx_progress_end(vx_progress *progress);

#endif
