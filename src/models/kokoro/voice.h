/* Kokoro's voices: 510 style rows, one for each length of a chunk in symbols.
 *
 * A voice file is NAME.bin, 510 rows of 256 little-endian floats (kokoro.js), or NAME.pt, the
 * official tensor [510, 1, 256]. A voice is named plainly, by an alias of the pack, or as a blend
 * "af_heart:0.7,af_bella:0.3"; weights are relative, and without weights all count the same. */
#ifndef VX_KOKORO_VOICE_H
#define VX_KOKORO_VOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum {
    VX_VOICE_ROWS = 510,
    VX_VOICE_NAME_MAX = 64,
    VX_VOICE_PARTS_MAX = 16 /* of a blend, aliases resolved */
};

typedef struct vx_voice_alias {
    const char *name, *voice;
} vx_voice_alias;

/* Where voices come from. Strings stay the caller's. */
typedef struct vx_voice_library {
    const char *dir;
    const vx_voice_alias *alias;
    int alias_count;
    int64_t width; /* floats in a row: twice the model's style_dim */
} vx_voice_library;

/* A voice that is ready: rows [510, width], in the caller's memory. */
typedef struct vx_voice {
    float *rows;
    int64_t width;
} vx_voice;

/* Bytes that vx_voice.rows needs. */
size_t vx_voice_bytes(int64_t width);

/* Resolves and reads `name` into voice->rows. VX_ERR_MISSING when there is no such voice, listing
 * those there are; VX_ERR_INPUT for a malformed name or file; voice->rows is then undefined. No
 * heap, except inside the reader of .pt files. */
vx_status vx_voice_load(const vx_voice_library *library, const char *name, vx_voice *voice,
                        vx_error *err);

/* Whether the voice, or the first one of a blend, speaks British English: its name begins with b.
 */
bool vx_voice_british(const vx_voice_library *library, const char *name);

/* 'f' or 'm' by the second letter of a name such as af_heart, of a blend when all of its parts
 * agree; 0 where names don't say. */
char vx_voice_gender(const vx_voice_library *library, const char *name);

/* How many voices lie in the library's folder; the first `max` of them that were found are put into
 * `name`, sorted. 0 without a folder. */
int vx_voice_list(const vx_voice_library *library, char (*name)[VX_VOICE_NAME_MAX], int max);

#endif
