/* English text to Kokoro's phonemes.
 *
 *     text -> clean text -> tokens -> readings of numbers and abbreviations
 *          -> words, from right to left, since "the" and "to" depend on what follows:
 *             lexicon, endings, letters; else espeak-ng; else spelt out
 *          -> one phoneme string, and which word owns which symbol
 *
 * The rules are those of misaki 0.9.4, Kokoro's own front end, without its part-of-speech tagger
 * (see tags.h), with `ɾ` written T and `ʔ` written t as Kokoro v1.0 has it.
 *
 * All memory is taken by vx_g2p_open; vx_g2p_text allocates nothing. One handle serves one thread
 * at a time.
 *
 *     vx_g2p *g2p;
 *     VX_TRY(vx_g2p_open(&g2p, &(vx_g2p_params){.lexicon_dir = dir}, err));
 *     vx_g2p_result spoken;
 *     VX_TRY(vx_g2p_text(g2p, text, strlen(text), &spoken, err));
 *     … vx_chunks_cut(spoken.phonemes, spoken.length, …) …
 *     vx_g2p_close(&g2p); */
#ifndef VX_TEXT_G2P_H
#define VX_TEXT_G2P_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/chunks.h"
#include "text/utf8.h"

typedef enum vx_accent { VX_ACCENT_US, VX_ACCENT_GB } vx_accent;

typedef struct vx_g2p_params {
    vx_accent accent;
    /* The folder of us_gold.json and us_silver.json, or gb_…; the silver file may be absent. */
    const char *lexicon_dir;
    bool no_espeak; /* never load espeak-ng */
} vx_g2p_params;

/* A word and the symbols it owns. Spaces inside it ("$5" is "five dollars") are its own; spaces and
 * punctuation between words belong to none. */
typedef struct vx_g2p_word {
    uint32_t text_start, text_length; /* bytes of the input */
    uint32_t symbol_start, symbols;   /* code points of the phoneme string; symbols > 0 */
    uint32_t token;                   /* the handle's own */
} vx_g2p_word;

/* Points into the handle; valid until its next call. */
typedef struct vx_g2p_result {
    const char *phonemes; /* NUL-terminated UTF-8; only symbols that Kokoro v1.0 knows */
    size_t length;        /* bytes */
    size_t symbols;       /* code points */
    const vx_g2p_word *words;
    size_t word_count;
    size_t dropped; /* characters of the input that have no sound */
    size_t spelt;   /* words that had to be spelt out */
} vx_g2p_result;

typedef struct vx_g2p vx_g2p;

/* *g2p is NULL on failure: VX_ERR_MISSING without the gold lexicon, VX_ERR_INPUT for a bad one,
 * VX_ERR_MEMORY. A missing espeak-ng is a warning in the log. */
vx_status vx_g2p_open(vx_g2p **g2p, const vx_g2p_params *params, vx_error *err);
void vx_g2p_close(vx_g2p **g2p); /* safe on NULL; sets *g2p to NULL */

/* VX_ERR_INPUT, with a sentence, for text that is no UTF-8, has over VX_TEXT_BYTES_MAX (20,000)
 * bytes, nothing to speak, or more phonemes than there is memory for. Warnings name the
 * characters left out and each word that was spelt out (base/warnings.h). */
vx_status vx_g2p_text(vx_g2p *g2p, const char *text, size_t length, vx_g2p_result *result,
                      vx_error *err);

/* Appends the words that a word of the last result is said as: "five kilometers" for "5km", the
 * word itself for others. Valid until the next call of vx_g2p_text. */
void vx_g2p_spoken(vx_g2p *g2p, const vx_g2p_word *word, vx_strbuf *out);

#endif
