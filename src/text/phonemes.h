/* The phoneme alphabet of Kokoro and misaki: classes of symbols and the rules of stress.
 *
 * A phoneme string is UTF-8. Sources: hexgrad/misaki 0.9.4 (en.py, EN_PHONES.md) and the vocabulary
 * in Kokoro-82M v1.0's config.json. */
#ifndef VX_TEXT_PHONEMES_H
#define VX_TEXT_PHONEMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/utf8.h"

/* Stress asked of a word, in halves so that it is whole: 2 makes it stressed, 1 gives it a weak
 * stress when it has none, -1 weakens it, -4 removes every mark. */
enum { VX_STRESS_NONE = 127 };

/* Whether Kokoro v1.0 has a symbol for the code point. */
bool vx_phoneme_known(uint32_t code_point);
bool vx_phoneme_vowel(uint32_t code_point);
bool vx_phoneme_consonant(uint32_t code_point);
/* One of ; : , . ! ? — … — what ends a clause. */
bool vx_phoneme_pause(uint32_t code_point);

bool vx_phonemes_primary(const char *phonemes, size_t length); /* holds ˈ */
/* The length that a compound's parts are compared by: 2 for diphthongs and affricates, else 1. */
int vx_phonemes_weight(const char *phonemes, size_t length);

/* Applies a stress to the phonemes from byte `from` to the end of the buffer. */
void vx_phonemes_stress(vx_strbuf *buf, size_t from, int stress_halves);

#endif
