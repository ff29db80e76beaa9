/* WAV out, any sound in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/sound.h"
#include "media/sound_out.h"
#include "media_helpers.h"

static uint32_t get32(const char *p)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}

static vx_status write_wav(const char *path, const float *samples, int64_t n, int rate,
                           vx_error *err)
{
    vx_sound_out *wav;
    VX_TRY(vx_sound_out_open(&wav, &(vx_sound_out_params){.path = path, .sample_rate = rate}, err));
    vx_status status = vx_sound_out_put(wav, samples, n / 3, err);
    if (status == VX_OK) status = vx_sound_out_put(wav, samples + n / 3, n - n / 3, err);
    if (status == VX_OK) return vx_sound_out_finish(&wav, err);
    vx_sound_out_abort(&wav);
    return status;
}

static void samples_are_rounded_and_clipped(void **state)
{
    (void)state;
    static const float in[] = {0, 1, -1, 2, -1e30f, NAN, INFINITY, 0.5f, -0.5f, 1e-5f, 2e-5f};
    static const int16_t expected[] = {0,     32767, -32767, 32767, -32767, 0,
                                       32767, 16384, -16384, 0,     1};
    assert_int_equal(write_wav(scratch("a.wav"), in, 11, 24000, NULL), VX_OK);
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(scratch("a.wav"), 1000, &data, &bytes, NULL), VX_OK);
    assert_int_equal(bytes, 44 + 22);
    assert_memory_equal(data, "RIFF", 4);
    assert_int_equal(get32(data + 4), 36 + 22);
    assert_memory_equal(data + 8, "WAVEfmt ", 8);
    assert_int_equal(get32(data + 20), 1 | 1 << 16); /* PCM, one channel */
    assert_int_equal(get32(data + 24), 24000);
    assert_int_equal(get32(data + 28), 48000);
    assert_int_equal(get32(data + 32), 2 | 16 << 16);
    assert_memory_equal(data + 36, "data", 4);
    assert_int_equal(get32(data + 40), 22);
    /* 0.5 * 32767 lies between two numbers; either even neighbour is right, 16384 is the even one. */
    assert_memory_equal(data + 44, expected, sizeof expected);
    vx_heap_free(data);
    clear_scratch();
}

/* Runs write_wav("-") in a child whose standard output is fd. */
static int write_to(int fd)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        dup2(fd, STDOUT_FILENO);
        float samples[1000] = {0.25f};
        _exit(-write_wav("-", samples, 1000, 24000, NULL));
    }
    close(fd);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void standard_output_streams(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write_to(ends[1]), 0);
    char data[4096];
    ssize_t bytes = 0, got;
    while ((got = read(ends[0], data + bytes, sizeof data - (size_t)bytes)) > 0)
        bytes += got;
    close(ends[0]);
    assert_int_equal(bytes, 2044);
    assert_int_equal(get32(data + 4), 0xFFFFFFFFu);
    assert_int_equal(get32(data + 40), 0xFFFFFFFFu);
    /* What a pipe gave can be read as a file. */
    assert_int_equal(vx_file_write(scratch("p.wav"), data, (size_t)bytes, NULL), VX_OK);
    vx_sound sound;
    assert_int_equal(vx_sound_read(&sound, scratch("p.wav"), 24000, 10, NULL, NULL), VX_OK);
    assert_int_equal(sound.count, 1000);
    vx_sound_free(&sound);

    int fd = open(scratch("redirected"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(write_to(dup(fd)), 0);
    assert_int_equal(pread(fd, data, sizeof data, 0), 2044);
    assert_int_equal(get32(data + 4), 2036);
    assert_int_equal(get32(data + 40), 2000);
    /* The next program goes on behind. */
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 2044);
    close(fd);

    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write_to(ends[1]), 8);
    clear_scratch();
}

static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    static float samples[5000];
    for (rlim_t limit = 0; limit < 10044; limit += 1004) {
        struct rlimit small = {limit, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        vx_status status = write_wav(scratch("f.wav"), samples, 5000, 24000, NULL);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, VX_ERR_IO);
        assert_int_equal(clear_scratch(), 0);
    }
}

static void reads_back_what_was_written(void **state)
{
    (void)state;
    static float samples[30001];
    for (int i = 0; i < 30001; i++)
        samples[i] = 0.7f * sinf((float)i * 0.05f);
    assert_int_equal(write_wav(scratch("r.wav"), samples, 30001, 24000, NULL), VX_OK);
    vx_sound sound;
    assert_int_equal(vx_sound_read(&sound, scratch("r.wav"), 24000, 10, NULL, NULL), VX_OK);
    assert_int_equal(sound.count, 30001);
    assert_int_equal(sound.sample_rate, 24000);
    for (int i = 0; i < 30001; i++)
        assert_true(fabsf(sound.samples[i] - samples[i] * 32767 / 32768) <= 0.5f / 32768 + 1e-6f);
    vx_sound_free(&sound);
    assert_null(sound.samples);
    /* At another rate it lasts as long and sounds alike. */
    assert_int_equal(vx_sound_read(&sound, scratch("r.wav"), 16000, 10, NULL, NULL), VX_OK);
    assert_in_range(sound.count, 19990, 20010);
    double difference = 0;
    for (int i = 100; i < 19900; i++)
        difference += fabs(sound.samples[i] - 0.7 * sin(i * 1.5 * 0.05));
    assert_true(difference / 19800 < 0.002);
    vx_sound_free(&sound);
    vx_error err = {0};
    assert_int_equal(vx_sound_read(&sound, scratch("r.wav"), 24000, 1.0, NULL, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "too_long");
    clear_scratch();
}

/* A WAV of `channels` float channels: channel c holds value[c] throughout. */
static void write_float_wav(const char *path, int channels, int rate, int frames,
                            const float *value)
{
    size_t bytes = 44 + (size_t)frames * channels * 4;
    char *data = vx_heap_alloc(bytes);
    uint32_t words[11];
    memcpy(words, "RIFF....WAVEfmt ", 16);
    words[1] = (uint32_t)bytes - 8;
    words[4] = 16;
    words[5] = 3u | (uint32_t)channels << 16; /* IEEE float */
    words[6] = (uint32_t)rate;
    words[7] = (uint32_t)(rate * channels * 4);
    words[8] = (uint32_t)channels * 4 | 32u << 16;
    memcpy(&words[9], "data", 4);
    words[10] = (uint32_t)bytes - 44;
    memcpy(data, words, 44);
    for (int i = 0; i < frames; i++)
        memcpy(data + 44 + (size_t)i * channels * 4, value, (size_t)channels * 4);
    assert_int_equal(vx_file_write(path, data, bytes, NULL), VX_OK);
    vx_heap_free(data);
}

/* What the channels sound like together: six and eight are 5.1 and 7.1, whose third is the centre and
 * whose fourth is low effects; a sum that is too quiet is the loudest channel. */
static float mixed(const float *value, int channels)
{
    bool around = channels == 6 || channels == 8;
    float sum = 0, loudest = 0;
    for (int c = 0; c < channels; c++) {
        float level = !around ? 1 / (float)channels : c == 2 ? 1 : c == 3 ? 0 : 0.7f;
        sum += level * value[c];
        if (level > 0 && fabsf(value[c]) > fabsf(loudest)) loudest = value[c];
    }
    return fabsf(sum) < 0.6f * fabsf(loudest) ? loudest : sum;
}

static void channels_are_mixed(void **state)
{
    (void)state;
    static const float values[][8] = {
        {0.8f, -0.4f, 0.1f, 0.3f, 0.5f, -0.2f, 0.7f, 0.6f},
        {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f},
        {0.5f, -0.5f, 0, 0.9f, 0, 0, 0, 0}, /* out of phase, and a rumble */
        {0, 0.5f, 0, 0, 0, 0, 0, 0},        /* one side */
        {0, 0, 0.4f, 0, 0, 0, 0, 0},        /* speech in the centre */
        {0, 0, 0, 0, 0, 0, 0, 0},
    };
    for (int k = 0; k < 48; k++) {
        int channels = k % 8 + 1;
        const float *value = values[k / 8];
        write_float_wav(scratch("c.wav"), channels, 48000, 9600, value);
        float mean = mixed(value, channels);
        vx_sound sound;
        assert_int_equal(vx_sound_read(&sound, scratch("c.wav"), 24000, 10, NULL, NULL), VX_OK);
        assert_in_range(sound.count, 4795, 4805);
        for (int64_t i = 100; i < sound.count - 100; i++)
            assert_true(fabsf(sound.samples[i] - mean) < 1e-4f);
        vx_sound_free(&sound);
    }
    static const float broken[2] = {NAN, INFINITY};
    write_float_wav(scratch("n.wav"), 2, 24000, 1000, broken);
    vx_sound sound;
    assert_int_equal(vx_sound_read(&sound, scratch("n.wav"), 24000, 10, NULL, NULL), VX_OK);
    for (int64_t i = 0; i < sound.count; i++)
        assert_true(isfinite(sound.samples[i]));
    vx_sound_free(&sound);
    clear_scratch();
}

static void rates_have_limits(void **state)
{
    (void)state;
    static const struct {
        int rate;
        bool fine;
    } cases[] = {{1, false},   {10, false},    {3999, false},  {4000, true},
                 {8000, true}, {192000, true}, {768000, true}, {768001, false}};
    static const float value[1] = {0.25f};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vx_sound sound;
        vx_error err = {0};
        write_float_wav(scratch("rate.wav"), 1, cases[i].rate, 8000, value);
        vx_status status = vx_sound_read(&sound, scratch("rate.wav"), 48000, 10, NULL, &err);
        assert_int_equal(status, cases[i].fine ? VX_OK : VX_ERR_INPUT);
        if (cases[i].fine) {
            double expected = 8000.0 * 48000 / cases[i].rate;
            assert_true(fabs((double)sound.count - expected) <= 2);
            assert_true(fabsf(sound.samples[sound.count / 2] - 0.25f) < 1e-4f);
        } else {
            assert_non_null(strstr(err.message, "samples a second"));
        }
        vx_sound_free(&sound);
    }
    clear_scratch();
}

static void a_sound_can_begin_elsewhere(void **state)
{
    (void)state;
    static const float value[1] = {0.25f};
    vx_sound sound;
    write_float_wav(scratch("b.wav"), 1, 24000, 2400, value);
    assert_int_equal(vx_sound_read(&sound, scratch("b.wav"), 24000, 10, NULL, NULL), VX_OK);
    sound.start_s = 0.3;
    assert_int_equal(vx_sound_begin(&sound, 0.1, NULL), VX_OK);
    assert_int_equal(sound.count, 2400 + 4800);
    assert_true(sound.samples[4799] == 0.0f && sound.samples[4800] == 0.25f);
    assert_true(sound.samples[7199] == 0.25f);
    assert_int_equal(vx_sound_begin(&sound, 0.35, NULL), VX_OK);
    assert_int_equal(sound.count, 1200);
    assert_true(sound.samples[0] == 0.25f);
    assert_int_equal(vx_sound_begin(&sound, 9, NULL), VX_OK);
    assert_int_equal(sound.count, 0);
    vx_sound_free(&sound);
    clear_scratch();
}

static void broken_sounds_are_refused(void **state)
{
    (void)state;
    vx_sound sound;
    vx_error err = {0};
    assert_int_equal(vx_sound_read(&sound, scratch("none.wav"), 24000, 10, NULL, &err),
                     VX_ERR_INPUT);
    assert_string_equal(err.code, "no_such_file");
    assert_int_equal(vx_sound_read(&sound, VX_TEST_DATA "/media/rgb.png", 24000, 10, NULL, &err),
                     VX_ERR_INPUT);
    static const float value[1] = {0.5f};
    write_float_wav(scratch("w.wav"), 1, 24000, 1000, value);
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(scratch("w.wav"), 1 << 20, &data, &bytes, NULL), VX_OK);
    for (size_t cut = 0; cut < 44; cut++) {
        assert_int_equal(vx_file_write(scratch("cut.wav"), data, cut, NULL), VX_OK);
        assert_int_equal(vx_sound_read(&sound, scratch("cut.wav"), 24000, 10, NULL, &err),
                         VX_ERR_INPUT);
        assert_null(sound.samples);
    }
    for (size_t at = 0; at < 60; at++)
        for (int flip = 1; flip < 256; flip *= 3) {
            data[at] ^= (char)flip;
            assert_int_equal(vx_file_write(scratch("flip.wav"), data, bytes, NULL), VX_OK);
            if (vx_sound_read(&sound, scratch("flip.wav"), 24000, 10, NULL, &err) == VX_OK)
                assert_in_range(sound.count, 1, 240000);
            vx_sound_free(&sound);
            data[at] ^= (char)flip;
        }
    vx_heap_free(data);
    clear_scratch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_rounded_and_clipped),
        cmocka_unit_test(standard_output_streams),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(channels_are_mixed),
        cmocka_unit_test(rates_have_limits),
        cmocka_unit_test(a_sound_can_begin_elsewhere),
        cmocka_unit_test(broken_sounds_are_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
