/* The words are there: twenty sentences through text, lexicon, Kokoro and the timing table. Each lasts about
 * as long as its phonemes ask for, has every word in the table, is loud under every vowel and is followed
 * by silence: 6 to 27 symbols a second, vowels at most 20 dB and pauses at least 26 dB under the sentence's
 * level. Skipped when the weights are not there (./run fetch). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "slot/speak.h"
#include "text/phonemes.h"

/* GRID: Kokoro gives durations in multiples of 25 ms, so a sound may lie one step beside its entry. */
enum { SENTENCES = 4, GRID = VX_KOKORO_RATE / 40 };

typedef struct paragraph {
    const char *voice, *text;
    int words[SENTENCES]; /* as written, in each sentence */
} paragraph;

static const paragraph paragraphs[] = {
    {"af_heart",
     "The engine starts slowly. Every model has found its place, and nothing moves any more! "
     "Did you hear that? Yes.",
     {4, 11, 4, 1}},
    {"am_michael",
     "Good evening, and welcome to the night shift. Rain is falling over the harbour. "
     "Seven boats came home before noon; one is still out. We will wait.",
     {8, 6, 10, 3}},
    {"bf_emma",
     "My grandmother kept bees behind the old schoolhouse. She never wore gloves. "
     "Why would she, when they knew her voice? I was stung twice.",
     {8, 4, 8, 4}},
    {"bm_george",
     "The treaty was signed on 4 May 1921. Nobody paid attention. "
     "It cost 3 million pounds, which was a great deal of money. Today it is forgotten.",
     {8, 3, 12, 4}},
    {"af_bella",
     "Mix the flour with 250 grams of butter. Do not stir! "
     "Dr. Smith says that the dough should rest, and he is usually right. Enjoy your breakfast.",
     {8, 3, 13, 3}},
};

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_speaker *speaker;
} bench;

static int open_bench(void **state)
{
    static bench b;
    vx_settings_default(&b.settings);
    assert_int_equal(vx_pack_open(&b.pack, VX_SOURCE_DIR "/packs/speech", &b.err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b.settings, .pack = &b.pack,
                               .wants = VX_WANT_SPEECH, .speech_seconds = 30};
    vx_status status = vx_engine_open(&b.engine, &params, &b.err);
    if (status == VX_OK)
        status = vx_speaker_open(&b.speaker, b.engine, VX_ACCENTS_US | VX_ACCENTS_GB, &b.err);
    if (status == VX_ERR_MISSING) {
        printf("skipped: %s\n", b.err.message);
        exit(77);
    }
    if (status != VX_OK) fail_msg("%s", b.err.message);
    *state = &b;
    return 0;
}

static int close_bench(void **state)
{
    bench *b = *state;
    vx_speaker_close(&b->speaker);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
    return 0;
}

static double level(const vx_spoken *s, int64_t start, int64_t end)
{
    double sum = 0;
    assert_true(start >= 0 && start < end && end <= s->count);
    for (int64_t i = start; i < end; i++)
        sum += (double)s->samples[i] * s->samples[i];
    return sqrt(sum / (double)(end - start));
}

/* The lowest level of 50 ms within a span. */
static double quietest(const vx_spoken *s, int64_t start, int64_t end)
{
    double lowest = INFINITY;
    for (int64_t i = start; i + 2 * GRID <= end; i += GRID / 5)
        lowest = fmin(lowest, level(s, i, i + 2 * GRID));
    return lowest;
}

/* The highest level of 25 ms within a span. */
static double loudest(const vx_spoken *s, int64_t start, int64_t end)
{
    double highest = 0;
    for (int64_t i = start < 0 ? 0 : start; i + GRID <= end && i + GRID <= s->count; i += GRID / 5)
        highest = fmax(highest, level(s, i, i + GRID));
    return highest;
}

typedef struct sentence {
    int64_t first, last; /* words */
    double seconds, speech;
    int symbols, vowels;
    double faintest; /* vowel, as a share of the sentence's level */
} sentence;

static void look(const vx_spoken *s, sentence *x)
{
    int64_t start = s->word_span[x->first].start, end = s->word_span[x->last].end;
    x->seconds = (double)(end - start) / VX_KOKORO_RATE;
    x->speech = level(s, start, end);
    x->faintest = INFINITY;
    for (int64_t i = 0; i < s->symbols; i++) {
        const vx_speech_span *span = &s->symbol_span[i];
        if (span->start < start || span->end > end || span->end <= span->start) continue;
        x->symbols++;
        if (!vx_phoneme_vowel(s->symbol[i])) continue;
        x->vowels++;
        x->faintest =
            fmin(x->faintest, loudest(s, span->start - GRID, span->end + GRID) / x->speech);
    }
}

/* ---- when symbols are heard ----------------------------------------------------------------- */

/* Loudness against vowels, in steps of 5 ms, the vowels moved by up to 100 ms: sums for correlations. */
enum { STEP = GRID / 5, STEPS = 30 * VX_KOKORO_RATE / STEP, LAG = 20 };
typedef struct sums {
    double n, x, y, xx, yy, xy;
} sums;
static sums lagged[2 * LAG + 1];

/* Vowels with the stress before them and the length behind them. */
static bool in_vowel(const vx_spoken *s, int64_t i)
{
    uint32_t symbol = s->symbol[i];
    bool stress = symbol == 0x2C8 || symbol == 0x2CC;
    if (stress && i + 1 < s->symbols) symbol = s->symbol[i + 1];
    return vx_phoneme_vowel(symbol) || symbol == 0x2D0;
}

static void compare_times(const vx_spoken *s)
{
    static float vowel[STEPS], loud[STEPS];
    int64_t n = s->count / STEP - 1;
    double peak = 0;
    memset(vowel, 0, sizeof vowel);
    for (int64_t i = 0; i < s->symbols; i++)
        for (int64_t t = s->symbol_span[i].start / STEP; t < s->symbol_span[i].end / STEP; t++)
            vowel[t] = in_vowel(s, i);
    for (int64_t t = 0; t < n; t++) {
        loud[t] = (float)level(s, t * STEP, (t + 2) * STEP);
        peak = fmax(peak, (double)loud[t]);
    }
    for (int64_t t = LAG; t < n - LAG; t++)
        for (int lag = -LAG; lag <= LAG; lag++) {
            double x = (double)vowel[t - lag], y = log((double)loud[t] + 0.02 * peak);
            sums *m = &lagged[lag + LAG];
            *m = (sums){m->n + 1, m->x + x, m->y + y, m->xx + x * x, m->yy + y * y, m->xy + x * y};
        }
}

static double correlation(const sums *m)
{
    return (m->n * m->xy - m->x * m->y) /
           sqrt((m->n * m->xx - m->x * m->x) * (m->n * m->yy - m->y * m->y));
}

/* The vowels of the timings lie where the sound is loud: moved by more than 25 ms they would fit less. */
static void symbols_are_timed_as_heard(void **state)
{
    (void)state;
    int best = 0;
    for (int lag = -LAG; lag <= LAG; lag++)
        if (correlation(&lagged[lag + LAG]) > correlation(&lagged[best + LAG])) best = lag;
    printf("vowels are heard %d ms after their times, correlation %.2f\n", 5 * best,
           correlation(&lagged[best + LAG]));
    assert_in_range(best + LAG, LAG - 5, LAG + 5);
}

static void check_paragraph(bench *b, const paragraph *p)
{
    vx_spoken s;
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_AUDIO, NULL, &b->err);
    vx_speak_request request = {.text = p->text, .bytes = strlen(p->text), .voice_id = p->voice};
    if (vx_speaker_run(b->speaker, &ctx, &request, &s) != VX_OK) fail_msg("%s", b->err.message);
    int64_t first = 0;
    for (int i = 0; i < SENTENCES; i++) {
        sentence x = {.first = first, .last = first + p->words[i] - 1};
        assert_true(x.last < s.words);
        look(&s, &x);
        int64_t end = s.word_span[x.last].end;
        int64_t next = x.last + 1 < s.words ? s.word_span[x.last + 1].start : s.count;
        double pause = quietest(&s, end - 2 * GRID, next) / x.speech;
        printf("%s %d: %.2f s, %.1f symbols a second, faintest of %d vowels %.2f, pause %.4f\n",
               p->voice, i + 1, x.seconds, x.symbols / x.seconds, x.vowels, x.faintest, pause);
        assert_true(x.symbols / x.seconds >= 6 && x.symbols / x.seconds <= 27);
        assert_true(x.vowels > 0 && x.faintest >= 0.1);
        assert_true(pause <= 0.05);
        first = x.last + 1;
    }
    assert_int_equal(first, s.words);
    compare_times(&s);
}

static void every_word_is_spoken(void **state)
{
    for (size_t i = 0; i < sizeof paragraphs / sizeof paragraphs[0]; i++)
        check_paragraph(*state, &paragraphs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_word_is_spoken),
                                       cmocka_unit_test(symbols_are_timed_as_heard)};
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
