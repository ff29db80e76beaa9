/* A slot: from a recipe to a file with sound and picture, and the report about it.
 *
 * The stages are listed in stage.h. vx_slot_run runs them phase by phase, stages of one phase
 * side by side on a thread each, and watches over them: when the slot is cancelled, its deadline
 * passes or can no longer be met, a stage takes far longer than it has been taking, or memory
 * runs out, the lanes' tokens are set, the stages stop at the next tile, and it returns when
 * both lanes are idle.
 *
 * A stage whose model the pack lacks is absent, and a recipe that asks for it is refused by name.
 * Without an animation model the recipe's image stands still. */
#ifndef VX_SLOT_SLOT_H
#define VX_SLOT_SLOT_H

#include "slot/stage.h"

typedef struct vx_slot_request {
    const vx_recipe *recipe;
    const char *path;      /* of the film */
    const char *sheet;     /* of the contact sheet; NULL: none */
    const char *srt, *vtt; /* of captions; NULL: none */
    int set;               /* of the engine's buffers */
    double begin_s;        /* vx_now_s() from which the deadline counts; 0: now */
    int64_t deadline_ms;   /* from begin_s; 0: the recipe's, which may be none */
    vx_cancel *cancel;     /* may be NULL */
    /* Called with the stage's name and the share of it that is done, and with every frame, from the
     * stages' threads, one call at a time; may be NULL. */
    void (*progress)(void *arg, const char *stage, double share);
    void (*frame)(void *arg, int64_t index, const vx_frame *frame);
    void *arg;
} vx_slot_request;

/* What of the engine's components a recipe needs with a pack: VX_WANT_*. VX_ERR_INPUT or
 * VX_ERR_MISSING when it asks for what the pack does not have. */
vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err);

/* What an engine has to hold for a recipe: wants, speech_seconds, frame_width and
 * frame_height of *params. */
vx_status vx_slot_needs(const vx_recipe *recipe, const vx_pack *pack, vx_engine_params *params,
                        vx_error *err);

/* Whether an engine holds what a recipe needs, by memory alone: it looks at no file. VX_ERR_INPUT
 * when the film is larger or longer than planned, else as vx_slot_wants. */
vx_status vx_slot_check(const vx_recipe *recipe, const vx_engine *engine, vx_error *err);

/* Makes the slot, whose results are then views of the crew's buffers. A recipe with a prompt is
 * verified against it: when it fails, the film is there and the status is VX_ERR_VERIFY.
 * slot->report (docs/CONTRACTS.md) and slot->outcome are set whatever happens. Nothing is left on
 * disk after another failure. Close it in any case. */
vx_status vx_slot_run(vx_slot *slot, vx_crew *crew, const vx_slot_request *request, vx_error *err);
/* A slot that ended before it began: the report and the outcome alone. */
void vx_slot_skip(vx_slot *slot, vx_crew *crew, const vx_slot_request *request,
                  const vx_error *why);
void vx_slot_close(vx_slot *slot); /* safe on a zeroed or closed one */

/* The outcome's name for a status and its error's code: "done", "bad_recipe", "deadline", … */
const char *vx_slot_outcome(vx_status status, const char *code);

#endif
