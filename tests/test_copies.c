/* Few copies between host and device: a slot with a prompt makes a known number of them, whatever its length.
 * The small random pack has every model; sizes do not change how often a copy is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slot_rig.h"

/* Frames together (VX_PORTRAIT_BATCH), and the bounds: for a slot of one chunk of speech, and for a
 * batch of frames. */
enum { BATCH = 4, BESIDES_MOST = 30, BATCH_MOST = 2 };

static long long counted(vx_vortex *v, const char *direction)
{
    char name[64];
    snprintf(name, sizeof name, "vortex_copies_total{direction=\"%s\"} ", direction);
    char *text = vx_metrics_text(v);
    const char *at = strstr(text, name);
    assert_non_null(at);
    long long value = atoll(at + strlen(name));
    vx_text_free(text);
    return value;
}

/* Copies of one slot of the recipe; *frames is how many it has. */
static long long copies_of(slot_rig *r, const char *recipe, int64_t *frames)
{
    long long before = counted(r->vortex, "upload") + counted(r->vortex, "download");
    vx_job *job = NULL;
    vx_submit_params params = {.text = recipe, .path = slot_rig_path(r, "film.mp4")};
    if (vx_submit(r->vortex, &params, &job, &r->err) != VX_OK) fail_msg("%s", r->err.message);
    vx_job_wait(job, -1);
    assert_string_equal(vx_job_result(job)->outcome, "done");
    *frames = vx_job_result(job)->frames;
    vx_job_free(&job);
    return counted(r->vortex, "upload") + counted(r->vortex, "download") - before;
}

static void a_slot_makes_few_copies(void **state)
{
    (void)state;
    slot_rig r;
    int64_t frames, more;
    slot_rig_open(&r, ALL_PACK, "");
    long long all =
        copies_of(&r,
                  "{seed: 3, audio_track: {script: Read the lead., voice_id: narrator}, "
                  "visual_track: {prompt: a b c}, output: {fps: 4}}",
                  &frames);
    long long twice =
        copies_of(&r,
                  "{seed: 3, audio_track: {script: Read the lead., voice_id: narrator}, "
                  "visual_track: {prompt: a b c}, output: {fps: 12}}",
                  &more);
    long long batches = (frames + BATCH - 1) / BATCH, many = (more + BATCH - 1) / BATCH;
    print_message("%lld copies with %lld batches, %lld with %lld\n", all, batches, twice, many);
    assert_true(many >= 3 && many > batches);
    assert_true(twice - all <= BATCH_MOST * (many - batches));
    assert_true(twice > all); /* the counter counts */
    assert_true(all - (twice - all) * batches / (many - batches) <= BESIDES_MOST);
    slot_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_slot_makes_few_copies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
