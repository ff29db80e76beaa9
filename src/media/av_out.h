/* Where FFmpeg's writers put their bytes: a file that is whole or not there, or a function that is
 * called with them as they come. Private to src/media. */
#ifndef VX_MEDIA_AV_OUT_H
#define VX_MEDIA_AV_OUT_H

#include <libavformat/avformat.h>

#include "base/file.h"

/* Takes the next bytes; anything but 0 stops the writer. */
typedef int (*vx_av_write)(void *arg, const void *bytes, size_t count);

typedef struct vx_av_out {
    vx_outfile file;
    vx_av_write write; /* instead of the file; NULL: the file */
    void *arg;
    AVIOContext *io;
    vx_status status; /* the first failure of writing, which the libraries only pass on */
    vx_error error;
    uint64_t position; /* where the library's next bytes belong */
    uint64_t written;  /* to `write` */
} vx_av_out;

/* Opens the file `path` ("-": stdout), or with `write` nothing but the way to it. VX_ERR_IO,
 * VX_ERR_USAGE, VX_ERR_MEMORY; *out is closed then. */
vx_status vx_av_out_open(vx_av_out *out, const char *path, vx_av_write write, void *arg,
                         vx_error *err);

/* Whether earlier bytes can be corrected. */
bool vx_av_out_seekable(const vx_av_out *out);

/* Bytes without a library; the first failure stays, as with the library's. */
vx_status vx_av_out_put(vx_av_out *out, const void *bytes, size_t count, vx_error *err);
/* The same anywhere in what was written; only when seekable. */
vx_status vx_av_out_put_at(vx_av_out *out, uint64_t offset, const void *bytes, size_t count,
                           vx_error *err);

/* Moves the file to its name and closes. A failure leaves nothing. */
vx_status vx_av_out_commit(vx_av_out *out, vx_error *err);
/* Closes and removes; safe on a closed or zeroed one. */
void vx_av_out_abort(vx_av_out *out);

#endif
