/* Submitting: what a job is asked for, and its place in the queue. */
#include <string.h>

#include "base/clock.h"
#include "base/uses.h"
#include "media/image_out.h"
#include "service/api.h"
#include "service/job.h"

/* ---- what is asked for ---------------------------------------------------------------------- */

/* A path of a submission: where it lies, what it is for whom. */
typedef struct path_row {
    size_t from, to; /* in vx_submit_params, in vx_slot_request */
    const char *name, *endings;
    unsigned kinds; /* that have it, a bit each */
} path_row;

#define PATH(member, name_, endings_, kinds_)                                                      \
    {                                                                                              \
        offsetof(vx_submit_params, member), offsetof(vx_slot_request, member), name_, endings_,    \
            kinds_                                                                                 \
    }
enum { FILM = 1 << VX_FILM, SPEECH = 1 << VX_SPEECH, SPOKEN = FILM | SPEECH };
static const char *const path_names[VX_KINDS] = {"the film", "the sound", "the picture", "the film",
                                                 "the scores"};
static const char *const path_endings[VX_KINDS] = {"mp4 mkv", "wav flac mp3 opus ogg aac pcm",
                                                   "png jpg jpeg", "mp4 mkv", "json"};
static const path_row paths[VX_JOB_PATHS] = {
    PATH(path, NULL, NULL, ~(1u << VX_SCORE)),
    PATH(sheet, "the sheet", "png jpg jpeg", FILM),
    PATH(srt, "the captions (srt)", "srt", SPOKEN),
    PATH(vtt, "the captions (vtt)", "vtt", SPOKEN),
    PATH(actor, "the actor", "png jpg jpeg", FILM),
    PATH(audio, "the speech", "wav flac mp3 opus ogg aac pcm", FILM),
    PATH(timings, "the timings", "json", SPOKEN),
    PATH(motion, "the motion", "json csv", FILM),
};

static const char *path_at(const vx_submit_params *p, int row)
{
    return *(const char *const *)((const char *)p + paths[row].from);
}

/* What the slot reads and writes, before anything runs. */
static vx_status check_uses(const vx_recipe *recipe, const vx_submit_params *p, vx_error *err)
{
    char image[PATH_MAX];
    bool pictured = recipe->visual.image != NULL && recipe->visual.image_data == NULL &&
                    vx_named_path(&recipe->visual.image_file, image);
    vx_use uses[VX_JOB_PATHS + 3] = {
        {VX_USE_IN, "the recipe", p->recipe, NULL},
        {VX_USE_IN, "the recipe's image", pictured ? image : NULL, NULL},
        {VX_USE_OUT, "the latents", recipe->visual.latents_out, "npy"},
    };
    if (p->write != NULL && recipe->kind == VX_SCORE)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "scores are in the report; leave write out");
    for (int i = 0; i < VX_JOB_PATHS; i++) {
        const char *name = i > 0 ? paths[i].name : path_names[recipe->kind];
        if (path_at(p, i) != NULL && !(paths[i].kinds & 1u << recipe->kind))
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "%s is asked for, which a job of this kind does not have", name);
        uses[i + 3] = (vx_use){VX_USE_OUT, name, path_at(p, i),
                               i > 0 ? paths[i].endings : path_endings[recipe->kind]};
    }
    return vx_uses_check(uses, sizeof uses / sizeof *uses, err);
}

/* Numbers and words of the parameters themselves; *subtitles is -1 when not given. */
static vx_status check_params(const vx_submit_params *p, int *subtitles, vx_error *err)
{
    *subtitles = -1;
    if ((p->recipe != NULL) == (p->text != NULL))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "give either a recipe's path or its text");
    if (p->has_seed && p->seed < 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "seed is %lld and must not be negative",
                       (long long)p->seed);
    if (p->subtitles != NULL)
        *subtitles = vx_choice_index(VX_SUBTITLES_NAMES, p->subtitles, strlen(p->subtitles));
    if (p->subtitles != NULL && *subtitles < 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "subtitles is '%.40s' and must be one of %s",
                       p->subtitles, VX_SUBTITLES_NAMES);
    if (p->loudness < 0 && !(p->loudness >= VX_LOUDNESS_MIN && p->loudness <= VX_LOUDNESS_MAX))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "loudness is %g LUFS and must be from %g to %g, or positive for none",
                       p->loudness, VX_LOUDNESS_MIN, VX_LOUDNESS_MAX);
    if (p->priority < VX_LOW || p->priority > VX_HIGH)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "there is no priority %d", (int)p->priority);
    if ((p->image != NULL) != (p->image_bytes > 0))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "image and image_bytes belong together");
    return VX_OK;
}

/* Whether FFmpeg here has the encoders, by the outputs' names and formats. */
static vx_status check_formats(const vx_recipe *recipe, const vx_submit_params *p, vx_error *err)
{
    vx_container container;
    vx_sound_format format;
    const char *path = p->path;
    if (p->sheet != NULL) VX_TRY(vx_image_write_check(p->sheet, err));
    if (p->actor != NULL) VX_TRY(vx_image_write_check(p->actor, err));
    if (p->audio != NULL) VX_TRY(vx_sound_format_of(p->audio, -1, &format, err));
    switch (recipe->kind) {
    case VX_SPEECH:
        if (path == NULL) path = "-";
        return vx_sound_format_of(path, recipe->audio.format, &format, err);
    case VX_PICTURE:
        if (path != NULL) VX_TRY(vx_image_write_check(path, err));
        return vx_image_write_check(recipe->visual.format == VX_PICTURE_JPG ? ".jpg" : "-", err);
    default:
        return path != NULL ? vx_container_of(path, -1, &container, err) : VX_OK;
    }
}

vx_status vx_job_recipe(vx_recipe *recipe, const vx_submit_params *p, vx_error *err)
{
    int subtitles;
    *recipe = (vx_recipe){0};
    VX_TRY(check_params(p, &subtitles, err));
    vx_request_source source = {.kind = p->kind,
                                .path = p->recipe,
                                .text = p->text,
                                .bytes = p->text_bytes,
                                .folder = p->folder,
                                .confined = p->confined,
                                .image_data = p->image,
                                .image_bytes = p->image_bytes};
    if (p->text != NULL && p->text_bytes == 0) source.bytes = strlen(p->text);
    VX_TRY(vx_request_read(recipe, &source, err));
    if (p->has_seed) recipe->seed = p->seed;
    if (subtitles >= 0) recipe->output.subtitles = subtitles;
    if (p->loudness != 0) recipe->audio.loudness = p->loudness > 0 ? VX_LOUDNESS_OFF : p->loudness;
    VX_TRY(vx_recipe_check_files(recipe, err));
    VX_TRY(check_formats(recipe, p, err));
    return check_uses(recipe, p, err);
}

/* ---- the job -------------------------------------------------------------------------------- */

/* Copies of the paths. */
static vx_status keep_paths(vx_job *job, const vx_submit_params *p, vx_error *err)
{
    for (int i = 0; i < VX_JOB_PATHS; i++) {
        const char *path = path_at(p, i);
        if (path == NULL) continue;
        job->path[i] = vx_heap_text(path, strlen(path));
        if (job->path[i] == NULL)
            return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the job");
        *(const char **)((char *)&job->request + paths[i].to) = job->path[i];
    }
    return VX_OK;
}

static vx_status fill(vx_job *job, const vx_submit_params *p, vx_error *err)
{
    bool to_file = p->path != NULL && p->path[0] != '\0';
    if (p->kind == VX_FILM && !to_file && p->write == NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "give the path of the film, or write");
    VX_TRY(vx_job_recipe(&job->recipe, p, err));
    job->request = (vx_slot_request){.recipe = &job->recipe,
                                     .begin_s = vx_now_s(),
                                     .deadline_ms = p->deadline_ms,
                                     .cancel = &job->cancel,
                                     .progress = p->progress,
                                     .frame = p->frame,
                                     .sound = p->sound,
                                     .picture = p->picture,
                                     .write = p->write,
                                     .mime = p->write != NULL ? &job->mime : NULL,
                                     .arg = p->arg};
    job->priority = p->priority;
    job->told_end = p->ended;
    return keep_paths(job, p, err);
}

/* The lock is held, so nothing here may look at a file: one that answers late
 * would hold up everybody. */
static vx_status enqueue(vx_vortex *v, vx_job *job, vx_error *err)
{
    bool full = v->waiting == (int)v->settings.queue;
    if (v->closing || full) vx_metrics_slot(&v->crew.metrics, job->recipe.kind, "busy", 0);
    if (v->closing)
        return vx_fail(err, VX_ERR_DEADLINE, "busy", "the engine is closing; no job is taken");
    VX_TRY(vx_slot_check(&job->recipe, &v->crew, err));
    if (full)
        return vx_fail(err, VX_ERR_DEADLINE, "busy",
                       "the queue is full with %lld slots; try again later, or raise queue in the "
                       "settings",
                       (long long)v->settings.queue);
    job->vortex = v;
    job->request.set = vx_first_set(v, job->recipe.kind);
    v->queue[v->waiting++] = job;
    v->holders++;
    vx_metrics_queue(&v->crew.metrics, v->waiting, vx_running(v));
    pthread_cond_broadcast(&v->work);
    return VX_OK;
}

void vx_job_discard(vx_job *job)
{
    vx_slot_close(&job->slot);
    vx_recipe_close(&job->recipe);
    vx_heap_free(job->report);
    for (int i = 0; i < VX_JOB_PATHS; i++)
        vx_heap_free(job->path[i]);
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
        if (status == VX_OK) *out = job; /* before its end can be told */
        pthread_mutex_unlock(&v->lock);
    } else if (status == VX_OK) {
        status = vx_fail(err, VX_ERR_DEADLINE, "busy", "the engine is closed; no job is taken");
    }
    if (status != VX_OK) vx_job_discard(job);
    return status;
}

vx_status(vx_submit)(vx_vortex *v, const vx_submit_params *params, vx_job **out, vx_error *err)
{
    return vx_submit_api(v, params, out, err, 1);
}
