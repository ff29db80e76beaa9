/* Any bytes as a JSON string. */
#ifndef VX_BASE_JSON_TEXT_H
#define VX_BASE_JSON_TEXT_H

#include <jansson.h>

/* A JSON string of any text: a byte that is no UTF-8, as a file's name may hold, becomes the four
 * characters \xNN, so that two names stay two. NULL when out of memory. */
json_t *vx_json_text(const char *text);

#endif
