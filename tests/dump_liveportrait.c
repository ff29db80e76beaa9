/* Runs LivePortrait on given inputs and writes every stage: the C side of tools/liveportrait_parity.py.
 *     dump_liveportrait CONFIG.json PRECISION INPUT.safetensors OUT_FOLDER WEIGHTS…
 * INPUT holds "picture" [S, S, 3] and "x_d" [n, K, 3]. Prints the work, the memory and the time. */
#include "base/clock.h"
#include "formats/writer.h"
#include "models/liveportrait/liveportrait.h"
#include "rig.h"

enum { SOURCES_MAX = 8 };

static vx_status bind(void *model, vx_binder *binder)
{
    return vx_liveportrait_bind(model, binder);
}

static vx_status plan_run(void *model, vx_ctx *ctx)
{
    vx_portrait portrait;
    VX_TRY(vx_liveportrait_source(model, ctx, NULL, VX_DEV_PLAN, &portrait));
    return vx_liveportrait_frames(model, ctx, NULL,
                                  &(vx_portrait_batch){.n = vx_liveportrait_batch(model),
                                                       .stitch = true,
                                                       .frames = VX_DEV_PLAN});
}

typedef struct sink {
    rig *r;
    const char *folder;
} sink;

static void write_values(const sink *s, const char *name, int64_t rows, int64_t cols,
                         const float *values)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.npy", s->folder, name);
    rig_must(s->r, vx_npy_write(path, 2, (const int64_t[]){rows, cols}, values, &s->r->err), path);
}

static void write_seen(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *t)
{
    float *values = rig_values(ctx, t);
    /* The reference's name for the key points that frames are made of. */
    if (strcmp(name, "x_d") == 0) name = "x_d.stitched";
    write_values(arg, name, vx_rows(t), vx_cols(t), values);
    vx_heap_free(values);
}

/* Times the frames without taps and prints where the time went. */
static void time_frames(rig *r, vx_liveportrait *model, const vx_portrait *portrait,
                        const vx_portrait_batch *batch)
{
    int n = batch->n;
    vx_profile profile = {0};
    r->lane.profile = &profile;
    r->ctx.counts = (vx_counts){0};
    double start = vx_now_s();
    rig_must(r, vx_liveportrait_frames(model, &r->ctx, portrait, batch), "frames");
    rig_must(r, vx_finish(&r->ctx), "finish");
    double seconds = vx_now_s() - start;
    printf("%.2f GFLOP a frame, %.3f s a frame, %.0f GFLOP/s\n", r->ctx.counts.flops / n / 1e9,
           seconds / n, r->ctx.counts.flops / seconds / 1e9);
    for (int i = 0; i < profile.rows; i++)
        printf("  %-16s %4lld calls %8.1f ms %8.2f GFLOP\n", profile.row[i].op,
               (long long)profile.row[i].calls, profile.row[i].seconds * 1e3 / n,
               profile.row[i].flops / n / 1e9);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 5 + SOURCES_MAX) {
        fprintf(stderr, "dump_liveportrait CONFIG.json PRECISION INPUT.safetensors OUT_FOLDER "
                        "WEIGHTS...\n");
        return 2;
    }
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    vx_source *weights[SOURCES_MAX], *inputs;
    vx_portrait portrait;
    json_t *json = json_load_file(argv[1], 0, NULL);
    int count = argc - 5;
    rig_open(&r, "cpu", 0);
    rig_must(&r, vx_liveportrait_config_read(json, &config, &r.err), argv[1]);
    for (int i = 0; i < count; i++)
        rig_must(&r, vx_source_open(&weights[i], argv[5 + i], &r.err), argv[5 + i]);
    rig_must(&r, vx_source_open(&inputs, argv[3], &r.err), argv[3]);
    int64_t pixels, numbers;
    float *picture = rig_read(inputs, "picture", &pixels);
    float *x_d = rig_read(inputs, "x_d", &numbers);
    int n = (int)(numbers / (3 * config.points));
    vx_dtype precision = (vx_dtype)vx_dtype_parse(argv[2]);
    rig_must(&r, vx_liveportrait_open(&model, &config, precision, r.backend->native, n, &r.err),
             "liveportrait");
    rig_plan(&r, bind, plan_run, model);
    rig_must(&r, rig_load(&r, bind, model, weights, count), "load");
    sink s = {&r, argv[4]};
    r.ctx.observe = write_seen;
    r.ctx.observe_arg = &s;
    size_t frame = 3 * (size_t)vx_liveportrait_frame_side(&config) *
                   (size_t)vx_liveportrait_frame_side(&config);
    size_t bytes = vx_liveportrait_source_bytes(model);
    vx_room memory = rig_room(&r, VX_PLACE_DEVICE, bytes);
    vx_room ring = rig_room(&r, VX_PLACE_SHARED, (size_t)n * frame);
    uint8_t *rgb = vx_heap_alloc((size_t)pixels), *frames = ring.host;
    for (int64_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)picture[i];
    double start = vx_now_s();
    rig_must(&r, vx_liveportrait_source(model, &r.ctx, rgb, memory.at, &portrait), "source");
    printf("planned %zu bytes of weights, %zu of workspace, %zu a portrait; source %.2f s\n",
           r.weights_bytes, r.workspace_bytes, bytes, vx_now_s() - start);
    write_values(&s, "x_s", config.points, 3, portrait.x_s[0]);
    const vx_portrait_batch batch = {.n = n,
                                     .stitch = vx_liveportrait_stitches(model),
                                     .x_d = x_d,
                                     .frames = ring.at,
                                     .stride = frame};
    rig_must(&r, vx_liveportrait_frames(model, &r.ctx, &portrait, &batch), "frames");
    rig_must(&r, vx_finish(&r.ctx), "finish");
    float *image = vx_heap_alloc(sizeof *image * (size_t)n * frame);
    for (size_t i = 0; i < (size_t)n * frame; i++)
        image[i] = frames[i];
    write_values(&s, "image", n, (int64_t)frame, image);
    r.ctx.observe = NULL;
    time_frames(&r, model, &portrait, &batch);
    vx_heap_free(image);
    vx_heap_free(rgb);
    vx_heap_free(picture);
    vx_heap_free(x_d);
    json_decref(json);
    vx_liveportrait_close(&model);
    for (int i = 0; i < count; i++)
        vx_source_close(&weights[i]);
    vx_source_close(&inputs);
    rig_close(&r);
    return 0;
}
