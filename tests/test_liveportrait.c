/* LivePortrait against a restatement of the official modules on small random networks
 * (tools/liveportrait_parity.py), its work by the plan, its configuration, hostile weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/liveportrait/liveportrait.h"
#include "rig.h"

#define DATA VX_TEST_DATA "/liveportrait/"

static vx_status bind_model(void *model, vx_binder *b)
{
    return vx_liveportrait_bind(model, b);
}

static vx_status plan_frames(void *model, vx_ctx *ctx)
{
    return vx_liveportrait_frames(model, ctx, NULL,
                                  &(vx_portrait_batch){.n = vx_liveportrait_batch(model),
                                                       .stitch = true,
                                                       .frames = VX_DEV_PLAN});
}

static vx_status plan_source(void *model, vx_ctx *ctx)
{
    vx_portrait portrait;
    return vx_liveportrait_source(model, ctx, NULL, VX_DEV_PLAN, &portrait);
}

/* ---- work ----------------------------------------------------------------------------------- */

static void published_work_is_counted(void **state)
{
    (void)state;
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_liveportrait_config_read(NULL, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_BF16, r.backend->native, 4, &r.err),
             "open");
    rig_plan(&r, bind_model, plan_frames, model);
    double gf = r.planned.flops / 4e9;
    print_message("a frame: %.2f GFLOP; weights %.1f MB, workspace of 4 frames %.1f MB\n", gf,
                  (double)r.weights_bytes / 1e6, (double)r.workspace_bytes / 1e6);
    if (!(gf <= 985 && gf >= 970)) fail_msg("%.2f GFLOP a frame", gf);
    rig_plan(&r, bind_model, plan_source, model);
    print_message("a source: %.2f GFLOP; workspace %.1f MB\n", r.planned.flops / 1e9,
                  (double)r.workspace_bytes / 1e6);
    assert_int_equal(vx_liveportrait_frame_side(&config), 512);
    vx_liveportrait_close(&model);
    rig_close(&r);
}

/* ---- parity --------------------------------------------------------------------------------- */

enum { FRAMES = 2, SOURCES_MAX = 5 };

static json_t *config_of(int index)
{
    char path[256];
    snprintf(path, sizeof path, DATA "small_%d.json", index);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

/* The first network lies in the official files, the second in one of safetensors. */
static int open_weights(rig *r, int index, vx_source **sources)
{
    static const char *const files[SOURCES_MAX] = {
        "small_0_appearance_feature_extractor.pth", "small_0_motion_extractor.pth",
        "small_0_warping_module.pth", "small_0_spade_generator.pth",
        "small_0_stitching_retargeting_module.pth"};
    int count = index == 0 ? SOURCES_MAX : 1;
    for (int i = 0; i < count; i++) {
        char path[256];
        snprintf(path, sizeof path, DATA "%s", index == 0 ? files[i] : "small_1.safetensors");
        rig_must(r, vx_source_open(&sources[i], path, &r->err), path);
    }
    return count;
}

static void close_sources(vx_source **sources, int count)
{
    for (int i = 0; i < count; i++)
        vx_source_close(&sources[i]);
}

/* What the reference made, and how far off the worst stage is. */
typedef struct expected {
    vx_source *values;
    double relative; /* largest error over the stage's largest value that passes */
    bool print;
    int stages;
} expected;

/* The reference holds the first frame of a batch. */
static void compare(expected *want, const char *name, int64_t cols, const float *have,
                    int64_t have_count)
{
    int64_t count;
    if (vx_source_find(want->values, name) == NULL) return;
    float *values = rig_read(want->values, name, &count);
    assert_true(count <= have_count && have_count % count == 0 && count % cols == 0);
    double largest = 0, error = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)values[i]));
        error = fmax(error, fabs((double)values[i] - (double)have[i]));
    }
    if (want->print) print_message("%-16s %.2e\n", name, error / largest);
    if (!(error <= want->relative * largest))
        fail_msg("%s differs by %g of %g", name, error, largest);
    want->stages++;
    vx_heap_free(values);
}

static void compare_seen(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *have)
{
    float *values = rig_values(ctx, have);
    /* The reference's name for the key points that frames are made of. */
    if (strcmp(name, "x_d") == 0) name = "x_d.stitched";
    compare(arg, name, vx_cols(have), values, vx_elements(have));
    vx_heap_free(values);
}

static double psnr(const uint8_t *a, const float *b, int64_t count)
{
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += pow((double)a[i] - (double)b[i], 2);
    return square > 0 ? 10 * log10(255.0 * 255.0 * (double)count / square) : 999;
}

static vx_status plan_all(void *model, vx_ctx *ctx)
{
    VX_TRY(plan_source(model, ctx));
    return plan_frames(model, ctx);
}

/* Source, stitching and frames of network `index`, every stage within `relative`, frames above `least` dB. */
static void check(const char *backend, int index, vx_dtype precision, double relative, double least)
{
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    vx_portrait portrait;
    vx_source *sources[SOURCES_MAX], *values;
    char path[256];
    json_t *json = config_of(index);
    rig_open(&r, backend, 2);
    rig_must(&r, vx_liveportrait_config_read(json, &config, &r.err), "config");
    rig_must(&r,
             vx_liveportrait_open(&model, &config, precision, r.backend->native, FRAMES, &r.err),
             "open");
    rig_plan(&r, bind_model, plan_all, model);
    assert_false(vx_liveportrait_stitches(model));
    int count = open_weights(&r, index, sources);
    rig_must(&r, rig_load(&r, bind_model, model, sources, count), "load");
    assert_int_equal(vx_liveportrait_stitches(model), index == 0);
    snprintf(path, sizeof path, DATA "small_%d_values.safetensors", index);
    rig_must(&r, vx_source_open(&values, path, &r.err), path);
    expected want = {.values = values, .relative = relative, .print = getenv("PRINT") != NULL};
    r.ctx.observe = compare_seen;
    r.ctx.observe_arg = &want;

    int64_t side = vx_liveportrait_frame_side(&config), frame = side * side * 3;
    size_t bytes = vx_liveportrait_source_bytes(model);
    vx_room memory = rig_room(&r, VX_PLACE_DEVICE, bytes);
    vx_room ring = rig_room(&r, VX_PLACE_SHARED, FRAMES * (size_t)frame);
    int64_t pixels;
    float *picture = rig_read(values, "picture", &pixels), *x_d = rig_read(values, "x_d", NULL);
    float *image = rig_read(values, "image", NULL);
    uint8_t *rgb = vx_heap_alloc((size_t)pixels), *frames = ring.host;
    for (int64_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)picture[i];
    rig_must(&r, vx_liveportrait_source(model, &r.ctx, rgb, memory.at, &portrait), "source");
    const float angles[3] = {portrait.motion.pitch, portrait.motion.yaw, portrait.motion.roll};
    compare(&want, "x_s", 3, portrait.x_s[0], 3 * config.points);
    compare(&want, "angles", 3, angles, 3);
    /* What depends on the source alone (A1) is made once: frames only read it. */
    vx_portrait_batch batch = {.n = FRAMES,
                               .stitch = vx_liveportrait_stitches(model),
                               .x_d = x_d,
                               .frames = ring.at,
                               .stride = (size_t)frame};
    float *before = rig_values(&r.ctx, &portrait.compressed);
    rig_must(&r, vx_liveportrait_frames(model, &r.ctx, &portrait, &batch), "frames");
    rig_must(&r, vx_finish(&r.ctx), "finish");
    float *after = rig_values(&r.ctx, &portrait.compressed);
    assert_memory_equal(before, after, (size_t)vx_elements(&portrait.compressed) * sizeof *after);
    vx_heap_free(before);
    vx_heap_free(after);
    assert_int_equal(want.stages, index == 0 ? 23 : 21);
    double have = psnr(frames, image, FRAMES * frame);
    if (want.print) print_message("%.2f dB\n", have);
    if (!(have >= least)) fail_msg("%s: %.2f dB", backend, have);
    /* A batch and one frame alone give the same bytes. */
    r.ctx.observe = NULL;
    batch.n = 1;
    batch.x_d = x_d + (ptrdiff_t)3 * config.points;
    rig_must(&r, vx_liveportrait_frames(model, &r.ctx, &portrait, &batch), "one frame");
    rig_must(&r, vx_finish(&r.ctx), "finish");
    assert_memory_equal(frames, frames + frame, (size_t)frame);
    assert_int_equal(r.workspace.used, 0);
    vx_heap_free(picture);
    vx_heap_free(x_d);
    vx_heap_free(image);
    vx_heap_free(rgb);
    json_decref(json);
    vx_liveportrait_close(&model);
    vx_source_close(&values);
    close_sources(sources, count);
    rig_close(&r);
}

static void every_stage_is_the_reference_s(void **state)
{
    (void)state;
    for (int index = 0; index < 2; index++) {
        check("ref", index, VX_F32, 1e-4, 60);
        check("cpu", index, VX_F32, 1e-4, 60);
    }
}

static void bf16_is_near(void **state)
{
    (void)state;
    for (int index = 0; index < 2; index++)
        check("cpu", index, VX_BF16, 0.1, 40);
}

/* Both frames of the first network on so many threads. */
static void frames_on(int threads, uint8_t *frames, size_t frame)
{
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    vx_portrait portrait;
    vx_source *sources[SOURCES_MAX], *values;
    json_t *json = config_of(0);
    rig_open(&r, "cpu", threads);
    rig_must(&r, vx_liveportrait_config_read(json, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_BF16, r.backend->native, FRAMES, &r.err),
             "open");
    rig_plan(&r, bind_model, plan_all, model);
    int count = open_weights(&r, 0, sources);
    rig_must(&r, rig_load(&r, bind_model, model, sources, count), "load");
    rig_must(&r, vx_source_open(&values, DATA "small_0_values.safetensors", &r.err), "values");
    int64_t pixels;
    size_t bytes = vx_liveportrait_source_bytes(model);
    float *picture = rig_read(values, "picture", &pixels), *x_d = rig_read(values, "x_d", NULL);
    uint8_t *rgb = vx_heap_alloc((size_t)pixels);
    vx_room memory = rig_room(&r, VX_PLACE_DEVICE, bytes);
    vx_room ring = rig_room(&r, VX_PLACE_SHARED, FRAMES * frame);
    for (int64_t i = 0; i < pixels; i++)
        rgb[i] = (uint8_t)picture[i];
    rig_must(&r, vx_liveportrait_source(model, &r.ctx, rgb, memory.at, &portrait), "source");
    const vx_portrait_batch batch = {
        .n = FRAMES, .stitch = true, .x_d = x_d, .frames = ring.at, .stride = frame};
    /* The second time every kernel has its memory. */
    vx_heap_counts before;
    for (int i = 0; i < 2; i++) {
        before = vx_heap_read();
        rig_must(&r, vx_liveportrait_frames(model, &r.ctx, &portrait, &batch), "frames");
        rig_must(&r, vx_finish(&r.ctx), "finish");
    }
    memcpy(frames, ring.host, FRAMES * frame);
    /* One thread does the same work each time; more of them may meet where one never did. */
    if (threads == 1) assert_int_equal(vx_heap_read().calls, before.calls);
    vx_heap_free(picture);
    vx_heap_free(x_d);
    vx_heap_free(rgb);
    json_decref(json);
    vx_liveportrait_close(&model);
    vx_source_close(&values);
    close_sources(sources, count);
    rig_close(&r);
}

static void bytes_do_not_depend_on_threads(void **state)
{
    (void)state;
    enum { FRAME = 128 * 128 * 3 };
    uint8_t *frames = vx_heap_alloc(2 * FRAMES * FRAME);
    frames_on(1, frames, FRAME);
    for (int threads = 2; threads <= 3; threads++) {
        frames_on(threads, frames + FRAMES * FRAME, FRAME);
        assert_memory_equal(frames, frames + FRAMES * FRAME, FRAMES * FRAME);
    }
    vx_heap_free(frames);
}

/* ---- key points ----------------------------------------------------------------------------- */

static void rotations_turn_the_right_way(void **state)
{
    (void)state;
    float r[3][3];
    /* A row vector times R: yaw turns x into -z, pitch y into z, roll x into y (camera.py, transposed). */
    vx_liveportrait_rotation(0, 90, 0, r);
    assert_true(fabsf(r[0][2] + 1) < 1e-6f && fabsf(r[2][0] - 1) < 1e-6f && r[1][1] == 1);
    vx_liveportrait_rotation(90, 0, 0, r);
    assert_true(fabsf(r[1][2] - 1) < 1e-6f && fabsf(r[2][1] + 1) < 1e-6f && r[0][0] == 1);
    vx_liveportrait_rotation(0, 0, 90, r);
    assert_true(fabsf(r[0][1] - 1) < 1e-6f && fabsf(r[1][0] + 1) < 1e-6f && r[2][2] == 1);
}

static void expression_before_or_after_rotation(void **state)
{
    (void)state;
    vx_liveportrait_config c;
    vx_error err;
    assert_int_equal(vx_liveportrait_config_read(NULL, &c, &err), VX_OK);
    vx_motion m = {.roll = 90, .scale = 2, .t = {0.1f, 0.2f, 5}};
    float canonical[VX_PORTRAIT_POINTS_MAX][3] = {{0.3f, 0, 0}}, out[VX_PORTRAIT_POINTS_MAX][3];
    m.expression[0][0] = 0.05f;
    vx_liveportrait_keypoints(&c, (const float(*)[3])canonical, &m, out);
    assert_true(fabsf(out[0][0] - 0.2f) < 1e-6f && fabsf(out[0][1] - 0.8f) < 1e-6f);
    assert_true(fabsf(out[0][2]) < 1e-6f);
    c.w.expression = VX_EXPRESSION_BEFORE_ROTATION;
    vx_liveportrait_keypoints(&c, (const float(*)[3])canonical, &m, out);
    assert_true(fabsf(out[0][0] - 0.1f) < 1e-6f && fabsf(out[0][1] - 0.9f) < 1e-6f);
}

/* ---- what must be refused ------------------------------------------------------------------- */

static void configurations_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"landmark_params\": {}}", "landmark_params"},
        {"{\"appearance_feature_extractor_params\": {\"num_resblock\": 6}}", "num_resblock"},
        {"{\"appearance_feature_extractor_params\": {\"image_channel\": 1}}", "image_channel"},
        {"{\"appearance_feature_extractor_params\": {\"max_features\": 100}}", "max_features"},
        {"{\"appearance_feature_extractor_params\": {\"block_features\": [64, -1]}}",
         "block_features"},
        {"{\"appearance_feature_extractor_params\": {\"reshape_depth\": 17}}", "reshape_depth"},
        {"{\"motion_extractor_params\": {\"backbone\": \"resnet\"}}", "backbone"},
        {"{\"motion_extractor_params\": {\"num_kp\": 20}}", "num_kp"},
        {"{\"motion_extractor_params\": {\"depths\": [3, 3, 900, 3]}}", "depths"},
        {"{\"motion_extractor_params\": {\"input_size\": 96}}", "input_size"},
        {"{\"warping_module_params\": {\"grid_convention\": \"corners\"}}", "grid_convention"},
        {"{\"warping_module_params\": {\"flag_use_occlusion_map\": false}}",
         "flag_use_occlusion_map"},
        {"{\"warping_module_params\": {\"dense_motion_params\": {\"mask_kernel\": 4}}}",
         "mask_kernel"},
        {"{\"warping_module_params\": {\"dense_motion_params\": {\"num_blocks\": 7}}}",
         "num_blocks"},
        {"{\"warping_module_params\": {\"dense_motion_params\": {\"volume_divisor\": 3}}}",
         "volume_divisor"},
        {"{\"spade_generator_params\": {\"block_features\": [64, 64]}}", "block_features"},
        {"{\"spade_generator_params\": {\"hidden_features\": [64, 64]}}", "hidden_features"},
        {"{\"spade_generator_params\": {\"in_features\": 80}}", "generator"},
        {"{\"spade_generator_params\": {\"spade_norm\": \"layer\"}}", "spade_norm"},
        {"{\"driving_params\": {\"expression\": 1}}", "expression"},
        {"{\"stitching_retargeting_module_params\": {\"stitching\": {\"input_size\": 60}}}",
         "stitching"},
        {"{\"stitching_retargeting_module_params\": {\"nose\": {}}}", "nose"},
        {"{\"stitching_retargeting_module_params\": {\"stitching\": {\"hidden_sizes\": []}}}",
         "hidden_sizes"},
        {"[]", "mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vx_liveportrait_config c;
        vx_error err;
        json_t *json = json_loads(cases[i][0], 0, NULL);
        assert_non_null(json);
        assert_int_equal(vx_liveportrait_config_read(json, &c, &err), VX_ERR_INPUT);
        if (strstr(err.message, cases[i][1]) == NULL) fail_msg("%s: %s", cases[i][0], err.message);
        json_decref(json);
    }
}

/* models.yaml says what is the default. */
static void the_published_configuration_is_the_default(void **state)
{
    (void)state;
    static const char models_yaml[] =
        "{\"model_params\": {\"appearance_feature_extractor_params\": {\"image_channel\": 3, "
        "\"block_expansion\": 64, \"num_down_blocks\": 2, \"max_features\": 512, "
        "\"reshape_channel\": 32, \"reshape_depth\": 16, \"num_resblocks\": 6}, "
        "\"motion_extractor_params\": {\"num_kp\": 21, \"backbone\": \"convnextv2_tiny\"}, "
        "\"warping_module_params\": {\"num_kp\": 21, \"block_expansion\": 64, \"max_features\": "
        "512, "
        "\"num_down_blocks\": 2, \"reshape_channel\": 32, \"estimate_occlusion_map\": true, "
        "\"dense_motion_params\": {\"block_expansion\": 32, \"max_features\": 1024, "
        "\"num_blocks\": 5, \"reshape_depth\": 16, \"compress\": 4}}, "
        "\"spade_generator_params\": {\"upscale\": 2, \"block_expansion\": 64, "
        "\"max_features\": 512, \"num_down_blocks\": 2}, "
        "\"stitching_retargeting_module_params\": {\"stitching\": {\"input_size\": 126, "
        "\"hidden_sizes\": [128, 128, 64], \"output_size\": 65}, \"lip\": {\"input_size\": 65, "
        "\"hidden_sizes\": [128, 128, 64], \"output_size\": 63}, \"eye\": {\"input_size\": 66, "
        "\"hidden_sizes\": [256, 256, 128, 128, 64], \"output_size\": 63}}}}";
    vx_liveportrait_config written, absent;
    vx_error err;
    memset(&written, 0, sizeof written);
    memset(&absent, 0, sizeof absent);
    json_t *json = json_loads(models_yaml, 0, NULL);
    assert_non_null(json);
    assert_int_equal(vx_liveportrait_config_read(json, &written, &err), VX_OK);
    assert_int_equal(vx_liveportrait_config_read(NULL, &absent, &err), VX_OK);
    assert_memory_equal(&written, &absent, sizeof written);
    assert_int_equal(absent.w.prediction, 142);
    assert_int_equal(absent.w.features, 256);
    assert_int_equal(absent.g.features[0], 512);
    assert_int_equal(absent.f.features[2], 256);
    json_decref(json);
}

/* Within every key's range, beyond what can be packed: no crash. */
static void filters_beyond_measure_are_refused(void **state)
{
    (void)state;
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    json_t *json = json_loads("{\"warping_module_params\": {\"dense_motion_params\": "
                              "{\"mask_kernel\": 15, \"prediction_features\": 4096}}}",
                              0, NULL);
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_liveportrait_config_read(json, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_F32, VX_F32, 1, &r.err), "open");
    vx_arena weights = vx_arena_measure("weights");
    vx_binder binder = {.backend = r.backend, .weights = &weights, .plan = true, .err = &r.err};
    assert_int_equal(vx_liveportrait_bind(model, &binder), VX_ERR_INPUT);
    assert_non_null(strstr(r.err.message, "dense_motion_network.mask"));
    vx_liveportrait_close(&model);
    json_decref(json);
    rig_close(&r);
}

/* Loads what must fail, naming `what`. Every source is closed. */
static void refuse(json_t *json, vx_source **sources, int count, const char *what)
{
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_liveportrait_config_read(json, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_F32, VX_F32, 1, &r.err), "open");
    rig_plan(&r, bind_model, plan_all, model);
    int64_t live = vx_heap_read().live_bytes;
    assert_int_equal(rig_load(&r, bind_model, model, sources, count), VX_ERR_INPUT);
    vx_backend_unreserve(r.backend, &r.memory);
    assert_int_equal(vx_heap_read().live_bytes, live);
    if (strstr(r.err.message, what) == NULL) fail_msg("%s: %s", what, r.err.message);
    vx_liveportrait_close(&model);
    close_sources(sources, count);
    json_decref(json);
    rig_close(&r);
}

static void wrong_weights_are_refused_by_name(void **state)
{
    (void)state;
    rig r = {0};
    vx_source *sources[SOURCES_MAX];
    json_t *json = config_of(0);
    open_weights(&r, 0, sources);
    close_sources(sources + 3, 2); /* no generator */
    refuse(json, sources, 3, "\"fc.weight\"");

    json = config_of(0);
    json_t *m = json_object_get(json_object_get(json, "model_params"), "motion_extractor_params");
    json_object_set_new(m, "dims", json_pack("[iiii]", 8, 16, 24, 40));
    open_weights(&r, 0, sources);
    refuse(json, sources, SOURCES_MAX, "detector.downsample_layers.3.1.weight");

    /* The second network's pack with the first one's files. */
    open_weights(&r, 0, sources);
    refuse(config_of(1), sources, SOURCES_MAX, "has shape");

    rig_must(&r, vx_source_open(&sources[0], VX_TEST_DATA "/clip/small_hf.safetensors", &r.err),
             "clip");
    refuse(config_of(1), sources, 1, "\"first.conv.weight\"");
}

static void other_precisions_are_refused(void **state)
{
    (void)state;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    vx_error err;
    assert_int_equal(vx_liveportrait_config_read(NULL, &config, &err), VX_OK);
    assert_int_equal(vx_liveportrait_open(&model, &config, VX_NF4, VX_BF16, 1, &err), VX_ERR_INPUT);
    assert_null(model);
    assert_non_null(strstr(err.message, "nf4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_is_the_reference_s),
        cmocka_unit_test(bf16_is_near),
        cmocka_unit_test(bytes_do_not_depend_on_threads),
        cmocka_unit_test(published_work_is_counted),
        cmocka_unit_test(rotations_turn_the_right_way),
        cmocka_unit_test(expression_before_or_after_rotation),
        cmocka_unit_test(configurations_are_refused_by_name),
        cmocka_unit_test(the_published_configuration_is_the_default),
        cmocka_unit_test(filters_beyond_measure_are_refused),
        cmocka_unit_test(wrong_weights_are_refused_by_name),
        cmocka_unit_test(other_precisions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
