/* A slot: from a recipe to a file with sound and picture, and the report about it.
 *
 * The stages are listed in stage.h. vx_slot_run runs them phase by phase, stages of one phase side by side on
 * a thread each, and watches over them: when the slot is cancelled or its deadline passes, the lanes' tokens
 * are set, the stages stop at the next tile, and it returns when both lanes are idle.
 *
 * A stage whose model the pack lacks is absent, and a recipe that asks for it is refused by name. Without an
 * animation model the recipe's image stands still. */
#ifndef VX_ENGINE_SLOT_H
#define VX_ENGINE_SLOT_H

#include <jansson.h>

#include "engine/stage.h"

typedef struct vx_slot_request {
    const vx_recipe *recipe;
    const char *path;    /* of the film */
    int64_t deadline_ms; /* from now; 0: the recipe's, which may be none */
    vx_cancel *cancel;   /* may be NULL */
    /* Called with the stage's name and the share of it that is done, from the stages' threads, one call at
     * a time; may be NULL. */
    void (*progress)(void *arg, const char *stage, double share);
    void *progress_arg;
} vx_slot_request;

/* What of the engine's components a recipe needs with a pack: VX_WANT_*. VX_ERR_INPUT or VX_ERR_MISSING when
 * it asks for what the pack does not have. */
vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err);

/* What an engine has to hold for a recipe: wants, speech_seconds, frame_width and frame_height of *params. */
vx_status vx_slot_needs(const vx_recipe *recipe, const vx_pack *pack, vx_engine_params *params,
                        vx_error *err);

/* Makes the slot. A recipe with a prompt is verified against it: when it fails, the film is there, the report
 * says so and the status is VX_ERR_VERIFY. *report (docs/CONTRACTS.md, "report of a slot") is the caller's to
 * decref and is set after failures too, with the outcome; NULL only when out of memory. Nothing is left on
 * disk after a failure. */
vx_status vx_slot_run(vx_crew *crew, const vx_slot_request *request, json_t **report,
                      vx_error *err);

/* The outcome's name for a status and its error's code: "done", "bad_recipe", "deadline", … */
const char *vx_slot_outcome(vx_status status, const char *code);

#endif
