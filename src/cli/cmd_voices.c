/* vortex voices: who can speak, and how each one sounds. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "media/sound_out.h"
#include "slot/voices.h"

/* A sample is a sentence of a few words; whatever the names are, none is longer. */
static const double SAMPLE_SECONDS = 10;
enum { NAME_ROOM = 512 }; /* an alias has at most 100 characters of UTF-8 (pack.c) */

typedef struct voices_params {
    const char *sample;
} voices_params;

/* ---- samples --------------------------------------------------------------------------------- */

/* Where each sample goes. An alias is any text, a file's name is not. */
static vx_status name_samples(vx_voices *v, const char *folder, vx_error *err)
{
    for (int i = 0; i < v->count; i++) {
        const char *name = v->voice[i].name;
        char file[NAME_ROOM];
        snprintf(file, sizeof file, "%s.wav", name);
        if (name[0] == '.' || strchr(name, '/') != NULL)
            return vx_fail(err, VX_ERR_INPUT, "bad_voice",
                           "the alias \"%s\" can't be a file's name; rename it without slashes and "
                           "without a point at its begin",
                           name);
        if (!vx_path_join(&v->voice[i].file, folder, file))
            return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                           "the path of a sample in %s is too long; choose another folder", folder);
    }
    return VX_OK;
}

/* What it says: its name without Kokoro's prefix, as words. */
static void introduce(const vx_voice_entry *v, char *text, size_t room)
{
    const char *name = v->name;
    if (v->of == NULL && v->gender != 0) name += strlen("af_");
    snprintf(text, room, "Hello, I am %s.", name);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '_' || *c == '-') *c = ' ';
}

static vx_status write_sample(vx_cli *cli, const vx_voice_entry *v, vx_engine *engine,
                              vx_speaker *speaker, vx_error *err)
{
    char text[NAME_ROOM + 32];
    vx_sound_out *out;
    vx_spoken spoken;
    vx_ctx ctx = vx_engine_ctx(engine, VX_LANE_AUDIO, cli->cancel, err);
    introduce(v, text, sizeof text);
    vx_speak_request request = {.text = text,
                                .bytes = strlen(text),
                                .voice_id = v->name,
                                .seed = cli->seed > 0 ? (uint64_t)cli->seed : 0,
                                .truncate = true};
    VX_TRY(vx_speaker_run(speaker, &ctx, &request, &spoken));
    vx_sound_out_params params = {
        .path = v->file.text, .format = VX_SOUND_WAV, .sample_rate = VX_KOKORO_RATE};
    VX_TRY(vx_sound_out_open(&out, &params, err));
    vx_status status = vx_sound_out_put(out, spoken.samples, spoken.count, err);
    if (status == VX_OK) return vx_sound_out_finish(&out, err);
    vx_sound_out_abort(&out);
    return status;
}

static vx_status write_samples(vx_cli *cli, const vx_pack *pack, vx_voices *v, const char *folder,
                               vx_error *err)
{
    vx_engine *engine = NULL;
    vx_speaker *speaker = NULL;
    vx_progress progress;
    int accents = 0;
    for (int i = 0; i < v->count; i++)
        accents |= v->voice[i].british ? VX_ACCENTS_GB : VX_ACCENTS_US;
    VX_TRY(name_samples(v, folder, err));
    vx_engine_params params = {VX_OUR_PARTS,
                               .settings = &cli->settings,
                               .pack = pack,
                               .wants = VX_WANT_SPEECH,
                               .speech_seconds = SAMPLE_SECONDS,
                               .cancel = cli->cancel};
    vx_status status = vx_engine_open(&engine, &params, err);
    if (status == VX_OK) status = vx_speaker_open(&speaker, engine, accents, err);
    if (status == VX_OK) status = vx_folder_make(folder, err);
    vx_progress_start(&progress, cli->quiet, "speaking", "voices");
    for (int i = 0; i < v->count && status == VX_OK; i++) {
        status = write_sample(cli, &v->voice[i], engine, speaker, err);
        vx_progress_update(&progress, (uint64_t)i + 1, (uint64_t)v->count);
    }
    vx_progress_end(&progress);
    vx_speaker_close(&speaker);
    vx_engine_close(&engine);
    if (status == VX_OK) vx_tell(cli, "%s: %d samples of voices", folder, v->count);
    return status;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void print_voices(const vx_pack *pack, const vx_voices *list)
{
    for (int i = 0; i < list->count; i++) {
        const vx_voice_entry *v = &list->voice[i];
        const char *gender = vx_gender_name(v->gender);
        printf("%-16s %-8s  %s", v->name, v->british ? "British" : "American",
               gender != NULL ? gender : "-");
        if (v->of != NULL)
            printf("%*s  %s", gender != NULL ? 6 - (int)strlen(gender) : 5, "", v->of);
        printf("\n");
    }
    if (pack->license != NULL) printf("licence of pack %s: %s\n", pack->name, pack->license);
}

static vx_status run_voices(vx_cli *cli, void *raw, vx_error *err)
{
    const voices_params *p = raw;
    vx_pack pack = {0};
    vx_voices list = {0};
    vx_status status = vx_pack_open(&pack, cli->settings.pack, err);
    if (status == VX_OK) status = vx_voices_find(&list, &cli->settings, &pack, err);
    if (status == VX_OK && p->sample != NULL)
        status = write_samples(cli, &pack, &list, p->sample, err);
    if (status == VX_OK && cli->json)
        status = vx_json_print(vx_voices_document(&list, &pack), err);
    else if (status == VX_OK)
        print_voices(&pack, &list);
    vx_voices_free(&list);
    vx_pack_close(&pack);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(OUT_FOLDER, NULL, "sample", 0, "DIR", voices_params, sample,
                 "let each say its name: DIR/NAME.wav"),
    VX_FLAGS_END,
};

const vx_command vx_command_voices = {
    .name = "voices",
    .usage = "",
    .summary = "the voices there are, what aliases stand for, how each one sounds",
    .details = "Aliases come first. A blend is of the accent of its first part.\n",
    .flags = flags,
    .params_bytes = sizeof(voices_params),
    .run = run_voices,
};
