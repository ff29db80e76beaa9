/* stft and istft on the CPU: tiles of frames. A tile of istft also does the three frames that reach
 * into it from its neighbours, so that tiles are independent. */
#include "backend/cpu/spectrum.h"

static void (*const stft_tile[VX_CPU_LEVELS])(const vx_spectrum_tables *, float[][VX_STREAM_ROOM],
                                              const vx_tensor *, int64_t,
                                              int64_t) = VX_SIMD_TABLE(vx_cpu_stft_tile);
static void (*const istft_tile[VX_CPU_LEVELS])(const vx_spectrum_tables *, const vx_tensor *,
                                               float[][VX_STREAM_ROOM], int64_t,
                                               int64_t) = VX_SIMD_TABLE(vx_cpu_istft_tile);

typedef struct job {
    vx_spectrum_tables tables;
    vx_cpu_level level;
    const vx_tensor *x, *out;
} job;

static void fill_tables(vx_spectrum_tables *t)
{
    for (int i = 0; i < VX_FFT; i++) {
        double turn = 6.283185307179586 * i / VX_FFT;
        t->cosine[i] = (float)cos(turn);
        t->sine[i] = (float)sin(turn);
        t->window[i] = (float)(0.5 - 0.5 * cos(turn));
    }
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- stft ----------------------------------------------------------------------------------- */

/* Reflection without repeating the edge; samples that no kept frame needs may lie further out. */
static int64_t reflect(int64_t i, int64_t n)
{
    if (i < 0) i = -i;
    return i < n ? i : 2 * (n - 1) - i;
}

static void analyse_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    float stream[VX_HOP][VX_STREAM_ROOM] = {{0}};
    int64_t first = tile * VX_SPECTRUM_TILE, samples = vx_rows(j->x);
    int64_t frames = smaller(vx_rows(j->out) - first, VX_SPECTRUM_TILE);
    const float *x = vx_host(j->x->data);
    for (int64_t h = 0; h < frames + 3; h++)
        for (int m = 0; m < VX_HOP; m++)
            stream[m][h] = x[reflect((first - 2 + h) * VX_HOP + m, samples) * j->x->ld];
    stft_tile[j->level](&j->tables, stream, j->out, first, frames);
}

vx_status vx_cpu_stft(vx_ctx *ctx, const vx_stft_args *a, void *scratch)
{
    (void)scratch;
    job j = {.level = vx_cpu_of(ctx->backend)->level, .x = a->x, .out = a->out};
    fill_tables(&j.tables);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel,
                       vx_cpu_tiles(vx_rows(a->out), VX_SPECTRUM_TILE), analyse_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}

/* ---- istft ---------------------------------------------------------------------------------- */

/* Hops of output made by a tile; with the three frames around them they fill it. */
enum { HOPS_OF_TILE = VX_SPECTRUM_TILE - 3 };

/* Sum of the squared window over the frames that reach output sample 5 hop + m: those of frames
 * hop - 1 .. hop + 2 that exist. Frame hop + 2 - q has its sample 5q + m there. */
static float window_sum(const vx_spectrum_tables *t, int64_t hop, int m, int64_t frames)
{
    float sum = 0;
    for (int q = 0; q < 4; q++) {
        int64_t frame = hop + 2 - q;
        float w = t->window[VX_HOP * q + m];
        if (frame >= 0 && frame < frames) sum += w * w;
    }
    return sum;
}

static void synthesise_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    const job *j = arg;
    float stream[VX_HOP][VX_STREAM_ROOM] = {{0}};
    int64_t all = vx_rows(j->x), first = tile * HOPS_OF_TILE;
    int64_t end = smaller(first + HOPS_OF_TILE, all - 1);
    int64_t first_frame = first > 0 ? first - 1 : 0, end_frame = smaller(end + 2, all);
    istft_tile[j->level](&j->tables, j->x, stream, first_frame, end_frame - first_frame);
    float *out = vx_host(j->out->data);
    for (int64_t h = first; h < end; h++) {
        bool inside = h >= 1 && h + 2 < all;
        for (int m = 0; m < VX_HOP; m++) {
            /* Sample 10 of frame h opens hop h: element 0 is the hop two before the first frame. */
            float sum = stream[m][h - first_frame + 2];
            float window = inside ? 1.5f : window_sum(&j->tables, h, m, all);
            out[(h * VX_HOP + m) * j->out->ld] = sum / window;
        }
    }
}

vx_status vx_cpu_istft(vx_ctx *ctx, const vx_istft_args *a, void *scratch)
{
    (void)scratch;
    job j = {.level = vx_cpu_of(ctx->backend)->level, .x = a->x, .out = a->out};
    fill_tables(&j.tables);
    VX_TRY(vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, vx_cpu_tiles(vx_rows(a->x) - 1, HOPS_OF_TILE),
                       synthesise_tile, &j));
    vx_host_zero_halo(a->out);
    return VX_OK;
}
