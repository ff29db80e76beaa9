/* What happens to a tile before and after its product: conversion of the rows that go in, and the
 * epilogue of the block that comes out. */
#ifndef VX_BACKEND_CPU_TILE_H
#define VX_BACKEND_CPU_TILE_H

#include "backend/cpu/simd.h"

/* out = residual + gate * act(scale * product + bias) for a whole op; vectors by column, NULL
 * leaves a term out. residual and out are f32 or bf16, addressed from row 0 and column 0 of the op.
 */
typedef struct vx_epilogue {
    const float *scale, *bias, *gate;
    vx_act act;
    const void *residual;
    vx_dtype residual_dtype;
    int64_t residual_ld;
    void *out; /* may be `residual` */
    vx_dtype out_dtype;
    int64_t out_ld;
} vx_epilogue;

/* Finishes rows x cols of `tile` (tile_ld floats between rows), which stand at (row, col). */
typedef void (*vx_tile_finish_fn)(const vx_epilogue *e, const float *tile, int64_t tile_ld,
                                  int64_t row, int64_t rows, int64_t col, int64_t cols);
/* rows x cols of f32 or bf16, ld elements between rows, into dense f32 or bf16. */
typedef void (*vx_tile_convert_fn)(const void *x, vx_dtype from, int64_t ld, int64_t rows,
                                   int64_t cols, void *out, vx_dtype to);

VX_SIMD_DECLARE_BF16(void, vx_tile_finish, const vx_epilogue *e, const float *tile, int64_t tile_ld,
                     int64_t row, int64_t rows, int64_t col, int64_t cols)
VX_SIMD_DECLARE_BF16(void, vx_tile_convert, const void *x, vx_dtype from, int64_t ld, int64_t rows,
                     int64_t cols, void *out, vx_dtype to)

extern const vx_tile_finish_fn vx_tile_finish[VX_CPU_LEVELS];
extern const vx_tile_convert_fn vx_tile_convert[VX_CPU_LEVELS];

#endif
