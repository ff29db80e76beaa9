/* JSON of any bytes, and as files. */
#ifndef VX_BASE_JSON_TEXT_H
#define VX_BASE_JSON_TEXT_H

#include <jansson.h>

#include "base/status.h"

/* A JSON string of any text: a byte that is no UTF-8, as a file's name may hold, becomes the four
 * characters \xNN, so that two names stay two. NULL when out of memory. */
json_t *vx_json_text(const char *text);

/* The document and a line break as a file, whole or not at all ("-" is stdout); takes the
 * reference. `layout`: jansson's flags. VX_ERR_MEMORY also for a NULL document: building it ran
 * out; VX_ERR_IO. */
vx_status vx_json_file(const char *path, json_t *document, size_t layout, vx_error *err);

#endif
