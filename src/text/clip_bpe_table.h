/* The tokenizer's tables, shared by reading and encoding. Private to clip_bpe*.c. */
#ifndef VX_TEXT_CLIP_BPE_TABLE_H
#define VX_TEXT_CLIP_BPE_TABLE_H

#include "text/clip_bpe.h"
#include "text/string_table.h"
#include "text/utf8.h"

/* Composition never lengthens UTF-8 by more than three times (Unicode Annex 15, table 8), lower
 * case by more than half. */
#define VX_BPE_NORMAL_ROOM ((size_t)VX_CLIP_TEXT_BYTES_MAX * 3 + 1)
#define VX_BPE_LOWER_ROOM  ((size_t)VX_CLIP_TEXT_BYTES_MAX * 5 + 1)

typedef struct vx_bpe_merge {
    int32_t left, right, merged, rank; /* rank -1: free */
} vx_bpe_merge;

struct vx_clip_bpe {
    vx_string_table tokens;  /* only while reading */
    vx_bpe_merge *merges;    /* hash table by (left, right) */
    size_t merge_slots;      /* a power of two, at least twice the merges */
    int32_t byte_id[2][256]; /* inside a word, at its end */
    int32_t special[2];      /* start and end of text */
    int32_t size;
    char *normal, *lower; /* workspace of encode */
    int32_t symbols[VX_CLIP_TEXT_BYTES_MAX * 5];
};

/* The merge of the pair, or the free slot where it belongs. */
const vx_bpe_merge *vx_bpe_merge_find(const vx_clip_bpe *bpe, int32_t left, int32_t right);

#endif
