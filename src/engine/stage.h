/* The stages of a slot, and what they share.
 *
 *     phase 0   audio (audio lane) side by side with actor (picture lane)
 *     phase 1   video     frames go to the encoder as they are made
 *     phase 2   verify
 *
 * A stage is one function in stage_NAME.c and one row of vx_stages (slot.c):
 *
 *     vx_status vx_stage_NAME(vx_stage_run *run)
 *
 * It reads what earlier phases left in run->slot, computes on run->ctx (its lane's context, whose cancel
 * token fires when the slot is cancelled, misses its deadline or times out), calls vx_stage_step between
 * steps, writes its own results into run->slot, and returns. Failures are described in run->ctx.err. Stages
 * of one phase run on two threads at once: they read the recipe and write only their own fields. Memory for
 * results is an engine buffer (vx_engine_buffer), so that a lease can hand it out; nothing in proportion to
 * the work comes from the heap.
 *
 * To add one: the function, its row, its fields below, its tools in crew.h, its part in part.c. */
#ifndef VX_ENGINE_STAGE_H
#define VX_ENGINE_STAGE_H

#include "engine/crew.h"
#include "engine/recipe.h"

/* One slot under way. */
typedef struct vx_slot {
    vx_crew *crew;
    const vx_recipe *recipe;
    const vx_pack *pack;
    const char *path; /* of the film */
    int width, height, fps;
    double seconds; /* the longest that it may be */

    /* audio */
    vx_spoken spoken; /* count 0 until it was spoken */

    /* actor */
    vx_picture actor;     /* who is to speak, at any size */
    vx_picture decoded;   /* its memory when it is the recipe's image; on the heap */
    const char *pictured; /* "image" or "prompt" */
    const char *expanded; /* what the prompt was made into; NULL: it was taken as it is */

    /* video */
    int64_t frames;
    const char *driven_by;         /* "still", "timings", … */
    vx_picture key[VX_KEY_FRAMES]; /* frames vx_video_key_frame(i) in VX_BUFFER_KEY_FRAMES */
    int keys;                      /* 1 when all of them are the same picture */
    double sync_s; /* how far the lips are from the timings; negative: not driven by them */

    /* verify */
    bool verified;
    vx_score score;
} vx_slot;

typedef struct vx_stage_run {
    vx_slot *slot;
    vx_ctx ctx;
    const struct vx_stage_kind *kind;
    /* vx_slot_run's side of vx_stage_step. */
    vx_status (*step)(struct vx_stage_run *run, double share);
} vx_stage_run;

typedef struct vx_stage_kind {
    const char *name; /* NULL ends the table */
    int phase;        /* stages of one phase run side by side, each on its own lane */
    vx_lane lane;
    bool (*applies)(const vx_slot *slot); /* NULL: always */
    vx_status (*run)(vx_stage_run *run);
} vx_stage_kind;

extern const vx_stage_kind vx_stages[];

vx_status vx_stage_audio(vx_stage_run *run);
vx_status vx_stage_actor(vx_stage_run *run);
vx_status vx_stage_video(vx_stage_run *run);
vx_status vx_stage_verify(vx_stage_run *run);

/* Between two steps: `share` of the stage is done, 0..1. A failure says why the stage must end now:
 * cancelled, deadline, timeout, memory. */
static inline vx_status vx_stage_step(vx_stage_run *run, double share)
{
    return run->step(run, share);
}

/* Key frame `index` as a view of VX_BUFFER_KEY_FRAMES, to be drawn into. */
vx_picture vx_slot_key_frame(const vx_slot *slot, int index);

#endif
