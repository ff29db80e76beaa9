#include "media/pace.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool is_even(const int64_t *time, int64_t count, double tick)
{
    static const double tolerance_s = 0.0015;
    double step = (double)(time[count - 1] - time[0]) / (double)(count - 1);
    if (!(step > 0)) return false;
    for (int64_t i = 1; i < count; i++)
        if (fabs((double)(time[i] - time[0]) - step * (double)i) * tick > tolerance_s) return false;
    return true;
}

/* Sets the rate to num/den when the measured one is the same within `slack` of it. */
static bool is_rate(vx_pace *pace, double fps, double slack, int num, int den)
{
    if (num < 1 || den < 1 || fabs(fps * den / num - 1) > slack) return false;
    pace->num = num;
    pace->den = den;
    return true;
}

static void name_rate(vx_pace *pace, double fps, double slack, int claimed_num, int claimed_den)
{
    static const int usual[][2] = {{24000, 1001}, {24, 1}, {25, 1},       {30000, 1001},
                                   {30, 1},       {50, 1}, {60000, 1001}, {60, 1}};
    if (is_rate(pace, fps, slack, claimed_num, claimed_den)) return;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_rate(pace, fps, slack, usual[i][0], usual[i][1])) return;
    pace->num = (int)lround(fmin(fps, 1e6) * 1000);
    pace->den = 1000;
    if (pace->num < 1) pace->num = 1;
}

static double nearest_usual(double fps)
{
    static const double usual[] = {24, 25, 30, 50, 60};
    double best = usual[0];
    for (size_t i = 1; i < sizeof usual / sizeof *usual; i++)
        if (fabs(usual[i] - fps) < fabs(best - fps)) best = usual[i];
    return best;
}

vx_pace vx_pace_of(int64_t *time, int64_t count, double tick, int claimed_num, int claimed_den)
{
    vx_pace pace = {.num = 24, .den = 1, .constant = true};
    if (claimed_num > 0 && claimed_den > 0) {
        pace.num = claimed_num;
        pace.den = claimed_den;
    }
    pace.seconds = (double)pace.den / pace.num * (double)count;
    if (count < 2) return pace;
    qsort(time, (size_t)count, sizeof *time, ascending);
    double length = (double)(time[count - 1] - time[0]) * tick;
    if (!(length > 0)) return pace;
    double step = length / (double)(count - 1);
    pace.constant = is_even(time, count, tick);
    if (!pace.constant) {
        /* The steps take the times' place: they are needed no more. */
        for (int64_t i = 0; i + 1 < count; i++)
            time[i] = time[i + 1] - time[i];
        qsort(time, (size_t)count - 1, sizeof *time, ascending);
        step = (double)time[(count - 1) / 2] * tick;
        pace.num = (int)nearest_usual(step > 0 ? 1 / step : 60);
        pace.den = 1;
        if (!(step > 0)) step = (double)pace.den / pace.num;
    } else {
        /* 0.05 % tells 24 from 23.976; each end may be rounded to a tick. */
        name_rate(&pace, 1 / step, 5e-4 + tick / length, claimed_num, claimed_den);
    }
    pace.seconds = length + step;
    return pace;
}

int64_t vx_pace_frames(double seconds, int num, int den)
{
    double frames = ceil(seconds * num / den - 1e-3);
    return frames > 1 ? (int64_t)fmin(frames, 1e15) : 1;
}
