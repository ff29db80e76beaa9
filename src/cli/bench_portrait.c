#include "cli/bench_portrait.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

struct vx_bench_portrait {
    vx_liveportrait *model;
    vx_dev memory; /* the portrait's tensors */
    vx_dev frames; /* a batch */
    uint8_t *rgb;  /* the source */
    float *x_d;    /* [batch][points][3] */
    size_t frame_bytes;
};

vx_status vx_bench_portrait_open(vx_bench_portrait **out, vx_liveportrait *model, vx_dev memory,
                                 vx_dev frames, vx_error *err)
{
    const vx_liveportrait_config *c = vx_liveportrait_configuration(model);
    size_t batch = (size_t)vx_liveportrait_batch(model), side = (size_t)c->image_size;
    size_t frame_side = (size_t)vx_liveportrait_frame_side(c);
    vx_bench_portrait *b = vx_heap_alloc(sizeof *b);
    *out = b;
    if (b != NULL) {
        b->model = model;
        b->frame_bytes = frame_side * frame_side * 3;
        b->memory = memory;
        b->frames = frames;
        b->rgb = vx_heap_alloc(side * side * 3);
        b->x_d = vx_heap_alloc(batch * (size_t)c->points * 3 * sizeof(float));
    }
    if (b == NULL || b->rgb == NULL || b->x_d == NULL) {
        vx_bench_portrait_close(out);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the portrait");
    }
    for (size_t i = 0; i < side * side * 3; i++) {
        uint32_t words[4];
        vx_philox(0, VX_STREAM_TEST, i, words);
        b->rgb[i] = (uint8_t)words[0];
    }
    return VX_OK;
}

void vx_bench_portrait_close(vx_bench_portrait **bench)
{
    vx_bench_portrait *b = *bench;
    if (b != NULL) {
        vx_heap_free(b->rgb);
        vx_heap_free(b->x_d);
        vx_heap_free(b);
    }
    *bench = NULL;
}

/* The time and work since the last part's end go to the part that ends now. Time is the lane's. */
typedef struct part_clock {
    vx_ctx *ctx;
    vx_profile *parts;
    double start, flops;
    vx_status status;
} part_clock;

static double lane_seconds(const vx_ctx *ctx)
{
    double sum = 0;
    for (int i = 0; i < ctx->lane->profile->rows; i++)
        sum += ctx->lane->profile->row[i].seconds;
    return sum;
}

static void end_part(part_clock *clock, const char *name, double share)
{
    vx_status status = vx_finish(clock->ctx);
    if (clock->status == VX_OK) clock->status = status;
    double now = lane_seconds(clock->ctx), flops = clock->ctx->counts.flops;
    clock->parts->row[clock->parts->rows++] = (vx_profile_row){
        .op = name,
        .calls = 1,
        .seconds = (now - clock->start) * share,
        .flops = (flops - clock->flops) * share,
    };
    clock->start = now;
    clock->flops = flops;
}

/* The last results of the networks, as parity tests see them. */
static void watch_source(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *tensor)
{
    (void)ctx, (void)tensor;
    if (strcmp(name, "m.heads") == 0) end_part(arg, "motion_extractor", 1);
}

static void watch_frames(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *tensor)
{
    (void)ctx;
    if (strcmp(name, "w.seg") == 0) end_part(arg, "warping", 1 / (double)tensor->dim[0]);
}

/* Key points of frame i: the source's, turned by a few degrees. */
static void nod(const vx_bench_portrait *b, const vx_portrait *portrait, int i)
{
    const vx_liveportrait_config *c = vx_liveportrait_configuration(b->model);
    vx_motion motion = portrait->motion;
    motion.pitch += 3 * (float)(i + 1);
    motion.yaw -= 2 * (float)(i + 1);
    vx_liveportrait_keypoints(c, (const float(*)[3])portrait->motion.canonical, &motion,
                              (float(*)[3])(b->x_d + i * c->points * 3));
}

vx_status vx_bench_portrait_run(vx_bench_portrait *b, vx_ctx *ctx, vx_profile *parts,
                                vx_profile_row *frame)
{
    int n = vx_liveportrait_batch(b->model);
    vx_portrait portrait;
    part_clock clock = {.ctx = ctx, .parts = parts, .start = lane_seconds(ctx)};
    *parts = (vx_profile){0};
    ctx->observe_arg = &clock;
    ctx->observe = watch_source;
    VX_TRY(vx_liveportrait_source(b->model, ctx, b->rgb, b->memory, &portrait));
    end_part(&clock, "appearance", 1);
    for (int i = 0; i < n; i++)
        nod(b, &portrait, i);
    double start = vx_now_s(), flops = ctx->counts.flops;
    ctx->observe = watch_frames;
    VX_TRY(vx_liveportrait_frames(
        b->model, ctx, &portrait,
        &(vx_portrait_batch){
            .n = n, .x_d = b->x_d, .frames = b->frames, .stride = b->frame_bytes}));
    end_part(&clock, "generator", 1 / (double)n);
    VX_TRY(clock.status);
    *frame = (vx_profile_row){.op = "frame",
                              .calls = n,
                              .seconds = (vx_now_s() - start) / n,
                              .flops = (ctx->counts.flops - flops) / n};
    return VX_OK;
}
