/* Fronts of the ops: check, count, scratch, plan or run. */
#include "backend/ops.h"

#include <string.h>

#include "base/clock.h"

/* ---- what every front does ----------------------------------------------------------------- */

static double bytes_of(const vx_tensor *t)
{
    return t ? (double)vx_elements(t) * (double)vx_dtype_bytes(t->dtype) : 0;
}

static void count(vx_ctx *ctx, double flops, double bytes)
{
    ctx->counts.flops += flops;
    ctx->counts.bytes_moved += bytes;
    ctx->counts.ops++;
}

static void profile_add(vx_profile *profile, const char *op, double seconds, double flops)
{
    int i = 0;
    while (i < profile->rows && strcmp(profile->row[i].op, op) != 0)
        i++;
    if (i == VX_PROFILE_ROWS) return;
    if (i == profile->rows) profile->row[profile->rows++] = (vx_profile_row){.op = op};
    profile->row[i].calls++;
    profile->row[i].seconds += seconds;
    profile->row[i].flops += flops;
}

/* Scratch is stacked in a plan exactly as in a run; the kernel is the only difference. */
#define RUN_OP(op, flops, bytes)                                                                   \
    do {                                                                                           \
        const vx_backend_ops *ops = ctx->backend->ops;                                             \
        count(ctx, (flops), (bytes));                                                              \
        vx_mark mark = vx_mark_now(ctx);                                                           \
        void *scratch = NULL;                                                                      \
        size_t need = ops->op##_scratch ? ops->op##_scratch(ctx->backend, a) : 0;                  \
        if (need > 0) VX_TRY(vx_arena_take(ctx->workspace, need, &scratch, ctx->err));             \
        vx_status status = VX_OK;                                                                  \
        if (!ctx->plan) {                                                                          \
            double start = ctx->profile ? vx_now_s() : 0;                                          \
            assert(ops->op != NULL);                                                               \
            status = vx_cancelled(ctx->cancel) ? VX_ERR_CANCELLED : ops->op(ctx, a, scratch);      \
            if (ctx->profile) profile_add(ctx->profile, #op, vx_now_s() - start, (flops));         \
        }                                                                                          \
        vx_release(ctx, mark);                                                                     \
        if (status == VX_ERR_CANCELLED)                                                            \
            vx_fail(ctx->err, status, "cancelled", "the work was cancelled");                      \
        return status;                                                                             \
    } while (0)

static bool floating(const vx_tensor *t)
{
    return t->dtype == VX_F32 || t->dtype == VX_BF16;
}

static bool same_shape(const vx_tensor *a, const vx_tensor *b)
{
    return vx_rows(a) == vx_rows(b) && vx_cols(a) == vx_cols(b);
}

/* A vector is NULL or f32 with exactly n elements. */
static bool vector_of(const vx_tensor *v, int64_t n)
{
    return v == NULL || (v->dtype == VX_F32 && vx_dense(v) && vx_elements(v) == n);
}

/* ---- fronts -------------------------------------------------------------------------------- */

vx_status vx_copy(vx_ctx *ctx, const vx_copy_args *a)
{
    assert(same_shape(a->x, a->out));
    RUN_OP(copy, 0, bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_gather(vx_ctx *ctx, const vx_gather_args *a)
{
    assert(vx_cols(a->table) == vx_cols(a->out));
    assert(a->index != NULL || ctx->plan);
    RUN_OP(gather, 0, 2 * bytes_of(a->out));
}

vx_status vx_broadcast(vx_ctx *ctx, const vx_broadcast_args *a)
{
    assert(vx_elements(a->x) == vx_cols(a->out));
    RUN_OP(broadcast, 0, bytes_of(a->out));
}

vx_status vx_blend(vx_ctx *ctx, const vx_blend_args *a)
{
    assert(a->n >= 1 && a->n <= 3);
    double bytes = bytes_of(a->out);
    for (int i = 0; i < a->n; i++) {
        assert(same_shape(a->x[i], a->out) && floating(a->x[i]));
        bytes += bytes_of(a->x[i]);
    }
    RUN_OP(blend, (double)vx_elements(a->out) * 2 * a->n, bytes);
}

vx_status vx_gate(vx_ctx *ctx, const vx_gate_args *a)
{
    assert(same_shape(a->x, a->y) && same_shape(a->x, a->out));
    RUN_OP(gate, (double)vx_elements(a->out) * 2,
           bytes_of(a->x) + bytes_of(a->y) + bytes_of(a->out));
}

vx_status vx_linear(vx_ctx *ctx, const vx_linear_args *a)
{
    assert(a->w->kind == VX_WEIGHT_LINEAR);
    assert(vx_cols(a->x) == a->w->in && vx_cols(a->out) == a->w->out);
    assert(vx_rows(a->x) == vx_rows(a->out));
    assert(vector_of(a->bias, a->w->out) && vector_of(a->gate, a->w->out));
    assert(a->residual == NULL || same_shape(a->residual, a->out));
    RUN_OP(linear, 2.0 * (double)vx_rows(a->x) * (double)a->w->in * (double)a->w->out,
           bytes_of(a->x) + (double)a->w->bytes + bytes_of(a->residual) + bytes_of(a->out));
}

static int64_t conv_length(int64_t length, const vx_weight *w)
{
    return (length + 2 * w->pad[2] - w->dilation[2] * (w->kernel[2] - 1) - 1) / w->stride[2] + 1;
}

vx_status vx_conv1d(vx_ctx *ctx, const vx_conv1d_args *a)
{
    const vx_weight *w = a->w;
    assert(w->kind == VX_WEIGHT_CONV && w->kernel[0] == 1 && w->kernel[1] == 1);
    assert(vx_cols(a->x) == w->in && vx_cols(a->out) == w->out);
    assert(vx_dense(a->x) && vx_dense(a->out));
    assert(vx_rows(a->out) == conv_length(vx_rows(a->x), w));
    assert(a->x->halo >= w->pad[2]);
    assert(vector_of(a->bias, w->out));
    RUN_OP(conv1d,
           2.0 * (double)vx_rows(a->out) * (double)w->out * (double)w->in * (double)w->kernel[2],
           bytes_of(a->x) + (double)w->bytes + bytes_of(a->out) * (a->accumulate ? 2 : 1));
}

/* Output size along axis i (0 depth, 1 height, 2 width) of an input of `size`. */
static int64_t conv_size(int64_t size, const vx_weight *w, int i)
{
    int64_t up = i == 0 ? size : size * w->upsample;
    return (up + 2 * w->pad[i] - w->dilation[i] * (w->kernel[i] - 1) - 1) / w->stride[i] + 1;
}

vx_status vx_conv(vx_ctx *ctx, const vx_conv_args *a)
{
    const vx_weight *w = a->w;
    int rank = a->x->rank;
    assert(w->kind == VX_WEIGHT_CONV && (rank == 4 || rank == 5) && a->out->rank == rank);
    assert(rank == 5 || w->kernel[0] == 1);
    assert(vx_dense(a->x) && vx_dense(a->out));
    assert(vx_cols(a->x) == w->in && vx_cols(a->out) == w->out && a->x->dim[0] == a->out->dim[0]);
    for (int i = rank == 5 ? 0 : 1; i < 3; i++)
        assert(a->out->dim[rank - 4 + i] == conv_size(a->x->dim[rank - 4 + i], w, i));
    assert(vector_of(a->bias, w->out) && (a->residual == NULL || same_shape(a->residual, a->out)));
    double taps = (double)(w->kernel[0] * w->kernel[1] * w->kernel[2]);
    RUN_OP(conv, 2.0 * (double)vx_elements(a->out) * (double)w->in * taps,
           bytes_of(a->x) + (double)w->bytes + bytes_of(a->residual) + bytes_of(a->out));
}

vx_status vx_conv_transpose1d(vx_ctx *ctx, const vx_conv_transpose1d_args *a)
{
    const vx_weight *w = a->w;
    int64_t stride = w->stride[2];
    assert(w->kind == VX_WEIGHT_CONV_TRANSPOSE);
    assert(w->kernel[2] == 2 * stride && w->pad[2] == stride / 2);
    assert(vx_cols(a->x) == w->in && vx_cols(a->out) == w->out);
    assert(vx_rows(a->out) == vx_rows(a->x) * stride);
    assert(a->x->halo >= 1 && a->out->halo >= w->pad[2]);
    assert(vector_of(a->bias, w->out));
    RUN_OP(conv_transpose1d, 2.0 * (double)vx_rows(a->out) * (double)w->out * (double)w->in * 2,
           bytes_of(a->x) + (double)w->bytes + bytes_of(a->out));
}

vx_status vx_depthwise_up2(vx_ctx *ctx, const vx_depthwise_up2_args *a)
{
    assert(vx_rows(a->out) == 2 * vx_rows(a->x) && vx_cols(a->out) == vx_cols(a->x));
    assert(vector_of(a->weight, 3 * vx_cols(a->x)) && vector_of(a->bias, vx_cols(a->x)));
    RUN_OP(depthwise_up2, 3.0 * (double)vx_elements(a->out), bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_attention(vx_ctx *ctx, const vx_attention_args *a)
{
    int64_t nq = vx_rows(a->q), nk = vx_rows(a->k), width = vx_cols(a->q);
    assert(a->heads > 0 && width % a->heads == 0);
    assert(vx_cols(a->k) == width && vx_cols(a->v) == width && vx_rows(a->v) == nk);
    assert(same_shape(a->q, a->out));
    assert(!a->causal || nq == nk);
    assert(vector_of(a->bias, (int64_t)a->heads * (nq + nk - 1)));
    assert(a->compute == VX_F32 || a->compute == VX_BF16);
    RUN_OP(attention, 4.0 * (double)nq * (double)nk * (double)width,
           bytes_of(a->q) + bytes_of(a->k) + bytes_of(a->v) + bytes_of(a->out));
}

vx_status vx_lstm(vx_ctx *ctx, const vx_lstm_args *a)
{
    int64_t hidden = vx_cols(a->out) / 2;
    assert(a->w->kind == VX_WEIGHT_LSTM);
    assert(vx_cols(a->x) == a->w->in && a->w->out == 8 * hidden && vx_cols(a->out) == 2 * hidden);
    assert(vx_rows(a->x) == vx_rows(a->out) && vector_of(a->bias, 8 * hidden));
    RUN_OP(lstm, 2.0 * (double)vx_rows(a->x) * (double)(8 * hidden) * (double)(a->w->in + hidden),
           bytes_of(a->x) + (double)a->w->bytes + bytes_of(a->out));
}

vx_status vx_layer_norm(vx_ctx *ctx, const vx_layer_norm_args *a)
{
    int64_t cols = vx_cols(a->x);
    assert(same_shape(a->x, a->out) && (a->add == NULL || same_shape(a->x, a->add)));
    assert(a->sum_out == NULL || same_shape(a->x, a->sum_out));
    assert(vector_of(a->gamma, cols) && vector_of(a->beta, cols));
    assert(vector_of(a->scale, cols) && vector_of(a->shift, cols));
    RUN_OP(layer_norm, 8.0 * (double)vx_elements(a->x),
           bytes_of(a->x) + bytes_of(a->add) + bytes_of(a->sum_out) + bytes_of(a->out));
}

vx_status vx_instance_norm(vx_ctx *ctx, const vx_instance_norm_args *a)
{
    int64_t cols = vx_cols(a->x);
    assert(same_shape(a->x, a->out));
    assert(vector_of(a->scale, cols) && vector_of(a->shift, cols) && vector_of(a->alpha, cols));
    assert(a->alpha == NULL || a->act.kind == VX_ACT_NONE);
    RUN_OP(instance_norm, 8.0 * (double)vx_elements(a->x), 2 * bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_group_norm(vx_ctx *ctx, const vx_group_norm_args *a)
{
    assert(same_shape(a->x, a->out) && a->groups > 0 && vx_cols(a->x) % a->groups == 0);
    assert(vector_of(a->gamma, vx_cols(a->x)) && vector_of(a->beta, vx_cols(a->x)));
    RUN_OP(group_norm, 8.0 * (double)vx_elements(a->x), 2 * bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a)
{
    assert(same_shape(a->x, a->out) && a->heads > 0 && vx_cols(a->x) % a->heads == 0);
    int64_t width = vx_cols(a->x) / a->heads;
    assert(width % 2 == 0 && vector_of(a->weight, width));
    assert(a->table == NULL || (a->table->dtype == VX_F32 && vx_dense(a->table) &&
                                vx_rows(a->table) == vx_rows(a->x) && vx_cols(a->table) == width));
    RUN_OP(qk_norm, 10.0 * (double)vx_elements(a->x), bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_harmonic_source(vx_ctx *ctx, const vx_harmonic_source_args *a)
{
    assert(a->f0->dtype == VX_F32 && vx_cols(a->f0) == 1 && vx_dense(a->f0));
    assert(a->out->dtype == VX_F32 && vx_rows(a->out) == 300 * vx_rows(a->f0));
    assert(vector_of(a->weight, 9) && vector_of(a->bias, 1));
    RUN_OP(harmonic_source, 9.0 * 20 * (double)vx_rows(a->out), bytes_of(a->out));
}

vx_status vx_stft(vx_ctx *ctx, const vx_stft_args *a)
{
    assert(a->x->dtype == VX_F32 && vx_cols(a->x) == 1 && vx_rows(a->x) % 5 == 0);
    assert(vx_rows(a->x) > 10);
    assert(vx_rows(a->out) == vx_rows(a->x) / 5 + 1 && vx_cols(a->out) == 22);
    RUN_OP(stft, (double)vx_rows(a->out) * (2 * 20 * 22 + 200), bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_istft(vx_ctx *ctx, const vx_istft_args *a)
{
    assert(vx_cols(a->x) == 22 && a->out->dtype == VX_F32 && vx_cols(a->out) == 1);
    assert(vx_rows(a->out) == 5 * (vx_rows(a->x) - 1));
    RUN_OP(istft, (double)vx_rows(a->x) * (2 * 20 * 22 + 400), bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_upload(vx_ctx *ctx, const void *host, vx_tensor *out)
{
    return ctx->plan ? VX_OK : ctx->backend->ops->upload(ctx, host, out);
}

vx_status vx_download(vx_ctx *ctx, const vx_tensor *x, void *host)
{
    return ctx->plan ? VX_OK : ctx->backend->ops->download(ctx, x, host);
}
