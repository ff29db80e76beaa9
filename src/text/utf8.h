/* UTF-8: decoding, encoding, classes of characters, normal forms, and text in fixed memory.
 *
 * Unicode data come from utf8proc; nothing here allocates. Code points are uint32_t. */
#ifndef VX_TEXT_UTF8_H
#define VX_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VX_UTF8_MAX = 4 }; /* bytes of the longest code point */

/* Decodes the code point at `text` of which `length` bytes are there. Returns the bytes it takes,
 * 0 when they are no well-formed UTF-8 (overlong forms, surrogates and values past U+10FFFF are
 * not) or when length is 0. */
size_t vx_utf8_decode(const char *text, size_t length, uint32_t *code_point);
/* Writes at most VX_UTF8_MAX bytes, no NUL, and returns how many. The code point must be valid. */
size_t vx_utf8_encode(uint32_t code_point, char *out);
/* The code point that ends just before text[end], in well-formed text; 0 bytes when end is 0. */
size_t vx_utf8_before(const char *text, size_t end, uint32_t *code_point);
/* True when the whole text is well-formed; else *bad (may be NULL) is the offset of the first byte
 * that is not. */
bool vx_utf8_valid(const char *text, size_t length, size_t *bad);
/* Code points in well-formed text. */
size_t vx_utf8_count(const char *text, size_t length);

typedef struct vx_strbuf vx_strbuf;

bool vx_cp_letter(uint32_t code_point); /* categories L* */
bool vx_cp_upper(uint32_t code_point);  /* Lu */
bool vx_cp_lower(uint32_t code_point);  /* Ll */
bool vx_cp_mark(uint32_t code_point);   /* M* */
bool vx_cp_space(uint32_t code_point);  /* Z*, tab, line ends */
/* Appends the first code point of the compatibility decomposition: é gives e, ﬁ gives f. */
void vx_utf8_base(uint32_t code_point, vx_strbuf *out);
/* The value of a decimal digit of any script, -1 for everything else. */
int vx_cp_digit(uint32_t code_point);

/* Text that grows inside memory of a fixed size. What does not fit is not written, and `full` stays
 * set until the owner clears it: check once at the end. `data` is always NUL-terminated. */
struct vx_strbuf {
    char *data;
    size_t length; /* bytes used, NUL excluded */
    size_t room;   /* bytes of memory, NUL included; > 0 */
    bool full;
};

vx_strbuf vx_strbuf_over(char *memory, size_t room);
void vx_strbuf_add(vx_strbuf *buf, const char *text, size_t length); /* all of it or nothing */
void vx_strbuf_put(vx_strbuf *buf, const char *text);                /* a NUL-terminated string */
void vx_strbuf_cp(vx_strbuf *buf, uint32_t code_point);
void vx_strbuf_cut(vx_strbuf *buf, size_t length); /* shortens to `length` bytes */
/* Inserts at a byte offset <= length; all of it or nothing. */
void vx_strbuf_insert(vx_strbuf *buf, size_t at, const char *text, size_t length);

/* Appends the canonical composition (NFC) or, when `compat`, the compatibility composition (NFKC)
 * of well-formed text. Works on segments of a base character and its marks; of more than 31 marks
 * on one base the rest is dropped, so that hostile text costs linear time. */
void vx_utf8_normalize(const char *text, size_t length, bool compat, vx_strbuf *out);
/* The bytes of the first such segment, at least one code point; 0 at the end. */
size_t vx_utf8_segment(const char *text, size_t length);

#endif
