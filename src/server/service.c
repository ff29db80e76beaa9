#include "server/service.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

vx_status vx_service_health(vx_request *r, vx_error *err)
{
    (void)err;
    return vx_reply_json(r, 200, json_pack("{s:s}", "status", "ok"));
}

vx_status vx_service_ready(vx_request *r, vx_error *err)
{
    const vx_server *s = r->server;
    (void)err;
    const char *status = s->draining ? "draining" : s->vortex == NULL ? "loading" : "ready";
    return vx_reply_json(
        r, s->draining || s->vortex == NULL ? 503 : 200,
        json_pack("{s:s, s:f}", "status", status, "progress",
                  s->vortex != NULL ? 1.0 : atomic_load(&s->load_permille) / 1000.0));
}

vx_status vx_service_openapi(vx_request *r, vx_error *err)
{
    (void)err;
    return vx_reply_json(r, 200, vx_route_openapi());
}

vx_status vx_service_info(vx_request *r, vx_error *err)
{
    const vx_server *s = r->server;
    const vx_serve_settings *c = s->serve;
    (void)err;
    return vx_reply_json(
        r, 200,
        json_pack("{s:s, s:f, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "version", vx_version(),
                  "uptime_s", vx_now_s() - s->start_s, "limits", "body_bytes",
                  (json_int_t)c->body_bytes, "upload_bytes", (json_int_t)c->upload_bytes,
                  "script_chars", (json_int_t)c->script_chars, "speech_chars",
                  (json_int_t)c->speech_chars, "jobs_per_client", (json_int_t)c->jobs_per_client,
                  "jobs_per_minute", (json_int_t)c->jobs_per_minute));
}

vx_status vx_service_memory(vx_request *r, vx_error *err)
{
    (void)err;
    return vx_reply_json(r, 200, json_pack("{s:I}", "used_bytes", (json_int_t)vx_rss_bytes()));
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

vx_status vx_service_metrics(vx_request *r, vx_error *err)
{
    vx_server *s = r->server;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    (void)err;
    if (out == NULL) return VX_ERR_MEMORY;
    fprintf(out,
            "# HELP vortex_build_info What runs.\n# TYPE vortex_build_info gauge\n"
            "vortex_build_info{version=\"%s\"} 1\n",
            vx_version());
    fprintf(out,
            "# HELP vortex_jobs_waiting Jobs that wait.\n# TYPE vortex_jobs_waiting gauge\n"
            "vortex_jobs_waiting{kind=\"film\"} %d\n"
            "# HELP vortex_jobs_running Jobs under way.\n# TYPE vortex_jobs_running gauge\n"
            "vortex_jobs_running{kind=\"film\"} %d\n",
            vx_work_count(s, NULL, false), vx_work_count(s, NULL, true));
    vx_http_metrics_write(&s->metrics, out);
    write_process(s, out);
    char *engine = vx_metrics_text(s->vortex);
    if (engine != NULL) fputs(engine, out);
    vx_text_free(engine);
    if (fclose(out) != 0) {
        free(text);
        return VX_ERR_MEMORY;
    }
    return vx_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}
