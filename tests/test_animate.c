/* A portrait that moves: cropping and pasting, the ring, and films of small random networks: same bytes for
 * any thread count, as many frames as were asked for, and every way to fail without a film. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "slot/animate.h"
#include "slot/ring.h"
#include "media/warp.h"

#define DATA VX_TEST_DATA "/animate"

/* ---- warping -------------------------------------------------------------------------------- */

/* Smooth colours, so that sampling twice changes little. */
static vx_picture smooth_picture(int width, int height)
{
    vx_picture p;
    vx_error err;
    assert_int_equal(vx_image_new(&p, width, height, &err), VX_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *rgb = vx_picture_row(&p, y) + 3 * x;
            rgb[0] = (uint8_t)(127 + 120 * sin(0.05 * x));
            rgb[1] = (uint8_t)(127 + 120 * cos(0.04 * y));
            rgb[2] = (uint8_t)(127 + 100 * sin(0.03 * (x + y)));
        }
    return p;
}

static int worst_difference(const vx_picture *a, const vx_picture *b)
{
    int worst = 0;
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < 3 * a->width; x++) {
            int d = abs(vx_picture_row(a, y)[x] - vx_picture_row(b, y)[x]);
            worst = d > worst ? d : worst;
        }
    return worst;
}

static void what_is_cut_out_fits_back_in(void **state)
{
    (void)state;
    vx_picture p = smooth_picture(200, 150), out = smooth_picture(200, 150), cut;
    vx_error err;
    static uint8_t mask[200 * 150];
    assert_int_equal(vx_image_new(&cut, 256, 256, &err), VX_OK);
    for (int turn = -60; turn <= 60; turn += 30) {
        double angle = turn * M_PI / 180;
        vx_square square = {100.3, 71.8, 90, cos(angle), sin(angle)};
        vx_paste paste;
        vx_warp_out(&p, &square, 1, &cut);
        vx_paste_prepare(&paste, &square, mask, 200, 150);
        for (int y = 0; y < 150; y++)
            memset(vx_picture_row(&out, y), 0, 600);
        vx_paste_in(&paste, &p, &cut, &out);
        int inside = 0, worst = 0;
        for (int y = 0; y < 150; y++)
            for (int x = 0; x < 200; x++) {
                if (mask[200 * y + x] == 0) {
                    assert_int_equal(vx_picture_row(&out, y)[3 * x + 2], 0);
                    continue;
                }
                inside++;
                for (int c = 0; c < 3; c++) {
                    int d =
                        abs(vx_picture_row(&out, y)[3 * x + c] - vx_picture_row(&p, y)[3 * x + c]);
                    worst = d > worst ? d : worst;
                }
            }
        assert_in_range(inside, 7900, 8200); /* 90 x 90, its faint rim left out */
        assert_in_range(worst, 0, 3);
    }
    /* Upright and of its own size it is the picture itself; the border is half way in after 1/64. */
    vx_square whole = {64, 64, 128, 1, 0};
    vx_picture same = {cut.rgb, 128, 128, 384}, part = {p.rgb, 128, 128, p.stride};
    vx_warp_out(&p, &whole, 1, &same);
    assert_int_equal(worst_difference(&same, &part), 0);
    vx_paste paste;
    vx_paste_prepare(&paste, &(vx_square){100, 75, 64, 1, 0}, mask, 200, 150);
    assert_int_equal(mask[200 * 75 + 100], 255);
    assert_int_equal(mask[200 * 75 + 68], 64);
    assert_int_equal(paste.left, 68);
    assert_int_equal(paste.right, 132);
    /* Outside of everything, and far: black and nothing. */
    vx_warp_out(&p, &(vx_square){1e9, -1e9, 5, 1, 0}, 1, &same);
    assert_int_equal(same.rgb[0] + same.rgb[128 * 384 - 1], 0);
    vx_paste_prepare(&paste, &(vx_square){1e9, -1e9, 5, 1, 0}, mask, 200, 150);
    vx_paste_in(&paste, &p, &cut, &out);
    vx_image_free(&p);
    vx_image_free(&out);
    vx_image_free(&cut);
}

/* ---- ring ----------------------------------------------------------------------------------- */

typedef struct takings {
    int64_t count, fail_at;
    bool slow;
} takings;

static vx_status take(void *arg, int64_t index, uint8_t *frame, vx_error *err)
{
    takings *t = arg;
    if (t->slow) usleep(500);
    if (index != t->count || frame[0] != (uint8_t)index || frame[99] != (uint8_t)(index * 7))
        return vx_fail(err, VX_ERR_INTERNAL, "mixed_up", "frame %lld is not its own",
                       (long long)index);
    t->count++;
    if (index == t->fail_at) return vx_fail(err, VX_ERR_IO, "disk_full", "the disk is full");
    return VX_OK;
}

static vx_status fill(vx_ring *ring, int batches, int n, int last, vx_error *err)
{
    uint8_t *frames;
    for (int b = 0; b < batches; b++) {
        int count = b + 1 < batches ? n : last;
        VX_TRY(vx_ring_room(ring, count, &frames, err));
        for (int i = 0; i < count; i++) {
            frames[100 * i] = (uint8_t)(b * n + i);
            frames[100 * i + 99] = (uint8_t)((b * n + i) * 7);
        }
        vx_ring_made(ring, count);
    }
    return VX_OK;
}

static void frames_pass_in_order(void **state)
{
    (void)state;
    uint8_t memory[800];
    vx_ring ring;
    vx_error err = {0};
    for (int slow = 0; slow < 2; slow++) {
        takings t = {.fail_at = -1, .slow = slow};
        assert_int_equal(vx_ring_start(&ring, memory, 100, 8, take, &t, &err), VX_OK);
        assert_int_equal(fill(&ring, 50, 4, 3, &err), VX_OK);
        assert_int_equal(vx_ring_finish(&ring, false, &err), VX_OK);
        assert_int_equal(t.count, 199);
    }
    takings none = {.fail_at = -1};
    assert_int_equal(vx_ring_start(&ring, memory, 100, 8, take, &none, &err), VX_OK);
    assert_int_equal(vx_ring_finish(&ring, false, &err), VX_OK);
    assert_int_equal(none.count, 0);
}

static void a_taker_that_fails_stops_the_maker(void **state)
{
    (void)state;
    uint8_t memory[800];
    vx_ring ring;
    vx_error err = {0};
    takings t = {.fail_at = 13, .slow = true};
    assert_int_equal(vx_ring_start(&ring, memory, 100, 8, take, &t, &err), VX_OK);
    assert_int_equal(fill(&ring, 50, 4, 4, &err), VX_ERR_IO);
    assert_string_equal(err.code, "disk_full");
    assert_int_equal(vx_ring_finish(&ring, true, NULL), VX_ERR_IO);
    assert_int_equal(t.count, 14);
    /* The last frame's failure is told too. */
    t = (takings){.fail_at = 7};
    assert_int_equal(vx_ring_start(&ring, memory, 100, 8, take, &t, &err), VX_OK);
    assert_int_equal(fill(&ring, 2, 4, 4, &err), VX_OK);
    assert_int_equal(vx_ring_finish(&ring, false, &err), VX_ERR_IO);
    /* Dropping ends at once. */
    t = (takings){.fail_at = -1, .slow = true};
    assert_int_equal(vx_ring_start(&ring, memory, 100, 8, take, &t, &err), VX_OK);
    assert_int_equal(fill(&ring, 2, 4, 4, &err), VX_OK);
    assert_int_equal(vx_ring_finish(&ring, true, &err), VX_OK);
    assert_true(t.count <= 8);
}

/* ---- films ---------------------------------------------------------------------------------- */

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_animator *animator;
    vx_cancel cancel;
} bench;

/* What a film was. */
typedef struct shots {
    int64_t count, fail_at;
    vx_cancel *cancel;
    int64_t cancel_at;
    int width, height, begun;
    uint64_t hash;  /* of all frames */
    uint64_t first; /* of the first */
    double corner;  /* mean of the top left pixel */
} shots;

static vx_status open_bench(bench *b, const char *pack, int threads, int width, int height)
{
    *b = (bench){0};
    vx_settings_default(&b->settings);
    b->settings.threads = threads;
    VX_TRY(vx_pack_open(&b->pack, pack, &b->err));
    vx_engine_params params = {VX_OUR_PARTS,         .settings = &b->settings,
                               .pack = &b->pack,     .wants = VX_WANT_VIDEO,
                               .frame_width = width, .frame_height = height};
    VX_TRY(vx_engine_open(&b->engine, &params, &b->err));
    return vx_animator_open(&b->animator, b->engine, &b->err);
}

static void close_bench(bench *b)
{
    vx_animator_close(&b->animator);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
}

static vx_status begin(void *arg, int width, int height, vx_error *err)
{
    shots *s = arg;
    (void)err;
    s->begun++;
    s->width = width;
    s->height = height;
    return VX_OK;
}

static vx_status shoot(void *arg, int64_t index, const vx_picture *p, vx_error *err)
{
    shots *s = arg;
    if (index != s->count || p->width != s->width || p->height != s->height)
        return vx_fail(err, VX_ERR_INTERNAL, "mixed_up", "a frame out of order or size");
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < 3 * p->width; x++)
            s->hash = (s->hash ^ vx_picture_row(p, y)[x]) * 1099511628211u;
    if (index == 0) s->first = s->hash;
    s->corner += p->rgb[0];
    if (s->count++ == s->fail_at) return vx_fail(err, VX_ERR_IO, "disk_full", "the disk is full");
    return VX_OK;
}

static vx_status step(void *arg, int64_t made, int64_t all)
{
    shots *s = arg;
    assert_true(made > 0 && made <= all);
    if (s->cancel != NULL && made >= s->cancel_at) vx_cancel_ask(s->cancel);
    return VX_OK;
}

static vx_status film(bench *b, vx_animate_request r, shots *s, vx_animated *made)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, &b->cancel, &b->err);
    r.begin = begin;
    r.frame = shoot;
    r.step = step;
    r.arg = s;
    vx_status status = vx_animate(b->animator, &ctx, &r, made);
    assert_int_equal(ctx.workspace->used, 0);
    return status;
}

/* A table in which every column does something. */
static vx_motion_table wave(int64_t count)
{
    static vx_pose pose[64];
    assert_true(count <= 64);
    for (int64_t i = 0; i < count; i++)
        for (int c = 0; c < VX_MOTION_COLUMNS; c++) {
            const vx_motion_range *r = &vx_motion_ranges[c];
            double s = 0.5 + 0.5 * sin(0.7 * (double)i + c);
            pose[i].value[c] = r->rest + 0.3f * (float)s * (r->most - r->rest);
        }
    return (vx_motion_table){.fps = 24, .count = count, .pose = pose};
}

static const char *const packs[] = {DATA "/whole", DATA "/published"};

static void the_same_bytes_for_any_thread_count(void **state)
{
    (void)state;
    vx_motion_table table = wave(11);
    vx_picture portrait = smooth_picture(96, 80);
    const double face[] = {35, 30, 60, 30, 48, 55};
    for (int pack = 0; pack < 2; pack++) {
        uint64_t hash = 0;
        for (int threads = 1; threads <= 3; threads++) {
            bench b;
            vx_animated made;
            shots s = {.fail_at = -1};
            if (open_bench(&b, packs[pack], threads, 96, 80) != VX_OK)
                fail_msg("%s", b.err.message);
            vx_animate_request r = {
                .portrait = &portrait, .motion = &table, .face = pack == 1 ? face : NULL};
            if (film(&b, r, &s, &made) != VX_OK) fail_msg("%s", b.err.message);
            assert_int_equal(made.frames, 11);
            assert_int_equal(s.count, 11);
            assert_int_equal(s.begun, 1);
            assert_int_equal(made.whole, pack == 0);
            assert_int_equal(made.width, pack == 0 ? 128 : 96);
            assert_int_equal(made.height, pack == 0 ? 128 : 80);
            assert_true(s.hash != s.first);
            if (threads > 1) assert_true(s.hash == hash);
            hash = s.hash;
            close_bench(&b);
        }
    }
    vx_image_free(&portrait);
}

/* A film of another size than the network's frame, and what lies beyond the plan. */
static void films_have_the_size_asked_for(void **state)
{
    (void)state;
    vx_motion_table table = wave(5);
    vx_picture portrait = smooth_picture(64, 64);
    const double face[] = {22, 22, 42, 22, 32, 40};
    for (int pack = 0; pack < 2; pack++) {
        bench b;
        vx_animated made;
        assert_int_equal(open_bench(&b, packs[pack], 2, 112, 80), VX_OK);
        vx_animate_request r = {.portrait = &portrait,
                                .motion = &table,
                                .face = pack == 1 ? face : NULL,
                                .width = 112,
                                .height = 80};
        shots s = {.fail_at = -1};
        assert_int_equal(film(&b, r, &s, &made), VX_OK);
        assert_int_equal(s.count, 5);
        assert_int_equal(made.width, 112);
        r.width = 640;
        r.height = 640;
        s = (shots){.fail_at = -1};
        assert_int_equal(film(&b, r, &s, &made), VX_ERR_USAGE);
        assert_int_equal(s.count, 0);
        vx_motion_table longer;
        void *memory;
        assert_int_equal(vx_animator_table(b.animator, 24, 1 << 20, &longer, &memory, &b.err),
                         VX_ERR_INPUT);
        close_bench(&b);
    }
    vx_image_free(&portrait);
}

/* Key points at rest are the source's own, so a table at rest shows the same as M's key points; and frames
 * do not depend on the batch that they were made in. */
static void key_points_are_taken_as_they_are(void **state)
{
    (void)state;
    bench b;
    vx_animated made;
    vx_picture portrait = smooth_picture(64, 64);
    assert_int_equal(open_bench(&b, packs[0], 2, 64, 64), VX_OK);
    int points = vx_liveportrait_configuration(vx_engine_liveportrait(b.engine))->points;
    float x_d[9 * 4 * 3];
    assert_int_equal(points, 4);
    for (int i = 0; i < 9 * 12; i++)
        x_d[i] = 0.4f * sinf((float)(i % 12 + (i < 12 ? 0 : i)));
    shots one = {.fail_at = -1}, many = {.fail_at = -1};
    vx_animate_request r = {.portrait = &portrait, .keypoints = x_d, .frames = 1};
    assert_int_equal(film(&b, r, &one, &made), VX_OK);
    r.frames = 9;
    assert_int_equal(film(&b, r, &many, &made), VX_OK);
    assert_int_equal(many.count, 9);
    assert_true(one.first == many.first);
    assert_true(many.hash != many.first);
    close_bench(&b);
    vx_image_free(&portrait);
}

static void failures_end_the_film(void **state)
{
    (void)state;
    bench b;
    vx_animated made;
    vx_motion_table table = wave(40);
    vx_picture portrait = smooth_picture(64, 64);
    assert_int_equal(open_bench(&b, packs[0], 2, 64, 64), VX_OK);
    vx_animate_request r = {.portrait = &portrait, .motion = &table};
    shots full = {.fail_at = 9};
    assert_int_equal(film(&b, r, &full, &made), VX_ERR_IO);
    assert_string_equal(b.err.code, "disk_full");
    assert_int_equal(full.count, 10);
    shots cancelled = {.fail_at = -1, .cancel = &b.cancel, .cancel_at = 8};
    assert_int_equal(film(&b, r, &cancelled, &made), VX_ERR_CANCELLED);
    assert_true(cancelled.count < 40);
    /* The next one is as if nothing had been. */
    b.cancel = (vx_cancel){0};
    shots good = {.fail_at = -1};
    assert_int_equal(film(&b, r, &good, &made), VX_OK);
    assert_int_equal(good.count, 40);
    close_bench(&b);
    vx_image_free(&portrait);
}

static void faces_are_checked(void **state)
{
    (void)state;
    bench b;
    vx_animated made;
    vx_motion_table table = wave(1);
    vx_picture portrait = smooth_picture(64, 48);
    static const double bad[][6] = {
        {-1, 20, 40, 20, 30, 40},  {20, 20, 65, 20, 30, 40}, {20, 20, 40, 20, 30, 49},
        {20, 20, 20, 20, 30, 40},  {20, 20, 40, 20, 30, 20}, {40, 20, 20, 20, 30, 40},
        {NAN, 20, 40, 20, 30, 40}, {20, 20, 40, 20, 30, 21},
    };
    assert_int_equal(open_bench(&b, packs[1], 1, 64, 48), VX_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        shots s = {.fail_at = -1};
        vx_animate_request r = {.portrait = &portrait, .motion = &table, .face = bad[i]};
        assert_int_equal(film(&b, r, &s, &made), VX_ERR_INPUT);
        assert_string_equal(b.err.code, "bad_face");
        assert_int_equal(s.begun, 0);
    }
    /* Upside down is a face too: the square turns with it. */
    const double turned[] = {40, 30, 24, 30, 32, 16};
    shots s = {.fail_at = -1};
    vx_animate_request r = {.portrait = &portrait, .motion = &table, .face = turned};
    assert_int_equal(film(&b, r, &s, &made), VX_OK);
    assert_float_equal(fabs(made.angle), 180, 1e-9);
    close_bench(&b);

    /* A pack whose weights mean something refuses what M does not take for a face, and says what to do. */
    assert_int_equal(open_bench(&b, DATA "/strict", 1, 64, 48), VX_OK);
    r.face = NULL;
    s = (shots){.fail_at = -1};
    assert_int_equal(film(&b, r, &s, &made), VX_ERR_INPUT);
    assert_string_equal(b.err.code, "no_face");
    assert_non_null(strstr(b.err.message, "--face"));
    assert_int_equal(s.begun, 0);
    close_bench(&b);
    vx_image_free(&portrait);
}

static void portraits_of_any_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 700}, {8000, 8000}, {8192, 3}};
    vx_motion_table table = wave(1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int pack = 0; pack < 2; pack++) {
            bench b;
            vx_animated made;
            vx_picture portrait;
            vx_error err;
            int width, height;
            assert_int_equal(vx_image_new(&portrait, sizes[i][0], sizes[i][1], &err), VX_OK);
            vx_film_size(&portrait, &width, &height);
            assert_true(width >= 16 && height >= 16 && width <= VX_FILM_SIDE_MAX);
            assert_int_equal(open_bench(&b, packs[pack], 2, width, height), VX_OK);
            shots s = {.fail_at = -1};
            vx_animate_request r = {.portrait = &portrait, .motion = &table};
            if (film(&b, r, &s, &made) != VX_OK) fail_msg("%s", b.err.message);
            assert_int_equal(s.count, 1);
            close_bench(&b);
            vx_image_free(&portrait);
        }
}

/* After opening, a film takes no more memory than was planned for it. */
static void films_take_nothing_more(void **state)
{
    (void)state;
    bench b;
    vx_animated made;
    vx_motion_table table = wave(33);
    vx_picture portrait = smooth_picture(64, 64);
    assert_int_equal(open_bench(&b, packs[0], 2, 64, 64), VX_OK);
    vx_animate_request r = {.portrait = &portrait, .motion = &table};
    shots s = {.fail_at = -1};
    assert_int_equal(film(&b, r, &s, &made), VX_OK);
    vx_heap_counts warm = vx_heap_read();
    for (int i = 0; i < 5; i++) {
        s = (shots){.fail_at = -1};
        assert_int_equal(film(&b, r, &s, &made), VX_OK);
    }
    vx_heap_counts after = vx_heap_read();
    /* What may still come is the arguments of a kernel for a tile that no worker had before. */
    assert_true(after.live_bytes - warm.live_bytes <= 16 << 10);
    assert_true(after.bytes - warm.bytes <= 64 << 10);
    close_bench(&b);
    vx_image_free(&portrait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_out_fits_back_in),
        cmocka_unit_test(frames_pass_in_order),
        cmocka_unit_test(a_taker_that_fails_stops_the_maker),
        cmocka_unit_test(the_same_bytes_for_any_thread_count),
        cmocka_unit_test(films_have_the_size_asked_for),
        cmocka_unit_test(key_points_are_taken_as_they_are),
        cmocka_unit_test(failures_end_the_film),
        cmocka_unit_test(faces_are_checked),
        cmocka_unit_test(portraits_of_any_size),
        cmocka_unit_test(films_take_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
