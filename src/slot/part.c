#include "slot/part.h"

#include "backend/ops.h"

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

/* clip_b is ViT-B/32; clip_l and FLUX's text encoder are ViT-L/14. */
static vx_status read_clip_config(const vx_pack *pack, const vx_pack_component *c,
                                  vx_clip_config *config, vx_error *err)
{
    bool base = c == &pack->components[VX_COMPONENT_CLIP_B];
    return vx_clip_config_read(c->config, base ? VX_CLIP_BASE_32 : VX_CLIP_LARGE_14, config, err);
}

static vx_status clip_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                           vx_error *err)
{
    const vx_pack_component *c = &params->pack->components[part->kind->component];
    vx_clip_config config;
    VX_TRY(read_clip_config(params->pack, c, &config, err));
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

/* ---- flux ----------------------------------------------------------------------------------- */

static const vx_pack_component *files_of(const vx_part *part, const vx_engine_params *params)
{
    return vx_pack_files(params->pack, part->kind->component);
}

static vx_status t5_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                         vx_error *err)
{
    const vx_pack_component *c = files_of(part, params);
    vx_t5_config config;
    VX_TRY(vx_t5_config_read(c->config, &config, err));
    return vx_t5_open((vx_t5 **)&part->model, &config, c->precision, backend->native,
                      part->actor->text_tokens, err);
}

static void t5_close(vx_part *part)
{
    vx_t5_close((vx_t5 **)&part->model);
}

static vx_status t5_bind(void *model, vx_binder *binder)
{
    return vx_t5_bind(model, binder);
}

static vx_tensor planned_text(const vx_part *part)
{
    return vx_view2(NULL, VX_F32, part->actor->text_tokens, part->actor->text_width);
}

static vx_status t5_plan(vx_part *part, vx_ctx *ctx)
{
    vx_tensor text =
        vx_view2(NULL, VX_F32, part->actor->text_tokens, vx_t5_configuration(part->model)->d_model);
    return vx_t5_encode(part->model, ctx, NULL, &text);
}

static vx_status clip_text_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                                vx_error *err)
{
    const vx_pack_component *c = files_of(part, params);
    vx_clip_config config;
    VX_TRY(read_clip_config(params->pack, c, &config, err));
    return vx_clip_open((vx_clip **)&part->model, &config, c->precision, backend->native,
                        VX_CLIP_TEXT, err);
}

static vx_status clip_text_plan(vx_part *part, vx_ctx *ctx)
{
    return vx_clip_text(part->model, ctx, NULL, vx_clip_configuration(part->model)->context, NULL,
                        NULL);
}

static vx_status flux_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                           vx_error *err)
{
    const vx_pack_component *c = files_of(part, params);
    vx_flux_config config;
    VX_TRY(vx_flux_config_read(c->config, &config, err));
    vx_flux_modulations modulations = (vx_flux_modulations)params->settings->flux_modulations;
    part->keeps_files = modulations == VX_FLUX_STREAMED;
    return vx_flux_open((vx_flux **)&part->model, &config, c->precision, backend->native,
                        modulations, err);
}

static void flux_close(vx_part *part)
{
    vx_flux_close((vx_flux **)&part->model);
}

static vx_status flux_bind(void *model, vx_binder *binder)
{
    return vx_flux_bind(model, binder);
}

static vx_status prompt_plan(vx_part *part, vx_ctx *ctx)
{
    vx_sampling sampling;
    vx_tensor text = planned_text(part);
    return vx_sampling_begin(&sampling, part->model, ctx, part->actor, &text, NULL, NULL, NULL,
                             NULL);
}

/* One step, above what the prompt's preparation has left on the stack. */
static vx_status step_plan(vx_part *part, vx_ctx *ctx)
{
    vx_sampling sampling;
    vx_tensor text = planned_text(part);
    VX_TRY(
        vx_sampling_begin(&sampling, part->model, ctx, part->actor, &text, NULL, NULL, NULL, NULL));
    ctx->counts = (vx_counts){0};
    return vx_sampling_step(&sampling, part->model, ctx, NULL, 0);
}

static vx_status vae_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                          vx_error *err)
{
    const vx_pack_component *c = files_of(part, params);
    vx_vae_config config;
    VX_TRY(vx_vae_config_read(c->config, &config, err));
    part->encodes = params->image_to_image;
    return vx_vae_open((vx_vae **)&part->model, &config, c->precision, backend->native,
                       VX_VAE_DECODER | (part->encodes ? VX_VAE_ENCODER : 0), err);
}

static void vae_close(vx_part *part)
{
    vx_vae_close((vx_vae **)&part->model);
}

static vx_status vae_bind(void *model, vx_binder *binder)
{
    return vx_vae_bind(model, binder);
}

static vx_status decode_plan(vx_part *part, vx_ctx *ctx)
{
    return vx_actor_decode(part->model, ctx, part->actor, NULL, NULL, NULL);
}

static vx_status encode_plan(vx_part *part, vx_ctx *ctx)
{
    if (!part->encodes) return VX_OK;
    return vx_actor_encode(part->model, ctx, part->actor, NULL, NULL, NULL);
}

/* ---- liveportrait --------------------------------------------------------------------------- */

static vx_status portrait_open(vx_part *part, const vx_engine_params *params, vx_backend *backend,
                               vx_error *err)
{
    const vx_pack_component *c = files_of(part, params);
    vx_liveportrait_config config;
    VX_TRY(vx_liveportrait_config_read(c->config, &config, err));
    return vx_liveportrait_open((vx_liveportrait **)&part->model, &config, c->precision,
                                backend->native, VX_PORTRAIT_BATCH, err);
}

static void portrait_close(vx_part *part)
{
    vx_liveportrait_close((vx_liveportrait **)&part->model);
}

static vx_status portrait_bind(void *model, vx_binder *binder)
{
    return vx_liveportrait_bind(model, binder);
}

static vx_status portrait_plan(vx_part *part, vx_ctx *ctx)
{
    vx_portrait portrait;
    return vx_liveportrait_source(part->model, ctx, NULL, NULL, &portrait);
}

/* Memory for a batch, the work of one frame. */
static vx_status frame_plan(vx_part *part, vx_ctx *ctx)
{
    int batch = vx_liveportrait_batch(part->model);
    VX_TRY(vx_liveportrait_stitch(part->model, ctx, NULL, NULL, 0));
    VX_TRY(vx_liveportrait_frames(part->model, ctx, NULL, NULL, batch, NULL, 0));
    ctx->counts = (vx_counts){0};
    return vx_liveportrait_frames(part->model, ctx, NULL, NULL, 1, NULL, 0);
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
    {.component = VX_COMPONENT_FLUX_T5,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = t5_open,
     .close = t5_close,
     .bind = t5_bind,
     .stage = {{"t5", t5_plan}}},
    /* After clip_l, whose text tower it may be. */
    {.component = VX_COMPONENT_FLUX_CLIP_TEXT,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = clip_text_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"clip_text", clip_text_plan}}},
    {.component = VX_COMPONENT_FLUX_TRANSFORMER,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = flux_open,
     .close = flux_close,
     .bind = flux_bind,
     .stage = {{"prompt", prompt_plan}, {"step", step_plan}}},
    {.component = VX_COMPONENT_FLUX_VAE,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = vae_open,
     .close = vae_close,
     .bind = vae_bind,
     .stage = {{"vae", decode_plan}, {"vae_encode", encode_plan}}},
    {.component = VX_COMPONENT_LIVEPORTRAIT,
     .want = VX_WANT_VIDEO,
     .lane = VX_LANE_PICTURE,
     .why = "a portrait that moves",
     .open = portrait_open,
     .close = portrait_close,
     .bind = portrait_bind,
     .stage = {{"portrait", portrait_plan}, {"frame", frame_plan}}},
    {0},
};
