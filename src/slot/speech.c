#include "slot/speech.h"

#include "text/chunks.h"
#include "text/utf8.h"

enum {
    CHUNKS_MAX = 512, /* of a speech: far more than VX_TEXT_BYTES_MAX of text needs */
    PIECES_MAX = 64,  /* of a chunk that is too long */
    FIRST_CHUNK = 80, /* with a sink: about 5 s of speech, so that the first bytes come soon */
    LEAD_FRAMES = 4,  /* kept of the silence before a chunk that follows another: 100 ms */
    EARLY_FRAMES = 2, /* symbols are heard that long before their frames, see place_symbols */
    JOIN_FADE = 120,  /* samples, 5 ms */
    END_FADE = 480    /* where a speech is cut off: 20 ms */
};

struct vx_speech {
    const vx_kokoro *model;
    int32_t *ids, *spans; /* [tokens_max] */
    float *durations;
    int32_t *alignment; /* [frames_max] */
    vx_chunk chunks[CHUNKS_MAX], pieces[PIECES_MAX];
    uint32_t symbol[VX_CHUNK_SYMBOLS_MAX]; /* code points of the chunk at hand */
};

/* ---- memory --------------------------------------------------------------------------------- */

/* The one list of what the stage needs, one behind the other; returns their bytes. */
static size_t lay_out(const vx_kokoro *model, size_t place[5])
{
    size_t tokens = (size_t)vx_kokoro_tokens_max(model);
    size_t frames = (size_t)vx_kokoro_frames_max(model);
    const size_t bytes[5] = {sizeof(vx_speech), tokens * sizeof(int32_t), tokens * sizeof(int32_t),
                             tokens * sizeof(float), frames * sizeof(int32_t)};
    size_t at = 0;
    for (int i = 0; i < 5; i++) {
        place[i] = at;
        at += vx_align_up(bytes[i]);
    }
    return at;
}

size_t vx_speech_bytes(const vx_kokoro *model)
{
    size_t place[5];
    return lay_out(model, place);
}

vx_speech *vx_speech_over(const vx_kokoro *model, void *memory)
{
    size_t place[5];
    lay_out(model, place);
    char *base = memory;
    vx_speech *speech = memory;
    *speech = (vx_speech){.model = model,
                          .ids = (int32_t *)(void *)(base + place[1]),
                          .spans = (int32_t *)(void *)(base + place[2]),
                          .durations = (float *)(void *)(base + place[3]),
                          .alignment = (int32_t *)(void *)(base + place[4])};
    return speech;
}

/* Symbols that one chunk may have: 510, fewer only for a model with a shorter context. */
static int64_t chunk_max(const vx_speech *speech)
{
    int64_t most = vx_kokoro_tokens_max(speech->model) - 2;
    return most < VX_CHUNK_SYMBOLS_MAX ? most : VX_CHUNK_SYMBOLS_MAX;
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* A part of the phoneme string on its way through the model. */
typedef struct part {
    vx_chunk text;
    bool silent; /* the model knows none of its symbols */
    vx_kokoro_utterance u;
} part;

static double frames_s(int64_t frames)
{
    return (double)frames * VX_KOKORO_FRAME / VX_KOKORO_RATE;
}

static vx_status too_long(vx_error *err, const vx_speech *speech, int64_t frames)
{
    return vx_fail(err, VX_ERR_MEMORY, "speech_too_long",
                   "the phonemes would take %.1f s in one piece and memory is planned for %.1f s; "
                   "shorten them or speak faster",
                   frames_s(frames), frames_s(vx_kokoro_frames_max(speech->model)));
}

/* Ids of the part's known symbols between two pads, and its style. */
static void prepare(vx_speech *speech, const vx_speech_request *r, part *p)
{
    const vx_kokoro_config *config = vx_kokoro_configuration(speech->model);
    int64_t tokens = 0;
    size_t at = p->text.start;
    assert(p->text.count >= 1 && p->text.count <= VX_CHUNK_SYMBOLS_MAX);
    speech->ids[tokens++] = 0;
    for (size_t i = 0; i < p->text.count; i++) {
        at += vx_utf8_decode(r->phonemes + at, r->length - at, &speech->symbol[i]);
        int id = vx_kokoro_symbol_id(config, speech->symbol[i]);
        if (id != 0) speech->ids[tokens++] = id;
    }
    speech->ids[tokens++] = 0;
    p->silent = tokens == 2;
    p->u = (vx_kokoro_utterance){.tokens = tokens,
                                 .ids = speech->ids,
                                 .style = r->voice->rows +
                                          ((int64_t)p->text.count - 1) * r->voice->width,
                                 .speed = r->speed,
                                 .durations = speech->durations,
                                 .spans = speech->spans,
                                 .alignment = speech->alignment,
                                 .seed = r->seed,
                                 .quiet = r->quiet};
}

static bool known(const vx_speech *speech, size_t symbol)
{
    return vx_kokoro_symbol_id(vx_kokoro_configuration(speech->model), speech->symbol[symbol]) != 0;
}

/* How many of the part's symbols fit frames_max by the durations just predicted. */
static size_t symbols_that_fit(const vx_speech *speech, const part *p)
{
    int64_t room =
        vx_kokoro_frames_max(speech->model) - speech->spans[0] - speech->spans[p->u.tokens - 1];
    int64_t token = 1;
    size_t fitting = 0;
    for (; fitting < p->text.count; fitting++) {
        if (!known(speech, fitting)) continue;
        room -= speech->spans[token++];
        if (room < 0) break;
    }
    return fitting;
}

/* Shortens the part to its beginning, of about `symbols` symbols and fewer than it has. */
static vx_status shorten(vx_speech *speech, const vx_speech_request *r, size_t symbols, part *p,
                         vx_error *err)
{
    const char *text = r->phonemes + p->text.start;
    /* Two thirds a time, because a short rest is joined again to what comes before it. */
    for (; symbols > 0; symbols = symbols * 2 / 3) {
        vx_chunk_params params = {.symbols = symbols};
        size_t count;
        VX_TRY(
            vx_chunks_cut(text, p->text.length, &params, speech->pieces, PIECES_MAX, &count, err));
        if (speech->pieces[0].count < p->text.count) {
            p->text.length = speech->pieces[0].length;
            p->text.count = speech->pieces[0].count;
            return VX_OK;
        }
    }
    /* One word without end: cut it in the middle. */
    p->text.count /= 2;
    p->text.length = 0;
    for (size_t i = 0; i < p->text.count; i++) {
        uint32_t cp;
        p->text.length += vx_utf8_decode(text + p->text.length, r->length, &cp);
    }
    return VX_OK;
}

/* Runs the model's front on the part, shorter and shorter until its frames fit. Features stay on
 * the workspace. */
static vx_status begin_part(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r, part *p)
{
    vx_mark mark = vx_mark_now(ctx);
    for (;;) {
        bool fits = p->text.count <= (size_t)chunk_max(speech);
        size_t fitting = (size_t)chunk_max(speech);
        if (fits) {
            prepare(speech, r, p);
            if (p->silent) return VX_OK;
            VX_TRY(vx_kokoro_front(speech->model, ctx, &p->u));
            p->u.frames = vx_kokoro_round(speech->durations, p->u.tokens, speech->spans);
            if (p->u.frames <= vx_kokoro_frames_max(speech->model)) return VX_OK;
            fitting = symbols_that_fit(speech, p);
            vx_release(ctx, mark);
            if (r->verbatim || p->text.count < 2) return too_long(ctx->err, speech, p->u.frames);
        }
        VX_TRY(shorten(speech, r, fitting, p, ctx->err));
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

/* Times of the part's symbols, of which sample 0 lies at `origin` of the speech; the spaces before
 * it, from symbol `before` on, fill what lies between the parts.
 *
 * A symbol is heard before the frames that its duration gives it: on twenty sentences in nine
 * voices the vowels' energy comes 40 to 80 ms early, 50 in the median, so text has its times two
 * frames earlier (hexgrad/kokoro takes three, KPipeline.join_timestamps). Verbatim speech has
 * the frames' own times. */
static void place_symbols(const vx_speech *speech, const vx_speech_request *r, const part *p,
                          size_t before, int64_t origin)
{
    int64_t pad = speech->spans[0], early = r->verbatim ? 0 : EARLY_FRAMES;
    int64_t at = origin + (pad > early ? pad - early : 0) * VX_KOKORO_FRAME, token = 1;
    int64_t gap = before > 0 ? r->symbol_span[before - 1].end : at;
    for (size_t i = before; i < p->text.first_symbol; i++) {
        r->symbol_span[i] = (vx_speech_span){gap, at};
        gap = at;
    }
    for (size_t i = 0; i < p->text.count; i++) {
        int64_t start = at;
        if (known(speech, i)) at += speech->spans[token++] * (int64_t)VX_KOKORO_FRAME;
        r->symbol_span[p->text.first_symbol + i] = (vx_speech_span){start, at};
    }
}

/* Symbols without sound of their own: empty, where the speech stands. */
static void place_silent(const vx_speech_request *r, size_t first, size_t end, int64_t at)
{
    for (size_t i = first; i < end; i++)
        r->symbol_span[i] = (vx_speech_span){at, at};
}

/* What a cut-off speech lost becomes empty; then words from their symbols. */
static void place_words(const vx_speech_request *r, size_t symbols, int64_t samples)
{
    for (size_t i = 0; i < symbols; i++) {
        vx_speech_span *span = &r->symbol_span[i];
        if (span->start > samples) span->start = samples;
        if (span->end > samples) span->end = samples;
    }
    for (size_t i = 0; i < r->word_count; i++) {
        const vx_g2p_word *word = &r->word[i];
        assert(word->symbols > 0 && word->symbol_start + word->symbols <= symbols);
        r->word_span[i] =
            (vx_speech_span){r->symbol_span[word->symbol_start].start,
                             r->symbol_span[word->symbol_start + word->symbols - 1].end};
    }
}

/* Samples of the model's leading silence that are left out of the part. */
static int64_t lead_cut(const vx_speech *speech, const vx_speech_request *r, int chunks)
{
    int64_t lead = speech->spans[0] - LEAD_FRAMES;
    return !r->verbatim && chunks > 0 && lead > 0 ? lead * VX_KOKORO_FRAME : 0;
}

/* Decodes a part and appends it; `before` is the first symbol after the last one, `more` whether
 * another may follow. */
static vx_status finish_part(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r, part *p,
                             size_t before, bool more, vx_speech_result *result)
{
    int64_t at = result->samples, room = r->samples_room - at;
    int64_t cut = lead_cut(speech, r, result->chunks);
    int64_t count = p->u.frames * VX_KOKORO_FRAME - cut;
    if (count > room && !r->truncate)
        return vx_fail(ctx->err, VX_ERR_INPUT, "speech_too_long",
                       "the speech is longer than the %.1f s there is room for; shorten the script "
                       "or speak faster",
                       (double)r->samples_room / VX_KOKORO_RATE);
    result->truncated = count > room;
    if (result->truncated) count = room;
    float *made = r->samples + at;
    VX_TRY(vx_kokoro_decode(speech->model, ctx, &p->u, cut, count, made));
    if (!r->verbatim && result->chunks > 0) fade(made, count, JOIN_FADE, true);
    if (result->truncated)
        fade(made, count, END_FADE, false);
    else if (more)
        fade(made, count, JOIN_FADE, false);
    place_symbols(speech, r, p, before, at - cut);
    result->samples += count;
    result->chunks++;
    if (r->sink == NULL || count == 0) return VX_OK;
    return r->sink(r->sink_arg, made, at, count, (int64_t)(p->text.first_symbol + p->text.count));
}

/* ---- speaking ------------------------------------------------------------------------------- */

static vx_status check(const vx_speech *speech, const vx_speech_request *r, size_t symbols,
                       vx_error *err)
{
    if (!(r->speed >= 0.5f && r->speed <= 2.0f))
        return vx_fail(err, VX_ERR_INPUT, "bad_speed", "the speed is %g; it must be from 0.5 to 2",
                       (double)r->speed);
    if (r->verbatim && symbols > (size_t)chunk_max(speech))
        return vx_fail(err, VX_ERR_INPUT, "too_many_phonemes",
                       "there are %zu phoneme symbols and the model takes at most %lld at once; "
                       "split them",
                       symbols, (long long)chunk_max(speech));
    return VX_OK;
}

static vx_status nothing(vx_error *err)
{
    return vx_fail(err, VX_ERR_INPUT, "nothing_to_say",
                   "there is nothing to say: no symbol that the voice knows; check the script or "
                   "the phonemes");
}

/* The whole string cut into speech->chunks. */
static vx_status cut(vx_speech *speech, const vx_speech_request *r, size_t symbols, size_t *count,
                     vx_error *err)
{
    *count = r->verbatim && symbols > 0 ? 1 : 0;
    speech->chunks[0] = (vx_chunk){.length = r->length, .count = symbols};
    if (r->verbatim) return VX_OK;
    vx_chunk_params params = {.first_symbols = r->sink != NULL ? FIRST_CHUNK : 0};
    return vx_chunks_cut(r->phonemes, r->length, &params, speech->chunks, CHUNKS_MAX, count, err);
}

/* What remains of a chunk after its first part, without the spaces between. */
static void drop_front(const vx_speech_request *r, vx_chunk *chunk, const vx_chunk *done)
{
    size_t end = chunk->start + chunk->length, last = chunk->first_symbol + chunk->count;
    chunk->start += done->length;
    chunk->first_symbol += done->count;
    while (chunk->start < end && r->phonemes[chunk->start] == ' ') {
        chunk->start++;
        chunk->first_symbol++;
    }
    chunk->length = end - chunk->start;
    chunk->count = last - chunk->first_symbol;
}

/* Both of the public functions: part by part, with samples when `make`. */
static vx_status speak(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *r, bool make,
                       vx_speech_result *result)
{
    *result = (vx_speech_result){0};
    size_t bad, chunks, before = 0; /* before: symbols done */
    if (!vx_utf8_valid(r->phonemes, r->length, &bad))
        return vx_fail(ctx->err, VX_ERR_INPUT, "bad_phonemes",
                       "the phonemes are not UTF-8 at byte %zu; write them in that encoding", bad);
    size_t symbols = vx_utf8_count(r->phonemes, r->length);
    VX_TRY(check(speech, r, symbols, ctx->err));
    VX_TRY(cut(speech, r, symbols, &chunks, ctx->err));
    uint64_t decoded = 0; /* samples, the ones left out included */
    for (size_t i = 0; i < chunks && !result->truncated;) {
        vx_chunk *chunk = &speech->chunks[i];
        part p = {.text = *chunk};
        vx_mark mark = vx_mark_now(ctx);
        VX_TRY(begin_part(speech, ctx, r, &p));
        bool whole = p.text.count == chunk->count,
             more = !r->verbatim && (!whole || i + 1 < chunks);
        p.u.first_sample = decoded;
        size_t end = p.text.first_symbol + p.text.count;
        if (p.silent) {
            if (make) place_silent(r, before, end, result->samples);
        } else if (make) {
            VX_TRY(finish_part(speech, ctx, r, &p, before, more, result));
        } else {
            result->samples += p.u.frames * VX_KOKORO_FRAME - lead_cut(speech, r, result->chunks);
            result->chunks++;
        }
        decoded += (uint64_t)(p.silent ? 0 : p.u.frames * VX_KOKORO_FRAME);
        vx_release(ctx, mark);
        before = end;
        if (whole)
            i++;
        else
            drop_front(r, chunk, &p.text);
    }
    if (result->chunks == 0) return nothing(ctx->err);
    if (make) {
        place_silent(r, before, symbols, result->samples);
        place_words(r, symbols, result->samples);
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
