#include "media/draw.h"

#include <stdlib.h>
#include <string.h>

#include "media/font.h"

static void set_pixel(const vx_picture *picture, int x, int y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= picture->width || y >= picture->height) return;
    uint8_t *p = vx_picture_row(picture, y) + 3 * (size_t)x;
    p[0] = (uint8_t)(colour >> 16);
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)colour;
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

void vx_draw_rect(const vx_picture *picture, int x, int y, int width, int height, uint32_t colour)
{
    clip(&x, &width, picture->width);
    clip(&y, &height, picture->height);
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            set_pixel(picture, column, row, colour);
}

/* Bresenham's algorithm, in 64 bits so that ends far outside the picture do not overflow. Such ends
 * cost a step for each pixel outside; callers draw within a few screens. */
void vx_draw_line(const vx_picture *picture, int x0, int y0, int x1, int y1, uint32_t colour)
{
    int64_t dx = llabs((int64_t)x1 - x0), dy = -llabs((int64_t)y1 - y0), error = dx + dy;
    int step_x = x0 < x1 ? 1 : -1, step_y = y0 < y1 ? 1 : -1;
    for (;;) {
        set_pixel(picture, x0, y0, colour);
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

/* The next code point of valid UTF-8; a stray byte counts as a character of its own. */
static uint32_t next_character(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    int more = p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : p[0] >= 0xC0 ? 1 : 0;
    uint32_t code = more > 0 ? p[0] & (0x3Fu >> more) : p[0];
    int used = 1;
    for (; used <= more && (p[used] & 0xC0) == 0x80; used++)
        code = code << 6 | (p[used] & 0x3F);
    *text += used;
    return used == more + 1 ? code : 0xFFFD;
}

static const glyph *find_glyph(uint32_t code)
{
    size_t low = 0, high = sizeof font / sizeof font[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (font[middle].code == code) return &font[middle];
        if (font[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return &missing_glyph;
}

int vx_draw_text(const vx_picture *picture, int x, int y, int scale, uint32_t colour,
                 const char *text)
{
    int start = x;
    while (*text != '\0') {
        const glyph *g = find_glyph(next_character(&text));
        for (int row = 0; row < 9; row++)
            for (int column = 0; column < 5; column++)
                if (g->row[row] >> (4 - column) & 1)
                    vx_draw_rect(picture, x + column * scale, y + row * scale, scale, scale,
                                 colour);
        x += VX_TEXT_WIDTH * scale;
    }
    return x - start;
}

int vx_text_width(int scale, const char *text)
{
    int count = 0;
    for (; *text != '\0'; count++)
        next_character(&text);
    return count * VX_TEXT_WIDTH * scale;
}
