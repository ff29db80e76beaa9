/* From prompt to picture: against diffusers' pipelines on a small random pack (tools/flux_parity.py --pack),
 * and what must hold for any network: same bytes for the same seed, cancel, refusal of bad input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "engine/imagine.h"

#define DATA VX_TEST_DATA "/imagine"
static const char PROMPT[] = "a small cat on the red mat";

typedef struct bench {
    vx_error err;
    vx_settings settings;
    vx_pack pack;
    vx_engine *engine;
    vx_imaginer *imaginer;
    vx_cancel cancel;
    int cancel_at; /* progress call that asks to cancel; 0: none */
    int calls;
} bench;

static vx_status open_bench(bench *b, const char *folder, int threads)
{
    *b = (bench){0};
    vx_settings_default(&b->settings);
    b->settings.threads = threads;
    VX_TRY(vx_pack_open(&b->pack, folder, &b->err));
    vx_engine_params params = {
        .settings = &b->settings, .pack = &b->pack, .wants = VX_WANT_ACTOR, .image_to_image = true};
    VX_TRY(vx_engine_open(&b->engine, &params, &b->err));
    return vx_imaginer_open(&b->imaginer, b->engine, &b->err);
}

static void close_bench(bench *b)
{
    vx_imaginer_close(&b->imaginer);
    vx_engine_close(&b->engine);
    vx_pack_close(&b->pack);
    vx_settings_close(&b->settings);
}

static int set_up(void **state)
{
    static bench b;
    vx_status status = open_bench(&b, DATA, 2);
    if (status != VX_OK) fail_msg("%s", b.err.message);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    close_bench(*state);
    return 0;
}

static vx_status ask(void *arg, const char *stage, double share)
{
    bench *b = arg;
    (void)stage;
    assert_true(share >= 0 && share <= 1);
    if (++b->calls == b->cancel_at) vx_cancel_ask(&b->cancel);
    return VX_OK;
}

static vx_status imagine(bench *b, vx_imagine_request r, vx_imagined *made)
{
    vx_ctx ctx = vx_engine_ctx(b->engine, VX_LANE_PICTURE, &b->cancel, &b->err);
    if (r.prompt == NULL) r.prompt = PROMPT;
    r.progress = ask;
    r.progress_arg = b;
    b->calls = 0;
    vx_status status = vx_imaginer_run(b->imaginer, &ctx, &r, made);
    assert_int_equal(ctx.workspace->used, 0);
    return status;
}

/* Values of an NPY of the test data. */
static float *array(const char *name, int64_t count)
{
    char path[512];
    vx_source *source;
    vx_error err;
    snprintf(path, sizeof path, DATA "/%s.npy", name);
    assert_int_equal(vx_source_open(&source, path, &err), VX_OK);
    const vx_source_tensor *t = vx_source_at(source, 0);
    assert_int_equal(t->elements, count);
    float *values = vx_heap_alloc((size_t)count * sizeof *values);
    assert_int_equal(vx_source_read(source, t, 0, count, values, &err), VX_OK);
    vx_source_close(&source);
    return values;
}

static double cosine(const float *a, const float *b, int64_t count)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < count; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void pipelines_match(void **state)
{
    bench *b = *state;
    int64_t count = vx_actor_latent_count(vx_engine_actor(b->engine));
    float *noise = array("noise", count), *want = array("latents", count),
          *want_again = array("again_latents", count);
    vx_picture picture, init;
    vx_imagined made;
    assert_int_equal(vx_image_read(&picture, DATA "/picture.png", &b->err), VX_OK);
    assert_int_equal(vx_image_read(&init, DATA "/init.png", &b->err), VX_OK);

    vx_status status = imagine(b, (vx_imagine_request){.noise = noise}, &made);
    if (status != VX_OK) fail_msg("%s", b->err.message);
    assert_true(cosine(want, made.latent, count) > 0.999999);
    for (int64_t i = 0; i < count; i++)
        assert_true(fabsf(want[i] - made.latent[i]) < 1e-3f * (1 + fabsf(want[i])));
    assert_int_equal(made.picture.width, picture.width);
    assert_int_equal(made.picture.height, picture.height);
    for (int y = 0; y < picture.height; y++)
        for (int x = 0; x < 3 * picture.width; x++)
            assert_true(abs(vx_picture_row(&picture, y)[x] - vx_picture_row(&made.picture, y)[x]) <=
                        1);
    assert_int_equal(made.t5_dropped, 0);
    assert_int_equal(made.clip_dropped, 0);

    status =
        imagine(b, (vx_imagine_request){.noise = noise, .init = &init, .strength = 0.6}, &made);
    if (status != VX_OK) fail_msg("%s", b->err.message);
    assert_true(cosine(want_again, made.latent, count) > 0.999999);
    vx_heap_free(noise);
    vx_heap_free(want);
    vx_heap_free(want_again);
    vx_image_free(&picture);
    vx_image_free(&init);
}

/* The picture of a seed with so many threads; the caller frees. */
static uint8_t *picture_of(int threads, uint64_t seed, size_t *bytes)
{
    bench b;
    vx_imagined made;
    assert_int_equal(open_bench(&b, DATA, threads), VX_OK);
    assert_int_equal(imagine(&b, (vx_imagine_request){.seed = seed}, &made), VX_OK);
    *bytes = (size_t)made.picture.stride * (size_t)made.picture.height;
    uint8_t *copy = vx_heap_alloc(*bytes);
    memcpy(copy, made.picture.rgb, *bytes);
    close_bench(&b);
    return copy;
}

static void seed_decides_the_bytes(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *one = picture_of(1, 7, &bytes), *two = picture_of(2, 7, &bytes),
            *three = picture_of(3, 7, &bytes), *other = picture_of(2, 8, &bytes);
    assert_memory_equal(one, two, bytes);
    assert_memory_equal(one, three, bytes);
    assert_memory_not_equal(one, other, bytes);
    vx_heap_free(one);
    vx_heap_free(two);
    vx_heap_free(three);
    vx_heap_free(other);
}

/* Wherever the cancel comes, the lane is empty afterwards (see imagine) and the next call works. */
static void cancel_leaves_no_trace(void **state)
{
    bench *b = *state;
    vx_imagined made;
    assert_int_equal(imagine(b, (vx_imagine_request){.seed = 3}, &made), VX_OK);
    size_t bytes = (size_t)made.picture.stride * (size_t)made.picture.height;
    int calls = b->calls;
    uint8_t *want = vx_heap_alloc(bytes);
    memcpy(want, made.picture.rgb, bytes);
    assert_true(calls >= 6);
    for (int at = 1; at < calls; at++) {
        b->cancel_at = at;
        assert_int_equal(imagine(b, (vx_imagine_request){.seed = 4}, &made), VX_ERR_CANCELLED);
        assert_int_equal(b->calls, at);
        vx_cancel_clear(&b->cancel);
        b->cancel_at = 0;
    }
    assert_int_equal(imagine(b, (vx_imagine_request){.seed = 3}, &made), VX_OK);
    assert_memory_equal(want, made.picture.rgb, bytes);
    vx_heap_free(want);
}

static void pictures_take_no_heap(void **state)
{
    bench *b = *state;
    vx_imagined made;
    assert_int_equal(imagine(b, (vx_imagine_request){.seed = 1}, &made), VX_OK);
    vx_heap_counts before = vx_heap_read();
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(imagine(b, (vx_imagine_request){.seed = i}, &made), VX_OK);
    assert_int_equal(vx_heap_read().live_bytes, before.live_bytes);
}

static void sizes_are_bounded_by_the_plan(void **state)
{
    bench *b = *state;
    vx_imagined made;
    static const vx_imagine_request bad[] = {
        {.width = 72},    {.width = 80}, {.height = 32}, {.height = 112},
        {.height = 2048}, {.steps = 5},  {.steps = 9},   {.width = 100000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(imagine(b, bad[i], &made), VX_ERR_USAGE);
        assert_string_equal(b->err.code, "bad_size");
    }
    assert_int_equal(imagine(b, (vx_imagine_request){.height = 64, .steps = 1}, &made), VX_OK);
    assert_int_equal(made.picture.height, 64);
    assert_int_equal(made.size.rows, 8);
}

static void prompts_are_checked(void **state)
{
    bench *b = *state;
    vx_imagined made;
    static const char *const bad[] = {"", "  \n", "\xff\xfe", "a\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(imagine(b, (vx_imagine_request){.prompt = bad[i]}, &made), VX_ERR_INPUT);
    char text[2000] = "";
    while (strlen(text) < 1900)
        strcat(text, "mat cat ");
    vx_imagine_request r = {.prompt = text, .negative_prompt = "dogs"};
    assert_int_equal(imagine(b, r, &made), VX_OK);
    assert_true(made.t5_dropped > 0);
    assert_true(made.clip_dropped > 0);
    assert_int_equal(made.t5_tokens, 24);
    assert_int_equal(made.clip_tokens, 16);
}

/* ---- bad packs ------------------------------------------------------------------------------ */

static const char *scratch(void)
{
    static char folder[64];
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/vortex-imagine-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    return folder;
}

/* Opens the pack with one text of pack.yaml replaced; what is relative there stays so by full paths. */
static vx_status open_changed(const char *from, const char *to, vx_error *err)
{
    char *yaml, path[256], changed[8192], file[512];
    size_t bytes;
    assert_int_equal(vx_file_read(DATA "/pack.yaml", 65536, &yaml, &bytes, err), VX_OK);
    const char *at = strstr(yaml, from);
    assert_non_null(at);
    int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - yaml), yaml, to,
                          at + strlen(from));
    snprintf(path, sizeof path, "%s/pack.yaml", scratch());
    assert_int_equal(vx_file_write(path, changed, (size_t)length, err), VX_OK);
    static const char *const names[] = {"transformer", "t5", "clip", "vae"};
    static const char *const endings[] = {".safetensors", ".json", ".tokenizer.json"};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "%s/%s%s", scratch(), names[i], endings[k]);
            snprintf(file, sizeof file, DATA "/%s%s", names[i], endings[k]);
            if (access(file, R_OK) == 0 && access(path, F_OK) != 0)
                assert_int_equal(symlink(file, path), 0);
        }
    vx_heap_free(yaml);
    bench b;
    vx_status status = open_bench(&b, scratch(), 1);
    *err = b.err;
    close_bench(&b);
    return status;
}

static void expect(const char *from, const char *to, vx_status status, const char *part)
{
    vx_error err = {0};
    vx_status got = open_changed(from, to, &err);
    if (got != status || strstr(err.message, part) == NULL)
        fail_msg("%s -> %s: %d \"%s\", wanted \"%s\"", from, to, got, err.message, part);
}

static void bad_packs_are_refused(void **state)
{
    (void)state;
    vx_error err;
    char *data, path[256];
    size_t bytes;
    expect("files: [transformer.safetensors]", "files: [t5.safetensors]", VX_ERR_INPUT,
           "img_in.weight");
    expect("files: [t5.safetensors]", "files: [vae.safetensors]", VX_ERR_INPUT, "shared.weight");
    expect("files: [vae.safetensors]", "files: [clip.safetensors]", VX_ERR_INPUT,
           "decoder.conv_in.weight");
    expect("files: [clip.safetensors]", "files: [none.safetensors]", VX_ERR_MISSING,
           "none.safetensors");
    expect("tokenizer: t5.tokenizer.json", "tokenizer: clip.tokenizer.json", VX_ERR_INPUT,
           "tokenizer");
    expect("height: 96", "height: 100", VX_ERR_INPUT, "multiple of 16");
    expect("steps: 4", "steps: 0", VX_ERR_INPUT, "steps");
    expect("config: t5.json", "config: {d_model: 40}", VX_ERR_INPUT, "flux.t5");
    expect("config: vae.json", "config: {latent_channels: 8}", VX_ERR_INPUT, "flux.vae");
    expect("config: transformer.json", "config: {guidance_embeds: true}", VX_ERR_INPUT,
           "guidance_embeds");
    expect("files: [clip.safetensors], ", "same_as: clip_l, ", VX_ERR_INPUT, "clip_l");
    /* Cut at several places: inside the header and inside the data. */
    assert_int_equal(vx_file_read(DATA "/transformer.safetensors", 1 << 20, &data, &bytes, &err),
                     VX_OK);
    snprintf(path, sizeof path, "%s/cut.safetensors", scratch());
    static const size_t keep[] = {4, 100, 20000};
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
        assert_int_equal(vx_file_write(path, data, keep[i], &err), VX_OK);
        expect("files: [transformer.safetensors]", "files: [cut.safetensors]", VX_ERR_INPUT,
               "cut.safetensors");
    }
    /* A tensor under a name of its own is a missing one. */
    char *name = memmem(data, bytes, "double_blocks.0.txt_mlp.2.weight", 32);
    assert_non_null(name);
    memcpy(name, "d0uble", 6);
    assert_int_equal(vx_file_write(path, data, bytes, &err), VX_OK);
    expect("files: [transformer.safetensors]", "files: [cut.safetensors]", VX_ERR_INPUT,
           "double_blocks.0.txt_mlp.2.weight");
    vx_heap_free(data);
}

static void remove_scratch(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch());
    if (system(command) != 0) fprintf(stderr, "%s stays\n", scratch());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pipelines_match, set_up, tear_down),
        cmocka_unit_test(seed_decides_the_bytes),
        cmocka_unit_test_setup_teardown(cancel_leaves_no_trace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_take_no_heap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_bounded_by_the_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prompts_are_checked, set_up, tear_down),
        cmocka_unit_test(bad_packs_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_scratch();
    return failed;
}
