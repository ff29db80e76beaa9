/* Where the server listens, and by which names it may be asked. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/http.h"
#include "server/notify.h"

enum { FIRST_PASSED_FD = 3, BACKLOG = 128 };

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
} address;

static vx_status fail(vx_error *err, const char *text, const char *why)
{
    return vx_fail(err, VX_ERR_USAGE, "bad_listen", "can't listen at %s: %s", text, why);
}

/* ---- what an address is ---------------------------------------------------------------------- */

static void describe_v4(vx_listener *l, const struct sockaddr_in *in)
{
    uint32_t ip = ntohl(in->sin_addr.s_addr);
    l->loopback = ip >> 24 == 127;
    l->any = ip == INADDR_ANY;
    l->port = ntohs(in->sin_port);
    char name[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &in->sin_addr, name, sizeof name);
    snprintf(l->host, sizeof l->host, "%s", name);
    snprintf(l->url, sizeof l->url, "http://%s:%d", name, l->port);
}

static void describe_v6(vx_listener *l, const struct sockaddr_in6 *in)
{
    l->loopback = IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
    l->any = IN6_IS_ADDR_UNSPECIFIED(&in->sin6_addr);
    l->port = ntohs(in->sin6_port);
    char name[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &in->sin6_addr, name, sizeof name);
    snprintf(l->host, sizeof l->host, "[%s]", name);
    snprintf(l->url, sizeof l->url, "http://[%s]:%d", name, l->port);
}

/* By the socket itself, so that port 0 becomes the one it got. */
static void describe(vx_listener *l)
{
    address a;
    socklen_t length = sizeof a;
    memset(&a, 0, sizeof a);
    if (getsockname(l->fd, &a.any, &length) != 0) return;
    if (a.any.sa_family == AF_INET) describe_v4(l, &a.v4);
    if (a.any.sa_family == AF_INET6) describe_v6(l, &a.v6);
    if (a.any.sa_family == AF_UNIX) {
        l->loopback = true; /* the file's mode says who may connect */
        snprintf(l->url, sizeof l->url, "unix:%s", a.un.sun_path);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static vx_status open_unix(vx_listener *l, const char *path, vx_error *err)
{
    address a = {.un.sun_family = AF_UNIX};
    struct stat info;
    if (path[0] != '/' || strlen(path) >= sizeof a.un.sun_path)
        return fail(err, path, "a socket's path must be absolute and have at most 107 bytes");
    strcpy(a.un.sun_path, path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) return fail(err, path, strerror(errno));
    /* One that nobody listens at any more is left over. */
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) {
        int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool dead = probe >= 0 && connect(probe, &a.any, sizeof a.un) != 0 && errno == ECONNREFUSED;
        if (probe >= 0) close(probe);
        if (dead) unlink(path);
    }
    if (bind(l->fd, &a.any, sizeof a.un) != 0 || listen(l->fd, BACKLOG) != 0)
        return fail(err, path, strerror(errno));
    return VX_OK;
}

/* "127.0.0.1:8420", "[::1]:8420", "localhost:8420", ":8420" for all addresses */
static vx_status open_tcp(vx_listener *l, const char *text, vx_error *err)
{
    char host[128] = "";
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || length >= sizeof host || strspn(colon + 1, "0123456789") < 1 ||
        colon[1 + strspn(colon + 1, "0123456789")] != '\0' || atol(colon + 1) > 65535)
        return fail(err, text, "write ADDRESS:PORT or unix:PATH");
    if (text[0] == '[' && length >= 2 && text[length - 1] == ']')
        snprintf(host, sizeof host, "%.*s", (int)length - 2, text + 1);
    else
        snprintf(host, sizeof host, "%.*s", (int)length, text);
    struct addrinfo *found = NULL,
                    hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (host[0] == '\0') hints.ai_family = AF_INET;
    int bad = getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found);
    if (bad != 0) return fail(err, text, gai_strerror(bad));
    int on = 1;
    vx_status status = VX_OK;
    l->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd >= 0) setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (l->fd < 0 || bind(l->fd, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(l->fd, BACKLOG) != 0)
        status = fail(err, text, strerror(errno));
    freeaddrinfo(found);
    return status;
}

static vx_status check_public(const vx_server *s, const vx_listener *l, vx_error *err)
{
    if (l->loopback || s->keys.count > 0 || s->serve->open) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "no_api_key",
                   "%s is not this machine's own address, and there is no API key: give "
                   "--api-key-file, or say serve.open: true when everybody may use it",
                   l->url);
}

static vx_status open_one(vx_server *s, const char *text, vx_error *err)
{
    vx_listener *l = &s->listener[s->listeners++];
    *l = (vx_listener){.server = s, .fd = -1};
    if (text == NULL) {
        l->fd = FIRST_PASSED_FD + s->listeners - 1;
        l->passed = true;
    } else if (strncmp(text, "unix:", 5) == 0) {
        VX_TRY(open_unix(l, text + 5, err));
    } else {
        VX_TRY(open_tcp(l, text, err));
    }
    describe(l);
    VX_TRY(check_public(s, l, err));
    return vx_http_open(s, l, err);
}

vx_status vx_listen_open(vx_server *s, vx_error *err)
{
    int passed = vx_notify_listen_fds();
    for (int i = 0; i < passed && i < VX_LISTENERS; i++)
        VX_TRY(open_one(s, NULL, err));
    if (passed > 0) return VX_OK;
    const vx_list *list = &s->serve->listen;
    if (list->count == 0) return open_one(s, "127.0.0.1:8420", err);
    for (int i = 0; i < list->count; i++)
        VX_TRY(open_one(s, ((const char *const *)list->items)[i], err));
    return VX_OK;
}

void vx_listen_close(vx_server *s)
{
    for (int i = 0; i < s->listeners; i++) {
        vx_listener *l = &s->listener[i];
        if (l->daemon != NULL)
            MHD_stop_daemon(l->daemon); /* and closes the socket */
        else if (l->fd >= 0)
            close(l->fd);
        if (!l->passed && strncmp(l->url, "unix:/", 6) == 0) unlink(l->url + 5);
    }
    s->listeners = 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
    struct in6_addr ignored;
    char inner[64];
    size_t length = strlen(host);
    if (host[0] != '[') return inet_pton(AF_INET, host, &ignored) == 1;
    if (length < 3 || length - 2 >= sizeof inner) return false;
    snprintf(inner, sizeof inner, "%.*s", (int)length - 2, host + 1);
    return inet_pton(AF_INET6, inner, &ignored) == 1;
}

/* A foreign name that resolves to us (DNS rebinding) must not do; an address is no name, so any
 * will do where we listen at all of them. */
bool vx_listen_is_host(const vx_server *s, const char *header)
{
    char host[256];
    const char *end = header[0] == '[' ? strchr(header, ']') : NULL;
    size_t length = end != NULL ? (size_t)(end - header) + 1 : strcspn(header, ":");
    if (length == 0 || length >= sizeof host) return false;
    if (header[length] != '\0' &&
        (header[length] != ':' ||
         strspn(header + length + 1, "0123456789") != strlen(header + length + 1)))
        return false;
    snprintf(host, sizeof host, "%.*s", (int)length, header);
    if (strcasecmp(host, "localhost") == 0) return true;
    if (s->public_host[0] != '\0' && strcasecmp(host, s->public_host) == 0) return true;
    for (int i = 0; i < s->serve->allow_hosts.count; i++)
        if (strcasecmp(((const char *const *)s->serve->allow_hosts.items)[i], host) == 0)
            return true;
    for (int i = 0; i < s->listeners; i++) {
        const vx_listener *l = &s->listener[i];
        if (strcasecmp(l->host, host) == 0 || (l->any && is_address(host))) return true;
    }
    return false;
}
