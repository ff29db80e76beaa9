/* score: how well a picture or a film shows what prompts say. */
#include <string.h>

#include "media/video.h"
#include "slot/stage.h"

/* A film by its path, which only whoever's machine it is may name. */
static vx_status read_film(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    char path[PATH_MAX];
    vx_video *video;
    int64_t frames;
    if (!vx_named_path(&slot->recipe->visual.image_file, path)) return VX_ERR_INPUT;
    VX_TRY(vx_video_open(&video, path, run->ctx.cancel, run->ctx.err));
    vx_status status = vx_video_key_frames(video, VX_KEY_FRAMES, slot->judged_index, slot->judged,
                                           &frames, run->ctx.err);
    vx_video_close(&video);
    if (status == VX_OK) slot->judged_count = VX_KEY_FRAMES;
    return status;
}

/* A still image is tried first: most files of that kind also open as a film of one frame. */
vx_status vx_stage_media(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    vx_error *err = run->ctx.err;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    vx_status status = vx_stage_image(run, VX_FILM_SIDE_MAX, &slot->judged[0], NULL, NULL);
    slot->judged_count = status == VX_OK;
    if (status == VX_OK || status == VX_ERR_CANCELLED || status == VX_ERR_MISSING ||
        visual->image_data != NULL || visual->image_file.confined)
        return status;
    vx_error not_image = *err;
    status = read_film(run);
    if (status == VX_OK || status == VX_ERR_CANCELLED) return status;
    /* Of a file that is plainly a broken picture, that is what to say. */
    vx_error not_video = *err;
    *err = not_image;
    if (not_image.status != VX_ERR_INPUT || strstr(not_image.message, "no image") == NULL)
        return not_image.status;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_media", visual->image, 0, "%.300s; as a film: %.300s",
                      not_image.message, not_video.message);
}

vx_status vx_stage_score(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_pack *pack = slot->pack;
    const vx_list *prompts = &slot->recipe->score.prompts;
    vx_thresholds thresholds = {pack->threshold_b, pack->threshold_l, pack->outlier};
    VX_TRY(vx_verifier_show(slot->crew->verifier, &run->ctx, slot->judged, slot->judged_count));
    for (int i = 0; i < prompts->count; i++) {
        VX_TRY(vx_verifier_score(slot->crew->verifier, &run->ctx,
                                 ((const char *const *)prompts->items)[i], &thresholds,
                                 &slot->scores[i]));
        VX_TRY(vx_stage_step(run, (double)(i + 1) / prompts->count));
    }
    return vx_stage_embeddings(run);
}
