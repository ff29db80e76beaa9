/* Parts of speech from spelling alone, as far as they change how a word is said.
 *
 * There is no tagger: a word that the lexicon says one way gets no look at all, and the few hundred
 * that it says in two ("record", "use", "read", "live", "that") get rules on the words beside them.
 * Where the rules don't decide, the tag is VX_TAG_NONE and the lexicon's DEFAULT is said. */
#ifndef VX_TEXT_TAGS_H
#define VX_TEXT_TAGS_H

#include "text/tokens.h"
#include "text/words.h"

vx_tag vx_tag_word(const char *text, const vx_tokens *tokens, size_t i);

#endif
