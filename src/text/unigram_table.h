/* The model's tables, shared by reading and encoding. Private to unigram*.c. */
#ifndef VX_TEXT_UNIGRAM_TABLE_H
#define VX_TEXT_UNIGRAM_TABLE_H

#include <stdbool.h>

#include "text/string_table.h"
#include "text/unigram.h"
#include "text/utf8.h"

enum { VX_UNIGRAM_NORMAL_ROOM = 4 * VX_UNIGRAM_TEXT_BYTES_MAX, VX_UNIGRAM_PIECE_BYTES_MAX = 512 };

/* Where the best path to a byte of the normalised text comes from. */
typedef struct vx_unigram_step {
    int32_t start, id; /* start -1: not reached */
    double score;
} vx_unigram_step;

struct vx_unigram {
    vx_string_table pieces; /* those that text can be cut into */
    double *score;          /* of every id */
    bool *chosen;           /* true: the user's own symbol, which always wins */
    int32_t size;
    int32_t pad, end, unknown;
    double score_min, score_max; /* of ordinary pieces */
    bool hugging_face; /* from tokenizer.json: sums in double, all white space parts words */
    size_t piece_bytes_max;

    uint32_t *trie; /* double array of the normalisation; NULL: none */
    size_t trie_units;
    char *replacements; /* NUL-terminated strings, one after another */
    size_t replacement_bytes;
    bool add_prefix, squeeze; /* a space in front; runs of spaces become one, ends are trimmed */

    vx_strbuf normal; /* workspace of encode */
    char normal_room[VX_UNIGRAM_NORMAL_ROOM];
    vx_unigram_step step[VX_UNIGRAM_NORMAL_ROOM];
};

/* Appends the normalised text to model->normal. */
void vx_unigram_normalize(vx_unigram *model, const char *text, size_t bytes);

#endif
