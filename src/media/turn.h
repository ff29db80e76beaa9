/* Turning pictures upright. Private to src/media. */
#ifndef VX_MEDIA_TURN_H
#define VX_MEDIA_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "media/image.h"

/* Orientations are EXIF's, 1 to 8; 1 is upright. True when width and height change places. */
static inline bool vx_turn_swaps(int orientation)
{
    return orientation >= 5;
}

/* Writes `from` upright into `to`, which has its size, or that with the sides swapped. */
void vx_turn(const vx_picture *from, int orientation, const vx_picture *to);

/* The same for row y of a picture of width x height. */
void vx_turn_row(const uint8_t *row, int y, int width, int height, int orientation,
                 const vx_picture *to);

/* The orientation that a film's display matrix asks for (ISO/IEC 14496-12, 8.3.2: nine numbers,
 * column by column a b u, c d v, x y w); 1 for those that turn by no right angle. */
int vx_turn_of_matrix(const int32_t matrix[9]);

#endif
