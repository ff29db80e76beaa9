/* How long an MP4's or MOV's index gets in memory, which its boxes say in a few bytes and FFmpeg's
 * demuxer believes. Private to src/media. */
#ifndef VX_MEDIA_MOV_INDEX_H
#define VX_MEDIA_MOV_INDEX_H

#include <stdint.h>

/* Entries that are accepted, of 24 bytes each in FFmpeg's index: an hour and a half at 60
 * frames a second has 324,000 and 253,000 packets of sound. */
enum { VX_MOV_ENTRIES_MAX = 1 << 20 };

/* An upper bound on the entries of all tracks; 0 for what is no such file, INT64_MAX
 * where it cannot be told or the boxes are packed. `fd` is a regular file of `length`
 * bytes; its offset stays. */
int64_t vx_mov_index_entries(int fd, int64_t length);

#endif
