#include "engine/slot.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/report.h"

/* How often the watch looks at what no condition variable tells: a cancel that a signal handler set, and the
 * clock. A hundredth of the second in which a cancel has to be answered. */
enum { WATCH_NS = 10000000, LAST_PHASE = 2 };

static bool is_verified(const vx_slot *slot)
{
    return slot->crew->verifier != NULL && slot->recipe->visual.prompt != NULL &&
           slot->recipe->verify.enabled;
}

const vx_stage_kind vx_stages[] = {
    {.name = "audio", .phase = 0, .lane = VX_LANE_AUDIO, .run = vx_stage_audio},
    {.name = "actor", .phase = 0, .lane = VX_LANE_PICTURE, .run = vx_stage_actor},
    {.name = "video", .phase = 1, .lane = VX_LANE_PICTURE, .run = vx_stage_video},
    {.name = "verify",
     .phase = 2,
     .lane = VX_LANE_PICTURE,
     .applies = is_verified,
     .run = vx_stage_verify},
    {0},
};

/* A lane of the slot: the stage that runs there, on a thread of its own. */
typedef struct lane {
    vx_stage_run run; /* first: vx_slot_run's step gets the lane from it */
    struct watch *watch;
    vx_cancel cancel;
    vx_error err;
    vx_status status;
    pthread_t thread;
    bool busy; /* guarded by watch->lock */
    vx_stage_time time;
} lane;

/* Why a slot stops before its end. */
typedef struct stop {
    vx_status status; /* VX_OK: it doesn't */
    const char *code;
    const char *message;
} stop;

/* What watches over the lanes. */
typedef struct watch {
    vx_slot slot;
    const vx_slot_request *request;
    double start_s, deadline_s; /* absolute; deadline 0: none */
    lane lane[VX_LANES];
    pthread_mutex_t lock; /* progress, `busy`, `stop` */
    pthread_cond_t ended;
    stop stop;
    vx_stage_time stage[VX_SLOT_STAGES];
    int stages;
} watch;

const char *vx_slot_outcome(vx_status status, const char *code)
{
    switch (status) {
    case VX_OK:
        return "done";
    case VX_ERR_MEMORY:
        return "memory_pressure";
    case VX_ERR_DEADLINE:
        return strcmp(code, "timeout") == 0 || strcmp(code, "busy") == 0 ? code : "deadline";
    case VX_ERR_CANCELLED:
        return "cancelled";
    case VX_ERR_IO:
        return "io_error";
    case VX_ERR_VERIFY:
        return "verify_failed";
    case VX_ERR_INTERNAL:
        return "device_error";
    default:
        return "bad_recipe";
    }
}

vx_status vx_slot_wants(const vx_recipe *recipe, const vx_pack *pack, int *wants, vx_error *err)
{
    *wants = VX_WANT_SPEECH | VX_WANT_FILM;
    if (recipe->visual.prompt != NULL && recipe->verify.enabled &&
        pack->components[VX_COMPONENT_CLIP_B].present &&
        pack->components[VX_COMPONENT_CLIP_L].present)
        *wants |= VX_WANT_VERIFY;
    if (pack->components[VX_COMPONENT_LIVEPORTRAIT].present) *wants |= VX_WANT_VIDEO;
    if (recipe->visual.image != NULL) return VX_OK;
    *wants |= VX_WANT_ACTOR;
    return vx_pack_need(pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt without an image", err);
}

static double seconds_of(const vx_recipe *recipe, const vx_pack *pack)
{
    return recipe->output.max_seconds > 0 ? recipe->output.max_seconds : pack->max_seconds;
}

vx_status vx_slot_needs(const vx_recipe *recipe, const vx_pack *pack, vx_engine_params *params,
                        vx_error *err)
{
    params->speech_seconds = seconds_of(recipe, pack);
    params->frame_width = (int)recipe->output.width;
    params->frame_height = (int)recipe->output.height;
    int64_t fps = recipe->output.fps > 0 ? recipe->output.fps : pack->fps;
    params->frames = (int64_t)ceil(params->speech_seconds * (double)fps);
    return vx_slot_wants(recipe, pack, &params->wants, err);
}

vx_picture vx_slot_key_frame(const vx_slot *slot, int index)
{
    size_t bytes, stride = (size_t)slot->width * 3;
    char *memory = vx_engine_buffer(slot->crew->engine, VX_BUFFER_KEY_FRAMES, &bytes);
    size_t offset = stride * (size_t)slot->height * (size_t)index;
    assert(index < VX_KEY_FRAMES && offset + stride * (size_t)slot->height <= bytes);
    return (vx_picture){.rgb = (uint8_t *)memory + offset,
                        .width = slot->width,
                        .height = slot->height,
                        .stride = (ptrdiff_t)stride};
}

/* ---- stopping ------------------------------------------------------------------------------- */

/* The first reason counts. Every lane's token is set; the lock is held. */
static void ask_to_stop(watch *w, vx_status status, const char *code, const char *message)
{
    if (w->stop.status != VX_OK) return;
    w->stop = (stop){status, code, message};
    for (int i = 0; i < VX_LANES; i++)
        vx_cancel_ask(&w->lane[i].cancel);
}

static void look(watch *w)
{
    if (vx_cancelled(w->request->cancel))
        ask_to_stop(w, VX_ERR_CANCELLED, "cancelled", "the slot was cancelled");
    if (w->deadline_s > 0 && vx_now_s() > w->deadline_s)
        ask_to_stop(w, VX_ERR_DEADLINE, "deadline",
                    "the slot missed its deadline; allow more time or make it shorter");
}

static vx_status step(vx_stage_run *run, double share)
{
    lane *l = (lane *)run;
    watch *w = l->watch;
    pthread_mutex_lock(&w->lock);
    look(w);
    bool stopped = vx_cancelled(&l->cancel);
    if (!stopped && w->request->progress != NULL)
        w->request->progress(w->request->progress_arg, run->kind->name, share);
    pthread_mutex_unlock(&w->lock);
    return stopped ? VX_ERR_CANCELLED : VX_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

static void *lane_main(void *arg)
{
    lane *l = arg;
    watch *w = l->watch;
    vx_log_scope(w->slot.recipe->slot_id, l->run.kind->name);
    vx_mark mark = vx_mark_now(&l->run.ctx);
    l->status = vx_stage_step(&l->run, 0);
    if (l->status == VX_OK) l->status = l->run.kind->run(&l->run);
    vx_release(&l->run.ctx, mark);
    l->time.end_s = vx_now_s() - w->start_s;
    l->time.peak_bytes = vx_engine_measured_bytes(w->slot.crew->engine);
    vx_log(VX_LOG_INFO, "%s took %.2f s", l->run.kind->name, l->time.end_s - l->time.start_s);
    pthread_mutex_lock(&w->lock);
    l->busy = false;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static vx_status start(watch *w, const vx_stage_kind *kind, vx_error *err)
{
    lane *l = &w->lane[kind->lane];
    assert(!l->busy);
    l->err = (vx_error){0};
    l->watch = w;
    l->run = (vx_stage_run){.slot = &w->slot, .kind = kind, .step = step};
    l->run.ctx = vx_engine_ctx(w->slot.crew->engine, kind->lane, &l->cancel, &l->err);
    l->time = (vx_stage_time){.name = kind->name, .start_s = vx_now_s() - w->start_s};
    l->busy = true;
    int failed = pthread_create(&l->thread, NULL, lane_main, l);
    if (failed == 0) return VX_OK;
    l->busy = false;
    return vx_fail(err, VX_ERR_MEMORY, "no_threads", "the system refused a thread for stage %s: %s",
                   kind->name, strerror(failed));
}

/* Waits until one of the lanes has ended its stage, looking at cancel and clock meanwhile; its index. */
static int await_one(watch *w, lane *const *running, int count)
{
    int ended = count;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        for (ended = 0; ended < count && running[ended]->busy;)
            ended++;
        if (ended < count) break;
        struct timespec until;
        look(w);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCH_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->ended, &w->lock, &until);
    }
    pthread_mutex_unlock(&w->lock);
    return ended;
}

/* Ends a lane's stage: its status, or why everything stopped. A failure stops the other lane too. */
static vx_status finish(watch *w, lane *l, vx_error *err)
{
    pthread_join(l->thread, NULL);
    assert(w->stages < VX_SLOT_STAGES);
    w->stage[w->stages++] = l->time;
    if (l->status == VX_OK) return VX_OK;
    pthread_mutex_lock(&w->lock);
    bool first = w->stop.status == VX_OK;
    ask_to_stop(w, l->status, l->err.code, l->err.message);
    pthread_mutex_unlock(&w->lock);
    if (first)
        *err = l->err;
    else if (err->status == VX_OK)
        vx_fail(err, w->stop.status, w->stop.code, "%s", w->stop.message);
    return w->stop.status;
}

static vx_status run_phase(watch *w, int phase, vx_error *err)
{
    lane *running[VX_LANES];
    int count = 0;
    vx_status result = VX_OK;
    for (const vx_stage_kind *kind = vx_stages; kind->name != NULL && result == VX_OK; kind++) {
        if (kind->phase != phase || (kind->applies != NULL && !kind->applies(&w->slot))) continue;
        result = start(w, kind, err);
        if (result == VX_OK) running[count++] = &w->lane[kind->lane];
    }
    if (result != VX_OK) {
        pthread_mutex_lock(&w->lock);
        ask_to_stop(w, result, err->code, err->message);
        pthread_mutex_unlock(&w->lock);
    }
    /* The lane that ends first is dealt with first, so that its failure stops the other. */
    while (count > 0) {
        int i = await_one(w, running, count);
        vx_status status = finish(w, running[i], err);
        if (result == VX_OK) result = status;
        running[i] = running[--count];
    }
    return result;
}

static void open_watch(watch *w, vx_crew *crew, const vx_slot_request *request)
{
    const vx_recipe *recipe = request->recipe;
    const vx_pack *pack = vx_engine_pack(crew->engine);
    const vx_recipe_output *output = &recipe->output;
    int64_t deadline_ms = request->deadline_ms > 0 ? request->deadline_ms : recipe->deadline_ms;
    pthread_condattr_t monotonic;
    *w = (watch){.request = request, .start_s = vx_now_s()};
    if (deadline_ms > 0) w->deadline_s = w->start_s + (double)deadline_ms * 1e-3;
    w->slot = (vx_slot){.crew = crew,
                        .recipe = recipe,
                        .pack = pack,
                        .path = request->path,
                        .width = (int)(output->width > 0 ? output->width : pack->width),
                        .height = (int)(output->height > 0 ? output->height : pack->height),
                        .fps = (int)(output->fps > 0 ? output->fps : pack->fps),
                        .seconds = seconds_of(recipe, pack)};
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void close_watch(watch *w)
{
    vx_image_free(&w->slot.decoded);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
}

vx_status vx_slot_run(vx_crew *crew, const vx_slot_request *request, json_t **report, vx_error *err)
{
    watch w;
    vx_status status = VX_OK;
    open_watch(&w, crew, request);
    for (int phase = 0; phase <= LAST_PHASE && status == VX_OK; phase++)
        status = run_phase(&w, phase, err);
    *report = vx_report(&w.slot, w.stage, w.stages, status, vx_slot_outcome(status, w.stop.code));
    close_watch(&w);
    return status;
}
