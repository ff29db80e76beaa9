/* JSON that goes out: to stdout, to files, and the error document. */
#ifndef VX_CLI_JSON_OUT_H
#define VX_CLI_JSON_OUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/json_text.h"
#include "base/warnings.h"
#include "base/status.h"

/* Each takes the reference. A NULL document is VX_ERR_MEMORY: building it ran out. */

/* The command's warnings, which every printed object then lists under
 * "warnings"; kept, not copied. */
void vx_json_warnings(vx_warnings *list);

/* One document and a line break on stdout. */
vx_status vx_json_print(json_t *document, vx_error *err);
/* The same into a file, whole or not at all; "-" is stdout. */
vx_status vx_json_write(const char *path, json_t *document, vx_error *err);

/* The same in one line, of which there may be many, and without the command's warnings. */
vx_status vx_json_line(json_t *document, vx_error *err);

/* Whether a document has gone to stdout: there is one at most, or there are lines. */
bool vx_json_printed(void);

/* {"error": {code, message, file, line}}; file and line are null when unknown. */
json_t *vx_json_error(const vx_error *err);

#endif
