/* Still images: any of PNG, JPEG, WebP, GIF, BMP, TIFF, PNM and QOI in, PNG out.
 *
 * Reading gives 8-bit RGB the way Pillow's convert("RGB") does: alpha is dropped, not blended;
 * palettes and grey are expanded; JPEG chroma is upsampled as libjpeg does. 16-bit samples keep
 * their high byte (Pillow clips grey ones at 255 instead). An EXIF orientation is applied, so that
 * a photograph from a phone stands upright. Of an animation the first frame is taken. */
#ifndef VX_MEDIA_IMAGE_H
#define VX_MEDIA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Longest side that is read: a 201 MB picture, far above any screen; beyond it is a bomb. */
enum { VX_IMAGE_SIDE_MAX = 8192 };
/* Longest file: an uncompressed 16-bit RGBA picture of that size. */
#define VX_IMAGE_BYTES_MAX ((size_t)VX_IMAGE_SIDE_MAX * VX_IMAGE_SIDE_MAX * 8 + (1 << 20))

/* A view of RGB pixels, 8 bits each; whoever hands it out says who owns the memory. */
typedef struct vx_picture {
    uint8_t *rgb; /* top left */
    int width, height;
    ptrdiff_t stride; /* bytes from row to row, >= 3*width */
} vx_picture;

static inline uint8_t *vx_picture_row(const vx_picture *picture, int y)
{
    return picture->rgb + (ptrdiff_t)y * picture->stride;
}

/* A black picture with dense rows on the heap; free with vx_image_free. VX_ERR_USAGE for a size
 * outside 1..VX_IMAGE_SIDE_MAX. */
vx_status vx_image_new(vx_picture *picture, int width, int height, vx_error *err);

/* The picture is the caller's (vx_image_free) and its rows are dense. As vx_file_read; VX_ERR_INPUT when the format is not one of ours, the file is broken or cut short, or a side exceeds
 * VX_IMAGE_SIDE_MAX; *picture is empty then. "-" is stdin. */
vx_status vx_image_read(vx_picture *picture, const char *path, vx_error *err);
/* The same from memory; `name` stands in messages. */
vx_status vx_image_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                          vx_error *err);
/* Frees what the functions above gave and empties the view; safe on an empty one. */
void vx_image_free(vx_picture *picture);

/* A lossless PNG, the same bytes for the same pixels; whole or not there, "-" is stdout. */
vx_status vx_image_write_png(const vx_picture *picture, const char *path, vx_error *err);

#endif
