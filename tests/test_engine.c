/* The engine with the real Kokoro: what was planned is what is used, whatever is spoken. Skipped when the
 * weights are not there (./run fetch). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "slot/speak.h"

/* Sanitizers keep shadow memory and freed blocks, so the process's size says nothing under them. */
#include "sanitized.h"

/* Long enough to need several frames of every phoneme; utterances are beginnings of it. */
static const char SYMBOLS[] =
    "hˈɛlO ðˈɛɹ, ðɪs ɪz vˈɔɹtˌɛks spˈikɪŋ, ænd ɪt wɪl ɡO ˌɑn fɔɹ ə lˈɔŋ tˈIm.";

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_speaker *speaker;
} bench;

static vx_status open_bench(bench *b, int threads)
{
    *b = (bench){0};
    vx_settings_default(&b->settings);
    b->settings.threads = threads;
    b->settings.soft_bytes = 11000000000;
    b->settings.hard_bytes = 11500000000;
    VX_TRY(vx_pack_open(&b->pack, VX_SOURCE_DIR "/packs/speech", &b->err));
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b->settings, .pack = &b->pack,
                               .wants = VX_WANT_SPEECH, .speech_seconds = 10};
    VX_TRY(vx_engine_open(&b->engine, &params, &b->err));
    return vx_speaker_open(&b->speaker, b->engine, 0, &b->err);
}

static void close_bench(bench *b)
{
    vx_speaker_close(&b->speaker);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
}

/* Speaks the first `symbols` code points. */
static vx_status speak(bench *b, int symbols, uint64_t seed, vx_spoken *spoken)
{
    size_t bytes = 0;
    for (int i = 0; i < symbols && SYMBOLS[bytes] != '\0'; i++)
        do
            bytes++;
        while ((SYMBOLS[bytes] & 0xC0) == 0x80);
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_AUDIO, NULL, &b->err);
    return vx_speaker_run(
        b->speaker, &ctx,
        &(vx_speak_request){.text = SYMBOLS, .bytes = bytes, .phonemes = true, .seed = seed},
        spoken);
}

static void fifty_utterances_take_no_more_than_planned(void **state)
{
    (void)state;
    bench b;
    vx_spoken spoken;
    vx_status status = open_bench(&b, 2);
    assert_int_equal(status, VX_OK);
    assert_int_equal(speak(&b, 12, 0, &spoken), VX_OK);
    vx_heap_counts warm = vx_heap_read();
    for (int i = 0; i < 50; i++)
        assert_int_equal(speak(&b, 3 + i * 7 % 60, (uint64_t)i, &spoken), VX_OK);
    vx_heap_counts after = vx_heap_read();
    /* Tensors live in the reservation. What may still come is the arguments of a kernel for a tile size
     * that no utterance had before: some hundred bytes each, and there are few. */
    assert_true(after.live_bytes - warm.live_bytes <= 64 << 10);
    const vx_plan *plan = vx_engine_planned(b.engine);
    size_t measured = SANITIZED ? 0 : vx_engine_measured_bytes(b.engine);
    if (measured > 0) {
        printf("planned %zu bytes, measured %zu\n", plan->total_bytes, measured);
        assert_true(measured <= plan->total_bytes);
        assert_true((double)measured >= 0.98 * (double)plan->reservation_bytes);
    }
    /* Weights that are multiplied in f32 take twice the room. */
    if (vx_engine_backend(b.engine)->native == VX_BF16)
        assert_true(plan->reservation_bytes <= 400000000);
    close_bench(&b);
}

static void threads_do_not_change_the_bytes(void **state)
{
    (void)state;
    static float first[10 * VX_KOKORO_RATE];
    int64_t count = 0;
    for (int threads = 1; threads <= 2; threads++) {
        bench b;
        vx_spoken spoken;
        assert_int_equal(open_bench(&b, threads), VX_OK);
        assert_int_equal(speak(&b, 40, 5, &spoken), VX_OK);
        if (threads == 1) {
            count = spoken.count;
            memcpy(first, spoken.samples, (size_t)count * sizeof *first);
        }
        assert_int_equal(spoken.count, count);
        assert_memory_equal(spoken.samples, first, (size_t)count * sizeof *first);
        close_bench(&b);
    }
}

static void a_budget_too_small_is_refused_with_the_sum(void **state)
{
    (void)state;
    bench b = {0};
    vx_settings_default(&b.settings);
    b.settings.soft_bytes = b.settings.hard_bytes = 300000000;
    assert_int_equal(vx_pack_open(&b.pack, VX_SOURCE_DIR "/packs/speech", &b.err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b.settings, .pack = &b.pack,
                               .wants = VX_WANT_SPEECH};
    assert_int_equal(vx_engine_open(&b.engine, &params, &b.err), VX_ERR_MEMORY);
    assert_non_null(strstr(b.err.message, "kokoro"));
    close_bench(&b);
}

static void plans_need_no_device(void **state)
{
    (void)state;
    static const char *const devices[] = {"cpu", "rtx3060", "rtx4090", "h100"};
    bench b = {0};
    vx_settings_default(&b.settings);
    assert_int_equal(vx_pack_open(&b.pack, VX_SOURCE_DIR "/packs/speech", &b.err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b.settings, .pack = &b.pack,
                               .wants = VX_WANT_ALL};
    for (int i = 0; i < 4; i++) {
        vx_plan plan;
        assert_int_equal(vx_engine_plan(&params, devices[i], &plan, &b.err), VX_OK);
        assert_true(plan.total_bytes > 100000000 && plan.stage_count == 1);
        assert_true(plan.stage[0].counts.flops > 1e12 && plan.stage[0].roofline_s > 0);
        /* 45 s are a stretch of 1,200 frames of 25 ms and half of another. */
        double roofline_s, projected_s;
        vx_plan_slot(&plan, &roofline_s, &projected_s);
        assert_true(plan.seconds == 45 && plan.stage[0].runs == 1.5);
        assert_true(roofline_s == 1.5 * plan.stage[0].roofline_s && projected_s >= roofline_s);
    }
    vx_plan plan;
    assert_int_equal(vx_engine_plan(&params, "abacus", &plan, &b.err), VX_ERR_USAGE);
    close_bench(&b);
}

int main(void)
{
    vx_pack pack;
    bool there = vx_pack_open(&pack, VX_SOURCE_DIR "/packs/speech", NULL) == VX_OK &&
                 vx_pack_need(&pack, VX_COMPONENT_KOKORO, "the test", NULL) == VX_OK;
    vx_pack_close(&pack);
    if (!there) {
        printf("skipped: Kokoro's weights are not there; ./run fetch gets them\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifty_utterances_take_no_more_than_planned),
        cmocka_unit_test(threads_do_not_change_the_bytes),
        cmocka_unit_test(a_budget_too_small_is_refused_with_the_sum),
        cmocka_unit_test(plans_need_no_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
