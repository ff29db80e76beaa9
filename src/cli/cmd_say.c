/* vortex say: speech only. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/explain.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/tell.h"
#include "media/loudness.h"
#include "slot/captions.h"
#include "slot/speak.h"
#include "media/sound_out.h"
#include "text/clean.h"

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

/* One speech under way. */
typedef struct saying {
    vx_sound_out *out;
    vx_progress progress;
    vx_cancel *cancel;
    vx_error *err;
    uint64_t expected; /* samples, roughly */
    bool whole;        /* written when all of it is there */
    vx_loudness loudness;
} saying;

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

static vx_status write_chunk(void *arg, const float *samples, int64_t first, int64_t count,
                             const vx_word *words, int64_t word_count)
{
    (void)words;
    (void)word_count;
    saying *s = arg;
    if (vx_cancelled(s->cancel))
        return vx_fail(s->err, VX_ERR_CANCELLED, "cancelled", "the speech was cancelled");
    vx_progress_update(&s->progress, (uint64_t)(first + count), s->expected);
    return s->whole ? VX_OK : vx_sound_out_put(s->out, samples, count, s->err);
}

static vx_status put_whole(void *arg, const float *samples, int64_t count, vx_error *err)
{
    return vx_sound_out_put(arg, samples, count, err);
}

/* The speech at the loudness that was asked for, which is known only when all of it is there. */
static vx_status write_whole(saying *s, const say_params *p, const vx_spoken *spoken)
{
    vx_loudness_params params = {
        .sample_rate = VX_KOKORO_RATE, .target_lufs = p->loudness, .put = put_whole, .arg = s->out};
    VX_TRY(vx_loudness_run(&params, spoken->samples, spoken->count, &s->loudness, s->err));
    vx_loudness_warn(&s->loudness, p->loudness, "--loudness");
    return VX_OK;
}

/* What stands beside the sound. */
static vx_status write_companions(const say_params *p, const vx_spoken *spoken, vx_error *err)
{
    if (p->timings != NULL) VX_TRY(vx_json_write(p->timings, vx_spoken_timings(spoken), err));
    if (p->srt != NULL) VX_TRY(vx_captions_write_srt(spoken, p->srt, err));
    return p->vtt != NULL ? vx_captions_write_vtt(spoken, p->vtt, err) : VX_OK;
}

/* A bound on the speech's length. Slow voices speak 12 characters a second; digits and signs expand
 * to words, about eight characters each. */
static double longest_seconds(const script *text, double speed)
{
    double characters = 0;
    for (size_t i = 0; i < text->bytes; i++) {
        unsigned char c = (unsigned char)text->text[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        characters += letter || c == ' ' ? 1 : c < 0x80 ? 8 : 2;
    }
    return 5 + characters / 8 / speed;
}

static vx_status speak(vx_cli *cli, const say_params *p, const script *text, vx_engine *engine,
                       vx_speaker *speaker, vx_error *err)
{
    saying s = {.cancel = cli->cancel, .err = err, .whole = p->loudness != VX_LOUDNESS_OFF};
    vx_ctx ctx = vx_engine_ctx(engine, VX_LANE_AUDIO, cli->cancel, err);
    vx_spoken spoken;
    vx_speak_request request = {.text = text->text,
                                .bytes = text->bytes,
                                .phonemes = p->phonemes != NULL,
                                .voice_id = p->voice,
                                .speed = p->speed,
                                .seed = cli->seed > 0 ? (uint64_t)cli->seed : 0,
                                .sink = write_chunk,
                                .sink_arg = &s};
    s.expected = (uint64_t)((double)text->bytes / 15 / p->speed * VX_KOKORO_RATE);
    vx_sound_out_params out = {.path = p->out, .sample_rate = VX_KOKORO_RATE};
    VX_TRY(vx_sound_format_of(p->out, p->format, &out.format, err));
    VX_TRY(vx_sound_out_open(&s.out, &out, err));
    vx_progress_start(&s.progress, cli->quiet, "speaking", "samples");
    vx_status status = vx_speaker_run(speaker, &ctx, &request, &spoken);
    vx_progress_end(&s.progress);
    if (status == VX_OK && s.whole) status = write_whole(&s, p, &spoken);
    if (status == VX_OK) status = write_companions(p, &spoken, err);
    if (status != VX_OK) {
        vx_sound_out_abort(&s.out);
        return status;
    }
    VX_TRY(vx_sound_out_finish(&s.out, err));
    double seconds = (double)spoken.count / VX_KOKORO_RATE;
    vx_tell(cli, "%s: %.1f s, voice %s", p->out, seconds, spoken.voice);
    if (!cli->json) return VX_OK;
    json_t *doc = json_pack("{s:o, s:s, s:f, s:i, s:o}", "path", vx_json_text(p->out), "voice",
                            spoken.voice, "duration_s", seconds, "chunks", spoken.chunks, "timings",
                            vx_spoken_timings(&spoken));
    if (s.whole) json_object_set_new(doc, "loudness", vx_loudness_json(&s.loudness));
    return vx_json_print(doc, err);
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
    vx_pack pack = {0};
    vx_engine *engine = NULL;
    vx_speaker *speaker = NULL;
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
    VX_TRY(read_script(cli, p, &text, err));
    vx_status status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_engine_params params = {VX_OUR_PARTS,
                               .settings = &cli->settings,
                               .pack = &pack,
                               .wants = VX_WANT_SPEECH,
                               .speech_seconds = longest_seconds(&text, p->speed),
                               .cancel = cli->cancel};
    if (status == VX_OK) status = vx_engine_open(&engine, &params, err);
    int accents = p->phonemes ? 0 : VX_ACCENTS_US;
    if (status == VX_OK && !p->phonemes)
        accents = vx_speaker_accents(&cli->settings, &pack, p->voice);
    if (status == VX_OK) status = vx_speaker_open(&speaker, engine, accents, err);
    if (status == VX_OK) status = speak(cli, p, &text, engine, speaker, err);
    vx_speaker_close(&speaker);
    vx_engine_close(&engine);
    vx_pack_close(&pack);
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
