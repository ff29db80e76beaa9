/* A slot: from a recipe to a file with sound and picture, and the report about it; or the sound,
 * the picture alone (vx_kind).
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

/* What of the engine's components a recipe needs with a pack: VX_WANT_*. VX_ERR_INPUT or
 * VX_ERR_MISSING when it asks for what the pack does not have. */
vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err);

/* What an engine has to hold for a recipe alone: wants and sizes of *params. */
vx_status vx_slot_needs(const vx_recipe *recipe, const vx_pack *pack, vx_engine_params *params,
                        vx_error *err);

/* *sum becomes what holds both; a want of 0 needs nothing. */
void vx_slot_needs_both(vx_engine_params *sum, const vx_engine_params *one, const vx_pack *pack);

/* Whether an engine holds what a recipe needs, by memory alone: it looks at no file. VX_ERR_INPUT
 * when the film is larger or longer than planned, else as vx_slot_wants. */
vx_status vx_slot_check(const vx_recipe *recipe, const vx_crew *crew, vx_error *err);

/* Makes the slot, whose results are then views of the crew's buffers. A film with a prompt is
 * verified against it: when it fails, the film is there and the status is VX_ERR_VERIFY.
 * slot->report (docs/CONTRACTS.md) and slot->outcome are set whatever happens. Nothing is left on
 * disk after another failure. Close it in any case. */
vx_status vx_slot_run(vx_slot *slot, vx_crew *crew, const vx_slot_request *request, vx_error *err);
/* A slot that ended before it began: the report and the outcome alone. */
void vx_slot_skip(vx_slot *slot, vx_crew *crew, const vx_slot_request *request,
                  const vx_error *why);
/* How long it has been taking to make what the request asks for, in seconds; negative while there
 * is no history. And how long its speech lasts, about; 0 without. */
double vx_slot_expect_s(vx_crew *crew, const vx_slot_request *request);
double vx_slot_speech_s(vx_crew *crew, const vx_slot_request *request);
void vx_slot_close(vx_slot *slot); /* safe on a zeroed or closed one */

/* The outcome's name for a status and its error's code: "done", "bad_recipe", "deadline", … */
const char *vx_slot_outcome(vx_status status, const char *code);

#endif
