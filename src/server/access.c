#include "server/access.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct headers {
    size_t bytes;
    int lengths, encodings, hosts, origins, keys;
} headers;

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    headers *h = cls;
    (void)kind;
    h->bytes += strlen(key) + (value != NULL ? strlen(value) : 0) + 4;
    h->lengths += strcasecmp(key, "Content-Length") == 0;
    h->encodings += strcasecmp(key, "Transfer-Encoding") == 0;
    h->hosts += strcasecmp(key, "Host") == 0;
    h->origins += strcasecmp(key, "Origin") == 0;
    h->keys += strcasecmp(key, "Authorization") == 0 || strcasecmp(key, "X-Api-Key") == 0;
    return MHD_YES;
}

vx_status vx_access_framing(vx_request *r, vx_error *err)
{
    headers h = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_header, &h);
    const char *length = vx_request_header(r, "Content-Length");
    const char *encoding = vx_request_header(r, "Transfer-Encoding");
    bool good = h.lengths + h.encodings <= 1 && h.hosts <= 1 && h.origins <= 1 && h.keys <= 1;
    if (length != NULL && (strspn(length, "0123456789") != strlen(length) || length[0] == '\0' ||
                           strlen(length) > 15))
        good = false;
    if (encoding != NULL && strcasecmp(encoding, "chunked") != 0) good = false;
    if (good && h.bytes <= (size_t)r->server->serve->header_bytes) return VX_OK;
    r->close = true;
    if (good)
        return vx_fail(err, VX_ERR_INPUT, "header_too_large",
                       "the headers have %zu bytes and may have %lld", h.bytes,
                       (long long)r->server->serve->header_bytes);
    return vx_fail(err, VX_ERR_INPUT, "bad_request",
                   "a request has one length (Content-Length or chunked), one Host, one Origin and "
                   "one key at most");
}

/* Whether a text stands in a list of texts. */
static bool listed(const vx_list *list, const char *text)
{
    for (int i = 0; i < list->count; i++)
        if (strcasecmp(((const char *const *)list->items)[i], text) == 0) return true;
    return false;
}

/* Our own pages are those whose origin is the host that they are asked from. */
static bool own_origin(const vx_request *r, const char *origin, const char *host)
{
    const char *name = strstr(origin, "://");
    bool http = strncmp(origin, "http://", 7) == 0 || strncmp(origin, "https://", 8) == 0;
    return (http && strcasecmp(name + 3, host) == 0) ||
           (r->server->public_origin[0] != '\0' &&
            strcasecmp(origin, r->server->public_origin) == 0);
}

vx_status vx_access_site(vx_request *r, vx_error *err)
{
    const char *host = vx_request_header(r, "Host"), *origin = vx_request_header(r, "Origin");
    const char *site = vx_request_header(r, "Sec-Fetch-Site");
    if (host == NULL || (r->conn->listener->port > 0 && !vx_listen_is_host(r->server, host)))
        return vx_fail(err, VX_ERR_USAGE, "bad_host",
                       "this server has no such name; ask for it by its address, or list the name "
                       "in serve.allow_hosts");
    if (origin != NULL && listed(&r->server->serve->cors, origin)) {
        snprintf(r->origin, sizeof r->origin, "%s", origin);
        return VX_OK;
    }
    bool foreign = origin != NULL && !own_origin(r, origin, host);
    if (origin == NULL && site != NULL && strcasecmp(site, "same-origin") != 0 &&
        strcasecmp(site, "none") != 0)
        foreign = true;
    bool page = r->route != NULL && (r->route->flags & VX_ROUTE_PAGE) != 0;
    if (!foreign || page) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "cross_origin",
                   "pages of other origins may not ask; list theirs in serve.cors");
}

static const char *given_key(const vx_request *r)
{
    const char *authorization = vx_request_header(r, "Authorization");
    if (authorization == NULL) return vx_request_header(r, "X-Api-Key");
    if (strncasecmp(authorization, "Bearer ", 7) != 0) return NULL;
    return authorization + 7 + strspn(authorization + 7, " ");
}

vx_status vx_access_key(vx_request *r, vx_error *err)
{
    const vx_server *s = r->server;
    const char *key = given_key(r), *ticket = vx_uri_query(&r->uri, "ticket");
    snprintf(r->client, sizeof r->client, "%s", r->conn->address);
    if (s->keys.count == 0) return VX_OK;
    const char *name = key != NULL ? vx_keys_name(&s->keys, key) : NULL;
    if (name != NULL) {
        snprintf(r->owner, sizeof r->owner, "%s", name);
        snprintf(r->client, sizeof r->client, "key %s", name);
        return VX_OK;
    }
    if ((r->route->flags & VX_ROUTE_OPEN) != 0 ||
        (s->serve->metrics_open && strcmp(r->route->path, "/metrics") == 0))
        return VX_OK;
    if (key == NULL && ticket != NULL && (r->route->flags & VX_ROUTE_TICKET) != 0 &&
        r->id != NULL && vx_ticket_holds(&s->keys, r->id, ticket, (int64_t)vx_epoch_s())) {
        const vx_entry *entry = vx_journal_find(s->journal, r->id);
        if (entry != NULL) snprintf(r->owner, sizeof r->owner, "%s", entry->owner);
        return VX_OK;
    }
    return vx_fail(err, VX_ERR_USAGE, "invalid_api_key",
                   key == NULL ? "this needs an API key: Authorization: Bearer KEY"
                               : "the API key is none of ours");
}
