#include "cli/json_out.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/mem.h"

static bool printed;

vx_status vx_json_write(const char *path, json_t *document, vx_error *err)
{
    /* Nine digits hold every float; times and sizes need fewer. */
    char *text =
        document != NULL ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(document);
    if (text == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to write the JSON");
    size_t length = strlen(text);
    text[length] = '\n'; /* over the terminating NUL: the length is given */
    vx_status status = vx_file_write(path, text, length + 1, err);
    free(text);
    return status;
}

vx_status vx_json_print(json_t *document, vx_error *err)
{
    printed = true;
    return vx_json_write("-", document, err);
}

bool vx_json_printed(void)
{
    return printed;
}

json_t *vx_json_text(const char *text)
{
    size_t length = strlen(text);
    char *clean = vx_heap_text(text, length);
    if (clean == NULL) return NULL;
    for (size_t at = 0; at < length;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)clean + at,
                                                 (utf8proc_ssize_t)(length - at), &c);
        if (used < 1) clean[at] = '?';
        at += used < 1 ? 1 : (size_t)used;
    }
    json_t *json = json_stringn(clean, length);
    vx_heap_free(clean);
    return json;
}

json_t *vx_json_error(const vx_error *err)
{
    json_t *file = err->file[0] != '\0' ? vx_json_text(err->file) : json_null();
    json_t *line = err->line > 0 ? json_integer(err->line) : json_null();
    return json_pack("{s:{s:s, s:o, s:o, s:o}}", "error", "code", err->code, "message",
                     vx_json_text(err->message), "file", file, "line", line);
}
