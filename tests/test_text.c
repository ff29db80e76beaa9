/* The parts of the English front end: Unicode helpers, clean text, lexicon files, numbers, espeak-ng,
 * chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "text/chunks.h"
#include "text/clean.h"
#include "text/espeak.h"
#include "text/lexicon.h"
#include "text/numbers.h"
#include "text/phonemes.h"
#include "text/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void utf8_refuses_what_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length, bad;
    } texts[] = {
        {"a\x80", 2, 1},
        {"\xC0\x80", 2, 0},
        {"ab\xE2\x82", 4, 2},
        {"\xED\xA0\x80", 3, 0},
        {"\xF4\x90\x80\x80", 4, 0},
        {"\xE0\x9F\xBF", 3, 0},
        {"\xF0\x80\x80\x80", 4, 0},
        {"x\xFF", 2, 1},
        {"\xC3\x28", 2, 0},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t bad = 99;
        assert_false(vx_utf8_valid(texts[i].text, texts[i].length, &bad));
        assert_int_equal(bad, texts[i].bad);
    }
    assert_true(vx_utf8_valid("a\0é€😀", 11, NULL));
}

static void utf8_round_trips_every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        if (cp == 0xD800) cp = 0xE000;
        char bytes[VX_UTF8_MAX];
        uint32_t back = 0, before = 0;
        size_t n = vx_utf8_encode(cp, bytes);
        assert_int_equal(vx_utf8_decode(bytes, n, &back), n);
        assert_int_equal(vx_utf8_decode(bytes, n - 1, &before), 0);
        assert_int_equal(vx_utf8_before(bytes, n, &before), n);
        assert_int_equal(back, cp);
        assert_int_equal(before, cp);
    }
}

static void expect_normal(const char *text, bool compat, const char *normal)
{
    char memory[128];
    vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
    vx_utf8_normalize(text, strlen(text), compat, &out);
    assert_string_equal(out.data, normal);
}

static void normal_forms_compose(void **state)
{
    (void)state;
    expect_normal("e\u0301x", false, "éx");
    expect_normal("q\u0307\u0323", false, "q\u0323\u0307"); /* canonical order */
    expect_normal("ﬁ①", false, "ﬁ①");
    expect_normal("ﬁ①Ａ", true, "fi1A");
    expect_normal("\u212B", false, "Å");
}

static void digits_of_all_scripts_have_values(void **state)
{
    (void)state;
    assert_int_equal(vx_cp_digit('7'), 7);
    assert_int_equal(vx_cp_digit(0x663), 3);   /* Arabic */
    assert_int_equal(vx_cp_digit(0x96F), 9);   /* Devanagari */
    assert_int_equal(vx_cp_digit(0x1D7D9), 1); /* mathematical, second run */
    assert_int_equal(vx_cp_digit('x'), -1);
    assert_int_equal(vx_cp_digit(0xBD), -1);
}

static void buffers_never_grow(void **state)
{
    (void)state;
    char memory[6];
    vx_strbuf buf = vx_strbuf_over(memory, sizeof memory);
    vx_strbuf_put(&buf, "abc");
    vx_strbuf_insert(&buf, 1, "xy", 2);
    assert_string_equal(buf.data, "axybc");
    assert_false(buf.full);
    vx_strbuf_put(&buf, "d");
    assert_string_equal(buf.data, "axybc");
    assert_true(buf.full);
}

static void expect_clean(vx_clean *clean, const char *text, size_t length, const char *expected)
{
    vx_error err = {0};
    if (vx_clean_text(clean, text, length, &err) != VX_OK) fail_msg("%s", err.message);
    assert_string_equal(clean->text, expected);
}

static void clean_text_keeps_its_origin(void **state)
{
    (void)state;
    vx_clean clean;
    assert_int_equal(vx_clean_open(&clean, NULL), VX_OK);
    expect_clean(&clean, "a\r\n b\t\tc", 8, "a b c");
    assert_int_equal(clean.from[2], 4);
    expect_clean(&clean, "a\n\nb\n- c", 8, "a\nb\n- c");
    expect_clean(&clean, "a\r\nb", 4, "a b");
    expect_clean(&clean, "soft\u00ADhyphen \uFEFFx", 17, "softhyphen x");
    const char *accent = "e\u0301t";
    expect_clean(&clean, accent, strlen(accent), "ét");
    assert_int_equal(clean.from[0], 0);
    assert_int_equal(clean.until[1], 3);
    assert_int_equal(clean.from[2], 3);
    const char *wide = "Ｆ１ ٣ “x” ﬁ ’";
    expect_clean(&clean, wide, strlen(wide), "F1 3 “x” fi ’");
    assert_int_equal(clean.dropped, 0);
    const char *emoji = "hi 👍🏽 x";
    expect_clean(&clean, emoji, strlen(emoji), "hi  x");
    assert_int_equal(clean.dropped, 1);
    assert_int_equal(clean.dropped_cp[0], 0x1F44D);
    assert_int_equal(clean.dropped_where, 3);
    expect_clean(&clean,
                 "a\x02"
                 "b\x01",
                 4, "a b ");
    assert_int_equal(clean.dropped, 2);
    vx_clean_close(&clean);
}

static void pasted_text_loses_its_markup(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } lines[] = {
        {"&quot;Hi&quot; &#39;x&#39; &amp; &#x41;&nbsp;&eacute;", "\"Hi\" 'x' & A é"},
        {"it&amp;#39;s &amp;quot;x&amp;quot;", "it's \"x\""}, /* encoded twice */
        {"&nothing; &; AT&T &#0; &#xD800; &#99999999999;",
         "&nothing; &; AT&T &#0; &#xD800; &#99999999999;"},
        {"<p>One <b>two</b>.</p><br/>Three", "One two.\nThree"},
        {"a<b and 5 < 6 <3 <name> x>y", "a<b and 5 < 6 <3 <name> x>y"},
        {"x<script>var a = '<b>';</script>y<!-- no -->z", "xyz"},
        {"<a href=\"x>y\">link</a> <custom-tag a='1'>t</custom-tag>", "link t"},
        {"one<break time=\"1s\"/>two<break time=\"100ms\"/>three", "one … two, three"},
        {"<b", "<b"},
        {"10⁶ 10⁻³ 2² x¹", "10^6 10^-3 2² x1"},
        {"√2 © ₽5 Qurʾān", "√2 © ₽5 Qurān"},
    };
    vx_clean clean;
    assert_int_equal(vx_clean_open(&clean, NULL), VX_OK);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        expect_clean(&clean, lines[i].text, strlen(lines[i].text), lines[i].expected);
    const char *text = "a &amp; b";
    expect_clean(&clean, text, strlen(text), "a & b");
    assert_int_equal(clean.from[2], 2);
    assert_int_equal(clean.until[2], 7);
    vx_clean_close(&clean);
}

static void other_scripts_are_named(void **state)
{
    (void)state;
    static const char *const foreign[][2] = {{"Привет, как дела?", "Cyrillic"},
                                             {"Καλημέρα κόσμε", "Greek"},
                                             {"مرحبا بالعالم", "Arabic"},
                                             {"שלום עולם", "Hebrew"},
                                             {"नमस्ते दुनिया", "Devanagari"},
                                             {"你好世界", "Han"},
                                             {"こんにちは", "Kana"},
                                             {"안녕하세요", "Hangul"},
                                             {"สวัสดี", "Thai"},
                                             {"<p>Привет</p>", "Cyrillic"},
                                             {"OK, Привет", "Cyrillic"}};
    static const char *const english[] = {"α", "π r²", "The word Привет is Russian", "café"};
    vx_clean clean;
    vx_error err = {0};
    assert_int_equal(vx_clean_open(&clean, NULL), VX_OK);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        const char *text = foreign[i][0];
        assert_int_equal(vx_clean_text(&clean, text, strlen(text), &err), VX_ERR_INPUT);
        assert_string_equal(err.code, "text_unspeakable");
        assert_non_null(strstr(err.message, foreign[i][1]));
    }
    for (size_t i = 0; i < sizeof english / sizeof english[0]; i++)
        assert_int_equal(vx_clean_text(&clean, english[i], strlen(english[i]), &err), VX_OK);
    vx_clean_close(&clean);
}

static void clean_text_refuses_what_cannot_be_spoken(void **state)
{
    (void)state;
    vx_clean clean;
    vx_error err = {0};
    assert_int_equal(vx_clean_open(&clean, NULL), VX_OK);
    assert_int_equal(vx_clean_text(&clean, "ab\xFFz", 4, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_utf8");
    assert_non_null(strstr(err.message, "offset 2"));
    static const char *const utf16[] = {"H\0i\0", "\xFF\xFEH\0", "\xFE\xFF\0H", "a\0b "};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(vx_clean_text(&clean, utf16[i], 4, &err), VX_ERR_INPUT);
        assert_string_equal(err.code, "bad_utf8");
        assert_non_null(strstr(err.message, "UTF-16"));
    }
    assert_int_equal(vx_clean_text(&clean, "", 0, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "no_text");
    assert_int_equal(vx_clean_text(&clean, " \n\t ", 4, &err), VX_ERR_INPUT);
    assert_int_equal(vx_clean_text(&clean, "😀你", 7, &err), VX_ERR_INPUT);
    char *longest = vx_heap_alloc(100000);
    memset(longest, 'a', 100000);
    assert_int_equal(vx_clean_text(&clean, longest, VX_TEXT_BYTES_MAX, &err), VX_OK);
    assert_int_equal(vx_clean_text(&clean, longest, VX_TEXT_BYTES_MAX + 1, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "text_too_long");
    assert_int_equal(vx_clean_text(&clean, longest, 100000, &err), VX_ERR_INPUT);
    /* U+FDFA is 3 bytes and folds to 33. */
    for (int i = 0; i + 3 <= VX_TEXT_BYTES_MAX; i += 3)
        memcpy(longest + i, "\uFDFA", 3);
    assert_int_equal(vx_clean_text(&clean, longest, VX_TEXT_BYTES_MAX / 3 * 3, &err), VX_ERR_INPUT);
    vx_heap_free(longest);
    vx_clean_close(&clean);
}

static vx_status open_text(vx_lexicon **lexicon, const char *json, vx_error *err)
{
    char path[] = "/tmp/vx-lexicon-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, json, strlen(json)), strlen(json));
    close(fd);
    vx_status status = vx_lexicon_open(lexicon, path, err);
    unlink(path);
    return status;
}

static void lexicon_finds_words_and_twins(void **state)
{
    (void)state;
    vx_lexicon *lexicon;
    vx_error err = {0};
    const char *json =
        "{\"cat\": \"kæt\", \"London\": \"lʌn\", \"Polish\": \"pO\", \"polish\": \"pɑ\","
        "\"use\": {\"DEFAULT\": \"juz\", \"NOUN\": \"jus\", \"X\": null},"
        "\"q\\u00e9\": \"k\\ud83d\\ude00\\\"\", \"B\": \"bi\", \"cat\": \"kˈæt\"}";
    if (open_text(&lexicon, json, &err) != VX_OK) fail_msg("%s", err.message);
    assert_int_equal(vx_lexicon_count(lexicon), 7);
    assert_string_equal(vx_lexicon_find(lexicon, "cat", 3), "kˈæt"); /* the last one counts */
    assert_string_equal(vx_lexicon_find(lexicon, "Cat", 3), "kˈæt");
    assert_string_equal(vx_lexicon_find(lexicon, "london", 6), "lʌn");
    assert_string_equal(vx_lexicon_find(lexicon, "Polish", 6), "pO");
    assert_string_equal(vx_lexicon_find(lexicon, "polish", 6), "pɑ");
    assert_string_equal(vx_lexicon_find(lexicon, "qé", 3), "k😀\"");
    assert_null(vx_lexicon_find(lexicon, "CAT", 3));
    assert_null(vx_lexicon_find(lexicon, "ca", 2));
    assert_null(vx_lexicon_find(lexicon, "cat\0", 4));
    assert_null(vx_lexicon_find(lexicon, "b", 1)); /* single letters have no twin */
    assert_null(vx_lexicon_find(lexicon, "", 0));
    const char *value = vx_lexicon_find(lexicon, "use", 3), *phonemes = "";
    assert_true(vx_lexeme_tagged(value));
    assert_true(vx_lexeme_tag(value, "NOUN", &phonemes));
    assert_string_equal(phonemes, "jus");
    assert_true(vx_lexeme_tag(value, "X", &phonemes));
    assert_null(phonemes);
    assert_false(vx_lexeme_tag(value, "VERB", &phonemes));
    vx_lexicon_close(&lexicon);
    assert_null(lexicon);
    vx_lexicon_close(&lexicon);
}

static void lexicon_refuses_bad_files(void **state)
{
    (void)state;
    static const char *const files[] = {
        "",
        "[]",
        "{}",
        "{",
        "{\"a\"}",
        "{\"a\": }",
        "{\"a\": 1}",
        "{\"a\": null}",
        "{\"a\": \"b\"",
        "{\"a\": \"b\",}",
        "{\"a\": \"b\"} x",
        "{\"a\": \"b",
        "{\"a\": \"\"}",
        "{\"\": \"b\"}",
        "{\"a\": {}}",
        "{\"a\": {\"NOUN\": \"x\"}}",
        "{\"a\": {\"DEFAULT\": \"x\"}",
        "{\"a\": {\"DEFAULT\": {}}}",
        "{\"a\": \"\\x\"}",
        "{\"a\": \"\\u12\"}",
        "{\"a\": \"\\u0000\"}",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": \"\\ud800\\u0041\"}",
        "{\"a\": \"b\nc\"}",
        "{\"a\": \"\xC3\"}",
        "{\"a\": \"b\"}{",
        "\xEF\xBB\xBF{\"a\": \"b\"}",
    };
    int64_t live = vx_heap_read().live_bytes;
    for (size_t i = 0; i < COUNT(files); i++) {
        vx_lexicon *lexicon;
        vx_error err = {0};
        if (open_text(&lexicon, files[i], &err) != VX_ERR_INPUT) fail_msg("taken: %s", files[i]);
        assert_null(lexicon);
        assert_string_equal(err.code, "bad_lexicon");
    }
    char large[600] = "{\"a\": \"";
    memset(large + 7, 'x', 300);
    strcpy(large + 307, "\"}");
    vx_lexicon *lexicon;
    vx_error err = {0};
    assert_int_equal(open_text(&lexicon, large, &err), VX_ERR_INPUT);
    assert_int_equal(open_text(&lexicon, "{\"a\": \"b\",\n\n\"c\": 3}", &err), VX_ERR_INPUT);
    assert_int_equal(err.line, 3);
    assert_int_equal(vx_lexicon_open(&lexicon, "/nowhere/x.json", &err), VX_ERR_MISSING);
    assert_int_equal(vx_lexicon_open(&lexicon, "/tmp", &err), VX_ERR_INPUT);
    assert_int_equal(vx_heap_read().live_bytes, live);
}

static void numbers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *token, *us, *gb;
        bool head;
        vx_ending ending;
    } tokens[] = {
        {"0", "zero", NULL, true, VX_ENDING_NONE},
        {"13", "thirteen", NULL, true, VX_ENDING_NONE},
        {"20", "twenty", NULL, true, VX_ENDING_NONE},
        {"101", "one hundred one", "one hundred and one", true, VX_ENDING_NONE},
        {"1,001", "one thousand one", "one thousand and one", true, VX_ENDING_NONE},
        {"1000000", "one million", NULL, true, VX_ENDING_NONE},
        {"1984", "nineteen eighty four", NULL, true, VX_ENDING_NONE},
        {"1905", "nineteen oh five", NULL, true, VX_ENDING_NONE},
        {"1900", "nineteen hundred", NULL, true, VX_ENDING_NONE},
        {"2000", "two thousand", NULL, true, VX_ENDING_NONE},
        {"2005", "two thousand five", "two thousand and five", true, VX_ENDING_NONE},
        {"1066s", "ten sixty six", NULL, true, VX_ENDING_S},
        {"007", "zero zero seven", NULL, true, VX_ENDING_NONE},
        {"-5", "minus five", NULL, true, VX_ENDING_NONE},
        {"3.140", "three point one four zero", NULL, true, VX_ENDING_NONE},
        {".5", "point five", NULL, true, VX_ENDING_NONE},
        {"1.2.10", "one point two point ten", NULL, true, VX_ENDING_NONE},
        {"1st", "first", NULL, true, VX_ENDING_NONE},
        {"12th", "twelfth", NULL, true, VX_ENDING_NONE},
        {"40th", "fortieth", NULL, true, VX_ENDING_NONE},
        {"1,000th", "one thousandth", NULL, true, VX_ENDING_NONE},
        {"747", "seven forty seven", NULL, false, VX_ENDING_NONE},
        {"101", "one O one", NULL, false, VX_ENDING_NONE},
        {"12345", "one two three four five", NULL, false, VX_ENDING_NONE},
    };
    for (size_t i = 0; i < COUNT(tokens); i++)
        for (int british = 0; british < 2; british++) {
            char memory[256];
            vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
            vx_ending ending;
            const char *expected = british && tokens[i].gb != NULL ? tokens[i].gb : tokens[i].us;
            if (tokens[i].head || !british) {
                assert_true(vx_number_token(tokens[i].token, strlen(tokens[i].token),
                                            tokens[i].head, british, &out, &ending));
                assert_string_equal(out.data, expected);
                assert_int_equal(ending, tokens[i].ending);
            }
        }
    char memory[64];
    vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
    vx_ending ending;
    assert_false(vx_number_token("x2", 2, true, false, &out, &ending));
    assert_false(vx_number_token("-5", 2, false, false, &out, &ending));
    assert_false(vx_number_token("th", 2, true, false, &out, &ending));
    assert_false(vx_number_token(".", 1, true, false, &out, &ending));
    assert_int_equal(out.length, 0);
}

static void money_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *sign, *amount, *words;
    } sums[] = {
        {"$", "1", "one dollar"},
        {"$", "2.01", "two dollars and one cent"},
        {"$", "0.50", "fifty cents"},
        {"$", "0", "zero dollars"},
        {"$", "3.00", "three dollars"},
        {"$", "3.5", "three point five dollars"},
        {"$", "1,234.56", "one thousand two hundred thirty four dollars and fifty six cents"},
        {"£", "0.01", "one penny"},
        {"£", "2.20", "two pounds and twenty pence"},
        {"¥", "500", "five hundred yen"},
    };
    for (size_t i = 0; i < COUNT(sums); i++) {
        char memory[256];
        vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
        const vx_currency *unit = vx_currency_at(sums[i].sign, strlen(sums[i].sign));
        assert_non_null(unit);
        assert_true(vx_number_money(sums[i].amount, strlen(sums[i].amount), unit, false, &out));
        assert_string_equal(out.data, sums[i].words);
    }
    char memory[16];
    vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
    /* Buffers without a NUL, longer than any number that is held: read by their length. */
    char zeros[300];
    memset(zeros, '0', sizeof zeros);
    vx_ending none;
    assert_true(vx_number_token(zeros, sizeof zeros, true, false, &out, &none) || out.full);
    assert_false(vx_number_money(zeros, sizeof zeros, NULL, false, &out));
    vx_strbuf_cut(&out, 0);
    assert_true(vx_number_money(zeros, 64, vx_currency_at("$", 1), false, &out));
    assert_string_equal(out.data, "zero dollars");
    assert_false(vx_number_money("", 0, NULL, false, &out));
    assert_false(vx_number_money("1.2.3", 5, NULL, false, &out));
    assert_false(vx_number_money(".", 1, NULL, false, &out));
    assert_null(vx_currency_at("x", 1));
}

/* The vocabulary of Kokoro-82M v1.0's config.json: 114 symbols. */
static void alphabet_is_kokoros(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++)
        known += (cp < 0xD800 || cp > 0xDFFF) && vx_phoneme_known(cp);
    assert_int_equal(known, 114);
    for (const char *c = "gXEN0-'"; *c != '\0'; c++)
        assert_false(vx_phoneme_known((uint32_t)*c));
}

static void stress_moves(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        int stress;
        const char *after;
    } cases[] = {
        {"həlˈO", -4, "həlO"},
        {"ˌæbsˈɛnt", -2, "æbsˌɛnt"},
        {"həlˈO", -1, "həlˌO"},
        {"həlO", -1, "həlO"},
        {"stɹænd", 1, "stɹˌænd"},
        {"stɹænd", 0, "stɹˌænd"},
        {"stɹænd", 4, "stɹˈænd"},
        {"stɹˌænd", 4, "stɹˈænd"},
        {"stɹˌænd", 1, "stɹˌænd"},
        {"həlˈO", 4, "həlˈO"},
        {"ʃ", 4, "ʃ"},
        {"həlˈO", VX_STRESS_NONE, "həlˈO"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char memory[64];
        vx_strbuf buf = vx_strbuf_over(memory, sizeof memory);
        vx_strbuf_put(&buf, "ˈx");
        size_t from = buf.length;
        vx_strbuf_put(&buf, cases[i].before);
        vx_phonemes_stress(&buf, from, cases[i].stress);
        assert_string_equal(buf.data + from, cases[i].after);
        assert_memory_equal(buf.data, "ˈx", from);
    }
}

/* Raw espeak-ng 1.51 and what misaki makes of it. */
static void espeak_ipa_becomes_misaki(void **state)
{
    (void)state;
    static const struct {
        const char *ipa, *phonemes;
        bool british;
    } words[] = {
        {"mˈɜːt^ʃəntʃˌɪp", "mˈɜɹʧəntʃˌɪp", false},
        {"bˈʌʔn\u0329", "bˈʌtn", false},
        {"bˈɑːɾə^l", "bˈɑTᵊl", false},
        {"fˈa^ɪ^ɚ", "fˈIəɹ", false},
        {"ɡˈo^ʊɪŋ", "ɡˈOɪŋ", false},
        {"nˈɜːs", "nˈɜɹs", false},
        {"lˈɑːx", "lˈɑk", false},
        {"kjˈuːbɚnˌiːts", "kjˈubəɹnˌits", false},
        {"bˈə^ʊt", "bˈQt", true},
        {"ðˈe^ə", "ðˈAə", true},
        {"hˈi^ə", "hˈiə", true},
        {"bˈɒtə^l", "bˈɒtᵊl", true},
        {"m\u0329x", "ᵊmk", false},
        {" \u0329", " ", false},
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        char memory[64];
        vx_strbuf buf = vx_strbuf_over(memory, sizeof memory);
        vx_strbuf_put(&buf, words[i].ipa);
        vx_espeak_translate(&buf, words[i].british);
        assert_string_equal(buf.data, words[i].phonemes);
    }
}

static void espeak_speaks_when_there(void **state)
{
    (void)state;
    vx_error err = {0};
    if (vx_espeak_load(&err) != VX_OK) {
        assert_int_equal(err.status, VX_ERR_MISSING);
        print_message("not run: %s\n", err.message);
        skip();
    }
    char memory[256];
    vx_strbuf out = vx_strbuf_over(memory, sizeof memory);
    assert_true(vx_espeak_word("merchantship", 12, false, &out));
    assert_string_equal(out.data, "mˈɜɹʧəntʃˌɪp");
    vx_strbuf_cut(&out, 0);
    assert_true(vx_espeak_word("boat", 4, true, &out));
    assert_string_equal(out.data, "bˈQt");
    vx_strbuf_cut(&out, 0);
    assert_false(vx_espeak_word("", 0, false, &out));
    assert_false(vx_espeak_word(memory, 256, false, &out));
    vx_espeak_word("\xE2\x80\x8B", 3, false, &out);
    assert_true(vx_utf8_valid(out.data, out.length, NULL));
    assert_int_equal(vx_espeak_load(&err), VX_OK);
}

static size_t cut(const char *text, size_t soft, size_t first, vx_chunk *chunks)
{
    vx_chunk_params params = {soft, first};
    size_t count = 0;
    vx_error err = {0};
    if (vx_chunks_cut(text, strlen(text), &params, chunks, 100, &count, &err) != VX_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(chunks[i].count, 1, VX_CHUNK_SYMBOLS_MAX);
        assert_int_equal(vx_utf8_count(text, chunks[i].start), chunks[i].first_symbol);
        assert_int_equal(vx_utf8_count(text + chunks[i].start, chunks[i].length), chunks[i].count);
    }
    return count;
}

static void chunks_end_where_speech_pauses(void **state)
{
    (void)state;
    vx_chunk chunks[100];
    assert_int_equal(cut("", 0, 0, chunks), 0);
    assert_int_equal(cut("   ", 0, 0, chunks), 0);
    assert_int_equal(cut(" wˈʌn. ", 0, 0, chunks), 1);
    assert_int_equal(chunks[0].first_symbol, 1);
    assert_int_equal(chunks[0].count, 5);
    const char *text =
        "aaaaaaaaaaaaaaa bbbbbbbb. ccccc ccccc, ddddd ddddd ddddd; eeeee eeeee eeeee. "
        "ffff ffffff ffffffff ffffff.";
    assert_int_equal(cut(text, 60, 0, chunks), 3);
    assert_memory_equal(text + chunks[0].start + chunks[0].length - 2, "b.", 2);
    assert_memory_equal(text + chunks[1].start, "ccccc", 5);
    assert_memory_equal(text + chunks[1].start + chunks[1].length - 2, "e.", 2);
    /* A short first chunk, then the rest in one. */
    assert_int_equal(cut(text, 400, 40, chunks), 2);
    assert_int_equal(chunks[0].count, 25);
    /* Without a sentence end: the last clause, else the last comma, else the last word. */
    cut("ccccc ccccc, ddddd ddddd ddddd; eeeee eeeee eeeee eeeee eeeee eeeee eeeee", 40, 0, chunks);
    assert_int_equal(chunks[0].count, 31);
    cut("ccccc ccccc ccccc ccccc, ddddd ddddd ddddd ddddd ddddd ddddd", 40, 0, chunks);
    assert_int_equal(chunks[0].count, 24);
    cut("ccccc ccccc ccccc ccccc ccccc ddddd ddddd ddddd ddddd ddddd ddddd", 40, 0, chunks);
    assert_int_equal(chunks[0].count, 35);
    /* A few symbols are no chunk of their own behind another. */
    assert_int_equal(cut("aaaaaaaaaa aaaaaaaaaa. bbbbbbbbbb bbbbbbbbbbb. cc.", 24, 0, chunks), 2);
}

static void chunks_have_a_hard_limit(void **state)
{
    (void)state;
    static char text[5000];
    vx_chunk chunks[100];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "ˈ", 2);
    size_t count = cut(text, 0, 0, chunks), sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += chunks[i].length;
    assert_int_equal(sum, strlen(text));
    assert_int_equal(chunks[0].count, VX_CHUNK_SYMBOLS_MAX);
    vx_error err = {0};
    assert_int_equal(vx_chunks_cut(text, strlen(text), NULL, chunks, 2, &count, &err),
                     VX_ERR_INPUT);
    /* The limit that the contract gives: 510 is one chunk whatever the usual length. */
    text[2 * 510] = '\0';
    assert_int_equal(cut(text, 0, 0, chunks), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_refuses_what_is_malformed),
        cmocka_unit_test(utf8_round_trips_every_code_point),
        cmocka_unit_test(normal_forms_compose),
        cmocka_unit_test(digits_of_all_scripts_have_values),
        cmocka_unit_test(buffers_never_grow),
        cmocka_unit_test(clean_text_keeps_its_origin),
        cmocka_unit_test(pasted_text_loses_its_markup),
        cmocka_unit_test(other_scripts_are_named),
        cmocka_unit_test(clean_text_refuses_what_cannot_be_spoken),
        cmocka_unit_test(lexicon_finds_words_and_twins),
        cmocka_unit_test(lexicon_refuses_bad_files),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(money_is_read),
        cmocka_unit_test(alphabet_is_kokoros),
        cmocka_unit_test(stress_moves),
        cmocka_unit_test(espeak_ipa_becomes_misaki),
        cmocka_unit_test(espeak_speaks_when_there),
        cmocka_unit_test(chunks_end_where_speech_pauses),
        cmocka_unit_test(chunks_have_a_hard_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
