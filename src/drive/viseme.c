#include "drive/viseme.h"

#include <stddef.h>

/* Openings follow the height of the vowel; the widest, 0.55, is 0.022 of the published network's
 * exp 19.y, and a lip ratio of 0.18 where the official templates' talking clips have 0.24 at their
 * 95th percentile: so a mouth of their speed keeps up with speech. Consonants are nearly closed for
 * the same reason. Rounding and spreading follow the IPA chart. Symbols are Kokoro's (misaki
 * EN_PHONES: A I O Q W Y are diphthongs, T is a flap). */
typedef struct entry {
    uint32_t symbol;
    vx_viseme viseme;
} entry;

#define VOWEL(jaw, lips, shaped)                                                                   \
    {                                                                                              \
        VX_PHONE_VOWEL, false, jaw, lips, shaped, jaw, lips, 1                                     \
    }
#define GLIDE(jaw, lips, jaw_end, lips_end)                                                        \
    {                                                                                              \
        VX_PHONE_VOWEL, true, jaw, lips, 0.8f, jaw_end, lips_end, 1                                \
    }
#define CONSONANT(jaw, lips, shaped, ceiling)                                                      \
    {                                                                                              \
        VX_PHONE_CONSONANT, false, jaw, lips, shaped, jaw, lips, ceiling                           \
    }
#define CLOSURE                                                                                    \
    {                                                                                              \
        VX_PHONE_CLOSURE, false, 0, 0, 0.15f, 0, 0, 0                                              \
    }

static const entry table[] = {
    {0x0251, VOWEL(0.55f, 0, 0.5f)},      /* ɑ */
    {0x0252, VOWEL(0.54f, 0.25f, 0.6f)},  /* ɒ */
    {'a', VOWEL(0.55f, -0.10f, 0.5f)},    /* a */
    {0x00E6, VOWEL(0.54f, -0.35f, 0.7f)}, /* æ */
    {0x028C, VOWEL(0.50f, 0, 0.4f)},      /* ʌ */
    {0x0254, VOWEL(0.50f, 0.45f, 0.8f)},  /* ɔ */
    {0x025B, VOWEL(0.49f, -0.30f, 0.7f)}, /* ɛ */
    {0x025C, VOWEL(0.45f, 0.20f, 0.6f)},  /* ɜ */
    {0x0259, VOWEL(0.44f, 0, 0.2f)},      /* ə */
    {0x1D4A, VOWEL(0.39f, 0, 0.15f)},     /* ᵊ */
    {0x1D7B, VOWEL(0.41f, -0.20f, 0.3f)}, /* ᵻ */
    {0x026A, VOWEL(0.44f, -0.35f, 0.6f)}, /* ɪ */
    {'i', VOWEL(0.41f, -0.70f, 0.9f)},    /* i */
    {'u', VOWEL(0.40f, 0.90f, 1)},        /* u */
    {0x028A, VOWEL(0.43f, 0.55f, 0.8f)},  /* ʊ */
    {'A', GLIDE(0.49f, -0.35f, 0.43f, -0.6f)} /* eɪ */,
    {'I', GLIDE(0.55f, 0, 0.44f, -0.5f)},     /* aɪ */
    {'O', GLIDE(0.50f, 0.45f, 0.41f, 0.85f)}, /* oʊ */
    {'Q', GLIDE(0.47f, 0.20f, 0.41f, 0.8f)},  /* əʊ */
    {'W', GLIDE(0.55f, 0, 0.44f, 0.8f)},      /* aʊ */
    {'Y', GLIDE(0.50f, 0.60f, 0.44f, -0.4f)}, /* ɔɪ */
    {0x0250, VOWEL(0.50f, 0, 0.4f)},          /* ɐ */
    {0x025A, VOWEL(0.44f, 0.20f, 0.5f)},      /* ɚ */
    {'e', VOWEL(0.45f, -0.50f, 0.7f)},        /* e */
    {'o', VOWEL(0.45f, 0.65f, 0.8f)},         /* o */
    {0x0153, VOWEL(0.49f, 0.60f, 0.8f)},      /* œ */
    {0x00F8, VOWEL(0.45f, 0.75f, 0.9f)},      /* ø */
    {'y', VOWEL(0.40f, 0.85f, 1)},            /* y */
    {0x0268, VOWEL(0.41f, -0.20f, 0.3f)},     /* ɨ */
    {0x026F, VOWEL(0.41f, -0.20f, 0.3f)},     /* ɯ */
    {0x0264, VOWEL(0.45f, 0, 0.3f)},          /* ɤ */
    {'p', CLOSURE},
    {'b', CLOSURE},
    {'m', CLOSURE},
    {'f', CONSONANT(0.014f, -0.10f, 0.5f, 0.06f)},
    {'v', CONSONANT(0.014f, -0.10f, 0.5f, 0.06f)},
    {0x028B, CONSONANT(0.014f, -0.10f, 0.5f, 0.06f)}, /* ʋ */
    {0x0278, CONSONANT(0.014f, 0, 0.5f, 0.06f)},      /* ɸ */
    {0x03B2, CONSONANT(0.014f, 0, 0.5f, 0.06f)},      /* β */
    {0x0265, CONSONANT(0.031f, 0.80f, 1, 0.41f)},     /* ɥ */
    {'w', CONSONANT(0.031f, 0.95f, 1, 0.41f)},
    {0x0279, CONSONANT(0.031f, 0.45f, 0.7f, 0.50f)}, /* ɹ */
    {0x0283, CONSONANT(0.018f, 0.50f, 0.8f, 0.25f)}, /* ʃ */
    {0x0292, CONSONANT(0.018f, 0.50f, 0.8f, 0.25f)}, /* ʒ */
    {0x02A7, CONSONANT(0.018f, 0.50f, 0.8f, 0.25f)}, /* ʧ */
    {0x02A4, CONSONANT(0.018f, 0.50f, 0.8f, 0.25f)}, /* ʤ */
    {'s', CONSONANT(0.014f, -0.30f, 0.6f, 0.20f)},
    {'z', CONSONANT(0.014f, -0.30f, 0.6f, 0.20f)},
    {'t', CONSONANT(0.022f, -0.10f, 0.2f, 0.41f)},
    {'d', CONSONANT(0.022f, -0.10f, 0.2f, 0.41f)},
    {'n', CONSONANT(0.022f, -0.10f, 0.2f, 0.50f)},
    {'l', CONSONANT(0.031f, -0.10f, 0.2f, 0.66f)},
    {'T', CONSONANT(0.036f, -0.10f, 0.1f, 0.66f)},    /* flap */
    {0x027E, CONSONANT(0.036f, -0.10f, 0.1f, 0.66f)}, /* ɾ */
    {0x03B8, CONSONANT(0.031f, -0.10f, 0.3f, 0.34f)}, /* θ */
    {0x00F0, CONSONANT(0.031f, -0.10f, 0.3f, 0.34f)}, /* ð */
    {'k', CONSONANT(0.031f, 0, 0.1f, 1)},
    {0x0261, CONSONANT(0.031f, 0, 0.1f, 1)}, /* ɡ */
    {0x014B, CONSONANT(0.031f, 0, 0.1f, 1)}, /* ŋ */
    {'h', CONSONANT(0.040f, 0, 0.05f, 1)},
    {'j', CONSONANT(0.031f, -0.55f, 0.8f, 0.50f)},
};

static bool is_mark(uint32_t cp)
{
    /* ˈ ˌ and the tones */
    return cp == 0x02C8 || cp == 0x02CC || cp == 0x2193 || cp == 0x2192 || cp == 0x2197 ||
           cp == 0x2198;
}

static bool is_length(uint32_t cp)
{
    /* ː, aspiration, palatalisation, nasalisation */
    return cp == 0x02D0 || cp == 0x02B0 || cp == 0x02B2 || cp == 0x0303;
}

static bool is_silence(uint32_t cp)
{
    return cp == ' ' || cp == ';' || cp == ':' || cp == ',' || cp == '.' || cp == '!' ||
           cp == '?' || cp == 0x2014 || cp == 0x2026 || cp == '"' || cp == '(' || cp == ')' ||
           cp == 0x201C || cp == 0x201D || cp == '\n';
}

vx_viseme vx_viseme_of(uint32_t symbol)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].symbol == symbol) return table[i].viseme;
    vx_viseme other = CONSONANT(0.022f, 0, 0.1f, 1);
    if (is_mark(symbol))
        other.kind = VX_PHONE_MARK;
    else if (is_length(symbol))
        other.kind = VX_PHONE_LENGTH;
    else if (is_silence(symbol))
        other.kind = VX_PHONE_SILENCE;
    return other;
}
