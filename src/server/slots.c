#include "server/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/feed.h"
#include "server/wish.h"

enum { TICKET_S = 600, LIST_MAX = 100, BEAT_S = 15 };

/* ---- a job as JSON --------------------------------------------------------------------------- */

static json_t *time_or_null(double s)
{
    return s > 0 ? json_real(s) : json_null();
}

static json_t *links_json(const vx_server *s, const vx_entry *e, const json_t *files)
{
    char url[256];
    json_t *links = json_object();
    snprintf(url, sizeof url, "%s/api/v1/slots/%s", s->base, e->id);
    json_object_set_new(links, "self", json_string(url));
    snprintf(url, sizeof url, "%s/api/v1/slots/%s/events", s->base, e->id);
    json_object_set_new(links, "events", json_string(url));
    for (const vx_work_file *f = vx_work_files; f->link != NULL; f++) {
        if (json_is_string(json_object_get(links, f->link))) continue;
        snprintf(url, sizeof url, "%s/api/v1/slots/%s/%s", s->base, e->id, f->name);
        json_object_set_new(links, f->link,
                            json_object_get(files, f->name) != NULL ? json_string(url)
                                                                    : json_null());
    }
    return links;
}

static json_t *live_stages(vx_live *live)
{
    json_t *stages = json_array();
    pthread_mutex_lock(&live->lock);
    for (int i = 0; i < live->stage_count; i++)
        json_array_append_new(
            stages,
            json_pack("{s:s, s:f, s:o, s:f}", "name", live->stages[i].name, "start_s",
                      live->stages[i].start_s, "end_s",
                      live->stages[i].share >= 1 ? json_real(live->stages[i].end_s) : json_null(),
                      "progress", live->stages[i].share));
    pthread_mutex_unlock(&live->lock);
    return stages;
}

/* What is known while it has not ended. */
static void set_live(vx_server *s, json_t *json, vx_live *live)
{
    double ahead_s;
    int position = vx_work_position(s, live, &ahead_s);
    json_object_set_new(json, "queue",
                        json_pack("{s:i, s:o}", "position", position, "ahead_s",
                                  ahead_s >= 0 ? json_real(ahead_s) : json_null()));
    json_object_set_new(json, "progress", json_real(vx_work_progress(live)));
    json_object_set_new(json, "stages", live_stages(live));
    pthread_mutex_lock(&live->lock);
    const char *mime = live->job != NULL ? vx_job_mime(live->job) : NULL;
    char url[256];
    snprintf(url, sizeof url, "%s/api/v1/slots/%s/%s?live=1", s->base, live->entry->id,
             live->mkv ? "film.mkv" : "film.mp4");
    json_object_set_new(json, "live", json_pack("{s:s, s:s?}", "url", url, "mime", mime));
    if (live->stage[0] != '\0') json_object_set_new(json, "stage", json_string(live->stage));
    pthread_mutex_unlock(&live->lock);
}

static json_t *report_of(vx_server *s, const vx_entry *e)
{
    vx_path path;
    json_t *report = NULL;
    if (vx_journal_path(s->journal, e, "report.json", &path))
        report = json_load_file(path.text, 0, NULL);
    return report != NULL ? report : json_null();
}

static json_t *or_null(const json_t *document, const char *key)
{
    json_t *value = json_object_get(document, key);
    return value != NULL ? json_incref(value) : json_null();
}

json_t *vx_slot_json(vx_server *s, const vx_entry *e, bool whole)
{
    char status[16];
    json_t *document = NULL;
    vx_error err = {0};
    vx_live *live = vx_work_of(s, e);
    bool ended = e->state >= VX_ENTRY_COMPLETED;
    (void)vx_journal_document(s->journal, e, &document, &err);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:o, s:f, s:o, s:o, s:o, s:n, s:n, s:f, s:o, s:o, s:o, s:o, s:o, s:o}",
        "id", e->id, "kind", e->kind, "status",
        vx_choice_name(VX_ENTRY_STATE_NAMES, (int)e->state, status, sizeof status), "outcome",
        e->outcome[0] != '\0' ? json_string(e->outcome) : json_null(), "created_at", e->created_s,
        "started_at", time_or_null(e->started_s), "ended_at", time_or_null(e->ended_s),
        "expires_at", time_or_null(ended ? e->ended_s + (double)s->serve->keep_seconds : 0),
        "queue", "stage", "progress", e->state == VX_ENTRY_COMPLETED ? 1.0 : 0.0, "stages",
        or_null(document, "stages"), "recipe", or_null(document, "recipe"), "recipe_sha256",
        or_null(document, "recipe_sha256"), "seed", or_null(document, "seed"), "error",
        or_null(document, "error"), "links", links_json(s, e, json_object_get(document, "files")));
    json_object_set_new(json, "report", whole && ended ? report_of(s, e) : json_null());
    if (live != NULL && !ended) set_live(s, json, live);
    json_decref(document);
    return json;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Whether the client may know of a job. */
static bool is_theirs(const vx_request *r, const vx_entry *e)
{
    const vx_live *live = e->user;
    return strcmp(e->owner, r->owner) == 0 && (live == NULL || !live->removed);
}

static vx_status find(vx_request *r, vx_entry **entry, vx_error *err)
{
    *entry = vx_journal_find(r->server->journal, r->id);
    if (*entry != NULL && (*entry)->kept && is_theirs(r, *entry)) return VX_OK;
    if (vx_journal_forgot(r->server->journal, r->id))
        return vx_fail(err, VX_ERR_MISSING, "expired",
                       "this job's results are gone: serve.keep_seconds, keep_bytes and keep_count "
                       "say how long they stay");
    return vx_fail(err, VX_ERR_MISSING, "job_not_found", "there is no such job");
}

/* ---- making ---------------------------------------------------------------------------------- */

double vx_slots_wait_s(const vx_server *s)
{
    double usual = s->film_s > 0 ? s->film_s : 5;
    int waiting = vx_work_count(s, NULL, false);
    return waiting > 0 ? usual : 1;
}

static vx_status reply_job(vx_request *r, int http, const vx_entry *e)
{
    char url[256];
    VX_TRY(vx_reply_json(r, http, vx_slot_json(r->server, e, true)));
    snprintf(url, sizeof url, "%s/api/v1/slots/%s", r->server->base, e->id);
    if (http == 202) vx_reply_header(r, "Location", url);
    vx_reply_header(r, "vortex-slot", e->id);
    return VX_OK;
}

static vx_status get_key(vx_request *r, const char **key, vx_error *err)
{
    *key = vx_request_header(r, "Idempotency-Key");
    if (*key == NULL) return VX_OK;
    size_t length = strlen(*key);
    for (const char *c = *key; *c != '\0'; c++)
        if (*c < ' ' || *c > '~') length = 0;
    if (length > 0 && length < VX_ENTRY_KEY) return VX_OK;
    return vx_fail(err, VX_ERR_INPUT, "bad_request",
                   "Idempotency-Key must have 1 to 128 printable characters");
}

/* The film of the job that a request waited for, or why there is none. */
static vx_status answer_film(vx_request *r, vx_error *err)
{
    vx_path path;
    char seconds[32];
    json_t *document;
    vx_server *s = r->server;
    vx_entry *e = vx_journal_find(s->journal, r->job);
    r->waits = false;
    if (e == NULL) return vx_fail(err, VX_ERR_CANCELLED, "cancelled", "the job was removed");
    if (e->state == VX_ENTRY_QUEUED)
        return vx_fail(err, VX_ERR_DEADLINE, "draining",
                       "the server is about to stop; the job waits for the next one");
    VX_TRY(vx_journal_document(s->journal, e, &document, err));
    if (e->state != VX_ENTRY_COMPLETED) {
        const json_t *error = json_object_get(document, "error");
        const char *code = json_string_value(json_object_get(error, "code"));
        const char *message = json_string_value(json_object_get(error, "message"));
        vx_fail(err, e->state == VX_ENTRY_CANCELLED ? VX_ERR_CANCELLED : VX_ERR_INTERNAL,
                code != NULL ? code : e->outcome, "%s",
                message != NULL ? message : "the job has failed");
        if (strcmp(e->outcome, "bad_recipe") == 0) err->status = VX_ERR_INPUT;
        json_decref(document);
        return err->status;
    }
    bool mkv = json_is_true(json_object_get(document, "mkv"));
    const char *name = mkv ? "film.mkv" : "film.mp4";
    const char *etag = json_string_value(
        json_object_get(json_object_get(json_object_get(document, "files"), name), "sha256"));
    vx_status status = vx_journal_path(s->journal, e, name, &path) ? VX_OK : VX_ERR_INTERNAL;
    if (status == VX_OK)
        status = vx_reply_file(r, path.text, mkv ? "video/x-matroska" : "video/mp4", etag, err);
    json_decref(document);
    VX_TRY(status);
    snprintf(seconds, sizeof seconds, "%.3f", e->ended_s - e->created_s);
    vx_reply_header(r, "vortex-slot", e->id);
    vx_reply_header(r, "vortex-seconds", seconds);
    return VX_OK;
}

/* A film while it is made: the answer begins with its first bytes. */
static vx_status answer_live(vx_request *r, vx_live *live)
{
    const char *mime = live->job != NULL ? vx_job_mime(live->job) : NULL;
    if (r->feed == NULL) r->feed = vx_feed_hold(live->feed);
    if (atomic_load(&r->feed->written) == 0 || mime == NULL) {
        vx_request_sleep(r);
        return VX_OK;
    }
    VX_TRY(vx_reply_feed(r, mime));
    vx_reply_header(r, "vortex-slot", live->entry->id);
    return VX_OK;
}

/* Answers with a job: at once, or with its film when it has ended. */
static vx_status answer_job(vx_request *r, int http, vx_entry *e, vx_error *err)
{
    vx_live *live = vx_work_of(r->server, e);
    snprintf(r->job, sizeof r->job, "%s", e->id);
    if (!vx_request_flag(r, "wait")) return reply_job(r, http, e);
    if (live == NULL) return answer_film(r, err);
    live->detach_at_s = 0;
    r->waits = true;
    if (vx_request_flag(r, "live")) return answer_live(r, live);
    vx_request_sleep(r);
    return VX_OK;
}

vx_status vx_slots_post(vx_request *r, vx_error *err)
{
    vx_server *s = r->server;
    const char *key;
    vx_wish wish;
    vx_live *live;
    if (r->waits) { /* woken */
        vx_entry *e = vx_journal_find(s->journal, r->job);
        if (e == NULL || e->user == NULL) return answer_film(r, err);
        if (vx_request_flag(r, "live")) return answer_live(r, e->user);
        vx_request_sleep(r);
        return VX_OK;
    }
    VX_TRY(vx_work_open(s, err));
    VX_TRY(get_key(r, &key, err));
    VX_TRY(vx_wish_of(r, &wish, err));
    vx_entry *before = key != NULL ? vx_journal_by_key(s->journal, r->owner, key) : NULL;
    if (before != NULL && is_theirs(r, before)) {
        bool same = strcmp(before->key_sha256, wish.sha256) == 0;
        vx_wish_free(&wish);
        if (!same)
            return vx_fail(err, VX_ERR_USAGE, "idempotency_conflict",
                           "another request came with this Idempotency-Key; use a new one");
        VX_TRY(answer_job(r, 200, before, err));
        vx_reply_header(r, "vortex-replayed", "true");
        return VX_OK;
    }
    vx_status status =
        vx_work_take(s, &wish, r->owner, r->client, key != NULL ? key : "", &live, err);
    vx_wish_free(&wish);
    VX_TRY(status);
    r->made = key == NULL;
    return answer_job(r, 202, live->entry, err);
}

static bool others_wait(const vx_request *r)
{
    for (const vx_conn *conn = r->server->conns; conn != NULL; conn = conn->next)
        if (conn->request != NULL && conn->request != r && conn->request->waits &&
            strcmp(conn->request->job, r->job) == 0)
            return true;
    return false;
}

void vx_slots_request_ended(vx_request *r, bool whole)
{
    vx_server *s = r->server;
    /* A client that has not got its answer asks again and doesn't know of this job. */
    if (whole || !(r->waits || r->made) || r->job[0] == '\0') return;
    vx_entry *e = vx_journal_find(s->journal, r->job);
    vx_live *live = e != NULL ? e->user : NULL;
    if (live == NULL || others_wait(r)) return;
    if (r->waits && s->serve->detach_grace_ms > 0)
        live->detach_at_s = vx_now_s() + (double)s->serve->detach_grace_ms * 1e-3;
    else
        vx_work_cancel(live);
}

/* ---- the rest -------------------------------------------------------------------------------- */

vx_status vx_slots_get(vx_request *r, vx_error *err)
{
    vx_entry *e;
    VX_TRY(find(r, &e, err));
    return vx_reply_json(r, 200, vx_slot_json(r->server, e, true));
}

vx_status vx_slots_cancel(vx_request *r, vx_error *err)
{
    vx_entry *e;
    VX_TRY(find(r, &e, err));
    if (e->user != NULL) vx_work_cancel(e->user);
    /* One that waited in the server alone has ended by that; its entry is still the same. */
    return vx_reply_json(r, 200, vx_slot_json(r->server, e, true));
}

vx_status vx_slots_delete(vx_request *r, vx_error *err)
{
    vx_entry *e;
    VX_TRY(find(r, &e, err));
    json_t *json = json_pack("{s:s, s:b}", "id", e->id, "deleted", 1);
    vx_live *live = e->user;
    if (live != NULL) {
        live->removed = true;
        vx_work_cancel(live);
    } else {
        vx_journal_remove(r->server->journal, e);
    }
    return vx_reply_json(r, 200, json);
}

static vx_status list_limit(vx_request *r, int *limit, vx_error *err)
{
    const char *text = vx_uri_query(&r->uri, "limit");
    *limit = 20;
    if (text == NULL) return VX_OK;
    if (strspn(text, "0123456789") == strlen(text) && strlen(text) > 0 && strlen(text) < 4)
        *limit = atoi(text);
    else
        *limit = 0;
    if (*limit >= 1 && *limit <= LIST_MAX) return VX_OK;
    r->param = "limit";
    return vx_fail(err, VX_ERR_INPUT, "bad_request", "limit must be 1 to %d", LIST_MAX);
}

vx_status vx_slots_list(vx_request *r, vx_error *err)
{
    vx_journal *j = r->server->journal;
    const char *order = vx_uri_query(&r->uri, "order"), *after = vx_uri_query(&r->uri, "after");
    const char *status = vx_uri_query(&r->uri, "status");
    int limit, wanted = status != NULL
                            ? vx_choice_index(VX_ENTRY_STATE_NAMES, status, strlen(status))
                            : -1;
    VX_TRY(list_limit(r, &limit, err));
    bool up = order != NULL && strcmp(order, "asc") == 0;
    if (order != NULL && !up && strcmp(order, "desc") != 0)
        return vx_fail(err, VX_ERR_INPUT, "bad_request", "order must be asc or desc");
    if (status != NULL && wanted < 0)
        return vx_fail(err, VX_ERR_INPUT, "bad_request", "status must be one of %s",
                       VX_ENTRY_STATE_NAMES);
    json_t *data = json_array();
    bool more = false;
    for (vx_entry *e = up ? vx_journal_oldest(j) : vx_journal_newest(j); e != NULL;
         e = up ? e->newer : e->older) {
        /* IDs sort by age, so one that is gone still says where to go on. */
        if (after != NULL && (up ? strcmp(e->id, after) <= 0 : strcmp(e->id, after) >= 0)) continue;
        if (!e->kept || !is_theirs(r, e) || (status != NULL && (int)e->state != wanted)) continue;
        more = (int)json_array_size(data) == limit;
        if (more) break;
        json_array_append_new(data, vx_slot_json(r->server, e, false));
    }
    size_t count = json_array_size(data);
    return vx_reply_json(
        r, 200,
        json_pack("{s:s, s:O?, s:O?, s:b, s:o}", "object", "list", "first_id",
                  count > 0 ? json_object_get(json_array_get(data, 0), "id") : NULL, "last_id",
                  count > 0 ? json_object_get(json_array_get(data, count - 1), "id") : NULL,
                  "has_more", more, "data", data));
}

vx_status vx_slots_file(vx_request *r, vx_error *err)
{
    vx_entry *e;
    vx_path path;
    json_t *document;
    const vx_work_file *f = vx_work_files;
    VX_TRY(find(r, &e, err));
    while (f->link != NULL && strcmp(f->name, r->name) != 0)
        f++;
    if (f->link == NULL)
        return vx_fail(err, VX_ERR_MISSING, "not_found", "a job has no file of this name");
    if (e->user != NULL && strcmp(f->link, "film") == 0 && vx_request_flag(r, "live"))
        return answer_live(r, e->user);
    if (e->state < VX_ENTRY_COMPLETED || !vx_journal_path(r->server->journal, e, f->name, &path))
        return vx_fail(err, VX_ERR_INPUT, "not_ready",
                       "the job has not ended; ask again when it has");
    VX_TRY(vx_journal_document(r->server->journal, e, &document, err));
    const json_t *file = json_object_get(json_object_get(document, "files"), f->name);
    vx_status status = vx_reply_file(r, path.text, f->type,
                                     json_string_value(json_object_get(file, "sha256")), err);
    json_decref(document);
    return status;
}

vx_status vx_tickets_post(vx_request *r, vx_error *err)
{
    json_t *json;
    vx_entry *e;
    char ticket[VX_TICKET];
    VX_TRY(vx_request_json(r, "id", &json, err));
    const char *id = json_string_value(json_object_get(json, "id"));
    r->id = id != NULL ? id : "";
    vx_status status = find(r, &e, err);
    if (status == VX_OK) {
        int64_t until_s = (int64_t)vx_epoch_s() + TICKET_S;
        vx_ticket_make(&r->server->keys, e->id, until_s, ticket);
        status = vx_reply_json(
            r, 200, json_pack("{s:s, s:I}", "ticket", ticket, "expires_at", (json_int_t)until_s));
    }
    r->id = NULL;
    json_decref(json);
    return status;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void say(vx_request *r, char *text)
{
    free(r->out);
    r->out = text;
    r->out_bytes = text != NULL ? strlen(text) : 0;
    r->out_at = 0;
    r->said_s = vx_now_s();
}

bool vx_stream_fill(vx_request *r)
{
    const vx_event *event = vx_events_next(&r->server->events, r->heard, r->job, r->owner);
    if (event != NULL) {
        r->heard = event->number;
        if (event->last && r->job[0] != '\0') r->stream_ends = true;
        say(r, strdup(event->text));
        return r->out != NULL;
    }
    if (vx_now_s() - r->said_s < BEAT_S) return false;
    say(r, strdup(": still here\n\n"));
    return r->out != NULL;
}

/* Begins where the client left, or with how things stand. */
static vx_status begin_stream(vx_request *r, vx_entry *e)
{
    vx_server *s = r->server;
    const char *last = vx_request_header(r, "Last-Event-ID");
    bool number = last != NULL && last[0] != '\0' && strspn(last, "0123456789") == strlen(last) &&
                  strlen(last) < 18;
    r->heard = s->events.count;
    if (number && vx_events_hold(&s->events, strtoll(last, NULL, 10))) {
        r->heard = strtoll(last, NULL, 10);
        bool told = e == NULL || vx_work_of(s, e) != NULL ||
                    vx_events_next(&s->events, r->heard, e->id, r->owner) != NULL;
        if (told) return vx_reply_stream(r);
    }
    char *text = NULL, *json = NULL;
    bool ended = e != NULL && e->state >= VX_ENTRY_COMPLETED;
    json_t *data = e != NULL ? vx_slot_json(s, e, ended)
                             : json_pack("{s:i, s:i}", "waiting", vx_work_count(s, NULL, false),
                                         "running", vx_work_count(s, NULL, true));
    json = json_dumps(data, JSON_COMPACT);
    json_decref(data);
    if (json == NULL || asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)r->heard,
                                 e == NULL ? "queue"
                                 : ended   ? "result"
                                           : "state",
                                 json) < 0)
        text = NULL;
    free(json);
    vx_status status = vx_reply_stream(r);
    say(r, text);
    r->stream_ends = ended;
    return status;
}

vx_status vx_slots_events(vx_request *r, vx_error *err)
{
    vx_entry *e;
    VX_TRY(find(r, &e, err));
    snprintf(r->job, sizeof r->job, "%s", e->id);
    return begin_stream(r, e);
}

vx_status vx_events_of_all(vx_request *r, vx_error *err)
{
    (void)err;
    return begin_stream(r, NULL);
}
