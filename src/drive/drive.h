/* Driving: from what is said to how a face moves.
 *
 *     phoneme timings, samples, mood, seed -> motion table
 *
 * The mouth follows the timings: every phoneme has a shape that begins before it and ends after it,
 * neighbours blend, and lips that must meet (p b m) meet in the very frames of the phoneme, because
 * the jaw starts to close early enough. The rest - blinks, brows and nods on stressed syllables,
 * gaze, breathing, a head that is never quite still - is drawn from the seed in the manner of the
 * mood. Without timings the mouth opens with the loudness of the sound.
 *
 * No control moves faster than the 99th percentile of the official driving templates does
 * (vx_drive_speed). A pure function: the same request gives the same bits. */
#ifndef VX_DRIVE_DRIVE_H
#define VX_DRIVE_DRIVE_H

#include <stddef.h>

#include "drive/mood.h"
#include "drive/motion.h"
#include "drive/timings.h"

typedef struct vx_drive_request {
    uint64_t seed;
    int mood;                /* vx_mood, where it begins */
    const vx_mood_at *moods; /* at_s ascending */
    int mood_count;
    const vx_phone *phone; /* NULL: the loudness drives; then samples are needed */
    int64_t phones;
    const float *samples; /* mono; may be NULL with phones */
    int64_t sample_count;
    int sample_rate;
} vx_drive_request;

/* Bytes of working memory for that many frames. */
size_t vx_drive_bytes(int64_t frames);

/* Fills motion->pose[0..count) at motion->fps. `memory` is 8-byte aligned; nothing is allocated. */
void vx_drive(const vx_drive_request *request, vx_motion_table *motion, void *memory);

/* How far the mouth is from what is said, in seconds: over all p, b and m that the film
 * shows, the largest distance of a frame in which the lips meet from the phoneme's span. 0
 * when there are none. */
double vx_drive_offset(const vx_motion_table *table, const vx_phone *phone, int64_t phones);

/* The fastest that a column changes, per second. */
float vx_drive_speed(vx_motion_column column);

#endif
