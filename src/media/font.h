/* The shipped font (data/fonts, linked in): letters of one size as coverage, drawn by FreeType
 * without hinting, so that no letter depends on what a machine has installed.
 *
 *     vx_font *font;
 *     vx_letters letters;
 *     VX_TRY(vx_font_open(&font, err));
 *     vx_letters_open(&letters, 20, memory, vx_letters_bytes(20));
 *     status = vx_letters_add(&letters, font, "Naïve?", err);
 *     vx_font_close(&font);            the letters stay
 *     vx_draw_text(&picture, x, y, &letters, 0xFFFFFF, "Naïve?");
 *
 * Sizes are pixels of an em; an English letter is half of that wide on average. Texts are UTF-8; a
 * byte that is none is a character of its own, U+FFFD. */
#ifndef VX_MEDIA_FONT_H
#define VX_MEDIA_FONT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct vx_font vx_font;

/* VX_ERR_MEMORY. FreeType takes some 100 KB of its own until it is closed. */
vx_status vx_font_open(vx_font **font, vx_error *err);
void vx_font_close(vx_font **font); /* safe on NULL; sets NULL */

/* How wide a text is, in ems. What the font lacks has no width. */
double vx_font_width(const vx_font *font, const char *text);

typedef struct vx_glyph {
    uint32_t code;
    int advance;             /* in 1/64 pixels */
    int left, top;           /* of the bitmap: right of the pen, above the base line */
    int width, height;       /* of the bitmap */
    const uint8_t *coverage; /* [height][width], 0..255 */
} vx_glyph;

typedef struct vx_letters {
    double size;
    vx_glyph *glyph; /* in the order in which they came */
    int count;
    uint8_t *bitmaps; /* from here to the end of the memory, the last one first */
} vx_letters;

/* What all letters of the font take at that size. */
size_t vx_letters_bytes(double size);
/* None yet. The memory, aligned for pointers, is the caller's. */
void vx_letters_open(vx_letters *letters, double size, void *memory, size_t bytes);
/* The letters of a text that are not there yet. What the font lacks is left out. VX_ERR_MEMORY. */
vx_status vx_letters_add(vx_letters *letters, vx_font *font, const char *text, vx_error *err);
/* NULL when it is not there. */
const vx_glyph *vx_letters_glyph(const vx_letters *letters, uint32_t code);

/* Pixels from one line to the next, and from a line's top to its base line. */
int vx_letters_line(const vx_letters *letters);
int vx_letters_ascent(const vx_letters *letters);

/* The character at *text, which moves on. */
uint32_t vx_font_next(const char **text);

#endif
