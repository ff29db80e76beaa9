/* Behind vortex.h: the resident engine, its queue and its jobs.
 *
 * One thread, the worker, takes jobs from the queue in order, as soon as there is a set of buffers
 * that no lease holds, and runs the slot (slot.h), whose stages run on threads of their own.
 * Another, the desk, ends jobs that wait in vain, whatever the worker does (both in worker.c). A
 * job belongs to its client; the vortex lives until it is closed and the last job is freed. */
#ifndef VX_SERVICE_JOB_H
#define VX_SERVICE_JOB_H

#include <pthread.h>

#include "slot/slot.h"

struct vx_vortex {
    vx_settings settings;
    vx_pack pack;
    vx_crew crew;
    int accents;
    void (*log)(void *arg, const vx_log_line *line);
    void *log_arg;
    vx_vortex *next; /* of the engines that are open (vortex.c) */
    pthread_t worker, desk;
    bool worker_runs, desk_runs;
    pthread_mutex_t lock; /* guards all below, and every job's `state`, `leased`, `result` */
    pthread_cond_t work;  /* for worker and desk: a job, a set, the end */
    pthread_cond_t ended; /* for clients: a job ended */
    bool closing, closed; /* takes no jobs; the engine is gone */
    vx_job **queue;       /* [settings.queue], the next one first */
    int waiting;
    vx_job *running;
    vx_job *user[VX_SETS_MAX]; /* who works in a set or holds its lease; NULL: it is free */
    int holders;               /* the client's handle and its jobs */
};

struct vx_job {
    vx_vortex *vortex; /* NULL until it is queued */
    vx_recipe recipe;
    char *path, *sheet, *srt, *vtt;
    vx_slot_request request;
    vx_cancel cancel;
    vx_state state;
    bool leased; /* holds set request.set */
    vx_slot slot;
    vx_error err;
    vx_frame key_frames[VX_KEY_FRAMES];
    char *report;
    vx_result result;
};

/* Reads the recipe that a submission names, with its seed. Close it in any case. */
vx_status vx_job_recipe(vx_recipe *recipe, const vx_submit_params *params, vx_error *err);

/* The worker's thread and the desk's. They end when the vortex closes and the queue is empty. */
void *vx_worker_main(void *vortex);
void *vx_desk_main(void *vortex);

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
