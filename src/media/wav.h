/* WAV out: 16-bit PCM, mono, from float samples.
 *
 *     vx_wav wav;
 *     VX_TRY(vx_wav_open(&wav, path, 24000, err));
 *     status = vx_wav_write(&wav, samples, n, err);      // as often as there are samples
 *     if (status == VX_OK) return vx_wav_finish(&wav, err);
 *     vx_wav_abort(&wav);
 *
 * A sample is round(32767 x) with x clipped to -1..1; a NaN counts as silence. The lengths in the
 * header are 0xFFFFFFFF while they are not known, which readers of pipes understand; where the file
 * can be corrected, finish does so. */
#ifndef VX_MEDIA_WAV_H
#define VX_MEDIA_WAV_H

#include <stdint.h>

#include "base/file.h"

typedef struct vx_wav {
    vx_outfile file;
    int64_t samples; /* written so far */
} vx_wav;

/* "-" is stdout. sample_rate is 1..768000. On failure nothing is left and *wav is closed. */
vx_status vx_wav_open(vx_wav *wav, const char *path, int sample_rate, vx_error *err);
/* VX_ERR_IO when the disk is full or the pipe closed, VX_ERR_INPUT beyond the format's 4 GB; then
 * abort. */
vx_status vx_wav_write(vx_wav *wav, const float *samples, int64_t n, vx_error *err);
/* Corrects the header where it can and moves the file to its name; closed in any case. */
vx_status vx_wav_finish(vx_wav *wav, vx_error *err);
/* Closes and removes; safe on a closed one. */
void vx_wav_abort(vx_wav *wav);

#endif
