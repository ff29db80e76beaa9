/* A frame of LivePortrait at published size beside its plain form, in one run.
 *     time_liveportrait WEIGHTS…      any weights of that size, `vortex models synth` makes some
 *
 * The plain form differs in the filters that read an enlarged map (A2, A4, A5, A7) and in the shortcuts
 * (A6): each is timed both ways, and the plain frame is the frame plus the differences. Enlarging the maps,
 * and what skipping rows of padding saves (A3), is left out in the plain form's favour. */
#include "base/clock.h"
#include "base/random.h"
#include "models/liveportrait/liveportrait.h"
#include "rig.h"

enum { SOURCES_MAX = 8, RUNS = 3 };

typedef struct filter {
    int64_t in, out, kernel_d, side, depth; /* side of the output; depth 0: a plane */
    int64_t upsample;
    bool cells_in, cells_out;
} filter;

/* calls a frame, then how it is done here and how as published; out 0: not there. */
typedef struct pair {
    const char *name;
    int calls;
    filter saved, plain;
} pair;

static const pair pairs[] = {
    {"up_blocks.0",
     1,
     {1024, 512, 3, 4, 16, 2, false, false},
     {1024, 512, 3, 4, 16, 1, false, false}},
    {"up_blocks.1",
     1,
     {1024, 256, 3, 8, 16, 2, false, false},
     {1024, 256, 3, 8, 16, 1, false, false}},
    {"up_blocks.2",
     1,
     {512, 128, 3, 16, 16, 2, false, false},
     {512, 128, 3, 16, 16, 1, false, false}},
    {"up_blocks.3",
     1,
     {256, 64, 3, 32, 16, 2, false, false},
     {256, 64, 3, 32, 16, 1, false, false}},
    {"up_blocks.4",
     1,
     {128, 32, 3, 64, 16, 2, false, false},
     {128, 32, 3, 64, 16, 1, false, false}},
    {"up_0 shared",
     3,
     {256, 128, 1, 128, 0, 2, false, false},
     {256, 128, 1, 128, 0, 1, false, false}},
    {"up_0 norm_s map",
     1,
     {128, 512, 1, 128, 0, 1, false, false},
     {128, 1024, 1, 128, 0, 1, false, false}},
    {"up_0 beta_s", 1, {128, 256, 1, 128, 0, 1, false, false}, {0}},
    {"up_1 shared",
     3,
     {256, 128, 1, 256, 0, 4, false, true},
     {256, 128, 1, 256, 0, 1, false, false}},
    {"up_1 norm_0 map",
     1,
     {128, 512, 1, 256, 0, 1, true, false},
     {128, 512, 1, 256, 0, 1, false, false}},
    {"up_1 norm_1 map",
     1,
     {128, 128, 1, 256, 0, 1, true, false},
     {128, 128, 1, 256, 0, 1, false, false}},
    {"up_1 norm_s map",
     1,
     {128, 256, 1, 256, 0, 1, true, false},
     {128, 512, 1, 256, 0, 1, false, false}},
    {"up_1 beta_s", 1, {128, 64, 1, 256, 0, 1, true, false}, {0}},
};

static vx_status fetch_noise(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    int64_t row = *(const int64_t *)arg;
    (void)err;
    for (int64_t i = 0; i < count * row; i++)
        dst[i] = 0.01f * (float)((first * row + i) % 17 - 8);
    return VX_OK;
}

static vx_tensor map_of(void *data, vx_dtype dtype, const filter *f, int64_t side, int64_t channels)
{
    const int64_t deep[5] = {1, f->depth, side, side, channels},
                  flat[4] = {1, side, side, channels};
    return f->depth > 0 ? vx_view(data, dtype, 5, deep) : vx_view(data, dtype, 4, flat);
}

/* Fastest seconds of RUNS; *flops what one run counts. */
static double time_filter(rig *r, const filter *f, double *flops)
{
    *flops = 0;
    if (f->out == 0) return 0;
    vx_weight w = vx_weight_conv(f->out, f->in, (const int64_t[]){f->kernel_d, 3, 3}, VX_BF16,
                                 r->backend->native);
    w.upsample = f->upsample;
    w.cells_in = f->cells_in;
    w.cells_out = f->cells_out;
    rig_must(r, vx_weight_plan(r->backend, &w, &r->err), "filter");
    int64_t row = f->in * f->kernel_d * 9;
    int64_t in_side = f->cells_in ? f->side / 4 * 3 : f->side / f->upsample;
    int64_t out_side = f->cells_out ? f->side / 4 * 3 : f->side;
    vx_tensor x = map_of(NULL, r->backend->native, f, in_side, f->in);
    vx_tensor out = map_of(NULL, r->backend->native, f, out_side, f->out);
    float *staging = vx_heap_alloc(sizeof *staging * VX_STAGING_FLOATS);
    size_t x_bytes = (size_t)vx_elements(&x) * vx_dtype_bytes(x.dtype);
    size_t out_bytes = (size_t)vx_elements(&out) * vx_dtype_bytes(out.dtype);
    rig_must(r, vx_reserve(w.bytes, &w.data, &r->err), "filter");
    rig_must(r, vx_reserve(x_bytes, &x.data, &r->err), "map");
    rig_must(r, vx_reserve(out_bytes, &out.data, &r->err), "map");
    rig_must(r,
             vx_weight_pack(r->backend, &w, fetch_noise, &row, staging, VX_STAGING_FLOATS, &r->err),
             "pack");
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = vx_now_s(), before = r->ctx.counts.flops;
        rig_must(r, vx_conv(&r->ctx, &(vx_conv_args){.x = &x, .w = &w, .out = &out}), "conv");
        double seconds = vx_now_s() - start;
        best = seconds < best ? seconds : best;
        *flops = r->ctx.counts.flops - before;
    }
    vx_unreserve(w.data, w.bytes);
    vx_unreserve(x.data, x_bytes);
    vx_unreserve(out.data, out_bytes);
    vx_heap_free(staging);
    return best;
}

static vx_status bind(void *model, vx_binder *binder)
{
    return vx_liveportrait_bind(model, binder);
}

static vx_status plan_run(void *model, vx_ctx *ctx)
{
    vx_portrait portrait;
    VX_TRY(vx_liveportrait_source(model, ctx, NULL, NULL, &portrait));
    return vx_liveportrait_frames(model, ctx, NULL, NULL, 1, NULL, 0);
}

/* Fastest seconds of a frame of RUNS, and what it counts. */
static double time_frame(rig *r, vx_liveportrait *model, double *flops)
{
    const vx_liveportrait_config *c = vx_liveportrait_configuration(model);
    size_t pixels = 3 * (size_t)c->image_size * (size_t)c->image_size;
    size_t side = (size_t)vx_liveportrait_frame_side(c),
           bytes = vx_liveportrait_source_bytes(model);
    uint8_t *rgb = vx_heap_alloc(pixels), *frame = vx_heap_alloc(3 * side * side);
    void *memory;
    vx_portrait portrait;
    float x_d[VX_PORTRAIT_POINTS_MAX][3];
    rig_must(r, vx_reserve(bytes, &memory, &r->err), "portrait");
    for (size_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)(255 * vx_random_uniform(1, VX_STREAM_TEST, i));
    rig_must(r, vx_liveportrait_source(model, &r->ctx, rgb, memory, &portrait), "source");
    for (int k = 0; k < c->points; k++)
        for (int i = 0; i < 3; i++)
            portrait.x_s[k][i] = x_d[k][i] = (float)(k * (i + 1) % 7) / 7 - 0.5f;
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = vx_now_s(), before = r->ctx.counts.flops;
        rig_must(r, vx_liveportrait_frames(model, &r->ctx, &portrait, x_d[0], 1, frame, 0),
                 "frame");
        double seconds = vx_now_s() - start;
        best = seconds < best ? seconds : best;
        *flops = r->ctx.counts.flops - before;
    }
    vx_unreserve(memory, bytes);
    vx_heap_free(rgb);
    vx_heap_free(frame);
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 1 + SOURCES_MAX) {
        fprintf(stderr, "time_liveportrait WEIGHTS...\n");
        return 2;
    }
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    vx_source *sources[SOURCES_MAX];
    rig_open(&r, "cpu", 0);
    rig_must(&r, vx_liveportrait_config_read(NULL, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_BF16, r.backend->native, 1, &r.err),
             "open");
    rig_plan(&r, bind, plan_run, model);
    for (int i = 1; i < argc; i++)
        rig_must(&r, vx_source_open(&sources[i - 1], argv[i], &r.err), argv[i]);
    rig_must(&r, rig_load(&r, bind, model, sources, argc - 1), "load");
    double flops, frame = time_frame(&r, model, &flops), plain_frame = frame, plain_flops = flops;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const pair *p = &pairs[i];
        double saved_flops, all_flops, saved = time_filter(&r, &p->saved, &saved_flops);
        double plain = time_filter(&r, &p->plain, &all_flops);
        plain_frame += p->calls * (plain - saved);
        plain_flops += p->calls * (all_flops - saved_flops);
        printf("%-16s %7.1f ms (%6.2f GFLOP)   plain %7.1f ms (%6.2f GFLOP)\n", p->name,
               p->calls * saved * 1e3, p->calls * saved_flops / 1e9, p->calls * plain * 1e3,
               p->calls * all_flops / 1e9);
    }
    printf("frame            %7.1f ms (%6.1f GFLOP)   plain %7.1f ms (%6.1f GFLOP): %.3f of it\n",
           frame * 1e3, flops / 1e9, plain_frame * 1e3, plain_flops / 1e9, frame / plain_frame);
    vx_liveportrait_close(&model);
    for (int i = 1; i < argc; i++)
        vx_source_close(&sources[i - 1]);
    rig_close(&r);
    return 0;
}
