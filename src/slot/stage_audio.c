/* audio: the script becomes samples with the time of every phoneme. */
#include <math.h>
#include <string.h>

#include "slot/stage.h"

/* A film's speech goes out when it lies where the film has it. */
static vx_status after_chunk(void *arg, const float *samples, int64_t first, int64_t count,
                             const vx_word *words, int64_t word_count)
{
    vx_stage_run *run = arg;
    vx_slot *slot = run->slot;
    if (slot->recipe->kind == VX_SPEECH) {
        vx_tell_sound(slot, first, samples, count, words, word_count);
        bool whole = slot->recipe->audio.loudness != VX_LOUDNESS_OFF;
        for (int i = 0; i < VX_SOUNDS && !whole; i++)
            if (slot->sound[i] != NULL)
                VX_TRY(vx_sound_out_put(slot->sound[i], samples, count, run->ctx.err));
    }
    double all = slot->expected_s * VX_KOKORO_RATE;
    return vx_stage_step(run, fmin((double)(first + count) / all, 1));
}

/* Durations are whole frames, so speech does not shrink exactly by its speed: it is asked for a
 * little more, and again. Beyond twice the speed nobody follows (the recipe's own bound). */
enum { SPEED_TRIES = 3 };
static const double SPEED_MARGIN = 1.01, SPEED_MAX = 2;

static const double EDGES_S = (double)(VX_FILM_LEAD + VX_FILM_TAIL) / VX_KOKORO_RATE;

static vx_status too_long(const vx_stage_run *run, double seconds, double speed)
{
    const vx_slot *slot = run->slot;
    return vx_fail(
        run->ctx.err, VX_ERR_INPUT, "script_too_long",
        "the script would last %.1f s at speed %.2f and the slot has %.1f s; shorten it, "
        "or set audio_track.fit to %s",
        seconds, speed, slot->seconds,
        slot->recipe->audio.fit == VX_FIT_SPEED ? "truncate" : "speed or truncate");
}

/* Speech that is too long is refused with its length or sped up. The model's own silence at
 * both ends, which is cut away, is as a rule as long as the film's lead and tail: whoever
 * wants an error gets it when they are not (vx_stage_audio), whoever wants the speech to fit
 * gets a little more speed. */
static vx_status fit(vx_stage_run *run, vx_speak_request *r)
{
    const vx_slot *slot = run->slot;
    bool faster = slot->recipe->audio.fit == VX_FIT_SPEED;
    double seconds, room = faster ? fmax(slot->seconds - EDGES_S, 0.1) : slot->seconds;
    VX_TRY(vx_speaker_measure(slot->crew->speaker, &run->ctx, r, &seconds));
    for (int i = 0; seconds > room && faster && i < SPEED_TRIES; i++) {
        r->speed = fmin(SPEED_MAX, r->speed * seconds / room * SPEED_MARGIN);
        VX_TRY(vx_speaker_measure(slot->crew->speaker, &run->ctx, r, &seconds));
    }
    return seconds > room ? too_long(run, seconds, r->speed) : VX_OK;
}

/* ---- speech alone --------------------------------------------------------------------------- */

static vx_status open_sounds(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_slot_request *r = slot->request;
    vx_sound_out_params way[VX_SOUNDS] = {
        {.path = r->path},
        {.write = r->write != NULL ? vx_tell_bytes : NULL, .arg = slot},
    };
    for (int i = 0; i < VX_SOUNDS; i++) {
        if (way[i].path == NULL && way[i].write == NULL) continue;
        const char *name = way[i].path != NULL ? way[i].path : "-";
        way[i].sample_rate = VX_KOKORO_RATE;
        VX_TRY(vx_sound_format_of(name, slot->recipe->audio.format, &way[i].format, run->ctx.err));
        vx_sound_out_abort(&slot->sound[i]); /* of a first try */
        VX_TRY(vx_sound_out_open(&slot->sound[i], &way[i], run->ctx.err));
    }
    return VX_OK;
}

static vx_status put_everywhere(void *arg, const float *samples, int64_t count, vx_error *err)
{
    vx_slot *slot = arg;
    for (int i = 0; i < VX_SOUNDS; i++)
        if (slot->sound[i] != NULL) VX_TRY(vx_sound_out_put(slot->sound[i], samples, count, err));
    return VX_OK;
}

static vx_status speak_alone(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_audio *audio = &slot->recipe->audio;
    bool verbatim = audio->phonemes != NULL;
    const char *text = verbatim ? audio->phonemes : audio->script;
    vx_speak_request r = {.text = text,
                          .bytes = strlen(text),
                          .phonemes = verbatim,
                          .voice_id = audio->voice_id,
                          .speed = audio->speed,
                          .seed = (uint64_t)slot->recipe->seed,
                          .set = slot->set,
                          .sink = after_chunk,
                          .sink_arg = run};
    VX_TRY(open_sounds(run));
    VX_TRY(vx_speaker_run(slot->crew->speaker, &run->ctx, &r, &slot->spoken));
    if (audio->loudness == VX_LOUDNESS_OFF) return VX_OK;
    vx_loudness_params params = {.sample_rate = VX_KOKORO_RATE,
                                 .target_lufs = audio->loudness,
                                 .put = put_everywhere,
                                 .arg = slot};
    VX_TRY(vx_loudness_run(&params, slot->spoken.samples, slot->spoken.count, &slot->loudness,
                           run->ctx.err));
    vx_loudness_warn(&slot->loudness, audio->loudness, "loudness");
    return VX_OK;
}

/* ---- speech of a film ----------------------------------------------------------------------- */

static vx_status speak_in_film(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_audio *audio = &slot->recipe->audio;
    vx_speak_request r = {.text = audio->script,
                          .bytes = strlen(audio->script),
                          .voice_id = audio->voice_id,
                          .speed = audio->speed,
                          .seed = (uint64_t)slot->recipe->seed,
                          .truncate = audio->fit == VX_FIT_TRUNCATE,
                          .film = true,
                          .samples_max = (int64_t)(slot->seconds * VX_KOKORO_RATE),
                          .set = slot->set,
                          .sink = after_chunk,
                          .sink_arg = run};
    if (r.truncate) {
        int64_t most = r.samples_max - VX_FILM_LEAD - VX_FILM_TAIL;
        r.samples_max = most > 1 ? most : 1;
    } else {
        VX_TRY(fit(run, &r));
    }
    VX_TRY(vx_speaker_run(slot->crew->speaker, &run->ctx, &r, &slot->spoken));
    double seconds = (double)slot->spoken.count / VX_KOKORO_RATE;
    if (seconds > slot->seconds && !r.truncate) return too_long(run, seconds, r.speed);
    if (slot->spoken.truncated)
        vx_warn("script_cut", "audio_track.script", "the script was cut at %.1f s", slot->seconds);
    vx_tell_sound(slot, 0, slot->spoken.samples, slot->spoken.count, slot->spoken.heard,
                  slot->spoken.words);
    return VX_OK;
}

vx_status vx_stage_audio(vx_stage_run *run)
{
    return run->slot->recipe->kind == VX_SPEECH ? speak_alone(run) : speak_in_film(run);
}
