/* Speech of any length from a model that speaks in chunks: phonemes to samples, with the time of
 * every symbol and word.
 *
 * Two ways of speaking:
 *
 *   text       A phoneme string of any length, cut into chunks (text/chunks.h), and a chunk whose
 *              frames would exceed the model's frames_max is cut further before it is decoded. At
 *              the joins the model's leading silence is shortened and both sides are faded.
 *   verbatim   One chunk of at most 510 symbols: 600 samples for every frame, the pads of both ends
 *              included, nothing trimmed or faded.
 *
 * Symbols that the model does not know are silent; the style row is chosen by the number of
 * symbols, unknown ones included (KPipeline.infer). Times are multiples of 25 ms.
 *
 * All memory is the caller's: vx_speech_bytes says how much. Not thread-safe. */
#ifndef VX_SLOT_SPEECH_H
#define VX_SLOT_SPEECH_H

#include <vortex/vortex.h>

#include "models/kokoro/kokoro.h"
#include "models/kokoro/voice.h"
#include "text/g2p.h"

typedef struct vx_speech vx_speech;

/* Bytes of working memory for a model, and the stage in it. `memory` is VX_ALIGN-aligned. */
size_t vx_speech_bytes(const vx_kokoro *model);
vx_speech *vx_speech_over(const vx_kokoro *model, void *memory);

/* A span in samples of the speech; the public type, because results are handed out as they lie. */
typedef vx_interval vx_speech_span;

/* Called with every finished piece, in order; samples [first, first+count) of the speech, valid
 * during the call; the spans of the first `symbols` symbols stand by then. A failure ends the
 * speech with that status. */
typedef vx_status (*vx_speech_sink)(void *arg, const float *samples, int64_t first, int64_t count,
                                    int64_t symbols);

typedef struct vx_speech_request {
    const vx_voice *voice;
    const char *phonemes;    /* UTF-8 */
    size_t length;           /* bytes */
    const vx_g2p_word *word; /* may be NULL */
    size_t word_count;
    float speed; /* 0.5..2 */
    uint64_t seed;
    bool verbatim;
    bool truncate; /* stop at samples_room; otherwise a speech that does not fit is VX_ERR_INPUT */
    bool quiet;    /* no noise in the source: for parity */
    vx_speech_sink sink; /* may be NULL; with a sink the first chunk is kept short */
    void *sink_arg;

    float *samples; /* out */
    int64_t samples_room;
    vx_speech_span *symbol_span; /* out, [code points of phonemes]: what is cut away is empty */
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

#endif
