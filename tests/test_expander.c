/* The prompt expander on a grammar of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "text/expander.h"

static const char grammar[] =
    "{'known':['a','the'],'breaks':[',','and','with','in'],'tags':['{colour} {hair}','{hat}',"
    "'{coat_colour} {coat}'],'slots':["
    "{'name':'hair','beside':['hair','bun'],'values':[{'name':'short','words':['short'],'say':"
    "'short hair','weight':1},{'name':'long','words':['long','very long'],'say':'long hair',"
    "'weight':1},{'name':'bun','words':['bun'],'say':'bun','weight':1,'unless':{'hat':['cap','hood'"
    "]}},"
    "{'name':'bald','words':['bald']}]},"
    "{'name':'colour','beside':['hair','bun'],'values':[{'name':'red','words':['red'],'say':'red',"
    "'weight':1,'unless':{'hair':['bald']}},{'name':'blue','words':['blue'],'say':'blue','weight':1"
    ",'unless':{'hair':['bald']}}]},"
    "{'name':'face','values':[{'name':'sad','words':['sad','gloomy'],'mood':'sad'},{'name':'calm',"
    "'words':['calm']}]},"
    "{'name':'hat','some':['hat','headwear'],'values':[{'name':'none','words':['no hat'],"
    "'weight':1},{'name':'cap','words':['cap','baseball cap'],'say':'cap'},"
    "{'name':'hood','words':['hood'],'say':'hood','weight':1e-6}]},"
    "{'name':'coat','values':[{'name':'lab','words':['lab coat','scientist'],'say':'lab coat'},"
    "{'name':'suit','words':['suit'],'say':'suit','weight':1}]},"
    "{'name':'coat_colour','beside':['coat','suit'],'values':[{'name':'red','words':['red'],'say':"
    "'red','weight':1},{'name':'blue','words':['blue'],'say':'blue','weight':1}]}]}";

/* Quotes are single above for reading's sake. */
static vx_expander *open_grammar(const char *text)
{
    char json[4096];
    vx_error err = {0};
    vx_expander *e;
    size_t n = strlen(text);
    assert_true(n < sizeof json);
    for (size_t i = 0; i < n; i++)
        json[i] = text[i] == '\'' ? '"' : text[i];
    if (vx_expander_parse(&e, "test", json, n, &err) != VX_OK) {
        assert_null(e);
        assert_string_equal(err.code, "bad_grammar");
    }
    return e;
}

static void names_are_read(void **state)
{
    (void)state;
    vx_expansion x;
    vx_expander *e = open_grammar(grammar);
    assert_true(
        vx_expander_run(e, "A scientist with very long RED hair, blue lab coat and no hat", 3, &x));
    assert_int_equal(x.named, 5);
    assert_int_equal(x.drawn, 0);
    assert_int_equal(x.unknown, 0);
    assert_string_equal(x.text, "A scientist with very long RED hair, blue lab coat and no hat");
    /* A colour belongs to the thing in its own stretch. */
    assert_true(vx_expander_run(e, "red suit, long hair", 3, &x));
    assert_int_equal(x.named, 3);
    assert_true(strstr(x.text, "red long hair") != NULL ||
                strstr(x.text, "blue long hair") != NULL);
    assert_null(strstr(x.text + strlen("red suit"), "suit"));
    vx_expander_close(&e);
    assert_null(e);
}

static void words_are_replaced_by_known_ones(void **state)
{
    (void)state;
    vx_expansion x;
    char with_same[3000];
    snprintf(with_same, sizeof with_same,
             "{'same':{'surgeon':'scientist','tuxedo':'suit','ponytail':'long hair'},%s",
             grammar + 1);
    vx_expander *e = open_grammar(with_same);
    assert_true(vx_expander_run(e, "A Surgeon, a red ponytail", 3, &x));
    assert_int_equal(x.named, 3);
    assert_int_equal(x.unknown, 0);
    assert_int_equal(x.replaced, 2);
    assert_string_equal(x.replaced_words, "surgeon=scientist, ponytail=long hair");
    assert_memory_equal(x.text, "A scientist, a red long hair", 28);
    /* Parts of words are none, and a word that comes twice is listed once. */
    assert_true(vx_expander_run(e, "tuxedos, a tuxedo-like tuxedo and Tuxedo", 3, &x));
    assert_string_equal(x.replaced_words, "tuxedo=suit");
    assert_int_equal(x.replaced, 2);
    assert_memory_equal(x.text, "tuxedos, a tuxedo-like suit and suit", 36);
    assert_true(vx_expander_run(e, "a scientist", 3, &x));
    assert_int_equal(x.replaced, 0);
    assert_string_equal(x.replaced_words, "");
    /* What grows too long is taken as it is. */
    static char longest[VX_EXPANDER_PROMPT_MAX];
    for (int i = 0; i + 9 < VX_EXPANDER_PROMPT_MAX; i += 8)
        memcpy(longest + i, "surgeon ", 9);
    assert_false(vx_expander_run(e, longest, 3, &x));
    vx_expander_close(&e);
    assert_null(open_grammar("{'same':['a'],'known':[],'breaks':[],'tags':[],'slots':[]}"));
    assert_null(open_grammar("{'same':{'a':''},'known':[],'breaks':[],'tags':[],'slots':[]}"));
}

static void seeds_choose(void **state)
{
    (void)state;
    enum { SEEDS = 64 };
    vx_expansion x, y;
    vx_expander *e = open_grammar(grammar);
    int red = 0, bun = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_true(vx_expander_run(e, "the suit. ", seed, &x));
        assert_memory_equal(x.text, "the suit, ", strlen("the suit, "));
        assert_true(vx_expander_run(e, "the suit. ", seed, &y));
        assert_string_equal(x.text, y.text);
        red += strstr(x.text, ", red ") != NULL;
        bun += strstr(x.text, "bun") != NULL;
        assert_null(strstr(x.text, "cap"));
        /* What more is named changes no other draw. */
        assert_true(vx_expander_run(e, "the suit, no hat", seed, &y));
        assert_string_equal(x.text + strlen("the suit"), y.text + strlen("the suit, no hat"));
        /* What a value forbids is never drawn. */
        assert_true(vx_expander_run(e, "baseball cap, suit", seed, &x));
        assert_null(strstr(x.text, "bun"));
        assert_true(vx_expander_run(e, "bald hair, suit", seed, &x));
        assert_null(strstr(x.text + strlen("bald hair, suit"), "hair"));
    }
    assert_in_range(red, SEEDS / 4, SEEDS);
    assert_in_range(bun, SEEDS / 8, SEEDS / 2);
    vx_expander_close(&e);
}

/* "A hat" leaves open which, but there is one, be it ever so rare, and hair that goes with none gives way. */
static void some_is_not_none(void **state)
{
    (void)state;
    vx_expansion x;
    vx_expander *e = open_grammar(grammar);
    for (uint64_t seed = 0; seed < 64; seed++) {
        assert_true(vx_expander_run(e, "a suit and a hat", seed, &x));
        assert_int_equal(x.named, 1);
        assert_int_equal(x.unknown, 0);
        assert_non_null(strstr(x.text, ", hood"));
        assert_true(vx_expander_run(e, "a suit and no hat", seed, &x));
        assert_int_equal(x.named, 2);
        assert_null(strstr(x.text, "hood"));
        assert_true(vx_expander_run(e, "a suit, a hat, a baseball cap", seed, &x));
        assert_null(strstr(x.text, "hood"));
        assert_true(vx_expander_run(e, "a suit", seed, &x));
        assert_null(strstr(x.text, "hood"));
    }
    vx_expander_close(&e);
}

static void moods_are_implied(void **state)
{
    (void)state;
    vx_expansion x;
    vx_expander *e = open_grammar(grammar);
    assert_true(vx_expander_run(e, "a gloomy scientist", 1, &x));
    assert_string_equal(x.mood, "sad");
    assert_true(vx_expander_run(e, "a calm scientist", 1, &x));
    assert_null(x.mood);
    assert_true(vx_expander_run(e, "a scientist", 1, &x));
    assert_null(x.mood);
    vx_expander_close(&e);
}

static void strange_prompts(void **state)
{
    (void)state;
    static char huge[VX_EXPANDER_PROMPT_MAX + 1];
    vx_expansion x;
    vx_expander *e = open_grammar(grammar);
    assert_true(vx_expander_run(e, "a dragon & the Schlo\xc3\x9f", 1, &x));
    assert_int_equal(x.named, 0);
    assert_int_equal(x.unknown, 2);
    assert_string_equal(x.unknown_words, "dragon, schlo\xc3\x9f");
    /* Things whose kind or colour is not named have no effect. */
    assert_true(vx_expander_run(e, "a coat and red hair", 1, &x));
    assert_string_equal(x.unknown_words, "coat");
    memset(huge, ',', sizeof huge - 1);
    assert_false(vx_expander_run(e, huge, 1, &x));
    for (size_t i = 0; i + 2 < sizeof huge; i += 2)
        memcpy(huge + i, "x ", 2);
    huge[VX_EXPANDER_PROMPT_MAX - 1] = '\0';
    vx_heap_counts before = vx_heap_read();
    assert_true(vx_expander_run(e, huge, 1, &x));
    assert_true(strlen(x.text) < sizeof x.text);
    assert_true(x.unknown > 1000);
    assert_true(vx_expander_run(e, "", 1, &x));
    assert_true(x.text[0] != ',' && x.text[0] != '\0');
    assert_true(vx_heap_read().calls == before.calls);
    vx_expander_close(&e);
}

static void broken_grammars(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{'known':[],'breaks':[],'tags':[],'slots':{}}",
        "{'known':[1],'breaks':[],'tags':[],'slots':[]}",
        "{'known':[],'breaks':[],'tags':['{x}'],'slots':[]}",
        "{'known':[],'breaks':[],'tags':['{'],'slots':[]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a'}]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','some':'b','values':[{'name':'c'}]}"
        "]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{}]}]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{'name':'b','weight':-1}]"
        "}]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{'name':'b','mood':1}]}]"
        "}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{'name':'b','unless':{'c'"
        ":['d']}}]}]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{'name':'b','words':["
        "'a  b']}]}]}",
        "{'known':[],'breaks':[],'tags':[],'slots':[{'name':'a','values':[{'name':'b','unless':{'a'"
        ":['d']}}]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(open_grammar(bad[i]));
    int64_t live = vx_heap_read().live_bytes;
    vx_expander *e = open_grammar(grammar);
    vx_expander_close(&e);
    assert_true(vx_heap_read().live_bytes == live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),    cmocka_unit_test(words_are_replaced_by_known_ones),
        cmocka_unit_test(seeds_choose),      cmocka_unit_test(some_is_not_none),
        cmocka_unit_test(moods_are_implied), cmocka_unit_test(strange_prompts),
        cmocka_unit_test(broken_grammars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
