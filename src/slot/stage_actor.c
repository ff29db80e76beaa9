/* actor: who is to speak. The recipe's image, else its prompt's. */
#include <string.h>

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

/* The recipe's image, as large as a film needs it, and where the face is in it. */
static vx_status read_image(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    uint8_t background[3];
    char *data;
    size_t bytes;
    vx_image_reading reading = {
        .cancel = run->ctx.cancel, .padded = true, .side_max = VX_FILM_SIDE_MAX};
    if (visual->background != NULL && vx_colour_read(visual->background, background))
        reading.background = background;
    VX_TRY(vx_named_read(&visual->image_file, VX_IMAGE_BYTES_MAX, &data, &bytes, run->ctx.err));
    vx_status status =
        vx_image_decode(&slot->decoded, data, bytes, visual->image, &reading, run->ctx.err);
    vx_heap_free(data);
    VX_TRY(status);
    for (int i = 0; i < 6; i += 2) {
        slot->face[i] *= (double)slot->decoded.width / reading.width;
        slot->face[i + 1] *= (double)slot->decoded.height / reading.height;
    }
    return VX_OK;
}

vx_status vx_stage_actor(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_list *face = &slot->recipe->visual.face;
    if (face->count == 6) memcpy(slot->face, face->items, sizeof slot->face);
    if (slot->recipe->visual.image == NULL) return imagine(run);
    VX_TRY(read_image(run));
    slot->actor = slot->decoded;
    slot->pictured = "image";
    return vx_stage_step(run, 1);
}
