/* The speech stage: phonemes to samples, with the time of every symbol and word.
 *
 * Two ways of speaking:
 *   text      a phoneme string of any length, cut into chunks of about 350 symbols at sentences,
 * else clauses, else words (the voice hurries longer ones); at the joins the model's leading
 * silence is shortened and both sides are faded. verbatim  one chunk of at most 510 symbols, 600
 * samples for every frame, the pads of both ends included, nothing trimmed or faded.
 *
 * Phonemes are code points. Those that the model does not know are silent; the style row is chosen
 * by the number of symbols, unknown ones included (KPipeline.infer). Times are multiples of 25 ms.
 *
 * All memory is the caller's: vx_speech_bytes says how much. Not thread-safe. */
#ifndef VX_KOKORO_SPEECH_H
#define VX_KOKORO_SPEECH_H

#include "models/kokoro/kokoro.h"
#include "models/kokoro/voice.h"

enum { VX_SPEECH_CHUNK_MAX = 510 }; /* symbols that the model takes at once */

typedef struct vx_speech vx_speech;

/* Bytes of working memory for a model, and the stage in it. `memory` is VX_ALIGN-aligned. */
size_t vx_speech_bytes(const vx_kokoro *model);
vx_speech *vx_speech_over(const vx_kokoro *model, void *memory);

/* A span in samples of the speech. */
typedef struct vx_speech_span {
    int64_t start, end;
} vx_speech_span;

/* A word of the script: which symbols it became. */
typedef struct vx_speech_word {
    int64_t first, count;
} vx_speech_word;

/* Called with every finished piece, in order; samples [first, first+count) of the speech, valid
 * during the call. A failure ends the speech with that status. */
typedef vx_status (*vx_speech_sink)(void *arg, const float *samples, int64_t first, int64_t count);

typedef struct vx_speech_request {
    const vx_voice *voice;
    const uint32_t *symbol; /* the phoneme string */
    int64_t symbol_count;
    const vx_speech_word *word; /* may be NULL */
    int64_t word_count;
    float speed; /* 0.5..2 */
    uint64_t seed;
    bool verbatim;
    bool truncate; /* stop at samples_room; otherwise a speech that does not fit is VX_ERR_INPUT */
    bool quiet;    /* no noise in the source: for parity */
    vx_speech_sink sink; /* may be NULL; with a sink the first chunk is kept short */
    void *sink_arg;

    float *samples; /* out */
    int64_t samples_room;
    vx_speech_span *symbol_span; /* out, [symbol_count]: what is cut away is empty, at the end */
    vx_speech_span *word_span;   /* out, [word_count] */
} vx_speech_request;

typedef struct vx_speech_result {
    int64_t samples;
    int chunks;
    bool truncated;
} vx_speech_result;

/* VX_ERR_INPUT: no symbol that the model knows, more than 510 when verbatim, a bad speed, a speech
 * longer than samples_room. VX_ERR_MEMORY: a verbatim chunk longer than the model's frames_max. */
vx_status vx_speech_run(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *request,
                        vx_speech_result *result);

/* How many samples vx_speech_run would make, without making them: for fitting the speed. Outputs
 * of the request are not touched. */
vx_status vx_speech_measure(vx_speech *speech, vx_ctx *ctx, const vx_speech_request *request,
                            int64_t *samples);

/* The end of the chunk that begins at `first` when it may have `max` symbols: exposed for tests. */
int64_t vx_speech_chunk_end(const uint32_t *symbol, int64_t count, int64_t first, int64_t max);

#endif
