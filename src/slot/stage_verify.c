/* verify: do the key frames show what the prompt says? */
#include <string.h>

#include "slot/stage.h"

static double setting(double recipe, double pack)
{
    return recipe >= 0 ? recipe : pack;
}

/* Small enough to be kept with the slot, so that a lease does not hold the verifier. */
static vx_status keep_embedding(vx_stage_run *run, vx_component which, float *kept, int *count)
{
    const float *values = vx_verifier_embedding(run->slot->crew->verifier, which, count);
    if (*count > VX_EMBEDDING_MAX)
        return vx_fail(run->ctx.err, VX_ERR_INPUT, "bad_pack",
                       "%s has embeddings of %d numbers; %d is the most", vx_component_name(which),
                       *count, VX_EMBEDDING_MAX);
    memcpy(kept, values, (size_t)*count * sizeof *kept);
    return VX_OK;
}

vx_status vx_stage_embeddings(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    VX_TRY(keep_embedding(run, VX_COMPONENT_CLIP_B, slot->embedding_b, &slot->embedding_b_count));
    return keep_embedding(run, VX_COMPONENT_CLIP_L, slot->embedding_l, &slot->embedding_l_count);
}

/* A picture that stands still is looked at once. */
vx_status vx_stage_verify(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_verify *v = &slot->recipe->verify;
    vx_thresholds thresholds = {setting(v->threshold_b, slot->pack->threshold_b),
                                setting(v->threshold_l, slot->pack->threshold_l),
                                setting(v->outlier, slot->pack->outlier)};
    VX_TRY(vx_verifier_show(slot->crew->verifier, &run->ctx, slot->key, slot->keys));
    VX_TRY(vx_stage_step(run, 0.5));
    VX_TRY(vx_verifier_score(slot->crew->verifier, &run->ctx, slot->recipe->visual.prompt,
                             &thresholds, &slot->score));
    VX_TRY(vx_stage_embeddings(run));
    slot->verified = true;
    if (slot->score.pass) return VX_OK;
    return vx_fail(run->ctx.err, VX_ERR_VERIFY, "verify_failed",
                   "the picture does not show what the prompt says: B %.3f of %.3f, L %.3f of "
                   "%.3f; the film is there, change the prompt or the image",
                   slot->score.b, thresholds.b, slot->score.l, thresholds.l);
}
