/* Captions: what was spoken as lines to be read, by the times of its words.
 *
 * A cue has at most two lines of 42 characters and lasts at most 6 s. It ends where a
 * sentence does; a sentence that is too long is cut at a clause, and only then between two
 * words. Short sentences that fit one line share a cue. The text is the script's own, with
 * its punctuation and without tags.
 *
 *     vx_captions captions = vx_captions_of(&spoken);
 *     vx_caption cue;
 *     while (vx_captions_next(&captions, &cue)) …
 *
 * No memory but these two structs. */
#ifndef VX_SLOT_CAPTIONS_H
#define VX_SLOT_CAPTIONS_H

#include "media/mux.h"
#include "slot/speak.h"

enum {
    VX_CAPTION_LINE = 42, /* characters */
    VX_CAPTION_BYTES = 2 * VX_CAPTION_LINE * 4 + 2
};

typedef struct vx_captions {
    const vx_spoken *spoken;
    int64_t word; /* the next one */
} vx_captions;

typedef struct vx_caption {
    double start_s, end_s;
    char text[VX_CAPTION_BYTES]; /* one line, or two with '\n' between */
    int64_t first, last;         /* words */
    int64_t second_line;         /* the word that begins it; -1: one line */
} vx_caption;

vx_captions vx_captions_of(const vx_spoken *spoken);
/* The next cue; false when there is none. */
bool vx_captions_next(vx_captions *captions, vx_caption *cue);

/* The next cue of a vx_captions for the film's own track: vx_mux_params.captions. */
bool vx_captions_feed(void *captions, vx_mux_caption *out);

/* SubRip and WebVTT files ("-" is stdout), WebVTT with the time of every word. VX_ERR_IO. */
vx_status vx_captions_write_srt(const vx_spoken *spoken, const char *path, vx_error *err);
vx_status vx_captions_write_vtt(const vx_spoken *spoken, const char *path, vx_error *err);

#endif
