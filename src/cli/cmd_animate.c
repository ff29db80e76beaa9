/* vortex animate: a portrait that moves, by speech, a sound, a video, a motion
 * table or key points. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "config/recipe.h"
#include "media/loudness.h"
#include "slot/burn.h"
#include "slot/captions.h"
#include "slot/crew.h"
#include "formats/source.h"
#include "media/image_out.h"
#include "media/mux.h"
#include "media/sound.h"

/* Sound of files is kept at what films have; speech is at Kokoro's rate. */
enum { SOUND_RATE = 48000, SECONDS_MAX = 600 };

typedef struct animate_params {
    const char *say, *audio, *timings, *drive, *motion, *keypoints;
    const char *out, *frames_out, *motion_out, *face, *voice, *background, *srt, *vtt;
    double loudness;
    int subtitles;
    int64_t fps, face_index;
    int mood;
} animate_params;

/* What the flags name, read in, and what follows from it. */
typedef struct inputs {
    vx_picture portrait;
    int width, height; /* of the portrait's file */
    double face[6];    /* as --face says */
    vx_found found;
    bool is_found;
    vx_sound sound; /* of a file */
    vx_timings timings;
    vx_motion_table motion; /* of a file */
    vx_video *video;
    vx_source *keypoints_file;
    float *keypoints;
    int64_t keypoint_frames;
    double fps;
    /* The film's sound: a view of the above or of the speech. */
    const float *samples;
    int64_t count;
    int rate;
    vx_spoken spoken; /* of --say */
    vx_loudness loudness;
    const char *driven_by;
    double sync_s; /* negative: not driven by timings */
} inputs;

/* One film under way. */
typedef struct film {
    const vx_cli *cli;
    const animate_params *params;
    inputs *in;
    vx_mux *mux;
    vx_burn burn;
    const vx_engine *engine;
    vx_progress progress;
    vx_error *err;
} film;

/* ---- input ---------------------------------------------------------------------------------- */

static vx_status usage(vx_error *err, const char *what)
{
    return vx_fail(err, VX_ERR_USAGE, "bad_usage", "%s; see 'vortex animate --help'", what);
}

static vx_status check_flags(const vx_cli *cli, const animate_params *p, vx_error *err)
{
    int drivers = (p->say != NULL) + (p->audio != NULL && p->motion == NULL) + (p->drive != NULL) +
                  (p->motion != NULL) + (p->keypoints != NULL);
    if (drivers != 1)
        return usage(err, "one of --say, --audio, --drive, --motion and --keypoints says how the "
                          "portrait moves (--audio beside --motion is the film's sound)");
    if (p->out == NULL && p->frames_out == NULL)
        return usage(err, "-o FILM or --frames-out FOLDER says where the film goes");
    if (p->timings != NULL && (p->audio == NULL || p->motion != NULL))
        return usage(err, "--timings belong to --audio");
    if (p->fps > 0 && p->motion != NULL) return usage(err, "--fps is what the motion table says");
    if (p->motion_out != NULL && (p->drive != NULL || p->keypoints != NULL))
        return usage(err, "--motion-out writes what speech or a sound was turned into; a video "
                          "and key points are no motion table");
    if (p->voice != NULL && p->say == NULL) return usage(err, "--voice belongs to --say");
    if ((p->srt != NULL || p->vtt != NULL || p->subtitles > VX_SUBTITLES_NONE) && p->say == NULL)
        return usage(err, "captions (--srt, --vtt, --subtitles) are of what --say says");
    if ((p->face != NULL || p->face_index > 0) && p->keypoints != NULL)
        return usage(err, "with --keypoints the portrait is the crop itself, so there is neither "
                          "--face nor --face-index");
    if (p->face != NULL && p->face_index > 0)
        return usage(err, "--face says where the face is and --face-index which of those that are "
                          "found; give one of them");
    vx_container container;
    if (p->out != NULL) VX_TRY(vx_container_of(p->out, -1, &container, err));
    int to_stdout = cli->json + (p->out != NULL && strcmp(p->out, "-") == 0) +
                    (p->motion_out != NULL && strcmp(p->motion_out, "-") == 0);
    return to_stdout > 1 ? usage(err, "more than one output wants stdout") : VX_OK;
}

/* Whether --face says where; "whole" says that nobody is to look. */
static bool is_given(const animate_params *p)
{
    return p->face != NULL && strcmp(p->face, "whole") != 0;
}

static vx_status read_face(const char *text, double face[6], vx_error *err)
{
    const char *at = text;
    for (int i = 0; i < 6; i++) {
        char *end;
        face[i] = strtod(at, &end);
        if (end == at || *end != (i < 5 ? ',' : '\0') || !isfinite(face[i]))
            return usage(err,
                         "--face is whole or six numbers, x,y,x,y,x,y: the image-left eye, the "
                         "image-right eye, the mouth's middle, in pixels of the original");
        at = end + 1;
    }
    return VX_OK;
}

/* f32 [frames, points, 3]; how many points there must be is known when the pack is open. */
static vx_status read_keypoints(const char *path, int points, inputs *in, vx_error *err)
{
    VX_TRY(vx_source_open(&in->keypoints_file, path, err));
    const vx_source_tensor *t = vx_source_at(in->keypoints_file, 0);
    bool fits = strcmp(vx_source_format(in->keypoints_file), "npy") == 0 && t->rank == 3 &&
                t->dim[0] >= 1 && t->dim[0] <= VX_MOTION_FRAMES_MAX && t->dim[1] == points &&
                t->dim[2] == 3;
    if (!fits)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_keypoints", path, 0,
                          "%s must be an NPY array of shape [frames,%d,3]", path, points);
    in->keypoint_frames = t->dim[0];
    in->keypoints = vx_heap_alloc(sizeof *in->keypoints * (size_t)t->elements);
    if (in->keypoints == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the key points");
    VX_TRY(vx_source_read(in->keypoints_file, t, 0, t->elements, in->keypoints, err));
    for (int64_t i = 0; i < t->elements; i++)
        /* Key points lie in -1..1; a thousand times that is no picture and no overflow either. */
        if (!(fabsf(in->keypoints[i]) <= 1000))
            return vx_fail_at(err, VX_ERR_INPUT, "bad_keypoints", path, 0,
                              "%s holds %g at element %lld, which is no key point", path,
                              (double)in->keypoints[i], (long long)i);
    return VX_OK;
}

static void sound_is(inputs *in, const float *samples, int64_t count, int rate)
{
    in->samples = samples;
    in->count = count;
    in->rate = count > 0 ? rate : 0;
}

static bool is_silent(const inputs *in)
{
    float most = 0;
    for (int64_t i = 0; i < in->count; i++)
        most = fmaxf(most, fabsf(in->samples[i]));
    return !(most > 1e-4f);
}

static vx_status read_sound(const vx_cli *cli, const animate_params *p, inputs *in, vx_error *err)
{
    VX_TRY(vx_sound_read(&in->sound, p->audio, SOUND_RATE, SECONDS_MAX, cli->cancel, err));
    sound_is(in, in->sound.samples, in->sound.count, SOUND_RATE);
    if (in->count == 0)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_audio", p->audio, 0, "%s holds no sound at all",
                          p->audio);
    if (is_silent(in)) vx_warn("silent", p->audio, "%s is silent from end to end", p->audio);
    if (p->motion != NULL) return VX_OK;
    in->driven_by = "audio";
    if (p->timings == NULL) {
        vx_warn("no_timings", p->audio,
                "%s comes without timings: the mouth opens with its loudness, not with its words",
                p->audio);
        return VX_OK;
    }
    in->driven_by = "timings";
    VX_TRY(vx_timings_read(&in->timings, p->timings, err));
    return vx_timings_match(&in->timings, p->timings, (double)in->count / SOUND_RATE, err);
}

/* The video's own sound, from the time of its first frame on; where it begins
 * later, silence first. */
static vx_status read_video(const vx_cli *cli, const animate_params *p, inputs *in, vx_error *err)
{
    VX_TRY(vx_video_open(&in->video, p->drive, cli->cancel, err));
    VX_TRY(vx_video_pace(in->video, (int)p->fps, 1, err));
    const vx_video_info *info = vx_video_about(in->video);
    in->driven_by = "video";
    in->fps = (double)info->fps_num / info->fps_den;
    if (!(in->fps >= 1 && in->fps <= VX_MOTION_FPS_MAX))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_video", p->drive, 0,
                          "%s has %g frames a second, and 1 to %d are possible; choose with --fps",
                          p->drive, in->fps, VX_MOTION_FPS_MAX);
    if (!info->has_sound) return VX_OK;
    VX_TRY(vx_sound_read(&in->sound, p->drive, SOUND_RATE, SECONDS_MAX, cli->cancel, err));
    VX_TRY(vx_sound_begin(&in->sound, info->start_s, err));
    sound_is(in, in->sound.samples, in->sound.count, SOUND_RATE);
    return VX_OK;
}

/* As large as the film needs it; where the face is was said in pixels of the original. */
static vx_status read_portrait(const vx_cli *cli, const animate_params *p, inputs *in,
                               vx_error *err)
{
    uint8_t background[3];
    vx_image_reading reading = {
        .cancel = cli->cancel, .background = background, .side_max = VX_FILM_SIDE_MAX};
    VX_TRY(vx_cli_colour(p->background, background, err));
    VX_TRY(vx_image_read(&in->portrait, cli->words[0], &reading, err));
    in->width = reading.width;
    in->height = reading.height;
    for (int i = 0; i < 6; i += 2) {
        in->face[i] *= (double)in->portrait.width / reading.width;
        in->face[i + 1] *= (double)in->portrait.height / reading.height;
    }
    return VX_OK;
}

static vx_status read_inputs(const vx_cli *cli, const animate_params *p, inputs *in, vx_error *err)
{
    VX_TRY(check_flags(cli, p, err));
    if (is_given(p)) VX_TRY(read_face(p->face, in->face, err));
    VX_TRY(read_portrait(cli, p, in, err));
    in->fps = p->fps > 0 ? (double)p->fps : 24;
    in->sync_s = -1;
    if (p->motion != NULL) {
        in->driven_by = "motion";
        VX_TRY(vx_motion_read(&in->motion, p->motion, err));
        in->fps = in->motion.fps;
    }
    if (p->keypoints != NULL) in->driven_by = "motion";
    if (p->audio != NULL) VX_TRY(read_sound(cli, p, in, err));
    return p->drive != NULL ? read_video(cli, p, in, err) : VX_OK;
}

static void free_inputs(inputs *in)
{
    vx_image_free(&in->portrait);
    vx_sound_free(&in->sound);
    vx_timings_free(&in->timings);
    vx_motion_free(&in->motion);
    vx_video_close(&in->video);
    vx_source_close(&in->keypoints_file);
    vx_heap_free(in->keypoints);
}

/* ---- what drives ---------------------------------------------------------------------------- */

static vx_status speak(const vx_cli *cli, const animate_params *p, vx_crew *crew, inputs *in,
                       vx_error *err)
{
    vx_spoken *spoken = &in->spoken;
    vx_ctx ctx = vx_engine_ctx(crew->engine, VX_LANE_AUDIO, cli->cancel, err);
    vx_speak_request request = {.text = p->say,
                                .bytes = strlen(p->say),
                                .voice_id = p->voice,
                                .film = true,
                                .seed = cli->seed > 0 ? (uint64_t)cli->seed : 0};
    VX_TRY(vx_speaker_run(crew->speaker, &ctx, &request, spoken));
    sound_is(in, spoken->samples, spoken->count, VX_KOKORO_RATE);
    in->driven_by = "timings";
    return VX_OK;
}

static int64_t frames_for(const inputs *in)
{
    return (int64_t)ceil((double)in->count * in->fps / in->rate);
}

/* Speech or a sound becomes a motion table. */
static vx_status drive(const vx_cli *cli, const animate_params *p, vx_crew *crew, inputs *in,
                       vx_motion_table *table, vx_error *err)
{
    void *memory;
    if (p->say != NULL) VX_TRY(speak(cli, p, crew, in, err));
    vx_drive_request r = {.seed = cli->seed > 0 ? (uint64_t)cli->seed : 0,
                          .mood = p->mood,
                          .phone = p->say != NULL ? in->spoken.phone : in->timings.phone,
                          .phones = p->say != NULL ? in->spoken.symbols : in->timings.count,
                          .samples = in->samples,
                          .sample_count = in->count,
                          .sample_rate = in->rate};
    VX_TRY(vx_animator_table(crew->animator, in->fps, frames_for(in), table, &memory, err));
    vx_drive(&r, table, memory);
    if (r.phone != NULL) in->sync_s = vx_drive_offset(table, r.phone, r.phones);
    return VX_OK;
}

/* ---- the film ------------------------------------------------------------------------------- */

/* Frames per second as a fraction: whole, of 1001 (29.97), or of 1000. */
static void rate_of(double fps, int *num, int *den)
{
    static const int dens[] = {1, 1001, 1000};
    for (size_t i = 0; i < sizeof dens / sizeof *dens; i++) {
        *den = dens[i];
        *num = (int)lround(fps * dens[i]);
        if (fabs(fps * dens[i] - *num) < 1e-3 * dens[i] / 30) return;
    }
}

static vx_status sound_to_film(void *arg, const float *samples, int64_t n, vx_error *err)
{
    return vx_mux_samples(arg, samples, n, err);
}

/* As loud as it is wanted; speech at twice its rate and in a room. */
static vx_status feed_sound(film *f, vx_error *err)
{
    inputs *in = f->in;
    double target = f->params->loudness;
    if (in->rate == 0) return VX_OK;
    if (target == VX_LOUDNESS_UNSET) target = f->cli->settings.loudness;
    vx_loudness_params params = {.sample_rate = in->rate,
                                 .twice = f->params->say != NULL,
                                 .room_tone = f->params->say != NULL,
                                 .target_lufs = target,
                                 .put = sound_to_film,
                                 .arg = f->mux};
    VX_TRY(vx_loudness_run(&params, in->samples, in->count, &in->loudness, err));
    vx_loudness_warn(&in->loudness, target, "--loudness");
    return VX_OK;
}

static vx_status begin_film(void *arg, int width, int height, vx_error *err)
{
    film *f = arg;
    const animate_params *p = f->params;
    const inputs *in = f->in;
    if (p->frames_out != NULL) VX_TRY(vx_folder_make(p->frames_out, err));
    if (p->out == NULL) return VX_OK;
    vx_container container;
    VX_TRY(vx_container_of(p->out, -1, &container, err));
    vx_mux_params params = {.path = p->out,
                            .container = container,
                            .width = width,
                            .height = height,
                            .sample_rate = p->say != NULL ? 2 * in->rate : in->rate};
    vx_captions captions = vx_captions_of(&in->spoken);
    params.captions_arg = &captions;
    if (p->subtitles == VX_SUBTITLES_TRACK) params.captions = vx_captions_feed;
    if (p->subtitles == VX_SUBTITLES_BURN) {
        size_t bytes;
        void *memory = vx_engine_buffer(f->engine, VX_BUFFER_CAPTIONS, &bytes);
        VX_TRY(vx_burn_open(&f->burn, &in->spoken, in->fps, width, height, memory, bytes,
                            "--subtitles", err));
        params.draw = vx_burn_frame;
        params.draw_arg = &f->burn;
    }
    rate_of(in->fps, &params.fps_num, &params.fps_den);
    VX_TRY(vx_mux_open(&f->mux, &params, err));
    return feed_sound(f, err);
}

/* On the ring's thread. */
static vx_status frame_to_file(void *arg, int64_t index, const vx_picture *picture, vx_error *err)
{
    film *f = arg;
    if (f->params->frames_out != NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%.4000s/%05lld.png", f->params->frames_out, (long long)index);
        VX_TRY(vx_image_write_png(picture, path, err));
    }
    return f->mux != NULL ? vx_mux_frame(f->mux, picture, err) : VX_OK;
}

static vx_status after_batch(void *arg, int64_t made, int64_t all)
{
    film *f = arg;
    vx_progress_update(&f->progress, (uint64_t)made, (uint64_t)all);
    if (vx_cancelled(f->cli->cancel))
        return vx_fail(f->err, VX_ERR_CANCELLED, "cancelled", "the film was cancelled");
    return VX_OK;
}

/* Where the face is in the portrait, how it stands in its square, and how sure the finder is: null
 * where nobody looked. */
static json_t *face_json(const inputs *in, const vx_animated *made)
{
    return json_pack("{s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "whole_picture", made->whole,
                     "x", made->x, "y", made->y, "side", made->side, "angle", made->angle, "scale",
                     (double)made->scale, "tx", (double)made->t[0], "ty", (double)made->t[1],
                     "score", in->is_found ? json_real(in->found.score) : json_null());
}

static json_t *report(const vx_cli *cli, const animate_params *p, const inputs *in,
                      vx_engine *engine, const vx_animated *made)
{
    const vx_pack *pack = vx_engine_pack(engine);
    json_t *doc = json_object();
    json_object_set_new(doc, "path", p->out != NULL ? vx_json_text(p->out) : json_null());
    json_object_set_new(doc, "frames_path",
                        p->frames_out != NULL ? vx_json_text(p->frames_out) : json_null());
    json_object_set_new(doc, "seed", json_integer(cli->seed > 0 ? cli->seed : 0));
    json_object_set_new(doc, "pack",
                        json_pack("{s:s, s:s, s:b, s:s}", "name", pack->name, "version",
                                  pack->version, "synthetic", pack->synthetic, "sha256",
                                  pack->sha256));
    json_object_set_new(doc, "video",
                        json_pack("{s:i, s:i, s:I, s:f, s:s}", "width", made->width, "height",
                                  made->height, "frames", (json_int_t)made->frames, "fps", in->fps,
                                  "driven_by", in->driven_by));
    json_object_set_new(doc, "face", face_json(in, made));
    json_object_set_new(
        doc, "memory",
        json_pack("{s:I, s:I}", "planned_bytes", (json_int_t)vx_engine_planned(engine)->total_bytes,
                  "measured_peak_bytes", (json_int_t)vx_engine_measured_bytes(engine)));
    if (p->out != NULL && in->rate > 0)
        json_object_set_new(doc, "audio",
                            json_pack("{s:o}", "loudness", vx_loudness_json(&in->loudness)));
    if (in->sync_s >= 0)
        json_object_set_new(doc, "sync", json_pack("{s:f}", "max_offset_s", in->sync_s));
    return doc;
}

static bool is_sought(const animate_params *p)
{
    return p->face == NULL && p->keypoints == NULL;
}

static vx_status find_face(const vx_cli *cli, const animate_params *p, vx_crew *crew, vx_ctx *ctx,
                           inputs *in)
{
    if (!is_sought(p)) return VX_OK;
    if (crew->faces == NULL) {
        vx_faces_absent(cli->words[0]);
        return VX_OK;
    }
    VX_TRY(vx_faces_choose(crew->faces, ctx, &in->portrait, p->face_index, cli->words[0], in->width,
                           in->height, &in->found));
    in->is_found = true;
    return VX_OK;
}

/* Animates into the outputs. The film is whole or not there. */
static vx_status make(const vx_cli *cli, const animate_params *p, vx_crew *crew, inputs *in,
                      vx_error *err)
{
    film f = {.cli = cli, .params = p, .in = in, .engine = crew->engine, .err = err};
    vx_motion_table table = in->motion;
    vx_animated made;
    vx_ctx ctx = vx_engine_ctx(crew->engine, VX_LANE_PICTURE, cli->cancel, err);
    VX_TRY(find_face(cli, p, crew, &ctx, in));
    if (p->say != NULL || (p->audio != NULL && p->motion == NULL))
        VX_TRY(drive(cli, p, crew, in, &table, err));
    vx_animate_request request = {.portrait = &in->portrait,
                                  .face = is_given(p) ? in->face : NULL,
                                  .found = in->is_found ? &in->found : NULL,
                                  .faces = crew->faces,
                                  .motion = table.count > 0 ? &table : NULL,
                                  .keypoints = in->keypoints,
                                  .video = in->video,
                                  .frames = in->keypoint_frames,
                                  .begin = begin_film,
                                  .frame = frame_to_file,
                                  .step = after_batch,
                                  .arg = &f};
    vx_progress_start(&f.progress, cli->quiet, "animating", "frames");
    vx_status status = vx_animate(crew->animator, &ctx, &request, &made);
    vx_progress_end(&f.progress);
    if (status == VX_OK && p->motion_out != NULL)
        status = vx_motion_write(&table, p->motion_out, err);
    if (status == VX_OK && p->srt != NULL) status = vx_captions_write_srt(&in->spoken, p->srt, err);
    if (status == VX_OK && p->vtt != NULL) status = vx_captions_write_vtt(&in->spoken, p->vtt, err);
    if (status == VX_OK && f.mux != NULL) status = vx_mux_finish(&f.mux, err);
    vx_mux_abort(&f.mux);
    if (status == VX_OK)
        vx_tell(cli, "%s: %lld frames, %.1f s, %d x %d, driven by %s",
                p->out != NULL ? p->out : p->frames_out, (long long)made.frames,
                (double)made.frames / in->fps, made.width, made.height, in->driven_by);
    if (status == VX_OK && cli->json)
        status = vx_json_print(report(cli, p, in, crew->engine, &made), err);
    return status;
}

/* A bound on how long a text is spoken, for the plan: slow voices speak 12 characters a second, a
 * digit or a sign becomes a word. */
static double longest_speech(const char *text)
{
    double characters = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        characters += letter || c == ' ' ? 1 : c < 0x80 ? 8 : 2;
    }
    return fmin(SECONDS_MAX, 5 + characters / 8);
}

static vx_status run_animate(vx_cli *cli, void *raw, vx_error *err)
{
    const animate_params *p = raw;
    inputs in = {0};
    vx_pack pack = {0};
    vx_crew crew = {0};
    vx_status status = read_inputs(cli, p, &in, err);
    if (status == VX_OK) status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_engine_params params = {
        VX_OUR_PARTS,
        .settings = &cli->settings,
        .pack = &pack,
        .wants = VX_WANT_VIDEO | VX_WANT_FILM | (p->say != NULL ? VX_WANT_SPEECH : 0),
        .frames = 1,
        .cancel = cli->cancel};
    int accents = 0;
    if (status == VX_OK && (is_sought(p) || p->drive != NULL) && vx_faces_in(&pack))
        params.wants |= VX_WANT_FACE;
    if (status == VX_OK) {
        vx_film_size(&in.portrait, &params.frame_width, &params.frame_height);
        if (p->say != NULL) {
            params.speech_seconds = longest_speech(p->say);
            double edges = (double)(VX_FILM_LEAD + VX_FILM_TAIL) / VX_KOKORO_RATE;
            params.frames = (int64_t)ceil((params.speech_seconds + edges) * in.fps);
            accents = vx_speaker_accents(&cli->settings, &pack, p->voice);
        } else if (in.count > 0) {
            params.frames = frames_for(&in);
        }
        status = vx_crew_open(&crew, &params, accents, err);
    }
    if (status == VX_OK && p->keypoints != NULL) {
        const vx_liveportrait *model = vx_engine_liveportrait(crew.engine);
        int points = vx_liveportrait_configuration(model)->points;
        status = read_keypoints(p->keypoints, points, &in, err);
    }
    if (status == VX_OK) status = make(cli, p, &crew, &in, err);
    vx_crew_close(&crew);
    vx_pack_close(&pack);
    free_inputs(&in);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG("say", 0, "TEXT", animate_params, say, TEXT, "speak this; the mouth follows"),
    VX_FLAG_FILE(IN, NULL, "audio", 0, "FILE", animate_params, audio,
                 "move to this sound; beside --motion, the film's sound"),
    VX_FLAG_FILE(IN, NULL, "timings", 0, "FILE", animate_params, timings,
                 "with --audio: when each phoneme is heard, as say --timings writes it"),
    VX_FLAG_FILE(IN, NULL, "drive", 0, "VIDEO", animate_params, drive,
                 "move as the face of this video does"),
    VX_FLAG_FILE(IN, NULL, "motion", 0, "FILE", animate_params, motion,
                 "a motion table, JSON or CSV"),
    VX_FLAG_FILE(IN, NULL, "keypoints", 0, "FILE", animate_params, keypoints,
                 "stitched key points, an NPY of [frames, K, 3]; the portrait is the crop itself"),
    VX_FLAG_FILE(OUT, "mp4 mkv", "out", 'o', "FILE", animate_params, out,
                 "the film: .mp4, .mkv or - (MKV)"),
    VX_FLAG_FILE(OUT_FOLDER, NULL, "frames-out", 0, "FOLDER", animate_params, frames_out,
                 "the frames as 00000.png, 00001.png, …; the folder is made"),
    VX_FLAG("face", 0, "x,y,x,y,x,y", animate_params, face, WORD,
            "image-left eye, image-right eye, mouth, in pixels of the original; or whole: the "
            "middle square; else it is found"),
    VX_FLAG("face-index", 0, "N", animate_params, face_index, INT,
            "which of the faces that are found, the largest is 0 (see vortex face)", .min = 0,
            .max = 63, .fallback = "0"),
    VX_FLAG("background", 0, "#rrggbb", animate_params, background, WORD,
            "what shows through the portrait's transparency; else #ffffff"),
    VX_FLAG_FILE(OUT, "json csv", "motion-out", 0, "FILE", animate_params, motion_out,
                 "the motion table, .json or .csv"),
    VX_FLAG("mood", 0, "MOOD", animate_params, mood, ENUM,
            "neutral, excited, calm, manic, sad or angry", .choices = VX_MOOD_NAMES,
            .fallback = "neutral"),
    VX_FLAG("loudness", 0, "LUFS", animate_params, loudness, FLOAT,
            "of the film's sound: -30 to -10, or off; else the settings' or -16",
            .min = VX_LOUDNESS_MIN, .max = VX_LOUDNESS_MAX, .off = true,
            .fallback = VX_LOUDNESS_UNSET_TEXT),
    VX_FLAG_FILE(OUT, "srt", "srt", 0, "FILE", animate_params, srt,
                 "with --say: captions as SubRip"),
    VX_FLAG_FILE(OUT, "vtt", "vtt", 0, "FILE", animate_params, vtt,
                 "with --say: captions as WebVTT, with word times"),
    VX_FLAG("subtitles", 0, "HOW", animate_params, subtitles, ENUM,
            "with --say: captions in the film, none, track or burn", .choices = VX_SUBTITLES_NAMES),
    VX_FLAG("voice", 'v', "V", animate_params, voice, WORD, "with --say: who speaks"),
    VX_FLAG("fps", 0, "N", animate_params, fps, INT,
            "frames a second, 1 to 60; else the video's own, or 24", .min = 1, .max = 60,
            .fallback = "0"),
    VX_FLAGS_END,
};

const vx_command vx_command_animate = {
    .name = "animate",
    .usage = "PORTRAIT --say TEXT|--audio FILE|--drive VIDEO|--motion FILE|--keypoints FILE  -o "
             "out.mp4",
    .summary = "a portrait that moves",
    .details =
        "The face is found, in the portrait and in a video that drives; --face says where it "
        "is instead. --motion-out\n"
        "writes a table that can be edited and given back with --motion (and --audio for its "
        "sound).",
    .flags = flags,
    .params_bytes = sizeof(animate_params),
    .words_min = 1,
    .words_max = 1,
    .word = {{VX_USE_IN, "the portrait"}},
    .run = run_animate,
};
