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
#include "base/sha256.h"
#include "slot/slot.h"
#include "packs/synth.h"

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

static vx_status open_with(bench *b, const char *folder, int threads,
                           vx_flux_modulations modulations)
{
    *b = (bench){0};
    vx_settings_default(&b->settings);
    b->settings.threads = threads;
    b->settings.flux_modulations = (int)modulations;
    VX_TRY(vx_pack_open(&b->pack, folder, &b->err));
    vx_engine_params params = {VX_OUR_PARTS, .settings = &b->settings, .pack = &b->pack,
                               .wants = VX_WANT_ACTOR, .image_to_image = true};
    VX_TRY(vx_engine_open(&b->engine, &params, &b->err));
    return vx_imaginer_open(&b->imaginer, b->engine, &b->err);
}

static vx_status open_bench(bench *b, const char *folder, int threads)
{
    return open_with(b, folder, threads, VX_FLUX_RESIDENT);
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
    assert_int_equal(vx_image_read(&picture, DATA "/picture.png", NULL, &b->err), VX_OK);
    assert_int_equal(vx_image_read(&init, DATA "/init.png", NULL, &b->err), VX_OK);

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

/* Planned bytes of the transformer's weights. */
static size_t weights_of(const bench *b)
{
    const vx_plan *plan = vx_engine_planned(b->engine);
    for (int i = 0; i < plan->region_count; i++)
        if (plan->region[i].kind == VX_REGION_WEIGHTS &&
            strcmp(plan->region[i].component, "flux.transformer") == 0)
            return plan->region[i].bytes;
    return 0;
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

/* Weights that stay in the file give the same bytes and take less memory. */
static void streamed_modulations_give_the_same(void **state)
{
    (void)state;
    size_t bytes;
    uint8_t *resident = picture_of(2, 7, &bytes);
    bench b, whole;
    vx_imagined made;
    assert_int_equal(open_with(&b, DATA, 2, VX_FLUX_STREAMED), VX_OK);
    assert_int_equal(open_bench(&whole, DATA, 2), VX_OK);
    assert_true(weights_of(&b) < weights_of(&whole));
    close_bench(&whole);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(imagine(&b, (vx_imagine_request){.seed = 7}, &made), VX_OK);
        assert_memory_equal(resident, made.picture.rgb, bytes);
    }
    close_bench(&b);
    vx_heap_free(resident);
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

/* With one thread: two workers may meet at a kernel, which then makes itself a second set of arguments. */
static void pictures_take_no_heap(void **state)
{
    (void)state;
    static bench one;
    bench *b = &one;
    vx_imagined made;
    assert_int_equal(open_bench(b, DATA, 1), VX_OK);
    assert_int_equal(imagine(b, (vx_imagine_request){.seed = 1}, &made), VX_OK);
    vx_heap_counts before = vx_heap_read();
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(imagine(b, (vx_imagine_request){.seed = i}, &made), VX_OK);
    assert_int_equal(vx_heap_read().live_bytes, before.live_bytes);
    close_bench(b);
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

/* ---- synthetic packs ------------------------------------------------------------------------ */

/* Every tensor of a file has the other's name and shape, dims of 1 left out; CLIP's may lack its prefix. */
static void same_tensors(const char *made, const char *official)
{
    vx_source *a, *b;
    vx_error err;
    assert_int_equal(vx_source_open(&a, made, &err), VX_OK);
    assert_int_equal(vx_source_open(&b, official, &err), VX_OK);
    assert_int_equal(vx_source_count(a), vx_source_count(b));
    for (int64_t i = 0; i < vx_source_count(a); i++) {
        const vx_source_tensor *t = vx_source_at(a, i), *u = vx_source_find(b, t->name);
        if (u == NULL && strncmp(t->name, "text_model.", 11) == 0)
            u = vx_source_find(b, t->name + 11);
        if (u == NULL) fail_msg("%s has no %s", official, t->name);
        assert_int_equal(t->elements, u->elements);
        assert_int_equal(t->dim[0], u->dim[0]);
    }
    vx_source_close(&a);
    vx_source_close(&b);
}

/* Rows of 64 everywhere, as 4-bit formats want them; no file is there, tokenizers neither. */
static const char BARE[] =
    "name: bare\nversion: '1'\nimagine: {width: 64, height: 64, steps: 2, max_sequence_length: "
    "16}\n"
    "components:\n"
    "  flux.t5: {files: [a], tokenizer: b, precision: %s, config: {d_model: 64, d_kv: 16, "
    "num_heads: 4,\n"
    "    d_ff: 128, num_layers: 2, vocab_size: 400}}\n"
    "  clip_l: {files: [a], tokenizer: c, precision: f16, config: {projection_dim: 32, "
    "text_config:\n"
    "    {hidden_size: 64, intermediate_size: 128, num_attention_heads: 4, num_hidden_layers: 2,\n"
    "    vocab_size: 600, eos_token_id: 599}, vision_config: {hidden_size: 32, intermediate_size: "
    "32,\n"
    "    num_attention_heads: 2, num_hidden_layers: 1, image_size: 32, patch_size: 8}}}\n"
    "  flux.clip_text: {same_as: clip_l}\n"
    "  flux.transformer: {files: [a], precision: %s, config: {in_channels: 64, num_layers: 1,\n"
    "    num_single_layers: 1, num_attention_heads: 4, attention_head_dim: 16, "
    "joint_attention_dim: 64,\n"
    "    pooled_projection_dim: 64, axes_dims_rope: [4, 6, 6]}}\n"
    "  flux.vae: {files: [a], precision: bf16, config: {block_out_channels: [%s],\n"
    "    norm_num_groups: 2, layers_per_block: 1}}\n";

#define FOUR_LEVELS "8, 8, 8, 8"

/* Random weights for the pack in `from`. */
static void synth_of(const char *from, const char *folder, uint64_t seed, vx_synth_report *report)
{
    vx_error err = {0};
    vx_pack pack;
    assert_int_equal(vx_pack_open(&pack, from, &err), VX_OK);
    vx_synth_params params = {.pack = &pack, .folder = folder, .seed = seed};
    vx_status status = vx_synth(&params, report, &err);
    if (status != VX_OK) fail_msg("%s", err.message);
    vx_pack_close(&pack);
}

/* `channels` are the autoencoder's, one for each level. */
static void synth_bare(const char *precision, const char *channels, uint64_t seed,
                       vx_synth_report *report, char folder[300])
{
    char text[4096], path[300];
    vx_error err;
    int length = snprintf(text, sizeof text, BARE, precision, precision, channels);
    snprintf(path, sizeof path, "%s/pack.yaml", scratch());
    assert_int_equal(vx_file_write(path, text, (size_t)length, &err), VX_OK);
    snprintf(folder, 300, "%s/%s-%d", scratch(), precision, (int)seed);
    synth_of(scratch(), folder, seed, report);
}

static void checkpoints_are_official(void **state)
{
    (void)state;
    static const char *const names[] = {"t5", "clip", "transformer", "vae"};
    char folder[300], path[400], official[400];
    vx_synth_report report;
    snprintf(folder, sizeof folder, "%s/copy", scratch());
    synth_of(DATA, folder, 0, &report);
    assert_int_equal(report.files, 4);
    for (int k = 0; k < report.files; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, report.file[k].name);
        snprintf(official, sizeof official, DATA "/%s.safetensors", names[k]);
        same_tensors(path, official);
    }
}

/* What was written loads under its own pack.yaml, and activations stay of order one. */
static void synthetic_packs_work(void **state)
{
    (void)state;
    static const char *const precisions[] = {"f32", "bf16", "nf4", "q8_0", "q4_0", "int8"};
    char folder[300];
    vx_synth_report report;
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        bench b;
        vx_imagined made;
        synth_bare(precisions[i], FOUR_LEVELS, 5, &report, folder);
        vx_status status = open_bench(&b, folder, 2);
        if (status != VX_OK) fail_msg("%s: %s", precisions[i], b.err.message);
        assert_true(b.pack.synthetic);
        status = imagine(&b, (vx_imagine_request){.seed = 1}, &made);
        if (status != VX_OK) fail_msg("%s: %s", precisions[i], b.err.message);
        assert_true(made.t5_tokens > 10 && made.clip_tokens > 10);
        double square = 0;
        for (int64_t k = 0; k < vx_actor_latent_count(&made.size); k++)
            square += (double)made.latent[k] * (double)made.latent[k];
        square /= (double)vx_actor_latent_count(&made.size);
        assert_true(square > 0.1 && square < 100);
        close_bench(&b);
    }
}

/* The size of a latent's cell is the autoencoder's, not 8. */
static void cells_follow_the_levels(void **state)
{
    (void)state;
    bench b;
    vx_imagined made;
    vx_synth_report report;
    vx_picture init;
    char folder[300];
    synth_bare("bf16", "8, 8, 8, 8, 8", 1, &report, folder);
    vx_status status = open_bench(&b, folder, 2);
    if (status != VX_OK) fail_msg("%s", b.err.message);
    assert_int_equal(vx_image_read(&init, DATA "/init.png", NULL, &b.err), VX_OK);
    assert_int_equal(imagine(&b, (vx_imagine_request){.seed = 1}, &made), VX_OK);
    assert_int_equal(made.size.factor, 16);
    assert_int_equal(made.size.rows, 4);
    assert_int_equal(made.size.cols, 4);
    vx_imagine_request again = {.init = &init, .strength = 0.5};
    assert_int_equal(imagine(&b, again, &made), VX_OK);
    vx_actor_size size;
    assert_int_equal(vx_actor_size_of(&b.pack, 80, 64, 0, &size, &b.err), VX_ERR_USAGE);
    assert_non_null(strstr(b.err.message, "multiple of 32"));
    vx_image_free(&init);
    close_bench(&b);
}

/* What a file holds need not be what the pack asks for: it is converted, as are files of several types. */
static void types_are_mixed_freely(void **state)
{
    (void)state;
    bench b;
    vx_imagined made;
    vx_synth_report report;
    vx_error err;
    char folder[300], path[400], *yaml, *at;
    size_t bytes;
    synth_bare("nf4", FOUR_LEVELS, 9, &report, folder);
    snprintf(path, sizeof path, "%s/pack.yaml", folder);
    assert_int_equal(vx_file_read(path, 1 << 16, &yaml, &bytes, &err), VX_OK);
    for (at = strstr(yaml, "\"nf4\""); at != NULL; at = strstr(at, "\"nf4\""))
        memcpy(at, "\"f32\"", 5);
    assert_int_equal(vx_file_write(path, yaml, bytes, &err), VX_OK);
    vx_heap_free(yaml);
    vx_status status = open_bench(&b, folder, 2);
    if (status != VX_OK) fail_msg("%s", b.err.message);
    assert_int_equal(b.pack.components[VX_COMPONENT_FLUX_T5].precision, VX_F32);
    assert_int_equal(imagine(&b, (vx_imagine_request){.seed = 1}, &made), VX_OK);
    close_bench(&b);
}

/* Cut anywhere, a GGUF file is refused by name. */
static void cut_gguf_is_refused(void **state)
{
    (void)state;
    bench b;
    vx_synth_report report;
    char folder[300], path[400], *data;
    size_t bytes;
    vx_error err;
    synth_bare("q4_0", FOUR_LEVELS, 6, &report, folder);
    snprintf(path, sizeof path, "%s/flux.transformer.gguf", folder);
    assert_int_equal(vx_file_read(path, 1 << 24, &data, &bytes, &err), VX_OK);
    for (size_t part = 1; part < 8; part++) {
        assert_int_equal(vx_file_write(path, data, bytes * part / 8, &err), VX_OK);
        assert_int_equal(open_bench(&b, folder, 1), VX_ERR_INPUT);
        if (strstr(b.err.message, "flux.transformer.gguf") == NULL) fail_msg("%s", b.err.message);
        close_bench(&b);
    }
    vx_heap_free(data);
}

static void seed_decides_the_weights(void **state)
{
    (void)state;
    char folder[300], path[400], hex[3][65];
    vx_synth_report report;
    vx_error err;
    static const int seeds[] = {1, 2, 1};
    for (int i = 0; i < 3; i++) {
        synth_bare("nf4", FOUR_LEVELS, (uint64_t)seeds[i], &report, folder);
        snprintf(path, sizeof path, "%s/flux.transformer.safetensors", folder);
        assert_int_equal(vx_sha256_file(path, hex[i], &err), VX_OK);
    }
    assert_string_not_equal(hex[0], hex[1]);
    assert_string_equal(hex[0], hex[2]);
}

/* ---- a slot --------------------------------------------------------------------------------- */

static void recipe_gets_its_actor(void **state)
{
    (void)state;
    vx_error err = {0};
    vx_settings settings;
    vx_recipe recipe;
    vx_pack pack;
    vx_crew crew;
    vx_slot slot;
    char film[300];
    vx_settings_default(&settings);
    snprintf(film, sizeof film, "%s/film.mp4", scratch());
    assert_int_equal(vx_recipe_read(&recipe, VX_TEST_DATA "/slot/prompt.yaml", &err), VX_OK);
    assert_int_equal(vx_pack_open(&pack, VX_TEST_DATA "/slot/pack", &err), VX_OK);
    vx_engine_params params = {VX_OUR_PARTS, .settings = &settings, .pack = &pack};
    assert_int_equal(vx_slot_needs(&recipe, &pack, &params, &err), VX_OK);
    assert_true(params.wants & VX_WANT_ACTOR);
    vx_status status = vx_crew_open(&crew, &params, VX_ACCENTS_US, &err);
    vx_slot_request request = {.recipe = &recipe, .path = film};
    if (status == VX_OK) status = vx_slot_run(&slot, &crew, &request, &err);
    if (status != VX_OK) fail_msg("%s", err.message);
    assert_string_equal(slot.pictured, "prompt");
    /* The same picture as imagine's with the recipe's seed. */
    size_t bytes = 64 * 64 * 3;
    uint8_t *picture = vx_heap_alloc(bytes);
    memcpy(picture, vx_engine_buffer(crew.engine, VX_BUFFER_ACTOR, NULL), bytes);
    vx_imagined made;
    vx_ctx ctx = vx_engine_ctx(crew.engine, VX_LANE_PICTURE, NULL, &err);
    vx_imagine_request again = {.prompt = "a b c", .seed = 3};
    assert_int_equal(vx_imaginer_run(crew.imaginer, &ctx, &again, &made), VX_OK);
    assert_memory_equal(picture, made.picture.rgb, bytes);
    vx_heap_free(picture);
    vx_slot_close(&slot);
    vx_crew_close(&crew);
    vx_pack_close(&pack);
    vx_recipe_close(&recipe);
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
        cmocka_unit_test(streamed_modulations_give_the_same),
        cmocka_unit_test_setup_teardown(cancel_leaves_no_trace, set_up, tear_down),
        cmocka_unit_test(pictures_take_no_heap),
        cmocka_unit_test_setup_teardown(sizes_are_bounded_by_the_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(prompts_are_checked, set_up, tear_down),
        cmocka_unit_test(bad_packs_are_refused),
        cmocka_unit_test(checkpoints_are_official),
        cmocka_unit_test(synthetic_packs_work),
        cmocka_unit_test(cells_follow_the_levels),
        cmocka_unit_test(types_are_mixed_freely),
        cmocka_unit_test(cut_gguf_is_refused),
        cmocka_unit_test(seed_decides_the_weights),
        cmocka_unit_test(recipe_gets_its_actor),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_scratch();
    return failed;
}
