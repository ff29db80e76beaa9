#include "text/g2p.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/warnings.h"
#include "text/clean.h"
#include "text/espeak.h"
#include "text/expand.h"
#include "text/heteronyms.h"
#include "text/lexicon.h"
#include "text/numbers.h"
#include "text/phonemes.h"
#include "text/plain.h"
#include "text/scan.h"
#include "text/tags.h"
#include "text/tokens.h"
#include "text/words.h"

/* Memory per byte of text: the longest readings are of money ("$7 ", 14 bytes for 3), the longest
 * phonemes of long numbers (17 bytes a digit). */
enum {
    READING_BYTES = 8 * VX_TEXT_BYTES_MAX,
    PHONEME_BYTES = 20 * VX_TEXT_BYTES_MAX,
    SCRATCH_BYTES = 16384, /* the parts of one word */
    PARTS_MAX = 256,       /* more than a token has bytes */
    WARNED_MAX = 256       /* words remembered as warned of */
};
struct vx_g2p {
    vx_lexicon *gold, *silver;
    vx_words words;
    bool espeak; /* loaded and wanted */
    vx_clean clean;
    vx_tokens tokens;
    char *readings, *pool, *scratch, *phonemes;
    vx_g2p_word *spoken;
    uint32_t warned[WARNED_MAX];
    size_t warned_count;
    /* The text under work. */
    vx_strbuf out; /* the pool: phonemes of words, in the order of work */
    vx_word_context context;
    size_t spelt;
};

/* A part of a word and its phonemes in the scratch memory. */
typedef struct part {
    size_t start, length;
    const char *reading; /* words for a sign, NULL for other parts */
    size_t at, bytes;    /* phonemes */
    bool done;
} part;

typedef struct group {
    vx_g2p *g2p;
    const vx_token *token;
    const char *text; /* quotes straightened */
    size_t length;
    vx_tag tag;
    part parts[PARTS_MAX];
    size_t count;
    vx_strbuf scratch;
} group;

static void update_context(vx_word_context *context, const char *phonemes, size_t length)
{
    uint32_t cp;
    context->next_is_to = false;
    for (size_t at = 0, n; (n = vx_utf8_decode(phonemes + at, length - at, &cp)) > 0; at += n) {
        if (vx_phoneme_pause(cp))
            context->next = VX_NEXT_PAUSE;
        else if (vx_phoneme_vowel(cp))
            context->next = VX_NEXT_VOWEL;
        else if (vx_phoneme_consonant(cp))
            context->next = VX_NEXT_CONSONANT;
        else
            continue;
        return;
    }
}

static bool is_to(const char *word, size_t length)
{
    return length == 2 && (word[0] | 32) == 't' && (word[1] | 32) == 'o';
}

static bool is_junk(const char *text, size_t length)
{
    return vx_only(text, length, "',-._/");
}

/* Arrows and such: neither letters nor digits, and no sign with a reading. */
static bool is_mute(const char *text, size_t length)
{
    uint32_t cp;
    for (size_t at = 0, n; (n = vx_utf8_decode(text + at, length - at, &cp)) > 0; at += n)
        if (vx_cp_letter(cp) || vx_cp_digit(cp) >= 0) return false;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_at(const char *text, size_t at, size_t length)
{
    uint32_t cp;
    return vx_utf8_decode(text + at, length - at, &cp) > 0 && vx_cp_letter(cp);
}

/* Signs inside a word that are read: by their own name, in addresses also . / and -, and a 2
 * between letters ("B2B"). */
static const char *part_reading(const group *g, size_t start, size_t length)
{
    const char *text = g->text;
    size_t end = start + length;
    uint32_t cp = 0, before = 0;
    vx_utf8_decode(text + start, length, &cp);
    vx_utf8_before(text, start, &before);
    bool inside = start > 0 && end < g->length;
    if (length == 1 && cp == '2' && inside && vx_cp_letter(before) &&
        is_letter_at(text, end, g->length))
        return "to";
    if (length == 1 && cp == '.' && end < g->length &&
        (is_letter_at(text, end, g->length) || is_digit(text[end])))
        return "dot";
    if (g->token->is_url && length == 1 && inside) {
        if (cp == '/' && text[start - 1] != '/' && text[end] != '/') return "slash";
        if (cp == '-') return "dash";
    }
    char sign[VX_UTF8_MAX];
    bool alone = vx_utf8_encode(cp, sign) == length;
    return alone ? vx_sign_reading(cp, end < g->length ? text[end] : '\0') : NULL;
}

static void split_parts(group *g)
{
    g->count = 0;
    for (size_t at = 0; at < g->length;) {
        assert(g->count < PARTS_MAX);
        size_t n = vx_subtoken(g->text, at, g->length);
        part *p = &g->parts[g->count++];
        *p = (part){.start = at, .length = n};
        p->reading = part_reading(g, at, n);
        at += n;
    }
}

/* What the text holds that is not spoken, by name. */
static void warn_dropped(const vx_clean *clean)
{
    char memory[200], where[32];
    vx_strbuf names = vx_strbuf_over(memory, sizeof memory);
    for (size_t i = 0; i < clean->dropped_kinds; i++) {
        uint32_t cp = clean->dropped_cp[i];
        char number[16];
        snprintf(number, sizeof number, "U+%04X", (unsigned)cp);
        if (i > 0) vx_strbuf_put(&names, ", ");
        if (cp > 0x20 && (cp < 0x7F || cp > 0x9F)) {
            vx_strbuf_cp(&names, cp);
            vx_strbuf_put(&names, " ");
        }
        vx_strbuf_put(&names, number);
    }
    if (clean->dropped_kinds == VX_CLEAN_DROPPED_MAX) vx_strbuf_put(&names, " …");
    snprintf(where, sizeof where, "byte %zu", clean->dropped_where);
    vx_warn("characters_left_out", where,
            "%zu character%s of the text %s no sound and %s left out: %s", clean->dropped,
            clean->dropped == 1 ? "" : "s", clean->dropped == 1 ? "has" : "have",
            clean->dropped == 1 ? "is" : "are", names.data);
}

/* Once a text and word. */
static void warn_spelt(vx_g2p *g2p, const char *word, size_t length)
{
    char where[VX_WORD_BYTES_MAX + 1];
    g2p->spelt++;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)word[i]) * 16777619u;
    for (size_t i = 0; i < g2p->warned_count; i++)
        if (g2p->warned[i] == hash) return;
    if (g2p->warned_count == WARNED_MAX) return;
    g2p->warned[g2p->warned_count++] = hash;
    if (length > VX_WORD_BYTES_MAX) length = VX_WORD_BYTES_MAX;
    snprintf(where, sizeof where, "%.*s", (int)length, word);
    vx_warn("word_spelt", where, "the word \"%s\" is not in the lexicon%s: it is spelt out", where,
            g2p->espeak ? "" : " and espeak-ng is not there");
}

/* Appends plain words, as the number reader makes them; one that the lexicon lacks goes the way of
 * all unknown words. */
static void read_words(vx_g2p *g2p, const char *text, size_t length, vx_strbuf *out)
{
    if (vx_words_read(&g2p->words, text, length, out)) return;
    size_t start = out->length;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, ' ', length - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : length - at;
        if (out->length > start) vx_strbuf_put(out, " ");
        bool known = vx_words_read(&g2p->words, text + at, n, out) ||
                     (g2p->espeak && vx_espeak_word(text + at, n, g2p->words.british, out));
        if (!known && vx_words_spell(&g2p->words, text + at, n, out)) warn_spelt(g2p, text + at, n);
        at += n + 1;
    }
}

/* Words and numbers that the lexicon knows. */
static bool say_known(group *g, size_t start, size_t length, bool head, vx_strbuf *out)
{
    const vx_words *words = &g->g2p->words;
    const char *text = g->text + start;
    /* "A4", "A-level", "a²" */
    bool power = g->length > start + 1 && (unsigned char)text[length] == 0xC2;
    bool letter = length == 1 && (text[0] == 'A' || (text[0] == 'a' && power)) && g->length > 1;
    vx_tag tag = letter ? VX_TAG_LETTER : g->tag;
    if (vx_words_say(words, text, length, tag, &g->g2p->context, out)) return true;
    char memory[4096];
    vx_strbuf reading = vx_strbuf_over(memory, sizeof memory);
    vx_ending ending;
    size_t from = out->length;
    if (!vx_number_token(text, length, head, words->british, &reading, &ending) || reading.full)
        return false;
    read_words(g->g2p, reading.data, reading.length, out);
    if (ending == VX_ENDING_S) vx_words_add_s(words, out, from);
    if (ending == VX_ENDING_ED) vx_words_add_ed(words, out, from);
    if (ending == VX_ENDING_ING) vx_words_add_ing(words, out, from);
    return true;
}

static void finish_part(group *g, size_t left, size_t right, size_t from)
{
    vx_phonemes_stress(&g->scratch, from, g->token->stress);
    const part *first = &g->parts[left], *last = &g->parts[right - 1];
    for (size_t i = left; i < right; i++) {
        g->parts[i].done = true;
        g->parts[i].at = from;
        g->parts[i].bytes = i == left ? g->scratch.length - from : 0;
    }
    vx_word_context *context = &g->g2p->context;
    update_context(context, g->scratch.data + from, g->scratch.length - from);
    context->next_is_to = is_to(g->text + first->start, last->start + last->length - first->start);
}

static bool has_reading(const group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->parts[i].reading != NULL) return true;
    return false;
}

/* A single part that the lexicon does not know: its letters without accents, else one by one. */
static void say_unknown_part(group *g, const part *p)
{
    const vx_words *words = &g->g2p->words;
    char memory[4 * VX_WORD_BYTES_MAX];
    vx_strbuf plain = vx_strbuf_over(memory, sizeof memory);
    uint32_t cp;
    size_t n;
    bool folded = false;
    for (size_t at = 0; (n = vx_utf8_decode(g->text + p->start + at, p->length - at, &cp)) > 0;
         at += n) {
        char decomposed[64];
        vx_strbuf base = vx_strbuf_over(decomposed, sizeof decomposed);
        vx_utf8_base(cp, &base);
        folded |= cp >= 0x80;
        vx_strbuf_add(&plain, base.data, base.length);
    }
    if (folded && !plain.full &&
        vx_words_say(words, plain.data, plain.length, g->tag, &g->g2p->context, &g->scratch))
        return;
    /* "mc²": the sign has its word, so the letters are said by themselves. */
    if (g->g2p->espeak && has_reading(g) && p->length > 1 &&
        vx_espeak_word(g->text + p->start, p->length, words->british, &g->scratch))
        return;
    if (vx_words_spell(words, g->text + p->start, p->length, &g->scratch))
        warn_spelt(g->g2p, g->text + p->start, p->length);
}

/* The longest known spans from the right; false when a part is unknown and `strict`. */
static bool say_parts(group *g, bool strict)
{
    size_t left = 0, right = g->count;
    while (right > 0) {
        const part *first = &g->parts[left], *last = &g->parts[right - 1];
        size_t length = last->start + last->length - first->start, from = g->scratch.length;
        bool single = left + 1 == right, known = false;
        if (single && first->reading != NULL) {
            read_words(g->g2p, first->reading, strlen(first->reading), &g->scratch);
            known = true;
        } else if (length <= VX_WORD_BYTES_MAX || single) {
            known = say_known(g, first->start, length, left == 0, &g->scratch);
        }
        if (known || single) {
            if (!known && !is_mute(g->text + first->start, length)) {
                if (strict) return false;
                say_unknown_part(g, first);
            }
            finish_part(g, left, right, from);
            right = left;
            left = 0;
        } else {
            left++;
        }
    }
    return true;
}

/* Letters, digits and other signs in one word are said apart. */
static bool wants_spaces(const group *g)
{
    int classes = 0;
    uint32_t cp;
    if (memchr(g->text, '/', g->length) != NULL) return true;
    for (size_t at = 0, n; (n = vx_utf8_decode(g->text + at, g->length - at, &cp)) > 0; at += n) {
        if (n == 1 && is_junk(g->text + at, 1) && !(g->token->is_url && cp != '\'')) continue;
        classes |= vx_cp_letter(cp) || vx_cp_mark(cp) ? 1 : cp >= '0' && cp <= '9' ? 2 : 4;
    }
    return (classes & (classes - 1)) != 0;
}

/* In a compound the lighter half of the parts gives up its stress. Sets weak[i]. */
static void weaken_parts(const group *g, bool *weak)
{
    size_t said[PARTS_MAX], count = 0, stressed = 0;
    int rank[PARTS_MAX];
    for (size_t i = 0; i < g->count; i++) {
        const part *p = &g->parts[i];
        if (p->bytes == 0) continue;
        const char *phonemes = g->scratch.data + p->at;
        bool primary = vx_phonemes_primary(phonemes, p->bytes);
        stressed += primary;
        rank[count] = (primary ? 1 << 20 : 0) + vx_phonemes_weight(phonemes, p->bytes);
        said[count++] = i;
    }
    if (count == 2 &&
        vx_utf8_count(g->text + g->parts[said[0]].start, g->parts[said[0]].length) == 1) {
        weak[said[1]] = true;
        return;
    }
    if (count < 2 || stressed <= (count + 1) / 2) return;
    for (size_t left = count / 2; left > 0; left--) {
        size_t lightest = count;
        for (size_t i = 0; i < count; i++)
            if (!weak[said[i]] && (lightest == count || rank[i] < rank[lightest])) lightest = i;
        weak[said[lightest]] = true;
    }
}

static void join_parts(group *g)
{
    vx_strbuf *out = &g->g2p->out;
    bool weak[PARTS_MAX] = {false}, spaces = wants_spaces(g) || has_reading(g);
    if (!spaces) weaken_parts(g, weak);
    size_t start = out->length;
    for (size_t i = 0; i < g->count; i++) {
        const part *p = &g->parts[i];
        if (p->bytes == 0) continue;
        if (spaces && out->length > start) vx_strbuf_put(out, " ");
        size_t from = out->length;
        vx_strbuf_add(out, g->scratch.data + p->at, p->bytes);
        if (weak[i]) vx_phonemes_stress(out, from, -1);
    }
}

static void open_group(group *g, vx_g2p *g2p, size_t i, char *memory, size_t room)
{
    const vx_token *token = &g2p->tokens.token[i];
    const char *text = g2p->clean.text + token->start;
    vx_strbuf straight = vx_strbuf_over(memory, room);
    size_t length = token->length;
    if (token->is_url) { /* the scheme is not read */
        const char *scheme = memmem(text, length, "://", 3);
        if (scheme != NULL) length -= (size_t)(scheme + 3 - text), text = scheme + 3;
    }
    vx_plain_word(text, length, &straight);
    g->g2p = g2p;
    g->token = token;
    g->text = straight.data;
    g->length = straight.length;
    /* A point that an abbreviation took in is not said. */
    while (g->length > 1 && g->text[g->length - 1] == '.')
        g->length--;
    g->tag = vx_tag_word(g2p->clean.text, &g2p->tokens, i);
    g->scratch = vx_strbuf_over(g2p->scratch, SCRATCH_BYTES);
    split_parts(g);
}

static void say_group(vx_g2p *g2p, size_t i)
{
    char memory[PARTS_MAX];
    group g;
    open_group(&g, g2p, i, memory, sizeof memory);
    vx_word_context before = g2p->context;
    size_t start = g2p->out.length;
    if (vx_heteronym_say(&g2p->words, g2p->clean.text, &g2p->tokens, i, &g2p->out)) {
        vx_phonemes_stress(&g2p->out, start, g.token->stress);
        update_context(&g2p->context, g2p->out.data + start, g2p->out.length - start);
        return;
    }
    if (!say_parts(&g, g2p->espeak && !has_reading(&g))) {
        g2p->context = before;
        size_t from = g2p->out.length;
        if (vx_espeak_word(g.text, g.length, g2p->words.british, &g2p->out)) {
            vx_phonemes_stress(&g2p->out, from, g.token->stress);
            update_context(&g2p->context, g2p->out.data + from, g2p->out.length - from);
            return;
        }
        vx_strbuf_cut(&g.scratch, 0);
        say_parts(&g, false);
    }
    g2p->out.full |= g.scratch.full;
    join_parts(&g);
}

static void say_reading(vx_g2p *g2p, const vx_token *token)
{
    const char *text = g2p->readings + token->read;
    size_t start = g2p->out.length;
    read_words(g2p, text, token->read_length, &g2p->out);
    vx_phonemes_stress(&g2p->out, start, token->stress);
    update_context(&g2p->context, g2p->out.data + start, g2p->out.length - start);
}

static void say_token(vx_g2p *g2p, size_t i)
{
    vx_token *token = &g2p->tokens.token[i];
    token->phonemes = (uint32_t)g2p->out.length;
    if (token->kind == VX_TOKEN_MARK) {
        if (token->mark[0] != '\0') update_context(&g2p->context, token->mark, strlen(token->mark));
    } else if (token->kind == VX_TOKEN_GIVEN) {
        const char *given = g2p->clean.text + token->read;
        vx_strbuf_add(&g2p->out, given, token->read_length);
        update_context(&g2p->context, given, token->read_length);
    } else if (token->read_length > 0) {
        say_reading(g2p, token);
    } else {
        say_group(g2p, i);
    }
    token->phonemes_length = (uint32_t)(g2p->out.length - token->phonemes);
}

typedef struct writer {
    vx_g2p *g2p;
    vx_strbuf out;
    size_t symbols;
    size_t words;
    size_t unknown; /* given symbols that Kokoro does not know */
} writer;

static void write_space(writer *w)
{
    if (w->out.length == 0 || w->out.data[w->out.length - 1] == ' ') return;
    vx_strbuf_put(&w->out, " ");
    w->symbols++;
}

/* Appends the symbols that Kokoro knows, flap and glottal stop as v1.0 has them; returns how many,
 * spaces at the ends excluded. */
static size_t write_symbols(writer *w, const char *phonemes, size_t length)
{
    size_t before = w->symbols;
    uint32_t cp;
    bool space = false;
    for (size_t at = 0, n; (n = vx_utf8_decode(phonemes + at, length - at, &cp)) > 0; at += n) {
        if (cp == 0x27E) cp = 'T';
        if (cp == 0x294) cp = 't';
        if (cp == ' ') {
            space = w->symbols > before;
            continue;
        }
        if (!vx_phoneme_known(cp)) {
            w->unknown++;
            continue;
        }
        if (space) write_space(w);
        space = false;
        vx_strbuf_cp(&w->out, cp);
        w->symbols++;
    }
    return w->symbols - before;
}

static void write_token(writer *w, size_t i)
{
    const vx_token *token = &w->g2p->tokens.token[i];
    const vx_clean *clean = &w->g2p->clean;
    if (token->kind == VX_TOKEN_MARK) {
        write_symbols(w, token->mark, strlen(token->mark));
    } else {
        size_t first = w->symbols;
        size_t count = write_symbols(w, w->g2p->out.data + token->phonemes, token->phonemes_length);
        if (count > 0) {
            uint32_t start = clean->from[token->start];
            uint32_t end = clean->until[token->start + token->length - 1];
            w->g2p->spoken[w->words++] =
                (vx_g2p_word){start, end - start, (uint32_t)first, (uint32_t)count, (uint32_t)i};
        }
    }
    if (token->space_after) write_space(w);
}

static vx_status write_result(vx_g2p *g2p, vx_g2p_result *result, vx_error *err)
{
    writer w = {.g2p = g2p, .out = vx_strbuf_over(g2p->phonemes, PHONEME_BYTES)};
    for (size_t i = 0; i < g2p->tokens.count; i++)
        write_token(&w, i);
    if (w.out.length > 0 && w.out.data[w.out.length - 1] == ' ') {
        vx_strbuf_cut(&w.out, w.out.length - 1);
        w.symbols--;
    }
    if (g2p->out.full || w.out.full)
        return vx_fail(err, VX_ERR_INPUT, "text_too_long",
                       "the text makes more than %d bytes of phonemes: cut it into several jobs",
                       PHONEME_BYTES);
    if (w.words == 0)
        return vx_fail(err, VX_ERR_INPUT, "no_text",
                       "there is nothing to speak: the text holds only signs that have no sound");
    if (w.unknown > 0)
        vx_warn("phonemes_left_out", NULL,
                "%zu given phonemes are no symbols of Kokoro's and are left out", w.unknown);
    *result = (vx_g2p_result){.phonemes = w.out.data,
                              .length = w.out.length,
                              .symbols = w.symbols,
                              .words = g2p->spoken,
                              .word_count = w.words,
                              .dropped = g2p->clean.dropped,
                              .spelt = g2p->spelt};
    return VX_OK;
}

vx_status vx_g2p_text(vx_g2p *g2p, const char *text, size_t length, vx_g2p_result *result,
                      vx_error *err)
{
    *result = (vx_g2p_result){0};
    VX_TRY(vx_clean_text(&g2p->clean, text, length, err));
    if (g2p->clean.dropped > 0) warn_dropped(&g2p->clean);
    vx_tokenize(&g2p->clean, &g2p->tokens);
    vx_expansion x = {.text = g2p->clean.text,
                      .length = g2p->clean.length,
                      .tokens = &g2p->tokens,
                      .british = g2p->words.british,
                      .readings = vx_strbuf_over(g2p->readings, READING_BYTES)};
    vx_expand_abbreviations(&x);
    vx_expand_numbers(&x);
    g2p->out = vx_strbuf_over(g2p->pool, PHONEME_BYTES);
    g2p->out.full = x.readings.full;
    g2p->context = (vx_word_context){.next = VX_NEXT_PAUSE};
    g2p->spelt = g2p->warned_count = 0;
    for (size_t i = g2p->tokens.count; i > 0; i--)
        say_token(g2p, i - 1);
    return write_result(g2p, result, err);
}

void vx_g2p_spoken(vx_g2p *g2p, const vx_g2p_word *word, vx_strbuf *out)
{
    const vx_token *token = &g2p->tokens.token[word->token];
    if (token->kind == VX_TOKEN_GIVEN) {
        vx_strbuf_add(out, g2p->clean.text + token->start, token->length);
        return;
    }
    if (token->read_length > 0) {
        vx_strbuf_add(out, g2p->readings + token->read, token->read_length);
        return;
    }
    char memory[PARTS_MAX];
    group g;
    vx_ending ending;
    open_group(&g, g2p, word->token, memory, sizeof memory);
    bool spaces = wants_spaces(&g) || has_reading(&g);
    for (size_t i = 0; i < g.count; i++) {
        const part *p = &g.parts[i];
        if (spaces && out->length > 0 && out->data[out->length - 1] != ' ') vx_strbuf_put(out, " ");
        if (p->reading != NULL)
            vx_strbuf_put(out, p->reading);
        else if (!vx_number_token(g.text + p->start, p->length, i == 0, g2p->words.british, out,
                                  &ending))
            vx_strbuf_add(out, g.text + p->start, p->length);
        else if (ending != VX_ENDING_NONE)
            vx_strbuf_put(out, ending == VX_ENDING_S    ? "'s"
                               : ending == VX_ENDING_ED ? "'d"
                                                        : "ing");
    }
}

static vx_status open_lexicon(vx_lexicon **lexicon, const vx_g2p_params *params, const char *kind,
                              vx_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s_%s.json", params->lexicon_dir,
                     params->accent == VX_ACCENT_GB ? "gb" : "us", kind);
    if (n < 0 || (size_t)n >= sizeof path)
        return vx_fail(err, VX_ERR_USAGE, "bad_path", "the lexicon's path is too long");
    return vx_lexicon_open(lexicon, path, err);
}

static vx_status open_parts(vx_g2p *g2p, const vx_g2p_params *params, vx_error *err)
{
    VX_TRY(open_lexicon(&g2p->gold, params, "gold", err));
    vx_status silver = open_lexicon(&g2p->silver, params, "silver", err);
    if (silver != VX_OK && silver != VX_ERR_MISSING) return silver;
    if (silver != VX_OK) vx_log(VX_LOG_INFO, "no silver lexicon in %s", params->lexicon_dir);
    g2p->words = (vx_words){g2p->gold, g2p->silver, params->accent == VX_ACCENT_GB};
    VX_TRY(vx_clean_open(&g2p->clean, err));
    g2p->tokens.room = VX_TOKENS_MAX;
    g2p->tokens.token = vx_heap_alloc(VX_TOKENS_MAX * sizeof *g2p->tokens.token);
    g2p->spoken = vx_heap_alloc(VX_TOKENS_MAX * sizeof *g2p->spoken);
    g2p->readings = vx_heap_alloc(READING_BYTES);
    g2p->pool = vx_heap_alloc(PHONEME_BYTES);
    g2p->phonemes = vx_heap_alloc(PHONEME_BYTES);
    g2p->scratch = vx_heap_alloc(SCRATCH_BYTES);
    if (g2p->tokens.token == NULL || g2p->spoken == NULL || g2p->readings == NULL ||
        g2p->pool == NULL || g2p->phonemes == NULL || g2p->scratch == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the text front end");
    vx_error missing;
    if (params->no_espeak) return VX_OK;
    g2p->espeak = vx_espeak_load(&missing) == VX_OK;
    if (!g2p->espeak) vx_log(VX_LOG_WARN, "unknown words will be spelt out: %s", missing.message);
    return VX_OK;
}

vx_status vx_g2p_open(vx_g2p **g2p, const vx_g2p_params *params, vx_error *err)
{
    *g2p = vx_heap_alloc(sizeof **g2p);
    if (*g2p == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the text front end");
    vx_status status = open_parts(*g2p, params, err);
    if (status != VX_OK) vx_g2p_close(g2p);
    return status;
}

void vx_g2p_close(vx_g2p **g2p)
{
    if (*g2p == NULL) return;
    vx_lexicon_close(&(*g2p)->gold);
    vx_lexicon_close(&(*g2p)->silver);
    vx_clean_close(&(*g2p)->clean);
    vx_heap_free((*g2p)->tokens.token);
    vx_heap_free((*g2p)->spoken);
    vx_heap_free((*g2p)->readings);
    vx_heap_free((*g2p)->pool);
    vx_heap_free((*g2p)->phonemes);
    vx_heap_free((*g2p)->scratch);
    vx_heap_free(*g2p);
    *g2p = NULL;
}
