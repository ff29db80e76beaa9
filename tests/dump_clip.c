/* Runs CLIP on given inputs and writes every layer: the C side of tools/clip_parity.py.
 *     dump_clip CONFIG.json WEIGHTS PRECISION INPUT.safetensors OUT_FOLDER */
#include "formats/writer.h"
#include "models/clip/clip.h"
#include "rig.h"

static vx_status bind(void *model, vx_binder *binder)
{
    return vx_clip_bind(model, binder);
}

static int images;

static vx_status plan_run(void *model, vx_ctx *ctx)
{
    VX_TRY(vx_clip_image(model, ctx, NULL, VX_F32, images, NULL));
    return vx_clip_text(model, ctx, NULL, vx_clip_configuration(model)->context, NULL, NULL);
}

static void write_values(rig *r, const char *folder, const char *name, int64_t rows, int64_t cols,
                         const float *values)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    rig_must(r, vx_npy_write(path, 2, (const int64_t[]){rows, cols}, values, &r->err), path);
}

typedef struct sink {
    rig *r;
    const char *folder;
} sink;

static void write_seen(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *t)
{
    const sink *s = arg;
    float *values = rig_values(ctx, t);
    write_values(s->r, s->folder, name, vx_rows(t), vx_cols(t), values);
    vx_heap_free(values);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "dump_clip CONFIG.json WEIGHTS PRECISION INPUT.safetensors OUT_FOLDER\n");
        return 2;
    }
    rig r;
    vx_clip *clip;
    vx_clip_config config;
    vx_source *weights, *inputs;
    int64_t pixel_count, id_count;
    json_t *json = json_load_file(argv[1], 0, NULL);
    rig_open(&r, "cpu", 0);
    rig_must(&r, vx_clip_config_read(json, VX_CLIP_BASE_32, &config, &r.err), argv[1]);
    rig_must(&r, vx_source_open(&weights, argv[2], &r.err), argv[2]);
    rig_must(&r, vx_source_open(&inputs, argv[4], &r.err), argv[4]);
    int precision = vx_dtype_parse(argv[3]);
    float *pixels = rig_read(inputs, "pixels", &pixel_count),
          *id_values = rig_read(inputs, "ids", &id_count);
    images = (int)(pixel_count / ((int64_t)config.image_size * config.image_size * 3));
    rig_must(&r,
             vx_clip_open(&clip, &config, (vx_dtype)precision, r.backend->native,
                          VX_CLIP_IMAGE | VX_CLIP_TEXT | VX_CLIP_TEXT_PROJECTION, &r.err),
             "clip");
    rig_plan(&r, bind, plan_run, clip);
    rig_must(&r, rig_load(&r, bind, clip, &weights, 1), "load");
    sink s = {&r, argv[5]};
    r.ctx.observe = write_seen;
    r.ctx.observe_arg = &s;
    int32_t ids[VX_CLIP_CONTEXT_MAX];
    for (int i = 0; i < id_count; i++)
        ids[i] = (int32_t)id_values[i];
    size_t width = (size_t)config.embed;
    float *image = vx_heap_alloc(sizeof *image * (size_t)images * width);
    float *text = vx_heap_alloc(sizeof *text * width);
    vx_room room = rig_room(&r, VX_PLACE_DEVICE, sizeof(float) * (size_t)config.text.width);
    vx_tensor pooled_row = vx_view2(room.at, VX_F32, 1, config.text.width);
    rig_must(&r, vx_clip_image(clip, &r.ctx, pixels, VX_F32, images, image), "image");
    rig_must(&r, vx_clip_text(clip, &r.ctx, ids, (int)id_count, &pooled_row, text), "text");
    float *pooled = rig_values(&r.ctx, &pooled_row);
    write_values(&r, argv[5], "image_embed", images, config.embed, image);
    write_values(&r, argv[5], "text_embed", 1, config.embed, text);
    write_values(&r, argv[5], "pooled", 1, config.text.width, pooled);
    printf("planned %zu bytes of weights, %zu of workspace\n", r.weights_bytes, r.workspace_bytes);
    vx_heap_free(image);
    vx_heap_free(text);
    vx_heap_free(pooled);
    vx_heap_free(pixels);
    vx_heap_free(id_values);
    json_decref(json);
    vx_clip_close(&clip);
    vx_source_close(&weights);
    vx_source_close(&inputs);
    rig_close(&r);
    return 0;
}
