#include "text/plain.h"

#include <string.h>

/* Greek words in Latin letters: ISO 843's transliteration, h for its macrons. */
static const char *const latin[] = {"a", "v", "g", "d", "e",  "z",  "i", "th", "i",
                                    "k", "l", "m", "n", "x",  "o",  "p", "r",  "s",
                                    "s", "t", "y", "f", "ch", "ps", "o"};

static bool is_greek(uint32_t cp)
{
    return cp >= 0x3B1 && cp <= 0x3C9;
}

/* The small Greek letter without its accents, or the character itself. */
static uint32_t greek_base(uint32_t cp)
{
    if ((cp < 0x370 || cp > 0x3FF) && (cp < 0x1F00 || cp > 0x1FFF)) return cp;
    char base[VX_UTF8_MAX + 1];
    vx_strbuf text = vx_strbuf_over(base, sizeof base);
    uint32_t letter = cp;
    vx_utf8_base(cp, &text);
    vx_utf8_decode(text.data, text.length, &letter);
    return letter >= 0x391 && letter <= 0x3A9 ? letter + 0x20 : letter;
}

static bool is_vowel(uint32_t cp)
{
    return cp < 0x80 ? cp != 0 && strchr("aeiouyAEIOUY", (int)cp) != NULL
                     : (cp >= 0x100 && cp <= 0x12F) || cp == 0x14D || cp == 0x16B;
}

static void put_plain(vx_strbuf *out, uint32_t cp, uint32_t before, uint32_t next)
{
    uint32_t greek = greek_base(cp);
    if (cp == 0x2018 || cp == 0x2019)
        vx_strbuf_put(out, "'");
    else if (is_greek(greek) && (is_greek(greek_base(before)) || is_greek(greek_base(next))))
        vx_strbuf_put(out, latin[greek - 0x3B1]);
    else if (cp == 0x1E5B && next != 0 && !is_vowel(next) && !is_vowel(before))
        vx_strbuf_put(out, "ri"); /* the vowel of Sanskrit: Kṛṣṇa */
    else if (cp == 0x1E63)
        vx_strbuf_put(out, "sh");
    else if ((cp >= 0x1E00 && cp < 0x1F00) || cp == 0x149)
        vx_utf8_base(cp, out);
    else if (!vx_cp_mark(cp))
        vx_strbuf_cp(out, cp);
}

void vx_plain_word(const char *word, size_t length, vx_strbuf *out)
{
    uint32_t cp, before = 0;
    for (size_t at = 0, n; (n = vx_utf8_decode(word + at, length - at, &cp)) > 0; at += n) {
        uint32_t next = 0;
        vx_utf8_decode(word + at + n, length - at - n, &next);
        put_plain(out, cp, before, next);
        before = cp;
    }
}
