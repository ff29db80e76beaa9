/* How a job ended: what of it goes to the disk, and the line that the log has of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "server/errors.h"
#include "server/server.h"

const vx_work_file vx_work_files[] = {
    {"film", "film.mp4", "video/mp4"},
    {"film", "film.mkv", "video/x-matroska"},
    {"sheet", "sheet.png", "image/png"},
    {"actor", "actor.png", "image/png"},
    {"audio", "audio.wav", "audio/wav"},
    {"timings", "timings.json", "application/json"},
    {"motion", "motion.csv", "text/csv; charset=utf-8"},
    {"vtt", "captions.vtt", "text/vtt; charset=utf-8"},
    {"srt", "captions.srt", "application/x-subrip; charset=utf-8"},
    {"report", "report.json", "application/json"},
    {NULL, NULL, NULL},
};

/* Names of the server's files in a report become names alone. */
static void strip_paths(json_t *json, const char *folder)
{
    const char *key;
    json_t *value;
    size_t index;
    const char *text = json_string_value(json);
    if (text != NULL && strncmp(text, folder, strlen(folder)) == 0)
        json_string_set(json, vx_path_base(text));
    json_object_foreach(json, key, value) strip_paths(value, folder);
    json_array_foreach(json, index, value) strip_paths(value, folder);
}

static void write_report(vx_live *live, json_t *report)
{
    vx_path path;
    vx_error err = {0};
    char *text = json_dumps(report, JSON_INDENT(1));
    if (text != NULL &&
        (!vx_journal_path(live->server->journal, live->entry, "report.json", &path) ||
         vx_file_write(path.text, text, strlen(text), &err) != VX_OK))
        vx_log(VX_LOG_WARN, "job %s: its report is lost: %s", live->entry->id, err.message);
    free(text);
}

static json_t *list_files(vx_live *live)
{
    json_t *files = json_object();
    for (const vx_work_file *f = vx_work_files; f->link != NULL; f++) {
        vx_path path;
        struct stat info;
        char hex[65];
        if (vx_journal_path(live->server->journal, live->entry, f->name, &path) &&
            stat(path.text, &info) == 0 && vx_sha256_file(path.text, hex, NULL) == VX_OK)
            json_object_set_new(
                files, f->name,
                json_pack("{s:I, s:s}", "bytes", (json_int_t)info.st_size, "sha256", hex));
    }
    return files;
}

static void learn_stage(vx_server *s, const char *name, double seconds)
{
    int at = 0;
    while (at < s->usual_count && strcmp(s->usual[at].name, name) != 0)
        at++;
    if (at == (int)(sizeof s->usual / sizeof *s->usual)) return;
    if (at == s->usual_count) {
        s->usual_count++;
        snprintf(s->usual[at].name, sizeof s->usual[at].name, "%s", name);
        s->usual[at].s = seconds;
    }
    s->usual[at].s += 0.3 * (seconds - s->usual[at].s);
}

static json_t *list_stages(vx_server *s, const vx_result *result)
{
    json_t *stages = json_array();
    for (int i = 0; i < result->stage_count; i++) {
        const vx_stage_time *t = &result->stages[i];
        json_array_append_new(stages, json_pack("{s:s, s:f, s:f, s:i}", "name", t->name, "start_s",
                                                t->start_s, "end_s", t->end_s, "progress", 1));
        learn_stage(s, t->name, t->end_s - t->start_s);
    }
    return stages;
}

static void count_end(vx_live *live, const vx_result *result)
{
    vx_server *s = live->server;
    const vx_entry *e = live->entry;
    if (e->state == VX_ENTRY_COMPLETED && e->started_s > 0) {
        double took_s = e->ended_s - e->started_s;
        s->film_s = s->film_s > 0 ? s->film_s + 0.3 * (took_s - s->film_s) : took_s;
    }
    s->metrics.frames += result->frames;
    if (result->fps > 0) s->metrics.film_s += (double)result->frames / result->fps;
}

/* One line a job. */
static void log_end(const vx_live *live, const vx_result *result, const json_t *report)
{
    const vx_entry *e = live->entry;
    char stages[160] = "", scores[64] = "";
    size_t used = 0;
    for (int i = 0; i < result->stage_count && used < sizeof stages; i++)
        used += (size_t)snprintf(stages + used, sizeof stages - used, ", %s %.2f s",
                                 result->stages[i].name,
                                 result->stages[i].end_s - result->stages[i].start_s);
    if (result->verified)
        snprintf(scores, sizeof scores, ", B %.3f, L %.3f", result->score_b, result->score_l);
    json_int_t peak = json_integer_value(
        json_object_get(json_object_get(report, "memory"), "measured_peak_bytes"));
    vx_log_always("job %s (%s): %s after %.2f s of waiting and %.2f s of work%s, peak %lld "
                  "MB%s",
                  e->id, e->kind, e->outcome,
                  (e->started_s > 0 ? e->started_s : e->ended_s) - e->created_s,
                  e->started_s > 0 ? e->ended_s - e->started_s : 0, stages,
                  (long long)peak / 1000000, scores);
}

static vx_entry_state state_of(const char *outcome)
{
    if (strcmp(outcome, "done") == 0 || strcmp(outcome, "verify_failed") == 0)
        return VX_ENTRY_COMPLETED;
    return strcmp(outcome, "cancelled") == 0 ? VX_ENTRY_CANCELLED : VX_ENTRY_FAILED;
}

/* Writes down how a job ended. `result` may be that of one that the engine would not take. */
void vx_work_settle(vx_live *live, const vx_result *result)
{
    vx_server *s = live->server;
    vx_entry *e = live->entry;
    vx_error err = {0};
    json_t *document = NULL, *report = NULL;
    e->state = state_of(result->outcome);
    e->ended_s = vx_epoch_s();
    snprintf(e->outcome, sizeof e->outcome, "%s", result->outcome);
    if (result->report != NULL) report = json_loads(result->report, 0, NULL);
    strip_paths(report, s->results);
    if (report != NULL) write_report(live, report);
    if (vx_journal_document(s->journal, e, &document, &err) == VX_OK) {
        json_object_set_new(document, "stages", list_stages(s, result));
        json_object_set_new(document, "files", list_files(live));
        json_object_set(document, "seed", json_object_get(report, "seed"));
        json_object_set(document, "recipe_sha256", json_object_get(report, "recipe_sha256"));
        if (result->error.status != VX_OK && result->error.status != VX_ERR_VERIFY) {
            json_t *error = vx_http_error_json(&result->error, NULL);
            json_object_set(document, "error", json_object_get(error, "error"));
            json_decref(error);
        }
    }
    if (document == NULL || vx_journal_keep(s->journal, e, document, &err) != VX_OK)
        vx_log(VX_LOG_ERROR, "job %s: how it ended is not on the disk: %s", e->id, err.message);
    count_end(live, result);
    log_end(live, result, report);
    json_decref(report);
}
