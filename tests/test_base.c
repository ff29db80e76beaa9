/* Base: arenas, pool, random numbers, number formats, histogram. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/histogram.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/reserve.h"
#include "tensor/tensor.h"

static void arena_measures_what_it_then_serves(void **state)
{
    (void)state;
    vx_arena plan = vx_arena_measure("plan");
    vx_dev p;
    assert_int_equal(vx_arena_take(&plan, 100, &p, NULL), VX_OK);
    assert_true(p.at == VX_DEV_PLAN.at); /* a plan's addresses are numbers, never 0 */
    vx_mark mark = vx_arena_mark(&plan);
    assert_int_equal(vx_arena_take(&plan, 1000, &p, NULL), VX_OK);
    vx_arena_release(&plan, mark);
    assert_int_equal(plan.peak, 128 + 1024);

    void *base;
    assert_int_equal(vx_reserve(plan.peak, &base, NULL), VX_OK);
    vx_arena real = vx_arena_over("real", (vx_dev){(uintptr_t)base}, plan.peak);
    assert_int_equal(vx_arena_take(&real, 100, &p, NULL), VX_OK);
    assert_true(p.at == (uintptr_t)base);
    assert_int_equal(vx_arena_take(&real, 1000, &p, NULL), VX_OK);
    vx_error err = {0};
    assert_int_equal(vx_arena_take(&real, 1, &p, &err), VX_ERR_INTERNAL);
    assert_string_equal(err.code, "plan_exceeded");
    vx_unreserve(base, plan.peak);
}

static void count_tile(void *arg, int64_t tile, int worker)
{
    (void)worker;
    atomic_fetch_add(&((atomic_int *)arg)[tile], 1);
}

static void pool_runs_every_tile_once(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        vx_pool *pool;
        assert_int_equal(vx_pool_open(&pool, workers, NULL), VX_OK);
        assert_int_equal(vx_pool_workers(pool), workers);
        for (int run = 0; run < 200; run++) {
            atomic_int seen[37] = {0};
            int tiles = run % 38;
            assert_int_equal(vx_pool_run(pool, NULL, tiles, count_tile, seen), VX_OK);
            for (int i = 0; i < 37; i++)
                assert_int_equal(atomic_load(&seen[i]), i < tiles);
        }
        vx_pool_close(&pool);
        assert_null(pool);
    }
}

static void cancel_at_tile_three(void *arg, int64_t tile, int worker)
{
    (void)worker;
    if (tile == 3) vx_cancel_ask(arg);
}

static void pool_stops_when_cancelled(void **state)
{
    (void)state;
    vx_pool *pool;
    assert_int_equal(vx_pool_open(&pool, 2, NULL), VX_OK);
    vx_cancel cancel = {0};
    assert_int_equal(vx_pool_run(pool, &cancel, 1000000, cancel_at_tile_three, &cancel),
                     VX_ERR_CANCELLED);
    assert_int_equal(vx_pool_run(pool, &cancel, 10, cancel_at_tile_three, &cancel),
                     VX_ERR_CANCELLED);
    vx_cancel_clear(&cancel);
    assert_int_equal(vx_pool_run(pool, &cancel, 3, cancel_at_tile_three, &cancel), VX_OK);
    vx_pool_close(&pool);
}

/* What one lane does in the test below: runs whose tiles check that no other tile of the run has their
 * worker's index. */
typedef struct lane {
    vx_pool *pool;
    pthread_t thread;
    atomic_int taken[4], tiles, wrong;
} lane;

static void hold_index(void *arg, int64_t tile, int worker)
{
    lane *l = arg;
    if (atomic_exchange(&l->taken[worker], 1) != 0) atomic_fetch_add(&l->wrong, 1);
    for (volatile int i = 0; i < 200 + (int)tile * 10; i++)
        ;
    atomic_store(&l->taken[worker], 0);
    atomic_fetch_add(&l->tiles, 1);
}

static void *run_lane(void *arg)
{
    lane *l = arg;
    for (int run = 0; run < 2000; run++)
        if (vx_pool_run(l->pool, NULL, run % 9, hold_index, l) != VX_OK)
            atomic_fetch_add(&l->wrong, 1);
    return NULL;
}

static void lanes_share_a_pool(void **state)
{
    (void)state;
    static lane lanes[3];
    vx_pool *pool;
    assert_int_equal(vx_pool_open(&pool, 4, NULL), VX_OK);
    for (int i = 0; i < 3; i++) {
        lanes[i].pool = pool;
        assert_int_equal(pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(lanes[i].thread, NULL);
        assert_int_equal(atomic_load(&lanes[i].wrong), 0);
        assert_int_equal(atomic_load(&lanes[i].tiles), 2000 / 9 * 36 + 1);
    }
    vx_pool_close(&pool);
}

/* Two tiles of an urgent run that meet: only when somebody helps. The helper has been at a run of many tiles. */
typedef struct call {
    vx_pool *pool;
    atomic_int helped, at_once, met, over;
} call;

static void many_tiles(void *arg, int64_t tile, int worker)
{
    call *c = arg;
    (void)tile;
    if (worker > 0) atomic_store(&c->helped, 1);
    usleep(1000);
    if (atomic_load(&c->met)) atomic_store(&c->over, 1);
}

static void meet(void *arg, int64_t tile, int worker)
{
    call *c = arg;
    (void)tile;
    (void)worker;
    atomic_fetch_add(&c->at_once, 1);
    for (int ms = 0; ms < 10000 && atomic_load(&c->at_once) < 2; ms++)
        usleep(1000);
    if (atomic_load(&c->at_once) == 2) atomic_store(&c->met, 1);
}

static void *run_urgent(void *arg)
{
    call *c = arg;
    while (!atomic_load(&c->helped))
        usleep(1000);
    bool was = vx_pool_urgent(true);
    vx_status status = vx_pool_run(c->pool, NULL, 2, meet, c);
    assert_false(was);
    assert_true(vx_pool_urgent(false));
    return status == VX_OK ? c : NULL;
}

static void an_urgent_run_calls_helpers_away(void **state)
{
    (void)state;
    call c = {0};
    pthread_t thread;
    void *done;
    assert_int_equal(vx_pool_open(&c.pool, 2, NULL), VX_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_urgent, &c), 0);
    /* More tiles than the two take together until one of them would give up. */
    assert_int_equal(vx_pool_run(c.pool, NULL, 1000, many_tiles, &c), VX_OK);
    assert_true(atomic_load(&c.met));
    assert_true(atomic_load(&c.over)); /* before the many were done */
    pthread_join(thread, &done);
    assert_non_null(done);
    vx_pool_close(&c.pool);
}

/* Known answers: Random123's kat_vectors, philox4x32-10. */
static void philox_matches_known_answers(void **state)
{
    (void)state;
    uint32_t out[4];
    vx_philox(0, 0, 0, out);
    assert_int_equal(out[0], 0x6627e8d5u);
    assert_int_equal(out[1], 0xe169c58du);
    assert_int_equal(out[2], 0xbc57ac4cu);
    assert_int_equal(out[3], 0x9b00dbd8u);
}

/* Block 3301784 of this stream begins with the word 0xffffff22, whose 24 bits and a half round to 1. */
static void uniforms_stay_below_one(void **state)
{
    (void)state;
    uint32_t out[4];
    vx_philox(7, VX_STREAM_TEST, 3301784, out);
    assert_int_equal(out[0], 0xffffff22u);
    assert_true(vx_random_uniform(7, VX_STREAM_TEST, 3301784) < 1.0f);
    assert_true(vx_random_uniform(7, VX_STREAM_TEST, 3301784) > 0.9999998f);
}

static void normals_have_unit_moments(void **state)
{
    (void)state;
    double sum = 0, squares = 0;
    enum { N = 100000 };
    for (int i = 0; i < N; i++) {
        double x = vx_random_normal(7, VX_STREAM_TEST, (uint64_t)i);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / N) < 0.01);
    assert_true(fabs(squares / N - 1) < 0.02);
}

static void half_floats_round_trip(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float f = vx_f16_to_f32((uint16_t)bits);
        if (f == f) assert_int_equal(vx_f32_to_f16(f), bits);
        float b = vx_bf16_to_f32((uint16_t)bits);
        if (b == b) assert_int_equal(vx_f32_to_bf16(b), bits);
    }
    assert_int_equal(vx_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(vx_f32_to_f16(65519.0f), 0x7BFF);
    assert_int_equal(vx_f32_to_bf16(1.00390625f), 0x3F80); /* tie goes to even */
}

static void views_share_memory(void **state)
{
    (void)state;
    vx_tensor t = vx_view2(VX_DEV_PLAN, VX_F32, 3, 4);
    vx_tensor right = vx_slice_cols(&t, 2, 2);
    vx_tensor last = vx_slice_rows(&right, 2, 1);
    assert_true(last.data.at == VX_DEV_PLAN.at + 10 * sizeof(float));
    assert_int_equal(vx_elements(&last), 2);
    assert_false(vx_dense(&right));
}

static void histogram_finds_percentiles(void **state)
{
    (void)state;
    vx_histogram h = {0};
    for (int i = 1; i <= 1000; i++)
        vx_histogram_add(&h, i * 1e-2);
    assert_true(fabs(vx_histogram_quantile(&h, 0.5) / 5.0 - 1) < 0.11);
    assert_true(fabs(vx_histogram_quantile(&h, 0.99) / 9.9 - 1) < 0.11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_measures_what_it_then_serves),
        cmocka_unit_test(pool_runs_every_tile_once),
        cmocka_unit_test(pool_stops_when_cancelled),
        cmocka_unit_test(lanes_share_a_pool),
        cmocka_unit_test(an_urgent_run_calls_helpers_away),
        cmocka_unit_test(philox_matches_known_answers),
        cmocka_unit_test(uniforms_stay_below_one),
        cmocka_unit_test(normals_have_unit_moments),
        cmocka_unit_test(half_floats_round_trip),
        cmocka_unit_test(views_share_memory),
        cmocka_unit_test(histogram_finds_percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
