/* Tiles of stft and istft: one compilation per level, see spectrum.h. */
#include "backend/cpu/spectrum.h"

static const float PI = 3.14159265f, HALF_PI = 1.57079633f;

/* ---- functions ------------------------------------------------------------------------------ */

/* The angle of (x, y) in [-pi, pi]; 0 at the origin; y = -0 counts as +0. Minimax polynomial of the
 * arc tangent over [0, 1], within 6e-9. */
static inline vf angle(vf y, vf x)
{
    const vf zero = vf_set(0.0f);
    vf ax = vf_abs(x), ay = vf_abs(y);
    vf low = vf_min(ax, ay), high = vf_max(ax, ay);
    vf t = vf_select(vf_less(zero, high), vf_div(low, high), zero), z = vf_mul(t, t);
    vf p = vf_set(0.0024566929787397385f);
    p = vf_fma(p, z, vf_set(-0.014401225373148918f));
    p = vf_fma(p, z, vf_set(0.03978099301457405f));
    p = vf_fma(p, z, vf_set(-0.07234836369752884f));
    p = vf_fma(p, z, vf_set(0.10498934984207153f));
    p = vf_fma(p, z, vf_set(-0.14161226153373718f));
    p = vf_fma(p, z, vf_set(0.19985906779766083f));
    p = vf_fma(p, z, vf_set(-0.33332598209381104f));
    p = vf_fma(p, z, vf_set(0.9999998807907104f));
    vf a = vf_mul(p, t);
    a = vf_select(vf_less(ax, ay), vf_sub(vf_set(HALF_PI), a), a);
    a = vf_select(vf_less(x, zero), vf_sub(vf_set(PI), a), a);
    return vf_select(vf_less(y, zero), vf_sub(zero, a), a);
}

/* sin and cos on [-1, 1]: minimax, within 6e-10. */
static inline vf sine_small(vf x)
{
    vf z = vf_mul(x, x), p = vf_set(2.6876259653363377e-06f);
    p = vf_fma(p, z, vf_set(-0.0001983448601095006f));
    p = vf_fma(p, z, vf_set(0.008333303965628147f));
    p = vf_fma(p, z, vf_set(-0.1666666567325592f));
    return vf_fma(vf_mul(p, z), x, x);
}

static inline vf cosine_small(vf x)
{
    vf z = vf_mul(x, x), p = vf_set(2.412132926110644e-05f);
    p = vf_fma(p, z, vf_set(-0.001388296252116561f));
    p = vf_fma(p, z, vf_set(0.04166645556688309f));
    p = vf_fma(p, z, vf_set(-0.4999999701976776f));
    return vf_fma(p, z, vf_set(1.0f));
}

/* sin x, within 1e-7 for |x| < 8192: x - n pi in three steps (Cephes' constants, doubled: their
 * products with n are exact without fma too), then a minimax polynomial on [-pi/2, pi/2]. Far
 * beyond it is only bounded: the network's numbers are small. */
static inline vf sine(vf x)
{
    vf n = vf_round(vf_mul(x, vf_set(0.318309886f)));
    vf r = vf_fma(n, vf_set(-3.140625f), x);
    r = vf_fma(n, vf_set(-9.67502593994140625e-4f), r);
    r = vf_fma(n, vf_set(-1.509957990978376432e-7f), r);
    r = vf_max(vf_set(-HALF_PI), vf_min(vf_set(HALF_PI), r)); /* a NaN passes */
    vf half = vf_mul(n, vf_set(0.5f)), off = vf_abs(vf_sub(half, vf_round(half)));
    vf sign = vf_sub(vf_set(1.0f), vf_mul(off, vf_set(4.0f))); /* off is 0 or 1/2 */
    vf z = vf_mul(r, r), p = vf_set(-2.50507602e-8f);
    p = vf_fma(p, z, vf_set(2.75573137e-6f));
    p = vf_fma(p, z, vf_set(-1.98412698e-4f));
    p = vf_fma(p, z, vf_set(8.33333333e-3f));
    p = vf_fma(p, z, vf_set(-1.66666667e-1f));
    return vf_mul(vf_fma(vf_mul(p, z), r, r), sign);
}

/* ---- stft ----------------------------------------------------------------------------------- */

/* Frames at `at` of the streams. The window and the transform are symmetric: the pairs n, 20 - n
 * enter the real part by their sum, the imaginary part by their difference. */
static inline void polar(const vx_spectrum_tables *t, float stream[VX_HOP][VX_STREAM_ROOM], int at,
                         vf out[VX_POLAR])
{
    vf even[VX_BINS], odd[VX_BINS];
    for (int n = 1; n < VX_FFT / 2; n++) {
        int m = VX_FFT - n;
        vf a = vf_load(&stream[n % VX_HOP][at + n / VX_HOP]);
        vf b = vf_load(&stream[m % VX_HOP][at + m / VX_HOP]);
        even[n] = vf_mul(vf_add(a, b), vf_set(t->window[n]));
        odd[n] = vf_mul(vf_sub(b, a), vf_set(t->window[n])); /* e^-i: the sine's sign */
    }
    vf middle = vf_load(&stream[0][at + 2]); /* n = 10, window 1; n = 0 has window 0 */
    for (int k = 0; k < VX_BINS; k++) {
        vf re = k % 2 ? vf_sub(vf_set(0.0f), middle) : middle, im = vf_set(0.0f);
        for (int n = 1; n < VX_FFT / 2; n++) {
            re = vf_fma(even[n], vf_set(t->cosine[k * n % VX_FFT]), re);
            im = vf_fma(odd[n], vf_set(t->sine[k * n % VX_FFT]), im);
        }
        /* A real signal has real ends of the spectrum; rounding must not choose pi's sign. */
        if (k == 0 || k == VX_FFT / 2) im = vf_set(0.0f);
        out[k] = vf_sqrt(vf_fma(re, re, vf_mul(im, im)));
        out[VX_BINS + k] = angle(im, re);
    }
}

void VX_SIMD(vx_cpu_stft_tile)(const vx_spectrum_tables *t, float stream[VX_HOP][VX_STREAM_ROOM],
                               const vx_tensor *out, int64_t first, int64_t frames)
{
    for (int at = 0; at < frames; at += VF_LANES) {
        vf value[VX_POLAR];
        float lane[VX_POLAR][VF_LANES];
        polar(t, stream, at, value);
        for (int i = 0; i < VX_POLAR; i++)
            vf_store(lane[i], value[i]);
        for (int f = 0; f < VF_LANES && at + f < frames; f++) {
            float row[VX_POLAR];
            for (int i = 0; i < VX_POLAR; i++)
                row[i] = lane[i][f];
            void *target = vx_row(out, first + at + f);
            for (int i = 0; i < VX_POLAR; i += VF_LANES) {
                int lanes = VX_POLAR - i < VF_LANES ? VX_POLAR - i : VF_LANES;
                vf_putn(target, out->dtype, i, vf_loadn(row + i, lanes), lanes);
            }
        }
    }
}

/* ---- istft ---------------------------------------------------------------------------------- */

/* Rows [first, first + count) of x, turned so that lane f is row f; other lanes are zero. */
static inline void read_rows(const vx_tensor *x, int64_t first, int count,
                             float lane[VX_POLAR][VF_LANES])
{
    memset(lane, 0, sizeof(float[VX_POLAR][VF_LANES]));
    for (int f = 0; f < count; f++) {
        float row[VX_POLAR];
        const void *source = vx_row(x, first + f);
        for (int i = 0; i < VX_POLAR; i += VF_LANES) {
            int lanes = VX_POLAR - i < VF_LANES ? VX_POLAR - i : VF_LANES;
            vf_storen(row + i, vf_getn(source, x->dtype, i, lanes), lanes);
        }
        for (int i = 0; i < VX_POLAR; i++)
            lane[i][f] = row[i];
    }
}

/* The frame's 20 windowed samples. Interior bins count twice, for their mirror images; even and odd
 * parts serve the samples n and 20 - n. */
static inline void frame_samples(const vx_spectrum_tables *t, float lane[VX_POLAR][VF_LANES],
                                 vf sample[VX_FFT])
{
    vf re[VX_BINS], im[VX_BINS];
    for (int k = 0; k < VX_BINS; k++) {
        float share = k == 0 || k == VX_FFT / 2 ? 1.0f / VX_FFT : 2.0f / VX_FFT;
        vf size = vf_mul(vf_exp(vf_load(lane[k])), vf_set(share));
        vf phase = sine(vf_load(lane[VX_BINS + k]));
        re[k] = vf_mul(size, cosine_small(phase));
        im[k] = vf_mul(size, sine_small(phase)); /* ignored at both ends: their sines are zero */
    }
    for (int n = 0; n <= VX_FFT / 2; n++) {
        vf even = n % 2 ? vf_sub(re[0], re[VX_BINS - 1]) : vf_add(re[0], re[VX_BINS - 1]);
        vf odd = vf_set(0.0f), window = vf_set(t->window[n]);
        for (int k = 1; k < VX_BINS - 1; k++) {
            even = vf_fma(re[k], vf_set(t->cosine[k * n % VX_FFT]), even);
            odd = vf_fma(im[k], vf_set(t->sine[k * n % VX_FFT]), odd);
        }
        sample[n] = vf_mul(vf_sub(even, odd), window);
        if (n > 0) sample[VX_FFT - n] = vf_mul(vf_add(even, odd), window);
    }
}

void VX_SIMD(vx_cpu_istft_tile)(const vx_spectrum_tables *t, const vx_tensor *x,
                                float stream[VX_HOP][VX_STREAM_ROOM], int64_t first, int64_t frames)
{
    for (int at = 0; at < frames; at += VF_LANES) {
        float lane[VX_POLAR][VF_LANES];
        vf sample[VX_FFT];
        int count = frames - at < VF_LANES ? (int)(frames - at) : VF_LANES;
        read_rows(x, first + at, count, lane);
        frame_samples(t, lane, sample);
        for (int n = 0; n < VX_FFT; n++) {
            float *to = &stream[n % VX_HOP][at + n / VX_HOP];
            vf_storen(to, vf_add(vf_loadn(to, count), sample[n]), count);
        }
    }
}
