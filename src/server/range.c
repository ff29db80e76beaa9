#include "server/range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Digits at *at, which moves on; -1 when there are none, and no more than a file can be long. */
static int64_t number(const char **at)
{
    int64_t value = -1;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        if (value < 0) value = 0;
        if (value > (INT64_MAX - 9) / 10) value = (INT64_MAX - 9) / 10;
        value = value * 10 + (**at - '0');
    }
    return value;
}

vx_range_kind vx_range_parse(const char *header, int64_t size, int64_t *first, int64_t *count)
{
    *first = 0;
    *count = size;
    if (header == NULL || strncasecmp(header, "bytes=", 6) != 0) return VX_RANGE_WHOLE;
    const char *at = header + 6;
    at += strspn(at, " \t");
    int64_t from = number(&at);
    if (*at++ != '-') return VX_RANGE_WHOLE;
    int64_t to = number(&at);
    at += strspn(at, " \t");
    if (*at != '\0' || (from < 0 && to < 0) || (from >= 0 && to >= 0 && to < from))
        return VX_RANGE_WHOLE;
    if (from < 0) { /* the last `to` bytes */
        if (to == 0 || size == 0) return VX_RANGE_BEYOND;
        from = to < size ? size - to : 0;
        to = size - 1;
    }
    if (from >= size) return VX_RANGE_BEYOND;
    if (to < 0 || to >= size) to = size - 1;
    *first = from;
    *count = to - from + 1;
    return VX_RANGE_PART;
}
