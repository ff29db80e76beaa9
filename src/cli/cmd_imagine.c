/* vortex imagine: the actor image only. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/resident.h"
#include "cli/tell.h"
#include "media/image_out.h"
#include "text/utf8.h"

typedef struct imagine_params {
    const char *out, *size, *init, *noise, *latents, *background;
    int64_t steps;
    double strength;
} imagine_params;

/* What the flags name, read in. */
typedef struct inputs {
    int width, height; /* 0: the pack's */
    char *init;        /* the file's bytes */
    size_t init_bytes;
} inputs;

static vx_status check_side(const char *which, int side, vx_error *err)
{
    if (side >= 64 && side <= 1024 && side % 16 == 0) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_size",
                   "the picture's %s is %d and must be a multiple of 16 from 64 to 1024", which,
                   side);
}

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
    VX_TRY(check_side("width", in->width, err));
    return check_side("height", in->height, err);
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
    VX_TRY(vx_cli_colour(p->background, background, err));
    if (p->init == NULL) return VX_OK;
    VX_TRY(vx_file_read(p->init, VX_IMAGE_BYTES_MAX, &in->init, &in->init_bytes, err));
    if (in->init_bytes > 0) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_image", p->init, 0, "%s is empty; give a picture",
                      p->init);
}

static void set_text(json_t *request, const char *key, const char *value)
{
    if (value != NULL) json_object_set_new(request, key, vx_json_text(value));
}

/* The request's document; the caller frees it. */
static char *write_request(const vx_cli *cli, const imagine_params *p, const inputs *in)
{
    json_t *request = json_object();
    set_text(request, "prompt", cli->words[0]);
    if (in->width > 0) json_object_set_new(request, "width", json_integer(in->width));
    if (in->height > 0) json_object_set_new(request, "height", json_integer(in->height));
    if (p->steps > 0) json_object_set_new(request, "steps", json_integer(p->steps));
    if (p->init != NULL) json_object_set_new(request, "strength", json_real(p->strength));
    set_text(request, "image", p->init);
    set_text(request, "background", p->background);
    set_text(request, "noise", p->noise);
    set_text(request, "latents_out", p->latents);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    return text;
}

static vx_status tell(const vx_cli *cli, const imagine_params *p, const vx_result *result,
                      vx_error *err)
{
    json_t *report = json_loads(result->report, 0, NULL);
    vx_tell(cli, "%s: %d x %d, %lld steps, seed %lld", p->out, result->picture->width,
            result->picture->height, json_integer_value(json_object_get(report, "steps")),
            json_integer_value(json_object_get(report, "seed")));
    if (cli->json) return vx_json_print(report, err);
    json_decref(report);
    return VX_OK;
}

static vx_status make(const vx_cli *cli, const imagine_params *p, const inputs *in, vx_error *err)
{
    vx_resident r = {0};
    vx_job *job = NULL;
    char *request = write_request(cli, p, in);
    if (request == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the request");
    vx_submit_params picture = {.kind = VX_PICTURE,
                                .text = request,
                                .folder = ".",
                                .path = p->out,
                                .image = in->init,
                                .image_bytes = in->init_bytes};
    vx_status status = vx_resident_open(&r, cli, &picture, 1, err);
    if (status == VX_OK) status = vx_resident_make(&r, &picture, false, &job, err);
    if (status == VX_OK) status = tell(cli, p, vx_job_result(job), err);
    vx_job_free(&job);
    vx_resident_close(&r);
    free(request);
    return status;
}

static vx_status run_imagine(vx_cli *cli, void *raw, vx_error *err)
{
    const imagine_params *p = raw;
    inputs in;
    const char *prompt = cli->words[0];
    size_t bad;
    if (!vx_utf8_valid(prompt, strlen(prompt), &bad))
        return vx_fail(err, VX_ERR_INPUT, "bad_prompt", "the prompt is no UTF-8 at byte %zu", bad);
    vx_status status = read_inputs(cli, p, &in, err);
    if (status == VX_OK) status = make(cli, p, &in, err);
    vx_heap_free(in.init);
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
