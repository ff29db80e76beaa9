/* Warnings: gathered by thread, each once, bounded, and as JSON whatever bytes they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_text.h"
#include "base/log.h"
#include "base/warnings.h"

static vx_warnings list;

static int begin(void **state)
{
    (void)state;
    vx_log_setup(VX_LOG_ERROR, false);
    vx_warnings_init(&list);
    vx_warnings_scope(NULL);
    return 0;
}

static const char *text_at(const json_t *array, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(array, i), key));
}

static void only_the_threads_list_grows(void **state)
{
    (void)state;
    vx_warn("lost", NULL, "nobody listens");
    assert_int_equal(list.count, 0);
    assert_null(vx_warnings_scope(&list));
    vx_warn("silent", "a.wav", "%s is silent", "a.wav");
    assert_ptr_equal(vx_warnings_scope(NULL), &list);
    vx_warn("lost", NULL, "nobody listens again");
    json_t *array = vx_warnings_json(&list);
    assert_int_equal(json_array_size(array), 1);
    assert_string_equal(text_at(array, 0, "code"), "silent");
    assert_string_equal(text_at(array, 0, "message"), "a.wav is silent");
    assert_string_equal(text_at(array, 0, "where"), "a.wav");
    json_decref(array);
}

static void the_same_counts_once(void **state)
{
    (void)state;
    vx_warnings_scope(&list);
    for (int i = 0; i < 3; i++)
        vx_warn("cut", "script", "it was cut");
    vx_warn("cut", "prompt", "it was cut");
    vx_warn("cut", "prompt", "it was cut later");
    assert_int_equal(list.count, 3);
}

static void what_finds_no_room_is_counted(void **state)
{
    (void)state;
    vx_warnings_scope(&list);
    for (int i = 0; i < VX_WARNINGS_MAX + 5; i++)
        vx_warn("many", NULL, "number %d", i);
    json_t *array = vx_warnings_json(&list);
    assert_int_equal(json_array_size(array), VX_WARNINGS_MAX + 1);
    assert_string_equal(text_at(array, VX_WARNINGS_MAX, "code"), "more");
    assert_int_equal(text_at(array, VX_WARNINGS_MAX, "message")[0], '5');
    assert_true(json_is_null(json_object_get(json_array_get(array, 0), "where")));
    json_decref(array);
}

/* Bytes that are no UTF-8, a cut in the middle of a character too, are escaped and never dropped. */
static void any_bytes_become_text(void **state)
{
    (void)state;
    json_t *text = vx_json_text("caf\xC3\xA9 \xE9\xFF.png");
    assert_string_equal(json_string_value(text), "caf\xC3\xA9 \\xe9\\xff.png");
    json_decref(text);
    vx_warnings_scope(&list);
    char longest[600];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i + 1 < sizeof longest; i += 2)
        memcpy(longest + i, "\xC3\xA9", 2);
    longest[sizeof longest - 1] = '\0';
    vx_warn("long", NULL, "%s", longest);
    json_t *array = vx_warnings_json(&list);
    assert_non_null(text_at(array, 0, "message"));
    json_decref(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_the_threads_list_grows, begin),
        cmocka_unit_test_setup(the_same_counts_once, begin),
        cmocka_unit_test_setup(what_finds_no_room_is_counted, begin),
        cmocka_unit_test_setup(any_bytes_become_text, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
