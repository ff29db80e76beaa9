/* Files that a document names: a recipe's picture.
 *
 * A document is not a command line. What it names is opened only when it is a regular file: no
 * standard input, no pipe, socket or device, nothing of /proc or /sys. A document that somebody
 * sent us is confined besides: it may name files beneath one folder, whatever ".." and links say,
 * or none at all; and what it is told does not depend on what there is elsewhere. */
#ifndef VX_BASE_NAMED_H
#define VX_BASE_NAMED_H

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct vx_named {
    const char *name; /* as the document has it */
    const char
        *folder; /* where a relative name begins; NULL: the working folder, or, confined, nowhere */
    bool confined; /* beneath the folder alone */
} vx_named;

/* Where it lies, as far as links do not say otherwise; false when that is too long a
 * path. Not for opening. */
bool vx_named_path(const vx_named *file, char path[PATH_MAX]);

/* Opens for reading, never blocking. VX_ERR_INPUT when a document must not name this, else as
 * vx_fail_read; of a confined one every failure is the same VX_ERR_INPUT and names no path of ours.
 * *fd is -1 on failure. */
vx_status vx_named_open(const vx_named *file, int *fd, vx_error *err);

/* The whole file in a heap block (vx_heap_free) that is followed by a NUL. VX_ERR_INPUT when it is
 * longer than bytes_max; *data is NULL on failure. */
vx_status vx_named_read(const vx_named *file, size_t bytes_max, char **data, size_t *bytes,
                        vx_error *err);

/* Whether it could be opened now. */
vx_status vx_named_check(const vx_named *file, vx_error *err);

#endif
