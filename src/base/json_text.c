#include "base/json_text.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

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
