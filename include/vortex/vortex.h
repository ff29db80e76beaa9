/* Vortex: recipes in, talking heads out, from models that stay resident; speech, pictures and
 * scores too.
 *
 *     vx_vortex *vortex;
 *     vx_job *job;
 *     vx_error err = {0};
 *     if (vx_open(&vortex, &(vx_open_params){0}, &err) != VX_OK) … err.message …
 *     vx_submit_params film = {.recipe = "hello.yaml", .path = "hello.mp4"};
 *     vx_submit(vortex, &film, &job, &err);
 *     vx_job_wait(job, -1);
 *     const vx_result *result = vx_job_result(job);
 *     … result->outcome, result->samples, result->report …
 *     vx_job_free(&job);
 *     vx_close(&vortex, 0);
 *
 * Opening plans every byte, reserves, loads; afterwards nothing grows. Jobs of a kind are made one
 * after the other, in the order of submission, by the engine's own threads; a sentence waits for no
 * film, only for the lane that speaks, and a picture for the lane that draws.
 *
 * Functions return a vx_status, and describe failures in the vx_error that the caller owns and that
 * may be NULL. Nothing is printed but the log on stderr. The process is never ended: what a broken
 * pipe or a file at its limit raises (SIGPIPE, SIGXFSZ) is kept from the host, whose own handling
 * of signals stays as it is. Structs of parameters are zero-initialised; zero and NULL mean the
 * default, a NULL struct too. A NULL handle is an argument that makes no sense (VX_ERR_USAGE) where
 * a status is returned, and otherwise harmless.
 *
 * Threads: every function may be called from any thread, except that vx_open and vx_job_free want
 * their handle for themselves. Every stage has a thread of its own; a program that runs for weeks
 * on glibc sets M_ARENA_MAX to 2 (mallopt), as vortex does, or heaps of many threads each keep what
 * an encoder once took. Callbacks run on the engine's threads, one at a time for a job; they must
 * return soon and may call vx_job_cancel, and nothing that waits.
 *
 * Versions: VORTEX_API is the number of this header and grows with it. A program tells the library
 * which one it was compiled with (vx_open and vx_submit do so by themselves), and a library serves
 * all programs that are not newer than itself. Structs of parameters and results grow at their end
 * only; vx_error and what stands in arrays (vx_frame, vx_interval, vx_word, vx_stage_time) don't
 * grow. */
#ifndef VORTEX_VORTEX_H
#define VORTEX_VORTEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vortex/status.h>

#if defined(__GNUC__)
#define VX_API __attribute__((visibility("default")))
#else
#define VX_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vx_vortex vx_vortex; /* the resident engine */
typedef struct vx_job vx_job;       /* one job: waiting, under way or ended */
typedef struct vx_cancel vx_cancel; /* a wish to stop */

/* Of this header. 1: the first release. 2: vx_api; the log's callback and level (vx_open_params);
 * vx_result.bytes. 3: loudness and captions (vx_submit_params). 4: kinds of jobs, streams, checks,
 * figures and documents about the engine. */
#define VORTEX_API 4

/* Of the library that runs. */
VX_API int vx_api(void);
/* "0.1.0" */
VX_API const char *vx_version(void);

/* ---- the engine ----------------------------------------------------------------------------- */

typedef struct vx_open_params {
    const char *settings; /* path of vortex.yaml; NULL: the user's own, when there is one */
    const char *pack;     /* name or folder; NULL: the settings', else toon, else speech */
    const char *device;   /* NULL: the settings' */
    int threads;          /* 0: the settings' */
    /* Hold only what this job needs; NULL: all that the pack has. */
    const struct vx_submit_params *only;
    /* Called while loading with the component's name and the share that is done, 0..1. */
    void (*progress)(void *arg, const char *component, double share);
    void *progress_arg;
    vx_cancel *cancel; /* ends opening with VX_ERR_CANCELLED when it is set; may be NULL */
    /* Since 2. Takes the log's lines instead of stderr, one at a time, from any thread; views that
     * are valid during the call. The log is the process's: the engine that was opened last with a
     * callback has it until it closes. */
    void (*log)(void *arg, const vx_log_line *line);
    void *log_arg;
    const char *log_level; /* "error", "warn", "info" or "debug"; NULL: the settings' */
    /* Since 4. `only` is an array of so many jobs; 0: one. Of several, those that are bad are left
     * out here, and refused when they are submitted. */
    size_t only_count;
} vx_open_params;

/* NULL when out of memory. Setting is safe in a signal handler, and on NULL. */
VX_API vx_cancel *vx_cancel_new(void);
VX_API void vx_cancel_set(vx_cancel *cancel);
VX_API void vx_cancel_free(vx_cancel **cancel); /* safe on NULL; sets NULL */

/* VX_ERR_MISSING: a model or library is not there, or the program is newer than the library;
 * VX_ERR_MEMORY: the plan does not fit, with the sum and what would help; VX_ERR_INPUT: bad
 * settings, pack, recipe or weights. *vortex is NULL on failure. */
VX_API vx_status vx_open_api(vx_vortex **vortex, const vx_open_params *params, vx_error *err,
                             int api);
/* The function of this name serves programs of version 1. */
VX_API vx_status vx_open(vx_vortex **vortex, const vx_open_params *params, vx_error *err);
#define vx_open(...) vx_open_api(__VA_ARGS__, VORTEX_API)

/* Takes no more jobs and ends all leases: nobody may be reading their views. Lets the jobs it has
 * end for `drain_ms` (negative: as long as they take), cancels the rest, and closes. Every job has
 * its outcome then and is still the caller's to free. Sets *vortex to NULL; safe on NULL. Threads
 * that still hold the handle are answered, not harmed: vx_submit says "busy", vx_metrics_text NULL,
 * and a second close returns at once. */
VX_API void vx_close(vx_vortex **vortex, int64_t drain_ms);

/* Texts about the engine; the caller frees them with vx_text_free. NULL when out of memory or
 * closed. Metrics in Prometheus' text format; */
VX_API char *vx_metrics_text(vx_vortex *vortex);
/* since 4, and as JSON (docs/CONTRACTS.md): what was planned (`plan`), who can speak (`voices`),
 * and what the engine is and can (`info`: pack, device, features, sizes, limits, moods,
 * formats). */
VX_API char *vx_plan_json(vx_vortex *vortex);
VX_API char *vx_voices_json(vx_vortex *vortex);
VX_API char *vx_info_json(vx_vortex *vortex);
VX_API void vx_text_free(char *text); /* safe on NULL */

/* Since 4. How the engine stands at this moment; grows at its end. */
typedef struct vx_figures {
    size_t planned_bytes, used_bytes, highest_bytes; /* used, highest: at the checks so far */
    size_t soft_bytes, hard_bytes;
    size_t machine_free_bytes; /* 0: the machine does not say */
    int64_t soft_events, hard_events;
    int queue;      /* jobs that may wait */
    int waiting[8]; /* jobs that do, by vx_kind */
    int running[8]; /* jobs under way, by vx_kind */
    double wait_s;  /* about how long until what waits and runs now has ended; negative:
                                nothing like it has run yet */
    bool closing;
} vx_figures;

/* VX_ERR_USAGE when the engine is closed. */
VX_API vx_status vx_figures_read_api(vx_vortex *vortex, vx_figures *figures, int api);
#define vx_figures_read(...) vx_figures_read_api(__VA_ARGS__, VORTEX_API)

/* ---- jobs ----------------------------------------------------------------------------------- */

/* Since 4. What a job makes. Its request is one YAML or JSON document, whose keys docs/CONTRACTS.md
 * lists ("Requests"); for each kind is said here what `path` and `write` get, what the report is
 * and what the result holds beside it. */
typedef enum vx_kind {
    /* A recipe. `path`: MP4 or Matroska; `write`: the film as it is muxed, MP4 in fragments unless
     * the recipe says mkv. Report: the slot's. One of the two is required, or both. */
    VX_FILM,
    /* {script | phonemes, voice_id, speed, loudness, format, seed}. `path`: a sound, by its ending;
     * `write`: the sound as it is encoded, `format` wav (default), flac, mp3, opus, aac or pcm;
     * both may be NULL. Report: `say`'s document. Samples, symbols and words are in the result. */
    VX_SPEECH,
    /* {prompt, width, height, steps, image, strength, background, format, seed}. `path`: PNG or
     * JPEG, by its ending; `write`: the same, `format` png (default) or jpg, in one call; both may
     * be NULL. Report: `imagine`'s document. The pixels are in the result (`picture`). */
    VX_PICTURE,
    /* kept for portraits that move; refused (VX_ERR_USAGE), `vortex animate` does it */
    VX_ANIMATION,
    /* {image, prompts: […], background, embeddings}. `image` is a picture or, where it may name
     * any file, a film; no `path`. Report: `score`'s document. Embeddings are in the result. */
    VX_SCORE
} vx_kind;
enum { VX_KINDS = 5 };

/* Since 4. Who is taken first of the jobs that wait for the same lane. */
typedef enum vx_priority { VX_LOW = -1, VX_NORMAL = 0, VX_HIGH = 1 } vx_priority;

/* Packed rows of RGB, 8 bits each. */
typedef struct vx_frame {
    const uint8_t *rgb; /* top left */
    int width, height;
    ptrdiff_t stride; /* bytes from row to row */
} vx_frame;

/* Since 4. A word of the speech. */
typedef struct vx_word {
    const char *text; /* a view of the request's, UTF-8, not ended by a NUL */
    int64_t text_bytes;
    int64_t start, end; /* samples from the start, as vx_interval */
} vx_word;

typedef struct vx_submit_params {
    const char *recipe;  /* path of the request, which for a film is a recipe; or */
    const char *text;    /* the request itself, YAML or JSON, */
    size_t text_bytes;   /* its length, 0: up to the NUL, and */
    const char *folder;  /* the text may name files beneath it and nowhere else; NULL: none */
    const char *path;    /* of what is made; required for a film without `write` */
    const char *sheet;   /* of a picture (PNG) that shows the slot at a glance; NULL: none */
    bool has_seed;       /* `seed` instead of the request's */
    int64_t seed;        /* 0..2^63-1 */
    int64_t deadline_ms; /* from now; 0: the request's, which may be none */
    /* The stage that works and the share of it that is done, 0..1. */
    void (*progress)(void *arg, const char *stage, double share);
    /* Every frame in order as it goes to the encoder; a view that is valid during the call. */
    void (*frame)(void *arg, int64_t index, const vx_frame *frame);
    void *arg; /* of all callbacks */
    /* Since 3. What of the recipe is to be otherwise. */
    double loudness;       /* of the film in LUFS, -30..-10; positive: as it is; 0: the recipe's */
    const char *subtitles; /* in the film: "none", "track" or "burn"; NULL: the recipe's */
    const char *srt, *vtt; /* paths of caption files; NULL: none */
    /* Since 4. */
    vx_kind kind;
    vx_priority priority;
    /* The request comes from somebody else: it may name no file at all, be it to read or to write,
     * and no message names one. */
    bool confined;
    /* The picture as a file's bytes, in place of the request's `image`: of a film and an animation
     * who speaks, of a picture what it begins with, of a score what is judged. Not copied: they
     * stay until the job has ended (vx_check, vx_open: until those return). */
    const void *image;
    size_t image_bytes;
    /* Paths of what lies beside a film (speech: audio is `path`, and only timings): who speaks (PNG
     * or JPEG), the speech alone (a sound, by its ending; 24 kHz, before its gain), its times
     * (JSON), how the face moves (JSON or CSV). NULL: none. Written before the film has its
     * name. */
    const char *actor, *audio, *timings, *motion;
    /* Speech, piece by piece in order, -1..1, mono, 24 kHz, as vx_result has it: samples [first,
     * first + count), and the words that are whole by then and were not told before. Of a film
     * once, when all of it is there. Views that are valid during the call. */
    void (*sound)(void *arg, int64_t first, const float *samples, int64_t count,
                  const vx_word *words, int64_t word_count);
    /* Who speaks, or the picture, as soon as it is there; a view that is valid during the call. */
    void (*picture)(void *arg, const vx_frame *picture);
    /* What is made, as bytes, as they come; in place of or beside `path`. Anything but 0 cancels.
     * A job that fails has written a beginning, which is no whole file. */
    int (*write)(void *arg, const void *bytes, size_t count);
    /* The job has ended: its result is there. The last call for a job, on a thread of the engine's;
     * it may come before vx_submit returns. Here the job may be released and freed too. */
    void (*ended)(void *arg, vx_job *job);
} vx_submit_params;

/* Reads the request and puts the job into the queue. VX_ERR_INPUT with the request's line when it
 * is bad or asks for what this engine does not hold; VX_ERR_DEADLINE with code "busy" when the
 * queue is full or the engine closes or is closed. *job is NULL on failure. */
VX_API vx_status vx_submit_api(vx_vortex *vortex, const vx_submit_params *params, vx_job **job,
                               vx_error *err, int api);
/* The function of this name serves programs of version 1. */
VX_API vx_status vx_submit(vx_vortex *vortex, const vx_submit_params *params, vx_job **job,
                           vx_error *err);
#define vx_submit(...) vx_submit_api(__VA_ARGS__, VORTEX_API)

/* Since 4. What vx_submit would say but for "busy"; nothing is queued, no output looked at. *json
 * (vx_text_free; NULL on failure, and where json is NULL): {kind, speech_s, work_s,
 * expanded_prompt}, estimates of how long the speech lasts and the job takes once it runs, and what
 * a prompt would be made into; null where there is none. */
VX_API vx_status vx_check_api(vx_vortex *vortex, const vx_submit_params *params, char **json,
                              vx_error *err, int api);
#define vx_check(...) vx_check_api(__VA_ARGS__, VORTEX_API)

typedef enum vx_state { VX_QUEUED, VX_RUNNING, VX_ENDED } vx_state;
VX_API vx_state vx_job_poll(vx_job *job); /* NULL has ended */

/* VX_OK when the job has ended; VX_ERR_DEADLINE when it has not after `timeout_ms` (negative: no
 * limit). */
VX_API vx_status vx_job_wait(vx_job *job, int64_t timeout_ms);

/* Asks the job to stop; its outcome will be "cancelled" unless it ends before. One that waits ends
 * at once and gives its place in the queue back, whatever runs; so does one that waits when its
 * deadline passes. Does not wait. Safe in a signal handler, and on NULL. */
VX_API void vx_job_cancel(vx_job *job);

/* Since 4. 1 for the job that is next of its kind, then 2, 3, …; 0 when it is under way or has
 * ended. *ahead_s (may be NULL): about how long until it begins, in seconds; negative when nobody
 * knows, because nothing like it has run yet. */
VX_API int vx_job_position(vx_job *job, double *ahead_s);

/* Since 4. The whole MIME type of the film that `write` gets, with its codecs, as MediaSource wants
 * it: video/mp4; codecs="avc1.64001f, mp4a.40.2". NULL before the encoder is open; set before the
 * first byte. As long as the job. */
VX_API const char *vx_job_mime(vx_job *job);

/* ---- results -------------------------------------------------------------------------------- */

/* When something sounds, in samples from the start. */
typedef struct vx_interval {
    int64_t start, end;
} vx_interval;

/* When a stage ran, in seconds since the slot began. */
typedef struct vx_stage_time {
    const char *name;
    double start_s, end_s;
    size_t peak_bytes; /* of the process since the engine opened */
} vx_stage_time;

typedef struct vx_result {
    /* "done", "memory_pressure", "deadline", "timeout", "cancelled", "bad_recipe", "verify_failed",
     * "device_error", "io_error" */
    const char *outcome;
    vx_error error;     /* status VX_OK after "done" */
    const char *report; /* JSON; which document: vx_kind */
    const char *path;   /* of what was made; it is there after "done" and "verify_failed" */
    const vx_stage_time *stages;
    int stage_count;

    /* After "done" and "verify_failed", until the lease ends: views of the engine's buffers. */
    const float *samples; /* -1..1, mono; as the film times them, before its gain */
    int64_t sample_count;
    int sample_rate;
    const uint32_t *symbol;          /* the phonemes as code points */
    const vx_interval *symbol_times; /* [symbol_count] */
    int64_t symbol_count;
    int64_t frames;
    int fps;
    const vx_frame *key_frames; /* what was verified; one when the picture stands still */
    int key_frame_count;
    bool verified; /* false: no prompt, no CLIPs, or not wanted; then there is nothing below */
    bool pass, outlier;
    double score_b, score_l, score_ensemble;
    const float *embedding_b, *embedding_l; /* of length 1: the film's place in each CLIP */
    int embedding_b_count, embedding_l_count;
    size_t bytes; /* since 2: of this struct as the library fills it, for readers that can't tell */
    /* Since 4. */
    vx_kind kind;
    const vx_frame *picture; /* of VX_PICTURE; NULL: none, or the lease has ended */
    const vx_word *words;    /* of speech from text; their texts are the request's */
    int64_t word_count;
} vx_result;

/* The result of a job that has ended, else NULL. It is a lease: the engine needs the buffers for
 * its next slots and waits (settings: pipeline_depth) until the lease ends, by vx_job_release,
 * vx_job_free or vx_close. */
VX_API const vx_result *vx_job_result(vx_job *job);

/* Ends the lease: outcome, error, report, path and stages stay, everything else is empty. Harmless
 * before the job's end, when called again, and on NULL. */
VX_API void vx_job_release(vx_job *job);

/* Cancels the job if it has not ended, waits for its end, ends the lease, frees. Sets *job to NULL;
 * safe on NULL. */
VX_API void vx_job_free(vx_job **job);

#ifdef __cplusplus
}
#endif

#endif
