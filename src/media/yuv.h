/* RGB to the encoder's planes. Private to src/media. */
#ifndef VX_MEDIA_YUV_H
#define VX_MEDIA_YUV_H

#include <stdint.h>

#include "media/image.h"

/* ITU-R BT.709, studio range, 4:2:0 with chroma sited left as H.264 assumes when it is told
 * nothing: on the even columns, between the two rows. The planes have the frame's sides rounded up
 * to even; the last column and row of an odd frame are repeated. `stride` in bytes. */
void vx_rgb_to_yuv420(const vx_picture *frame, uint8_t *const plane[3], const int stride[3]);

#endif
