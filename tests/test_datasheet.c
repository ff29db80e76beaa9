/* Devices by their datasheet, and the roofline. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/ops.h"
#include "backend/plan/roofline.h"

static vx_backend *open_device(const char *name)
{
    vx_backend *backend;
    vx_error err = {0};
    assert_int_equal(vx_backend_open_datasheet(&backend, name, &err), VX_OK);
    return backend;
}

static size_t bytes_of(vx_backend *backend, vx_weight w)
{
    vx_error err = {0};
    assert_int_equal(vx_weight_plan(backend, &w, &err), VX_OK);
    return w.bytes;
}

static void unknown_devices_are_named(void **state)
{
    (void)state;
    vx_backend *backend = (vx_backend *)state;
    vx_error err = {0};
    assert_int_equal(vx_backend_open_datasheet(&backend, "voodoo2", &err), VX_ERR_USAGE);
    assert_null(backend);
    assert_non_null(strstr(err.message, "voodoo2"));
    assert_non_null(strstr(err.message, "rtx3060, "));
    assert_non_null(strstr(err.message, "h200"));
}

static void every_device_is_complete(void **state)
{
    (void)state;
    static const char *const names[] = {"rtx2080ti", "rtx3060", "rtx3090", "rtx4090",
                                        "l4",        "a100",    "h100",    "h200"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        vx_backend *backend = open_device(names[i]);
        const vx_device *d = &backend->device;
        assert_string_equal(d->name, names[i]);
        assert_true(d->flops_per_s_f32 > 1e13 && d->bytes_per_s > 1e11);
        assert_true((d->flops_per_s_bf16 > d->flops_per_s_f32) == (backend->native == VX_BF16));
        assert_true(d->memory_bytes > (size_t)10e9 && d->overhead_bytes > 0);
        vx_backend_close(&backend);
        assert_null(backend);
    }
}

/* Parts of 256 bytes: values worked out by hand. */
static void weights_take_their_stored_bytes(void **state)
{
    (void)state;
    vx_backend *b = open_device("rtx3060");
    assert_int_equal(bytes_of(b, vx_weight_linear(10, 7, VX_F32, VX_F32)), 512);
    assert_int_equal(bytes_of(b, vx_weight_linear(1024, 512, VX_BF16, VX_BF16)), 1048576);
    assert_int_equal(bytes_of(b, vx_weight_conv1d(22, 128, 7, 1, 1, 3, VX_F16, VX_BF16)), 39424);
    assert_int_equal(bytes_of(b, vx_weight_linear(1000, 512, VX_INT8_ROW, VX_U8)), 512000 + 4096);
    assert_int_equal(bytes_of(b, vx_weight_linear(64, 512, VX_Q8_0, VX_BF16)), 64 * 16 * 34);
    assert_int_equal(bytes_of(b, vx_weight_linear(64, 500, VX_Q4_0, VX_BF16)), 64 * 16 * 18);
    assert_int_equal(bytes_of(b, vx_weight_linear(3072, 3072, VX_NF4, VX_BF16)),
                     4718592 + 147456 + 2304 + 256);
    vx_weight lstm = vx_weight_linear(2 * 4 * 256, 640, VX_F32, VX_F32);
    lstm.kind = VX_WEIGHT_LSTM;
    assert_int_equal(bytes_of(b, lstm), 2048 * (640 + 256) * 4);

    vx_error err = {0};
    vx_weight bad = vx_weight_linear(8, 8, VX_I64, VX_F32);
    assert_int_equal(vx_weight_plan(b, &bad, &err), VX_ERR_INPUT);
    bad = vx_weight_linear(8, 8, VX_F32, VX_U8);
    assert_int_equal(vx_weight_plan(b, &bad, &err), VX_ERR_INPUT);
    vx_backend_close(&b);
}

typedef struct sum {
    vx_backend *backend;
    size_t bytes;
} sum;

/* `count` linear layers with their biases, which count as bf16 here as in the checkpoint. */
static void add(sum *s, int count, int64_t out, int64_t in)
{
    size_t bias = ((size_t)out * 2 + 255) & ~(size_t)255;
    s->bytes +=
        (size_t)count * (bytes_of(s->backend, vx_weight_linear(out, in, VX_NF4, VX_BF16)) + bias);
}

/* FLUX.1-schnell's transformer: 776 tensors, 11,891,178,560 parameters. Every matrix in NF4 with
 * double quantisation, every vector in bf16, each part on 256 bytes, sums to 6,138,942,720 bytes. */
static void flux_in_nf4_has_its_known_size(void **state)
{
    (void)state;
    sum s = {.backend = open_device("rtx3060")};
    enum { D = 3072, DOUBLE = 19, SINGLE = 38 };
    add(&s, 1, D, 64);
    add(&s, 1, D, 256);
    add(&s, 1, D, D);
    add(&s, 1, D, 768);
    add(&s, 1, D, D);
    add(&s, 1, D, 4096);
    add(&s, 2 * DOUBLE, 6 * D, D);
    add(&s, 2 * DOUBLE, 3 * D, D);
    add(&s, 2 * DOUBLE, D, D);
    add(&s, 2 * DOUBLE, 4 * D, D);
    add(&s, 2 * DOUBLE, D, 4 * D);
    add(&s, SINGLE, 7 * D, D);
    add(&s, SINGLE, D, 5 * D);
    add(&s, SINGLE, 3 * D, D);
    add(&s, 1, 2 * D, D);
    add(&s, 1, 64, D);
    s.bytes += (4 * DOUBLE + 2 * SINGLE) * 256; /* query and key norms: 128 values each */
    assert_int_equal(s.bytes, 6138942720);
    vx_backend_close(&s.backend);
}

/* The same op code that runs elsewhere plans here: shapes are counted, nothing is computed. */
static void ops_plan_without_memory(void **state)
{
    (void)state;
    vx_backend *backend = open_device("h100");
    vx_arena workspace = vx_arena_measure("plan");
    vx_error err = {0};
    vx_ctx ctx = {.backend = backend, .workspace = &workspace, .plan = true, .err = &err};
    vx_tensor x, out;
    assert_int_equal(vx_take2(&ctx, VX_BF16, 256, 4096, &x), VX_OK);
    assert_int_equal(vx_take2(&ctx, VX_BF16, 256, 1024, &out), VX_OK);
    vx_weight w = vx_weight_linear(1024, 4096, VX_BF16, VX_BF16);
    assert_int_equal(vx_weight_plan(backend, &w, &err), VX_OK);
    assert_int_equal(vx_linear(&ctx, &(vx_linear_args){.x = &x, .w = &w, .out = &out}), VX_OK);
    assert_true(ctx.counts.flops == 2.0 * 256 * 4096 * 1024);
    assert_true(ctx.counts.bytes_moved == 2.0 * (256 * 4096 + 4096 * 1024 + 256 * 1024));
    assert_int_equal(workspace.peak, 2 * 256 * (4096 + 1024));
    vx_backend_close(&backend);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

static void roofline_is_the_longer_of_two(void **state)
{
    (void)state;
    vx_device d = {
        .flops_per_s_f32 = 1e12, .flops_per_s_bf16 = 4e12, .bytes_per_s = 1e11, .efficiency = 0.5};
    vx_counts counts = {.flops = 8e12, .bytes_moved = 1e11};
    vx_roofline r = vx_roofline_of(&d, &counts, VX_BF16);
    assert_true(near(r.roofline_s, 2) && near(r.projected_s, 4) && !r.memory_bound);
    r = vx_roofline_of(&d, &counts, VX_F32);
    assert_true(near(r.roofline_s, 8) && near(r.projected_s, 16));
    counts.bytes_moved = 1e12;
    r = vx_roofline_of(&d, &counts, VX_F32);
    assert_true(near(r.roofline_s, 10) && r.memory_bound);
    d.flops_per_s_bf16 = 0; /* not native: f32 is used instead */
    counts.bytes_moved = 0;
    r = vx_roofline_of(&d, &counts, VX_BF16);
    assert_true(near(r.roofline_s, 8));
    r = vx_roofline_of(&d, &(vx_counts){0}, VX_F32);
    assert_true(r.roofline_s == 0 && r.projected_s == 0);
}

/* Known floors: 1080 LivePortrait frames of 1233.6 GFLOP, docs of the model. */
static void known_floors_come_out(void **state)
{
    (void)state;
    vx_counts counts = {.flops = 1080 * 1233.6e9};
    vx_backend *backend = open_device("rtx3060");
    assert_true(fabs(vx_roofline_of(&backend->device, &counts, VX_BF16).roofline_s - 52.05) < 0.05);
    vx_backend_close(&backend);
    backend = open_device("h100");
    assert_true(fabs(vx_roofline_of(&backend->device, &counts, VX_BF16).roofline_s - 1.35) < 0.005);
    vx_backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_devices_are_named),
        cmocka_unit_test(every_device_is_complete),
        cmocka_unit_test(weights_take_their_stored_bytes),
        cmocka_unit_test(flux_in_nf4_has_its_known_size),
        cmocka_unit_test(ops_plan_without_memory),
        cmocka_unit_test(roofline_is_the_longer_of_two),
        cmocka_unit_test(known_floors_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
