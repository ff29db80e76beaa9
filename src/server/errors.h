/* What a failure is to a client: one table from our codes to HTTP's. */
#ifndef VX_SERVER_ERRORS_H
#define VX_SERVER_ERRORS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct vx_http_error {
    int http;         /* 400 … 504 */
    const char *type; /* "invalid_request_error" … */
    const char *code; /* what the client is told */
    bool later;       /* the same request may do later: Retry-After */
    bool never;       /* clients that retry by themselves are told not to */
} vx_http_error;

/* By the error's code, else by its status. */
vx_http_error vx_http_error_of(const vx_error *err);

/* {"error":{message, type, param, code, file?, line?}}. `param` may be NULL. NULL when out of
 * memory. A message that came from an I/O fault names no file of ours. */
json_t *vx_http_error_json(const vx_error *err, const char *param);

#endif
