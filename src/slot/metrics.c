#include "slot/metrics.h"

#include <stdlib.h>
#include <string.h>

const char *const vx_outcome_names[VX_OUTCOMES] = {
    "done",       "memory_pressure", "deadline",     "timeout",  "cancelled",
    "bad_recipe", "verify_failed",   "device_error", "io_error", "busy"};

const char *const vx_kind_names[VX_KINDS] = {"film", "speech", "picture", "animation", "score"};

void vx_metrics_open(vx_metrics *m)
{
    *m = (vx_metrics){0};
    pthread_mutex_init(&m->lock, NULL);
}

void vx_metrics_close(vx_metrics *m)
{
    pthread_mutex_destroy(&m->lock);
}

void vx_metrics_stage(vx_metrics *m, int stage, const char *name, double seconds, double units)
{
    pthread_mutex_lock(&m->lock);
    vx_history *h = &m->history[stage];
    m->stage_name[stage] = name;
    vx_histogram_add(&m->stage[stage], seconds);
    vx_buckets_add(&m->stage_buckets[stage], seconds);
    if (units > 0) h->rate[h->count++ % VX_HISTORY] = seconds / units;
    pthread_mutex_unlock(&m->lock);
}

void vx_metrics_slot(vx_metrics *m, vx_kind kind, const char *outcome, double seconds)
{
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < VX_OUTCOMES; i++)
        if (strcmp(vx_outcome_names[i], outcome) == 0) m->outcome[kind][i]++;
    if (strcmp(outcome, "busy") != 0) {
        vx_histogram_add(&m->slot, seconds);
        vx_buckets_add(&m->job[kind], seconds);
    }
    pthread_mutex_unlock(&m->lock);
}

void vx_metrics_wait(vx_metrics *m, vx_kind kind, double seconds)
{
    pthread_mutex_lock(&m->lock);
    vx_buckets_add(&m->wait[kind], seconds);
    pthread_mutex_unlock(&m->lock);
}

void vx_metrics_retry(vx_metrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->retries++;
    pthread_mutex_unlock(&m->lock);
}

void vx_metrics_queue(vx_metrics *m, int waiting, int running)
{
    pthread_mutex_lock(&m->lock);
    m->waiting = waiting;
    m->running = running;
    pthread_mutex_unlock(&m->lock);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double vx_metrics_expect(vx_metrics *m, int stage, double units, double quantile)
{
    double sorted[VX_HISTORY];
    pthread_mutex_lock(&m->lock);
    const vx_history *h = &m->history[stage];
    int count = h->count < VX_HISTORY ? (int)h->count : VX_HISTORY;
    memcpy(sorted, h->rate, sizeof sorted);
    pthread_mutex_unlock(&m->lock);
    if (count == 0) return -1;
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return units * sorted[(int)(quantile * (count - 1) + 0.5)];
}

/* ---- text ----------------------------------------------------------------------------------- */

static void write_summary(FILE *out, const char *name, const char *label, const vx_histogram *h)
{
    static const double quantiles[] = {0.5, 0.95, 0.99};
    const char *comma = label[0] != '\0' ? "," : "";
    for (int i = 0; i < 3; i++)
        fprintf(out, "%s{%s%squantile=\"%g\"} %.6f\n", name, label, comma, quantiles[i],
                vx_histogram_quantile(h, quantiles[i]));
    fprintf(out, "%s_sum{%s} %.6f\n%s_count{%s} %lld\n", name, label, h->sum_s, name, label,
            (long long)h->count);
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_value(FILE *out, const char *name, const char *type, const char *help,
                        double value)
{
    write_head(out, name, type, help);
    fprintf(out, "%s %.17g\n", name, value);
}

static void write_memory(FILE *out, vx_monitor *monitor, const vx_plan *plan)
{
    vx_monitor_figures f = vx_monitor_read(monitor);
    write_head(out, "vortex_memory_planned_bytes", "gauge", "Planned memory by region.");
    for (int i = 0; i < plan->region_count; i++)
        fprintf(out, "vortex_memory_planned_bytes{component=\"%s\",region=\"%s\"} %zu\n",
                plan->region[i].component, plan->region[i].name, plan->region[i].bytes);
    write_value(out, "vortex_memory_used_bytes", "gauge", "Resident size at the last check.",
                (double)f.used_bytes);
    write_value(out, "vortex_memory_highest_bytes", "gauge", "Highest resident size of any check.",
                (double)f.highest_bytes);
    write_value(out, "vortex_memory_soft_events_total", "counter",
                "Times that the soft limit was passed.", (double)f.soft_events);
    write_value(out, "vortex_memory_hard_events_total", "counter",
                "Checks that ended a slot for memory.", (double)f.hard_events);
    write_value(out, "vortex_memory_leak_warnings_total", "counter",
                "Hundreds of slots over which memory rose.", (double)f.leaks);
}

static void write_buckets(FILE *out, const char *name, const char *label, const char *value,
                          const vx_buckets *b)
{
    if (b->count == 0) return;
    for (int i = 0; i < VX_BOUNDS; i++)
        fprintf(out, "%s_bucket{%s=\"%s\",le=\"%g\"} %lld\n", name, label, value, vx_bounds_s[i],
                (long long)b->below[i]);
    fprintf(out,
            "%s_bucket{%s=\"%s\",le=\"+Inf\"} %lld\n"
            "%s_sum{%s=\"%s\"} %.9g\n%s_count{%s=\"%s\"} %lld\n",
            name, label, value, (long long)b->count, name, label, value, b->sum_s, name, label,
            value, (long long)b->count);
}

static void write_jobs(const vx_metrics *m, FILE *out)
{
    write_head(out, "vortex_jobs_total", "counter", "Jobs that have ended.");
    for (int kind = 0; kind < VX_KINDS; kind++)
        for (int i = 0; i < VX_OUTCOMES; i++)
            if (m->outcome[kind][i] > 0)
                fprintf(out, "vortex_jobs_total{kind=\"%s\",outcome=\"%s\"} %lld\n",
                        vx_kind_names[kind], vx_outcome_names[i], (long long)m->outcome[kind][i]);
    write_head(out, "vortex_job_duration_seconds", "histogram",
               "From a job's beginning to its end.");
    for (int kind = 0; kind < VX_KINDS; kind++)
        write_buckets(out, "vortex_job_duration_seconds", "kind", vx_kind_names[kind],
                      &m->job[kind]);
    write_head(out, "vortex_job_wait_seconds", "histogram",
               "From a job's acceptance to its beginning.");
    for (int kind = 0; kind < VX_KINDS; kind++)
        write_buckets(out, "vortex_job_wait_seconds", "kind", vx_kind_names[kind], &m->wait[kind]);
    write_head(out, "vortex_stage_duration_seconds", "histogram",
               "Stages of jobs that have ended.");
    for (int i = 0; i < VX_METRIC_STAGES; i++) {
        /* A stage of one name may stand in two rows of the table. */
        vx_buckets sum = m->stage_buckets[i];
        bool told = m->stage_name[i] == NULL;
        for (int k = 0; k < i && !told; k++)
            told = m->stage_name[k] != NULL && strcmp(m->stage_name[k], m->stage_name[i]) == 0;
        for (int k = i + 1; k < VX_METRIC_STAGES && !told; k++)
            if (m->stage_name[k] != NULL && strcmp(m->stage_name[k], m->stage_name[i]) == 0)
                vx_buckets_sum(&sum, &m->stage_buckets[k]);
        if (!told)
            write_buckets(out, "vortex_stage_duration_seconds", "stage", m->stage_name[i], &sum);
    }
}

void vx_metrics_write(vx_metrics *shared, vx_monitor *monitor, const vx_engine *engine, FILE *out)
{
    pthread_mutex_lock(&shared->lock);
    vx_metrics m = *shared;
    pthread_mutex_unlock(&shared->lock);
    write_head(out, "vortex_stage_seconds", "summary",
               "Duration of a stage. Leaves: take vortex_stage_duration_seconds.");
    for (int i = 0; i < VX_METRIC_STAGES; i++) {
        char label[64];
        if (m.stage_name[i] == NULL) continue;
        snprintf(label, sizeof label, "stage=\"%s\"", m.stage_name[i]);
        write_summary(out, "vortex_stage_seconds", label, &m.stage[i]);
    }
    write_head(out, "vortex_slot_seconds", "summary",
               "Duration of a slot. Leaves: take vortex_job_duration_seconds.");
    write_summary(out, "vortex_slot_seconds", "", &m.slot);
    write_head(out, "vortex_slots_total", "counter", "Slots by outcome.");
    for (int i = 0; i < VX_OUTCOMES; i++) {
        int64_t sum = 0;
        for (int kind = 0; kind < VX_KINDS; kind++)
            sum += m.outcome[kind][i];
        fprintf(out, "vortex_slots_total{outcome=\"%s\"} %lld\n", vx_outcome_names[i],
                (long long)sum);
    }
    write_value(out, "vortex_stage_retries_total", "counter", "Stages that ran a second time.",
                (double)m.retries);
    write_value(out, "vortex_queue_waiting", "gauge", "Slots that wait.", m.waiting);
    write_value(out, "vortex_slots_running", "gauge", "Slots under way.", m.running);
    write_memory(out, monitor, vx_engine_planned(engine));
    vx_transfers copies = vx_engine_transfers(engine);
    write_head(out, "vortex_copies_total", "counter", "Copies between host and device.");
    fprintf(out,
            "vortex_copies_total{direction=\"upload\"} %lld\n"
            "vortex_copies_total{direction=\"download\"} %lld\n",
            (long long)copies.uploads, (long long)copies.downloads);
    write_jobs(&m, out);
}
