/* The slot: the table of its stages, what a recipe needs of an engine, and running it from phase to
 * phase. The stages are in stage_NAME.c, what may stop them in watch.c. */
#include "slot/slot.h"

#include <math.h>
#include <string.h>

#include "base/wait.h"
#include "slot/deliver.h"
#include "slot/report.h"
#include "slot/watch.h"

/* Letters that are spoken in a second at speed 1, about (docs/bench). */
static const double LETTERS_PER_S = 15;

/* ---- the table ------------------------------------------------------------------------------ */

static bool is_film(const vx_slot *slot)
{
    return slot->recipe->kind == VX_FILM;
}

static bool is_score(const vx_slot *slot)
{
    return slot->recipe->kind == VX_SCORE;
}

static bool speaks(const vx_slot *slot)
{
    return slot->recipe->kind == VX_FILM || slot->recipe->kind == VX_SPEECH;
}

static bool is_verified(const vx_slot *slot)
{
    return is_film(slot) && slot->crew->verifier != NULL && slot->recipe->visual.prompt != NULL &&
           slot->recipe->verify.enabled;
}

static bool is_pictured(const vx_slot *slot)
{
    return slot->recipe->visual.image != NULL && !is_score(slot);
}

static bool is_imagined(const vx_slot *slot)
{
    return slot->recipe->kind == VX_PICTURE || (is_film(slot) && !is_pictured(slot));
}

static double speech_s(const vx_slot *slot)
{
    const vx_recipe_audio *audio = &slot->recipe->audio;
    const char *text = audio->script != NULL ? audio->script : audio->phonemes;
    if (text == NULL) return 0;
    double seconds = (double)strlen(text) / LETTERS_PER_S / audio->speed;
    if (slot->spoken.count > 0) seconds = (double)slot->spoken.count / VX_KOKORO_RATE;
    return seconds < slot->seconds ? seconds : slot->seconds;
}

/* What was planned is one chunk of the settings' length. */
static double speech_share(const vx_slot *slot)
{
    int64_t frames = vx_engine_settings(slot->crew->engine)->frames_max;
    return speech_s(slot) * VX_KOKORO_RATE / (double)(frames * VX_KOKORO_FRAME);
}

static double film_frames(const vx_slot *slot)
{
    return speech_s(slot) * slot->fps;
}

static double none(const vx_slot *slot)
{
    (void)slot;
    return 0;
}

static double one(const vx_slot *slot)
{
    (void)slot;
    return 1;
}

static double prompts(const vx_slot *slot)
{
    return slot->recipe->score.prompts.count;
}

const vx_stage_kind vx_stages[] = {
    /* A picture is decoded into the lanes' workspaces, so nothing runs beside it. */
    {.name = "actor",
     .phase = 0,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_ACTOR,
     .alone = true,
     .applies = is_pictured,
     .units = none,
     .run = vx_stage_actor},
    {.name = "audio",
     .phase = 1,
     .lane = VX_LANE_AUDIO,
     .want = VX_WANT_SPEECH,
     .again = true,
     .applies = speaks,
     .units = speech_s,
     .share = speech_share,
     .run = vx_stage_audio},
    {.name = "actor",
     .phase = 1,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_ACTOR,
     .applies = is_imagined,
     .units = one,
     .run = vx_stage_actor},
    {.name = "video",
     .phase = 2,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_VIDEO,
     .applies = is_film,
     .units = film_frames,
     .run = vx_stage_video},
    {.name = "verify",
     .phase = 3,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_VERIFY,
     .applies = is_verified,
     .units = one,
     .run = vx_stage_verify},
    {.name = "media",
     .phase = 0,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_VERIFY,
     .alone = true,
     .applies = is_score,
     .units = none,
     .run = vx_stage_media},
    {.name = "score",
     .phase = 3,
     .lane = VX_LANE_PICTURE,
     .want = VX_WANT_VERIFY,
     .applies = is_score,
     .units = prompts,
     .run = vx_stage_score},
    {0},
};

const char *vx_slot_outcome(vx_status status, const char *code)
{
    switch (status) {
    case VX_OK:
        return "done";
    case VX_ERR_MEMORY:
        return "memory_pressure";
    case VX_ERR_DEADLINE:
        return strcmp(code, "timeout") == 0 || strcmp(code, "busy") == 0 ? code : "deadline";
    case VX_ERR_CANCELLED:
        return "cancelled";
    case VX_ERR_IO:
        return "io_error";
    case VX_ERR_VERIFY:
        return "verify_failed";
    case VX_ERR_INTERNAL:
        return "device_error";
    default:
        return "bad_recipe";
    }
}

/* ---- what a recipe needs -------------------------------------------------------------------- */

/* Whether somebody has to look for the face: who was given one, and the toon engine, which draws
 * whole pictures, know where it is. */
static vx_status seeks_face(const vx_recipe *recipe, const vx_pack *pack, bool *seeks,
                            vx_error *err)
{
    vx_liveportrait_config config;
    const vx_list *face = &recipe->visual.face;
    *seeks = false;
    if (face->count > 0 || face->word || !vx_faces_in(pack)) return VX_OK;
    VX_TRY(vx_liveportrait_config_read(vx_pack_files(pack, VX_COMPONENT_LIVEPORTRAIT)->config,
                                       &config, err));
    *seeks = recipe->visual.image != NULL || !config.absolute_expression;
    return VX_OK;
}

static vx_status film_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err)
{
    *wants = VX_WANT_SPEECH | VX_WANT_FILM;
    if (recipe->visual.prompt != NULL && recipe->verify.enabled &&
        pack->components[VX_COMPONENT_CLIP_B].present &&
        pack->components[VX_COMPONENT_CLIP_L].present)
        *wants |= VX_WANT_VERIFY;
    if (pack->components[VX_COMPONENT_LIVEPORTRAIT].present) {
        bool seeks;
        VX_TRY(seeks_face(recipe, pack, &seeks, err));
        *wants |= VX_WANT_VIDEO | (seeks ? VX_WANT_FACE : 0);
    }
    if (recipe->visual.image != NULL) return VX_OK;
    *wants |= VX_WANT_ACTOR;
    return vx_pack_need(pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt without an image", err);
}

vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err)
{
    switch (recipe->kind) {
    case VX_SPEECH:
        *wants = VX_WANT_SPEECH;
        return vx_pack_need(pack, VX_COMPONENT_KOKORO, "speech", err);
    case VX_PICTURE:
        *wants = VX_WANT_ACTOR;
        return vx_pack_need(pack, VX_COMPONENT_FLUX_TRANSFORMER, "a picture from a prompt", err);
    case VX_SCORE:
        *wants = VX_WANT_VERIFY;
        return vx_pack_need(pack, VX_COMPONENT_CLIP_B, "scores", err);
    default:
        return film_wants(recipe, pack, wants, err);
    }
}

static double seconds_of(const vx_recipe *recipe, const vx_pack *pack)
{
    return recipe->output.max_seconds > 0 ? recipe->output.max_seconds : pack->max_seconds;
}

static int64_t fps_of(const vx_recipe *recipe, const vx_pack *pack)
{
    return recipe->output.fps > 0 ? recipe->output.fps : pack->fps;
}

static int64_t frames_of(double seconds, int64_t fps)
{
    return (int64_t)ceil(seconds * (double)fps);
}

/* A bound on the speech's length. Slow voices speak 12 characters a second; digits and signs expand
 * to words, about eight characters each. */
static double longest_s(const char *text, double speed)
{
    double characters = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        characters += letter || c == ' ' ? 1 : c < 0x80 ? 8 : 2;
    }
    return 5 + characters / 8 / speed;
}

static int width_of(const vx_recipe *recipe, const vx_pack *pack)
{
    return (int)(recipe->output.width > 0 ? recipe->output.width : pack->width);
}

static int height_of(const vx_recipe *recipe, const vx_pack *pack)
{
    return (int)(recipe->output.height > 0 ? recipe->output.height : pack->height);
}

vx_status vx_slot_needs(const vx_recipe *recipe, const vx_pack *pack, vx_engine_params *params,
                        vx_error *err)
{
    const vx_recipe_audio *audio = &recipe->audio;
    if (recipe->kind == VX_SPEECH) {
        const char *text = audio->script != NULL ? audio->script : audio->phonemes;
        params->speech_seconds = longest_s(text, audio->speed);
    } else if (recipe->kind == VX_PICTURE) {
        params->image_width = (int)recipe->output.width;
        params->image_height = (int)recipe->output.height;
        params->image_steps = (int)recipe->visual.steps;
        params->image_to_image = recipe->visual.image != NULL;
    } else if (recipe->kind == VX_FILM) {
        params->speech_seconds = seconds_of(recipe, pack);
        params->frame_width = width_of(recipe, pack);
        params->frame_height = height_of(recipe, pack);
        params->frames = frames_of(params->speech_seconds, fps_of(recipe, pack));
    }
    return vx_slot_wants(recipe, pack, &params->wants, err);
}

/* The larger of two sizes, of which 0 is the pack's; `first` when there is only one. */
static int larger(bool first, int sum, int one, int64_t pack)
{
    if (first) return one;
    int a = sum > 0 ? sum : (int)pack, b = one > 0 ? one : (int)pack;
    return a > b ? a : b;
}

void vx_slot_needs_both(vx_engine_params *sum, const vx_engine_params *one, const vx_pack *pack)
{
    bool film = !(sum->wants & VX_WANT_FILM), picture = !(sum->wants & VX_WANT_ACTOR);
    if (one->wants & VX_WANT_SPEECH && one->speech_seconds > sum->speech_seconds)
        sum->speech_seconds = one->speech_seconds;
    if (one->wants & VX_WANT_FILM) {
        sum->frame_width = larger(film, sum->frame_width, one->frame_width, pack->width);
        sum->frame_height = larger(film, sum->frame_height, one->frame_height, pack->height);
        if (one->frames > sum->frames) sum->frames = one->frames;
    }
    if (one->wants & VX_WANT_ACTOR) {
        sum->image_width = larger(picture, sum->image_width, one->image_width, pack->image_width);
        sum->image_height =
            larger(picture, sum->image_height, one->image_height, pack->image_height);
        sum->image_steps = larger(picture, sum->image_steps, one->image_steps, pack->steps);
        sum->image_to_image |= one->image_to_image;
    }
    sum->wants |= one->wants;
}

static vx_status check_film(const vx_recipe *recipe, const vx_engine *engine, int wants,
                            vx_error *err)
{
    const vx_pack *pack = vx_engine_pack(engine);
    size_t frames_bytes, samples_bytes, table_bytes;
    int width = width_of(recipe, pack), height = height_of(recipe, pack);
    double seconds = seconds_of(recipe, pack);
    vx_engine_buffer(engine, VX_BUFFER_KEY_FRAMES, &frames_bytes);
    vx_engine_buffer(engine, VX_BUFFER_SAMPLES, &samples_bytes);
    if ((size_t)VX_KEY_FRAMES * 3 * (size_t)width * (size_t)height > frames_bytes)
        return vx_fail(err, VX_ERR_INPUT, "film_too_large",
                       "the film is to be %d x %d, larger than this engine was planned for; make "
                       "output.width and height smaller, or raise slot.width and slot.height in "
                       "the settings",
                       width, height);
    size_t edges = VX_FILM_LEAD + VX_FILM_TAIL;
    if (((size_t)(seconds * VX_KOKORO_RATE) + edges) * sizeof(float) > samples_bytes)
        return vx_fail(err, VX_ERR_INPUT, "film_too_long",
                       "the slot may last %.1f s, longer than this engine was planned for; lower "
                       "output.max_seconds, or raise slot.max_seconds in the settings",
                       seconds);
    if (!(wants & VX_WANT_VIDEO)) return VX_OK;
    int64_t fps = fps_of(recipe, pack), frames = frames_of(seconds, fps);
    vx_engine_buffer(engine, VX_BUFFER_MOTION, &table_bytes);
    if (vx_animate_table_bytes(frames) > table_bytes)
        return vx_fail(err, VX_ERR_INPUT, "too_many_frames",
                       "the film may have %lld frames, %lld a second for %.1f s, more than this "
                       "engine was planned for; lower output.fps or output.max_seconds, or raise "
                       "slot.max_seconds in the settings",
                       (long long)frames, (long long)fps, seconds);
    return VX_OK;
}

static vx_status check_picture(const vx_recipe *recipe, const vx_crew *crew, vx_error *err)
{
    vx_actor_size size;
    if (recipe->visual.image != NULL && !vx_engine_parameters(crew->engine)->image_to_image)
        return vx_fail(err, VX_ERR_MISSING, "not_loaded",
                       "a picture is to begin with another, and this engine was opened without the "
                       "encoder for that; set flux.encoder in the settings");
    return vx_imaginer_size(crew->imaginer, (int)recipe->output.width, (int)recipe->output.height,
                            (int)recipe->visual.steps, &size, err);
}

vx_status vx_slot_check(const vx_recipe *recipe, const vx_crew *crew, vx_error *err)
{
    int wants;
    VX_TRY(vx_slot_wants(recipe, vx_engine_pack(crew->engine), &wants, err));
    if ((wants & ~vx_engine_wants(crew->engine)) != 0)
        return vx_fail(err, VX_ERR_MISSING, "not_loaded",
                       "the request needs a model that this engine was opened without");
    if (recipe->kind == VX_SPEECH || recipe->kind == VX_SCORE) return VX_OK;
    return recipe->kind == VX_PICTURE ? check_picture(recipe, crew, err)
                                      : check_film(recipe, crew->engine, wants, err);
}

vx_picture vx_slot_key_frame(const vx_slot *slot, int index)
{
    size_t bytes, stride = (size_t)slot->width * 3;
    char *memory =
        vx_engine_set_buffer(slot->crew->engine, VX_BUFFER_KEY_FRAMES, slot->set, &bytes);
    size_t offset = stride * (size_t)slot->height * (size_t)index;
    assert(index < VX_KEY_FRAMES && offset + stride * (size_t)slot->height <= bytes);
    return (vx_picture){.rgb = (uint8_t *)memory + offset,
                        .width = slot->width,
                        .height = slot->height,
                        .stride = (ptrdiff_t)stride};
}

/* ---- running -------------------------------------------------------------------------------- */

/* How long the speech may be that a set holds. */
static double seconds_of_set(const vx_engine *engine, int set)
{
    size_t bytes;
    vx_engine_set_buffer(engine, VX_BUFFER_SAMPLES, set, &bytes);
    return (double)(bytes / sizeof(float)) / VX_KOKORO_RATE;
}

static void open_slot(vx_slot *slot, vx_crew *crew, const vx_slot_request *request)
{
    const vx_recipe *recipe = request->recipe;
    const vx_pack *pack = vx_engine_pack(crew->engine);
    *slot = (vx_slot){.crew = crew,
                      .request = request,
                      .recipe = recipe,
                      .pack = pack,
                      .set = request->set,
                      .mood = recipe->audio.mood,
                      .width = width_of(recipe, pack),
                      .height = height_of(recipe, pack),
                      .fps = (int)fps_of(recipe, pack),
                      .seconds = seconds_of(recipe, pack)};
    if (recipe->kind == VX_SPEECH) slot->seconds = seconds_of_set(crew->engine, request->set);
    slot->expected_s = speech_s(slot);
    vx_warnings_init(&slot->warnings);
}

static void end_slot(vx_slot *slot, vx_status status, const char *code, double seconds)
{
    slot->outcome = vx_slot_outcome(status, code);
    slot->report = vx_report(slot, status);
    vx_metrics_slot(&slot->crew->metrics, slot->recipe->kind, slot->outcome, seconds);
}

vx_status vx_slot_run(vx_slot *slot, vx_crew *crew, const vx_slot_request *request, vx_error *err)
{
    vx_watch watch;
    vx_status status = VX_OK;
    vx_error none = {0};
    if (err == NULL) err = &none;
    *err = (vx_error){0};
    open_slot(slot, crew, request);
    pthread_mutex_init(&slot->calls, NULL);
    vx_warnings *outer = vx_warnings_scope(&slot->warnings);
    vx_watch_open(&watch, slot, request);
    for (int phase = 0; phase < VX_SLOT_PHASES && status == VX_OK; phase++)
        status = vx_watch_phase(&watch, phase, err);
    vx_cancel *heeded = vx_wait_scope(request->cancel);
    status = vx_deliver(slot, status, err);
    vx_wait_scope(heeded);
    vx_image_free(&slot->decoded);
    for (int i = 0; i < VX_KEY_FRAMES; i++)
        vx_image_free(&slot->judged[i]);
    if (slot->recipe->kind != VX_PICTURE) slot->actor = (vx_picture){0};
    end_slot(slot, status, err->code, vx_watch_close(&watch));
    vx_warnings_scope(outer);
    pthread_mutex_destroy(&slot->calls);
    return status;
}

void vx_slot_skip(vx_slot *slot, vx_crew *crew, const vx_slot_request *request, const vx_error *why)
{
    open_slot(slot, crew, request);
    end_slot(slot, why->status, why->code, 0);
}

double vx_slot_expect_s(vx_crew *crew, const vx_slot_request *request)
{
    vx_slot slot;
    open_slot(&slot, crew, request);
    return vx_watch_expect_s(&slot);
}

double vx_slot_speech_s(vx_crew *crew, const vx_slot_request *request)
{
    vx_slot slot;
    open_slot(&slot, crew, request);
    return slot.expected_s;
}

void vx_slot_close(vx_slot *slot)
{
    json_decref(slot->report);
    vx_image_free(&slot->decoded);
    *slot = (vx_slot){0};
}
