/* Downloads from a server on loopback: whole, resumed, broken, wrong, refused. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sha256.h"
#include "packs/pull.h"

enum { BYTES = 300000 };

static char content[BYTES], folder[64], hub[64], sha256[65];
static char last_request[4096];
static atomic_int requests;
static int listener;

static void answer(int fd, const char *head, const char *body, size_t bytes)
{
    size_t length = strlen(head);
    if (send(fd, head, length, MSG_NOSIGNAL) != (ssize_t)length) return;
    while (bytes > 0) {
        ssize_t sent = send(fd, body, bytes, MSG_NOSIGNAL);
        if (sent <= 0) return;
        body += sent;
        bytes -= (size_t)sent;
    }
}

/* Answers by the path's last word. */
static void serve(int fd, const char *request)
{
    char head[512], path[64] = "";
    long from = 0;
    sscanf(request, "GET /%63s", path);
    const char *range = strstr(request, "Range: bytes=");
    bool ranged = range != NULL && strncmp(path, "norange", 7) != 0;
    if (ranged) sscanf(range + 13, "%ld-", &from);
    if (from > BYTES) from = BYTES;
    const char *body = content + from;
    size_t bytes = (size_t)(BYTES - from), said = bytes;
    static char changed[BYTES + 100];
    memcpy(changed, content, BYTES);
    if (strcmp(path, "redirect") == 0 || strcmp(path, "loop") == 0) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 302 Found\r\nLocation: /%s\r\nContent-Length: 5\r\n"
                 "Connection: close\r\n\r\n",
                 path[0] == 'r' ? "full" : "loop");
        answer(fd, head, "moved", 5);
        return;
    }
    if (path[0] >= '4' && path[0] <= '5') {
        snprintf(head, sizeof head,
                 "HTTP/1.1 %.3s No\r\nContent-Length: 9\r\nConnection: close"
                 "\r\n\r\n",
                 path);
        answer(fd, head, "no, sorry", 9);
        return;
    }
    if (strcmp(path, "cut") == 0) bytes /= 2;
    if (strcmp(path, "short") == 0) said = bytes = 1000;
    if (strcmp(path, "long") == 0) {
        body = changed;
        said = bytes = BYTES + 100;
    }
    if (strcmp(path, "wrong") == 0) {
        changed[BYTES - 7] ^= 1;
        body = changed + from;
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Range: bytes %ld-%d/%d\r\n"
             "Connection: close\r\n\r\n",
             ranged ? "206 Partial Content" : "200 OK", said, from, BYTES - 1, BYTES);
    answer(fd, head, body, bytes);
}

static void *server(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) return NULL;
        size_t used = 0;
        memset(last_request, 0, sizeof last_request);
        while (used + 1 < sizeof last_request && strstr(last_request, "\r\n\r\n") == NULL) {
            ssize_t got = recv(fd, last_request + used, sizeof last_request - 1 - used, 0);
            if (got <= 0) break;
            used += (size_t)got;
        }
        atomic_fetch_add(&requests, 1);
        serve(fd, last_request);
        close(fd);
    }
}

static pthread_t server_thread;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    setenv("no_proxy", "127.0.0.1", 1);
    for (uint32_t i = 0; i < BYTES; i++)
        content[i] = (char)(unsigned char)(vx_random_uniform(5, VX_STREAM_TEST, i) * 256);
    vx_sha256_bytes(content, BYTES, sha256);
    strcpy(folder, "/tmp/vortex-pull-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return -1;
    snprintf(hub, sizeof hub, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&server_thread, NULL, server, NULL);
}

static void stop_server(void)
{
    if (listener < 0) return;
    shutdown(listener, SHUT_RDWR);
    close(listener);
    pthread_join(server_thread, NULL);
    listener = -1;
}

static int tear_down(void **state)
{
    (void)state;
    stop_server();
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) == 0 ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static vx_path path;
    assert_true(vx_path_join(&path, folder, name));
    return path.text;
}

static int64_t bytes_of(const char *name)
{
    struct stat info;
    return stat(in_folder(name), &info) == 0 ? (int64_t)info.st_size : -1;
}

/* Fetches `url` as the file "model.bin". */
static vx_status fetch(const char *url, int attempts, vx_cancel *cancel, vx_error *err)
{
    vx_pack_source source = {.file = "model.bin", .url = url, .bytes = BYTES, .sha256 = sha256};
    vx_pull_options options = {
        .hub = hub, .token = "secret", .attempts = attempts, .cancel = cancel};
    bool fetched;
    *err = (vx_error){0};
    vx_status status = vx_pull(&source, folder, &options, &fetched, err);
    assert_int_equal(fetched, status == VX_OK && fetched);
    if (status != VX_OK) assert_true(err->message[0] != '\0');
    return status;
}

static void expect_whole(void)
{
    char hex[65];
    assert_int_equal(vx_sha256_file(in_folder("model.bin"), hex, NULL), VX_OK);
    assert_string_equal(hex, sha256);
    assert_int_equal(bytes_of(".model.bin.part"), -1);
}

static void start_clean(void)
{
    unlink(in_folder("model.bin"));
    unlink(in_folder(".model.bin.part"));
    atomic_store(&requests, 0);
}

static void a_file_is_fetched_once(void **state)
{
    (void)state;
    vx_error err;
    start_clean();
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    expect_whole();
    assert_int_equal(atomic_load(&requests), 1);
    /* The token is for https alone. */
    assert_null(strstr(last_request, "Authorization"));
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    assert_int_equal(atomic_load(&requests), 1);
    /* A damaged file is fetched anew. */
    assert_int_equal(vx_file_write(in_folder("model.bin"), content, BYTES - 1, NULL), VX_OK);
    assert_int_equal(fetch("redirect", 1, NULL, &err), VX_OK);
    expect_whole();
    assert_int_equal(atomic_load(&requests), 3);
}

static void a_broken_download_goes_on(void **state)
{
    (void)state;
    vx_error err;
    start_clean();
    assert_int_equal(fetch("cut", 1, NULL, &err), VX_ERR_IO);
    assert_int_equal(bytes_of(".model.bin.part"), BYTES / 2);
    assert_int_equal(bytes_of("model.bin"), -1);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    assert_non_null(strstr(last_request, "Range: bytes=150000-"));
    expect_whole();
    /* A server that knows no ranges sends it all again. */
    start_clean();
    assert_int_equal(fetch("cut", 1, NULL, &err), VX_ERR_IO);
    assert_int_equal(fetch("norange", 1, NULL, &err), VX_OK);
    expect_whole();
    /* Within one call too: after a second's wait half of the rest comes. */
    start_clean();
    assert_int_equal(fetch("cut", 2, NULL, &err), VX_ERR_IO);
    assert_int_equal(bytes_of(".model.bin.part"), BYTES / 4 * 3);
    /* What an earlier attempt left is longer than the file, or is another. */
    start_clean();
    static char more[BYTES + 5];
    assert_int_equal(vx_file_write(in_folder(".model.bin.part"), more, sizeof more, NULL), VX_OK);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    expect_whole();
    start_clean();
    assert_int_equal(vx_file_write(in_folder(".model.bin.part"), more, 1000, NULL), VX_OK);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_ERR_INPUT);
    assert_int_equal(bytes_of(".model.bin.part"), -1);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
}

static void a_wrong_file_is_thrown_away(void **state)
{
    (void)state;
    static const char *const urls[] = {"wrong", "short", "long"};
    vx_error err;
    for (size_t i = 0; i < 3; i++) {
        start_clean();
        assert_int_equal(fetch(urls[i], 1, NULL, &err), VX_ERR_INPUT);
        assert_string_equal(err.code, "bad_download");
        assert_int_equal(bytes_of("model.bin"), -1);
        assert_int_equal(bytes_of(".model.bin.part"), -1);
    }
}

static void refusals_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        vx_status status;
        const char *part;
    } cases[] = {
        {"404", VX_ERR_MISSING, "404"},
        {"401", VX_ERR_MISSING, "HF_TOKEN"},
        {"403", VX_ERR_MISSING, "HF_TOKEN"},
        {"500", VX_ERR_IO, "500"},
        {"loop", VX_ERR_IO, "redirects"},
        {"ftp://127.0.0.1/x", VX_ERR_INPUT, "https"},
        {"file:///etc/passwd", VX_ERR_INPUT, "https"},
        {"http://127.0.0.1/x", VX_ERR_INPUT, "https"}, /* a pack's own address, not the hub's */
    };
    vx_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start_clean();
        vx_status status = fetch(cases[i].url, 1, NULL, &err);
        if (status != cases[i].status || strstr(err.message, cases[i].part) == NULL)
            print_error("%s: %d, %s\n", cases[i].url, status, err.message);
        assert_int_equal(status, cases[i].status);
        assert_non_null(strstr(err.message, cases[i].part));
        assert_int_equal(bytes_of("model.bin"), -1);
        assert_int_equal(bytes_of(".model.bin.part"), -1);
    }
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    vx_error err;
    start_clean();
    /* The system refuses to make files larger than this, as a full disk would. */
    struct rlimit old, small = {100000, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    vx_status status = fetch("full", 1, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, VX_ERR_IO);
    assert_string_equal(err.code, "write_failed");
    assert_int_equal(bytes_of("model.bin"), -1);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    expect_whole();
    /* What can't fit isn't begun. */
    vx_pack_source huge = {.file = "huge", .url = "full", .bytes = INT64_MAX / 2, .sha256 = sha256};
    vx_pull_options options = {.hub = hub};
    bool fetched;
    assert_int_equal(vx_pull(&huge, folder, &options, &fetched, &err), VX_ERR_IO);
    assert_string_equal(err.code, "disk_full");
    assert_int_equal(bytes_of(".huge.part"), -1);
    assert_int_equal(vx_pull(&huge, "/proc/nowhere", &options, &fetched, &err), VX_ERR_IO);
}

static void a_cancel_keeps_what_came(void **state)
{
    (void)state;
    vx_error err;
    vx_cancel cancel = {0};
    vx_cancel_ask(&cancel);
    start_clean();
    assert_int_equal(fetch("full", 1, &cancel, &err), VX_ERR_CANCELLED);
    assert_int_equal(bytes_of("model.bin"), -1);
    vx_cancel_clear(&cancel);
    assert_int_equal(fetch("full", 1, &cancel, &err), VX_OK);
    expect_whole();
}

/* Until the part is locked, another process may finish it: what was opened is then the installed file. */
static atomic_int finish_before_lock;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    if (atomic_exchange(&finish_before_lock, 0) != 0)
        assert_int_equal(rename(in_folder(".model.bin.part"), "/tmp/vx-pull-installed"), 0);
    return __real_flock(fd, operation);
}

static void an_installed_file_is_not_begun_again(void **state)
{
    (void)state;
    vx_error err;
    struct stat info;
    static char other[BYTES + 5];
    start_clean();
    /* Longer than the source says: were it taken for the part, it would be emptied. */
    assert_int_equal(vx_file_write(in_folder(".model.bin.part"), other, sizeof other, NULL), VX_OK);
    atomic_store(&finish_before_lock, 1);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_OK);
    expect_whole();
    assert_int_equal(stat("/tmp/vx-pull-installed", &info), 0);
    assert_int_equal(info.st_size, sizeof other);
    unlink("/tmp/vx-pull-installed");
    /* Nor is a link followed. */
    start_clean();
    assert_int_equal(symlink("elsewhere", in_folder(".model.bin.part")), 0);
    assert_int_equal(fetch("full", 1, NULL, &err), VX_ERR_IO);
    assert_int_equal(bytes_of("elsewhere"), -1);
}

static void what_has_no_bound_is_not_fetched(void **state)
{
    (void)state;
    vx_error err;
    bool fetched;
    start_clean();
    vx_pack_source source = {.file = "model.bin", .url = "full", .sha256 = sha256};
    vx_pull_options options = {.hub = hub, .attempts = 1};
    assert_int_equal(vx_pull(&source, folder, &options, &fetched, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "bytes"));
    assert_int_equal(atomic_load(&requests), 0);
}

/* Last: the server is gone in the middle, and then altogether. */
static void a_dead_server_is_told(void **state)
{
    (void)state;
    vx_error err;
    start_clean();
    assert_int_equal(fetch("cut", 1, NULL, &err), VX_ERR_IO);
    stop_server();
    assert_int_equal(fetch("full", 1, NULL, &err), VX_ERR_IO);
    assert_string_equal(err.code, "download_failed");
    assert_int_equal(bytes_of(".model.bin.part"), BYTES / 2);
    assert_int_equal(bytes_of("model.bin"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_fetched_once),
        cmocka_unit_test(a_broken_download_goes_on),
        cmocka_unit_test(a_wrong_file_is_thrown_away),
        cmocka_unit_test(refusals_are_told_apart),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(a_cancel_keeps_what_came),
        cmocka_unit_test(an_installed_file_is_not_begun_again),
        cmocka_unit_test(what_has_no_bound_is_not_fetched),
        cmocka_unit_test(a_dead_server_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
