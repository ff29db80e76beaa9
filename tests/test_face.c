/* The face networks against TFLite's interpreter (tools/face_convert.py), layer by layer, and what
 * is read from them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/image.h"
#include "models/face/face.h"
#include "rig.h"

#define DATA VX_TEST_DATA "/face/"
#define PACK VX_SOURCE_DIR "/packs/face/face.safetensors"

static vx_status bind_model(void *model, vx_binder *b)
{
    return vx_face_bind(model, b);
}

static vx_status plan_both(void *model, vx_ctx *ctx)
{
    vx_face_seen seen[VX_FACE_SEEN_MAX];
    vx_face_mesh mesh;
    int count;
    VX_TRY(vx_face_find(model, ctx, NULL, 0.5f, seen, &count));
    return vx_face_look(model, ctx, NULL, &mesh);
}

typedef struct expected {
    vx_source *values;
    int layers;
    double worst; /* of the layer's largest value */
} expected;

/* The interpreter's values are every how manieth of ours. */
static void compare(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *tensor)
{
    expected *want = arg;
    int64_t count, all = vx_elements(tensor);
    if (vx_source_find(want->values, name) == NULL) return;
    float *values = rig_read(want->values, name, &count), *have = rig_values(ctx, tensor);
    int64_t step = all == count ? 1 : 61;
    double largest = 0, error = 0;
    assert_int_equal(count, (all + step - 1) / step);
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)values[i]));
        error = fmax(error, fabs((double)values[i] - (double)have[i * step]));
    }
    print_message("%-16s %.1e of %.3g\n", name, error / largest, largest);
    want->worst = fmax(want->worst, error / largest);
    want->layers++;
    vx_heap_free(values);
    vx_heap_free(have);
}

static void read_picture(rig *r, const char *path, vx_picture *picture)
{
    rig_must(r, vx_image_read(picture, path, NULL, &r->err), path);
    assert_int_equal(picture->width, VX_FACE_SIDE);
    assert_int_equal(picture->height, VX_FACE_SIDE);
}

static void near_to(const float at[2], double x, double y, double within)
{
    double off = hypot((double)at[0] - x, (double)at[1] - y);
    if (!(off <= within))
        fail_msg("%.1f, %.1f is not %.1f, %.1f", (double)at[0], (double)at[1], x, y);
}

/* Every layer as the interpreter has it, and the astronaut's face (NASA, public domain) where a
 * person sees it. */
static void check_parity(const char *backend)
{
    rig r;
    vx_face *model;
    vx_source *file;
    vx_picture whole, face;
    vx_face_seen seen[VX_FACE_SEEN_MAX];
    vx_face_mesh mesh;
    expected want = {0};
    int count;
    rig_open(&r, backend, 2);
    rig_must(&r, vx_source_open(&want.values, DATA "values.safetensors", &r.err), "values");
    rig_must(&r, vx_source_open(&file, PACK, &r.err), PACK);
    read_picture(&r, DATA "astronaut.png", &whole);
    read_picture(&r, DATA "astronaut_face.png", &face);
    rig_must(&r, vx_face_open(&model, &r.err), "open");
    rig_plan(&r, bind_model, plan_both, model);
    print_message("%.1f MFLOP, weights %.1f MB, workspace %.1f MB\n", r.planned.flops / 1e6,
                  (double)r.weights_bytes / 1e6, (double)r.workspace_bytes / 1e6);
    rig_must(&r, rig_load(&r, bind_model, model, &file, 1), "load");
    r.ctx.observe = compare;
    r.ctx.observe_arg = &want;
    rig_must(&r, vx_face_find(model, &r.ctx, whole.rgb, 0.5f, seen, &count), "find");
    rig_must(&r, vx_face_look(model, &r.ctx, face.rgb, &mesh), "look");
    assert_int_equal(want.layers, 15);
    if (!(want.worst < 2e-5)) fail_msg("a layer differs by %g", want.worst);
    assert_int_equal(count, 1);
    near_to(seen[0].point[VX_FACE_LEFT_EYE], 76.5, 38, 2);
    near_to(seen[0].point[VX_FACE_RIGHT_EYE], 93, 40, 2);
    near_to(seen[0].point[VX_FACE_MOUTH], 84, 55, 2);
    assert_true(mesh.presence > 0.99f);
    near_to(mesh.point[13], 97, 129.5, 2); /* the inner edge of the upper lip */
    vx_image_free(&whole);
    vx_image_free(&face);
    vx_source_close(&want.values);
    vx_source_close(&file);
    vx_face_close(&model);
    rig_close(&r);
}

static void reference_is_the_interpreter(void **state)
{
    (void)state;
    check_parity("ref");
}

static void cpu_is_the_interpreter(void **state)
{
    (void)state;
    check_parity("cpu");
}

/* ---- boxes ---------------------------------------------------------------------------------- */

static void cells_become_boxes(void **state)
{
    (void)state;
    float box[16] = {1, -2, 30, 40, 5, 6};
    vx_face_seen seen;
    vx_face_decode(48 + 2, 0, box, &seen); /* the third cell of the second row */
    assert_float_equal(seen.score, 0.5, 1e-6);
    assert_float_equal(seen.x, 11, 1e-6);
    assert_float_equal(seen.y, 4, 1e-6);
    assert_float_equal(seen.height, 40, 1e-6);
    near_to(seen.point[VX_FACE_LEFT_EYE], 15, 12, 1e-5);
    vx_face_decode(0, 1e30f, box, &seen);
    assert_true(seen.score == 1);
    vx_face_decode(0, -INFINITY, box, &seen);
    assert_true(seen.score >= 0 && seen.score < 1e-30f);
}

static void overlapping_boxes_are_one(void **state)
{
    (void)state;
    vx_face_seen seen[] = {{.score = 0.5f, .x = 100, .y = 100, .width = 10, .height = 10},
                           {.score = 0.6f, .x = 22, .y = 20, .width = 20, .height = 20},
                           {.score = 0.9f, .x = 20, .y = 20, .width = 20, .height = 20},
                           {.score = 0.7f, .x = 38, .y = 20, .width = 20, .height = 20}};
    assert_int_equal(vx_face_merge(seen, 4), 3);
    assert_float_equal(seen[0].score, 0.9, 1e-6);
    assert_float_equal(seen[0].x, (0.9 * 20 + 0.6 * 22) / 1.5, 1e-4);
    assert_float_equal(seen[1].x, 38, 1e-4);
    assert_float_equal(seen[2].x, 100, 1e-4);
    assert_int_equal(vx_face_merge(seen, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_the_interpreter),
        cmocka_unit_test(cpu_is_the_interpreter),
        cmocka_unit_test(cells_become_boxes),
        cmocka_unit_test(overlapping_boxes_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
