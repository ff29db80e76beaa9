/* vortex say: speech only. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/json_out.h"
#include "cli/resident.h"
#include "cli/tell.h"
#include "media/loudness.h"
#include "media/sound_out.h"
#include "text/clean.h"
#include "text/utf8.h"

typedef struct say_params {
    const char *file, *phonemes, *out, *voice, *timings;
    const char *srt, *vtt;
    double speed, loudness; /* VX_LOUDNESS_OFF unless asked for */
    bool explain;
    int format;
} say_params;

/* The text to speak: a word, a file or the phonemes. */
typedef struct script {
    const char *text;
    size_t bytes;
    char *owned;
} script;

static vx_status read_script(const vx_cli *cli, const say_params *p, script *s, vx_error *err)
{
    int given = (cli->word_count > 0) + (p->file != NULL) + (p->phonemes != NULL);
    *s = (script){0};
    if (given != 1)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "say takes one of TEXT, -f FILE and --phonemes; %d were given", given);
    if (p->file != NULL) {
        VX_TRY(vx_file_read(p->file, VX_TEXT_BYTES_MAX, &s->owned, &s->bytes, err));
        s->text = s->owned;
        return VX_OK;
    }
    s->text = p->phonemes != NULL ? p->phonemes : cli->words[0];
    s->bytes = strlen(s->text);
    return VX_OK;
}

/* What cannot be said is refused before anything loads. */
static vx_status check_script(const say_params *p, const script *s, vx_error *err)
{
    vx_clean clean = {0};
    size_t bad;
    if (p->phonemes != NULL && !vx_utf8_valid(s->text, s->bytes, &bad))
        return vx_fail(err, VX_ERR_INPUT, "bad_text", "the phonemes are no UTF-8 at byte %zu", bad);
    if (p->phonemes != NULL) return VX_OK;
    vx_status status = vx_clean_open(&clean, err);
    if (status == VX_OK) status = vx_clean_text(&clean, s->text, s->bytes, err);
    vx_clean_close(&clean);
    return status;
}

/* The request's document; the caller frees it. */
static char *write_request(const say_params *p, const script *s)
{
    json_t *request = json_pack("{s:s%, s:f}", p->phonemes != NULL ? "phonemes" : "script", s->text,
                                s->bytes, "speed", p->speed);
    if (p->voice != NULL) json_object_set_new(request, "voice_id", vx_json_text(p->voice));
    if (p->loudness != VX_LOUDNESS_OFF)
        json_object_set_new(request, "loudness", json_real(p->loudness));
    if (p->format >= 0) {
        char format[16];
        vx_choice_name(VX_SOUND_FORMAT_NAMES, p->format, format, sizeof format);
        json_object_set_new(request, "format", json_string(format));
    }
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    return text;
}

static vx_status tell(const vx_cli *cli, const say_params *p, const vx_result *result,
                      vx_error *err)
{
    json_t *report = json_loads(result->report, 0, NULL);
    const char *voice = json_string_value(json_object_get(report, "voice"));
    vx_tell(cli, "%s: %.1f s, voice %s", p->out, (double)result->sample_count / result->sample_rate,
            voice != NULL ? voice : "");
    if (cli->json) return vx_json_print(report, err);
    json_decref(report);
    return VX_OK;
}

static vx_status speak(const vx_cli *cli, const say_params *p, const script *s, vx_error *err)
{
    vx_resident r = {0};
    vx_job *job = NULL;
    char *request = write_request(p, s);
    if (request == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the request");
    vx_submit_params speech = {.kind = VX_SPEECH,
                               .text = request,
                               .path = p->out,
                               .timings = p->timings,
                               .srt = p->srt,
                               .vtt = p->vtt};
    vx_status status = vx_resident_open(&r, cli, &speech, 1, err);
    if (status == VX_OK) status = vx_resident_make(&r, &speech, false, &job, err);
    if (status == VX_OK) status = tell(cli, p, vx_job_result(job), err);
    vx_job_free(&job);
    vx_resident_close(&r);
    free(request);
    return status;
}

static vx_status explain_script(vx_cli *cli, const say_params *p, vx_error *err)
{
    script text;
    if (p->out != NULL || p->phonemes != NULL || p->timings != NULL)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--explain only prints how a text would be said; leave out --out, --timings "
                       "and --phonemes");
    VX_TRY(read_script(cli, p, &text, err));
    vx_status status = vx_explain(cli, text.text, text.bytes, p->voice, err);
    vx_heap_free(text.owned);
    return status;
}

static vx_status run_say(vx_cli *cli, void *raw, vx_error *err)
{
    say_params *p = raw;
    script text;
    if (p->explain) return explain_script(cli, p, err);
    if (p->out == NULL)
        return vx_fail(
            err, VX_ERR_USAGE, "bad_usage",
            "--out FILE is missing (or --explain, which speaks nothing): see 'vortex say "
            "--help'");
    if (cli->json && strcmp(p->out, "-") == 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "--json and -o - both want stdout; choose one");
    vx_sound_format format;
    VX_TRY(vx_sound_format_of(p->out, p->format, &format, err));
    vx_status status = read_script(cli, p, &text, err);
    if (status == VX_OK) status = check_script(p, &text, err);
    if (status == VX_OK) status = speak(cli, p, &text, err);
    vx_heap_free(text.owned);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(IN, NULL, "file", 'f', "FILE", say_params, file, "speak a text file; - is stdin"),
    VX_FLAG("phonemes", 0, "STRING", say_params, phonemes, TEXT,
            "speak Kokoro's own symbols, at most 510, verbatim"),
    VX_FLAG_FILE(OUT, "wav flac mp3 opus ogg aac pcm", "out", 'o', "FILE", say_params, out,
                 "the sound: .wav, .flac, .mp3, .opus, .aac or .pcm; - is stdout"),
    VX_FLAG("voice", 'v', "V", say_params, voice, WORD,
            "a voice, an alias or a blend: af_heart, af_heart:0.7,af_bella:0.3"),
    VX_FLAG("speed", 0, "S", say_params, speed, FLOAT, "0.5 to 2", .min = 0.5, .max = 2,
            .fallback = "1"),
    VX_FLAG("format", 0, "FORMAT", say_params, format, ENUM,
            "for -o -: wav (the default), flac, mp3, opus, aac or pcm",
            .choices = VX_SOUND_FORMAT_NAMES),
    VX_FLAG("loudness", 0, "LUFS", say_params, loudness, FLOAT,
            "-30 to -10: as loud as that, which waits for the whole speech", .min = VX_LOUDNESS_MIN,
            .max = VX_LOUDNESS_MAX, .off = true, .fallback = "0"),
    VX_FLAG_FILE(OUT, "srt", "srt", 0, "FILE", say_params, srt, "captions as SubRip"),
    VX_FLAG_FILE(OUT, "vtt", "vtt", 0, "FILE", say_params, vtt,
                 "captions as WebVTT, with word times"),
    VX_FLAG_FILE(OUT, "json", "timings", 0, "FILE", say_params, timings,
                 "start and end of every phoneme and word, as JSON"),
    VX_FLAG("explain", 0, NULL, say_params, explain, BOOL,
            "print what would be said, word by word, and speak nothing"),
    VX_FLAGS_END,
};

const vx_command vx_command_say = {
    .name = "say",
    .usage = "TEXT | -f FILE | --phonemes STRING  -o out.wav | --explain",
    .summary = "speech only",
    .details = "24 kHz, mono; WAV, FLAC and PCM of 16 bits. A long text streams: its first chunk "
               "is short.",
    .flags = flags,
    .params_bytes = sizeof(say_params),
    .words_max = 1,
    .run = run_say,
};
