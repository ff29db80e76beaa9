/* Units of measure and of money, and words for sizes of numbers.
 *
 * Symbols of the SI and the units beside it: SI Brochure (BIPM, 9th edition), tables 2, 4, 7 and 8.
 * Customary units: NIST Handbook 44, appendix C. Binary prefixes: IEC 80000-13. Currencies: the
 * signs of Unicode's block U+20A0 to U+20C0 and the codes of ISO 4217 that people type. */
#ifndef VX_TEXT_UNITS_H
#define VX_TEXT_UNITS_H

#include <stdbool.h>
#include <stddef.h>

/* How a unit may be written. */
enum {
    VX_UNIT_GLUED = 1,  /* directly behind the number only */
    VX_UNIT_SPACED = 2, /* behind a space only */
    VX_UNIT_AREA = 4    /* powers are said in front: "square meters" */
};

typedef struct vx_unit {
    const char *text, *one, *many;
    int how;
} vx_unit;

/* The longest unit at text[at] that ends a word there; *bytes is its length. NULL when there is
 * none. `spaced`: a space stands before it. */
const vx_unit *vx_unit_at(const char *text, size_t length, size_t at, bool spaced, size_t *bytes);

/* What stands behind "/" in "$5/hr": the word, or NULL; *bytes is its length. */
const char *vx_per_at(const char *text, size_t length, size_t at, size_t *bytes);

/* "thousand" for k, "million" for m and mn …; NULL for others. `spelt` takes only whole words. */
const char *vx_magnitude(const char *word, size_t length, bool spelt);

#endif
