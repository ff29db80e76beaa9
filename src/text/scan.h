/* Counted text, looked at byte by byte: what the readers of numbers, times and words share. No
 * function here looks beyond `length`, and none needs a NUL at the end of the text. */
#ifndef VX_TEXT_SCAN_H
#define VX_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

bool vx_is_digit(char c);
bool vx_is_letter(char c); /* ASCII */
/* Whether every byte is one of `set`; true for no bytes at all. */
bool vx_only(const char *text, size_t length, const char *set);
bool vx_has_digit(const char *text, size_t length);

/* The digits, or the ASCII letters, that stand at `at`: how many. */
size_t vx_digits_at(const char *text, size_t length, size_t at);
size_t vx_letters_at(const char *text, size_t length, size_t at);
/* Digits as a number; what is over 99,999 stays over it. */
int vx_digits_value(const char *digits, size_t count);

/* Whether the text is `word`, whether `word` stands at `at`; and the same, capitals or not (`word`
 * in small letters). */
bool vx_text_is(const char *text, size_t length, const char *word);
bool vx_word_at(const char *text, size_t length, size_t at, const char *word);
bool vx_text_is_any_case(const char *text, size_t length, const char *word);
bool vx_word_at_any_case(const char *text, size_t length, size_t at, const char *word);
/* Whether no letter and no digit stands at `at`. */
bool vx_boundary_at(const char *text, size_t length, size_t at);
/* Whether a word stands in a list, which has a space on both sides of every word. */
bool vx_in_list(const char *list, const char *word, size_t length);

#endif
