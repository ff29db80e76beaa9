#include "slot/metrics.h"

#include <stdlib.h>
#include <string.h>

const char *const vx_outcome_names[VX_OUTCOMES] = {
    "done",       "memory_pressure", "deadline",     "timeout",  "cancelled",
    "bad_recipe", "verify_failed",   "device_error", "io_error", "busy"};

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
    if (units > 0) h->rate[h->count++ % VX_HISTORY] = seconds / units;
    pthread_mutex_unlock(&m->lock);
}

void vx_metrics_slot(vx_metrics *m, const char *outcome, double seconds)
{
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < VX_OUTCOMES; i++)
        if (strcmp(vx_outcome_names[i], outcome) == 0) m->outcome[i]++;
    if (strcmp(outcome, "busy") != 0) vx_histogram_add(&m->slot, seconds);
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

void vx_metrics_write(vx_metrics *shared, vx_monitor *monitor, const vx_engine *engine, FILE *out)
{
    pthread_mutex_lock(&shared->lock);
    vx_metrics m = *shared;
    pthread_mutex_unlock(&shared->lock);
    write_head(out, "vortex_stage_seconds", "summary", "Duration of a stage.");
    for (int i = 0; i < VX_METRIC_STAGES; i++) {
        char label[64];
        if (m.stage_name[i] == NULL) continue;
        snprintf(label, sizeof label, "stage=\"%s\"", m.stage_name[i]);
        write_summary(out, "vortex_stage_seconds", label, &m.stage[i]);
    }
    write_head(out, "vortex_slot_seconds", "summary", "Duration of a slot.");
    write_summary(out, "vortex_slot_seconds", "", &m.slot);
    write_head(out, "vortex_slots_total", "counter", "Slots by outcome.");
    for (int i = 0; i < VX_OUTCOMES; i++)
        fprintf(out, "vortex_slots_total{outcome=\"%s\"} %lld\n", vx_outcome_names[i],
                (long long)m.outcome[i]);
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
}
