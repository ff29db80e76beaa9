#include "media/draw.h"

#include <stdlib.h>
#include <string.h>

/* Lays a colour over a pixel, which shows through where opacity is below 255. */
static void blend(uint8_t *pixel, uint32_t colour, int opacity)
{
    for (int c = 0; c < 3; c++) {
        int over = (int)(colour >> (16 - 8 * c) & 0xFF);
        pixel[c] = (uint8_t)((over * opacity + pixel[c] * (255 - opacity) + 127) / 255);
    }
}

static void set_pixel(const vx_picture *picture, int x, int y, uint32_t colour, int opacity)
{
    if (x < 0 || y < 0 || x >= picture->width || y >= picture->height) return;
    blend(vx_picture_row(picture, y) + 3 * (size_t)x, colour, opacity);
}

/* Cuts [*start, *start + *length) to [0, limit) and returns how much fell off in front. */
static int clip(int *start, int *length, int limit)
{
    int64_t begin = *start, end = begin + (*length > 0 ? *length : 0);
    if (begin < 0) begin = 0;
    if (end > limit) end = limit;
    int cut = (int)(begin - *start);
    *start = (int)begin;
    *length = end > begin ? (int)(end - begin) : 0;
    return cut;
}

void vx_draw_shade(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour,
                   int opacity)
{
    clip(&x, &width, picture->width);
    clip(&y, &height, picture->height);
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            set_pixel(picture, column, row, colour, opacity);
}

void vx_draw_rect(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour)
{
    vx_draw_shade(picture, x, y, width, height, colour, 255);
}

/* Bresenham's algorithm, in 64 bits so that ends far outside the picture do not overflow. Such ends
 * cost a step for each pixel outside; callers draw within a few screens. */
void vx_draw_line(const vx_picture *picture, int x0, int y0, int x1, int y1, uint32_t colour)
{
    int64_t dx = llabs((int64_t)x1 - x0), dy = -llabs((int64_t)y1 - y0), error = dx + dy;
    int step_x = x0 < x1 ? 1 : -1, step_y = y0 < y1 ? 1 : -1;
    for (;;) {
        set_pixel(picture, x0, y0, colour, 255);
        if (x0 == x1 && y0 == y1) return;
        int64_t twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x0 += step_x;
        }
        if (twice <= dx) {
            error += dx;
            y0 += step_y;
        }
    }
}

void vx_draw_picture(const vx_picture *picture, int x, int y, const vx_picture *source)
{
    int width = source->width, height = source->height;
    int left = clip(&x, &width, picture->width), top = clip(&y, &height, picture->height);
    for (int row = 0; row < height && width > 0; row++)
        memcpy(vx_picture_row(picture, y + row) + 3 * (size_t)x,
               vx_picture_row(source, top + row) + 3 * (size_t)left, 3 * (size_t)width);
}

static void draw_glyph(const vx_picture *picture, int x, int y, const vx_glyph *g, uint32_t colour)
{
    for (int row = 0; row < g->height; row++)
        for (int column = 0; column < g->width; column++)
            set_pixel(picture, x + column, y + row, colour, g->coverage[row * g->width + column]);
}

/* Pens move by parts of a pixel, letters stand on whole ones. */
static int pixel_of(int64_t pen)
{
    return (int)((pen + 32) >> 6);
}

int vx_draw_text(const vx_picture *picture, int x, int y, const vx_letters *letters,
                 uint32_t colour, const char *text)
{
    int64_t pen = 0;
    int base = y + vx_letters_ascent(letters);
    while (*text != '\0') {
        const vx_glyph *g = vx_letters_glyph(letters, vx_font_next(&text));
        if (g == NULL) continue;
        draw_glyph(picture, x + pixel_of(pen) + g->left, base - g->top, g, colour);
        pen += g->advance;
    }
    return pixel_of(pen);
}

int vx_text_width(const vx_letters *letters, const char *text)
{
    int64_t pen = 0;
    while (*text != '\0') {
        const vx_glyph *g = vx_letters_glyph(letters, vx_font_next(&text));
        if (g != NULL) pen += g->advance;
    }
    return pixel_of(pen);
}
