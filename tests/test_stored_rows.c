/* Weights packed from rows as files keep them are the same bytes as weights packed from the floats that
 * those rows were made of. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "backend/host.h"
#include "backend/ops.h"
#include "base/reserve.h"
#include "base/mem.h"
#include "base/random.h"

typedef struct matrix {
    int64_t rows, cols;
    float *values;
    vx_stored_rows stored;
    void *memory[3];
} matrix;

static void fill(matrix *m, int64_t rows, int64_t cols)
{
    *m = (matrix){.rows = rows, .cols = cols};
    m->values = vx_heap_alloc((size_t)(rows * cols) * sizeof(float));
    assert_non_null(m->values);
    for (int64_t i = 0; i < rows * cols; i++) {
        uint32_t word[4];
        vx_philox(7, VX_STREAM_TEST, (uint64_t)i, word);
        m->values[i] = (float)((double)word[0] / 4294967296.0 - 0.5) * (float)(1 + i % 5);
    }
}

static void encode(matrix *m, vx_dtype dtype)
{
    int64_t count = m->rows * m->cols, blocks = count / VX_NF4_BLOCK;
    uint8_t *codes = m->memory[0] = vx_heap_alloc((size_t)count * 2);
    m->stored = (vx_stored_rows){.dtype = dtype, .rows = m->rows, .cols = m->cols, .codes = codes};
    if (dtype != VX_NF4) {
        vx_encode(dtype, m->values, count, codes);
        return;
    }
    float *scales = vx_heap_alloc((size_t)blocks * sizeof(float));
    for (int64_t b = 0; b < blocks; b++)
        scales[b] = vx_nf4_encode(m->values + b * VX_NF4_BLOCK, VX_NF4_BLOCK,
                                  codes + b * (VX_NF4_BLOCK / 2));
    uint8_t *bytes = m->memory[1] = vx_heap_alloc((size_t)blocks);
    float *nested = m->memory[2] = vx_heap_alloc((size_t)(blocks / 256 + 1) * sizeof(float));
    m->stored.offset = vx_nf4_scales_encode(scales, blocks, bytes, nested);
    m->stored.scales = bytes;
    m->stored.nested = (const uint8_t *)nested;
    m->stored.map = (const uint8_t *)vx_nf4_scale_map;
    vx_heap_free(scales);
}

static void empty(matrix *m)
{
    vx_heap_free(m->values);
    for (int i = 0; i < 3; i++)
        vx_heap_free(m->memory[i]);
}

/* Rows [first, first + rows) of encoded ones; nf4's start at a whole group of scales. */
static vx_stored_rows part_of(const matrix *m, int64_t first, int64_t rows)
{
    vx_stored_rows part = m->stored;
    part.rows = rows;
    if (part.dtype == VX_NF4) {
        int64_t blocks = first * m->cols / VX_NF4_BLOCK;
        part.codes += first * m->cols / 2;
        part.scales += blocks;
        part.nested += blocks / VX_NF4_NESTED_BLOCK * (int64_t)sizeof(float);
    } else {
        part.codes += (size_t)first * vx_row_bytes(part.dtype, m->cols);
    }
    return part;
}

static vx_status fetch(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)err;
    const matrix *m = arg;
    memcpy(dst, m->values + first * m->cols, (size_t)(count * m->cols) * sizeof *dst);
    return VX_OK;
}

typedef struct bench {
    vx_pool *pool;
    vx_backend *backend;
    vx_lane lane;
    vx_error err;
} bench;

static void *room_for(vx_weight *w)
{
    void *room = vx_heap_alloc(w->bytes);
    assert_non_null(room);
    memset(room, 0xA5, w->bytes); /* what is not written differs from what is zero */
    w->data = vx_host_dev(room);
    return room;
}

/* Packs from floats and from `count` parts of stored rows, and compares. */
static void same_bytes(bench *b, vx_dtype dtype, int64_t rows, int64_t cols, const int64_t *parts,
                       int count)
{
    matrix m;
    fill(&m, rows, cols);
    encode(&m, dtype);
    vx_weight plain = vx_weight_linear(rows, cols, dtype, VX_BF16);
    assert_int_equal(vx_weight_plan(b->backend, &plain, &b->err), VX_OK);
    vx_weight taken = plain;
    float *staging = vx_heap_alloc((size_t)(7 * cols) * sizeof(float));
    room_for(&plain);
    room_for(&taken);
    assert_int_equal(
        vx_weight_pack(&b->lane, &plain, fetch, &m, staging, (size_t)(7 * cols), &b->err), VX_OK);
    vx_stored_rows part[3];
    int64_t first = 0;
    for (int i = 0; i < count; first += parts[i++])
        part[i] = part_of(&m, first, parts[i]);
    bool done;
    assert_int_equal(vx_weight_pack_stored(&b->lane, &taken, part, count, &done, &b->err), VX_OK);
    assert_true(done);
    assert_memory_equal(vx_host(plain.data), vx_host(taken.data), plain.bytes);
    vx_heap_free(vx_host(plain.data));
    vx_heap_free(vx_host(taken.data));
    vx_heap_free(staging);
    empty(&m);
}

static void one_part(void **state)
{
    static const vx_dtype dtypes[] = {VX_NF4, VX_Q4_0, VX_Q8_0};
    for (int i = 0; i < 3; i++) {
        same_bytes(*state, dtypes[i], 64, 64, (int64_t[]){64}, 1);
        same_bytes(*state, dtypes[i], 200, 192, (int64_t[]){200}, 1);
        same_bytes(*state, dtypes[i], 3, 640, (int64_t[]){3}, 1);
        same_bytes(*state, dtypes[i], 257, 1024, (int64_t[]){257}, 1);
    }
    same_bytes(*state, VX_Q4_0, 70, 96, (int64_t[]){70}, 1);
    same_bytes(*state, VX_Q8_0, 70, 32, (int64_t[]){70}, 1);
}

static void parts_below_each_other(void **state)
{
    same_bytes(*state, VX_NF4, 1200, 256, (int64_t[]){512, 640, 48}, 3);
    same_bytes(*state, VX_Q4_0, 300, 96, (int64_t[]){128, 64, 108}, 3);
    same_bytes(*state, VX_Q8_0, 300, 96, (int64_t[]){192, 108}, 2);
}

/* Parts with offsets of their own and a map that is not quite ours: each row's product shows the weights, which must be those of the part
 * alone. */
static void parts_keep_their_offsets(void **state)
{
    bench *b = *state;
    enum { ROWS = 256, COLS = 64 };
    matrix m[2];
    vx_stored_rows both[2];
    float map[256];
    for (int i = 0; i < 256; i++)
        map[i] = nextafterf(vx_nf4_scale_map[i], 2);
    vx_weight w = vx_weight_linear(2 * ROWS, COLS, VX_NF4, VX_F32);
    assert_int_equal(vx_weight_plan(b->backend, &w, &b->err), VX_OK);
    room_for(&w);
    for (int i = 0; i < 2; i++) {
        fill(&m[i], ROWS, COLS);
        for (int64_t k = 0; k < (int64_t)ROWS * COLS && i == 1; k++)
            m[i].values[k] *= 5;
        encode(&m[i], VX_NF4);
        both[i] = m[i].stored;
        both[i].map = (const uint8_t *)map;
    }
    assert_true(both[0].offset != both[1].offset);
    bool done;
    assert_int_equal(vx_weight_pack_stored(&b->lane, &w, both, 2, &done, &b->err), VX_OK);
    assert_true(done);
    static float x[COLS * COLS], out[COLS * 2 * ROWS];
    for (int i = 0; i < COLS; i++)
        x[i * COLS + i] = 1;
    vx_tensor tx = vx_view2(vx_host_dev(x), VX_F32, COLS, COLS),
              to = vx_view2(vx_host_dev(out), VX_F32, COLS, 2 * ROWS);
    vx_arena arena = vx_arena_measure("test");
    vx_ctx ctx = {.backend = b->backend, .workspace = &arena, .plan = true, .err = &b->err};
    const vx_linear_args args = {.x = &tx, .w = &w, .out = &to};
    assert_int_equal(vx_linear(&ctx, &args), VX_OK);
    void *memory;
    size_t bytes = arena.peak;
    assert_int_equal(vx_reserve(bytes, &memory, &b->err), VX_OK);
    arena = vx_arena_over("test", vx_host_dev(memory), bytes);
    ctx = (vx_ctx){.backend = b->backend, .lane = &b->lane, .workspace = &arena, .err = &b->err};
    assert_int_equal(vx_linear(&ctx, &args), VX_OK);
    for (int64_t row = 0; row < 2 * ROWS; row++) {
        const matrix *part = &m[row / ROWS];
        int64_t block = row % ROWS; /* one to a row */
        float nested, values[COLS];
        memcpy(&nested, part->stored.nested + block / 256 * (int64_t)sizeof nested, sizeof nested);
        float scale = map[part->stored.scales[block]] * nested + part->stored.offset;
        vx_nf4_decode(part->stored.codes + block * COLS / 2, scale, COLS, values);
        for (int64_t k = 0; k < COLS; k++)
            assert_true(out[k * 2 * ROWS + row] == values[k]);
    }
    vx_unreserve(memory, bytes);
    vx_heap_free(vx_host(w.data));
    empty(&m[0]);
    empty(&m[1]);
}

static void what_does_not_fit_is_left(void **state)
{
    bench *b = *state;
    matrix m;
    fill(&m, 128, 128);
    encode(&m, VX_NF4);
    vx_weight w = vx_weight_linear(128, 128, VX_NF4, VX_BF16);
    assert_int_equal(vx_weight_plan(b->backend, &w, &b->err), VX_OK);
    room_for(&w);
    bool done = true;
    /* 64 rows are 128 blocks, half of a group of scales. */
    vx_stored_rows parts[2] = {part_of(&m, 0, 64), part_of(&m, 64, 64)};
    assert_int_equal(vx_weight_pack_stored(&b->lane, &w, parts, 2, &done, &b->err), VX_OK);
    assert_false(done);
    parts[0] = part_of(&m, 0, 128);
    parts[0].dtype = VX_Q4_0;
    assert_int_equal(vx_weight_pack_stored(&b->lane, &w, parts, 1, &done, &b->err), VX_OK);
    assert_false(done);
    for (size_t i = 0; i < w.bytes; i++)
        assert_int_equal(((const uint8_t *)vx_host(w.data))[i], 0xA5);
    vx_heap_free(vx_host(w.data));
    empty(&m);
}

static int open_bench(void **state)
{
    static bench b;
    *state = &b;
    return vx_pool_open(&b.pool, 2, &b.err) != VX_OK ||
           vx_backend_open_cpu(&b.backend, b.pool, &b.err) != VX_OK ||
           vx_lane_open(&b.lane, b.backend, &b.err) != VX_OK;
}

static int close_bench(void **state)
{
    bench *b = *state;
    vx_backend_close(&b->backend);
    vx_pool_close(&b->pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_part),
        cmocka_unit_test(parts_below_each_other),
        cmocka_unit_test(parts_keep_their_offsets),
        cmocka_unit_test(what_does_not_fit_is_left),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
