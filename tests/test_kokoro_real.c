/* The published weights against the authors' code (tools/kokoro_fixtures.py). Skipped when the int8
 * ONNX file of Kokoro-82M is not where packs look for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "kokoro_rig.h"

enum { CASES = 3, TOKENS = 128, FRAMES = 256, POST_STEP = 23, TEXT_STEP = 8 };

typedef struct values {
    const char *name; /* of a stage */
    bool made_spectrum;
    int64_t count;
    float *data; /* what the model made */
} values;

typedef struct capture {
    bool made_spectrum;          /* give the source spectrum that needs no file */
    const float *pitch, *energy; /* give these, or NULL */
    values pitch_made, energy_made, text, post;
} capture;

static void keep(values *v, vx_ctx *ctx, const vx_tensor *t)
{
    v->count = vx_elements(t);
    vx_heap_free(v->data);
    v->data = rig_values(ctx, t);
}

static void see(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *t)
{
    capture *c = arg;
    const struct {
        const char *name;
        values *kept;
        const float *given;
    } stages[] = {{"F0", &c->pitch_made, c->pitch},
                  {"N", &c->energy_made, c->energy},
                  {"text_encoder", &c->text, NULL},
                  {"conv_post", &c->post, NULL}};
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        if (strcmp(stages[i].name, name) != 0) continue;
        keep(stages[i].kept, ctx, t);
        vx_tensor to = *t;
        if (stages[i].given != NULL) assert_int_equal(vx_upload(ctx, stages[i].given, &to), VX_OK);
    }
    if (c->made_spectrum && strcmp(name, "spectrum") == 0) {
        float *made = vx_heap_alloc((size_t)vx_elements(t) * sizeof *made);
        vx_tensor to = *t;
        kokoro_rig_spectrum(made, vx_rows(t));
        assert_int_equal(vx_upload(ctx, made, &to), VX_OK);
        vx_heap_free(made);
    }
}

static void capture_free(capture *c)
{
    vx_heap_free(c->pitch_made.data);
    vx_heap_free(c->energy_made.data);
    vx_heap_free(c->text.data);
    vx_heap_free(c->post.data);
}

/* ---- audio ---------------------------------------------------------------------------------- */

enum { WINDOW = 1024, HOP = 300, BINS = WINDOW / 2 + 1 };

/* Log power spectra in dB, [frames, BINS]; returns the number of frames. */
static int64_t log_spectra(const float *x, int64_t count, double *out)
{
    static double window[WINDOW], cosine[WINDOW];
    for (int i = 0; i < WINDOW; i++) {
        cosine[i] = cos(2 * M_PI * i / WINDOW);
        window[i] = 0.5 - 0.5 * cosine[i];
    }
    int64_t frames = (count - WINDOW) / HOP + 1;
    for (int64_t f = 0; f < frames; f++) {
        double y[WINDOW];
        for (int i = 0; i < WINDOW; i++)
            y[i] = window[i] * (double)x[f * HOP + i];
        for (int k = 0; k < BINS; k++) {
            double re = 0, im = 0;
            for (int i = 0; i < WINDOW; i++) {
                re += y[i] * cosine[(k * i) % WINDOW];
                im += y[i] * cosine[(k * i + WINDOW / 4) % WINDOW];
            }
            out[f * BINS + k] = 10 * log10(re * re + im * im + 1e-30);
        }
    }
    return frames;
}

/* dB: root mean square over bins, mean over frames, with a floor 80 dB under theirs' loudest. */
static double spectral_distance(const float *ours, const float *theirs, int64_t count)
{
    size_t room = (size_t)(count / HOP + 1) * BINS * sizeof(double);
    double *a = vx_heap_alloc(room), *b = vx_heap_alloc(room), top = -INFINITY, sum = 0;
    int64_t frames = log_spectra(ours, count, a);
    log_spectra(theirs, count, b);
    for (int64_t i = 0; i < frames * BINS; i++)
        if (b[i] > top) top = b[i];
    for (int64_t f = 0; f < frames; f++) {
        double square = 0;
        for (int k = 0; k < BINS; k++) {
            double d = fmax(a[f * BINS + k], top - 80) - fmax(b[f * BINS + k], top - 80);
            square += d * d;
        }
        sum += sqrt(square / BINS);
    }
    vx_heap_free(a);
    vx_heap_free(b);
    return sum / (double)frames;
}

static double root_mean_square(const float *x, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum / (double)count);
}

/* ---- one case ------------------------------------------------------------------------------- */

typedef struct utterance {
    vx_kokoro_utterance u;
    int32_t ids[TOKENS], spans[TOKENS], wanted[TOKENS];
    float style[256], durations[TOKENS], raw[TOKENS];
    float pitch[2 * FRAMES], energy[2 * FRAMES], samples[FRAMES * VX_KOKORO_FRAME];
} utterance;

static vx_source *fixture;

static const char *numbered(int index, const char *name)
{
    static char text[64];
    snprintf(text, sizeof text, "%d.%s", index, name);
    return text;
}

static void read_case(kokoro_rig *k, int index, utterance *c)
{
    memset(c, 0, sizeof *c);
    c->u = (vx_kokoro_utterance){.ids = c->ids,
                                 .style = c->style,
                                 .speed = 1,
                                 .durations = c->durations,
                                 .spans = c->spans,
                                 .alignment = k->alignment,
                                 .quiet = true};
    c->u.tokens = kokoro_rig_ints(fixture, numbered(index, "ids"), c->ids, TOKENS);
    assert_true(c->u.tokens > 3);
    kokoro_rig_floats(fixture, numbered(index, "style"), c->style, 256);
    kokoro_rig_floats(fixture, numbered(index, "durations"), c->raw, TOKENS);
    kokoro_rig_floats(fixture, numbered(index, "F0"), c->pitch, 2 * FRAMES);
    kokoro_rig_floats(fixture, numbered(index, "N"), c->energy, 2 * FRAMES);
    vx_kokoro_round(c->raw, c->u.tokens, c->wanted);
}

/* Front, the reference's spans (so that frames agree), decode. */
static void run_case(kokoro_rig *k, utterance *c)
{
    vx_mark mark = vx_mark_now(&k->base.ctx);
    assert_int_equal(vx_kokoro_front(k->model, &k->base.ctx, &c->u), VX_OK);
    vx_kokoro_round(c->durations, c->u.tokens, c->spans);
    c->u.spans = c->wanted;
    c->u.frames = 0;
    for (int64_t i = 0; i < c->u.tokens; i++)
        c->u.frames += c->wanted[i];
    assert_int_equal(vx_kokoro_decode(k->model, &k->base.ctx, &c->u, 0,
                                      c->u.frames * VX_KOKORO_FRAME, c->samples),
                     VX_OK);
    vx_release(&k->base.ctx, mark);
}

static bool tie(float duration)
{
    float part = duration - floorf(duration);
    return fabsf(part - 0.5f) < 1e-3f;
}

static double largest_difference(const float *a, const float *b, int64_t count)
{
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)a[i] - b[i]) <= worst)) worst = fabs((double)a[i] - b[i]);
    return worst;
}

typedef struct bars {
    double pitch_hz, energy, text, post, distance_db, level;
    double duration_share; /* of symbols with equal durations, the rest off by one */
} bars;

/* Text encoder and audio of case 0, which the fixture holds. */
static void check_audio(const utterance *c, const capture *made, const bars *bar)
{
    int64_t count = c->u.frames * VX_KOKORO_FRAME, kept = c->u.tokens * 512 / TEXT_STEP;
    float *theirs = vx_heap_alloc((size_t)(count + kept) * sizeof *theirs), peak;
    kokoro_rig_floats(fixture, "peak", &peak, 1);
    assert_int_equal(kokoro_rig_floats(fixture, "samples", theirs, count), count);
    for (int64_t i = 0; i < count; i++)
        theirs[i] *= peak / 32767;
    double distance = spectral_distance(c->samples, theirs, count);
    double level = root_mean_square(c->samples, count) / root_mean_square(theirs, count);
    assert_int_equal(kokoro_rig_floats(fixture, "text_encoder", theirs, kept), kept);
    double text = 0;
    for (int64_t i = 0; i < kept; i++)
        text = fmax(text, fabs((double)theirs[i] - made->text.data[i * TEXT_STEP]));
    printf("  text encoder %.2e; audio: distance %.2f dB, level %.3f\n", text, distance, level);
    assert_true(text <= bar->text);
    assert_true(distance <= bar->distance_db);
    assert_true(fabs(level - 1) <= bar->level);
    vx_heap_free(theirs);
}

/* conv_post of case 0, given the reference's curves and a made-up source spectrum. */
static void check_generator(kokoro_rig *k, utterance *c, const bars *bar)
{
    capture made = {.made_spectrum = true, .pitch = c->pitch, .energy = c->energy};
    k->base.ctx.observe_arg = &made;
    run_case(k, c);
    int64_t rows = 120 * c->u.frames + 1, kept = (rows + POST_STEP - 1) / POST_STEP;
    float *theirs = vx_heap_alloc((size_t)(kept * 22) * sizeof *theirs);
    assert_int_equal(kokoro_rig_floats(fixture, "conv_post", theirs, kept * 22), kept * 22);
    double worst = 0;
    for (int64_t r = 0; r < kept; r++)
        worst = fmax(worst,
                     largest_difference(theirs + r * 22, made.post.data + r * POST_STEP * 22, 22));
    printf("  conv_post given the source's spectrum: %.2e\n", worst);
    assert_true(worst <= bar->post);
    vx_heap_free(theirs);
    capture_free(&made);
}

static void check(vx_dtype precision, const bars *bar)
{
    static utterance c;
    kokoro_rig k;
    char path[512];
    kokoro_rig_weights(path);
    vx_kokoro_params params = {
        .config = vx_kokoro_config_default(), .precision = precision, .frames_max = FRAMES};
    if (kokoro_rig_open(&k, "cpu", 0, path, &params) != VX_OK) fail_msg("%s", k.base.err.message);
    k.base.ctx.observe = see;
    int64_t symbols = 0, equal = 0;
    for (int i = 0; i < CASES; i++) {
        read_case(&k, i, &c);
        capture made = {0};
        k.base.ctx.observe_arg = &made;
        run_case(&k, &c);
        for (int64_t j = 0; j < c.u.tokens; j++) {
            assert_in_range(c.spans[j] - c.wanted[j] + 1, 0, 2);
            equal += c.spans[j] == c.wanted[j] || tie(c.raw[j]);
        }
        symbols += c.u.tokens;
        double pitch = largest_difference(made.pitch_made.data, c.pitch, 2 * c.u.frames);
        double energy = largest_difference(made.energy_made.data, c.energy, 2 * c.u.frames);
        printf("  case %d, %lld frames: durations %.2e, F0 %.2e Hz, N %.2e\n", i,
               (long long)c.u.frames, largest_difference(c.durations, c.raw, c.u.tokens), pitch,
               energy);
        assert_true(pitch <= bar->pitch_hz);
        assert_true(energy <= bar->energy);
        if (i == 0) {
            check_audio(&c, &made, bar);
            check_generator(&k, &c, bar);
        }
        capture_free(&made);
    }
    printf("  durations equal: %lld of %lld\n", (long long)equal, (long long)symbols);
    assert_true((double)equal >= bar->duration_share * (double)symbols);
    kokoro_rig_close(&k);
}

static void published_weights_in_f32(void **state)
{
    (void)state;
    check(VX_F32, &(bars){.pitch_hz = 0.05,
                          .energy = 0.005,
                          .text = 1e-3,
                          .post = 1e-3,
                          .distance_db = 1.5,
                          .level = 0.03,
                          .duration_share = 1});
}

static void published_weights_in_bf16(void **state)
{
    (void)state;
    check(VX_BF16, &(bars){.pitch_hz = 0.05,
                           .energy = 0.005,
                           .text = 0.02,
                           .post = 0.5,
                           .distance_db = 3,
                           .level = 0.05,
                           .duration_share = 0.97});
}

static void published_weights_in_int8(void **state)
{
    (void)state;
    check(VX_INT8_ROW, &(bars){.pitch_hz = 0.05,
                               .energy = 0.005,
                               .text = 0.02,
                               .post = 2,
                               .distance_db = 3,
                               .level = 0.05,
                               .duration_share = 0.97});
}

int main(void)
{
    char path[512];
    kokoro_rig_weights(path);
    if (access(path, R_OK) != 0) {
        printf("skipped: %s is not there; fetch kokoro-v1.0.int8.onnx to test the published "
               "weights\n",
               path);
        return 77;
    }
    vx_error err = {0};
    if (vx_source_open(&fixture, VX_TEST_DATA "/kokoro/real.safetensors", &err) != VX_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_weights_in_f32),
        cmocka_unit_test(published_weights_in_bf16),
        cmocka_unit_test(published_weights_in_int8),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vx_source_close(&fixture);
    return failed;
}
