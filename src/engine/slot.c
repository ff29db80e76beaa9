#include "engine/slot.h"

#include <math.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "media/image.h"
#include "media/mux.h"
#include "media/resize.h"

enum { STAGES_MAX = 8 };

typedef struct stage_time {
    const char *name;
    double start_s, end_s;
    size_t peak_bytes;
} stage_time;

/* One slot under way. */
typedef struct slot {
    vx_engine *engine;
    vx_speaker *speaker;
    const vx_slot_request *request;
    const vx_recipe *recipe;
    const vx_pack *pack;
    vx_error *err;
    double start_s, deadline_s; /* absolute; deadline 0: none */
    stage_time stage[STAGES_MAX];
    int stages;
    vx_spoken spoken;
    json_t *timings;
    int width, height, fps;
    int64_t frames;
    vx_picture frame; /* what is shown */
    vx_score score;   /* valid when verified */
    bool verified;
} slot;

const char *vx_slot_outcome(vx_status status)
{
    switch (status) {
    case VX_OK:
        return "done";
    case VX_ERR_MEMORY:
        return "memory_pressure";
    case VX_ERR_DEADLINE:
        return "deadline";
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

vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err)
{
    *wants = VX_WANT_SPEECH;
    if (recipe->visual.prompt != NULL && recipe->verify.enabled &&
        pack->components[VX_COMPONENT_CLIP_B].present &&
        pack->components[VX_COMPONENT_CLIP_L].present)
        *wants |= VX_WANT_VERIFY;
    if (recipe->visual.image == NULL)
        return vx_pack_need(pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt without an image", err);
    return VX_OK;
}

double vx_slot_seconds(const vx_recipe *recipe, const vx_pack *pack)
{
    return recipe->output.max_seconds > 0 ? recipe->output.max_seconds : pack->max_seconds;
}

/* ---- stages --------------------------------------------------------------------------------- */

static void begin(slot *s, const char *name)
{
    assert(s->stages < STAGES_MAX);
    s->stage[s->stages] = (stage_time){.name = name, .start_s = vx_now_s() - s->start_s};
    vx_log_scope(s->recipe->slot_id, name);
    if (s->request->progress != NULL) s->request->progress(s->request->progress_arg, name, 0);
}

static void end(slot *s)
{
    stage_time *stage = &s->stage[s->stages++];
    stage->end_s = vx_now_s() - s->start_s;
    stage->peak_bytes = vx_engine_measured_bytes(s->engine);
    vx_log(VX_LOG_INFO, "%s took %.2f s", stage->name, stage->end_s - stage->start_s);
}

/* Between two steps: has somebody asked to stop, has the time run out? */
static vx_status check(slot *s, double share)
{
    if (s->request->progress != NULL)
        s->request->progress(s->request->progress_arg, s->stage[s->stages].name, share);
    if (vx_cancelled(s->request->cancel))
        return vx_fail(s->err, VX_ERR_CANCELLED, "cancelled", "the slot was cancelled");
    if (s->deadline_s > 0 && vx_now_s() > s->deadline_s)
        return vx_fail(
            s->err, VX_ERR_DEADLINE, "deadline",
            "the slot missed its deadline in stage %s; allow more time or make it shorter",
            s->stage[s->stages].name);
    return VX_OK;
}

static vx_status after_chunk(void *arg, const float *samples, int64_t first, int64_t count)
{
    (void)samples;
    slot *s = arg;
    double room = vx_slot_seconds(s->recipe, s->pack) * VX_KOKORO_RATE;
    return check(s, (double)(first + count) / room);
}

/* Speech that is too long is refused with its length, sped up, or cut, as the recipe says. */
static vx_status speak(slot *s)
{
    const vx_recipe_audio *audio = &s->recipe->audio;
    vx_ctx ctx = vx_engine_ctx(s->engine, VX_LANE_AUDIO, s->request->cancel, s->err);
    double room = vx_slot_seconds(s->recipe, s->pack), seconds;
    vx_speak_request r = {.text = audio->script,
                          .bytes = strlen(audio->script),
                          .voice_id = audio->voice_id,
                          .speed = audio->speed,
                          .seed = (uint64_t)s->recipe->seed,
                          .truncate = audio->fit == VX_FIT_TRUNCATE,
                          .sink = after_chunk,
                          .sink_arg = s};
    begin(s, "audio");
    if (audio->fit != VX_FIT_TRUNCATE) {
        VX_TRY(vx_speaker_measure(s->speaker, &ctx, &r, &seconds));
        /* Durations are whole frames, so speech does not shrink exactly by its speed: a second try. */
        for (int tries = 0; seconds > room && audio->fit == VX_FIT_SPEED && tries < 3; tries++) {
            r.speed = fmin(2.0, r.speed * seconds / room * 1.01);
            VX_TRY(vx_speaker_measure(s->speaker, &ctx, &r, &seconds));
        }
        if (seconds > room)
            return vx_fail(
                s->err, VX_ERR_INPUT, "script_too_long",
                "the script would last %.1f s at speed %.2f and the slot has %.1f s; shorten it, "
                "or set audio_track.fit to %s",
                seconds, r.speed, room,
                audio->fit == VX_FIT_SPEED ? "truncate" : "speed or truncate");
    }
    VX_TRY(vx_speaker_run(s->speaker, &ctx, &r, &s->spoken));
    if (s->spoken.truncated) vx_log(VX_LOG_WARN, "the script was cut at %.1f s", room);
    end(s);
    return VX_OK;
}

/* Scales `image` until it covers `frame` and cuts what stands over, around the middle. */
static vx_status cover(const vx_picture *image, const vx_picture *frame, vx_error *err)
{
    double scale = fmax((double)frame->width / image->width, (double)frame->height / image->height);
    vx_resize_params p = {.filter = VX_FILTER_BICUBIC,
                          .width = (int)fmax(frame->width, round(image->width * scale)),
                          .height = (int)fmax(frame->height, round(image->height * scale)),
                          .out_width = frame->width,
                          .out_height = frame->height};
    p.left = (p.width - frame->width) / 2;
    p.top = (p.height - frame->height) / 2;
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, image->width, image->height));
    if (scratch == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to resize the recipe's image");
    vx_resize(image, frame, &p, scratch);
    vx_heap_free(scratch);
    return VX_OK;
}

/* The recipe's image at the size of the film. */
static vx_status still_frame(slot *s, vx_picture *frame)
{
    vx_picture image;
    VX_TRY(vx_image_read(&image, s->recipe->visual.image, s->err));
    vx_status status = vx_image_new(frame, s->width, s->height, s->err);
    if (status == VX_OK) status = cover(&image, frame, s->err);
    vx_image_free(&image);
    return status;
}

/* The duration as a number of frames that covers every sample. */
static int64_t frames_for(int64_t samples, int fps)
{
    return (samples * fps + VX_KOKORO_RATE - 1) / VX_KOKORO_RATE;
}

static vx_status feed(slot *s, vx_mux *mux, const vx_picture *frame)
{
    VX_TRY(vx_mux_samples(mux, s->spoken.samples, s->spoken.count, s->err));
    for (int64_t i = 0; i < s->frames; i++) {
        VX_TRY(vx_mux_frame(mux, frame, s->err));
        VX_TRY(check(s, (double)(i + 1) / (double)s->frames));
    }
    return VX_OK;
}

/* The recipe's word, else what the name ends in. */
static vx_container container_of(const slot *s)
{
    const char *dot = strrchr(s->request->path, '.');
    if (s->recipe->output.container >= 0) return (vx_container)s->recipe->output.container;
    return dot != NULL && strcasecmp(dot, ".mkv") == 0 ? VX_MKV : VX_MP4;
}

static vx_status write_film(slot *s, const vx_picture *frame)
{
    vx_mux *mux;
    vx_mux_params params = {.path = s->request->path,
                            .container = container_of(s),
                            .width = s->width,
                            .height = s->height,
                            .fps_num = s->fps,
                            .fps_den = 1,
                            .sample_rate = VX_KOKORO_RATE,
                            .threads = vx_pool_workers(vx_engine_pool(s->engine)),
                            .title = s->recipe->slot_id};
    VX_TRY(vx_mux_open(&mux, &params, s->err));
    vx_status status = feed(s, mux, frame);
    if (status == VX_OK) return vx_mux_finish(&mux, s->err);
    vx_mux_abort(&mux);
    return status;
}

static vx_status film(slot *s)
{
    const vx_recipe_output *output = &s->recipe->output;
    begin(s, "video");
    s->width = (int)(output->width > 0 ? output->width : s->pack->width);
    s->height = (int)(output->height > 0 ? output->height : s->pack->height);
    s->fps = (int)(output->fps > 0 ? output->fps : s->pack->fps);
    s->frames = frames_for(s->spoken.count, s->fps);
    VX_TRY(still_frame(s, &s->frame));
    VX_TRY(write_film(s, &s->frame));
    end(s);
    return VX_OK;
}

static double setting(double recipe, double pack)
{
    return recipe >= 0 ? recipe : pack;
}

/* All five key frames are the same picture while it stands still, so it is looked at once. */
static vx_status verify(slot *s)
{
    const vx_recipe_verify *v = &s->recipe->verify;
    vx_thresholds thresholds = {setting(v->threshold_b, s->pack->threshold_b),
                                setting(v->threshold_l, s->pack->threshold_l),
                                setting(v->outlier, s->pack->outlier)};
    vx_ctx ctx = vx_engine_ctx(s->engine, VX_LANE_PICTURE, s->request->cancel, s->err);
    begin(s, "verify");
    VX_TRY(vx_verifier_show(s->request->verifier, &ctx, &s->frame, 1));
    VX_TRY(vx_verifier_score(s->request->verifier, &ctx, s->recipe->visual.prompt, &thresholds,
                             &s->score));
    s->verified = true;
    end(s);
    if (s->score.pass) return VX_OK;
    return vx_fail(s->err, VX_ERR_VERIFY, "verify_failed",
                   "the picture does not show what the prompt says: B %.3f of %.3f, L %.3f of "
                   "%.3f; the film is "
                   "there, change the prompt or the image",
                   s->score.b, thresholds.b, s->score.l, thresholds.l);
}

/* ---- report --------------------------------------------------------------------------------- */

static json_t *stages_json(const slot *s)
{
    json_t *stages = json_array();
    for (int i = 0; i < s->stages; i++)
        json_array_append_new(stages,
                              json_pack("{s:s, s:f, s:f, s:I}", "name", s->stage[i].name, "start_s",
                                        s->stage[i].start_s, "end_s", s->stage[i].end_s,
                                        "peak_bytes", (json_int_t)s->stage[i].peak_bytes));
    return stages;
}

static json_t *output_json(const slot *s)
{
    struct stat info;
    char hex[65] = "";
    if (strcmp(s->request->path, "-") == 0 || stat(s->request->path, &info) != 0)
        return json_pack("{s:s}", "path", s->request->path);
    vx_sha256_file(s->request->path, hex, NULL);
    return json_pack("{s:s, s:I, s:s}", "path", s->request->path, "bytes", (json_int_t)info.st_size,
                     "sha256", hex);
}

/* null when verification was skipped: no prompt, no CLIPs in the pack, or not wanted. */
static json_t *verify_json(const slot *s)
{
    if (!s->verified) return json_null();
    return json_pack("{s:f, s:f, s:f, s:b, s:b}", "b", s->score.b, "l", s->score.l, "ensemble",
                     s->score.ensemble, "pass", s->score.pass, "outlier", s->score.outlier);
}

static json_t *make_report(slot *s, vx_status status)
{
    const vx_recipe *r = s->recipe;
    json_t *report =
        json_pack("{s:s, s:s, s:I, s:{s:s, s:s, s:b, s:s}, s:s, s:o, s:{s:I, s:I, s:i}, s:s}",
                  "slot_id", r->slot_id, "recipe_sha256", r->sha256, "seed", (json_int_t)r->seed,
                  "pack", "name", s->pack->name, "version", s->pack->version, "synthetic",
                  s->pack->synthetic, "sha256", s->pack->sha256, "device",
                  vx_engine_backend(s->engine)->device.name, "stages", stages_json(s), "memory",
                  "planned_bytes", (json_int_t)vx_engine_planned(s->engine)->total_bytes,
                  "measured_peak_bytes", (json_int_t)vx_engine_measured_bytes(s->engine),
                  "soft_events", 0, "outcome", vx_slot_outcome(status));
    if (report == NULL) return NULL;
    if (s->timings != NULL)
        json_object_set_new(report, "audio",
                            json_pack("{s:s, s:f, s:O}", "voice", s->spoken.voice, "duration_s",
                                      (double)s->spoken.count / VX_KOKORO_RATE, "timings",
                                      s->timings));
    if (status != VX_OK && status != VX_ERR_VERIFY) return report;
    json_object_set_new(report, "video",
                        json_pack("{s:I, s:i, s:s}", "frames", (json_int_t)s->frames, "fps", s->fps,
                                  "driven_by", "still"));
    json_object_set_new(report, "verify", verify_json(s));
    json_object_set_new(report, "output", output_json(s));
    return report;
}

vx_status vx_slot_run(vx_engine *engine, vx_speaker *speaker, const vx_slot_request *request,
                      json_t **report, vx_error *err)
{
    slot s = {.engine = engine,
              .speaker = speaker,
              .request = request,
              .recipe = request->recipe,
              .pack = vx_engine_pack(engine),
              .err = err,
              .start_s = vx_now_s()};
    int64_t deadline_ms =
        request->deadline_ms > 0 ? request->deadline_ms : request->recipe->deadline_ms;
    if (deadline_ms > 0) s.deadline_s = s.start_s + (double)deadline_ms * 1e-3;
    vx_status status = speak(&s);
    if (status == VX_OK) {
        s.timings = vx_spoken_timings(&s.spoken);
        status = film(&s);
    }
    if (status == VX_OK && request->verifier != NULL) status = verify(&s);
    vx_log_scope(NULL, NULL);
    *report = make_report(&s, status);
    json_decref(s.timings);
    vx_image_free(&s.frame);
    return status;
}
