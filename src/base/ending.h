/* What a file's name ends in. */
#ifndef VX_BASE_ENDING_H
#define VX_BASE_ENDING_H

/* "mp3" of "a/b.mp3"; "" for a name that says nothing: "-", "a.b/c", ".hidden", "c.".
 * Points into the path. */
const char *vx_ending(const char *path);

#endif
