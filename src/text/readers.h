/* Readers: each looks at the clean text from a token on and takes what it knows as one thing, a
 * time, a telephone number, an amount. */
#ifndef VX_TEXT_READERS_H
#define VX_TEXT_READERS_H

#include "text/expand.h"

/* Writes the words of what stands at the beginning of `text`, where token i begins, to x->readings
 * and returns how many bytes that is; 0, whatever is written, when it is nothing of its kind. The
 * bytes must end where a token ends, or the reading is not used. `length` ends with the paragraph
 * or after a few hundred bytes. */
typedef size_t vx_reader(vx_expansion *x, size_t i, const char *text, size_t length);

/* numbers that are read digit by digit: phone.c */
vx_reader vx_read_address, vx_read_phone, vx_read_code;
/* times.c */
vx_reader vx_read_days, vx_read_date, vx_read_time, vx_read_day;
/* quantity.c */
vx_reader vx_read_quantity;
/* abbreviations.c */
vx_reader vx_read_numbered;
/* maths.c */
vx_reader vx_read_slashed, vx_read_height, vx_read_power, vx_read_fraction, vx_read_range,
    vx_read_list;

/* Gives token i, and those behind it that the reader takes in, the reader's reading; false, nothing
 * done, when it is nothing of its kind. */
bool vx_expand_by(vx_expansion *x, size_t i, vx_reader *reader);

/* Words into the reading under work, a space before them. */
void vx_put_words(vx_expansion *x, const char *words);
void vx_put_cardinal(vx_expansion *x, const char *digits, size_t count);
/* A number that counts something: four digits are no year, a point is read. */
void vx_put_amount(vx_expansion *x, const char *number, size_t length);
/* The text's word ends before text[at], a space, and the next begins; at 0 takes that back. */
void vx_expand_split(vx_expansion *x, size_t at);
/* A part: "three quarters", and behind a whole number "and a half". */
void vx_put_fraction(vx_expansion *x, int top, const char *bottom, size_t count);
void vx_put_and_fraction(vx_expansion *x, int top, const char *bottom, size_t count);

/* "3/4" or "½" at text[at], a part below one that people say: its bytes, 0 when there is none. */
size_t vx_fraction_at(const char *text, size_t length, size_t at, int *top, const char **bottom,
                      size_t *bottom_count);
/* The bytes of - or – between two ends of a range at text[at], spaces allowed when `spaced`. */
size_t vx_dash_at(const char *text, size_t length, size_t at, bool spaced);

#endif
