/* The reference backend against torch in float64: tests/data/ops, written by
 * tools/make_op_fixtures.py. What every other test takes for the truth is checked here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "backend/host.h"
#include "backend/ops.h"

enum { FLOATS = 4096, WORKSPACE = 1 << 16 };

/* One fixture being read from front to back, and a context to compute it with. */
typedef struct fixture {
    float value[FLOATS];
    int64_t count, at;
    float out[FLOATS], weight[FLOATS];
    vx_arena workspace;
    vx_lane lane;
    vx_ctx ctx;
    vx_error err;
    _Alignas(64) char memory[WORKSPACE];
} fixture;

static fixture fx;

static void open_fixture(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/ops/%s.f32", VX_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fx.count = (int64_t)fread(fx.value, sizeof *fx.value, FLOATS, file);
    fclose(file);
    assert_in_range(fx.count, 1, FLOATS - 1);
    fx.at = 0;
    fx.workspace = vx_arena_over("test", vx_host_dev(fx.memory), sizeof fx.memory);
    fx.ctx = (vx_ctx){.lane = &fx.lane, .workspace = &fx.workspace, .err = &fx.err};
    assert_int_equal(vx_backend_open_ref(&fx.ctx.backend, &fx.err), VX_OK);
    assert_int_equal(vx_lane_open(&fx.lane, fx.ctx.backend, &fx.err), VX_OK);
}

static vx_tensor take(int rank, const int64_t *dim)
{
    vx_tensor t = vx_view(vx_host_dev(fx.value + fx.at), VX_F32, rank, dim);
    fx.at += vx_elements(&t);
    assert_true(fx.at <= fx.count);
    return t;
}
static vx_tensor take_vector(int64_t n)
{
    return take(1, &n);
}
static vx_tensor take_matrix(int64_t rows, int64_t cols)
{
    return take(2, (const int64_t[]){rows, cols});
}

static vx_status fetch_rows(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    const vx_tensor *rows = arg;
    memcpy(dst, vx_row(rows, first), (size_t)(count * vx_cols(rows)) * sizeof *dst);
    return VX_OK;
}

/* Packs the next out x `row` values, one row at a time. */
static void take_weight(vx_weight *w, int64_t row)
{
    vx_tensor rows = take_matrix(w->out, row);
    float staging[256];
    assert_true(row <= 256);
    assert_int_equal(vx_weight_plan(fx.ctx.backend, w, &fx.err), VX_OK);
    assert_true(w->bytes <= sizeof fx.weight);
    w->data = vx_host_dev(fx.weight);
    assert_int_equal(vx_weight_pack(&fx.lane, w, fetch_rows, &rows, staging, (size_t)row, &fx.err),
                     VX_OK);
}

static vx_tensor output(int rank, const int64_t *dim)
{
    return vx_view(vx_host_dev(fx.out), VX_F32, rank, dim);
}
static vx_tensor output_matrix(int64_t rows, int64_t cols)
{
    return vx_view2(vx_host_dev(fx.out), VX_F32, rows, cols);
}

/* Both sides are rounded once to f32 after sums in double. */
static void close_fixture(vx_status status, const vx_tensor *out)
{
    assert_int_equal(status, VX_OK);
    int64_t n = vx_elements(out);
    assert_int_equal(fx.at + n, fx.count);
    for (int64_t i = 0; i < n; i++) {
        double want = fx.value[fx.at + i], got = fx.out[i];
        if (!(fabs(got - want) <= 2e-7 + 2e-7 * fabs(want)))
            fail_msg("element %d: want %.9g, got %.9g", (int)i, want, got);
    }
    vx_backend_close(&fx.ctx.backend);
}

/* ---- ops ------------------------------------------------------------------------------------ */

static void linear(void **state)
{
    (void)state;
    open_fixture("linear");
    vx_tensor x = take_matrix(4, 7), out = output_matrix(4, 5);
    vx_weight w = vx_weight_linear(5, 7, VX_F32, VX_F32);
    take_weight(&w, 7);
    vx_tensor bias = take_vector(5), gate = take_vector(5), residual = take_matrix(4, 5);
    vx_linear_args a = {.x = &x,
                        .w = &w,
                        .bias = &bias,
                        .gate = &gate,
                        .residual = &residual,
                        .act = {.kind = VX_ACT_GELU_TANH},
                        .out = &out};
    close_fixture(vx_linear(&fx.ctx, &a), &out);
}

static void convolve(const char *name, vx_weight w, int64_t rows, int64_t rows_out)
{
    open_fixture(name);
    vx_tensor x = take_matrix(rows, w.in), out = output_matrix(rows_out, w.out);
    x.halo = w.pad[2]; /* declared: the reference reads no halo */
    take_weight(&w, w.in * w.kernel[2]);
    vx_tensor bias = take_vector(w.out);
    vx_conv1d_args a = {.x = &x, .w = &w, .bias = &bias, .out = &out};
    close_fixture(vx_conv1d(&fx.ctx, &a), &out);
}

static void conv1d(void **state)
{
    (void)state;
    convolve("conv1d", vx_weight_conv1d(4, 3, 3, 1, 2, 2, VX_F32, VX_F32), 9, 9);
    convolve("conv1d_stride", vx_weight_conv1d(3, 2, 12, 6, 1, 3, VX_F32, VX_F32), 12, 2);
}

static void conv_transpose1d(void **state)
{
    (void)state;
    open_fixture("conv_transpose1d");
    vx_tensor x = take_matrix(6, 3);
    x.halo = 1;
    vx_weight w = vx_weight_conv1d(4, 3, 12, 6, 1, 3, VX_F32, VX_F32);
    w.kind = VX_WEIGHT_CONV_TRANSPOSE;
    take_weight(&w, 3 * 12);
    vx_tensor bias = take_vector(4), padded = output_matrix(36 + 6, 4);
    vx_tensor out = vx_slice_rows(&padded, 3, 36);
    out.halo = 3;
    vx_conv_transpose1d_args a = {.x = &x, .w = &w, .bias = &bias, .out = &out};
    vx_status status = vx_conv_transpose1d(&fx.ctx, &a);
    for (int i = 0; i < 12; i++) {
        assert_true(fx.out[i] == 0);
        assert_true(fx.out[39 * 4 + i] == 0);
    }
    memmove(fx.out, fx.out + 12, (size_t)vx_elements(&out) * sizeof(float));
    close_fixture(status, &out);
}

static void depthwise_up2(void **state)
{
    (void)state;
    open_fixture("depthwise_up2");
    vx_tensor x = take_matrix(5, 3), weight = take_matrix(3, 3), bias = take_vector(3);
    vx_tensor out = output_matrix(10, 3);
    vx_depthwise_up2_args a = {.x = &x, .weight = &weight, .bias = &bias, .out = &out};
    close_fixture(vx_depthwise_up2(&fx.ctx, &a), &out);
}

static void attention(void **state)
{
    (void)state;
    open_fixture("attention");
    vx_tensor q = take_matrix(5, 6), k = take_matrix(5, 6), v = take_matrix(5, 6);
    vx_tensor out = output_matrix(5, 6);
    vx_attention_args a = {.q = &q,
                           .k = &k,
                           .v = &v,
                           .heads = 2,
                           .scale = 0.4f,
                           .causal = true,
                           .compute = VX_F32,
                           .out = &out};
    close_fixture(vx_attention(&fx.ctx, &a), &out);

    open_fixture("attention_biased");
    q = take_matrix(3, 6), k = take_matrix(5, 6), v = take_matrix(5, 6);
    vx_tensor bias = take_matrix(2, 7);
    out = output_matrix(3, 6);
    a.causal = false, a.scale = 1, a.bias = &bias;
    close_fixture(vx_attention(&fx.ctx, &a), &out);
}

static void lstm(void **state)
{
    (void)state;
    open_fixture("lstm");
    vx_tensor x = take_matrix(6, 4), out = output_matrix(6, 6);
    vx_weight w = vx_weight_linear(24, 4, VX_F32, VX_F32);
    w.kind = VX_WEIGHT_LSTM;
    take_weight(&w, 4 + 3);
    vx_tensor bias = take_vector(24);
    vx_lstm_args a = {.x = &x, .w = &w, .bias = &bias, .out = &out};
    close_fixture(vx_lstm(&fx.ctx, &a), &out);
}

static void layer_norm(void **state)
{
    (void)state;
    open_fixture("layer_norm");
    vx_tensor x = take_matrix(3, 8), add = take_matrix(3, 8), gamma = take_vector(8);
    vx_tensor beta = take_vector(8), scale = take_vector(8), shift = take_vector(8);
    vx_tensor out = output_matrix(3, 8);
    vx_layer_norm_args a = {.x = &x,
                            .add = &add,
                            .gamma = &gamma,
                            .beta = &beta,
                            .scale = &scale,
                            .shift = &shift,
                            .eps = 1e-5f,
                            .sum_out = &x,
                            .out = &out};
    float sum = fx.value[0] + fx.value[24];
    vx_status status = vx_layer_norm(&fx.ctx, &a);
    assert_true(fx.value[0] == sum);
    close_fixture(status, &out);

    open_fixture("rms_norm");
    x = take_matrix(3, 8), gamma = take_vector(8);
    vx_layer_norm_args rms = {.x = &x, .gamma = &gamma, .eps = 1e-6f, .rms = true, .out = &out};
    close_fixture(vx_layer_norm(&fx.ctx, &rms), &out);
}

static void instance_norm(void **state)
{
    (void)state;
    open_fixture("instance_norm");
    vx_tensor x = take_matrix(9, 4), scale = take_vector(4), shift = take_vector(4);
    vx_tensor alpha = take_vector(4), out = output_matrix(9, 4);
    vx_instance_norm_args a = {
        .x = &x, .scale = &scale, .shift = &shift, .alpha = &alpha, .eps = 1e-5f, .out = &out};
    close_fixture(vx_instance_norm(&fx.ctx, &a), &out);
}

static void group_norm(void **state)
{
    (void)state;
    open_fixture("group_norm");
    const int64_t dim[4] = {2, 3, 2, 6};
    vx_tensor x = take(4, dim), gamma = take_vector(6), beta = take_vector(6);
    vx_tensor out = output(4, dim);
    vx_group_norm_args a = {.x = &x,
                            .gamma = &gamma,
                            .beta = &beta,
                            .groups = 3,
                            .eps = 1e-6f,
                            .act = {.kind = VX_ACT_SILU},
                            .out = &out};
    close_fixture(vx_group_norm(&fx.ctx, &a), &out);
}

static void qk_norm(void **state)
{
    (void)state;
    open_fixture("qk_norm");
    vx_tensor x = take_matrix(3, 8), weight = take_vector(4), table = take_matrix(3, 4);
    vx_tensor out = output_matrix(3, 8);
    vx_qk_norm_args a = {
        .x = &x, .weight = &weight, .table = &table, .heads = 2, .eps = 1e-6f, .out = &out};
    close_fixture(vx_qk_norm(&fx.ctx, &a), &out);
}

static void conv(void **state)
{
    (void)state;
    open_fixture("conv2d");
    vx_tensor x = take(4, (const int64_t[]){2, 3, 4, 2});
    vx_weight w = vx_weight_conv(3, 2, (const int64_t[]){1, 3, 3}, VX_F32, VX_F32);
    w.upsample = 2;
    w.stride[1] = w.stride[2] = 2;
    take_weight(&w, 18);
    vx_tensor bias = take_vector(3), out = output(4, (const int64_t[]){2, 3, 4, 3});
    vx_conv_args a = {.x = &x, .w = &w, .bias = &bias, .act = {.kind = VX_ACT_RELU}, .out = &out};
    close_fixture(vx_conv(&fx.ctx, &a), &out);

    open_fixture("conv3d");
    x = take(5, (const int64_t[]){1, 3, 4, 2, 2});
    w = vx_weight_conv(3, 2, (const int64_t[]){3, 3, 1}, VX_F32, VX_F32);
    take_weight(&w, 18);
    bias = take_vector(3);
    vx_tensor residual = take(5, (const int64_t[]){1, 3, 4, 2, 3});
    out = output(5, (const int64_t[]){1, 3, 4, 2, 3});
    vx_conv_args b = {.x = &x, .w = &w, .bias = &bias, .residual = &residual, .out = &out};
    close_fixture(vx_conv(&fx.ctx, &b), &out);
}

static void activations(void **state)
{
    (void)state;
    open_fixture("activations");
    vx_tensor x = take_matrix(1, 25), all = output_matrix(8, 25);
    vx_status status = VX_OK;
    for (int kind = VX_ACT_RELU; kind <= VX_ACT_TANH && status == VX_OK; kind++) {
        vx_tensor out = vx_slice_rows(&all, kind - VX_ACT_RELU, 1);
        vx_blend_args a = {.n = 1, .x = {&x}, .scale = {1}, .act = {kind, 0.25f}, .out = &out};
        status = vx_blend(&fx.ctx, &a);
    }
    close_fixture(status, &all);
}

/* ---- speech --------------------------------------------------------------------------------- */

static void harmonic_source(void **state)
{
    (void)state;
    open_fixture("source");
    vx_tensor f0 = take_matrix(7, 1), weight = take_vector(9), bias = take_vector(1);
    vx_tensor out = output_matrix(2100, 1);
    vx_harmonic_source_args a = {.f0 = &f0, .weight = &weight, .bias = &bias, .out = &out};
    close_fixture(vx_harmonic_source(&fx.ctx, &a), &out);
}

static void stft(void **state)
{
    (void)state;
    open_fixture("stft");
    vx_tensor x = take_matrix(65, 1), out = output_matrix(14, 22);
    close_fixture(vx_stft(&fx.ctx, &(vx_stft_args){.x = &x, .out = &out}), &out);
}

static void istft(void **state)
{
    (void)state;
    open_fixture("istft");
    vx_tensor x = take_matrix(14, 22), out = output_matrix(65, 1);
    close_fixture(vx_istft(&fx.ctx, &(vx_istft_args){.x = &x, .out = &out}), &out);
}

/* ---- weights, host copies ------------------------------------------------------------------- */

static vx_status fetch_ramp(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    int64_t row = *(const int64_t *)arg;
    for (int64_t i = 0; i < count * row; i++)
        dst[i] = (float)(((first * row + i) * 37) % 101 - 50) / 50;
    return VX_OK;
}

/* Relative RMS error of a stored weight. */
static double store_error(vx_dtype store)
{
    int64_t row = 128;
    float staging[256], exact[8 * 128];
    vx_weight w = vx_weight_linear(8, row, store, VX_F32);
    assert_int_equal(vx_weight_plan(fx.ctx.backend, &w, &fx.err), VX_OK);
    w.data = vx_host_dev(fx.weight);
    assert_int_equal(vx_weight_pack(&fx.lane, &w, fetch_ramp, &row, staging, 256, &fx.err), VX_OK);
    fetch_ramp(&row, 0, 8, exact, NULL);
    double error = 0, square = 0;
    for (int i = 0; i < 8 * 128; i++) {
        error += pow(fx.weight[i] - exact[i], 2);
        square += pow(exact[i], 2);
    }
    return sqrt(error / square);
}

/* A uniform spread over +-1: the step of each format gives the error within a factor of two. */
static void stores_lose_what_their_step_says(void **state)
{
    (void)state;
    assert_int_equal(vx_backend_open_ref(&fx.ctx.backend, &fx.err), VX_OK);
    assert_int_equal(vx_lane_open(&fx.lane, fx.ctx.backend, &fx.err), VX_OK);
    static const struct {
        vx_dtype store;
        double low, high;
    } cases[] = {
        {VX_F32, 0, 0},        {VX_F16, 5e-5, 4e-4},
        {VX_BF16, 5e-4, 3e-3}, {VX_INT8_ROW, 2e-3, 8e-3},
        {VX_Q8_0, 2e-3, 8e-3}, {VX_Q4_0, 0.03, 0.13},
        {VX_NF4, 0.03, 0.15},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double error = store_error(cases[i].store);
        if (!(error >= cases[i].low && error <= cases[i].high))
            fail_msg("%s: relative error %g", vx_dtype_name(cases[i].store), error);
    }
    vx_weight odd = vx_weight_linear(8, 100, VX_NF4, VX_F32);
    assert_int_equal(vx_weight_plan(fx.ctx.backend, &odd, &fx.err), VX_ERR_INPUT);
    vx_weight integers = vx_weight_linear(8, 64, VX_I32, VX_F32);
    assert_int_equal(vx_weight_plan(fx.ctx.backend, &integers, &fx.err), VX_ERR_INPUT);
    vx_backend_close(&fx.ctx.backend);
}

/* Host data is dense; the device's rows lie apart and have a halo. */
static void host_copies(vx_backend *backend)
{
    vx_lane lane;
    assert_int_equal(vx_lane_open(&lane, backend, NULL), VX_OK);
    vx_ctx ctx = {.backend = backend, .lane = &lane};
    float host[6] = {1, 2, 3, 4, 5, 6}, back[6] = {0}, device[(2 + 2) * 5];
    for (int i = 0; i < 20; i++)
        device[i] = 9;
    vx_tensor whole = vx_view2(vx_host_dev(device), VX_F32, 4, 5),
              inner = vx_slice_rows(&whole, 1, 2);
    vx_tensor t = vx_slice_cols(&inner, 1, 3);
    t.halo = 1;
    assert_int_equal(vx_upload(&ctx, host, &t), VX_OK);
    static const float want[20] = {9, 0, 0, 0, 9, 9, 1, 2, 3, 9, 9, 4, 5, 6, 9, 9, 0, 0, 0, 9};
    assert_memory_equal(device, want, sizeof want);
    assert_int_equal(vx_download(&ctx, &t, back), VX_OK);
    assert_memory_equal(back, host, sizeof host);
}

static void host_copies_keep_to_their_columns(void **state)
{
    (void)state;
    vx_backend *backend;
    vx_pool *pool;
    assert_int_equal(vx_backend_open_ref(&backend, NULL), VX_OK);
    host_copies(backend);
    vx_backend_close(&backend);
    assert_int_equal(vx_pool_open(&pool, 2, NULL), VX_OK);
    assert_int_equal(vx_backend_open_cpu(&backend, pool, NULL), VX_OK);
    host_copies(backend);
    vx_backend_close(&backend);
    vx_pool_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),
        cmocka_unit_test(conv1d),
        cmocka_unit_test(conv_transpose1d),
        cmocka_unit_test(depthwise_up2),
        cmocka_unit_test(attention),
        cmocka_unit_test(lstm),
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(instance_norm),
        cmocka_unit_test(group_norm),
        cmocka_unit_test(qk_norm),
        cmocka_unit_test(conv),
        cmocka_unit_test(activations),
        cmocka_unit_test(harmonic_source),
        cmocka_unit_test(stft),
        cmocka_unit_test(istft),
        cmocka_unit_test(stores_lose_what_their_step_says),
        cmocka_unit_test(host_copies_keep_to_their_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
