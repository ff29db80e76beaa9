/* Reference: copies, look-ups and elementwise ops. */
#include "backend/ref/ref.h"

vx_status vx_ref_copy(vx_ctx *ctx, const vx_copy_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->out); r++)
        for (int64_t c = 0; c < vx_cols(a->out); c++)
            vx_ref_set(a->out, r, c, vx_ref_get(a->x, r, c));
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_ref_gather(vx_ctx *ctx, const vx_gather_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    const int32_t *index = vx_host(a->index->data);
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        assert(index[r] >= 0 && index[r] < vx_rows(a->table));
        for (int64_t c = 0; c < vx_cols(a->out); c++)
            vx_ref_set(a->out, r, c, vx_ref_get(a->table, index[r], c));
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_ref_broadcast(vx_ctx *ctx, const vx_broadcast_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->out); r++)
        for (int64_t c = 0; c < vx_cols(a->out); c++)
            vx_ref_set(a->out, r, c, vx_ref_get(a->x, 0, c));
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_ref_blend(vx_ctx *ctx, const vx_blend_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        for (int64_t c = 0; c < vx_cols(a->out); c++) {
            double sum = 0;
            for (int i = 0; i < a->n; i++)
                sum += (double)a->scale[i] * vx_ref_get(a->x[i], r, c);
            if (a->slopes != NULL)
                sum *= sum < 0 ? vx_ref_at(a->slopes, c, 1) : 1;
            else
                sum = vx_ref_act(a->act, sum);
            vx_ref_set(a->out, r, c, sum);
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

vx_status vx_ref_gate(vx_ctx *ctx, const vx_gate_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->out); r++)
        for (int64_t c = 0; c < vx_cols(a->out); c++)
            vx_ref_set(a->out, r, c,
                       vx_ref_act(a->act, vx_ref_get(a->x, r, c)) * vx_ref_get(a->y, r, c));
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Tap t of input row i lands on output row 2i + t - 1. So an even row 2i has tap 1 of row i alone;
 * an odd row 2i + 1 has tap 2 of row i and tap 0 of row i + 1. */
vx_status vx_ref_depthwise_up2(vx_ctx *ctx, const vx_depthwise_up2_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    int64_t rows = vx_rows(a->x);
    for (int64_t c = 0; c < vx_cols(a->x); c++) {
        double bias = vx_ref_at(a->bias, c, 0);
        for (int64_t i = 0; i < rows; i++) {
            double here = vx_ref_get(a->x, i, c);
            double next = i + 1 < rows ? vx_ref_get(a->x, i + 1, c) : 0;
            vx_ref_set(a->out, 2 * i, c, bias + here * vx_ref_at(a->weight, 3 * c + 1, 0));
            vx_ref_set(a->out, 2 * i + 1, c,
                       bias + here * vx_ref_at(a->weight, 3 * c + 2, 0) +
                           next * vx_ref_at(a->weight, 3 * c, 0));
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}
