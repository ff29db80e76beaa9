/* What has been: durations per stage and slot, outcomes, and from them what to expect.
 *
 * A stage's duration depends on its work, so histories keep seconds per unit of work (stage.h: the
 * unit of each stage), of the last 32 runs; a change of the machine's mood is forgotten after as
 * many slots. Thread-safe. */
#ifndef VX_SLOT_METRICS_H
#define VX_SLOT_METRICS_H

#include <pthread.h>
#include <stdio.h>

#include <vortex/vortex.h>

#include "base/histogram.h"
#include "engine/engine.h"
#include "engine/monitor.h"

enum { VX_METRIC_STAGES = 8, VX_HISTORY = 32, VX_OUTCOMES = 10 };

/* done memory_pressure deadline timeout cancelled bad_recipe verify_failed
 * device_error io_error busy */
extern const char *const vx_outcome_names[VX_OUTCOMES];

/* film speech picture animation score, by vx_kind */
extern const char *const vx_kind_names[VX_KINDS];

typedef struct vx_history {
    double rate[VX_HISTORY]; /* seconds per unit */
    int64_t count;           /* of all runs; the latest is at (count - 1) % VX_HISTORY */
} vx_history;

typedef struct vx_metrics {
    pthread_mutex_t lock; /* guards all below */
    const char *stage_name[VX_METRIC_STAGES];
    vx_histogram stage[VX_METRIC_STAGES], slot;
    vx_history history[VX_METRIC_STAGES];
    vx_buckets stage_buckets[VX_METRIC_STAGES], job[VX_KINDS], wait[VX_KINDS];
    int64_t outcome[VX_KINDS][VX_OUTCOMES], retries;
    int waiting, running;
} vx_metrics;

void vx_metrics_open(vx_metrics *metrics);
void vx_metrics_close(vx_metrics *metrics);

/* `stage` is the row of vx_stages. */
void vx_metrics_stage(vx_metrics *metrics, int stage, const char *name, double seconds,
                      double units);
void vx_metrics_slot(vx_metrics *metrics, vx_kind kind, const char *outcome, double seconds);
/* How long a job waited that begins now. */
void vx_metrics_wait(vx_metrics *metrics, vx_kind kind, double seconds);
void vx_metrics_retry(vx_metrics *metrics);
void vx_metrics_queue(vx_metrics *metrics, int waiting, int running);

/* Seconds that `units` of a stage should take by a quantile of its history;
 * negative without history. */
double vx_metrics_expect(vx_metrics *metrics, int stage, double units, double quantile);

/* Prometheus' text format: stage and slot durations as summaries, outcomes,
 * queue, memory by region. */
void vx_metrics_write(vx_metrics *metrics, vx_monitor *monitor, const vx_engine *engine, FILE *out);

#endif
