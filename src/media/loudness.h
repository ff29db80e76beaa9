/* Loudness: one gain for a whole sound, so that it is as loud as others (ITU-R BS.1770-4, EBU R
 * 128), and a look-ahead limiter for the few peaks that this puts above the ceiling.
 *
 * The gain never changes within a sound, so speech keeps its dynamics. The limiter sees a peak 5 ms
 * ahead; where that would take along more than one sample in a hundred, 2.5 or 1 ms, and then the
 * gain is taken back. The sound may leave at twice its rate, and with room tone: noise at -70 dBFS,
 * without which the pauses of a synthetic voice are holes.
 *
 * The same samples give the same samples: no state but the arguments, no vector code that depends
 * on the processor. Working memory is a few pages of stack, and libebur128's own. */
#ifndef VX_MEDIA_LOUDNESS_H
#define VX_MEDIA_LOUDNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* What films are made to, and what may be asked for: LUFS. */
#define VX_LOUDNESS_FILM       (-16.0)
#define VX_LOUDNESS_MIN        (-30.0)
#define VX_LOUDNESS_MAX        (-10.0)
#define VX_LOUDNESS_OFF        0.0 /* no gain, no limiter */
#define VX_LOUDNESS_UNSET      1.0 /* nobody has said */
#define VX_LOUDNESS_UNSET_TEXT "1"

typedef struct vx_loudness_params {
    int sample_rate; /* of the samples */
    bool twice;      /* comes out at twice the rate */
    bool room_tone;
    double target_lufs; /* VX_LOUDNESS_MIN..MAX or VX_LOUDNESS_OFF */
    /* Takes the next samples; a failure ends the run. */
    vx_status (*put)(void *arg, const float *samples, int64_t n, vx_error *err);
    void *arg;
} vx_loudness_params;

/* What came out. */
typedef struct vx_loudness {
    bool
        /* false: silence, or shorter than the 0.4 s that can be measured; then lufs is unknown */
        audible;
    double lufs, gain_db, true_peak_dbtp; /* true_peak_dbtp is at least -200 */
    double limited_share;                 /* of the samples, 0..1 */
} vx_loudness;

/* VX_ERR_MEMORY, or what `put` returned. */
vx_status vx_loudness_run(const vx_loudness_params *params, const float *samples, int64_t n,
                          vx_loudness *result, vx_error *err);

/* A warning when the sound came out more than 1 LU below its target; `where` as in vx_warn. */
void vx_loudness_warn(const vx_loudness *result, double target_lufs, const char *where);
/* {lufs, gain_db, true_peak_dbtp, limited_share}, lufs null when there was nothing to be
 * heard; the caller decrefs. */
json_t *vx_loudness_json(const vx_loudness *result);

#endif
