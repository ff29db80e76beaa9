/* Sound in: any audio file, or the sound of a film, as mono float samples. */
#ifndef VX_MEDIA_SOUND_H
#define VX_MEDIA_SOUND_H

#include <stdint.h>

#include "base/status.h"

typedef struct vx_sound {
    float *samples; /* on the heap, -1..1 nominal, always finite; free with vx_sound_free */
    int64_t count;
    int sample_rate;
    double start_s; /* where the first sample stands on the file's own time line */
} vx_sound;

/* Decodes the first sound track whole, resampled to sample_rate (8000..192000); several channels
 * are averaged. VX_ERR_INPUT when there is no such file, no sound in it, the file is broken, or it
 * lasts longer than seconds_max. *sound is empty on failure. */
vx_status vx_sound_read(vx_sound *sound, const char *path, int sample_rate, double seconds_max,
                        vx_error *err);
/* Safe on an empty one. */
void vx_sound_free(vx_sound *sound);

#endif
