#include "text/utf8.h"

#include <assert.h>
#include <string.h>

#include <utf8proc.h>

enum { SEGMENT_CPS = 32 };

size_t vx_utf8_decode(const char *text, size_t length, uint32_t *code_point)
{
    if (length == 0) return 0;
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n > length) return 0;
    uint32_t cp = s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        cp = cp << 6 | (s[i] & 0x3F);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) return 0;
    *code_point = cp;
    return n;
}

size_t vx_utf8_encode(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3F));
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(lead[n] | cp);
    return n;
}

size_t vx_utf8_before(const char *text, size_t end, uint32_t *code_point)
{
    size_t start = end;
    while (start > 0 && end - start < VX_UTF8_MAX) {
        start--;
        if (((unsigned char)text[start] & 0xC0) != 0x80) break;
    }
    return start == end ? 0 : vx_utf8_decode(text + start, end - start, code_point);
}

bool vx_utf8_valid(const char *text, size_t length, size_t *bad)
{
    uint32_t cp;
    for (size_t at = 0; at < length;) {
        size_t n = vx_utf8_decode(text + at, length - at, &cp);
        if (n == 0) {
            if (bad != NULL) *bad = at;
            return false;
        }
        at += n;
    }
    return true;
}

size_t vx_utf8_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

static utf8proc_category_t category(uint32_t cp)
{
    return utf8proc_category((utf8proc_int32_t)cp);
}

bool vx_cp_letter(uint32_t cp)
{
    if (cp < 0x80) return (cp | 32) >= 'a' && (cp | 32) <= 'z';
    utf8proc_category_t c = category(cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool vx_cp_upper(uint32_t cp)
{
    return cp < 0x80 ? cp >= 'A' && cp <= 'Z' : category(cp) == UTF8PROC_CATEGORY_LU;
}

bool vx_cp_lower(uint32_t cp)
{
    return cp < 0x80 ? cp >= 'a' && cp <= 'z' : category(cp) == UTF8PROC_CATEGORY_LL;
}

bool vx_cp_mark(uint32_t cp)
{
    utf8proc_category_t c = category(cp);
    return c >= UTF8PROC_CATEGORY_MN && c <= UTF8PROC_CATEGORY_ME;
}

bool vx_cp_space(uint32_t cp)
{
    if (cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0x85) return true;
    utf8proc_category_t c = category(cp);
    return c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_ZP;
}

int vx_cp_digit(uint32_t cp)
{
    if (cp < 0x80) return cp >= '0' && cp <= '9' ? (int)(cp - '0') : -1;
    if (category(cp) != UTF8PROC_CATEGORY_ND) return -1;
    /* Digits lie in runs of ten from zero up (Unicode 15, chapter 4.6), and a few runs adjoin. */
    uint32_t zero = cp;
    while (category(zero - 1) == UTF8PROC_CATEGORY_ND)
        zero--;
    return (int)((cp - zero) % 10);
}

vx_strbuf vx_strbuf_over(char *memory, size_t room)
{
    assert(room > 0);
    memory[0] = '\0';
    return (vx_strbuf){.data = memory, .room = room};
}

void vx_strbuf_insert(vx_strbuf *buf, size_t at, const char *text, size_t length)
{
    assert(at <= buf->length);
    if (length >= buf->room - buf->length) {
        buf->full = true;
        return;
    }
    memmove(buf->data + at + length, buf->data + at, buf->length - at + 1);
    memcpy(buf->data + at, text, length);
    buf->length += length;
}

void vx_strbuf_add(vx_strbuf *buf, const char *text, size_t length)
{
    vx_strbuf_insert(buf, buf->length, text, length);
}

void vx_strbuf_put(vx_strbuf *buf, const char *text)
{
    vx_strbuf_add(buf, text, strlen(text));
}

void vx_strbuf_cp(vx_strbuf *buf, uint32_t code_point)
{
    char bytes[VX_UTF8_MAX];
    vx_strbuf_add(buf, bytes, vx_utf8_encode(code_point, bytes));
}

void vx_utf8_base(uint32_t cp, vx_strbuf *out)
{
    utf8proc_int32_t cps[18]; /* the longest, U+FDFA */
    int class = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, cps, 18,
                                                 UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &class);
    vx_strbuf_cp(out, n > 0 ? (uint32_t)cps[0] : cp);
}

void vx_strbuf_cut(vx_strbuf *buf, size_t length)
{
    assert(length <= buf->length);
    buf->length = length;
    buf->data[length] = '\0';
}

/* The letters of a Korean syllable written one by one are no marks, and yet they compose
 * (Unicode 15, chapter 3.12): a vowel after a consonant, a final after both. */
static bool joins_syllable(uint32_t before, uint32_t cp)
{
    if (cp >= 0x1161 && cp <= 0x1175) return before >= 0x1100 && before <= 0x1112;
    if (cp < 0x11A8 || cp > 0x11C2) return false;
    bool open = before >= 0xAC00 && before <= 0xD7A3 && (before - 0xAC00) % 28 == 0;
    return open || (before >= 0x1161 && before <= 0x1175);
}

size_t vx_utf8_segment(const char *text, size_t length)
{
    uint32_t cp, before;
    size_t at = vx_utf8_decode(text, length, &before), n;
    while (at < length && (n = vx_utf8_decode(text + at, length - at, &cp)) > 0 && cp >= 0x300 &&
           (vx_cp_mark(cp) || joins_syllable(before, cp))) {
        at += n;
        before = cp;
    }
    return at;
}

static void normalize_segment(const char *text, size_t length, bool compat, vx_strbuf *out)
{
    /* One code point decomposes into 18 at most (U+FDFA); 31 marks into 4 each. */
    utf8proc_int32_t cps[18 + 4 * SEGMENT_CPS];
    utf8proc_ssize_t used = 0;
    int class = 0;
    /* STABLE: characters that Unicode excludes from composition stay apart. */
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | (compat ? UTF8PROC_COMPAT : 0);
    uint32_t cp;
    int taken = 0;
    for (size_t at = 0; at < length && taken < SEGMENT_CPS; taken++) {
        at += vx_utf8_decode(text + at, length - at, &cp);
        utf8proc_ssize_t room = (utf8proc_ssize_t)(sizeof cps / sizeof cps[0]) - used;
        utf8proc_ssize_t n =
            utf8proc_decompose_char((utf8proc_int32_t)cp, cps + used, room, options, &class);
        if (n < 0 || n > room) break;
        used += n;
    }
    /* Canonical order: a stable sort of the marks by combining class. */
    for (utf8proc_ssize_t i = 1; i < used; i++) {
        utf8proc_int32_t c = cps[i];
        int order = utf8proc_get_property(c)->combining_class;
        utf8proc_ssize_t j = i;
        for (; order != 0 && j > 0; j--) {
            if (utf8proc_get_property(cps[j - 1])->combining_class <= order) break;
            cps[j] = cps[j - 1];
        }
        cps[j] = c;
    }
    used = utf8proc_normalize_utf32(cps, used, options);
    for (utf8proc_ssize_t i = 0; i < used; i++)
        vx_strbuf_cp(out, (uint32_t)cps[i]);
}

void vx_utf8_normalize(const char *text, size_t length, bool compat, vx_strbuf *out)
{
    for (size_t at = 0; at < length;) {
        size_t n = vx_utf8_segment(text + at, length - at);
        assert(n > 0);
        if (n == 1) /* ASCII alone is its own normal form */
            vx_strbuf_add(out, text + at, 1);
        else
            normalize_segment(text + at, n, compat, out);
        at += n;
    }
}
