/* Initialisms that could be words, with their endings and hyphens: "LEDs", "US-based", "AT&T".
 * Other words in capitals are the lexicon's (words.c). */
#include <string.h>

#include "text/expand.h"
#include "text/readers.h"
#include "text/scan.h"

/* Words in capitals that are always letters though the lexicon has a word. */
static const char letters[] = " LED EST EFT ID ";
/* Acronyms of two and three letters that are said as words. */
static const char acronyms[] =
    " PIN SIM GIF RAM ROM LAN WAN MAC CAD CAT PAC PET VIN DOT SAP TED VAT "
    "ZIP DOS PSI CAM ARM DIN LOL RAT ";
/* Words that capitals only stress, in a compound too: "NO-go". */
static const char plain[] =
    " A ALL AN AND ANY ARE AS AT BAD BE BIG BUT BY CAN DO EX FOR GET GO GOT "
    "HAS HE HOT HOW IF IN IS ITS LOW MAN MID MY NEW NO NON NOT NOW OF OFF "
    "OLD ON ONE OR OUR OUT PRE PRO RE RED SEE SET SHE SO TEN THE TO TOO TOP "
    "TWO UP USE WAS WE WHY YES YOU ALL END DAY LET PUT SAY SIX WAY WIN "
    "FAR FEW BOY CAR CUT EAT EYE FUN JOB KEY OIL OWN PAY RUN SEA SUN WAR ";
/* What "IT" and "WHO" stand before when they are a trade and an organisation. */
static const char trades[] =
    " admin admins administrator budget budgets consultant consulting department departments "
    "director equipment expert experts firm help helpdesk industry infrastructure job jobs manager "
    "managers outsourcing people policy professional professionals project projects sector "
    "security "
    "service services skills solutions specialist specialists staff strategy support system "
    "systems "
    "team teams technician training work worker workers official officials report guidelines ";

static const char *const names[][2] = {
    {"PhD", "P.H.D"},          {"PhDs", "P.H.D's"}, {"IPv4", "I.P V four"},
    {"IPv6", "I.P V six"},     {"WIFI", "wi fi"},   {"MSc", "M.S.C"},
    {"BSc", "B.S.C"},          {"JSON", "jason"},   {"WWI", "world war one"},
    {"WWII", "world war two"},
};

static bool in_capitals(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (word[i] < 'A' || word[i] > 'Z') return false;
    return length > 0;
}

/* Two or three capitals that are no word. */
static bool is_initialism(const char *word, size_t length)
{
    if (vx_in_list(letters, word, length)) return true;
    return length >= 2 && length <= 3 && in_capitals(word, length) &&
           !vx_in_list(acronyms, word, length) && !vx_in_list(plain, word, length);
}

static void put_letters(vx_expansion *x, const char *word, size_t length)
{
    vx_put_words(x, "");
    for (size_t i = 0; i < length; i++) {
        if (i > 0) vx_strbuf_put(&x->readings, ".");
        vx_strbuf_add(&x->readings, word + i, 1);
    }
}

/* Bytes of a plural's or an owner's ending, 0 for none. */
static size_t ending_of(const char *word, size_t length)
{
    static const char *const endings[] = {"'s", "’s", "s"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(endings[i]);
        if (length > n && vx_word_at(word, length, length - n, endings[i])) return n;
    }
    return 0;
}

/* "US-based", "EU-wide", "US-China": the letters, then the words. */
static bool put_compound(vx_expansion *x, const char *word, size_t length)
{
    bool found = false, other = false;
    size_t parts = 0;
    for (size_t at = 0; at < length; parts++) {
        const char *dash = memchr(word + at, '-', length - at);
        size_t n = dash != NULL ? (size_t)(dash - word) - at : length - at;
        if (n == 0 || vx_letters_at(word, length, at) != n) return false;
        if (is_initialism(word + at, n)) {
            put_letters(x, word + at, n);
            found = true;
        } else {
            bool small = n > 1 && !in_capitals(word + at + 1, n - 1);
            if (!small) return false;
            vx_put_words(x, "");
            vx_strbuf_add(&x->readings, word + at, n);
            other = true;
        }
        at += n + 1;
    }
    return found && parts > 1 && (other || parts == 2);
}

/* "AT&T", "R&D" */
static bool put_company(vx_expansion *x, const char *word, size_t length)
{
    size_t ending = ending_of(word, length);
    length -= ending;
    size_t first = vx_letters_at(word, length, 0), second = length - first - 1;
    if (first == 0 || first > 3 || first + 1 >= length || word[first] != '&' || second > 3)
        return false;
    if (!in_capitals(word, first) || !in_capitals(word + first + 1, second)) return false;
    put_letters(x, word, first);
    vx_put_words(x, "and");
    put_letters(x, word + first + 1, second);
    if (ending > 0) vx_strbuf_put(&x->readings, "'s");
    return true;
}

/* Whether the neighbours are in capitals too, so that these say nothing. */
static bool is_shouted(const vx_expansion *x, size_t i)
{
    size_t sides[2] = {vx_expand_previous(x, i), vx_expand_next(x, i)};
    for (int s = 0; s < 2; s++) {
        size_t length;
        const char *word = vx_expand_word(x, sides[s], &length);
        if (length > 1 && in_capitals(word, length) && !is_initialism(word, length)) return true;
    }
    return false;
}

static bool put_initialism(vx_expansion *x, size_t i, const char *word, size_t length)
{
    size_t ending = ending_of(word, length), next_length;
    if (memchr(word, '-', length) != NULL) return put_compound(x, word, length);
    if (put_company(x, word, length)) return true;
    if (ending > 0 && length - ending >= 2 && is_initialism(word, length - ending)) {
        put_letters(x, word, length - ending);
        vx_strbuf_put(&x->readings, "'s");
        return true;
    }
    const char *next = vx_expand_word(x, vx_expand_next(x, i), &next_length);
    bool trade = vx_text_is(word, length, "IT") && vx_in_list(trades, next, next_length);
    if (!trade && (!vx_in_list(letters, word, length) || is_shouted(x, i))) return false;
    put_letters(x, word, length);
    return true;
}

bool vx_expand_initialism(vx_expansion *x, size_t i)
{
    size_t length, begin = vx_expand_begin(x);
    const char *word = vx_expand_word(x, i, &length);
    if (length < 2 || length > 24 || x->tokens->token[i].is_url) return false;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (!vx_text_is(word, length, names[k][0])) continue;
        vx_expand_read(x, i, names[k][1]);
        return true;
    }
    /* "in th' house": the apostrophe stands behind the word. */
    const char *rest = word + length;
    bool elided = *rest == '\'' || strncmp(rest, "’", strlen("’")) == 0;
    if (vx_text_is_any_case(word, length, "th") && elided) {
        vx_expand_read(x, i, "the");
        return true;
    }
    if (put_initialism(x, i, word, length)) {
        vx_expand_end(x, i, begin);
        return true;
    }
    vx_strbuf_cut(&x->readings, begin);
    return false;
}
