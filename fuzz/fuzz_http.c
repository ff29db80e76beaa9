/* Targets and ranges from any bytes: the first line is a Range, the rest a target. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/http.h"
#include "server/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const char *header)
{
    for (int64_t length = 0; length < 300; length += 100) {
        int64_t first, count;
        vx_range_kind kind = vx_range_parse(header, length, &first, &count);
        if (kind == VX_RANGE_PART && (first < 0 || count < 1 || first + count > length)) abort();
        if (kind != VX_RANGE_PART && (first != 0 || count != length)) abort();
    }
}

static void check_target(const char *target)
{
    vx_uri uri;
    const char *id, *name;
    bool other;
    char methods[48];
    if (!vx_uri_parse(&uri, target)) {
        if (uri.segments != 0 || uri.queries != 0) abort();
        return;
    }
    for (int i = 0; i < uri.segments; i++) {
        const char *s = uri.segment[i];
        if (s[0] == '\0' || strchr(s, '/') != NULL || strchr(s, '\\') != NULL ||
            strcmp(s, "..") == 0)
            abort();
        for (; *s != '\0'; s++)
            if ((unsigned char)*s < 32) abort();
    }
    (void)vx_route_find(&uri, "GET", &id, &name, &other);
    vx_route_methods(&uri, methods, sizeof methods);
    (void)vx_uri_query(&uri, "ticket");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    if (line == NULL) return 0;
    char *range = vx_heap_text((const char *)data, (size_t)(line - data));
    char *target = vx_heap_text((const char *)line + 1, size - (size_t)(line - data) - 1);
    check_range(range);
    check_target(target);
    vx_heap_free(range);
    vx_heap_free(target);
    return 0;
}
