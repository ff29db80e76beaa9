/* What a still image's container says before it is decoded. Private to src/media. */
#ifndef VX_MEDIA_IMAGE_PROBE_H
#define VX_MEDIA_IMAGE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vx_image_format {
    VX_IMAGE_UNKNOWN,
    VX_IMAGE_PNG,
    VX_IMAGE_JPEG,
    VX_IMAGE_WEBP,
    VX_IMAGE_GIF,
    VX_IMAGE_BMP,
    VX_IMAGE_TIFF,
    VX_IMAGE_PNM,
    VX_IMAGE_QOI,
    VX_IMAGE_TGA,
    VX_IMAGE_HEIF /* HEIC and AVIF */
} vx_image_format;

typedef struct vx_image_info {
    vx_image_format format;
    bool whole;        /* false: the end of the file is missing, as far as the container tells */
    bool animated;     /* WebP with frames, which the decoder does not read */
    bool opaque;       /* a fourth channel is no transparency */
    int orientation;   /* EXIF, 1..8; 1 is upright */
    int width, height; /* of a JPEG, or an animation's canvas; else 0 */
    int64_t coefficient_bytes; /* what a progressive JPEG's decoder keeps; else 0 */
    int left, top;             /* where an animation's first frame lies */
    size_t first, first_bytes; /* and where its chunks lie in the file */
} vx_image_info;

/* Bytes that vx_webp_first puts in front of an animation's first frame. */
enum { VX_WEBP_HEAD = 30 };

/* Writes the first frame of an animation as a still WebP, VX_WEBP_HEAD + info->first_bytes bytes at
 * most; how many, 0 when the frame is broken. */
size_t vx_webp_first(const vx_image_info *info, const uint8_t *data, size_t bytes, uint8_t *still);

/* Never fails; reads nothing outside [data, data+bytes). */
vx_image_info vx_image_probe(const uint8_t *data, size_t bytes);

#endif
