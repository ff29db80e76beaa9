/* What a backend owns beside its kernels: time (lanes) and memory (rooms).
 *
 * Time is shown on a backend that does nothing before it is told to: the reference, whose blends and copies are
 * written down and run when the lane is flushed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/host.h"
#include "backend/ops.h"
#include "base/mem.h"

enum { RECORDS = 64, N = 8 };

/* One op that waits; its struct and its views are copies, as the contract of ops allows. */
typedef struct record {
    vx_op op;
    vx_blend_args blend;
    vx_tensor x[3], out;
} record;

typedef struct later {
    vx_backend backend; /* first: what the verbs are given */
    vx_backend_ops ops;
    vx_backend *ref;
    record record[RECORDS];
    int waiting, ran, refused_op;
} later;

static vx_status write_down(vx_ctx *ctx, const void *args, vx_dev scratch)
{
    (void)scratch;
    later *l = (later *)ctx->backend;
    const vx_blend_args *a = args;
    record *r = &l->record[l->waiting++];
    assert_in_range(l->waiting, 1, RECORDS);
    *r = (record){.op = VX_OP_blend, .blend = *a, .out = *a->out};
    for (int i = 0; i < a->n; i++)
        r->x[i] = *a->x[i];
    return VX_OK;
}

static vx_status run_waiting(vx_lane *lane, vx_error *err)
{
    later *l = (later *)lane->backend;
    vx_ctx ctx = {.backend = l->ref, .err = err};
    for (int i = 0; i < l->waiting; i++) {
        record *r = &l->record[i];
        r->blend.out = &r->out;
        for (int k = 0; k < r->blend.n; k++)
            r->blend.x[k] = &r->x[k];
        VX_TRY(l->ref->ops->op[r->op].run(&ctx, &r->blend, (vx_dev){0}));
        l->ran++;
    }
    l->waiting = 0;
    return VX_OK;
}

static bool supports(vx_backend *backend, vx_op op, const void *args)
{
    (void)args;
    return (int)op != ((later *)backend)->refused_op;
}

static void forget(vx_lane *lane)
{
    ((later *)lane->backend)->waiting = 0;
}

static void open_later(later *l, double flush_s)
{
    *l = (later){.refused_op = -1};
    assert_int_equal(vx_backend_open_ref(&l->ref, NULL), VX_OK);
    l->backend = *l->ref;
    l->ops = *l->ref->ops;
    l->backend.ops = &l->ops;
    l->ops.op[VX_OP_blend].run = write_down;
    l->ops.flush = run_waiting;
    l->ops.abandon = forget;
    l->ops.supports = supports;
    l->backend.flush_s = flush_s;
    l->backend.flops_per_s = 1e9;
    l->backend.bytes_per_s = 1e9;
}

typedef struct scene {
    later later;
    vx_lane lane;
    float x[N], y[N];
    vx_tensor tx, ty;
    vx_arena workspace;
    vx_ctx ctx;
    vx_error err;
} scene;

static void open_scene(scene *s, double flush_s)
{
    *s = (scene){.x = {1, 2, 3, 4, 5, 6, 7, 8}};
    open_later(&s->later, flush_s);
    assert_int_equal(vx_lane_open(&s->lane, &s->later.backend, &s->err), VX_OK);
    s->tx = vx_view2(vx_host_dev(s->x), VX_F32, 1, N);
    s->ty = vx_view2(vx_host_dev(s->y), VX_F32, 1, N);
    s->workspace = vx_arena_measure("test");
    s->ctx = (vx_ctx){
        .backend = &s->later.backend, .lane = &s->lane, .workspace = &s->workspace, .err = &s->err};
}

static void close_scene(scene *s)
{
    vx_lane_close(&s->lane);
    vx_backend_close(&s->later.ref);
}

/* y = 2 x through views that are gone when it runs. */
static vx_status twice(scene *s)
{
    vx_tensor from = s->tx, to = s->ty;
    return vx_blend(&s->ctx, &(vx_blend_args){.n = 1, .x = {&from}, .scale = {2}, .out = &to});
}

static void nothing_runs_before_a_flush(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, 1);
    assert_int_equal(twice(&s), VX_OK);
    assert_int_equal(s.later.ran, 0);
    assert_true(s.y[0] == 0);
    assert_int_equal(vx_finish(&s.ctx), VX_OK);
    assert_int_equal(s.later.ran, 1);
    assert_true(s.y[7] == 16);
    close_scene(&s);
}

/* 8 elements are 64 bytes moved and 16 operations: 64 ns at 1e9 a second. */
static void a_flush_is_bounded_by_planned_seconds(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, 200e-9);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(twice(&s), VX_OK);
        assert_in_range(s.later.waiting, 0, 3);
        assert_true(s.lane.pending_s < 200e-9);
    }
    assert_int_equal(s.lane.flushes, 4);
    assert_int_equal(vx_finish(&s.ctx), VX_OK);
    assert_int_equal(s.later.ran, 16);
    close_scene(&s);
}

/* An eager backend has nothing to gather: an op is done when it returns. */
static void an_op_of_an_eager_backend_is_a_flush(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, 0);
    s.later.ops.op[VX_OP_blend].run = s.later.ref->ops->op[VX_OP_blend].run;
    s.later.ops.flush = NULL;
    assert_int_equal(twice(&s), VX_OK);
    assert_true(s.y[7] == 16);
    assert_int_equal(s.lane.flushes, 1);
    close_scene(&s);
}

static void a_cancel_is_seen_before_each_flush(void **state)
{
    (void)state;
    scene s;
    vx_cancel cancel = {0};
    open_scene(&s, 100e-9);
    s.ctx.cancel = &cancel;
    assert_int_equal(twice(&s), VX_OK);
    vx_cancel_ask(&cancel);
    assert_int_equal(twice(&s), VX_ERR_CANCELLED); /* the second fills the batch */
    assert_string_equal(s.err.code, "cancelled");
    assert_int_equal(s.later.ran, 0);
    assert_int_equal(vx_finish(&s.ctx), VX_ERR_CANCELLED);
    assert_int_equal(s.later.ran, 0);
    close_scene(&s);
}

/* A stage that fails leaves nothing on the lane for the next one to run. */
static void what_is_abandoned_never_runs(void **state)
{
    (void)state;
    scene s;
    vx_cancel cancel = {0};
    open_scene(&s, 1);
    assert_int_equal(twice(&s), VX_OK);
    vx_abandon(&s.ctx);
    assert_true(s.lane.pending_s == 0);
    assert_int_equal(vx_finish(&s.ctx), VX_OK);
    assert_int_equal(s.later.ran, 0);
    /* Nor does what a cancel kept from being flushed. */
    assert_int_equal(twice(&s), VX_OK);
    s.ctx.cancel = &cancel;
    vx_cancel_ask(&cancel);
    assert_int_equal(vx_finish(&s.ctx), VX_ERR_CANCELLED);
    s.ctx.cancel = NULL;
    assert_int_equal(vx_finish(&s.ctx), VX_OK);
    assert_int_equal(s.later.ran, 0);
    assert_true(s.y[0] == 0);
    close_scene(&s);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
    (void)state;
    scene s;
    open_scene(&s, 1);
    s.later.refused_op = VX_OP_blend;
    s.ctx.plan = true;
    assert_int_equal(twice(&s), VX_ERR_MISSING);
    assert_string_equal(s.err.code, "no_kernel");
    assert_non_null(strstr(s.err.message, "blend"));
    close_scene(&s);
}

static void copies_are_counted_and_ordered(void **state)
{
    (void)state;
    scene s;
    float host[N] = {9, 9, 9, 9, 9, 9, 9, 9}, back[N];
    open_scene(&s, 0);
    s.later.ops.flush = NULL;
    assert_int_equal(vx_upload(&s.ctx, host, &s.tx), VX_OK);
    host[0] = 0; /* it was read */
    assert_int_equal(vx_download(&s.ctx, &s.tx, back), VX_OK);
    assert_int_equal(vx_finish(&s.ctx), VX_OK);
    assert_true(back[0] == 9);
    assert_int_equal(s.lane.uploads, 1);
    assert_int_equal(s.lane.downloads, 1);
    close_scene(&s);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void no_room_straddles_two_allocations(void **state)
{
    (void)state;
    const vx_device device = {.title = "a card", .alignment = 256, .allocation_max = 1024};
    const size_t bytes[6] = {1000, 10, 500, 256, 1, 1024};
    int block[6], blocks;
    size_t offset[6], block_bytes[6];
    vx_error err = {0};
    assert_int_equal(vx_rooms_place(&device, bytes, 6, block, offset, block_bytes, &blocks, &err),
                     VX_OK);
    assert_int_equal(blocks, 4);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(offset[i] % 256, 0);
        assert_true(offset[i] + bytes[i] <= block_bytes[block[i]]);
        assert_true(block_bytes[block[i]] <= 1024);
        if (i > 0 && block[i] == block[i - 1])
            assert_true(offset[i] >= offset[i - 1] + bytes[i - 1]);
    }
    const size_t large[1] = {1025};
    assert_int_equal(vx_rooms_place(&device, large, 1, block, offset, block_bytes, &blocks, &err),
                     VX_ERR_MEMORY);
    assert_non_null(strstr(err.message, "a card"));
}

/* What the program held before the first reservation is not the engine's. */
static void memory_of_the_host_does_not_count(void **state)
{
    (void)state;
    enum { HELD = 200 << 20, OURS = 32 << 20 };
    char *held = vx_heap_alloc(HELD);
    memset(held, 1, HELD);
    vx_backend *backend;
    vx_memory *memory;
    assert_int_equal(vx_backend_open_ref(&backend, NULL), VX_OK);
    vx_room room[2] = {{.place = VX_PLACE_DEVICE, .bytes = OURS - 4096},
                       {.place = VX_PLACE_HOST, .bytes = 4096}};
    assert_int_equal(vx_backend_reserve(backend, room, 2, &memory, NULL), VX_OK);
    assert_true(room[0].at.at % VX_ALIGN == 0 && room[1].at.at == 0 && room[1].host != NULL);
    memset(room[1].host, 1, 4096);
    vx_memory_use use = vx_backend_memory(backend);
    if (use.peak == 0) skip(); /* the system does not say */
    assert_in_range(use.now, OURS - (1 << 20), OURS + (16 << 20));
    assert_in_range(use.peak, use.now, OURS + (64 << 20));
    vx_backend_unreserve(backend, &memory);
    assert_null(memory);
    vx_backend_close(&backend);
    vx_heap_free(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_runs_before_a_flush),
        cmocka_unit_test(a_flush_is_bounded_by_planned_seconds),
        cmocka_unit_test(an_op_of_an_eager_backend_is_a_flush),
        cmocka_unit_test(a_cancel_is_seen_before_each_flush),
        cmocka_unit_test(what_is_abandoned_never_runs),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(copies_are_counted_and_ordered),
        cmocka_unit_test(no_room_straddles_two_allocations),
        cmocka_unit_test(memory_of_the_host_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
