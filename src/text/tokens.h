/* Clean text to tokens: words, punctuation marks, and pieces with given phonemes.
 *
 * A word is what stands between white space and punctuation; hyphens, apostrophes, inner points and
 * digits stay in it ("state-of-the-art", "U.S", "$3.50"). A point after a word is always a mark of
 * its own; expanding abbreviations may silence it.
 *
 * `[text](/phonemes/)` gives the text those phonemes; `[text](n)` with n in -2 … 2, also ±0.5, sets
 * its stress; `[text](anything else)` is read as the text. What is not closed is read as it
 * stands. */
#ifndef VX_TEXT_TOKENS_H
#define VX_TEXT_TOKENS_H

#include "text/clean.h"

typedef enum vx_token_kind {
    VX_TOKEN_WORD,
    VX_TOKEN_MARK, /* punctuation; belongs to no word */
    VX_TOKEN_GIVEN /* a word whose phonemes the text gives */
} vx_token_kind;

typedef struct vx_token {
    uint32_t start, length; /* in the clean text */
    /* WORD: in the text of readings, words to say instead; length 0 for none. GIVEN: the phonemes,
     * in the clean text. */
    uint32_t read, read_length;
    uint32_t phonemes, phonemes_length; /* set by the speaker, in its own memory */
    char mark[4];                       /* MARK: the symbol, NUL-terminated; "" for silence */
    uint8_t kind;
    int8_t stress;    /* in halves, VX_STRESS_NONE when the text asks for none */
    bool space_after; /* white space follows */
    bool is_url;      /* points and slashes in it are read */
} vx_token;

typedef struct vx_tokens {
    vx_token *token;
    size_t count, room;
} vx_tokens;

enum { VX_TOKENS_MAX = VX_CLEAN_BYTES_MAX + 2 }; /* every byte a token, and the last stop */

/* Replaces the contents; `tokens` has room for VX_TOKENS_MAX. */
void vx_tokenize(const vx_clean *clean, vx_tokens *tokens);

/* The next part of a word: a run of letters with their apostrophes, of digits, of hyphens, or one
 * other sign; capitals inside a word begin a new part ("YouTube" has two). Bytes of the part at
 * `at` < length. */
size_t vx_subtoken(const char *word, size_t at, size_t length);

#endif
