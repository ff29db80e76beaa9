#include "base/histogram.h"

#include <math.h>

static const double FIRST_S = 1e-3, GROWTH = 1.1;

const double vx_bounds_s[VX_BOUNDS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                       2.5,   5,    10,    30,   60,  120,  600};

void vx_buckets_add(vx_buckets *buckets, double seconds)
{
    buckets->count++;
    buckets->sum_s += seconds;
    for (int i = 0; i < VX_BOUNDS; i++)
        buckets->below[i] += seconds <= vx_bounds_s[i];
}

void vx_buckets_sum(vx_buckets *sum, const vx_buckets *other)
{
    sum->count += other->count;
    sum->sum_s += other->sum_s;
    for (int i = 0; i < VX_BOUNDS; i++)
        sum->below[i] += other->below[i];
}

void vx_histogram_add(vx_histogram *histogram, double seconds)
{
    double s = seconds > 0 ? seconds : 0;
    int index = s <= FIRST_S ? 0 : (int)ceil(log(s / FIRST_S) / log(GROWTH));
    if (index >= VX_HISTOGRAM_BUCKETS) index = VX_HISTOGRAM_BUCKETS - 1;
    histogram->bucket[index]++;
    histogram->count++;
    histogram->sum_s += s;
    if (s > histogram->max_s) histogram->max_s = s;
}

double vx_histogram_quantile(const vx_histogram *histogram, double quantile)
{
    if (histogram->count == 0) return 0;
    int64_t rank = (int64_t)ceil(quantile * (double)histogram->count), seen = 0;
    for (int i = 0; i < VX_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank && seen > 0) {
            double upper = FIRST_S * pow(GROWTH, i);
            return upper < histogram->max_s ? upper : histogram->max_s;
        }
    }
    return histogram->max_s;
}
