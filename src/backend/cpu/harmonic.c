/* Kokoro's harmonic source on the CPU. The phases at the middles of the frames are a running sum in
 * double, taken first by one thread (9 additions per frame); tiles of frames follow. */
#include "backend/cpu/harmonic.h"

static void (*const source_frame[VX_CPU_LEVELS])(const vx_source_frame *,
                                                 float *) = VX_SIMD_TABLE(vx_cpu_source_frame);

enum { SAMPLE_RATE = 24000, FRAMES_OF_TILE = 8 };

/* Phase in cycles at the middle of a frame, in [0, 1), and cycles per sample in it, in [0, 1). */
typedef struct frame_phase {
    double phase[VX_HARMONICS], rate[VX_HARMONICS];
} frame_phase;

typedef struct job {
    const vx_harmonic_source_args *args;
    vx_cpu_level level;
    int64_t frames;
    frame_phase *phases;
    float weight[VX_HARMONICS], norm;
} job;

size_t vx_cpu_harmonic_source_scratch(vx_backend *backend, const vx_harmonic_source_args *a)
{
    (void)backend;
    return (size_t)vx_rows(a->f0) * sizeof(frame_phase);
}

static float f0_at(const job *j, int64_t frame)
{
    return *(const float *)vx_row(j->args->f0, frame);
}

static void run_phases(job *j)
{
    double sum[VX_HARMONICS] = {0};
    for (int64_t i = 0; i < j->frames; i++) {
        double cycles = (double)f0_at(j, i) / SAMPLE_RATE;
        for (int k = 0; k < VX_HARMONICS; k++) {
            double rate = cycles * (k + 1);
            rate -= floor(rate); /* torch's `% 1`, for negative F0 too */
            sum[k] += VX_SOURCE_FRAME * rate;
            sum[k] -= floor(sum[k]);
            j->phases[i].phase[k] = sum[k];
            j->phases[i].rate[k] = rate;
        }
    }
}

/* Half of a frame from sample `offset` (half samples included) after the middle of frame `from`,
 * running at the rate of frame `to`; the phase stands where there is no such frame (-1). */
static void half_of(const job *j, int64_t from, int64_t to, double offset, vx_source_half *half)
{
    for (int k = 0; k < VX_HARMONICS; k++) {
        double rate = to < 0 ? 0 : j->phases[to].rate[k];
        double start = j->phases[from].phase[k] + offset * rate;
        half->start[k] = (float)(start - rint(start));
        half->hi[k] = (float)(rint(rate * 16384) / 16384);
        half->lo[k] = (float)(rate - (double)half->hi[k]);
    }
}

static void source_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    const vx_harmonic_source_args *a = j->args;
    int64_t end = (tile + 1) * FRAMES_OF_TILE;
    for (int64_t i = tile * FRAMES_OF_TILE; i < end && i < j->frames; i++) {
        vx_source_frame f = {.weight = j->weight, .seed = a->seed};
        f.bias = a->bias ? *(const float *)vx_host(a->bias->data) : 0;
        f.voiced = f0_at(j, i) > 10;
        f.deviation = a->noise ? j->norm * (f.voiced ? 0.003f : 0.1f / 3) : 0;
        f.counter = a->first_sample + (uint64_t)(i * VX_SOURCE_FRAME);
        half_of(j, i > 0 ? i - 1 : 0, i > 0 ? i : -1, VX_SOURCE_HALF + 0.5, &f.half[0]);
        half_of(j, i, i + 1 < j->frames ? i + 1 : -1, 0.5, &f.half[1]);
        float samples[VX_SOURCE_FRAME], *out = vx_row(a->out, i * VX_SOURCE_FRAME);
        source_frame[j->level](&f, samples);
        for (int m = 0; m < VX_SOURCE_FRAME; m++)
            out[m * a->out->ld] = samples[m];
    }
}

vx_status vx_cpu_harmonic_source(vx_ctx *ctx, const vx_harmonic_source_args *a, void *scratch)
{
    job j = {.args = a,
             .level = vx_cpu_of(ctx->backend)->level,
             .frames = vx_rows(a->f0),
             .phases = scratch};
    double norm = 0;
    for (int k = 0; k < VX_HARMONICS; k++) {
        float weight = ((const float *)vx_host(a->weight->data))[k];
        norm += (double)weight * (double)weight;
        j.weight[k] = 0.1f * weight;
    }
    j.norm = (float)sqrt(norm);
    run_phases(&j);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(j.frames, FRAMES_OF_TILE),
                       source_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
