/* HEIC and AVIF by libheif, which is loaded when the first one comes. Private to src/media. */
#ifndef VX_MEDIA_IMAGE_HEIF_H
#define VX_MEDIA_IMAGE_HEIF_H

#include <stdbool.h>
#include <stddef.h>

#include "media/image.h"

/* The primary picture; libheif applies its own rotation. *blended: something was transparent.
 * VX_ERR_MISSING when the library, version 1.15 or later, or its decoder for this file is not
 * there, with the package to install; VX_ERR_INPUT when the file is broken or too large. */
vx_status vx_heif_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                         vx_image_reading *reading, bool *blended, vx_error *err);

#endif
