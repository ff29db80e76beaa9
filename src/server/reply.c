#include "server/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/direct.h"
#include "server/errors.h"
#include "server/feed.h"
#include "server/range.h"
#include "server/slots.h"

enum { RETRY_S_MAX = 120, STREAM_BLOCK = 4096, FEED_BLOCK = 65536 };

/* ---- parts of an answer ---------------------------------------------------------------------- */

void vx_reply_header(vx_request *r, const char *name, const char *value)
{
    if (r->response != NULL) MHD_add_response_header(r->response, name, value);
}

static vx_status set_response(vx_request *r, int http, const char *type,
                              struct MHD_Response *response)
{
    if (r->response != NULL) MHD_destroy_response(r->response);
    r->response = response;
    r->http = http;
    if (response == NULL) return VX_ERR_MEMORY;
    if (type != NULL) MHD_add_response_header(response, "Content-Type", type);
    return VX_OK;
}

vx_status vx_reply_text(vx_request *r, int http, const char *type, char *text)
{
    if (text == NULL) return VX_ERR_MEMORY;
    size_t bytes = strlen(text);
    r->answer_bytes = (int64_t)bytes;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) free(text);
    return set_response(r, http, type, response);
}

vx_status vx_reply_json(vx_request *r, int http, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return vx_reply_text(r, http, "application/json", text);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* `?download=NAME` is a name for the client's disk, of harmless characters. */
static void add_disposition(vx_request *r)
{
    const char *name = vx_uri_query(&r->uri, "download");
    char value[160] = "attachment; filename=\"";
    size_t used = strlen(value), begin = used;
    if (name == NULL) return;
    for (; *name != '\0' && used < begin + 100; name++)
        if ((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
            (*name >= '0' && *name <= '9') || (strchr("._-", *name) != NULL))
            value[used++] = *name;
    if (used == begin) value[used++] = '_';
    value[used] = '\0';
    strcat(value, "\"");
    vx_reply_header(r, "Content-Disposition", value);
}

static vx_status reply_range(vx_request *r, int fd, int64_t size, const char *type,
                             const char *etag)
{
    int64_t first, count;
    char text[80];
    const char *range = vx_request_header(r, "Range"), *when = vx_request_header(r, "If-Range");
    const char *match = vx_request_header(r, "If-None-Match");
    if (match != NULL && etag[0] != '\0' && strstr(match, etag) != NULL) {
        close(fd);
        return set_response(r, 304, NULL,
                            MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT));
    }
    if (when != NULL && strcmp(when, etag) != 0) range = NULL;
    vx_range_kind kind = vx_range_parse(range, size, &first, &count);
    if (kind == VX_RANGE_BEYOND) {
        close(fd);
        vx_status status = set_response(
            r, 416, NULL, MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT));
        snprintf(text, sizeof text, "bytes */%lld", (long long)size);
        vx_reply_header(r, "Content-Range", text);
        return status;
    }
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64((uint64_t)count, fd, (uint64_t)first);
    if (response == NULL) close(fd);
    r->answer_bytes = r->head ? 0 : count;
    vx_status status = set_response(r, kind == VX_RANGE_PART ? 206 : 200, type, response);
    snprintf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)first,
             (long long)(first + count - 1), (long long)size);
    if (kind == VX_RANGE_PART) vx_reply_header(r, "Content-Range", text);
    return status;
}

vx_status vx_reply_file(vx_request *r, const char *path, const char *type, const char *etag,
                        vx_error *err)
{
    struct stat info;
    char quoted[72] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        if (fd >= 0) close(fd);
        return vx_fail(err, VX_ERR_INPUT, "not_ready",
                       "this job has no such file, or not yet; its links say what there is");
    }
    if (etag != NULL && etag[0] != '\0') snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    vx_status status = reply_range(r, fd, info.st_size, type, quoted);
    if (status != VX_OK) return status;
    r->cached = true;
    vx_reply_header(r, "Accept-Ranges", "bytes");
    if (quoted[0] != '\0') vx_reply_header(r, "ETag", quoted);
    add_disposition(r);
    return VX_OK;
}

/* ---- streams --------------------------------------------------------------------------------- */

static ssize_t read_stream(void *cls, uint64_t position, char *buffer, size_t room)
{
    vx_request *r = cls;
    (void)position;
    if (r->out_at == r->out_bytes) {
        if (r->stream_ends) return MHD_CONTENT_READER_END_OF_STREAM;
        if (!vx_stream_fill(r)) {
            vx_request_sleep(r);
            return 0;
        }
    }
    size_t bytes = r->out_bytes - r->out_at < room ? r->out_bytes - r->out_at : room;
    memcpy(buffer, r->out + r->out_at, bytes);
    r->out_at += bytes;
    r->server->metrics.bytes_out += (int64_t)bytes;
    return (ssize_t)bytes;
}

static ssize_t read_feed(void *cls, uint64_t position, char *buffer, size_t room)
{
    vx_request *r = cls;
    (void)position;
    /* In this order: what was written before the end is seen. */
    int end = atomic_load(&r->feed->end);
    ssize_t bytes = vx_feed_read(r->feed, r->feed_at, buffer, room);
    if (bytes > 0) {
        r->feed_at += bytes;
        r->server->metrics.bytes_out += bytes;
        return bytes;
    }
    if (bytes < 0 || end < 0) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (end > 0) return MHD_CONTENT_READER_END_OF_STREAM;
    vx_request_sleep(r);
    return 0;
}

vx_status vx_reply_feed(vx_request *r, const char *type)
{
    bool known = atomic_load(&r->feed->end) > 0;
    r->feed_whole = false;
    vx_status status =
        set_response(r, 200, type,
                     MHD_create_response_from_callback(
                         known ? (uint64_t)atomic_load(&r->feed->written) : MHD_SIZE_UNKNOWN,
                         FEED_BLOCK, read_feed, r, NULL));
    if (!known) vx_reply_header(r, "X-Accel-Buffering", "no");
    return status;
}

vx_status vx_reply_stream(vx_request *r)
{
    r->streams = true;
    r->said_s = vx_now_s();
    vx_status status = set_response(
        r, 200, "text/event-stream",
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, r, NULL));
    /* Proxies that gather an answer before they pass it on are asked not to. */
    vx_reply_header(r, "X-Accel-Buffering", "no");
    return status;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void add_common(vx_request *r)
{
    vx_reply_header(r, "x-request-id", r->request_id);
    vx_reply_header(r, "Cache-Control", r->cached ? "private, immutable" : "no-store");
    vx_reply_header(r, "X-Content-Type-Options", "nosniff");
    if (r->close) vx_reply_header(r, "Connection", "close");
    if (r->server->serve->cors.count > 0) vx_reply_header(r, "Vary", "Origin");
    if (r->origin[0] == '\0') return;
    vx_reply_header(r, "Access-Control-Allow-Origin", r->origin);
    vx_reply_header(r, "Access-Control-Expose-Headers",
                    "x-request-id, Retry-After, retry-after-ms, Location, Content-Range, ETag, "
                    "vortex-slot, vortex-seconds, vortex-replayed");
}

static enum MHD_Result queue(vx_request *r)
{
    add_common(r);
    r->answered = true;
    return MHD_queue_response(r->connection, (unsigned)r->http, r->response);
}

static void add_retry(vx_request *r, const vx_http_error *e)
{
    char text[24];
    if (e->never) vx_reply_header(r, "x-should-retry", "false");
    if (!e->later) return;
    double s = vx_slots_wait_s(r->server);
    if (s > RETRY_S_MAX) s = RETRY_S_MAX;
    snprintf(text, sizeof text, "%d", (int)(s + 0.999) > 0 ? (int)(s + 0.999) : 1);
    vx_reply_header(r, "Retry-After", text);
    snprintf(text, sizeof text, "%d", (int)(s * 1000));
    vx_reply_header(r, "retry-after-ms", text);
}

static enum MHD_Result answer_error(vx_request *r, const vx_error *err)
{
    vx_http_error e = vx_http_error_of(err);
    char labels[64], methods[48];
    if (e.http >= 500) vx_log(VX_LOG_WARN, "%s: %s", e.code, err->message);
    if (vx_reply_json(r, e.http, vx_http_error_json(err, r->param)) != VX_OK) return MHD_NO;
    r->cached = false;
    if (e.http == 401) vx_reply_header(r, "WWW-Authenticate", "Bearer");
    if (e.http == 405) {
        vx_route_methods(&r->uri, methods, sizeof methods);
        vx_reply_header(r, "Allow", methods);
    }
    add_retry(r, &e);
    snprintf(labels, sizeof labels, "reason=\"%s\"", e.code);
    if (e.http < 500) vx_count(&r->server->metrics, "vortex_http_refused_total", labels);
    return queue(r);
}

enum MHD_Result vx_reply_refused(vx_request *r)
{
    return answer_error(r, &r->refused);
}

static enum MHD_Result answer_preflight(vx_request *r)
{
    if (set_response(r, 204, NULL,
                     MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT)) != VX_OK)
        return MHD_NO;
    vx_reply_header(r, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    vx_reply_header(r, "Access-Control-Allow-Headers",
                    "authorization, x-api-key, content-type, idempotency-key, last-event-id, "
                    "range, x-request-id");
    vx_reply_header(r, "Access-Control-Max-Age", "600");
    return queue(r);
}

enum MHD_Result vx_reply_run(vx_request *r)
{
    vx_error err = {0};
    if (r->refused.status != VX_OK) return vx_reply_refused(r);
    if (r->preflight) return answer_preflight(r);
    vx_status status = r->route->run(r, &err);
    if (status == VX_OK) return r->asleep ? MHD_YES : queue(r);
    if (err.status == VX_OK)
        vx_fail(&err, status, "internal", "the server is out of memory; try again later");
    return answer_error(r, &err);
}

void vx_request_ended(vx_request *r, bool whole)
{
    vx_http_metrics *m = &r->server->metrics;
    const char *route = r->route != NULL ? r->route->path : "none";
    char labels[120], method[8];
    if (r->answered) {
        snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",code=\"%d\"", route,
                 r->route == NULL ? "none"
                 : r->head        ? "HEAD"
                                  : vx_choice_name(VX_METHOD_NAMES, (int)r->route->method, method,
                                                   sizeof method),
                 r->http);
        vx_count(m, "vortex_http_requests_total", labels);
        if (!r->streams)
            vx_observe_s(m, "vortex_http_request_duration_seconds", "route", route,
                         vx_now_s() - r->begin_s);
        m->bytes_out += r->answer_bytes;
    }
    if (!whole && r->begun)
        vx_count(m, "vortex_disconnects_total",
                 r->streams ? "kind=\"events\""
                 : r->waits ? "kind=\"wait\""
                            : "kind=\"other\"");
    vx_slots_request_ended(r, whole);
    vx_direct_request_ended(r);
}
