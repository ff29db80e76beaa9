/* What pasted web text holds beside words: character references and tags. */
#ifndef VX_TEXT_ENTITIES_H
#define VX_TEXT_ENTITIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of a character reference at the beginning of the text ("&amp;", "&#39;", one that was
 * encoded twice too) and its character; 0 when none stands there. */
size_t vx_entity_at(const char *text, size_t length, uint32_t *cp);

typedef enum vx_markup {
    VX_MARKUP_NOTHING, /* the words beside it join */
    VX_MARKUP_BLOCK,   /* a paragraph ends */
    VX_MARKUP_COMMA,   /* a short pause */
    VX_MARKUP_PAUSE    /* a long one: <break time="1s"/> */
} vx_markup;

/* The bytes of a tag or a comment at the beginning of the text, a script's and a style's contents
 * with them, and what it does; 0 for a "<" that is none ("a<b", "5 < 6", "<3"). */
size_t vx_markup_at(const char *text, size_t length, vx_markup *what);

#endif
