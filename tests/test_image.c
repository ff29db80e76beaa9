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
#include "base/mem.h"
#include "base/random.h"
#include "media/image.h"

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
        if (vx_image_read(&picture, path, &err) != VX_OK) {
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
        /* The colours of ink are another formula; JPEG otherwise differs in few samples. */
        bool many = different * 5 > (int)bytes && strcmp(list[i].name, "cmyk.jpg") != 0;
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
        assert_int_equal(vx_image_decode(&whole, data, bytes, "whole", NULL), VX_OK);
        size_t accepted = 0, lowest = bytes;
        for (size_t cut = 0; cut < bytes; cut++) {
            /* An exact block, so that ASan sees a read past its end. */
            char *part = malloc(cut + 1);
            memcpy(part, data, cut);
            vx_picture picture;
            vx_error err = {0};
            vx_status status = vx_image_decode(&picture, part, cut, list[i].name, &err);
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
            vx_status status = vx_image_decode(&picture, data, bytes, "broken", &err);
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
    vx_status status = vx_image_decode(&picture, data, bytes, "sized", err);
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
    assert_int_equal(vx_image_decode(&picture, data, bytes, "bomb", &err), VX_ERR_INPUT);
    vx_heap_free(data);
    assert_int_equal(vx_image_new(&picture, 0, 4, &err), VX_ERR_USAGE);
    assert_int_equal(vx_image_new(&picture, 4, 8193, &err), VX_ERR_USAGE);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    vx_picture picture;
    vx_error err = {0};
    assert_int_equal(vx_image_read(&picture, DATA "none.png", &err), VX_ERR_MISSING);
    assert_string_equal(err.code, "no_such_file");
    assert_int_equal(err.status, VX_ERR_MISSING);
    assert_int_equal(vx_image_read(&picture, DATA "list.txt", &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_image");
    assert_int_equal(vx_image_read(&picture, VX_TEST_DATA, &err), VX_ERR_INPUT);
    assert_int_equal(vx_image_decode(&picture, "", 0, "empty", &err), VX_ERR_INPUT);
    assert_int_equal(vx_image_read(&picture, "/dev/null", &err), VX_ERR_INPUT);
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
    assert_int_equal(vx_image_read(&back, path, NULL), VX_OK);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_pillow_reads),
        cmocka_unit_test(cut_images_are_refused_or_whole),
        cmocka_unit_test(broken_images_never_crash),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(png_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_empty);
}
