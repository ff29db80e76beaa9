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

void vx_profile_add(vx_profile *profile, const char *op, double seconds, double flops)
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

/* Names as they are spelled in VX_OPS. */
static const char *const names[VX_OP_COUNT] = {
#define VX_OP_NAME(op) [VX_OP_##op] = #op,
    VX_OPS(VX_OP_NAME)
#undef VX_OP_NAME
};

const char *vx_op_name(vx_op op)
{
    assert(op >= 0 && op < VX_OP_COUNT);
    return names[op];
}

static vx_status unsupported(vx_ctx *ctx, vx_op op)
{
    return vx_fail(ctx->err, VX_ERR_MISSING, "no_kernel",
                   "%s has no %s for these shapes and types; choose another device or precision",
                   ctx->backend->device.title, names[op]);
}

/* The kernel, its time, and what the lane then holds. */
static vx_status run(vx_ctx *ctx, vx_op op, const void *args, vx_dev scratch, double flops,
                     double bytes)
{
    const vx_backend *b = ctx->backend;
    vx_lane *lane = ctx->lane;
    bool eager = b->flush_s == 0;
    assert(b->ops->op[op].run != NULL);
    if (eager) VX_TRY(vx_flush(ctx));
    /* A backend that records takes times on the device. */
    double start = eager && lane->profile ? vx_now_s() : 0;
    vx_status status = b->ops->op[op].run(ctx, args, scratch);
    if (eager && lane->profile) vx_profile_add(lane->profile, names[op], vx_now_s() - start, flops);
    if (status == VX_ERR_CANCELLED)
        return vx_fail(ctx->err, status, "cancelled", "the work was cancelled");
    if (status != VX_OK || eager) return status;
    double compute = flops / b->flops_per_s, traffic = bytes / b->bytes_per_s;
    lane->pending_s += compute > traffic ? compute : traffic;
    return lane->pending_s >= b->flush_s ? vx_flush(ctx) : VX_OK;
}

/* The one way through for every op. Scratch is stacked in a plan exactly as in a run; the kernel is
 * the only difference. */
static vx_status vx_run(vx_ctx *ctx, vx_op op, const void *args, double flops, double bytes)
{
    const vx_backend_ops *ops = ctx->backend->ops;
    count(ctx, flops, bytes);
    if (ops->supports != NULL && !ops->supports(ctx->backend, op, args))
        return unsupported(ctx, op);
    vx_mark mark = vx_mark_now(ctx);
    vx_dev scratch = {0};
    size_t need = ops->op[op].scratch ? ops->op[op].scratch(ctx->backend, args) : 0;
    if (need > 0) VX_TRY(vx_take_bytes(ctx, need, &scratch));
    vx_status status = ctx->plan ? VX_OK : run(ctx, op, args, scratch, flops, bytes);
    vx_release(ctx, mark);
    return status;
}

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
    return vx_run(ctx, VX_OP_copy, a, 0, bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_gather(vx_ctx *ctx, const vx_gather_args *a)
{
    assert(vx_cols(a->table) == vx_cols(a->out));
    assert(a->index->dtype == VX_I32 && vx_dense(a->index) &&
           vx_elements(a->index) == vx_rows(a->out));
    return vx_run(ctx, VX_OP_gather, a, 0, 2 * bytes_of(a->out));
}

vx_status vx_broadcast(vx_ctx *ctx, const vx_broadcast_args *a)
{
    assert(vx_elements(a->x) == vx_cols(a->out));
    return vx_run(ctx, VX_OP_broadcast, a, 0, bytes_of(a->out));
}

vx_status vx_blend(vx_ctx *ctx, const vx_blend_args *a)
{
    assert(a->n >= 1 && a->n <= 3);
    double bytes = bytes_of(a->out);
    for (int i = 0; i < a->n; i++) {
        assert(same_shape(a->x[i], a->out) && floating(a->x[i]));
        bytes += bytes_of(a->x[i]);
    }
    assert(a->slopes == NULL ||
           (a->act.kind == VX_ACT_LRELU && vector_of(a->slopes, vx_cols(a->out))));
    return vx_run(ctx, VX_OP_blend, a, (double)vx_elements(a->out) * 2 * a->n, bytes);
}

vx_status vx_gate(vx_ctx *ctx, const vx_gate_args *a)
{
    assert(same_shape(a->x, a->y) && same_shape(a->x, a->out));
    return vx_run(ctx, VX_OP_gate, a, (double)vx_elements(a->out) * 2,
                  bytes_of(a->x) + bytes_of(a->y) + bytes_of(a->out));
}

vx_status vx_linear(vx_ctx *ctx, const vx_linear_args *a)
{
    assert(a->w->kind == VX_WEIGHT_LINEAR);
    assert(vx_cols(a->x) == a->w->in && vx_cols(a->out) == a->w->out);
    assert(vx_rows(a->x) == vx_rows(a->out));
    assert(vector_of(a->bias, a->w->out) && vector_of(a->gate, a->w->out));
    assert(a->residual == NULL || same_shape(a->residual, a->out));
    return vx_run(ctx, VX_OP_linear, a,
                  2.0 * (double)vx_rows(a->x) * (double)a->w->in * (double)a->w->out,
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
    return vx_run(ctx, VX_OP_conv1d, a,
                  2.0 * (double)vx_rows(a->out) * (double)w->out * (double)w->in *
                      (double)w->kernel[2],
                  bytes_of(a->x) + (double)w->bytes + bytes_of(a->out) * (a->accumulate ? 2 : 1));
}

/* Output size along axis i (0 depth, 1 height, 2 width) of an input of `size`. */
static int64_t conv_size(int64_t size, const vx_weight *w, int i)
{
    int64_t full = i > 0 && w->cells_in ? size / 3 * 4 : size;
    int64_t up = i == 0 ? full : full * w->upsample;
    int64_t padded = up + 2 * w->pad[i] + w->pad_end[i];
    int64_t out = (padded - w->dilation[i] * (w->kernel[i] - 1) - 1) / w->stride[i] + 1;
    return i > 0 && w->cells_out ? out / 4 * 3 : out;
}

/* Share of a filter's products along one axis that are needed (facts of nearest upsampling:
 * with two pixels a cell 4 products instead of 6, with four 5 instead of 12; over cells of
 * four 10 instead of 12). */
static double axis_share(const vx_weight *w)
{
    if (w->cells_in) return 10.0 / 12;
    return w->upsample == 2 ? 4.0 / 6 : w->upsample == 4 ? 5.0 / 12 : 1;
}

/* Taps along depth that do not meet padding, summed over the output's depth. */
static double depth_taps(const vx_weight *w, int64_t size, int64_t out)
{
    int64_t taps = 0;
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < w->kernel[0]; k++) {
            int64_t at = o * w->stride[0] - w->pad[0] + k * w->dilation[0];
            taps += at >= 0 && at < size;
        }
    return (double)taps;
}

vx_status vx_conv(vx_ctx *ctx, const vx_conv_args *a)
{
    const vx_weight *w = a->w;
    int rank = a->x->rank;
    bool structured = w->upsample > 1 || w->cells_in;
    assert(w->kind == VX_WEIGHT_CONV && (rank == 4 || rank == 5) && a->out->rank == rank);
    assert(rank == 5 || w->kernel[0] == 1);
    assert(!structured || (w->kernel[1] == 3 && w->kernel[2] == 3 && w->pad[1] == 1 &&
                           w->pad[2] == 1 && w->pad_end[1] == 0 && w->pad_end[2] == 0));
    assert(!w->cells_out || w->upsample == 4);
    assert(vx_dense(a->x) && vx_dense(a->out));
    assert(vx_cols(a->x) == w->in && vx_cols(a->out) == w->out && a->x->dim[0] == a->out->dim[0]);
    assert((a->above == 0 && a->below == 0) ||
           (rank == 4 && !structured && w->kernel[1] > 1 && w->stride[1] == 1));
    for (int i = rank == 5 ? 0 : 1; i < 3; i++)
        assert(a->out->dim[rank - 4 + i] ==
               conv_size(a->x->dim[rank - 4 + i], w, i) - (i == 1 ? a->above + a->below : 0));
    assert(vector_of(a->bias, w->out) && (a->residual == NULL || same_shape(a->residual, a->out)));
    int64_t depth = rank == 5 ? a->x->dim[1] : 1, depth_out = rank == 5 ? a->out->dim[1] : 1;
    double planes = (double)a->out->dim[0] * depth_taps(w, depth, depth_out);
    double pixels =
        (double)(a->out->dim[rank - 3] * a->out->dim[rank - 2]) * (w->cells_out ? 16.0 / 9 : 1);
    double taps = (double)(w->kernel[1] * w->kernel[2]) * axis_share(w) * axis_share(w);
    return vx_run(ctx, VX_OP_conv, a, 2.0 * planes * pixels * taps * (double)w->in * (double)w->out,
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
    return vx_run(ctx, VX_OP_conv_transpose1d, a,
                  2.0 * (double)vx_rows(a->out) * (double)w->out * (double)w->in * 2,
                  bytes_of(a->x) + (double)w->bytes + bytes_of(a->out));
}

vx_status vx_depthwise_up2(vx_ctx *ctx, const vx_depthwise_up2_args *a)
{
    assert(vx_rows(a->out) == 2 * vx_rows(a->x) && vx_cols(a->out) == vx_cols(a->x));
    assert(vector_of(a->weight, 3 * vx_cols(a->x)) && vector_of(a->bias, vx_cols(a->x)));
    return vx_run(ctx, VX_OP_depthwise_up2, a, 3.0 * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->out));
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
    return vx_run(ctx, VX_OP_attention, a, 4.0 * (double)nq * (double)nk * (double)width,
                  bytes_of(a->q) + bytes_of(a->k) + bytes_of(a->v) + bytes_of(a->out));
}

vx_status vx_lstm(vx_ctx *ctx, const vx_lstm_args *a)
{
    int64_t hidden = vx_cols(a->out) / 2;
    assert(a->w->kind == VX_WEIGHT_LSTM);
    assert(vx_cols(a->x) == a->w->in && a->w->out == 8 * hidden && vx_cols(a->out) == 2 * hidden);
    assert(vx_rows(a->x) == vx_rows(a->out) && vector_of(a->bias, 8 * hidden));
    return vx_run(ctx, VX_OP_lstm, a,
                  2.0 * (double)vx_rows(a->x) * (double)(8 * hidden) * (double)(a->w->in + hidden),
                  bytes_of(a->x) + (double)a->w->bytes + bytes_of(a->out));
}

vx_status vx_layer_norm(vx_ctx *ctx, const vx_layer_norm_args *a)
{
    int64_t cols = vx_cols(a->x);
    assert(same_shape(a->x, a->out) && (a->add == NULL || same_shape(a->x, a->add)));
    assert(a->sum_out == NULL || same_shape(a->x, a->sum_out));
    assert(vector_of(a->gamma, cols) && vector_of(a->beta, cols));
    assert(vector_of(a->scale, cols) && vector_of(a->shift, cols));
    return vx_run(ctx, VX_OP_layer_norm, a, 8.0 * (double)vx_elements(a->x),
                  bytes_of(a->x) + bytes_of(a->add) + bytes_of(a->sum_out) + bytes_of(a->out));
}

vx_status vx_instance_norm(vx_ctx *ctx, const vx_instance_norm_args *a)
{
    int64_t cols = vx_cols(a->x);
    assert(same_shape(a->x, a->out));
    assert(vector_of(a->scale, cols) && vector_of(a->shift, cols) && vector_of(a->alpha, cols));
    assert(a->alpha == NULL || a->act.kind == VX_ACT_NONE);
    return vx_run(ctx, VX_OP_instance_norm, a, 8.0 * (double)vx_elements(a->x),
                  2 * bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_group_norm(vx_ctx *ctx, const vx_group_norm_args *a)
{
    assert(a->out != NULL ? same_shape(a->x, a->out) : a->factors != NULL);
    assert(a->groups > 0 && vx_cols(a->x) % a->groups == 0);
    assert(a->factors == NULL ||
           (a->x->dim[0] == 1 && a->factors->dtype == VX_F32 && vx_dense(a->factors) &&
            vx_rows(a->factors) == 3 && vx_cols(a->factors) == vx_cols(a->x)));
    assert(vector_of(a->gamma, vx_cols(a->x)) && vector_of(a->beta, vx_cols(a->x)));
    double passes = (a->out == NULL || a->factors == NULL) + (a->out != NULL);
    return vx_run(ctx, VX_OP_group_norm, a, 4.0 * passes * (double)vx_elements(a->x),
                  passes * bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a)
{
    assert(same_shape(a->x, a->out) && a->heads > 0 && vx_cols(a->x) % a->heads == 0);
    int64_t width = vx_cols(a->x) / a->heads;
    assert(width % 2 == 0 && vector_of(a->weight, width));
    assert(a->table == NULL || (a->table->dtype == VX_F32 && vx_dense(a->table) &&
                                vx_rows(a->table) == vx_rows(a->x) && vx_cols(a->table) == width));
    return vx_run(ctx, VX_OP_qk_norm, a, 10.0 * (double)vx_elements(a->x),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_spade(vx_ctx *ctx, const vx_spade_args *a)
{
    int64_t cols = vx_cols(a->x);
    assert(a->x->rank == 3 && a->out->rank == 3 && a->map->rank == 3 && vx_cols(a->out) == cols);
    assert(vx_cols(a->map) == cols || vx_cols(a->map) == 2 * cols);
    for (int i = 0; i < 2; i++)
        assert(a->out->dim[i] == a->x->dim[i] * a->up && a->map->dim[i] == a->out->dim[i]);
    assert(vector_of(a->mean, cols) && vector_of(a->var, cols) &&
           (a->mean == NULL) == (a->var == NULL));
    return vx_run(ctx, VX_OP_spade, a, 10.0 * (double)vx_elements(a->out),
                  2 * bytes_of(a->x) + bytes_of(a->map) + bytes_of(a->out));
}

vx_status vx_response_norm(vx_ctx *ctx, const vx_response_norm_args *a)
{
    assert(same_shape(a->x, a->out));
    assert(vector_of(a->gamma, vx_cols(a->x)) && vector_of(a->beta, vx_cols(a->x)));
    return vx_run(ctx, VX_OP_response_norm, a, 6.0 * (double)vx_elements(a->x),
                  2 * bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_pool2(vx_ctx *ctx, const vx_pool2_args *a)
{
    int rank = a->x->rank;
    assert((rank == 4 || rank == 5) && a->out->rank == rank && vx_cols(a->x) == vx_cols(a->out));
    assert(vx_dense(a->x));
    bool deep = rank == 5 && a->out->dim[1] != a->x->dim[1];
    for (int i = 0; i + 1 < rank; i++) {
        bool halved = i >= rank - 3 || (i == 1 && deep);
        assert(a->out->dim[i] == (halved ? a->x->dim[i] / 2 : a->x->dim[i]));
    }
    return vx_run(ctx, VX_OP_pool2, a, 4.0 * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_depthwise(vx_ctx *ctx, const vx_depthwise_args *a)
{
    int64_t k = a->weight->dim[0];
    assert(a->x->rank == 3 && a->out->rank == 3 && vx_cols(a->x) == vx_cols(a->out));
    assert(vx_dense(a->x) && a->stride >= 0 && a->pad >= 0 && a->pad < k);
    assert(a->stride > 0 ? vx_rows(a->out) > 0 : same_shape(a->x, a->out) && a->pad == 0);
    for (int i = 0; i < 2; i++) /* each filter meets x */
        assert(a->stride == 0 || (a->out->dim[i] - 1) * a->stride - a->pad < a->x->dim[i]);
    assert(a->weight->rank == 3 && a->weight->dim[1] == k && k % 2 == 1 &&
           a->weight->dtype == VX_F32);
    assert(vx_cols(a->weight) == vx_cols(a->x) && vector_of(a->bias, vx_cols(a->x)));
    return vx_run(ctx, VX_OP_depthwise, a, 2.0 * (double)(k * k) * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_row_gate(vx_ctx *ctx, const vx_row_gate_args *a)
{
    assert(same_shape(a->x, a->out) && vx_cols(a->s) == 1);
    if (vx_rows(a->s) != vx_rows(a->x)) {
        int rank = a->x->rank, of = a->s->rank;
        assert(rank >= 3 && of >= 3 && vx_rows(a->x) == a->x->dim[rank - 3] * a->x->dim[rank - 2]);
        assert(vx_rows(a->s) == a->s->dim[of - 3] * a->s->dim[of - 2]);
        assert(a->s->dim[of - 3] <= a->x->dim[rank - 3] &&
               a->s->dim[of - 2] <= a->x->dim[rank - 2]);
    }
    return vx_run(ctx, VX_OP_row_gate, a, (double)vx_elements(a->x),
                  bytes_of(a->x) + bytes_of(a->out));
}

/* Key points: [K, 3] f32, dense. */
static bool key_points(const vx_tensor *t, int64_t count)
{
    return t->dtype == VX_F32 && vx_dense(t) && vx_rows(t) == count && vx_cols(t) == 3;
}

vx_status vx_motion_input(vx_ctx *ctx, const vx_motion_input_args *a)
{
    int64_t points = vx_rows(a->source), features = vx_cols(a->feature);
    assert(a->feature->rank == 4 && a->out->rank == 4 && vx_rows(a->feature) == vx_rows(a->out));
    assert(key_points(a->source, points) && key_points(a->driving, points));
    assert(vx_cols(a->out) == (points + 1) * (features + 1) && a->variance > 0);
    return vx_run(ctx, VX_OP_motion_input, a, 16.0 * (double)vx_elements(a->out),
                  bytes_of(a->feature) + bytes_of(a->out));
}

vx_status vx_motion_field(vx_ctx *ctx, const vx_motion_field_args *a)
{
    int64_t points = vx_cols(a->logits) - 1;
    assert(a->logits->rank == 4 && a->out->rank == 4 && vx_rows(a->logits) == vx_rows(a->out));
    assert(key_points(a->source, points) && key_points(a->driving, points));
    assert(a->out->dtype == VX_F32 && vx_cols(a->out) == 3 && vx_dense(a->out));
    return vx_run(ctx, VX_OP_motion_field, a, 12.0 * (double)vx_elements(a->logits),
                  bytes_of(a->logits) + bytes_of(a->out));
}

vx_status vx_warp(vx_ctx *ctx, const vx_warp_args *a)
{
    assert(a->x->rank == 4 && a->field->rank == 4 && vx_elements(a->x) == vx_elements(a->out));
    assert(vx_rows(a->out) == vx_rows(a->x) || vx_rows(a->out) == a->x->dim[1] * a->x->dim[2]);
    assert(vx_cols(a->field) == 3 && a->field->dtype == VX_F32);
    for (int i = 0; i < 3; i++)
        assert(a->field->dim[i] <= a->x->dim[i]);
    assert(vx_dense(a->x) && vx_dense(a->field));
    return vx_run(ctx, VX_OP_warp, a, 16.0 * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->field) + bytes_of(a->out));
}

vx_status vx_to_picture(vx_ctx *ctx, const vx_to_picture_args *a)
{
    assert(a->x->rank == 3 && a->out->rank == 3 && vx_cols(a->x) == 3 * a->factor * a->factor);
    assert(a->out->dim[0] == a->x->dim[0] * a->factor &&
           a->out->dim[1] == a->x->dim[1] * a->factor);
    assert(vx_cols(a->out) == 3 && vx_dense(a->out) &&
           (a->out->dtype == VX_U8 || a->out->dtype == VX_F32));
    return vx_run(ctx, VX_OP_to_picture, a, 8.0 * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_from_picture(vx_ctx *ctx, const vx_from_picture_args *a)
{
    assert(same_shape(a->x, a->out) && vx_cols(a->x) % 3 == 0);
    assert(a->x->dtype == VX_U8 && vx_dense(a->x) && vx_dense(a->out) && a->divisor > 0);
    return vx_run(ctx, VX_OP_from_picture, a, 3.0 * (double)vx_elements(a->out),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_harmonic_source(vx_ctx *ctx, const vx_harmonic_source_args *a)
{
    assert(a->f0->dtype == VX_F32 && vx_cols(a->f0) == 1 && vx_dense(a->f0));
    assert(a->out->dtype == VX_F32 && vx_rows(a->out) == 300 * vx_rows(a->f0));
    assert(vector_of(a->weight, 9) && vector_of(a->bias, 1));
    return vx_run(ctx, VX_OP_harmonic_source, a, 9.0 * 20 * (double)vx_rows(a->out),
                  bytes_of(a->out));
}

vx_status vx_stft(vx_ctx *ctx, const vx_stft_args *a)
{
    assert(a->x->dtype == VX_F32 && vx_cols(a->x) == 1 && vx_rows(a->x) % 5 == 0);
    assert(vx_rows(a->x) > 10);
    assert(vx_rows(a->out) == vx_rows(a->x) / 5 + 1 && vx_cols(a->out) == 22);
    return vx_run(ctx, VX_OP_stft, a, (double)vx_rows(a->out) * (2 * 20 * 22 + 200),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_istft(vx_ctx *ctx, const vx_istft_args *a)
{
    assert(vx_cols(a->x) == 22 && a->out->dtype == VX_F32 && vx_cols(a->out) == 1);
    assert(vx_rows(a->out) == 5 * (vx_rows(a->x) - 1));
    return vx_run(ctx, VX_OP_istft, a, (double)vx_rows(a->x) * (2 * 20 * 22 + 400),
                  bytes_of(a->x) + bytes_of(a->out));
}

vx_status vx_upload(vx_ctx *ctx, const void *host, vx_tensor *out)
{
    if (ctx->plan) return VX_OK;
    ctx->lane->uploads++;
    return ctx->backend->ops->upload(ctx, host, out);
}

vx_status vx_download(vx_ctx *ctx, const vx_tensor *x, void *host)
{
    if (ctx->plan) return VX_OK;
    ctx->lane->downloads++;
    return ctx->backend->ops->download(ctx, x, host);
}
