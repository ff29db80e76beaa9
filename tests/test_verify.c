/* Scoring from picture to number: against transformers with Pillow's preprocessing, on two small random CLIPs
 * in both naming schemes (tools/clip_parity.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slot/verify.h"
#include "media/video.h"

#define PACK VX_TEST_DATA "/clip/pack"

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_verifier *verifier;
    vx_picture picture;
} bench;

static int set_up(void **state)
{
    static bench b;
    b = (bench){0};
    vx_settings_default(&b.settings);
    b.settings.threads =
        1; /* two workers may meet at a kernel and make it a second set of arguments */
    assert_int_equal(vx_pack_open(&b.pack, PACK, &b.err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b.settings, .pack = &b.pack,
                               .wants = VX_WANT_VERIFY};
    assert_int_equal(vx_engine_open(&b.engine, &params, &b.err), VX_OK);
    assert_int_equal(
        vx_image_read(&b.picture, VX_SOURCE_DIR "/examples/presenter.png", NULL, &b.err), VX_OK);
    assert_int_equal(vx_verifier_open(&b.verifier, b.engine, 1024, &b.err), VX_OK);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    vx_image_free(&b->picture);
    vx_verifier_close(&b->verifier);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
    return 0;
}

static void scores_match_transformers(void **state)
{
    bench *b = *state;
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, NULL, &b->err);
    json_t *want = json_load_file(VX_TEST_DATA "/clip/scores.json", 0, NULL), *value;
    const char *prompt;
    vx_thresholds thresholds = {.b = 0.2, .l = 0.2, .outlier = 0.15};
    assert_true(json_object_size(want) >= 4);
    vx_picture twice[2] = {b->picture, b->picture};
    for (int count = 1; count <= 2; count++) {
        assert_int_equal(vx_verifier_show(b->verifier, &ctx, twice, count), VX_OK);
        json_object_foreach(want, prompt, value)
        {
            vx_score score;
            double expected = json_real_value(value);
            assert_int_equal(vx_verifier_score(b->verifier, &ctx, prompt, &thresholds, &score),
                             VX_OK);
            assert_true(fabs(score.b - expected) < 1e-5);
            assert_true(fabs(score.l - expected) < 1e-5);
            assert_true(fabs(score.ensemble - expected) < 1e-5);
            assert_int_equal(score.pass, expected >= 0.2);
            assert_false(score.outlier);
        }
    }
    json_decref(want);
}

static void embedding_has_length_one(void **state)
{
    bench *b = *state;
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, NULL, &b->err);
    int width;
    double square = 0;
    assert_int_equal(vx_verifier_show(b->verifier, &ctx, &b->picture, 1), VX_OK);
    const float *values = vx_verifier_embedding(b->verifier, VX_COMPONENT_CLIP_L, &width);
    assert_int_equal(width, 20);
    for (int i = 0; i < width; i++)
        square += (double)values[i] * (double)values[i];
    assert_true(fabs(square - 1) < 1e-5);
}

static void empty_prompts_are_refused(void **state)
{
    bench *b = *state;
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, NULL, &b->err);
    static const char *const bad[] = {"", "   ", "\xff\xfe"};
    vx_score score;
    vx_thresholds thresholds = {0};
    assert_int_equal(vx_verifier_show(b->verifier, &ctx, &b->picture, 1), VX_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vx_verifier_score(b->verifier, &ctx, bad[i], &thresholds, &score),
                         VX_ERR_INPUT);
    assert_int_equal(vx_verifier_score(b->verifier, &ctx, "ab", &thresholds, &score), VX_OK);
}

static void scoring_takes_no_heap(void **state)
{
    bench *b = *state;
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, NULL, &b->err);
    vx_score score;
    vx_thresholds thresholds = {0};
    assert_int_equal(vx_verifier_show(b->verifier, &ctx, &b->picture, 1), VX_OK);
    assert_int_equal(vx_verifier_score(b->verifier, &ctx, "zz", &thresholds, &score), VX_OK);
    vx_heap_counts before = vx_heap_read();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(vx_verifier_show(b->verifier, &ctx, &b->picture, 1), VX_OK);
        assert_int_equal(vx_verifier_score(b->verifier, &ctx, "zz", &thresholds, &score), VX_OK);
    }
    assert_int_equal(vx_heap_read().live_bytes, before.live_bytes);
}

/* The embedding of the picture and the score of a prompt, with so many threads. */
static void score_with(int threads, float embedding[20], vx_score *score)
{
    bench b = {0};
    vx_settings_default(&b.settings);
    b.settings.threads = threads;
    assert_int_equal(vx_pack_open(&b.pack, PACK, &b.err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b.settings, .pack = &b.pack,
                               .wants = VX_WANT_VERIFY};
    vx_thresholds thresholds = {0};
    int width;
    assert_int_equal(vx_engine_open(&b.engine, &params, &b.err), VX_OK);
    assert_int_equal(
        vx_image_read(&b.picture, VX_SOURCE_DIR "/examples/presenter.png", NULL, &b.err), VX_OK);
    assert_int_equal(vx_verifier_open(&b.verifier, b.engine, 1024, &b.err), VX_OK);
    vx_ctx ctx = vx_engine_ctx(b.engine, VX_LANE_PICTURE, NULL, &b.err);
    assert_int_equal(vx_verifier_show(b.verifier, &ctx, &b.picture, 1), VX_OK);
    assert_int_equal(vx_verifier_score(b.verifier, &ctx, "a b c", &thresholds, score), VX_OK);
    memcpy(embedding, vx_verifier_embedding(b.verifier, VX_COMPONENT_CLIP_B, &width),
           20 * sizeof(float));
    void *state = &b;
    tear_down(&state);
}

static void threads_do_not_change_the_bytes(void **state)
{
    (void)state;
    float one[20], two[20], three[20];
    vx_score a, b, c;
    score_with(1, one, &a);
    score_with(2, two, &b);
    score_with(3, three, &c);
    assert_memory_equal(one, two, sizeof one);
    assert_memory_equal(one, three, sizeof one);
    assert_true(a.b == b.b && a.l == b.l && a.b == c.b && a.l == c.l);
}

static void softmax_adds_up(void **state)
{
    (void)state;
    vx_score scores[3] = {{.logit = 20}, {.logit = 22}, {.logit = -500}};
    double share[3];
    vx_score_softmax(scores, 3, share);
    assert_true(fabs(share[0] + share[1] + share[2] - 1) < 1e-12);
    assert_true(fabs(share[1] / share[0] - exp(2)) < 1e-9);
}

static void key_frames_are_spread(void **state)
{
    (void)state;
    const int64_t want[] = {0, 270, 540, 810, 1079};
    for (int i = 0; i < VX_KEY_FRAMES; i++)
        assert_int_equal(vx_video_key_frame(i, VX_KEY_FRAMES, 1080), want[i]);
    assert_int_equal(vx_video_key_frame(4, VX_KEY_FRAMES, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scores_match_transformers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(embedding_has_length_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_prompts_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scoring_takes_no_heap, set_up, tear_down),
        cmocka_unit_test(threads_do_not_change_the_bytes),
        cmocka_unit_test(softmax_adds_up),
        cmocka_unit_test(key_frames_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
