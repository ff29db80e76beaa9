/* A film of all five models, in small, on the device that VX_DEVICE names, beside the CPU's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slot_rig.h"

enum { PIXELS_MAX = 4 << 20, SAMPLES_MAX = 48000 };

typedef struct film {
    uint8_t *pixels;
    size_t bytes;
    float *samples;
    int64_t sample_count, frames;
} film;

static void keep_frame(void *arg, int64_t index, const vx_frame *frame)
{
    film *f = arg;
    (void)index;
    for (int y = 0; y < frame->height; y++) {
        size_t row = (size_t)frame->width * 3;
        assert_true(f->bytes + row <= PIXELS_MAX);
        memcpy(f->pixels + f->bytes, frame->rgb + y * frame->stride, row);
        f->bytes += row;
    }
}

static void make_film(slot_rig *r, film *f)
{
    vx_job *job;
    f->bytes = 0;
    vx_submit_params params = {
        .recipe = ALL_RECIPE, .path = slot_rig_path(r, "film.mp4"), .frame = keep_frame, .arg = f};
    assert_int_equal(vx_submit(r->vortex, &params, &job, &r->err), VX_OK);
    vx_status status = vx_job_wait(job, -1);
    const vx_result *result = vx_job_result(job);
    if (status != VX_OK && status != VX_ERR_VERIFY) fail_msg("%s", result->outcome);
    assert_in_range(result->sample_count, 1, SAMPLES_MAX);
    f->sample_count = result->sample_count;
    f->frames = result->frames;
    memcpy(f->samples, result->samples, (size_t)result->sample_count * sizeof(float));
    vx_job_release(job);
    vx_job_free(&job);
}

static film film_open(void)
{
    film f = {.pixels = malloc(PIXELS_MAX), .samples = malloc(SAMPLES_MAX * sizeof(float))};
    assert_true(f.pixels != NULL && f.samples != NULL);
    return f;
}

static void film_close(film *f)
{
    free(f->pixels);
    free(f->samples);
}

/* dB against a full scale of 255. */
static double psnr(const film *a, const film *b)
{
    double square = 0;
    assert_int_equal(a->bytes, b->bytes);
    for (size_t i = 0; i < a->bytes; i++)
        square += pow((double)a->pixels[i] - b->pixels[i], 2);
    return square == 0 ? 99 : 10 * log10(255.0 * 255.0 * (double)a->bytes / square);
}

static const char *device(void)
{
    return getenv("VX_DEVICE");
}

static void open_on(slot_rig *r, const char *name)
{
    char settings[160];
    snprintf(settings, sizeof settings, "device: %s\n", name);
    slot_rig_open(r, ALL_PACK, settings);
}

static void a_film_is_the_cpu_s(void **state)
{
    (void)state;
    const char *name = device();
    slot_rig r;
    film want = film_open(), got = film_open(), again = film_open();
    open_on(&r, "cpu");
    make_film(&r, &want);
    slot_rig_close(&r);
    open_on(&r, name);
    make_film(&r, &got);
    make_film(&r, &again);
    slot_rig_close(&r);
    assert_int_equal(got.sample_count, want.sample_count);
    assert_int_equal(got.frames, want.frames);
    double db = psnr(&want, &got);
    print_message("%lld frames, %.1f dB\n", (long long)got.frames, db);
    assert_true(db >= 40);
    /* Nothing of the first slot is left in the second. */
    assert_int_equal(again.bytes, got.bytes);
    assert_memory_equal(again.pixels, got.pixels, got.bytes);
    assert_memory_equal(again.samples, got.samples, (size_t)got.sample_count * sizeof(float));
    film_close(&want);
    film_close(&got);
    film_close(&again);
}

typedef struct asker {
    vx_job *_Atomic job;
    atomic_int steps;
    int at;
} asker;

static void ask_at(void *arg, const char *stage, double share)
{
    asker *a = arg;
    (void)stage, (void)share;
    if (atomic_fetch_add(&a->steps, 1) == a->at) vx_job_cancel(atomic_load(&a->job));
}

static void a_cancelled_slot_leaves_the_next_one_right(void **state)
{
    (void)state;
    const char *name = device();
    slot_rig r;
    film first = film_open(), next = film_open();
    open_on(&r, name);
    make_film(&r, &first);
    for (int at = 1; at <= 9; at += 4) {
        vx_job *job;
        asker a = {.at = at};
        vx_submit_params params = {.recipe = ALL_RECIPE,
                                   .path = slot_rig_path(&r, "cut.mp4"),
                                   .progress = ask_at,
                                   .arg = &a};
        assert_int_equal(vx_submit(r.vortex, &params, &job, &r.err), VX_OK);
        atomic_store(&a.job, job);
        vx_status status = vx_job_wait(job, -1);
        /* What had ended before the wish came is whole. */
        assert_true(status == VX_ERR_CANCELLED || status == VX_OK || status == VX_ERR_VERIFY);
        vx_job_release(job);
        vx_job_free(&job);
    }
    make_film(&r, &next);
    assert_int_equal(next.bytes, first.bytes);
    assert_memory_equal(next.pixels, first.pixels, first.bytes);
    slot_rig_close(&r);
    film_close(&first);
    film_close(&next);
}

static void what_is_used_is_what_was_planned(void **state)
{
    (void)state;
    const char *name = device();
    slot_rig r;
    film f = film_open();
    vx_figures before, after;
    open_on(&r, name);
    assert_int_equal(vx_figures_read_api(r.vortex, &before, VORTEX_API), VX_OK);
    make_film(&r, &f);
    assert_int_equal(vx_figures_read_api(r.vortex, &after, VORTEX_API), VX_OK);
    print_message("planned %zu, used %zu, highest %zu\n", after.planned_bytes, after.used_bytes,
                  after.highest_bytes);
    assert_true(after.highest_bytes <= after.planned_bytes);
    slot_rig_close(&r);
    film_close(&f);
}

int main(void)
{
    if (device() == NULL) {
        puts("no VX_DEVICE names a device to run on");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_film_is_the_cpu_s),
        cmocka_unit_test(a_cancelled_slot_leaves_the_next_one_right),
        cmocka_unit_test(what_is_used_is_what_was_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
