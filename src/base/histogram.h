/* Latency histogram: fixed buckets, no allocation, percentiles within 5 %.
 * Buckets grow by a factor of 1.1 from 1 ms, so 200 of them reach past 5 hours. */
#ifndef VX_BASE_HISTOGRAM_H
#define VX_BASE_HISTOGRAM_H

#include <stdint.h>

enum { VX_HISTOGRAM_BUCKETS = 200 };

typedef struct vx_histogram {
    int64_t count;
    double sum_s, max_s;
    int64_t bucket[VX_HISTOGRAM_BUCKETS];
} vx_histogram;

/* Counts below fixed bounds, the same on every machine, so that those of several add up. */
enum { VX_BOUNDS = 15 };
extern const double vx_bounds_s[VX_BOUNDS];

typedef struct vx_buckets {
    int64_t count;
    double sum_s;
    int64_t below[VX_BOUNDS]; /* entries of at most vx_bounds_s[i] */
} vx_buckets;

void vx_buckets_add(vx_buckets *buckets, double seconds);
void vx_buckets_sum(vx_buckets *sum, const vx_buckets *other);

/* Zero-initialise to open. Negative times count as 0. Not thread-safe: the owner locks. */
void vx_histogram_add(vx_histogram *histogram, double seconds);

/* The time that a share `quantile` (0..1) of the entries did not exceed; 0 when empty. */
double vx_histogram_quantile(const vx_histogram *histogram, double quantile);

#endif
