#include "server/service.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/direct.h"
#include "server/wish.h"

vx_status vx_service_health(vx_request *r, vx_error *err)
{
    (void)err;
    return vx_reply_json(r, 200, json_pack("{s:s}", "status", "ok"));
}

vx_status vx_service_ready(vx_request *r, vx_error *err)
{
    const vx_server *s = r->server;
    (void)err;
    const char *status = s->draining ? "draining" : s->loading ? "loading" : "ready";
    return vx_reply_json(r, s->draining || s->loading ? 503 : 200,
                         json_pack("{s:s, s:f}", "status", status, "progress",
                                   !s->loading ? 1.0 : atomic_load(&s->load_permille) / 1000.0));
}

vx_status vx_service_openapi(vx_request *r, vx_error *err)
{
    (void)err;
    return vx_reply_json(r, 200, vx_route_openapi());
}

/* A document of the engine's, NULL while it is being loaded. */
static json_t *document_of(const vx_server *s, char *(*make)(vx_vortex *))
{
    char *text = s->loading ? NULL : make(s->vortex);
    json_t *json = text != NULL ? json_loads(text, 0, NULL) : NULL;
    vx_text_free(text);
    return json;
}

vx_status vx_service_info(vx_request *r, vx_error *err)
{
    const vx_server *s = r->server;
    const vx_serve_settings *c = s->serve;
    (void)err;
    json_t *info = document_of(s, vx_info_json);
    if (info == NULL) info = json_pack("{s:s}", "version", vx_version());
    json_object_set_new(info, "uptime_s", json_real(vx_now_s() - s->start_s));
    json_t *limits = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I}", "body_bytes", (json_int_t)c->body_bytes, "upload_bytes",
        (json_int_t)c->upload_bytes, "script_chars", (json_int_t)c->script_chars, "speech_chars",
        (json_int_t)c->speech_chars, "jobs_per_client", (json_int_t)c->jobs_per_client,
        "jobs_per_minute", (json_int_t)c->jobs_per_minute);
    json_t *known = json_object_get(info, "limits");
    if (known != NULL)
        json_object_update(known, limits);
    else
        json_object_set(info, "limits", limits);
    json_decref(limits);
    return vx_reply_json(r, 200, info);
}

static vx_status reply_document(vx_request *r, char *(*make)(vx_vortex *), vx_error *err)
{
    VX_TRY(vx_work_open(r->server, err));
    return vx_reply_json(r, 200, document_of(r->server, make));
}

vx_status vx_service_plan(vx_request *r, vx_error *err)
{
    return reply_document(r, vx_plan_json, err);
}

vx_status vx_service_voices(vx_request *r, vx_error *err)
{
    return reply_document(r, vx_voices_json, err);
}

vx_status vx_service_memory(vx_request *r, vx_error *err)
{
    vx_figures f;
    VX_TRY(vx_work_open(r->server, err));
    if (vx_figures_read(r->server->vortex, &f) != VX_OK)
        return vx_fail(err, VX_ERR_DEADLINE, "draining", "the engine closes");
    return vx_reply_json(r, 200,
                         json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "planned_bytes",
                                   (json_int_t)f.planned_bytes, "used_bytes",
                                   (json_int_t)f.used_bytes, "highest_bytes",
                                   (json_int_t)f.highest_bytes, "soft_bytes",
                                   (json_int_t)f.soft_bytes, "hard_bytes", (json_int_t)f.hard_bytes,
                                   "machine_free_bytes", (json_int_t)f.machine_free_bytes,
                                   "soft_events", (json_int_t)f.soft_events));
}

vx_status vx_service_check(vx_request *r, vx_error *err)
{
    vx_wish wish;
    char *text = NULL;
    VX_TRY(vx_work_open(r->server, err));
    VX_TRY(vx_wish_of(r, &wish, err));
    vx_submit_params params = {.kind = VX_FILM,
                               .text = wish.text,
                               .confined = true,
                               .image = wish.image,
                               .image_bytes = wish.image_bytes,
                               .path = wish.mkv ? "film.mkv" : "film.mp4"};
    vx_status status = vx_check(r->server->vortex, &params, &text, err);
    vx_wish_free(&wish);
    VX_TRY(status);
    json_t *said = json_loads(text != NULL ? text : "{}", 0, NULL);
    json_t *json =
        json_pack("{s:b, s:O?, s:O?, s:O?}", "ok", 1, "seconds_estimate",
                  json_object_get(said, "work_s"), "speech_s", json_object_get(said, "speech_s"),
                  "expanded_prompt", json_object_get(said, "expanded_prompt"));
    json_decref(said);
    vx_text_free(text);
    return vx_reply_json(r, 200, json);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static int open_fds(void)
{
    int count = -1; /* the folder's own */
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;)
        count += d->d_name[0] != '.';
    if (dir != NULL) closedir(dir);
    return count;
}

static void write_gauge(FILE *out, const char *name, const char *type, const char *help,
                        double value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

static void write_process(const vx_server *s, FILE *out)
{
    struct rusage usage = {0};
    int64_t count, bytes;
    getrusage(RUSAGE_SELF, &usage);
    vx_journal_sums(s->journal, &count, &bytes);
    write_gauge(out, "vortex_results_files", "gauge", "Ended jobs that are kept.", (double)count);
    write_gauge(out, "vortex_results_bytes", "gauge", "Bytes of their files.", (double)bytes);
    write_gauge(out, "process_start_time_seconds", "gauge", "When the process began, UTC.",
                vx_epoch_s() - (vx_now_s() - s->start_s));
    write_gauge(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
                (double)vx_rss_bytes());
    write_gauge(out, "process_cpu_seconds_total", "counter", "Processor time.",
                (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                    1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    write_gauge(out, "process_open_fds", "gauge", "Open descriptors.", open_fds());
}

/* A label's value; what would end it is left out. */
static void write_label(FILE *out, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    fprintf(out, ",%s=\"", name);
    for (; text != NULL && *text != '\0'; text++)
        if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ') fputc(*text, out);
    fputc('"', out);
}

static void write_build(const vx_server *s, FILE *out)
{
    json_t *info = document_of(s, vx_info_json);
    const json_t *pack = json_object_get(info, "pack");
    fprintf(out,
            "# HELP vortex_build_info What runs.\n# TYPE vortex_build_info gauge\n"
            "vortex_build_info{version=\"%s\"",
            vx_version());
    write_label(out, "pack", json_object_get(pack, "name"));
    write_label(out, "pack_sha256", json_object_get(pack, "sha256"));
    write_label(out, "device", json_object_get(info, "device"));
    fputs("} 1\n", out);
    json_decref(info);
}

static void write_jobs(const vx_server *s, FILE *out)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {
        {"film", VX_FILM}, {"speech", VX_SPEECH}, {"picture", VX_PICTURE}, {"score", VX_SCORE}};
    for (int running = 0; running < 2; running++) {
        const char *what = running ? "running" : "waiting";
        fprintf(out, "# HELP vortex_jobs_%s Jobs that are %s.\n# TYPE vortex_jobs_%s gauge\n", what,
                what, what);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            fprintf(out, "vortex_jobs_%s{kind=\"%s\"} %d\n", what, kinds[i].name,
                    kinds[i].kind == VX_FILM ? vx_work_count(s, NULL, running)
                                             : vx_direct_count(s, NULL, kinds[i].kind,
                                                               running ? VX_RUNNING : VX_QUEUED));
    }
}

vx_status vx_service_metrics(vx_request *r, vx_error *err)
{
    vx_server *s = r->server;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    (void)err;
    if (out == NULL) return VX_ERR_MEMORY;
    write_build(s, out);
    write_jobs(s, out);
    vx_http_metrics_write(&s->metrics, out);
    write_process(s, out);
    char *engine = s->loading ? NULL : vx_metrics_text(s->vortex);
    if (engine != NULL) fputs(engine, out);
    vx_text_free(engine);
    if (fclose(out) != 0) {
        free(text);
        return VX_ERR_MEMORY;
    }
    return vx_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}
