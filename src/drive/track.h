/* Tracks: one number for each frame. Private to this folder. */
#ifndef VX_DRIVE_TRACK_H
#define VX_DRIVE_TRACK_H

#include <stdint.h>

/* The largest track below this one that changes by at most `step` from frame to frame: what lies
 * low is reached exactly, and the way to it begins in time. In place. */
void vx_track_floor(float *track, int64_t n, float step);

/* The nearest track that changes by at most `step`: half way between the largest such track below
 * and the smallest above. `above` is scratch of n. */
void vx_track_limit(float *track, float *above, int64_t n, float step);

/* Moving average with weights that fall off over `reach` frames to either side;
 * `out` is another track. */
void vx_track_smooth(const float *track, float *out, int64_t n, double reach);

#endif
