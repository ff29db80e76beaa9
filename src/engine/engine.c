#include "engine/engine.h"

#include <math.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/advice.h"
#include "slot/animate.h"
#include "slot/part.h"
#include "formats/entry.h"
#include "media/mux.h"
#include "slot/speech.h"
#include "models/kokoro/voice.h"

struct vx_engine {
    vx_engine_params params;
    vx_plan plan;
    vx_limits limits; /* of the machine, when it was planned */
    vx_pool *pool;
    vx_backend *backend;
    vx_part part[VX_COMPONENTS];
    int part_count;
    vx_actor_size actor; /* valid when the actor is wanted */
    int buffer_region[VX_BUFFERS], more_region[VX_SETS_MAX - 1][VX_BUFFERS];
    int lane_region[VX_LANES];
    double roofline_s[VX_COMPONENTS]; /* of the part's stages, once each */
    void *memory;                     /* the reservation */
    vx_arena lane[VX_LANES];
    size_t rss_before;
    vx_heap_counts heap_at_open;
};

/* ---- plan ----------------------------------------------------------------------------------- */

static vx_part *part_of(const vx_engine *e, vx_component component)
{
    for (int i = 0; i < e->part_count; i++)
        if (e->part[i].kind->component == component) return (vx_part *)&e->part[i];
    return NULL;
}

static vx_status check_width(const vx_engine *e, vx_component a, int have, vx_component b, int want,
                             vx_error *err)
{
    if (have == want) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_pack", e->params.pack->folder, 0,
                      "%s gives rows of %d and %s takes %d; these configurations do not belong "
                      "together",
                      vx_component_name(a), have, vx_component_name(b), want);
}

/* The four networks of the actor fit each other. */
static vx_status check_actor(const vx_engine *e, vx_error *err)
{
    const vx_part *flux = part_of(e, VX_COMPONENT_FLUX_TRANSFORMER);
    const vx_part *t5 = part_of(e, VX_COMPONENT_FLUX_T5);
    const vx_part *clip = part_of(e, VX_COMPONENT_FLUX_CLIP_TEXT);
    const vx_part *vae = part_of(e, VX_COMPONENT_FLUX_VAE);
    if (flux == NULL) return VX_OK;
    const vx_flux_config *c = vx_flux_configuration(flux->model);
    if (t5 != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_T5, vx_t5_configuration(t5->model)->d_model,
                           VX_COMPONENT_FLUX_TRANSFORMER, c->context, err));
    if (clip != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_CLIP_TEXT,
                           vx_clip_configuration(clip->model)->text.width,
                           VX_COMPONENT_FLUX_TRANSFORMER, c->pooled, err));
    if (vae != NULL)
        VX_TRY(check_width(e, VX_COMPONENT_FLUX_TRANSFORMER, c->channels, VX_COMPONENT_FLUX_VAE,
                           4 * vx_vae_configuration(vae->model)->z, err));
    return VX_OK;
}

/* Describes every part that is wanted and that the pack has. A component that is the same as one that is
 * here already stands for it and takes no memory of its own. */
static vx_status describe(vx_engine *e, vx_error *err)
{
    const vx_engine_params *p = &e->params;
    if (p->wants & VX_WANT_ACTOR)
        VX_TRY(vx_actor_size_of(p->pack, p->image_width, p->image_height, p->image_steps, &e->actor,
                                err));
    for (const vx_part_kind *kind = vx_part_kinds; kind->open != NULL; kind++) {
        const vx_pack_component *c = &p->pack->components[kind->component];
        if (!(p->wants & kind->want) || !c->present) continue;
        vx_part *part = &e->part[e->part_count], *twin = NULL;
        if (c->same_as >= 0) twin = part_of(e, (vx_component)c->same_as);
        *part = (vx_part){.kind = kind, .actor = &e->actor, .shared = twin != NULL};
        if (twin != NULL)
            part->model = twin->model;
        else
            VX_TRY(kind->open(part, p, e->backend, err));
        e->part_count++;
    }
    return check_actor(e, err);
}

static double speech_seconds(const vx_engine_params *params)
{
    return params->speech_seconds > 0 ? params->speech_seconds : params->pack->max_seconds;
}

/* A region for each set. */
static void plan_sets(vx_engine *e, vx_buffer buffer, const char *component, const char *name,
                      size_t bytes)
{
    e->buffer_region[buffer] = vx_plan_region(&e->plan, VX_REGION_BUFFER, component, name, bytes);
    for (int set = 1; set < vx_engine_sets(e); set++) {
        char numbered[48];
        snprintf(numbered, sizeof numbered, "%s %d", name, set + 1);
        e->more_region[set - 1][buffer] =
            vx_plan_region(&e->plan, VX_REGION_BUFFER, component, numbered, bytes);
    }
}

static void plan_film_buffers(vx_engine *e)
{
    const vx_engine_params *p = &e->params;
    if (!(p->wants & VX_WANT_FILM)) return;
    size_t width = (size_t)(p->frame_width > 0 ? p->frame_width : p->pack->width);
    size_t height = (size_t)(p->frame_height > 0 ? p->frame_height : p->pack->height);
    plan_sets(e, VX_BUFFER_KEY_FRAMES, "engine", "key frames", VX_KEY_FRAMES * width * height * 3);
    /* Films are encoded in the machine's memory, which is the device's only where there is a pool. What a slot
     * takes besides was measured (docs/bench/slot.md). */
    enum { SLOT_BYTES = 16000000 };
    if (e->pool == NULL) return;
    vx_plan_region(&e->plan, VX_REGION_OVERHEAD, "engine", "film encoder",
                   vx_mux_bytes((int)width, (int)height, vx_pool_workers(e->pool)));
    vx_plan_region(&e->plan, VX_REGION_OVERHEAD, "engine", "texts and sheet", SLOT_BYTES);
}

static void plan_speech_buffers(vx_engine *e)
{
    vx_part *kokoro = part_of(e, VX_COMPONENT_KOKORO);
    if (kokoro == NULL) return;
    size_t samples = (size_t)(speech_seconds(&e->params) * VX_KOKORO_RATE);
    const vx_kokoro_config *config = vx_kokoro_configuration(kokoro->model);
    plan_sets(e, VX_BUFFER_SAMPLES, "kokoro", "samples", samples * sizeof(float));
    e->buffer_region[VX_BUFFER_SPEECH] = vx_plan_region(
        &e->plan, VX_REGION_BUFFER, "kokoro", "speech tables", vx_speech_bytes(kokoro->model));
    e->buffer_region[VX_BUFFER_VOICE] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, "kokoro", "voice",
                       vx_voice_bytes((int64_t)2 * config->style_dim));
}

static void plan_actor_buffers(vx_engine *e)
{
    const vx_actor_size *s = &e->actor;
    if (part_of(e, VX_COMPONENT_FLUX_TRANSFORMER) == NULL) return;
    size_t prompt = (size_t)s->text_tokens * (size_t)s->text_width + (size_t)s->pooled;
    size_t latent = (size_t)vx_actor_latent_count(s);
    e->buffer_region[VX_BUFFER_PROMPT] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, "flux.t5", "prompt", prompt * sizeof(float));
    e->buffer_region[VX_BUFFER_LATENTS] = vx_plan_region(
        &e->plan, VX_REGION_BUFFER, "flux.transformer", "latents", 3 * latent * sizeof(float));
    e->buffer_region[VX_BUFFER_ACTOR] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, "flux.vae", "actor image",
                       (size_t)3 * (size_t)s->width * (size_t)s->height);
}

static void plan_video_buffers(vx_engine *e)
{
    const vx_engine_params *p = &e->params;
    const vx_part *part = part_of(e, VX_COMPONENT_LIVEPORTRAIT);
    if (part == NULL) return;
    int width = p->frame_width > 0 ? p->frame_width : (int)p->pack->width;
    int height = p->frame_height > 0 ? p->frame_height : (int)p->pack->height;
    int64_t frames = p->frames;
    if (frames == 0) frames = (int64_t)ceil(p->pack->max_seconds * (double)p->pack->fps);
    e->buffer_region[VX_BUFFER_PORTRAIT] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, "liveportrait", "portrait",
                       vx_liveportrait_source_bytes(part->model));
    e->buffer_region[VX_BUFFER_MOTION] = vx_plan_region(
        &e->plan, VX_REGION_BUFFER, "liveportrait", "motion table", vx_animate_table_bytes(frames));
    e->buffer_region[VX_BUFFER_RING] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, "liveportrait", "frame ring",
                       vx_animate_ring_bytes(part->model, width, height));
}

/* Walks every stage of a part; the lane's workspace is as high as its highest stage. */
static vx_status plan_stages(vx_engine *e, vx_part *part, size_t lane_bytes[VX_LANES],
                             vx_error *err)
{
    vx_dtype precision = vx_pack_files(e->params.pack, part->kind->component)->precision;
    vx_dtype compute = precision == VX_F32 ? VX_F32 : VX_BF16;
    for (int i = 0; i < VX_PART_STAGES && part->kind->stage[i].plan != NULL; i++) {
        vx_arena workspace = vx_arena_measure("workspace");
        vx_ctx ctx = {.backend = e->backend, .workspace = &workspace, .plan = true, .err = err};
        VX_TRY(part->kind->stage[i].plan(part, &ctx));
        if (ctx.counts.ops > 0) {
            vx_plan_stage(&e->plan, part->kind->stage[i].name, &ctx.counts, compute);
            e->plan.stage[e->plan.stage_count - 1].lane = part->kind->lane;
            e->roofline_s[part->kind->component] +=
                e->plan.stage[e->plan.stage_count - 1].roofline_s;
        }
        if (workspace.peak > lane_bytes[part->kind->lane])
            lane_bytes[part->kind->lane] = workspace.peak;
    }
    return VX_OK;
}

static vx_status make_plan(vx_engine *e, vx_error *err)
{
    static const char *const lane_names[VX_LANES] = {"audio lane", "picture lane"};
    const vx_settings *settings = e->params.settings;
    size_t lane_bytes[VX_LANES] = {0};
    vx_budget budget = vx_budget_of(settings, &e->backend->device, &e->limits);
    vx_plan_init(&e->plan, &e->backend->device, &budget);
    VX_TRY(describe(e, err));
    plan_film_buffers(e);
    plan_speech_buffers(e);
    plan_actor_buffers(e);
    plan_video_buffers(e);
    for (int i = 0; i < e->part_count; i++) {
        vx_arena weights = vx_arena_measure("weights");
        vx_binder binder = {.backend = e->backend, .weights = &weights, .plan = true, .err = err};
        if (!e->part[i].shared) VX_TRY(e->part[i].kind->bind(e->part[i].model, &binder));
        e->part[i].weights_bytes = weights.peak;
        VX_TRY(plan_stages(e, &e->part[i], lane_bytes, err));
    }
    for (int lane = 0; lane < VX_LANES; lane++) {
        e->lane_region[lane] = -1;
        if (lane_bytes[lane] > 0)
            e->lane_region[lane] = vx_plan_region(&e->plan, VX_REGION_WORKSPACE,
                                                  lane == VX_LANE_AUDIO ? "kokoro" : "picture",
                                                  lane_names[lane], lane_bytes[lane]);
    }
    for (int i = 0; i < e->part_count; i++) {
        const char *name = vx_component_name(e->part[i].kind->component);
        if (e->part[i].shared) continue;
        e->part[i].weights_region =
            vx_plan_region(&e->plan, VX_REGION_WEIGHTS, name, "weights", e->part[i].weights_bytes);
    }
    return VX_OK;
}

static vx_status open_device(vx_engine *e, const char *device, bool run, vx_error *err)
{
    vx_limits_read(&e->limits, "");
    if (strcmp(device, "cpu") == 0) {
        VX_TRY(vx_pool_open(&e->pool, (int)e->params.settings->threads, err));
        return vx_backend_open_cpu(&e->backend, e->pool, err);
    }
    if (run)
        return vx_fail(
            err, VX_ERR_MISSING, "no_device",
            "device \"%s\" cannot run here: this build has no GPU backend; choose --device cpu",
            device);
    return vx_backend_open_datasheet(&e->backend, device, err);
}

int vx_component_want(vx_component component)
{
    int wants = 0;
    for (const vx_part_kind *kind = vx_part_kinds; kind->open != NULL; kind++)
        if (kind->component == component) wants |= kind->want;
    return wants;
}

vx_status vx_engine_plan(const vx_engine_params *params, const char *device, vx_plan *plan,
                         vx_error *err)
{
    vx_engine *e = vx_heap_alloc(sizeof *e);
    if (e == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a plan");
    e->params = *params;
    vx_status status = open_device(e, device, false, err);
    if (status == VX_OK) status = make_plan(e, err);
    *plan = e->plan;
    vx_engine_close(&e);
    return status;
}

/* ---- load ----------------------------------------------------------------------------------- */

static vx_status open_sources(vx_engine *e, vx_part *part, vx_error *err)
{
    const vx_pack_component *c = vx_pack_files(e->params.pack, part->kind->component);
    VX_TRY(vx_pack_need(e->params.pack, part->kind->component, part->kind->why, err));
    for (int i = 0; i < c->file_count; i++)
        VX_TRY(vx_entry_open(c->files[i].path, part->sources, VX_PART_SOURCES, &part->source_count,
                             err));
    return vx_sources_join(part->sources, part->source_count, err);
}

static void close_sources(vx_part *part)
{
    for (int i = 0; i < part->source_count; i++)
        vx_source_close(&part->sources[i]);
    part->source_count = 0;
}

static vx_status load_part(vx_engine *e, vx_part *part, float *staging, vx_error *err)
{
    const vx_region *region = &e->plan.region[part->weights_region];
    vx_arena weights = vx_arena_over("weights", (char *)e->memory + region->offset, region->bytes);
    VX_TRY(open_sources(e, part, err));
    vx_binder binder = {.backend = e->backend,
                        .weights = &weights,
                        .sources = part->sources,
                        .source_count = part->source_count,
                        .staging = staging,
                        .cancel = e->params.cancel,
                        .err = err};
    VX_TRY(part->kind->bind(part->model, &binder));
    assert(weights.used == part->weights_bytes);
    for (int i = 0; i < part->source_count; i++)
        VX_TRY(vx_source_intact(part->sources[i], err));
    if (!part->keeps_files) close_sources(part);
    return VX_OK;
}

static vx_status load(vx_engine *e, vx_error *err)
{
    float *staging = vx_heap_alloc(sizeof *staging * VX_STAGING_FLOATS);
    if (staging == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for the staging buffer of %d bytes",
                       (int)(sizeof *staging * VX_STAGING_FLOATS));
    vx_status status = VX_OK;
    for (int i = 0; i < e->part_count && status == VX_OK; i++) {
        const char *name = vx_component_name(e->part[i].kind->component);
        if (e->part[i].shared) continue;
        double start = vx_now_s();
        if (e->params.progress != NULL)
            e->params.progress(e->params.progress_arg, name, (double)i / e->part_count);
        status = load_part(e, &e->part[i], staging, err);
        vx_log(VX_LOG_INFO, "%s: %.1f MB of weights in %.2f s", name,
               (double)e->part[i].weights_bytes / 1e6, vx_now_s() - start);
    }
    if (status == VX_OK && e->params.progress != NULL)
        e->params.progress(e->params.progress_arg, "", 1);
    vx_heap_free(staging);
    return status;
}

/* Wanted parts that the pack lacks are an error by name, as are files that are not there, before the
 * reservation is made. */
static vx_status check_wants(const vx_engine_params *params, vx_error *err)
{
    for (const vx_part_kind *kind = vx_part_kinds; kind->open != NULL; kind++)
        if (params->wants & kind->want)
            VX_TRY(vx_pack_need(params->pack, kind->component, kind->why, err));
    return VX_OK;
}

static vx_status open_engine(vx_engine *e, vx_error *err)
{
    VX_TRY(check_wants(&e->params, err));
    VX_TRY(open_device(e, e->params.settings->device, true, err));
    VX_TRY(make_plan(e, err));
    vx_plan_advise(&e->params, e->params.settings->device, &e->plan);
    VX_TRY(vx_plan_check(&e->plan, err));
    VX_TRY(vx_plan_check_room(&e->plan, &e->limits, e->params.settings->free_bytes > 0, err));
    if (!e->limits.proc)
        vx_log(VX_LOG_WARN, "there is no /proc: budget.hard_bytes and budget.free_bytes are not "
                            "watched, and measured_peak_bytes is 0");
    e->rss_before = vx_rss_bytes();
    vx_rss_reset_peak();
    VX_TRY(vx_reserve(e->plan.reservation_bytes, &e->memory, err));
    for (int lane = 0; lane < VX_LANES; lane++)
        if (e->lane_region[lane] >= 0) {
            const vx_region *r = &e->plan.region[e->lane_region[lane]];
            e->lane[lane] = vx_arena_over(r->name, (char *)e->memory + r->offset, r->bytes);
        }
    VX_TRY(load(e, err));
    e->heap_at_open = vx_heap_read();
    return VX_OK;
}

vx_status vx_engine_open(vx_engine **out, const vx_engine_params *params, vx_error *err)
{
    *out = vx_heap_alloc(sizeof **out);
    if (*out == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the engine's description");
    (*out)->params = *params;
    vx_status status = open_engine(*out, err);
    if (status != VX_OK) vx_engine_close(out);
    return status;
}

void vx_engine_close(vx_engine **handle)
{
    vx_engine *e = *handle;
    if (e == NULL) return;
    for (int i = 0; i < e->part_count; i++) {
        close_sources(&e->part[i]);
        if (!e->part[i].shared) e->part[i].kind->close(&e->part[i]);
    }
    vx_unreserve(e->memory, e->plan.reservation_bytes);
    vx_backend_close(&e->backend);
    vx_pool_close(&e->pool);
    vx_heap_free(e);
    *handle = NULL;
}

/* ---- what it holds -------------------------------------------------------------------------- */

const vx_plan *vx_engine_planned(const vx_engine *e)
{
    return &e->plan;
}

const vx_pack *vx_engine_pack(const vx_engine *e)
{
    return e->params.pack;
}

const vx_settings *vx_engine_settings(const vx_engine *e)
{
    return e->params.settings;
}

vx_pool *vx_engine_pool(const vx_engine *e)
{
    return e->pool;
}

vx_backend *vx_engine_backend(const vx_engine *e)
{
    return e->backend;
}

void *vx_engine_buffer(const vx_engine *e, vx_buffer buffer, size_t *bytes)
{
    const vx_region *region = &e->plan.region[e->buffer_region[buffer]];
    assert(region->kind == VX_REGION_BUFFER);
    if (bytes != NULL) *bytes = region->bytes;
    return (char *)e->memory + region->offset;
}

int vx_engine_wants(const vx_engine *e)
{
    return e->params.wants;
}

int vx_engine_sets(const vx_engine *e)
{
    return e->params.sets > 0 ? e->params.sets : (int)e->params.settings->pipeline_depth;
}

void *vx_engine_set_buffer(const vx_engine *e, vx_buffer buffer, int set, size_t *bytes)
{
    if (set == 0) return vx_engine_buffer(e, buffer, bytes);
    assert(set > 0 && set < vx_engine_sets(e));
    const vx_region *region = &e->plan.region[e->more_region[set - 1][buffer]];
    assert(region->kind == VX_REGION_BUFFER);
    if (bytes != NULL) *bytes = region->bytes;
    return (char *)e->memory + region->offset;
}

double vx_engine_roofline_s(const vx_engine *e, int want)
{
    double seconds = 0;
    for (int i = 0; i < e->part_count; i++)
        if (e->part[i].kind->want & want) seconds += e->roofline_s[e->part[i].kind->component];
    return seconds;
}

const vx_kokoro *vx_engine_kokoro(const vx_engine *e)
{
    const vx_part *part = part_of(e, VX_COMPONENT_KOKORO);
    return part ? part->model : NULL;
}

vx_clip *vx_engine_clip(const vx_engine *e, vx_component which)
{
    assert(which == VX_COMPONENT_CLIP_B || which == VX_COMPONENT_CLIP_L ||
           which == VX_COMPONENT_FLUX_CLIP_TEXT);
    const vx_part *part = part_of(e, which);
    return part ? part->model : NULL;
}

vx_t5 *vx_engine_t5(const vx_engine *e)
{
    const vx_part *part = part_of(e, VX_COMPONENT_FLUX_T5);
    return part ? part->model : NULL;
}

vx_flux *vx_engine_flux(const vx_engine *e)
{
    const vx_part *part = part_of(e, VX_COMPONENT_FLUX_TRANSFORMER);
    return part ? part->model : NULL;
}

vx_vae *vx_engine_vae(const vx_engine *e)
{
    const vx_part *part = part_of(e, VX_COMPONENT_FLUX_VAE);
    return part ? part->model : NULL;
}

vx_liveportrait *vx_engine_liveportrait(const vx_engine *e)
{
    const vx_part *part = part_of(e, VX_COMPONENT_LIVEPORTRAIT);
    return part ? part->model : NULL;
}

const vx_actor_size *vx_engine_actor(const vx_engine *e)
{
    return &e->actor;
}

bool vx_engine_image_to_image(const vx_engine *e)
{
    return e->params.image_to_image;
}

void *vx_engine_idle(const vx_engine *e, size_t *bytes)
{
    const vx_arena *first = NULL;
    *bytes = 0;
    for (int i = 0; i < VX_LANES; i++) {
        const vx_arena *lane = &e->lane[i];
        if (lane->base == NULL) continue;
        assert(lane->used == 0);
        if (first == NULL) first = lane;
        if (lane->base == first->base + *bytes) *bytes += lane->size;
    }
    return first != NULL ? first->base : NULL;
}

vx_ctx vx_engine_ctx(vx_engine *e, vx_lane lane, vx_cancel *cancel, vx_error *err)
{
    return (vx_ctx){.backend = e->backend,
                    .pool = e->pool,
                    .workspace = &e->lane[lane],
                    .cancel = cancel,
                    .err = err};
}

size_t vx_engine_measured_bytes(const vx_engine *e)
{
    size_t peak = vx_rss_peak_bytes();
    return peak > e->rss_before ? peak - e->rss_before : 0;
}

vx_heap_counts vx_engine_heap_since_open(const vx_engine *e)
{
    vx_heap_counts now = vx_heap_read();
    return (vx_heap_counts){now.calls - e->heap_at_open.calls, now.bytes - e->heap_at_open.bytes,
                            now.live_bytes - e->heap_at_open.live_bytes};
}
