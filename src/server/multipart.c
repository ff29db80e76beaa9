#include "server/multipart.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BOUNDARY_MAX = 70, HEADER_MAX = 2048 };

static vx_status fail(vx_error *err, const char *what)
{
    return vx_fail(err, VX_ERR_INPUT, "bad_multipart", "the multipart body %s", what);
}

/* The value of `name` in "a; name=value; name=\"value\"", unquoted; false when it is not there or
 * longer than the room. */
static bool parameter(const char *header, size_t length, const char *name, char *to, size_t room)
{
    size_t name_length = strlen(name), used = 0;
    const char *at = header, *end = header + length;
    bool quoted = false;
    for (; at < end; at++) {
        if (*at == '"') quoted = !quoted;
        if (*at == '\\' && quoted && at + 1 < end) at++;
        if (quoted || *at != ';') continue;
        const char *key = at + 1;
        while (key < end && (*key == ' ' || *key == '\t'))
            key++;
        if ((size_t)(end - key) > name_length && strncasecmp(key, name, name_length) == 0 &&
            key[name_length] == '=') {
            at = key + name_length + 1;
            break;
        }
    }
    if (at >= end) return false;
    quoted = *at == '"';
    for (at += quoted; at < end; at++) {
        if (quoted ? *at == '"' : *at == ';' || *at == ' ' || *at == '\t') break;
        if (quoted && *at == '\\' && at + 1 < end) at++;
        if (used + 1 >= room) return false;
        to[used++] = *at;
    }
    to[used] = '\0';
    return used > 0 && (!quoted || at < end) && memchr(to, '\0', used) == NULL;
}

/* The name of a part by its header's lines; false when it has none. */
static bool part_name(const char *header, size_t bytes, char name[VX_MULTIPART_NAME])
{
    static const char disposition[] = "content-disposition:";
    const char *end = header + bytes;
    for (const char *line = header; line < end;) {
        const char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);
        size_t length = (size_t)((stop != NULL ? stop : end) - line);
        if (length > sizeof disposition - 1 &&
            strncasecmp(line, disposition, sizeof disposition - 1) == 0)
            return parameter(line, length, "name", name, VX_MULTIPART_NAME);
        if (stop == NULL) break;
        line = stop + 2;
    }
    return false;
}

/* One part between `at`, which is behind its boundary's line, and the next boundary. */
static vx_status read_part(vx_multipart *parts, const char *at, const char *next, vx_error *err)
{
    if (parts->count == VX_MULTIPART_PARTS) return fail(err, "has too many parts; send 16 at most");
    vx_part *part = &parts->part[parts->count];
    const char *blank = memmem(at, (size_t)(next - at), "\r\n\r\n", 4);
    if (blank == NULL || blank - at > HEADER_MAX)
        return fail(err, "has a part whose header does not end");
    if (!part_name(at, (size_t)(blank - at), part->name))
        return fail(err, "has a part without a name, or with one that is too long");
    part->data = blank + 4;
    part->bytes = (size_t)(next - part->data);
    parts->count++;
    return VX_OK;
}

vx_status vx_multipart_parse(vx_multipart *parts, const char *content_type, const char *body,
                             size_t bytes, vx_error *err)
{
    char delimiter[BOUNDARY_MAX + 5] = "\r\n--";
    const char *end = body + bytes;
    parts->count = 0;
    if (!parameter(content_type, strlen(content_type), "boundary", delimiter + 4, BOUNDARY_MAX + 1))
        return fail(err, "has no boundary in its content type, or one of more than 70 characters");
    size_t length = strlen(delimiter);
    /* The first delimiter may stand at the very start, where no line ends before it. */
    const char *at = bytes >= length - 2 && memcmp(body, delimiter + 2, length - 2) == 0
                         ? body + length - 2
                         : memmem(body, bytes, delimiter, length);
    if (at == NULL) return fail(err, "does not hold its boundary");
    if (at != body + length - 2) at += length;
    for (;;) {
        if (end - at >= 2 && memcmp(at, "--", 2) == 0) return VX_OK;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (end - at < 2 || memcmp(at, "\r\n", 2) != 0)
            return fail(err, "has something behind a boundary");
        const char *next = memmem(at + 2, (size_t)(end - at - 2), delimiter, length);
        if (next == NULL) return fail(err, "ends before its last boundary");
        VX_TRY(read_part(parts, at + 2, next, err));
        at = next + length;
    }
}

const vx_part *vx_multipart_find(const vx_multipart *parts, const char *name)
{
    for (int i = 0; i < parts->count; i++)
        if (strcmp(parts->part[i].name, name) == 0) return &parts->part[i];
    return NULL;
}
