/* Reference: Kokoro's harmonic source, STFT and inverse STFT. */
#include "backend/ref/ref.h"

#include <math.h>

#include "base/random.h"

static const double TAU = 6.283185307179586;

/* istftnet.py: SineGen(samp_rate 24000, upsample_scale 300, harmonic_num 8, sine_amp 0.1,
 * noise_std 0.003, voiced_threshold 10). */
enum { HARMONICS = 9, SAMPLES_PER_FRAME = 300, SAMPLE_RATE = 24000 };

/* ---- source
 * ----------------------------------------------------------------------------------------- */

/* Cycles per sample of harmonic k in a frame, always in [0, 1): torch's `% 1`. */
static double rate(const vx_tensor *f0, int64_t frame, int k)
{
    double cycles = vx_ref_get(f0, frame, 0) * k / SAMPLE_RATE;
    return cycles - floor(cycles);
}

size_t vx_ref_harmonic_source_scratch(vx_backend *backend, const vx_harmonic_source_args *a)
{
    (void)backend;
    return (size_t)vx_rows(a->f0) * HARMONICS * sizeof(double);
}

/* Phase in cycles of harmonic k at the middle of each frame: the running sum of 300 rates. */
static void source_phases(const vx_tensor *f0, double *phase)
{
    for (int k = 0; k < HARMONICS; k++) {
        double sum = 0;
        for (int64_t i = 0; i < vx_rows(f0); i++) {
            sum += SAMPLES_PER_FRAME * rate(f0, i, k + 1);
            sum -= floor(sum);
            phase[i * HARMONICS + k] = sum;
        }
    }
}

/* Between the middles of two frames the phase is linear; before the first and after the last middle
 * it stands still (interpolate with align_corners false). */
vx_status vx_ref_harmonic_source(vx_ctx *ctx, const vx_harmonic_source_args *a, void *scratch)
{
    (void)ctx;
    double *phase = scratch, norm = 0;
    source_phases(a->f0, phase);
    for (int k = 0; k < HARMONICS; k++)
        norm += vx_ref_at(a->weight, k, 0) * vx_ref_at(a->weight, k, 0);
    norm = sqrt(norm);
    int64_t frames = vx_rows(a->f0);
    for (int64_t n = 0; n < vx_rows(a->out); n++) {
        int64_t own = n / SAMPLES_PER_FRAME;
        double at = fmax(((double)n + 0.5) / SAMPLES_PER_FRAME - 0.5, 0);
        int64_t left = (int64_t)at, right = left + 1 < frames ? left + 1 : left;
        bool voiced = vx_ref_get(a->f0, own, 0) > 10;
        double y = vx_ref_at(a->bias, 0, 0);
        for (int k = 0; k < HARMONICS && voiced; k++) {
            double p = phase[left * HARMONICS + k];
            if (right > left)
                p += (at - (double)left) * SAMPLES_PER_FRAME * rate(a->f0, right, k + 1);
            y += vx_ref_at(a->weight, k, 0) * 0.1 * sin(TAU * (p - floor(p)));
        }
        if (a->noise)
            y += norm * (voiced ? 0.003 : 0.1 / 3) *
                 (double)vx_random_normal(a->seed, VX_STREAM_VOICE_NOISE,
                                          a->first_sample + (uint64_t)n);
        vx_ref_set(a->out, n, 0, tanh(y));
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* ---- spectrum
 * --------------------------------------------------------------------------------------- */

/* config.json: gen_istft_n_fft 20, gen_istft_hop_size 5; periodic Hann, centred. */
enum { FFT = 20, HOP = 5, BINS = FFT / 2 + 1 };

static double hann(int n)
{
    return 0.5 - 0.5 * cos(TAU * n / FFT);
}

/* Reflection without repeating the edge. */
static int64_t reflect(int64_t i, int64_t n)
{
    if (i < 0) i = -i;
    return i < n ? i : 2 * (n - 1) - i;
}

/* Sample n of frame f, windowed. The window is the same from both sides, to the bit. */
static double sample(const vx_tensor *x, int64_t f, int n)
{
    return vx_ref_get(x, reflect(f * HOP + n - FFT / 2, vx_rows(x)), 0) *
           hann(n <= FFT / 2 ? n : FFT - n);
}

vx_status vx_ref_stft(vx_ctx *ctx, const vx_stft_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t f = 0; f < vx_rows(a->out); f++) {
        for (int k = 0; k < BINS; k++) {
            double re = 0, im = 0;
            for (int n = 0; n < FFT; n++)
                re += sample(a->x, f, n) * cos(TAU * (k * n % FFT) / FFT);
            /* By pairs, so that a symmetric frame gives zero and not rounding: the first one is
             * reflected at its own middle, and its angles' sign must not be chance. For the same
             * reason nothing is left of bins 0 and 10, which are real. */
            for (int n = 1; n < FFT / 2 && k % (FFT / 2) != 0; n++)
                im += (sample(a->x, f, FFT - n) - sample(a->x, f, n)) *
                      sin(TAU * (k * n % FFT) / FFT);
            vx_ref_set(a->out, f, k, sqrt(re * re + im * im));
            vx_ref_set(a->out, f, BINS + k, atan2(im + 0.0, re + 0.0));
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Sample n of the frame's inverse transform, windowed. */
static double istft_sample(const vx_tensor *x, int64_t f, int n)
{
    double sum = 0;
    for (int k = 0; k < BINS; k++) {
        double magnitude = exp(vx_ref_get(x, f, k)), angle = sin(vx_ref_get(x, f, BINS + k));
        double turn = TAU * (k * n % FFT) / FFT;
        if (k == 0 || k == FFT / 2) /* the imaginary part is ignored */
            sum += magnitude * cos(angle) * cos(turn);
        else
            sum += 2 * magnitude * cos(angle + turn);
    }
    return sum / FFT * hann(n);
}

vx_status vx_ref_istft(vx_ctx *ctx, const vx_istft_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t frames = vx_rows(a->x);
    for (int64_t s = 0; s < vx_rows(a->out); s++) {
        int64_t at = s + FFT / 2; /* the first half window is cut off */
        double sum = 0, window = 0;
        for (int64_t f = at / HOP; f >= 0 && at - f * HOP < FFT; f--) {
            if (f >= frames) continue;
            int n = (int)(at - f * HOP);
            sum += istft_sample(a->x, f, n);
            window += hann(n) * hann(n);
        }
        vx_ref_set(a->out, s, 0, sum / window);
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}
