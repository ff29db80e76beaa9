/* Turned and scaled pictures: cutting a square out of a picture, and putting it back. */
#ifndef VX_MEDIA_WARP_H
#define VX_MEDIA_WARP_H

#include "media/image.h"

/* A square in a picture: its centre, its side, and the direction of its left-to-right axis. Pixel
 * (i, j) covers [i, i+1) x [j, j+1). */
typedef struct vx_square {
    double x, y, side, cos, sin;
} vx_square;

/* The square; what lies outside the picture is black. `out` is a square, each of its pixels the
 * mean of samples x samples bilinear ones, 1 to 16. */
void vx_warp_out(const vx_picture *in, const vx_square *square, int samples, const vx_picture *out);

/* A place in the square, 0..1 from its top left corner, as one in the picture, and the other way;
 * and the turn of the square in degrees, clockwise. */
void vx_square_at(const vx_square *square, double u, double v, double at[2]);
void vx_square_place(const vx_square *square, double x, double y, double at[2]);
double vx_square_angle(const vx_square *square);

/* Where the square lies in a picture, and how much of it shows: a border of 1/32 of the side
 * fades in, as in LivePortrait's mask_template.png (16 of 512 pixels). mask [height][width],
 * 255: the square alone. */
typedef struct vx_paste {
    vx_square square;
    uint8_t *mask;
    uint8_t *match;               /* what vx_paste_match found; NULL: nothing is matched */
    int left, top, right, bottom; /* what it touches, inside the picture */
} vx_paste;

/* Fills the mask for a picture of that size; `mask` has width * height bytes. */
void vx_paste_prepare(vx_paste *paste, const vx_square *square, uint8_t *mask, int width,
                      int height);
/* What has to be added to an inset like `rest`, which shows what lies below it, so that no border
 * is seen: near the mask's rim all of the difference, further in what is left of it in cells of
 * 1/16 of the side. `match` has 3 * width * height bytes, 128: nothing. */
void vx_paste_match(vx_paste *paste, const vx_picture *below, const vx_picture *rest,
                    uint8_t *match);
/* out = mask * inset + (1 - mask) * below, where the square is; nothing else is written. The three
 * pictures and the mask agree in size but for `inset`, which is the square's content. */
void vx_paste_in(const vx_paste *paste, const vx_picture *below, const vx_picture *inset,
                 const vx_picture *out);

#endif
