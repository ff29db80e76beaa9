/* video: the actor moves with the speech; frames and samples go to the encoder as they are made.
 * Without an animation model the actor stands still. */
#include <stdlib.h>
#include <string.h>

#include "slot/burn.h"
#include "slot/stage.h"
#include "media/draw.h"
#include "media/mux.h"
#include "media/resize.h"

/* Scales `image` until it covers `frame` and cuts what stands over, around the middle. */
static vx_status cover(const vx_picture *image, const vx_picture *frame, vx_error *err)
{
    vx_resize_params p = vx_resize_cover(image, frame->width, frame->height);
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, image->width, image->height));
    if (scratch == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to resize the recipe's image");
    vx_resize(image, frame, &p, scratch);
    vx_heap_free(scratch);
    return VX_OK;
}

/* The duration as a number of frames that covers every sample. */
static int64_t frames_for(int64_t samples, int fps)
{
    return (samples * fps + VX_KOKORO_RATE - 1) / VX_KOKORO_RATE;
}

static vx_status feed_still(vx_stage_run *run, vx_mux *mux)
{
    vx_slot *slot = run->slot;
    slot->key[0] = vx_slot_key_frame(slot, 0);
    slot->keys = 1;
    slot->driven_by = "still";
    VX_TRY(cover(&slot->actor, &slot->key[0], run->ctx.err));
    for (int64_t i = 0; i < slot->frames; i++)
        VX_TRY(vx_stage_frame(run, mux, i, &slot->key[0], run->ctx.err));
    return VX_OK;
}

/* ---- a portrait that moves ------------------------------------------------------------------ */

/* Where the animator's frames go. */
typedef struct feed {
    vx_stage_run *run;
    vx_mux *mux;
} feed;

/* On the ring's thread. The key frames are kept for verification. */
static vx_status frame_to_film(void *arg, int64_t index, const vx_picture *frame, vx_error *err)
{
    feed *f = arg;
    vx_slot *slot = f->run->slot;
    for (int k = 0; k < VX_KEY_FRAMES; k++)
        if (vx_video_key_frame(k, VX_KEY_FRAMES, slot->frames) == index)
            vx_draw_picture(&slot->key[k], 0, 0, frame);
    return vx_stage_frame(f->run, f->mux, index, frame, err);
}

static vx_status drive(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe *recipe = slot->recipe;
    void *memory;
    if (slot->mood < 0) slot->mood = VX_MOOD_NEUTRAL;
    vx_drive_request request = {.seed = (uint64_t)recipe->seed,
                                .mood = slot->mood,
                                .moods = recipe->visual.moods.items,
                                .mood_count = recipe->visual.moods.count,
                                .phone = slot->spoken.phone,
                                .phones = slot->spoken.symbols,
                                .samples = slot->spoken.samples,
                                .sample_count = slot->spoken.count,
                                .sample_rate = VX_KOKORO_RATE};
    VX_TRY(vx_animator_table(slot->crew->animator, slot->fps, slot->frames, &slot->motion, &memory,
                             run->ctx.err));
    vx_drive(&request, &slot->motion, memory);
    slot->sync_s = vx_drive_offset(&slot->motion, request.phone, request.phones);
    slot->driven_by = "timings";
    return VX_OK;
}

static vx_status feed_moving(vx_stage_run *run, vx_mux *mux)
{
    vx_slot *slot = run->slot;
    const vx_list *face = &slot->recipe->visual.face;
    feed f = {run, mux};
    vx_animated animated;
    VX_TRY(drive(run));
    slot->keys = VX_KEY_FRAMES;
    for (int k = 0; k < VX_KEY_FRAMES; k++)
        slot->key[k] = vx_slot_key_frame(slot, k);
    vx_animate_request request = {.portrait = &slot->actor,
                                  .face = face->count == 6 ? slot->face : NULL,
                                  .found = slot->is_found ? &slot->found : NULL,
                                  .motion = &slot->motion,
                                  .width = slot->width,
                                  .height = slot->height,
                                  .frame = frame_to_film,
                                  .arg = &f};
    return vx_animate(slot->crew->animator, &run->ctx, &request, &animated);
}

/* ---- the film ------------------------------------------------------------------------------- */

/* What the name ends in, else the recipe's word. */
static vx_status container_of(const vx_slot *slot, vx_container *container, vx_error *err)
{
    int given = slot->recipe->output.container;
    *container = VX_MP4;
    if (slot->request->path == NULL) return VX_OK;
    VX_TRY(vx_container_of(slot->request->path, given, container, err));
    if (given >= 0 && given != (int)*container)
        vx_warn("container", "output.container",
                "the film's name says %s and the recipe %s: the name counts",
                *container == VX_MP4 ? "MP4" : "Matroska", given == VX_MP4 ? "MP4" : "Matroska");
    return VX_OK;
}

/* The recipe as one line of JSON, for the file's metadata; NULL when out of memory, and
 * then it goes without. */
static char *recipe_text(const vx_slot *slot)
{
    json_t *recipe = vx_yaml_to_json(vx_yaml_root(slot->recipe->document));
    char *text = recipe != NULL ? json_dumps(recipe, JSON_COMPACT) : NULL;
    json_decref(recipe);
    return text;
}

static vx_status sound_to_film(void *arg, const float *samples, int64_t n, vx_error *err)
{
    return vx_mux_samples(arg, samples, n, err);
}

/* The speech as loud as it is wanted, at 48 kHz, which players have. */
static vx_status feed_sound(vx_slot *slot, vx_mux *mux, vx_error *err)
{
    double target = slot->recipe->audio.loudness;
    if (target == VX_LOUDNESS_UNSET) target = vx_engine_settings(slot->crew->engine)->loudness;
    vx_loudness_params params = {.sample_rate = VX_KOKORO_RATE,
                                 .twice = true,
                                 .room_tone = true,
                                 .target_lufs = target,
                                 .put = sound_to_film,
                                 .arg = mux};
    VX_TRY(
        vx_loudness_run(&params, slot->spoken.samples, slot->spoken.count, &slot->loudness, err));
    vx_loudness_warn(&slot->loudness, target, "audio_track.loudness");
    return VX_OK;
}

static vx_status open_burn(const vx_slot *slot, vx_burn *burn, vx_mux_params *params, vx_error *err)
{
    size_t bytes;
    void *memory = vx_engine_buffer(slot->crew->engine, VX_BUFFER_CAPTIONS, &bytes);
    params->draw = vx_burn_frame;
    params->draw_arg = burn;
    return vx_burn_open(burn, &slot->spoken, slot->fps, slot->width, slot->height, memory, bytes,
                        "output.subtitles", err);
}

vx_status vx_stage_video(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    vx_error *err = run->ctx.err;
    vx_mux *mux;
    vx_burn burn;
    vx_container container;
    VX_TRY(container_of(slot, &container, err));
    char *comment = recipe_text(slot);
    vx_mux_params params = {.path = slot->request->path,
                            .container = container,
                            .write = slot->request->write != NULL ? vx_tell_bytes : NULL,
                            .write_arg = slot,
                            .stream = slot->recipe->output.container == VX_MKV ? VX_MKV : VX_MP4,
                            .width = slot->width,
                            .height = slot->height,
                            .fps_num = slot->fps,
                            .fps_den = 1,
                            .sample_rate = 2 * VX_KOKORO_RATE,
                            .title = slot->recipe->slot_id,
                            .comment = comment};
    slot->frames = frames_for(slot->spoken.count, slot->fps);
    vx_captions captions = vx_captions_of(&slot->spoken);
    params.captions_arg = &captions;
    if (slot->recipe->output.subtitles == VX_SUBTITLES_TRACK) params.captions = vx_captions_feed;
    vx_status status = VX_OK;
    if (slot->recipe->output.subtitles == VX_SUBTITLES_BURN)
        status = open_burn(slot, &burn, &params, err);
    if (status == VX_OK) status = vx_mux_open(&mux, &params, err);
    free(comment);
    if (status != VX_OK) return status;
    if (slot->request->mime != NULL) vx_mime_set(slot->request->mime, vx_mux_mime(mux));
    status = feed_sound(slot, mux, err);
    slot->sync_s = -1;
    if (status == VX_OK)
        status = slot->crew->animator != NULL ? feed_moving(run, mux) : feed_still(run, mux);
    if (status == VX_OK) status = vx_mux_end(mux, err);
    if (status == VX_OK)
        slot->film = mux;
    else
        vx_mux_abort(&mux);
    return status;
}
