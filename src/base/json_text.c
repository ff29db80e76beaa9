#include "base/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/mem.h"

enum { ESCAPE_BYTES = 4 };

json_t *vx_json_text(const char *text)
{
    size_t length = strlen(text), used = 0;
    char *clean = vx_heap_alloc(ESCAPE_BYTES * length + 1);
    if (clean == NULL) return NULL;
    for (size_t at = 0; at < length;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t bytes = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
                                                  (utf8proc_ssize_t)(length - at), &c);
        if (bytes < 1) {
            used += (size_t)snprintf(clean + used, ESCAPE_BYTES + 1, "\\x%02x",
                                     (unsigned char)text[at++]);
            continue;
        }
        memcpy(clean + used, text + at, (size_t)bytes);
        used += (size_t)bytes;
        at += (size_t)bytes;
    }
    json_t *json = json_stringn(clean, used);
    vx_heap_free(clean);
    return json;
}

vx_status vx_json_file(const char *path, json_t *document, size_t layout, vx_error *err)
{
    /* Nine digits hold every float; times and sizes need fewer. */
    char *text = document != NULL ? json_dumps(document, layout | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(document);
    if (text == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to write the JSON");
    size_t length = strlen(text);
    text[length] = '\n'; /* over the terminating NUL: the length is given */
    vx_status status = vx_file_write(path, text, length + 1, err);
    free(text);
    return status;
}
