/* Pictures out, by what their name ends in: .png, or .jpg and .jpeg. */
#ifndef VX_MEDIA_IMAGE_OUT_H
#define VX_MEDIA_IMAGE_OUT_H

#include "media/image.h"

/* Whether such a name can be written, to be asked before the work: VX_ERR_USAGE for a
 * foreign ending, VX_ERR_MISSING when FFmpeg here has no JPEG encoder. "-" and a name
 * without an ending are PNG. */
vx_status vx_image_write_check(const char *path, vx_error *err);

/* Writes it: PNG without loss, or JPEG of nearly the same looks (4:4:4, quantiser 2). The same
 * picture gives the same bytes. VX_ERR_IO when the file can't be written; statuses of the check. */
vx_status vx_image_write(const vx_picture *picture, const char *path, vx_error *err);
/* PNG whatever the name says; whole or not there, "-" is stdout. */
vx_status vx_image_write_png(const vx_picture *picture, const char *path, vx_error *err);

/* The same bytes to `write`, in one call; anything but 0 from it is VX_ERR_CANCELLED. */
vx_status vx_image_give(const vx_picture *picture, bool jpeg,
                        int (*write)(void *arg, const void *bytes, size_t count), void *arg,
                        vx_error *err);

#endif
