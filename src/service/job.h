/* Behind vortex.h: the resident engine, its queue and its jobs.
 *
 * One thread, the worker (worker.c), takes jobs from the queue in order, waits for a set of buffers that no
 * lease holds, and runs the slot (slot.h), whose stages run on threads of their own. A job belongs to its
 * client; the vortex lives until it is closed and the last job is freed. */
#ifndef VX_SERVICE_JOB_H
#define VX_SERVICE_JOB_H

#include <pthread.h>

#include "slot/slot.h"

struct vx_vortex {
    vx_settings settings;
    vx_pack pack;
    vx_crew crew;
    int accents;
    pthread_t worker;
    bool worker_runs;
    pthread_mutex_t lock; /* guards all below, and every job's `state`, `leased`, `result` */
    pthread_cond_t work;  /* for the worker: a job, a set, the end */
    pthread_cond_t ended; /* for clients: a job ended */
    bool closing, closed; /* takes no jobs; the engine is gone */
    vx_job **queue;       /* [settings.queue], a ring */
    int first, waiting;
    vx_job *running;
    vx_job *user[VX_SETS_MAX]; /* who works in a set or holds its lease; NULL: it is free */
    int holders;               /* the client's handle and its jobs */
};

struct vx_job {
    vx_vortex *vortex;
    vx_recipe recipe;
    char *path, *sheet;
    vx_slot_request request;
    vx_cancel cancel;
    void (*progress)(void *arg, const char *stage, double share);
    void (*frame)(void *arg, int64_t index, const vx_frame *frame);
    void *arg;
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

/* The worker's thread. It ends when the vortex closes and the queue is empty. */
void *vx_worker_main(void *vortex);

/* Fills job->result from its slot; views of the buffers only when it is leased. */
void vx_job_publish(vx_job *job);

/* Gives up one hold; the last frees the vortex, which must be closed by then. The lock is held and is given
 * back. */
void vx_vortex_drop(vx_vortex *vortex);

#endif
