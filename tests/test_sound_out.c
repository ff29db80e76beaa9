/* Sound out in every format, whole and streamed; pictures out by their name. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/image_out.h"
#include "media/sound.h"
#include "media/sound_out.h"
#include "media_helpers.h"

enum { RATE = 24000, SAMPLES = 31277 };

static const char *const endings[VX_SOUND_FORMATS] = {"wav", "flac", "mp3", "opus", "aac", "pcm"};
static float tone[SAMPLES];

static int begin(void **state)
{
    for (int i = 0; i < SAMPLES; i++)
        tone[i] = 0.5f * sinf((float)i * 0.09f);
    return make_scratch(state);
}

/* Bytes that a stream gave. */
typedef struct caught {
    char data[1 << 18];
    size_t count, most; /* most: what it takes */
} caught;

static int catch_bytes(void *arg, const void *bytes, size_t count)
{
    caught *c = arg;
    if (c->count + count > c->most) return 1;
    memcpy(c->data + c->count, bytes, count);
    c->count += count;
    return 0;
}

static vx_status put_in_pieces(const vx_sound_out_params *p, int piece, vx_error *err)
{
    vx_sound_out *out;
    VX_TRY(vx_sound_out_open(&out, p, err));
    for (int at = 0; at < SAMPLES; at += piece) {
        vx_status status =
            vx_sound_out_put(out, tone + at, SAMPLES - at < piece ? SAMPLES - at : piece, err);
        if (status == VX_OK) continue;
        vx_sound_out_abort(&out);
        return status;
    }
    return vx_sound_out_finish(&out, err);
}

static const char *path_of(int format)
{
    char name[32];
    snprintf(name, sizeof name, "t.%s", endings[format]);
    return scratch(name);
}

static void every_format_sounds_alike(void **state)
{
    (void)state;
    for (int f = 0; f < VX_SOUND_PCM; f++) {
        vx_sound_out_params p = {
            .path = path_of(f), .format = (vx_sound_format)f, .sample_rate = RATE};
        vx_error err = {0};
        assert_int_equal(put_in_pieces(&p, 1000, &err), VX_OK);
        vx_sound sound;
        assert_int_equal(vx_sound_read(&sound, path_of(f), RATE, 10, NULL, &err), VX_OK);
        /* Lossless ones are as long to the sample; MP3 and ADTS know only whole frames, and an encoder begins
         * up to two of them (of 1024) early. */
        bool lossless = f == VX_SOUND_WAV || f == VX_SOUND_FLAC,
             exact = lossless || f == VX_SOUND_OPUS;
        assert_in_range(sound.count, SAMPLES - (exact ? 1 : 0), SAMPLES + (exact ? 1 : 3 * 1024));
        for (int64_t i = 0; i < sound.count && lossless; i++)
            assert_true(fabsf(sound.samples[i] - tone[i] * 32767 / 32768) <= 0.5f / 32768 + 1e-6f);
        double power = 0;
        for (int i = 8000; i < 24000; i++)
            power += (double)(sound.samples[i] * sound.samples[i]) / 16000;
        /* LAME scales by 0.95 at such rates (its presets' --scale), against clipping at the decoder. */
        double level = (f == VX_SOUND_MP3 ? 0.95 : 1) * 0.5 / sqrt(2);
        assert_true(fabs(sqrt(power) - level) < 0.005);
        vx_sound_free(&sound);
    }
    clear_scratch();
}

static void pieces_do_not_change_the_bytes(void **state)
{
    (void)state;
    static caught first, second;
    for (int f = 0; f < VX_SOUND_FORMATS; f++) {
        first = second = (caught){.most = sizeof first.data};
        vx_sound_out_params p = {
            .write = catch_bytes, .arg = &first, .format = (vx_sound_format)f, .sample_rate = RATE};
        assert_int_equal(put_in_pieces(&p, SAMPLES, NULL), VX_OK);
        p.arg = &second;
        assert_int_equal(put_in_pieces(&p, 77, NULL), VX_OK);
        assert_true(first.count > 1000);
        assert_int_equal(first.count, second.count);
        assert_memory_equal(first.data, second.data, first.count);
    }
    /* Plain PCM is the samples and nothing else. */
    assert_int_equal(first.count, 2 * SAMPLES);
}

/* Bytes arrive while samples do, and whoever takes them may end it. */
static void streams_flow_and_can_be_ended(void **state)
{
    (void)state;
    static caught c;
    for (int f = 0; f < VX_SOUND_FORMATS; f++) {
        c = (caught){.most = sizeof c.data};
        vx_sound_out *out;
        vx_sound_out_params p = {
            .write = catch_bytes, .arg = &c, .format = (vx_sound_format)f, .sample_rate = RATE};
        assert_int_equal(vx_sound_out_open(&out, &p, NULL), VX_OK);
        assert_int_equal(vx_sound_out_put(out, tone, RATE, NULL), VX_OK);
        assert_true(c.count > 500);
        vx_sound_out_abort(&out);
        assert_null(out);
        c = (caught){.most = 600};
        vx_error err = {0};
        assert_int_equal(put_in_pieces(&p, 1000, &err), VX_ERR_CANCELLED);
        assert_string_equal(err.code, "cancelled");
    }
}

static void names_choose_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int given, format; /* -1: refused */
    } cases[] = {
        {"a.wav", -1, VX_SOUND_WAV},
        {"a.FLAC", -1, VX_SOUND_FLAC},
        {"b.c/a.mp3", -1, VX_SOUND_MP3},
        {"a.opus", -1, VX_SOUND_OPUS},
        {"a.ogg", -1, VX_SOUND_OPUS},
        {"a.aac", -1, VX_SOUND_AAC},
        {"a.pcm", -1, VX_SOUND_PCM},
        {"-", -1, VX_SOUND_WAV},
        {"-", VX_SOUND_MP3, VX_SOUND_MP3},
        {"b.mp3/a", -1, VX_SOUND_WAV},
        {"a", VX_SOUND_PCM, VX_SOUND_PCM},
        {".mp3", -1, VX_SOUND_WAV},
        {"a.mp4", -1, -1},
        {"a.wma", -1, -1},
        {"a.wav", VX_SOUND_MP3, -1},
        {"a.mp3", VX_SOUND_MP3, VX_SOUND_MP3},
        {"a.txt", VX_SOUND_WAV, -1},
        {"a.b.mp3x", -1, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vx_sound_format format = VX_SOUND_FORMATS;
        vx_error err = {0};
        vx_status status = vx_sound_format_of(cases[i].path, cases[i].given, &format, &err);
        assert_int_equal(status, cases[i].format < 0 ? VX_ERR_USAGE : VX_OK);
        if (status == VX_OK) assert_int_equal(format, cases[i].format);
    }
}

static void pictures_are_what_their_name_says(void **state)
{
    (void)state;
    static const char *const bad[] = {"a.gif", "a.webp", "a.jp", "a.mp4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vx_image_write_check(bad[i], NULL), VX_ERR_USAGE);
    vx_picture picture, back;
    assert_int_equal(vx_image_new(&picture, 37, 21, NULL), VX_OK);
    for (int y = 0; y < 21; y++)
        for (int x = 0; x < 37; x++) {
            uint8_t *p = vx_picture_row(&picture, y) + 3 * (ptrdiff_t)x;
            p[0] = (uint8_t)(6 * x);
            p[1] = (uint8_t)(12 * y);
            p[2] = (uint8_t)(200 - 3 * x);
        }
    static const char *const good[] = {"a.png", "a.JPG", "b.jpeg"};
    static const char *const magic[] = {"\x89PNG", "\xFF\xD8\xFF", "\xFF\xD8\xFF"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vx_image_write_check(good[i], NULL), VX_OK);
        assert_int_equal(vx_image_write(&picture, scratch(good[i]), NULL), VX_OK);
        char *data;
        size_t bytes;
        assert_int_equal(vx_file_read(scratch(good[i]), 1 << 20, &data, &bytes, NULL), VX_OK);
        assert_memory_equal(data, magic[i], 3);
        vx_heap_free(data);
        assert_int_equal(vx_image_read(&back, scratch(good[i]), NULL, NULL), VX_OK);
        assert_int_equal(back.width, 37);
        assert_int_equal(back.height, 21);
        for (int y = 0; y < 21; y++)
            for (int x = 0; x < 3 * 37; x++)
                assert_true(abs(vx_picture_row(&back, y)[x] - vx_picture_row(&picture, y)[x]) <=
                            (i == 0 ? 0 : 6));
        vx_image_free(&back);
    }
    vx_image_free(&picture);
    clear_scratch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_sounds_alike),
        cmocka_unit_test(pieces_do_not_change_the_bytes),
        cmocka_unit_test(streams_flow_and_can_be_ended),
        cmocka_unit_test(names_choose_the_format),
        cmocka_unit_test(pictures_are_what_their_name_says),
    };
    return cmocka_run_group_tests(tests, begin, remove_scratch);
}
