#include "drive/track.h"

#include <math.h>
#include <string.h>

void vx_track_floor(float *track, int64_t n, float step)
{
    for (int64_t i = 1; i < n; i++)
        track[i] = fminf(track[i], track[i - 1] + step);
    for (int64_t i = n - 2; i >= 0; i--)
        track[i] = fminf(track[i], track[i + 1] + step);
}

static void ceiling(float *track, int64_t n, float step)
{
    for (int64_t i = 1; i < n; i++)
        track[i] = fmaxf(track[i], track[i - 1] - step);
    for (int64_t i = n - 2; i >= 0; i--)
        track[i] = fmaxf(track[i], track[i + 1] - step);
}

void vx_track_limit(float *track, float *above, int64_t n, float step)
{
    memcpy(above, track, sizeof *above * (size_t)n);
    vx_track_floor(track, n, step);
    ceiling(above, n, step);
    for (int64_t i = 0; i < n; i++)
        track[i] = 0.5f * (track[i] + above[i]);
}

void vx_track_smooth(const float *track, float *out, int64_t n, double reach)
{
    int64_t wide = (int64_t)ceil(reach);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, weight = 0;
        for (int64_t d = -wide; d <= wide; d++) {
            double w = reach > 0 ? fmax(0, 1 - fabs((double)d) / (reach + 1)) : d == 0;
            int64_t at = i + d < 0 ? 0 : i + d >= n ? n - 1 : i + d;
            sum += w * (double)track[at];
            weight += w;
        }
        out[i] = (float)(sum / weight);
    }
}
