#include "slot/captions.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "text/entities.h"
#include "text/utf8.h"

static const double CUE_SECONDS = 6;
/* A cue stays that long after its last word, where nothing follows sooner. */
static const double LINGER_S = 0.4;
/* A clause that is cut off has at least so many characters. */
enum { CLAUSE_LEAST = 15 };

/* Characters that a reader sees, with one space for each stretch of white ones. */
typedef struct line {
    char text[VX_CAPTION_BYTES];
    size_t used;
    int characters;
} line;

/* What stands in the script for one spoken word or more ("42" is two): text [from, to),
 * words [first, next). */
typedef struct token {
    size_t from, to;
    int64_t first, next;
    double start_s, end_s;
    bool ends_clause, ends_sentence;
} token;

/* ---- tokens ---------------------------------------------------------------------------------- */

/* What a reader sees of the text at `at`, "" for a tag and for white space, and whether words end
 * there. Returns its bytes. */
static size_t piece_at(const vx_spoken *s, size_t at, char seen[VX_UTF8_MAX + 1], bool *white)
{
    const char *text = s->text + at;
    size_t length = s->bytes - at;
    vx_markup what = VX_MARKUP_NOTHING;
    uint32_t code = 0;
    seen[0] = '\0';
    size_t bytes = vx_markup_at(text, length, &what);
    *white = what != VX_MARKUP_NOTHING;
    if (bytes > 0) return bytes;
    bytes = vx_entity_at(text, length, &code);
    if (bytes == 0) bytes = vx_utf8_decode(text, length, &code);
    *white = code == ' ' || code == '\t' || code == '\n' || code == '\r';
    if (code > ' ' && code != 0x7F) seen[vx_utf8_encode(code, seen)] = '\0';
    return bytes > 0 ? bytes : 1;
}

static size_t end_of(const vx_g2p_word *w)
{
    return (size_t)w->text_start + w->text_length;
}

/* Where the text of word `i` begins: behind the last white space before it, so that quotes stay
 * with it. `apart` (may be NULL): whether there is some, for "well-known" is one word to its
 * reader. */
static size_t begin_of(const vx_spoken *s, int64_t i, bool *apart)
{
    if (apart != NULL) *apart = i > 0;
    if (i == 0) return 0;
    if (i >= s->words) return s->bytes;
    char seen[VX_UTF8_MAX + 1];
    size_t begin = s->word[i].text_start;
    bool white, found = false;
    for (size_t at = end_of(&s->word[i - 1]); at < s->word[i].text_start;) {
        at += piece_at(s, at, seen, &white);
        if (white) begin = at;
        found |= white;
    }
    if (apart != NULL) *apart = found;
    return begin;
}

/* Whether one of the marks was spoken between two words; the marks of an abbreviation are not. */
static bool marked(const vx_spoken *s, int64_t i, const char *marks)
{
    const vx_g2p_word *w = &s->word[i];
    int64_t end = i + 1 < s->words ? s->word[i + 1].symbol_start : s->symbols;
    for (int64_t k = (int64_t)w->symbol_start + w->symbols; k < end; k++) {
        char symbol[VX_UTF8_MAX + 1] = "";
        vx_utf8_encode(s->symbol[k], symbol);
        if (strstr(marks, symbol) != NULL && symbol[0] != ' ') return true;
    }
    return false;
}

/* The token that begins with word `i`. */
static bool token_at(const vx_spoken *s, int64_t i, token *t)
{
    if (i >= s->words) return false;
    bool apart = false;
    *t = (token){.from = begin_of(s, i, NULL), .first = i};
    for (i++; i < s->words; i++) {
        begin_of(s, i, &apart);
        if (apart) break;
    }
    t->next = i;
    t->to = begin_of(s, i, NULL);
    t->start_s = (double)s->word_span[t->first].start / VX_KOKORO_RATE;
    t->end_s = (double)s->word_span[i - 1].end / VX_KOKORO_RATE;
    t->ends_sentence = i >= s->words || marked(s, i - 1, ".!?…");
    t->ends_clause = t->ends_sentence || marked(s, i - 1, ",;:—");
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void put_character(line *l, const char *bytes, size_t count)
{
    if (l->used + count >= sizeof l->text) return;
    memcpy(l->text + l->used, bytes, count);
    l->used += count;
    l->text[l->used] = '\0';
    l->characters++;
}

/* A token's text, after a space when the line has begun; tags are left out, references decoded. */
static void put_token(line *l, const vx_spoken *s, const token *t)
{
    char seen[VX_UTF8_MAX + 1];
    bool white, space = l->used > 0;
    for (size_t at = t->from; at < t->to;) {
        at += piece_at(s, at, seen, &white);
        if (white) space = l->used > 0;
        if (seen[0] == '\0') continue;
        if (space) put_character(l, " ", 1);
        put_character(l, seen, strlen(seen));
        space = false;
    }
}

/* Tokens of the words [first, next). */
static void put_words(line *l, const vx_spoken *s, int64_t first, int64_t next)
{
    token t;
    while (first < next && token_at(s, first, &t)) {
        put_token(l, s, &t);
        first = t.next;
    }
}

/* The word at which the second line begins so that both fit and are most alike; -1: one line is
 * enough, -2: two are not. */
static int64_t second_line(const vx_spoken *s, int64_t first, int64_t next)
{
    line whole = {.used = 0}, before = {.used = 0};
    put_words(&whole, s, first, next);
    if (whole.characters <= VX_CAPTION_LINE) return -1;
    int64_t best = -2;
    int best_length = 2 * VX_CAPTION_LINE;
    token t;
    for (int64_t i = first; i < next && token_at(s, i, &t) && t.next < next; i = t.next) {
        put_token(&before, s, &t);
        line rest = {.used = 0};
        put_words(&rest, s, t.next, next);
        int longer = before.characters > rest.characters ? before.characters : rest.characters;
        if (longer <= VX_CAPTION_LINE && longer < best_length) {
            best = t.next;
            best_length = longer;
        }
    }
    return best;
}

/* ---- cues ------------------------------------------------------------------------------------ */

vx_captions vx_captions_of(const vx_spoken *spoken)
{
    return (vx_captions){.spoken = spoken};
}

/* Where a cue that begins at word `first` ends: the word after it. */
static int64_t cut(const vx_spoken *s, int64_t first)
{
    int64_t end = 0, sentence = 0, clause = 0, line_of_sentences = 0;
    token t, begin;
    token_at(s, first, &begin);
    for (int64_t i = first; token_at(s, i, &t); i = t.next) {
        line l = {.used = 0};
        put_words(&l, s, first, t.next);
        bool fits = second_line(s, first, t.next) != -2 && t.end_s - begin.start_s <= CUE_SECONDS;
        if (!fits && end > 0) break;
        end = t.next;
        if (t.ends_clause && l.characters >= CLAUSE_LEAST) clause = end;
        if (!t.ends_sentence) continue;
        if (sentence == 0) sentence = end;
        if (l.characters > VX_CAPTION_LINE) break;
        line_of_sentences = end;
    }
    if (line_of_sentences > 0) return line_of_sentences;
    if (sentence > 0) return sentence;
    return clause > 0 && end < s->words ? clause : end;
}

/* One line of a token that is longer than a line is cut. */
static void put_line(char *out, const line *l)
{
    size_t at = 0;
    int characters = 0;
    for (; at < l->used && characters < VX_CAPTION_LINE; characters++) {
        uint32_t unused;
        at += vx_utf8_decode(l->text + at, l->used - at, &unused);
    }
    strncat(out, l->text, at);
}

bool vx_captions_next(vx_captions *c, vx_caption *cue)
{
    const vx_spoken *s = c->spoken;
    token t;
    if (!token_at(s, c->word, &t)) return false;
    int64_t next = cut(s, c->word), second = second_line(s, c->word, next);
    *cue = (vx_caption){.start_s = t.start_s,
                        .first = c->word,
                        .last = next - 1,
                        .second_line = second >= 0 ? second : -1};
    line first_line = {.used = 0};
    put_words(&first_line, s, c->word, second >= 0 ? second : next);
    put_line(cue->text, &first_line);
    if (second >= 0) {
        line other = {.used = 0};
        put_words(&other, s, second, next);
        strcat(cue->text, "\n");
        put_line(cue->text, &other);
    }
    double limit = cue->start_s + CUE_SECONDS;
    double end = (double)s->word_span[next - 1].end / VX_KOKORO_RATE + LINGER_S;
    if (token_at(s, next, &t)) limit = fmin(limit, t.start_s);
    cue->end_s = fmin(fmin(end, limit), (double)s->count / VX_KOKORO_RATE);
    c->word = next;
    return true;
}

bool vx_captions_feed(void *captions, vx_mux_caption *out)
{
    vx_caption cue;
    if (!vx_captions_next(captions, &cue)) return false;
    *out = (vx_mux_caption){.start_s = cue.start_s, .end_s = cue.end_s};
    memcpy(out->text, cue.text, sizeof cue.text);
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A file under way; the first failure stays. */
typedef struct writer {
    vx_outfile file;
    vx_status status;
    vx_error *err;
} writer;

static void put(writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(writer *w, const char *format, ...)
{
    char text[2 * VX_CAPTION_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->status == VX_OK) w->status = vx_outfile_write(&w->file, text, (size_t)length, w->err);
}

static vx_status end(writer *w)
{
    if (w->status == VX_OK) return vx_outfile_commit(&w->file, w->err);
    vx_outfile_abort(&w->file);
    return w->status;
}

/* "00:01:02,345", with the mark between seconds and their thousandths. */
static const char *clock_of(double seconds, char mark, char text[24])
{
    long long ms = llround(seconds * 1000);
    snprintf(text, 24, "%02lld:%02lld:%02lld%c%03lld", ms / 3600000, ms / 60000 % 60,
             ms / 1000 % 60, mark, ms % 1000);
    return text;
}

vx_status vx_captions_write_srt(const vx_spoken *spoken, const char *path, vx_error *err)
{
    writer w = {.err = err};
    char from[24], to[24];
    vx_captions captions = vx_captions_of(spoken);
    vx_caption cue;
    VX_TRY(vx_outfile_open(&w.file, path, err));
    for (int i = 1; vx_captions_next(&captions, &cue); i++)
        put(&w, "%d\n%s --> %s\n%s\n\n", i, clock_of(cue.start_s, ',', from),
            clock_of(cue.end_s, ',', to), cue.text);
    return end(&w);
}

/* Characters that mean something in WebVTT are written by name. */
static void put_escaped(writer *w, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            put(w, "&amp;");
        else if (*text == '<')
            put(w, "&lt;");
        else if (*text == '>')
            put(w, "&gt;");
        else
            put(w, "%c", *text);
    }
}

/* The cue's words, each after the time when it is heard. */
static void put_timed_words(writer *w, const vx_spoken *s, const vx_caption *cue)
{
    token t;
    char at[24];
    double last = cue->start_s;
    for (int64_t i = cue->first; i <= cue->last && token_at(s, i, &t); i = t.next) {
        line word = {.used = 0};
        put_token(&word, s, &t);
        if (i > cue->first) put(w, i == cue->second_line ? "\n" : " ");
        /* Times within a cue only grow and stay inside it. */
        if (t.start_s > last && t.start_s < cue->end_s) {
            put(w, "<%s>", clock_of(t.start_s, '.', at));
            last = t.start_s;
        }
        put_escaped(w, word.text);
    }
    put(w, "\n\n");
}

vx_status vx_captions_write_vtt(const vx_spoken *spoken, const char *path, vx_error *err)
{
    writer w = {.err = err};
    char from[24], to[24];
    vx_captions captions = vx_captions_of(spoken);
    vx_caption cue;
    VX_TRY(vx_outfile_open(&w.file, path, err));
    put(&w, "WEBVTT\n\n");
    while (vx_captions_next(&captions, &cue)) {
        put(&w, "%s --> %s\n", clock_of(cue.start_s, '.', from), clock_of(cue.end_s, '.', to));
        put_timed_words(&w, spoken, &cue);
    }
    return end(&w);
}
