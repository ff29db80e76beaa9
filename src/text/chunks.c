#include "text/chunks.h"

#include <stdbool.h>
#include <stdint.h>

#include "text/utf8.h"

enum {
    SYMBOLS_USUAL = 350,
    SYMBOLS_TAIL = 24 /* a rest this short is joined to the chunk before: Kokoro swallows it */
};

/* How good a place is to cut after a symbol. */
typedef enum cut { CUT_NONE, CUT_WORD, CUT_COMMA, CUT_CLAUSE, CUT_SENTENCE } cut;

typedef struct reader {
    const char *text;
    size_t length;
} reader;

static uint32_t symbol_at(const reader *r, size_t at, size_t *bytes)
{
    uint32_t cp = 0;
    *bytes = vx_utf8_decode(r->text + at, r->length - at, &cp);
    return cp;
}

static bool closes(uint32_t cp)
{
    return cp == ')' || cp == '"' || cp == 0x201D;
}

/* The quality of the mark before a space, closing quotes and brackets passed over. */
static cut cut_before_space(const reader *r, size_t at)
{
    uint32_t cp = 0;
    size_t n;
    while ((n = vx_utf8_before(r->text, at, &cp)) > 0 && closes(cp))
        at -= n;
    switch (n > 0 ? cp : 0) {
    case '.':
    case '!':
    case '?':
    case 0x2026:
        return CUT_SENTENCE;
    case ':':
    case ';':
    case 0x2014:
        return CUT_CLAUSE;
    case ',':
        return CUT_COMMA;
    default:
        return CUT_WORD;
    }
}

/* Where the chunk that starts at byte `start` ends, when it should have at most `soft` symbols.
 * The latest sentence end within them wins, else the latest clause, comma, word; a sentence end is
 * taken even when it leaves a short chunk, lesser cuts only in the second half. */
static size_t find_end(const reader *r, size_t start, size_t soft)
{
    size_t best[CUT_SENTENCE + 1] = {0}, symbols = 0, n;
    size_t at = start;
    for (; at < r->length; at += n, symbols++) {
        uint32_t cp = symbol_at(r, at, &n);
        bool over = symbols >= soft;
        if (cp == ' ' && at > start) {
            cut quality = cut_before_space(r, at);
            if (!over && (quality == CUT_SENTENCE || 2 * symbols >= soft)) best[quality] = at;
            if (!over && best[CUT_WORD] < at) best[CUT_WORD] = at;
            bool any = best[CUT_WORD] > 0 || best[CUT_SENTENCE] > 0;
            if (over && !any) return at; /* one overlong word: its end, within the hard limit */
        }
        if (over && best[CUT_WORD] + best[CUT_SENTENCE] > 0) break;
        if (symbols == VX_CHUNK_SYMBOLS_MAX) return at;
    }
    if (at == r->length && symbols <= soft) return r->length;
    for (cut quality = CUT_SENTENCE; quality > CUT_NONE; quality--)
        if (best[quality] > 0) return best[quality];
    return r->length;
}

static size_t skip_spaces(const reader *r, size_t at)
{
    while (at < r->length && r->text[at] == ' ')
        at++;
    return at;
}

vx_status vx_chunks_cut(const char *phonemes, size_t length, const vx_chunk_params *params,
                        vx_chunk *chunks, size_t room, size_t *count, vx_error *err)
{
    vx_chunk_params p = params != NULL ? *params : (vx_chunk_params){0};
    if (p.symbols == 0) p.symbols = SYMBOLS_USUAL;
    if (p.symbols > VX_CHUNK_SYMBOLS_MAX) p.symbols = VX_CHUNK_SYMBOLS_MAX;
    if (p.first_symbols == 0 || p.first_symbols > p.symbols) p.first_symbols = p.symbols;
    reader r = {phonemes, length};
    while (r.length > 0 && phonemes[r.length - 1] == ' ')
        r.length--;
    *count = 0;
    size_t at = skip_spaces(&r, 0), symbol = at;
    while (at < r.length) {
        size_t end = find_end(&r, at, *count == 0 ? p.first_symbols : p.symbols);
        vx_chunk chunk = {at, end - at, symbol, vx_utf8_count(phonemes + at, end - at)};
        size_t next = skip_spaces(&r, end), rest = r.length - next;
        bool tail = rest > 0 && rest <= SYMBOLS_TAIL * VX_UTF8_MAX &&
                    vx_utf8_count(phonemes + next, rest) <= SYMBOLS_TAIL;
        size_t whole = chunk.count + (r.length - end); /* no less than its symbols */
        if (tail && *count > 0 && whole <= VX_CHUNK_SYMBOLS_MAX) {
            chunk.length = r.length - at;
            chunk.count = vx_utf8_count(phonemes + at, chunk.length);
            next = r.length;
        }
        if (*count == room)
            return vx_fail(err, VX_ERR_INPUT, "text_too_long",
                           "the text needs more than %zu chunks of speech: cut it into several "
                           "jobs",
                           room);
        symbol += chunk.count + (next - at - chunk.length);
        chunks[(*count)++] = chunk;
        at = next;
    }
    return VX_OK;
}
