/* Resizing: every byte as Pillow makes it, and CLIP's view of a picture. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/resize.h"

#define DATA VX_TEST_DATA "/resize/"

/* "WxH": a picture of hashed bytes, the one that make_resize_fixtures.py makes; else a file. */
static void open_source(const char *name, vx_picture *picture)
{
    int width, height;
    if (sscanf(name, "%dx%d", &width, &height) == 2) {
        assert_int_equal(vx_image_new(picture, width, height, NULL), VX_OK);
        for (uint32_t i = 0; i < (uint32_t)(width * height * 3); i++)
            picture->rgb[i] = (uint8_t)((i * 2654435761u) >> 24);
        return;
    }
    char path[512];
    snprintf(path, sizeof path, VX_TEST_DATA "/media/%.63s", name);
    assert_int_equal(vx_image_read(picture, path, NULL, NULL), VX_OK);
}

static char *read_data(const char *name, size_t bytes)
{
    char path[512], *data;
    size_t got;
    snprintf(path, sizeof path, DATA "%.63s", name);
    assert_int_equal(vx_file_read(path, 1 << 24, &data, &got, NULL), VX_OK);
    assert_int_equal(got, bytes);
    return data;
}

static vx_filter filter_of(const char *name)
{
    if (strcmp(name, "box") == 0) return VX_FILTER_BOX;
    if (strcmp(name, "bilinear") == 0) return VX_FILTER_BILINEAR;
    if (strcmp(name, "lanczos") == 0) return VX_FILTER_LANCZOS;
    return VX_FILTER_BICUBIC;
}

/* Scratch and output stand between guard bytes, which stay. */
enum { GUARD = 64 };

static uint8_t *guarded(size_t bytes)
{
    uint8_t *block = vx_heap_alloc(bytes + 2 * GUARD);
    memset(block, 0xA5, GUARD);
    memset(block + GUARD + bytes, 0xA5, GUARD);
    return block + GUARD;
}

static void check_guard(uint8_t *data, size_t bytes)
{
    for (int i = 0; i < GUARD; i++) {
        assert_int_equal(data[i - GUARD], 0xA5);
        assert_int_equal(data[bytes + (size_t)i], 0xA5);
    }
    vx_heap_free(data - GUARD);
}

static void every_byte_is_pillows(void **state)
{
    (void)state;
    FILE *f = fopen(DATA "list.txt", "r");
    assert_non_null(f);
    char name[64], filter[64], file[64];
    int whole[2], window[4], lines = 0;
    while (fscanf(f, "%63s %63s %d %d %d %d %d %d %63s", name, filter, &whole[0], &whole[1],
                  &window[0], &window[1], &window[2], &window[3], file) == 9) {
        vx_picture in;
        open_source(name, &in);
        size_t bytes = (size_t)window[2] * (size_t)window[3] * 3;
        char *expected = read_data(file, bytes);
        uint8_t *pixels = guarded(bytes);
        vx_picture out = {pixels, window[2], window[3], (ptrdiff_t)window[2] * 3};
        vx_resize_params params = {filter_of(filter), whole[0],  whole[1], window[0],
                                   window[1],         window[2], window[3]};
        size_t scratch_bytes = vx_resize_bytes(&params, in.width, in.height);
        uint8_t *scratch = guarded(scratch_bytes);
        vx_resize(&in, &out, &params, scratch);
        int worst = 0;
        for (size_t i = 0; i < bytes; i++) {
            int difference = abs((int)pixels[i] - (int)(uint8_t)expected[i]);
            if (difference > worst) worst = difference;
        }
        if (worst != 0) print_error("%s: differs by %d\n", file, worst);
        assert_int_equal(worst, 0);
        check_guard(scratch, scratch_bytes);
        check_guard(pixels, bytes);
        vx_heap_free(expected);
        vx_image_free(&in);
        lines++;
    }
    fclose(f);
    assert_true(lines >= 39);
}

/* The same windows through CLIP's own entry, undone to bytes. */
static void clip_sees_what_transformers_sees(void **state)
{
    (void)state;
    static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
    static const float deviation[3] = {0.26862954f, 0.26130258f, 0.27577711f};
    FILE *f = fopen(DATA "list.txt", "r");
    char name[64], filter[64], file[64];
    int n[6], lines = 0;
    while (fscanf(f, "%63s %63s %d %d %d %d %d %d %63s", name, filter, &n[0], &n[1], &n[2], &n[3],
                  &n[4], &n[5], file) == 9) {
        if (strcmp(filter, "clip") != 0) continue;
        vx_picture in;
        open_source(name, &in);
        char *expected = read_data(file, 24 * 24 * 3);
        uint8_t *scratch = guarded(vx_clip_pixels_bytes(in.width, in.height, 24));
        static uint8_t out[24 * 24 * 3];
        vx_clip_pixels(&in, 24, out, scratch);
        for (int i = 0; i < 24 * 24 * 3; i++)
            assert_int_equal(out[i], (uint8_t)expected[i]);
        check_guard(scratch, vx_clip_pixels_bytes(in.width, in.height, 24));
        vx_heap_free(expected);
        vx_image_free(&in);
        lines++;
    }
    fclose(f);
    assert_true(lines >= 12);

    vx_picture in;
    open_source("rgb.png", &in);
    char *floats = read_data("rgb.png.clip.f32", 24 * 24 * 3 * 4);
    void *scratch = vx_heap_alloc(vx_clip_pixels_bytes(in.width, in.height, 24));
    static uint8_t out[24 * 24 * 3];
    vx_clip_pixels(&in, 24, out, scratch);
    float worst = 0;
    for (int i = 0; i < 24 * 24 * 3; i++) {
        float expected;
        memcpy(&expected, floats + 4 * i, 4);
        float value = ((float)out[i] / 255.0f - mean[i % 3]) / deviation[i % 3];
        worst = fmaxf(worst, fabsf(value - expected));
    }
    print_message("furthest from transformers' floats: %g\n", (double)worst);
    assert_true(worst < 2e-6f);
    vx_heap_free(scratch);
    vx_heap_free(floats);
    vx_image_free(&in);
}

/* A window is a cut from the whole, wherever it lies. */
static void windows_are_cuts(void **state)
{
    (void)state;
    vx_picture in, whole;
    open_source("61x43", &in);
    assert_int_equal(vx_image_new(&whole, 40, 70, NULL), VX_OK);
    vx_resize_params all = vx_resize_whole(VX_FILTER_BICUBIC, 40, 70);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&all, 61, 43));
    vx_resize(&in, &whole, &all, scratch);
    for (int left = 0; left < 30; left += 7)
        for (int top = 0; top < 60; top += 11) {
            uint8_t pixels[10 * 5 * 3];
            vx_picture part = {pixels, 10, 5, 30};
            vx_resize_params window = {VX_FILTER_BICUBIC, 40, 70, left, top, 10, 5};
            assert_true(vx_resize_bytes(&window, 61, 43) <= vx_resize_bytes(&all, 61, 43));
            vx_resize(&in, &part, &window, scratch);
            for (int y = 0; y < 5; y++)
                assert_memory_equal(vx_picture_row(&part, y),
                                    vx_picture_row(&whole, top + y) + 3 * left, 30);
        }
    vx_heap_free(scratch);
    vx_image_free(&whole);
    vx_image_free(&in);
}

/* The largest picture that is read, and no heap on the way. */
static void huge_pictures_shrink(void **state)
{
    (void)state;
    vx_picture in;
    assert_int_equal(vx_image_new(&in, VX_IMAGE_SIDE_MAX, VX_IMAGE_SIDE_MAX / 2, NULL), VX_OK);
    memset(in.rgb, 77, (size_t)in.stride * (size_t)in.height);
    size_t bytes = vx_clip_pixels_bytes(in.width, in.height, 224);
    void *scratch = vx_heap_alloc(bytes);
    uint8_t *out = vx_heap_alloc(224 * 224 * 3);
    vx_heap_counts before = vx_heap_read();
    vx_clip_pixels(&in, 224, out, scratch);
    assert_int_equal(vx_heap_read().calls, before.calls);
    for (int i = 0; i < 224 * 224 * 3; i++)
        assert_int_equal(out[i], 77);
    vx_heap_free(out);
    vx_heap_free(scratch);
    vx_image_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_pillows),
        cmocka_unit_test(clip_sees_what_transformers_sees),
        cmocka_unit_test(windows_are_cuts),
        cmocka_unit_test(huge_pictures_shrink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
