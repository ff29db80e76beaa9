/* Still images: any of PNG, JPEG, WebP, HEIC, AVIF, GIF, BMP, TIFF, TGA, PNM and QOI in, PNG out.
 *
 * Reading gives 8-bit RGB the way Pillow's convert("RGB") does: palettes and grey are expanded;
 * JPEG chroma is upsampled as libjpeg does. 16-bit samples keep their high byte (Pillow clips grey
 * ones at 255 instead). Transparency is blended, which convert("RGB") does not do. An EXIF
 * orientation is applied, so that a photograph from a phone stands upright. Of an animation the
 * first frame is taken. */
#ifndef VX_MEDIA_IMAGE_H
#define VX_MEDIA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/status.h"

/* Longest side that is read. */
enum { VX_IMAGE_SIDE_MAX = 8192 };
/* Longest file. */
#define VX_IMAGE_BYTES_MAX ((size_t)64 << 20)
/* What a decoder's picture may take, and the RGB made of it: 32 million pixels of 3 bytes. */
#define VX_IMAGE_DECODED_MAX ((size_t)96000000)
/* Most pixels of a JPEG, which is decoded at a half, a quarter or an eighth
 * when it is too large. */
#define VX_IMAGE_PIXELS_MAX ((int64_t)100000000)

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

/* How a picture is read, and what it was. Zeroed means: as it is, over white. */
typedef struct vx_image_reading {
    vx_cancel *cancel;         /* ends waiting for data; may be NULL */
    bool padded;               /* VX_FILE_PADDING zero bytes follow the data that are decoded */
    const uint8_t *background; /* three bytes that show through transparency; NULL: white */
    int side_max;              /* > 0: a longest side of twice this or more is averaged down to
                                  between this and twice this */
    void *memory;              /* for the decoder's picture, which is then no larger */
    size_t memory_bytes;
    size_t heap_max; /* > 0: most that decoders may take beside that, of what grows with the size */
    int width, height; /* out: what the file says, upright; the picture may be smaller */
} vx_image_reading;

/* The picture is the caller's (vx_image_free) and its rows are dense. `reading` may be NULL. What
 * is transparent is blended over the background, with a warning. As vx_file_read;
 * VX_ERR_INPUT when the format is not one of ours, the file is broken, cut short or longer than
 * VX_IMAGE_BYTES_MAX, a side exceeds VX_IMAGE_SIDE_MAX (unless halving helps a JPEG), or the
 * picture VX_IMAGE_DECODED_MAX; VX_ERR_MISSING when HEIC or AVIF needs a library that is not
 * installed; VX_ERR_CANCELLED. *picture is empty then. "-" is stdin. */
vx_status vx_image_read(vx_picture *picture, const char *path, vx_image_reading *reading,
                        vx_error *err);
/* The same from memory; `name` stands in messages. */
vx_status vx_image_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                          vx_image_reading *reading, vx_error *err);
/* Frees what the functions above gave and empties the view; safe on an empty one. */
void vx_image_free(vx_picture *picture);

#endif
