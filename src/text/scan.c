#include "text/scan.h"

#include <string.h>

#include "text/utf8.h"

bool vx_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool vx_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool vx_only(const char *text, size_t length, const char *set)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || strchr(set, text[i]) == NULL) return false;
    return true;
}

bool vx_has_digit(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (vx_is_digit(text[i])) return true;
    return false;
}

size_t vx_digits_at(const char *text, size_t length, size_t at)
{
    size_t n = 0;
    while (at + n < length && vx_is_digit(text[at + n]))
        n++;
    return n;
}

size_t vx_letters_at(const char *text, size_t length, size_t at)
{
    size_t n = 0;
    while (at + n < length && vx_is_letter(text[at + n]))
        n++;
    return n;
}

int vx_digits_value(const char *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count && value < 100000; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

bool vx_text_is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

bool vx_word_at(const char *text, size_t length, size_t at, const char *word)
{
    size_t n = strlen(word);
    return at <= length && length - at >= n && memcmp(text + at, word, n) == 0;
}

bool vx_word_at_any_case(const char *text, size_t length, size_t at, const char *word)
{
    size_t n = strlen(word);
    if (at > length || length - at < n) return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[at + i];
        if ((c >= 'A' && c <= 'Z' ? c | 32 : c) != word[i]) return false;
    }
    return true;
}

bool vx_text_is_any_case(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && vx_word_at_any_case(text, length, 0, word);
}

bool vx_boundary_at(const char *text, size_t length, size_t at)
{
    uint32_t cp;
    if (at >= length || vx_utf8_decode(text + at, length - at, &cp) == 0) return true;
    return !vx_cp_letter(cp) && !vx_cp_mark(cp) && vx_cp_digit(cp) < 0;
}

bool vx_in_list(const char *list, const char *word, size_t length)
{
    size_t room = strlen(list);
    if (length == 0 || memchr(word, ' ', length) != NULL) return false;
    for (const char *at = list; (at = memmem(at, room - (size_t)(at - list), word, length)) != NULL;
         at++)
        if (at > list && at[-1] == ' ' && at[length] == ' ') return true;
    return false;
}
