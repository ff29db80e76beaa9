/* Long phoneme strings in chunks that Kokoro takes: cut at sentences, else clauses, else words. */
#ifndef VX_TEXT_CHUNKS_H
#define VX_TEXT_CHUNKS_H

#include <stddef.h>

#include "base/status.h"

/* Kokoro's context holds 512 ids, two of which are the pads (Kokoro-82M config.json, plbert). */
enum { VX_CHUNK_SYMBOLS_MAX = 510 };

typedef struct vx_chunk_params {
    /* Symbols (code points) that a chunk should not exceed where a cut can be found; 0: 350. Long
     * chunks are rushed, and each costs its square in memory. */
    size_t symbols;
    /* The same for the first chunk, so that its audio is there early; 0: as the others. */
    size_t first_symbols;
} vx_chunk_params;

/* Part of a phoneme string, without the spaces at its ends. */
typedef struct vx_chunk {
    size_t start, length;       /* bytes */
    size_t first_symbol, count; /* code points */
} vx_chunk;

/* Cuts `phonemes` (well-formed UTF-8) into at most `room` chunks, none over VX_CHUNK_SYMBOLS_MAX
 * symbols and none empty; spaces at the cuts belong to no chunk. VX_ERR_INPUT when `room` is not
 * enough. `params` may be NULL. */
vx_status vx_chunks_cut(const char *phonemes, size_t length, const vx_chunk_params *params,
                        vx_chunk *chunks, size_t room, size_t *count, vx_error *err);

#endif
