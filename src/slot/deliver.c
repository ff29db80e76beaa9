#include "slot/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "media/image_out.h"
#include "slot/captions.h"
#include "slot/sheet.h"

static vx_status write_audio(const vx_spoken *spoken, const char *path, vx_error *err)
{
    vx_sound_out *out;
    vx_sound_out_params params = {.path = path, .sample_rate = VX_KOKORO_RATE};
    VX_TRY(vx_sound_format_of(path, -1, &params.format, err));
    VX_TRY(vx_sound_out_open(&out, &params, err));
    vx_status status = vx_sound_out_put(out, spoken->samples, spoken->count, err);
    if (status == VX_OK) return vx_sound_out_finish(&out, err);
    vx_sound_out_abort(&out);
    return status;
}

/* What stands beside the film or the sound. */
static vx_status write_companions(vx_slot *slot, vx_error *err)
{
    const vx_slot_request *r = slot->request;
    const vx_spoken *spoken = &slot->spoken;
    if (r->timings != NULL)
        VX_TRY(vx_json_file(r->timings, vx_spoken_timings(spoken), JSON_INDENT(2), err));
    if (r->srt != NULL) VX_TRY(vx_captions_write_srt(spoken, r->srt, err));
    if (r->vtt != NULL) VX_TRY(vx_captions_write_vtt(spoken, r->vtt, err));
    if (r->audio != NULL) VX_TRY(write_audio(spoken, r->audio, err));
    if (r->actor != NULL) VX_TRY(vx_image_write(&slot->actor, r->actor, err));
    if (r->motion != NULL && slot->motion.count > 0)
        VX_TRY(vx_motion_write(&slot->motion, r->motion, err));
    return r->sheet != NULL ? vx_sheet_write(slot, r->sheet, err) : VX_OK;
}

static vx_status give_film(vx_slot *slot, vx_error *err)
{
    VX_TRY(write_companions(slot, err));
    return vx_mux_finish(&slot->film, err);
}

static vx_status give_speech(vx_slot *slot, vx_error *err)
{
    VX_TRY(write_companions(slot, err));
    for (int i = VX_SOUNDS - 1; i >= 0; i--)
        if (slot->sound[i] != NULL) VX_TRY(vx_sound_out_finish(&slot->sound[i], err));
    return VX_OK;
}

static vx_status give_picture(vx_slot *slot, vx_error *err)
{
    const vx_slot_request *r = slot->request;
    const vx_recipe_visual *visual = &slot->recipe->visual;
    if (r->path != NULL) VX_TRY(vx_image_write(&slot->actor, r->path, err));
    if (r->write == NULL) return VX_OK;
    return vx_image_give(&slot->actor, visual->format == VX_PICTURE_JPG, vx_tell_bytes, slot, err);
}

/* The scores are in the report. */
static vx_status give_nothing(vx_slot *slot, vx_error *err)
{
    (void)slot;
    (void)err;
    return VX_OK;
}

static void abandon(vx_slot *slot)
{
    vx_mux_abort(&slot->film);
    for (int i = 0; i < VX_SOUNDS; i++)
        vx_sound_out_abort(&slot->sound[i]);
}

vx_status vx_deliver(vx_slot *slot, vx_status status, vx_error *err)
{
    static vx_status (*const give[VX_KINDS])(vx_slot * slot,
                                             vx_error * err) = {[VX_FILM] = give_film,
                                                                [VX_SPEECH] = give_speech,
                                                                [VX_PICTURE] = give_picture,
                                                                [VX_SCORE] = give_nothing};
    vx_error failed;
    vx_status delivered = status == VX_ERR_VERIFY ? VX_OK : status;
    if (delivered == VX_OK) delivered = give[slot->recipe->kind](slot, &failed);
    abandon(slot);
    if (delivered == VX_OK || delivered == status) return status;
    *err = failed;
    return delivered;
}
