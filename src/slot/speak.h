/* Text to speech on an engine: front end, voice, Kokoro, timings.
 *
 * A speaker holds what the stage needs beside the model: lexicons, tables for the longest text, the
 * voice that spoke last. All memory is taken at open. Not thread-safe: one speaker per audio
 * lane. */
#ifndef VX_SLOT_SPEAK_H
#define VX_SLOT_SPEAK_H

#include <jansson.h>

#include "drive/timings.h"
#include "slot/part.h"
#include "slot/speech.h"
#include "text/g2p.h"

enum { VX_ACCENTS_US = 1, VX_ACCENTS_GB = 2 };

/* How long a film stands before the first sound of its speech and after the last, in
 * samples: 0.25 s, 0.4 s. Engines for films have as many samples more than the speech they
 * are planned for (engine.c). */
enum {
    VX_FILM_LEAD = VX_KOKORO_RATE / 4,
    VX_FILM_TAIL = VX_KOKORO_RATE * 2 / 5,
};

typedef struct vx_speaker vx_speaker;

/* `accents` is the set of lexicons to open. The engine must have Kokoro. VX_ERR_MISSING without the
 * gold lexicon of an accent, naming the command that fetches it. */
vx_status vx_speaker_open(vx_speaker **speaker, vx_engine *engine, int accents, vx_error *err);
void vx_speaker_close(vx_speaker **speaker); /* safe on NULL; sets NULL */

/* Where the pack's voices come from, its aliases among them; `width` as in voice.h, 0
 * where only names count. */
vx_voice_library vx_speaker_library(const vx_pack *pack, int64_t width);

/* The accents that a voice (an id, an alias or a blend; NULL: the pack's first) needs. */
int vx_speaker_accents(const vx_settings *settings, const vx_pack *pack, const char *voice_id);

/* The front end of an accent alone, with the pack's lexicon: VX_ERR_MISSING without it. */
vx_status vx_speaker_lexicon(const vx_pack *pack, vx_accent accent, vx_g2p **g2p, vx_error *err);

/* As vx_speech_sink, with the words that are whole by then and were not told before. */
typedef vx_status (*vx_speak_sink)(void *arg, const float *samples, int64_t first, int64_t count,
                                   const vx_word *words, int64_t word_count);

typedef struct vx_speak_request {
    const char *text; /* UTF-8; with `phonemes`, the symbols themselves */
    size_t bytes;
    bool phonemes;        /* one chunk, verbatim (docs/CONTRACTS.md, say --phonemes) */
    const char *voice_id; /* NULL: the pack's first */
    double speed;         /* 0.5..2; 0 means 1 */
    uint64_t seed;
    int set; /* of the buffers that the result lies in: one of the engine's, or its side set */
    int64_t samples_max; /* the longest speech; 0: what the buffer holds */
    bool truncate;       /* end at samples_max instead of failing */
    /* As a film has it: the model's silence at both ends makes room for VX_FILM_LEAD
     * and VX_FILM_TAIL, and all times move with it. samples_max is of the speech alone.
     * Not with `phonemes`. */
    bool film;
    vx_speak_sink sink; /* may be NULL; of a film before its samples move */
    void *sink_arg;
} vx_speak_request;

/* What was spoken: views of the speaker's and the engine's memory, valid until the next call with
 * the same set. */
typedef struct vx_spoken {
    const float *samples; /* VX_BUFFER_SAMPLES */
    int64_t count;
    bool truncated;
    int chunks;
    const char *voice;      /* aliases resolved */
    const uint32_t *symbol; /* [symbols] */
    const vx_speech_span *symbol_span;
    const vx_phone *phone; /* [symbols], the same in seconds: what drives a mouth */
    int64_t symbols;
    const vx_g2p_word *word; /* [words]; none with `phonemes` */
    const vx_speech_span *word_span;
    const vx_word *heard; /* [words], the same with their text */
    int64_t words;
    const char *text; /* the request's */
    size_t bytes;
} vx_spoken;

/* Speaks into the engine's samples buffer. VX_ERR_INPUT for text that cannot be spoken or
 * speech longer than the buffer; VX_ERR_MISSING for an unknown voice, naming those there
 * are; VX_ERR_CANCELLED. */
vx_status vx_speaker_run(vx_speaker *speaker, vx_ctx *ctx, const vx_speak_request *request,
                         vx_spoken *spoken);

/* How long the speech would be, in seconds, without making it. */
vx_status vx_speaker_measure(vx_speaker *speaker, vx_ctx *ctx, const vx_speak_request *request,
                             double *seconds);

/* The timings document (docs/CONTRACTS.md); the caller decrefs. NULL when out of memory. */
json_t *vx_spoken_timings(const vx_spoken *spoken);

#endif
