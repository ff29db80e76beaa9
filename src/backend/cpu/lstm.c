/* Bidirectional LSTM: the input's part of all gates as one linear layer of both directions, then
 * the steps, each direction on one worker with its recurrent weights in that core's L2 cache. */
#include "backend/cpu/lstm.h"

static const vx_lstm_gates_fn gates_f32[VX_CPU_LEVELS] = VX_SIMD_TABLE(vx_lstm_gates);
static const vx_lstm_update_fn update[VX_CPU_LEVELS] = VX_SIMD_TABLE(vx_lstm_update);

/* ---- weights ------------------------------------------------------------------------------- */

size_t vx_cpu_lstm_recurrent_bytes(vx_dtype type, int64_t hidden)
{
    int64_t rows = type == VX_BF16 ? (hidden + 1) / 2 * 2 : hidden;
    return (size_t)(vx_lstm_blocks(hidden) * VX_LSTM_BLOCK * rows) * vx_dtype_bytes(type);
}

void vx_cpu_lstm_pack_row(vx_dtype type, int64_t hidden, int64_t gate, const float *row,
                          void *recurrent)
{
    int64_t block = gate / VX_LSTM_BLOCK, place = gate % VX_LSTM_BLOCK;
    int64_t pairs = (hidden + 1) / 2;
    for (int64_t h = 0; h < hidden; h++) {
        if (type == VX_BF16) {
            int64_t pair = (block * pairs + h / 2) * VX_LSTM_BLOCK + place;
            ((uint16_t *)recurrent)[2 * pair + h % 2] = vx_f32_to_bf16(row[h]);
        } else {
            ((float *)recurrent)[(block * hidden + h) * VX_LSTM_BLOCK + place] = row[h];
        }
    }
}

/* ---- the op -------------------------------------------------------------------------------- */

typedef struct run {
    const vx_cpu *cpu;
    const vx_lstm_args *a;
    const vx_cpu_layout *layout;
    const float *projected; /* [T, 8H] */
    char *state;            /* one slice per direction */
    size_t slice;
    int64_t hidden;
} run;

/* Gates, cell, hidden state, and the hidden state in bf16 pairs. */
static size_t slice_bytes(int64_t hidden)
{
    size_t floats = (size_t)(vx_lstm_blocks(hidden) * VX_LSTM_BLOCK + 2 * hidden);
    return vx_align_up(floats * sizeof(float)) +
           vx_align_up((size_t)(hidden + 1) * sizeof(uint16_t));
}

static size_t projected_bytes(const vx_lstm_args *a)
{
    return vx_align_up((size_t)(vx_rows(a->x) * a->w->out) * sizeof(float));
}

static void direction(void *arg, int64_t backward, int worker)
{
    (void)worker;
    const run *r = arg;
    const vx_lstm_args *a = r->a;
    int64_t hidden = r->hidden, rows = vx_rows(a->x);
    int64_t padded = vx_lstm_blocks(hidden) * VX_LSTM_BLOCK;
    char *slice = r->state + (size_t)backward * r->slice;
    float *gates = (float *)(void *)slice, *c = gates + padded, *h = c + hidden;
    uint16_t *pairs = (uint16_t *)(void *)(slice + vx_align_up((size_t)(padded + 2 * hidden) * 4));
    memset(slice, 0, r->slice);
    bool bf16 = r->layout->type == VX_BF16;
    vx_cpu_level level = r->cpu->level;
    const char *recurrent = (const char *)vx_host(a->w->data) + r->layout->recurrent_offset +
                            (size_t)backward * vx_cpu_lstm_recurrent_bytes(r->layout->type, hidden);
    for (int64_t step = 0; step < rows; step++) {
        int64_t t = backward ? rows - 1 - step : step;
        const float *row = r->projected + t * 8 * hidden + backward * 4 * hidden;
        memcpy(gates, row, (size_t)(4 * hidden) * sizeof *gates);
        if (bf16) {
            vx_tile_convert[level](h, VX_F32, hidden, 1, hidden, pairs, VX_BF16);
            vx_lstm_gates_bf16(recurrent, hidden, pairs, gates);
        } else {
            gates_f32[level](recurrent, hidden, h, gates);
        }
        update[level](hidden, gates, c, h);
        char *out =
            (char *)vx_row(a->out, t) + backward * hidden * (int64_t)vx_dtype_bytes(a->out->dtype);
        vx_tile_convert[level](h, VX_F32, hidden, 1, hidden, out, a->out->dtype);
    }
}

static vx_cpu_job projection_job(const vx_lstm_args *a)
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

size_t vx_cpu_lstm_scratch(vx_backend *backend, const vx_lstm_args *a)
{
    vx_cpu_job job = projection_job(a);
    return projected_bytes(a) + 2 * slice_bytes(a->w->out / 8) +
           vx_cpu_job_scratch(vx_cpu_of(backend), &job);
}

vx_status vx_cpu_lstm(vx_ctx *ctx, const vx_lstm_args *a, void *scratch)
{
    run r = {.cpu = vx_cpu_of(ctx->backend),
             .a = a,
             .layout = a->w->layout,
             .projected = scratch,
             .state = (char *)scratch + projected_bytes(a),
             .hidden = a->w->out / 8};
    r.slice = slice_bytes(r.hidden);
    vx_cpu_job job = projection_job(a);
    job.epilogue = (vx_epilogue){.bias = a->bias ? vx_host(a->bias->data) : NULL,
                                 .out = scratch,
                                 .out_dtype = VX_F32,
                                 .out_ld = a->w->out};
    VX_TRY(vx_cpu_job_run(ctx, &job, r.state + 2 * r.slice));
    vx_host_zero_halo(a->out);
    return vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, 2, direction, &r);
}
