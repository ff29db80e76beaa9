/* Faces in pictures: found at several sizes, turns and places, framed, numbered; nothing where there
 * is none. The face is the astronaut's (NASA, public domain), small and near, in tests/data/face. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "slot/faces.h"

#define DATA VX_TEST_DATA "/face/"

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_faces *faces;
    vx_ctx ctx;
    vx_picture face;
} bench;

static void must(bench *b, vx_status status)
{
    if (status != VX_OK) fail_msg("%s", b->err.message);
}

static void open_bench(bench *b)
{
    *b = (bench){0};
    vx_settings_default(&b->settings);
    b->settings.threads = 2;
    must(b, vx_pack_open(&b->pack, VX_SOURCE_DIR "/packs/face", &b->err));
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b->settings, .pack = &b->pack,
                               .wants = VX_WANT_FACE};
    must(b, vx_engine_open(&b->engine, &params, &b->err));
    must(b, vx_faces_open(&b->faces, b->engine, &b->err));
    b->ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, NULL, &b->err);
    must(b, vx_image_read(&b->face, DATA "astronaut_face.png", NULL, &b->err));
}

static void close_bench(bench *b)
{
    vx_image_free(&b->face);
    vx_faces_close(&b->faces);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
}

/* A picture of soft bands, with the face in a square of it. */
static vx_picture scene(bench *b, int width, int height)
{
    vx_picture p;
    must(b, vx_image_new(&p, width, height, &b->err));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < 3 * width; x++)
            vx_picture_row(&p, y)[x] = (uint8_t)(110 + 50 * sin(0.01 * x + 0.03 * y));
    return p;
}

static void put(bench *b, const vx_picture *p, const vx_square *square)
{
    vx_paste paste;
    uint8_t *mask = vx_heap_alloc((size_t)p->width * (size_t)p->height);
    vx_paste_prepare(&paste, square, mask, p->width, p->height);
    vx_paste_in(&paste, p, &b->face, p);
    vx_heap_free(mask);
}

static vx_square turned(double x, double y, double side, double degrees)
{
    double angle = degrees * M_PI / 180;
    return (vx_square){x, y, side, cos(angle), sin(angle)};
}

/* A point of the 192-pixel face, off by how much of its eyes' distance (58 pixels). */
static double off(const vx_square *square, double x, double y, const double found[2])
{
    double at[2];
    vx_square_at(square, x / 192, y / 192, at);
    return hypot(at[0] - found[0], at[1] - found[1]) / (square->side * 58 / 192);
}

/* Eyes and mouth were read from the picture by eye. */
static void is_the_face(const vx_square *square, const vx_found *f)
{
    double left = off(square, 70.5, 74, f->left_eye), right = off(square, 128, 79, f->right_eye);
    double below = off(square, 96, 133, f->mouth);
    double turn = vx_square_angle(square), error = vx_square_angle(&f->frame) - turn - 3;
    print_message("%4.0f pixels, %4.0f degrees: %.2f; off by %.2f, %.2f, %.2f, %+.1f degrees\n",
                  square->side, turn, f->score, left, right, below, remainder(error, 360));
    if (!((left + right + below) / 3 < 0.1)) fail_msg("the points are off");
    if (!(fabs(remainder(error, 360)) < 8)) fail_msg("the angle is off");
}

/* From 40 pixels of a picture of 1000 to all of it, upright and turned. */
static void a_face_is_found_where_it_is(void **state)
{
    (void)state;
    static const struct {
        int width, height;
        double x, y, side, degrees;
    } cases[] = {{640, 400, 470, 210, 300, 0},   {1000, 700, 800, 500, 60, 0},
                 {512, 512, 150, 300, 200, 90},  {512, 512, 300, 200, 180, 180},
                 {480, 640, 200, 300, 150, -40}, {192, 192, 96, 96, 192, 0}};
    bench b;
    open_bench(&b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vx_found *found;
        int count;
        vx_picture p = scene(&b, cases[i].width, cases[i].height);
        vx_square square = turned(cases[i].x, cases[i].y, cases[i].side, cases[i].degrees);
        put(&b, &p, &square);
        must(&b, vx_faces_seek(b.faces, &b.ctx, &p, &found, &count));
        assert_int_equal(count, 1);
        is_the_face(&square, &found[0]);
        vx_image_free(&p);
    }
    assert_int_equal(b.ctx.workspace->used, 0);
    close_bench(&b);
}

static void faces_are_numbered_from_the_largest(void **state)
{
    (void)state;
    bench b;
    vx_found found;
    open_bench(&b);
    vx_picture p = scene(&b, 640, 360);
    vx_square small = turned(120, 180, 140, 0), large = turned(430, 180, 300, 0);
    put(&b, &p, &small);
    put(&b, &p, &large);
    must(&b, vx_faces_choose(b.faces, &b.ctx, &p, 0, "two.png", 640, 360, &found));
    is_the_face(&large, &found);
    must(&b, vx_faces_choose(b.faces, &b.ctx, &p, 1, "two.png", 640, 360, &found));
    is_the_face(&small, &found);
    assert_int_equal(vx_faces_choose(b.faces, &b.ctx, &p, 2, "two.png", 1280, 720, &found),
                     VX_ERR_INPUT);
    assert_string_equal(b.err.code, "no_face");
    assert_non_null(strstr(b.err.message, "no face 2 in two.png (1280x720), which has 2"));
    vx_image_free(&p);
    close_bench(&b);
}

static void nothing_is_no_face(void **state)
{
    (void)state;
    static const int sizes[][2] = {{64, 48}, {1, 1}, {1, 700}};
    bench b;
    vx_found found;
    open_bench(&b);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        vx_picture p = scene(&b, sizes[i][0], sizes[i][1]);
        assert_int_equal(vx_faces_choose(b.faces, &b.ctx, &p, 0, "bands.png", 9, 9, &found),
                         VX_ERR_INPUT);
        assert_string_equal(b.err.code, "no_face");
        assert_non_null(strstr(b.err.message, "no face was found in bands.png (9x9); give"));
        vx_image_free(&p);
    }
    vx_cancel cancel = {0};
    vx_picture p = scene(&b, 64, 64);
    vx_cancel_ask(&cancel);
    b.ctx.cancel = &cancel;
    assert_int_equal(vx_faces_choose(b.faces, &b.ctx, &p, 0, "", 1, 1, &found), VX_ERR_CANCELLED);
    vx_image_free(&p);
    close_bench(&b);
}

/* ---- frames --------------------------------------------------------------------------------- */

/* LivePortrait's crop: 2.3 times the extent, an eighth of that up, along the face. */
static void crops_follow_the_face(void **state)
{
    (void)state;
    vx_found found = {.frame = turned(100, 80, 40, 90)};
    vx_square s = vx_found_crop(&found, false);
    assert_float_equal(s.side, 92, 1e-9);
    assert_float_equal(s.x, 100 + 92 * 0.125, 1e-9); /* up is to the right of what is turned so */
    assert_float_equal(s.y, 80, 1e-9);
    s = vx_found_crop(&found, true);
    assert_float_equal(s.side, 2.73 * 40, 1e-9);
}

/* An inset that is darker and duller than what lies below it: at rest nothing of it is seen near the
 * rim, and where it is not laid the picture is what it was. */
static void colours_are_matched(void **state)
{
    (void)state;
    bench b;
    open_bench(&b);
    enum { W = 160, H = 120 };
    static uint8_t mask[W * H], match[3 * W * H];
    vx_picture below = scene(&b, W, H), out = scene(&b, W, H), inset;
    vx_square square = turned(85, 60, 80, 20);
    vx_paste paste;
    must(&b, vx_image_new(&inset, 128, 128, &b.err));
    vx_warp_out(&below, &square, 2, &inset);
    for (int i = 0; i < 3 * 128 * 128; i++)
        inset.rgb[i] = (uint8_t)(0.8 * inset.rgb[i] + 3 * (i % 3));
    vx_paste_prepare(&paste, &square, mask, W, H);
    vx_paste_match(&paste, &below, &inset, match);
    vx_paste_in(&paste, &below, &inset, &out);
    double sum = 0;
    int count = 0, worst = 0;
    for (int i = 0; i < W * H; i++)
        for (int c = 0; c < 3; c++) {
            int d = abs(out.rgb[3 * i + c] - below.rgb[3 * i + c]);
            if (mask[i] == 0) assert_int_equal(d, 0);
            if (mask[i] == 0) continue;
            sum += d;
            count++;
            worst = d > worst ? d : worst;
        }
    print_message("off by %.2f on average, %d at most\n", sum / count, worst);
    assert_true(count > 3 * 6000 && worst <= 3 && sum / count <= 1);
    /* What moves is still seen: ten levels more are ten levels more, but for the rim. */
    for (int i = 0; i < 3 * 128 * 128; i++)
        inset.rgb[i] = (uint8_t)(inset.rgb[i] + 10);
    vx_paste_in(&paste, &below, &inset, &out);
    size_t middle = 3 * (60 * W + 85);
    assert_in_range(out.rgb[middle] - below.rgb[middle], 8, 12);
    vx_image_free(&below);
    vx_image_free(&out);
    vx_image_free(&inset);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_face_is_found_where_it_is),
        cmocka_unit_test(faces_are_numbered_from_the_largest),
        cmocka_unit_test(nothing_is_no_face),
        cmocka_unit_test(crops_follow_the_face),
        cmocka_unit_test(colours_are_matched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
