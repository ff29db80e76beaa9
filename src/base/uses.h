/* What a command reads and writes, looked at together before anything runs.
 *
 * An hour's work is not to end with a folder that cannot be written, nor a result to lie in the
 * place of another or of what it was made from. */
#ifndef VX_BASE_USES_H
#define VX_BASE_USES_H

#include <stdbool.h>

#include "base/status.h"

typedef enum vx_use_kind {
    VX_USE_NONE,
    VX_USE_IN,
    VX_USE_OUT,        /* a file that is made or replaced; "-" is stdout */
    VX_USE_OUT_FOLDER, /* a folder that is made with those above it */
    VX_USE_OUT_EITHER  /* of a command line: a folder when it ends in '/' or is one, else a file */
} vx_use_kind;

typedef struct vx_use {
    vx_use_kind kind;
    const char *name; /* "--timings", "the recipe": for messages */
    const char *path; /* NULL: not used */
    const char *
        /* "mp4 mkv": what an output may end with when its ending names a format; NULL: all */
        endings;
} vx_use;

/* Whether a path ends in '/' or is a folder already. */
bool vx_names_folder(const char *path);

/* VX_ERR_USAGE when an output is also an input or another output - by device and inode, or, before
 * it exists, by its folder's and its name - or ends as another format does; VX_ERR_IO when it
 * cannot be written there. */
vx_status vx_uses_check(const vx_use *uses, int count, vx_error *err);

#endif
