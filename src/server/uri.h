/* Request targets: "/api/v1/slots/ID?wait=1" as segments and a query.
 *
 * A target is decoded exactly once, after it was cut at its slashes. What nobody needs and proxies
 * disagree about is refused: an encoded slash, backslash or NUL, bytes below 32, 127, "." and "..",
 * empty segments, absolute targets. */
#ifndef VX_SERVER_URI_H
#define VX_SERVER_URI_H

#include <stdbool.h>
#include <stddef.h>

enum { VX_URI_SEGMENTS = 6, VX_URI_QUERIES = 16, VX_URI_BYTES = 2048 };

typedef struct vx_uri {
    char text[VX_URI_BYTES]; /* what the rest points into */
    const char *segment[VX_URI_SEGMENTS];
    int segments;
    struct {
        const char *name, *value; /* "" when there is no '=' */
    } query[VX_URI_QUERIES];
    int queries;
} vx_uri;

/* False: it is none of ours, and *uri is without segments. */
bool vx_uri_parse(vx_uri *uri, const char *raw);
/* The first value of a name; NULL when it is not there. */
const char *vx_uri_query(const vx_uri *uri, const char *name);

#endif
