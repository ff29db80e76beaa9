/* Plain drawing onto a picture: what contact sheets and captions need, and no more.
 *
 * Everything is clipped to the picture; coordinates are pixels, y grows downwards, colours are
 * 0xRRGGBB. */
#ifndef VX_MEDIA_DRAW_H
#define VX_MEDIA_DRAW_H

#include "media/font.h"
#include "media/image.h"

void vx_draw_rect(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour);
/* The same, through which the picture is seen: opacity 0..255. */
void vx_draw_shade(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour,
                   int opacity);
/* One pixel wide, both ends included. */
void vx_draw_line(const vx_picture *picture, int x0, int y0, int x1, int y1, uint32_t colour);
/* Copies `source` with its top left corner at (x, y). */
void vx_draw_picture(const vx_picture *picture, int x, int y, const vx_picture *source);

/* One line of text whose top left corner is at (x, y), in letters that are there (vx_letters_add);
 * others are left out. Returns the width drawn. */
int vx_draw_text(const vx_picture *picture, int x, int y, const vx_letters *letters,
                 uint32_t colour, const char *text);
int vx_text_width(const vx_letters *letters, const char *text);

#endif
