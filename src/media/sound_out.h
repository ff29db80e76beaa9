/* Sound out: mono float samples to WAV, FLAC, MP3, Ogg Opus, AAC (ADTS) or plain
 * PCM, whole or streamed.
 *
 *     vx_sound_out *out;
 *     vx_sound_out_params params = {.path = path, .sample_rate = 24000};
 *     VX_TRY(vx_sound_out_open(&out, &params, err));
 *     status = vx_sound_out_put(out, samples, n, err);         // as often as there are samples
 *     if (status == VX_OK) return vx_sound_out_finish(&out, err);
 *     vx_sound_out_abort(&out);
 *
 * One encoder a stream: the bytes are the same whatever pieces the samples come in. WAV, FLAC and
 * PCM hold round(32767 x) with x clipped to -1..1; a NaN counts as silence. Lengths that a header
 * has to tell are corrected by finish where the file can be; where it can't (pipes, `write`), WAV
 * says 0xFFFFFFFF, which readers of pipes understand, FLAC 0, and MP3 goes without its table. */
#ifndef VX_MEDIA_SOUND_OUT_H
#define VX_MEDIA_SOUND_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum vx_sound_format {
    VX_SOUND_WAV,
    VX_SOUND_FLAC,
    VX_SOUND_MP3,
    VX_SOUND_OPUS,
    VX_SOUND_AAC,
    VX_SOUND_PCM,
    VX_SOUND_FORMATS
} vx_sound_format;
/* In that order; also the endings. */
#define VX_SOUND_FORMAT_NAMES "wav|flac|mp3|opus|aac|pcm"

/* What a file is to hold: `given` (vx_sound_format; -1: not given), else what the name ends
 * in, else WAV for a name without an ending. VX_ERR_USAGE for an ending that is none of ours
 * or not the one given;
 * VX_ERR_MISSING when FFmpeg here has no encoder for it, with the package that has. */
vx_status vx_sound_format_of(const char *path, int given, vx_sound_format *format, vx_error *err);

typedef struct vx_sound_out_params {
    const char *path; /* "-" is stdout */
    /* In place of a path: takes the bytes as they come; anything but 0 ends the stream. */
    int (*write)(void *arg, const void *bytes, size_t count);
    void *arg;
    vx_sound_format format;
    int sample_rate; /* 8000, 12000, 16000, 24000 or 48000: what every format has */
} vx_sound_out_params;

typedef struct vx_sound_out vx_sound_out;

/* VX_ERR_IO when the file can't be made, VX_ERR_MISSING without the encoder.
 * *out is NULL on failure. */
vx_status vx_sound_out_open(vx_sound_out **out, const vx_sound_out_params *params, vx_error *err);
/* VX_ERR_IO when the disk is full or the pipe closed, VX_ERR_CANCELLED when `write` wants no more,
 * VX_ERR_INPUT beyond WAV's 4 GB; then abort. */
vx_status vx_sound_out_put(vx_sound_out *out, const float *samples, int64_t n, vx_error *err);
/* Ends the encoder, corrects the header where it can and moves the file to its name; frees *out and
 * sets it to NULL in any case. */
vx_status vx_sound_out_finish(vx_sound_out **out, vx_error *err);
/* Closes and removes; safe on NULL. */
void vx_sound_out_abort(vx_sound_out **out);

#endif
