/* From what decoders give to a picture: colours, transparency, size and orientation, row by row, so
 * that no second whole picture is needed. Private to src/media. */
#ifndef VX_MEDIA_IMAGE_CONVERT_H
#define VX_MEDIA_IMAGE_CONVERT_H

#include <stdbool.h>

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>

#include "media/image.h"

typedef struct vx_image_sink {
    int width, height; /* of the rows that come */
    int reduce;        /* so many pixels, squared, become one */
    int orientation;   /* EXIF's, of the rows */
    const uint8_t *background;
    bool blended;  /* something was transparent */
    uint8_t *line; /* [width, 3]: where the row is put before vx_image_sink_row */
    uint32_t *sums;
    vx_picture *picture;
} vx_image_sink;

/* Makes *picture for rows of width x height. Where their longest side is twice side_max (0: no
 * bound) or more, blocks of pixels are averaged so that it comes out between side_max and twice
 * that. VX_ERR_INPUT when the picture would be beyond VX_IMAGE_DECODED_MAX, or a side beyond
 * VX_IMAGE_SIDE_MAX. `background` (NULL: white) must outlive the sink. */
vx_status vx_image_sink_open(vx_image_sink *sink, vx_picture *picture, int width, int height,
                             int orientation, int side_max, const uint8_t *background,
                             const char *name, vx_error *err);
/* Frees the sink's own memory; the picture stays. */
void vx_image_sink_close(vx_image_sink *sink);

/* Notes a picture's size before it was reduced and turned. */
void vx_image_say_size(vx_image_reading *reading, int width, int height, int orientation);

/* Row y, in order from 0, which stands in sink->line and is consumed; alpha[width] or NULL. */
void vx_image_sink_row(vx_image_sink *sink, int y, const uint8_t *alpha);

/* All rows of the sink from the frame, whose top left corner lies at left, top and which fits; what
 * it does not cover is background. `opaque`: what looks like transparency is none. False without
 * memory. */
bool vx_image_convert(const AVFrame *frame, const AVPixFmtDescriptor *desc, bool opaque, int left,
                      int top, vx_image_sink *sink);

#endif
