/* The two threads of the resident engine.
 *
 * The worker runs slot after slot. While it does, or waits for a lease to end, somebody must still
 * answer those who wait: the desk looks at them every few milliseconds and ends the cancelled and
 * the overdue ones. A cancel is a token that a signal handler may have set, so nobody can be woken
 * by it; the desk sleeps without a clock only while nobody waits. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/job.h"

/* How often the desk looks at the jobs that wait: a fifth of the 50 ms in
 * which they are answered. */
enum { LOOK_MS = 10 };

static int free_set(const vx_vortex *v)
{
    for (int set = 0; set < vx_engine_sets(v->crew.engine); set++)
        if (v->user[set] == NULL) return set;
    return -1;
}

/* Whether the job, which waits, is over already. */
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
                v->running == NULL && free_set(v) < 0
                    ? "the slot missed its deadline while results were not released"
                    : "the slot missed its deadline while it waited for others");
        return true;
    }
    return false;
}

/* ---- the queue; the lock is held ------------------------------------------------------------- */

static void tell_metrics(vx_vortex *v)
{
    vx_metrics_queue(&v->crew.metrics, v->waiting, v->running != NULL);
}

/* Takes waiting job `index` out, so that its place is free. */
static vx_job *take(vx_vortex *v, int index)
{
    vx_job *job = v->queue[index];
    v->waiting--;
    memmove(&v->queue[index], &v->queue[index + 1],
            (size_t)(v->waiting - index) * sizeof(vx_job *));
    return job;
}

/* The first waiting job that is over, out of the queue; NULL: none is. */
static vx_job *take_over(vx_vortex *v)
{
    for (int i = 0; i < v->waiting; i++)
        if (is_over(v, v->queue[i])) return take(v, i);
    return NULL;
}

/* The next job, with a set to work in; NULL when there is none or every set is in use. */
static vx_job *take_next(vx_vortex *v)
{
    int set = free_set(v);
    if (v->waiting == 0 || set < 0) return NULL;
    vx_job *job = take(v, 0);
    job->request.set = set;
    job->state = VX_RUNNING;
    v->user[set] = v->running = job;
    tell_metrics(v);
    return job;
}

/* ---- the ends of a job; the lock is held and is given back meanwhile ------------------------- */

/* The slot has ended; writes what is said about it. */
static void write_up(vx_job *job)
{
    vx_job_write_report(job);
    vx_log_scope(job->recipe.slot_id, NULL);
    vx_log(VX_LOG_INFO, "slot ended: %s%s%s", job->slot.outcome,
           job->err.message[0] != '\0' ? ": " : "", job->err.message);
    vx_log_scope(NULL, NULL);
}

static void publish(vx_vortex *v, vx_job *job)
{
    vx_job_publish(job);
    job->state = VX_ENDED;
    tell_metrics(v);
    pthread_cond_broadcast(&v->work);
    pthread_cond_broadcast(&v->ended);
}

/* Ends every waiting job that is over. */
static void end_those_over(vx_vortex *v)
{
    vx_job *job;
    while ((job = take_over(v)) != NULL) {
        pthread_mutex_unlock(&v->lock);
        vx_slot_skip(&job->slot, &v->crew, &job->request, &job->err);
        write_up(job);
        pthread_mutex_lock(&v->lock);
        publish(v, job);
    }
}

static void run(vx_vortex *v, vx_job *job)
{
    pthread_mutex_unlock(&v->lock);
    vx_status status = vx_slot_run(&job->slot, &v->crew, &job->request, &job->err);
    write_up(job);
    pthread_mutex_lock(&v->lock);
    job->leased = (status == VX_OK || status == VX_ERR_VERIFY) && !v->closing;
    if (!job->leased) v->user[job->request.set] = NULL;
    v->running = NULL;
    publish(v, job);
}

/* ---- threads --------------------------------------------------------------------------------- */

void *vx_worker_main(void *arg)
{
    vx_vortex *v = arg;
    pthread_mutex_lock(&v->lock);
    for (;;) {
        end_those_over(v);
        vx_job *job = take_next(v);
        if (job != NULL)
            run(v, job);
        else if (v->waiting == 0 && v->closing)
            break;
        else
            pthread_cond_wait(&v->work, &v->lock);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

void *vx_desk_main(void *arg)
{
    vx_vortex *v = arg;
    pthread_mutex_lock(&v->lock);
    while (v->waiting > 0 || !v->closing) {
        struct timespec until = vx_deadline_in(LOOK_MS);
        if (v->waiting > 0)
            pthread_cond_timedwait(&v->work, &v->lock, &until);
        else
            pthread_cond_wait(&v->work, &v->lock);
        end_those_over(v);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}
