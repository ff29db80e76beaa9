/* actor: who is to speak. The recipe's image, else its prompt's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
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

/* What a picture's decoder may take beside the workspaces, in the room that the plan has for
 * the film's encoder and the sheet, which come later: the coefficients of a progressive JPEG
 * of 12 million pixels. */
enum { HEAP_BYTES = 37000000 };

/* The recipe's file into the block; *used bytes, followed by VX_FILE_PADDING zero ones. */
static vx_status read_file(vx_stage_run *run, uint8_t *block, size_t room, size_t *used)
{
    const vx_recipe_visual *visual = &run->slot->recipe->visual;
    size_t most = room > VX_FILE_PADDING ? room - VX_FILE_PADDING : 0;
    ssize_t got = 1;
    int fd;
    if (most > VX_IMAGE_BYTES_MAX) most = VX_IMAGE_BYTES_MAX;
    VX_TRY(vx_named_open(&visual->image_file, &fd, run->ctx.err));
    for (*used = 0; *used < most && got > 0; *used += got > 0 ? (size_t)got : 0)
        got = vx_read_cancellable(fd, block + *used, most - *used, run->ctx.cancel);
    int failed = errno;
    close(fd);
    if (got < 0 && failed == ECANCELED) return vx_fail_cancelled(run->ctx.err, visual->image);
    if (got < 0)
        return vx_fail_at(run->ctx.err, VX_ERR_IO, "read_failed", visual->image, 0,
                          "cannot read %s: %s; give a readable file", visual->image,
                          strerror(failed));
    if (*used == most)
        return vx_fail_at(
            run->ctx.err, VX_ERR_INPUT, "too_long", visual->image, 0,
            "the image %s is longer than %zu bytes, the most that this pack's plan has "
            "room for; make it smaller",
            visual->image, most);
    memset(block + *used, 0, VX_FILE_PADDING);
    return VX_OK;
}

/* The recipe's image, as large as a film needs it, and where the face is in it. File and decoder's
 * picture lie in the lanes' workspaces, which are idle: no recipe takes the process over its
 * plan. */
static vx_status read_image(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    uint8_t background[3];
    size_t room, bytes;
    uint8_t *block = vx_engine_idle(slot->crew->engine, &room);
    VX_TRY(read_file(run, block, room, &bytes));
    size_t taken = vx_align_up(bytes + VX_FILE_PADDING);
    vx_image_reading reading = {.cancel = run->ctx.cancel,
                                .padded = true,
                                .side_max = VX_FILM_SIDE_MAX,
                                .memory = block + taken,
                                .memory_bytes = taken < room ? room - taken : 0,
                                .heap_max = HEAP_BYTES};
    if (visual->background != NULL && vx_colour_read(visual->background, background))
        reading.background = background;
    VX_TRY(vx_image_decode(&slot->decoded, block, bytes, visual->image, &reading, run->ctx.err));
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
