#include "backend/cpu/product.h"

static vx_cpu_job job_of(const vx_linear_args *a)
{
    const vx_cpu_layout *layout = a->w->layout;
    return (vx_cpu_job){.layout = layout,
                        .weights = vx_host(a->w->data),
                        .x = vx_host(a->x->data),
                        .x_dtype = a->x->dtype,
                        .x_ld = a->x->ld,
                        .rows = vx_rows(a->x),
                        .tail = layout->columns};
}

size_t vx_cpu_linear_scratch(vx_backend *backend, const vx_linear_args *a)
{
    vx_cpu_job job = job_of(a);
    return vx_cpu_job_scratch(vx_cpu_of(backend), &job);
}

vx_status vx_cpu_linear(vx_ctx *ctx, const vx_linear_args *a, void *scratch)
{
    vx_cpu_job job = job_of(a);
    job.epilogue = (vx_epilogue){.bias = a->bias ? vx_host(a->bias->data) : NULL,
                                 .gate = a->gate ? vx_host(a->gate->data) : NULL,
                                 .act = a->act,
                                 .out = vx_host(a->out->data),
                                 .out_dtype = a->out->dtype,
                                 .out_ld = a->out->ld};
    if (a->residual) {
        job.epilogue.residual = vx_host(a->residual->data);
        job.epilogue.residual_dtype = a->residual->dtype;
        job.epilogue.residual_ld = a->residual->ld;
    }
    vx_host_zero_halo(a->out);
    return vx_cpu_job_run(ctx, &job, scratch);
}
