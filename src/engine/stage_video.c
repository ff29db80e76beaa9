/* video: the actor moves with the speech; frames and samples go to the encoder as they are made. Without an
 * animation model the actor stands still. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "engine/stage.h"
#include "media/mux.h"
#include "media/resize.h"

/* Scales `image` until it covers `frame` and cuts what stands over, around the middle. */
static vx_status cover(const vx_picture *image, const vx_picture *frame, vx_error *err)
{
    double scale = fmax((double)frame->width / image->width, (double)frame->height / image->height);
    vx_resize_params p = {.filter = VX_FILTER_BICUBIC,
                          .width = (int)fmax(frame->width, round(image->width * scale)),
                          .height = (int)fmax(frame->height, round(image->height * scale)),
                          .out_width = frame->width,
                          .out_height = frame->height};
    p.left = (p.width - frame->width) / 2;
    p.top = (p.height - frame->height) / 2;
    void *scratch = vx_heap_alloc(vx_resize_bytes(&p, image->width, image->height));
    if (scratch == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to resize the recipe's image");
    vx_resize(image, frame, &p, scratch);
    vx_heap_free(scratch);
    return VX_OK;
}

/* The duration as a number of frames that covers every sample. */
static int64_t frames_for(int64_t samples, int fps)
{
    return (samples * fps + VX_KOKORO_RATE - 1) / VX_KOKORO_RATE;
}

static vx_status feed_still(vx_stage_run *run, vx_mux *mux)
{
    vx_slot *slot = run->slot;
    slot->key[0] = vx_slot_key_frame(slot, 0);
    slot->keys = 1;
    slot->driven_by = "still";
    VX_TRY(cover(&slot->actor, &slot->key[0], run->ctx.err));
    for (int64_t i = 0; i < slot->frames; i++) {
        VX_TRY(vx_mux_frame(mux, &slot->key[0], run->ctx.err));
        VX_TRY(vx_stage_step(run, (double)(i + 1) / (double)slot->frames));
    }
    return VX_OK;
}

/* The recipe's word, else what the name ends in. */
static vx_container container_of(const vx_slot *slot)
{
    const char *dot = strrchr(slot->path, '.');
    if (slot->recipe->output.container >= 0) return (vx_container)slot->recipe->output.container;
    return dot != NULL && strcasecmp(dot, ".mkv") == 0 ? VX_MKV : VX_MP4;
}

vx_status vx_stage_video(vx_stage_run *run)
{
    vx_slot *slot = run->slot;
    vx_error *err = run->ctx.err;
    vx_mux *mux;
    vx_mux_params params = {.path = slot->path,
                            .container = container_of(slot),
                            .width = slot->width,
                            .height = slot->height,
                            .fps_num = slot->fps,
                            .fps_den = 1,
                            .sample_rate = VX_KOKORO_RATE,
                            .threads = vx_pool_workers(run->ctx.pool),
                            .title = slot->recipe->slot_id};
    slot->frames = frames_for(slot->spoken.count, slot->fps);
    VX_TRY(vx_mux_open(&mux, &params, err));
    vx_status status = vx_mux_samples(mux, slot->spoken.samples, slot->spoken.count, err);
    if (status == VX_OK) status = feed_still(run, mux);
    if (status == VX_OK) return vx_mux_finish(&mux, err);
    vx_mux_abort(&mux);
    return status;
}
