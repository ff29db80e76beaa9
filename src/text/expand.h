/* Words that are not said as they are written: abbreviations, dates, times, money, units, ranges.
 *
 * Each pass looks at the tokens and gives some of them a reading: plain words in a text of its own,
 * to be said instead. A point that belongs to an abbreviation is silenced and joins its word. */
#ifndef VX_TEXT_EXPAND_H
#define VX_TEXT_EXPAND_H

#include "text/tokens.h"

typedef struct vx_expansion {
    const char *text; /* the clean text, NUL-terminated */
    size_t length;
    vx_tokens *tokens;
    bool british;
    vx_strbuf readings; /* tokens' `read` point into it; check `full` at the end */
    /* Where the reading under work may be parted in two words, as "5 km" is: in its text, and in
     * the readings. 0: it is one. */
    size_t split_text, split_reading;
} vx_expansion;

/* Abbreviations, initials, weekdays and months with a point; whether a point ends a sentence. */
void vx_expand_abbreviations(vx_expansion *x);
/* Capitals that are letters though they could be a word (roman.c, initials.c): "Act III" has its
 * number, "LEDs" its letters. False, nothing done, when token i is no such thing. */
bool vx_expand_roman(vx_expansion *x, size_t i);
bool vx_expand_initialism(vx_expansion *x, size_t i);
/* Everything with digits in it. */
void vx_expand_numbers(vx_expansion *x);

/* What a sign or Greek letter inside a word is read as, NULL for others: "=" "equals". `next` is
 * the byte after it: a # is read before a digit only. */
const char *vx_sign_reading(uint32_t code_point, char next);

/* Whether a word, with a capital, begins a sentence rather than goes on with a name: "Nobody". */
bool vx_starts_sentence(const char *word, size_t length);

/* Shared by the passes. A token as text; length 0 when i is out of range or no word. */
const char *vx_expand_word(const vx_expansion *x, size_t i, size_t *length);
/* The nearest word after or before token i with nothing but white space between, or
 * tokens->count. */
size_t vx_expand_next(const vx_expansion *x, size_t i);
size_t vx_expand_previous(const vx_expansion *x, size_t i);
/* A reading is written between begin and end. */
size_t vx_expand_begin(const vx_expansion *x);
void vx_expand_end(vx_expansion *x, size_t i, size_t begin);
void vx_expand_read(vx_expansion *x, size_t i, const char *words);
/* 1 to 12 for a month's name or, `length` permitting, its short form; 0 for others. */
int vx_month(const char *word, size_t length);
const char *vx_month_name(int month); /* lower-case */
/* The whole name of a weekday or its short form (Mon, Tues, Thurs), NULL for others. */
const char *vx_day_name(const char *word, size_t length);

#endif
