/* At what rate the frames of a film are shown, told from their times. Private to src/media. */
#ifndef VX_MEDIA_PACE_H
#define VX_MEDIA_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct vx_pace {
    int num, den;   /* frames per second */
    bool constant;  /* the film's frames are the rate's, one by one */
    double seconds; /* from the first frame's time to the end of the last */
} vx_pace;

/* The pace of `count` >= 1 frames at the given times, which are sorted here; `tick` is their unit
 * in seconds, claimed_num/claimed_den the rate that the file claims (0/1: none). Constant is what
 * keeps within 1.5 ms of even steps, which is what a file in milliseconds does; its rate is the
 * claimed one or a usual one when that is the same, else the measured. Of others the rate is the
 * one of 24, 25, 30, 50 and 60 that is nearest to the median step. */
vx_pace vx_pace_of(int64_t *time, int64_t count, double tick, int claimed_num, int claimed_den);

/* Frames of a film of that length at num/den. */
int64_t vx_pace_frames(double seconds, int num, int den);

#endif
