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
    VX_IMAGE_QOI
} vx_image_format;

typedef struct vx_image_info {
    vx_image_format format;
    bool whole;      /* false: the end of the file is missing, as far as the container tells */
    bool animated;   /* WebP with frames, which the decoder does not read */
    int orientation; /* EXIF, 1..8; 1 is upright */
} vx_image_info;

/* Never fails; reads nothing outside [data, data+bytes). */
vx_image_info vx_image_probe(const uint8_t *data, size_t bytes);

#endif
