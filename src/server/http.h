/* A request from its first byte to its answer, on libmicrohttpd.
 *
 * What the library leaves to us is here: one length and never two, deadlines for a whole header and
 * a whole body, Host and Origin, keys, and clients that leave while their request sleeps. A request
 * that is refused still has its body read and thrown away, so that the client sees the answer.
 *
 * A route's function answers by one of vx_reply_*, puts the request to sleep (vx_request_sleep) and
 * is called again when it is woken, or fails with what the client is told. */
#ifndef VX_SERVER_HTTP_H
#define VX_SERVER_HTTP_H

#include <microhttpd.h>

#include "server/multipart.h"
#include "server/server.h"
#include "server/uri.h"

/* A client's socket. */
struct vx_conn {
    vx_server *server;
    vx_listener *listener;
    struct MHD_Connection *connection;
    int fd;
    char address[48];  /* "127.0.0.1"; "unix" */
    double deadline_s; /* shut then; 0: none */
    vx_request *request;
    vx_conn *next;
};

typedef enum vx_method { VX_GET, VX_POST, VX_DELETE, VX_METHODS } vx_method;
/* In that order. */
#define VX_METHOD_NAMES "GET|POST|DELETE"

enum {                         /* of a route */
       VX_ROUTE_OPEN = 1,      /* needs no key */
       VX_ROUTE_JSON = 2,      /* takes application/json */
       VX_ROUTE_MULTIPART = 4, /* takes multipart/form-data */
       VX_ROUTE_EMPTY = 8,     /* a POST that needs no body */
       VX_ROUTE_TICKET = 16,   /* ?ticket= will do for a key */
       VX_ROUTE_PAGE = 32      /* other sites may link to it: it starts nothing, says nothing */
};

typedef struct vx_route {
    vx_method method;
    const char *path; /* "/api/v1/slots/{id}/cancel" */
    vx_status (*run)(vx_request *request, vx_error *err);
    int flags;
    const char *summary, *answer; /* for openapi.json: what it does, the answer's content type */
} vx_route;

/* All routes, ended by one without a path (route.c). */
extern const vx_route vx_routes[];
/* The route of a path, whatever its method; NULL when there is none. Parameters in braces are put
 * into `id` and `name`. */
const vx_route *vx_route_find(const vx_uri *uri, const char *method, const char **id,
                              const char **name, bool *other_method);
/* The methods that a path has, for Allow. */
void vx_route_methods(const vx_uri *uri, char *text, size_t room);
/* openapi.json */
json_t *vx_route_openapi(void);

struct vx_request {
    vx_server *server;
    vx_conn *conn;
    struct MHD_Connection *connection;
    vx_uri uri;
    bool uri_good, begun, head, close, asleep, answered, preflight;
    const vx_route *route;
    const char *id, *name; /* of the path */
    char request_id[64];
    char owner[VX_ENTRY_OWNER], client[VX_CLIENT_NAME];
    char origin[160];         /* that may read the answer; "" for none */
    vx_error refused;         /* decided before the body came; status VX_OK: not refused */
    const char *param;        /* of the error: the key it is about */
    const char *content_type; /* NULL: none */
    char *body;
    size_t body_bytes, body_room;
    double begin_s;
    int http;
    int64_t answer_bytes; /* of what was answered; 0 for streams */
    bool cached;          /* a result, which never changes */
    struct MHD_Response *response;
    /* A request that waits for a job, or made one. */
    char job[VX_ENTRY_ID];
    bool waits, made;
    vx_direct *direct; /* a job that ends with the request */
    /* Bytes that are made while they are read. */
    struct vx_feed *feed;
    int64_t feed_at;
    bool feed_whole; /* it sleeps until all is there */
    /* A stream of events. */
    bool streams, stream_ends;
    int64_t heard;
    char *out;
    size_t out_bytes, out_at;
    double said_s; /* when it last said something */
};

/* ---- answers --------------------------------------------------------------------------------- */

/* `json` is released; NULL is no memory. */
vx_status vx_reply_json(vx_request *request, int http, json_t *json);
/* `text` is malloc's and the answer's then. */
vx_status vx_reply_text(vx_request *request, int http, const char *type, char *text);
/* A file with Range, ETag and If-Range. `etag` is a hash, or NULL; VX_ERR_INPUT "not_ready". */
vx_status vx_reply_file(vx_request *request, const char *path, const char *type, const char *etag,
                        vx_error *err);
/* The request's feed: of its whole length when that is known, else until its end. A job that fails
 * meanwhile breaks the connection. */
vx_status vx_reply_feed(vx_request *request, const char *type);
/* A stream of events: http.c asks vx_stream_fill for more. */
vx_status vx_reply_stream(vx_request *request);
void vx_reply_header(vx_request *request, const char *name, const char *value);

/* The route's function is called again when it is woken. */
void vx_request_sleep(vx_request *request);
void vx_request_wake(vx_request *request);
/* A request header; NULL when it is not there. */
const char *vx_request_header(const vx_request *request, const char *name);
/* "?wait=1" */
bool vx_request_flag(const vx_request *request, const char *name);
/* The body as a JSON object with no keys but those in "a|b|c" (NULL: any); "bad_json". */
vx_status vx_request_json(vx_request *request, const char *keys, json_t **json, vx_error *err);

/* ---- for the loop ---------------------------------------------------------------------------- */

/* Begins to serve a listener whose socket is open. */
vx_status vx_http_open(vx_server *server, vx_listener *listener, vx_error *err);
/* A client whose request sleeps has left. */
void vx_http_gone(vx_conn *conn);
/* Shuts what is over its deadline. */
void vx_http_look(vx_server *server, double now_s);
/* Wakes the requests that wait for a job or listen to events. */
void vx_http_wake_waiting(vx_server *server, const char *job);
void vx_http_wake_streams(vx_server *server);
void vx_http_wake_feeds(vx_server *server);

/* ---- slots.c --------------------------------------------------------------------------------- */

/* More text of a stream in request->out, false: nothing now. */
bool vx_stream_fill(vx_request *request);

#endif
