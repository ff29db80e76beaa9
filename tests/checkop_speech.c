/* Cases: Kokoro's harmonic source, STFT and inverse STFT. */
#include "checkop.h"

#include <math.h>

static const float PI = 3.14159274f;

/* ---- harmonic_source ------------------------------------------------------------------------- */

typedef struct source_case {
    const char *label;
    int64_t frames;
    bool noise;
    co_fill f0; /* Hz */
    uint64_t first_sample;
} source_case;

static vx_status source_body(co *c, const void *variant)
{
    const source_case *v = variant;
    vx_harmonic_source_args a = {.seed = 11, .first_sample = v->first_sample, .noise = v->noise};
    a.f0 = co_input(c, VX_F32, v->frames, 1, (co_place){0}, v->f0);
    a.weight = co_vector(c, true, 9, (co_fill){.scale = 1});
    a.bias = co_vector(c, true, 1, (co_fill){.scale = 0.1});
    /* |y| < 1, phases in double on both sides: what remains is the sine's polynomial, nine products
     * and the tanh, in f32. */
    a.out = co_output(c, VX_F32, 300 * v->frames, 1, (co_place){0}, (co_tolerance){.abs = 5e-7});
    return vx_harmonic_source(co_ctx(c), &a);
}

static void source_draw(co_random *random, void *variant)
{
    source_case *v = variant;
    v->frames = co_range(random, 1, 40);
    v->noise = co_range(random, 0, 1);
    v->f0 = (co_fill){.scale = 200, .offset = (double)co_range(random, -100, 300)};
    v->first_sample = (uint64_t)co_range(random, 0, 1 << 30) << 4;
}

static const source_case source_cases[] = {
    {"one frame", 1, false, {0, 220, 0}, 0},
    {"two frames", 2, false, {100, 220, 0}, 0},
    {"voiced", 50, false, {50, 200, 0}, 0},
    {"unvoiced", 5, false, {1, 0, 0}, 0},
    {"negative", 20, false, {200, 0, 0}, 0},
    {"noise", 50, true, {150, 100, 0}, 0},
    {"beyond half the rate", 20, false, {0, 12345, 0}, 0},
    {"noise of a later chunk", 9, true, {150, 100, 0}, 0xFFFFFFF0u},
    {"45 s", 3600, false, {50, 250, 0}, 0},
};
static const source_case source_bench[] = {
    {"1440 frames (18 s)", 1440, true, {50, 200, 0}, 0},
    {"1440 frames, no noise", 1440, false, {50, 200, 0}, 0},
};
const co_op co_harmonic_source_op = {CO_OP(harmonic_source),    .body = source_body,
                                     CO_VARIANTS(source_cases), .draw = source_draw,
                                     CO_BENCH(source_bench),    .per_element = true};

/* ---- stft ------------------------------------------------------------------------------------ */

typedef struct stft_case {
    const char *label;
    int64_t samples;
    vx_dtype to;
    co_fill fill;
    co_place place;
} stft_case;

/* Angles mean nothing where the magnitude is rounding, so the complex values are compared, with the
 * frame's largest magnitude as the scale; where the imaginary part is 0 the angles must be 0 or +pi
 * exactly. */
static const char *polar_check(const vx_tensor *want, const vx_tensor *got, double *share)
{
    bool half = got->dtype == VX_BF16;
    /* 20 products in f32, square root, arc tangent; a bf16 angle near pi is off by 2^-7. */
    double part = half ? 1.0 / 100 : 2e-6;
    for (int64_t r = 0; r < vx_rows(got); r++) {
        const float *a = vx_row(want, r);
        double b[22], scale = 1e-30;
        for (int i = 0; i < 22; i++) {
            const void *row = vx_row(got, r);
            b[i] = half ? vx_bf16_to_f32(((const uint16_t *)row)[i]) : ((const float *)row)[i];
            if (i < 11) scale = fmax(scale, a[i]);
        }
        float pi = half ? vx_bf16_to_f32(vx_f32_to_bf16(PI)) : PI;
        for (int i = 0; i < 11; i++) {
            if (b[i] < 0) return "a magnitude is negative";
            if (!(fabs(b[11 + i]) <= pi)) return "an angle is beyond pi";
            double off = hypot(a[i] * cos(a[11 + i]) - b[i] * cos(b[11 + i]),
                               a[i] * sin(a[11 + i]) - b[i] * sin(b[11 + i]));
            *share = fmax(*share, off / (part * scale));
            if ((i % 10 == 0 || r == 0) && b[11 + i] != 0 && b[11 + i] != pi)
                return "an angle of bin 0 or 10 or of the first frame is neither 0 nor +pi";
        }
    }
    return *share <= 1 ? NULL : "a complex value is off by more than 2e-6 of the frame's largest";
}

static vx_status stft_body(co *c, const void *variant)
{
    const stft_case *v = variant;
    vx_tensor *x = co_input(c, VX_F32, v->samples, 1, (co_place){0}, v->fill);
    vx_tensor *out = co_output(c, v->to, v->samples / 5 + 1, 22, v->place, (co_tolerance){0});
    co_check(c, polar_check);
    return vx_stft(co_ctx(c), &(vx_stft_args){.x = x, .out = out});
}

static void stft_draw(co_random *random, void *variant)
{
    stft_case *v = variant;
    v->samples = 5 * co_range(random, 3, 600);
    v->to = co_dtype(random);
    v->fill = (co_fill){.scale = 1, .offset = (double)co_range(random, -1, 1) / 2};
    v->place = co_anywhere(random, true);
}

static const stft_case stft_cases[] = {
    {"shortest", 15, VX_F32, {1, 0, 0}, {0}},
    {"silence", 300, VX_F32, {0, 0, 0}, {0}},
    {"constant", 300, VX_F32, {0, -0.5, 0}, {0}},
    {"for a convolution", 3000, VX_BF16, {1, 0, 0}, {0, 0, 3, true}},
    {"loud", 600, VX_F32, {1e6, 0, 0}, {0}},
};
static const stft_case stft_bench[] = {
    {"432000 samples (18 s)", 432000, VX_BF16, {1, 0, 0}, {0, 0, 3, true}},
};
const co_op co_stft_op = {CO_OP(stft),       .body = stft_body,    CO_VARIANTS(stft_cases),
                          .draw = stft_draw, CO_BENCH(stft_bench), .per_element = true};

/* ---- istft ----------------------------------------------------------------------------------- */

typedef struct istft_case {
    const char *label;
    int64_t frames;
    vx_dtype from;
    co_fill fill;
    co_place place;
} istft_case;

static vx_status istft_body(co *c, const void *variant)
{
    const istft_case *v = variant;
    vx_istft_args a = {0};
    a.x = co_input(c, v->from, v->frames, 22, v->place, v->fill);
    /* Each sample sums 4 frames of 11 bins whose weights add up to about 1, each as exact as f32's
     * exp, sine and cosine. */
    double largest = exp(fabs(v->fill.offset) + v->fill.scale);
    a.out = co_output(c, VX_F32, 5 * (v->frames - 1), 1, (co_place){0},
                      (co_tolerance){.abs = 2e-7 * largest});
    return vx_istft(co_ctx(c), &a);
}

static void istft_draw(co_random *random, void *variant)
{
    istft_case *v = variant;
    v->frames = co_range(random, 2, 900);
    v->from = co_dtype(random);
    v->fill = (co_fill){.scale = (double)co_range(random, 1, 3), .offset = -1};
    v->place = co_anywhere(random, true);
}

static const istft_case istft_cases[] = {
    {"two frames", 2, VX_F32, {1, 0, 0}, {0}},
    {"five frames", 5, VX_F32, {1, 0, 0}, {0}},
    {"zeroes", 40, VX_F32, {0, 0, 0}, {0}},
    {"large angles", 60, VX_F32, {30, -20, 0}, {0}},
    {"bf16 sequence", 700, VX_BF16, {2, -1, 0}, {0, 0, 3, true}},
};
static const istft_case istft_bench[] = {
    {"86401 frames (18 s)", 86401, VX_F32, {1, 0, 0}, {0}},
};
const co_op co_istft_op = {CO_OP(istft),       .body = istft_body,    CO_VARIANTS(istft_cases),
                           .draw = istft_draw, CO_BENCH(istft_bench), .per_element = true};
