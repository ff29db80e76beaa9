/* Drawing: the right pixels, and none outside the picture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/draw.h"

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

/* The picture as text, one line per row. */
static const char *as_text(const vx_picture *p, int width, int height)
{
    static char text[400];
    char *at = text;
    for (int y = 0; y < height; y++, *at++ = '\n')
        for (int x = 0; x < width; x++)
            *at++ = vx_picture_row(p, y)[3 * x] == 0x55 ? '.' : '#';
    *at = '\0';
    return text;
}

static void text_is_legible(void **state)
{
    (void)state;
    vx_picture p = island();
    assert_int_equal(vx_draw_text(&p, 0, 0, 1, 0, "Ag\xC9\x99"), 18); /* A g schwa */
    assert_string_equal(as_text(&p, 18, 10), "..#...............\n"
                                             ".#.#..............\n"
                                             "#...#..####.####..\n"
                                             "#...#.#...#.....#.\n"
                                             "#####.#...#.#####.\n"
                                             "#...#.#...#.#...#.\n"
                                             "#...#..####..###..\n"
                                             "..........#.......\n"
                                             ".......###........\n"
                                             "..................\n");
    p = island();
    vx_draw_text(&p, -7, -5, 3, 0, "WWWWWWWW");
    assert_int_equal(changed_inside(&p), changed_anywhere());
    assert_int_equal(vx_text_width(2, "abc"), 36);
    /* Broken and unknown characters are boxes, each of one cell. */
    p = island();
    assert_int_equal(vx_draw_text(&p, 0, 0, 1, 0, "\xE2\x82"), 6);
    assert_string_equal(as_text(&p, 5, 7), "#####\n#...#\n#...#\n#...#\n#...#\n#...#\n#####\n");
    assert_int_equal(vx_text_width(1, "\xFF\xFE\xF0\x9F\x98\x80x"), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_clipped),
        cmocka_unit_test(pictures_are_clipped),
        cmocka_unit_test(text_is_legible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
