/* Timings: when each phoneme of a speech is heard, as files and as the mouth's input.
 *
 * docs/CONTRACTS.md, "timings". What was read holds its promises: at least one phoneme,
 * every symbol one code point, every span finite, within the sound, and none before the
 * one that came first. */
#ifndef VX_DRIVE_TIMINGS_H
#define VX_DRIVE_TIMINGS_H

#include <stdint.h>

#include "base/status.h"

enum { VX_PHONES_MAX = 65536 };

/* One symbol of the phoneme alphabet (text/phonemes.h), marks, spaces and punctuation included. */
typedef struct vx_phone {
    uint32_t symbol;
    float start_s, end_s; /* start_s <= end_s */
} vx_phone;

typedef struct vx_timings {
    vx_phone *phone; /* on the heap; vx_timings_free */
    int64_t count;
    double seconds; /* of the sound that was timed */
} vx_timings;

/* Reads a timings document. VX_ERR_INPUT with what is wrong and where. */
vx_status vx_timings_read(vx_timings *timings, const char *path, vx_error *err);
vx_status vx_timings_parse(vx_timings *timings, const char *name, const char *text, size_t bytes,
                           vx_error *err);
void vx_timings_free(vx_timings *timings); /* safe on a zeroed one */

/* VX_ERR_INPUT when they go past a sound of that length by more than a phoneme's grain. */
vx_status vx_timings_match(const vx_timings *timings, const char *name, double seconds,
                           vx_error *err);

#endif
