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
#include "slot/speech.h"
#include "text/utf8.h"

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

/* Replaces what a stage made, so that the next ones have the reference's input. */
static void replace(vx_ctx *ctx, const vx_tensor *t, const float *values)
{
    vx_tensor to = *t;
    assert_int_equal(vx_upload(ctx, values, &to), VX_OK);
}

static void see(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *t)
{
    watch *w = arg;
    int64_t rows = vx_rows(t), cols = vx_cols(t);
    float *values = vx_heap_alloc((size_t)(rows * cols) * sizeof *values);
    if (strcmp(name, "spectrum") == 0) {
        kokoro_rig_spectrum(values, rows);
        replace(ctx, t, values);
    }
    for (size_t i = 0; i < sizeof tolerances / sizeof tolerances[0]; i++) {
        if (strcmp(tolerances[i].name, name) != 0) continue;
        const vx_source_tensor *expected = vx_source_find(w->expected, name);
        assert_non_null(expected);
        assert_int_equal(expected->elements, rows * cols);
        assert_int_equal(vx_source_read(w->expected, expected, 0, rows * cols, values, NULL),
                         VX_OK);
        double worst = 0, largest = 0;
        float *got = rig_values(ctx, t);
        for (int64_t k = 0; k < rows * cols; k++) {
            double error = fabs((double)got[k] - values[k]);
            if (!(error <= worst)) worst = error;
            if (fabs((double)values[k]) > largest) largest = fabs((double)values[k]);
        }
        vx_heap_free(got);
        double bar = w->bf16 ? tolerances[i].bf16 : tolerances[i].f32;
        bool good = worst <= bar * largest;
        printf("  %-18s %9.2e of %9.2e  %s\n", name, worst, bar * largest, good ? "ok" : "WRONG");
        w->wrong += !good;
        w->seen++;
        /* From here on the reference's pitch and energy, so that each part stands for itself. */
        if (strcmp(name, "F0") == 0 || strcmp(name, "N") == 0) replace(ctx, t, values);
    }
    vx_heap_free(values);
}

static void check_stages(const char *backend, vx_dtype precision)
{
    kokoro_rig k;
    vx_kokoro_params params = {.config = tiny_config(), .precision = precision, .frames_max = 32};
    if (kokoro_rig_open(&k, backend, 0, DATA "tiny.safetensors", &params) != VX_OK)
        fail_msg("%s", k.base.err.message);
    vx_source *expected = open_data("tiny_stages.safetensors");
    watch w = {.expected = expected, .bf16 = precision != VX_F32};
    k.base.ctx.observe = see;
    k.base.ctx.observe_arg = &w;

    int32_t ids[64], spans[64], wanted[64];
    float style[16], durations[64], raw[64], samples[32 * VX_KOKORO_FRAME];
    vx_kokoro_utterance u = {.ids = ids,
                             .style = style,
                             .speed = 1,
                             .durations = durations,
                             .spans = spans,
                             .alignment = k.alignment,
                             .quiet = true};
    u.tokens = kokoro_rig_ints(expected, "ids", ids, 64);
    kokoro_rig_floats(expected, "style", style, 16);
    kokoro_rig_ints(expected, "spans", wanted, 64);
    kokoro_rig_floats(expected, "durations", raw, 64);
    vx_mark mark = vx_mark_now(&k.base.ctx);
    assert_int_equal(vx_kokoro_front(k.model, &k.base.ctx, &u), VX_OK);
    u.frames = vx_kokoro_round(durations, u.tokens, spans);
    for (int64_t i = 0; i < u.tokens; i++) {
        assert_true(fabsf(durations[i] - raw[i]) < 1e-4f);
        assert_int_equal(spans[i], wanted[i]);
    }
    assert_int_equal(
        vx_kokoro_decode(k.model, &k.base.ctx, &u, 0, u.frames * VX_KOKORO_FRAME, samples), VX_OK);
    vx_release(&k.base.ctx, mark);
    assert_int_equal(w.seen, sizeof tolerances / sizeof tolerances[0]);
    assert_int_equal(w.wrong, 0);
    assert_true(k.base.workspace.peak <= k.base.workspace_bytes);

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
    kokoro_rig_close(&k);
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

static void the_official_checkpoint_is_read(void **state)
{
    (void)state;
    vx_source *plain = open_data("names.safetensors"), *source = open_data("names.pth");
    vx_error err = {0};
    vx_binder binder = {.sources = &source, .source_count = 1, .err = &err};
    vx_kokoro_tensor t;
    float expected[60], values[60];
    kokoro_rig_floats(plain, "expected", expected, 60);
    if (vx_kokoro_find(&binder, "decoder.generator.official.weight", 3, (const int64_t[]){4, 3, 5},
                       &t) != VX_OK)
        fail_msg("%s", err.message);
    assert_int_equal(vx_kokoro_read(&t, 0, 4, 15, values, &err), VX_OK);
    for (int k = 0; k < 60; k++)
        assert_true(fabsf(values[k] - expected[k]) < 1e-6f);
    vx_source_close(&source);
    vx_source_close(&plain);
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
    kokoro_rig k;
    vx_kokoro_params params = {.config = tiny_config(), .precision = VX_F32, .frames_max = 32};
    params.config.style_dim = 12;
    assert_int_equal(kokoro_rig_open(&k, "ref", 0, DATA "tiny.safetensors", &params), VX_ERR_INPUT);
    assert_non_null(strstr(k.base.err.message, "shape"));
    kokoro_rig_close(&k);
    params = (vx_kokoro_params){.config = tiny_config(), .frames_max = 32};
    assert_int_equal(kokoro_rig_open(&k, "ref", 0, DATA "names.safetensors", &params),
                     VX_ERR_INPUT);
    assert_non_null(strstr(k.base.err.message, "bert.embeddings.word_embeddings.weight"));
    kokoro_rig_close(&k);
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

static void voices_are_listed_with_what_their_names_say(void **state)
{
    (void)state;
    char name[16][VX_VOICE_NAME_MAX];
    assert_int_equal(vx_voice_list(&library, name, 16), 9);
    assert_string_equal(name[0], "af_bella");
    assert_string_equal(name[8], "bm_george");
    assert_int_equal(vx_voice_list(&library, NULL, 0), 9);
    assert_int_equal(vx_voice_list(&(vx_voice_library){0}, name, 16), 0);
    assert_int_equal(vx_voice_gender(&library, "mix"), 'f');
    assert_int_equal(vx_voice_gender(&library, "am_puck:0.6,bm_george:0.4"), 'm');
    assert_int_equal(vx_voice_gender(&library, "am_puck,af_sky"), 0);
    assert_int_equal(vx_voice_gender(&library, "amber"), 0);
    assert_int_equal(vx_voice_gender(&library, "a"), 0);
    assert_int_equal(vx_voice_gender(&library, "loop"), 0);
    /* One voice in two forms is one; what cannot be named is none. */
    char dir[] = "/tmp/vx_voices_XXXXXX", path[64];
    static const char *const files[] = {"bf_x.pt", "bf_x.bin", "am_y.pt", "NOTICE", "my voice.bin"};
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        fclose(fopen(path, "wb"));
    }
    assert_int_equal(vx_voice_list(&(vx_voice_library){.dir = dir}, name, 16), 2);
    assert_string_equal(name[0], "am_y");
    assert_string_equal(name[1], "bf_x");
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void official_voice_files_are_read(void **state)
{
    (void)state;
    const vx_voice_library small = {.dir = VX_TEST_DATA "/kokoro", .width = 2};
    float rows[VX_VOICE_ROWS * 2];
    vx_voice voice = {.rows = rows};
    vx_error err = {0};
    if (vx_voice_load(&small, "voice", &voice, &err) != VX_OK) fail_msg("%s", err.message);
    for (int i = 0; i < VX_VOICE_ROWS * 2; i++)
        assert_true(rows[i] == (float)i / 4);
    const vx_voice_library wide = {.dir = VX_TEST_DATA "/kokoro", .width = 256};
    voice.rows = vx_heap_alloc(vx_voice_bytes(256));
    assert_int_equal(vx_voice_load(&wide, "voice", &voice, &err), VX_ERR_INPUT);
    vx_heap_free(voice.rows);
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

/* ---- the speech stage ----------------------------------------------------------------------- */

enum { SYMBOLS = 512, ROOM = 24000 * 12 };

typedef struct stage {
    kokoro_rig kit;
    void *memory;
    vx_speech *speech;
    vx_voice voice;
    float samples[ROOM];
    vx_speech_span symbol[SYMBOLS], word[8];
    int64_t heard; /* samples that the sink saw */
    int pieces, stop_after;
} stage;

/* The tiny network, at most 40 frames at once, a made-up voice. One worker: the backend keeps a set
 * of oneDNN arguments for every worker that meets a product, made when they first meet, and with two
 * workers it is chance when that is. */
static stage *open_stage(void)
{
    stage *s = vx_heap_alloc(sizeof *s);
    vx_kokoro_params params = {.config = tiny_config(), .precision = VX_F32, .frames_max = 40};
    if (kokoro_rig_open(&s->kit, "cpu", 1, DATA "tiny.safetensors", &params) != VX_OK)
        fail_msg("%s", s->kit.base.err.message);
    s->memory = vx_heap_alloc(vx_speech_bytes(s->kit.model));
    s->speech = vx_speech_over(s->kit.model, s->memory);
    s->voice = (vx_voice){.rows = vx_heap_alloc(vx_voice_bytes(16)), .width = 16};
    for (int i = 0; i < VX_VOICE_ROWS * 16; i++)
        s->voice.rows[i] = sinf((float)(i % 16) * 1.7f + (float)(i / 16) * 0.01f);
    return s;
}

static void close_stage(stage *s)
{
    kokoro_rig_close(&s->kit);
    vx_heap_free(s->memory);
    vx_heap_free(s->voice.rows);
    vx_heap_free(s);
}

static vx_speech_request request(stage *s, const char *phonemes)
{
    return (vx_speech_request){.voice = &s->voice,
                               .phonemes = phonemes,
                               .length = strlen(phonemes),
                               .speed = 1,
                               .seed = 3,
                               .samples = s->samples,
                               .samples_room = ROOM,
                               .symbol_span = s->symbol,
                               .word_span = s->word};
}

static vx_speech_result speak(stage *s, const vx_speech_request *r)
{
    vx_speech_result result;
    if (vx_speech_run(s->speech, &s->kit.base.ctx, r, &result) != VX_OK)
        fail_msg("%s", s->kit.base.err.message);
    assert_int_equal(s->kit.base.workspace.used, 0);
    return result;
}

/* Times rise, touch each other, lie on the 25 ms grid and within the speech. */
static void check_times(const stage *s, int64_t symbols, int64_t samples)
{
    for (int64_t i = 0; i < symbols; i++) {
        assert_true(s->symbol[i].start <= s->symbol[i].end);
        assert_int_equal(s->symbol[i].start % VX_KOKORO_FRAME, 0);
        if (i > 0) assert_int_equal(s->symbol[i].start, s->symbol[i - 1].end);
    }
    assert_true(s->symbol[symbols - 1].end <= samples);
}

static void verbatim_speech_is_whole_frames(void **state)
{
    (void)state;
    stage *s = open_stage();
    vx_speech_request r = request(s, "hˈI # ju.");
    r.verbatim = true;
    const vx_g2p_word words[2] = {{.symbol_start = 0, .symbols = 3},
                                  {.symbol_start = 6, .symbols = 2}};
    r.word = words;
    r.word_count = 2;
    vx_speech_result result = speak(s, &r);
    assert_int_equal(result.chunks, 1);
    assert_int_equal(result.samples % VX_KOKORO_FRAME, 0);
    check_times(s, 9, result.samples);
    assert_true(s->symbol[0].start >= VX_KOKORO_FRAME);     /* the pad in front */
    assert_true(s->symbol[8].end < result.samples);         /* and the one behind */
    assert_int_equal(s->symbol[4].start, s->symbol[4].end); /* '#' is not known */
    assert_int_equal(s->word[0].start, s->symbol[0].start);
    assert_int_equal(s->word[0].end, s->symbol[2].end);
    assert_int_equal(s->word[1].start, s->symbol[6].start);
    assert_int_equal(s->word[1].end, s->symbol[7].end);

    /* The same symbols as one chunk of text: nothing is trimmed or faded there either. */
    static float first[ROOM];
    memcpy(first, s->samples, (size_t)result.samples * sizeof *first);
    r.verbatim = false;
    assert_int_equal(speak(s, &r).samples, result.samples);
    assert_memory_equal(first, s->samples, (size_t)result.samples * sizeof *first);
    close_stage(s);
}

static const char long_text[] =
    "wˌʌn tˈu θɹˈi, fˈɔɹ. fˈIv sˈɪks sˈɛvən ˈAt. nˈIn tˈɛn! ɪlˈɛvən twˈɛlv θˈɜɹtˌin; "
    "fˌɔɹtˈin ænd sˈO ˈɔn, wɪðˌWt ˈɛnd, ˈɔn ænd ˈɔn ænd ˈɔn.";

static void long_speech_is_cut_and_joined(void **state)
{
    (void)state;
    stage *s = open_stage();
    int64_t symbols = (int64_t)vx_utf8_count(long_text, strlen(long_text)), samples;
    vx_speech_request r = request(s, long_text);
    vx_speech_result result = speak(s, &r);
    assert_true(result.chunks > 3); /* 40 frames hold some twenty symbols */
    check_times(s, symbols, result.samples);
    for (int64_t i = 0; i < result.samples; i++)
        assert_true(isfinite(s->samples[i]));
    assert_int_equal(vx_speech_measure(s->speech, &s->kit.base.ctx, &r, &samples), VX_OK);
    assert_int_equal(samples, result.samples);

    /* The seed alone decides; faster is shorter. */
    static float first[ROOM];
    memcpy(first, s->samples, (size_t)result.samples * sizeof *first);
    speak(s, &r);
    assert_memory_equal(first, s->samples, (size_t)result.samples * sizeof *first);
    r.seed = 4;
    speak(s, &r);
    assert_memory_not_equal(first, s->samples, (size_t)result.samples * sizeof *first);
    r.speed = 2;
    assert_true(speak(s, &r).samples < result.samples);
    close_stage(s);
}

static vx_status listen(void *arg, const float *samples, int64_t first, int64_t count,
                        int64_t symbols)
{
    stage *s = arg;
    assert_ptr_equal(samples, s->samples + first);
    assert_int_equal(first, s->heard);
    s->heard += count;
    assert_true(symbols > 0);
    return ++s->pieces == s->stop_after ? VX_ERR_IO : VX_OK;
}

static void a_sink_hears_every_piece_and_may_stop(void **state)
{
    (void)state;
    stage *s = open_stage();
    vx_speech_request r = request(s, long_text);
    r.sink = listen;
    r.sink_arg = s;
    vx_speech_result result = speak(s, &r);
    assert_int_equal(s->heard, result.samples);
    assert_int_equal(s->pieces, result.chunks);
    s->heard = s->pieces = 0;
    s->stop_after = 2;
    assert_int_equal(vx_speech_run(s->speech, &s->kit.base.ctx, &r, &result), VX_ERR_IO);
    assert_int_equal(s->pieces, 2);
    assert_int_equal(s->kit.base.workspace.used, 0);
    close_stage(s);
}

static void speech_that_does_not_fit_is_refused_or_cut_off(void **state)
{
    (void)state;
    stage *s = open_stage();
    int64_t symbols = (int64_t)vx_utf8_count(long_text, strlen(long_text));
    vx_speech_request r = request(s, long_text);
    vx_speech_result result;
    r.samples_room = 30100;
    memset(s->samples, 0x55, sizeof s->samples);
    assert_int_equal(vx_speech_run(s->speech, &s->kit.base.ctx, &r, &result), VX_ERR_INPUT);
    r.truncate = true;
    result = speak(s, &r);
    assert_true(result.truncated);
    assert_int_equal(result.samples, 30100);
    assert_true(fabsf(s->samples[30099]) < 1e-2f * fabsf(s->samples[29000]) + 1e-3f);
    unsigned char beyond[4] = {0x55, 0x55, 0x55, 0x55};
    assert_memory_equal(&s->samples[30100], beyond, 4);
    for (int64_t i = 0; i < symbols; i++)
        assert_true(s->symbol[i].end <= 30100);
    assert_int_equal(s->symbol[symbols - 1].start, 30100);
    close_stage(s);
}

static void speech_without_sense_is_refused(void **state)
{
    (void)state;
    stage *s = open_stage();
    vx_speech_result result;
    char many[200];
    memset(many, 'a', sizeof many - 1);
    many[sizeof many - 1] = 0;
    const struct {
        const char *phonemes;
        float speed;
        bool verbatim;
        vx_status status;
    } cases[] = {{"", 1, true, VX_ERR_INPUT},
                 {"", 1, false, VX_ERR_INPUT},
                 {"   ", 1, false, VX_ERR_INPUT},
                 {"###", 1, true, VX_ERR_INPUT},
                 {"a\xff", 1, true, VX_ERR_INPUT},
                 {"a", 0.4f, true, VX_ERR_INPUT},
                 {"a", 2.1f, false, VX_ERR_INPUT},
                 {"a", NAN, false, VX_ERR_INPUT},
                 {many, 1, true, VX_ERR_INPUT},           /* over the context's 62 symbols */
                 {many + 150, 0.5f, true, VX_ERR_MEMORY}, /* over 40 frames */
                 {many, 1, false, VX_OK}};                /* one endless word: cut anywhere */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vx_speech_request r = request(s, cases[i].phonemes);
        r.speed = cases[i].speed;
        r.verbatim = cases[i].verbatim;
        vx_status status = vx_speech_run(s->speech, &s->kit.base.ctx, &r, &result);
        if (status != cases[i].status) fail_msg("case %zu: %d", i, (int)status);
        assert_int_equal(s->kit.base.workspace.used, 0);
    }
    close_stage(s);
}

static void a_cancelled_speech_stops(void **state)
{
    (void)state;
    stage *s = open_stage();
    vx_cancel cancel = {0};
    vx_speech_result result;
    vx_speech_request r = request(s, long_text);
    s->kit.base.ctx.cancel = &cancel;
    vx_cancel_ask(&cancel);
    assert_int_equal(vx_speech_run(s->speech, &s->kit.base.ctx, &r, &result), VX_ERR_CANCELLED);
    assert_int_equal(s->kit.base.workspace.used, 0);
    vx_cancel_clear(&cancel);
    speak(s, &r);
    close_stage(s);
}

/* After opening, speaking takes nothing from the heap. */
static void speaking_allocates_nothing(void **state)
{
    (void)state;
    stage *s = open_stage();
    vx_speech_request r = request(s, long_text);
    speak(s, &r);
    vx_heap_counts before = vx_heap_read();
    speak(s, &r);
    vx_heap_counts after = vx_heap_read();
    assert_int_equal(before.calls, after.calls);
    close_stage(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_on_the_reference_backend),
        cmocka_unit_test(stages_on_the_cpu),
        cmocka_unit_test(stages_on_the_cpu_in_bf16),
        cmocka_unit_test(every_spelling_of_a_name_is_found),
        cmocka_unit_test(the_official_checkpoint_is_read),
        cmocka_unit_test(the_onnx_table_is_sorted_and_whole),
        cmocka_unit_test(weights_of_another_size_are_refused),
        cmocka_unit_test(the_published_configuration_is_the_default),
        cmocka_unit_test(configurations_that_are_not_there_are_refused),
        cmocka_unit_test(durations_round_half_to_even_and_are_at_least_one),
        cmocka_unit_test(voices_load_and_blend),
        cmocka_unit_test(voices_are_listed_with_what_their_names_say),
        cmocka_unit_test(official_voice_files_are_read),
        cmocka_unit_test(voices_that_are_not_there_are_refused),
        cmocka_unit_test(voice_files_of_another_size_are_refused),
        cmocka_unit_test(verbatim_speech_is_whole_frames),
        cmocka_unit_test(long_speech_is_cut_and_joined),
        cmocka_unit_test(a_sink_hears_every_piece_and_may_stop),
        cmocka_unit_test(speech_that_does_not_fit_is_refused_or_cut_off),
        cmocka_unit_test(speech_without_sense_is_refused),
        cmocka_unit_test(a_cancelled_speech_stops),
        cmocka_unit_test(speaking_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
