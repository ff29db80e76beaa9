#include "text/tokens.h"

#include <assert.h>
#include <string.h>

#include "text/numbers.h"
#include "text/phonemes.h"
#include "text/scan.h"

/* A word of more bytes is cut: no lexicon word is that long, and lookups cost its square. */
enum { WORD_BYTES_MAX = 240 };
/* A quote that does not close within this is an apostrophe. */
enum { QUOTE_BYTES_MAX = 1000 };

typedef struct tokenizer {
    const char *text;
    size_t length;
    vx_tokens *tokens;
    int quotes;   /* single quotes that are open */
    bool doubled; /* inside straight double quotes */
    int stress;   /* for words inside [text](n) */
} tokenizer;

static vx_token *add_token(tokenizer *t, vx_token_kind kind, size_t start, size_t end)
{
    assert(t->tokens->count < t->tokens->room);
    vx_token *token = &t->tokens->token[t->tokens->count++];
    *token = (vx_token){.start = (uint32_t)start,
                        .length = (uint32_t)(end - start),
                        .kind = (uint8_t)kind,
                        .stress = (int8_t)t->stress};
    return token;
}

static void add_mark(tokenizer *t, size_t start, size_t end, const char *mark)
{
    vx_token *token = add_token(t, VX_TOKEN_MARK, start, end);
    strcpy(token->mark, mark);
}

static size_t cp_at(const tokenizer *t, size_t at, size_t end, uint32_t *cp)
{
    *cp = 0;
    return at < end ? vx_utf8_decode(t->text + at, end - at, cp) : 0;
}

static bool is_alnum(uint32_t cp)
{
    return vx_cp_letter(cp) || (cp >= '0' && cp <= '9');
}

static bool is_quote(uint32_t cp)
{
    return cp == '\'' || cp == 0x2018 || cp == 0x2019;
}

/* The symbol for a punctuation mark, "" for one that is silent, NULL for what belongs to words.
 * `opening`: it stands before a word. */
static const char *mark_of(uint32_t cp, bool opening)
{
    switch (cp) {
    case '.':
        return ".";
    case ',':
        return ",";
    case ':':
        return ":";
    case ';':
        return ";";
    case '!':
        return "!";
    case '?':
        return "?";
    case 0x2026:
        return "…";
    case 0x2013:
    case 0x2014:
        return "—";
    case '(':
    case '[':
    case '{':
        return "(";
    case ')':
    case ']':
    case '}':
        return ")";
    case '"':
        return opening ? "“" : "”";
    case 0x201C:
        return "“";
    case 0x201D:
        return "”";
    case '*':
    case '^':
    case '|':
    case '\\':
    case 0xA1: /* ¡ */
    case 0xBF: /* ¿ */
    case 0x2022:
        return "";
    default:
        return NULL;
    }
}

/* Signs that stand before a number or alone and are then read; elsewhere they are silent. */
static bool is_silent_sign(uint32_t cp)
{
    return cp == '#' || cp == '_' || cp == '~' || cp == '<' || cp == '>' || cp == '=';
}

static bool starts_number(const tokenizer *t, size_t at, size_t end)
{
    uint32_t cp, next;
    size_t n = cp_at(t, at, end, &cp);
    if (cp >= '0' && cp <= '9') return true;
    if (vx_currency_at(t->text + at, end - at) != NULL) return true;
    cp_at(t, at + n, end, &next);
    return (cp == '.' || cp == '-' || cp == '+') && next >= '0' && next <= '9';
}

/* ".com", ".NET": a point that a word begins with. */
static bool starts_domain(const tokenizer *t, size_t at, size_t end)
{
    bool first = at == 0 || t->text[at - 1] == ' ' || t->text[at - 1] == '\n';
    return first && at + 2 < end && vx_is_letter(t->text[at + 1]) && vx_is_letter(t->text[at + 2]);
}

/* Three or more points, or two hyphens and more, are one sign. Bytes, 0 when there is none. */
static size_t run_of(const tokenizer *t, size_t at, size_t end, char c, size_t least)
{
    size_t n = 0;
    while (at + n < end && t->text[at + n] == c)
        n++;
    return n >= least ? n : 0;
}

/* Bytes of a word that begins with an apostrophe by right, 0 when none stands at `at`. */
static size_t elided_at(const tokenizer *t, size_t at, size_t end)
{
    static const char *const words[] = {"n'",    "n",     "tis",    "twas",  "em",
                                        "cause", "til",   "bout",   "round", "twere",
                                        "neath", "twill", "tisn't", "kay"};
    uint32_t cp;
    size_t n = cp_at(t, at, end, &cp);
    if (!is_quote(cp)) return 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t from = at + n, m = 0;
        for (; words[i][m] != '\0' && from < end; m++) {
            uint32_t c;
            size_t k = cp_at(t, from, end, &c);
            bool same =
                words[i][m] == '\'' ? is_quote(c) : c < 0x80 && (c | 32) == (uint32_t)words[i][m];
            if (!same) break;
            from += k;
        }
        uint32_t after;
        cp_at(t, from, end, &after);
        if (words[i][m] == '\0' && !is_alnum(after) && !is_quote(after)) return from - at;
    }
    return 0;
}

/* Punctuation in front of a word, from `at` on; returns where the word begins. */
static size_t take_opening(tokenizer *t, size_t at, size_t end)
{
    while (at < end) {
        uint32_t cp, next;
        size_t n = cp_at(t, at, end, &cp), run;
        if ((run = run_of(t, at, end, '-', 2)) > 0 || (run = run_of(t, at, end, '_', 2)) > 0 ||
            (run = run_of(t, at, end, '=', 2)) > 0) {
            add_mark(t, at, at + run, cp == '-' ? "—" : "");
            at += run;
            continue;
        }
        cp_at(t, at + n, end, &next);
        if (elided_at(t, at, end) > 0) return at;
        if (is_quote(cp) && at + n < end && is_alnum(next)) {
            /* An apostrophe before a digit or in 'em, 'tis belongs to the word; so it does when no
             * quote closes later. */
            const char *close = memchr(t->text + at + n, '\n', t->length - at - n);
            size_t stop = close != NULL ? (size_t)(close - t->text) : t->length;
            if (stop > at + QUOTE_BYTES_MAX) stop = at + QUOTE_BYTES_MAX;
            bool closes = false;
            for (size_t i = at + n; i < stop && !closes; i++) {
                uint32_t q, after;
                size_t m = vx_utf8_decode(t->text + i, stop - i, &q);
                if (m == 0 || !is_quote(q)) continue;
                cp_at(t, i + m, stop, &after);
                closes = !is_alnum(after);
            }
            if (cp != 0x2018 && (!closes || (next >= '0' && next <= '9'))) return at;
            t->quotes++;
            add_mark(t, at, at + n, "“");
            at += n;
            continue;
        }
        const char *mark = mark_of(cp, !(cp == '"' && t->doubled));
        if (cp == '"') t->doubled = !t->doubled;
        if (mark == NULL && is_silent_sign(cp) && at + n < end && !starts_number(t, at + n, end))
            mark = "";
        if (mark == NULL || (cp == '.' && (starts_number(t, at, end) || starts_domain(t, at, end))))
            return at;
        add_mark(t, at, at + n, mark);
        at += n;
    }
    return at;
}

/* Where the word ends that begins at `at`: before the punctuation that closes it. */
static size_t closing_starts(const tokenizer *t, size_t at, size_t end)
{
    while (end > at) {
        uint32_t cp, before;
        size_t n = vx_utf8_before(t->text, end, &cp);
        vx_utf8_before(t->text, end - n, &before);
        if (end - n <= at) before = 0;
        bool strip = mark_of(cp, false) != NULL || (is_silent_sign(cp) && end - n > at);
        if (cp == '-') strip = before == '-' || end - n > at;
        if (is_quote(cp)) /* the s' of a plural owner stays unless a quote is open */
            strip = t->quotes > 0 || (before != 's' && before != 'n') || before == 0;
        if (!strip) return end;
        end -= n;
    }
    return end;
}

static void take_closing(tokenizer *t, size_t at, size_t end)
{
    while (at < end) {
        uint32_t cp;
        size_t n = cp_at(t, at, end, &cp), run = run_of(t, at, end, '-', 2);
        if (run > 0) {
            add_mark(t, at, at + run, "—");
            at += run;
            continue;
        }
        const char *mark = mark_of(cp, false);
        /* 12" with no quote open is a size, not speech. */
        if (cp == '"' && !t->doubled && at > 0 && vx_is_digit(t->text[at - 1])) mark = "";
        if (cp == '"') t->doubled = false;
        if (is_quote(cp)) {
            mark = t->quotes > 0 ? "”" : "";
            if (t->quotes > 0) t->quotes--;
        }
        add_mark(t, at, at + n, mark != NULL ? mark : "");
        at += n;
    }
}

static bool is_url(const char *word, size_t length)
{
    /* "path?q=1" */
    const char *query = memchr(word, '?', length);
    size_t name = query != NULL ? (size_t)(query - word) + 1 : length;
    size_t letters = vx_letters_at(word, length, name);
    if (letters > 0 && vx_word_at(word, length, name + letters, "=")) return true;
    return (length > 4 && memcmp(word, "www.", 4) == 0) || memmem(word, length, "://", 3) != NULL;
}

/* "Ph.D", "Ed.D": two letters, a point and one more. */
static bool is_degree(const tokenizer *t, size_t start, size_t at, size_t end)
{
    return at - start == 2 && vx_is_letter(t->text[at - 2]) && vx_is_letter(t->text[at + 1]) &&
           (at + 2 == end || !vx_is_letter(t->text[at + 2]));
}

/* Bytes of punctuation inside a word that part it in two, 0 for none; *mark is what it says. */
static size_t parts_here(const tokenizer *t, size_t start, size_t at, size_t end, const char **mark)
{
    uint32_t cp, before, after;
    size_t n = cp_at(t, at, end, &cp), run;
    vx_utf8_before(t->text, at, &before);
    *mark = mark_of(cp, false);
    if ((run = run_of(t, at, end, '-', 2)) > 0) {
        *mark = "—";
        return run;
    }
    if ((run = run_of(t, at, end, '.', 2)) > 0) {
        *mark = "…";
        return run;
    }
    cp_at(t, at + n, end, &after);
    bool in_digits = before >= '0' && before <= '9' && after >= '0' && after <= '9';
    switch (cp) {
    case ',':
    case ':':
        return in_digits || (cp == ':' && is_url(t->text + start, end - start)) ? 0 : n;
    case '.':
        /* "end.Next" lacks its space; "Ph.D" does not. */
        return vx_cp_lower(before) && vx_cp_upper(after) && !is_degree(t, start, at, end) ? n : 0;
    case '?':
    case '*':
    case '^':
        return is_url(t->text + start, end - start) ? 0 : n;
    case 0x2013:
        return in_digits ? 0 : n;
    default:
        return *mark != NULL && *mark[0] != '\0' ? n : cp == '|' || cp == '\\' ? n : 0;
    }
}

/* A word without punctuation around it. */
static void take_word(tokenizer *t, size_t start, size_t end)
{
    size_t from = start;
    for (size_t at = start; at < end;) {
        const char *mark = NULL;
        uint32_t cp;
        size_t n = cp_at(t, at, end, &cp);
        size_t part = at > from ? parts_here(t, start, at, end, &mark) : 0;
        if (part > 0) {
            add_token(t, VX_TOKEN_WORD, from, at);
            add_mark(t, at, at + part, mark);
            from = at = at + part;
            continue;
        }
        at += n;
        if (at - from > WORD_BYTES_MAX) {
            add_token(t, VX_TOKEN_WORD, from, at);
            from = at;
        }
    }
    if (from < end) {
        vx_token *token = add_token(t, VX_TOKEN_WORD, from, end);
        token->is_url = is_url(t->text + from, end - from);
    }
}

/* A piece of text without white space. */
static void take_piece(tokenizer *t, size_t start, size_t end)
{
    if (end - start == 1 && t->text[start] == '-') { /* a dash, or the bullet of a first line */
        add_mark(t, start, end, t->tokens->count > 0 ? "—" : "");
        return;
    }
    size_t word = take_opening(t, start, end);
    size_t close = closing_starts(t, word + elided_at(t, word, end), end);
    if (close > word) take_word(t, word, close);
    take_closing(t, close, end);
}

static void mark_space(tokenizer *t)
{
    if (t->tokens->count > 0) t->tokens->token[t->tokens->count - 1].space_after = true;
}

/* A paragraph ends: with a stop, unless there is one. */
static void end_paragraph(tokenizer *t, size_t at)
{
    t->quotes = 0;
    t->doubled = false;
    for (size_t i = t->tokens->count; i > 0; i--) {
        const vx_token *token = &t->tokens->token[i - 1];
        uint32_t cp = 0;
        if (token->kind != VX_TOKEN_MARK) break;
        vx_utf8_decode(token->mark, strlen(token->mark), &cp);
        if (vx_phoneme_pause(cp)) return;
    }
    if (t->tokens->count == 0) return;
    t->tokens->token[t->tokens->count - 1].space_after = false;
    add_mark(t, at, at, ".");
}

/* The stress that [text](n) asks for, VX_STRESS_NONE for anything else. */
static int parse_stress(const char *text, size_t length)
{
    int sign = length > 0 && text[0] == '-' ? -1 : 1;
    if (length > 0 && (text[0] == '-' || text[0] == '+')) text++, length--;
    if (length == 3 && memcmp(text, "0.5", 3) == 0) return sign;
    if (length == 1 && text[0] >= '0' && text[0] <= '2') return sign * 2 * (text[0] - '0');
    return VX_STRESS_NONE;
}

static void take_run(tokenizer *t, size_t start, size_t end);

/* `[text](what)` at `at`: takes it and returns where it ends, or 0 when it is no such thing. */
static size_t take_link(tokenizer *t, size_t at)
{
    if (t->text[at] != '[' || t->stress != VX_STRESS_NONE) return 0;
    size_t close = at + 1 + strcspn(t->text + at + 1, "]\n");
    if (close == at + 1 || t->text[close] != ']' || t->text[close + 1] != '(') return 0;
    size_t what = close + 2, end = what + strcspn(t->text + what, ")\n");
    if (t->text[end] != ')') return 0;
    size_t length = end - what;
    if (length > 2 && t->text[what] == '/' && t->text[end - 1] == '/') {
        vx_token *token = add_token(t, VX_TOKEN_GIVEN, at + 1, close);
        token->read = (uint32_t)what + 1;
        token->read_length = (uint32_t)length - 2;
    } else {
        int stress = parse_stress(t->text + what, length);
        /* Nested links would recurse: inside one, the stress is set and '[' is a bracket. */
        t->stress = stress == VX_STRESS_NONE ? VX_STRESS_NONE - 1 : stress;
        size_t first = t->tokens->count;
        take_run(t, at + 1, close);
        for (size_t i = first; i < t->tokens->count && stress == VX_STRESS_NONE; i++)
            t->tokens->token[i].stress = VX_STRESS_NONE;
        t->stress = VX_STRESS_NONE;
    }
    return end + 1;
}

static void take_run(tokenizer *t, size_t start, size_t end)
{
    for (size_t at = start; at < end;) {
        char c = t->text[at];
        if (c == ' ' || c == '\n') {
            mark_space(t);
            if (c == '\n') {
                end_paragraph(t, at);
                mark_space(t);
                /* The bullet that began this paragraph is not spoken. */
                if (end - at > 2 && strchr("-*", t->text[at + 1]) != NULL && t->text[at + 2] == ' ')
                    at += 2;
            }
            at++;
            continue;
        }
        size_t link = take_link(t, at);
        if (link > 0) {
            at = link;
            continue;
        }
        size_t stop = at + 1;
        while (stop < end && t->text[stop] != ' ' && t->text[stop] != '\n' &&
               !(t->text[stop] == '[' && strstr(t->text + stop, "](") != NULL))
            stop++;
        take_piece(t, at, stop);
        at = stop;
    }
}

void vx_tokenize(const vx_clean *clean, vx_tokens *tokens)
{
    assert(tokens->room >= VX_TOKENS_MAX);
    tokens->count = 0;
    tokenizer t = {
        .text = clean->text, .length = clean->length, .tokens = tokens, .stress = VX_STRESS_NONE};
    take_run(&t, 0, clean->length);
}

static size_t letters_end(const char *word, size_t at, size_t length)
{
    uint32_t cp, next;
    for (size_t n; (n = vx_utf8_decode(word + at, length - at, &cp)) > 0; at += n) {
        if (vx_cp_letter(cp) || vx_cp_mark(cp)) continue;
        if (!is_quote(cp)) break;
        vx_utf8_decode(word + at + n, length - at - n, &next);
        if (at + n >= length || !vx_cp_letter(next)) break;
    }
    return at;
}

/* "(?:\d?[,.]?\d)+" */
static size_t digits_end(const char *word, size_t at, size_t length)
{
    for (;; at++) {
        if (at < length && word[at] >= '0' && word[at] <= '9') continue;
        if (at + 1 < length && (word[at] == ',' || word[at] == '.') && word[at + 1] >= '0' &&
            word[at + 1] <= '9')
            continue;
        return at;
    }
}

size_t vx_subtoken(const char *word, size_t at, size_t length)
{
    uint32_t first, second = 0, third = 0;
    size_t n = vx_utf8_decode(word + at, length - at, &first);
    size_t m = vx_utf8_decode(word + at + n, length - at - n, &second);
    vx_utf8_decode(word + at + n + m, length - at - n - m, &third);
    if (n == 0) return 1; /* not in clean text */
    size_t end = digits_end(word, at, length);
    if (at == 0 && first == '-' && (end = digits_end(word, 1, length)) > 1) return end;
    if (end > at && first != '-') return end - at;
    if (first == '-' || first == '_' || is_quote(first)) {
        bool quote = is_quote(first);
        for (end = at + n; end < length; end += m) {
            m = vx_utf8_decode(word + end, length - end, &second);
            if (quote ? !is_quote(second) : second != '-' && second != '_') break;
        }
        return end - at;
    }
    if (!vx_cp_letter(first)) return n;
    if (vx_cp_upper(first) && vx_cp_upper(second) && vx_cp_lower(third)) return n;
    end = letters_end(word, at, length);
    bool lower = false;
    for (size_t i = at; i < end; i += m) {
        m = vx_utf8_decode(word + i, end - i, &second);
        if (lower && vx_cp_upper(second)) return i - at;
        if (is_quote(second)) break;
        lower = vx_cp_lower(second);
    }
    return end - at;
}
