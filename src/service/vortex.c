/* The resident engine of vortex.h: opening it with all that a pack has or that one job
 * needs, closing it. What a handle must be worth to a caller whose threads
 * race is said here too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quiet.h"
#include "service/api.h"
#include "service/job.h"

const char *vx_version(void)
{
    return VX_VERSION;
}

vx_cancel *vx_cancel_new(void)
{
    return vx_heap_alloc(sizeof(vx_cancel));
}

void vx_cancel_set(vx_cancel *cancel)
{
    if (cancel != NULL) vx_cancel_ask(cancel);
}

void vx_cancel_free(vx_cancel **cancel)
{
    if (cancel == NULL) return;
    vx_heap_free(*cancel);
    *cancel = NULL;
}

/* ---- handles -------------------------------------------------------------------------------- */

/* Engines that are open. A server's threads may hold a handle for a while after somebody closed it;
 * a pointer that isn't on this list is never followed. */
static vx_vortex *open_engines;
static pthread_mutex_t open_engines_lock = PTHREAD_MUTEX_INITIALIZER;

static vx_vortex **find(const vx_vortex *v)
{
    vx_vortex **at = &open_engines;
    while (*at != NULL && *at != v)
        at = &(*at)->next;
    return at;
}

bool vx_vortex_enter(vx_vortex *v)
{
    pthread_mutex_lock(&open_engines_lock);
    bool there = v != NULL && *find(v) == v;
    if (there) pthread_mutex_lock(&v->lock);
    pthread_mutex_unlock(&open_engines_lock);
    return there;
}

static void list(vx_vortex *v)
{
    pthread_mutex_lock(&open_engines_lock);
    v->next = open_engines;
    open_engines = v;
    pthread_mutex_unlock(&open_engines_lock);
}

/* Nobody enters any more, and nobody is inside when this returns. */
static void unlist(vx_vortex *v)
{
    pthread_mutex_lock(&open_engines_lock);
    vx_vortex **at = find(v);
    if (*at == v) *at = v->next;
    pthread_mutex_unlock(&open_engines_lock);
    pthread_mutex_lock(&v->lock);
    pthread_mutex_unlock(&v->lock);
}

/* ---- open ----------------------------------------------------------------------------------- */

static bool has_lexicon(const vx_pack *pack, const char *name)
{
    vx_path path;
    const char *folder = pack->components[VX_COMPONENT_KOKORO].lexicon.path;
    return folder != NULL && vx_path_join(&path, folder, name) && vx_path_is_file(path.text);
}

/* Every accent whose lexicon is there, and that of the pack's first voice, so that a
 * missing one is an error. */
static int all_accents(const vx_vortex *v)
{
    int accents = vx_speaker_accents(&v->settings, &v->pack, NULL);
    if (has_lexicon(&v->pack, "us_gold.json")) accents |= VX_ACCENTS_US;
    if (has_lexicon(&v->pack, "gb_gold.json")) accents |= VX_ACCENTS_GB;
    return accents;
}

/* All that the pack has and that can be used: speech and frames always, the
 * rest when it is whole. */
static int all_wants(const vx_pack *pack)
{
    const vx_pack_component *c = pack->components;
    int wants = VX_WANT_SPEECH | VX_WANT_FILM;
    if (c[VX_COMPONENT_CLIP_B].present && c[VX_COMPONENT_CLIP_L].present) wants |= VX_WANT_VERIFY;
    if (c[VX_COMPONENT_FLUX_TRANSFORMER].present) wants |= VX_WANT_ACTOR;
    if (c[VX_COMPONENT_LIVEPORTRAIT].present)
        wants |= VX_WANT_VIDEO | (vx_faces_in(pack) ? VX_WANT_FACE : 0);
    return wants;
}

static void take_all(vx_vortex *v, vx_engine_params *params)
{
    params->wants = all_wants(&v->pack);
    params->image_to_image = v->settings.flux_encoder && params->wants & VX_WANT_ACTOR;
    params->side = v->side = v->settings.lanes > 1;
    params->side_seconds = v->settings.side_seconds;
    v->accents = all_accents(v);
}

/* What one job needs beside what others do. */
static vx_status add_need(vx_vortex *v, const vx_submit_params *job, vx_engine_params *sum,
                          vx_error *err)
{
    vx_recipe recipe;
    vx_engine_params one = {0};
    vx_status status = vx_job_recipe(&recipe, job, err);
    if (status == VX_OK) status = vx_slot_needs(&recipe, &v->pack, &one, err);
    if (status == VX_OK) {
        vx_slot_needs_both(sum, &one, &v->pack);
        if (one.wants & VX_WANT_SPEECH && recipe.audio.phonemes == NULL)
            v->accents |= vx_speaker_accents(&v->settings, &v->pack, recipe.audio.voice_id);
    }
    vx_recipe_close(&recipe);
    return status;
}

/* What the engine is to hold: the jobs' needs or all. */
static vx_status needs(vx_vortex *v, const vx_open_params *p, int api, vx_engine_params *params,
                       vx_error *err)
{
    vx_error first = {0};
    if (p->only == NULL) {
        take_all(v, params);
        return VX_OK;
    }
    for (size_t i = 0; i < p->only_count; i++) {
        vx_submit_params job;
        vx_error why = {0};
        VX_TRY(vx_api_only(&job, p, i, api, err));
        if (add_need(v, &job, params, &why) != VX_OK && first.status == VX_OK) first = why;
    }
    if (first.status == VX_OK || (p->only_count > 1 && params->wants != 0)) return VX_OK;
    if (err != NULL) *err = first;
    return first.status;
}

static vx_status open_settings(vx_vortex *v, const vx_open_params *p, vx_error *err)
{
    VX_TRY(vx_settings_read(&v->settings, p->settings, err));
    if (p->pack != NULL) v->settings.pack = p->pack;
    if (p->device != NULL) v->settings.device = p->device;
    if (p->threads > 0) v->settings.threads = p->threads;
    if (p->log_level != NULL)
        v->settings.log_level =
            vx_choice_index(VX_LOG_LEVEL_NAMES, p->log_level, strlen(p->log_level));
    if (v->settings.log_level < 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "log_level is '%s' and must be error, warn, info or debug", p->log_level);
    vx_log_set_level((vx_log_level)v->settings.log_level);
    return vx_pack_open(&v->pack, v->settings.pack, err);
}

static vx_status start_threads(vx_vortex *v, vx_error *err)
{
    int failed = 0;
    for (int i = 0; i < (v->side ? VX_POSTS : 1) && failed == 0; i++) {
        vx_worker *w = &v->worker[i];
        *w = (vx_worker){.vortex = v, .post = (vx_post)i};
        failed = pthread_create(&w->thread, NULL, vx_worker_main, w);
        w->runs = failed == 0;
    }
    if (failed == 0) {
        failed = pthread_create(&v->desk, NULL, vx_desk_main, v);
        v->desk_runs = failed == 0;
    }
    if (failed == 0) return VX_OK;
    return vx_fail(err, VX_ERR_MEMORY, "no_threads", "the system refused a thread: %s",
                   strerror(failed));
}

static vx_status open_vortex(vx_vortex *v, const vx_open_params *p, int api, vx_error *err)
{
    VX_TRY(open_settings(v, p, err));
    vx_engine_params params = {VX_OUR_PARTS,
                               .settings = &v->settings,
                               .pack = &v->pack,
                               .progress = p->progress,
                               .progress_arg = p->progress_arg,
                               .cancel = p->cancel};
    VX_TRY(needs(v, p, api, &params, err));
    v->queue = vx_heap_alloc(sizeof *v->queue * (size_t)v->settings.queue);
    if (v->queue == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the queue");
    VX_TRY(vx_crew_open(&v->crew, &params, v->accents, err));
    if (params.wants & VX_WANT_ACTOR && v->pack.expand.name != NULL)
        VX_TRY(vx_expander_open(&v->expander, v->pack.expand.path, err));
    vx_list_voices(v);
    vx_write_metrics_file(v);
    return start_threads(v, err);
}

static void shut(vx_vortex *v);

vx_status vx_open_api(vx_vortex **out, const vx_open_params *params, vx_error *err, int api)
{
    vx_open_params p;
    vx_quiet quiet;
    if (out == NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "vx_open needs a place for the handle");
    *out = NULL;
    VX_TRY(vx_api_open_params(&p, params, api, err));
    vx_vortex *v = vx_heap_alloc(sizeof *v);
    if (v == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the engine");
    v->holders = 1;
    v->log = p.log;
    v->log_arg = p.log_arg;
    pthread_mutex_init(&v->lock, NULL);
    pthread_mutex_init(&v->file_lock, NULL);
    vx_cond_open(&v->work);
    vx_cond_open(&v->ended);
    if (p.log != NULL) vx_log_take(p.log, p.log_arg);
    /* The engine's threads are made here and inherit the quiet. */
    vx_quiet_begin(&quiet);
    vx_status status = open_vortex(v, &p, api, err);
    if (status == VX_OK) {
        list(v);
        *out = v;
    } else {
        pthread_mutex_lock(&v->lock);
        v->closing = true;
        pthread_mutex_unlock(&v->lock);
        shut(v);
    }
    vx_quiet_end(&quiet);
    return status;
}

vx_status(vx_open)(vx_vortex **out, const vx_open_params *params, vx_error *err)
{
    return vx_open_api(out, params, err, 1);
}

/* ---- close ---------------------------------------------------------------------------------- */

void vx_vortex_drop(vx_vortex *v)
{
    bool last = --v->holders == 0;
    assert(!last || v->closed);
    pthread_mutex_unlock(&v->lock);
    if (!last) return;
    pthread_cond_destroy(&v->ended);
    pthread_cond_destroy(&v->work);
    pthread_mutex_destroy(&v->lock);
    pthread_mutex_destroy(&v->file_lock);
    vx_heap_free(v->queue);
    vx_heap_free(v);
}

/* Waits until nothing waits or runs, for `drain_ms` at most. The lock is held. */
static void drain(vx_vortex *v, int64_t drain_ms)
{
    struct timespec until = vx_deadline_in(drain_ms);
    int timed_out = 0;
    while ((v->waiting > 0 || vx_running(v) > 0) && !timed_out) {
        if (drain_ms < 0)
            pthread_cond_wait(&v->ended, &v->lock);
        else
            timed_out = pthread_cond_timedwait(&v->ended, &v->lock, &until) != 0;
    }
    for (int i = 0; i < v->waiting; i++)
        vx_cancel_ask(&v->queue[i]->cancel);
    for (int i = 0; i < VX_POSTS; i++)
        if (v->worker[i].job != NULL) vx_cancel_ask(&v->worker[i].job->cancel);
}

/* Frees all but what jobs still hold; the engine is closing and nothing is left to wait for but the
 * answers of its threads. */
static void shut(vx_vortex *v)
{
    pthread_mutex_lock(&v->lock);
    pthread_cond_broadcast(&v->work);
    pthread_mutex_unlock(&v->lock);
    for (int i = 0; i < VX_POSTS; i++)
        if (v->worker[i].runs) pthread_join(v->worker[i].thread, NULL);
    if (v->desk_runs) pthread_join(v->desk, NULL);
    unlist(v);
    free(v->voices);
    v->voices = NULL;
    vx_expander_close(&v->expander);
    vx_crew_close(&v->crew);
    vx_pack_close(&v->pack);
    vx_settings_close(&v->settings);
    if (v->log != NULL) vx_log_give_back(v->log, v->log_arg);
    pthread_mutex_lock(&v->lock);
    v->closed = true;
    vx_vortex_drop(v);
}

void vx_close(vx_vortex **handle, int64_t drain_ms)
{
    vx_vortex *v = handle != NULL ? *handle : NULL;
    if (v == NULL) return;
    *handle = NULL;
    if (!vx_vortex_enter(v)) return;
    bool closing = v->closing;
    v->closing = true;
    if (!closing) {
        /* Or a job that waits for a lease which the caller holds would wait for ever. */
        for (int seat = 0; seat < VX_SEATS; seat++)
            if (v->user[seat] != NULL) vx_job_end_lease(v->user[seat]);
        drain(v, drain_ms);
    }
    pthread_mutex_unlock(&v->lock);
    if (!closing) shut(v);
}
