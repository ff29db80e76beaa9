/* The server's life: it opens, loads, serves, drains, closes; one thread that waits for
 * everything at one place. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/direct.h"
#include "server/http.h"
#include "server/notify.h"
#include "server/reply.h"

/* How long the loop sleeps at most: with jobs, and without. */
enum { BUSY_MS = 20, IDLE_MS = 250, POLLED_MAX = VX_LISTENERS + 2 + 4096 };

static const double TICK_S = 0.25, BEAT_S = 15, TRIM_S = 5;

void vx_server_wake(vx_server *s)
{
    uint64_t one = 1;
    (void)!write(s->wake_fd, &one, sizeof one);
}

/* ---- loading --------------------------------------------------------------------------------- */

static void on_load(void *arg, const char *component, double share)
{
    vx_server *s = arg;
    (void)component;
    atomic_store(&s->load_permille, (int)(share * 1000));
}

static void *load(void *arg)
{
    vx_server *s = arg;
    vx_open_params open = s->params->open;
    open.progress = on_load;
    open.progress_arg = s;
    open.cancel = s->cancel_open;
    vx_vortex *vortex = NULL;
    s->load_status = vx_open(&vortex, &open, &s->load_error);
    s->vortex = vortex; /* the loop looks at it when the flag says so and it has joined us */
    atomic_store(&s->loaded, 1);
    vx_server_wake(s);
    return NULL;
}

static vx_status start_loading(vx_server *s, vx_error *err)
{
    s->cancel_open = vx_cancel_new();
    if (s->cancel_open == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the server");
    int failed = pthread_create(&s->loader, NULL, load, s);
    s->loading = failed == 0;
    if (failed == 0) return VX_OK;
    return vx_fail(err, VX_ERR_MEMORY, "no_threads", "the system refused a thread: %s",
                   strerror(failed));
}

/* The line that says that it serves; with --json it is JSON. */
static void say_ready(vx_server *s)
{
    const vx_listener *l = &s->listener[0];
    vx_figures figures = {0};
    char *text = vx_info_json(s->vortex);
    json_t *info = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const json_t *pack = json_object_get(info, "pack");
    (void)vx_figures_read(s->vortex, &figures);
    if (s->params->json)
        printf("{\"ready\":true,\"url\":\"%s\",\"port\":%d}\n", l->url, l->port);
    else if (!s->params->quiet)
        printf("vortex: serving %s (pack %s %s, %zu MB planned)\n", l->url,
               json_string_value(json_object_get(pack, "name")),
               json_string_value(json_object_get(pack, "version")),
               figures.planned_bytes / 1000000);
    fflush(stdout);
    json_decref(info);
    vx_text_free(text);
    vx_notify("READY=1\nSTATUS=serving");
}

static void end_loading(vx_server *s)
{
    pthread_join(s->loader, NULL);
    s->loading = false;
    if (s->load_status != VX_OK) {
        s->stopped = true;
        return;
    }
    if (s->draining) return;
    s->ready = true;
    vx_work_resume(s);
    say_ready(s);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void block_signals(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

static vx_status open_signals(vx_server *s, vx_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->signal_fd >= 0 && s->wake_fd >= 0) return VX_OK;
    return vx_fail(err, VX_ERR_IO, "no_descriptors", "the system refused a descriptor: %s",
                   strerror(errno));
}

/* What a reload can't change without a new plan. */
static void name_unchanged(const vx_settings *old, const vx_settings *new)
{
    const char *pack = old->pack != NULL ? old->pack : "",
               *other = new->pack != NULL ? new->pack : "";
    if (strcmp(pack, other) != 0 || strcmp(old->device, new->device) != 0 ||
        old->hard_bytes != new->hard_bytes || old->soft_bytes != new->soft_bytes ||
        old->slot_seconds != new->slot_seconds || old->slot_width != new->slot_width ||
        old->slot_height != new->slot_height || old->threads != new->threads ||
        old->queue != new->queue)
        vx_log(VX_LOG_WARN, "pack, device, threads, budget, queue and slot sizes stay as they are "
                            "until the server is started again");
}

static void reload(vx_server *s)
{
    vx_settings settings;
    vx_error err = {0};
    vx_notify("RELOADING=1");
    vx_status status = s->params->reload != NULL
                           ? s->params->reload(s->params->reload_arg, &settings, &err)
                           : vx_fail(&err, VX_ERR_MISSING, "no_settings", "nothing to read");
    if (status == VX_OK && settings.serve.api_key_file != NULL) {
        status = vx_keys_read(&s->keys, settings.serve.api_key_file, &err);
        if (status != VX_OK) vx_settings_close(&settings);
    }
    if (status == VX_OK) {
        name_unchanged(s->params->settings, &settings);
        vx_settings_close(&s->own);
        s->own = settings;
        s->serve = &s->own.serve;
        vx_log_set_level((vx_log_level)settings.log_level);
        vx_log_always("settings and keys were read again");
    } else {
        vx_log(VX_LOG_ERROR, "settings and keys stay as they were: %s", err.message);
    }
    vx_notify("READY=1");
}

static void on_stop(vx_server *s)
{
    if (s->draining) {
        s->drain_until_s = 0;
        vx_work_cancel_all(s);
        vx_direct_cancel_all(s);
        return;
    }
    s->draining = true;
    s->drain_until_s = vx_now_s() + (double)s->serve->drain_ms * 1e-3;
    vx_notify("STOPPING=1\nSTATUS=draining");
    if (s->loading) vx_cancel_set(s->cancel_open);
    vx_log_always("the server is to stop; %d jobs may end",
                  vx_work_count(s, NULL, true) + vx_work_count(s, NULL, false));
    vx_work_leave(s);
}

static void read_signals(vx_server *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(s);
        else
            on_stop(s);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

static int wait_ms(const vx_server *s)
{
    int64_t least = s->live != NULL ? BUSY_MS : IDLE_MS;
    for (int i = 0; i < s->listeners; i++) {
        MHD_UNSIGNED_LONG_LONG timeout;
        if (MHD_get_timeout(s->listener[i].daemon, &timeout) == MHD_YES && (int64_t)timeout < least)
            least = (int64_t)timeout;
    }
    return (int)least;
}

/* Waits for sockets, signals, the engine, and clients that leave while their request sleeps. */
static void wait_for_all(vx_server *s)
{
    static struct pollfd polled[POLLED_MAX];
    static vx_conn *asleep[POLLED_MAX];
    int count = 0;
    polled[count++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
    for (int i = 0; i < s->listeners; i++)
        polled[count++] = (struct pollfd){.fd = s->listener[i].epoll_fd, .events = POLLIN};
    int first = count;
    for (vx_conn *conn = s->conns; conn != NULL && count < POLLED_MAX; conn = conn->next) {
        if (conn->request == NULL || !conn->request->asleep) continue;
        asleep[count] = conn;
        polled[count++] = (struct pollfd){.fd = conn->fd, .events = POLLRDHUP};
    }
    if (poll(polled, (nfds_t)count, wait_ms(s)) <= 0) return;
    for (int i = first; i < count; i++)
        if (polled[i].revents != 0) vx_http_gone(asleep[i]);
    uint64_t woken;
    if (polled[1].revents != 0) (void)!read(s->wake_fd, &woken, sizeof woken);
    if (polled[0].revents != 0) read_signals(s);
}

static void tick(vx_server *s, double now_s)
{
    if (now_s - s->tick_s < TICK_S) return;
    s->tick_s = now_s;
    vx_http_look(s, now_s);
    for (vx_conn *conn = s->conns; conn != NULL; conn = conn->next)
        if (conn->request != NULL && conn->request->streams &&
            now_s - conn->request->said_s >= BEAT_S)
            vx_request_wake(conn->request);
    int64_t watchdog_us = vx_notify_watchdog_us();
    if (watchdog_us > 0 && (now_s - s->pet_s) * 2e6 >= (double)watchdog_us) {
        s->pet_s = now_s;
        vx_notify("WATCHDOG=1");
    }
    if (now_s - s->beat_s < TRIM_S) return;
    s->beat_s = now_s;
    vx_journal_limits limits = {(double)s->serve->keep_seconds, s->serve->keep_bytes,
                                s->serve->keep_count};
    s->metrics.evicted += vx_journal_trim(s->journal, &limits, vx_epoch_s());
}

/* Whether the server may stop: all that ran has ended. What waits goes on with the next server. */
static bool drained(vx_server *s, double now_s)
{
    if (!s->draining) return false;
    if (s->loading) return false;
    if (s->live == NULL && s->direct == NULL) return true;
    if (s->drain_until_s > 0 && now_s >= s->drain_until_s) {
        s->drain_until_s = 0;
        vx_work_cancel_all(s);
        vx_direct_cancel_all(s);
    }
    return false;
}

static void run(vx_server *s)
{
    while (!s->stopped) {
        wait_for_all(s);
        if (s->loading && atomic_load(&s->loaded)) end_loading(s);
        double now_s = vx_now_s();
        if (!s->loading) {
            vx_work_look(s, now_s);
            vx_direct_look(s);
            vx_http_wake_feeds(s);
        }
        for (int i = 0; i < s->listeners; i++)
            MHD_run(s->listener[i].daemon);
        tick(s, now_s);
        if (drained(s, now_s)) s->stopped = true;
    }
    /* Answers that are on their way. */
    for (int i = 0; i < s->listeners; i++)
        MHD_run(s->listener[i].daemon);
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Whole answers that a server which was killed had not sent. */
static void sweep_answers(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;)
        if (strncmp(d->d_name, "answer-", 7) == 0 || strncmp(d->d_name, ".answer-", 8) == 0)
            unlinkat(dirfd(dir), d->d_name, 0);
    if (dir != NULL) closedir(dir);
}

static vx_status open_results(vx_server *s, vx_error *err)
{
    vx_path own;
    const char *folder = s->serve->results;
    if (folder == NULL && !vx_path_state(&own, "results"))
        return vx_fail(err, VX_ERR_USAGE, "no_results",
                       "no folder for the results is known; give --results DIR");
    if (folder == NULL) folder = own.text;
    VX_TRY(vx_journal_open(&s->journal, folder, err));
    s->results = realpath(folder, NULL);
    if (s->results != NULL) {
        sweep_answers(s->results);
        return VX_OK;
    }
    return vx_fail(err, VX_ERR_IO, "io_error", "the results' folder %s can't be read", folder);
}

/* "https://HOST[:PORT]/BASE" in its parts. */
static void read_public_url(vx_server *s)
{
    const char *url = s->serve->public_url;
    if (url == NULL) return;
    const char *host = strstr(url, "://") + 3;
    size_t length = strcspn(host, "/");
    snprintf(s->public_origin, sizeof s->public_origin, "%.*s", (int)(host + length - url), url);
    snprintf(s->public_host, sizeof s->public_host, "%.*s",
             (int)(host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/")), host);
    snprintf(s->base, sizeof s->base, "%s", host + length);
    while (s->base[0] != '\0' && s->base[strlen(s->base) - 1] == '/')
        s->base[strlen(s->base) - 1] = '\0';
}

static vx_status open_server(vx_server *s, vx_error *err)
{
    VX_TRY(open_signals(s, err));
    VX_TRY(vx_keys_secret(&s->keys, err));
    if (s->serve->api_key_file != NULL) VX_TRY(vx_keys_read(&s->keys, s->serve->api_key_file, err));
    read_public_url(s);
    VX_TRY(open_results(s, err));
    VX_TRY(vx_listen_open(s, err));
    return start_loading(s, err);
}

static void close_server(vx_server *s)
{
    if (s->loading) {
        vx_cancel_set(s->cancel_open);
        pthread_join(s->loader, NULL);
    }
    vx_work_cancel_all(s);
    vx_direct_cancel_all(s);
    vx_close(&s->vortex, 0);
    while (s->live != NULL)
        vx_work_look(s, vx_now_s());
    vx_listen_close(s);
    while (s->direct != NULL)
        vx_direct_look(s);
    vx_journal_close(&s->journal);
    vx_cancel_free(&s->cancel_open);
    vx_events_close(&s->events);
    vx_settings_close(&s->own);
    free(s->results);
    if (s->wake_fd >= 0) close(s->wake_fd);
    if (s->signal_fd >= 0) close(s->signal_fd);
}

vx_status vx_serve(const vx_serve_params *params, vx_error *err)
{
    sigset_t before;
    vx_server *s = vx_heap_alloc(sizeof *s);
    if (s == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the server");
    s->params = params;
    s->serve = &params->settings->serve;
    s->wake_fd = s->signal_fd = -1;
    s->start_s = vx_now_s();
    vx_settings_default(&s->own);
    block_signals(&before);
    vx_status status = open_server(s, err);
    if (status == VX_OK) {
        run(s);
        if (s->load_status != VX_OK && !s->draining) {
            status = s->load_status;
            if (err != NULL) *err = s->load_error;
        }
    }
    close_server(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    vx_heap_free(s);
    return status;
}
