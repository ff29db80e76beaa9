#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    vx_cancel_ask(cancel);
}

void vx_cancel_free(vx_cancel **cancel)
{
    vx_heap_free(*cancel);
    *cancel = NULL;
}

/* ---- open ----------------------------------------------------------------------------------- */

static bool has_lexicon(const vx_pack *pack, const char *name)
{
    vx_path path;
    const char *folder = pack->components[VX_COMPONENT_KOKORO].lexicon.path;
    return folder != NULL && vx_path_join(&path, folder, name) && vx_path_is_file(path.text);
}

/* Every accent whose lexicon is there, and that of the pack's first voice, so that a missing one is an error. */
static int all_accents(const vx_vortex *v)
{
    int accents = vx_speaker_accents(&v->settings, &v->pack, NULL);
    if (has_lexicon(&v->pack, "us_gold.json")) accents |= VX_ACCENTS_US;
    if (has_lexicon(&v->pack, "gb_gold.json")) accents |= VX_ACCENTS_GB;
    return accents;
}

/* All that the pack has and that can be used: speech and frames always, the rest when it is whole. */
static int all_wants(const vx_pack *pack)
{
    const vx_pack_component *c = pack->components;
    int wants = VX_WANT_SPEECH | VX_WANT_FILM;
    if (c[VX_COMPONENT_CLIP_B].present && c[VX_COMPONENT_CLIP_L].present) wants |= VX_WANT_VERIFY;
    if (c[VX_COMPONENT_FLUX_TRANSFORMER].present) wants |= VX_WANT_ACTOR;
    if (c[VX_COMPONENT_LIVEPORTRAIT].present) wants |= VX_WANT_VIDEO;
    return wants;
}

/* What the engine is to hold: a recipe's needs or all. */
static vx_status needs(vx_vortex *v, const vx_open_params *p, vx_engine_params *params,
                       vx_error *err)
{
    if (p->only == NULL) {
        params->wants = all_wants(&v->pack);
        params->speech_seconds = v->settings.slot_seconds;
        params->frames = (int64_t)ceil(v->settings.slot_seconds * VX_SLOT_FPS_MAX);
        params->frame_width = (int)v->settings.slot_width;
        params->frame_height = (int)v->settings.slot_height;
        v->accents = all_accents(v);
        return VX_OK;
    }
    vx_recipe recipe;
    vx_status status = vx_job_recipe(&recipe, p->only, err);
    if (status == VX_OK) status = vx_slot_needs(&recipe, &v->pack, params, err);
    if (status == VX_OK)
        v->accents = vx_speaker_accents(&v->settings, &v->pack, recipe.audio.voice_id);
    vx_recipe_close(&recipe);
    return status;
}

static vx_status open_settings(vx_vortex *v, const vx_open_params *p, vx_error *err)
{
    VX_TRY(vx_settings_read(&v->settings, p->settings, err));
    if (p->pack != NULL) v->settings.pack = p->pack;
    if (p->device != NULL) v->settings.device = p->device;
    if (p->threads > 0) v->settings.threads = p->threads;
    return vx_pack_open(&v->pack, v->settings.pack, err);
}

static vx_status open_vortex(vx_vortex *v, const vx_open_params *p, vx_error *err)
{
    VX_TRY(open_settings(v, p, err));
    vx_engine_params params = {.settings = &v->settings,
                               .pack = &v->pack,
                               .progress = p->progress,
                               .progress_arg = p->progress_arg,
                               .cancel = p->cancel};
    VX_TRY(needs(v, p, &params, err));
    v->queue = vx_heap_alloc(sizeof *v->queue * (size_t)v->settings.queue);
    if (v->queue == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the queue");
    VX_TRY(vx_crew_open(&v->crew, &params, v->accents, err));
    int failed = pthread_create(&v->worker, NULL, vx_worker_main, v);
    if (failed)
        return vx_fail(err, VX_ERR_MEMORY, "no_threads", "the system refused a thread: %s",
                       strerror(failed));
    v->worker_runs = true;
    return VX_OK;
}

vx_status vx_open(vx_vortex **out, const vx_open_params *params, vx_error *err)
{
    pthread_condattr_t monotonic;
    vx_vortex *v = *out = vx_heap_alloc(sizeof *v);
    if (v == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the engine");
    v->holders = 1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&v->work, &monotonic);
    pthread_cond_init(&v->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    vx_status status = open_vortex(v, params, err);
    if (status != VX_OK) vx_close(out, 0);
    return status;
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
    vx_heap_free(v->queue);
    vx_heap_free(v);
}

/* Waits until nothing waits or runs, for `drain_ms` at most. The lock is held. */
static void drain(vx_vortex *v, int64_t drain_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ms = drain_ms > 0 ? drain_ms : 0;
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int timed_out = 0;
    while ((v->waiting > 0 || v->running != NULL) && !timed_out) {
        if (drain_ms < 0)
            pthread_cond_wait(&v->ended, &v->lock);
        else
            timed_out = pthread_cond_timedwait(&v->ended, &v->lock, &until) != 0;
    }
    for (int i = 0; i < v->waiting; i++)
        vx_cancel_ask(&v->queue[(v->first + i) % (int)v->settings.queue]->cancel);
    if (v->running != NULL) vx_cancel_ask(&v->running->cancel);
}

void vx_close(vx_vortex **handle, int64_t drain_ms)
{
    vx_vortex *v = *handle;
    if (v == NULL) return;
    pthread_mutex_lock(&v->lock);
    v->closing = true;
    drain(v, drain_ms);
    pthread_cond_signal(&v->work);
    pthread_mutex_unlock(&v->lock);
    if (v->worker_runs) pthread_join(v->worker, NULL);
    pthread_mutex_lock(&v->lock);
    for (int set = 0; set < VX_SETS_MAX; set++) {
        if (v->user[set] == NULL) continue;
        v->user[set]->leased = false;
        vx_job_publish(v->user[set]);
    }
    pthread_mutex_unlock(&v->lock);
    vx_crew_close(&v->crew);
    vx_pack_close(&v->pack);
    vx_settings_close(&v->settings);
    *handle = NULL;
    pthread_mutex_lock(&v->lock);
    v->closed = true;
    vx_vortex_drop(v);
}

/* ---- metrics -------------------------------------------------------------------------------- */

char *vx_metrics_text(vx_vortex *v)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return NULL;
    vx_metrics_write(&v->crew.metrics, &v->crew.monitor, vx_engine_planned(v->crew.engine), out);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

void vx_text_free(char *text)
{
    free(text);
}
