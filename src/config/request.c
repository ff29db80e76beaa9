/* Requests of every kind: which table reads them, and what no table can say. */
#include "config/request.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "config/paths.h"
#include "text/clean.h"

/* ---- tables --------------------------------------------------------------------------------- */

/* What every request has. */
#define COMMON_ROWS                                                                                \
    VX_ROW(vx_recipe, slot_id, WORD, .numeric = true, .min = 1, .max = 64,                         \
           .check = vx_check_slot_id),                                                             \
        VX_ROW(vx_recipe, seed, INT, .min = 0, .max = 0x1p63),                                     \
        VX_ROW(vx_recipe, deadline_ms, INT, .min = 1, .max = 86400000)

static const vx_field speech_rows[] = {
    COMMON_ROWS,
    /* What has no sound is left out and named. */
    VX_ROW_AS("script", vx_recipe, audio.script, TEXT, .min = 1, .max = VX_TEXT_BYTES_MAX,
              .control = true, .check = vx_check_script),
    VX_ROW_AS("phonemes", vx_recipe, audio.phonemes, TEXT, .min = 1, .max = VX_PHONEMES_BYTES_MAX),
    VX_ROW_AS("voice_id", vx_recipe, audio.voice_id, WORD, .min = 1, .max = 256),
    VX_ROW_AS("speed", vx_recipe, audio.speed, FLOAT, .min = 0.5, .max = 2, .fallback = "1"),
    VX_ROW_AS("loudness", vx_recipe, audio.loudness, FLOAT, .min = VX_LOUDNESS_MIN,
              .max = VX_LOUDNESS_MAX, .off = true, .fallback = "off"),
    VX_ROW_AS("format", vx_recipe, audio.format, ENUM, .choices = VX_SOUND_FORMAT_NAMES),
    VX_ROWS_END,
};

static const vx_field picture_rows[] = {
    COMMON_ROWS,
    VX_ROW_AS("prompt", vx_recipe, visual.prompt, TEXT, .required = true, .min = 1,
              .max = VX_PROMPT_BYTES_MAX),
    VX_ROW_AS("negative_prompt", vx_recipe, visual.negative_prompt, TEXT, .min = 0,
              .max = VX_PROMPT_BYTES_MAX),
    VX_ROW_AS("width", vx_recipe, output.width, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROW_AS("height", vx_recipe, output.height, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROW_AS("steps", vx_recipe, visual.steps, INT, .min = 1, .max = 8, .fallback = "0"),
    VX_ROW_AS("image", vx_recipe, visual.image, WORD, .min = 1, .max = 4000),
    VX_ROW_AS("strength", vx_recipe, visual.strength, FLOAT, .min = 0.001, .max = 1,
              .fallback = "0"),
    VX_ROW_AS("background", vx_recipe, visual.background, WORD, .min = 1, .max = 16,
              .check = vx_check_colour),
    VX_ROW_AS("format", vx_recipe, visual.format, ENUM, .choices = VX_PICTURE_FORMAT_NAMES),
    VX_ROW_AS("noise", vx_recipe, visual.noise, WORD, .min = 1, .max = 4000),
    VX_ROW_AS("latents_out", vx_recipe, visual.latents_out, WORD, .min = 1, .max = 4000),
    VX_ROWS_END,
};

static const vx_field prompt_element = {
    .type = VX_FIELD_TEXT, .min = 1, .max = VX_PROMPT_BYTES_MAX};

static const vx_field score_rows[] = {
    COMMON_ROWS,
    VX_ROW_AS("image", vx_recipe, visual.image, WORD, .min = 1, .max = 4000),
    VX_ROW_AS("prompts", vx_recipe, score.prompts, LIST, .required = true,
              .element = &prompt_element, .size = sizeof(const char *), .min = 1,
              .max = VX_PROMPTS_MAX),
    VX_ROW_AS("background", vx_recipe, visual.background, WORD, .min = 1, .max = 16,
              .check = vx_check_colour),
    VX_ROW_AS("embeddings", vx_recipe, score.embeddings, BOOL, .fallback = "false"),
    VX_ROWS_END,
};

/* ---- what no table can say ------------------------------------------------------------------ */

static vx_status fail_whole(const vx_recipe *request, vx_error *err, const char *what)
{
    return vx_yaml_fail(request->document, vx_yaml_root(request->document), err, "%s", what);
}

static vx_status check_speech(vx_recipe *request, vx_error *err)
{
    if ((request->audio.script != NULL) == (request->audio.phonemes != NULL))
        return fail_whole(request, err, "speech is of a script or of phonemes; give one of them");
    return VX_OK;
}

static vx_status check_picture(vx_recipe *request, vx_error *err)
{
    const vx_recipe_visual *visual = &request->visual;
    bool begins = visual->image != NULL || visual->image_data != NULL;
    if (begins != (visual->strength > 0))
        return fail_whole(request, err,
                          "image and strength belong together: which picture, and how much of it "
                          "is made anew");
    return VX_OK;
}

static vx_status check_score(vx_recipe *request, vx_error *err)
{
    if (request->visual.image == NULL && request->visual.image_data == NULL)
        return fail_whole(request, err, "image is missing; name the picture or film to judge");
    return VX_OK;
}

static const struct {
    const vx_field *rows;
    vx_status (*check)(vx_recipe *request, vx_error *err);
    const char *code, *name;
} kinds[VX_KINDS] = {
    [VX_FILM] = {vx_recipe_rows, vx_recipe_check, "bad_recipe", "recipe"},
    [VX_SPEECH] = {speech_rows, check_speech, "bad_request", "request"},
    [VX_PICTURE] = {picture_rows, check_picture, "bad_request", "request"},
    [VX_SCORE] = {score_rows, check_score, "bad_request", "request"},
};

/* Files that only the one whose machine it is may name. */
static vx_status check_confined(const vx_recipe *request, vx_error *err)
{
    const struct {
        const char *key, *value;
    } own[] = {{"noise", request->visual.noise}, {"latents_out", request->visual.latents_out}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].value != NULL)
            return vx_yaml_fail(
                request->document, vx_yaml_get(vx_yaml_root(request->document), own[i].key), err,
                "%s names a file, which this request must not; leave it out", own[i].key);
    return VX_OK;
}

/* Where the image lies and the name of an unnamed slot. */
static vx_status complete(vx_recipe *request, const char *folder, bool confined, vx_error *err)
{
    vx_recipe_visual *visual = &request->visual;
    size_t length = folder != NULL ? strlen(folder) : 0;
    char *kept = vx_yaml_alloc(request->document, length + 32);
    if (kept == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to read the request");
    if (folder != NULL) memcpy(kept, folder, length);
    visual->image_file = (vx_named){
        .name = visual->image, .folder = folder != NULL ? kept : NULL, .confined = confined};
    /* In messages. */
    if (visual->image_data != NULL && visual->image == NULL) visual->image = "the image";
    if (request->slot_id == NULL) {
        char *id = kept + length + 1;
        snprintf(id, 24, "slot-%.16s", request->sha256);
        request->slot_id = id;
    }
    return VX_OK;
}

static vx_status fill(vx_recipe *request, const vx_request_source *source, const char *folder,
                      vx_error *err)
{
    VX_TRY(vx_schema_read(request->document, kinds[request->kind].rows, request, err));
    request->visual.image_data = source->image_data;
    request->visual.image_bytes = source->image_bytes;
    VX_TRY(kinds[request->kind].check(request, err));
    if (source->confined || folder == NULL) VX_TRY(check_confined(request, err));
    return complete(request, folder, source->confined || source->path == NULL, err);
}

vx_status vx_request_read(vx_recipe *request, const vx_request_source *source, vx_error *err)
{
    *request = (vx_recipe){.kind = source->kind};
    if (source->kind == VX_ANIMATION)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "animations are made by the command vortex animate alone");
    if ((int)source->kind < 0 || (int)source->kind >= VX_KINDS || kinds[source->kind].rows == NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage", "there is no kind %d of jobs",
                       (int)source->kind);
    const char *code = kinds[source->kind].code;
    const char *name = source->name != NULL ? source->name : kinds[source->kind].name;
    const char *folder = source->folder;
    vx_path own;
    if (source->path != NULL) {
        VX_TRY(vx_yaml_load(&request->document, source->path, code, request->sha256, err));
        vx_path_folder(&own, source->path);
        folder = own.text;
    } else {
        vx_sha256_bytes(source->text, source->bytes, request->sha256);
        VX_TRY(vx_yaml_parse(&request->document, name, source->text, source->bytes, code, err));
    }
    vx_status status = fill(request, source, source->confined ? NULL : folder, err);
    if (status != VX_OK) vx_recipe_close(request);
    return status;
}

vx_status vx_recipe_check_files(const vx_recipe *request, vx_error *err)
{
    const vx_recipe_visual *visual = &request->visual;
    const vx_yaml_node *root = vx_yaml_root(request->document);
    if (visual->image == NULL || visual->image_data != NULL) return VX_OK;
    vx_status status = vx_named_check(&visual->image_file, err);
    if (status == VX_ERR_INPUT && err != NULL) {
        const vx_yaml_node *in =
            request->kind == VX_FILM ? vx_yaml_get(root, "visual_track") : root;
        snprintf(err->code, sizeof err->code, "%s", kinds[request->kind].code);
        snprintf(err->file, sizeof err->file, "%s", vx_yaml_name(request->document));
        err->line = vx_yaml_get(in, "image")->line;
    }
    return status;
}

void vx_recipe_close(vx_recipe *recipe)
{
    vx_yaml_close(&recipe->document);
    *recipe = (vx_recipe){0};
}
