/* Multipart bodies from any bytes: the first line is the content type, the rest the body. Parts lie in the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    if (line == NULL) return 0;
    char *type = vx_heap_text((const char *)data, (size_t)(line - data));
    const char *body = (const char *)line + 1;
    size_t bytes = size - (size_t)(line - data) - 1;
    vx_multipart parts;
    vx_error err = {0};
    vx_status status = vx_multipart_parse(&parts, type, body, bytes, &err);
    if (status == VX_OK) {
        if (parts.count < 0 || parts.count > VX_MULTIPART_PARTS) abort();
        for (int i = 0; i < parts.count; i++) {
            const vx_part *part = &parts.part[i];
            if (part->data < body || part->data + part->bytes > body + bytes ||
                part->name[0] == '\0')
                abort();
            if (vx_multipart_find(&parts, part->name) == NULL) abort();
        }
    } else if (status != VX_ERR_INPUT || err.message[0] == '\0') {
        abort();
    }
    vx_heap_free(type);
    return 0;
}
