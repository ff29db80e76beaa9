#include "slot/part.h"

#include <math.h>

#include "backend/ops.h"
#include "slot/speak.h"
#include "engine/part.h"
#include "media/mux.h"

#include "models/config.h"
#include "models/kokoro/voice.h"
#include "slot/animate.h"
#include "slot/burn.h"
#include "slot/speech.h"

static const vx_pack_component *component_of(const vx_part *part)
{
    return &part->params->pack->components[part->kind->component];
}

/* ---- kokoro --------------------------------------------------------------------------------- */

static vx_status kokoro_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = component_of(part);
    vx_kokoro_params p = {.config = vx_kokoro_config_default(),
                          .precision = c->precision,
                          .frames_max = part->params->settings->frames_max};
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
static vx_status read_clip_config(const vx_part *part, const vx_pack_component *c,
                                  vx_clip_config *config, vx_error *err)
{
    bool base = c == &part->params->pack->components[VX_COMPONENT_CLIP_B];
    return vx_clip_config_read(c->config, base ? VX_CLIP_BASE_32 : VX_CLIP_LARGE_14, config, err);
}

static vx_status clip_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = component_of(part);
    vx_clip_config config;
    VX_TRY(read_clip_config(part, c, &config, err));
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
    VX_TRY(vx_clip_image(part->model, ctx, NULL, VX_U8, VX_KEY_FRAMES, NULL));
    return vx_clip_text(part->model, ctx, NULL, vx_clip_configuration(part->model)->context, NULL,
                        NULL);
}

/* ---- flux ----------------------------------------------------------------------------------- */

static const vx_pack_component *files_of(const vx_part *part)
{
    return vx_pack_files(part->params->pack, (vx_component)part->kind->component);
}

/* The largest picture; each of the actor's parts has it. */
static vx_status actor_size(vx_part *part, vx_error *err)
{
    const vx_engine_params *p = part->params;
    part->size = vx_heap_alloc(sizeof(vx_actor_size));
    if (part->size == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the actor's sizes");
    return vx_actor_size_of(p->pack, p->image_width, p->image_height, p->image_steps, part->size,
                            err);
}

static const vx_actor_size *actor_of(const vx_part *part)
{
    return part->size;
}

static vx_status t5_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = files_of(part);
    vx_t5_config config;
    VX_TRY(actor_size(part, err));
    VX_TRY(vx_t5_config_read(c->config, &config, err));
    return vx_t5_open((vx_t5 **)&part->model, &config, c->precision, backend->native,
                      actor_of(part)->text_tokens, err);
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
    return vx_view2(VX_DEV_PLAN, VX_F32, actor_of(part)->text_tokens, actor_of(part)->text_width);
}

static vx_tensor planned_pooled(const vx_part *part)
{
    return vx_view2(VX_DEV_PLAN, VX_F32, 1, actor_of(part)->pooled);
}

static vx_status t5_plan(vx_part *part, vx_ctx *ctx)
{
    vx_tensor text = vx_view2(VX_DEV_PLAN, VX_F32, actor_of(part)->text_tokens,
                              vx_t5_configuration(part->model)->d_model);
    return vx_t5_encode(part->model, ctx, NULL, &text);
}

static vx_status clip_text_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = files_of(part);
    vx_clip_config config;
    VX_TRY(read_clip_config(part, c, &config, err));
    return vx_clip_open((vx_clip **)&part->model, &config, c->precision, backend->native,
                        VX_CLIP_TEXT, err);
}

static vx_status clip_text_plan(vx_part *part, vx_ctx *ctx)
{
    return vx_clip_text(part->model, ctx, NULL, vx_clip_configuration(part->model)->context, NULL,
                        NULL);
}

static vx_status flux_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = files_of(part);
    vx_flux_config config;
    VX_TRY(actor_size(part, err));
    VX_TRY(vx_flux_config_read(c->config, &config, err));
    vx_flux_modulations modulations = (vx_flux_modulations)part->params->settings->flux_modulations;
    part->keeps_files = modulations == VX_FLUX_STREAMED;
    return vx_flux_open((vx_flux **)&part->model, &config, c->precision, backend->native,
                        modulations, vx_actor_tokens(actor_of(part)), err);
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
    vx_tensor text = planned_text(part), pooled = planned_pooled(part);
    return vx_sampling_begin(&sampling, part->model, ctx, actor_of(part), &text, &pooled, NULL,
                             NULL, NULL);
}

/* One step, above what the prompt's preparation has left on the stack. */
static vx_status step_plan(vx_part *part, vx_ctx *ctx)
{
    vx_sampling sampling;
    vx_tensor text = planned_text(part), pooled = planned_pooled(part);
    VX_TRY(vx_sampling_begin(&sampling, part->model, ctx, actor_of(part), &text, &pooled, NULL,
                             NULL, NULL));
    ctx->counts = (vx_counts){0};
    return vx_sampling_step(&sampling, part->model, ctx, NULL, 0);
}

static vx_status vae_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = files_of(part);
    vx_vae_config config;
    VX_TRY(actor_size(part, err));
    VX_TRY(vx_vae_config_read(c->config, &config, err));
    return vx_vae_open((vx_vae **)&part->model, &config, c->precision, backend->native,
                       VX_VAE_DECODER | (part->params->image_to_image ? VX_VAE_ENCODER : 0), err);
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
    return vx_actor_decode(part->model, ctx, actor_of(part), NULL, NULL, NULL);
}

static vx_status encode_plan(vx_part *part, vx_ctx *ctx)
{
    if (!part->params->image_to_image) return VX_OK;
    return vx_actor_encode(part->model, ctx, actor_of(part), NULL, NULL, NULL);
}

/* ---- liveportrait --------------------------------------------------------------------------- */

static vx_status portrait_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = files_of(part);
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
    return vx_liveportrait_source(part->model, ctx, NULL, VX_DEV_PLAN, &portrait);
}

/* Memory for a batch, the work of one frame. */
static vx_status frame_plan(vx_part *part, vx_ctx *ctx)
{
    vx_portrait_batch batch = {
        .n = vx_liveportrait_batch(part->model), .stitch = true, .frames = VX_DEV_PLAN};
    VX_TRY(vx_liveportrait_frames(part->model, ctx, NULL, &batch));
    ctx->counts = (vx_counts){0};
    batch.n = 1;
    batch.stitch = false;
    return vx_liveportrait_frames(part->model, ctx, NULL, &batch);
}

/* ---- face ----------------------------------------------------------------------------------- */

static vx_status face_open(vx_part *part, vx_backend *backend, vx_error *err)
{
    const vx_pack_component *c = component_of(part);
    (void)backend;
    VX_TRY(vx_config_read(c->config, (const vx_config_key[]){{0}}, NULL, "face", err));
    if (c->precision != VX_F32)
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "the face finder's weights cannot be kept as %s; set precision: f32",
                       vx_dtype_name(c->precision));
    return vx_face_open((vx_face **)&part->model, err);
}

static void face_close(vx_part *part)
{
    vx_face_close((vx_face **)&part->model);
}

static vx_status face_bind(void *model, vx_binder *binder)
{
    return vx_face_bind(model, binder);
}

static vx_status find_plan(vx_part *part, vx_ctx *ctx)
{
    vx_face_seen seen[VX_FACE_SEEN_MAX];
    int count;
    return vx_face_find(part->model, ctx, NULL, 0, seen, &count);
}

static vx_status look_plan(vx_part *part, vx_ctx *ctx)
{
    vx_face_mesh mesh;
    return vx_face_look(part->model, ctx, NULL, &mesh);
}

/* ---- runs of a stage in the longest slot ---------------------------------------------------- */

static double speech_seconds(const vx_engine_params *params)
{
    return params->speech_seconds > 0 ? params->speech_seconds : params->pack->max_seconds;
}

/* A run is the longest stretch that is made at once, 40 duration frames a second. */
static double speech_runs(const vx_part *part)
{
    return speech_seconds(part->params) * 40 / vx_kokoro_frames_max(part->model);
}

static double step_runs(const vx_part *part)
{
    return actor_of(part)->steps;
}

/* Only a picture that begins with another is encoded. */
static double encode_runs(const vx_part *part)
{
    (void)part;
    return 0;
}

static int64_t film_frames(const vx_engine_params *p)
{
    return p->frames > 0 ? p->frames : (int64_t)ceil(p->pack->max_seconds * (double)p->pack->fps);
}

static double frame_runs(const vx_part *part)
{
    return (double)film_frames(part->params);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static int film_width(const vx_engine_params *p)
{
    return p->frame_width > 0 ? p->frame_width : (int)p->pack->width;
}

static int film_height(const vx_engine_params *p)
{
    return p->frame_height > 0 ? p->frame_height : (int)p->pack->height;
}

static void film_buffers(const vx_part *part, vx_buffer_list *list)
{
    int width = film_width(part->params), height = film_height(part->params);
    vx_buffer_add(list, VX_BUFFER_KEY_FRAMES, "engine", "key frames", VX_PLACE_HOST,
                  VX_KEY_FRAMES * (size_t)width * (size_t)height * 3, true);
    vx_buffer_add(list, VX_BUFFER_CAPTIONS, "engine", "captions", VX_PLACE_HOST, vx_burn_bytes(),
                  false);
    /* Films are encoded in the machine's memory. What a slot takes besides was measured
     * (docs/bench/slot.md). */
    enum { SLOT_BYTES = 16000000 };
    /* At the least: the worker, the desk, a stage and one of the encoder. */
    enum { SLOT_THREADS = 4 };
    if (vx_buffer_workers(list) == 0) return;
    vx_buffer_threads(list, SLOT_THREADS);
    vx_buffer_beside(list, "film encoder", vx_mux_bytes(width, height));
    vx_buffer_beside(list, "texts and sheet", SLOT_BYTES);
}

static void speech_buffers(const vx_part *part, vx_buffer_list *list)
{
    size_t samples = (size_t)(speech_seconds(part->params) * VX_KOKORO_RATE);
    if (part->params->wants & VX_WANT_FILM) samples += VX_FILM_LEAD + VX_FILM_TAIL;
    int64_t style = vx_kokoro_configuration(part->model)->style_dim;
    size_t side = (size_t)(part->params->side_seconds * VX_KOKORO_RATE);
    vx_buffer_add(list, VX_BUFFER_SAMPLES, "kokoro", "samples", VX_PLACE_HOST,
                  samples * sizeof(float), true);
    vx_buffer_add_side(list, VX_BUFFER_SAMPLES, "kokoro", "samples beside", VX_PLACE_HOST,
                       side * sizeof(float));
    vx_buffer_add(list, VX_BUFFER_SPEECH, "kokoro", "speech tables", VX_PLACE_HOST,
                  vx_speech_bytes(part->model), false);
    vx_buffer_add(list, VX_BUFFER_VOICE, "kokoro", "voice", VX_PLACE_HOST,
                  vx_voice_bytes(2 * style), false);
}

static void prompt_buffer(const vx_part *part, vx_buffer_list *list)
{
    const vx_actor_size *s = actor_of(part);
    size_t floats = (size_t)s->text_tokens * (size_t)s->text_width + (size_t)s->pooled;
    vx_buffer_add(list, VX_BUFFER_PROMPT, "flux.t5", "prompt", VX_PLACE_DEVICE,
                  floats * sizeof(float), false);
}

static void latents_buffer(const vx_part *part, vx_buffer_list *list)
{
    size_t floats = 3 * (size_t)vx_actor_latent_count(actor_of(part));
    vx_buffer_add(list, VX_BUFFER_LATENTS, "flux.transformer", "latents", VX_PLACE_HOST,
                  floats * sizeof(float), false);
}

static void actor_buffer(const vx_part *part, vx_buffer_list *list)
{
    const vx_actor_size *s = actor_of(part);
    size_t bytes = (size_t)3 * (size_t)s->width * (size_t)s->height;
    vx_buffer_add(list, VX_BUFFER_ACTOR, "flux.vae", "actor image", VX_PLACE_HOST, bytes, false);
    vx_buffer_add_side(list, VX_BUFFER_ACTOR, "flux.vae", "picture beside", VX_PLACE_HOST, bytes);
}

static void video_buffers(const vx_part *part, vx_buffer_list *list)
{
    const vx_engine_params *p = part->params;
    vx_buffer_add(list, VX_BUFFER_PORTRAIT, "liveportrait", "portrait", VX_PLACE_DEVICE,
                  vx_liveportrait_source_bytes(part->model), false);
    vx_buffer_add(list, VX_BUFFER_MOTION, "liveportrait", "motion table", VX_PLACE_HOST,
                  vx_animate_table_bytes(film_frames(p)), false);
    vx_buffer_add(list, VX_BUFFER_RING, "liveportrait", "frame ring", VX_PLACE_SHARED,
                  vx_animate_ring_bytes(part->model, film_width(p), film_height(p)), false);
}

/* ---- the table ------------------------------------------------------------------------------ */

const vx_part_kind vx_part_kinds[] = {
    {.component = -1, .want = VX_WANT_FILM, .why = "a film", .buffers = film_buffers},
    {.component = VX_COMPONENT_KOKORO,
     .want = VX_WANT_SPEECH,
     .lane = VX_LANE_AUDIO,
     .why = "speech",
     .open = kokoro_open,
     .close = kokoro_close,
     .bind = kokoro_bind,
     .buffers = speech_buffers,
     .stage = {{"speech", kokoro_plan, speech_runs}}},
    {.component = VX_COMPONENT_CLIP_B,
     .want = VX_WANT_VERIFY,
     .lane = VX_LANE_PICTURE,
     .why = "verification",
     .open = clip_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"verify_b", clip_plan, NULL}}},
    {.component = VX_COMPONENT_CLIP_L,
     .want = VX_WANT_VERIFY,
     .lane = VX_LANE_PICTURE,
     .why = "verification",
     .open = clip_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"verify_l", clip_plan, NULL}}},
    {.component = VX_COMPONENT_FLUX_T5,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = t5_open,
     .close = t5_close,
     .bind = t5_bind,
     .buffers = prompt_buffer,
     .stage = {{"t5", t5_plan, NULL}}},
    /* After clip_l, whose text tower it may be. */
    {.component = VX_COMPONENT_FLUX_CLIP_TEXT,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = clip_text_open,
     .close = clip_close,
     .bind = clip_bind,
     .stage = {{"clip_text", clip_text_plan, NULL}}},
    {.component = VX_COMPONENT_FLUX_TRANSFORMER,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = flux_open,
     .close = flux_close,
     .bind = flux_bind,
     .buffers = latents_buffer,
     .stage = {{"prompt", prompt_plan, NULL}, {"step", step_plan, step_runs}}},
    {.component = VX_COMPONENT_FLUX_VAE,
     .want = VX_WANT_ACTOR,
     .lane = VX_LANE_PICTURE,
     .why = "a picture from a prompt",
     .open = vae_open,
     .close = vae_close,
     .bind = vae_bind,
     .buffers = actor_buffer,
     .stage = {{"vae", decode_plan, NULL}, {"vae_encode", encode_plan, encode_runs}}},
    {.component = VX_COMPONENT_LIVEPORTRAIT,
     .want = VX_WANT_VIDEO,
     .lane = VX_LANE_PICTURE,
     .why = "a portrait that moves",
     .open = portrait_open,
     .close = portrait_close,
     .bind = portrait_bind,
     .buffers = video_buffers,
     .stage = {{"portrait", portrait_plan, NULL}, {"frame", frame_plan, frame_runs}}},
    {.component = VX_COMPONENT_FACE,
     .want = VX_WANT_FACE,
     .lane = VX_LANE_PICTURE,
     .why = "finding a face",
     .open = face_open,
     .close = face_close,
     .bind = face_bind,
     .stage = {{"find", find_plan, NULL}, {"look", look_plan, NULL}}},
    {0},
};

int vx_component_want(vx_component component)
{
    int wants = 0;
    for (const vx_part_kind *kind = vx_part_kinds; kind->want != 0; kind++)
        if (kind->component == (int)component) wants |= kind->want;
    return wants;
}

const vx_actor_size *vx_engine_actor(const vx_engine *engine)
{
    const vx_part *part = vx_engine_part(engine, VX_COMPONENT_FLUX_TRANSFORMER);
    assert(part != NULL);
    return actor_of(part);
}

static vx_status check_width(const vx_engine *e, vx_component a, int have, vx_component b, int want,
                             vx_error *err)
{
    if (have == want) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_pack", vx_engine_pack(e)->folder, 0,
                      "%s gives rows of %d and %s takes %d; these configurations do not belong "
                      "together",
                      vx_component_name(a), have, vx_component_name(b), want);
}

vx_status vx_parts_check(const vx_engine *e, vx_error *err)
{
    const vx_flux *flux = vx_engine_flux(e);
    const vx_t5 *t5 = vx_engine_t5(e);
    const vx_clip *clip = vx_engine_clip(e, VX_COMPONENT_FLUX_CLIP_TEXT);
    const vx_vae *vae = vx_engine_vae(e);
    if (flux == NULL) return VX_OK;
    const vx_flux_config *c = vx_flux_configuration(flux);
    if (t5 != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_T5, vx_t5_configuration(t5)->d_model,
                           VX_COMPONENT_FLUX_TRANSFORMER, c->context, err));
    if (clip != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_CLIP_TEXT, vx_clip_configuration(clip)->text.width,
                           VX_COMPONENT_FLUX_TRANSFORMER, c->pooled, err));
    if (vae != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_TRANSFORMER, c->channels, VX_COMPONENT_FLUX_VAE,
                           4 * vx_vae_configuration(vae)->z, err));
    return VX_OK;
}
