/* multipart/form-data (RFC 7578) in memory: parts are views of the body.
 *
 *     vx_multipart parts;
 *     VX_TRY(vx_multipart_parse(&parts, content_type, body, bytes, err));
 *     const vx_part *image = vx_multipart_find(&parts, "image"); */
#ifndef VX_SERVER_MULTIPART_H
#define VX_SERVER_MULTIPART_H

#include "base/status.h"

enum { VX_MULTIPART_PARTS = 16, VX_MULTIPART_NAME = 64 };

/* A file's name that the client sent is not even read: nothing in a request is a path. */
typedef struct vx_part {
    char name[VX_MULTIPART_NAME];
    const char *data; /* not ended by a NUL */
    size_t bytes;
} vx_part;

typedef struct vx_multipart {
    vx_part part[VX_MULTIPART_PARTS];
    int count;
} vx_multipart;

/* VX_ERR_INPUT, "bad_multipart". */
vx_status vx_multipart_parse(vx_multipart *parts, const char *content_type, const char *body,
                             size_t bytes, vx_error *err);
/* The first of that name, NULL when there is none. */
const vx_part *vx_multipart_find(const vx_multipart *parts, const char *name);

#endif
