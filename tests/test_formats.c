/* Weight files that other tools wrote (tools/make_format_fixtures.py), and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "formats/source_impl.h"

#define DATA VX_TEST_DATA "/formats/"

static vx_source *open_good(const char *path)
{
    vx_source *source;
    vx_error err = {0};
    if (vx_source_open(&source, path, &err) != VX_OK) fail_msg("%s", err.message);
    return source;
}

static float *read_all(const vx_source *source, const vx_source_tensor *tensor)
{
    vx_error err = {0};
    float *values = malloc((size_t)tensor->elements * sizeof *values + 1);
    if (vx_source_read(source, tensor, 0, tensor->elements, values, &err) != VX_OK)
        fail_msg("%s", err.message);
    return values;
}

/* Every tensor of NAME.expect.safetensors is in NAME with the same shape and the same bits. */
static void compare(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, DATA "%s", name);
    vx_source *source = open_good(path);
    snprintf(path, sizeof path, DATA "%s.expect.safetensors", name);
    vx_source *expected = open_good(path);
    if (vx_source_count(source) != vx_source_count(expected))
        fail_msg("%s holds %lld tensors, expected %lld", name, (long long)vx_source_count(source),
                 (long long)vx_source_count(expected));
    for (int64_t i = 0; i < vx_source_count(expected); i++) {
        const vx_source_tensor *want = vx_source_at(expected, i);
        const vx_source_tensor *have = vx_source_find(source, want->name);
        if (have == NULL) fail_msg("%s has no %s", name, want->name);
        assert_int_equal(have->rank, want->rank);
        assert_memory_equal(have->dim, want->dim, sizeof have->dim);
        float *a = read_all(source, have), *b = read_all(expected, want);
        for (int64_t j = 0; j < want->elements; j++)
            if (memcmp(&a[j], &b[j], sizeof *a) != 0 && (a[j] == a[j] || b[j] == b[j]))
                fail_msg("%s: %s[%lld] is %.9g, expected %.9g", name, have->name, (long long)j,
                         (double)a[j], (double)b[j]);
        vx_source_release(source, have);
        free(a);
        free(b);
    }
    vx_source_close(&source);
    assert_null(source);
    vx_source_close(&expected);
}

static void reads_what_other_tools_write(void **state)
{
    (void)state;
    static const char *const names[] = {
        "plain.safetensors",    "nf4_single.safetensors", "nf4_double.safetensors",
        "nf4_wide.safetensors", "int8.safetensors",       "typed.onnx",
    };
    int64_t live = vx_heap_read().live_bytes;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        compare(names[i]);
    assert_int_equal(vx_heap_read().live_bytes, live);
}

/* Reading in pieces gives what reading whole gives, from odd starts too. */
static void reads_in_pieces(void **state)
{
    (void)state;
    static const char *const names[] = {"nf4_double.safetensors", "int8.safetensors", "typed.onnx"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char path[512];
        snprintf(path, sizeof path, DATA "%s", names[n]);
        vx_source *source = open_good(path);
        for (int64_t i = 0; i < vx_source_count(source); i++) {
            const vx_source_tensor *tensor = vx_source_at(source, i);
            float *whole = read_all(source, tensor), piece[37];
            for (int64_t at = 0, step = 1; at < tensor->elements;
                 at += step, step = step % 37 + 1) {
                if (step > tensor->elements - at) step = tensor->elements - at;
                assert_int_equal(vx_source_read(source, tensor, at, step, piece, NULL), VX_OK);
                assert_memory_equal(piece, whole + at, (size_t)step * sizeof *piece);
            }
            free(whole);
        }
        vx_source_close(&source);
    }
}

static void lists_and_describes(void **state)
{
    (void)state;
    vx_source *source = open_good(DATA "nf4_double.safetensors");
    assert_string_equal(vx_source_format(source), "safetensors");
    assert_string_equal(vx_source_path(source), DATA "nf4_double.safetensors");
    assert_int_equal(vx_source_count(source), 2);
    const vx_source_tensor *weight = vx_source_find(source, "layer.weight");
    assert_int_equal(weight->dtype, VX_NF4);
    assert_int_equal(weight->bytes, 96 * 192 / 2);
    assert_null(vx_source_find(source, "layer.weight.absmax"));
    char hex[65], again[65];
    assert_int_equal(vx_source_sha256(source, hex, NULL), VX_OK);
    assert_int_equal(vx_source_sha256(source, again, NULL), VX_OK);
    assert_string_equal(hex, again);
    char direct[65];
    vx_sha256_file(DATA "nf4_double.safetensors", direct, NULL);
    assert_string_equal(hex, direct);
    vx_source_close(&source);

    source = open_good(DATA "plain.safetensors");
    const vx_source_meta *note = vx_source_meta_find(source, "note");
    assert_non_null(note);
    assert_int_equal(note->kind, VX_META_TEXT);
    size_t bytes;
    const char *text = vx_meta_text(note, 0, &bytes);
    assert_int_equal(bytes, strlen("naïve"));
    assert_memory_equal(text, "naïve", bytes);
    assert_null(vx_source_meta_find(source, "absent"));
    vx_source_close(&source);
}

/* ---- damage */

static void expect_refusal(const void *bytes, size_t size, const char *part)
{
    vx_source *source;
    vx_error err = {0};
    vx_status status = vx_source_open_memory(&source, bytes, size, "bad", &err);
    vx_source_close(&source);
    if (status != VX_ERR_INPUT) fail_msg("status %d where \"%s\" was expected", status, part);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", err.message, part);
}

static void no_prefix_of_a_file_opens(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.safetensors", "int8.safetensors", "typed.onnx"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char path[512], *bytes;
        size_t size;
        snprintf(path, sizeof path, DATA "%s", names[n]);
        assert_int_equal(vx_file_read(path, 1 << 20, &bytes, &size, NULL), VX_OK);
        for (size_t cut = 0; cut < size; cut++) {
            char *part = malloc(cut + 1); /* exact, so that ASan sees a read beyond it */
            memcpy(part, bytes, cut);
            vx_source *source;
            vx_error err = {0};
            vx_status status = vx_source_open_memory(&source, part, cut, path, &err);
            if (status == VX_OK && strstr(names[n], ".onnx") == NULL)
                fail_msg("%s opens when cut at %zu", path, cut);
            if (status != VX_OK) assert_true(err.message[0] != '\0');
            vx_source_close(&source);
            free(part);
        }
        vx_heap_free(bytes);
    }
}

/* A safetensors file of this header and that many zero bytes of data. */
static void refuse_header(const char *json, size_t data_bytes, const char *part)
{
    uint64_t length = strlen(json);
    char *file = calloc(1, 8 + length + data_bytes);
    memcpy(file, &length, 8);
    memcpy(file + 8, json, length);
    expect_refusal(file, 8 + length + data_bytes, part);
    free(file);
}

static void safetensors_lies_are_named(void **state)
{
    (void)state;
    refuse_header("{}", 0, "no tensors");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "JSON");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
                  "truncated");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 9, "follow");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "overlap");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],"
                  "\"data_offsets\":[0,0]}}",
                  0, "impossible");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,0]}}", 0, "shape");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],"
                  "\"data_offsets\":[0,4]}}",
                  4, "shape");
    refuse_header("{\"a\":{\"dtype\":\"F8_E5M2\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "F8_E5M2");
    refuse_header("{\"a\\u001b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "clean UTF-8");
    refuse_header("{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "0 bytes");
    refuse_header("{\"a\":[]}", 0, "dtype");
    refuse_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "1..0");
    uint64_t lie = UINT64_MAX;
    char file[9];
    memcpy(file, &lie, 8);
    file[8] = '{';
    expect_refusal(file, 9, "claims");
}

static void quantised_lies_are_named(void **state)
{
    (void)state;
    refuse_header("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                  "\"w.quant_state.bitsandbytes__fp4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[1,2]}}",
                  2, "FP4");
    refuse_header("{\"w.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[0,1]}}",
                  1, "codes are not there");
    refuse_header("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                  "\"w.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[1,2]}}",
                  2, "description");
    refuse_header("{\"f.weight\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
                  "\"f.SCB\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "row scales");
}

static void unknown_files_get_advice(void **state)
{
    (void)state;
    expect_refusal("<html>not found</html>", 22, "no weight file");
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    expect_refusal(pointer, sizeof pointer - 1, "git lfs pull");
    vx_source *source;
    vx_error err = {0};
    assert_int_equal(vx_source_open(&source, DATA "absent", &err), VX_ERR_MISSING);
    assert_null(source);
    assert_int_equal(vx_source_open(&source, DATA, &err), VX_ERR_INPUT);
    assert_int_equal(vx_source_open(&source, "/dev/null", &err), VX_ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_other_tools_write), cmocka_unit_test(reads_in_pieces),
        cmocka_unit_test(lists_and_describes),          cmocka_unit_test(no_prefix_of_a_file_opens),
        cmocka_unit_test(safetensors_lies_are_named),   cmocka_unit_test(quantised_lies_are_named),
        cmocka_unit_test(unknown_files_get_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
