/* Jobs: waiting for them, their place, their results and the leases on these. */
#include <string.h>

#include "base/clock.h"
#include "service/job.h"

/* ---- waiting -------------------------------------------------------------------------------- */

vx_state vx_job_poll(vx_job *job)
{
    if (job == NULL) return VX_ENDED;
    pthread_mutex_lock(&job->vortex->lock);
    vx_state state = job->state;
    pthread_mutex_unlock(&job->vortex->lock);
    return state;
}

vx_status vx_job_wait(vx_job *job, int64_t timeout_ms)
{
    if (job == NULL) return VX_ERR_USAGE;
    vx_vortex *v = job->vortex;
    struct timespec until = vx_deadline_in(timeout_ms);
    int timed_out = 0;
    pthread_mutex_lock(&v->lock);
    while (job->state != VX_ENDED && !timed_out) {
        if (timeout_ms < 0)
            pthread_cond_wait(&v->ended, &v->lock);
        else
            timed_out = pthread_cond_timedwait(&v->ended, &v->lock, &until) != 0;
    }
    bool ended = job->state == VX_ENDED;
    pthread_mutex_unlock(&v->lock);
    return ended ? VX_OK : VX_ERR_DEADLINE;
}

/* ---- its place ------------------------------------------------------------------------------ */

double vx_job_rest_s(const vx_vortex *v, const vx_job *job)
{
    double all = vx_slot_expect_s((vx_crew *)&v->crew, &job->request);
    if (all < 0 || job->state != VX_RUNNING) return all;
    double rest = all - (vx_now_s() - job->began_s);
    return rest > 0 ? rest : 0;
}

bool vx_comes_before(const vx_vortex *v, int index, const vx_job *job)
{
    const vx_job *other = v->queue[index];
    if (vx_post_of(v, other->recipe.kind) != vx_post_of(v, job->recipe.kind)) return false;
    if (other->priority != job->priority) return other->priority > job->priority;
    for (int i = index + 1; i < v->waiting; i++)
        if (v->queue[i] == job) return true;
    return false;
}

static void add_seconds(double *sum, double seconds)
{
    *sum = seconds < 0 || *sum < 0 ? -1 : *sum + seconds;
}

int vx_job_position(vx_job *job, double *ahead_s)
{
    double ahead = 0;
    int position = 0;
    if (job != NULL) {
        vx_vortex *v = job->vortex;
        pthread_mutex_lock(&v->lock);
        if (job->state == VX_QUEUED && !v->closed) {
            const vx_job *runs = v->worker[vx_post_of(v, job->recipe.kind)].job;
            if (runs != NULL) add_seconds(&ahead, vx_job_rest_s(v, runs));
            position = 1;
            for (int i = 0; i < v->waiting; i++) {
                if (!vx_comes_before(v, i, job)) continue;
                add_seconds(&ahead, vx_job_rest_s(v, v->queue[i]));
                position++;
            }
        }
        pthread_mutex_unlock(&v->lock);
    }
    if (ahead_s != NULL) *ahead_s = ahead;
    return position;
}

const char *vx_job_mime(vx_job *job)
{
    return job != NULL && atomic_load(&job->mime.set) ? job->mime.text : NULL;
}

void vx_job_cancel(vx_job *job)
{
    if (job != NULL) vx_cancel_ask(&job->cancel);
}

/* ---- results -------------------------------------------------------------------------------- */

static void publish_embeddings(const vx_slot *s, vx_result *r)
{
    r->embedding_b = s->embedding_b;
    r->embedding_b_count = s->embedding_b_count;
    r->embedding_l = s->embedding_l;
    r->embedding_l_count = s->embedding_l_count;
}

static void publish_film(vx_job *job, vx_result *r)
{
    const vx_slot *s = &job->slot;
    r->frames = s->frames;
    r->fps = s->fps;
    for (int i = 0; i < s->keys; i++)
        job->key_frames[i] =
            (vx_frame){s->key[i].rgb, s->key[i].width, s->key[i].height, s->key[i].stride};
    r->key_frames = job->key_frames;
    r->key_frame_count = s->keys;
    r->verified = s->verified;
    if (!s->verified) return;
    r->pass = s->score.pass;
    r->outlier = s->score.outlier;
    r->score_b = s->score.b;
    r->score_l = s->score.l;
    r->score_ensemble = s->score.ensemble;
    publish_embeddings(s, r);
}

static void publish_views(vx_job *job, vx_result *r)
{
    const vx_slot *s = &job->slot;
    if (job->recipe.kind == VX_PICTURE) {
        job->picture = (vx_frame){s->actor.rgb, s->actor.width, s->actor.height, s->actor.stride};
        r->picture = &job->picture;
        return;
    }
    if (job->recipe.kind == VX_SCORE) {
        publish_embeddings(s, r);
        return;
    }
    r->samples = s->spoken.samples;
    r->sample_count = s->spoken.count;
    r->sample_rate = VX_KOKORO_RATE;
    r->symbol = s->spoken.symbol;
    r->symbol_times = s->spoken.symbol_span;
    r->symbol_count = s->spoken.symbols;
    r->words = s->spoken.heard;
    r->word_count = s->spoken.words;
    if (job->recipe.kind == VX_FILM) publish_film(job, r);
}

void vx_job_write_report(vx_job *job)
{
    if (job->slot.report == NULL) return;
    char *text = json_dumps(job->slot.report, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (text != NULL) job->report = vx_heap_text(text, strlen(text));
    free(text);
    json_decref(job->slot.report);
    job->slot.report = NULL;
}

void vx_job_publish(vx_job *job)
{
    vx_result *r = &job->result;
    *r = (vx_result){.outcome = job->slot.outcome,
                     .error = job->err,
                     .report = job->report != NULL ? job->report : "{}",
                     .path = job->request.path,
                     .stages = job->slot.stage,
                     .stage_count = job->slot.stages,
                     .bytes = sizeof *r,
                     .kind = job->recipe.kind};
    if (job->leased) publish_views(job, r);
}

const vx_result *vx_job_result(vx_job *job)
{
    return job != NULL && vx_job_poll(job) == VX_ENDED ? &job->result : NULL;
}

void vx_job_end_lease(vx_job *job)
{
    vx_vortex *v = job->vortex;
    if (job->state != VX_ENDED || !job->leased) return;
    job->leased = false;
    vx_job_publish(job);
    v->user[job->seat] = NULL;
    pthread_cond_broadcast(&v->work);
}

void vx_job_release(vx_job *job)
{
    if (job == NULL) return;
    pthread_mutex_lock(&job->vortex->lock);
    vx_job_end_lease(job);
    pthread_mutex_unlock(&job->vortex->lock);
}

void vx_job_free(vx_job **handle)
{
    vx_job *job = handle != NULL ? *handle : NULL;
    if (job == NULL) return;
    vx_vortex *v = job->vortex;
    vx_job_cancel(job);
    vx_job_wait(job, -1);
    vx_job_release(job);
    pthread_mutex_lock(&v->lock);
    /* Nobody frees a job under the feet of the one who tells its end, but that one itself. */
    if (job->telling && pthread_equal(job->teller, pthread_self()))
        *job->freed = true;
    else
        while (job->telling)
            pthread_cond_wait(&v->ended, &v->lock);
    pthread_mutex_unlock(&v->lock);
    vx_job_discard(job);
    *handle = NULL;
    pthread_mutex_lock(&v->lock);
    vx_vortex_drop(v);
}
