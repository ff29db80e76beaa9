/* Kokoro-82M: phonemes to speech, 24 kHz mono.
 * Sources: hexgrad/kokoro 0.9.4 (model.py, modules.py, istftnet.py), hexgrad/Kokoro-82M.
 *
 *     ids, style ── front ──> duration of each symbol in frames of 25 ms, before rounding
 *     the caller rounds them (vx_kokoro_round) and may cut
 *     frames     ── decode ─> 600 samples a frame
 *
 * front: PL-BERT (ALBERT, one layer replayed), duration encoder, duration LSTM; always f32, because
 * rounding turns small errors into whole frames. decode: pitch and energy (f32), text encoder,
 * decoder, harmonic source with its STFT (f32), generator, inverse STFT (f32).
 *
 * Memory: weights through the binder; everything else on the lane's workspace, sized by a plan with
 * tokens_max symbols and frames_max frames. Between front and decode the utterance's features stay
 * on the workspace: the caller marks before front and releases after decode.
 *
 *     vx_mark mark = vx_mark_now(ctx);
 *     vx_kokoro_front(model, ctx, &utterance);
 *     vx_kokoro_round(…);
 *     vx_kokoro_decode(model, ctx, &utterance, 0, utterance.frames * VX_KOKORO_FRAME, samples);
 *     vx_release(ctx, mark);
 *
 * A model is read-only after binding; contexts may share it. Utterances are one per context. */
#ifndef VX_KOKORO_KOKORO_H
#define VX_KOKORO_KOKORO_H

#include <jansson.h>

#include "backend/backend.h"
#include "models/binder.h"

enum {
    VX_KOKORO_RATE = 24000,       /* samples per second */
    VX_KOKORO_FRAME = 600,        /* samples per duration frame, 25 ms */
    VX_KOKORO_TOKENS_LIMIT = 256, /* bound of n_token, for tables of fixed size */
    VX_KOKORO_BLOCKS = 3,         /* residual blocks per generator stage, dilations per block */
    VX_KOKORO_STAGES = 2,         /* upsampling stages of the generator */
    VX_KOKORO_LAYERS_MAX = 6      /* bound of n_layer */
};

/* Kokoro's config.json. vx_kokoro_config_default gives the published values. */
typedef struct vx_kokoro_config {
    int hidden_dim, style_dim, n_token, n_layer, max_dur, text_encoder_kernel_size;
    struct {
        int hidden_size, num_attention_heads, intermediate_size, max_position_embeddings,
            num_hidden_layers, embedding_size;
        int num_hidden_groups, inner_group_num, hidden_act; /* one value each: not a choice */
        float layer_norm_eps;
    } plbert;
    struct {
        int upsample_rates[VX_KOKORO_STAGES], upsample_kernel_sizes[VX_KOKORO_STAGES];
        int upsample_initial_channel, gen_istft_n_fft, gen_istft_hop_size;
        int resblock_kernel_sizes[VX_KOKORO_BLOCKS];
        int resblock_dilation_sizes[VX_KOKORO_BLOCKS][VX_KOKORO_BLOCKS];
    } istftnet;
    uint32_t
        symbols[VX_KOKORO_TOKENS_LIMIT]; /* code point of each id, 0 where the id stands for none */
} vx_kokoro_config;

vx_kokoro_config vx_kokoro_config_default(void);
/* Reads a JSON object over the defaults; NULL keeps them. VX_ERR_INPUT names the key at fault. */
vx_status vx_kokoro_config_read(vx_kokoro_config *config, const json_t *object, vx_error *err);

/* The id of a code point, 0 when the model does not know it. */
int vx_kokoro_symbol_id(const vx_kokoro_config *config, uint32_t code_point);

typedef struct vx_kokoro vx_kokoro;

typedef struct vx_kokoro_params {
    vx_kokoro_config config;
    vx_dtype precision; /* VX_F32: everything in f32; any other: text encoder, decoder and generator
                         * in bf16; VX_INT8_ROW: the generator's residual blocks in bytes */
    int64_t frames_max; /* of one decode; 0: 1200, 30 s */
} vx_kokoro_params;

/* Allocates the description (host heap, start-up only). `backend` outlives the model. */
vx_status vx_kokoro_open(vx_kokoro **model, vx_backend *backend, const vx_kokoro_params *params,
                         vx_error *err);
void vx_kokoro_close(vx_kokoro **model);

/* Lists the weights: measures in a plan, loads otherwise. VX_ERR_INPUT for weights that do not fit
 * the configuration. */
vx_status vx_kokoro_bind(vx_kokoro *model, vx_binder *binder);

const vx_kokoro_config *vx_kokoro_configuration(const vx_kokoro *model);
int64_t vx_kokoro_tokens_max(const vx_kokoro *model); /* pads included */
int64_t vx_kokoro_frames_max(const vx_kokoro *model);

/* One utterance. The caller owns every array. In a plan contents are not read. */
typedef struct vx_kokoro_utterance {
    int64_t tokens;        /* with the pad (id 0) at both ends: 3..tokens_max */
    const int32_t *ids;    /* [tokens] */
    const float *style;    /* [2*style_dim]: decoder half, then prosody half */
    float speed;           /* 0.5..2 */
    float *durations;      /* [tokens], front's result in frames, already divided by speed */
    const int32_t *spans;  /* [tokens], decode: frames of each token, each >= 1 */
    int32_t *alignment;    /* [frames_max], scratch of decode: the token of each frame */
    int64_t frames;        /* sum of spans, at most frames_max */
    uint64_t seed;         /* of the source's noise */
    uint64_t first_sample; /* counter of the noise: samples of this speech made before */
    bool quiet;            /* no noise: for parity */
    /* Front's, on the workspace, where decode finds them: [tokens, hidden + style]; [1,
     * 2*style_dim]; [tokens, 1] i32. */
    vx_tensor features, style_row, token_ids;
} vx_kokoro_utterance;

vx_status vx_kokoro_front(const vx_kokoro *model, vx_ctx *ctx, vx_kokoro_utterance *u);

/* Durations to whole frames: round half to even, at least 1. Returns their sum. */
int64_t vx_kokoro_round(const float *durations, int64_t tokens, int32_t *spans);

/* Makes 600*frames samples and writes `count` of them from `first` on (host memory). */
vx_status vx_kokoro_decode(const vx_kokoro *model, vx_ctx *ctx, vx_kokoro_utterance *u,
                           int64_t first, int64_t count, float *samples);

#endif
