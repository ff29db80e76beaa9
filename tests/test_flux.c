/* FLUX's parts against diffusers and transformers on small random networks (tools/flux_parity.py): the
 * first configuration has the original tensor names, the second diffusers'. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/flux/sampler.h"
#include "models/flux/t5.h"
#include "models/flux/transformer.h"
#include "models/flux/vae.h"
#include "rig.h"

#define DATA VX_TEST_DATA "/flux/"

enum { TOKENS = 11, GRID_ROWS = 4, GRID_COLS = 6, STEPS = 4, LATENT_ROWS = 6, LATENT_COLS = 4 };

static json_t *config_of(const char *part, int index)
{
    char path[256];
    snprintf(path, sizeof path, DATA "%s_%d.json", part, index);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static vx_source *open_source(rig *r, const char *part, int index, const char *suffix)
{
    char path[256];
    vx_source *source;
    snprintf(path, sizeof path, DATA "%s_%d%s.safetensors", part, index, suffix);
    rig_must(r, vx_source_open(&source, path, &r->err), path);
    return source;
}

/* What the reference made, and how far off the worst layer is. */
typedef struct expected {
    vx_source *values;
    double worst;  /* largest error of a layer over its largest value */
    double cosine; /* smallest */
    int layers;
} expected;

static void compare(expected *want, vx_ctx *ctx, const char *name, const vx_tensor *have)
{
    int64_t count;
    if (vx_source_find(want->values, name) == NULL) return;
    float *values = rig_read(want->values, name, &count);
    float *got = rig_values(ctx, have);
    assert_int_equal(count, vx_elements(have));
    double largest = 0, error = 0, ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < count; i++) {
        double h = (double)got[i];
        double v = (double)values[i];
        largest = fmax(largest, fabs(v));
        error = fmax(error, fabs(v - h));
        ab += v * h;
        aa += v * v;
        bb += h * h;
    }
    want->worst = fmax(want->worst, error / largest);
    want->cosine = fmin(want->cosine, ab / sqrt(aa * bb));
    want->layers++;
    vx_heap_free(values);
    vx_heap_free(got);
}

static void compare_seen(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *have)
{
    compare(arg, ctx, name, have);
}

static void judge(const expected *want, int layers, double relative, double cosine,
                  const char *what)
{
    assert_int_equal(want->layers, layers);
    if (!(want->worst <= relative) || !(want->cosine >= cosine))
        fail_msg("%s: worst layer differs by %g, smallest cosine %.8f", what, want->worst,
                 want->cosine);
}

/* ---- T5 ------------------------------------------------------------------------------------- */

static vx_status bind_t5(void *model, vx_binder *b)
{
    return vx_t5_bind(model, b);
}

static vx_status run_t5(void *model, vx_ctx *ctx)
{
    vx_tensor out;
    VX_TRY(vx_take2(ctx, VX_F32, TOKENS, vx_t5_configuration(model)->d_model, &out));
    return vx_t5_encode(model, ctx, NULL, &out);
}

static void check_t5(const char *backend, int index, vx_dtype precision, double relative,
                     double cosine)
{
    rig r;
    vx_t5 *t5;
    vx_t5_config config;
    json_t *json = config_of("t5", index);
    rig_open(&r, backend, 2);
    rig_must(&r, vx_t5_config_read(json, &config, &r.err), "config");
    rig_must(&r, vx_t5_open(&t5, &config, precision, r.backend->native, TOKENS, &r.err), "t5");
    rig_plan(&r, bind_t5, run_t5, t5);
    vx_source *weights = open_source(&r, "t5", index, ""),
              *values = open_source(&r, "t5", index, "_values");
    rig_must(&r, rig_load(&r, bind_t5, t5, &weights, 1), "load");
    expected want = {.values = values, .cosine = 1};
    r.ctx.observe = compare_seen;
    r.ctx.observe_arg = &want;
    float *id_values = rig_read(values, "ids", NULL);
    int32_t ids[TOKENS];
    for (int i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)id_values[i];
    vx_tensor out;
    rig_must(&r, vx_take2(&r.ctx, VX_F32, TOKENS, config.d_model, &out), "out");
    rig_must(&r, vx_t5_encode(t5, &r.ctx, ids, &out), "encode");
    judge(&want, config.layers, relative, cosine, "t5");
    vx_heap_free(id_values);
    json_decref(json);
    vx_t5_close(&t5);
    vx_source_close(&weights);
    vx_source_close(&values);
    rig_close(&r);
}

/* ---- transformer ---------------------------------------------------------------------------- */

static vx_status bind_flux(void *model, vx_binder *b)
{
    return vx_flux_bind(model, b);
}

/* Samples a latent in place. Everything NULL in a plan. */
static vx_status sample(vx_flux *flux, vx_ctx *ctx, const float *text_values,
                        const float *pooled_values, float *latent_values, expected *want)
{
    const vx_flux_config *c = vx_flux_configuration(flux);
    float times[STEPS + 1];
    int first;
    vx_tensor text, pooled, latent, velocity;
    vx_flux_prompt prompt;
    vx_flux_schedule(STEPS, 1, times, &first);
    VX_TRY(vx_take2(ctx, VX_F32, TOKENS, c->context, &text));
    VX_TRY(vx_take2(ctx, VX_F32, 1, c->pooled, &pooled));
    VX_TRY(vx_take2(ctx, VX_F32, (int64_t)GRID_ROWS * GRID_COLS, c->channels, &latent));
    VX_TRY(vx_take2(ctx, VX_F32, (int64_t)GRID_ROWS * GRID_COLS, c->channels, &velocity));
    VX_TRY(vx_upload(ctx, text_values, &text));
    VX_TRY(vx_upload(ctx, pooled_values, &pooled));
    VX_TRY(vx_upload(ctx, latent_values, &latent));
    VX_TRY(vx_flux_prepare(flux, ctx, &text, &pooled, times, STEPS, GRID_ROWS, GRID_COLS, &prompt));
    for (int s = first; s < STEPS; s++) {
        char name[32];
        snprintf(name, sizeof name, "velocity.%d", s);
        VX_TRY(vx_flux_step(flux, ctx, &prompt, s, &latent, &velocity));
        if (want != NULL) compare(want, ctx, name, &velocity);
        VX_TRY(vx_blend(ctx, &(vx_blend_args){.n = 2,
                                              .x = {&latent, &velocity},
                                              .scale = {1, times[s + 1] - times[s]},
                                              .out = &latent}));
    }
    if (want != NULL) compare(want, ctx, "sampled", &latent);
    return vx_download(ctx, &latent, latent_values);
}

static vx_status run_flux(void *model, vx_ctx *ctx)
{
    return sample(model, ctx, NULL, NULL, NULL, NULL);
}

static void check_flux(const char *backend, int index, vx_dtype precision, double relative,
                       double cosine)
{
    rig r;
    vx_flux *flux;
    vx_flux_config config;
    json_t *json = config_of("flux", index);
    rig_open(&r, backend, 2);
    rig_must(&r, vx_flux_config_read(json, &config, &r.err), "config");
    rig_must(&r,
             vx_flux_open(&flux, &config, precision, r.backend->native, VX_FLUX_RESIDENT,
                          (int64_t)GRID_ROWS * GRID_COLS, &r.err),
             "flux");
    rig_plan(&r, bind_flux, run_flux, flux);
    vx_source *weights = open_source(&r, "flux", index, ""),
              *values = open_source(&r, "flux", index, "_values");
    rig_must(&r, rig_load(&r, bind_flux, flux, &weights, 1), "load");
    expected want = {.values = values, .cosine = 1};
    r.ctx.observe = compare_seen;
    r.ctx.observe_arg = &want;
    float *text = rig_read(values, "text", NULL), *pooled = rig_read(values, "pooled", NULL),
          *latent = rig_read(values, "latent", NULL);
    rig_must(&r, sample(flux, &r.ctx, text, pooled, latent, &want), "sample");
    judge(&want, STEPS * (config.double_blocks + config.single_blocks + 1) + 1, relative, cosine,
          "flux");
    vx_heap_free(text);
    vx_heap_free(pooled);
    vx_heap_free(latent);
    json_decref(json);
    vx_flux_close(&flux);
    vx_source_close(&weights);
    vx_source_close(&values);
    rig_close(&r);
}

/* ---- autoencoder ---------------------------------------------------------------------------- */

static vx_status bind_vae(void *model, vx_binder *b)
{
    return vx_vae_bind(model, b);
}

static vx_status through_vae(vx_vae *vae, vx_ctx *ctx, const float *z_values,
                             const float *picture_values, expected *want)
{
    const vx_vae_config *c = vx_vae_configuration(vae);
    int64_t factor = (int64_t)1 << (c->levels - 1), rows = LATENT_ROWS * factor,
            cols = LATENT_COLS * factor;
    vx_tensor z, picture, decoded, mean;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){LATENT_ROWS, LATENT_COLS, c->z}, &z));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){LATENT_ROWS, LATENT_COLS, c->z}, &mean));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){rows, cols, 3}, &decoded));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){rows, cols, 3}, &picture));
    VX_TRY(vx_upload(ctx, z_values, &z));
    VX_TRY(vx_upload(ctx, picture_values, &picture));
    VX_TRY(vx_vae_decode(vae, ctx, &z, &decoded));
    VX_TRY(vx_vae_encode(vae, ctx, &picture, &mean));
    if (want != NULL) {
        compare(want, ctx, "decoded", &decoded);
        compare(want, ctx, "mean", &mean);
    }
    return VX_OK;
}

static vx_status run_vae(void *model, vx_ctx *ctx)
{
    return through_vae(model, ctx, NULL, NULL, NULL);
}

/* Strip: elements, 0 for what the model does by itself. */
static void check_vae(const char *backend, int index, vx_dtype precision, int64_t strip,
                      double relative, double cosine)
{
    rig r;
    vx_vae *vae;
    vx_vae_config config;
    json_t *json = config_of("vae", index);
    rig_open(&r, backend, 2);
    rig_must(&r, vx_vae_config_read(json, &config, &r.err), "config");
    rig_must(&r,
             vx_vae_open(&vae, &config, precision, r.backend->native,
                         VX_VAE_DECODER | VX_VAE_ENCODER, &r.err),
             "vae");
    if (strip > 0) vx_vae_set_strip(vae, strip);
    rig_plan(&r, bind_vae, run_vae, vae);
    vx_source *weights = open_source(&r, "vae", index, ""),
              *values = open_source(&r, "vae", index, "_values");
    rig_must(&r, rig_load(&r, bind_vae, vae, &weights, 1), "load");
    expected want = {.values = values, .cosine = 1};
    float *z = rig_read(values, "z", NULL), *picture = rig_read(values, "picture", NULL);
    rig_must(&r, through_vae(vae, &r.ctx, z, picture, &want), "vae");
    judge(&want, 2, relative, cosine, "vae");
    vx_heap_free(z);
    vx_heap_free(picture);
    json_decref(json);
    vx_vae_close(&vae);
    vx_source_close(&weights);
    vx_source_close(&values);
    rig_close(&r);
}

/* Decodes noise into `picture` with strips of so many elements; returns the workspace. */
static size_t decode_strips(int64_t strip, float *picture)
{
    rig r;
    vx_vae *vae;
    vx_vae_config config;
    json_t *json = config_of("vae", 0);
    rig_open(&r, "cpu", 2);
    rig_must(&r, vx_vae_config_read(json, &config, &r.err), "config");
    rig_must(&r,
             vx_vae_open(&vae, &config, VX_BF16, r.backend->native, VX_VAE_DECODER | VX_VAE_ENCODER,
                         &r.err),
             "vae");
    vx_vae_set_strip(vae, strip);
    rig_plan(&r, bind_vae, run_vae, vae);
    vx_source *weights = open_source(&r, "vae", 0, "");
    rig_must(&r, rig_load(&r, bind_vae, vae, &weights, 1), "load");
    int64_t scale = (int64_t)1 << (config.levels - 1);
    float z[LATENT_ROWS * LATENT_COLS * 64];
    assert_true(config.z <= 64);
    for (int i = 0; i < LATENT_ROWS * LATENT_COLS * config.z; i++)
        z[i] = (float)(i * 37 % 101 - 50) / 25;
    vx_tensor in, out;
    rig_must(&r,
             vx_take(&r.ctx, VX_F32, 3, (const int64_t[]){LATENT_ROWS, LATENT_COLS, config.z}, &in),
             "z");
    rig_must(&r,
             vx_take(&r.ctx, VX_F32, 3,
                     (const int64_t[]){LATENT_ROWS * scale, LATENT_COLS * scale, 3}, &out),
             "picture");
    rig_must(&r, vx_upload(&r.ctx, z, &in), "upload");
    rig_must(&r, vx_vae_decode(vae, &r.ctx, &in, &out), "decode");
    rig_must(&r, vx_download(&r.ctx, &out, picture), "download");
    size_t bytes = r.workspace_bytes;
    json_decref(json);
    vx_vae_close(&vae);
    vx_source_close(&weights);
    rig_close(&r);
    return bytes;
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void reference_matches(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        check_t5("ref", i, VX_F32, 1e-5, 0.999999);
        check_flux("ref", i, VX_F32, 1e-4, 0.999999);
        check_vae("ref", i, VX_F32, 0, 1e-4, 0.999999);
    }
}

/* Strips of one row, of a few, and none: the same bytes, in less memory. */
static void strips_change_nothing(void **state)
{
    (void)state;
    enum { ROOM = LATENT_ROWS * LATENT_COLS * 64 * 64 * 3 };
    static float whole[ROOM], strips[ROOM];
    size_t bytes = decode_strips(1 << 30, whole);
    for (int64_t strip = 1; strip < 10000; strip *= 10) {
        assert_true(decode_strips(strip, strips) < bytes);
        assert_memory_equal(whole, strips, sizeof whole);
    }
    check_vae("ref", 0, VX_F32, 1, 1e-4, 0.999999);
    check_vae("cpu", 1, VX_F32, 1, 1e-3, 0.999999);
}

static void cpu_matches(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        check_t5("cpu", i, VX_F32, 1e-3, 0.99999);
        check_flux("cpu", i, VX_F32, 1e-3, 0.99999);
        check_vae("cpu", i, VX_F32, 0, 1e-3, 0.99999);
        check_t5("cpu", i, VX_BF16, 0.1, 0.999);
        check_flux("cpu", i, VX_BF16, 0.1, 0.999);
        check_vae("cpu", i, VX_BF16, 0, 0.1, 0.999);
    }
}

static void latents_pack_and_unpack(void **state)
{
    (void)state;
    enum { Z = 3, H = 4, W = 6, N = Z * H * W };
    float latent[N], tokens[N], back[N];
    for (int i = 0; i < N; i++)
        latent[i] = (float)i;
    vx_flux_pack(latent, Z, H, W, tokens);
    /* token (1, 2), channel 2, dy 1, dx 0 is latent[2, 3, 4] */
    assert_true(tokens[(1 * 3 + 2) * 4 * Z + 2 * 4 + 2] == latent[(2 * H + 3) * W + 4]);
    vx_flux_unpack(tokens, Z, H, W, back);
    assert_memory_equal(latent, back, sizeof latent);
}

static void schedule_is_schnells(void **state)
{
    (void)state;
    float times[9];
    int first;
    vx_flux_schedule(4, 1, times, &first);
    const float want[] = {1, 0.75f, 0.5f, 0.25f, 0};
    assert_memory_equal(times, want, sizeof want);
    assert_int_equal(first, 0);
    vx_flux_schedule(8, 0.5, times, &first);
    assert_int_equal(first, 4);
    vx_flux_schedule(4, 0.6, times, &first); /* 2.4 steps: three are run */
    assert_int_equal(first, 1);
    vx_flux_schedule(4, 1e-20, times, &first);
    assert_int_equal(first, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_matches),     cmocka_unit_test(cpu_matches),
        cmocka_unit_test(strips_change_nothing), cmocka_unit_test(latents_pack_and_unpack),
        cmocka_unit_test(schedule_is_schnells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
