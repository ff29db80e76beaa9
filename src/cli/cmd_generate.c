/* vortex generate: a slot from a recipe; many of them are in generate_many.c. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/generate.h"
#include "cli/json_out.h"
#include "cli/tell.h"
#include "config/recipe.h"

/* "slot.mp4: 8.2 s, 197 frames, -16.0 LUFS; B 0.71, L 0.69, passed" */
static void tell(const vx_cli *cli, const char *out, const vx_result *r, const json_t *report)
{
    char scores[96] = "", loudness[32] = "";
    const json_t *lufs =
        json_object_get(json_object_get(json_object_get(report, "audio"), "loudness"), "lufs");
    if (json_is_real(lufs))
        snprintf(loudness, sizeof loudness, ", %.1f LUFS", json_real_value(lufs));
    if (r->verified)
        snprintf(scores, sizeof scores, "; B %.3f, L %.3f, %s", r->score_b, r->score_l,
                 r->pass ? "passed" : "failed");
    vx_tell(cli, "%s: %.1f s, %lld frames%s%s", out, (double)r->sample_count / r->sample_rate,
            (long long)r->frames, loudness, scores);
}

vx_submit_params vx_generate_film(const vx_generate_params *p, char subtitles[16])
{
    vx_submit_params film = {.deadline_ms = p->deadline_ms, .loudness = p->loudness};
    if (p->loudness == VX_LOUDNESS_UNSET) film.loudness = 0;
    if (p->loudness == VX_LOUDNESS_OFF) film.loudness = 1;
    if (p->subtitles >= 0)
        film.subtitles = vx_choice_name(VX_SUBTITLES_NAMES, p->subtitles, subtitles, 16);
    return film;
}

vx_status vx_generate_deliver(const vx_cli *cli, const char *out, const char *path,
                              const vx_result *result, json_t **report, vx_error *err)
{
    json_t *document = json_loads(result->report, 0, NULL);
    vx_status status = VX_OK;
    tell(cli, out, result, document);
    if (path != NULL) status = vx_json_write(path, json_incref(document), err);
    if (report != NULL)
        *report = document;
    else
        json_decref(document);
    return status;
}

/* The report goes where it was asked for whenever there is a film. */
static vx_status make_one(vx_resident *r, const vx_generate_params *p, vx_submit_params *film,
                          vx_error *err)
{
    vx_job *job;
    json_t *report = NULL;
    const vx_cli *cli = r->cli;
    bool to_stdout = strcmp(p->out, "-") == 0;
    vx_status status = vx_resident_make(r, film, to_stdout, &job, err);
    if (status == VX_OK || status == VX_ERR_VERIFY) {
        vx_error failed = {0};
        vx_status delivered =
            vx_generate_deliver(cli, p->out, p->report, vx_job_result(job), &report, &failed);
        if (delivered == VX_OK && cli->json)
            delivered = vx_json_print(report, &failed);
        else
            json_decref(report);
        if (delivered != VX_OK) {
            *err = failed;
            status = delivered;
        }
    }
    vx_job_free(&job);
    return status;
}

static vx_status run_one(const vx_cli *cli, const vx_generate_params *p, vx_error *err)
{
    vx_resident r = {0};
    char *text = NULL, subtitles[16];
    bool piped = strcmp(cli->words[0], "-") == 0;
    vx_submit_params film = vx_generate_film(p, subtitles);
    film.sheet = p->sheet;
    film.srt = p->srt;
    film.vtt = p->vtt;
    film.recipe = piped ? NULL : cli->words[0];
    film.folder = piped ? "." : NULL;
    film.path = strcmp(p->out, "-") != 0 ? p->out : NULL;
    const vx_use report = {VX_USE_OUT, "--report", p->report, NULL};
    vx_status status = vx_uses_check(&report, 1, err);
    if (piped && status == VX_OK)
        status = vx_file_read("-", VX_YAML_BYTES_MAX, &text, &film.text_bytes, err);
    film.text = text;
    if (status == VX_OK) status = vx_resident_open(&r, cli, &film, 1, err);
    if (status == VX_OK) status = make_one(&r, p, &film, err);
    vx_resident_close(&r);
    vx_heap_free(text);
    return status;
}

static vx_status run_generate(vx_cli *cli, void *raw, vx_error *err)
{
    const vx_generate_params *p = raw;
    if (!p->lines && cli->word_count == 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "RECIPE is missing; see 'vortex generate --help'");
    size_t length = strlen(p->out);
    bool folder = length > 0 && p->out[length - 1] == '/';
    bool many = p->lines || cli->word_count > 1 || folder;
    return many ? vx_generate_many(cli, p, err) : run_one(cli, p, err);
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(OUT_EITHER, "mp4 mkv", "out", 'o', "FILE", vx_generate_params, out,
                 "the film: .mp4, .mkv or -; of several recipes a folder", .required = true),
    VX_FLAG_FILE(OUT_EITHER, "json", "report", 0, "FILE", vx_generate_params, report,
                 "the slot's report, as JSON"),
    VX_FLAG_FILE(OUT_EITHER, "png jpg jpeg", "sheet", 0, "FILE", vx_generate_params, sheet,
                 "a picture (.png, .jpg) of key frames, waveform, phonemes, jaw and scores"),
    VX_FLAG_FILE(OUT_EITHER, "srt", "srt", 0, "FILE", vx_generate_params, srt,
                 "captions as SubRip"),
    VX_FLAG_FILE(OUT_EITHER, "vtt", "vtt", 0, "FILE", vx_generate_params, vtt,
                 "captions as WebVTT, with word times"),
    VX_FLAG("subtitles", 0, "HOW", vx_generate_params, subtitles, ENUM,
            "captions in the film: none, track or burn; else the recipe's",
            .choices = VX_SUBTITLES_NAMES),
    VX_FLAG("loudness", 0, "LUFS", vx_generate_params, loudness, FLOAT,
            "-30 to -10, or off; else the recipe's, the settings' or -16", .min = VX_LOUDNESS_MIN,
            .max = VX_LOUDNESS_MAX, .off = true, .fallback = VX_LOUDNESS_UNSET_TEXT),
    VX_FLAG("deadline-ms", 0, "N", vx_generate_params, deadline_ms, INT,
            "give up when the slot is not done in N milliseconds", .min = 1, .max = 86400000,
            .fallback = "0"),
    VX_FLAG("lines", 0, NULL, vx_generate_params, lines, BOOL,
            "the words are files of lines (none: standard input), a JSON recipe each"),
    VX_FLAG("fail-fast", 0, NULL, vx_generate_params, fail_fast, BOOL,
            "of several slots, make none after one that failed"),
    VX_FLAGS_END,
};

const vx_command vx_command_generate = {
    .name = "generate",
    .usage = "RECIPE… -o slot.mp4|FOLDER/",
    .summary = "a slot from a recipe: the main job",
    .details =
        "A recipe's picture lies beside it or where its path says; a recipe from standard "
        "input (-) may name\n"
        "only what lies beneath the working folder. Several recipes are made by one engine, "
        "into a folder:\n"
        "NAME.mp4 after NAME.yaml; reports, sheets and captions go to folders too. A line is "
        "a recipe, or\n"
        "{\"recipe\", \"path\", \"sheet\", \"report\", \"deadline_ms\"}; without a path it becomes "
        "SLOT_ID.mp4.",
    .flags = flags,
    .params_bytes = sizeof(vx_generate_params),
    .words_max = 4096,
    .word = {{VX_USE_IN, "the recipe"}, {VX_USE_IN, "the second recipe"}},
    .run = run_generate,
};
