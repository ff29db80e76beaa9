/* CLIP against transformers and open_clip on a small random configuration (tools/clip_parity.py),
 * on the reference backend and on the CPU, under both naming schemes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/clip/clip.h"
#include "rig.h"

#define DATA VX_TEST_DATA "/clip/"

enum { IMAGES = 2, IMAGE_FLOATS = 24 * 24 * 3, EMBED = 20, TEXT_WIDTH = 24 };

static vx_status bind(void *model, vx_binder *binder)
{
    return vx_clip_bind(model, binder);
}

static vx_status plan_run(void *model, vx_ctx *ctx)
{
    VX_TRY(vx_clip_image(model, ctx, NULL, VX_F32, IMAGES, NULL));
    return vx_clip_text(model, ctx, NULL, vx_clip_configuration(model)->context, NULL, NULL);
}

static vx_clip_config small_config(void)
{
    vx_clip_config config;
    json_t *json = json_load_file(DATA "small.json", 0, NULL);
    assert_non_null(json);
    assert_int_equal(vx_clip_config_read(json, VX_CLIP_BASE_32, &config, NULL), VX_OK);
    json_decref(json);
    return config;
}

static void without_a_configuration_sizes_are_the_published_ones(void **state)
{
    (void)state;
    vx_clip_config base, large;
    assert_int_equal(vx_clip_config_read(NULL, VX_CLIP_BASE_32, &base, NULL), VX_OK);
    assert_int_equal(vx_clip_config_read(NULL, VX_CLIP_LARGE_14, &large, NULL), VX_OK);
    assert_true(base.patch == 32 && base.vision.width == 768 && base.text.width == 512 &&
                base.embed == 512);
    assert_true(large.patch == 14 && large.vision.width == 1024 && large.vision.layers == 24 &&
                large.vision.heads == 16 && large.vision.mlp == 4096 && large.text.width == 768 &&
                large.text.heads == 12 && large.text.mlp == 3072 && large.embed == 768);
    /* A configuration's absent keys are transformers' own, whichever model it is for. */
    json_t *json = json_pack("{s:i}", "projection_dim", 640);
    assert_int_equal(vx_clip_config_read(json, VX_CLIP_LARGE_14, &large, NULL), VX_OK);
    json_decref(json);
    assert_true(large.embed == 640 && large.vision.width == 768 && large.patch == 32);
}

typedef struct expected {
    vx_source *values;
    double worst; /* largest relative error of a layer */
    int layers;
} expected;

/* Compares a layer with the reference; the last layer keeps one token of each sequence. */
static void compare_layer(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *have)
{
    expected *want = arg;
    const vx_source_tensor *tensor = vx_source_find(want->values, name);
    if (tensor == NULL) return;
    int64_t cols = vx_cols(have), rows = tensor->elements / cols, kept = vx_rows(have);
    int64_t step = rows / kept;
    float *values = rig_read(want->values, name, NULL), *got = rig_values(ctx, have);
    double largest = 0, error = 0;
    for (int64_t r = 0; r < kept; r++) {
        bool text = strncmp(name, "text", 4) == 0;
        int64_t from = kept == rows ? r : text ? rows - 1 : r * step;
        const float *row = got + r * cols;
        for (int64_t c = 0; c < cols; c++) {
            largest = fmax(largest, fabs((double)values[from * cols + c]));
            error = fmax(error, fabs((double)values[from * cols + c] - (double)row[c]));
        }
    }
    want->worst = fmax(want->worst, error / largest);
    want->layers++;
    vx_heap_free(values);
    vx_heap_free(got);
}

static double cosine(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Runs both towers and checks layers and embeddings. */
static void check(const char *backend, const char *file, vx_dtype precision, double layer_bar,
                  double cosine_bar)
{
    vx_clip_config config = small_config();
    rig r;
    vx_clip *clip;
    vx_source *weights, *values;
    rig_open(&r, backend, 2);
    rig_must(&r, vx_source_open(&weights, file, &r.err), file);
    rig_must(&r, vx_source_open(&values, DATA "small_values.safetensors", &r.err),
             "small_values.safetensors");
    rig_must(&r,
             vx_clip_open(&clip, &config, precision, r.backend->native,
                          VX_CLIP_IMAGE | VX_CLIP_TEXT | VX_CLIP_TEXT_PROJECTION, &r.err),
             "clip");
    rig_plan(&r, bind, plan_run, clip);
    rig_must(&r, rig_load(&r, bind, clip, &weights, 1), "load");
    assert_int_equal(r.weights.used, r.weights_bytes);

    expected want = {.values = values};
    r.ctx.observe = compare_layer;
    r.ctx.observe_arg = &want;
    int64_t count;
    float *pixels = rig_read(values, "pixels", NULL), *id_values = rig_read(values, "ids", &count);
    float *image_want = rig_read(values, "image_embed", NULL),
          *text_want = rig_read(values, "text_embed", NULL);
    float image[IMAGES * EMBED], text[EMBED];
    int32_t ids[16];
    assert_in_range(count, 1, 12);
    for (int i = 0; i < count; i++)
        ids[i] = (int32_t)id_values[i];
    rig_must(&r, vx_clip_image(clip, &r.ctx, pixels, VX_F32, IMAGES, image), "image");
    rig_must(&r, vx_clip_text(clip, &r.ctx, ids, (int)count, NULL, text), "text");
    assert_int_equal(want.layers, 4);
    if (want.worst > layer_bar) fail_msg("%s %s: a layer differs by %g", backend, file, want.worst);
    for (int i = 0; i < IMAGES; i++)
        assert_true(cosine(image + (ptrdiff_t)i * EMBED, image_want + (ptrdiff_t)i * EMBED,
                           EMBED) >= cosine_bar);
    assert_true(cosine(text, text_want, EMBED) >= cosine_bar);
    assert_true(r.workspace.peak <= r.workspace_bytes);

    vx_heap_free(pixels);
    vx_heap_free(id_values);
    vx_heap_free(image_want);
    vx_heap_free(text_want);
    vx_clip_close(&clip);
    vx_source_close(&weights);
    vx_source_close(&values);
    rig_close(&r);
}

static void reference_matches_transformers(void **state)
{
    (void)state;
    check("ref", DATA "small_hf.safetensors", VX_F32, 1e-5, 0.999999);
}

static void reference_matches_open_clip(void **state)
{
    (void)state;
    check("ref", DATA "small_openai.safetensors", VX_F32, 1e-5, 0.999999);
}

static void cpu_matches_in_every_precision(void **state)
{
    (void)state;
    check("cpu", DATA "small_hf.safetensors", VX_F32, 1e-4, 0.99999);
    check("cpu", DATA "small_openai.safetensors", VX_F32, 1e-4, 0.99999);
    check("cpu", DATA "small_hf.safetensors", VX_BF16, 0.05, 0.9995);
    check("cpu", DATA "small_hf.safetensors", VX_F16, 0.05, 0.9995);
    check("cpu", DATA "small_hf.safetensors", VX_INT8_ROW, 0.1, 0.998);
}

static void tokens_after_eos_do_not_count(void **state)
{
    (void)state;
    vx_clip_config config = small_config();
    rig r;
    vx_clip *clip;
    vx_source *weights;
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_source_open(&weights, DATA "small_hf.safetensors", &r.err), "weights");
    rig_must(&r,
             vx_clip_open(&clip, &config, VX_F32, VX_F32,
                          VX_CLIP_IMAGE | VX_CLIP_TEXT | VX_CLIP_TEXT_PROJECTION, &r.err),
             "clip");
    rig_plan(&r, bind, plan_run, clip);
    rig_must(&r, rig_load(&r, bind, clip, &weights, 1), "load");
    int32_t a[] = {513, 3, 4, 514, 514, 514}, b[] = {513, 3, 4, 514, 7, 9};
    float one[EMBED], two[EMBED];
    rig_must(&r, vx_clip_text(clip, &r.ctx, a, 6, NULL, one), "text");
    rig_must(&r, vx_clip_text(clip, &r.ctx, b, 6, NULL, two), "text");
    assert_memory_equal(one, two, sizeof one);
    vx_clip_close(&clip);
    vx_source_close(&weights);
    rig_close(&r);
}

static void wrong_weights_are_named(void **state)
{
    (void)state;
    vx_clip_config config = small_config();
    config.text.mlp = 64;
    rig r;
    vx_clip *clip;
    vx_source *weights;
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_source_open(&weights, DATA "small_hf.safetensors", &r.err), "weights");
    rig_must(&r,
             vx_clip_open(&clip, &config, VX_F32, VX_F32, VX_CLIP_TEXT | VX_CLIP_TEXT_PROJECTION,
                          &r.err),
             "clip");
    r.weights = vx_arena_measure("weights");
    vx_binder binder = {.backend = r.backend, .weights = &r.weights, .plan = true, .err = &r.err};
    rig_must(&r, vx_clip_bind(clip, &binder), "plan");
    r.weights_bytes = r.weights.peak;
    r.workspace_bytes = 64;
    assert_int_equal(rig_load(&r, bind, clip, &weights, 1), VX_ERR_INPUT);
    assert_non_null(strstr(r.err.message, "mlp.fc1"));
    assert_non_null(strstr(r.err.message, "[72"));
    vx_clip_close(&clip);
    vx_source_close(&weights);
    rig_close(&r);
}

static void configurations_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"vision_config\": {\"hidden_size\": \"768\"}}",
        "{\"vision_config\": {\"hidden_size\": 0}}",
        "{\"vision_config\": {\"image_size\": 225}}",
        "{\"text_config\": {\"hidden_act\": \"swish\"}}",
        "{\"text_config\": {\"num_attention_heads\": 7}}",
        "{\"text_config\": {\"num_hidden_layers\": 1000000}}",
        "{\"strange\": 1}",
        "{\"text_config\": []}",
        "[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vx_clip_config config;
        vx_error err = {0};
        json_t *json = json_loads(bad[i], 0, NULL);
        assert_non_null(json);
        assert_int_equal(vx_clip_config_read(json, VX_CLIP_BASE_32, &config, &err), VX_ERR_INPUT);
        assert_string_equal(err.code, "bad_config");
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_configuration_sizes_are_the_published_ones),
        cmocka_unit_test(reference_matches_transformers),
        cmocka_unit_test(reference_matches_open_clip),
        cmocka_unit_test(cpu_matches_in_every_precision),
        cmocka_unit_test(tokens_after_eos_do_not_count),
        cmocka_unit_test(wrong_weights_are_named),
        cmocka_unit_test(configurations_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
