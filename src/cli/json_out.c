#include "cli/json_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/warnings.h"

static bool printed;
static vx_warnings *told; /* the command's */

void vx_json_warnings(vx_warnings *list)
{
    told = list;
}

/* Every document lists the warnings; a slot's report brings its own along. */
static void add_warnings(json_t *document)
{
    if (told == NULL || !json_is_object(document)) return;
    json_t *own = vx_warnings_json(told), *there = json_object_get(document, "warnings");
    if (json_is_array(there))
        json_array_extend(there, own);
    else
        json_object_set(document, "warnings", own);
    json_decref(own);
}

vx_status vx_json_write(const char *path, json_t *document, vx_error *err)
{
    return vx_json_file(path, document, JSON_INDENT(2), err);
}

vx_status vx_json_line(json_t *document, vx_error *err)
{
    printed = true;
    return vx_json_file("-", document, JSON_COMPACT, err);
}

vx_status vx_json_print(json_t *document, vx_error *err)
{
    printed = true;
    add_warnings(document);
    return vx_json_write("-", document, err);
}

bool vx_json_printed(void)
{
    return printed;
}

json_t *vx_json_error(const vx_error *err)
{
    json_t *file = err->file[0] != '\0' ? vx_json_text(err->file) : json_null();
    json_t *line = err->line > 0 ? json_integer(err->line) : json_null();
    return json_pack("{s:{s:s, s:o, s:o, s:o}}", "error", "code", err->code, "message",
                     vx_json_text(err->message), "file", file, "line", line);
}
