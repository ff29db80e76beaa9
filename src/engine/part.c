#include "engine/part.h"

/* ---- kokoro --------------------------------------------------------------------------------- */

static vx_status kokoro_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                             vx_error *err)
{
    const vx_pack_component *c = &params->pack->components[VX_COMPONENT_KOKORO];
    vx_kokoro_params p = {.config = vx_kokoro_config_default(),
                          .precision = c->precision,
                          .frames_max = params->settings->frames_max};
    VX_TRY(vx_kokoro_config_read(&p.config, c->config, err));
    return vx_kokoro_open((vx_kokoro **)&part->model, backend, &p, err);
}

static void kokoro_close(vx_part *part)
{
    vx_kokoro_close((vx_kokoro **)&part->model);
}

static vx_status kokoro_bind(void *model, vx_binder *binder)
{
    return vx_kokoro_bind(model, binder);
}

static vx_status kokoro_plan(vx_part *part, vx_ctx *ctx)
{
    const vx_kokoro *model = part->model;
    vx_kokoro_utterance u = {
        .tokens = vx_kokoro_tokens_max(model), .frames = vx_kokoro_frames_max(model), .speed = 1};
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_kokoro_front(model, ctx, &u));
    VX_TRY(vx_kokoro_decode(model, ctx, &u, 0, 0, NULL));
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- clip ----------------------------------------------------------------------------------- */

static vx_status clip_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                           vx_error *err)
{
    const vx_pack_component *c = &params->pack->components[part->kind->component];
    vx_clip_config config;
    VX_TRY(vx_clip_config_read(c->config, &config, err));
    return vx_clip_open((vx_clip **)&part->model, &config, c->precision, backend->native,
                        VX_CLIP_IMAGE | VX_CLIP_TEXT | VX_CLIP_TEXT_PROJECTION, err);
}

static void clip_close(vx_part *part)
{
    vx_clip_close((vx_clip **)&part->model);
}

static vx_status clip_bind(void *model, vx_binder *binder)
{
    return vx_clip_bind(model, binder);
}

static vx_status clip_plan(vx_part *part, vx_ctx *ctx)
{
    VX_TRY(vx_clip_image(part->model, ctx, NULL, VX_KEY_FRAMES, NULL));
    return vx_clip_text(part->model, ctx, NULL, vx_clip_configuration(part->model)->context, NULL,
                        NULL);
}

const vx_part_kind vx_part_kinds[] = {
    {.component = VX_COMPONENT_KOKORO,
     .want = VX_WANT_SPEECH,
     .lane = VX_LANE_AUDIO,
     .why = "speech",
     .open = kokoro_open,
     .close = kokoro_close,
     .bind = kokoro_bind,
     .stage = {{"speech", kokoro_plan}}},
    {.component = VX_COMPONENT_CLIP_B,
     .want = VX_WANT_VERIFY,
     .lane = VX_LANE_PICTURE,
     .why = "verification",
     .open = clip_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"verify_b", clip_plan}}},
    {.component = VX_COMPONENT_CLIP_L,
     .want = VX_WANT_VERIFY,
     .lane = VX_LANE_PICTURE,
     .why = "verification",
     .open = clip_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"verify_l", clip_plan}}},
    {0},
};
