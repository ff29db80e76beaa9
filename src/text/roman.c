/* Roman numerals: after names, numbered things and before "century". */
#include <string.h>

#include "text/expand.h"
#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"

/* The value of a numeral in its one right form, 0 for what is none. */
static int roman_value(const char *word, size_t length)
{
    static const struct {
        const char *text;
        int value, repeats;
    } parts[] = {{"M", 1000, 3}, {"CM", 900, 1}, {"D", 500, 1}, {"CD", 400, 1}, {"C", 100, 3},
                 {"XC", 90, 1},  {"L", 50, 1},   {"XL", 40, 1}, {"X", 10, 3},   {"IX", 9, 1},
                 {"V", 5, 1},    {"IV", 4, 1},   {"I", 1, 3}};
    int value = 0;
    size_t at = 0;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++)
        for (int k = 0; k < parts[p].repeats && vx_word_at(word, length, at, parts[p].text); k++) {
            value += parts[p].value;
            at += strlen(parts[p].text);
        }
    return at == length ? value : 0;
}

/* The same in small letters, as scenes and pages have them: "Scene iv". */
static int small_value(const char *word, size_t length)
{
    char large[8];
    if (length < 2 || length > sizeof large || !vx_only(word, length, "ivxl")) return 0;
    for (size_t i = 0; i < length; i++)
        large[i] = (char)(word[i] & ~32);
    return roman_value(large, length);
}

static const char rulers[] =
    " Alexander Alfonso Alphonse Benedict Boniface Catherine Charles Christian Clement Edward "
    "Elizabeth Ferdinand Francis Frederick George Gregory Gustav Harald Henry Innocent Isabella "
    "Ivan James John Julius Leo Leopold Louis Margaret Mary Mehmed Murad Maximilian Napoleon "
    "Nicholas Olaf Otto Paul Pedro Peter Philip Pius Ramesses Richard Robert Selim Sixtus Stephen "
    "Suleiman Thutmose Umberto Urban Victor Wilhelm William ";
static const char counted[] =
    " Act Acts Annex Apollo Appendix Article Articles Book Books Bowl Canto Category Chapter "
    "Chapters Class Column Council Division Episode Exhibit Factor Figure Final Form Grade Group "
    "Gemini Level Mark Olympiad Part Parts Phase Psalm Quarter Region Scene Section Sections "
    "Stage Step Symphony Table Tier Title Titles Type Unit Vatican Version Vol Volume Volumes "
    "War Wars Zone act chapter class grade part phase section stage type volume level ";

static void put_value(vx_expansion *x, int value, bool ordinal)
{
    char digits[5];
    size_t count = 0;
    for (int ten = 1000; ten > 0; ten /= 10)
        if (value >= ten || count > 0) digits[count++] = (char)('0' + value / ten % 10);
    vx_put_words(x, "");
    if (ordinal)
        vx_number_ordinal(digits, count, x->british, &x->readings);
    else if (count == 4)
        vx_number_year(digits, count, x->british, &x->readings);
    else
        vx_number_cardinal(digits, count, x->british, &x->readings);
}

/* The bytes of "mid-", "late-", "early-" before a century's number. */
static size_t century_prefix(const char *word, size_t length)
{
    static const char *const prefixes[] = {"mid-", "late-", "early-", "pre-", "post-"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (vx_word_at_any_case(word, length, 0, prefixes[i])) return strlen(prefixes[i]);
    return 0;
}

static bool expand_century(vx_expansion *x, size_t i, const char *word, size_t length)
{
    size_t prefix = century_prefix(word, length), next_length;
    const char *next = vx_expand_word(x, vx_expand_next(x, i), &next_length);
    int value = roman_value(word + prefix, length - prefix);
    if (value == 0 || value > 39 ||
        !vx_in_list(" century centuries dynasty Century Dynasty legion Legion Corps corps ", next,
                    next_length))
        return false;
    size_t begin = vx_expand_begin(x);
    if (prefix > 0) vx_strbuf_add(&x->readings, word, prefix - 1);
    put_value(x, value, true);
    vx_expand_end(x, i, begin);
    return true;
}

/* A name's own number: "Rocky IV". Numerals that are also initials (CD, MC, DI) are none here. */
static bool names_number(const char *before, size_t before_length, const char *word, size_t length)
{
    uint32_t cp;
    if (length < 2 || !vx_only(word, length, "IVXL") || vx_text_is(word, length, "XL") ||
        vx_text_is(word, length, "XX") || vx_text_is(word, length, "XXX"))
        return false;
    if (vx_utf8_decode(before, before_length, &cp) == 0 || !vx_cp_upper(cp)) return false;
    if (vx_starts_sentence(before, before_length)) return false;
    for (size_t i = 0; i < before_length; i++)
        if (before[i] >= 'a' && before[i] <= 'z') return true;
    return false;
}

/* "I-III" behind a numbered thing. */
static bool expand_range(vx_expansion *x, size_t i, const char *word, size_t length)
{
    size_t first = vx_letters_at(word, length, 0), dash = vx_dash_at(word, length, first, false);
    size_t second = first + dash;
    if (dash == 0) return false;
    int from = roman_value(word, first), to = roman_value(word + second, length - second);
    if (from == 0 || to <= from) return false;
    size_t begin = vx_expand_begin(x);
    put_value(x, from, false);
    vx_put_words(x, "to");
    put_value(x, to, false);
    vx_expand_end(x, i, begin);
    return true;
}

/* Kings and popes are counted by ordinals, wars and chapters by cardinals. */
bool vx_expand_roman(vx_expansion *x, size_t i)
{
    size_t length, before_length;
    const char *word = vx_expand_word(x, i, &length);
    if (length == 0 || length > 16) return false;
    if (expand_century(x, i, word, length)) return true;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &before_length);
    bool count = vx_in_list(counted, before, before_length);
    if (count && expand_range(x, i, word, length)) return true;
    bool owner = length > 3 && vx_word_at(word, length, length - 2, "'s");
    if (vx_word_at(word, length, length > 4 ? length - 4 : 0, "’s")) owner = true;
    size_t end = owner ? vx_letters_at(word, length, 0) : length;
    int value = roman_value(word, end);
    if (value == 0 && count) value = small_value(word, end);
    if (value == 0) return false;
    bool year = end >= 4 && value >= 1000 && value < 2100;
    bool ruler =
        vx_in_list(rulers, before, before_length) && value < 40 && !vx_text_is(word, end, "I");
    bool name = value < 100 && names_number(before, before_length, word, end);
    /* "I, II, and III": two strokes are nobody's initials. */
    bool strokes = end > 1 && value < 40 && vx_word_at(word, end, end - 2, "II");
    if (!year && !ruler && !name && !strokes && !(count && value < 200 && end > 0)) return false;
    /* "Part I am" would be odd; "Class C" and "Type D" are letters. */
    if (count && !name && !ruler && !year && end == 1 && strchr("CDLM", word[0]) != NULL)
        return false;
    size_t begin = vx_expand_begin(x);
    if (ruler) vx_put_words(x, "the");
    put_value(x, value, ruler);
    if (owner) vx_strbuf_put(&x->readings, "'s");
    vx_expand_end(x, i, begin);
    return true;
}
