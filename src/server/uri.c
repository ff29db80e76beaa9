#include "server/uri.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes in place; false for what no part of a target may hold. */
static bool decode(char *text, bool is_path)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        int c = (unsigned char)*at;
        if (c == '%') {
            int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0) return false;
            c = high * 16 + low;
            at += 2;
            if (is_path && c == '/') return false;
        } else if (c == '+' && !is_path) {
            c = ' ';
        }
        if (c < 32 || c == 127 || (is_path && c == '\\')) return false;
        *to++ = (char)c;
    }
    *to = '\0';
    return true;
}

static bool parse_path(vx_uri *uri, char *path)
{
    if (path[0] != '/') return false;
    if (path[1] == '\0') return true;
    for (char *at = path; at != NULL;) {
        char *segment = at + 1, *next = strchr(segment, '/');
        if (next != NULL) *next = '\0';
        if (uri->segments == VX_URI_SEGMENTS || !decode(segment, true)) return false;
        if (segment[0] == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
            return false;
        uri->segment[uri->segments++] = segment;
        at = next;
    }
    return true;
}

static bool parse_query(vx_uri *uri, char *query)
{
    for (char *at = query; at != NULL;) {
        char *next = strchr(at, '&');
        if (next != NULL) *next++ = '\0';
        char *value = strchr(at, '=');
        if (value != NULL) *value++ = '\0';
        if (!decode(at, false) || (value != NULL && !decode(value, false))) return false;
        if (at[0] != '\0') {
            if (uri->queries == VX_URI_QUERIES) return false;
            uri->query[uri->queries].name = at;
            uri->query[uri->queries++].value = value != NULL ? value : "";
        }
        at = next;
    }
    return true;
}

bool vx_uri_parse(vx_uri *uri, const char *raw)
{
    size_t length = strlen(raw);
    memset(uri, 0, sizeof *uri);
    if (length >= sizeof uri->text) return false;
    memcpy(uri->text, raw, length + 1);
    char *query = strchr(uri->text, '?');
    if (query != NULL) *query++ = '\0';
    if (parse_path(uri, uri->text) && parse_query(uri, query)) return true;
    uri->segments = uri->queries = 0;
    return false;
}

const char *vx_uri_query(const vx_uri *uri, const char *name)
{
    for (int i = 0; i < uri->queries; i++)
        if (strcmp(uri->query[i].name, name) == 0) return uri->query[i].value;
    return NULL;
}
