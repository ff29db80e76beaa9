/* The CPU backend beyond what the operator checker sees: what it refuses, byte products bit by bit,
 * cancelling, two lanes at once, and that the steady state allocates nothing of ours. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "backend/host.h"
#include "backend/ops.h"
#include "base/reserve.h"
#include "base/mem.h"

typedef struct lane {
    vx_lane of;
    vx_ctx ctx;
    vx_arena arena;
    void *workspace;
    vx_error err;
} lane;

enum { WORKSPACE = 8 << 20 };

static void lane_open(lane *l, vx_backend *backend)
{
    *l = (lane){.workspace = vx_heap_alloc(WORKSPACE)};
    assert_non_null(l->workspace);
    l->arena = vx_arena_over("test", vx_host_dev(l->workspace), WORKSPACE);
    assert_int_equal(vx_lane_open(&l->of, backend, &l->err), VX_OK);
    l->ctx = (vx_ctx){.backend = backend, .lane = &l->of, .workspace = &l->arena, .err = &l->err};
}

static void lane_close(lane *l)
{
    vx_lane_close(&l->of);
    vx_unpoison(l->workspace, WORKSPACE);
    vx_heap_free(l->workspace);
}

/* Weights of a simple pattern, different for each row. */
static float pattern(int64_t row, int64_t i)
{
    return (float)((row * 31 + i * 17) % 23 - 11) / 11.0f;
}

static vx_status fetch(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    int64_t row = *(const int64_t *)arg;
    for (int64_t r = 0; r < count; r++)
        for (int64_t i = 0; i < row; i++)
            dst[r * row + i] = pattern(first + r, i);
    return VX_OK;
}

static void weight_open(vx_backend *backend, vx_weight *w)
{
    vx_error err = {0};
    float staging[4096];
    int64_t row = w->in * w->kernel[2];
    assert_int_equal(vx_weight_plan(backend, w, &err), VX_OK);
    vx_lane of;
    w->data = vx_host_dev(vx_heap_alloc(w->bytes));
    assert_true(w->data.at != 0);
    assert_int_equal(vx_lane_open(&of, backend, &err), VX_OK);
    assert_int_equal(vx_weight_pack(&of, w, fetch, &row, staging, 4096, &err), VX_OK);
}

typedef struct machine {
    vx_pool *pool;
    vx_backend *backend;
} machine;

static int machine_open(void **state)
{
    static machine m;
    vx_error err = {0};
    assert_int_equal(vx_pool_open(&m.pool, 2, &err), VX_OK);
    assert_int_equal(vx_backend_open_cpu(&m.backend, m.pool, &err), VX_OK);
    *state = &m;
    return 0;
}

static int machine_close(void **state)
{
    machine *m = *state;
    vx_backend_close(&m->backend);
    vx_pool_close(&m->pool);
    return 0;
}

static void refuses_unknown_precisions(void **state)
{
    machine *m = *state;
    vx_error err = {0};
    vx_weight ragged = vx_weight_linear(8, 65, VX_NF4, VX_BF16);
    assert_int_equal(vx_weight_plan(m->backend, &ragged, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "nf4"));
    vx_weight filter = vx_weight_conv1d(8, 64, 3, 1, 1, 1, VX_NF4, VX_BF16);
    assert_int_equal(vx_weight_plan(m->backend, &filter, &err), VX_ERR_INPUT);
    vx_weight bytes = vx_weight_linear(8, 64, VX_INT8_ROW, VX_U8);
    assert_int_equal(vx_weight_plan(m->backend, &bytes, &err), VX_ERR_INPUT);
}

/* The sizes that the memory plan of FLUX rests on: bits per weight of each stored form. */
static void codes_take_the_planned_bytes(void **state)
{
    machine *m = *state;
    static const struct {
        vx_dtype store;
        double bytes;
    } want[] = {
        {VX_NF4, 0.5 + 1.0 / 64 + 8.0 / (64 * 256)},
        {VX_Q4_0, 18.0 / 32},
        {VX_Q8_0, 34.0 / 32},
        {VX_INT8_ROW, 1 + 4.0 / 3072},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        vx_weight w = vx_weight_linear(9216, 3072, want[i].store, VX_BF16);
        assert_int_equal(vx_weight_plan(m->backend, &w, NULL), VX_OK);
        double exact = want[i].bytes * 9216 * 3072;
        assert_true((double)w.bytes >= exact && (double)w.bytes <= exact * 1.0002);
    }
}

/* Byte products against the same arithmetic by hand: scale and zero point from the range, sums of
 * codes. They agree to rounding of the last step. */
static void byte_products_are_exact(void **state)
{
    machine *m = *state;
    enum { ROWS = 70, IN = 9, OUT = 5, TAPS = 3 };
    if (m->backend->native != VX_BF16) skip(); /* no byte products here: f32 stands in */
    vx_weight w = vx_weight_conv1d(OUT, IN, TAPS, 1, 1, 1, VX_INT8_ROW, VX_U8);
    weight_open(m->backend, &w);
    lane l;
    lane_open(&l, m->backend);
    vx_tensor x, out;
    assert_int_equal(vx_take_seq(&l.ctx, VX_F32, ROWS, IN, 1, &x), VX_OK);
    assert_int_equal(vx_take_seq(&l.ctx, VX_F32, ROWS, OUT, 1, &out), VX_OK);
    float low = 0, high = 0;
    for (int64_t r = -1; r <= ROWS; r++)
        for (int64_t i = 0; i < IN; i++) {
            float v = r < 0 || r == ROWS ? 0 : 0.37f + 2.2f * sinf((float)(r * IN + i));
            ((float *)vx_row(&x, r))[i] = v;
            low = fminf(low, v), high = fmaxf(high, v);
        }
    assert_int_equal(vx_conv1d(&l.ctx, &(vx_conv1d_args){.x = &x, .w = &w, .out = &out}), VX_OK);
    float step = (high - low) / 255, inverse = 1 / step, zero = rintf(-low / step);
    for (int64_t r = 0; r < ROWS; r++) {
        for (int64_t o = 0; o < OUT; o++) {
            float most = 0;
            for (int64_t i = 0; i < IN * TAPS; i++)
                most = fmaxf(most, fabsf(pattern(o, i)));
            int64_t sum = 0;
            for (int64_t i = 0; i < IN * TAPS; i++) {
                float v = ((const float *)vx_row(&x, r + i % TAPS - 1))[i / TAPS];
                int64_t q = (int64_t)rint((double)v * (double)inverse + (double)zero);
                sum += (q - (int64_t)zero) * (int64_t)lrintf(pattern(o, i) * (127.0f / most));
            }
            double want = (double)sum * (double)step * (double)(most / 127.0f);
            double got = ((const float *)vx_row(&out, r))[o];
            assert_true(fabs(got - want) <= 1e-5);
        }
    }
    lane_close(&l);
    vx_heap_free(vx_host(w.data));
}

static void cancelled_before_it_starts(void **state)
{
    machine *m = *state;
    vx_weight w = vx_weight_linear(64, 64, VX_F32, VX_F32);
    weight_open(m->backend, &w);
    lane l;
    lane_open(&l, m->backend);
    vx_tensor x, out;
    assert_int_equal(vx_take2(&l.ctx, VX_F32, 3, 64, &x), VX_OK);
    assert_int_equal(vx_take2(&l.ctx, VX_F32, 3, 64, &out), VX_OK);
    memset(vx_host(x.data), 0, 3 * 64 * sizeof(float));
    vx_cancel cancel = {0};
    l.ctx.cancel = &cancel;
    vx_linear_args a = {.x = &x, .w = &w, .out = &out};
    vx_cancel_ask(&cancel);
    assert_int_equal(vx_linear(&l.ctx, &a), VX_ERR_CANCELLED);
    vx_cancel_clear(&cancel);
    assert_int_equal(vx_linear(&l.ctx, &a), VX_OK);
    lane_close(&l);
    vx_heap_free(vx_host(w.data));
}

/* One lane's work: the same ops again and again, whose bytes must never change. */
typedef struct job {
    lane lane;
    const vx_weight *linear, *conv;
    bool same;
} job;

static void *work(void *arg)
{
    job *j = arg;
    enum { ROWS = 150, WIDTH = 96 };
    vx_ctx *ctx = &j->lane.ctx;
    static const char *const failed = "an op failed";
    vx_tensor x, y, z;
    float first[ROWS * WIDTH];
    j->same = true;
    if (vx_take_seq(ctx, VX_F32, ROWS, WIDTH, 1, &x) != VX_OK ||
        vx_take_seq(ctx, VX_F32, ROWS, WIDTH, 1, &y) != VX_OK ||
        vx_take2(ctx, VX_F32, ROWS, WIDTH, &z) != VX_OK)
        return (void *)(uintptr_t)failed;
    for (int64_t i = 0; i < ROWS * WIDTH; i++)
        ((float *)vx_host(x.data))[i] = pattern(i, 3);
    memset(vx_row(&x, -1), 0, WIDTH * sizeof(float));
    memset(vx_row(&x, ROWS), 0, WIDTH * sizeof(float));
    for (int i = 0; i < 40; i++) {
        vx_linear_args linear = {.x = &x, .w = j->linear, .out = &y};
        vx_attention_args attention = {
            .q = &y, .k = &x, .v = &x, .heads = 3, .scale = 0.1f, .compute = VX_F32, .out = &z};
        vx_conv1d_args conv = {.x = &x, .w = j->conv, .out = &y};
        if (vx_linear(ctx, &linear) != VX_OK || vx_attention(ctx, &attention) != VX_OK ||
            vx_conv1d(ctx, &conv) != VX_OK)
            return (void *)(uintptr_t)failed;
        for (int64_t k = 0; k < ROWS * WIDTH; k++)
            ((float *)vx_host(y.data))[k] += ((const float *)vx_host(z.data))[k];
        if (i == 0) memcpy(first, vx_host(y.data), sizeof first);
        if (memcmp(first, vx_host(y.data), sizeof first) != 0) j->same = false;
    }
    return NULL;
}

static void two_lanes_at_once(void **state)
{
    machine *m = *state;
    vx_weight linear = vx_weight_linear(96, 96, VX_F32, VX_F32);
    vx_weight conv = vx_weight_conv1d(96, 96, 3, 1, 1, 1, VX_F32, VX_F32);
    weight_open(m->backend, &linear);
    weight_open(m->backend, &conv);
    job jobs[2] = {{.linear = &linear, .conv = &conv}, {.linear = &linear, .conv = &conv}};
    lane_open(&jobs[0].lane, m->backend);
    lane_open(&jobs[1].lane, m->backend);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work, &jobs[1]), 0);
    assert_null(work(&jobs[0]));
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_true(jobs[0].same && jobs[1].same);
    lane_close(&jobs[0].lane);
    lane_close(&jobs[1].lane);
    vx_heap_free(vx_host(linear.data));
    vx_heap_free(vx_host(conv.data));
}

/* Whatever the lengths and however often: what a worker needs for a product of one tile size is made
 * once, so there are never more sets of arguments than workers for each. */
static void allocations_are_bounded(void **state)
{
    machine *m = *state;
    vx_weight w = vx_weight_conv1d(70, 33, 5, 1, 2, 4, VX_BF16, VX_BF16);
    weight_open(m->backend, &w);
    lane l;
    lane_open(&l, m->backend);
    enum { TILE_SIZES = 4, PRODUCTS = 2, WORKERS = 2 }; /* 70 columns: a full panel and a rest */
    int64_t before = vx_heap_read().calls;
    for (int round = 0; round < 6; round++) {
        for (int64_t rows = 149; rows >= 1; rows -= 4) {
            vx_mark mark = vx_mark_now(&l.ctx);
            vx_tensor x, out;
            assert_int_equal(vx_take_seq(&l.ctx, VX_F32, rows, 33, 4, &x), VX_OK);
            assert_int_equal(vx_take_seq(&l.ctx, VX_BF16, rows, 70, 0, &out), VX_OK);
            memset(vx_row(&x, -4), 0, (size_t)(rows + 8) * 33 * sizeof(float));
            assert_int_equal(vx_conv1d(&l.ctx, &(vx_conv1d_args){.x = &x, .w = &w, .out = &out}),
                             VX_OK);
            vx_release(&l.ctx, mark);
        }
    }
    assert_true(vx_heap_read().calls - before <= TILE_SIZES * PRODUCTS * WORKERS);
    lane_close(&l);
    vx_heap_free(vx_host(w.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_unknown_precisions),
        cmocka_unit_test(codes_take_the_planned_bytes),
        cmocka_unit_test(byte_products_are_exact),
        cmocka_unit_test(cancelled_before_it_starts),
        cmocka_unit_test(two_lanes_at_once),
        cmocka_unit_test(allocations_are_bounded),
    };
    return cmocka_run_group_tests(tests, machine_open, machine_close);
}
