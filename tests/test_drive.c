/* Driving: does the mouth follow the timings of real speech, and are tables and timings what they say?
 *
 * tests/data/drive holds the timings that Kokoro gave twenty sentences, made with `vortex say TEXT -v VOICE
 * --speed SPEED --timings` (text, voice and speed stand in each file). */
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

#include "base/mem.h"
#include "drive/drive.h"
#include "drive/expression.h"
#include "formats/writer.h"
#include "text/phonemes.h"

enum { SENTENCES = 20, FPS = 24 };

static vx_timings timings[SENTENCES];

static int read_sentences(void **state)
{
    (void)state;
    for (int i = 0; i < SENTENCES; i++) {
        char path[512];
        vx_error err = {0};
        snprintf(path, sizeof path, VX_TEST_DATA "/drive/%02d.json", i + 1);
        if (vx_timings_read(&timings[i], path, &err) != VX_OK) {
            fprintf(stderr, "%s: %s\n", path, err.message);
            return -1;
        }
    }
    return 0;
}

static int free_sentences(void **state)
{
    (void)state;
    for (int i = 0; i < SENTENCES; i++)
        vx_timings_free(&timings[i]);
    return 0;
}

static vx_motion_table driven(const vx_drive_request *request, double seconds, double fps)
{
    vx_motion_table motion = {.fps = fps, .count = (int64_t)ceil(seconds * fps)};
    motion.pose = vx_heap_alloc(sizeof *motion.pose * (size_t)motion.count);
    void *memory = vx_heap_alloc(vx_drive_bytes(motion.count));
    vx_drive(request, &motion, memory);
    vx_heap_free(memory);
    return motion;
}

static vx_motion_table spoken(int i, uint64_t seed, int mood, double fps)
{
    vx_drive_request request = {
        .seed = seed, .mood = mood, .phone = timings[i].phone, .phones = timings[i].count};
    return driven(&request, timings[i].seconds, fps);
}

/* ---- sync ----------------------------------------------------------------------------------- */

static bool lips_meet(uint32_t symbol)
{
    return symbol == 'p' || symbol == 'b' || symbol == 'm';
}

/* Every p, b and m finds the jaw shut in the frame that shows its middle, and no frame shut for it
 * lies more than one away from its span. */
static void lips_close_in_their_frames(void **state)
{
    (void)state;
    const double rates[] = {24, 25, 30, 60, 12};
    int closures = 0;
    for (int i = 0; i < SENTENCES; i++) {
        for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
            for (int mood = 0; mood < VX_MOODS; mood++) {
                vx_motion_table m = spoken(i, 1, mood, rates[k]);
                for (int64_t p = 0; p < timings[i].count; p++) {
                    const vx_phone *phone = &timings[i].phone[p];
                    if (!lips_meet(phone->symbol)) continue;
                    double middle = 0.5 * ((double)phone->start_s + (double)phone->end_s);
                    int64_t frame = (int64_t)(middle * rates[k]);
                    closures++;
                    assert_true(frame < m.count);
                    assert_float_equal(m.pose[frame].value[VX_JAW], 0, 0);
                }
                double offset = vx_drive_offset(&m, timings[i].phone, timings[i].count);
                assert_true(offset < 1 / rates[k]);
                vx_motion_free(&m);
            }
        }
    }
    assert_true(closures > 100 * 5 * VX_MOODS);
}

/* Vowels are seen as what a frame shows of them: 1 while a vowel sounds, averaged over the frame and half of
 * its neighbours. A stress mark is part of the vowel behind it. */
static void vowel_track(const vx_timings *t, double fps, int64_t n, double *track)
{
    enum { STEPS = 32 };
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, weights = 0;
        for (int s = -STEPS + 1; s < STEPS; s++) {
            double at = ((double)i + 0.5 + (double)s / STEPS) / fps;
            double weight = 1 - fabs((double)s) / STEPS;
            int64_t p = 0;
            while (p < t->count && (double)t->phone[p].end_s <= at)
                p++;
            bool heard = p < t->count && (double)t->phone[p].start_s <= at;
            while (p + 1 < t->count && (t->phone[p].symbol == 0x2C8 || t->phone[p].symbol == 0x2CC))
                p++;
            bool vowel = p < t->count && vx_phoneme_vowel(t->phone[p].symbol);
            bool length = p < t->count && t->phone[p].symbol == 0x2D0;
            sum += weight * (heard && (vowel || length));
            weights += weight;
        }
        track[i] = sum / weights;
    }
}

typedef struct moments {
    double n, x, y, xx, yy, xy;
} moments;

static void add(moments *m, double x, double y)
{
    m->n++;
    m->x += x;
    m->y += y;
    m->xx += x * x;
    m->yy += y * y;
    m->xy += x * y;
}

static double correlation(const moments *m)
{
    double xy = m->n * m->xy - m->x * m->y;
    return xy / sqrt((m->n * m->xx - m->x * m->x) * (m->n * m->yy - m->y * m->y));
}

static void jaw_follows_the_vowels(void **state)
{
    (void)state;
    moments all = {0};
    double mean = 0, least = 1;
    for (int i = 0; i < SENTENCES; i++) {
        moments one = {0};
        vx_motion_table m = spoken(i, 3, VX_MOOD_NEUTRAL, FPS);
        double *track = vx_heap_alloc(sizeof *track * (size_t)m.count);
        vowel_track(&timings[i], FPS, m.count, track);
        for (int64_t f = 0; f < m.count; f++) {
            add(&one, track[f], (double)m.pose[f].value[VX_JAW]);
            add(&all, track[f], (double)m.pose[f].value[VX_JAW]);
        }
        double r = correlation(&one);
        mean += r / SENTENCES;
        least = fmin(least, r);
        vx_heap_free(track);
        vx_motion_free(&m);
    }
    printf("jaw against vowels: %.3f over all frames, mean of sentences %.3f, least %.3f\n",
           correlation(&all), mean, least);
    assert_true(correlation(&all) >= 0.9);
    assert_true(mean >= 0.9);
    assert_true(least >= 0.9);
}

/* The 99th percentiles of the official templates (src/drive/drive.c), per second: jaw 8.65 = 0.346 of exp 19.y
 * at 0.04 for a jaw of 1, blinks 10.5, angles of talking heads. */
static void nothing_jumps(void **state)
{
    (void)state;
    static const double most[VX_MOTION_COLUMNS] = {
        23, 28, 17.65, 0.134, 0.191, 0.235, 8.65, 7.52, 7.52, 5.64, 10.52, 10.52, 5.72, 4.23, 4.23};
    const double rates[] = {24, 60};
    double moved[VX_MOTION_COLUMNS] = {0};
    for (int i = 0; i < SENTENCES; i++)
        for (int mood = 0; mood < VX_MOODS; mood++)
            for (int k = 0; k < 2; k++) {
                vx_motion_table m = spoken(i, (uint64_t)i, mood, rates[k]);
                for (int64_t f = 1; f < m.count; f++)
                    for (int c = 0; c < VX_MOTION_COLUMNS; c++) {
                        double step =
                            fabs((double)m.pose[f].value[c] - (double)m.pose[f - 1].value[c]);
                        moved[c] = fmax(moved[c], step);
                        if (step * rates[k] > most[c])
                            fail_msg("%s moves by %f a second", vx_motion_ranges[c].name,
                                     step * rates[k]);
                    }
                vx_motion_free(&m);
            }
    for (int c = 0; c < VX_MOTION_COLUMNS; c++)
        assert_true(moved[c] > 0);
}

static vx_motion_table long_speech(int mood, const vx_mood_at *moods, int count, uint64_t seed)
{
    static vx_phone phone[20000];
    int64_t phones = 0;
    float at = 0;
    for (int i = 0; i < SENTENCES && at < 45; i++) {
        for (int64_t p = 0; p < timings[i].count; p++) {
            phone[phones] = timings[i].phone[p];
            phone[phones].start_s += at;
            phone[phones++].end_s += at;
        }
        at += (float)timings[i].seconds;
    }
    vx_drive_request request = {.seed = seed,
                                .mood = mood,
                                .moods = moods,
                                .mood_count = count,
                                .phone = phone,
                                .phones = phones};
    return driven(&request, 45, FPS);
}

static double mean_of(const vx_motion_table *m, int column, int64_t from, int64_t to)
{
    double sum = 0;
    for (int64_t f = from; f < to; f++)
        sum += (double)m->pose[f].value[column];
    return sum / (double)(to - from);
}

static double width_of(const vx_motion_table *m, int column)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t f = 0; f < m->count; f++) {
        least = fmin(least, (double)m->pose[f].value[column]);
        most = fmax(most, (double)m->pose[f].value[column]);
    }
    return most - least;
}

static int blinks_of(const vx_motion_table *m)
{
    int count = 0;
    for (int64_t f = 1; f < m->count; f++)
        count += m->pose[f].value[VX_BLINK_L] > 0.9f && m->pose[f - 1].value[VX_BLINK_L] <= 0.9f;
    return count;
}

static void moods_differ(void **state)
{
    (void)state;
    vx_motion_table m[VX_MOODS];
    for (int mood = 0; mood < VX_MOODS; mood++) {
        m[mood] = long_speech(mood, NULL, 0, 9);
        /* What the templates' talking heads do, from end to end; a head that is dead fails too. */
        assert_in_range(blinks_of(&m[mood]), 4, 45);
        assert_true(width_of(&m[mood], VX_PITCH) > 1 && width_of(&m[mood], VX_PITCH) < 15);
        assert_true(width_of(&m[mood], VX_YAW) > 1 && width_of(&m[mood], VX_YAW) < 6.1);
        assert_true(width_of(&m[mood], VX_ROLL) > 1 && width_of(&m[mood], VX_ROLL) < 18);
        assert_true(width_of(&m[mood], VX_JAW) <= 1);
    }
    int64_t n = m[0].count;
    double smile[VX_MOODS], brow[VX_MOODS], jaw[VX_MOODS];
    for (int mood = 0; mood < VX_MOODS; mood++) {
        smile[mood] = mean_of(&m[mood], VX_SMILE, 0, n);
        brow[mood] = mean_of(&m[mood], VX_BROW, 0, n);
        jaw[mood] = mean_of(&m[mood], VX_JAW, 0, n);
    }
    assert_true(smile[VX_MOOD_EXCITED] > smile[VX_MOOD_NEUTRAL] + 0.2);
    assert_true(smile[VX_MOOD_SAD] < smile[VX_MOOD_NEUTRAL] - 0.2);
    assert_true(brow[VX_MOOD_ANGRY] < brow[VX_MOOD_NEUTRAL] - 0.3);
    assert_true(brow[VX_MOOD_SAD] > brow[VX_MOOD_NEUTRAL] + 0.2);
    assert_true(jaw[VX_MOOD_MANIC] > jaw[VX_MOOD_CALM]);
    assert_true(width_of(&m[VX_MOOD_MANIC], VX_PITCH) > width_of(&m[VX_MOOD_CALM], VX_PITCH));
    assert_true(blinks_of(&m[VX_MOOD_MANIC]) > blinks_of(&m[VX_MOOD_CALM]));
    for (int mood = 0; mood < VX_MOODS; mood++)
        vx_motion_free(&m[mood]);
}

static void moods_follow_each_other(void **state)
{
    (void)state;
    const vx_mood_at moods[] = {{0, VX_MOOD_EXCITED}, {15, VX_MOOD_SAD}, {30, VX_MOOD_ANGRY}};
    vx_motion_table m = long_speech(VX_MOOD_NEUTRAL, moods, 3, 2);
    assert_true(mean_of(&m, VX_SMILE, 0, 14 * FPS) > 0.3);
    assert_true(mean_of(&m, VX_SMILE, 17 * FPS, 29 * FPS) < -0.3);
    assert_true(mean_of(&m, VX_BROW, 17 * FPS, 29 * FPS) > 0.2);
    assert_true(mean_of(&m, VX_BROW, 32 * FPS, 44 * FPS) < -0.4);
    vx_motion_free(&m);
}

static void seeds_decide(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        vx_motion_table a = spoken(i, 5, 0, FPS), b = spoken(i, 5, 0, FPS),
                        c = spoken(i, 6, 0, FPS);
        size_t bytes = sizeof *a.pose * (size_t)a.count;
        assert_memory_equal(a.pose, b.pose, bytes);
        assert_true(memcmp(a.pose, c.pose, bytes) != 0);
        for (int64_t f = 0; f < a.count; f++) /* the mouth belongs to the words, not to the seed */
            assert_true(a.pose[f].value[VX_JAW] == c.pose[f].value[VX_JAW]);
        vx_motion_free(&a);
        vx_motion_free(&b);
        vx_motion_free(&c);
    }
}

/* ---- loudness ------------------------------------------------------------------------------- */

/* A tone that swells at 3 Hz for two seconds between two silences. */
static float *swelling(int64_t *count)
{
    *count = 4 * 24000;
    float *samples = vx_heap_alloc(sizeof *samples * (size_t)*count);
    for (int64_t i = 24000; i < 72000; i++) {
        double t = (double)(i - 24000) / 24000;
        double level = 0.3 * sin(M_PI * 3 * t) * sin(M_PI * 3 * t);
        samples[i] = (float)(level * sin(2 * M_PI * 200 * t));
    }
    return samples;
}

static void loudness_opens_the_mouth(void **state)
{
    (void)state;
    int64_t count;
    float *samples = swelling(&count);
    vx_drive_request r = {
        .seed = 1, .samples = samples, .sample_count = count, .sample_rate = 24000};
    vx_motion_table m = driven(&r, 4, FPS);
    moments track = {0};
    for (int64_t f = 0; f < m.count; f++) {
        double t = ((double)f + 0.5) / FPS - 1;
        double level = t >= 0 && t < 2 ? sin(M_PI * 3 * t) * sin(M_PI * 3 * t) : 0;
        add(&track, level, (double)m.pose[f].value[VX_JAW]);
        if (t < -0.2 || t > 2.2) assert_true(m.pose[f].value[VX_JAW] < 0.01f);
    }
    assert_true(correlation(&track) > 0.9);
    vx_motion_free(&m);

    memset(samples, 0, sizeof *samples * (size_t)count);
    m = driven(&r, 4, FPS);
    assert_true(width_of(&m, VX_JAW) == 0);
    assert_true(width_of(&m, VX_PITCH) > 0);
    vx_motion_free(&m);

    /* Timings over silence: the mouth speaks all the same. */
    r.phone = timings[0].phone;
    r.phones = timings[0].count;
    m = driven(&r, timings[0].seconds, FPS);
    assert_true(width_of(&m, VX_JAW) > 0.2);
    vx_motion_free(&m);
    vx_heap_free(samples);
}

static void louder_vowels_are_wider(void **state)
{
    (void)state;
    const vx_phone phone[] = {{'t', 0.1f, 0.2f},
                              {0x251, 0.2f, 0.5f},
                              {'t', 0.5f, 0.6f},
                              {0x251, 0.6f, 0.9f},
                              {'t', 0.9f, 1}};
    float samples[24000];
    for (int i = 0; i < 24000; i++)
        samples[i] = (i < 13200 ? 0.05f : 0.4f) * (i & 32 ? 1 : -1);
    vx_drive_request r = {.phone = phone,
                          .phones = 5,
                          .samples = samples,
                          .sample_count = 24000,
                          .sample_rate = 24000};
    vx_motion_table m = driven(&r, 1, FPS);
    assert_true(m.pose[18].value[VX_JAW] > 1.2f * m.pose[8].value[VX_JAW]);
    vx_motion_free(&m);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void tables_survive_files(void **state)
{
    (void)state;
    const char *names[] = {VX_BUILD_DIR "/drive-test.json", VX_BUILD_DIR "/drive-test.csv"};
    vx_error err = {0};
    vx_motion_table m = spoken(3, 8, VX_MOOD_MANIC, 30), back;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vx_motion_write(&m, names[i], &err), VX_OK);
        assert_int_equal(vx_motion_read(&back, names[i], &err), VX_OK);
        assert_int_equal(back.count, m.count);
        assert_true(back.fps == m.fps);
        assert_memory_equal(back.pose, m.pose, sizeof *m.pose * (size_t)m.count);
        vx_motion_free(&back);
        unlink(names[i]);
    }
    vx_motion_free(&m);
}

static void refused(const char *text, const char *why)
{
    vx_motion_table m;
    vx_error err = {0};
    vx_status status = vx_motion_parse(&m, "m.json", text, strlen(text), &err);
    if (status == VX_OK) fail_msg("accepted: %s", text);
    assert_int_equal(status, VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_motion");
    if (strstr(err.message, why) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    assert_null(m.pose);
}

static void hostile_tables_are_refused(void **state)
{
    (void)state;
    refused("", "empty");
    refused("{", "");
    refused("[]", "column");
    refused("{\"fps\": 24, \"frames\": []}", "0 frames");
    refused("{\"fps\": 0, \"frames\": [{}]}", "fps");
    refused("{\"fps\": -24, \"frames\": [{}]}", "fps");
    refused("{\"fps\": 1e300, \"frames\": [{}]}", "fps");
    refused("{\"fps\": 24, \"frames\": [3]}", "no object");
    refused("{\"fps\": 24, \"frames\": [{\"jaw\": 2}]}", "jaw is 2");
    refused("{\"fps\": 24, \"frames\": [{\"jaw\": \"wide\"}]}", "no number");
    refused("{\"fps\": 24, \"frames\": [{\"jow\": 0}]}", "\"jow\" is no column");
    refused("{\"fps\": 24, \"frames\": [{\"t_s\": 1}]}", "is at 1 s");
    refused("{\"fps\": 24, \"frames\": [{}], \"more\": 1}", "no other key");
    refused("{\"fps\": 24, \"fps\": 25, \"frames\": [{}]}", "");
    refused("{\"fps\": 24, \"frames\": [{\"jaw\": NaN}]}", "");
    refused("t_s,jaw\n", "0 frames");
    refused("t_s,jow\n0,0\n", "no column");
    refused("t_s,jaw,jaw\n0,0,0\n", "second time");
    refused("jaw\n0\n", "begins with");
    refused("t_s,jaw\n0,nan\n", "no number");
    refused("t_s,jaw\n0,0.1x\n", "no number");
    refused("t_s,jaw\n0\n", "as many cells");
    refused("t_s,jaw\n0,0,0\n", "as many cells");
    refused("t_s,jaw\n0,0\n0.04,0\n1,0\n", "is at");
    refused("t_s,jaw\n1,0\n0.9,0\n0.8,0\n", "is at");
    vx_motion_table m;
    vx_error err = {0};
    assert_int_equal(vx_motion_read(&m, "/nowhere/m.json", &err), VX_ERR_MISSING);
    const char *few = "{\"fps\": 25, \"frames\": [{\"jaw\": 0.5}, {\"t_s\": 0.04}]}";
    assert_int_equal(vx_motion_parse(&m, "m", few, strlen(few), &err), VX_OK);
    assert_true(m.pose[0].value[VX_JAW] == 0.5f && m.pose[1].value[VX_SCALE] == 1);
    vx_motion_free(&m);
}

static void refused_timings(const char *phonemes, const char *why)
{
    char text[512];
    vx_timings t;
    vx_error err = {0};
    snprintf(text, sizeof text, "{\"sample_rate\": 24000, \"samples\": 24000, \"phonemes\": %s}",
             phonemes);
    vx_status status = vx_timings_parse(&t, "t.json", text, strlen(text), &err);
    if (status == VX_OK) fail_msg("accepted: %s", text);
    assert_int_equal(status, VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_timings");
    if (strstr(err.message, why) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
}

static void hostile_timings_are_refused(void **state)
{
    (void)state;
#define PHONE(symbol, from, to)                                                                    \
    "{\"symbol\": \"" symbol "\", \"start_s\": " #from ", \"end_s\": " #to "}"
    refused_timings("[]", "0 phonemes");
    refused_timings("{}", "a list");
    refused_timings("[3]", "needs symbol");
    refused_timings("[{\"symbol\": \"a\"}]", "needs symbol");
    refused_timings("[" PHONE("ab", 0, 0.1) "]", "one symbol");
    refused_timings("[" PHONE("", 0, 0.1) "]", "one symbol");
    refused_timings("[" PHONE("a", -1, 0.1) "]", "outside");
    refused_timings("[" PHONE("a", 0, 1e30) "]", "outside");
    refused_timings("[" PHONE("a", 0.5, 0.1) "]", "ends before");
    refused_timings("[" PHONE("a", 0.5, 0.6) "," PHONE("b", 0.1, 0.2) "]", "backwards");
    refused_timings("[" PHONE("a", 0.5, 0.6) "," PHONE("b", 0.55, 0.7) "]", "has ended");
    refused_timings("[" PHONE("a", 0.5, 1.6) "]", "another sound");
    refused_timings("[" PHONE("a", NaN, 1.6) "]", "no JSON");
    refused_timings("[" PHONE("a", 0, 1e999) "]", "no JSON");
    refused_timings("[" PHONE("a", 0, 0.1) "", "no JSON");
    vx_error err = {0};
    assert_int_equal(vx_timings_match(&timings[0], "t", timings[0].seconds - 2, &err),
                     VX_ERR_INPUT);
    assert_int_equal(vx_timings_match(&timings[0], "t", timings[0].seconds, &err), VX_OK);
}

/* Phonemes beyond the film's end, none at all, or all in one instant: a table comes out all the same. */
static void odd_timings_are_driven(void **state)
{
    (void)state;
    const vx_phone odd[] = {{'p', 0, 0},         {'a', 0, 0},     {0x2C8, 0, 0}, {0x2D0, 0, 0},
                            {0x10FFFF, 0, 0.5f}, {'m', 0.9f, 30}, {'a', 30, 300}};
    for (int64_t n = 0; n <= 7; n++) {
        vx_drive_request r = {.phone = odd, .phones = n};
        vx_motion_table m = driven(&r, 1, FPS);
        for (int64_t f = 0; f < m.count; f++)
            for (int c = 0; c < VX_MOTION_COLUMNS; c++)
                assert_true(m.pose[f].value[c] >= vx_motion_ranges[c].least &&
                            m.pose[f].value[c] <= vx_motion_ranges[c].most);
        vx_motion_free(&m);
    }
    vx_drive_request r = {.phone = odd, .phones = 7};
    vx_motion_table m = driven(&r, 0.001, FPS);
    assert_int_equal(m.count, 1);
    vx_motion_free(&m);
}

/* ---- expression ----------------------------------------------------------------------------- */

static void a_pack_says_what_its_controls_do(void **state)
{
    (void)state;
    const char *path = VX_BUILD_DIR "/drive-controls.npy";
    const int64_t shape[] = {VX_CONTROLS, 4, 3}, other[] = {VX_CONTROLS, 5, 3};
    float rows[VX_CONTROLS * 15], source[12] = {9, 9, 9}, e[12];
    static vx_directions d;
    vx_error err = {0};
    for (int i = 0; i < VX_CONTROLS * 15; i++)
        rows[i] = (float)i;
    assert_int_equal(vx_npy_write(path, 3, shape, rows, &err), VX_OK);
    assert_int_equal(vx_directions_read(&d, path, 4, &err), VX_OK);
    vx_pose pose = vx_pose_rest();
    vx_expression(&d, &pose, source, e);
    for (int i = 0; i < 12; i++)
        assert_true(e[i] == 0);
    pose.value[VX_JAW] = 0.5f;
    pose.value[VX_GAZE_Y] = -1;
    vx_expression(&d, &pose, source, e);
    for (int i = 0; i < 12; i++)
        assert_float_equal(e[i], 0.5f * rows[i] - rows[8 * 12 + i], 1e-5);
    assert_int_equal(vx_directions_read(&d, path, 5, &err), VX_ERR_INPUT);
    rows[7] = NAN;
    assert_int_equal(vx_npy_write(path, 3, other, rows, &err), VX_OK);
    assert_int_equal(vx_directions_read(&d, path, 5, &err), VX_ERR_INPUT);
    unlink(path);
    assert_int_equal(vx_directions_read(&d, path, 5, &err), VX_ERR_MISSING);
}

static void the_published_network_is_driven_within_its_bounds(void **state)
{
    (void)state;
    static vx_directions d;
    float canonical[63] = {0}, source[63], e[63], rest[63];
    for (int i = 0; i < 63; i++)
        source[i] = 0.001f * (float)i;
    for (int swap = 0; swap < 2; swap++) {
        canonical[3 * 11] = swap ? 0.3f : -0.3f;
        canonical[3 * 15] = -canonical[3 * 11];
        vx_directions_published(&d, canonical);
        vx_pose pose = vx_pose_rest();
        vx_expression(&d, &pose, source, rest);
        assert_float_equal(rest[3 * 19 + 1], -0.0151,
                           1e-6); /* closed lips, the source's own eyes */
        assert_float_equal(rest[3 * 11], source[3 * 11], 0);
        pose.value[VX_JAW] = 0.5f;
        vx_expression(&d, &pose, source, e);
        assert_float_equal(e[3 * 19 + 1] - rest[3 * 19 + 1], 0.02, 1e-6);
        /* The left eye in the picture is the one whose key point lies left. */
        int left = swap ? 15 : 11, right = swap ? 11 : 15;
        for (int i = 0; i < 63; i++)
            source[i] = 0;
        pose = vx_pose_rest();
        vx_expression(&d, &pose, source, rest);
        pose.value[VX_BLINK_L] = 1;
        vx_expression(&d, &pose, source, e);
        assert_float_equal(e[3 * left + 1], 0.017, 1e-6);
        assert_float_equal(e[3 * right + 1], 0, 0);
        for (int c = VX_JAW; c < VX_MOTION_COLUMNS; c++)
            for (int u = -1; u <= 1; u++) {
                pose.value[c] = fmaxf(vx_motion_ranges[c].least, (float)u);
                vx_expression(&d, &pose, source, e);
                assert_true(e[3 * 14 + 1] >= -0.040f && e[3 * 14 + 1] <= 0.049f);
                assert_true(e[3 * 20 + 2] >= -0.013f && e[3 * 20 + 2] <= 0.033f);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lips_close_in_their_frames),
        cmocka_unit_test(jaw_follows_the_vowels),
        cmocka_unit_test(nothing_jumps),
        cmocka_unit_test(moods_differ),
        cmocka_unit_test(moods_follow_each_other),
        cmocka_unit_test(seeds_decide),
        cmocka_unit_test(loudness_opens_the_mouth),
        cmocka_unit_test(louder_vowels_are_wider),
        cmocka_unit_test(tables_survive_files),
        cmocka_unit_test(hostile_tables_are_refused),
        cmocka_unit_test(hostile_timings_are_refused),
        cmocka_unit_test(odd_timings_are_driven),
        cmocka_unit_test(a_pack_says_what_its_controls_do),
        cmocka_unit_test(the_published_network_is_driven_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, read_sentences, free_sentences);
}
