/* Convolutions along time. The halo of x stands for the padding, so a window is always whole and
 * the products know nothing of borders. */
#include <math.h>

#include "backend/cpu/product.h"
#include "backend/cpu/quantise.h"

/* ---- bytes --------------------------------------------------------------------------------- */

/* Where a weight's products are of bytes, x is measured first: y = scale_x scale_w (sum of q w -
 * zero sum of w) + bias, the sums of w coming with the weights. */

static int64_t range_tiles(const vx_tensor *x)
{
    return vx_cpu_tiles(vx_rows(x), vx_cpu_pass_rows(vx_cols(x)));
}

static size_t vector_bytes(const vx_cpu_layout *l)
{
    return vx_align_up((size_t)l->columns * sizeof(float));
}

/* Scale and bias of each column, and the range of each tile of x. */
static size_t bytes_scratch(const vx_conv1d_args *a)
{
    const vx_cpu_layout *l = a->w->layout;
    if (l->type != VX_U8) return 0;
    return 2 * vector_bytes(l) + vx_align_up((size_t)range_tiles(a->x) * 2 * sizeof(float));
}

typedef struct range_run {
    const vx_tensor *x;
    float *range; /* [tiles][2] */
} range_run;

static void range_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const range_run *r = arg;
    int64_t step = vx_cpu_pass_rows(vx_cols(r->x)), first = tile * step;
    int64_t rows = vx_rows(r->x) - first < step ? vx_rows(r->x) - first : step;
    float *range = r->range + 2 * tile;
    range[0] = range[1] = 0;
    vx_quantise_range(vx_row(r->x, first), r->x->dtype, r->x->ld, rows, vx_cols(r->x), &range[0],
                      &range[1]);
}

/* Measures x and fills the job's scales and the epilogue's vectors. */
static vx_status prepare_bytes(vx_ctx *ctx, const vx_conv1d_args *a, vx_cpu_job *job, void *scratch)
{
    const vx_cpu_layout *l = job->layout;
    float *scale = scratch, *bias = (float *)(void *)((char *)scratch + vector_bytes(l));
    range_run r = {.x = a->x, .range = (float *)(void *)((char *)scratch + 2 * vector_bytes(l))};
    int64_t tiles = range_tiles(a->x);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, tiles, range_tile, &r));
    float low = 0, high = 0;
    for (int64_t i = 0; i < tiles; i++) {
        if (r.range[2 * i] < low) low = r.range[2 * i];
        if (r.range[2 * i + 1] > high) high = r.range[2 * i + 1];
    }
    float step = high > low ? (high - low) / 255 : 1;
    job->inverse_scale = 1 / step;
    job->zero = rintf(-low / step);
    const float *weight_scale =
        (const float *)(const void *)((const char *)vx_host(a->w->data) + l->scale_offset);
    const float *weight_sum =
        (const float *)(const void *)((const char *)weight_scale + vector_bytes(l));
    for (int64_t c = 0; c < l->columns; c++) {
        scale[c] = step * weight_scale[c];
        bias[c] = -scale[c] * job->zero * weight_sum[c];
        if (a->bias) bias[c] += ((const float *)vx_host(a->bias->data))[c];
    }
    job->epilogue.scale = scale;
    job->epilogue.bias = bias;
    return VX_OK;
}

/* ---- conv1d -------------------------------------------------------------------------------- */

static vx_cpu_job conv_job(const vx_conv1d_args *a)
{
    const vx_cpu_layout *layout = a->w->layout;
    return (vx_cpu_job){.layout = layout,
                        .weights = vx_host(a->w->data),
                        .x_dtype = a->x->dtype,
                        .x_ld = a->x->ld,
                        .rows = vx_rows(a->out),
                        .tail = layout->columns};
}

size_t vx_cpu_conv1d_scratch(vx_backend *backend, const vx_conv1d_args *a)
{
    vx_cpu_job job = conv_job(a);
    return bytes_scratch(a) + vx_cpu_job_scratch(vx_cpu_of(backend), &job);
}

vx_status vx_cpu_conv1d(vx_ctx *ctx, const vx_conv1d_args *a, void *scratch)
{
    vx_cpu_job job = conv_job(a);
    job.x = vx_row(a->x, -a->w->pad[2]);
    job.epilogue = (vx_epilogue){.bias = a->bias ? vx_host(a->bias->data) : NULL,
                                 .act = a->act,
                                 .out = vx_host(a->out->data),
                                 .out_dtype = a->out->dtype,
                                 .out_ld = a->out->ld};
    if (a->accumulate) {
        job.epilogue.residual = vx_host(a->out->data);
        job.epilogue.residual_dtype = a->out->dtype;
        job.epilogue.residual_ld = a->out->ld;
    }
    if (job.layout->type == VX_U8) VX_TRY(prepare_bytes(ctx, a, &job, scratch));
    vx_host_zero_halo(a->out);
    return vx_cpu_job_run(ctx, &job, (char *)scratch + bytes_scratch(a));
}

/* ---- conv_transpose1d ---------------------------------------------------------------------- */

/* With k = 2s taps, output row q*s + phase - pad is x[q-1] w[phase + s] + x[q] w[phase]: a two-tap
 * convolution whose row q (0..L) holds s output rows side by side, that is, lies at output row q*s
 * - pad as one row of s*out channels. The first pad rows of row 0 and all but the first pad of row
 * L fall outside. */
static size_t bias_bytes(const vx_conv_transpose1d_args *a)
{
    return vx_align_up((size_t)(a->w->stride[2] * a->w->out) * sizeof(float));
}

static vx_cpu_job transpose_job(const vx_conv_transpose1d_args *a)
{
    int64_t outside = a->w->pad[2] * a->w->out;
    return (vx_cpu_job){.layout = a->w->layout,
                        .weights = vx_host(a->w->data),
                        .x_dtype = a->x->dtype,
                        .x_ld = a->x->ld,
                        .rows = vx_rows(a->x) + 1,
                        .head = outside,
                        .tail = outside};
}

size_t vx_cpu_conv_transpose1d_scratch(vx_backend *backend, const vx_conv_transpose1d_args *a)
{
    vx_cpu_job job = transpose_job(a);
    return bias_bytes(a) + vx_cpu_job_scratch(vx_cpu_of(backend), &job);
}

vx_status vx_cpu_conv_transpose1d(vx_ctx *ctx, const vx_conv_transpose1d_args *a, void *scratch)
{
    int64_t stride = a->w->stride[2], pad = a->w->pad[2], out = a->w->out;
    assert(vx_dense(a->out));
    vx_cpu_job job = transpose_job(a);
    job.x = vx_row(a->x, -1);
    job.epilogue = (vx_epilogue){
        .out = vx_row(a->out, -pad), .out_dtype = a->out->dtype, .out_ld = stride * out};
    if (a->bias) {
        float *bias = scratch; /* once for each phase */
        for (int64_t phase = 0; phase < stride; phase++)
            memcpy(bias + phase * out, vx_host(a->bias->data), (size_t)out * sizeof *bias);
        job.epilogue.bias = bias;
    }
    vx_host_zero_halo(a->out);
    return vx_cpu_job_run(ctx, &job, (char *)scratch + bias_bytes(a));
}
