/* Kernels of tile.h, for one level. */
#include "backend/cpu/tile.h"

/* Address of an element of either dtype. */
static inline void *at(const void *base, vx_dtype dtype, int64_t index)
{
    return (char *)(uintptr_t)base + index * (dtype == VX_BF16 ? 2 : 4);
}

/* One vector: all the terms that are there. n is VF_LANES or less. */
static inline __attribute__((always_inline)) vf finish(const vx_epilogue *e, vx_act act, vf v,
                                                       const void *residual, int64_t c, int n)
{
    bool whole = n == VF_LANES;
    if (e->scale) v = vf_mul(v, whole ? vf_load(e->scale + c) : vf_loadn(e->scale + c, n));
    if (e->bias) v = vf_add(v, whole ? vf_load(e->bias + c) : vf_loadn(e->bias + c, n));
    v = vf_act(v, act);
    if (e->gate) v = vf_mul(v, whole ? vf_load(e->gate + c) : vf_loadn(e->gate + c, n));
    if (residual)
        v = vf_add(v, whole ? vf_get(residual, e->residual_dtype, c)
                            : vf_getn(residual, e->residual_dtype, c, n));
    return v;
}

static inline __attribute__((always_inline)) void finish_rows(const vx_epilogue *e, vx_act act,
                                                              const float *tile, int64_t tile_ld,
                                                              int64_t row, int64_t rows,
                                                              int64_t col, int64_t cols)
{
    int64_t whole = cols - cols % VF_LANES;
    int rest = (int)(cols - whole);
    for (int64_t r = 0; r < rows; r++) {
        const float *in = tile + r * tile_ld;
        const void *residual =
            e->residual ? at(e->residual, e->residual_dtype, (row + r) * e->residual_ld) : NULL;
        void *out = at(e->out, e->out_dtype, (row + r) * e->out_ld);
        for (int64_t c = 0; c < whole; c += VF_LANES)
            vf_put(out, e->out_dtype, col + c,
                   finish(e, act, vf_load(in + c), residual, col + c, VF_LANES));
        if (rest > 0)
            vf_putn(out, e->out_dtype, col + whole,
                    finish(e, act, vf_loadn(in + whole, rest), residual, col + whole, rest), rest);
    }
}

void VX_SIMD(vx_tile_finish)(const vx_epilogue *e, const float *tile, int64_t tile_ld, int64_t row,
                             int64_t rows, int64_t col, int64_t cols)
{
    /* One loop per activation, so that the choice is made once and not per vector. */
#define CASE(name)                                                                                 \
    case name:                                                                                     \
        finish_rows(e, (vx_act){name, e->act.slope}, tile, tile_ld, row, rows, col, cols);         \
        return;
    switch (e->act.kind) {
        CASE(VX_ACT_NONE)
        CASE(VX_ACT_RELU)
        CASE(VX_ACT_LRELU)
        CASE(VX_ACT_SILU)
        CASE(VX_ACT_GELU_TANH)
        CASE(VX_ACT_GELU_ERF)
        CASE(VX_ACT_QUICK_GELU)
        CASE(VX_ACT_SIGMOID)
        CASE(VX_ACT_TANH)
    }
#undef CASE
}

void VX_SIMD(vx_tile_convert)(const void *x, vx_dtype from, int64_t ld, int64_t rows, int64_t cols,
                              void *out, vx_dtype to)
{
    int64_t whole = cols - cols % VF_LANES;
    int rest = (int)(cols - whole);
    for (int64_t r = 0; r < rows; r++) {
        const void *in = at(x, from, r * ld);
        void *row = at(out, to, r * cols);
        for (int64_t c = 0; c < whole; c += VF_LANES)
            vf_put(row, to, c, vf_get(in, from, c));
        if (rest > 0) vf_putn(row, to, whole, vf_getn(in, from, whole, rest), rest);
    }
}
