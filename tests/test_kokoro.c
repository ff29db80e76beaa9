/* Kokoro on a tiny random network against the authors' code, stage by stage; the names of its
 * weights; its configuration; voices and the speech stage. Fixtures: tools/kokoro_fixtures.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "kokoro_rig.h"
#include "models/kokoro/checkpoint.h"
#include "models/kokoro/speech.h"

#define DATA VX_TEST_DATA "/kokoro/"

static vx_source *open_data(const char *name)
{
    char path[512];
    vx_error err = {0};
    vx_source *source;
    snprintf(path, sizeof path, "%s%s", DATA, name);
    if (vx_source_open(&source, path, &err) != VX_OK) fail_msg("%s", err.message);
    return source;
}

static vx_kokoro_config tiny_config(void)
{
    vx_kokoro_config config = vx_kokoro_config_default();
    vx_error err = {0};
    json_t *json = json_load_file(DATA "tiny.json", 0, NULL);
    assert_non_null(json);
    if (vx_kokoro_config_read(&config, json, &err) != VX_OK) fail_msg("%s", err.message);
    json_decref(json);
    return config;
}

/* ---- stages --------------------------------------------------------------------------------- */

typedef struct tolerance {
    const char *name;
    double f32, bf16; /* largest difference over the largest value; 0: not compared */
} tolerance;

/* In bf16 a value keeps 8 bits, and errors of a few such steps meet in every sum. */
static const tolerance tolerances[] = {
    {"bert", 1e-5, 1e-5},
    {"bert_encoder", 1e-5, 1e-5},
    {"features", 1e-5, 1e-5},
    {"F0", 1e-5, 1e-5},
    {"N", 1e-5, 1e-5},
    {"text_encoder", 1e-5, 0.03},
    {"decoder.encode", 1e-5, 0.03},
    {"decoder.decode.0", 1e-5, 0.03},
    {"decoder.decode.1", 1e-5, 0.03},
    {"decoder.decode.2", 1e-5, 0.03},
    {"decoder.decode.3", 1e-5, 0.03},
    {"excitation", 2e-3, 2e-3}, /* the reference accumulates its phase in f32 */
    {"source.0", 1e-5, 0.03},
    {"sum.0", 1e-5, 0.03},
    {"stage.0", 1e-5, 0.05},
    {"source.1", 1e-5, 0.03},
    {"sum.1", 1e-5, 0.05},
    {"stage.1", 1e-5, 0.05},
    {"conv_post", 1e-5, 0.05},
};

typedef struct watch {
    const vx_source *expected;
    bool bf16;
    int seen, wrong;
} watch;

static float element(const vx_tensor *t, int64_t row, int64_t col)
{
    if (t->dtype == VX_F32) return ((const float *)vx_row(t, row))[col];
    return vx_bf16_to_f32(((const uint16_t *)vx_row(t, row))[col]);
}

/* Replaces what a stage made, so that the next ones have the reference's input. */
static void replace(const vx_tensor *t, const float *values)
{
    for (int64_t r = 0; r < vx_rows(t); r++)
        memcpy(vx_row(t, r), values + r * vx_cols(t), (size_t)vx_cols(t) * sizeof *values);
}

static void see(void *arg, const char *name, const vx_tensor *t)
{
    watch *w = arg;
    int64_t rows = vx_rows(t), cols = vx_cols(t);
    float *values = vx_heap_alloc((size_t)(rows * cols) * sizeof *values);
    if (strcmp(name, "spectrum") == 0) {
        kokoro_rig_spectrum(values, rows);
        replace(t, values);
    }
    for (size_t i = 0; i < sizeof tolerances / sizeof tolerances[0]; i++) {
        if (strcmp(tolerances[i].name, name) != 0) continue;
        const vx_source_tensor *expected = vx_source_find(w->expected, name);
        assert_non_null(expected);
        assert_int_equal(expected->elements, rows * cols);
        assert_int_equal(vx_source_read(w->expected, expected, 0, rows * cols, values, NULL),
                         VX_OK);
        double worst = 0, largest = 0;
        for (int64_t k = 0; k < rows * cols; k++) {
            double error = fabs((double)element(t, k / cols, k % cols) - values[k]);
            if (!(error <= worst)) worst = error;
            if (fabs((double)values[k]) > largest) largest = fabs((double)values[k]);
        }
        double bar = w->bf16 ? tolerances[i].bf16 : tolerances[i].f32;
        bool good = worst <= bar * largest;
        printf("  %-18s %9.2e of %9.2e  %s\n", name, worst, bar * largest, good ? "ok" : "WRONG");
        w->wrong += !good;
        w->seen++;
        /* From here on the reference's pitch and energy, so that each part stands for itself. */
        if (strcmp(name, "F0") == 0 || strcmp(name, "N") == 0) replace(t, values);
    }
    vx_heap_free(values);
}

static void check_stages(const char *backend, vx_dtype precision)
{
    kokoro_rig rig;
    vx_kokoro_params params = {.config = tiny_config(), .precision = precision, .frames_max = 32};
    if (kokoro_rig_open(&rig, backend, DATA "tiny.safetensors", &params) != VX_OK)
        fail_msg("%s", rig.err.message);
    vx_source *expected = open_data("tiny_stages.safetensors");
    watch w = {.expected = expected, .bf16 = precision != VX_F32};
    rig.ctx.tap = see;
    rig.ctx.tap_arg = &w;

    int32_t ids[64], spans[64], wanted[64];
    float style[16], durations[64], raw[64], samples[32 * VX_KOKORO_FRAME];
    vx_kokoro_utterance u = {.ids = ids,
                             .style = style,
                             .speed = 1,
                             .durations = durations,
                             .spans = spans,
                             .alignment = rig.alignment,
                             .quiet = true};
    u.tokens = kokoro_rig_ints(expected, "ids", ids, 64);
    kokoro_rig_floats(expected, "style", style, 16);
    kokoro_rig_ints(expected, "spans", wanted, 64);
    kokoro_rig_floats(expected, "durations", raw, 64);
    vx_mark mark = vx_mark_now(&rig.ctx);
    assert_int_equal(vx_kokoro_front(rig.model, &rig.ctx, &u), VX_OK);
    u.frames = vx_kokoro_round(durations, u.tokens, spans);
    for (int64_t i = 0; i < u.tokens; i++) {
        assert_true(fabsf(durations[i] - raw[i]) < 1e-4f);
        assert_int_equal(spans[i], wanted[i]);
    }
    assert_int_equal(
        vx_kokoro_decode(rig.model, &rig.ctx, &u, 0, u.frames * VX_KOKORO_FRAME, samples), VX_OK);
    vx_release(&rig.ctx, mark);
    assert_int_equal(w.seen, sizeof tolerances / sizeof tolerances[0]);
    assert_int_equal(w.wrong, 0);
    assert_true(rig.work_arena.peak <= rig.work_bytes);

    int64_t count = u.frames * VX_KOKORO_FRAME;
    float *theirs = vx_heap_alloc((size_t)count * sizeof *theirs);
    kokoro_rig_floats(expected, "samples", theirs, count);
    double error = 0, power = 0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)samples[i] - theirs[i]) * ((double)samples[i] - theirs[i]);
        power += (double)theirs[i] * theirs[i];
    }
    printf("  samples: error %.1f dB below the signal\n", -10 * log10(error / power));
    assert_true(error <= power * (w.bf16 ? 0.05 : 1e-8));
    vx_heap_free(theirs);
    vx_source_close(&expected);
    kokoro_rig_close(&rig);
}

static void stages_on_the_reference_backend(void **state)
{
    (void)state;
    check_stages("ref", VX_F32);
}

static void stages_on_the_cpu(void **state)
{
    (void)state;
    check_stages("cpu", VX_F32);
}

static void stages_on_the_cpu_in_bf16(void **state)
{
    (void)state;
    check_stages("cpu", VX_BF16);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void every_spelling_of_a_name_is_found(void **state)
{
    (void)state;
    vx_source *source = open_data("names.safetensors");
    vx_error err = {0};
    vx_binder binder = {.sources = &source, .source_count = 1, .err = &err};
    const int64_t dim[3] = {4, 3, 5};
    float expected[60], values[4][20];
    kokoro_rig_floats(source, "expected", expected, 60);
    static const char *const spelling[] = {"plain", "module", "torch", "mlx", "folded", "zero"};
    for (size_t i = 0; i < sizeof spelling / sizeof spelling[0]; i++) {
        char name[64];
        vx_kokoro_tensor t;
        snprintf(name, sizeof name, "decoder.generator.%s.weight", spelling[i]);
        assert_int_equal(vx_kokoro_find(&binder, name, 3, dim, &t), VX_OK);
        /* In two pieces, with rows further apart than they are long. */
        assert_int_equal(vx_kokoro_read(&t, 0, 1, 20, values[0], &err), VX_OK);
        assert_int_equal(vx_kokoro_read(&t, 1, 3, 20, values[1], &err), VX_OK);
        bool zero = strcmp(spelling[i], "zero") == 0;
        for (int k = 0; k < 60; k++)
            assert_true(fabsf(values[k / 15][k % 15] - (zero ? 0 : expected[k])) < 1e-6f);
    }
    vx_kokoro_tensor t;
    assert_int_equal(vx_kokoro_find(&binder, "decoder.generator.alone.weight", 3, dim, &t),
                     VX_ERR_INPUT); /* weight_v without weight_g */
    assert_non_null(strstr(err.message, "decoder.generator.alone.weight"));
    assert_int_equal(vx_kokoro_find(&binder, "decoder.generator.plain.weight", 3,
                                    (const int64_t[]){4, 3, 7}, &t),
                     VX_ERR_INPUT);
    assert_int_equal(vx_kokoro_find(&binder, "decoder.generator.absent.weight", 3, dim, &t),
                     VX_ERR_INPUT);
    vx_source_close(&source);
}

static void the_onnx_table_is_sorted_and_whole(void **state)
{
    (void)state;
    assert_int_equal(vx_kokoro_onnx_count, 457);
    for (int i = 1; i < vx_kokoro_onnx_count; i++)
        assert_true(strcmp(vx_kokoro_onnx_names[i - 1].name, vx_kokoro_onnx_names[i].name) < 0);
    for (int i = 0; i < vx_kokoro_onnx_count; i++)
        assert_true((vx_kokoro_onnx_names[i].scale == NULL) ==
                    (vx_kokoro_onnx_names[i].zero == NULL));
}

/* A model asked for another network than the file holds. */
static void weights_of_another_size_are_refused(void **state)
{
    (void)state;
    kokoro_rig rig;
    vx_kokoro_params params = {.config = tiny_config(), .precision = VX_F32, .frames_max = 32};
    params.config.style_dim = 12;
    assert_int_equal(kokoro_rig_open(&rig, "ref", DATA "tiny.safetensors", &params), VX_ERR_INPUT);
    assert_non_null(strstr(rig.err.message, "shape"));
    kokoro_rig_close(&rig);
    params = (vx_kokoro_params){.config = tiny_config(), .frames_max = 32};
    assert_int_equal(kokoro_rig_open(&rig, "ref", DATA "names.safetensors", &params), VX_ERR_INPUT);
    assert_non_null(strstr(rig.err.message, "bert.embeddings.word_embeddings.weight"));
    kokoro_rig_close(&rig);
}

/* ---- configuration -------------------------------------------------------------------------- */

static void expect_refusal(const char *text, const char *word)
{
    vx_kokoro_config config = vx_kokoro_config_default();
    vx_error err = {0};
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(vx_kokoro_config_read(&config, json, &err), VX_ERR_INPUT);
    if (strstr(err.message, word) == NULL) fail_msg("\"%s\" does not name %s", err.message, word);
    json_decref(json);
}

static void the_published_configuration_is_the_default(void **state)
{
    (void)state;
    vx_kokoro_config config = vx_kokoro_config_default(), plain = vx_kokoro_config_default();
    vx_error err = {0};
    json_t *json = json_load_file(VX_SOURCE_DIR "/packs/speech/config.json", 0, NULL);
    assert_non_null(json);
    memset(config.symbols, 0, sizeof config.symbols);
    config.hidden_dim = config.istftnet.resblock_dilation_sizes[2][2] = 0;
    assert_int_equal(vx_kokoro_config_read(&config, json, &err), VX_OK);
    assert_memory_equal(&config, &plain, sizeof config);
    json_decref(json);
    assert_int_equal(vx_kokoro_config_read(&config, NULL, &err), VX_OK);
    assert_int_equal(vx_kokoro_symbol_id(&config, 'a'), 43);
    assert_int_equal(vx_kokoro_symbol_id(&config, 0x1D7B), 177);
    assert_int_equal(vx_kokoro_symbol_id(&config, 'g'), 0);
    assert_int_equal(vx_kokoro_symbol_id(&config, 0), 0);
}

static void configurations_that_are_not_there_are_refused(void **state)
{
    (void)state;
    expect_refusal("{\"hidden\": 512}", "hidden");
    expect_refusal("{\"hidden_dim\": 510}", "hidden_dim");
    expect_refusal("{\"hidden_dim\": 1e9}", "hidden_dim");
    expect_refusal("{\"n_token\": 300}", "n_token");
    expect_refusal("{\"plbert\": {\"hidden_act\": \"relu\"}}", "hidden_act");
    expect_refusal("{\"plbert\": {\"num_hidden_groups\": 2}}", "num_hidden_groups");
    expect_refusal("{\"plbert\": {\"num_attention_heads\": 7}}", "num_attention_heads");
    expect_refusal("{\"istftnet\": {\"gen_istft_n_fft\": 16}}", "gen_istft_n_fft");
    expect_refusal("{\"istftnet\": {\"upsample_rates\": [10, 10], "
                   "\"upsample_kernel_sizes\": [20, 20]}}",
                   "upsample_rates");
    expect_refusal("{\"istftnet\": {\"upsample_kernel_sizes\": [16, 12]}}",
                   "upsample_kernel_sizes");
    expect_refusal("{\"istftnet\": {\"resblock_dilation_sizes\": [[1, 3, 5]]}}",
                   "resblock_dilation_sizes");
    expect_refusal("{\"vocab\": {\"ab\": 3}}", "vocab");
    expect_refusal("{\"vocab\": {\"a\": 178}}", "vocab");
    expect_refusal("{\"vocab\": {\"a\": \"3\"}}", "vocab");
}

static void durations_round_half_to_even_and_are_at_least_one(void **state)
{
    (void)state;
    const float durations[8] = {0.2f, 0.5f, 1.5f, 2.5f, 2.51f, 49.9f, NAN, INFINITY};
    const int32_t expected[8] = {1, 1, 2, 2, 3, 50, 1, 1};
    int32_t spans[8];
    assert_int_equal(vx_kokoro_round(durations, 8, spans), 61);
    assert_memory_equal(spans, expected, sizeof spans);
}

/* ---- voices --------------------------------------------------------------------------------- */

static const vx_voice_alias aliases[] = {{"narrator", "af_heart"},
                                         {"pair", "af_bella,narrator:3"},
                                         {"mix", "af_bella:1,narrator:3"},
                                         {"loop", "loop"}};
static const vx_voice_library library = {
    .dir = VX_SOURCE_DIR "/packs/speech/voices", .alias = aliases, .alias_count = 4, .width = 256};

static vx_status load_voice(const char *name, vx_voice *voice, vx_error *err)
{
    voice->rows = vx_heap_alloc(vx_voice_bytes(256));
    return vx_voice_load(&library, name, voice, err);
}

static void voices_load_and_blend(void **state)
{
    (void)state;
    vx_voice heart, bella, mix;
    vx_error err = {0};
    assert_int_equal(load_voice("narrator", &heart, &err), VX_OK);
    /* hexgrad/Kokoro-82M voices/af_heart.pt, row 0. */
    assert_true(heart.rows[0] == -0.25429046f && heart.rows[130] == 1.7565746f);
    assert_int_equal(load_voice("af_bella", &bella, &err), VX_OK);
    assert_int_equal(load_voice("mix", &mix, &err), VX_OK);
    for (int i = 0; i < VX_VOICE_ROWS * 256; i += 97) {
        float blend = 0.25f * bella.rows[i] + 0.75f * heart.rows[i];
        assert_true(fabsf(mix.rows[i] - blend) < 1e-6f);
    }
    vx_heap_free(mix.rows);
    assert_int_equal(load_voice("af_bella,af_heart", &mix, &err), VX_OK);
    assert_true(fabsf(mix.rows[5] - (bella.rows[5] + heart.rows[5]) / 2) < 1e-6f);
    vx_heap_free(mix.rows);
    vx_heap_free(heart.rows);
    vx_heap_free(bella.rows);
    assert_true(vx_voice_british(&library, "bm_george"));
    assert_false(vx_voice_british(&library, "mix"));
}

static void voices_that_are_not_there_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "af_heart:",     "af_heart:0,af_bella:0",
                                      ",",    "af_heart:nan",  "../voices/af_heart",
                                      "pair", "af_heart:-1",   "af_heart:1e3",
                                      "loop", "af_heart:0.5,", "af_heart af_bella"};
    vx_voice voice;
    vx_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(load_voice(bad[i], &voice, &err), VX_ERR_INPUT);
        vx_heap_free(voice.rows);
    }
    assert_int_equal(load_voice("af_nobody", &voice, &err), VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "af_bella, af_heart"));
    vx_heap_free(voice.rows);
}

static void voice_files_of_another_size_are_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/vx_voice_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/short.bin", dir);
    FILE *file = fopen(path, "wb");
    fputs("no voice", file);
    fclose(file);
    vx_voice_library here = {.dir = dir, .width = 256};
    vx_voice voice = {.rows = vx_heap_alloc(vx_voice_bytes(256))};
    vx_error err = {0};
    assert_int_equal(vx_voice_load(&here, "short", &voice, &err), VX_ERR_INPUT);
    unlink(path);
    snprintf(path, sizeof path, "%s/nan.bin", dir);
    file = fopen(path, "wb");
    for (int i = 0; i < VX_VOICE_ROWS * 256; i++)
        fwrite(&(float){i == 70000 ? NAN : 0}, sizeof(float), 1, file);
    fclose(file);
    assert_int_equal(vx_voice_load(&here, "nan", &voice, &err), VX_ERR_INPUT);
    unlink(path);
    rmdir(dir);
    vx_heap_free(voice.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_on_the_reference_backend),
        cmocka_unit_test(stages_on_the_cpu),
        cmocka_unit_test(stages_on_the_cpu_in_bf16),
        cmocka_unit_test(every_spelling_of_a_name_is_found),
        cmocka_unit_test(the_onnx_table_is_sorted_and_whole),
        cmocka_unit_test(weights_of_another_size_are_refused),
        cmocka_unit_test(the_published_configuration_is_the_default),
        cmocka_unit_test(configurations_that_are_not_there_are_refused),
        cmocka_unit_test(durations_round_half_to_even_and_are_at_least_one),
        cmocka_unit_test(voices_load_and_blend),
        cmocka_unit_test(voices_that_are_not_there_are_refused),
        cmocka_unit_test(voice_files_of_another_size_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
