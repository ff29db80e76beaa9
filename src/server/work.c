/* Jobs in the engine: from a client's wish to what lies on the disk when it has ended. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/direct.h"
#include "server/feed.h"
#include "server/http.h"

/* How often a job's progress is told at most. */
static const double TELL_S = 0.25;

void vx_wish_free(vx_wish *wish)
{
    vx_heap_free(wish->text);
    vx_heap_free(wish->image);
    json_decref(wish->recipe);
    *wish = (vx_wish){0};
}

/* ---- the engine's callbacks ------------------------------------------------------------------ */

static void on_progress(void *arg, const char *stage, double share)
{
    vx_live *live = arg;
    pthread_mutex_lock(&live->lock);
    int at = 0;
    while (at < live->stage_count && strcmp(live->stages[at].name, stage) != 0)
        at++;
    if (at < (int)(sizeof live->stages / sizeof *live->stages)) {
        double now_s = vx_now_s() - live->begin_s;
        if (at == live->stage_count) {
            live->stage_count++;
            snprintf(live->stages[at].name, sizeof live->stages[at].name, "%s", stage);
            live->stages[at].start_s = now_s;
        }
        live->stages[at].end_s = now_s;
        live->stages[at].share = share;
        snprintf(live->stage, sizeof live->stage, "%s", stage);
        live->share = share;
        live->moved = true;
    }
    pthread_mutex_unlock(&live->lock);
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Of a film once, when all of its speech is there. */
static void on_sound(void *arg, int64_t first, const float *samples, int64_t count,
                     const vx_word *words, int64_t word_count)
{
    vx_live *live = arg;
    json_t *list = json_array();
    (void)samples;
    for (int64_t i = 0; i < word_count; i++)
        json_array_append_new(list, json_pack("{s:s%, s:f, s:f}", "text", words[i].text,
                                              (size_t)words[i].text_bytes, "start_s",
                                              (double)words[i].start / 24000, "end_s",
                                              (double)words[i].end / 24000));
    json_t *speech = json_pack("{s:s, s:f, s:o}", "id", live->entry->id, "seconds",
                               (double)(first + count) / 24000, "words", list);
    pthread_mutex_lock(&live->lock);
    json_decref(live->speech);
    live->speech = speech;
    pthread_mutex_unlock(&live->lock);
    vx_server_wake(live->server);
}

static int on_write(void *arg, const void *bytes, size_t count)
{
    vx_live *live = arg;
    int status = vx_feed_write(live->feed, bytes, count);
    vx_server_wake(live->server);
    return status;
}

static void on_ended(void *arg, vx_job *job)
{
    (void)job;
    vx_server_wake(((vx_live *)arg)->server);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static vx_status submit(vx_live *live, vx_error *err)
{
    enum { FILM, SHEET, ACTOR, AUDIO, TIMINGS, MOTION, SRT, VTT, FILES };
    static const char *const names[FILES] = {"film.mp4",     "sheet.png",    "actor.png",
                                             "audio.wav",    "timings.json", "motion.csv",
                                             "captions.srt", "captions.vtt"};
    vx_path path[FILES];
    for (int i = 0; i < FILES; i++)
        if (!vx_journal_path(live->server->journal, live->entry,
                             i == FILM && live->mkv ? "film.mkv" : names[i], &path[i]))
            return vx_fail(err, VX_ERR_IO, "io_error", "the results' folder has too long a name");
    if (live->feed == NULL) VX_TRY(vx_feed_open(&live->feed, live->server->results, err));
    vx_submit_params params = {.text = live->text,
                               .kind = VX_FILM,
                               .confined = true,
                               .image = live->image,
                               .image_bytes = live->image_bytes,
                               .priority = (vx_priority)live->priority,
                               .path = path[FILM].text,
                               .sheet = path[SHEET].text,
                               .actor = path[ACTOR].text,
                               .audio = path[AUDIO].text,
                               .timings = path[TIMINGS].text,
                               .motion = path[MOTION].text,
                               .srt = path[SRT].text,
                               .vtt = path[VTT].text,
                               .progress = on_progress,
                               .sound = on_sound,
                               .write = on_write,
                               .ended = on_ended,
                               .arg = live};
    if (live->deadline_s > 0) {
        double rest_ms = (live->deadline_s - vx_now_s()) * 1e3;
        params.deadline_ms = rest_ms > 1 ? (int64_t)rest_ms : 1;
    }
    return vx_submit(live->server->vortex, &params, &live->job, err);
}

static void add_live(vx_server *s, vx_live *live)
{
    vx_live **at = &s->live;
    while (*at != NULL)
        at = &(*at)->next;
    *at = live;
}

static void free_live(vx_live *live)
{
    vx_live **at = &live->server->live;
    while (*at != NULL && *at != live)
        at = &(*at)->next;
    if (*at == live) *at = live->next;
    vx_job_free(&live->job);
    vx_feed_drop(&live->feed);
    pthread_mutex_destroy(&live->lock);
    json_decref(live->speech);
    vx_heap_free(live->text);
    vx_heap_free(live->image);
    if (live->entry != NULL) live->entry->user = NULL;
    vx_heap_free(live);
}

static vx_live *new_live(vx_server *s, vx_entry *entry)
{
    vx_live *live = vx_heap_alloc(sizeof *live);
    if (live == NULL) return NULL;
    live->server = s;
    live->entry = entry;
    live->begin_s = vx_now_s();
    entry->user = live;
    pthread_mutex_init(&live->lock, NULL);
    return live;
}

static void tell_state(vx_live *live)
{
    vx_server *s = live->server;
    json_t *whole = vx_slot_json(s, live->entry, false), *data = json_object();
    static const char *const keys[] = {"id", "kind", "status", "outcome", "queue"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(data, keys[i], json_object_get(whole, keys[i]));
    json_decref(whole);
    vx_events_add(&s->events, "state", live->entry->id, live->entry->owner, data, false);
    data = json_pack("{s:i, s:i}", "waiting", vx_work_count(s, NULL, false), "running",
                     vx_work_count(s, NULL, true));
    vx_events_add(&s->events, "queue", "", "", data, false);
    vx_http_wake_streams(s);
}

vx_status vx_work_open(const vx_server *s, vx_error *err)
{
    if (s->draining)
        return vx_fail(err, VX_ERR_DEADLINE, "draining", "the server is about to stop");
    if (s->vortex == NULL || s->loading)
        return vx_fail(err, VX_ERR_DEADLINE, "loading", "the models are being loaded");
    return VX_OK;
}

vx_status vx_work_limits(vx_server *s, const char *client, vx_error *err)
{
    double wait_s;
    int jobs = vx_work_count(s, client, false) + vx_work_count(s, client, true) +
               vx_direct_count(s, client, -1, VX_QUEUED) +
               vx_direct_count(s, client, -1, VX_RUNNING);
    if (jobs >= s->serve->jobs_per_client)
        return vx_fail(err, VX_ERR_DEADLINE, "too_many_jobs",
                       "%d jobs of yours wait or run already; wait for one to end", jobs);
    if (!vx_clients_take(&s->clients, client, (double)s->serve->jobs_per_minute, vx_now_s(),
                         &wait_s))
        return vx_fail(err, VX_ERR_DEADLINE, "too_many_jobs",
                       "at most %lld jobs a minute are taken; try again in %.0f s",
                       (long long)s->serve->jobs_per_minute, wait_s + 0.5);
    return VX_OK;
}

/* Everything but the limits; the entry and the live job are removed by the caller on failure. */
static vx_status take(vx_live *live, vx_wish *wish, vx_error *err)
{
    vx_server *s = live->server;
    vx_path input;
    if (live->image != NULL) {
        if (!vx_journal_path(s->journal, live->entry, "input", &input))
            return vx_fail(err, VX_ERR_IO, "io_error", "the results' folder has too long a name");
        VX_TRY(vx_file_write(input.text, live->image, live->image_bytes, err));
    }
    VX_TRY(submit(live, err));
    json_t *document =
        json_pack("{s:s, s:O, s:I, s:i, s:b, s:b, s:s}", "text", live->text, "recipe", wish->recipe,
                  "deadline_ms", (json_int_t)live->deadline_ms, "priority", live->priority, "image",
                  live->image != NULL, "mkv", live->mkv, "client", live->client);
    return vx_journal_keep(s->journal, live->entry, document, err);
}

vx_status vx_work_take(vx_server *s, vx_wish *wish, const char *owner, const char *client,
                       const char *key, vx_live **out, vx_error *err)
{
    vx_entry *entry;
    *out = NULL;
    VX_TRY(vx_work_limits(s, client, err));
    VX_TRY(vx_journal_begin(s->journal, "slot_", &entry, err));
    snprintf(entry->kind, sizeof entry->kind, "film");
    snprintf(entry->owner, sizeof entry->owner, "%s", owner);
    snprintf(entry->key, sizeof entry->key, "%s", key);
    snprintf(entry->key_sha256, sizeof entry->key_sha256, "%s", wish->sha256);
    vx_live *live = new_live(s, entry);
    if (live == NULL) {
        vx_journal_remove(s->journal, entry);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a job");
    }
    snprintf(live->client, sizeof live->client, "%s", client);
    live->text = wish->text;
    live->image = wish->image;
    live->image_bytes = wish->image_bytes;
    wish->text = NULL;
    wish->image = NULL;
    live->mkv = wish->mkv;
    live->priority = wish->priority;
    live->deadline_ms = wish->deadline_ms;
    if (wish->deadline_ms > 0) live->deadline_s = live->begin_s + (double)wish->deadline_ms * 1e-3;
    vx_status status = take(live, wish, err);
    if (status != VX_OK) {
        free_live(live);
        vx_journal_remove(s->journal, entry);
        return status;
    }
    add_live(s, live);
    tell_state(live);
    *out = live;
    return VX_OK;
}

/* ---- what waited when the last server ended -------------------------------------------------- */

static vx_status read_input(vx_live *live, vx_error *err)
{
    vx_path input;
    char *data;
    if (!vx_journal_path(live->server->journal, live->entry, "input", &input))
        return vx_fail(err, VX_ERR_IO, "io_error", "the results' folder has too long a name");
    VX_TRY(vx_file_read_from(input.text, VX_FILE_REGULAR, (size_t)1 << 30, NULL, &data,
                             &live->image_bytes, err));
    live->image = data;
    return VX_OK;
}

static vx_status resume(vx_server *s, vx_entry *entry, vx_error *err)
{
    json_t *document;
    VX_TRY(vx_journal_document(s->journal, entry, &document, err));
    const char *text = json_string_value(json_object_get(document, "text"));
    const char *client = json_string_value(json_object_get(document, "client"));
    vx_live *live = text != NULL ? new_live(s, entry) : NULL;
    vx_status status = VX_OK;
    if (live == NULL)
        status = vx_fail(err, VX_ERR_IO, "io_error", "a job's record is damaged");
    else {
        snprintf(live->client, sizeof live->client, "%s", client != NULL ? client : "");
        live->text = vx_heap_text(text, strlen(text));
        live->mkv = json_is_true(json_object_get(document, "mkv"));
        live->priority = (int)json_integer_value(json_object_get(document, "priority"));
        live->deadline_ms = json_integer_value(json_object_get(document, "deadline_ms"));
        if (live->deadline_ms > 0)
            live->deadline_s = live->begin_s + (double)live->deadline_ms * 1e-3 -
                               (vx_epoch_s() - entry->created_s);
        if (json_is_true(json_object_get(document, "image"))) status = read_input(live, err);
        add_live(s, live);
    }
    json_decref(document);
    return status;
}

void vx_work_resume(vx_server *s)
{
    for (vx_entry *entry = vx_journal_oldest(s->journal); entry != NULL; entry = entry->newer) {
        vx_error err = {0};
        if (entry->state != VX_ENTRY_QUEUED) continue;
        if (resume(s, entry, &err) == VX_OK) continue;
        vx_log(VX_LOG_WARN, "job %s can't be taken up again: %s", entry->id, err.message);
        entry->state = VX_ENTRY_FAILED;
        entry->ended_s = vx_epoch_s();
        snprintf(entry->outcome, sizeof entry->outcome, "interrupted");
        (void)vx_journal_keep(s->journal, entry, NULL, &err);
        if (entry->user != NULL) free_live(entry->user);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void finish(vx_live *live, const vx_result *ended)
{
    /* The engine's buffers go back first: hashes and the disk may take their time. What a result
     * says in numbers and in texts stays. */
    vx_result kept = *ended, *result = &kept;
    vx_job_release(live->job);
    if (live->feed != NULL)
        vx_feed_end(live->feed, kept.error.status == VX_OK || kept.error.status == VX_ERR_VERIFY);
    vx_server *s = live->server;
    vx_entry *e = live->entry;
    char id[VX_ENTRY_ID];
    snprintf(id, sizeof id, "%s", e->id);
    if (live->left && strcmp(result->outcome, "cancelled") == 0) {
        free_live(live);
        vx_http_wake_waiting(s, id);
        return;
    }
    vx_work_settle(live, result);
    bool removed = live->removed;
    free_live(live);
    if (removed)
        vx_journal_remove(s->journal, e);
    else
        vx_events_add(&s->events, "result", e->id, e->owner, vx_slot_json(s, e, true), true);
    vx_events_add(&s->events, "queue", "", "",
                  json_pack("{s:i, s:i}", "waiting", vx_work_count(s, NULL, false), "running",
                            vx_work_count(s, NULL, true)),
                  false);
    vx_http_wake_waiting(s, id);
    vx_http_wake_streams(s);
}

/* ---- while it runs --------------------------------------------------------------------------- */

static void tell_running(vx_live *live)
{
    vx_error err = {0};
    live->told_running = true;
    live->entry->state = VX_ENTRY_RUNNING;
    live->entry->started_s = vx_epoch_s();
    if (vx_journal_keep(live->server->journal, live->entry, NULL, &err) != VX_OK)
        vx_log(VX_LOG_WARN, "job %s: %s", live->entry->id, err.message);
    tell_state(live);
}

static void tell_speech(vx_live *live)
{
    vx_server *s = live->server;
    pthread_mutex_lock(&live->lock);
    json_t *speech = live->speech;
    live->speech = NULL;
    pthread_mutex_unlock(&live->lock);
    if (speech == NULL) return;
    vx_events_add(&s->events, "speech", live->entry->id, live->entry->owner, speech, false);
    vx_http_wake_streams(s);
}

static void tell_moved(vx_live *live, double now_s)
{
    vx_server *s = live->server;
    if (now_s - live->told_s < TELL_S) return;
    pthread_mutex_lock(&live->lock);
    bool moved = live->moved;
    live->moved = false;
    json_t *data = moved ? json_pack("{s:s, s:s, s:f}", "id", live->entry->id, "stage", live->stage,
                                     "progress", live->share)
                         : NULL;
    pthread_mutex_unlock(&live->lock);
    if (data == NULL) return;
    live->told_s = now_s;
    vx_events_add(&s->events, "stage", live->entry->id, live->entry->owner, data, false);
    vx_http_wake_streams(s);
}

/* A job of the last server goes to the engine as soon as there is a place. */
static void try_again(vx_live *live)
{
    vx_error err = {0};
    if (submit(live, &err) == VX_OK || strcmp(err.code, "busy") == 0) return;
    vx_result refused = {.outcome = err.status == VX_ERR_INPUT ? "bad_recipe" : "device_error",
                         .error = err};
    finish(live, &refused);
}

void vx_work_look(vx_server *s, double now_s)
{
    for (vx_live *live = s->live, *next; live != NULL; live = next) {
        next = live->next;
        if (live->detach_at_s > 0 && now_s >= live->detach_at_s) {
            live->detach_at_s = 0;
            vx_work_cancel(live);
        }
        if (live->job == NULL) {
            if (s->vortex != NULL) try_again(live);
            continue;
        }
        vx_state state = vx_job_poll(live->job);
        if (state == VX_RUNNING && !live->told_running) tell_running(live);
        tell_speech(live);
        if (state == VX_RUNNING) tell_moved(live, now_s);
        if (state != VX_ENDED) continue;
        const vx_result *result = vx_job_result(live->job);
        /* One that was over before anybody looked has begun all the same. */
        if (!live->told_running && result->stage_count > 0)
            live->entry->started_s = vx_epoch_s() - result->stages[result->stage_count - 1].end_s;
        finish(live, result);
    }
}

void vx_work_cancel(vx_live *live)
{
    if (live->job != NULL) {
        vx_job_cancel(live->job);
        return;
    }
    vx_result cancelled = {.outcome = "cancelled"};
    vx_fail(&cancelled.error, VX_ERR_CANCELLED, "cancelled",
            "the job was cancelled before it began");
    finish(live, &cancelled);
}

void vx_work_cancel_all(vx_server *s)
{
    for (vx_live *live = s->live, *next; live != NULL; live = next) {
        next = live->next;
        vx_work_cancel(live);
    }
}

void vx_work_leave(vx_server *s)
{
    for (vx_live *live = s->live, *next; live != NULL; live = next) {
        next = live->next;
        if (live->told_running || live->removed) continue;
        live->left = true;
        vx_work_cancel(live);
    }
}

/* ---- questions ------------------------------------------------------------------------------- */

vx_live *vx_work_of(const vx_server *s, const vx_entry *entry)
{
    (void)s;
    return entry->user;
}

int vx_work_count(const vx_server *s, const char *client, bool running)
{
    int count = 0;
    for (const vx_live *live = s->live; live != NULL; live = live->next)
        count +=
            live->told_running == running && (client == NULL || strcmp(live->client, client) == 0);
    return count;
}

int vx_work_position(const vx_server *s, const vx_live *live, double *ahead_s)
{
    *ahead_s = -1;
    if (live->job != NULL) return vx_job_position(live->job, ahead_s);
    /* Of a former server's jobs: behind those that the engine holds. */
    int position = 1;
    for (const vx_live *other = s->live; other != live; other = other->next)
        position += !other->told_running;
    return position;
}

double vx_work_progress(vx_live *live)
{
    const vx_server *s = live->server;
    double sum = 0, done = 0;
    pthread_mutex_lock(&live->lock);
    for (int i = 0; i < s->usual_count; i++) {
        double share = 0;
        for (int k = 0; k < live->stage_count; k++)
            if (strcmp(live->stages[k].name, s->usual[i].name) == 0) share = live->stages[k].share;
        sum += s->usual[i].s;
        done += s->usual[i].s * share;
    }
    /* Before any job has ended nothing is known but the stage. */
    if (sum <= 0 && live->stage_count > 0) {
        sum = 4;
        done = live->stage_count - 1 + live->share;
    }
    pthread_mutex_unlock(&live->lock);
    return sum > 0 && done < sum ? done / sum : sum > 0 ? 1 : 0;
}
