/* The English front end: Unicode helpers, lexicon, numbers, words, chunks, whole texts.
 *
 * The rules are tested with a lexicon of our own in tests/data/g2p. Where the published lexicon is
 * installed ($XDG_DATA_HOME/vortex/lexicon or ~/.local/share/vortex/lexicon) golden lines are
 * checked too; their phonemes are misaki 0.9.4's but where a comment says why ours differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "text/clean.h"
#include "text/g2p.h"
#include "text/lexicon.h"
#include "text/utf8.h"

#define FIXTURE VX_TEST_DATA "/g2p"

static vx_g2p *open_fixture(vx_accent accent)
{
    vx_error err = {0};
    vx_g2p *g2p;
    vx_g2p_params params = {.accent = accent, .lexicon_dir = FIXTURE, .no_espeak = true};
    if (vx_g2p_open(&g2p, &params, &err) != VX_OK) fail_msg("%s", err.message);
    return g2p;
}

static void expect_spoken(vx_g2p *g2p, const char *text, const char *phonemes)
{
    vx_g2p_result r;
    vx_error err = {0};
    if (vx_g2p_text(g2p, text, strlen(text), &r, &err) != VX_OK)
        fail_msg("%s: %s", text, err.message);
    if (strcmp(r.phonemes, phonemes) != 0)
        fail_msg("%s\n  is  %s\n  not %s", text, r.phonemes, phonemes);
}

typedef struct golden {
    const char *text, *phonemes;
} golden;

static void expect_all(vx_g2p *g2p, const golden *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_spoken(g2p, lines[i].text, lines[i].phonemes);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Word order of the cases: rules of words, then of readings, then of what users write. */
static void rules_hold_with_a_small_lexicon(void **state)
{
    (void)state;
    static const golden lines[] = {
        {"Hello, world!", "həlˈO, wˈɜɹld!"},
        {"The cat. The apple.", "ðə kˈæt. ði ˈæpᵊl."},
        {"to eat, to go, to", "tʊ ˈit, tə ɡˌO, tˈu"},
        {"a cat, an apple", "ɐ kˈæt, ɐn ˈæpᵊl"},
        {"We used to walk. It used apple.", "wˌi jˈust tə wˈɔk. ˌɪt jˈuzd ˈæpᵊl."},
        {"walks waits kisses cities cats", "wˈɔks wˈAts kˈɪsᵻz sˈɪTiz kˈæts"},
        {"walked waited needed kissed", "wˈɔkt wˈATᵻd nˈidᵻd kˈɪst"},
        {"walking waiting making stopping", "wˈɔkɪŋ wˈATɪŋ mˈAkɪŋ stˈɑpɪŋ"},
        {"cat's dogs' London's", "kˈæts dˈɔɡz lˈʌndənz"},
        {"Zephyr ambit button", "zˈɛfəɹ ˈæmbət bˈʌtᵊn"},
        {"HELLO world. He reads of NASA.", "həlˈO wˈɜɹld. hˌi ɹˈidz ʌv nˈæsə."},
        {"well-known", "wˌɛlnˈOn"},
        {"We will. We will walk. Have we? We have it.",
         "wˌi wˈɪl. wˌi wɪl wˈɔk. hˌæv wi? wˌi hæv ɪt."},
        {"to record a record; to house a house; the use of it",
         "tə ɹəkˈɔɹd ɐ ɹˈɛkəɹd; tə hˈWz ɐ hˈWs; ðə jˈus ʌv ɪt"},
        {"he read it; to read it; we have read", "hi ɹˈɛd ɪt; tə ɹˈid ɪt; wi hæv ɹˈɛd"},
        {"I am. I am it.", "ˌI ˌæm. ˌI ɐm ɪt."},
        {"the US", "ðə jˌuˈɛs"},
        {"café CAFÉ cafe", "kæfˈA kæfˈA kæfˈA"},
        {"don't don’t", "dˈOnt dˈOnt"},
        {"xyz qi", "ˌɛkswˌIzˈi kjˌuˈI"},
        {"B2B A4 NASA-cat", "bˈi tˈu bˈi ˈA fˈɔɹ nˈæsəkˌæt"},
        {"U.S.A. is in J. R. London.", "jˌuˌɛsˈA ɪz ɪn ʤˈA ˈɑɹ lˈʌndən."},
        {"Dr. House vs. Mr. Cat", "dˈɑktəɹ hˈWs vˈɜɹsəs mˈɪstəɹ kˈæt"},
        {"21 121 2000 2004 1,021 3.14 21st 20th",
         "twˈɛnti wˈʌn wˈʌn hˈʌndɹəd twˈɛnti wˈʌn tˈu θˈWzᵊnd tˈu θˈWzᵊnd fˈɔɹ wˈʌn θˈWzᵊnd "
         "twˈɛnti wˈʌn θɹˈi pYnt wˈʌn fˈɔɹ twˈɛnti fˈɜɹst twˈɛntiəθ"},
        {"$1 $2.50 50% $5 million", "wˈʌn dˈɑləɹ tˈu dˈɑləɹz ænd fˈɪfti sˈɛnts fˈɪfti pəɹsˈɛnt "
                                    "fˈIv mˈɪljᵊn dˈɑləɹz"},
        {"11/23/2004 2004-11-23 Nov. 23, 2004",
         "nOvˈɛmbəɹ twˈɛnti θˈɜɹd tˈu θˈWzᵊnd fˈɔɹ nOvˈɛmbəɹ twˈɛnti θˈɜɹd tˈu θˈWzᵊnd fˈɔɹ "
         "nOvˈɛmbəɹ twˈɛnti θˈɜɹd, tˈu θˈWzᵊnd fˈɔɹ"},
        {"3:04 3:40 p.m. 3:40pm", "θɹˈi ˈO fˈɔɹ θɹˈi fˈɔɹTi pˌiˈɛm. θɹˈi fˈɔɹTi pˌiˈɛm"},
        {"10-20 555-1234", "tˈɛn tə twˈɛnti fˈIv fˈIv fˈIv, wˈʌn tˈu θɹˈi fˈɔɹ"},
        {"[cat](/kˈat/) [cat](-2) [cat](1) [hello](-1) [a b](/ˈab/), [cat](x)",
         "kˈat kæt kˈæt həlˌO ˈab, kˈæt"},
        {"[cat [cat]( [cat]", "(kˈæt (kˈæt)( (kˈæt)"},
        {"\"Hello,\" 'cat' (cat) — cat... cat - cat",
         "“həlˈO,” “kˈæt” (kˈæt) — kˈæt... kˈæt — kˈæt"},
        {"¿cat? ¡cat! *cat* cat,cat", "kˈæt? kˈæt! kˈæt kˈæt,kˈæt"},
        {"cat\n\ndog\n- cat\n- dog\nwe", "kˈæt. dˈɔɡ. kˈæt. dˈɔɡ wi"},
        {"  cat \t dog  ", "kˈæt dˈɔɡ"},
        {"c\u00ADat 👍 dog ｃａｔ", "kˈæt dˈɔɡ kˈæt"},
    };
    vx_g2p *g2p = open_fixture(VX_ACCENT_US);
    expect_all(g2p, lines, COUNT(lines));
    vx_g2p_close(&g2p);
    assert_null(g2p);
    vx_g2p_close(&g2p);
}

static void british_rules_hold_with_a_small_lexicon(void **state)
{
    (void)state;
    static const golden lines[] = {
        {"walks waited", "wˈɔːks wˈAtɪd"},
        {"the car. 101 O Z", "ðə kˈɑː. wˈʌn hˈʌndɹəd and wˈʌn ˈQ zˈɛd"},
        {"23/11/2024", "ðə twˈɛnti θˈɜːd ɒv nQvˈɛmbə twˈɛnti twˈɛnti fˈɔː"},
    };
    vx_g2p *g2p = open_fixture(VX_ACCENT_GB);
    expect_all(g2p, lines, COUNT(lines));
    vx_g2p_close(&g2p);
}

/* The folder of the published lexicon, or NULL. */
static const char *published(void)
{
    static char path[4096];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data != NULL && data[0] != '\0')
        snprintf(path, sizeof path - 32, "%s/vortex/lexicon", data);
    else
        snprintf(path, sizeof path - 32, "%s/.local/share/vortex/lexicon", home ? home : "");
    size_t length = strlen(path);
    strcpy(path + length, "/us_gold.json");
    bool there = access(path, R_OK) == 0;
    path[length] = '\0';
    return there ? path : NULL;
}

static vx_g2p *open_published(vx_accent accent)
{
    vx_g2p *g2p;
    vx_error err = {0};
    vx_g2p_params params = {.accent = accent, .lexicon_dir = published(), .no_espeak = true};
    if (params.lexicon_dir == NULL) {
        print_message("not run: no lexicon in $XDG_DATA_HOME/vortex/lexicon; it is in the package "
                      "misaki 0.9.4\n");
        skip();
    }
    if (vx_g2p_open(&g2p, &params, &err) != VX_OK) fail_msg("%s", err.message);
    return g2p;
}

static void published_american_lines(void **state)
{
    (void)state;
    static const golden lines[] = {
        /* As misaki 0.9.4 says them. */
        {"Dr. Smith's 2 cats read $3.50 books.",
         "dˈɑktəɹ smˈɪθs tˈu kˈæts ɹˈɛd θɹˈi dˈɑləɹz ænd fˈɪfti sˈɛnts bˈʊks."},
        {"The lighthouse keeper counted the waves and wrote nothing down.",
         "ðə lˈIthˌWs kˈipəɹ kˈWntᵻd ðə wˈAvz ænd ɹˈOt nˈʌθɪŋ dˌWn."},
        {"\"Are you coming?\" she asked. \"Not yet,\" he said.",
         "“ˌɑɹ ju kˈʌmɪŋ?” ʃi ˈæskt. “nˌɑt jˈɛt,” hi sˈɛd."},
        {"I live in a small town, and the show is live.",
         "ˌI lˈɪv ɪn ɐ smˈɔl tˈWn, ænd ðə ʃˈO ɪz lˈIv."},
        {"She read the book and wants to read it again.",
         "ʃˌi ɹˈɛd ðə bˈʊk ænd wˈɑnts tə ɹˈid ɪt əɡˈɛn."},
        {"He had to use it, but it was of no use.", "hˌi hæd tə jˈuz ɪt, bˌʌt ɪt wʌz ʌv nˈO jˈus."},
        {"NASA and the FBI use different software from the BBC.",
         "nˈæsə ænd ði ˌɛfbˌiˈI jˈuz dˈɪfəɹənt sˈɔftwˌɛɹ fɹʌm ðə bˌibˌisˈi."},
        {"State-of-the-art hardware isn't always user-friendly.",
         "stˈAtʌvðiˈɑɹt hˈɑɹdwˌɛɹ ˈɪzᵊnt ˈɔlwˌAz jˌuzəɹfɹˈɛndli."},
        {"The '90s, the dogs' bowls.", "ðə nˈIndiz, ðə dˈɔɡz bˈOlz."},
        /* Read out where misaki has letters, drops the sign, or leaves it to espeak-ng. */
        {"Prof. Jones left at 10 a.m. for the U.S.",
         "pɹəfˈɛsəɹ ʤˈOnz lˈɛft æt tˈɛn ˌAˈɛm fɔɹ ðə jˌuˈɛs."},
        {"Henry VIII and World War II", "hˈɛnɹi ði ˈAθ ænd wˈɜɹld wˈɔɹ tˈu"},
        {"The temperature fell to -5°C, i.e. 23°F, over 10 km.",
         "ðə tˈɛmpɹəʧəɹ fˈɛl tə mˈInəs fˈIv dəɡɹˈiz sˈɛlsiəs, ˌIˈi twˈɛnti θɹˈi dəɡɹˈiz "
         "fˈɛɹənhˌIt, ˈOvəɹ tˈɛn kəlˈɑməTəɹz."},
        {"On 2024-11-23, 3/4 of the 1,500 guests paid €20 each.",
         "ˌɔn nOvˈɛmbəɹ twˈɛnti θˈɜɹd twˈɛnti twˈɛnti fˈɔɹ, θɹˈi kwˈɔɹTəɹz ʌv ðə wˈʌn θˈWzᵊnd "
         "fˈIv hˈʌndɹəd ɡˈɛsts pˈAd twˈɛnti jˈʊɹOz ˈiʧ."},
        {"It's 15:00, 3:05 p.m. or 7pm; call 1-800-555-0199.",
         "ˌɪts fˌɪftˈin hˈʌndɹəd, θɹˈi ˈO fˈIv pˌiˈɛm ɔɹ sˈɛvən pˌiˈɛm; kˈɔl wˈʌn, ˈAt zˈɪɹO "
         "zˈɪɹO, "
         "fˈIv fˈIv fˈIv, zˈɪɹO wˈʌn nˈIn nˈIn."},
        {"He lives on Main St. near St. Mary's. The end.",
         "hˌi lˈɪvz ˌɔn mˈAn stɹˈit nˌɪɹ sˈAnt mˈɛɹiz. ði ˈɛnd."},
        {"It IS true. The US economy and the IT department.",
         "ˌɪt ˈɪz tɹˈu. ðə jˌuˈɛs ikˈɑnəmi ænd ði ˌItˈi dəpˈɑɹtmənt."},
        {"Vitamin A is good. A \"guard\" waits.", "vˈITəmən ˈA ɪz ɡˈʊd. ɐ “ɡˈɑɹd” wˈAts."},
        {"2½ cups, ½ off, 5×3 = 15, #5", "tˈu ænd ɐ hˈæf kˈʌps, wˈʌn hˈæf ˈɔf, fˈIv tˈImz θɹˈi "
                                         "ˈikwᵊlz fˌɪftˈin, nˈʌmbəɹ fˈIv"},
        {"$5M, -$5, US$20 and £1.01", "fˈIv mˈɪljᵊn dˈɑləɹz, mˈInəs fˈIv dˈɑləɹz, twˈɛnti jˈu ˈɛs "
                                      "dˈɑləɹz ænd wˈʌn pˈWnd ænd wˈʌn pˈɛni"},
        {"rock 'n' roll, 'twas said", "ɹˈɑk ən ɹˈOl, twˈʌz sˈɛd"},
        {"May 5, 23 November, the 5th of May, 1914–1918",
         "mˈA fˈɪfθ, ðə twˈɛnti θˈɜɹd ʌv nOvˈɛmbəɹ, ðə fˈɪfθ ʌv mˈA, nˌIntˈin fˌɔɹtˈin tə nˌIntˈin "
         "ˌAtˈin"},
    };
    vx_g2p *g2p = open_published(VX_ACCENT_US);
    expect_all(g2p, lines, COUNT(lines));
    vx_g2p_close(&g2p);
}

static void published_british_lines(void **state)
{
    (void)state;
    static const golden lines[] = {
        {"The lighthouse keeper counted the waves and wrote nothing down.",
         "ðə lˈIthWs kˈiːpə kˈWntɪd ðə wˈAvz and ɹˈQt nˈʌθɪŋ dˌWn."},
        {"She read the book and wants to read it again.",
         "ʃˌiː ɹˈɛd ðə bˈʊk and wˈɒnts tə ɹˈiːd ɪt əɡˈɛn."},
        {"State-of-the-art hardware isn't always user-friendly.",
         "stˈAtɒvðiˈɑːt hˈɑːdwɛː ˈɪzᵊnt ˈɔːlwAz jˌuːzəfɹˈɛndli."},
        {"On 3/4/2024 she bought 101 dogs for £2.20.",
         "ˌɒn ðə θˈɜːd ɒv ˈApɹɪl twˈɛnti twˈɛnti fˈɔː ʃiː bˈɔːt wˈʌn hˈʌndɹəd and wˈʌn dˈɒɡz fɔː "
         "tˈuː pˈWndz and twˈɛnti pˈɛns."},
    };
    vx_g2p *g2p = open_published(VX_ACCENT_GB);
    expect_all(g2p, lines, COUNT(lines));
    vx_g2p_close(&g2p);
}

static void words_own_their_symbols(void **state)
{
    (void)state;
    vx_g2p *g2p = open_fixture(VX_ACCENT_US);
    vx_g2p_result r;
    const char *text = "“Hello”,  cafe\u0301 $2.50! [NASA cat](/kˈæt/) U.S. 👍 (well-known).";
    assert_int_equal(vx_g2p_text(g2p, text, strlen(text), &r, NULL), VX_OK);
    assert_string_equal(r.phonemes, "“həlˈO”, kæfˈA tˈu dˈɑləɹz ænd fˈɪfti sˈɛnts! kˈæt jˌuˈɛs "
                                    "(wˌɛlnˈOn).");
    static const struct {
        const char *text, *phonemes;
    } words[] = {
        {"Hello", "həlˈO"},   {"cafe\u0301", "kæfˈA"}, {"$2.50", "tˈu dˈɑləɹz ænd fˈɪfti sˈɛnts"},
        {"NASA cat", "kˈæt"}, {"U.S.", "jˌuˈɛs"},      {"well-known", "wˌɛlnˈOn"}};
    assert_int_equal(r.word_count, COUNT(words));
    assert_int_equal(r.symbols, vx_utf8_count(r.phonemes, r.length));
    assert_int_equal(r.dropped, 1);
    size_t owned = 0;
    for (size_t i = 0; i < COUNT(words); i++) {
        const vx_g2p_word *w = &r.words[i];
        assert_int_equal(w->text_length, strlen(words[i].text));
        assert_memory_equal(text + w->text_start, words[i].text, w->text_length);
        size_t at = 0, symbol = 0, n;
        uint32_t cp;
        for (; symbol < w->symbol_start; symbol++, at += n)
            n = vx_utf8_decode(r.phonemes + at, r.length - at, &cp);
        assert_memory_equal(r.phonemes + at, words[i].phonemes, strlen(words[i].phonemes));
        assert_int_equal(w->symbols, vx_utf8_count(words[i].phonemes, strlen(words[i].phonemes)));
        owned += w->symbols;
    }
    /* What nobody owns: “ ” , ! ( ) . and the five spaces between. */
    assert_int_equal(r.symbols - owned, 7 + 5);
    vx_g2p_close(&g2p);
}

static void hostile_text_is_refused_or_spoken(void **state)
{
    (void)state;
    vx_g2p *g2p = open_fixture(VX_ACCENT_US);
    vx_g2p_result r;
    vx_error err = {0};
    static const char *const silent[] = {"", "   ", "...", "\"!?\"", "---", "[]()", "👍"};
    for (size_t i = 0; i < COUNT(silent); i++) {
        assert_int_equal(vx_g2p_text(g2p, silent[i], strlen(silent[i]), &r, &err), VX_ERR_INPUT);
        assert_string_equal(err.code, "no_text");
        assert_null(r.phonemes);
    }
    assert_int_equal(vx_g2p_text(g2p, "a\xC3(", 3, &r, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_utf8");
    char *text = vx_heap_alloc(100000);
    static const char *const repeated[] = {"a",
                                           "7",
                                           "W",
                                           "[",
                                           "[a](",
                                           "'a ",
                                           "a-",
                                           ".",
                                           "77 ",
                                           "$7 ",
                                           "777777777777777777777 ",
                                           "a'",
                                           "(",
                                           "7:7 ",
                                           "X.",
                                           "½ ",
                                           "[a](/x/)",
                                           "\"",
                                           "5m ",
                                           "a\n\n",
                                           "'",
                                           "é",
                                           "-",
                                           "A"};
    for (size_t i = 0; i < COUNT(repeated); i++) {
        size_t n = strlen(repeated[i]), length = 0;
        for (; length + n <= VX_TEXT_BYTES_MAX; length += n)
            memcpy(text + length, repeated[i], n);
        vx_status status = vx_g2p_text(g2p, text, length, &r, &err);
        assert_true(status == VX_OK || status == VX_ERR_INPUT);
        if (status == VX_OK) assert_true(vx_utf8_valid(r.phonemes, r.length, NULL));
    }
    memset(text, 'a', 100000);
    assert_int_equal(vx_g2p_text(g2p, text, 100000, &r, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "text_too_long");
    vx_heap_free(text);
    vx_g2p_close(&g2p);
}

static void given_phonemes_are_filtered(void **state)
{
    (void)state;
    vx_g2p *g2p = open_fixture(VX_ACCENT_US);
    expect_spoken(g2p, "[cat](/kXˈæᵊt g0/)", "kˈæᵊt");
    expect_spoken(g2p, "[cat](/bˈʌɾʔ/)", "bˈʌTt");
    vx_g2p_result r;
    assert_int_equal(vx_g2p_text(g2p, "[cat](/g/)", 10, &r, NULL), VX_ERR_INPUT);
    vx_g2p_close(&g2p);
}

static void speaking_allocates_nothing(void **state)
{
    (void)state;
    vx_g2p *g2p = open_fixture(VX_ACCENT_US);
    vx_heap_counts before = vx_heap_read();
    vx_g2p_result r;
    const char *text = "Hello, the cat's $5 xyz of 11/23/2004.";
    for (int i = 0; i < 10; i++)
        assert_int_equal(vx_g2p_text(g2p, text, strlen(text), &r, NULL), VX_OK);
    assert_int_equal(vx_heap_read().calls, before.calls);
    vx_g2p_close(&g2p);
}

static void missing_lexicon_is_said(void **state)
{
    (void)state;
    vx_g2p *g2p;
    vx_error err = {0};
    vx_g2p_params params = {.lexicon_dir = "/nowhere", .no_espeak = true};
    int64_t live = vx_heap_read().live_bytes;
    assert_int_equal(vx_g2p_open(&g2p, &params, &err), VX_ERR_MISSING);
    assert_null(g2p);
    assert_non_null(strstr(err.message, "/nowhere/us_gold.json"));
    assert_int_equal(vx_heap_read().live_bytes, live);
}

int main(void)
{
    vx_log_setup(VX_LOG_ERROR, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold_with_a_small_lexicon),
        cmocka_unit_test(british_rules_hold_with_a_small_lexicon),
        cmocka_unit_test(published_american_lines),
        cmocka_unit_test(published_british_lines),
        cmocka_unit_test(words_own_their_symbols),
        cmocka_unit_test(hostile_text_is_refused_or_spoken),
        cmocka_unit_test(given_phonemes_are_filtered),
        cmocka_unit_test(speaking_allocates_nothing),
        cmocka_unit_test(missing_lexicon_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
