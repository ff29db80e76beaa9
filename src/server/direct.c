#include "server/direct.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/feed.h"
#include "server/wish.h"

static const char *const kind_names[VX_KINDS] = {"film", "speech", "picture", "animation", "score"};

struct vx_direct {
    vx_server *server;
    vx_request *request; /* NULL: its client has gone */
    vx_kind kind;
    vx_job *job; /* NULL: it has ended */
    vx_feed *feed;
    char *text;
    void *image;
    char client[VX_CLIENT_NAME], session[64];
    char path[PATH_MAX]; /* of a whole file, "" for none */
    const char *type;    /* of the answer */
    bool timings, first_told;
    double begin_s;
    vx_error error; /* once ended; status VX_OK: it is done */
    char *report;   /* heap */
    vx_direct *next;
};

/* ---- the engine's callbacks ------------------------------------------------------------------ */

static int on_write(void *arg, const void *bytes, size_t count)
{
    vx_direct *d = arg;
    int status = vx_feed_write(d->feed, bytes, count);
    vx_server_wake(d->server);
    return status;
}

/* 16 bits as every sound has them (CONTRACTS: round(32767 x), clipped). */
static json_t *samples_json(const float *samples, int64_t count)
{
    uint8_t *bytes = vx_heap_alloc((size_t)count * 2);
    if (bytes == NULL) return NULL;
    for (int64_t i = 0; i < count; i++) {
        float x = samples[i] > 1 ? 1 : samples[i] >= -1 ? samples[i] : samples[i] < -1 ? -1 : 0;
        int value = (int)lrintf(32767 * x);
        bytes[2 * i] = (uint8_t)(value & 255);
        bytes[2 * i + 1] = (uint8_t)(value >> 8 & 255);
    }
    json_t *text = vx_base64_json(bytes, (size_t)count * 2);
    vx_heap_free(bytes);
    return text;
}

static void say_line(vx_direct *d, json_t *json)
{
    char *line = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (line != NULL) {
        vx_feed_write(d->feed, line, strlen(line));
        vx_feed_write(d->feed, "\n", 1);
    }
    free(line);
    json_decref(json);
}

static void on_sound(void *arg, int64_t first, const float *samples, int64_t count,
                     const vx_word *words, int64_t word_count)
{
    vx_direct *d = arg;
    json_t *list = json_array();
    for (int64_t i = 0; i < word_count; i++)
        json_array_append_new(list, json_pack("{s:s%, s:f, s:f}", "text", words[i].text,
                                              (size_t)words[i].text_bytes, "start_s",
                                              (double)words[i].start / 24000, "end_s",
                                              (double)words[i].end / 24000));
    say_line(d, json_pack("{s:o, s:f, s:o}", "audio", samples_json(samples, count), "start_s",
                          (double)first / 24000, "words", list));
    vx_server_wake(d->server);
}

static void on_ended(void *arg, vx_job *job)
{
    (void)job;
    vx_server_wake(((vx_direct *)arg)->server);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void free_direct(vx_direct *d)
{
    vx_direct **at = &d->server->direct;
    while (*at != NULL && *at != d)
        at = &(*at)->next;
    if (*at == d) *at = d->next;
    vx_job_free(&d->job);
    vx_feed_drop(&d->feed);
    if (d->path[0] != '\0') unlink(d->path);
    vx_heap_free(d->text);
    vx_heap_free(d->image);
    vx_heap_free(d->report);
    vx_heap_free(d);
}

int vx_direct_count(const vx_server *s, const char *client, int kind, vx_state state)
{
    int count = 0;
    for (const vx_direct *d = s->direct; d != NULL; d = d->next)
        count += d->job != NULL && vx_job_poll(d->job) == state &&
                 (client == NULL || strcmp(d->client, client) == 0) &&
                 (kind < 0 || (int)d->kind == kind);
    return count;
}

/* The last line of speech with timings: how long it is, and its phonemes. */
static void say_phonemes(vx_direct *d, const vx_result *result)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < result->symbol_count; i++) {
        char symbol[8];
        vx_utf8_of(result->symbol[i], symbol);
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:f}", "symbol", symbol, "start_s",
                            (double)result->symbol_times[i].start / result->sample_rate, "end_s",
                            (double)result->symbol_times[i].end / result->sample_rate));
    }
    say_line(d, json_pack("{s:b, s:I, s:o}", "done", 1, "samples", (json_int_t)result->sample_count,
                          "phonemes", list));
}

static void count_end(const vx_direct *d, const vx_result *result)
{
    vx_http_metrics *m = &d->server->metrics;
    double took_s = vx_now_s() - d->begin_s;
    const char *kind = kind_names[d->kind];
    if (d->kind == VX_SPEECH && result->sample_count > 0)
        vx_observe_s(m, "vortex_speech_realtime_ratio", "", "",
                     took_s * result->sample_rate / (double)result->sample_count);
    vx_log_always("%s: %s after %.2f s", kind, result->outcome, took_s);
}

static void finish(vx_direct *d)
{
    const vx_result *result = vx_job_result(d->job);
    bool whole = result->error.status == VX_OK;
    if (d->timings && whole) say_phonemes(d, result);
    count_end(d, result);
    d->error = result->error;
    if (result->report != NULL) d->report = vx_heap_text(result->report, strlen(result->report));
    vx_job_free(&d->job);
    vx_feed_end(d->feed, whole);
}

void vx_direct_look(vx_server *s)
{
    for (vx_direct *d = s->direct, *next; d != NULL; d = next) {
        next = d->next;
        if (d->job != NULL && vx_job_poll(d->job) == VX_ENDED) finish(d);
        if (d->job == NULL && d->request == NULL) free_direct(d);
    }
}

void vx_direct_request_ended(vx_request *r)
{
    vx_direct *d = r->direct;
    if (d == NULL) return;
    d->request = NULL;
    r->direct = NULL;
    vx_job_cancel(d->job);
}

void vx_direct_cancel_all(vx_server *s)
{
    for (vx_direct *d = s->direct; d != NULL; d = d->next)
        vx_job_cancel(d->job);
}

/* ---- beginning one --------------------------------------------------------------------------- */

static vx_status begin(vx_request *r, vx_kind kind, vx_wish *wish, vx_submit_params *params,
                       vx_error *err)
{
    vx_server *s = r->server;
    VX_TRY(vx_work_limits(s, r->client, err));
    vx_direct *d = vx_heap_alloc(sizeof *d);
    if (d == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a job");
    *d = (vx_direct){.server = s,
                     .kind = kind,
                     .begin_s = vx_now_s(),
                     .text = wish->text,
                     .image = wish->image,
                     .next = s->direct};
    s->direct = d;
    wish->text = NULL;
    wish->image = NULL;
    snprintf(d->client, sizeof d->client, "%s", r->client);
    params->kind = kind;
    params->text = d->text;
    params->confined = true;
    params->image = d->image;
    params->image_bytes = wish->image_bytes;
    params->arg = d;
    params->ended = on_ended;
    vx_status status = vx_feed_open(&d->feed, NULL, err);
    if (status == VX_OK) status = vx_submit(s->vortex, params, &d->job, err);
    if (status != VX_OK) {
        free_direct(d);
        return status;
    }
    d->request = r;
    r->direct = d;
    r->feed = vx_feed_hold(d->feed);
    vx_request_sleep(r);
    return VX_OK;
}

/* ---- speech ---------------------------------------------------------------------------------- */

static const struct {
    const char *format, *type;
} sounds[] = {{"wav", "audio/wav"}, {"mp3", "audio/mpeg"},  {"opus", "audio/ogg"},
              {"aac", "audio/aac"}, {"flac", "audio/flac"}, {"pcm", "audio/pcm;rate=24000"},
              {NULL, NULL}};

/* What of a request for speech is the server's; the rest is the engine's to judge. */
typedef struct speech_wish {
    bool timings, whole;
    const char *format, *type;
} speech_wish;

static vx_status take_flag(vx_request *r, json_t *json, const char *key, bool *flag, vx_error *err)
{
    const json_t *value = json_object_get(json, key);
    if (value != NULL && !json_is_boolean(value)) {
        r->param = key;
        return vx_fail(err, VX_ERR_INPUT, "bad_json", "%s must be true or false", key);
    }
    if (value != NULL) *flag = json_is_true(value);
    json_object_del(json, key);
    return VX_OK;
}

static vx_status read_speech(vx_request *r, speech_wish *speech, vx_wish *wish, vx_error *err)
{
    json_t *json;
    bool stream = true;
    VX_TRY(vx_request_json(r, NULL, &json, err));
    const json_t *format = json_object_get(json, "format");
    const char *word = format != NULL ? json_string_value(format) : "wav";
    int at = 0;
    while (word != NULL && sounds[at].format != NULL && strcmp(sounds[at].format, word) != 0)
        at++;
    speech->format = sounds[at].format;
    speech->type = sounds[at].type;
    vx_status status = VX_OK;
    if (word == NULL || sounds[at].format == NULL) {
        r->param = "format";
        status = vx_fail(err, VX_ERR_INPUT, "bad_format",
                         "format must be wav, flac, mp3, opus, aac or pcm");
    }
    if (status == VX_OK) status = take_flag(r, json, "timings", &speech->timings, err);
    if (status == VX_OK) status = take_flag(r, json, "stream", &stream, err);
    if (status == VX_OK)
        status = vx_wish_check_length(r, json, "script", r->server->serve->speech_chars, err);
    speech->whole = !stream && !speech->timings;
    if (status == VX_OK) status = vx_wish_text(wish, json, err);
    json_decref(json);
    return status;
}

static vx_status begin_speech(vx_request *r, vx_error *err)
{
    speech_wish speech = {0};
    vx_wish wish = {0};
    char path[PATH_MAX];
    VX_TRY(vx_work_open(r->server, err));
    vx_status status = read_speech(r, &speech, &wish, err);
    vx_submit_params params = {.priority = VX_HIGH};
    if (speech.whole) {
        static unsigned number;
        snprintf(path, sizeof path, "%s/answer-%u.%s", r->server->results, number++,
                 speech.format != NULL ? speech.format : "");
        params.path = path;
    } else if (speech.timings) {
        params.sound = on_sound;
    } else {
        params.write = on_write;
    }
    if (status == VX_OK) status = begin(r, VX_SPEECH, &wish, &params, err);
    vx_wish_free(&wish);
    VX_TRY(status);
    r->direct->type = speech.timings ? "application/x-ndjson" : speech.type;
    r->direct->timings = speech.timings;
    if (speech.whole) snprintf(r->direct->path, sizeof r->direct->path, "%s", path);
    r->feed_whole = speech.whole;
    return VX_OK;
}

vx_status vx_direct_speech(vx_request *r, vx_error *err)
{
    vx_direct *d = r->direct;
    if (d == NULL) return begin_speech(r, err);
    bool ended = d->job == NULL;
    if (ended && d->error.status != VX_OK && atomic_load(&d->feed->written) == 0) {
        *err = d->error;
        return err->status;
    }
    if (!ended && (r->feed_whole || atomic_load(&d->feed->written) == 0)) {
        vx_request_sleep(r);
        return VX_OK;
    }
    vx_observe_s(&r->server->metrics, "vortex_speech_first_byte_seconds", "", "",
                 vx_now_s() - r->begin_s);
    if (!r->feed_whole) return vx_reply_feed(r, d->type);
    vx_status status = vx_reply_file(r, d->path, d->type, NULL, err);
    r->cached = false;
    return status;
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* A later request of the same session is what its client wants now. */
static vx_status take_session(vx_request *r, json_t *json, char session[64], vx_error *err)
{
    const json_t *value = json_object_get(json, "session");
    const char *text = json_string_value(value);
    session[0] = '\0';
    if (value == NULL) return VX_OK;
    if (text == NULL || text[0] == '\0' || strlen(text) >= 64) {
        r->param = "session";
        return vx_fail(err, VX_ERR_INPUT, "bad_json", "session must be a text of 1 to 63 bytes");
    }
    snprintf(session, 64, "%s", text);
    json_object_del(json, "session");
    for (vx_direct *d = r->server->direct; d != NULL; d = d->next)
        if (d->kind == VX_PICTURE && strcmp(d->session, session) == 0 &&
            strcmp(d->client, r->client) == 0)
            vx_job_cancel(d->job);
    return VX_OK;
}

static vx_status begin_picture(vx_request *r, vx_error *err)
{
    vx_wish wish = {0};
    json_t *json;
    char session[64];
    VX_TRY(vx_work_open(r->server, err));
    VX_TRY(vx_request_json(r, NULL, &json, err));
    const char *format = json_string_value(json_object_get(json, "format"));
    const char *type = format != NULL && strcmp(format, "jpg") == 0 ? "image/jpeg" : "image/png";
    vx_status status = take_session(r, json, session, err);
    if (status == VX_OK) status = vx_wish_image(r, &wish, json, NULL, err);
    if (status == VX_OK) status = vx_wish_text(&wish, json, err);
    json_decref(json);
    vx_submit_params params = {.priority = VX_HIGH, .write = on_write};
    if (status == VX_OK) status = begin(r, VX_PICTURE, &wish, &params, err);
    vx_wish_free(&wish);
    VX_TRY(status);
    snprintf(r->direct->session, sizeof r->direct->session, "%s", session);
    r->direct->type = type;
    r->feed_whole = true;
    return VX_OK;
}

/* Any text as a header's value: what is no plain character is percent-encoded. */
static void add_encoded(vx_request *r, const char *name, const char *text)
{
    char value[3 * 1024 + 1];
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text;
         *c != '\0' && used + 4 < sizeof value; c++)
        used += (size_t)snprintf(value + used, sizeof value - used,
                                 *c > 32 && *c < 127 && *c != '%' ? "%c" : "%%%02X", *c);
    value[used] = '\0';
    vx_reply_header(r, name, value);
}

vx_status vx_direct_picture(vx_request *r, vx_error *err)
{
    vx_direct *d = r->direct;
    char seed[24];
    if (d == NULL) return begin_picture(r, err);
    if (d->job != NULL) {
        vx_request_sleep(r);
        return VX_OK;
    }
    if (d->error.status != VX_OK) {
        *err = d->error;
        return err->status;
    }
    VX_TRY(vx_reply_feed(r, d->type));
    json_t *report = d->report != NULL ? json_loads(d->report, 0, NULL) : NULL;
    const char *expanded =
        json_string_value(json_object_get(json_object_get(report, "prompt"), "expanded"));
    if (expanded != NULL) add_encoded(r, "vortex-expanded", expanded);
    snprintf(seed, sizeof seed, "%lld",
             (long long)json_integer_value(json_object_get(report, "seed")));
    vx_reply_header(r, "vortex-seed", seed);
    json_decref(report);
    return VX_OK;
}

/* ---- scores ---------------------------------------------------------------------------------- */

static vx_status begin_score(vx_request *r, vx_error *err)
{
    vx_wish wish = {0};
    json_t *json = NULL;
    VX_TRY(vx_work_open(r->server, err));
    vx_status status = vx_wish_score(r, &wish, &json, err);
    if (status == VX_OK) status = vx_wish_text(&wish, json, err);
    json_decref(json);
    vx_submit_params params = {.priority = VX_NORMAL};
    if (status == VX_OK) status = begin(r, VX_SCORE, &wish, &params, err);
    vx_wish_free(&wish);
    VX_TRY(status);
    r->feed_whole = true;
    return VX_OK;
}

vx_status vx_direct_score(vx_request *r, vx_error *err)
{
    vx_direct *d = r->direct;
    if (d == NULL) return begin_score(r, err);
    if (d->job != NULL) {
        vx_request_sleep(r);
        return VX_OK;
    }
    if (d->error.status != VX_OK || d->report == NULL) {
        *err = d->error;
        return err->status != VX_OK ? err->status : VX_ERR_MEMORY;
    }
    return vx_reply_text(r, 200, "application/json", strdup(d->report));
}
