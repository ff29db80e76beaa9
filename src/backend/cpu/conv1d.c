/* Convolutions along time. The halo of x stands for the padding, so a window is always whole and the
 * products know nothing of borders. */
#include "backend/cpu/product.h"

/* ---- conv1d -------------------------------------------------------------------------------- */

size_t vx_cpu_conv1d_scratch(vx_backend *backend, const vx_conv1d_args *a)
{
    return vx_cpu_job_scratch(vx_cpu_of(backend), a->w->layout);
}

vx_status vx_cpu_conv1d(vx_ctx *ctx, const vx_conv1d_args *a, void *scratch)
{
    const vx_cpu_layout *layout = a->w->layout;
    vx_cpu_job job = {.layout = layout,
                      .weights = a->w->data,
                      .x = vx_row(a->x, -a->w->pad[2]),
                      .x_dtype = a->x->dtype,
                      .x_ld = a->x->ld,
                      .rows = vx_rows(a->out),
                      .tail = layout->columns};
    job.epilogue = (vx_epilogue){.bias = a->bias ? a->bias->data : NULL,
                                 .act = a->act,
                                 .out = a->out->data,
                                 .out_dtype = a->out->dtype,
                                 .out_ld = a->out->ld};
    if (a->accumulate) {
        job.epilogue.residual = a->out->data;
        job.epilogue.residual_dtype = a->out->dtype;
        job.epilogue.residual_ld = a->out->ld;
    }
    vx_cpu_zero_halo(a->out);
    return vx_cpu_job_run(ctx, &job, scratch);
}

/* ---- conv_transpose1d ---------------------------------------------------------------------- */

/* With k = 2s taps, output row q*s + phase - pad is x[q-1] w[phase + s] + x[q] w[phase]: a two-tap
 * convolution whose row q (0..L) holds s output rows side by side, that is, lies at output row q*s -
 * pad as one row of s*out channels. The first pad rows of row 0 and all but the first pad of row L
 * fall outside. */
static size_t bias_bytes(const vx_conv_transpose1d_args *a)
{
    size_t bytes = (size_t)(a->w->stride[2] * a->w->out) * sizeof(float);
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

size_t vx_cpu_conv_transpose1d_scratch(vx_backend *backend, const vx_conv_transpose1d_args *a)
{
    return bias_bytes(a) + vx_cpu_job_scratch(vx_cpu_of(backend), a->w->layout);
}

vx_status vx_cpu_conv_transpose1d(vx_ctx *ctx, const vx_conv_transpose1d_args *a, void *scratch)
{
    int64_t stride = a->w->stride[2], pad = a->w->pad[2], out = a->w->out;
    assert(vx_dense(a->out));
    vx_cpu_job job = {.layout = a->w->layout,
                      .weights = a->w->data,
                      .x = vx_row(a->x, -1),
                      .x_dtype = a->x->dtype,
                      .x_ld = a->x->ld,
                      .rows = vx_rows(a->x) + 1,
                      .head = pad * out,
                      .tail = pad * out};
    job.epilogue = (vx_epilogue){
        .out = vx_row(a->out, -pad), .out_dtype = a->out->dtype, .out_ld = stride * out};
    if (a->bias) {
        float *bias = scratch; /* once for each phase */
        for (int64_t phase = 0; phase < stride; phase++)
            memcpy(bias + phase * out, a->bias->data, (size_t)out * sizeof *bias);
        job.epilogue.bias = bias;
    }
    vx_cpu_zero_halo(a->out);
    return vx_cpu_job_run(ctx, &job, (char *)scratch + bias_bytes(a));
}
