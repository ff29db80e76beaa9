#include "slot/watch.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/wait.h"

/* How often the watch looks at what no condition variable tells: a cancel that a signal handler
 * set, and the clock. A hundredth of the second in which a cancel has to be answered. */
enum { WATCH_MS = 10 };

/* ---- expectations --------------------------------------------------------------------------- */

static int row_of(const vx_stage_kind *kind)
{
    return (int)(kind - vx_stages);
}

static bool applies(const vx_slot *slot, const vx_stage_kind *kind)
{
    return kind->applies == NULL || kind->applies(slot);
}

/* What a stage should take: the median of what it has been taking for so much work, else what the
 * plan says it takes at least. */
static double expected_s(const vx_slot *slot, const vx_stage_kind *kind)
{
    double units = kind->units(slot);
    if (units <= 0) return 0;
    double seconds = vx_metrics_expect(&slot->crew->metrics, row_of(kind), units, 0.5);
    if (seconds >= 0) return seconds;
    double share = kind->share != NULL ? fmin(kind->share(slot), 1) : 1;
    return share * vx_engine_roofline_s(slot->crew->engine, kind->want);
}

/* What a stage may take: some times what nearly all runs took, within the settings' bounds. */
static double timeout_s(const vx_slot *slot, const vx_stage_kind *kind)
{
    const vx_settings *settings = vx_engine_settings(slot->crew->engine);
    double floor_s = (double)settings->timeout_floor_ms * 1e-3;
    double ceiling_s = (double)settings->timeout_ceiling_ms * 1e-3;
    double usual = vx_metrics_expect(&slot->crew->metrics, row_of(kind), kind->units(slot), 0.95);
    if (usual < 0) return ceiling_s;
    return fmin(fmax(settings->timeout_factor * usual, floor_s), ceiling_s);
}

/* The phases after `phase`, each as long as its longest stage. */
static double later_s(const vx_slot *slot, int phase)
{
    double longest[VX_SLOT_PHASES] = {0}, sum = 0;
    for (const vx_stage_kind *kind = vx_stages; kind->name != NULL; kind++)
        if (kind->phase > phase && applies(slot, kind))
            longest[kind->phase] = fmax(longest[kind->phase], expected_s(slot, kind));
    for (int i = 0; i < VX_SLOT_PHASES; i++)
        sum += longest[i];
    return sum;
}

/* ---- stopping ------------------------------------------------------------------------------- */

/* The first reason counts. Every lane's token is set; the lock is held. */
static void ask_to_stop(vx_watch *w, const vx_error *why)
{
    if (w->stop.status != VX_OK) return;
    w->stop = *why;
    for (int i = 0; i < VX_LANES; i++)
        vx_cancel_ask(&w->lane[i].cancel);
}

static void look_at_deadline(vx_watch *w, double now)
{
    vx_error why;
    double left = w->deadline_s - now, needed = w->later_s;
    if (w->deadline_s <= 0) return;
    if (left <= 0) {
        vx_fail(&why, VX_ERR_DEADLINE, "deadline",
                "the slot missed its deadline; allow more time or make it shorter");
        ask_to_stop(w, &why);
        return;
    }
    for (int i = 0; i < VX_LANES; i++) {
        const vx_watch_lane *l = &w->lane[i];
        double rest = l->expected_s - (now - w->start_s - l->time.start_s);
        if (l->busy && rest > 0) needed = fmax(needed, w->later_s + rest);
    }
    if (needed <= left) return;
    vx_fail(
        &why, VX_ERR_DEADLINE, "deadline",
        "the slot cannot meet its deadline: %.1f s are left and what remains takes about %.1f s; "
        "allow more time or make it shorter",
        left, needed);
    ask_to_stop(w, &why);
}

static void look_at_timeouts(vx_watch *w, double now)
{
    for (int i = 0; i < VX_LANES; i++) {
        vx_watch_lane *l = &w->lane[i];
        if (!l->busy || l->timed_out || now < l->timeout_s) continue;
        l->timed_out = true;
        vx_cancel_ask(&l->cancel);
    }
}

/* The lock is held. */
static void look(vx_watch *w)
{
    double now = vx_now_s();
    vx_error why;
    if (w->stop.status == VX_OK && vx_cancelled(w->request->cancel)) {
        vx_fail(&why, VX_ERR_CANCELLED, "cancelled", "the slot was cancelled");
        ask_to_stop(w, &why);
    }
    look_at_deadline(w, now);
    look_at_timeouts(w, now);
}

vx_status vx_stage_step(vx_stage_run *run, double share)
{
    vx_watch_lane *l = (vx_watch_lane *)run;
    vx_watch *w = l->watch;
    vx_error why;
    vx_status memory = vx_monitor_glance(&w->slot->crew->monitor, &why);
    pthread_mutex_lock(&w->lock);
    if (memory != VX_OK) ask_to_stop(w, &why);
    look(w);
    bool stopped = vx_cancelled(&l->cancel);
    pthread_mutex_unlock(&w->lock);
    if (stopped) return VX_ERR_CANCELLED;
    pthread_mutex_lock(&w->slot->calls);
    if (w->request->progress != NULL) w->request->progress(w->request->arg, run->kind->name, share);
    pthread_mutex_unlock(&w->slot->calls);
    return VX_OK;
}

vx_status vx_stage_frame(vx_stage_run *run, vx_mux *mux, int64_t index, const vx_picture *picture,
                         vx_error *err)
{
    vx_watch *w = ((vx_watch_lane *)run)->watch;
    vx_frame view = {picture->rgb, picture->width, picture->height, picture->stride};
    pthread_mutex_lock(&w->slot->calls);
    if (w->request->frame != NULL) w->request->frame(w->request->arg, index, &view);
    pthread_mutex_unlock(&w->slot->calls);
    VX_TRY(vx_mux_frame(mux, picture, err));
    return vx_stage_step(run, (double)(index + 1) / (double)run->slot->frames);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

void vx_tell_sound(vx_slot *slot, int64_t first, const float *samples, int64_t count,
                   const vx_word *words, int64_t word_count)
{
    const vx_slot_request *r = slot->request;
    if (r->sound == NULL) return;
    pthread_mutex_lock(&slot->calls);
    slot->told = true;
    r->sound(r->arg, first, samples, count, words, word_count);
    pthread_mutex_unlock(&slot->calls);
}

void vx_tell_picture(vx_slot *slot, const vx_picture *picture)
{
    const vx_slot_request *r = slot->request;
    vx_frame view = {picture->rgb, picture->width, picture->height, picture->stride};
    if (r->picture == NULL) return;
    pthread_mutex_lock(&slot->calls);
    r->picture(r->arg, &view);
    pthread_mutex_unlock(&slot->calls);
}

int vx_tell_bytes(void *arg, const void *bytes, size_t count)
{
    vx_slot *slot = arg;
    pthread_mutex_lock(&slot->calls);
    slot->told = true;
    int stop = slot->request->write(slot->request->arg, bytes, count);
    pthread_mutex_unlock(&slot->calls);
    return stop;
}

/* ---- running -------------------------------------------------------------------------------- */

/* The lane is the stage's: from now on it takes time. */
static void begin_work(vx_watch_lane *l)
{
    vx_watch *w = l->watch;
    double now = vx_now_s();
    pthread_mutex_lock(&w->lock);
    l->time.start_s = now - w->start_s;
    l->expected_s = expected_s(w->slot, l->run.kind);
    l->timeout_s = now + timeout_s(w->slot, l->run.kind);
    pthread_mutex_unlock(&w->lock);
}

/* The stage's work, on a lane that is its own. */
static vx_status work(vx_watch_lane *l)
{
    const vx_slot *slot = l->watch->slot;
    vx_mark mark = vx_mark_now(&l->run.ctx);
    vx_pool_urgent(slot->recipe->kind == VX_SPEECH); /* the thread ends with the stage */
    vx_status status = vx_monitor_check(&slot->crew->monitor, &l->err);
    if (status == VX_OK) status = vx_stage_step(&l->run, 0);
    if (status == VX_OK) status = l->run.kind->run(&l->run);
    if (status != VX_OK) vx_abandon(&l->run.ctx);
    vx_release(&l->run.ctx, mark);
    return status;
}

static void *lane_main(void *arg)
{
    vx_watch_lane *l = arg;
    vx_watch *w = l->watch;
    const vx_stage_kind *kind = l->run.kind;
    vx_log_scope(w->slot->recipe->slot_id, kind->name);
    vx_warnings_scope(&w->slot->warnings);
    vx_wait_scope(&l->cancel);
    vx_turns *turns = &w->slot->crew->turns;
    int lanes = kind->alone ? VX_LANES_ALL : 1 << kind->lane;
    bool passed = vx_turns_take(turns, lanes, &l->cancel);
    begin_work(l);
    double units = kind->units(w->slot);
    /* Whoever was stopped before its turn must not touch the lane: another works there. */
    l->status = passed ? work(l) : VX_ERR_CANCELLED;
    if (passed) vx_turns_leave(turns, lanes);
    l->time.end_s = vx_now_s() - w->start_s;
    l->time.peak_bytes = vx_engine_measured_bytes(w->slot->crew->engine);
    double seconds = l->time.end_s - l->time.start_s;
    if (l->status == VX_OK || l->status == VX_ERR_VERIFY)
        vx_metrics_stage(&w->slot->crew->metrics, row_of(kind), kind->name, seconds, units);
    vx_log(VX_LOG_INFO, "%s took %.2f s", kind->name, seconds);
    pthread_mutex_lock(&w->lock);
    l->busy = false;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static vx_status start(vx_watch *w, const vx_stage_kind *kind, bool second, vx_error *err)
{
    vx_watch_lane *l = &w->lane[kind->lane];
    double now = vx_now_s();
    l->err = (vx_error){0};
    l->second = second;
    l->run = (vx_stage_run){.slot = w->slot, .kind = kind};
    l->run.ctx = vx_engine_ctx(w->slot->crew->engine, kind->lane, &l->cancel, &l->err);
    pthread_mutex_lock(&w->lock);
    l->time = (vx_stage_time){.name = kind->name, .start_s = now - w->start_s};
    l->timed_out = false;
    l->expected_s = expected_s(w->slot, kind);
    l->timeout_s = INFINITY; /* while it waits for the lane */
    l->busy = true;
    pthread_mutex_unlock(&w->lock);
    int failed = pthread_create(&l->thread, NULL, lane_main, l);
    if (failed == 0) return VX_OK;
    pthread_mutex_lock(&w->lock);
    l->busy = false;
    vx_fail(err, VX_ERR_MEMORY, "no_threads", "the system refused a thread for stage %s: %s",
            kind->name, strerror(failed));
    ask_to_stop(w, err);
    pthread_mutex_unlock(&w->lock);
    return VX_ERR_MEMORY;
}

/* Waits until one of the lanes has ended its stage, looking around meanwhile; its index. */
static int await_one(vx_watch *w, vx_watch_lane *const *running, int count)
{
    int ended;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        for (ended = 0; ended < count && running[ended]->busy;)
            ended++;
        if (ended < count) break;
        look(w);
        struct timespec until = vx_deadline_in(WATCH_MS);
        pthread_cond_timedwait(&w->ended, &w->lock, &until);
    }
    pthread_mutex_unlock(&w->lock);
    return ended;
}

/* A stage that is worth it gets a second try after a timeout or a fault that may have passed. */
static bool try_again(vx_watch *w, vx_watch_lane *l)
{
    bool passing = l->timed_out || l->status == VX_ERR_INTERNAL || l->status == VX_ERR_IO;
    pthread_mutex_lock(&w->lock);
    bool again =
        passing && l->run.kind->again && !l->second && !w->slot->told && w->stop.status == VX_OK;
    if (again) vx_cancel_clear(&l->cancel);
    pthread_mutex_unlock(&w->lock);
    if (!again) return false;
    vx_metrics_retry(&w->slot->crew->metrics);
    vx_warn("tried_again", l->run.kind->name, "%s is tried again: %s", l->run.kind->name,
            l->timed_out ? "it took far longer than it has been taking" : l->err.message);
    return true;
}

/* A lane's stage has ended and was not tried again: why everything stops, if it does. A failure
 * stops the other lane too. */
static vx_status conclude(vx_watch *w, vx_watch_lane *l, vx_error *err)
{
    vx_slot *slot = w->slot;
    assert(slot->stages < VX_SLOT_STAGES);
    slot->stage[slot->stages++] = l->time;
    if (l->status == VX_OK) {
        /* It ended just before it would have been stopped. */
        pthread_mutex_lock(&w->lock);
        if (w->stop.status == VX_OK) vx_cancel_clear(&l->cancel);
        pthread_mutex_unlock(&w->lock);
        return VX_OK;
    }
    if (l->timed_out)
        vx_fail(
            &l->err, VX_ERR_DEADLINE, "timeout",
            "stage %s was stopped after %.1f s, far longer than it has been taking; look at the "
            "machine's load, or raise timeouts in the settings",
            l->time.name, l->time.end_s - l->time.start_s);
    else if (l->err.status != l->status)
        vx_fail(&l->err, l->status, "stage", "stage %s failed: %s", l->time.name,
                vx_status_name(l->status));
    pthread_mutex_lock(&w->lock);
    ask_to_stop(w, &l->err);
    *err = w->stop;
    pthread_mutex_unlock(&w->lock);
    return err->status;
}

/* Until all of them have ended. The lane that ends first is dealt with first, so that its
 * failure stops the other. */
static vx_status await_all(vx_watch *w, vx_watch_lane **running, int count, vx_error *err)
{
    vx_status result = VX_OK;
    while (count > 0) {
        int i = await_one(w, running, count);
        vx_watch_lane *l = running[i];
        pthread_join(l->thread, NULL);
        if (l->status != VX_OK && try_again(w, l)) {
            vx_status again = start(w, l->run.kind, true, err);
            if (again == VX_OK) continue;
            l->status = again;
        }
        vx_status status = conclude(w, l, err);
        if (result == VX_OK) result = status;
        running[i] = running[--count];
    }
    return result;
}

vx_status vx_watch_phase(vx_watch *w, int phase, vx_error *err)
{
    bool side_by_side = vx_engine_settings(w->slot->crew->engine)->lanes > 1;
    vx_watch_lane *running[VX_LANES];
    int count = 0;
    vx_status result = VX_OK;
    w->later_s = later_s(w->slot, phase);
    for (const vx_stage_kind *kind = vx_stages; kind->name != NULL && result == VX_OK; kind++) {
        if (kind->phase != phase || !applies(w->slot, kind)) continue;
        result = start(w, kind, false, err);
        if (result == VX_OK) running[count++] = &w->lane[kind->lane];
        if (side_by_side || count == 0) continue;
        result = await_all(w, running, count, err);
        count = 0;
    }
    vx_status ended = await_all(w, running, count, err);
    return result != VX_OK ? result : ended;
}

double vx_watch_expect_s(const vx_slot *slot)
{
    for (const vx_stage_kind *kind = vx_stages; kind->name != NULL; kind++) {
        double units = applies(slot, kind) ? kind->units(slot) : 0;
        if (units > 0 && vx_metrics_expect(&slot->crew->metrics, row_of(kind), units, 0.5) < 0)
            return -1;
    }
    return later_s(slot, -1);
}

void vx_watch_open(vx_watch *w, vx_slot *slot, const vx_slot_request *request)
{
    int64_t deadline_ms =
        request->deadline_ms > 0 ? request->deadline_ms : request->recipe->deadline_ms;
    *w = (vx_watch){.slot = slot, .request = request, .start_s = vx_now_s()};
    for (int i = 0; i < VX_LANES; i++)
        w->lane[i].watch = w;
    double begin_s = request->begin_s > 0 ? request->begin_s : w->start_s;
    if (deadline_ms > 0) w->deadline_s = begin_s + (double)deadline_ms * 1e-3;
    pthread_mutex_init(&w->lock, NULL);
    vx_cond_open(&w->ended);
}

double vx_watch_close(vx_watch *w)
{
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    vx_monitor_slot(&w->slot->crew->monitor);
    return vx_now_s() - w->start_s;
}
