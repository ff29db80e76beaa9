/* Words that are written alike and said apart, by the words beside them. */
#ifndef VX_TEXT_HETERONYMS_H
#define VX_TEXT_HETERONYMS_H

#include "text/tokens.h"
#include "text/utf8.h"
#include "text/words.h"

/* Appends the phonemes of token i where its neighbours ask for others than the lexicon's, which
 * knows parts of speech (tags.h) but no meanings: "a lead pipe", "the bow of the ship". False,
 * nothing appended, for every other word. */
bool vx_heteronym_say(const vx_words *words, const char *text, const vx_tokens *tokens, size_t i,
                      vx_strbuf *out);

#endif
