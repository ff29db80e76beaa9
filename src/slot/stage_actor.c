/* actor: who is to speak, or the picture that is asked for. The request's
 * image, else its prompt's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/writer.h"
#include "slot/latent.h"
#include "slot/stage.h"

static vx_status after_step(void *arg, const char *stage, double share)
{
    (void)stage;
    return vx_stage_step(arg, share);
}

static vx_status imagine(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    bool begins = slot->decoded.rgb != NULL;
    vx_imagine_request request = {.prompt = visual->prompt,
                                  .negative_prompt = visual->negative_prompt,
                                  .seed = (uint64_t)slot->recipe->seed,
                                  .steps = (int)visual->steps,
                                  .init = begins ? &slot->decoded : NULL,
                                  .strength = visual->strength,
                                  .progress = after_step,
                                  .progress_arg = run};
    if (slot->set == vx_engine_side(slot->crew->engine)) request.set = slot->set;
    if (slot->recipe->kind == VX_PICTURE) {
        request.width = (int)slot->recipe->output.width;
        request.height = (int)slot->recipe->output.height;
    }
    float *noise = NULL;
    vx_status status = VX_OK;
    if (visual->noise != NULL) {
        vx_actor_size size;
        VX_TRY(vx_imaginer_size(slot->crew->imaginer, request.width, request.height, request.steps,
                                &size, run->ctx.err));
        status = vx_latent_read(visual->noise, &size, &noise, run->ctx.err);
        request.noise = noise;
    }
    if (status == VX_OK)
        status = vx_imaginer_run(slot->crew->imaginer, &run->ctx, &request, &slot->made);
    vx_heap_free(noise);
    if (status != VX_OK) return status;
    const vx_actor_size *size = &slot->made.size;
    const int64_t dim[3] = {size->z, size->rows, size->cols};
    if (visual->latents_out != NULL)
        VX_TRY(vx_npy_write(visual->latents_out, 3, dim, slot->made.latent, run->ctx.err));
    slot->actor = slot->made.picture;
    if (slot->mood < 0) slot->mood = slot->made.mood;
    slot->pictured = "prompt";
    vx_tell_picture(slot, &slot->actor);
    return VX_OK;
}

/* What a picture's decoder may take beside the workspaces, in the room that the plan has for
 * the film's encoder and the sheet, which come later: the coefficients of a progressive JPEG
 * of 12 million pixels. */
enum { HEAP_BYTES = 37000000 };

static vx_status too_long(const vx_stage_run *run, size_t most)
{
    const char *image = run->slot->recipe->visual.image;
    return vx_fail_at(run->ctx.err, VX_ERR_INPUT, "too_long", image, 0,
                      "the image %s is longer than %zu bytes, the most that this pack's plan has "
                      "room for; make it smaller",
                      image, most);
}

/* The recipe's file into the block; *used bytes, followed by VX_FILE_PADDING zero ones. */
static vx_status read_file(vx_stage_run *run, uint8_t *block, size_t room, size_t *used)
{
    const vx_recipe_visual *visual = &run->slot->recipe->visual;
    size_t most = room > VX_FILE_PADDING ? room - VX_FILE_PADDING : 0;
    ssize_t got = 1;
    int fd;
    if (most > VX_IMAGE_BYTES_MAX) most = VX_IMAGE_BYTES_MAX;
    if (visual->image_data != NULL) {
        if (visual->image_bytes >= most) return too_long(run, most);
        memcpy(block, visual->image_data, *used = visual->image_bytes);
        memset(block + *used, 0, VX_FILE_PADDING);
        return VX_OK;
    }
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
    if (*used == most) return too_long(run, most);
    memset(block + *used, 0, VX_FILE_PADDING);
    return VX_OK;
}

static vx_status read_into_workspaces(vx_stage_run *run, uint8_t *block, size_t room,
                                      vx_image_reading *reading, vx_picture *picture)
{
    const vx_slot *slot = run->slot;
    size_t bytes = 0;
    VX_TRY(read_file(run, block, room, &bytes));
    size_t taken = vx_align_up(bytes + VX_FILE_PADDING);
    reading->padded = true;
    reading->memory = block + taken;
    reading->memory_bytes = taken < room ? room - taken : 0;
    reading->heap_max = HEAP_BYTES;
    return vx_image_decode(picture, block, bytes, slot->recipe->visual.image, reading,
                           run->ctx.err);
}

static vx_status read_onto_heap(vx_stage_run *run, vx_image_reading *reading, vx_picture *picture)
{
    const vx_recipe_visual *visual = &run->slot->recipe->visual;
    const void *data = visual->image_data;
    size_t bytes = visual->image_bytes;
    char *file = NULL;
    if (data == NULL) {
        VX_TRY(vx_named_read(&visual->image_file, VX_IMAGE_BYTES_MAX, &file, &bytes, run->ctx.err));
        data = file;
    }
    vx_status status = vx_image_decode(picture, data, bytes, visual->image, reading, run->ctx.err);
    vx_heap_free(file);
    return status;
}

vx_status vx_stage_image(vx_stage_run *run, int side_max, vx_picture *picture, int *width,
                         int *height)
{
    const vx_slot *slot = run->slot;
    uint8_t background[3];
    vx_image_reading reading = {.cancel = run->ctx.cancel, .side_max = side_max};
    const char *colour = slot->recipe->visual.background;
    bool alone = slot->recipe->kind != VX_FILM && vx_engine_side(slot->crew->engine) == 0;
    if (colour != NULL && vx_colour_read(colour, background)) reading.background = background;
    /* Where the workspaces are a device's own, the machine's memory is not what is short. */
    size_t room = 0;
    uint8_t *block = alone ? NULL : vx_engine_idle(slot->crew->engine, &room);
    VX_TRY(block == NULL ? read_onto_heap(run, &reading, picture)
                         : read_into_workspaces(run, block, room, &reading, picture));
    if (width != NULL) *width = reading.width;
    if (height != NULL) *height = reading.height;
    return VX_OK;
}

/* As large as a film needs it, and where the face is in it: no recipe takes the process over its
 * plan. */
static vx_status read_image(vx_stage_run *run, int *width, int *height)
{
    vx_slot *slot = run->slot;
    VX_TRY(vx_stage_image(run, VX_FILM_SIDE_MAX, &slot->decoded, width, height));
    for (int i = 0; i < 6; i += 2) {
        slot->face[i] *= (double)slot->decoded.width / *width;
        slot->face[i + 1] *= (double)slot->decoded.height / *height;
    }
    return VX_OK;
}

/* Where the face of a film's image is, unless the recipe says. */
static vx_status find_face(vx_stage_run *run, int width, int height)
{
    vx_slot *slot = run->slot;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    if (visual->face.count > 0 || visual->face.word || slot->recipe->kind != VX_FILM ||
        slot->crew->animator == NULL)
        return VX_OK;
    if (slot->crew->faces == NULL) {
        vx_faces_absent("visual_track.image");
        return VX_OK;
    }
    VX_TRY(vx_faces_choose(slot->crew->faces, &run->ctx, &slot->actor, visual->face_index,
                           visual->image, width, height, &slot->found));
    slot->is_found = true;
    return VX_OK;
}

/* The same of a picture made for a prompt, which may show no face: then it is in the middle. The
 * toon engine's own pictures are framed as its networks want them. */
static vx_status find_imagined(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_list *face = &slot->recipe->visual.face;
    const vx_liveportrait *model = vx_engine_liveportrait(slot->crew->engine);
    const vx_found *found;
    int count;
    if (face->count > 0 || face->word || slot->recipe->kind != VX_FILM ||
        slot->crew->faces == NULL || model == NULL ||
        vx_liveportrait_configuration(model)->absolute_expression)
        return VX_OK;
    VX_TRY(vx_faces_seek(slot->crew->faces, &run->ctx, &slot->actor, &found, &count));
    slot->is_found = count > slot->recipe->visual.face_index;
    if (slot->is_found)
        slot->found = found[slot->recipe->visual.face_index];
    else
        vx_warn(
            "no_face", "visual_track.prompt",
            "no face was found in the picture made for the prompt: its middle is taken for one");
    return VX_OK;
}

vx_status vx_stage_actor(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    const vx_list *face = &slot->recipe->visual.face;
    if (face->count == 6) memcpy(slot->face, face->items, sizeof slot->face);
    if (slot->recipe->visual.image == NULL || slot->decoded.rgb != NULL) {
        VX_TRY(imagine(run));
        return find_imagined(run);
    }
    int width, height;
    VX_TRY(read_image(run, &width, &height));
    if (slot->recipe->kind == VX_PICTURE) return vx_stage_step(run, 1);
    slot->actor = slot->decoded;
    slot->pictured = "image";
    VX_TRY(find_face(run, width, height));
    vx_tell_picture(slot, &slot->actor);
    return vx_stage_step(run, 1);
}
