/* Attention's own kernels: the softmax of a tile of queries, in two steps around its products. */
#ifndef VX_BACKEND_CPU_ATTENTION_H
#define VX_BACKEND_CPU_ATTENTION_H

#include "backend/cpu/simd.h"

/* Keys come in blocks; full groups of blocks are multiplied with the values at once. */
enum { VX_KEY_BLOCK = 64, VX_KEY_GROUP = 256 };

typedef struct vx_softmax {
    int64_t rows, blocks; /* queries of the tile; blocks that any of them sees */
    int64_t keys;         /* that row 0 sees; a causal row r sees r more */
    bool causal;
    float scale;
    const float *bias; /* of row 0 and key 0; row r's lies r before it; NULL for none */
    float *scores;     /* [rows][blocks * VX_KEY_BLOCK], times log2(e) */
    float *largest;    /* [rows] */
    void *weights;     /* out: full groups as [group][rows][VX_KEY_GROUP], the other blocks as
                        * [block][rows][VX_KEY_BLOCK]; zero for keys that are not seen */
    vx_dtype type;     /* of weights */
} vx_softmax;

/* Takes the products of one block, [rows][VX_KEY_BLOCK], into scores. Blocks come in order. */
VX_SIMD_DECLARE_BF16(void, vx_softmax_block, const vx_softmax *s, const float *products,
                     int64_t block)
/* Scores to weights. */
VX_SIMD_DECLARE_BF16(void, vx_softmax_finish, const vx_softmax *s)

#endif
