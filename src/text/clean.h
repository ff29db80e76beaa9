/* Raw text to clean text: what a user hands in becomes NFC with one kind of each sign, and every
 * byte of it knows where it came from.
 *
 *   - text that is not UTF-8 is refused, with the offset of the first bad byte;
 *   - white space becomes one space; an empty line, or a line that begins with a list bullet,
 *     becomes one '\n': a paragraph ends there. A single line end is a space, for scripts are
 *     wrapped;
 *   - invisible format characters (soft hyphen, joiners, byte order mark) vanish;
 *   - digits of every script become ASCII, full-width forms and ligatures their plain letters,
 *     dashes and quotes one of - – — ' " “ ”, foreign stops their Latin forms;
 *   - HTML's character references are decoded and tags dropped; what ends a line there ends a
 *     paragraph, and <break time="…"/> is a comma or an ellipsis;
 *   - raised digits behind a number become a power: 10⁶ is 10^6;
 *   - emoji, control characters, symbols without a reading and letters of scripts other than Latin
 *     and Greek are left out and counted. */
#ifndef VX_TEXT_CLEAN_H
#define VX_TEXT_CLEAN_H

#include "base/status.h"
#include "text/utf8.h"

enum {
    /* 20,000 bytes are some 20 minutes of speech, 25 times a slot; it bounds the memory. */
    VX_TEXT_BYTES_MAX = 20000,
    VX_CLEAN_BYTES_MAX = 2 * VX_TEXT_BYTES_MAX,
    VX_CLEAN_DROPPED_MAX = 8
};

typedef struct vx_clean {
    char *text; /* NUL-terminated */
    size_t length;
    /* Byte i of the text comes from the bytes [from[i], until[i]) of the input. */
    uint32_t *from, *until;
    size_t dropped;       /* characters left out */
    size_t dropped_where; /* the first one's offset in the input */
    /* Which they are, each once; more kinds than there is room for are only counted. */
    uint32_t dropped_cp[VX_CLEAN_DROPPED_MAX];
    size_t dropped_kinds;
} vx_clean;

/* Takes the memory once; VX_ERR_MEMORY. */
vx_status vx_clean_open(vx_clean *clean, vx_error *err);
void vx_clean_close(vx_clean *clean); /* safe on a zeroed one */

/* Replaces the contents. VX_ERR_INPUT: over VX_TEXT_BYTES_MAX, not UTF-8 (UTF-16 and NUL bytes are
 * named), mostly of a script that is no English's, nothing but white space and characters that are
 * left out. */
vx_status vx_clean_text(vx_clean *clean, const char *text, size_t length, vx_error *err);

#endif
