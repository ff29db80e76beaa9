/* T5's tokenizer: the ids of sentencepiece and Hugging Face, and hostile models refused. */
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
#include "base/random.h"
#include "text/unigram.h"

#define DATA VX_TEST_DATA "/tokenizer/"

enum { LONG = 4096 };

static bool equals(const int32_t *ids, int count, const json_t *expected)
{
    bool same = (size_t)count == json_array_size(expected);
    for (int i = 0; i < count && same; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, (size_t)i));
    return same;
}

static void show(const json_t *row, const int32_t *ids, int count)
{
    char *shown = json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII), got[400] = "";
    for (int i = 0; i < count && strlen(got) < 380; i++)
        sprintf(got + strlen(got), " %d", ids[i]);
    print_error("expected %.700s\n     got%s\n", shown, got);
    free(shown);
}

/* Compares all rows [text, [ids]]; a third entry holds Hugging Face's ids, and *agreed counts the
 * rows that equal it. */
static int check_rows(const char *path, const char *file, int *agreed)
{
    vx_unigram *model;
    vx_error err = {0};
    if (vx_unigram_open(&model, path, &err) != VX_OK) fail_msg("%s", err.message);
    json_error_t error;
    json_t *rows = json_load_file(file, JSON_ALLOW_NUL, &error), *row;
    assert_non_null(rows);
    size_t i;
    int different = 0;
    *agreed = 0;
    vx_heap_counts before = vx_heap_read();
    json_array_foreach(rows, i, row)
    {
        const json_t *text = json_array_get(row, 0);
        static int32_t ids[LONG];
        vx_unigram_ids out = {.ids = ids, .length = LONG};
        assert_int_equal(
            vx_unigram_encode(model, json_string_value(text), json_string_length(text), &out, &err),
            VX_OK);
        assert_int_equal(out.dropped, 0);
        *agreed += equals(ids, out.count, json_array_get(row, 2));
        if (equals(ids, out.count, json_array_get(row, 1))) continue;
        show(row, ids, out.count);
        different++;
    }
    assert_int_equal(vx_heap_read().calls, before.calls);
    int count = (int)json_array_size(rows);
    json_decref(rows);
    vx_unigram_close(&model);
    assert_null(model);
    assert_int_equal(different, 0);
    return count;
}

static void ids_are_the_libraries(void **state)
{
    (void)state;
    int agreed;
    int count = check_rows(DATA "t5.model", DATA "t5_ids.json", &agreed);
    print_message("%d texts as sentencepiece, %d of them as Hugging Face\n", count, agreed);
    assert_true(count >= 1000);
    assert_true(agreed * 100 >= count * 90);
    assert_true(check_rows(DATA "t5_small.model", DATA "t5_small_ids.json", &agreed) >= 150);
    assert_true(
        check_rows(DATA "t5_small.tokenizer.json", DATA "t5_small_json_ids.json", &agreed) >= 100);
}

static void long_prompts_are_cut(void **state)
{
    (void)state;
    vx_unigram *model;
    assert_int_equal(vx_unigram_open(&model, DATA "t5.model", NULL), VX_OK);
    static int32_t whole[LONG];
    int32_t part[257];
    char text[2000] = "";
    while (strlen(text) < 1900)
        strcat(text, "an old fisherman ");
    vx_unigram_ids all = {.ids = whole, .length = LONG};
    assert_int_equal(vx_unigram_encode(model, text, strlen(text), &all, NULL), VX_OK);
    assert_true(all.count > 300);
    for (int length = 1; length <= 256; length += 51) {
        part[length] = -7;
        vx_unigram_ids cut = {.ids = part, .length = length};
        assert_int_equal(vx_unigram_encode(model, text, strlen(text), &cut, NULL), VX_OK);
        assert_int_equal(cut.count, length);
        assert_int_equal(cut.dropped, all.count - length);
        assert_memory_equal(part, whole, (size_t)(length - 1) * sizeof part[0]);
        assert_int_equal(part[length - 1], vx_unigram_end_id(model));
        assert_int_equal(part[length], -7);
    }
    vx_unigram_ids padded = {.ids = part, .length = 256};
    assert_int_equal(vx_unigram_encode(model, " \t ", 3, &padded, NULL), VX_OK);
    assert_int_equal(padded.count, 1);
    assert_int_equal(part[0], 1);
    for (int i = 1; i < 256; i++)
        assert_int_equal(part[i], 0);
    vx_unigram_close(&model);
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    vx_unigram *model;
    assert_int_equal(vx_unigram_open(&model, DATA "t5.model", NULL), VX_OK);
    static int32_t ids[LONG];
    vx_unigram_ids out = {.ids = ids, .length = LONG};
    vx_error err = {0};
    assert_int_equal(vx_unigram_encode(model, "ab\xFF", 3, &out, &err), VX_ERR_INPUT);
    char *text = vx_heap_alloc(VX_UNIGRAM_TEXT_BYTES_MAX + 1);
    memset(text, 'a', VX_UNIGRAM_TEXT_BYTES_MAX + 1);
    assert_int_equal(vx_unigram_encode(model, text, VX_UNIGRAM_TEXT_BYTES_MAX + 1, &out, &err),
                     VX_ERR_INPUT);
    assert_int_equal(vx_unigram_encode(model, text, VX_UNIGRAM_TEXT_BYTES_MAX, &out, &err), VX_OK);
    /* The character that grows most: 3 bytes become 39. */
    for (size_t i = 0; i + 3 <= VX_UNIGRAM_TEXT_BYTES_MAX; i += 3)
        memcpy(text + i, "\xEF\xB7\xBA", 3);
    assert_int_equal(vx_unigram_encode(model, text, 16383, &out, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "prompt_too_long");
    vx_heap_free(text);
    vx_unigram_close(&model);
}

static void broken_models_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "not a model",
        "{",
        "{}",
        "{\"model\":{\"type\":\"BPE\"}}",
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[]}}",
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}",
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":9,\"vocab\":[[\"a\",0],[\"</s>\",0]]}}",
        "{\"normalizer\":{\"precompiled_charsmap\":\"AAA\"},\"model\":{\"type\":\"Unigram\"}}",
        "{\"normalizer\":{\"precompiled_charsmap\":\"!\"},\"model\":{\"type\":\"Unigram\"}}",
    };
    vx_unigram *model;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vx_error err = {0};
        assert_int_equal(vx_unigram_parse(&model, "v", bad[i], strlen(bad[i]), &err), VX_ERR_INPUT);
        assert_null(model);
        assert_string_equal(err.code, "bad_tokenizer");
    }
    assert_int_equal(vx_unigram_open(&model, DATA "none.model", NULL), VX_ERR_MISSING);
    char *data;
    size_t bytes;
    assert_int_equal(vx_file_read(DATA "t5_small.model", 1 << 24, &data, &bytes, NULL), VX_OK);
    for (uint64_t round = 0; round < 300; round++) {
        uint32_t r[4];
        vx_philox(round, VX_STREAM_TEST, 0, r);
        /* Cut at a third of the rounds, bytes turned at all. */
        size_t length = round % 3 == 0 ? r[0] % bytes : bytes;
        char *copy = malloc(length + 1);
        memcpy(copy, data, length);
        if (length > 0) copy[r[1] % length] ^= (char)(1 + r[2] % 255);
        vx_status status = vx_unigram_parse(&model, "broken", copy, length, NULL);
        free(copy);
        assert_true(status == VX_OK || status == VX_ERR_INPUT);
        int32_t ids[64];
        vx_unigram_ids out = {.ids = ids, .length = 64};
        if (status == VX_OK) {
            assert_int_equal(vx_unigram_encode(model, "a fox\tAB \xC3\x9F!!", 13, &out, NULL),
                             VX_OK);
            for (int i = 0; i < 64; i++)
                assert_in_range(ids[i], 0, vx_unigram_size(model) - 1);
        }
        vx_unigram_close(&model);
    }
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
        cmocka_unit_test(ids_are_the_libraries),
        cmocka_unit_test(long_prompts_are_cut),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(broken_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_empty);
}
