/* Plain drawing onto a picture: what a contact sheet needs, and no more.
 *
 * Everything is clipped to the picture; coordinates are pixels, y grows downwards, colours are
 * 0xRRGGBB. Text is UTF-8 in a built-in font of 5x9 pixels in cells of 6x10: ASCII and the phonetic
 * symbols of English. A character it lacks is drawn as a box. */
#ifndef VX_MEDIA_DRAW_H
#define VX_MEDIA_DRAW_H

#include "media/image.h"

enum { VX_TEXT_WIDTH = 6, VX_TEXT_HEIGHT = 10 }; /* of a character's cell, at scale 1 */

void vx_draw_rect(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour);
/* One pixel wide, both ends included. */
void vx_draw_line(const vx_picture *picture, int x0, int y0, int x1, int y1, uint32_t colour);
/* Copies `source` with its top left corner at (x, y). */
void vx_draw_picture(const vx_picture *picture, int x, int y, const vx_picture *source);

/* One line of text whose first cell has its top left corner at (x, y); scale is 1 or more. Returns
 * the width drawn. */
int vx_draw_text(const vx_picture *picture, int x, int y, int scale, uint32_t colour,
                 const char *text);
int vx_text_width(int scale, const char *text);

#endif
