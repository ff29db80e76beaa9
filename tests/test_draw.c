/* Drawing: the right pixels, and none outside the picture. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/draw.h"
#include "text/utf8.h"

enum { W = 20, H = 12, GUARD = 40 };

static uint8_t memory[(H + 2 * GUARD) * (W + 2 * GUARD) * 3];

/* A small picture in the middle of a larger field that nobody may touch. */
static vx_picture island(void)
{
    memset(memory, 0x55, sizeof memory);
    ptrdiff_t stride = (W + 2 * GUARD) * 3;
    return (vx_picture){memory + GUARD * stride + GUARD * 3, W, H, stride};
}

static int changed_inside(const vx_picture *p)
{
    int count = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            count += vx_picture_row(p, y)[3 * x] != 0x55;
    return count;
}

static int changed_anywhere(void)
{
    int count = 0;
    for (size_t i = 0; i < sizeof memory; i += 3)
        count += memory[i] != 0x55;
    return count;
}

static void shapes_are_clipped(void **state)
{
    (void)state;
    vx_picture p = island();
    vx_draw_rect(&p, 2, 3, 4, 5, 0x102030);
    assert_int_equal(changed_inside(&p), 20);
    assert_memory_equal(vx_picture_row(&p, 7) + 15, "\x10\x20\x30\x55", 4);
    vx_draw_rect(&p, -1000000000, -1000000000, 2100000000, 2100000000, 0);
    assert_int_equal(changed_inside(&p), W * H);
    assert_int_equal(changed_anywhere(), W * H);
    p = island();
    vx_draw_rect(&p, 5, 5, 0, 3, 0);
    vx_draw_rect(&p, 5, 5, -4, 3, 0);
    vx_draw_rect(&p, W, 0, 5, 5, 0);
    vx_draw_rect(&p, 2147483000, 0, 2147483000, 5, 0);
    assert_int_equal(changed_anywhere(), 0);

    vx_draw_line(&p, 3, 4, 3, 4, 0);
    assert_int_equal(changed_anywhere(), 1);
    vx_draw_line(&p, -30, -20, 50, 30, 0);
    vx_draw_line(&p, 50, -3, -30, 20, 0);
    assert_true(changed_inside(&p) > 20);
    assert_int_equal(changed_inside(&p), changed_anywhere());
    p = island();
    vx_draw_line(&p, 0, 0, W - 1, H - 1, 0);
    assert_int_equal(changed_inside(&p), W);
    assert_int_equal(vx_picture_row(&p, H - 1)[3 * (W - 1)], 0);
}

static void pictures_are_clipped(void **state)
{
    (void)state;
    uint8_t pixels[8 * 8 * 3];
    for (int i = 0; i < 64; i++)
        memset(pixels + 3 * i, i + 100, 3);
    vx_picture source = {pixels, 8, 8, 24};
    vx_picture p = island();
    vx_draw_picture(&p, -3, -2, &source);
    assert_int_equal(changed_inside(&p), 5 * 6);
    assert_int_equal(changed_anywhere(), 5 * 6);
    assert_int_equal(vx_picture_row(&p, 0)[0], 100 + 2 * 8 + 3);
    vx_draw_picture(&p, W - 2, H - 1, &source);
    assert_int_equal(vx_picture_row(&p, H - 1)[3 * (W - 1)], 101);
    vx_draw_picture(&p, 100, 0, &source);
    vx_draw_picture(&p, 0, -8, &source);
    assert_int_equal(changed_anywhere(), 5 * 6 + 2);
}

/* ---- letters --------------------------------------------------------------------------------- */

static vx_font *font;
static _Alignas(16) char letters_memory[2000000];

/* Letters of that size, those of the text. */
static vx_letters letters_of(double size, const char *text)
{
    vx_letters letters;
    assert_true(vx_letters_bytes(size) <= sizeof letters_memory);
    vx_letters_open(&letters, size, letters_memory, vx_letters_bytes(size));
    assert_int_equal(vx_letters_add(&letters, font, text, NULL), VX_OK);
    return letters;
}

static int ink(const vx_glyph *g)
{
    int64_t sum = 0;
    for (int i = 0; i < g->width * g->height; i++)
        sum += g->coverage[i];
    return (int)(sum / 255);
}

static void letters_have_their_shapes(void **state)
{
    (void)state;
    vx_letters letters = letters_of(40, "lxg.\xC9\x99lx");
    assert_int_equal(letters.count, 5);
    const vx_glyph *l = vx_letters_glyph(&letters, 'l'), *x = vx_letters_glyph(&letters, 'x'),
                   *g = vx_letters_glyph(&letters, 'g'), *stop = vx_letters_glyph(&letters, '.'),
                   *schwa = vx_letters_glyph(&letters, 0x259);
    /* An l is a bar that reaches above an x, a g below the base line, a full stop is a dot. */
    assert_true(l->top > x->top && l->width < x->width / 2);
    assert_in_range(x->height - x->top, 0, 1);
    assert_true(g->height > g->top + 5);
    assert_true(stop->height < 8 && ink(stop) > stop->width * stop->height / 2);
    assert_true(ink(l) > l->width * l->height / 2 && ink(x) < x->width * x->height * 6 / 10);
    assert_true(abs(schwa->height - x->height) <= 2 && ink(schwa) > 100);
    /* Without hinting twice the size is twice the width, to 1/64 pixel and rounding. */
    int advance = x->advance;
    letters = letters_of(20, "x");
    assert_in_range(2 * vx_letters_glyph(&letters, 'x')->advance, advance - 2, advance + 2);
    assert_true(fabs(vx_font_width(font, "x") * 20 * 64 - advance / 2.0) < 2);
}

/* Every character that the font has, and a thousand that it lacks. */
static void all_letters_fit_their_memory(void **state)
{
    (void)state;
    static char all[4 * 0x3200];
    char *at = all;
    for (uint32_t c = 0x20; c < 0x2C00; c++)
        at += vx_utf8_encode(c, at);
    *at = '\0';
    static const double sizes[] = {0.3, 7, 12, 33.3, 48};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        vx_letters letters = letters_of(sizes[i], all);
        assert_in_range(letters.count, 1380, 1500);
        assert_true(letters.bitmaps >= (uint8_t *)(letters.glyph + letters.count));
    }
}

static void text_is_drawn_where_it_is_said(void **state)
{
    (void)state;
    vx_letters letters = letters_of(9, "Wide");
    vx_picture p = island();
    int width = vx_draw_text(&p, 1, 0, &letters, 0, "id");
    assert_int_equal(width, vx_text_width(&letters, "id"));
    assert_in_range(changed_anywhere(), 10, width * H);
    assert_int_equal(changed_inside(&p), changed_anywhere());
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            if (x < 1 || x > width + 1) assert_int_equal(vx_picture_row(&p, y)[3 * x], 0x55);
    /* Clipped on every side. */
    p = island();
    for (int y = -9; y < H; y += 3)
        vx_draw_text(&p, -4, y, &letters, 0, "WWWWWWWW");
    assert_int_equal(changed_inside(&p), changed_anywhere());
    /* What the font lacks or was not added, and bytes that are no UTF-8, are left out. */
    assert_int_equal(vx_text_width(&letters, "i\xF0\x9F\x98\x80\xE7\x8E\x8B\xFF\xE2\x82Qd"), width);
    assert_true(vx_font_width(font, "\xF0\x9F\x98\x80") == 0);
}

static void shades_let_through(void **state)
{
    (void)state;
    vx_picture p = island();
    vx_draw_shade(&p, 0, 0, 2, 1, 0xFF0000, 51);
    assert_memory_equal(vx_picture_row(&p, 0), "\x77\x44\x44\x77\x44\x44\x55", 7);
    vx_draw_shade(&p, 0, 0, 2, 1, 0xFF0000, 0);
    assert_int_equal(vx_picture_row(&p, 0)[0], 0x77);
}

static int open_font(void **state)
{
    (void)state;
    return vx_font_open(&font, NULL);
}

static int close_font(void **state)
{
    (void)state;
    vx_font_close(&font);
    vx_font_close(&font);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_clipped),
        cmocka_unit_test(pictures_are_clipped),
        cmocka_unit_test(shades_let_through),
        cmocka_unit_test(letters_have_their_shapes),
        cmocka_unit_test(all_letters_fit_their_memory),
        cmocka_unit_test(text_is_drawn_where_it_is_said),
    };
    return cmocka_run_group_tests(tests, open_font, close_font);
}
