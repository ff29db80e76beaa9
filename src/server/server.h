/* `vortex serve`: the resident engine over HTTP, a client of vortex.h.
 *
 *     vx_serve_params params = {.settings = &settings, .open = {…}};
 *     return vx_serve(&params, err);
 *
 * One thread does all of it: it waits for sockets, signals and the engine's callbacks at one place
 * (loop.c), so that nothing here needs a lock but what those callbacks leave behind (work.c).
 *
 *     http.c     a request from its first byte to its answer     route.c   which paths there are
 *     slots.c    jobs as clients see them                         events.c  what clients are told
 *     work.c     jobs in the engine                               journal.c jobs on the disk
 *
 * docs/SERVER.md is what clients may rely on. */
#ifndef VX_SERVER_SERVER_H
#define VX_SERVER_SERVER_H

#include <stdatomic.h>

#include <vortex/vortex.h>

#include "config/settings.h"
#include "server/clients.h"
#include "server/events.h"
#include "server/journal.h"
#include "server/keys.h"
#include "server/metrics.h"

typedef struct vx_serve_params {
    vx_settings *settings; /* with what the command line says; `serve` is what is read here */
    vx_open_params open;   /* the engine's; progress and cancel are the server's own */
    /* Reads the settings again, with the command line's; NULL: they can't be. */
    vx_status (*reload)(void *arg, vx_settings *settings, vx_error *err);
    void *reload_arg;
    bool json, quiet; /* of the line that says that it serves */
} vx_serve_params;

/* Serves until a signal ends it. VX_ERR_USAGE for what would be unsafe or can't be listened at,
 * VX_ERR_IO when another server has the folder of results; what vx_open says. */
vx_status vx_serve(const vx_serve_params *params, vx_error *err);

enum { VX_LISTENERS = 8 };

typedef struct vx_conn vx_conn;
typedef struct vx_request vx_request;
typedef struct vx_live vx_live;
typedef struct vx_direct vx_direct;

/* A place where the server listens. */
typedef struct vx_listener {
    struct vx_server *server;
    struct MHD_Daemon *daemon;
    int fd, epoll_fd;
    char url[128];              /* "http://127.0.0.1:8420", "unix:/run/vortex" */
    char host[64];              /* the name in it, for Host; "" for a unix socket */
    int port;                   /* 0 for a unix socket */
    bool loopback, any, passed; /* its address; the service manager's */
} vx_listener;

typedef struct vx_server {
    const vx_serve_params *params;
    vx_settings own; /* of the last reload; closed at the end */
    const vx_serve_settings *serve;
    /* Of serve.public_url: its name, its origin, and the path before ours. */
    char public_host[128], public_origin[160], base[128];
    char *results; /* the folder */
    vx_keys keys;
    vx_clients clients;
    vx_listener listener[VX_LISTENERS];
    int listeners;
    vx_conn *conns;
    size_t body_bytes; /* that requests hold now */
    int connections;

    vx_vortex *vortex; /* NULL until it is loaded */
    vx_cancel *cancel_open;
    pthread_t loader;
    bool loading;
    atomic_int loaded; /* the loader has ended: 1 */
    atomic_int load_permille;
    vx_status load_status;
    vx_error load_error;
    int wake_fd; /* an eventfd: the engine has something to tell */
    int signal_fd;

    vx_journal *journal;
    vx_live *live;     /* jobs that have not ended, the oldest first */
    vx_direct *direct; /* jobs that end with their requests */
    double film_s;     /* what a job has been taking, for how long others wait; 0: none has run */
    struct {
        char name[16];
        double s;
    } usual[8]; /* what stages have been taking */
    int usual_count;
    vx_events events;
    vx_http_metrics metrics;
    double start_s, drain_until_s, tick_s, beat_s, pet_s;
    bool draining, stopped, ready;
} vx_server;

/* Wakes the loop; from any thread and the engine's callbacks. */
void vx_server_wake(vx_server *server);

/* ---- listen.c -------------------------------------------------------------------------------- */

/* Opens what the settings name, or what the service manager passed. VX_ERR_USAGE. */
vx_status vx_listen_open(vx_server *server, vx_error *err);
void vx_listen_close(vx_server *server);
/* Whether a Host header names us. */
bool vx_listen_is_host(const vx_server *server, const char *host);

/* ---- work.c: jobs in the engine -------------------------------------------------------------- */

struct vx_live {
    vx_server *server;
    vx_entry *entry;
    vx_job *job; /* NULL: it waits for a place in the engine's queue */
    char client[VX_CLIENT_NAME];
    char *text;  /* the request */
    void *image; /* a picture's bytes, or NULL */
    size_t image_bytes;
    bool mkv;
    int priority;
    double begin_s;       /* monotonic, when it was taken */
    double deadline_s;    /* monotonic; 0: none */
    int64_t deadline_ms;  /* as asked for */
    bool removed;         /* DELETE came: it is nobody's any more */
    struct vx_feed *feed; /* the film as it is muxed */
    bool told_running;
    bool left;          /* waits on the disk for the next server */
    double detach_at_s; /* cancel it then, unless somebody waits again; 0: never */
    /* What the engine's callbacks leave here, under the lock. */
    pthread_mutex_t lock;
    char stage[16];
    double share;
    json_t *speech; /* its words, until they are told */
    bool moved;     /* since it was told */
    double told_s;
    struct {
        char name[16];
        double start_s, end_s, share;
    } stages[8];
    int stage_count;
    vx_live *next;
};

/* What a client wants made. Texts and blocks pass to the job when it is taken. */
typedef struct vx_wish {
    char *text; /* vx_heap */
    void *image;
    size_t image_bytes;
    json_t *recipe; /* as JSON, for showing */
    int64_t deadline_ms;
    int priority;
    bool mkv;
    char sha256[65]; /* of all of it */
} vx_wish;

void vx_wish_free(vx_wish *wish);

/* Takes a job for a client: into the engine and onto the disk. What `wish` holds is the job's then.
 */
vx_status vx_work_take(vx_server *server, vx_wish *wish, const char *owner, const char *client,
                       const char *key, vx_live **live, vx_error *err);
/* Whether a client may have one more job: "too_many_jobs". */
vx_status vx_work_limits(vx_server *server, const char *client, vx_error *err);
/* Whether jobs are taken: "loading", "draining". */
vx_status vx_work_open(const vx_server *server, vx_error *err);
/* Takes up what waited when the last server ended. */
void vx_work_resume(vx_server *server);
/* Looks at all jobs: what has ended goes to the disk, what has moved is told. */
void vx_work_look(vx_server *server, double now_s);
void vx_work_cancel(vx_live *live);
vx_live *vx_work_of(const vx_server *server, const vx_entry *entry);
/* Position among the jobs that wait (0: it runs), and about how long until it begins. */
int vx_work_position(const vx_server *server, const vx_live *live, double *ahead_s);
/* The jobs of one client that wait and run; all for NULL. */
int vx_work_count(const vx_server *server, const char *client, bool running);
/* 0 to 1, by the stages' usual shares. */
double vx_work_progress(vx_live *live);
void vx_work_cancel_all(vx_server *server);
/* Takes what waits out of the engine; it stays on the disk and is the next server's. */
void vx_work_leave(vx_server *server);

/* Writes down how a job ended; the engine may have refused it. */
void vx_work_settle(vx_live *live, const vx_result *result);

/* A file of a job: the key of its link, its name, its type. Ended by one without a key. */
typedef struct vx_work_file {
    const char *link, *name, *type;
} vx_work_file;
extern const vx_work_file vx_work_files[];

/* ---- what slots.c shows ---------------------------------------------------------------------- */

/* A job as JSON (docs/SERVER.md); with its report when it has one and `whole`. */
json_t *vx_slot_json(vx_server *server, const vx_entry *entry, bool whole);

#endif
