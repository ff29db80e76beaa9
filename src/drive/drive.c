#include "drive/drive.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "drive/manner.h"
#include "drive/track.h"
#include "drive/viseme.h"

/* The 99th percentile of |change from frame to frame| over the twelve official driving templates,
 * per second (1,151 frames; of the turning head only the talking clips, "shake_face" apart),
 * divided by what a control of 1 does to the expression: jaw 19.y 0.346 / 0.04, lips 20.y 0.146 /
 * 0.015 and less, smile 14.y 0.113 / 0.02, blink 11.y 0.184 / 0.0175, brow 1.y 0.086 / 0.015,
 * gaze 15.x 0.063 / 0.015. */
static const float speed[VX_MOTION_COLUMNS] = {
    [VX_YAW] = 23,        [VX_PITCH] = 28,    [VX_ROLL] = 17.6f,    [VX_TX] = 0.13f,
    [VX_TY] = 0.19f,      [VX_SCALE] = 0.23f, [VX_JAW] = 8.6f,      [VX_LIP_ROUND] = 7.5f,
    [VX_LIP_WIDE] = 7.5f, [VX_SMILE] = 5.6f,  [VX_BLINK_L] = 10.5f, [VX_BLINK_R] = 10.5f,
    [VX_BROW] = 5.7f,     [VX_GAZE_X] = 4.2f, [VX_GAZE_Y] = 4.2f,
};

float vx_drive_speed(vx_motion_column column)
{
    return 0.98f * speed[column]; /* room for the rounding of the table */
}

static size_t track_bytes(int64_t frames)
{
    return (sizeof(float) * (size_t)frames + 63) & ~(size_t)63;
}

size_t vx_drive_bytes(int64_t frames)
{
    return VX_TRACK_COUNT * track_bytes(frames);
}

/* Five decimals: what a person reads in the file is all there is. */
static float rounded(float value)
{
    return (float)(round((double)value * 1e5) * 1e-5);
}

/* Every column within its range and its speed. */
static void tidy(vx_motion_table *motion, const vx_tracks *t)
{
    for (int c = 0; c < VX_MOTION_COLUMNS; c++) {
        const vx_motion_range *range = &vx_motion_ranges[c];
        for (int64_t i = 0; i < t->n; i++)
            t->a[i] = fminf(range->most, fmaxf(range->least, motion->pose[i].value[c]));
        /* The mouth's tracks have their speed already, and lips that meet must stay met. */
        if (c != VX_JAW) vx_track_limit(t->a, t->b, t->n, vx_drive_speed(c) / (float)t->fps);
        for (int64_t i = 0; i < t->n; i++)
            motion->pose[i].value[c] = rounded(t->a[i]);
    }
}

void vx_drive(const vx_drive_request *request, vx_motion_table *motion, void *memory)
{
    size_t bytes = track_bytes(motion->count);
    vx_tracks t = {.fps = motion->fps, .n = motion->count};
    float **track[VX_TRACK_COUNT] = {&t.jaw, &t.lips, &t.activity, &t.stress, &t.a, &t.b, &t.c};
    assert(motion->fps > 0 && request->mood >= 0 && request->mood < VX_MOODS);
    memset(memory, 0, vx_drive_bytes(motion->count));
    for (int i = 0; i < VX_TRACK_COUNT; i++)
        *track[i] = (float *)((char *)memory + bytes * (size_t)i);
    if (request->phone != NULL)
        vx_mouth_by_timings(request, &t);
    else
        vx_mouth_by_loudness(request, &t);
    vx_live(request, &t, motion->pose);
    tidy(motion, &t);
}

/* The distance of the nearest frame with closed lips from a span; a frame is where its time is. */
static double nearest_closure(const vx_motion_table *table, double from, double to)
{
    double best = INFINITY;
    int64_t first = (int64_t)(from * table->fps), last = (int64_t)(to * table->fps);
    int64_t reach = (int64_t)ceil(table->fps);
    for (int64_t i = first - reach < 0 ? 0 : first - reach; i <= last + reach; i++) {
        if (i >= table->count) break;
        if (table->pose[i].value[VX_JAW] > 0.01f) continue;
        double starts = (double)i / table->fps, ends = (double)(i + 1) / table->fps;
        best = fmin(best, fmax(0, fmax(from - ends, starts - to)));
    }
    return fmin(best, 1);
}

double vx_drive_offset(const vx_motion_table *table, const vx_phone *phone, int64_t phones)
{
    double most = 0;
    for (int64_t i = 0; i < phones; i++) {
        if (vx_viseme_of(phone[i].symbol).kind != VX_PHONE_CLOSURE) continue;
        if (phone[i].end_s <= phone[i].start_s) continue;
        if ((double)phone[i].start_s * table->fps >= (double)table->count) continue;
        most = fmax(most, nearest_closure(table, (double)phone[i].start_s, (double)phone[i].end_s));
    }
    return most;
}
