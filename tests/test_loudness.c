/* Loudness: the level that is asked for, the ceiling, few limited samples, room tone, twice the rate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "media/loudness.h"
#include "media/sound.h"
#include "media/sound_out.h"

enum { RATE = 24000, SECONDS = 6, COUNT = RATE * SECONDS };

static float in[COUNT], out[2 * COUNT];
static int64_t got;

static vx_status keep(void *arg, const float *samples, int64_t n, vx_error *err)
{
    (void)arg;
    (void)err;
    assert_true(got + n <= 2 * COUNT);
    memcpy(out + got, samples, (size_t)n * sizeof *out);
    got += n;
    return VX_OK;
}

static vx_loudness run(double target, bool twice, bool tone)
{
    vx_loudness_params p = {
        .sample_rate = RATE, .twice = twice, .room_tone = tone, .target_lufs = target, .put = keep};
    vx_loudness result;
    got = 0;
    assert_int_equal(vx_loudness_run(&p, in, COUNT, &result, NULL), VX_OK);
    assert_int_equal(got, twice ? 2 * COUNT : COUNT);
    return result;
}

/* Like speech: syllables four times a second, of a pulse train through noise; `crest` sharpens the pulses. */
static void speak(double level, double crest)
{
    for (int i = 0; i < COUNT; i++) {
        double t = (double)i / RATE, syllable = pow(fabs(sin(M_PI * 2 * t)), 2);
        double pulse = pow(0.5 + 0.5 * cos(2 * M_PI * 120 * t), crest);
        double noise = (double)vx_random_normal(1, VX_STREAM_TEST, (uint64_t)i);
        in[i] = (float)(level * syllable * (pulse * sin(2 * M_PI * 700 * t) + 0.05 * noise));
    }
}

static void every_voice_is_as_loud(void **state)
{
    (void)state;
    static const double levels[] = {0.06, 0.1, 0.3, 0.9};
    for (int i = 0; i < 4; i++)
        for (int twice = 0; twice < 2; twice++) {
            speak(levels[i], 2);
            vx_loudness l = run(VX_LOUDNESS_FILM, twice, false);
            printf("level %.2f: %.2f LUFS, gain %.2f dB, peak %.2f dBTP, limited %.3f %%\n",
                   levels[i], l.lufs, l.gain_db, l.true_peak_dbtp, 100 * l.limited_share);
            assert_true(l.audible);
            assert_true(fabs(l.lufs - VX_LOUDNESS_FILM) < 0.2);
            assert_true(l.true_peak_dbtp < -1.2 + 0.05);
            assert_true(l.limited_share < 0.01);
        }
    speak(0.1, 2);
    assert_true(fabs(run(-23, true, true).lufs + 23) < 0.2);
    /* What is almost nothing is not blown up into a roar. */
    speak(0.005, 2);
    assert_true(run(VX_LOUDNESS_FILM, true, false).gain_db == 24);
}

/* A hundred pulses a second that stand 20 dB above the rest: at the target too many would be limited. */
static void gain_is_taken_back_for_sharp_peaks(void **state)
{
    (void)state;
    speak(0.1, 60);
    vx_loudness sharp = run(VX_LOUDNESS_MAX, true, false);
    assert_true(sharp.limited_share < 0.01);
    assert_true(sharp.limited_share > 0.001);
    assert_true(sharp.lufs < VX_LOUDNESS_MAX - 1);
    assert_true(sharp.true_peak_dbtp < -1.2 + 0.05);
    assert_true(sharp.true_peak_dbtp > -1.5);
}

/* Where nothing is limited all samples have the one gain. */
static void one_gain_for_the_whole(void **state)
{
    (void)state;
    speak(0.05, 2);
    vx_loudness l = run(-20, false, false);
    assert_true(l.limited_share == 0);
    float gain = (float)pow(10, l.gain_db / 20);
    for (int i = 0; i < COUNT; i++)
        assert_true(fabsf(out[i] - gain * in[i]) < 1e-6f);
    /* Few peaks too high: the gain goes down around them and nowhere else. */
    in[50000] = 0.9f;
    l = run(-20, false, false);
    gain = (float)pow(10, l.gain_db / 20);
    assert_true(l.limited_share > 0 && l.limited_share < 300.0 / COUNT);
    for (int i = 0; i < COUNT; i++)
        if (i < 50000 - 121 || i > 50000 + 121) assert_true(fabsf(out[i] - gain * in[i]) < 1e-6f);
    assert_true(fabsf(out[50000]) < 0.8711f);
}

static void off_changes_nothing(void **state)
{
    (void)state;
    speak(0.9, 2);
    vx_loudness l = run(VX_LOUDNESS_OFF, false, false);
    assert_memory_equal(in, out, sizeof in);
    assert_true(l.gain_db == 0 && l.limited_share == 0 && l.audible);
}

static void silence_stays_silent(void **state)
{
    (void)state;
    memset(in, 0, sizeof in);
    vx_loudness l = run(VX_LOUDNESS_FILM, false, false);
    assert_memory_equal(in, out, sizeof in);
    assert_false(l.audible);
    assert_true(l.gain_db == 0 && l.true_peak_dbtp == -200);
    run(VX_LOUDNESS_FILM, true, true);
    double power = 0, most = 0;
    for (int i = 0; i < 2 * COUNT; i++) {
        power += (double)(out[i] * out[i]) / (2 * COUNT);
        most = fmax(most, (double)fabsf(out[i]));
    }
    assert_true(fabs(10 * log10(power) + 70) < 0.1);
    assert_true(20 * log10(most) < -70 + 20 * log10(sqrt(12)) + 0.1);
}

static vx_status drop(void *arg, const float *samples, int64_t n, vx_error *err)
{
    (void)arg;
    (void)samples;
    (void)n;
    (void)err;
    return VX_OK;
}

/* What a listener gets: the encoder's own error is within the margin of the ceiling. */
static void decoded_peaks_stay_under_one(void **state)
{
    (void)state;
    static const double crests[] = {6, 20, 60};
    char path[] = "/tmp/vx_loudness_XXXXXX.aac";
    int file = mkstemps(path, 4);
    assert_true(file >= 0);
    close(file);
    vx_sound_out_params p = {.path = path, .format = VX_SOUND_AAC, .sample_rate = 2 * RATE};
    for (int i = 0; i < 3; i++) {
        vx_sound_out *aac;
        vx_sound sound;
        vx_loudness decoded;
        speak(0.1, crests[i]);
        vx_loudness l = run(VX_LOUDNESS_FILM, true, true);
        assert_true(l.limited_share > 0);
        assert_int_equal(vx_sound_out_open(&aac, &p, NULL), VX_OK);
        assert_int_equal(vx_sound_out_put(aac, out, got, NULL), VX_OK);
        assert_int_equal(vx_sound_out_finish(&aac, NULL), VX_OK);
        assert_int_equal(vx_sound_read(&sound, path, 2 * RATE, 2 * SECONDS, NULL, NULL), VX_OK);
        vx_loudness_params all = {
            .sample_rate = 2 * RATE, .target_lufs = VX_LOUDNESS_OFF, .put = drop};
        assert_int_equal(vx_loudness_run(&all, sound.samples, sound.count, &decoded, NULL), VX_OK);
        printf("crest %.0f: %.2f dBTP, decoded %.2f\n", crests[i], l.true_peak_dbtp,
               decoded.true_peak_dbtp);
        assert_true(decoded.true_peak_dbtp <= -1);
        assert_true(fabs(decoded.lufs - l.lufs) < 0.2);
        vx_sound_free(&sound);
    }
    unlink(path);
}

/* What lies between two samples is where the wave goes, far up. */
static void twice_the_rate_is_the_same_wave(void **state)
{
    (void)state;
    static const double tones[] = {100, 1000, 6000, 10000};
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < COUNT; i++)
            in[i] = (float)(0.4 * sin(2 * M_PI * tones[t] * i / RATE));
        run(VX_LOUDNESS_OFF, true, false);
        double worst = 0;
        for (int i = 200; i < 2 * COUNT - 200; i++)
            worst = fmax(worst, fabs(out[i] - 0.4 * sin(M_PI * tones[t] * i / RATE)));
        assert_true(worst < 4e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_voice_is_as_loud),
        cmocka_unit_test(gain_is_taken_back_for_sharp_peaks),
        cmocka_unit_test(one_gain_for_the_whole),
        cmocka_unit_test(off_changes_nothing),
        cmocka_unit_test(silence_stays_silent),
        cmocka_unit_test(decoded_peaks_stay_under_one),
        cmocka_unit_test(twice_the_rate_is_the_same_wave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
