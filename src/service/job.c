/* Jobs: submitting them, waiting for them, their results and the leases on these. */
#include <string.h>

#include "base/clock.h"
#include "base/uses.h"
#include "media/image_out.h"
#include "service/api.h"
#include "service/job.h"

/* ---- submit --------------------------------------------------------------------------------- */

/* What the slot reads and writes, before anything runs. */
static vx_status check_uses(const vx_recipe *recipe, const vx_submit_params *p, vx_error *err)
{
    char image[PATH_MAX];
    bool pictured =
        recipe->visual.image != NULL && vx_named_path(&recipe->visual.image_file, image);
    const vx_use uses[] = {
        {VX_USE_IN, "the recipe", p->recipe, NULL},
        {VX_USE_IN, "the recipe's image", pictured ? image : NULL, NULL},
        {VX_USE_OUT, "the film", p->path, "mp4 mkv"},
        {VX_USE_OUT, "the sheet", p->sheet, "png jpg jpeg"},
        {VX_USE_OUT, "the captions (srt)", p->srt, "srt"},
        {VX_USE_OUT, "the captions (vtt)", p->vtt, "vtt"},
    };
    return vx_uses_check(uses, sizeof uses / sizeof *uses, err);
}

vx_status vx_job_recipe(vx_recipe *recipe, const vx_submit_params *p, vx_error *err)
{
    *recipe = (vx_recipe){0};
    if ((p->recipe != NULL) == (p->text != NULL))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "give either a recipe's path or its text");
    if (p->has_seed && p->seed < 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "seed is %lld and must not be negative",
                       (long long)p->seed);
    int subtitles = -1;
    if (p->subtitles != NULL)
        subtitles = vx_choice_index(VX_SUBTITLES_NAMES, p->subtitles, strlen(p->subtitles));
    if (p->subtitles != NULL && subtitles < 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "subtitles is '%.40s' and must be one of %s",
                       p->subtitles, VX_SUBTITLES_NAMES);
    if (p->loudness < 0 && !(p->loudness >= VX_LOUDNESS_MIN && p->loudness <= VX_LOUDNESS_MAX))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "loudness is %g LUFS and must be from %g to %g, or positive for none",
                       p->loudness, VX_LOUDNESS_MIN, VX_LOUDNESS_MAX);
    vx_container container;
    if (p->path != NULL) VX_TRY(vx_container_of(p->path, -1, &container, err));
    if (p->sheet != NULL) VX_TRY(vx_image_write_check(p->sheet, err));
    if (p->recipe != NULL) {
        VX_TRY(vx_recipe_read(recipe, p->recipe, err));
    } else {
        size_t bytes = p->text_bytes > 0 ? p->text_bytes : strlen(p->text);
        VX_TRY(vx_recipe_parse(recipe, "recipe", p->folder, p->text, bytes, err));
    }
    if (p->has_seed) recipe->seed = p->seed;
    if (subtitles >= 0) recipe->output.subtitles = subtitles;
    if (p->loudness != 0) recipe->audio.loudness = p->loudness > 0 ? VX_LOUDNESS_OFF : p->loudness;
    VX_TRY(vx_recipe_check_files(recipe, err));
    return check_uses(recipe, p, err);
}

/* A copy of a path, or NULL for none. */
static vx_status keep_path(char **copy, const char *path, vx_error *err)
{
    *copy = path != NULL ? vx_heap_text(path, strlen(path)) : NULL;
    if (path == NULL || *copy != NULL) return VX_OK;
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the job");
}

static vx_status fill(vx_job *job, const vx_submit_params *p, vx_error *err)
{
    if (p->path == NULL || p->path[0] == '\0')
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "give the path of the film");
    VX_TRY(vx_job_recipe(&job->recipe, p, err));
    VX_TRY(vx_recipe_check_files(&job->recipe, err));
    VX_TRY(keep_path(&job->path, p->path, err));
    VX_TRY(keep_path(&job->sheet, p->sheet, err));
    VX_TRY(keep_path(&job->srt, p->srt, err));
    VX_TRY(keep_path(&job->vtt, p->vtt, err));
    job->request = (vx_slot_request){.recipe = &job->recipe,
                                     .path = job->path,
                                     .sheet = job->sheet,
                                     .srt = job->srt,
                                     .vtt = job->vtt,
                                     .begin_s = vx_now_s(),
                                     .deadline_ms = p->deadline_ms,
                                     .cancel = &job->cancel,
                                     .progress = p->progress,
                                     .frame = p->frame,
                                     .arg = p->arg};
    return VX_OK;
}

/* The lock is held, so nothing here may look at a file: one that answers late
 * would hold up everybody. */
static vx_status enqueue(vx_vortex *v, vx_job *job, vx_error *err)
{
    bool full = v->waiting == (int)v->settings.queue;
    if (v->closing || full) vx_metrics_slot(&v->crew.metrics, "busy", 0);
    if (v->closing)
        return vx_fail(err, VX_ERR_DEADLINE, "busy", "the engine is closing; no job is taken");
    VX_TRY(vx_slot_check(&job->recipe, v->crew.engine, err));
    if (full)
        return vx_fail(err, VX_ERR_DEADLINE, "busy",
                       "the queue is full with %lld slots; try again later, or raise queue in the "
                       "settings",
                       (long long)v->settings.queue);
    job->vortex = v;
    v->queue[v->waiting++] = job;
    v->holders++;
    vx_metrics_queue(&v->crew.metrics, v->waiting, v->running != NULL);
    pthread_cond_broadcast(&v->work);
    return VX_OK;
}

static void discard(vx_job *job)
{
    vx_slot_close(&job->slot);
    vx_recipe_close(&job->recipe);
    vx_heap_free(job->report);
    vx_heap_free(job->vtt);
    vx_heap_free(job->srt);
    vx_heap_free(job->sheet);
    vx_heap_free(job->path);
    vx_heap_free(job);
}

vx_status vx_submit_api(vx_vortex *v, const vx_submit_params *params, vx_job **out, vx_error *err,
                        int api)
{
    vx_submit_params p;
    if (v == NULL || out == NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "vx_submit needs an engine and a place for the job; open one with vx_open");
    *out = NULL;
    VX_TRY(vx_api_submit_params(&p, params, api, err));
    vx_job *job = vx_heap_alloc(sizeof *job);
    if (job == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a job");
    vx_status status = fill(job, &p, err);
    if (status == VX_OK && vx_vortex_enter(v)) {
        status = enqueue(v, job, err);
        pthread_mutex_unlock(&v->lock);
    } else if (status == VX_OK) {
        status = vx_fail(err, VX_ERR_DEADLINE, "busy", "the engine is closed; no job is taken");
    }
    if (status == VX_OK)
        *out = job;
    else
        discard(job);
    return status;
}

vx_status(vx_submit)(vx_vortex *v, const vx_submit_params *params, vx_job **out, vx_error *err)
{
    return vx_submit_api(v, params, out, err, 1);
}

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

void vx_job_cancel(vx_job *job)
{
    if (job != NULL) vx_cancel_ask(&job->cancel);
}

/* ---- results -------------------------------------------------------------------------------- */

static void publish_views(vx_job *job, vx_result *r)
{
    const vx_slot *s = &job->slot;
    r->samples = s->spoken.samples;
    r->sample_count = s->spoken.count;
    r->sample_rate = VX_KOKORO_RATE;
    r->symbol = s->spoken.symbol;
    r->symbol_times = s->spoken.symbol_span;
    r->symbol_count = s->spoken.symbols;
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
    r->embedding_b = s->embedding_b;
    r->embedding_b_count = s->embedding_b_count;
    r->embedding_l = s->embedding_l;
    r->embedding_l_count = s->embedding_l_count;
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
                     .path = job->path,
                     .stages = job->slot.stage,
                     .stage_count = job->slot.stages,
                     .bytes = sizeof *r};
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
    v->user[job->request.set] = NULL;
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
    discard(job);
    *handle = NULL;
    pthread_mutex_lock(&v->lock);
    vx_vortex_drop(v);
}
