/* CLIP's tokenizer: the ids of Hugging Face's, and hostile vocabularies refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/clip_bpe.h"

#define DATA      VX_TEST_DATA "/tokenizer/"
#define PUBLISHED VX_SOURCE_DIR "/data/clip/bpe_simple_vocab_16e6.txt.gz"

enum { LONG = 4096 };

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *rows = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (rows == NULL) fail_msg("%s: %s", path, error.text);
    return rows;
}

/* Compares one row [text, [ids]] without truncation; true when equal. */
static bool row_matches(vx_clip_bpe *bpe, const json_t *row)
{
    const json_t *text = json_array_get(row, 0), *expected = json_array_get(row, 1);
    static int32_t ids[LONG];
    vx_clip_ids out = {.ids = ids, .length = LONG, .pad = 0};
    vx_error err = {0};
    if (vx_clip_bpe_encode(bpe, json_string_value(text), json_string_length(text), &out, &err) !=
        VX_OK)
        fail_msg("%s", err.message);
    assert_int_equal(out.dropped, 0);
    bool same = (size_t)out.count == json_array_size(expected);
    for (int i = 0; i < out.count && same; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, (size_t)i));
    if (same) return true;
    char *shown = json_dumps(row, JSON_COMPACT), got[400] = "";
    for (int i = 0; i < out.count && strlen(got) < 380; i++)
        sprintf(got + strlen(got), " %d", ids[i]);
    print_error("expected %.700s\n     got%s\n", shown, got);
    free(shown);
    return false;
}

static int check_rows(const char *vocabulary, const char *file)
{
    vx_clip_bpe *bpe;
    vx_error err = {0};
    if (vx_clip_bpe_open(&bpe, vocabulary, &err) != VX_OK) fail_msg("%s", err.message);
    json_t *rows = load(file), *row;
    size_t i;
    int different = 0;
    vx_heap_counts before = vx_heap_read();
    json_array_foreach(rows, i, row) different += !row_matches(bpe, row);
    assert_int_equal(vx_heap_read().calls, before.calls);
    int count = (int)json_array_size(rows);
    json_decref(rows);
    vx_clip_bpe_close(&bpe);
    assert_null(bpe);
    assert_int_equal(different, 0);
    return count;
}

static void ids_are_hugging_faces(void **state)
{
    (void)state;
    assert_true(check_rows(PUBLISHED, DATA "clip_ids.json") >= 1000);
    assert_true(check_rows(DATA "clip_small.merges.txt", DATA "clip_small_ids.json") >= 150);
    assert_true(check_rows(DATA "clip_small.tokenizer.json", DATA "clip_small_json_ids.json") >=
                150);
}

static void long_prompts_are_cut(void **state)
{
    (void)state;
    vx_clip_bpe *bpe;
    assert_int_equal(vx_clip_bpe_open(&bpe, PUBLISHED, NULL), VX_OK);
    assert_int_equal(vx_clip_bpe_start_id(bpe), 49406);
    assert_int_equal(vx_clip_bpe_end_id(bpe), 49407);
    assert_int_equal(vx_clip_bpe_size(bpe), 49408);
    char text[1000] = "";
    int32_t ids[VX_CLIP_LENGTH + 1];
    for (int words = 0; words <= 100; words++) {
        ids[VX_CLIP_LENGTH] = -7;
        vx_clip_ids out = {
            .ids = ids, .length = VX_CLIP_LENGTH, .pad = words & 1 ? 0 : VX_CLIP_PAD_END};
        assert_int_equal(vx_clip_bpe_encode(bpe, text, strlen(text), &out, NULL), VX_OK);
        int kept = words < 75 ? words : 75;
        assert_int_equal(out.count, kept + 2);
        assert_int_equal(out.dropped, words - kept);
        assert_int_equal(ids[0], 49406);
        for (int i = 0; i < kept; i++)
            assert_int_equal(ids[1 + i], 2368); /* "cat</w>" */
        assert_int_equal(ids[kept + 1], 49407);
        for (int i = kept + 2; i < VX_CLIP_LENGTH; i++)
            assert_int_equal(ids[i], words & 1 ? 0 : 49407);
        assert_int_equal(ids[VX_CLIP_LENGTH], -7);
        strcat(text, "cat ");
    }
    vx_clip_bpe_close(&bpe);
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    vx_clip_bpe *bpe;
    assert_int_equal(vx_clip_bpe_open(&bpe, PUBLISHED, NULL), VX_OK);
    int32_t ids[77];
    vx_clip_ids out = {.ids = ids, .length = 77};
    vx_error err = {0};
    assert_int_equal(vx_clip_bpe_encode(bpe, "ab\xFFz", 4, &out, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "byte 2"));
    assert_int_equal(vx_clip_bpe_encode(bpe, "\xC3", 1, &out, &err), VX_ERR_INPUT);
    assert_int_equal(vx_clip_bpe_encode(bpe, "\xED\xA0\x80", 3, &out, &err), VX_ERR_INPUT);
    char *text = vx_heap_alloc(VX_CLIP_TEXT_BYTES_MAX + 1);
    memset(text, 'q', VX_CLIP_TEXT_BYTES_MAX + 1);
    assert_int_equal(vx_clip_bpe_encode(bpe, text, VX_CLIP_TEXT_BYTES_MAX + 1, &out, &err),
                     VX_ERR_INPUT);
    assert_int_equal(vx_clip_bpe_encode(bpe, text, VX_CLIP_TEXT_BYTES_MAX, &out, &err), VX_OK);
    /* What grows most when composed and lowered: musical signs, and the letter U+023A. */
    for (size_t i = 0; i + 4 <= VX_CLIP_TEXT_BYTES_MAX; i += 4)
        memcpy(text + i, "\xF0\x9D\x85\xA0", 4);
    assert_int_equal(vx_clip_bpe_encode(bpe, text, VX_CLIP_TEXT_BYTES_MAX, &out, &err), VX_OK);
    for (size_t i = 0; i + 2 <= VX_CLIP_TEXT_BYTES_MAX; i += 2)
        memcpy(text + i, "\xC8\xBA", 2);
    assert_int_equal(vx_clip_bpe_encode(bpe, text, VX_CLIP_TEXT_BYTES_MAX, &out, &err), VX_OK);
    vx_heap_free(text);
    vx_clip_bpe_close(&bpe);
}

static void broken_vocabularies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        int line;
    } bad[] = {
        {"", 0},
        {"#version: 0.2\n", 0},
        {"i n\nonly\n", 2},
        {"i n\na b c\n", 2},
        {"i n\n x\n", 2},
        {"#version: 0.2\ni n\nqqq zzz\n", 3},
        {"{", 1},
        {"{}", 0},
        {"[1,2]", 0},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", 0},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\"}}", 0},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":-1},"
         "\"merges\":[]}}",
         0},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":1},"
         "\"merges\":[\"a a\"]}}",
         0},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":1},"
         "\"merges\":[]}}",
         0},
        {"\x1F\x8B\x08 what is this", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vx_clip_bpe *bpe;
        vx_error err = {0};
        assert_int_equal(vx_clip_bpe_parse(&bpe, "v", bad[i].data, strlen(bad[i].data), &err),
                         VX_ERR_INPUT);
        assert_null(bpe);
        assert_string_equal(err.code, "bad_tokenizer");
        if (bad[i].line > 0) assert_int_equal(err.line, bad[i].line);
    }
    vx_clip_bpe *bpe;
    assert_int_equal(vx_clip_bpe_open(&bpe, DATA "none.json", NULL), VX_ERR_MISSING);
    /* Cut anywhere, the packed file is refused. */
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(PUBLISHED, 1 << 24, &data, &bytes, NULL), VX_OK);
    for (size_t cut = 2; cut < bytes; cut += bytes / 7)
        assert_int_equal(vx_clip_bpe_parse(&bpe, "cut", data, cut, NULL), VX_ERR_INPUT);
    vx_heap_free(data);
}

static int heap_is_empty(void **state)
{
    (void)state;
    return vx_heap_read().live_bytes != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_hugging_faces),
        cmocka_unit_test(long_prompts_are_cut),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(broken_vocabularies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_empty);
}
