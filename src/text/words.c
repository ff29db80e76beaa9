#include "text/words.h"

#include <assert.h>
#include <string.h>

#include "text/phonemes.h"
#include "text/scan.h"

/* A word and what is known of it while rules are tried. */
typedef struct query {
    const vx_words *words;
    vx_tag tag;
    int stress;
    const vx_word_context *context; /* NULL: unknown */
} query;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool has_lower(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (word[i] >= 'a' && word[i] <= 'z') return true;
    return false;
}

static bool has_upper(const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (word[i] >= 'A' && word[i] <= 'Z') return true;
    return false;
}

static bool all_letters(const char *word, size_t length, char also)
{
    for (size_t i = 0; i < length; i++)
        if (!is_letter(word[i]) && (also == '\0' || word[i] != also)) return false;
    return length > 0;
}

static bool is(const char *word, size_t length, const char *text)
{
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

static bool is_any_case(const char *word, size_t length, const char *text)
{
    return vx_text_is_any_case(word, length, text);
}

static bool ends(const char *word, size_t length, const char *ending)
{
    size_t n = strlen(ending);
    return length >= n && memcmp(word + length - n, ending, n) == 0;
}

static const char *find_gold(const query *q, const char *word, size_t length)
{
    return vx_lexicon_find(q->words->gold, word, length);
}

static const char *find_silver(const query *q, const char *word, size_t length)
{
    return q->words->silver != NULL ? vx_lexicon_find(q->words->silver, word, length) : NULL;
}

static const char *symbol_word(const char *word, size_t length)
{
    if (length != 1) return NULL;
    switch (word[0]) {
    case '%':
        return "percent";
    case '&':
        return "and";
    case '+':
        return "plus";
    case '@':
        return "at";
    default:
        return NULL;
    }
}

/* The phonemes of a lexicon value for this query; NULL for "spell the letters". */
static const char *choose(const query *q, const char *value)
{
    if (!vx_lexeme_tagged(value)) return value;
    static const char *const exact[] = {
        [VX_TAG_PAST] = "VBD", [VX_TAG_DETERMINER] = "DT", [VX_TAG_LETTER] = NULL};
    static const char *const parent[] = {
        [VX_TAG_NOUN] = "NOUN", [VX_TAG_NAME] = "NOUN", [VX_TAG_VERB] = "VERB",
        [VX_TAG_PAST] = "VERB", [VX_TAG_ADJ] = "ADJ",   [VX_TAG_ADV] = "ADV",
        [VX_TAG_LETTER] = NULL};
    const char *phonemes;
    if (q->context != NULL && q->context->next == VX_NEXT_PAUSE &&
        vx_lexeme_tag(value, "None", &phonemes))
        return phonemes;
    if (exact[q->tag] != NULL && vx_lexeme_tag(value, exact[q->tag], &phonemes)) return phonemes;
    if (parent[q->tag] != NULL && vx_lexeme_tag(value, parent[q->tag], &phonemes)) return phonemes;
    bool found = vx_lexeme_tag(value, "DEFAULT", &phonemes);
    assert(found);
    return phonemes;
}

/* Weak stress on all letters and full stress on the last. */
static void stress_letters(vx_strbuf *out, size_t from)
{
    vx_phonemes_stress(out, from, 0);
    for (size_t at = out->length; at >= from + 2; at--) {
        if (memcmp(out->data + at - 2, "ˌ", 2) != 0) continue;
        memcpy(out->data + at - 2, "ˈ", 2);
        return;
    }
}

/* The letters of an ASCII word; all of them must have a name. */
static bool say_letters(const query *q, const char *word, size_t length, vx_strbuf *out)
{
    size_t from = out->length;
    for (size_t i = 0; i < length; i++) {
        if (!is_letter(word[i])) continue;
        char capital = (char)(word[i] & ~32);
        const char *value = find_gold(q, &capital, 1);
        if (value == NULL || vx_lexeme_tagged(value)) {
            vx_strbuf_cut(out, from);
            return false;
        }
        vx_strbuf_put(out, value);
    }
    stress_letters(out, from);
    return out->length > from;
}

static bool is_known(const query *q, const char *word, size_t length)
{
    if (length == 0) return false;
    if (find_gold(q, word, length) != NULL || symbol_word(word, length) != NULL ||
        find_silver(q, word, length) != NULL)
        return true;
    if (!all_letters(word, length, '\0')) return false;
    return length == 1 || !has_lower(word + 1, length - 1);
}

static bool look_up(const query *q, const char *word, size_t length, vx_strbuf *out)
{
    char small[VX_WORD_BYTES_MAX];
    bool is_name = false;
    if (length > sizeof small) return false;
    const char *value = find_gold(q, word, length);
    if (value == NULL && !has_lower(word, length)) {
        for (size_t i = 0; i < length; i++)
            small[i] = lower(word[i]);
        word = small;
        is_name = q->tag == VX_TAG_NAME;
        value = find_gold(q, word, length);
    }
    if (value == NULL && !is_name) value = find_silver(q, word, length);
    const char *phonemes = value != NULL ? choose(q, value) : NULL;
    if (phonemes == NULL || (is_name && !vx_phonemes_primary(phonemes, strlen(phonemes)))) {
        if (say_letters(q, word, length, out)) return true;
        if (phonemes == NULL) return false;
    }
    size_t from = out->length;
    vx_strbuf_put(out, phonemes);
    vx_phonemes_stress(out, from, q->stress);
    return true;
}

/* Initials: letters in parts of one or two between dots, as in U.S.A. and Ph.D; "co.uk" is none. */
static bool is_dotted(const char *word, size_t length)
{
    while (length > 0 && word[length - 1] == '.')
        length--;
    if (length > 0 && word[0] == '.') return false; /* .NET */
    if (memchr(word, '.', length) == NULL || !all_letters(word, length, '.')) return false;
    for (size_t i = 0, run = 0; i < length; i++) {
        run = word[i] == '.' ? 0 : run + 1;
        bool small = word[i] >= 'a' && i > 0 && word[i - 1] >= 'a';
        if (run > 2 || small) return false;
    }
    return true;
}

static bool put(vx_strbuf *out, const char *phonemes)
{
    vx_strbuf_put(out, phonemes);
    return true;
}

static bool say_gold(const query *q, const char *word, const char *tag, vx_strbuf *out)
{
    const char *value = find_gold(q, word, strlen(word));
    if (value == NULL) return false;
    const char *phonemes = value;
    if (vx_lexeme_tagged(value) && !(tag != NULL && vx_lexeme_tag(value, tag, &phonemes)))
        phonemes = choose(q, value);
    return phonemes != NULL && put(out, phonemes);
}

static bool say_used(const query *q, vx_strbuf *out)
{
    bool habit = q->tag == VX_TAG_PAST && q->context != NULL && q->context->next_is_to;
    return say_gold(q, "used", habit ? "VBD" : "DEFAULT", out);
}

/* Words whose sound depends on what follows. False: none of these, or not in the lexicon. */
static bool say_special(const query *q, const char *word, size_t n, vx_strbuf *out)
{
    const char *symbol = symbol_word(word, n);
    query plain = *q;
    plain.tag = VX_TAG_NONE;
    plain.stress = VX_STRESS_NONE;
    if (symbol != NULL) return look_up(&plain, symbol, strlen(symbol), out);
    if (is_dotted(word, n)) return say_letters(q, word, n, out);
    vx_next next = q->context != NULL ? q->context->next : VX_NEXT_PAUSE;
    if (is(word, n, "a") || is(word, n, "A")) return put(out, q->tag == VX_TAG_LETTER ? "ˈA" : "ɐ");
    if (is_any_case(word, n, "am")) {
        if (q->tag == VX_TAG_NOUN || q->tag == VX_TAG_NAME) return say_letters(q, word, n, out);
        if (next == VX_NEXT_PAUSE || !is(word, n, "am")) return say_gold(q, "am", NULL, out);
        return put(out, "ɐm");
    }
    if (is_any_case(word, n, "an")) return put(out, "ɐn");
    if (is(word, n, "I") && q->tag != VX_TAG_LETTER) return put(out, "ˌI");
    if (is_any_case(word, n, "by") && q->tag == VX_TAG_ADV) return put(out, "bˈI");
    if (is_any_case(word, n, "to")) {
        if (next == VX_NEXT_PAUSE) return say_gold(q, "to", NULL, out);
        return put(out, next == VX_NEXT_VOWEL ? "tʊ" : "tə");
    }
    if (is_any_case(word, n, "in") && q->tag != VX_TAG_NAME)
        return put(out, next == VX_NEXT_PAUSE || q->tag == VX_TAG_PARTICLE ? "ˈɪn" : "ɪn");
    if (is_any_case(word, n, "the")) return put(out, next == VX_NEXT_VOWEL ? "ði" : "ðə");
    if (is_any_case(word, n, "vs") || is_any_case(word, n, "vs."))
        return look_up(&plain, "versus", 6, out);
    if (is(word, n, "used") || is(word, n, "Used") || is(word, n, "USED")) return say_used(q, out);
    return false;
}

static uint32_t last_cp(const vx_strbuf *out, size_t end)
{
    uint32_t cp = 0;
    vx_utf8_before(out->data, end, &cp);
    return cp;
}

static bool one_of(uint32_t cp, const char *set)
{
    char bytes[VX_UTF8_MAX + 1];
    if (cp == 0) return false;
    bytes[vx_utf8_encode(cp, bytes)] = '\0';
    return strstr(set, bytes) != NULL;
}

bool vx_words_add_s(const vx_words *words, vx_strbuf *out, size_t from)
{
    if (out->length == from) return false;
    uint32_t last = last_cp(out, out->length);
    if (one_of(last, "ptkfθ")) return put(out, "s");
    if (one_of(last, "szʃʒʧʤ")) return put(out, words->british ? "ɪz" : "ᵻz");
    return put(out, "z");
}

/* A t between a vowel and an unstressed vowel is flapped in American speech. */
static bool flaps(const vx_strbuf *out, size_t from)
{
    return out->length > from + 1 && last_cp(out, out->length) == 't' &&
           one_of(last_cp(out, out->length - 1), "AIOWYiuæɑəɛɪɹʊʌ");
}

bool vx_words_add_ed(const vx_words *words, vx_strbuf *out, size_t from)
{
    if (out->length == from) return false;
    uint32_t last = last_cp(out, out->length);
    if (one_of(last, "pkfθʃsʧ")) return put(out, "t");
    if (last == 'd') return put(out, words->british ? "ɪd" : "ᵻd");
    if (last != 't') return put(out, "d");
    if (words->british || out->length == from + 1) return put(out, "ɪd");
    if (!flaps(out, from)) return put(out, "ᵻd");
    vx_strbuf_cut(out, out->length - 1);
    return put(out, "ɾᵻd");
}

bool vx_words_add_ing(const vx_words *words, vx_strbuf *out, size_t from)
{
    if (out->length == from) return false;
    if (words->british) {
        if (one_of(last_cp(out, out->length), "əː")) return false;
    } else if (flaps(out, from)) {
        vx_strbuf_cut(out, out->length - 1);
        return put(out, "ɾɪŋ");
    }
    return put(out, "ɪŋ");
}

typedef bool ending_fn(const vx_words *words, vx_strbuf *out, size_t from);

/* The stem's phonemes and an ending; `out` is as before when either fails. */
static bool say_stem(const query *q, const char *stem, size_t length, ending_fn *add,
                     vx_strbuf *out)
{
    size_t from = out->length;
    if (look_up(q, stem, length, out) && add(q->words, out, from)) return true;
    vx_strbuf_cut(out, from);
    return false;
}

static bool say_with_s(const query *q, const char *word, size_t n, vx_strbuf *out)
{
    if (n < 3 || word[n - 1] != 's') return false;
    if (!ends(word, n, "ss") && is_known(q, word, n - 1))
        return say_stem(q, word, n - 1, vx_words_add_s, out);
    bool es = n > 4 && ends(word, n, "es") && !ends(word, n, "ies");
    if ((ends(word, n, "'s") || es) && is_known(q, word, n - 2))
        return say_stem(q, word, n - 2, vx_words_add_s, out);
    if (n <= 4 || !ends(word, n, "ies")) return false;
    char stem[VX_WORD_BYTES_MAX];
    memcpy(stem, word, n - 3);
    stem[n - 3] = 'y';
    return is_known(q, stem, n - 2) && say_stem(q, stem, n - 2, vx_words_add_s, out);
}

static bool say_with_ed(const query *q, const char *word, size_t n, vx_strbuf *out)
{
    if (n < 4 || word[n - 1] != 'd') return false;
    if (!ends(word, n, "dd") && is_known(q, word, n - 1))
        return say_stem(q, word, n - 1, vx_words_add_ed, out);
    if (n > 4 && ends(word, n, "ed") && !ends(word, n, "eed") && is_known(q, word, n - 2))
        return say_stem(q, word, n - 2, vx_words_add_ed, out);
    return false;
}

static bool say_with_ing(const query *q, const char *word, size_t n, vx_strbuf *out)
{
    if (n < 5 || !ends(word, n, "ing")) return false;
    if (n > 5 && is_known(q, word, n - 3)) return say_stem(q, word, n - 3, vx_words_add_ing, out);
    char stem[VX_WORD_BYTES_MAX];
    memcpy(stem, word, n - 3);
    stem[n - 3] = 'e';
    if (is_known(q, stem, n - 2)) return say_stem(q, stem, n - 2, vx_words_add_ing, out);
    bool doubled = n > 5 && word[n - 4] == word[n - 5] && strchr("bcdgklmnprstvxz", word[n - 4]);
    if (n > 5 && (doubled || ends(word, n, "cking")) && is_known(q, word, n - 4))
        return say_stem(q, word, n - 4, vx_words_add_ing, out);
    return false;
}

/* Whether a word that has capitals and no entry should be taken in small letters. */
static bool wants_lower(const query *q, const char *word, const char *small, size_t n,
                        vx_strbuf *out)
{
    if (n < 2 || !all_letters(word, n, '\'') || !has_upper(word, n)) return false;
    if (q->tag == VX_TAG_NAME && n <= 7) return false;
    if (find_gold(q, word, n) != NULL || find_silver(q, word, n) != NULL) return false;
    if (has_lower(word, n) && has_upper(word + 1, n - 1)) return false;
    if (find_gold(q, small, n) != NULL || find_silver(q, small, n) != NULL) return true;
    size_t from = out->length;
    bool known = say_with_s(q, small, n, out) || say_with_ed(q, small, n, out) ||
                 say_with_ing(q, small, n, out);
    vx_strbuf_cut(out, from);
    return known;
}

static bool say_word(const query *q, const char *word, size_t n, vx_strbuf *out)
{
    if (say_special(q, word, n, out)) return true;
    char small[VX_WORD_BYTES_MAX];
    for (size_t i = 0; i < n; i++)
        small[i] = lower(word[i]);
    if (wants_lower(q, word, small, n, out)) word = small;
    if (is_known(q, word, n)) return look_up(q, word, n, out);
    if (n > 2 && ends(word, n, "s'")) {
        char singular[VX_WORD_BYTES_MAX];
        memcpy(singular, word, n - 2);
        memcpy(singular + n - 2, "'s", 2);
        if (is_known(q, singular, n)) return look_up(q, singular, n, out);
    }
    if (n > 1 && word[n - 1] == '\'' && is_known(q, word, n - 1))
        return look_up(q, word, n - 1, out);
    if (say_with_s(q, word, n, out) || say_with_ed(q, word, n, out)) return true;
    query weak = *q;
    if (weak.stress == VX_STRESS_NONE) weak.stress = 1;
    return say_with_ing(&weak, word, n, out);
}

bool vx_words_say(const vx_words *words, const char *word, size_t length, vx_tag tag,
                  const vx_word_context *context, vx_strbuf *out)
{
    if (length == 0 || length > VX_WORD_BYTES_MAX) return false;
    int stress = !has_upper(word, length) ? VX_STRESS_NONE : has_lower(word, length) ? 1 : 4;
    query q = {.words = words, .tag = tag, .stress = stress, .context = context};
    return say_word(&q, word, length, out);
}

/* One of the small words whose sound depends on the next, in a reading. `next` is the first letter
 * of the next word, NUL at the end. */
static bool read_small(const query *q, const char *word, size_t n, char next, vx_strbuf *out)
{
    static const char *const small[] = {"a", "an", "the", "to"};
    for (size_t i = 0; i < 4; i++) {
        if (!is(word, n, small[i])) continue;
        vx_word_context context = {.next = next == '\0'           ? VX_NEXT_PAUSE
                                           : strchr("aeio", next) ? VX_NEXT_VOWEL
                                                                  : VX_NEXT_CONSONANT};
        query here = *q;
        here.context = &context;
        return say_special(&here, word, n, out);
    }
    return false;
}

static bool read_word(const query *q, const char *word, size_t n, char next, vx_strbuf *out)
{
    if (read_small(q, word, n, next, out)) return true;
    if (is_dotted(word, n)) return say_letters(q, word, n, out);
    if (ends(word, n, "'s") && is_dotted(word, n - 2)) {
        size_t from = out->length;
        return say_letters(q, word, n - 2, out) && vx_words_add_s(q->words, out, from);
    }
    if (is_known(q, word, n)) return look_up(q, word, n, out);
    return say_with_s(q, word, n, out) || say_with_ed(q, word, n, out) ||
           say_with_ing(q, word, n, out);
}

bool vx_words_read(const vx_words *words, const char *text, size_t length, vx_strbuf *out)
{
    size_t from = out->length;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, ' ', length - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : length - at, step = n + 1;
        bool pause = n > 1 && text[at + n - 1] == ','; /* between a telephone number's groups */
        n -= pause;
        bool soft = is(text + at, n, "point") || is(text + at, n, "O");
        /* "one" begins with a consonant. */
        bool one = length - at > n + 3 && memcmp(text + at + n + 1, "one", 3) == 0;
        char next = at + n + 1 < length && !pause ? (one ? 'w' : text[at + n + 1]) : '\0';
        query q = {.words = words, .stress = soft ? -4 : VX_STRESS_NONE};
        if (out->length > from) vx_strbuf_put(out, " ");
        if (!read_word(&q, text + at, n, next, out)) {
            vx_strbuf_cut(out, from);
            return false;
        }
        if (pause) vx_strbuf_put(out, ",");
        at += step;
    }
    return out->length > from;
}

bool vx_words_spell(const vx_words *words, const char *text, size_t length, vx_strbuf *out)
{
    query q = {.words = words, .stress = VX_STRESS_NONE};
    size_t from = out->length, n;
    uint32_t cp;
    for (size_t at = 0; (n = vx_utf8_decode(text + at, length - at, &cp)) > 0; at += n) {
        char letter[VX_UTF8_MAX + 1];
        vx_strbuf base = vx_strbuf_over(letter, sizeof letter);
        vx_utf8_base(cp, &base);
        if (base.length != 1 || !is_letter(letter[0])) continue;
        char capital = (char)(letter[0] & ~32);
        const char *value = find_gold(&q, &capital, 1);
        if (value != NULL && !vx_lexeme_tagged(value)) vx_strbuf_put(out, value);
    }
    stress_letters(out, from);
    return out->length > from;
}
