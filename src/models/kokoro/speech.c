#include "models/kokoro/speech.h"

#include <string.h>

enum {
    CHUNK = 350,       /* symbols: longer chunks are hurried, by a quarter at 510 */
    FIRST_CHUNK = 120, /* with a sink: about 7 s of speech, so that the first bytes come soon */
    LEAD_FRAMES = 4,   /* kept of the silence before a chunk that follows another: 100 ms */
    JOIN_FADE = 120,   /* samples, 5 ms */
    END_FADE = 480     /* where a speech is cut off: 20 ms */
};

struct vx_speech {
    const vx_kokoro *model;
    int32_t *ids, *spans; /* [tokens_max] */
    float *durations;
    int32_t *alignment; /* [frames_max] */
    float *chunk;       /* [frames_max * VX_KOKORO_FRAME] */
};

/* ---- memory --------------------------------------------------------------------------------- */

/* The one list of what the stage needs; measures over an arena without memory. */
static void lay_out(vx_arena *arena, const vx_kokoro *model, void *place[6])
{
    size_t tokens = (size_t)vx_kokoro_tokens_max(model);
    size_t frames = (size_t)vx_kokoro_frames_max(model);
    const size_t bytes[6] = {sizeof(vx_speech),        tokens * sizeof(int32_t),
                             tokens * sizeof(int32_t), tokens * sizeof(float),
                             frames * sizeof(int32_t), frames * VX_KOKORO_FRAME * sizeof(float)};
    for (int i = 0; i < 6; i++) {
        vx_status status = vx_arena_take(arena, bytes[i], &place[i], NULL);
        assert(status == VX_OK);
        (void)status;
    }
}

size_t vx_speech_bytes(const vx_kokoro *model)
{
    vx_arena arena = vx_arena_measure("speech");
    void *place[6];
    lay_out(&arena, model, place);
    return arena.peak;
}

vx_speech *vx_speech_over(const vx_kokoro *model, void *memory)
{
    vx_arena arena = vx_arena_over("speech", memory, vx_speech_bytes(model));
    void *place[6];
    lay_out(&arena, model, place);
    vx_speech *speech = place[0];
    *speech = (vx_speech){.model = model,
                          .ids = place[1],
                          .spans = place[2],
                          .durations = place[3],
                          .alignment = place[4],
                          .chunk = place[5]};
    return speech;
}

/* Symbols that one chunk may have: 510, fewer only for a model with a shorter context. */
static int64_t chunk_max(const vx_speech *speech)
{
    int64_t most = vx_kokoro_tokens_max(speech->model) - 2;
    return most < VX_SPEECH_CHUNK_MAX ? most : VX_SPEECH_CHUNK_MAX;
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* How good a place to breathe follows this symbol: 3 sentence, 2 and 1 clause, 0 word, -1 none. */
static int break_class(uint32_t symbol)
{
    switch (symbol) {
    case '.':
    case '!':
    case '?':
    case 0x2026: /* … */
        return 3;
    case ';':
    case ':':
        return 2;
    case ',':
    case 0x2014: /* — */
        return 1;
    case ' ':
        return 0;
    default:
        return -1;
    }
}

static bool closes(uint32_t symbol)
{
    return symbol == ')' || symbol == '"' || symbol == 0x201D; /* ” */
}

int64_t vx_speech_chunk_end(const uint32_t *symbol, int64_t count, int64_t first, int64_t max)
{
    assert(first < count && max >= 1);
    if (count - first <= max) return count;
    /* A break in the first quarter would leave a fragment whose tune is off. */
    int64_t least = first + max / 4, most = first + max;
    for (int class = 3; class >= 0; class --) {
        for (int64_t end = most; end > least; end--) {
            int64_t last = end - 1;
            while (last > first && closes(symbol[last]))
                last--;
            if (end < count && closes(symbol[end])) continue; /* it belongs before the break */
            if (break_class(symbol[last]) == class) return end;
        }
    }
    return most;
}

/* A part of the phoneme string on its way through the model. */
typedef struct chunk {
    int64_t first, end; /* symbols, without spaces at the ends */
    bool silent;        /* the model knows none of them */
    vx_kokoro_utterance u;
} chunk;

static vx_status too_long(vx_error *err, const vx_speech *speech, int64_t frames)
{
    return vx_fail(err, VX_ERR_MEMORY, "speech_too_long",
                   "the phonemes would take %.1f s in one piece and memory is planned for %.1f s; "
                   "shorten them or speak faster",
                   (double)frames / 40, (double)vx_kokoro_frames_max(speech->model) / 40);
}

static void trim_end(chunk *c, const uint32_t *symbol)
{
    while (c->end > c->first && symbol[c->end - 1] == ' ')
        c->end--;
}

/* Ids of the chunk's known symbols between two pads, and its style. */
static void prepare(vx_speech *speech, const vx_speech_request *r, chunk *c)
{
    const vx_kokoro_config *config = vx_kokoro_configuration(speech->model);
    int64_t length = c->end - c->first, tokens = 0;
    speech->ids[tokens++] = 0;
    for (int64_t i = c->first; i < c->end; i++) {
        int id = vx_kokoro_symbol_id(config, r->symbol[i]);
        if (id != 0) speech->ids[tokens++] = id;
    }
    speech->ids[tokens++] = 0;
    c->silent = tokens == 2;
    c->u = (vx_kokoro_utterance){.tokens = tokens,
                                 .ids = speech->ids,
                                 .style = r->voice->rows + (length - 1) * r->voice->width,
                                 .speed = r->speed,
                                 .durations = speech->durations,
                                 .spans = speech->spans,
                                 .alignment = speech->alignment,
                                 .seed = r->seed,
                                 .quiet = r->quiet};
}

/* How many of the chunk's symbols fit frames_max by the durations just predicted. */
static int64_t symbols_that_fit(const vx_speech *speech, const vx_speech_request *r, const chunk *c)
{
    const vx_kokoro_config *config = vx_kokoro_configuration(speech->model);
    int64_t room =
        vx_kokoro_frames_max(speech->model) - speech->spans[0] - speech->spans[c->u.tokens - 1];
    int64_t token = 1, fitting = 0;
    for (int64_t i = c->first; i < c->end; i++, fitting++) {
        if (vx_kokoro_symbol_id(config, r->symbol[i]) == 0) continue;
        room -= speech->spans[token++];
        if (room < 0) break;
    }
    return fitting;
}

/* Finds the chunk from symbol c->first on, of at most `max` symbols, and runs the model's front on
 * it, shorter and shorter until its frames fit. Features stay on the workspace. */
static vx_status begin_chunk(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r,
                             int64_t max, chunk *c)
{
    vx_mark mark = vx_mark_now(ctx);
    for (;;) {
        c->end = r->verbatim ? r->symbol_count
                             : vx_speech_chunk_end(r->symbol, r->symbol_count, c->first, max);
        if (!r->verbatim) trim_end(c, r->symbol);
        prepare(speech, r, c);
        if (c->silent) return VX_OK;
        VX_TRY(vx_kokoro_front(speech->model, ctx, &c->u));
        c->u.frames = vx_kokoro_round(speech->durations, c->u.tokens, speech->spans);
        if (c->u.frames <= vx_kokoro_frames_max(speech->model)) return VX_OK;
        int64_t fitting = symbols_that_fit(speech, r, c);
        if (r->verbatim || fitting < 1) return too_long(ctx->err, speech, c->u.frames);
        /* Symbols may be slower in a shorter chunk: always at least one fewer. */
        max = fitting < c->end - c->first ? fitting : c->end - c->first - 1;
        if (max < 1) return too_long(ctx->err, speech, c->u.frames);
        vx_release(ctx, mark);
    }
}

/* ---- samples and times ---------------------------------------------------------------------- */

static void fade(float *samples, int64_t count, int64_t length, bool in)
{
    if (length > count) length = count;
    for (int64_t i = 0; i < length; i++) {
        float gain = ((float)i + 0.5f) / (float)length;
        samples[in ? i : count - 1 - i] *= gain;
    }
}

/* Times of the chunk's symbols, of which sample 0 lies at `origin` of the speech; the spaces
 * before it fill what lies between the chunks. */
static void place_symbols(const vx_speech *speech, const vx_speech_request *r, const chunk *c,
                          int64_t before, int64_t origin)
{
    const vx_kokoro_config *config = vx_kokoro_configuration(speech->model);
    int64_t at = origin + speech->spans[0] * (int64_t)VX_KOKORO_FRAME, token = 1;
    int64_t gap = before > 0 ? r->symbol_span[before - 1].end : at;
    for (int64_t i = before; i < c->first; i++) {
        r->symbol_span[i] = (vx_speech_span){gap, at};
        gap = at;
    }
    for (int64_t i = c->first; i < c->end; i++) {
        int64_t start = at;
        if (vx_kokoro_symbol_id(config, r->symbol[i]) != 0)
            at += speech->spans[token++] * (int64_t)VX_KOKORO_FRAME;
        r->symbol_span[i] = (vx_speech_span){start, at};
    }
}

/* Symbols without sound of their own: empty, where the speech stands. */
static void place_silent(const vx_speech_request *r, int64_t first, int64_t end, int64_t at)
{
    for (int64_t i = first; i < end; i++)
        r->symbol_span[i] = (vx_speech_span){at, at};
}

static void place_words(const vx_speech_request *r, int64_t samples)
{
    for (int64_t i = 0; i < r->symbol_count; i++) {
        vx_speech_span *span = &r->symbol_span[i];
        if (span->start > samples) span->start = samples;
        if (span->end > samples) span->end = samples;
    }
    int64_t end = 0;
    for (int64_t i = 0; i < r->word_count; i++) {
        const vx_speech_word *word = &r->word[i];
        assert(word->first >= 0 && word->count >= 0);
        assert(word->first + word->count <= r->symbol_count);
        r->word_span[i] = (vx_speech_span){end, end};
        if (word->count == 0) continue;
        r->word_span[i].start = r->symbol_span[word->first].start;
        r->word_span[i].end = end = r->symbol_span[word->first + word->count - 1].end;
    }
}

/* Decodes a chunk and appends it; `before` is the first symbol after the last chunk. */
static vx_status finish_chunk(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r, chunk *c,
                              int64_t before, int64_t decoded, vx_speech_result *result)
{
    int64_t cut = 0, at = result->samples;
    if (!r->verbatim && result->chunks > 0 && speech->spans[0] > LEAD_FRAMES)
        cut = (speech->spans[0] - LEAD_FRAMES) * (int64_t)VX_KOKORO_FRAME;
    int64_t count = c->u.frames * VX_KOKORO_FRAME - cut, room = r->samples_room - at;
    if (count > room && !r->truncate)
        return vx_fail(ctx->err, VX_ERR_INPUT, "speech_too_long",
                       "the speech is longer than the %.1f s there is room for; shorten the script "
                       "or speak faster",
                       (double)r->samples_room / VX_KOKORO_RATE);
    c->u.first_sample = (uint64_t)decoded;
    VX_TRY(vx_kokoro_decode(speech->model, ctx, &c->u, speech->chunk));
    result->truncated = count > room;
    if (result->truncated) count = room;
    float *made = speech->chunk + cut;
    if (!r->verbatim && result->chunks > 0) fade(made, count, JOIN_FADE, true);
    if (result->truncated)
        fade(made, count, END_FADE, false);
    else if (!r->verbatim && c->end < r->symbol_count)
        fade(made, count, JOIN_FADE, false);
    memcpy(r->samples + at, made, (size_t)count * sizeof *made);
    place_symbols(speech, r, c, before, at - cut);
    result->samples += count;
    result->chunks++;
    return r->sink != NULL && count > 0 ? r->sink(r->sink_arg, r->samples + at, at, count) : VX_OK;
}

/* ---- speaking ------------------------------------------------------------------------------- */

static vx_status check(const vx_speech *speech, const vx_speech_request *r, vx_error *err)
{
    if (!(r->speed >= 0.5f && r->speed <= 2.0f))
        return vx_fail(err, VX_ERR_INPUT, "bad_speed", "the speed is %g; it must be from 0.5 to 2",
                       (double)r->speed);
    if (r->verbatim && r->symbol_count > chunk_max(speech))
        return vx_fail(err, VX_ERR_INPUT, "too_many_phonemes",
                       "there are %lld phoneme symbols and the model takes at most %lld at once; "
                       "split them",
                       (long long)r->symbol_count, (long long)chunk_max(speech));
    return VX_OK;
}

static vx_status nothing(vx_error *err)
{
    return vx_fail(err, VX_ERR_INPUT, "nothing_to_say",
                   "there is nothing to say: no symbol that the voice knows; check the script or "
                   "the phonemes");
}

static int64_t skip_spaces(const vx_speech_request *r, int64_t at)
{
    while (!r->verbatim && at < r->symbol_count && r->symbol[at] == ' ')
        at++;
    return at;
}

/* Both of the public functions: chunk by chunk, with samples when `make`. */
static vx_status speak(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r, bool make,
                       vx_speech_result *result)
{
    *result = (vx_speech_result){0};
    VX_TRY(check(speech, r, ctx->err));
    int64_t before = 0, decoded = 0; /* symbols done; samples decoded, the cut ones included */
    while (before < r->symbol_count && !result->truncated) {
        chunk c = {.first = skip_spaces(r, before)};
        if (c.first == r->symbol_count) break;
        vx_mark mark = vx_mark_now(ctx);
        int64_t most = r->sink != NULL && result->chunks == 0 ? FIRST_CHUNK : CHUNK;
        if (most > chunk_max(speech)) most = chunk_max(speech);
        VX_TRY(begin_chunk(speech, ctx, r, most, &c));
        if (c.silent) {
            if (make) place_silent(r, before, c.end, result->samples);
        } else if (make) {
            VX_TRY(finish_chunk(speech, ctx, r, &c, before, decoded, result));
            decoded += c.u.frames * VX_KOKORO_FRAME;
        } else {
            int64_t lead = speech->spans[0] - LEAD_FRAMES;
            int64_t cut = !r->verbatim && result->chunks > 0 && lead > 0 ? lead : 0;
            result->samples += (c.u.frames - cut) * VX_KOKORO_FRAME;
            result->chunks++;
        }
        vx_release(ctx, mark);
        before = c.end;
    }
    if (result->chunks == 0) return nothing(ctx->err);
    if (make) {
        place_silent(r, before, r->symbol_count, result->samples);
        place_words(r, result->samples);
    }
    return VX_OK;
}

vx_status vx_speech_run(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *request,
                        vx_speech_result *result)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_status status = speak(speech, ctx, request, true, result);
    vx_release(ctx, mark);
    return status;
}

vx_status vx_speech_measure(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *request,
                            int64_t *samples)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_speech_result result;
    vx_status status = speak(speech, ctx, request, false, &result);
    vx_release(ctx, mark);
    *samples = result.samples;
    return status;
}
