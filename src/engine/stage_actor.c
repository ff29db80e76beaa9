/* actor: who is to speak. The recipe's image, else its prompt's. */
#include "engine/stage.h"

vx_status vx_stage_actor(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    if (visual->image == NULL)
        return vx_pack_need(slot->pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt without an image",
                            run->ctx.err);
    VX_TRY(vx_image_read(&slot->decoded, visual->image, run->ctx.err));
    slot->actor = slot->decoded;
    slot->pictured = "image";
    return vx_stage_step(run, 1);
}
