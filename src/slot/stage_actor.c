/* actor: who is to speak. The recipe's image, else its prompt's. */
#include "slot/stage.h"

static vx_status after_step(void *arg, const char *stage, double share)
{
    (void)stage;
    return vx_stage_step(arg, share);
}

static vx_status imagine(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    vx_imagined made;
    vx_imagine_request request = {.prompt = slot->recipe->visual.prompt,
                                  .negative_prompt = slot->recipe->visual.negative_prompt,
                                  .seed = (uint64_t)slot->recipe->seed,
                                  .progress = after_step,
                                  .progress_arg = run};
    VX_TRY(vx_imaginer_run(slot->crew->imaginer, &run->ctx, &request, &made));
    slot->actor = made.picture;
    slot->expanded = made.expanded;
    slot->ignored = made.ignored;
    if (slot->mood < 0) slot->mood = made.mood;
    slot->pictured = "prompt";
    return VX_OK;
}

vx_status vx_stage_actor(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    if (slot->recipe->visual.image == NULL) return imagine(run);
    char *data;
    size_t bytes;
    VX_TRY(vx_named_read(&slot->recipe->visual.image_file, VX_IMAGE_BYTES_MAX, &data, &bytes,
                         run->ctx.err));
    vx_status status =
        vx_image_decode(&slot->decoded, data, bytes, slot->recipe->visual.image, run->ctx.err);
    vx_heap_free(data);
    VX_TRY(status);
    slot->actor = slot->decoded;
    slot->pictured = "image";
    return vx_stage_step(run, 1);
}
