/* Numbers as English words: "1234" -> "twelve thirty four". Words are lower-case with single
 * spaces between, ready for the lexicon. The readings are those of num2words as misaki 0.9.4 uses
 * it (four digits are a year, no "and" in American English), except that digits after a point are
 * read as written ("1.10" keeps its zero), leading zeros are read, and British numbers have their
 * "and". */
#ifndef VX_TEXT_NUMBERS_H
#define VX_TEXT_NUMBERS_H

#include "text/utf8.h"

/* A sign of money. */
typedef struct vx_currency {
    const char *sign;                      /* UTF-8 */
    const char *one, *many;                /* "dollar", "dollars" */
    const char *hundredth_one, *hundredth; /* "cent", "cents"; NULL when there is none */
} vx_currency;

/* The currency whose sign stands at `text`, or NULL. */
const vx_currency *vx_currency_at(const char *text, size_t length);
/* The same for a code as a word: USD, EUR. */
const vx_currency *vx_currency_code_at(const char *text, size_t length);

/* Digits as a cardinal; over 21 digits, digit by digit. `british` adds "and". */
void vx_number_cardinal(const char *digits, size_t count, bool british, vx_strbuf *out);
void vx_number_ordinal(const char *digits, size_t count, bool british, vx_strbuf *out);
/* Three or four digits as a year: "nineteen oh five". */
void vx_number_year(const char *digits, size_t count, bool british, vx_strbuf *out);
void vx_number_digits(const char *digits, size_t count, vx_strbuf *out);

/* What is left to say after a number's words. */
typedef enum vx_ending { VX_ENDING_NONE, VX_ENDING_S, VX_ENDING_ED, VX_ENDING_ING } vx_ending;

/* Reads a numeric token: digits with , and ., a minus in front when `head` (the token begins its
 * word), an ending of st nd rd th s 's ed 'd ing. Tokens inside a word, as in "B737", are read by
 * digits or pairs. False, nothing written, when it is no such token. */
bool vx_number_token(const char *text, size_t length, bool head, bool british, vx_strbuf *out,
                     vx_ending *ending);

/* An amount of money: digits with , and at most one point; a fraction of two digits is read in
 * hundredths. `unit` NULL: the number alone, for "$5 million". False when it is no such number. */
bool vx_number_money(const char *text, size_t length, const vx_currency *unit, bool british,
                     vx_strbuf *out);

#endif
