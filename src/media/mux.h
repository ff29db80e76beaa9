/* Films out: H.264 and AAC in MP4 or Matroska, from RGB frames and float samples, into a file, as a
 * stream, or both from one encoder.
 *
 * The first frame and the first sample start together at time zero: the encoder's priming samples
 * are declared to the container (an edit list in MP4, the codec delay in Matroska), so a player
 * drops them. Frames and samples may arrive in any order and in any pieces; packets are interleaved
 * by time. The same input gives the same bytes: two threads for the encoder whatever the machine
 * has, no dates, no version strings but the encoder's own. Every two seconds there is a key frame.
 *
 * A stream of MP4 is in fragments of at most a second (ISO/IEC 14496-12, 8.8), the first of which
 * begins with a key frame: what has come can be played while the rest is made.
 *
 *     vx_mux *mux;
 *     VX_TRY(vx_mux_open(&mux, &params, err));
 *     status = vx_mux_samples(mux, samples, n, err);
 *     for (i = 0; status == VX_OK && i < frames; i++) status = vx_mux_frame(mux, &frame[i], err);
 *     if (status == VX_OK) return vx_mux_finish(&mux, err);
 *     vx_mux_abort(&mux);
 *
 * Video is 4:2:0 in studio range, BT.709 by matrix, primaries and transfer, and tagged so. A frame
 * equal to the one before it is not converted again, so still pictures cost little. */
#ifndef VX_MEDIA_MUX_H
#define VX_MEDIA_MUX_H

#include <stdint.h>

#include "base/status.h"
#include "media/image.h"

typedef enum vx_container { VX_MP4, VX_MKV } vx_container;

/* In that order; also the endings. */
#define VX_CONTAINER_NAMES "mp4|mkv"

/* What a film is to be: what its name ends in, else `given` (vx_container; -1: not
 * given), else Matroska for "-" and MP4 for a name without an ending. VX_ERR_USAGE for an
 * ending that is neither. */
vx_status vx_container_of(const char *path, int given, vx_container *container, vx_error *err);

/* Text that a player may show over the picture. */
typedef struct vx_mux_caption {
    double start_s, end_s;
    char text[512]; /* UTF-8, lines parted by '\n' */
} vx_mux_caption;

typedef struct vx_mux_params {
    const char *path; /* written under a temporary name and moved; "-" (stdout) for MKV only */
    vx_container container;
    /* In place of a path or beside it: takes the film's bytes as they come; anything but 0 ends it,
     * VX_ERR_CANCELLED. */
    int (*write)(void *arg, const void *bytes, size_t count);
    void *write_arg;
    vx_container stream;  /* of `write` */
    int width, height;    /* 16..VX_IMAGE_SIDE_MAX; an odd side repeats its last row or column */
    int fps_num, fps_den; /* frames per second, 1..240; fps_den 0 means 1 */
    int sample_rate;      /* mono sound, 8000..48000; 0: no sound */
    int crf;              /* x264's quality, 1..51; 0 means 20 */
    const char *preset;   /* x264's; NULL means "veryfast" */
    const char *title;    /* metadata, UTF-8; NULL leaves them out */
    const char *comment;
    /* A track of captions in English: called until it says false, while the film
     * is opened. NULL: none. */
    bool (*captions)(void *arg, vx_mux_caption *caption);
    void *captions_arg;
    /* Draws over a copy of frame `index` before it is encoded; false when it has not.
     * From the thread that adds the frame. NULL: frames are the film's as they are. */
    bool (*draw)(void *arg, int64_t index, const vx_picture *picture);
    void *draw_arg;
} vx_mux_params;

typedef struct vx_mux vx_mux;

/* What the encoders take from the heap for a film of this size, in bytes: about, as measured
 * (docs/bench/slot.md) at the preset "veryfast", whose frames in flight are what counts. */
size_t vx_mux_bytes(int width, int height);

/* VX_ERR_USAGE for parameters out of range, VX_ERR_MISSING when FFmpeg lacks libx264, VX_ERR_IO
 * when the file cannot be made. *mux is NULL on failure. */
vx_status vx_mux_open(vx_mux **mux, const vx_mux_params *params, vx_error *err);

/* The next frame; its size is the parameters'. The pixels are read before it returns. VX_ERR_IO
 * when the disk is full; abort is all that is left then. */
vx_status vx_mux_frame(vx_mux *mux, const vx_picture *frame, vx_error *err);

/* The next n samples, clipped to -1..1, a NaN counting as silence. Only with a sample_rate. */
vx_status vx_mux_samples(vx_mux *mux, const float *samples, int64_t n, vx_error *err);

/* The stream's MIME type with its codecs (RFC 6381), as long as the mux:
 * video/mp4; codecs="avc1.64000b, mp4a.40.2". */
const char *vx_mux_mime(const vx_mux *mux);

/* Ends the encoders and writes the index: the file is whole but still under its temporary name.
 * Nothing may be added then; finish or abort. VX_ERR_USAGE as for vx_mux_finish. */
vx_status vx_mux_end(vx_mux *mux, vx_error *err);

/* vx_mux_end unless that was done, and moves the file to its name. Frees *mux and sets it to
 * NULL in any case; after a failure nothing is left on disk. VX_ERR_USAGE when there was no frame,
 * or no sample though there was to be sound. */
vx_status vx_mux_finish(vx_mux **mux, vx_error *err);

/* Gives up: removes the temporary file, frees, sets *mux to NULL. Safe on NULL. */
void vx_mux_abort(vx_mux **mux);

#endif
