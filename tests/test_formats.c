/* Weight files that other tools wrote (tools/make_format_fixtures.py, tools/make_low_bit_fixtures.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "formats/source.h"
#include "tensor/quant.h"

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
        "plain.safetensors",
        "nf4_single.safetensors",
        "nf4_double.safetensors",
        "nf4_wide.safetensors",
        "int8.safetensors",
        "e5m2.safetensors",
        "typed.onnx",
        "nested.pth",
        "single.pt",
        "protocol4.pth",
        "f4.npy",
        "fortran.npy",
        "version2.npy",
        "version3.npy",
        "stored.npz",
        "deflated.npz",
        "types.gguf",
        "low_bits.gguf",
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

static void reads_gguf_keys(void **state)
{
    (void)state;
    vx_source *source = open_good(DATA "types.gguf");
    size_t bytes;
    const vx_source_meta *meta = vx_source_meta_find(source, "text.naïve");
    assert_int_equal(meta->kind, VX_META_TEXT);
    const char *text = vx_meta_text(meta, 0, &bytes);
    assert_int_equal(bytes, strlen("größe"));
    assert_memory_equal(text, "größe", bytes);
    meta = vx_source_meta_find(source, "number.u32");
    assert_int_equal(meta->kind, VX_META_INT);
    assert_int_equal(vx_meta_int(meta, 0), 7);
    meta = vx_source_meta_find(source, "number.f32");
    assert_int_equal(meta->kind, VX_META_FLOAT);
    assert_true(vx_meta_float(meta, 0) == (double)0.1f);
    meta = vx_source_meta_find(source, "number.bool");
    assert_int_equal(meta->kind, VX_META_BOOL);
    assert_int_equal(vx_meta_int(meta, 0), 1);

    static const char *const tokens[] = {"<pad>", "▁the", "", "ü"};
    meta = vx_source_meta_find(source, "tokenizer.ggml.tokens");
    assert_true(meta->array);
    assert_int_equal(meta->count, 4);
    for (int64_t i = 0; i < 4; i++) {
        text = vx_meta_text(meta, i, &bytes);
        assert_int_equal(bytes, strlen(tokens[i]));
        assert_memory_equal(text, tokens[i], bytes);
    }
    meta = vx_source_meta_find(source, "tokenizer.ggml.scores");
    assert_true(vx_meta_float(meta, 2) == -2.25);
    meta = vx_source_meta_find(source, "tokenizer.ggml.token_type");
    assert_int_equal(vx_meta_int(meta, 0), 3);
    assert_true(vx_source_meta_count(source) >= 8);
    vx_source_close(&source);
}

/* Quantising as gguf does gives gguf's bytes. */
static void encodes_what_gguf_encodes(void **state)
{
    (void)state;
    vx_source *source = open_good(DATA "encoded.safetensors");
    const vx_source_tensor *wave = vx_source_find(source, "wave");
    float *values = read_all(source, wave);
    static const vx_dtype dtype[] = {VX_Q8_0, VX_Q4_0};
    for (int i = 0; i < 2; i++) {
        const vx_source_tensor *want = vx_source_find(source, vx_dtype_name(dtype[i]));
        assert_int_equal(want->bytes, vx_row_bytes(dtype[i], wave->elements));
        unsigned char *bytes = malloc(want->bytes);
        vx_encode(dtype[i], values, wave->elements, bytes);
        assert_memory_equal(bytes, want->data, want->bytes);
        free(bytes);
    }
    free(values);
    vx_source_close(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_other_tools_write), cmocka_unit_test(reads_in_pieces),
        cmocka_unit_test(lists_and_describes),          cmocka_unit_test(reads_gguf_keys),
        cmocka_unit_test(encodes_what_gguf_encodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
