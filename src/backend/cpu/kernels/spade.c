/* Rows of spade: one compilation per level, see spade.h. */
#include "backend/cpu/spade.h"
#include "backend/cpu/kernels/lanes.h"

/* What follows the modulation: a slope below zero (1: nothing), or any activation. */
enum { SLOPE, ANY };

/* What a row goes by; the types, `then` and `beta` are constants after inlining. */
typedef struct kinds {
    vx_dtype from, by, to;
    int then;
    bool beta;
} kinds;

VF_INLINE void modulate_at(kinds k, vx_act act, const vx_cpu_columns *f, const void *x,
                           const void *map, int64_t cols, void *out, int64_t c, int lanes)
{
    vf y = vf_sub(vf_get_lanes(x, k.from, c, lanes), vf_get_lanes(f->mean, VX_F32, c, lanes));
    y = vf_fma(y, vf_get_lanes(f->gain, VX_F32, c, lanes), vf_get_lanes(f->bias, VX_F32, c, lanes));
    y = vf_fma(y, vf_get_lanes(map, k.by, c, lanes), y);
    if (k.beta) y = vf_add(y, vf_get_lanes(map, k.by, cols + c, lanes));
    if (k.then == SLOPE)
        y = vf_select(vf_less(y, vf_set(0.0f)), vf_mul(y, vf_set(act.slope)), y);
    else
        y = vf_act(y, act);
    if (lanes == VF_LANES)
        vf_put(out, k.to, c, y);
    else
        vf_putn(out, k.to, c, y, lanes);
}

VF_INLINE int64_t step_of(const vx_tensor *t, vx_dtype dtype)
{
    return t->ld * (dtype == VX_BF16 ? 2 : 4);
}

VF_INLINE void modulate(const vx_spade_args *a, const vx_cpu_columns *f, kinds k, int64_t first,
                        int64_t rows)
{
    int64_t cols = vx_cols(a->x), width = a->out->dim[1], up = a->up;
    int64_t y = first / width, x = first % width;
    vx_act act = k.then == ANY || a->act.kind == VX_ACT_LRELU ? a->act : (vx_act){.slope = 1};
    const char *map = vx_row(a->map, first);
    char *out = vx_row(a->out, first);
    for (int64_t r = 0; r < rows; r++) {
        const void *from = (const char *)vx_host(a->x->data) +
                           (y / up * a->x->dim[1] + x / up) * step_of(a->x, k.from);
        int64_t c = 0;
        for (; c + VF_LANES <= cols; c += VF_LANES)
            modulate_at(k, act, f, from, map, cols, out, c, VF_LANES);
        if (c < cols) modulate_at(k, act, f, from, map, cols, out, c, (int)(cols - c));
        map += step_of(a->map, k.by);
        out += step_of(a->out, k.to);
        if (++x == width) x = 0, y++;
    }
}

/* The types that a model meets get their own code, any others decide vector by vector. */
VF_INLINE void modulate_types(const vx_spade_args *a, const vx_cpu_columns *f, bool beta,
                              int64_t first, int64_t rows)
{
    vx_dtype from = a->x->dtype, by = a->map->dtype, to = a->out->dtype;
    if (by == VX_BF16 && to == VX_BF16 && from == VX_BF16)
        modulate(a, f, (kinds){VX_BF16, VX_BF16, VX_BF16, SLOPE, beta}, first, rows);
    else if (by == VX_BF16 && to == VX_BF16)
        modulate(a, f, (kinds){VX_F32, VX_BF16, VX_BF16, SLOPE, beta}, first, rows);
    else if (from == VX_F32 && by == VX_F32 && to == VX_F32)
        modulate(a, f, (kinds){VX_F32, VX_F32, VX_F32, SLOPE, beta}, first, rows);
    else
        modulate(a, f, (kinds){from, by, to, SLOPE, beta}, first, rows);
}

void VX_SIMD(vx_cpu_spade_rows)(const vx_spade_args *a, const vx_cpu_columns *f, int64_t first,
                                int64_t rows)
{
    bool beta = vx_cols(a->map) > vx_cols(a->x);
    if (a->act.kind != VX_ACT_NONE && a->act.kind != VX_ACT_LRELU)
        modulate(a, f, (kinds){a->x->dtype, a->map->dtype, a->out->dtype, ANY, beta}, first, rows);
    else if (beta)
        modulate_types(a, f, true, first, rows);
    else
        modulate_types(a, f, false, first, rows);
}
