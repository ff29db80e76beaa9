#include "text/phonemes.h"

#include <string.h>

#define PRIMARY   "ˈ"
#define SECONDARY "ˌ"
enum { MARK_BYTES = 2 }; /* both marks take two bytes */

static const char known_symbols[] =
    ";:,.!?—…\"()“” "
    "\u0303ʣʥʦʨᵝ\uAB67AIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸ"
    "θœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ";
static const char vowels[] = "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ";
static const char consonants[] = "bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ";
static const char pauses[] = ";:,.!?—…";
static const char heavy[] = "AIOQWYʤʧ";

static bool in_set(const char *set, uint32_t cp)
{
    if (cp == 0) return false;
    char bytes[VX_UTF8_MAX + 1];
    bytes[vx_utf8_encode(cp, bytes)] = '\0';
    return strstr(set, bytes) != NULL;
}

bool vx_phoneme_known(uint32_t cp)
{
    return in_set(known_symbols, cp);
}

bool vx_phoneme_vowel(uint32_t cp)
{
    return in_set(vowels, cp);
}

bool vx_phoneme_consonant(uint32_t cp)
{
    return in_set(consonants, cp);
}

bool vx_phoneme_pause(uint32_t cp)
{
    return in_set(pauses, cp);
}

static bool holds(const char *text, size_t length, const char *mark)
{
    return memmem(text, length, mark, MARK_BYTES) != NULL;
}

bool vx_phonemes_primary(const char *phonemes, size_t length)
{
    return holds(phonemes, length, PRIMARY);
}

int vx_phonemes_weight(const char *phonemes, size_t length)
{
    int weight = 0;
    uint32_t cp;
    for (size_t at = 0, n; (n = vx_utf8_decode(phonemes + at, length - at, &cp)) > 0; at += n)
        weight += in_set(heavy, cp) ? 2 : 1;
    return weight;
}

/* Removes every `mark` from byte `from` on. */
static void remove_mark(vx_strbuf *buf, size_t from, const char *mark)
{
    size_t to = from;
    for (size_t at = from; at < buf->length;) {
        if (strncmp(buf->data + at, mark, MARK_BYTES) == 0)
            at += MARK_BYTES;
        else
            buf->data[to++] = buf->data[at++];
    }
    vx_strbuf_cut(buf, to);
}

static void replace_mark(vx_strbuf *buf, size_t from, const char *mark, const char *by)
{
    char *at = buf->data + from;
    while ((at = strstr(at, mark)) != NULL)
        memcpy(at, by, MARK_BYTES);
}

static void mark_first_vowel(vx_strbuf *buf, size_t from, const char *mark)
{
    uint32_t cp;
    size_t n;
    for (size_t at = from; (n = vx_utf8_decode(buf->data + at, buf->length - at, &cp)) > 0;
         at += n) {
        if (!vx_phoneme_vowel(cp)) continue;
        vx_strbuf_insert(buf, at, mark, MARK_BYTES);
        return;
    }
}

void vx_phonemes_stress(vx_strbuf *buf, size_t from, int stress)
{
    if (stress == VX_STRESS_NONE) return;
    const char *text = buf->data + from;
    bool primary = holds(text, buf->length - from, PRIMARY);
    bool secondary = holds(text, buf->length - from, SECONDARY);
    if (stress < -2) {
        remove_mark(buf, from, PRIMARY);
        remove_mark(buf, from, SECONDARY);
    } else if (stress == -2 || ((stress == 0 || stress == -1) && primary)) {
        remove_mark(buf, from, SECONDARY);
        replace_mark(buf, from, PRIMARY, SECONDARY);
    } else if (stress >= 0 && stress <= 2 && !primary && !secondary) {
        mark_first_vowel(buf, from, SECONDARY);
    } else if (stress >= 2 && !primary && secondary) {
        replace_mark(buf, from, SECONDARY, PRIMARY);
    } else if (stress > 2 && !primary && !secondary) {
        mark_first_vowel(buf, from, PRIMARY);
    }
}
