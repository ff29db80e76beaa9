/* One Range of bytes (RFC 9110, 14). */
#ifndef VX_SERVER_RANGE_H
#define VX_SERVER_RANGE_H

#include <stdint.h>

typedef enum vx_range_kind {
    VX_RANGE_WHOLE, /* none, several or malformed: the whole file is the answer */
    VX_RANGE_PART,  /* bytes first .. first + count - 1 */
    VX_RANGE_BEYOND /* it begins behind the end */
} vx_range_kind;

/* What a header (may be NULL) asks of `size` bytes. */
vx_range_kind vx_range_parse(const char *header, int64_t size, int64_t *first, int64_t *count);

#endif
