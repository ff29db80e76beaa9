#include "slot/report.h"

#include <string.h>
#include <sys/stat.h>

#include "base/json_text.h"
#include "base/sha256.h"
#include "slot/captions.h"

static json_t *stages_json(const vx_stage_time *stage, int stages)
{
    json_t *list = json_array();
    for (int i = 0; i < stages; i++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:I}", "name", stage[i].name,
                                              "start_s", stage[i].start_s, "end_s", stage[i].end_s,
                                              "peak_bytes", (json_int_t)stage[i].peak_bytes));
    return list;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? vx_json_text(text) : json_null();
}

static json_t *output_json(const vx_slot *slot)
{
    struct stat info;
    char hex[65] = "";
    const char *path = slot->request->path;
    if (path == NULL || strcmp(path, "-") == 0 || stat(path, &info) != 0)
        return json_pack("{s:o}", "path", text_or_null(path));
    vx_sha256_file(path, hex, NULL);
    return json_pack("{s:o, s:I, s:s}", "path", vx_json_text(path), "bytes",
                     (json_int_t)info.st_size, "sha256", hex);
}

/* The pack's own hashes: what its files were checked against when they were fetched. */
static json_t *weights_json(const vx_slot *slot)
{
    json_t *list = json_array();
    int wants = vx_engine_wants(slot->crew->engine);
    for (int i = 0; i < VX_COMPONENTS; i++) {
        const vx_pack_component *c = &slot->pack->components[i];
        if (!c->present || !(vx_component_want((vx_component)i) & wants)) continue;
        for (int k = 0; k < c->file_count; k++)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s?}", "component",
                                                  vx_component_name((vx_component)i), "file",
                                                  c->files[k].name, "sha256", c->files[k].sha256));
    }
    return list;
}

static json_t *numbers_json(const float *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real((double)values[i]));
    return list;
}

/* null when verification was skipped: no prompt, no CLIPs in the pack, or not wanted. */
static json_t *verify_json(const vx_slot *slot)
{
    const vx_score *score = &slot->score;
    if (!slot->verified) return json_null();
    return json_pack("{s:f, s:f, s:f, s:b, s:b, s:{s:o, s:o}}", "b", score->b, "l", score->l,
                     "ensemble", score->ensemble, "pass", score->pass, "outlier", score->outlier,
                     "embeddings", "b", numbers_json(slot->embedding_b, slot->embedding_b_count),
                     "l", numbers_json(slot->embedding_l, slot->embedding_l_count));
}

static json_t *subtitles_json(const vx_slot *slot)
{
    vx_captions captions = vx_captions_of(&slot->spoken);
    vx_caption cue;
    char how[16];
    int cues = 0;
    while (vx_captions_next(&captions, &cue))
        cues++;
    vx_choice_name(VX_SUBTITLES_NAMES, slot->recipe->output.subtitles, how, sizeof how);
    return json_pack("{s:s, s:i, s:o, s:o}", "in_film", how, "cues", cues, "srt",
                     text_or_null(slot->request->srt), "vtt", text_or_null(slot->request->vtt));
}

/* ---- speech and pictures alone -------------------------------------------------------------- */

static void add_speech(const vx_slot *slot, json_t *report)
{
    const vx_spoken *spoken = &slot->spoken;
    json_object_update_new(report,
                           json_pack("{s:s, s:f, s:i, s:o}", "voice", spoken->voice, "duration_s",
                                     (double)spoken->count / VX_KOKORO_RATE, "chunks",
                                     spoken->chunks, "timings", vx_spoken_timings(spoken)));
    if (slot->recipe->audio.loudness != VX_LOUDNESS_OFF)
        json_object_set_new(report, "loudness", vx_loudness_json(&slot->loudness));
}

static json_t *picture_stages_json(const vx_imagined *made)
{
    json_t *stages = json_array();
    for (int i = 0; i < made->stages; i++)
        json_array_append_new(stages,
                              json_pack("{s:s, s:i, s:f, s:f}", "name", made->stage[i].name, "runs",
                                        made->stage[i].runs, "seconds", made->stage[i].seconds,
                                        "flops", made->stage[i].flops));
    return stages;
}

static void add_picture(const vx_slot *slot, json_t *report)
{
    const vx_imagined *made = &slot->made;
    const vx_pack *pack = slot->pack;
    const vx_engine *engine = slot->crew->engine;
    json_object_update_new(
        report,
        json_pack("{s:i, s:i, s:i, s:{s:s, s:s, s:b, s:s}, s:{s:o, s:o, s:i, s:i, s:i, s:i, s:o, "
                  "s:o}, s:o, s:{s:I, s:I}}",
                  "width", made->size.width, "height", made->size.height, "steps", made->size.steps,
                  "pack", "name", pack->name, "version", pack->version, "synthetic",
                  pack->synthetic, "sha256", pack->sha256, "prompt", "text",
                  vx_json_text(slot->recipe->visual.prompt), "expanded",
                  text_or_null(made->expanded), "t5_tokens", made->t5_tokens, "t5_dropped",
                  made->t5_dropped, "clip_tokens", made->clip_tokens, "clip_dropped",
                  made->clip_dropped, "ignored", vx_ignored_json(made->ignored), "replaced",
                  vx_replaced_json(made->replaced), "stages", picture_stages_json(made), "memory",
                  "planned_bytes", (json_int_t)vx_engine_planned(engine)->total_bytes,
                  "measured_peak_bytes", (json_int_t)vx_engine_measured_bytes(engine)));
}

static void add_scores(const vx_slot *slot, json_t *report)
{
    const vx_recipe *r = slot->recipe;
    const char *const *prompt = r->score.prompts.items;
    double share[VX_PROMPTS_MAX];
    json_t *frames = json_array(), *prompts = json_array();
    vx_score_softmax(slot->scores, r->score.prompts.count, share);
    for (int i = 0; i < slot->judged_count; i++)
        json_array_append_new(frames, json_integer(slot->judged_index[i]));
    for (int i = 0; i < r->score.prompts.count; i++) {
        const vx_score *s = &slot->scores[i];
        json_array_append_new(prompts, json_pack("{s:o, s:f, s:f, s:f, s:f, s:b, s:b}", "text",
                                                 vx_json_text(prompt[i]), "b", s->b, "l", s->l,
                                                 "ensemble", s->ensemble, "softmax", share[i],
                                                 "pass", s->pass, "outlier", s->outlier));
    }
    json_object_set_new(report, "media", text_or_null(r->visual.image_file.name));
    json_object_set_new(report, "frames", frames);
    json_object_set_new(report, "prompts", prompts);
    if (r->score.embeddings)
        json_object_set_new(report, "embeddings",
                            json_pack("{s:o, s:o}", "b",
                                      numbers_json(slot->embedding_b, slot->embedding_b_count), "l",
                                      numbers_json(slot->embedding_l, slot->embedding_l_count)));
}

/* The documents of `say`, `imagine` and `score`. */
static json_t *report_alone(vx_slot *slot, vx_status status)
{
    const vx_recipe *r = slot->recipe;
    json_t *report =
        json_pack("{s:s, s:o, s:I, s:s, s:o}", "slot_id", r->slot_id, "path",
                  text_or_null(slot->request->path), "seed", (json_int_t)r->seed, "outcome",
                  slot->outcome, "warnings", vx_warnings_json(&slot->warnings));
    if (report == NULL || status != VX_OK) return report;
    if (r->kind == VX_SPEECH)
        add_speech(slot, report);
    else if (r->kind == VX_PICTURE)
        add_picture(slot, report);
    else
        add_scores(slot, report);
    return report;
}

/* ---- films ---------------------------------------------------------------------------------- */

static json_t *report_film(vx_slot *slot, vx_status status)
{
    const vx_recipe *r = slot->recipe;
    const vx_pack *pack = slot->pack;
    const vx_engine *engine = slot->crew->engine;
    json_t *report = json_pack(
        "{s:s, s:s, s:I, s:{s:s, s:s, s:b, s:s}, s:s, s:o, s:{s:I, s:I, s:i}, s:s}", "slot_id",
        r->slot_id, "recipe_sha256", r->sha256, "seed", (json_int_t)r->seed, "pack", "name",
        pack->name, "version", pack->version, "synthetic", pack->synthetic, "sha256", pack->sha256,
        "device", vx_engine_backend(engine)->device.name, "stages",
        stages_json(slot->stage, slot->stages), "memory", "planned_bytes",
        (json_int_t)vx_engine_planned(engine)->total_bytes, "measured_peak_bytes",
        (json_int_t)vx_engine_measured_bytes(engine), "soft_events",
        (int)vx_monitor_read(&slot->crew->monitor).soft_events, "outcome", slot->outcome);
    if (report == NULL) return NULL;
    json_object_set_new(report, "warnings", vx_warnings_json(&slot->warnings));
    json_object_set_new(report, "backend", json_string(vx_engine_backend(engine)->ops->name));
    json_object_set_new(report, "level", json_string(vx_engine_backend(engine)->device.level));
    if (slot->pictured != NULL)
        json_object_set_new(report, "actor",
                            json_pack("{s:s, s:s?, s:s?, s:o, s:o}", "from", slot->pictured,
                                      "prompt", r->visual.prompt, "expanded", slot->made.expanded,
                                      "ignored", vx_ignored_json(slot->made.ignored), "replaced",
                                      vx_replaced_json(slot->made.replaced)));
    json_object_set_new(json_object_get(report, "pack"), "weights", weights_json(slot));
    if (slot->spoken.count > 0)
        json_object_set_new(report, "audio",
                            json_pack("{s:s, s:f, s:o}", "voice", slot->spoken.voice, "duration_s",
                                      (double)slot->spoken.count / VX_KOKORO_RATE, "timings",
                                      vx_spoken_timings(&slot->spoken)));
    if (status != VX_OK && status != VX_ERR_VERIFY) return report;
    json_object_set_new(json_object_get(report, "audio"), "loudness",
                        vx_loudness_json(&slot->loudness));
    json_object_set_new(report, "subtitles", subtitles_json(slot));
    char mood[16] = "";
    if (slot->motion.count > 0) vx_choice_name(VX_MOOD_NAMES, slot->mood, mood, sizeof mood);
    json_object_set_new(report, "video",
                        json_pack("{s:I, s:i, s:s, s:s?}", "frames", (json_int_t)slot->frames,
                                  "fps", slot->fps, "driven_by", slot->driven_by, "mood",
                                  slot->motion.count > 0 ? mood : NULL));
    if (slot->sync_s >= 0)
        json_object_set_new(report, "sync", json_pack("{s:f}", "max_offset_s", slot->sync_s));
    json_object_set_new(report, "verify", verify_json(slot));
    json_object_set_new(report, "output", output_json(slot));
    return report;
}

json_t *vx_report(vx_slot *slot, vx_status status)
{
    return slot->recipe->kind == VX_FILM ? report_film(slot, status) : report_alone(slot, status);
}
