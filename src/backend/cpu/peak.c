#include "backend/cpu/peak.h"

#include <stdatomic.h>

#include "backend/cpu/dnnl_api.h"
#include "backend/cpu/onednn.h"
#include "base/clock.h"
#include "base/mem.h"

enum { ROWS = 1280, COLS = 3072, IN = 3072, RUNS = 8 };

/* One worker's share: a primitive over its columns, single-threaded like all of ours. */
typedef struct share {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[4];
    void *buffer[3]; /* weights, result, scratchpad */
    dnnl_stream_t stream;
} share;

typedef struct probe {
    dnnl_engine_t engine;
    void *x;
    share *shares;
    atomic_bool failed;
} probe;

static dnnl_status_t open_memory(probe *y, share *s, int place, vx_layout_ref desc, void *fixed)
{
    void *data = fixed;
    if (fixed == NULL) {
        data = s->buffer[place - 1] = vx_heap_alloc(dnnl_memory_desc_get_size(desc));
        if (data == NULL) return dnnl_out_of_memory;
    }
    return dnnl_memory_create(&s->memory[place], desc, y->engine, data);
}

static dnnl_status_t open_share(probe *y, share *s, dnnl_data_type_t type, int64_t cols)
{
    vx_layout x = {0}, w = {0}, out = {0};
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success) return status;
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    status = vx_layout_create(&x, 2, (dnnl_dims_t){ROWS, IN}, type, dnnl_ab);
    if (status == dnnl_success)
        status = vx_layout_create(&w, 2, (dnnl_dims_t){IN, cols}, type, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = vx_layout_create(&out, 2, (dnnl_dims_t){ROWS, cols}, type, dnnl_ab);
    if (status == dnnl_success)
        status = vx_dnnl_describe(&s->desc, y->engine, &(vx_dnnl_op){0}, vx_layout_look(&x),
                                  vx_layout_look(&w), vx_layout_look(&out), attr);
    vx_layout_destroy(&x);
    vx_layout_destroy(&w);
    vx_layout_destroy(&out);
    dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_success) status = vx_dnnl_create(&s->primitive, s->desc);
    if (status == dnnl_success)
        status = dnnl_stream_create(&s->stream, y->engine, dnnl_stream_default_flags);
    const dnnl_query_t query[] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md,
                                  dnnl_query_scratchpad_md};
    for (int i = 0; i < 4 && status == dnnl_success; i++)
        status = open_memory(y, s, i, dnnl_primitive_desc_query_md(s->desc, query[i], 0),
                             i == 0 ? y->x : NULL);
    return status;
}

static void close_share(share *s)
{
    for (int i = 0; i < 4; i++)
        if (s->memory[i] != NULL) dnnl_memory_destroy(s->memory[i]);
    for (int i = 0; i < 3; i++)
        vx_heap_free(s->buffer[i]);
    if (s->stream != NULL) dnnl_stream_destroy(s->stream);
    if (s->primitive != NULL) dnnl_primitive_destroy(s->primitive);
    if (s->desc != NULL) dnnl_primitive_desc_destroy(s->desc);
}

static void run_share(void *arg, int64_t tile, int worker)
{
    (void)worker;
    probe *y = arg;
    vx_onednn_hold_one_thread();
    const share *s = &y->shares[tile];
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, s->memory[0]},
                                    {DNNL_ARG_WEIGHTS, s->memory[1]},
                                    {DNNL_ARG_DST, s->memory[2]},
                                    {DNNL_ARG_SCRATCHPAD, s->memory[3]}};
    if (dnnl_primitive_execute(s->primitive, s->stream, 4, args) != dnnl_success ||
        dnnl_stream_wait(s->stream) != dnnl_success)
        atomic_store(&y->failed, true);
}

static double best_seconds(probe *y, vx_pool *pool, int workers)
{
    double best = 0;
    for (int i = 0; i <= RUNS; i++) {
        double start = vx_now_s();
        vx_status status = vx_pool_run(pool, NULL, workers, run_share, y);
        assert(status == VX_OK); /* nobody cancels it */
        double seconds = vx_now_s() - start;
        /* The first run touches the memory and does not count. */
        if (i == 1 || (i > 1 && seconds < best)) best = seconds;
    }
    return best;
}

vx_status vx_cpu_peak(vx_backend *backend, double *flops_per_s, vx_error *err)
{
    const vx_cpu *cpu = vx_cpu_of(backend);
    int workers = vx_pool_workers(cpu->pool);
    if (workers > COLS / VX_PANEL) workers = COLS / VX_PANEL;
    dnnl_data_type_t type = backend->native == VX_BF16 ? dnnl_bf16 : dnnl_f32;
    *flops_per_s = 0;
    vx_onednn_hold_one_thread();
    probe y = {.x = vx_heap_alloc((size_t)ROWS * IN * sizeof(float)),
               .shares = vx_heap_alloc((size_t)workers * sizeof(share))};
    dnnl_status_t status = dnnl_out_of_memory;
    if (y.x != NULL && y.shares != NULL) status = dnnl_engine_create(&y.engine, dnnl_cpu, 0);
    int64_t panels = COLS / VX_PANEL;
    for (int i = 0; i < workers && status == dnnl_success; i++) {
        int64_t share_panels = panels * (i + 1) / workers - panels * i / workers;
        status = open_share(&y, &y.shares[i], type, share_panels * VX_PANEL);
    }
    if (status == dnnl_success) {
        double seconds = best_seconds(&y, cpu->pool, workers);
        *flops_per_s = 2.0 * ROWS * COLS * IN / seconds;
    }
    for (int i = 0; i < workers && y.shares != NULL; i++)
        close_share(&y.shares[i]);
    if (y.engine != NULL) dnnl_engine_destroy(y.engine);
    vx_heap_free(y.shares);
    vx_heap_free(y.x);
    if (status == dnnl_success && !atomic_load(&y.failed)) return VX_OK;
    return vx_fail(err, status == dnnl_out_of_memory ? VX_ERR_MEMORY : VX_ERR_INTERNAL, "onednn",
                   "oneDNN's product that everything is measured by did not run (its status %d)",
                   (int)status);
}
