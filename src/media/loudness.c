#include "media/loudness.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <ebur128.h>

#include "base/random.h"
#include "base/warnings.h"

enum {
    BLOCK = 2048,     /* samples that are worked on at once */
    LOOK_MAX = 240,   /* 5 ms at 48 kHz */
    TAPS = 16,        /* of the filter that finds peaks between samples, for each quarter */
    REACH = TAPS / 2, /* samples on either side that it reads */
    UP_TAPS = 48,     /* of the filter that doubles the rate */
    EDGE = LOOK_MAX + REACH,
    SPAN = BLOCK + 2 * EDGE,
    TONE_TAPS = 4 /* neighbours whose mean takes the edge off white noise */
};

/* Films are to stay at or under -1 dBTP when they are decoded; AAC raises peaks by up to
 * 0.1 dB (av_sound.c). */
static const double CEILING_DBTP = -1.2, TONE_DBFS = -70;
/* How much may be limited, and in what steps the gain is taken back until it is so. */
static const double SHARE_MAX = 0.01, STEP_DB = 0.25;
/* The ways to a peak and back that are tried, as parts of 5 ms: 5, 2.5 and 1 ms; and the gain that
 * may be given up for a longer one. */
enum { LOOKS = 3 };
static const int look_parts[LOOKS] = {1, 2, 5};
static const double SPARED_DB = 0.5;
/* No speech is recorded that far below the target; more would only raise its noise. */
static const double GAIN_MAX_DB = 24;
static const double SILENT_DBTP = -200;

/* One run: what the samples are made into. */
typedef struct run {
    const float *samples;
    int64_t count; /* of what comes out */
    bool twice, room_tone, limit;
    float gain, ceiling;
    int look; /* samples, at most 5 ms */
    float up[UP_TAPS], quarter[3][TAPS];
} run;

/* A block and its surroundings; [i] is sample first - EDGE + i. */
typedef struct block {
    float given[SPAN / 2 + UP_TAPS]; /* of which it is made when the rate is doubled */
    float sample[SPAN], wanted[SPAN], least[SPAN], out[BLOCK];
    double sum[SPAN + 1];
} block;

/* ---- filters --------------------------------------------------------------------------------- */

/* Zeroth-order modified Bessel function of the first kind, by its power series. */
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 32; k++) {
        term *= x / (2 * k) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/* Interpolates at `at` (0..1) between the two middle samples of `taps`: a sinc under Kaiser's
 * window of that beta; its taps sum up to 1. */
static void sinc_filter(float *filter, int taps, double at, double beta)
{
    double value[UP_TAPS], sum = 0;
    for (int i = 0; i < taps; i++) {
        double x = i - (taps / 2 - 1) - at, edge = x / (taps * 0.5);
        double sinc = fabs(x) < 1e-9 ? 1 : sin(M_PI * x) / (M_PI * x);
        value[i] = sinc * bessel(beta * sqrt(fmax(0, 1 - edge * edge))) / bessel(beta);
        sum += value[i];
    }
    for (int i = 0; i < taps; i++)
        filter[i] = (float)(value[i] / sum);
}

/* ---- a block --------------------------------------------------------------------------------- */

static float given(const run *r, int64_t i)
{
    int64_t count = r->twice ? r->count / 2 : r->count;
    return i >= 0 && i < count ? r->samples[i] : 0;
}

/* The block's samples at the rate that comes out, `first` on: every other one
 * is one that was given. */
static void raise_rate(const run *r, int64_t first, block *b)
{
    if (!r->twice) {
        for (int i = 0; i < SPAN; i++)
            b->sample[i] = r->gain * given(r, first + i);
        return;
    }
    assert((first & 1) == 0);
    int64_t origin = first / 2 - (UP_TAPS / 2 - 1);
    for (int i = 0; i < SPAN / 2 + UP_TAPS; i++)
        b->given[i] = r->gain * given(r, origin + i);
    for (int i = 0; i < SPAN; i += 2) {
        const float *near = b->given + i / 2;
        float sum = 0;
        for (int k = 0; k < UP_TAPS; k++)
            sum += r->up[k] * near[k];
        b->sample[i] = near[UP_TAPS / 2 - 1];
        b->sample[i + 1] = sum;
    }
}

/* Uniform in -1..1, a pure function of the place. */
static float noise(int64_t i)
{
    uint32_t word[4];
    vx_philox(0, VX_STREAM_ROOM_TONE, (uint64_t)i >> 2, word);
    return (float)word[i & 3] * 0x1p-31f - 1;
}

/* Its mean square is that of TONE_DBFS: a uniform number's is 1/3, and means of four
 * have a quarter of it. */
static void add_tone(block *b, int64_t first)
{
    float scale = (float)(pow(10, TONE_DBFS / 20) * sqrt(3 * TONE_TAPS) / TONE_TAPS);
    float near[TONE_TAPS] = {0};
    for (int i = 0; i < SPAN + TONE_TAPS - 1; i++) {
        int64_t at = first + i;
        near[i % TONE_TAPS] = at >= 0 ? noise(at) : 0;
        if (i < TONE_TAPS - 1) continue;
        float sum = 0;
        for (int k = 0; k < TONE_TAPS; k++)
            sum += near[(i + 1 + k) % TONE_TAPS];
        b->sample[i - (TONE_TAPS - 1)] += scale * sum;
    }
}

/* The highest of sample i and of three points towards the next, where the wave may stand higher. */
static float peak_at(const run *r, const float *sample, int i)
{
    float most = fabsf(sample[i]);
    /* Between samples speech stands at most about twice as high. */
    if (most < 0.25f * r->ceiling) return most;
    for (int q = 0; q < 3; q++) {
        float sum = 0;
        for (int k = 0; k < TAPS; k++)
            sum += r->quarter[q][k] * sample[i - (REACH - 1) + k];
        most = fmaxf(most, fabsf(sum));
    }
    return most;
}

/* The gain of every sample of the block: what each peak asks for, held and then averaged
 * over the look-ahead, so that it is reached in time and left as slowly. False when
 * nothing is to be limited. */
static bool find_gains(const run *r, block *b)
{
    bool any = false;
    float before = peak_at(r, b->sample, EDGE - r->look - 1);
    for (int i = EDGE - r->look; i < SPAN - EDGE + r->look; i++) {
        float at = peak_at(r, b->sample, i), peak = fmaxf(at, before);
        b->wanted[i] = peak > r->ceiling ? r->ceiling / peak : 1;
        any |= peak > r->ceiling;
        before = at;
    }
    if (!any) return false;
    int half = r->look / 2, first = EDGE - half, end = SPAN - EDGE + half;
    for (int i = first; i < end; i++)
        b->least[i] = 1;
    for (int i = EDGE - r->look; i < SPAN - EDGE + r->look; i++)
        for (int k = i - half; b->wanted[i] < 1 && k <= i + half; k++)
            if (k >= first && k < end) b->least[k] = fminf(b->least[k], b->wanted[i]);
    b->sum[first] = 0;
    for (int i = first; i < end; i++)
        b->sum[i + 1] = b->sum[i] + (double)b->least[i];
    return true;
}

/* Samples first… of what comes out; how many of them were limited. */
static int64_t make_block(const run *r, int64_t first, int64_t count, block *b)
{
    int64_t limited = 0;
    raise_rate(r, first - EDGE, b);
    if (r->room_tone) add_tone(b, first - EDGE);
    memcpy(b->out, b->sample + EDGE, sizeof b->out);
    if (!r->limit || !find_gains(r, b)) return 0;
    int half = r->look / 2;
    for (int i = 0; i < count; i++) {
        int at = EDGE + i;
        double gain = (b->sum[at + half] - b->sum[at - half]) / (2 * half);
        limited += gain < 1 - 1e-6;
        b->out[i] *= (float)gain;
    }
    return limited;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to measure the loudness");
}

static double to_db(double value)
{
    return value > 0 ? fmax(20 * log10(value), SILENT_DBTP) : SILENT_DBTP;
}

/* -HUGE_VAL for silence. */
static vx_status measure(const float *samples, int64_t n, int rate, double *lufs, vx_error *err)
{
    ebur128_state *state = ebur128_init(1, (unsigned long)rate, EBUR128_MODE_I);
    if (state == NULL) return no_memory(err);
    int failed = ebur128_add_frames_float(state, samples, (size_t)n);
    if (failed == EBUR128_SUCCESS) failed = ebur128_loudness_global(state, lufs);
    ebur128_destroy(&state);
    return failed == EBUR128_SUCCESS ? VX_OK : no_memory(err);
}

/* Whether no more than SHARE_MAX would be limited. */
static bool few_are_limited(const run *r, block *b)
{
    int64_t limited = 0, most = (int64_t)(SHARE_MAX * (double)r->count);
    for (int64_t at = 0; at < r->count && limited < most; at += BLOCK)
        limited += make_block(r, at, r->count - at < BLOCK ? r->count - at : BLOCK, b);
    return limited < most || limited == 0;
}

/* Whether the gain will do; it is the run's then. */
static bool gain_fits(run *r, double db, block *b)
{
    r->gain = (float)pow(10, db / 20);
    return few_are_limited(r, b);
}

/* A gain under which nothing at all is limited: waves stand at most some 12 dB
 * above their samples. */
static double harmless_db(const run *r)
{
    float most = 0;
    for (int64_t i = 0, count = r->twice ? r->count / 2 : r->count; i < count; i++)
        most = fmaxf(most, fabsf(r->samples[i]));
    return CEILING_DBTP - 12 - 20 * log10(fmax((double)most, 1e-9));
}

/* The longer a peak is prepared for, the less it is heard, and the more samples it takes along:
 * the longest way that costs next to no gain; where even the shortest would limit too much, the
 * gain goes down for it. */
static double find_gain(run *r, double wanted_db, block *b)
{
    wanted_db = fmin(wanted_db, GAIN_MAX_DB);
    int longest = r->look;
    for (int i = 0; i < LOOKS; i++) {
        r->look = longest / look_parts[i];
        if (!gain_fits(r, wanted_db - SPARED_DB, b)) continue;
        double db = wanted_db;
        while (db > wanted_db - SPARED_DB && !gain_fits(r, db, b))
            db -= STEP_DB;
        r->gain = (float)pow(10, db / 20);
        return db;
    }
    double high = wanted_db - SPARED_DB, low = fmin(harmless_db(r), high);
    while (high - low > STEP_DB) {
        double middle = (high + low) / 2;
        if (gain_fits(r, middle, b))
            low = middle;
        else
            high = middle;
    }
    r->gain = (float)pow(10, low / 20);
    return low;
}

static vx_status deliver(const run *r, const vx_loudness_params *p, ebur128_state *meter, block *b,
                         vx_loudness *result, vx_error *err)
{
    int64_t limited = 0;
    for (int64_t at = 0; at < r->count; at += BLOCK) {
        int64_t count = r->count - at < BLOCK ? r->count - at : BLOCK;
        limited += make_block(r, at, count, b);
        if (ebur128_add_frames_float(meter, b->out, (size_t)count) != EBUR128_SUCCESS)
            return no_memory(err);
        VX_TRY(p->put(p->arg, b->out, count, err));
    }
    double peak = 0;
    result->limited_share = r->count > 0 ? (double)limited / (double)r->count : 0;
    if (ebur128_loudness_global(meter, &result->lufs) != EBUR128_SUCCESS ||
        ebur128_true_peak(meter, 0, &peak) != EBUR128_SUCCESS)
        return no_memory(err);
    result->true_peak_dbtp = to_db(peak);
    result->audible = isfinite(result->lufs);
    return VX_OK;
}

vx_status vx_loudness_run(const vx_loudness_params *p, const float *samples, int64_t n,
                          vx_loudness *result, vx_error *err)
{
    int rate = p->twice ? 2 * p->sample_rate : p->sample_rate;
    run r = {.samples = samples,
             .count = p->twice ? 2 * n : n,
             .twice = p->twice,
             .room_tone = p->room_tone,
             .gain = 1,
             .ceiling = (float)pow(10, CEILING_DBTP / 20),
             .look = rate / 200};
    assert(r.look <= LOOK_MAX);
    block b;
    double lufs;
    *result = (vx_loudness){0};
    /* Kaiser's beta of 8 stands for stop bands of 80 dB, of 5 for some 53. */
    sinc_filter(r.up, UP_TAPS, 0.5, 8);
    for (int q = 0; q < 3; q++)
        sinc_filter(r.quarter[q], TAPS, (q + 1) / 4.0, 5);
    VX_TRY(measure(samples, n, p->sample_rate, &lufs, err));
    r.limit = p->target_lufs != VX_LOUDNESS_OFF && isfinite(lufs);
    if (r.limit) result->gain_db = find_gain(&r, p->target_lufs - lufs, &b);
    ebur128_state *meter =
        ebur128_init(1, (unsigned long)rate, EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK);
    if (meter == NULL) return no_memory(err);
    vx_status status = deliver(&r, p, meter, &b, result, err);
    ebur128_destroy(&meter);
    return status;
}

void vx_loudness_warn(const vx_loudness *l, double target_lufs, const char *where)
{
    if (!l->audible || target_lufs == VX_LOUDNESS_OFF || l->lufs >= target_lufs - 1) return;
    vx_warn("quieter", where,
            "the sound comes out at %.1f LUFS, not %.1f: more gain would clip its peaks or raise "
            "its noise",
            l->lufs, target_lufs);
}

json_t *vx_loudness_json(const vx_loudness *l)
{
    return json_pack("{s:o, s:f, s:f, s:f}", "lufs", l->audible ? json_real(l->lufs) : json_null(),
                     "gain_db", l->gain_db, "true_peak_dbtp", l->true_peak_dbtp, "limited_share",
                     l->limited_share);
}
