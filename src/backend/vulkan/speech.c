/* Speech: LSTM, harmonic source, spectrum. */
#include "backend/vulkan/weight.h"

/* ---- LSTM ---- */

/* Steps of one dispatch: a submission may end between two, so that a cancel is seen.
 * HIDDEN_MAX is the shader's. */
enum { STEPS = 128, HIDDEN_MAX = 1024 };

typedef struct lstm_push {
    uint64_t gates, w, state, out;
    uint32_t steps, hidden, pad, first, count, ldo;
} lstm_push;

static size_t gate_bytes(const vx_lstm_args *a)
{
    return vx_align_up((size_t)(vx_rows(a->x) * a->w->out) * sizeof(float));
}

size_t vx_vk_lstm_scratch(vx_backend *backend, const vx_lstm_args *a)
{
    (void)backend;
    return gate_bytes(a) + vx_align_up((size_t)a->w->out / 2 * sizeof(float));
}

void vx_vk_lstm(vx_vk_work *work, const vx_lstm_args *a)
{
    vx_weight inputs = *a->w;
    vx_vk_layout l = vx_vk_layout_of(a->w);
    vx_tensor gates = vx_view2((vx_dev){work->scratch}, VX_F32, vx_rows(a->x), a->w->out);
    int64_t steps = vx_rows(a->x), hidden = a->w->out / 8;
    lstm_push push = {.gates = work->scratch,
                      .w = a->w->data.at + l.state,
                      .state = work->scratch + gate_bytes(a),
                      .out = vx_vk_at(a->out),
                      .steps = (uint32_t)steps,
                      .hidden = (uint32_t)hidden,
                      .pad = (uint32_t)l.state_pad,
                      .ldo = vx_vk_ld(a->out)};
    if (l.state_pad > HIDDEN_MAX) vx_vk_refuse(work);
    inputs.kind = VX_WEIGHT_LINEAR;
    vx_vk_linear(work, &(vx_linear_args){.x = a->x, .w = &inputs, .bias = a->bias, .out = &gates});
    for (int64_t first = 0; first < steps; first += STEPS) {
        vx_vk_dispatch d = {.shader = VX_VK_lstm,
                            .constant = {128, (uint32_t)a->w->store, vx_vk_type(a->out)},
                            .constants = 3,
                            .push = &push,
                            .push_bytes = sizeof push,
                            .size = {2, 1, 1}};
        push.first = (uint32_t)first;
        push.count = (uint32_t)(steps - first < STEPS ? steps - first : STEPS);
        vx_vk_reads(&d, &gates);
        vx_vk_reads_bytes(&d, a->w->data.at, a->w->bytes);
        vx_vk_writes_bytes(&d, push.state, (uint64_t)(4 * hidden) * sizeof(float));
        vx_vk_writes(&d, a->out);
        vx_vk_do(work, &d);
    }
    vx_vk_zero_halo(work, a->out);
}

/* ---- source and spectrum ---- */

/* As shaders/speech.comp has them. */
enum { PHASES, SOURCE, STFT, ISTFT };
enum { HARMONICS = 9 };

typedef struct speech_push {
    uint64_t x, weight, bias, phase, out, seed, first;
    uint32_t rows, x_rows, ldx, ldo;
} speech_push;

static void run_speech(vx_vk_work *work, vx_vk_dispatch *d, uint32_t kind, const speech_push *push,
                       const vx_tensor *x, const vx_tensor *out, int64_t invocations)
{
    d->shader = VX_VK_speech;
    d->constant[0] = vx_vk_group(work->vk);
    d->constant[1] = kind;
    d->constant[2] = vx_vk_type(x);
    d->constant[3] = vx_vk_type(out);
    d->constants = 5;
    d->push = push;
    d->push_bytes = sizeof *push;
    vx_vk_reads(d, x);
    vx_vk_writes(d, out);
    vx_vk_each(d, invocations);
    vx_vk_do(work, d);
    if (out != NULL) vx_vk_zero_halo(work, out);
}

static speech_push speech_of(const vx_tensor *x, const vx_tensor *out)
{
    return (speech_push){.x = vx_vk_at(x),
                         .out = vx_vk_at(out),
                         .rows = (uint32_t)vx_rows(out),
                         .x_rows = (uint32_t)vx_rows(x),
                         .ldx = vx_vk_ld(x),
                         .ldo = vx_vk_ld(out)};
}

size_t vx_vk_harmonic_source_scratch(vx_backend *backend, const vx_harmonic_source_args *a)
{
    (void)backend;
    return (size_t)vx_rows(a->f0) * HARMONICS * sizeof(uint64_t);
}

void vx_vk_harmonic_source(vx_vk_work *work, const vx_harmonic_source_args *a)
{
    speech_push push = speech_of(a->f0, a->out);
    uint64_t phases = (uint64_t)vx_rows(a->f0) * HARMONICS * sizeof(uint64_t);
    vx_vk_dispatch scan = {.constants = 0}, make = {.constant = {0, 0, 0, 0, a->noise}};
    push.weight = vx_vk_at(a->weight);
    push.bias = vx_vk_at(a->bias);
    push.phase = work->scratch;
    push.seed = a->seed;
    push.first = a->first_sample;
    vx_vk_writes_bytes(&scan, push.phase, phases);
    run_speech(work, &scan, PHASES, &push, a->f0, NULL, HARMONICS);
    vx_vk_reads_bytes(&make, push.phase, phases);
    vx_vk_reads(&make, a->weight);
    vx_vk_reads(&make, a->bias);
    run_speech(work, &make, SOURCE, &push, a->f0, a->out, vx_rows(a->out));
}

void vx_vk_stft(vx_vk_work *work, const vx_stft_args *a)
{
    speech_push push = speech_of(a->x, a->out);
    vx_vk_dispatch d = {.constants = 0};
    run_speech(work, &d, STFT, &push, a->x, a->out, vx_rows(a->out));
}

void vx_vk_istft(vx_vk_work *work, const vx_istft_args *a)
{
    speech_push push = speech_of(a->x, a->out);
    vx_vk_dispatch d = {.constants = 0};
    run_speech(work, &d, ISTFT, &push, a->x, a->out, vx_rows(a->out));
}
