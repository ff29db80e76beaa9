/* What an engine says about itself: metrics, figures, documents, and whether
 * it would take a job. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "service/api.h"
#include "service/job.h"
#include "slot/voices.h"
#include "text/clean.h"

_Static_assert((int)VX_KINDS <= (int)(sizeof((vx_figures){0}.waiting) / sizeof(int)),
               "vx_figures has room for all kinds");

char *vx_metrics_text(vx_vortex *v)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return NULL;
    bool there = vx_vortex_enter(v);
    if (there) {
        vx_metrics_write(&v->crew.metrics, &v->crew.monitor, v->crew.engine, out);
        pthread_mutex_unlock(&v->lock);
    }
    if (fclose(out) == 0 && there) return text;
    free(text);
    return NULL;
}

void vx_text_free(char *text)
{
    free(text);
}

void vx_write_metrics_file(vx_vortex *v)
{
    char *text = NULL;
    size_t bytes;
    vx_error err = {0};
    const char *path = v->settings.metrics_file;
    if (path == NULL) return;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return;
    vx_metrics_write(&v->crew.metrics, &v->crew.monitor, v->crew.engine, out);
    pthread_mutex_lock(&v->file_lock);
    if (fclose(out) == 0 && vx_file_write(path, text, bytes, &err) != VX_OK && !v->file_failed) {
        vx_log(VX_LOG_WARN, "metrics.file: %s", err.message);
        v->file_failed = true; /* said once */
    }
    pthread_mutex_unlock(&v->file_lock);
    free(text);
}

/* ---- figures -------------------------------------------------------------------------------- */

/* When the busiest post will be idle; the lock is held. */
static double wait_s(const vx_vortex *v)
{
    double post[VX_POSTS] = {0}, longest = 0;
    for (int i = 0; i < VX_POSTS; i++)
        if (v->worker[i].job != NULL) post[i] = vx_job_rest_s(v, v->worker[i].job);
    for (int i = 0; i < v->waiting; i++) {
        double *sum = &post[vx_post_of(v, v->queue[i]->recipe.kind)];
        double rest = vx_job_rest_s(v, v->queue[i]);
        *sum = *sum < 0 || rest < 0 ? -1 : *sum + rest;
    }
    for (int i = 0; i < VX_POSTS; i++) {
        if (post[i] < 0) return -1;
        longest = post[i] > longest ? post[i] : longest;
    }
    return longest;
}

vx_status vx_figures_read_api(vx_vortex *v, vx_figures *figures, int api)
{
    VX_TRY(vx_api_check(api, NULL));
    if (figures == NULL || api < 4) return VX_ERR_USAGE;
    *figures = (vx_figures){0};
    vx_limit left = vx_limits_free("");
    if (!vx_vortex_enter(v)) return VX_ERR_USAGE;
    const vx_plan *plan = vx_engine_planned(v->crew.engine);
    vx_monitor_figures seen = vx_monitor_read(&v->crew.monitor);
    *figures = (vx_figures){.planned_bytes = plan->total_bytes,
                            .used_bytes = seen.used_bytes,
                            .highest_bytes = seen.highest_bytes,
                            .soft_bytes = v->crew.monitor.limits.soft_bytes,
                            .hard_bytes = v->crew.monitor.limits.hard_bytes,
                            .machine_free_bytes = left.value < SIZE_MAX ? left.value : 0,
                            .soft_events = seen.soft_events,
                            .hard_events = seen.hard_events,
                            .queue = (int)v->settings.queue,
                            .wait_s = wait_s(v),
                            .closing = v->closing};
    for (int i = 0; i < v->waiting; i++)
        figures->waiting[v->queue[i]->recipe.kind]++;
    for (int i = 0; i < VX_POSTS; i++)
        if (v->worker[i].job != NULL) figures->running[v->worker[i].job->recipe.kind]++;
    pthread_mutex_unlock(&v->lock);
    return VX_OK;
}

/* ---- documents ------------------------------------------------------------------------------ */

static char *text_of(json_t *document)
{
    char *text =
        document != NULL ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(document);
    return text;
}

char *vx_plan_json(vx_vortex *v)
{
    if (!vx_vortex_enter(v)) return NULL;
    char *text = text_of(vx_plan_document(vx_engine_planned(v->crew.engine), true));
    pthread_mutex_unlock(&v->lock);
    return text;
}

char *vx_voices_json(vx_vortex *v)
{
    if (!vx_vortex_enter(v)) return NULL;
    char *text = v->voices != NULL ? strdup(v->voices) : NULL;
    pthread_mutex_unlock(&v->lock);
    return text;
}

void vx_list_voices(vx_vortex *v)
{
    vx_voices voices;
    if (vx_voices_find(&voices, &v->settings, &v->pack, NULL) == VX_OK)
        v->voices = text_of(vx_voices_document(&voices, &v->pack));
    vx_voices_free(&voices);
}

/* ["png", "jpg"] of "png|jpg" */
static json_t *choices_json(const char *choices)
{
    json_t *list = json_array();
    char word[24];
    for (int i = 0; *vx_choice_name(choices, i, word, sizeof word) != '\0'; i++)
        json_array_append_new(list, json_string(word));
    return list;
}

static json_t *features_json(const vx_engine *engine)
{
    int wants = vx_engine_wants(engine);
    return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b}", "speech", wants & VX_WANT_SPEECH, "picture",
                     wants & VX_WANT_ACTOR, "film", wants & VX_WANT_FILM, "verify",
                     wants & VX_WANT_VERIFY, "portrait", wants & VX_WANT_VIDEO,
                     "picture_from_image", vx_engine_parameters(engine)->image_to_image);
}

/* The largest film and picture that were planned. */
static json_t *sizes_json(const vx_engine *engine)
{
    const vx_engine_params *p = vx_engine_parameters(engine);
    const vx_pack *pack = vx_engine_pack(engine);
    json_t *picture = json_null();
    if (p->wants & VX_WANT_ACTOR) {
        const vx_actor_size *size = vx_engine_actor(engine);
        picture = json_pack("{s:i, s:i, s:i}", "width", size->width, "height", size->height,
                            "steps", size->steps);
    }
    int width = p->frame_width > 0 ? p->frame_width : (int)pack->width;
    int height = p->frame_height > 0 ? p->frame_height : (int)pack->height;
    double seconds = p->speech_seconds > 0 ? p->speech_seconds : pack->max_seconds;
    return json_pack("{s:{s:i, s:i, s:I, s:i, s:f}, s:o}", "film", "width", width, "height", height,
                     "fps", (json_int_t)pack->fps, "fps_max", (int)VX_SLOT_FPS_MAX, "max_seconds",
                     seconds, "picture", picture);
}

char *vx_info_json(vx_vortex *v)
{
    if (!vx_vortex_enter(v)) return NULL;
    const vx_engine *engine = v->crew.engine;
    const vx_backend *backend = vx_engine_backend(engine);
    const vx_pack *pack = &v->pack;
    json_t *document = json_pack(
        "{s:s, s:i, s:{s:s, s:s, s:s?, s:b, s:s}, s:s, s:s, s:s, s:o, s:o, s:o, s:{s:I, s:i, s:i, "
        "s:i, s:f}, s:{s:o, s:o, s:o}}",
        "version", VX_VERSION, "api", VORTEX_API, "pack", "name", pack->name, "version",
        pack->version, "license", pack->license, "synthetic", pack->synthetic, "sha256",
        pack->sha256, "device", backend->device.name, "backend", backend->ops->name, "level",
        backend->device.level, "features", features_json(engine), "moods",
        choices_json(VX_MOOD_NAMES), "sizes", sizes_json(engine), "limits", "queue",
        (json_int_t)v->settings.queue, "script_bytes", (int)VX_SCRIPT_BYTES_MAX, "prompt_bytes",
        (int)VX_PROMPT_BYTES_MAX, "speech_bytes", (int)VX_TEXT_BYTES_MAX, "speech_seconds",
        v->side ? v->settings.side_seconds : vx_engine_parameters(engine)->speech_seconds,
        "formats", "sound", choices_json(VX_SOUND_FORMAT_NAMES), "picture",
        choices_json(VX_PICTURE_FORMAT_NAMES), "film", choices_json(VX_CONTAINER_NAMES));
    char *text = text_of(document);
    pthread_mutex_unlock(&v->lock);
    return text;
}

/* ---- checks --------------------------------------------------------------------------------- */

static json_t *seconds_json(double seconds)
{
    return seconds >= 0 ? json_real(seconds) : json_null();
}

/* The lock is held. */
static json_t *check_json(vx_vortex *v, const vx_recipe *recipe, vx_expansion *x)
{
    vx_slot_request request = {.recipe = recipe, .set = vx_first_set(v, recipe->kind)};
    bool expanded = v->expander != NULL && recipe->visual.prompt != NULL &&
                    vx_expander_run(v->expander, recipe->visual.prompt, (uint64_t)recipe->seed, x);
    double speech = vx_slot_speech_s(&v->crew, &request);
    return json_pack("{s:s, s:o, s:o, s:s?}", "kind", vx_kind_names[recipe->kind], "speech_s",
                     speech > 0 ? json_real(speech) : json_null(), "work_s",
                     seconds_json(vx_slot_expect_s(&v->crew, &request)), "expanded_prompt",
                     expanded ? x->text : NULL);
}

vx_status vx_check_api(vx_vortex *v, const vx_submit_params *params, char **json, vx_error *err,
                       int api)
{
    vx_submit_params p;
    vx_recipe recipe;
    if (json != NULL) *json = NULL;
    VX_TRY(vx_api_submit_params(&p, params, api, err));
    p.path = p.sheet = p.srt = p.vtt = p.actor = p.audio = p.timings = p.motion = NULL;
    vx_expansion *x = vx_heap_alloc(sizeof *x);
    if (x == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a check");
    vx_status status = vx_job_recipe(&recipe, &p, err);
    if (status == VX_OK && vx_vortex_enter(v)) {
        status = vx_slot_check(&recipe, &v->crew, err);
        if (status == VX_OK && json != NULL) {
            *json = text_of(check_json(v, &recipe, x));
            if (*json == NULL) status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory");
        }
        pthread_mutex_unlock(&v->lock);
    } else if (status == VX_OK) {
        status = vx_fail(err, VX_ERR_USAGE, "bad_usage", "the engine is closed");
    }
    vx_recipe_close(&recipe);
    vx_heap_free(x);
    return status;
}
