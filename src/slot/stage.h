/* The stages of a slot, and what they share.
 *
 *     phase 0   actor, when it is the recipe's image
 *     phase 1   audio (audio lane) side by side with actor (picture lane), when it is imagined;
 *               audio alone is speech, actor alone a picture
 *     phase 2   video     frames go to the encoder as they are made
 *     phase 3   verify
 *
 * A stage is one function in stage_NAME.c and one row of vx_stages (slot.c):
 *
 *     vx_status vx_stage_NAME(vx_stage_run *run)
 *
 * It reads what earlier phases left in run->slot, computes on run->ctx (its lane's context, whose
 * cancel token fires when the slot is cancelled, misses its deadline or times out), calls
 * vx_stage_step between steps, writes its own results into run->slot, and returns. Failures are
 * described in run->ctx.err. Stages of one phase run on two threads at once: they read the recipe
 * and write only their own fields. Memory for results is an engine buffer (vx_engine_buffer), so
 * that a lease can hand it out; nothing in proportion to the work comes from the heap.
 *
 * To add one: the function, its row, its fields below, its tools in crew.h, its part in part.c. */
#ifndef VX_SLOT_STAGE_H
#define VX_SLOT_STAGE_H

#include <stdatomic.h>
#include <string.h>

#include <vortex/vortex.h>

#include "base/warnings.h"
#include "slot/crew.h"
#include "config/recipe.h"
#include "media/loudness.h"
#include "media/mux.h"
#include "media/sound_out.h"

/* Where speech goes as a sound: the path, `write`. */
enum { VX_SOUND_FILE, VX_SOUND_STREAM, VX_SOUNDS };

enum { VX_SLOT_STAGES = 8, VX_SLOT_PHASES = 4, VX_EMBEDDING_MAX = 1024 };

/* The MIME type of a stream, for a thread that asks before the first byte comes. */
typedef struct vx_mime {
    char text[80];
    atomic_bool set;
} vx_mime;

static inline void vx_mime_set(vx_mime *mime, const char *text)
{
    strncpy(mime->text, text, sizeof mime->text - 1);
    atomic_store(&mime->set, true);
}

/* What is asked for. Paths are NULL where nothing is wanted; all of it outlives the slot. */
typedef struct vx_slot_request {
    const vx_recipe *recipe;
    const char *path;                             /* of what is made */
    const char *sheet;                            /* of the contact sheet */
    const char *srt, *vtt;                        /* of captions */
    const char *actor, *audio, *timings, *motion; /* vx_submit_params */
    int set;                                      /* of the engine's buffers */
    double begin_s;      /* vx_now_s() from which the deadline counts; 0: now */
    int64_t deadline_ms; /* from begin_s; 0: the recipe's, which may be none */
    vx_cancel *cancel;   /* may be NULL */
    /* As in vx_submit_params, from the stages' threads, one call at a time; each may be NULL. */
    void (*progress)(void *arg, const char *stage, double share);
    void (*frame)(void *arg, int64_t index, const vx_frame *frame);
    void (*sound)(void *arg, int64_t first, const float *samples, int64_t count,
                  const vx_word *words, int64_t word_count);
    void (*picture)(void *arg, const vx_frame *picture);
    int (*write)(void *arg, const void *bytes, size_t count);
    void *arg;
    vx_mime *mime; /* of a film that is written to `write`; may be NULL */
} vx_slot_request;

/* One slot under way. */
typedef struct vx_slot {
    vx_crew *crew;
    const vx_slot_request *request;
    const vx_recipe *recipe;
    const vx_pack *pack;
    pthread_mutex_t calls; /* held while a callback of the request runs; guards: */
    bool told;             /* something has gone out that a second try would say again */
    int set;               /* of the engine's buffers (vx_engine_set_buffer) */
    int width, height, fps;
    double seconds;    /* the longest that it may be */
    double expected_s; /* about how long its speech will be */

    /* audio */
    vx_spoken spoken; /* count 0 until it was spoken */
    /* Of a job that is speech: the sound as a file, as a stream; finished
     * when all has gone well. */
    vx_sound_out *sound[VX_SOUNDS];

    /* actor */
    vx_picture actor;   /* who is to speak, at any size */
    vx_picture decoded; /* its memory when it is the recipe's image; on the heap */
    double face[6];     /* the recipe's, in the actor's pixels */
    vx_found found;     /* the face that was found there, when there is one (is_found) */
    bool is_found;
    const char *pictured; /* "image" or "prompt" */
    vx_imagined made;     /* of a prompt: what it was made into, what it took */
    int mood;             /* the recipe's, else the prompt's; -1: nobody has named one */

    /* video */
    int64_t frames;
    const char *driven_by;         /* "still", "timings", … */
    vx_picture key[VX_KEY_FRAMES]; /* frames vx_video_key_frame(i) in VX_BUFFER_KEY_FRAMES */
    int keys;                      /* 1 when all of them are the same picture */
    vx_motion_table motion;        /* in VX_BUFFER_MOTION; count 0: not driven by one */
    double sync_s; /* how far the lips are from the timings; negative: not driven by them */
    vx_loudness loudness;
    vx_mux *film; /* whole (vx_mux_end); gets its name when the slot has ended well */

    /* score: what is judged, on the heap, and how each prompt does */
    vx_picture judged[VX_KEY_FRAMES];
    int64_t judged_index[VX_KEY_FRAMES];
    int judged_count;
    vx_score scores[VX_PROMPTS_MAX];

    /* verify */
    bool verified;
    vx_score score;
    float embedding_b[VX_EMBEDDING_MAX], embedding_l[VX_EMBEDDING_MAX];
    int embedding_b_count, embedding_l_count;

    vx_warnings warnings; /* of all stages */

    /* vx_slot_run's */
    vx_stage_time stage[VX_SLOT_STAGES];
    int stages;
    const char *outcome;
    json_t *report; /* NULL when out of memory */
} vx_slot;

typedef struct vx_stage_run {
    vx_slot *slot;
    vx_ctx ctx;
    const struct vx_stage_kind *kind;
} vx_stage_run;

typedef struct vx_stage_kind {
    const char *name; /* NULL ends the table */
    int phase;        /* stages of one phase run side by side, each on its own lane */
    vx_lane_id lane;
    int want;   /* VX_WANT_*: whose planned time stands in until there is history */
    bool alone; /* it works in the workspaces of all lanes */
    bool again; /* a timeout or a fault of the device is worth a second try */
    bool (*applies)(const vx_slot *slot); /* NULL: always */
    /* How much work it is, in a unit that its time is proportional to; 0: too little to count. */
    double (*units)(const vx_slot *slot);
    /* The share of the largest run, which is what was planned, 0..1; NULL: all of it. */
    double (*share)(const vx_slot *slot);
    vx_status (*run)(vx_stage_run *run);
} vx_stage_kind;

extern const vx_stage_kind vx_stages[];

vx_status vx_stage_audio(vx_stage_run *run);
vx_status vx_stage_actor(vx_stage_run *run);
vx_status vx_stage_video(vx_stage_run *run);
vx_status vx_stage_verify(vx_stage_run *run);
vx_status vx_stage_media(vx_stage_run *run); /* of a score: reads what is judged */
vx_status vx_stage_score(vx_stage_run *run);

/* Keeps what the verifier has just seen as embeddings of the slot. */
vx_status vx_stage_embeddings(vx_stage_run *run);

/* The request's image, at most `side_max` twice on its longest side (0: as it is), in the lanes'
 * workspaces, which are idle; of an engine for this job alone, which may have none to speak of, on
 * the heap. The picture is the caller's. *width and *height are what the file says; may be NULL. */
vx_status vx_stage_image(vx_stage_run *run, int side_max, vx_picture *picture, int *width,
                         int *height);

/* Between two steps: `share` of the stage is done, 0..1. A failure says that the stage must end
 * now, and the watch knows why: cancelled, deadline, timeout, memory. From any thread. */
vx_status vx_stage_step(vx_stage_run *run, double share);

/* Frame `index` of slot->frames is made: it goes to whoever watches and to the encoder, and a step
 * is taken. The pixels are read before it returns. From any thread, whose error goes to *err. */
vx_status vx_stage_frame(vx_stage_run *run, vx_mux *mux, int64_t index, const vx_picture *picture,
                         vx_error *err);

/* Callbacks of the request, where it has them. */
void vx_tell_sound(vx_slot *slot, int64_t first, const float *samples, int64_t count,
                   const vx_word *words, int64_t word_count);
void vx_tell_picture(vx_slot *slot, const vx_picture *picture);
/* The request's `write`, which there is: for the writers of src/media, whose `arg` is the slot. */
int vx_tell_bytes(void *slot, const void *bytes, size_t count);

/* Key frame `index` as a view of VX_BUFFER_KEY_FRAMES, to be drawn into. */
vx_picture vx_slot_key_frame(const vx_slot *slot, int index);

#endif
