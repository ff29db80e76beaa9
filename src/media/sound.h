/* Sound in: any audio file, or the sound of a film, as mono float samples. */
#ifndef VX_MEDIA_SOUND_H
#define VX_MEDIA_SOUND_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/status.h"

typedef struct vx_sound {
    float *samples; /* -1..1 nominal, always finite; free with vx_sound_free */
    int64_t count;
    int sample_rate;
    double start_s; /* where the first sample stands on the file's own time line */
    size_t mapped;  /* bytes of the mapping that holds them */
} vx_sound;

/* Decodes the first sound track whole, resampled to sample_rate (8000..192000); "-" is stdin.
 * Stereo and channels without names are averaged; where there is a centre, which is where speech
 * lies, it counts 1, the others 0.7 and the channel of low effects nothing. Where the sum is much
 * quieter than the loudest channel (out of phase, one side only) that channel alone is taken. Takes
 * as much memory as the samples it keeps. VX_ERR_INPUT when there is no such file, no sound in it,
 * its rate is not 4 to 768 kHz, the file is broken, or it lasts longer than seconds_max;
 * VX_ERR_CANCELLED. The token may be NULL. *sound is empty on failure. */
vx_status vx_sound_read(vx_sound *sound, const char *path, int sample_rate, double seconds_max,
                        vx_cancel *cancel, vx_error *err);

/* Lets the sound begin at start_s of its time line: what is earlier goes, where it begins later
 * there is silence before it, of a day at most. VX_ERR_MEMORY leaves it as it was. */
vx_status vx_sound_begin(vx_sound *sound, double start_s, vx_error *err);

/* Safe on an empty one. */
void vx_sound_free(vx_sound *sound);

#endif
