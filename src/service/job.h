/* Behind vortex.h: the resident engine, its queue and its jobs.
 *
 * Three threads, the workers, take jobs from the queue: one those that need both lanes (films), one
 * speech, one pictures. Each takes the first of its kinds by priority, as soon as there is a seat,
 * and runs the slot (slot.h), whose stages run on threads of their own and take turns on the lanes.
 * A seat is a set of buffers that no lease holds. An engine that was opened for one job has no
 * buffers for others beside it, and one worker for all kinds. Another thread, the desk, ends jobs
 * that wait in vain, whatever the workers do (worker.c). A job belongs to its client; the vortex
 * lives until it is closed and the last job is freed. */
#ifndef VX_SERVICE_JOB_H
#define VX_SERVICE_JOB_H

#include <pthread.h>

#include "slot/slot.h"
#include "text/expander.h"

typedef enum vx_post { VX_POST_FILM, VX_POST_SPEECH, VX_POST_PICTURE, VX_POSTS } vx_post;

/* A worker: who works at a post, and at what. */
typedef struct vx_worker {
    vx_vortex *vortex;
    vx_post post;
    pthread_t thread;
    bool runs;
    vx_job *job; /* guarded by the vortex's lock; NULL: idle */
} vx_worker;

/* Seats: the sets of films first, then one each beside them. */
enum { VX_SEAT_SPEECH = VX_SETS_MAX, VX_SEAT_PICTURE, VX_SEATS };

/* Paths of a submission that a job keeps. */
enum { VX_JOB_PATHS = 8 };

struct vx_vortex {
    vx_settings settings;
    vx_pack pack;
    vx_crew crew;
    int accents;
    void (*log)(void *arg, const vx_log_line *line);
    void *log_arg;
    vx_vortex *next;       /* of the engines that are open (vortex.c) */
    bool side;             /* there are buffers for jobs beside a film */
    char *voices;          /* the document of vx_voices_json; NULL: nobody speaks */
    vx_expander *expander; /* for checks; NULL: none. Guarded by the lock */
    vx_worker worker[VX_POSTS];
    pthread_t desk;
    bool desk_runs;
    pthread_mutex_t lock; /* guards all below, and every job's `state`, `leased`, `result` */
    pthread_cond_t work;  /* for workers and desk: a job, a seat, the end */
    pthread_cond_t ended; /* for clients: a job ended */
    bool closing, closed; /* takes no jobs; the engine is gone */
    vx_job **queue;       /* [settings.queue], the next one first */
    int waiting;
    vx_job *user[VX_SEATS];    /* who works in a seat or holds its lease; NULL: it is free */
    pthread_mutex_t file_lock; /* guards what metrics.file holds, and: */
    bool file_failed;
    int holders; /* the client's handle and its jobs */
};

struct vx_job {
    vx_vortex *vortex; /* NULL until it is queued */
    vx_recipe recipe;
    char *path[VX_JOB_PATHS];
    vx_slot_request request;
    vx_priority priority;
    void (*told_end)(void *arg, vx_job *job); /* vx_submit_params.ended */
    vx_cancel cancel;
    vx_mime mime;
    vx_state state;
    bool leased; /* holds its seat */
    int seat;
    double began_s;
    /* The end is being told, by `teller`; `freed` is set when that call frees the job. */
    bool telling;
    pthread_t teller;
    bool *freed;
    vx_slot slot;
    vx_error err;
    vx_frame key_frames[VX_KEY_FRAMES], picture;
    char *report;
    vx_result result;
};

/* Reads the request that a submission names, with its seed. Close it in any case. */
vx_status vx_job_recipe(vx_recipe *recipe, const vx_submit_params *params, vx_error *err);

/* A worker's thread and the desk's. They end when the vortex closes and the queue is empty. */
void *vx_worker_main(void *worker);
void *vx_desk_main(void *vortex);

/* Who makes jobs of a kind, in which set of buffers (of those for films the first), and how many
 * jobs are under way. The lock is held. */
vx_post vx_post_of(const vx_vortex *vortex, vx_kind kind);
int vx_first_set(const vx_vortex *vortex, vx_kind kind);
int vx_running(const vx_vortex *vortex);
/* Waiting jobs of the same post that come before this one. The lock is held. */
bool vx_comes_before(const vx_vortex *vortex, int index, const vx_job *job);
/* About how long the job still takes from its begin, or, when it runs, from now; negative when
 * nobody knows. */
double vx_job_rest_s(const vx_vortex *vortex, const vx_job *job);

/* Looks for voices once, at the opening: later the lock is held, under which
 * no file is looked at. */
void vx_list_voices(vx_vortex *vortex);
/* Writes settings.metrics_file, where there is one. No lock is held. */
void vx_write_metrics_file(vx_vortex *vortex);

/* Frees a job that is in no queue. */
void vx_job_discard(vx_job *job);

/* Makes the report's text of a job whose slot has ended. */
void vx_job_write_report(vx_job *job);
/* Fills job->result from its slot; views of the buffers only when it is leased. */
void vx_job_publish(vx_job *job);
/* Ends the lease of a job that has ended; nothing when it holds none. The lock is held. */
void vx_job_end_lease(vx_job *job);

/* Takes the lock of an engine that is open, be the pointer ever so stale; else false. */
bool vx_vortex_enter(vx_vortex *vortex);
/* Gives up one hold; the last frees the vortex, which must be closed by then. The lock is
 * held and is given back. */
void vx_vortex_drop(vx_vortex *vortex);

#endif
