/* What lies beside a weight: scales are applied, the rest is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "formats/convert.h"
#include "formats/source_impl.h"
#include "safetensors_make.h"
#include "tensor/quant.h"

#define FOLDER VX_BUILD_DIR "/companions/"

enum { ROWS = 130, COLS = 200 };

static made m;
static uint8_t codes[ROWS * COLS];
static float scales[ROWS * COLS];

/* Codes without NaN or infinity, and scales that differ. */
static void fill(vx_dtype dtype)
{
    uint8_t most = dtype == VX_F8_E5M2 ? 0x7B : 0x7E;
    for (int i = 0; i < ROWS * COLS; i++) {
        codes[i] = (uint8_t)(i * 37 % (most + 1)) | (uint8_t)(i % 2 << 7);
        scales[i] = 0.25f + (float)(i % 61) / 7.0f;
    }
}

/* How scales lie over the weight: index of the scale of an element. */
typedef int64_t (*scale_index)(int64_t row, int64_t col);

static int64_t one(int64_t row, int64_t col)
{
    (void)row, (void)col;
    return 0;
}
static int64_t by_row(int64_t row, int64_t col)
{
    (void)col;
    return row;
}
static int64_t by_block(int64_t row, int64_t col)
{
    return row / 128 * 2 + col / 128;
}
static int64_t by_group(int64_t row, int64_t col)
{
    return row * 5 + col / 40;
}
static int64_t by_column(int64_t row, int64_t col)
{
    (void)row;
    return col;
}

/* Whole and in pieces of every length, every value is scale times code. */
static void compare(const vx_source *source, const char *name, vx_dtype stored, scale_index index)
{
    static float whole[ROWS * COLS];
    float piece[300];
    const vx_source_tensor *t = vx_source_find(source, name);
    assert_non_null(t);
    assert_int_equal(vx_source_read(source, t, 0, ROWS * COLS, whole, NULL), VX_OK);
    for (int64_t i = 0; i < ROWS * COLS; i++) {
        float code, want;
        vx_decode(stored, codes + i, 1, &code);
        want = code * scales[index(i / COLS, i % COLS)];
        if (memcmp(&want, &whole[i], sizeof want) != 0)
            fail_msg("%s[%d] is %.9g, expected %.9g", name, (int)i, (double)whole[i], (double)want);
    }
    for (int64_t at = 0, step = 1; at < ROWS * COLS; at += step, step = step % 299 + 1) {
        if (step > ROWS * COLS - at) step = ROWS * COLS - at;
        assert_int_equal(vx_source_read(source, t, at, step, piece, NULL), VX_OK);
        assert_memory_equal(piece, whole + at, (size_t)step * sizeof *piece);
    }
}

static void scales_are_applied(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        vx_dtype stored;
        const char *leaf, *shape;
        int64_t count;
        scale_index index;
    } cases[] = {
        {"F8_E4M3", VX_F8_E4M3, "scale_weight", "[]", 1, one},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale", "[1]", 1, one},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale", "[130]", ROWS, by_row},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale", "[130,1]", ROWS, by_row},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale_inv", "[2,2]", 4, by_block},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale", "[130,5]", 5 * ROWS, by_group},
        {"F8_E4M3", VX_F8_E4M3, "weight_scale", "[1,200]", COLS, by_column},
        {"F8_E5M2", VX_F8_E5M2, "scale_weight", "[1]", 1, one},
        {"I8", VX_I8, "weight_scale", "[130,1]", ROWS, by_row},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        fill(cases[i].stored);
        snprintf(name, sizeof name, "fc.%s", cases[i].leaf);
        made_start(&m, NULL);
        made_add(&m, name, "F32", cases[i].shape, scales, (size_t)cases[i].count * 4);
        made_add(&m, "fc.weight", cases[i].dtype, "[130,200]", codes, sizeof codes);
        made_add(&m, "fc.bias", "F32", "[2]", scales, 8);
        made_add(&m, "fc.scale_input", "F32", "[]", scales, 4);
        made_add(&m, "fc.input_scale", "F32", "[]", scales, 4);
        made_add(&m, "scaled_fp8", "F8_E4M3", "[2]", NULL, 2);
        made_add(&m, "model.scaled_fp8", "F8_E4M3", "[0]", NULL, 0);
        vx_source *source = made_open(&m);
        assert_int_equal(vx_source_count(source), 2); /* weight and bias */
        compare(source, "fc.weight", cases[i].stored, cases[i].index);
        vx_source_close(&source);
        free(m.file);
    }
}

/* A weight that is named otherwise, a filter, and scales of two bytes. */
static void other_weights_are_scaled(void **state)
{
    (void)state;
    fill(VX_F8_E4M3);
    uint16_t half[2] = {vx_f32_to_bf16(0.5f), vx_f32_to_bf16(3)};
    made_start(&m, NULL);
    made_add(&m, "attn.in_proj_weight", "F8_E4M3", "[2,3]", codes, 6);
    made_add(&m, "attn.in_proj_weight_scale", "BF16", "[2]", half, 4);
    made_add(&m, "conv.weight", "F8_E4M3", "[2,1,3,1]", codes, 6);
    made_add(&m, "conv.weight_scale", "BF16", "[2,1,1,1]", half, 4);
    vx_source *source = made_open(&m);
    assert_int_equal(vx_source_count(source), 2);
    for (int k = 0; k < 2; k++) {
        float values[6];
        assert_int_equal(vx_source_read(source, vx_source_at(source, k), 0, 6, values, NULL),
                         VX_OK);
        for (int i = 0; i < 6; i++)
            assert_true(values[i] == vx_f8_e4m3_to_f32(codes[i]) * (i < 3 ? 0.5f : 3.0f));
    }
    vx_source_close(&source);
    free(m.file);
}

/* The weight opens and is listed, but reading it fails with every one of these words. */
static void expect_refused(vx_source *source, const char *name, const char *what)
{
    vx_error err = {0};
    float value;
    vx_stored_rows rows;
    const vx_source_tensor *t = vx_source_find(source, name);
    assert_non_null(t);
    assert_int_equal(vx_source_read(source, t, 0, 1, &value, &err), VX_ERR_INPUT);
    if (strstr(err.message, name) == NULL || strstr(err.message, what) == NULL)
        fail_msg("\"%s\" does not mention \"%s\" and \"%s\"", err.message, name, what);
    assert_int_equal(vx_source_usable(source, t, NULL), VX_ERR_INPUT);
    assert_false(vx_source_stored_rows(t, 0, 1, &rows));
}

static void unknown_companions_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *dtype, *shape;
        size_t bytes;
    } beside[] = {
        {"fc.weight_scale_2", "F32", "[1]", 4},
        {"fc.weight_zero_point", "I8", "[2]", 2},
        {"fc.weight.absmax", "F32", "[1]", 4},
        {"fc.weight._scale", "F32", "[1]", 4},
        {"fc.scale", "F32", "[1]", 4},
        {"fc.scales", "F16", "[2]", 4},
        {"fc.g_idx", "I32", "[4]", 16},
        {"fc.pre_quant_scale", "F32", "[4]", 16},
        {"fc.lora_A.weight", "F32", "[1,4]", 16},
        {"fc.lora_up.default.weight", "F32", "[1]", 4},
        {"fc.alpha", "F32", "[]", 4},
        {"fc.weight_shape", "I64", "[2]", 16},
        {"fc.weight_scale_inv", "F32", "[3,3]", 36},
        {"fc.weight_scale", "F32", "[5]", 20},
        {"fc.weight_scale", "U8", "[1]", 1},
    };
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        made_start(&m, NULL);
        made_add(&m, "fc.weight", "F8_E4M3", "[2,4]", NULL, 8);
        made_add(&m, beside[i].name, beside[i].dtype, beside[i].shape, NULL, beside[i].bytes);
        made_add(&m, "other.weight", "F8_E4M3", "[2,4]", NULL, 8);
        vx_source *source = made_open(&m);
        expect_refused(source, "fc.weight", beside[i].name);
        float values[8];
        const vx_source_tensor *other = vx_source_find(source, "other.weight");
        assert_int_equal(vx_source_read(source, other, 0, 8, values, NULL), VX_OK);
        vx_source_close(&source);
        free(m.file);
    }
}

static void two_scales_are_refused(void **state)
{
    (void)state;
    made_start(&m, NULL);
    made_add(&m, "fc.weight", "F8_E4M3", "[2,4]", NULL, 8);
    made_add(&m, "fc.weight_scale", "F32", "[1]", NULL, 4);
    made_add(&m, "fc.scale_weight", "F32", "[1]", NULL, 4);
    made_add(&m, "packed.weight", "U8", "[2,2]", NULL, 4);
    made_add(&m, "packed.weight_scale", "F8_E4M3", "[2,1]", NULL, 2);
    vx_source *source = made_open(&m);
    expect_refused(source, "fc.weight", "two scales");
    expect_refused(source, "packed.weight", "packed.weight_scale");
    vx_source_close(&source);
    free(m.file);
}

/* Names that real models have beside a weight, or that only look like companions. */
static void plain_neighbours_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "query_norm.scale",
        "conv.weight_g",
        "conv.weight_v",
        "lstm.weight_ih_l0",
        "lstm.weight_hh_l0",
        "visual.proj",
        "logit_scale",
        "conv2.weight_orig",
        "conv2.weight_u",
        "weight",
        "scale",
        "norm.num_batches_tracked",
    };
    enum { COUNT = sizeof names / sizeof *names };
    made_start(&m, NULL);
    for (int i = 0; i < COUNT; i++)
        made_add(&m, names[i], "F32", "[1]", NULL, 4);
    vx_source *source = made_open(&m);
    assert_int_equal(vx_source_count(source), COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(vx_source_usable(source, vx_source_at(source, i), NULL), VX_OK);
    assert_int_equal(vx_source_check(source, NULL), VX_OK);
    vx_source_close(&source);
    free(m.file);
}

static vx_source *with_recipe(const char *recipe, bool scale, bool in_metadata)
{
    char text[512], metadata[1024];
    size_t at = 0;
    for (const char *c = recipe; *c != '\0'; c++) {
        if (*c == '"') text[at++] = '\\';
        text[at++] = *c;
    }
    text[at] = '\0';
    snprintf(metadata, sizeof metadata,
             "{\"_quantization_metadata\":\"{\\\"layers\\\":{\\\"fc\\\":%s}}\"}", text);
    made_start(&m, in_metadata ? metadata : NULL);
    if (!in_metadata) {
        char shape[32];
        snprintf(shape, sizeof shape, "[%zu]", strlen(recipe));
        made_add(&m, "fc.comfy_quant", "U8", shape, recipe, strlen(recipe));
    }
    made_add(&m, "fc.weight", "F8_E4M3", "[2,4]", "\x38\x38\x38\x38\x38\x38\x38\x38", 8);
    if (scale) made_add(&m, "fc.weight_scale", "F32", "[]", scales, 4);
    return made_open(&m);
}

static void recipes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *recipe, *refusal; /* NULL: it reads */
        bool scale;
    } cases[] = {
        {"{\"format\": \"float8_e4m3fn\"}", NULL, true},
        {"{\"format\": \"float8_e5m2\", \"full_precision_matrix_mult\": true}", NULL, true},
        {"{\"format\": \"float8_e4m3fn\"}", "no scale", false},
        {"{\"format\": \"nvfp4\"}", "nvfp4", true},
        {"{\"format\": \"float8_e4m3fn\", \"convrot\": true}", "convrot", true},
    };
    fill(VX_F8_E4M3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int in_metadata = 0; in_metadata < 2; in_metadata++) {
            vx_source *source = with_recipe(cases[i].recipe, cases[i].scale, in_metadata);
            float value = 0;
            if (cases[i].refusal != NULL) {
                expect_refused(source, "fc.weight", cases[i].refusal);
            } else {
                assert_int_equal(
                    vx_source_read(source, vx_source_find(source, "fc.weight"), 7, 1, &value, NULL),
                    VX_OK);
                assert_true(value == scales[0]);
            }
            assert_int_equal(vx_source_count(source), 1);
            vx_source_close(&source);
            free(m.file);
        }
    made_start(&m, NULL);
    made_add(&m, "fc.comfy_quant", "U8", "[3]", "no!", 3);
    made_add(&m, "fc.weight", "F8_E4M3", "[2,4]", NULL, 8);
    vx_source *source = made_open(&m);
    expect_refused(source, "fc.weight", "no JSON mapping");
    vx_source_close(&source);
    free(m.file);
}

static void other_quantisers_get_a_verdict(void **state)
{
    (void)state;
    static const struct {
        const char *names[5], *verdict;
    } cases[] = {
        {{"a.qweight", "a.qzeros", "a.scales", "a.g_idx"}, "GPTQ"},
        {{"a.qweight", "a.qzeros", "a.scales"}, "AWQ"},
        {{"a.qweight", "a.wscales", "a.lora_down", "a.lora_up"}, "SVDQuant"},
        {{"a.weight_packed", "a.weight_scale"}, "compressed-tensors"},
        {{"a.W_q", "a.scale", "a.zero"}, "HQQ"},
        {{"a.weight._data", "a.weight._scale"}, "quanto"},
        {{"base_model.model.a.lora_A.weight", "base_model.model.a.lora_B.weight"}, "LoRA"},
        {{"lora_unet_a.alpha", "lora_unet_a.lora_down.weight"}, "LoRA"},
        {{"lycoris_a.lokr_w1", "lycoris_a.lokr_w2"}, "LoRA"},
        {{"a.hada_w1_a", "a.hada_w1_b"}, "LoRA"},
        {{"a.base_layer.weight", "a.lora_A.default.weight"}, "LoRA"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vx_error err = {0};
        made_start(&m, NULL);
        for (int k = 0; k < 5 && cases[i].names[k] != NULL; k++)
            made_add(&m, cases[i].names[k], "F32", "[1]", NULL, 4);
        vx_source *source = made_open(&m); /* so that it can be inspected */
        assert_int_equal(vx_source_check(source, &err), VX_ERR_INPUT);
        if (strstr(err.message, cases[i].verdict) == NULL)
            fail_msg("\"%s\" does not mention \"%s\"", err.message, cases[i].verdict);
        vx_source_close(&source);
        free(m.file);
    }
}

/* Shards: the scale and the recipe may lie in other files than the weight. */
static void scales_of_other_shards_are_applied(void **state)
{
    (void)state;
    static const char recipe[] = "{\"format\": \"float8_e4m3fn\"}";
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};
    static made files[3];
    fill(VX_F8_E4M3);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        vx_source *sources[3];
        made_start(&files[0], NULL);
        made_add(&files[0], "fc.weight", "F8_E4M3", "[130,200]", codes, sizeof codes);
        made_add(&files[0], "fc.comfy_quant", "U8", "[27]", recipe, sizeof recipe - 1);
        made_add(&files[0], "odd.weight", "F32", "[1]", NULL, 4);
        made_start(&files[1], NULL);
        made_add(&files[1], "fc.weight_scale", "F32", "[2,2]", scales, 16);
        made_start(&files[2], NULL);
        made_add(&files[2], "odd.zero_point", "F32", "[1]", NULL, 4);
        made_add(&files[2], "fc.bias", "F32", "[1]", NULL, 4);
        for (int k = 0; k < 3; k++)
            sources[orders[i][k]] = made_open(&files[k]);
        assert_int_equal(vx_sources_join(sources, 3, NULL), VX_OK);
        compare(sources[orders[i][0]], "fc.weight", VX_F8_E4M3, by_block);
        expect_refused(sources[orders[i][0]], "odd.weight", "odd.zero_point");
        assert_null(vx_source_find(sources[orders[i][1]], "fc.weight_scale"));
        assert_non_null(vx_source_find(sources[orders[i][2]], "fc.bias"));
        for (int k = 0; k < 3; k++)
            vx_source_close(&sources[k]);
        for (int k = 0; k < 3; k++)
            free(files[k].file);
    }
}

/* ---- conversion */

static vx_status convert(vx_error *err)
{
    vx_folder_make(FOLDER, NULL);
    remove(FOLDER "out.safetensors");
    made_write(&m, FOLDER "in.safetensors");
    const vx_convert_params params = {
        .in = FOLDER "in.safetensors", .out = FOLDER "out.safetensors", .to = VX_F16};
    return vx_convert(&params, NULL, err);
}

static void conversion_applies_scales(void **state)
{
    (void)state;
    vx_error err = {0};
    fill(VX_F8_E4M3);
    made_start(&m, "{\"_quantization_metadata\":\"{\\\"layers\\\":{\\\"fc\\\":{\\\"format\\\":"
                   "\\\"float8_e4m3fn\\\"}}}\",\"note\":\"kept\"}");
    made_add(&m, "fc.weight", "F8_E4M3", "[130,200]", codes, sizeof codes);
    made_add(&m, "fc.weight_scale", "F32", "[130,1]", scales, ROWS * 4);
    made_add(&m, "fc.input_scale", "F32", "[]", scales, 4);
    made_add(&m, "i8.weight", "I8", "[1,4]", codes, 4);
    made_add(&m, "i8.weight_scale", "F32", "[1]", scales, 4);
    if (convert(&err) != VX_OK) fail_msg("%s", err.message);
    vx_source *out;
    assert_int_equal(vx_source_open(&out, FOLDER "out.safetensors", NULL), VX_OK);
    assert_int_equal(vx_source_count(out), 2);
    const vx_source_tensor *t = vx_source_find(out, "fc.weight");
    assert_int_equal(t->dtype, VX_F16);
    for (int i = 0; i < ROWS * COLS; i++) {
        float have, want = vx_f8_e4m3_to_f32(codes[i]) * scales[i / COLS];
        vx_source_read(out, t, i, 1, &have, NULL);
        assert_true(have == vx_f16_to_f32(vx_f32_to_f16(want)));
    }
    assert_int_equal(vx_source_find(out, "i8.weight")->dtype, VX_F16);
    assert_null(vx_source_meta_find(out, "_quantization_metadata"));
    assert_non_null(vx_source_meta_find(out, "note"));
    vx_source_close(&out);
}

static void conversion_refuses(const char *name, const char *dtype, const char *part)
{
    vx_error err = {0};
    made_start(&m, NULL);
    made_add(&m, "fc.weight", dtype, "[1]", NULL, strcmp(dtype, "I8") == 0 ? 1 : 2);
    made_add(&m, name, "F32", "[1]", NULL, 4);
    assert_int_equal(convert(&err), VX_ERR_INPUT);
    if (strstr(err.message, part) == NULL || strstr(err.message, name) == NULL)
        fail_msg("\"%s\" does not mention \"%s\" and \"%s\"", err.message, part, name);
    vx_source *out;
    assert_int_equal(vx_source_open(&out, FOLDER "out.safetensors", NULL), VX_ERR_MISSING);
}

static void conversion_refuses_what_it_cannot_apply(void **state)
{
    (void)state;
    conversion_refuses("fc.weight_zero_point", "F16", "fc.weight");
    conversion_refuses("fc.weight_zero_point", "I8", "fc.weight");
    conversion_refuses("other.qweight", "F16", "GPTQ");
    conversion_refuses("other.lora_A.weight", "F16", "LoRA");
    /* f16 times a scale is beyond f16 */
    vx_error err = {0};
    uint16_t big = vx_f32_to_f16(60000);
    float scale = 2;
    made_start(&m, NULL);
    made_add(&m, "fc.weight", "F16", "[1]", &big, 2);
    made_add(&m, "fc.weight_scale", "F32", "[1]", &scale, 4);
    assert_int_equal(convert(&err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "120000"));
}

static void nothing_is_leaked(void **state)
{
    (void)state;
    assert_int_equal(vx_heap_read().live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_are_applied),
        cmocka_unit_test(other_weights_are_scaled),
        cmocka_unit_test(unknown_companions_are_refused),
        cmocka_unit_test(two_scales_are_refused),
        cmocka_unit_test(plain_neighbours_are_left_alone),
        cmocka_unit_test(recipes_are_read),
        cmocka_unit_test(other_quantisers_get_a_verdict),
        cmocka_unit_test(scales_of_other_shards_are_applied),
        cmocka_unit_test(conversion_applies_scales),
        cmocka_unit_test(conversion_refuses_what_it_cannot_apply),
        cmocka_unit_test(nothing_is_leaked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
