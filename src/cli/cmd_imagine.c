/* vortex imagine: the actor image only. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "media/image_out.h"
#include "slot/imagine.h"
#include "formats/writer.h"

typedef struct imagine_params {
    const char *out, *size, *init, *noise, *latents, *background;
    int64_t steps;
    double strength;
} imagine_params;

/* What the flags name, read in. */
typedef struct inputs {
    int width, height; /* 0: the pack's */
    vx_picture init;
    vx_source *noise_file;
    float *noise;
} inputs;

/* "512" or "512x768". */
static vx_status read_size(const char *text, inputs *in, vx_error *err)
{
    char *end;
    if (text == NULL) return VX_OK;
    long width = strtol(text, &end, 10), height = width;
    bool good = end != text && end - text <= 5;
    if (good && *end == 'x') {
        const char *second = end + 1;
        height = strtol(second, &end, 10);
        good = end != second && end - second <= 5;
    }
    if (!good || *end != '\0' || width < 1 || height < 1)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--size is '%.40s' and must be W or WxH in pixels, 512 or 512x768; see "
                       "'vortex imagine --help'",
                       text);
    in->width = (int)width;
    in->height = (int)height;
    return VX_OK;
}

static vx_status read_inputs(const vx_cli *cli, const imagine_params *p, inputs *in, vx_error *err)
{
    *in = (inputs){0};
    if (cli->json && strcmp(p->out, "-") == 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--json and -o - both want stdout; choose one");
    if ((p->init != NULL) != (p->strength > 0))
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--init and --strength belong together: which picture, and how much of it "
                       "is made anew");
    VX_TRY(vx_image_write_check(p->out, err));
    VX_TRY(read_size(p->size, in, err));
    uint8_t background[3];
    vx_image_reading reading = {.cancel = cli->cancel, .background = background};
    VX_TRY(vx_cli_colour(p->background, background, err));
    return p->init != NULL ? vx_image_read(&in->init, p->init, &reading, err) : VX_OK;
}

/* The start latent: [z, rows, cols], dims of 1 in front allowed. */
static vx_status read_noise(const char *path, const vx_actor_size *size, inputs *in, vx_error *err)
{
    VX_TRY(vx_source_open(&in->noise_file, path, err));
    const vx_source_tensor *t = vx_source_at(in->noise_file, 0);
    const int64_t want[3] = {size->z, size->rows, size->cols};
    bool fits = strcmp(vx_source_format(in->noise_file), "npy") == 0 && t->rank >= 3;
    for (int i = 0; i < t->rank && fits; i++)
        fits = t->dim[i] == (i < t->rank - 3 ? 1 : want[i - t->rank + 3]);
    if (!fits)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_noise", path, 0,
                          "%s must be an NPY array of shape [%d,%d,%d] for a picture of %dx%d",
                          path, size->z, size->rows, size->cols, size->width, size->height);
    in->noise = vx_heap_alloc(sizeof *in->noise * (size_t)t->elements);
    if (in->noise == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the noise");
    VX_TRY(vx_source_read(in->noise_file, t, 0, t->elements, in->noise, err));
    for (int64_t i = 0; i < t->elements; i++)
        if (!isfinite(in->noise[i]))
            return vx_fail_at(err, VX_ERR_INPUT, "bad_noise", path, 0,
                              "%s holds a value that is not finite at element %lld", path,
                              (long long)i);
    return VX_OK;
}

static void free_inputs(inputs *in)
{
    vx_image_free(&in->init);
    vx_source_close(&in->noise_file);
    vx_heap_free(in->noise);
}

/* One bar from loading to the picture; its label says what is being done. */
typedef struct bar {
    vx_progress progress;
    char label[64];
    int step;
} bar;

static void show_loading(void *arg, const char *component, double share)
{
    bar *b = arg;
    snprintf(b->label, sizeof b->label, "loading %s", component);
    vx_progress_update(&b->progress, (uint64_t)(share * 1000), 1000);
}

static vx_status show(void *arg, const char *stage, double share)
{
    bar *b = arg;
    if (strcmp(stage, "step") == 0)
        snprintf(b->label, sizeof b->label, "step %d", ++b->step);
    else
        snprintf(b->label, sizeof b->label, "%s", stage);
    vx_progress_update(&b->progress, (uint64_t)(share * 1000), 1000);
    return VX_OK;
}

static json_t *stages_json(const vx_imagined *made)
{
    json_t *stages = json_array();
    for (int i = 0; i < made->stages; i++)
        json_array_append_new(stages,
                              json_pack("{s:s, s:i, s:f, s:f}", "name", made->stage[i].name, "runs",
                                        made->stage[i].runs, "seconds", made->stage[i].seconds,
                                        "flops", made->stage[i].flops));
    return stages;
}

static json_t *prompt_json(const vx_imagine_request *r, const vx_imagined *made)
{
    return json_pack("{s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o}", "text", vx_json_text(r->prompt),
                     "expanded",
                     made->expanded != NULL ? vx_json_text(made->expanded) : json_null(),
                     "t5_tokens", made->t5_tokens, "t5_dropped", made->t5_dropped, "clip_tokens",
                     made->clip_tokens, "clip_dropped", made->clip_dropped, "ignored",
                     vx_ignored_json(made->ignored), "replaced", vx_replaced_json(made->replaced));
}

static json_t *report(const imagine_params *p, vx_engine *engine, const vx_imagine_request *r,
                      const vx_imagined *made)
{
    const vx_pack *pack = vx_engine_pack(engine);
    return json_pack("{s:o, s:i, s:i, s:i, s:I, s:{s:s, s:s, s:b, s:s}, s:o, s:o, s:{s:I, "
                     "s:I}}",
                     "path", vx_json_text(p->out), "width", made->size.width, "height",
                     made->size.height, "steps", made->size.steps, "seed", (json_int_t)r->seed,
                     "pack", "name", pack->name, "version", pack->version, "synthetic",
                     pack->synthetic, "sha256", pack->sha256, "prompt", prompt_json(r, made),
                     "stages", stages_json(made), "memory", "planned_bytes",
                     (json_int_t)vx_engine_planned(engine)->total_bytes, "measured_peak_bytes",
                     (json_int_t)vx_engine_measured_bytes(engine));
}

static vx_status write_outputs(const imagine_params *p, const vx_imagined *made, vx_error *err)
{
    const int64_t dim[3] = {made->size.z, made->size.rows, made->size.cols};
    if (p->latents != NULL) VX_TRY(vx_npy_write(p->latents, 3, dim, made->latent, err));
    return vx_image_write(&made->picture, p->out, err);
}

static vx_status make(vx_cli *cli, const imagine_params *p, inputs *in, vx_engine *engine,
                      vx_imaginer *imaginer, bar *b, vx_error *err)
{
    vx_actor_size size;
    vx_imagined made;
    VX_TRY(vx_imaginer_size(imaginer, in->width, in->height, (int)p->steps, &size, err));
    if (p->noise != NULL) VX_TRY(read_noise(p->noise, &size, in, err));
    vx_ctx ctx = vx_engine_ctx(engine, VX_LANE_PICTURE, cli->cancel, err);
    vx_imagine_request request = {.prompt = cli->words[0],
                                  .seed = cli->seed > 0 ? (uint64_t)cli->seed : 0,
                                  .width = size.width,
                                  .height = size.height,
                                  .steps = size.steps,
                                  .noise = in->noise,
                                  .init = p->init != NULL ? &in->init : NULL,
                                  .strength = p->strength,
                                  .progress = show,
                                  .progress_arg = b};
    vx_progress_start(&b->progress, cli->quiet, b->label, "");
    vx_status status = vx_imaginer_run(imaginer, &ctx, &request, &made);
    vx_progress_end(&b->progress);
    if (status == VX_OK) status = write_outputs(p, &made, err);
    if (status == VX_OK)
        vx_tell(cli, "%s: %d x %d, %d steps, seed %lld", p->out, made.size.width, made.size.height,
                made.size.steps, (long long)request.seed);
    if (status == VX_OK && cli->json)
        status = vx_json_print(report(p, engine, &request, &made), err);
    return status;
}

static vx_status run_imagine(vx_cli *cli, void *raw, vx_error *err)
{
    const imagine_params *p = raw;
    inputs in;
    vx_pack pack = {0};
    vx_engine *engine = NULL;
    vx_imaginer *imaginer = NULL;
    bar b = {.label = "loading"};
    vx_status status = read_inputs(cli, p, &in, err);
    if (status == VX_OK) status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_engine_params params = {VX_OUR_PARTS,
                               .settings = &cli->settings,
                               .pack = &pack,
                               .wants = VX_WANT_ACTOR,
                               .cancel = cli->cancel,
                               .image_width = in.width,
                               .image_height = in.height,
                               .image_steps = (int)p->steps,
                               .image_to_image = p->init != NULL};
    params.progress = show_loading;
    params.progress_arg = &b;
    vx_progress_start(&b.progress, cli->quiet, b.label, "");
    if (status == VX_OK) status = vx_engine_open(&engine, &params, err);
    vx_progress_end(&b.progress);
    if (status == VX_OK) status = vx_imaginer_open(&imaginer, engine, err);
    if (status == VX_OK) status = make(cli, p, &in, engine, imaginer, &b, err);
    vx_imaginer_close(&imaginer);
    vx_engine_close(&engine);
    vx_pack_close(&pack);
    free_inputs(&in);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(OUT, "png jpg jpeg", "out", 'o', "FILE", imagine_params, out,
                 "the picture: .png, .jpg, or - (PNG)", .required = true),
    VX_FLAG("steps", 0, "N", imagine_params, steps, INT, "1 to 8; else the pack's", .min = 1,
            .max = 8, .fallback = "0"),
    VX_FLAG("size", 0, "W[xH]", imagine_params, size, WORD,
            "pixels, multiples of 16 from 64 to 1024; else the pack's"),
    VX_FLAG_FILE(IN, NULL, "init", 0, "IMAGE", imagine_params, init, "begin with this picture"),
    VX_FLAG("strength", 0, "S", imagine_params, strength, FLOAT,
            "with --init: how much is made anew, above 0 to 1", .min = 0.001, .max = 1,
            .fallback = "0"),
    VX_FLAG("background", 0, "#rrggbb", imagine_params, background, WORD,
            "with --init: what shows through transparency; else #ffffff"),
    VX_FLAG_FILE(IN, NULL, "noise", 0, "FILE", imagine_params, noise,
                 "the start latent instead of the seed's, an NPY of [z, rows, cols]"),
    VX_FLAG_FILE(OUT, "npy", "latents-out", 0, "FILE", imagine_params, latents,
                 "the final latent, as an NPY of [z, rows, cols]"),
    VX_FLAGS_END,
};

const vx_command vx_command_imagine = {
    .name = "imagine",
    .usage = "PROMPT -o actor.png",
    .summary = "the actor image only",
    .details = "The same prompt, seed, size and pack give the same picture.",
    .flags = flags,
    .params_bytes = sizeof(imagine_params),
    .words_min = 1,
    .words_max = 1,
    .run = run_imagine,
};
