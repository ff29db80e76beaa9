/* The contact sheet of a slot: key frames, the waveform with its phonemes, the jaw, the scores. */
#ifndef VX_SLOT_SHEET_H
#define VX_SLOT_SHEET_H

#include "slot/stage.h"

/* A PNG of a slot that has ended well, before its buffers are used again. "-" is stdout. */
vx_status vx_sheet_write(const vx_slot *slot, const char *path, vx_error *err);

#endif
