#include "slot/speak.h"

#include "models/kokoro/voice.h"
#include "text/clean.h"
#include "text/utf8.h"

/* Four symbols a byte is twice what numbers expand to ("9" is nine letters, "$9" two words); text
 * beyond it is refused. Words are at least a byte and a space. */
enum { SYMBOLS_MAX = 4 * VX_TEXT_BYTES_MAX, WORDS_MAX = VX_TEXT_BYTES_MAX };

/* What a set of buffers has beside its samples. */
typedef struct tables {
    uint32_t *symbol; /* [SYMBOLS_MAX], as are the next two */
    vx_speech_span *symbol_span;
    vx_phone *phone;
    vx_g2p_word *word; /* [WORDS_MAX], as are the next two */
    vx_speech_span *word_span;
    vx_word *heard;
} tables;

/* Who hears a speech piece by piece. */
typedef struct hearing {
    vx_speak_sink sink;
    void *arg;
    vx_spoken *spoken;
    vx_word *heard;
    int64_t told; /* words */
} hearing;

struct vx_speaker {
    vx_engine *engine;
    vx_g2p *g2p[2]; /* by vx_accent; NULL when not opened */
    vx_speech *speech;
    vx_voice voice;
    char voice_name[1024]; /* of the rows in `voice`, aliases resolved; "" when none is loaded */
    tables tables[VX_ENGINE_SETS];
    hearing hearing;
};

static const char *voice_of(const vx_settings *settings, const vx_pack *pack, const char *voice_id)
{
    return vx_pack_voice(pack, &settings->voices, voice_id);
}

vx_voice_library vx_speaker_library(const vx_pack *pack, int64_t width)
{
    return (vx_voice_library){.dir = pack->components[VX_COMPONENT_KOKORO].voices.path,
                              .alias = pack->voices.items,
                              .alias_count = pack->voices.count,
                              .width = width};
}

int vx_speaker_accents(const vx_settings *settings, const vx_pack *pack, const char *voice_id)
{
    vx_voice_library library = vx_speaker_library(pack, 0);
    return vx_voice_british(&library, voice_of(settings, pack, voice_id)) ? VX_ACCENTS_GB
                                                                          : VX_ACCENTS_US;
}

vx_status vx_speaker_lexicon(const vx_pack *pack, vx_accent accent, vx_g2p **g2p, vx_error *err)
{
    const vx_pack_file *lexicon = &pack->components[VX_COMPONENT_KOKORO].lexicon;
    if (lexicon->path == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_lexicon", "pack %s names no lexicon for its speech",
                       pack->name);
    vx_g2p_params params = {.accent = accent, .lexicon_dir = lexicon->path};
    return vx_g2p_open(g2p, &params, err);
}

static vx_status open_lexicon(vx_speaker *s, vx_accent accent, vx_error *err)
{
    return vx_speaker_lexicon(vx_engine_pack(s->engine), accent, &s->g2p[accent], err);
}

static vx_status open_tables(tables *t, vx_error *err)
{
    t->symbol = vx_heap_alloc(sizeof *t->symbol * SYMBOLS_MAX);
    t->symbol_span = vx_heap_alloc(sizeof *t->symbol_span * SYMBOLS_MAX);
    t->phone = vx_heap_alloc(sizeof *t->phone * SYMBOLS_MAX);
    t->word = vx_heap_alloc(sizeof *t->word * WORDS_MAX);
    t->word_span = vx_heap_alloc(sizeof *t->word_span * WORDS_MAX);
    t->heard = vx_heap_alloc(sizeof *t->heard * WORDS_MAX);
    if (t->symbol == NULL || t->symbol_span == NULL || t->phone == NULL || t->word == NULL ||
        t->word_span == NULL || t->heard == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the speaker's tables");
    return VX_OK;
}

static void close_tables(tables *t)
{
    vx_heap_free(t->symbol);
    vx_heap_free(t->symbol_span);
    vx_heap_free(t->phone);
    vx_heap_free(t->word);
    vx_heap_free(t->word_span);
    vx_heap_free(t->heard);
}

static vx_status open_speaker(vx_speaker *s, int accents, vx_error *err)
{
    const vx_kokoro *model = vx_engine_kokoro(s->engine);
    assert(model != NULL);
    int last = vx_engine_sets(s->engine) - 1;
    if (vx_engine_side(s->engine) > last) last = vx_engine_side(s->engine);
    for (int i = 0; i <= last; i++)
        VX_TRY(open_tables(&s->tables[i], err));
    s->speech = vx_speech_over(model, vx_engine_buffer(s->engine, VX_BUFFER_SPEECH, NULL));
    s->voice = (vx_voice){.rows = vx_engine_buffer(s->engine, VX_BUFFER_VOICE, NULL),
                          .width = (int64_t)2 * vx_kokoro_configuration(model)->style_dim};
    if (accents & VX_ACCENTS_US) VX_TRY(open_lexicon(s, VX_ACCENT_US, err));
    if (accents & VX_ACCENTS_GB) VX_TRY(open_lexicon(s, VX_ACCENT_GB, err));
    return VX_OK;
}

vx_status vx_speaker_open(vx_speaker **out, vx_engine *engine, int accents, vx_error *err)
{
    *out = vx_heap_alloc(sizeof **out);
    if (*out == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the speaker");
    (*out)->engine = engine;
    vx_status status = open_speaker(*out, accents, err);
    if (status != VX_OK) vx_speaker_close(out);
    return status;
}

void vx_speaker_close(vx_speaker **handle)
{
    vx_speaker *s = *handle;
    if (s == NULL) return;
    for (int i = 0; i < 2; i++)
        vx_g2p_close(&s->g2p[i]);
    for (int i = 0; i < VX_ENGINE_SETS; i++)
        close_tables(&s->tables[i]);
    vx_heap_free(s);
    *handle = NULL;
}

/* Loads the voice's rows unless they are there already. */
static vx_status load_voice(vx_speaker *s, const char *name, vx_error *err)
{
    if (strcmp(s->voice_name, name) == 0) return VX_OK;
    s->voice_name[0] = '\0';
    if (strlen(name) >= sizeof s->voice_name)
        return vx_fail(err, VX_ERR_INPUT, "bad_voice", "the voice's name has over %zu bytes",
                       sizeof s->voice_name - 1);
    vx_voice_library library = vx_speaker_library(vx_engine_pack(s->engine), s->voice.width);
    VX_TRY(vx_voice_load(&library, name, &s->voice, err));
    strcpy(s->voice_name, name);
    return VX_OK;
}

/* UTF-8 symbols to code points. */
static vx_status decode_symbols(uint32_t *symbol, const char *text, size_t bytes, int64_t *count,
                                vx_error *err)
{
    size_t bad;
    if (!vx_utf8_valid(text, bytes, &bad))
        return vx_fail(err, VX_ERR_INPUT, "bad_text", "the phonemes are no UTF-8 at byte %zu", bad);
    *count = 0;
    for (size_t at = 0; at < bytes;) {
        if (*count == SYMBOLS_MAX)
            return vx_fail(err, VX_ERR_INPUT, "text_too_long",
                           "the text becomes more than %d phonemes; speak it in parts",
                           SYMBOLS_MAX);
        at += vx_utf8_decode(text + at, bytes - at, &symbol[(*count)++]);
    }
    return VX_OK;
}

/* Words [from, to) with their text and where they are heard. */
static void hear_words(const vx_spoken *spoken, vx_word *heard, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        const vx_g2p_word *w = &spoken->word[i];
        int64_t last = w->symbol_start + w->symbols - 1;
        heard[i] = (vx_word){.text = spoken->text + w->text_start,
                             .text_bytes = w->text_length,
                             .start = spoken->symbol_span[w->symbol_start].start,
                             .end = spoken->symbol_span[last].end};
    }
}

static vx_status hear(void *arg, const float *samples, int64_t first, int64_t count,
                      int64_t symbols)
{
    hearing *h = arg;
    int64_t next = h->told;
    while (next < h->spoken->words &&
           h->spoken->word[next].symbol_start + (int64_t)h->spoken->word[next].symbols <= symbols)
        next++;
    hear_words(h->spoken, h->heard, h->told, next);
    int64_t told = h->told;
    h->told = next;
    return h->sink(h->arg, samples, first, count, h->heard + told, next - told);
}

/* Everything up to the model: voice, phonemes, tables. */
static vx_status prepare(vx_speaker *s, vx_ctx *ctx, const vx_speak_request *r,
                         vx_speech_request *out, vx_spoken *spoken)
{
    const vx_pack *pack = vx_engine_pack(s->engine);
    const char *voice = voice_of(vx_engine_settings(s->engine), pack, r->voice_id);
    vx_voice_library library = vx_speaker_library(pack, s->voice.width);
    size_t samples_bytes;
    const char *phonemes = r->text;
    size_t length = r->bytes;
    const tables *t = &s->tables[r->set];
    *spoken = (vx_spoken){.voice = voice, .text = r->text, .bytes = r->bytes};
    VX_TRY(load_voice(s, voice, ctx->err));
    if (!r->phonemes) {
        vx_accent accent = vx_voice_british(&library, voice) ? VX_ACCENT_GB : VX_ACCENT_US;
        vx_g2p_result result;
        if (s->g2p[accent] == NULL)
            return vx_fail(ctx->err, VX_ERR_MISSING, "no_lexicon",
                           "voice %s speaks %s English, whose lexicon is not there; ./run fetch "
                           "gets it",
                           voice, accent == VX_ACCENT_GB ? "British" : "American");
        VX_TRY(vx_g2p_text(s->g2p[accent], r->text, r->bytes, &result, ctx->err));
        if (result.word_count > WORDS_MAX)
            return vx_fail(ctx->err, VX_ERR_INPUT, "text_too_long",
                           "the text has more than %d words; speak it in parts", WORDS_MAX);
        phonemes = result.phonemes;
        length = result.length;
        memcpy(t->word, result.words, result.word_count * sizeof *t->word);
        spoken->word = t->word;
        spoken->words = (int64_t)result.word_count;
    }
    VX_TRY(decode_symbols(t->symbol, phonemes, length, &spoken->symbols, ctx->err));
    spoken->samples = vx_engine_set_buffer(s->engine, VX_BUFFER_SAMPLES, r->set, &samples_bytes);
    spoken->symbol = t->symbol;
    spoken->symbol_span = t->symbol_span;
    spoken->word_span = t->word_span;
    spoken->heard = t->heard;
    s->hearing =
        (hearing){.sink = r->sink, .arg = r->sink_arg, .spoken = spoken, .heard = t->heard};
    int64_t lead = r->film ? VX_FILM_LEAD : 0, tail = r->film ? VX_FILM_TAIL : 0;
    int64_t room = (int64_t)(samples_bytes / sizeof(float)) - lead - tail;
    if (r->samples_max > 0 && r->samples_max < room) room = r->samples_max;
    *out = (vx_speech_request){.voice = &s->voice,
                               .phonemes = phonemes,
                               .length = length,
                               .word = spoken->word,
                               .word_count = (size_t)spoken->words,
                               .speed = r->speed > 0 ? (float)r->speed : 1,
                               .seed = r->seed,
                               .verbatim = r->phonemes,
                               .truncate = r->truncate,
                               .sink = r->sink != NULL ? hear : NULL,
                               .sink_arg = &s->hearing,
                               .samples = (float *)spoken->samples + lead,
                               .samples_room = room,
                               .symbol_span = t->symbol_span,
                               .word_span = t->word_span};
    return VX_OK;
}

/* Where the first or the last sound is: of stretches of 5 ms, those no more than 45
 * dB below the loudest. */
static int64_t find_sound(const float *samples, int64_t count, bool last)
{
    enum { STRETCH = VX_KOKORO_RATE / 200 };
    double loudest = 0, power[2] = {0};
    for (int pass = 0; pass < 2; pass++)
        for (int64_t k = 0; k < count; k += STRETCH) {
            int64_t at = last ? count - STRETCH - k : k;
            power[0] = 0;
            for (int64_t i = at < 0 ? 0 : at; i < at + STRETCH && i < count; i++)
                power[0] += (double)(samples[i] * samples[i]);
            if (pass == 1 && power[0] > 0 && power[0] >= loudest * 3.16e-5)
                return last ? at + STRETCH : at;
            loudest = pass == 0 && power[0] > loudest ? power[0] : loudest;
        }
    return last ? count : 0;
}

static void move_spans(vx_speech_span *span, int64_t spans, int64_t by, int64_t count)
{
    for (int64_t i = 0; i < spans; i++) {
        int64_t *at[2] = {&span[i].start, &span[i].end};
        for (int k = 0; k < 2; k++) {
            *at[k] += by;
            if (*at[k] < 0) *at[k] = 0;
            if (*at[k] > count) *at[k] = count;
        }
    }
}

/* The speech lies VX_FILM_LEAD samples behind the buffer's begin; its first sound is put there. */
static void place_in_film(const vx_speech_request *r, vx_spoken *spoken)
{
    float *samples = r->samples - VX_FILM_LEAD;
    int64_t first = find_sound(r->samples, spoken->count, false);
    int64_t end = find_sound(r->samples, spoken->count, true);
    memset(samples, 0, VX_FILM_LEAD * sizeof *samples);
    memset(r->samples + spoken->count, 0, VX_FILM_TAIL * sizeof *samples);
    memmove(samples, samples + first,
            (size_t)(VX_FILM_LEAD + end - first + VX_FILM_TAIL) * sizeof *samples);
    spoken->count = VX_FILM_LEAD + end - first + VX_FILM_TAIL;
    move_spans(r->symbol_span, spoken->symbols, VX_FILM_LEAD - first, spoken->count);
    move_spans(r->word_span, spoken->words, VX_FILM_LEAD - first, spoken->count);
}

vx_status vx_speaker_run(vx_speaker *s, vx_ctx *ctx, const vx_speak_request *request,
                         vx_spoken *spoken)
{
    vx_speech_request r;
    vx_speech_result result;
    VX_TRY(prepare(s, ctx, request, &r, spoken));
    VX_TRY(vx_speech_run(s->speech, ctx, &r, &result));
    spoken->count = result.samples;
    spoken->chunks = result.chunks;
    spoken->truncated = result.truncated;
    if (request->film) place_in_film(&r, spoken);
    const tables *t = &s->tables[request->set];
    for (int64_t i = 0; i < spoken->symbols; i++)
        t->phone[i] =
            (vx_phone){spoken->symbol[i], (float)spoken->symbol_span[i].start / VX_KOKORO_RATE,
                       (float)spoken->symbol_span[i].end / VX_KOKORO_RATE};
    spoken->phone = t->phone;
    hear_words(spoken, t->heard, 0, spoken->words);
    return VX_OK;
}

vx_status vx_speaker_measure(vx_speaker *s, vx_ctx *ctx, const vx_speak_request *request,
                             double *seconds)
{
    vx_speech_request r;
    vx_spoken spoken;
    int64_t samples;
    VX_TRY(prepare(s, ctx, request, &r, &spoken));
    VX_TRY(vx_speech_measure(s->speech, ctx, &r, &samples));
    *seconds = (double)samples / VX_KOKORO_RATE;
    return VX_OK;
}

json_t *vx_spoken_timings(const vx_spoken *spoken)
{
    json_t *phonemes = json_array(), *words = json_array();
    for (int64_t i = 0; i < spoken->symbols; i++) {
        char symbol[VX_UTF8_MAX + 1] = "";
        symbol[vx_utf8_encode(spoken->symbol[i], symbol)] = '\0';
        json_array_append_new(
            phonemes, json_pack("{s:s, s:f, s:f}", "symbol", symbol, "start_s",
                                (double)spoken->symbol_span[i].start / VX_KOKORO_RATE, "end_s",
                                (double)spoken->symbol_span[i].end / VX_KOKORO_RATE));
    }
    for (int64_t i = 0; i < spoken->words; i++) {
        const vx_g2p_word *w = &spoken->word[i];
        json_array_append_new(
            words, json_pack("{s:s%, s:f, s:f}", "text", spoken->text + w->text_start,
                             (size_t)w->text_length, "start_s",
                             (double)spoken->word_span[i].start / VX_KOKORO_RATE, "end_s",
                             (double)spoken->word_span[i].end / VX_KOKORO_RATE));
    }
    return json_pack("{s:i, s:I, s:o, s:o}", "sample_rate", VX_KOKORO_RATE, "samples",
                     (json_int_t)spoken->count, "phonemes", phonemes, "words", words);
}
