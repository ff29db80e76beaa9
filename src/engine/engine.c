/* Planning, loading and holding parts. */
#include "engine/engine.h"

#include <math.h>

#include "base/clock.h"
#include "backend/ops.h"
#include "base/log.h"
#include "config/recipe.h"
#include "engine/advice.h"
#include "engine/part.h"
#include "formats/entry.h"

enum { PARTS = VX_COMPONENTS + 1 };

struct vx_engine {
    vx_engine_params params;
    vx_plan plan;
    vx_limits limits; /* of the machine, when it was planned */
    vx_pool *pool;
    vx_backend *backend;
    vx_part part[PARTS];
    int part_count;
    int buffer_region[VX_ENGINE_SETS][VX_ENGINE_BUFFERS]; /* -1: none */
    int lane_region[VX_LANES];
    double roofline_s[PARTS]; /* of the part's stages, once each */
    vx_memory *memory;        /* the reservation */
    vx_room room[VX_PLAN_REGIONS];
    vx_lane lane[VX_LANES];
    vx_arena workspace[VX_LANES];
    vx_heap_counts heap_at_open;
};

/* A part's view of the engine while buffers are listed. */
struct vx_buffer_list {
    vx_engine *engine;
};

/* What any recipe may ask for by the settings, where nobody has asked for something. Where they say
 * how long a slot may be, a recipe may ask for any rate. */
static void settle(vx_engine_params *p)
{
    const vx_settings *s = p->settings;
    if (p->speech_seconds == 0) p->speech_seconds = s->slot_seconds;
    if (p->frames == 0) p->frames = (int64_t)ceil(s->slot_seconds * VX_SLOT_FPS_MAX);
    if (p->frame_width == 0) p->frame_width = (int)s->slot_width;
    if (p->frame_height == 0) p->frame_height = (int)s->slot_height;
}

/* ---- plan ----------------------------------------------------------------------------------- */

const vx_part *vx_engine_part(const vx_engine *e, int component)
{
    for (int i = 0; i < e->part_count; i++)
        if (e->part[i].kind->component == component) return &e->part[i];
    return NULL;
}

/* Describes every part that is wanted and that the pack has. A component that is the same as one
 * that is here already stands for it and takes no memory of its own. */
static vx_status describe(vx_engine *e, vx_error *err)
{
    const vx_engine_params *p = &e->params;
    for (const vx_part_kind *kind = p->kinds; kind->want != 0; kind++) {
        if (!(p->wants & kind->want)) continue;
        assert(e->part_count < PARTS);
        vx_part *part = &e->part[e->part_count];
        *part = (vx_part){.kind = kind, .params = p};
        if (kind->component >= 0) {
            const vx_pack_component *c = &p->pack->components[kind->component];
            if (!c->present) continue;
            const vx_part *twin = c->same_as >= 0 ? vx_engine_part(e, c->same_as) : NULL;
            part->shared = twin != NULL;
            if (twin != NULL) part->model = twin->model;
            e->part_count++; /* so that what a failed open has made is closed */
            if (twin == NULL) VX_TRY(kind->open(part, e->backend, err));
        } else {
            e->part_count++;
        }
    }
    return p->check != NULL ? p->check(e, err) : VX_OK;
}

void vx_buffer_add(vx_buffer_list *list, int buffer, const char *component, const char *name,
                   vx_place place, size_t bytes, bool sets)
{
    vx_engine *e = list->engine;
    assert(buffer >= 0 && buffer < VX_ENGINE_BUFFERS && e->buffer_region[0][buffer] < 0);
    e->buffer_region[0][buffer] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, place, component, name, bytes);
    for (int set = 1; sets && set < vx_engine_sets(e); set++) {
        char numbered[48];
        snprintf(numbered, sizeof numbered, "%s %d", name, set + 1);
        e->buffer_region[set][buffer] =
            vx_plan_region(&e->plan, VX_REGION_BUFFER, place, component, numbered, bytes);
    }
}

void vx_buffer_add_side(vx_buffer_list *list, int buffer, const char *component, const char *name,
                        vx_place place, size_t bytes)
{
    vx_engine *e = list->engine;
    if (!e->params.side) return;
    int set = vx_engine_side(e);
    assert(e->buffer_region[0][buffer] >= 0 && e->buffer_region[set][buffer] < 0);
    e->buffer_region[set][buffer] =
        vx_plan_region(&e->plan, VX_REGION_BUFFER, place, component, name, bytes);
}

void vx_buffer_beside(vx_buffer_list *list, const char *name, size_t bytes)
{
    vx_engine *e = list->engine;
    if (e->pool != NULL)
        vx_plan_region(&e->plan, VX_REGION_OVERHEAD, VX_PLACE_HOST, "engine", name, bytes);
}

void vx_buffer_threads(vx_buffer_list *list, int threads)
{
    /* The C library's: a stack of 8 MB (ulimit -s) and a heap that grows in 64 MB. */
    enum { THREAD_BYTES = 72 << 20 };
    list->engine->plan.address_bytes += (size_t)threads * THREAD_BYTES;
}

int vx_buffer_workers(const vx_buffer_list *list)
{
    return list->engine->pool != NULL ? vx_pool_workers(list->engine->pool) : 0;
}

/* Walks every stage of a part; the lane's workspace is as high as its highest stage. */
static vx_status plan_stages(vx_engine *e, vx_part *part, size_t lane_bytes[VX_LANES],
                             vx_error *err)
{
    vx_dtype precision =
        vx_pack_files(e->params.pack, (vx_component)part->kind->component)->precision;
    vx_dtype compute = precision == VX_F32 ? VX_F32 : VX_BF16;
    for (int i = 0; i < VX_PART_STAGES && part->kind->stage[i].plan != NULL; i++) {
        vx_arena workspace = vx_arena_measure("workspace");
        vx_ctx ctx = {.backend = e->backend, .workspace = &workspace, .plan = true, .err = err};
        VX_TRY(part->kind->stage[i].plan(part, &ctx));
        if (ctx.counts.ops > 0) {
            vx_plan_stage(&e->plan, part->kind->stage[i].name, &ctx.counts, compute);
            vx_stage *stage = &e->plan.stage[e->plan.stage_count - 1];
            stage->lane = part->kind->lane;
            if (part->kind->stage[i].runs != NULL) stage->runs = part->kind->stage[i].runs(part);
            e->roofline_s[part - e->part] += stage->roofline_s;
        }
        if (workspace.peak > lane_bytes[part->kind->lane])
            lane_bytes[part->kind->lane] = workspace.peak;
    }
    return VX_OK;
}

static vx_status plan_parts(vx_engine *e, size_t lane_bytes[VX_LANES], vx_error *err)
{
    vx_buffer_list list = {e};
    for (int i = 0; i < e->part_count; i++)
        if (e->part[i].kind->buffers != NULL) e->part[i].kind->buffers(&e->part[i], &list);
    for (int i = 0; i < e->part_count; i++) {
        vx_part *part = &e->part[i];
        if (part->kind->component < 0) continue;
        vx_arena weights = vx_arena_measure("weights");
        vx_binder binder = {.backend = e->backend, .weights = &weights, .plan = true, .err = err};
        if (!part->shared) VX_TRY(part->kind->bind(part->model, &binder));
        part->weights_bytes = weights.peak;
        VX_TRY(plan_stages(e, part, lane_bytes, err));
    }
    return VX_OK;
}

static vx_status make_plan(vx_engine *e, vx_error *err)
{
    static const char *const lane_names[VX_LANES] = {"audio lane", "picture lane"};
    static const char *const lane_owners[VX_LANES] = {"kokoro", "picture"};
    size_t lane_bytes[VX_LANES] = {0};
    memset(e->buffer_region, -1, sizeof e->buffer_region);
    vx_budget budget = vx_budget_of(e->params.settings, &e->backend->device, &e->limits);
    vx_plan_init(&e->plan, &e->backend->device, &budget);
    e->plan.seconds =
        e->params.speech_seconds > 0 ? e->params.speech_seconds : e->params.pack->max_seconds;
    VX_TRY(describe(e, err));
    VX_TRY(plan_parts(e, lane_bytes, err));
    for (int lane = 0; lane < VX_LANES; lane++) {
        e->lane_region[lane] = -1;
        if (lane_bytes[lane] > 0)
            e->lane_region[lane] =
                vx_plan_region(&e->plan, VX_REGION_WORKSPACE, VX_PLACE_DEVICE, lane_owners[lane],
                               lane_names[lane], lane_bytes[lane]);
    }
    for (int i = 0; i < e->part_count; i++) {
        vx_part *part = &e->part[i];
        if (part->shared || part->kind->component < 0) continue;
        part->weights_region = vx_plan_region(
            &e->plan, VX_REGION_WEIGHTS, VX_PLACE_DEVICE,
            vx_component_name((vx_component)part->kind->component), "weights", part->weights_bytes);
    }
    return VX_OK;
}

vx_status vx_engine_plan(const vx_engine_params *params, const char *device, vx_plan *plan,
                         vx_error *err)
{
    vx_engine *e = vx_heap_alloc(sizeof *e);
    if (e == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a plan");
    e->params = *params;
    settle(&e->params);
    vx_status status = VX_OK;
    vx_limits_read(&e->limits, "");
    /* A planner that is the processor has a pool, whose width its plan follows. */
    if (strcmp(device, "cpu") == 0)
        status = vx_pool_open(&e->pool, (int)params->settings->threads, err);
    if (status == VX_OK) status = vx_backend_open_planner(&e->backend, device, e->pool, err);
    if (status == VX_OK) status = make_plan(e, err);
    *plan = e->plan;
    vx_engine_close(&e);
    return status;
}

/* ---- load ----------------------------------------------------------------------------------- */

static vx_status open_sources(vx_engine *e, vx_part *part, vx_error *err)
{
    const vx_pack_component *c = vx_pack_files(e->params.pack, (vx_component)part->kind->component);
    VX_TRY(vx_pack_need(e->params.pack, (vx_component)part->kind->component, part->kind->why, err));
    if (c->file_count > VX_PART_SOURCES)
        return vx_fail(err, VX_ERR_INPUT, "bad_pack", "component %s lists %d files; %d is the most",
                       vx_component_name((vx_component)part->kind->component), c->file_count,
                       VX_PART_SOURCES);
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
    const vx_room *room = &e->room[part->weights_region];
    vx_arena weights = vx_arena_over("weights", room->at, room->bytes);
    VX_TRY(open_sources(e, part, err));
    vx_binder binder = {.backend = e->backend,
                        .lane = &e->lane[part->kind->lane],
                        .weights = &weights,
                        .sources = part->sources,
                        .source_count = part->source_count,
                        .staging = staging,
                        .cancel = e->params.cancel,
                        .err = err};
    VX_TRY(part->kind->bind(part->model, &binder));
    assert(weights.used == part->weights_bytes);
    vx_ctx ctx = vx_engine_ctx(e, part->kind->lane, e->params.cancel, err);
    VX_TRY(vx_finish(&ctx));
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
        if (e->part[i].shared || e->part[i].kind->component < 0) continue;
        const char *name = vx_component_name((vx_component)e->part[i].kind->component);
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

/* Wanted parts that the pack lacks are an error by name, as are files that are not there, before
 * the reservation is made. */
static vx_status check_wants(const vx_engine_params *params, vx_error *err)
{
    for (const vx_part_kind *kind = params->kinds; kind->want != 0; kind++)
        if (params->wants & kind->want && kind->component >= 0)
            VX_TRY(vx_pack_need(params->pack, (vx_component)kind->component, kind->why, err));
    return VX_OK;
}

/* A room for each region, in the plan's order. */
static vx_status reserve(vx_engine *e, vx_error *err)
{
    vx_room ask[VX_PLAN_REGIONS];
    int region[VX_PLAN_REGIONS], count = 0;
    for (int i = 0; i < e->plan.region_count; i++) {
        const vx_region *r = &e->plan.region[i];
        if (r->kind == VX_REGION_OVERHEAD) continue;
        ask[count] = (vx_room){.place = r->place, .bytes = r->bytes};
        region[count++] = i;
    }
    VX_TRY(vx_backend_reserve(e->backend, ask, count, &e->memory, err));
    for (int i = 0; i < count; i++)
        e->room[region[i]] = ask[i];
    return VX_OK;
}

static vx_status open_engine(vx_engine *e, const vx_engine_params *asked, vx_error *err)
{
    VX_TRY(check_wants(&e->params, err));
    VX_TRY(vx_pool_open(&e->pool, (int)e->params.settings->threads, err));
    VX_TRY(vx_backend_open_device(&e->backend, e->params.settings->device, e->pool, err));
    vx_limits_read(&e->limits, ""); /* the pool's threads have their address space */
    VX_TRY(make_plan(e, err));
    if (e->params.settings->free_bytes == 0) e->limits.free.value = SIZE_MAX;
    vx_plan_advise(asked, e->params.settings->device, &e->limits, &e->plan);
    VX_TRY(vx_plan_check(&e->plan, &e->limits, err));
    if (!e->limits.proc)
        vx_log(VX_LOG_WARN, "there is no /proc: budget.hard_bytes and budget.free_bytes are not "
                            "watched, and measured_peak_bytes is 0");
    VX_TRY(reserve(e, err));
    for (int lane = 0; lane < VX_LANES; lane++) {
        VX_TRY(vx_lane_open(&e->lane[lane], e->backend, err));
        if (e->lane_region[lane] < 0) continue;
        const vx_room *room = &e->room[e->lane_region[lane]];
        e->workspace[lane] =
            vx_arena_over(e->plan.region[e->lane_region[lane]].name, room->at, room->bytes);
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
    settle(&(*out)->params);
    vx_status status = open_engine(*out, params, err);
    if (status != VX_OK) vx_engine_close(out);
    return status;
}

void vx_engine_close(vx_engine **handle)
{
    vx_engine *e = *handle;
    if (e == NULL) return;
    for (int i = 0; i < e->part_count; i++) {
        vx_part *part = &e->part[i];
        close_sources(part);
        if (!part->shared && part->model != NULL) part->kind->close(part);
        vx_heap_free(part->size);
    }
    for (int lane = 0; lane < VX_LANES; lane++)
        vx_lane_close(&e->lane[lane]);
    if (e->backend != NULL) vx_backend_unreserve(e->backend, &e->memory);
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

const vx_room *vx_engine_room(const vx_engine *e, int buffer, int set)
{
    assert(buffer >= 0 && buffer < VX_ENGINE_BUFFERS && set >= 0 && set < VX_ENGINE_SETS);
    int region = e->buffer_region[set][buffer];
    assert(region >= 0 && e->plan.region[region].kind == VX_REGION_BUFFER);
    return &e->room[region];
}

void *vx_engine_set_buffer(const vx_engine *e, int buffer, int set, size_t *bytes)
{
    const vx_room *room = vx_engine_room(e, buffer, set);
    assert(room->place != VX_PLACE_DEVICE);
    if (bytes != NULL) *bytes = room->bytes;
    return room->host;
}

void *vx_engine_buffer(const vx_engine *e, int buffer, size_t *bytes)
{
    return vx_engine_set_buffer(e, buffer, 0, bytes);
}

int vx_engine_wants(const vx_engine *e)
{
    return e->params.wants;
}

int vx_engine_sets(const vx_engine *e)
{
    return e->params.sets > 0 ? e->params.sets : (int)e->params.settings->pipeline_depth;
}

int vx_engine_side(const vx_engine *e)
{
    return e->params.side ? vx_engine_sets(e) : 0;
}

const vx_engine_params *vx_engine_parameters(const vx_engine *e)
{
    return &e->params;
}

double vx_engine_roofline_s(const vx_engine *e, int want)
{
    double seconds = 0;
    for (int i = 0; i < e->part_count; i++)
        if (e->part[i].kind->want & want) seconds += e->roofline_s[i];
    return seconds;
}

void *vx_engine_model(const vx_engine *e, int component)
{
    const vx_part *part = vx_engine_part(e, component);
    return part != NULL ? part->model : NULL;
}

void *vx_engine_idle(const vx_engine *e, size_t *bytes)
{
    char *first = NULL;
    *bytes = 0;
    for (int i = 0; i < VX_LANES; i++) {
        if (e->lane_region[i] < 0) continue;
        const vx_room *room = &e->room[e->lane_region[i]];
        assert(e->workspace[i].used == 0);
        if (first == NULL) first = room->host;
        if (first == NULL || (char *)room->host != first + *bytes) continue;
        *bytes += room->bytes;
        if (e->backend->ops->taken != NULL)
            e->backend->ops->taken(e->backend, room->at, room->bytes);
    }
    return first;
}

vx_ctx vx_engine_ctx(vx_engine *e, vx_lane_id lane, vx_cancel *cancel, vx_error *err)
{
    return (vx_ctx){.backend = e->backend,
                    .lane = &e->lane[lane],
                    .workspace = &e->workspace[lane],
                    .cancel = cancel,
                    .err = err};
}

vx_transfers vx_engine_transfers(const vx_engine *e)
{
    vx_transfers sum = {0};
    for (int lane = 0; lane < VX_LANES; lane++) {
        sum.uploads += e->lane[lane].uploads;
        sum.downloads += e->lane[lane].downloads;
    }
    return sum;
}

size_t vx_engine_measured_bytes(const vx_engine *e)
{
    return vx_backend_memory(e->backend).peak;
}

vx_heap_counts vx_engine_heap_since_open(const vx_engine *e)
{
    vx_heap_counts now = vx_heap_read();
    return (vx_heap_counts){now.calls - e->heap_at_open.calls, now.bytes - e->heap_at_open.bytes,
                            now.live_bytes - e->heap_at_open.live_bytes};
}
