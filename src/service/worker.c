/* The threads of the resident engine.
 *
 * A worker runs slot after slot. While it does, or waits for a lease to end, somebody must still
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

vx_post vx_post_of(const vx_vortex *v, vx_kind kind)
{
    static const vx_post posts[VX_KINDS] = {
        [VX_FILM] = VX_POST_FILM,      [VX_SPEECH] = VX_POST_SPEECH, [VX_PICTURE] = VX_POST_PICTURE,
        [VX_ANIMATION] = VX_POST_FILM, [VX_SCORE] = VX_POST_PICTURE,
    };
    return v->side ? posts[kind] : VX_POST_FILM;
}

int vx_first_set(const vx_vortex *v, vx_kind kind)
{
    return vx_post_of(v, kind) == VX_POST_FILM ? 0 : vx_engine_side(v->crew.engine);
}

int vx_running(const vx_vortex *v)
{
    int running = 0;
    for (int i = 0; i < VX_POSTS; i++)
        running += v->worker[i].job != NULL;
    return running;
}

/* A seat of the post that nobody has; -1: there is none. */
static int free_seat(const vx_vortex *v, vx_post post)
{
    int seat = post == VX_POST_SPEECH ? VX_SEAT_SPEECH : VX_SEAT_PICTURE;
    if (post != VX_POST_FILM) return v->user[seat] == NULL ? seat : -1;
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
    vx_post post = vx_post_of(v, job->recipe.kind);
    if (deadline_ms > 0 && vx_now_s() > job->request.begin_s + (double)deadline_ms * 1e-3) {
        vx_fail(&job->err, VX_ERR_DEADLINE, "deadline",
                v->worker[post].job == NULL && free_seat(v, post) < 0
                    ? "the slot missed its deadline while results were not released"
                    : "the slot missed its deadline while it waited for others");
        return true;
    }
    return false;
}

/* ---- the queue; the lock is held ------------------------------------------------------------- */

static void tell_metrics(vx_vortex *v)
{
    vx_metrics_queue(&v->crew.metrics, v->waiting, vx_running(v));
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

/* The post's next job: the oldest of the highest priority; -1: none waits. */
static int next_of(const vx_vortex *v, vx_post post)
{
    int next = -1;
    for (int i = 0; i < v->waiting; i++)
        if (vx_post_of(v, v->queue[i]->recipe.kind) == post &&
            (next < 0 || v->queue[i]->priority > v->queue[next]->priority))
            next = i;
    return next;
}

/* The next job, with a seat to work in; NULL when there is none or every seat is in use. */
static vx_job *take_next(vx_worker *w)
{
    vx_vortex *v = w->vortex;
    int seat = free_seat(v, w->post), next = next_of(v, w->post);
    if (next < 0 || seat < 0) return NULL;
    vx_job *job = take(v, next);
    job->seat = seat;
    if (w->post == VX_POST_FILM) job->request.set = seat;
    job->state = VX_RUNNING;
    job->began_s = vx_now_s();
    v->user[seat] = w->job = job;
    vx_metrics_wait(&v->crew.metrics, job->recipe.kind, job->began_s - job->request.begin_s);
    tell_metrics(v);
    return job;
}

/* ---- the ends of a job; the lock is held and is given back meanwhile ------------------------- */

/* The slot has ended; writes what is said about it. */
static void write_up(vx_vortex *v, vx_job *job)
{
    vx_write_metrics_file(v);
    vx_job_write_report(job);
    vx_log_scope(job->recipe.slot_id, NULL);
    vx_log(VX_LOG_INFO, "slot ended: %s%s%s", job->slot.outcome,
           job->err.message[0] != '\0' ? ": " : "", job->err.message);
    vx_log_scope(NULL, NULL);
}

/* The job is its client's afterwards, and may be gone. */
static void publish(vx_vortex *v, vx_job *job)
{
    bool freed = false;
    vx_job_publish(job);
    job->state = VX_ENDED;
    job->telling = job->told_end != NULL;
    job->teller = pthread_self();
    job->freed = &freed;
    tell_metrics(v);
    pthread_cond_broadcast(&v->work);
    pthread_cond_broadcast(&v->ended);
    if (!job->telling) return;
    pthread_mutex_unlock(&v->lock);
    job->told_end(job->request.arg, job);
    pthread_mutex_lock(&v->lock);
    if (!freed) job->telling = false;
    pthread_cond_broadcast(&v->ended);
}

/* Ends every waiting job that is over. */
static void end_those_over(vx_vortex *v)
{
    vx_job *job;
    while ((job = take_over(v)) != NULL) {
        pthread_mutex_unlock(&v->lock);
        vx_slot_skip(&job->slot, &v->crew, &job->request, &job->err);
        write_up(v, job);
        pthread_mutex_lock(&v->lock);
        publish(v, job);
    }
}

static void run(vx_worker *w, vx_job *job)
{
    vx_vortex *v = w->vortex;
    pthread_mutex_unlock(&v->lock);
    vx_status status = vx_slot_run(&job->slot, &v->crew, &job->request, &job->err);
    write_up(v, job);
    pthread_mutex_lock(&v->lock);
    job->leased = (status == VX_OK || status == VX_ERR_VERIFY) && !v->closing;
    if (!job->leased) v->user[job->seat] = NULL;
    w->job = NULL;
    publish(v, job);
}

/* ---- threads --------------------------------------------------------------------------------- */

void *vx_worker_main(void *arg)
{
    vx_worker *w = arg;
    vx_vortex *v = w->vortex;
    pthread_mutex_lock(&v->lock);
    for (;;) {
        end_those_over(v);
        vx_job *job = take_next(w);
        if (job != NULL)
            run(w, job);
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
