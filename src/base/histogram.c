#include "base/histogram.h"

#include <math.h>

static const double FIRST_S = 1e-3, GROWTH = 1.1;

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
