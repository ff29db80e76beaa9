#include <math.h>
#include <string.h>

#include "drive/manner.h"
#include "drive/track.h"
#include "drive/viseme.h"

/* A frame's mouth is the mean of the phonemes around it, weighted by what each fills of a window:
 * so neighbours blend, and short phonemes count less. Half widths in seconds; the lips' window
 * looks further ahead (rounding is anticipated by 100 ms and more: Cohen and Massaro 1993). */
static const double JAW_WINDOW = 0.050, LIPS_BEFORE = 0.070, LIPS_AHEAD = 0.130;
static const double STRESS_REACH = 0.110;
/* What relaxed lips weigh against the phonemes in the window. */
static const float REST_WEIGHT = 0.06f;
/* Stressed vowels open further, unstressed ones less. */
static const float STRESSED = 1.08f, UNSTRESSED = 0.96f;

/* A phoneme with what its marks say. */
typedef struct segment {
    vx_viseme viseme;
    double start, end;         /* stress marks before it and length marks after it included */
    double own_start, own_end; /* its own symbol's span */
    float stress;              /* 1 primary, 0.5 secondary, 0 none */
    float opening;             /* factor of the jaw */
} segment;

/* The next phoneme from *i on, its marks gathered; false at the end. `stress` waits for a vowel. */
static bool next_segment(const vx_drive_request *r, int64_t *i, float *stress, segment *s)
{
    double start = -1;
    for (; *i < r->phones; (*i)++) {
        const vx_phone *p = &r->phone[*i];
        vx_viseme v = vx_viseme_of(p->symbol);
        if (p->end_s <= p->start_s) continue; /* cut away with the end of the speech */
        if (v.kind == VX_PHONE_SILENCE) {
            start = -1;
            *stress = 0;
            continue;
        }
        if (start < 0) start = (double)p->start_s;
        if (v.kind == VX_PHONE_MARK) *stress = p->symbol == 0x02C8 ? 1 : 0.5f;
        if (v.kind == VX_PHONE_MARK || v.kind == VX_PHONE_LENGTH) continue;
        *s = (segment){.viseme = v,
                       .start = start,
                       .own_start = (double)p->start_s,
                       .own_end = (double)p->end_s,
                       .opening = 1};
        s->end = s->own_end;
        for ((*i)++; *i < r->phones; (*i)++) {
            if (vx_viseme_of(r->phone[*i].symbol).kind != VX_PHONE_LENGTH) break;
            s->end = (double)r->phone[*i].end_s;
        }
        if (v.kind == VX_PHONE_VOWEL) {
            s->stress = *stress;
            *stress = 0;
        }
        return true;
    }
    return false;
}

/* ---- loudness ------------------------------------------------------------------------------- */

/* Root mean square of the samples in [from, to) seconds; 0 where there are none. */
static float loudness(const vx_drive_request *r, double from, double to)
{
    double sum = 0;
    int64_t first = (int64_t)fmax(0, from * r->sample_rate);
    int64_t last = (int64_t)fmin((double)r->sample_count, to * r->sample_rate);
    if (r->samples == NULL || last <= first) return 0;
    for (int64_t i = first; i < last; i++)
        sum += (double)r->samples[i] * (double)r->samples[i];
    return (float)sqrt(sum / (double)(last - first));
}

static float mean_vowel_loudness(const vx_drive_request *r)
{
    double sum = 0;
    int64_t count = 0, i = 0;
    float stress = 0;
    segment s;
    while (next_segment(r, &i, &stress, &s)) {
        if (s.viseme.kind != VX_PHONE_VOWEL) continue;
        sum += (double)loudness(r, s.start, s.end);
        count++;
    }
    return count > 0 ? (float)(sum / (double)count) : 0;
}

/* Louder vowels are wider: half of the difference from the mean counts, within a quarter. */
static float opening_of(const vx_drive_request *r, const segment *s, float mean)
{
    float manner = vx_manner_at(r, s->start).articulation;
    if (s->viseme.kind != VX_PHONE_VOWEL) return 0.5f + 0.5f * manner;
    float stressed = UNSTRESSED + (STRESSED - UNSTRESSED) * s->stress;
    if (!(mean > 0)) return manner * stressed;
    float loud = loudness(r, s->start, s->end) / mean;
    return manner * stressed * fminf(1.25f, fmaxf(0.75f, 0.5f + 0.5f * loud));
}

/* ---- from timings --------------------------------------------------------------------------- */

/* The share of a raised-cosine window over [-1, 1] that lies below x. */
static double below(double x)
{
    if (x <= -1) return 0;
    return x >= 1 ? 1 : 0.5 * (1 + x + sin(M_PI * x) / M_PI);
}

/* The share that [from, to) fills of a window around 0 of two half widths. */
static float share(double from, double to, double back, double ahead)
{
    double middle = 0.5 * (ahead - back), half = 0.5 * (ahead + back);
    return (float)(below((to - middle) / half) - below((from - middle) / half));
}

static double bump(double distance, double reach)
{
    return exp(-(distance / reach) * (distance / reach));
}

/* Adds a segment's shape to the frames that it reaches. */
static void blend(const segment *s, vx_tracks *t)
{
    const vx_viseme *v = &s->viseme;
    double reach = 3 * STRESS_REACH, length = fmax(1e-3, s->end - s->start);
    int64_t first = (int64_t)floor((s->start - reach) * t->fps);
    int64_t last = (int64_t)ceil((s->end + reach) * t->fps);
    for (int64_t i = first < 0 ? 0 : first; i < t->n && i <= last; i++) {
        double now = vx_frame_time(t, i), from = s->start - now, to = s->end - now;
        double at = fmin(1, fmax(0, (-from / length - 0.35) / 0.45));
        float glide = v->moves ? (float)(at * at * (3 - 2 * at)) : 0;
        float jaw = share(from, to, JAW_WINDOW, JAW_WINDOW);
        t->jaw[i] += jaw * (v->jaw + (v->jaw_end - v->jaw) * glide) * s->opening;
        t->activity[i] += jaw;
        float lips = v->shaped * share(from, to, LIPS_BEFORE, LIPS_AHEAD);
        t->lips[i] += lips * (v->lips + (v->lips_end - v->lips) * glide);
        t->b[i] += lips;
        if (s->stress > 0) {
            double off = now - 0.5 * (s->start + s->end);
            t->stress[i] = fmaxf(t->stress[i], s->stress * (float)bump(off, STRESS_REACH));
        }
    }
}

/* Lips that meet stay together for the phoneme's own frames; other bounds hold in its middle. */
static void bound(const segment *s, vx_tracks *t)
{
    double from = s->own_start, to = s->own_end, middle = 0.5 * (from + to);
    bool held = s->viseme.ceiling < 0.1f;
    int64_t centre = (int64_t)(middle * t->fps);
    int64_t first = held ? (int64_t)ceil(from * t->fps - 0.5) : centre;
    int64_t last = held ? (int64_t)ceil(to * t->fps - 0.5) - 1 : centre;
    if (first > centre) first = centre;
    if (last < centre) last = centre;
    for (int64_t i = first < 0 ? 0 : first; i <= last && i < t->n; i++)
        t->c[i] = fminf(t->c[i], s->viseme.ceiling);
}

void vx_mouth_by_timings(const vx_drive_request *r, vx_tracks *t)
{
    float stress = 0, mean = mean_vowel_loudness(r);
    float jaw_step = vx_drive_speed(VX_JAW) / (float)t->fps;
    float lip_step = vx_drive_speed(VX_LIP_ROUND) / (float)t->fps;
    segment s;
    for (int64_t i = 0; i < t->n; i++) {
        t->b[i] = REST_WEIGHT;
        t->c[i] = 1;
    }
    for (int64_t i = 0; next_segment(r, &i, &stress, &s);) {
        s.opening = opening_of(r, &s, mean);
        blend(&s, t);
        bound(&s, t);
    }
    for (int64_t i = 0; i < t->n; i++) {
        t->jaw[i] = fminf(1, t->jaw[i]);
        t->lips[i] /= t->b[i];
    }
    vx_track_limit(t->jaw, t->a, t->n, jaw_step);
    vx_track_limit(t->lips, t->a, t->n, lip_step);
    vx_track_floor(t->c, t->n, jaw_step);
    for (int64_t i = 0; i < t->n; i++)
        t->jaw[i] = fminf(t->jaw[i], t->c[i]);
}

/* ---- from loudness alone -------------------------------------------------------------------- */

/* Open as the sound is loud against its own loud passages, closed in its quiet ones. */
void vx_mouth_by_loudness(const vx_drive_request *r, vx_tracks *t)
{
    /* A loud passage is what one frame in ten exceeds; a histogram in half decibels finds it. */
    enum { BINS = 240 };
    int64_t bin[BINS] = {0}, seen = 0, voiced = 0;
    int loud = BINS - 1;
    double width = 1 / t->fps;
    for (int64_t i = 0; i < t->n; i++) {
        double now = vx_frame_time(t, i);
        t->a[i] = loudness(r, now - width, now + width);
        if (!(t->a[i] > 1e-5f)) continue;
        double level = 20 * log10((double)t->a[i]) + 110;
        bin[(int)fmin(BINS - 1, fmax(0, 2 * level))]++;
        voiced++;
    }
    for (; loud > 0 && seen + bin[loud] <= voiced / 10; loud--)
        seen += bin[loud];
    float reference = (float)pow(10, (0.5 * loud - 110) / 20);
    for (int64_t i = 0; i < t->n; i++) {
        float share = voiced > 0 ? t->a[i] / reference : 0;
        share = fminf(1.2f, fmaxf(0, (share - 0.08f) / 0.92f));
        t->activity[i] = fminf(1, 2 * share);
        t->jaw[i] = 0.54f * vx_manner_at(r, vx_frame_time(t, i)).articulation * powf(share, 0.7f);
    }
    for (int64_t i = 1; i + 1 < t->n; i++) /* a rise to a peak stands for a stressed syllable */
        if (t->a[i] > 0.8f * reference && t->a[i] >= t->a[i - 1] && t->a[i] > t->a[i + 1])
            t->stress[i] = 1;
    memcpy(t->b, t->stress, sizeof *t->b * (size_t)t->n);
    vx_track_smooth(t->b, t->stress, t->n, STRESS_REACH * t->fps);
    vx_track_limit(t->jaw, t->a, t->n, vx_drive_speed(VX_JAW) / (float)t->fps);
}
