/* What the server counts, in Prometheus' text format: histograms with fixed bounds, which add up
 * over machines. No label holds a path, a key or a text. One thread. */
#ifndef VX_SERVER_METRICS_H
#define VX_SERVER_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "base/histogram.h"

enum { VX_METRIC_ROUTES = 40, VX_METRIC_KEYS = 256 };

/* A counter for a set of labels: 'route="…",method="GET",code="200"'. */
typedef struct vx_counter {
    const char *family;
    char labels[120];
    int64_t value;
} vx_counter;

typedef struct vx_http_metrics {
    vx_counter counter[VX_METRIC_KEYS]; /* what comes when it is full is not counted */
    int counters;
    struct {
        const char *family, *label;
        char value[48];
        vx_buckets buckets;
    } hist[VX_METRIC_ROUTES + 24];
    int hists;
    int64_t bytes_in, bytes_out, in_flight, frames, evicted;
    double film_s;
} vx_http_metrics;

void vx_count(vx_http_metrics *metrics, const char *family, const char *labels);
/* `label` and `family` are words that stay. */
void vx_observe_s(vx_http_metrics *metrics, const char *family, const char *label,
                  const char *value, double seconds);
/* Families with HELP and TYPE. */
void vx_http_metrics_write(const vx_http_metrics *metrics, FILE *out);

#endif
