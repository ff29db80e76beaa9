/* Captions drawn into the film: white letters over a dark box, low in the picture, inside the nine
 * tenths of it that every screen shows (the safe area of SMPTE ST 2046-1). One size for the whole
 * film: an eighteenth of its height, at most 48 pixels, or what lets its widest line fit.
 *
 * Letters are drawn ahead, so a frame takes no memory; the captions' cues are found as time
 * goes on. */
#ifndef VX_SLOT_BURN_H
#define VX_SLOT_BURN_H

#include "media/font.h"
#include "media/image.h"
#include "slot/captions.h"

typedef struct vx_burn {
    vx_captions captions; /* the next cue's */
    vx_caption cue;
    bool has_cue;
    double fps;
    vx_letters letters;
} vx_burn;

/* Of vx_burn_open's memory, for films of any size. */
size_t vx_burn_bytes(void);

/* For a film of that size. The spoken text and the memory stay the caller's and outlive *burn.
 * Letters that are too small to be read are a warning, whose place is `where`. VX_ERR_MEMORY. */
vx_status vx_burn_open(vx_burn *burn, const vx_spoken *spoken, double fps, int width, int height,
                       void *memory, size_t bytes, const char *where, vx_error *err);

/* Draws what is to be read on frame `index`, whose number only grows: vx_mux_params.draw. False
 * when that is nothing. */
bool vx_burn_frame(void *burn, int64_t index, const vx_picture *picture);

#endif
