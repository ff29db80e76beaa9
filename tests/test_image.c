/* Still images: equal to Pillow's reading, refusing what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/warnings.h"
#include "media/image.h"
#include "media/image_out.h"

#define DATA VX_TEST_DATA "/media/"

typedef struct sample {
    char name[64];
    int width, height, tolerance;
} sample;

/* The lines of list.txt. */
static int read_list(sample *list, int max)
{
    FILE *f = fopen(DATA "list.txt", "r");
    assert_non_null(f);
    int count = 0;
    while (count < max && fscanf(f, "%63s %d %d %d", list[count].name, &list[count].width,
                                 &list[count].height, &list[count].tolerance) == 4)
        count++;
    fclose(f);
    assert_true(count > 20);
    assert_true(count < max);
    return count;
}

static bool is_heif(const char *name)
{
    return strstr(name, ".heic") != NULL || strstr(name, ".avif") != NULL;
}

static void reads_what_pillow_reads(void **state)
{
    (void)state;
    sample list[64];
    int count = read_list(list, 64), failed = 0;
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, DATA "%.63s", list[i].name);
        vx_picture picture;
        vx_error err = {0};
        vx_status status = vx_image_read(&picture, path, NULL, &err);
        if (status == VX_ERR_MISSING && is_heif(list[i].name)) {
            print_message("%s is left out: %s\n", list[i].name, err.message);
            continue;
        }
        if (status != VX_OK) {
            print_error("%s: %s\n", list[i].name, err.message);
            failed++;
            continue;
        }
        assert_int_equal(picture.width, list[i].width);
        assert_int_equal(picture.height, list[i].height);
        strcat(path, ".rgb");
        char *expected;
        size_t bytes;
        assert_int_equal(vx_file_read(path, 1 << 20, &expected, &bytes, NULL), VX_OK);
        assert_int_equal(bytes, (size_t)picture.width * picture.height * 3);
        int worst = 0, different = 0;
        for (size_t b = 0; b < bytes; b++) {
            int difference = abs((int)picture.rgb[b] - (int)(uint8_t)expected[b]);
            if (difference > worst) worst = difference;
            different += difference > 0;
        }
        /* The colours of ink are another formula, and libheif rounds in its own way; JPEG otherwise
         * differs in few samples. */
        bool many = different * 5 > (int)bytes && strcmp(list[i].name, "cmyk.jpg") != 0 &&
                    !is_heif(list[i].name);
        if (worst > list[i].tolerance || many) {
            print_error("%s: %d of %zu differ, by %d at most, allowed %d\n", list[i].name,
                        different, bytes, worst, list[i].tolerance);
            failed++;
        }
        vx_heap_free(expected);
        vx_image_free(&picture);
        assert_null(picture.rgb);
    }
    assert_int_equal(failed, 0);
}

static void cut_images_are_refused_or_whole(void **state)
{
    (void)state;
    sample list[64];
    int count = read_list(list, 64), failed = 0;
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, DATA "%.63s", list[i].name);
        char *data;
        size_t bytes;
        assert_int_equal(vx_file_read(path, 1 << 20, &data, &bytes, NULL), VX_OK);
        vx_picture whole;
        vx_status opened = vx_image_decode(&whole, data, bytes, "whole", NULL, NULL);
        if (opened == VX_ERR_MISSING && is_heif(list[i].name)) {
            vx_heap_free(data);
            continue;
        }
        assert_int_equal(opened, VX_OK);
        size_t accepted = 0, lowest = bytes;
        for (size_t cut = 0; cut < bytes; cut++) {
            /* An exact block, so that ASan sees a read past its end. */
            char *part = malloc(cut + 1);
            memcpy(part, data, cut);
            vx_picture picture;
            vx_error err = {0};
            vx_status status = vx_image_decode(&picture, part, cut, list[i].name, NULL, &err);
            free(part);
            if (status == VX_OK) {
                /* What is missing may be no part of the picture: the trailer of a GIF. */
                bool same = memcmp(picture.rgb, whole.rgb,
                                   (size_t)whole.stride * (size_t)whole.height) == 0;
                vx_image_free(&picture);
                if (same) continue;
                accepted++;
                if (cut < lowest) lowest = cut;
                continue;
            }
            assert_int_equal(status, VX_ERR_INPUT);
            assert_true(err.message[0] != '\0');
        }
        vx_image_free(&whole);
        vx_heap_free(data);
        if (accepted > 0) {
            print_error("%s: %zu cuts accepted, the shortest at %zu of %zu\n", list[i].name,
                        accepted, lowest, bytes);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void broken_images_never_crash(void **state)
{
    (void)state;
    sample list[64];
    int count = read_list(list, 64);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, DATA "%.63s", list[i].name);
        char *data;
        size_t bytes;
        assert_int_equal(vx_file_read(path, 1 << 20, &data, &bytes, NULL), VX_OK);
        for (uint64_t round = 0; round < 60; round++) {
            uint32_t r[4];
            vx_philox(round, VX_STREAM_TEST, (uint64_t)i, r);
            size_t at = r[0] % bytes;
            char old = data[at];
            data[at] = (char)r[1];
            vx_picture picture;
            vx_error err = {0};
            vx_status status = vx_image_decode(&picture, data, bytes, "broken", NULL, &err);
            if (status == VX_OK) {
                assert_in_range(picture.width, 1, VX_IMAGE_SIDE_MAX);
                assert_in_range(picture.height, 1, VX_IMAGE_SIDE_MAX);
            } else {
                assert_null(picture.rgb);
                assert_true(err.message[0] != '\0');
            }
            vx_image_free(&picture);
            data[at] = old;
        }
        vx_heap_free(data);
    }
}

/* A grey PPM of that size in memory, of `bytes` bytes in all; the rest is zero. */
static vx_status decode_ppm(int width, int height, size_t bytes, vx_error *err)
{
    char *data = vx_heap_alloc(bytes);
    snprintf(data, bytes, "P5 %d %d 255\n", width, height);
    vx_picture picture;
    vx_status status = vx_image_decode(&picture, data, bytes, "sized", NULL, err);
    if (status == VX_OK) assert_int_equal(picture.width, width);
    vx_image_free(&picture);
    vx_heap_free(data);
    return status;
}

static void sizes_have_limits(void **state)
{
    (void)state;
    vx_error err = {0};
    assert_int_equal(decode_ppm(8192, 2, 16384 + 64, &err), VX_OK);
    assert_int_equal(decode_ppm(8193, 2, 16386 + 64, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "8193x2"));
    assert_non_null(strstr(err.message, "8192"));
    assert_int_equal(decode_ppm(2, 8193, 16386 + 64, &err), VX_ERR_INPUT);
    assert_int_equal(decode_ppm(0, 5, 64, &err), VX_ERR_INPUT);
    assert_int_equal(decode_ppm(2000000000, 2000000000, 64, &err), VX_ERR_INPUT);
    /* A PNG header that promises 100000 x 100000. */
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(DATA "rgb.png", 1 << 20, &data, &bytes, NULL), VX_OK);
    memcpy(data + 16, "\0\1\x86\xA0\0\1\x86\xA0", 8);
    vx_picture picture;
    assert_int_equal(vx_image_decode(&picture, data, bytes, "bomb", NULL, &err), VX_ERR_INPUT);
    vx_heap_free(data);
    assert_int_equal(vx_image_new(&picture, 0, 4, &err), VX_ERR_USAGE);
    assert_int_equal(vx_image_new(&picture, 4, 8193, &err), VX_ERR_USAGE);
}

/* A grey JPEG in which every block is the same, on the heap: tables with one code of one bit each, so
 * that a block is two zero bits, or one in a progressive file's only scan. */
static uint8_t *grey_jpeg(int width, int height, bool progressive, size_t *bytes)
{
    static const uint8_t tables[] = {
        0xFF, 0xC4, 0, 20, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0xFF, 0xC4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    size_t blocks = (size_t)((width + 7) / 8) * (size_t)((height + 7) / 8);
    size_t scan = (blocks * (progressive ? 1 : 2) + 7) / 8;
    uint8_t *data = vx_heap_alloc(256 + scan), *p = data;
    memcpy(p, "\xFF\xD8\xFF\xDB\0\x43\0", 7);
    memset(p + 7, 1, 64);
    p += 71;
    const uint8_t frame[] = {0xFF,
                             progressive ? 0xC2 : 0xC0,
                             0,
                             11,
                             8,
                             (uint8_t)(height >> 8),
                             (uint8_t)height,
                             (uint8_t)(width >> 8),
                             (uint8_t)width,
                             1,
                             1,
                             0x11,
                             0};
    memcpy(p, frame, sizeof frame);
    p += sizeof frame;
    memcpy(p, tables, sizeof tables);
    p += sizeof tables;
    const uint8_t start[] = {0xFF, 0xDA, 0, 8, 1, 1, 0, 0, (uint8_t)(progressive ? 0 : 63), 0};
    memcpy(p, start, sizeof start);
    p += sizeof start + scan;
    memcpy(p, "\xFF\xD9", 2);
    *bytes = (size_t)(p + 2 - data);
    return data;
}

static void large_jpegs_are_halved(void **state)
{
    (void)state;
    static const struct {
        int width, height, out;
        bool progressive;
    } cases[] = {{40, 24, 40, false},        {5000, 4000, 5000, false}, {9000, 40, 4500, false},
                 {12000, 8000, 6000, false}, {10001, 10000, 0, false},  {40000, 40, 5000, false},
                 {65500, 40, 8188, false},   {40, 24, 40, true},        {12000, 8000, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bytes;
        vx_picture picture;
        vx_error err = {0};
        vx_image_reading reading = {0};
        uint8_t *data = grey_jpeg(cases[i].width, cases[i].height, cases[i].progressive, &bytes);
        vx_status status = vx_image_decode(&picture, data, bytes, "large", &reading, &err);
        if (cases[i].out == 0) {
            assert_int_equal(status, VX_ERR_INPUT);
            assert_non_null(strstr(err.message, "make it smaller"));
        } else {
            assert_int_equal(status, VX_OK);
            assert_int_equal(picture.width, cases[i].out);
            assert_int_equal(reading.width, cases[i].width);
            assert_int_equal(reading.height, cases[i].height);
            assert_int_equal(picture.rgb[0], 128);
        }
        vx_image_free(&picture);
        vx_heap_free(data);
    }
}

/* Averages blocks of pixels, the last ones too, and turns afterwards. */
static void large_pictures_are_reduced(void **state)
{
    (void)state;
    enum { W = 37, H = 23 };
    char *data, *turned;
    size_t bytes, turned_bytes;
    vx_picture whole, small;
    vx_image_reading reading = {.side_max = 10};
    assert_int_equal(vx_file_read(DATA "rgb.png", 1 << 20, &data, &bytes, NULL), VX_OK);
    assert_int_equal(vx_image_decode(&whole, data, bytes, "whole", NULL, NULL), VX_OK);
    assert_int_equal(vx_image_decode(&small, data, bytes, "small", &reading, NULL), VX_OK);
    assert_int_equal(small.width, (W + 2) / 3);
    assert_int_equal(small.height, (H + 2) / 3);
    assert_int_equal(reading.width, W);
    assert_int_equal(reading.height, H);
    for (int y = 0; y < small.height; y++)
        for (int x = 0; x < 3 * small.width; x++) {
            int sum = 0, count = 0;
            for (int dy = 0; dy < 3 && 3 * y + dy < H; dy++)
                for (int dx = 0; dx < 3 && x / 3 * 3 + dx < W; dx++, count++)
                    sum += vx_picture_row(&whole, 3 * y + dy)[(x / 3 * 3 + dx) * 3 + x % 3];
            assert_int_equal(vx_picture_row(&small, y)[x], (sum + count / 2) / count);
        }
    vx_image_free(&small);
    reading = (vx_image_reading){.side_max = 2};
    assert_int_equal(vx_file_read(DATA "exif6.jpg", 1 << 20, &turned, &turned_bytes, NULL), VX_OK);
    assert_int_equal(vx_image_decode(&small, turned, turned_bytes, "6", &reading, NULL), VX_OK);
    assert_int_equal(reading.width, 5);
    assert_int_equal(reading.height, 8);
    assert_int_equal(small.width, 2);
    assert_int_equal(small.height, 2);
    vx_image_free(&small);
    vx_image_free(&whole);
    vx_heap_free(data);
    vx_heap_free(turned);
}

/* What the decoder takes can lie in memory that is there. */
static void memory_can_be_lent(void **state)
{
    (void)state;
    static uint8_t memory[16384];
    vx_picture plain, lent;
    vx_image_reading reading = {.memory = memory, .memory_bytes = sizeof memory};
    assert_int_equal(vx_image_read(&plain, DATA "rgb.png", NULL, NULL), VX_OK);
    assert_int_equal(vx_image_read(&lent, DATA "rgb.png", &reading, NULL), VX_OK);
    assert_memory_equal(plain.rgb, lent.rgb, 37 * 23 * 3);
    int used = 0;
    for (size_t i = 0; i < sizeof memory; i++)
        used += memory[i] != 0;
    assert_true(used > 37 * 23);
    vx_image_free(&plain);
    vx_image_free(&lent);
}

static void background_shows_through(void **state)
{
    (void)state;
    static const uint8_t white[3] = {255, 255, 255}, blue[3] = {0, 0, 255};
    vx_picture on_white, on_blue;
    vx_image_reading reading = {.background = blue};
    vx_warnings warnings;
    vx_warnings_init(&warnings);
    vx_warnings *before = vx_warnings_scope(&warnings);
    assert_int_equal(vx_image_read(&on_white, DATA "rgb.png", &reading, NULL), VX_OK);
    assert_int_equal(warnings.count, 0);
    vx_image_free(&on_white);
    assert_int_equal(vx_image_read(&on_white, DATA "rgba.png", NULL, NULL), VX_OK);
    assert_int_equal(vx_image_read(&on_blue, DATA "rgba.png", &reading, NULL), VX_OK);
    assert_int_equal(warnings.count, 1);
    assert_string_equal(warnings.item[0].code, "transparent");
    vx_warnings_scope(before);
    /* The first pixel's alpha is 0, the last one's 80. */
    assert_memory_equal(on_white.rgb, white, 3);
    assert_memory_equal(on_blue.rgb, blue, 3);
    size_t last = 3 * (37 * 23 - 1);
    assert_int_equal(on_blue.rgb[last + 2], on_white.rgb[last + 2]);
    assert_true(abs(on_white.rgb[last] - on_blue.rgb[last] - (255 - (37 * 23 - 1) % 256)) <= 1);
    vx_image_free(&on_white);
    vx_image_free(&on_blue);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    vx_picture picture;
    vx_error err = {0};
    assert_int_equal(vx_image_read(&picture, DATA "none.png", NULL, &err), VX_ERR_MISSING);
    assert_string_equal(err.code, "no_such_file");
    assert_int_equal(err.status, VX_ERR_MISSING);
    assert_int_equal(vx_image_read(&picture, DATA "list.txt", NULL, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_image");
    assert_int_equal(vx_image_read(&picture, VX_TEST_DATA, NULL, &err), VX_ERR_INPUT);
    assert_int_equal(vx_image_decode(&picture, "", 0, "empty", NULL, &err), VX_ERR_INPUT);
    assert_int_equal(vx_image_read(&picture, "/dev/null", NULL, &err), VX_ERR_INPUT);
}

static void png_round_trip(void **state)
{
    (void)state;
    char path[] = "/tmp/vx-image-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    vx_picture picture;
    assert_int_equal(vx_image_new(&picture, 61, 47, NULL), VX_OK);
    for (int i = 0; i < 61 * 47 * 3; i++)
        picture.rgb[i] = (uint8_t)(i * 7 + i / 61);
    /* A part of it: rows that are not dense. */
    vx_picture part = {vx_picture_row(&picture, 5) + 3 * 9, 40, 30, picture.stride};
    char *first, *second;
    size_t bytes[2];
    assert_int_equal(vx_image_write_png(&part, path, NULL), VX_OK);
    assert_int_equal(vx_file_read(path, 1 << 20, &first, &bytes[0], NULL), VX_OK);
    assert_int_equal(vx_image_write_png(&part, path, NULL), VX_OK);
    assert_int_equal(vx_file_read(path, 1 << 20, &second, &bytes[1], NULL), VX_OK);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(first, second, bytes[0]);
    vx_heap_free(first);
    vx_heap_free(second);
    vx_picture back;
    assert_int_equal(vx_image_read(&back, path, NULL, NULL), VX_OK);
    assert_int_equal(back.width, 40);
    assert_int_equal(back.height, 30);
    for (int y = 0; y < 30; y++)
        assert_memory_equal(vx_picture_row(&back, y), vx_picture_row(&part, y), 120);
    vx_image_free(&back);
    unlink(path);
    vx_error err = {0};
    assert_int_equal(vx_image_write_png(&part, "/dev/full", &err), VX_ERR_IO);
    vx_image_free(&picture);
}

static int heap_is_empty(void **state)
{
    (void)state;
    return vx_heap_read().live_bytes != 0;
}

int main(void)
{
    vx_log_setup(VX_LOG_ERROR, false); /* thousands of broken pictures are transparent */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_pillow_reads),
        cmocka_unit_test(cut_images_are_refused_or_whole),
        cmocka_unit_test(broken_images_never_crash),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(large_jpegs_are_halved),
        cmocka_unit_test(large_pictures_are_reduced),
        cmocka_unit_test(memory_can_be_lent),
        cmocka_unit_test(background_shows_through),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(png_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_empty);
}
