/* One English word to phonemes: lexicon, special words, endings, letters.
 *
 * The rules are misaki's (hexgrad/misaki 0.9.4, class Lexicon), so that Kokoro hears what it was
 * trained on: gold lexicon, then silver, then the endings -s, -ed and -ing on a known stem, then,
 * for a word in capitals, its letters. Words are ASCII; what is not is unknown here. */
#ifndef VX_TEXT_WORDS_H
#define VX_TEXT_WORDS_H

#include "text/lexicon.h"
#include "text/utf8.h"

enum {
    VX_WORD_BYTES_MAX = 64
}; /* longer words are unknown; the lexicon's longest has 45 letters */

/* Parts of speech as far as they change a pronunciation. */
typedef enum vx_tag {
    VX_TAG_NONE, /* not known: the lexicon's DEFAULT */
    VX_TAG_NOUN,
    VX_TAG_NAME, /* proper noun */
    VX_TAG_VERB,
    VX_TAG_PAST, /* past tense or participle */
    VX_TAG_ADJ,
    VX_TAG_ADV,
    VX_TAG_DETERMINER,
    VX_TAG_PREPOSITION,
    VX_TAG_PARTICLE,
    VX_TAG_LETTER /* a letter that stands for itself, as in "vitamin A" */
} vx_tag;

typedef struct vx_words {
    const vx_lexicon *gold;
    const vx_lexicon *silver; /* may be NULL */
    bool british;
} vx_words;

/* What follows the word. */
typedef enum vx_next { VX_NEXT_PAUSE, VX_NEXT_CONSONANT, VX_NEXT_VOWEL } vx_next;
typedef struct vx_word_context {
    vx_next next;
    bool next_is_to; /* the next word is "to" */
} vx_word_context;

/* Appends the phonemes of a word; false, with `out` unchanged, when it is unknown. `context` may be
 * NULL: nothing is known of what follows. */
bool vx_words_say(const vx_words *words, const char *word, size_t length, vx_tag tag,
                  const vx_word_context *context, vx_strbuf *out);

/* The same for plain lexicon words with single spaces between, as the number reader makes them: no
 * endings, no context; "point" is unstressed. False when one is unknown. */
bool vx_words_read(const vx_words *words, const char *text, size_t length, vx_strbuf *out);

/* Letter by letter: all letters of the text, accents dropped, weak stress but for the last. False
 * when the text has none that the lexicon can name. */
bool vx_words_spell(const vx_words *words, const char *text, size_t length, vx_strbuf *out);

/* Adds an ending's sound to the phonemes from byte `from` on. False, unchanged, when it cannot. */
bool vx_words_add_s(const vx_words *words, vx_strbuf *out, size_t from);
bool vx_words_add_ed(const vx_words *words, vx_strbuf *out, size_t from);
bool vx_words_add_ing(const vx_words *words, vx_strbuf *out, size_t from);

#endif
