#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/job.h"

/* How long the worker sleeps while a job waits for buffers, before it looks at the job's cancel and deadline. */
enum { LOOK_NS = 10000000 };

static int free_set(const vx_vortex *v)
{
    for (int set = 0; set < vx_engine_sets(v->crew.engine); set++)
        if (v->user[set] == NULL) return set;
    return -1;
}

/* Whether the job, which has not begun, is over already. */
static bool is_over(const vx_vortex *v, vx_job *job)
{
    int64_t deadline_ms =
        job->request.deadline_ms > 0 ? job->request.deadline_ms : job->recipe.deadline_ms;
    if (vx_cancelled(&job->cancel)) {
        vx_fail(&job->err, VX_ERR_CANCELLED, "cancelled", "the slot was cancelled before it began");
        return true;
    }
    if (deadline_ms > 0 && vx_now_s() > job->request.begin_s + (double)deadline_ms * 1e-3) {
        vx_fail(&job->err, VX_ERR_DEADLINE, "deadline",
                free_set(v) < 0 ? "the slot missed its deadline while results were not released"
                                : "the slot missed its deadline while it waited for others");
        return true;
    }
    return false;
}

static void wait_for_work(vx_vortex *v, bool look)
{
    struct timespec until;
    if (!look) {
        pthread_cond_wait(&v->work, &v->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&v->work, &v->lock, &until);
}

static vx_job *take(vx_vortex *v)
{
    vx_job *job = v->queue[v->first];
    v->first = (v->first + 1) % (int)v->settings.queue;
    v->waiting--;
    job->state = VX_RUNNING;
    v->running = job;
    vx_metrics_queue(&v->crew.metrics, v->waiting, 1);
    return job;
}

/* The next job with a set to work in, or one that is over (request.set -1); NULL at the end. The lock is held. */
static vx_job *next_job(vx_vortex *v)
{
    for (;;) {
        vx_job *head = v->waiting > 0 ? v->queue[v->first] : NULL;
        if (head == NULL && v->closing) return NULL;
        if (head != NULL) {
            int set = free_set(v);
            bool over = is_over(v, head);
            if (over || set >= 0) {
                head->request.set = over ? -1 : set;
                if (!over) v->user[set] = head;
                return take(v);
            }
        }
        wait_for_work(v, head != NULL);
    }
}

static void run(vx_vortex *v, vx_job *job)
{
    if (job->request.set < 0) {
        job->request.set = 0;
        vx_slot_skip(&job->slot, &v->crew, &job->request, &job->err);
        return;
    }
    vx_status status = vx_slot_run(&job->slot, &v->crew, &job->request, &job->err);
    job->leased = status == VX_OK || status == VX_ERR_VERIFY;
    if (job->leased) return;
    pthread_mutex_lock(&v->lock);
    v->user[job->request.set] = NULL;
    pthread_mutex_unlock(&v->lock);
}

void *vx_worker_main(void *arg)
{
    vx_vortex *v = arg;
    vx_job *job;
    pthread_mutex_lock(&v->lock);
    while ((job = next_job(v)) != NULL) {
        pthread_mutex_unlock(&v->lock);
        run(v, job);
        vx_job_publish(job);
        vx_log_scope(job->recipe.slot_id, NULL);
        vx_log(VX_LOG_INFO, "slot ended: %s%s%s", job->result.outcome,
               job->err.message[0] != '\0' ? ": " : "", job->err.message);
        vx_log_scope(NULL, NULL);
        pthread_mutex_lock(&v->lock);
        job->state = VX_ENDED;
        v->running = NULL;
        vx_metrics_queue(&v->crew.metrics, v->waiting, 0);
        pthread_cond_broadcast(&v->ended);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}
