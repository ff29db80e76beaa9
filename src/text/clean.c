#include "text/clean.h"

#include <assert.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "text/entities.h"
#include "text/expand.h"
#include "text/numbers.h"
#include "text/phonemes.h"
#include "text/scan.h"
#include "text/scripts.h"

/* Signs that have one plain form here. Sorted by code point. */
static const struct plain {
    uint32_t from;
    const char *to;
} plain_forms[] = {
    {0x60, "'"},   {0xAB, "“"},   {0xB4, "'"},   {0xBB, "”"},   {0x2B9, ""},   {0x2BA, ""},
    {0x2BB, ""},   {0x2BC, "'"},  {0x2BD, ""},   {0x2BE, ""},   {0x2BF, ""},   {0x60C, ","},
    {0x61B, ";"},  {0x61F, "?"},  {0x6D4, "."},  {0x964, "."},  {0x2010, "-"}, {0x2011, "-"},
    {0x2012, "–"}, {0x2015, "—"}, {0x2018, "‘"}, {0x2019, "’"}, {0x201A, "‘"}, {0x201B, "‘"},
    {0x201E, "“"}, {0x201F, "“"}, {0x2025, "…"}, {0x2026, "…"}, {0x2032, "’"}, {0x2033, "\""},
    {0x2039, "“"}, {0x203A, "”"}, {0x2212, "-"}, {0x2E3A, "—"}, {0x2E3B, "—"}, {0x3001, ","},
    {0x3002, "."}, {0x300C, "“"}, {0x300D, "”"}, {0x300E, "“"}, {0x300F, "”"}, {0x30FB, " "},
    {0xFF01, "!"}, {0xFF0C, ","}, {0xFF0E, "."}, {0xFF1A, ":"}, {0xFF1B, ";"}, {0xFF1F, "?"},
    {0xFF61, "."}, {0xFF64, ","},
};

vx_status vx_clean_open(vx_clean *clean, vx_error *err)
{
    *clean = (vx_clean){0};
    clean->text = vx_heap_alloc(VX_CLEAN_BYTES_MAX + 1);
    clean->from = vx_heap_alloc(VX_CLEAN_BYTES_MAX * sizeof *clean->from);
    clean->until = vx_heap_alloc(VX_CLEAN_BYTES_MAX * sizeof *clean->until);
    if (clean->text != NULL && clean->from != NULL && clean->until != NULL) return VX_OK;
    vx_clean_close(clean);
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the text front end");
}

void vx_clean_close(vx_clean *clean)
{
    vx_heap_free(clean->text);
    vx_heap_free(clean->from);
    vx_heap_free(clean->until);
    *clean = (vx_clean){0};
}

static const char *plain_form(uint32_t cp)
{
    size_t low = 0, high = sizeof plain_forms / sizeof plain_forms[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (plain_forms[middle].from == cp) return plain_forms[middle].to;
        if (plain_forms[middle].from < cp)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

typedef enum fate { KEEP, FOLD, VANISH, DROP } fate;

static fate fate_of(uint32_t cp)
{
    if (cp < 0x80) return cp < 0x20 || cp == 0x7F ? DROP : KEEP;
    /* Signs outside letters and punctuation that have a reading: the tokenizer knows them. */
    static const uint32_t read[] = {0xB2, 0xB3, 0xB7, 0x2030, 0xE3F};
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
        if (cp == read[i]) return KEEP;
    char sign[VX_UTF8_MAX];
    if (vx_currency_at(sign, vx_utf8_encode(cp, sign)) != NULL) return KEEP;
    if (!vx_cp_letter(cp) && vx_sign_reading(cp, '0') != NULL) return KEEP;
    if (vx_phoneme_known(cp)) return KEEP; /* folding would change given phonemes: ᵊ to ə */
    if (cp >= 0x3371 && cp <= 0x33DF) return FOLD; /* units in one cell: ㎞ */
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    /* Fractions such as ½ keep their sign; other numbers such as ① fold to digits. */
    if (c == UTF8PROC_CATEGORY_NO)
        return (cp >= 0xBC && cp <= 0xBE) || (cp >= 0x2150 && cp <= 0x215E) ? KEEP : FOLD;
    if (c == UTF8PROC_CATEGORY_ND) return KEEP;
    if (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_ME) return FOLD;
    if (c == UTF8PROC_CATEGORY_NL) return FOLD;
    if (c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO) return FOLD;
    /* Selectors and joiners belong to an emoji that was counted; the other format characters are
     * invisible by design. */
    if (c == UTF8PROC_CATEGORY_CF) return VANISH;
    return DROP;
}

typedef struct cleaner {
    vx_clean *out;
    vx_strbuf buf;
    size_t start, end; /* the bytes of the input under work */
    size_t power_end;  /* where the last raised digit was written; 0 for none */
    vx_scripts scripts;
} cleaner;

/* Gives the bytes written since `before` their origin. */
static void note_origin(cleaner *c, size_t before)
{
    for (size_t i = before; i < c->buf.length; i++) {
        c->out->from[i] = (uint32_t)c->start;
        c->out->until[i] = (uint32_t)c->end;
    }
}

static void count_dropped(cleaner *c, uint32_t cp)
{
    vx_clean *out = c->out;
    if (out->dropped++ == 0) out->dropped_where = c->start;
    for (size_t i = 0; i < out->dropped_kinds; i++)
        if (out->dropped_cp[i] == cp) return;
    if (out->dropped_kinds < VX_CLEAN_DROPPED_MAX) out->dropped_cp[out->dropped_kinds++] = cp;
}

/* Variation selectors, and marks whose base was left out. */
static bool is_selector(uint32_t cp)
{
    return (cp >= 0xFE00 && cp <= 0xFE0F) || (cp >= 0xE0000 && cp <= 0xE0FFF) ||
           (cp >= 0x1F3FB && cp <= 0x1F3FF) || cp == 0x20E3;
}

/* The scripts with letters that can be said in English: Latin with its extensions, IPA, Greek. */
static bool has_sound(uint32_t cp)
{
    return cp < 0x400 || (cp >= 0x1D00 && cp < 0x2000) || (cp >= 0x2C60 && cp < 0x2C80) ||
           (cp >= 0xA720 && cp < 0xA800) || (cp >= 0xAB30 && cp < 0xAB70);
}

/* Whether a folded segment holds only what can be said. */
static bool folded_well(const char *text, size_t length)
{
    uint32_t cp;
    for (size_t at = 0, n; (n = vx_utf8_decode(text + at, length - at, &cp)) > 0; at += n) {
        if (vx_cp_letter(cp) && !has_sound(cp)) return false;
        if (fate_of(cp) >= VANISH && !vx_cp_space(cp)) return false;
    }
    return length > 0;
}

/* The plain form of a raised digit or minus, NUL for others. ² and ³ are one of them where a digit
 * is raised beside them. */
static char raised(uint32_t cp, bool beside)
{
    if (cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079)) return (char)('0' + (cp - 0x2070));
    if (cp == 0x207B) return '-';
    if (cp == 0xB9) return '1';
    return beside && (cp == 0xB2 || cp == 0xB3) ? (char)('0' + (cp - 0xB0)) : '\0';
}

/* "10⁶" becomes "10^6", which is read as a power; 0 for what is no power. */
static bool put_power(cleaner *c, uint32_t cp, uint32_t next)
{
    size_t length = c->buf.length;
    bool goes_on = length > 0 && c->power_end == length;
    char digit = raised(cp, goes_on || raised(next, false) != '\0');
    bool base = length > 0 && c->buf.data[length - 1] >= '0' && c->buf.data[length - 1] <= '9';
    if (digit == '\0' || (!goes_on && !base)) return false;
    if (!goes_on) vx_strbuf_put(&c->buf, "^");
    vx_strbuf_add(&c->buf, &digit, 1);
    c->power_end = c->buf.length;
    note_origin(c, length);
    return true;
}

static void put_segment(cleaner *c, const char *text, size_t length)
{
    uint32_t cp;
    size_t first = vx_utf8_decode(text, length, &cp), before = c->buf.length;
    const char *plain = plain_form(cp);
    fate what = fate_of(cp);
    vx_scripts_count(&c->scripts, cp);
    if (plain != NULL) {
        vx_strbuf_put(&c->buf, plain);
    } else if (vx_cp_digit(cp) >= 0) {
        vx_strbuf_cp(&c->buf, (uint32_t)('0' + vx_cp_digit(cp)));
    } else if (is_selector(cp) || what == VANISH) {
        return;
    } else if (what == DROP) {
        count_dropped(c, cp);
        vx_strbuf_put(&c->buf, " ");
    } else if (what == KEEP) {
        vx_strbuf_add(&c->buf, text, first);
        /* A mark on a letter stays; one on a digit or sign is decoration. */
        if (vx_cp_letter(cp) && length > first) {
            vx_strbuf_cut(&c->buf, before);
            vx_utf8_normalize(text, length, true, &c->buf);
        }
    } else if (!vx_cp_mark(cp)) { /* a mark without a base says nothing */
        vx_utf8_normalize(text, length, true, &c->buf);
        if (!folded_well(c->buf.data + before, c->buf.length - before)) {
            vx_strbuf_cut(&c->buf, before);
            count_dropped(c, cp);
            vx_strbuf_put(&c->buf, " ");
        }
    }
    note_origin(c, before);
}

/* The bullet that begins a list entry: one of - * • – before a space. */
static bool at_bullet(const char *text, size_t length)
{
    static const char *const bullets[] = {"- ", "* ", "• ", "– ", "— "};
    for (size_t i = 0; i < sizeof bullets / sizeof bullets[0]; i++) {
        size_t n = strlen(bullets[i]);
        if (length >= n && memcmp(text, bullets[i], n) == 0) return true;
    }
    return false;
}

/* A space, or the end of a paragraph; none twice. */
static void put_gap(cleaner *c, bool paragraph)
{
    size_t before = c->buf.length;
    char last = before > 0 ? c->buf.data[before - 1] : '\n';
    if (paragraph && last == ' ') {
        c->buf.data[before - 1] = '\n';
    } else if (last != ' ' && last != '\n') {
        vx_strbuf_put(&c->buf, paragraph ? "\n" : " ");
        note_origin(c, before);
    }
}

/* Takes a run of white space at `at` and returns where it ends. */
static size_t put_space(cleaner *c, const char *text, size_t length, size_t at)
{
    c->start = at;
    int lines = 0;
    uint32_t cp;
    size_t n;
    bool after_cr = false;
    while ((n = vx_utf8_decode(text + at, length - at, &cp)) > 0 && vx_cp_space(cp)) {
        lines += cp == '\r' || (cp == '\n' && !after_cr) || cp == 0x85 || cp == 0x2028;
        lines += cp == 0x2029 ? 2 : 0;
        after_cr = cp == '\r';
        at += n;
    }
    c->end = at;
    put_gap(c, lines > 1 || (lines == 1 && at_bullet(text + at, length - at)));
    return at;
}
static vx_status check_input(const char *text, size_t length, vx_error *err)
{
    if (length > VX_TEXT_BYTES_MAX)
        return vx_fail(err, VX_ERR_INPUT, "text_too_long",
                       "the text has %zu bytes and at most %d are spoken at once: cut it into "
                       "several jobs",
                       length, VX_TEXT_BYTES_MAX);
    bool marked =
        length > 1 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0);
    const char *nul = memchr(text, '\0', length);
    if (marked || nul != NULL)
        return vx_fail(err, VX_ERR_INPUT, "bad_utf8",
                       "the text is UTF-16 or no text at all%s: save it as UTF-8",
                       marked ? " (it begins with UTF-16's mark)" : ", for it holds NUL bytes");
    size_t where;
    if (!vx_utf8_valid(text, length, &where))
        return vx_fail(err, VX_ERR_INPUT, "bad_utf8",
                       "the text is not UTF-8: byte 0x%02X at offset %zu does not belong there; "
                       "save it as UTF-8",
                       (unsigned char)text[where], where);
    return VX_OK;
}

/* A tag or a character reference at `at`: takes it and returns where it ends, or `at`. */
static size_t put_markup(cleaner *c, const char *text, size_t length, size_t at)
{
    uint32_t cp = 0;
    vx_markup what = VX_MARKUP_NOTHING;
    size_t tag = vx_markup_at(text + at, length - at, &what);
    size_t entity = tag == 0 ? vx_entity_at(text + at, length - at, &cp) : 0;
    if (tag + entity == 0) return at;
    c->start = at;
    c->end = at + tag + entity;
    size_t before = c->buf.length;
    char plain[VX_UTF8_MAX];
    if (tag > 0 && what == VX_MARKUP_BLOCK)
        put_gap(c, true);
    else if (tag > 0 && what != VX_MARKUP_NOTHING)
        vx_strbuf_put(&c->buf, what == VX_MARKUP_COMMA ? ", " : " … ");
    else if (tag == 0 && vx_cp_space(cp))
        put_gap(c, false);
    else if (tag == 0)
        put_segment(c, plain, vx_utf8_encode(cp, plain));
    note_origin(c, before);
    return c->end;
}

/* Signs of two characters: "<=" is ≤. Returns their bytes. */
static size_t put_pair(cleaner *c, const char *text, size_t length)
{
    static const char *const pairs[][2] = {{"<=", "≤"}, {">=", "≥"}, {"!=", "≠"}, {"->", "→"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!vx_word_at(text, length, 0, pairs[i][0])) continue;
        size_t before = c->buf.length;
        c->end = c->start + 2;
        vx_strbuf_put(&c->buf, pairs[i][1]);
        note_origin(c, before);
        return 2;
    }
    return 0;
}

static vx_status clean_all(cleaner *c, const char *text, size_t length, vx_error *err)
{
    for (size_t at = 0; at < length;) {
        uint32_t cp, next = 0;
        size_t n = vx_utf8_decode(text + at, length - at, &cp);
        size_t markup = cp == '<' || cp == '&' ? put_markup(c, text, length, at) : at;
        if (markup > at) {
            at = markup;
            continue;
        }
        if (vx_cp_space(cp)) {
            at = put_space(c, text, length, at);
            continue;
        }
        c->start = at;
        size_t pair = put_pair(c, text + at, length - at);
        if (pair > 0) {
            at += pair;
            continue;
        }
        c->end = at + vx_utf8_segment(text + at, length - at);
        vx_utf8_decode(text + at + n, length - at - n, &next);
        if (!put_power(c, cp, next)) put_segment(c, text + at, c->end - at);
        at = c->end;
    }
    if (c->buf.full)
        return vx_fail(err, VX_ERR_INPUT, "text_too_long",
                       "the text has more than %d bytes in its normal form: cut it into several "
                       "jobs",
                       VX_CLEAN_BYTES_MAX);
    return VX_OK;
}

vx_status vx_clean_text(vx_clean *clean, const char *text, size_t length, vx_error *err)
{
    clean->length = clean->dropped = clean->dropped_kinds = 0;
    clean->text[0] = '\0';
    VX_TRY(check_input(text, length, err));
    cleaner c = {.out = clean, .buf = vx_strbuf_over(clean->text, VX_CLEAN_BYTES_MAX + 1)};
    VX_TRY(clean_all(&c, text, length, err));
    const char *script = vx_scripts_foreign(&c.scripts);
    if (script != NULL)
        return vx_fail(err, VX_ERR_INPUT, "text_unspeakable",
                       "only English is spoken; this text is mostly %s: give an English text",
                       script);
    clean->length = c.buf.length;
    if (vx_only(clean->text, clean->length, " \n"))
        return vx_fail(err, VX_ERR_INPUT, "no_text",
                       "there is nothing to speak: the text is empty or holds only signs that "
                       "have no sound");
    return VX_OK;
}
