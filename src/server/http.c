#include "server/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/access.h"
#include "server/errors.h"
#include "server/feed.h"
#include "server/reply.h"

/* Bodies of all requests together: several of the largest, and never one for each connection. */
enum { BODIES_FACTOR = 4 };

/* ---- connections ----------------------------------------------------------------------------- */

static void name_address(vx_conn *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    const void *bytes = NULL;
    snprintf(conn->address, sizeof conn->address, "unix");
    if (address != NULL && address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)address)->sin_addr;
    if (address != NULL && address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (bytes != NULL) inet_ntop(address->sa_family, bytes, conn->address, sizeof conn->address);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    vx_listener *listener = cls;
    vx_server *server = listener->server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        vx_conn *conn = vx_heap_alloc(sizeof *conn);
        *context = conn;
        if (conn == NULL) return;
        *conn = (vx_conn){.server = server,
                          .listener = listener,
                          .connection = connection,
                          .next = server->conns};
        conn->fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        conn->deadline_s = vx_now_s() + (double)server->serve->header_ms * 1e-3;
        name_address(conn);
        server->conns = conn;
        server->connections++;
        return;
    }
    vx_conn **at = &server->conns;
    while (*at != NULL && *at != *context)
        at = &(*at)->next;
    if (*at == NULL) return;
    vx_conn *conn = *at;
    *at = conn->next;
    server->connections--;
    vx_heap_free(conn);
    *context = NULL;
}

static vx_conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* Whether a client that is to send something never will. The library waits for edges, and does not
 * see the end when it came together with bytes. */
static bool has_left(const vx_conn *conn)
{
    const vx_request *r = conn->request;
    char byte;
    return (r == NULL || (!r->answered && !r->asleep)) &&
           recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void vx_http_look(vx_server *server, double now_s)
{
    for (vx_conn *conn = server->conns; conn != NULL; conn = conn->next) {
        if (has_left(conn)) shutdown(conn->fd, SHUT_RDWR);
        if (conn->deadline_s <= 0 || now_s < conn->deadline_s) continue;
        conn->deadline_s = 0;
        vx_count(&server->metrics, "vortex_http_refused_total",
                 conn->request != NULL ? "reason=\"body_deadline\"" : "reason=\"header_deadline\"");
        shutdown(conn->fd, SHUT_RDWR);
    }
}

/* ---- a request begins ------------------------------------------------------------------------ */

static void *on_uri(void *cls, const char *raw, struct MHD_Connection *connection)
{
    vx_listener *listener = cls;
    vx_request *r = vx_heap_alloc(sizeof *r);
    if (r == NULL) return NULL;
    r->server = listener->server;
    r->connection = connection;
    r->conn = conn_of(connection);
    if (r->conn != NULL) r->conn->request = r;
    r->begin_s = vx_now_s();
    r->uri_good = vx_uri_parse(&r->uri, raw);
    r->server->metrics.in_flight++;
    return r;
}

const char *vx_request_header(const vx_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

bool vx_request_flag(const vx_request *r, const char *name)
{
    const char *value = vx_uri_query(&r->uri, name);
    return value != NULL && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

/* A client's own id when it is sane, else one of ours. */
static void set_request_id(vx_request *r)
{
    const char *given = vx_request_header(r, "X-Request-Id");
    size_t length = given != NULL ? strlen(given) : 0;
    if (length > 0 && length < sizeof r->request_id &&
        strspn(given, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
            length) {
        snprintf(r->request_id, sizeof r->request_id, "%s", given);
        return;
    }
    uint64_t chance[2] = {0, 0};
    (void)!getrandom(chance, sizeof chance, 0);
    snprintf(r->request_id, sizeof r->request_id, "req_%016llx%016llx",
             (unsigned long long)chance[0], (unsigned long long)chance[1]);
}

static bool has_body(const vx_request *r)
{
    const char *length = vx_request_header(r, "Content-Length");
    return vx_request_header(r, "Transfer-Encoding") != NULL ||
           (length != NULL && strcmp(length, "0") != 0);
}

static bool type_is(const char *type, const char *wanted)
{
    size_t length = strlen(wanted);
    return type != NULL && strncasecmp(type, wanted, length) == 0 &&
           (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

/* Whether the body's type is one that the route takes. */
static vx_status check_type(const vx_request *r, vx_error *err)
{
    const char *type = r->content_type;
    int flags = r->route->flags;
    if (r->route->method != VX_POST) return VX_OK;
    if (!has_body(r) && (flags & VX_ROUTE_EMPTY) != 0) return VX_OK;
    if ((flags & VX_ROUTE_JSON) != 0 && type_is(type, "application/json")) return VX_OK;
    if ((flags & VX_ROUTE_MULTIPART) != 0 && type_is(type, "multipart/form-data")) return VX_OK;
    return vx_fail(err, VX_ERR_INPUT, "unsupported_media_type",
                   "this takes %s%s%s; say so in Content-Type",
                   (flags & VX_ROUTE_JSON) != 0 ? "application/json" : "",
                   (flags & VX_ROUTE_JSON) != 0 && (flags & VX_ROUTE_MULTIPART) != 0 ? " or " : "",
                   (flags & VX_ROUTE_MULTIPART) != 0 ? "multipart/form-data" : "");
}

static size_t body_max(const vx_request *r)
{
    size_t bytes = (size_t)r->server->serve->body_bytes;
    if (type_is(r->content_type, "multipart/form-data"))
        bytes += (size_t)r->server->serve->upload_bytes;
    return bytes;
}

static vx_status check_length(const vx_request *r, vx_error *err)
{
    const char *length = vx_request_header(r, "Content-Length");
    if (length == NULL || strtoull(length, NULL, 10) <= body_max(r)) return VX_OK;
    return vx_fail(err, VX_ERR_INPUT, "body_too_large",
                   "the body has %s bytes and may have %zu; send less", length, body_max(r));
}

/* Who asks, for what, and whether that may be. */
static vx_status admit(vx_request *r, const char *method, vx_error *err)
{
    bool other = false;
    VX_TRY(vx_access_framing(r, err));
    if (!r->uri_good)
        return vx_fail(err, VX_ERR_INPUT, "bad_path",
                       "the path holds what no path here does: empty or dotted parts, encoded "
                       "slashes, control characters, or more than 2000 bytes");
    r->head = strcmp(method, "HEAD") == 0;
    r->route = vx_route_find(&r->uri, r->head ? "GET" : method, &r->id, &r->name, &other);
    VX_TRY(vx_access_site(r, err));
    r->preflight = strcmp(method, "OPTIONS") == 0 && r->origin[0] != '\0' && other;
    if (r->preflight) return VX_OK;
    if (r->route == NULL && !other)
        return vx_fail(err, VX_ERR_MISSING, "not_found",
                       "there is nothing at this path; GET /api/v1/openapi.json lists what there "
                       "is");
    if (r->route == NULL)
        return vx_fail(err, VX_ERR_USAGE, "method_not_allowed",
                       "this path has no %.20s; the answer's Allow says what it has", method);
    VX_TRY(vx_access_key(r, err));
    VX_TRY(check_type(r, err));
    return check_length(r, err);
}

static enum MHD_Result begin(vx_request *r, const char *method)
{
    r->begun = true;
    set_request_id(r);
    r->content_type = vx_request_header(r, "Content-Type");
    if (r->conn != NULL)
        r->conn->deadline_s =
            has_body(r) ? vx_now_s() + (double)r->server->serve->body_ms * 1e-3 : 0;
    vx_status status = admit(r, method, &r->refused);
    if (status == VX_OK) return MHD_YES;
    /* Where a request ends is not known, or its body is waited for: the answer is now. */
    if (r->close || vx_request_header(r, "Expect") != NULL) return vx_reply_refused(r);
    return MHD_YES;
}

/* ---- its body -------------------------------------------------------------------------------- */

static void drop_body(vx_request *r)
{
    r->server->body_bytes -= r->body_room;
    vx_heap_free(r->body);
    r->body = NULL;
    r->body_bytes = r->body_room = 0;
}

static void refuse_body(vx_request *r, vx_status status, const char *code, const char *message)
{
    drop_body(r);
    vx_fail(&r->refused, status, code, "%s", message);
}

static void take_body(vx_request *r, const char *data, size_t bytes)
{
    vx_server *s = r->server;
    s->metrics.bytes_in += (int64_t)bytes;
    if (r->refused.status != VX_OK) return;
    size_t most = body_max(r), needed = r->body_bytes + bytes;
    if (needed > most) {
        refuse_body(r, VX_ERR_INPUT, "body_too_large",
                    "the body is longer than is taken; send less");
        return;
    }
    if (needed > r->body_room) {
        size_t room = r->body_room > 0 ? 2 * r->body_room : 4096;
        while (room < needed)
            room *= 2;
        if (room > most) room = most;
        size_t all = (size_t)(s->serve->body_bytes + s->serve->upload_bytes) * BODIES_FACTOR;
        char *grown = s->body_bytes + room - r->body_room <= all
                          ? vx_heap_grow(r->body, room + 1) /* and a NUL */
                          : NULL;
        if (grown == NULL) {
            refuse_body(r, VX_ERR_DEADLINE, "busy",
                        "too many large requests are being read; try again soon");
            return;
        }
        s->body_bytes += room - r->body_room;
        r->body = grown;
        r->body_room = room;
    }
    memcpy(r->body + r->body_bytes, data, bytes);
    r->body_bytes = needed;
    r->body[needed] = '\0';
}

vx_status vx_request_json(vx_request *r, const char *keys, json_t **json, vx_error *err)
{
    json_error_t wrong;
    *json =
        json_loadb(r->body != NULL ? r->body : "", r->body_bytes, JSON_REJECT_DUPLICATES, &wrong);
    if (*json == NULL)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_json", "", wrong.line,
                          "the body is no JSON: %.120s", wrong.text);
    const char *key, *unknown = NULL;
    const json_t *value;
    json_object_foreach(*json, key,
                        value) if (keys != NULL && vx_choice_index(keys, key, strlen(key)) < 0)
        unknown = key;
    (void)value;
    if (json_is_object(*json) && unknown == NULL) return VX_OK;
    if (json_is_object(*json))
        vx_fail(err, VX_ERR_INPUT, "bad_json", "the key '%.60s' is unknown; known are %s", unknown,
                keys);
    else
        vx_fail(err, VX_ERR_INPUT, "bad_json", "the body must be a JSON object");
    json_decref(*json);
    *json = NULL;
    return VX_ERR_INPUT;
}

/* ---- sleep ----------------------------------------------------------------------------------- */

void vx_request_sleep(vx_request *r)
{
    if (r->asleep) return;
    r->asleep = true;
    MHD_suspend_connection(r->connection);
}

void vx_request_wake(vx_request *r)
{
    if (!r->asleep) return;
    r->asleep = false;
    MHD_resume_connection(r->connection);
}

void vx_http_gone(vx_conn *conn)
{
    vx_request *r = conn->request;
    if (r == NULL || !r->asleep) return;
    r->close = true;
    r->stream_ends = true;
    /* The connection ends with the request, whose end says what becomes of its job. */
    shutdown(conn->fd, SHUT_RDWR);
    vx_request_wake(r);
}

void vx_http_wake_waiting(vx_server *server, const char *job)
{
    for (vx_conn *conn = server->conns; conn != NULL; conn = conn->next)
        if (conn->request != NULL && conn->request->waits && strcmp(conn->request->job, job) == 0)
            vx_request_wake(conn->request);
}

void vx_http_wake_streams(vx_server *server)
{
    for (vx_conn *conn = server->conns; conn != NULL; conn = conn->next)
        if (conn->request != NULL && conn->request->streams) vx_request_wake(conn->request);
}

void vx_http_wake_feeds(vx_server *server)
{
    for (vx_conn *conn = server->conns; conn != NULL; conn = conn->next) {
        vx_request *r = conn->request;
        if (r == NULL || !r->asleep || r->feed == NULL) continue;
        if (atomic_load(&r->feed->end) != 0 ||
            (!r->feed_whole && atomic_load(&r->feed->written) > r->feed_at))
            vx_request_wake(r);
    }
}

/* ---- the library's callbacks ----------------------------------------------------------------- */

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *bytes, void **context)
{
    vx_request *r = *context;
    (void)cls, (void)connection, (void)url, (void)version;
    if (r == NULL || r->conn == NULL) return MHD_NO; /* no memory for it */
    if (!r->begun) return begin(r, method);
    if (*bytes > 0) {
        take_body(r, data, *bytes);
        *bytes = 0;
        return MHD_YES;
    }
    r->conn->deadline_s = 0;
    if (r->close && !r->answered) return MHD_NO; /* the client has gone */
    return vx_reply_run(r);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    vx_request *r = *context;
    (void)cls, (void)connection;
    if (r == NULL) return;
    vx_server *s = r->server;
    bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && !(r->close && !r->answered);
    vx_request_ended(r, whole);
    s->metrics.in_flight--;
    if (r->conn != NULL) {
        r->conn->request = NULL;
        /* The next header: as long as may be waited for it, and then as any. */
        r->conn->deadline_s = vx_now_s() + (double)(s->serve->idle_ms + s->serve->header_ms) * 1e-3;
    }
    drop_body(r);
    if (r->response != NULL) MHD_destroy_response(r->response);
    vx_feed_drop(&r->feed);
    free(r->out);
    vx_heap_free(r);
    *context = NULL;
}

static void on_log(void *cls, const char *format, va_list args)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    vx_log(VX_LOG_DEBUG, "http: %s", text);
}

vx_status vx_http_open(vx_server *server, vx_listener *listener, vx_error *err)
{
    const vx_serve_settings *s = server->serve;
    listener->server = server;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* Headers beyond the limit are ours to refuse, up to twice as many; then the library does. */
    listener->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
        MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, listener->port > 0 ? (unsigned)s->per_client : 0U,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((s->idle_ms + 999) / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(2 * s->header_bytes + 16384),
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (listener->daemon == NULL)
        return vx_fail(err, VX_ERR_IO, "http", "the HTTP library can't serve %s", listener->url);
    listener->epoll_fd = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return VX_OK;
}
