/* Resizing 8-bit RGB exactly as Pillow's Image.resize does.
 *
 * Two passes, each a weighted sum in 22-bit fixed point that is rounded to 8 bits. When a picture
 * shrinks the filter widens with it, so nothing aliases. Weights, their rounding and the order of
 * the passes are those of Pillow 13 (src/libImaging/Resample.c), so every byte is equal; Pillow 12
 * and older begin with the columns always, which differs by a few levels where a picture loses
 * more than twice as many rows as columns.
 *
 * No heap: the caller gives the scratch that vx_resize_bytes asks for. */
#ifndef VX_MEDIA_RESIZE_H
#define VX_MEDIA_RESIZE_H

#include <stddef.h>

#include "media/image.h"

typedef enum vx_filter {
    VX_FILTER_BOX,      /* mean of the area that a pixel covers */
    VX_FILTER_BILINEAR, /* triangle */
    VX_FILTER_BICUBIC,  /* Keys, a = -0.5 */
    VX_FILTER_LANCZOS   /* three lobes */
} vx_filter;

/* The output is a window of a picture that is resized as a whole, so a crop costs no more than what
 * it shows. A plain resize has the window {0, 0, width, height}. */
typedef struct vx_resize_params {
    vx_filter filter;
    int width, height;                    /* of the whole resized picture, 1 or more */
    int left, top, out_width, out_height; /* the window, inside it */
} vx_resize_params;

/* Bytes of scratch for an input of that size. */
size_t vx_resize_bytes(const vx_resize_params *params, int in_width, int in_height);

/* Writes the window into `out`, whose size is the window's; it does not overlap `in`. `scratch` is
 * 8-byte aligned. */
void vx_resize(const vx_picture *in, const vx_picture *out, const vx_resize_params *params,
               void *scratch);

/* The whole picture to the size of `out`. */
static inline vx_resize_params vx_resize_whole(vx_filter filter, int width, int height)
{
    return (vx_resize_params){filter, width, height, 0, 0, width, height};
}

/* The whole of an input as large as it must be to cover `width` x `height`, which is cut out around
 * its middle; bicubic. */
vx_resize_params vx_resize_cover(const vx_picture *in, int width, int height);

/* ---- CLIP ------------------------------------------------------------------------------------ */

/* CLIP's view of a picture (transformers' CLIPImageProcessor): the shorter side becomes `size` by
 * bicubic, the longer one floor(size*long/short), then the centre, floored to whole pixels. The
 * model itself takes (x/255 - mean)/std of each channel. */
size_t vx_clip_pixels_bytes(int in_width, int in_height, int size);
/* out: size*size*3 bytes, channels last. */
void vx_clip_pixels(const vx_picture *in, int size, uint8_t *out, void *scratch);

#endif
