#include "server/metrics.h"

#include <string.h>

static const struct {
    const char *name, *type, *help;
} families[] = {
    {"vortex_http_requests_total", "counter", "Requests answered."},
    {"vortex_http_request_duration_seconds", "histogram",
     "From a request's first line to the end of its answer."},
    {"vortex_http_refused_total", "counter", "Requests refused, by the error's code."},
    {"vortex_speech_first_byte_seconds", "histogram",
     "From a request for speech to its first byte of sound."},
    {"vortex_speech_realtime_ratio", "histogram",
     "Seconds of work for a second of speech, of jobs that have ended."},
    {"vortex_disconnects_total", "counter", "Clients that left before their answer's end."},
};

void vx_count(vx_http_metrics *m, const char *family, const char *labels)
{
    for (int i = 0; i < m->counters; i++)
        if (strcmp(m->counter[i].family, family) == 0 &&
            strcmp(m->counter[i].labels, labels) == 0) {
            m->counter[i].value++;
            return;
        }
    if (m->counters == VX_METRIC_KEYS) return;
    vx_counter *c = &m->counter[m->counters++];
    c->family = family;
    snprintf(c->labels, sizeof c->labels, "%s", labels);
    c->value = 1;
}

void vx_observe_s(vx_http_metrics *m, const char *family, const char *label, const char *value,
                  double seconds)
{
    int at = 0;
    while (at < m->hists &&
           (strcmp(m->hist[at].family, family) != 0 || strcmp(m->hist[at].value, value) != 0))
        at++;
    if (at == (int)(sizeof m->hist / sizeof *m->hist)) return;
    if (at == m->hists) {
        m->hists++;
        m->hist[at].family = family;
        m->hist[at].label = label;
        snprintf(m->hist[at].value, sizeof m->hist[at].value, "%s", value);
    }
    vx_buckets_add(&m->hist[at].buckets, seconds);
}

static void write_hist(FILE *out, const char *family, const char *label, const char *value,
                       const vx_buckets *h)
{
    char own[80] = "";
    if (label[0] != '\0') snprintf(own, sizeof own, "%s=\"%s\"", label, value);
    const char *comma = own[0] != '\0' ? "," : "";
    for (int i = 0; i < VX_BOUNDS; i++)
        fprintf(out, "%s_bucket{%s%sle=\"%g\"} %lld\n", family, own, comma, vx_bounds_s[i],
                (long long)h->below[i]);
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", family, own, comma, (long long)h->count);
    const char *open = own[0] != '\0' ? "{" : "", *close = own[0] != '\0' ? "}" : "";
    fprintf(out, "%s_sum%s%s%s %.9g\n", family, open, own, close, h->sum_s);
    fprintf(out, "%s_count%s%s%s %lld\n", family, open, own, close, (long long)h->count);
}

static void write_family(const vx_http_metrics *m, const char *name, const char *type,
                         const char *help, FILE *out)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (int i = 0; i < m->counters; i++)
        if (strcmp(m->counter[i].family, name) == 0)
            fprintf(out, "%s{%s} %lld\n", name, m->counter[i].labels,
                    (long long)m->counter[i].value);
    for (int i = 0; i < m->hists; i++)
        if (strcmp(m->hist[i].family, name) == 0)
            write_hist(out, name, m->hist[i].label, m->hist[i].value, &m->hist[i].buckets);
}

void vx_http_metrics_write(const vx_http_metrics *m, FILE *out)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        write_family(m, families[i].name, families[i].type, families[i].help, out);
    fprintf(out,
            "# HELP vortex_http_in_flight Requests under way.\n"
            "# TYPE vortex_http_in_flight gauge\nvortex_http_in_flight %lld\n"
            "# HELP vortex_http_bytes_total Bytes of bodies received and of answers sent.\n"
            "# TYPE vortex_http_bytes_total counter\n"
            "vortex_http_bytes_total{direction=\"in\"} %lld\n"
            "vortex_http_bytes_total{direction=\"out\"} %lld\n",
            (long long)m->in_flight, (long long)m->bytes_in, (long long)m->bytes_out);
    fprintf(out,
            "# HELP vortex_film_frames_total Frames of films that were made.\n"
            "# TYPE vortex_film_frames_total counter\nvortex_film_frames_total %lld\n"
            "# HELP vortex_film_seconds_total Seconds of films that were made.\n"
            "# TYPE vortex_film_seconds_total counter\nvortex_film_seconds_total %.9g\n"
            "# HELP vortex_results_evicted_total Jobs forgotten to keep within the limits.\n"
            "# TYPE vortex_results_evicted_total counter\nvortex_results_evicted_total %lld\n",
            (long long)m->frames, m->film_s, (long long)m->evicted);
}
