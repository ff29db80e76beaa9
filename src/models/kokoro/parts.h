/* The parts of Kokoro, private to this folder: their weights, how they bind and how they run.
 *
 * Each part is a struct of weights with a bind function that lists them under their official names
 * and a run function on the ops. Sequences are [length, channels]. */
#ifndef VX_KOKORO_PARTS_H
#define VX_KOKORO_PARTS_H

#include "models/kokoro/checkpoint.h"
#include "models/kokoro/kokoro.h"
#include "models/layer.h"

/* ---- binding (bind.c) ----------------------------------------------------------------------- */

/* How weights are kept and multiplied, and what dtype the sequences around them have. */
typedef struct vx_kokoro_type {
    vx_dtype store, compute, sequence;
} vx_kokoro_type;

enum { VX_KOKORO_STEM_MAX = 96 };

/* Names are printf formats for the stem: "NAME" binds NAME.weight and NAME.bias. */
#define VX_KOKORO_PRINTF(at) __attribute__((format(printf, at, at + 1)))

vx_status vx_kokoro_bind_linear(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t out,
                                int64_t in, bool bias, const char *format, ...) VX_KOKORO_PRINTF(7);
/* "Same" padding dilation(k-1)/2, stride 1; change layer->w before through vx_kokoro_bind_filter.
 */
vx_status vx_kokoro_bind_conv(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t out,
                              int64_t in, int64_t kernel, int64_t dilation, const char *format, ...)
    VX_KOKORO_PRINTF(8);
/* layer->w describes the filter, of kind VX_WEIGHT_CONV or VX_WEIGHT_CONV_TRANSPOSE. */
vx_status vx_kokoro_bind_filter(vx_binder *b, vx_layer *layer, const char *format, ...)
    VX_KOKORO_PRINTF(3);
/* Bidirectional, hidden size H: NAME.weight_ih_l0 … NAME.bias_hh_l0_reverse. */
vx_status vx_kokoro_bind_lstm(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t in,
                              int64_t hidden, const char *format, ...) VX_KOKORO_PRINTF(6);
/* Several matrices [rows, in] one above the other, their biases too: stems given as a list. */
vx_status vx_kokoro_bind_stack(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t in,
                               int count, const char (*stem)[VX_KOKORO_STEM_MAX],
                               const int64_t *rows);
/* A whole tensor, not a stem, as f32 [rows, cols]; cols 1 gives a vector. */
vx_status vx_kokoro_bind_values(vx_binder *b, vx_tensor *out, int64_t rows, int64_t cols,
                                const char *format, ...) VX_KOKORO_PRINTF(5);

/* ---- styles (styles.c) ---------------------------------------------------------------------- */

/* All of a style half's AdaIN and AdaLN layers as one matrix: one product makes every scale and
 * shift of the utterance. A user remembers the place that vx_kokoro_style_add gave. */
enum { VX_KOKORO_STYLES_MAX = 64 };
typedef struct vx_kokoro_styles {
    vx_layer layer;
    int64_t rows;
    int count;
    char stem[VX_KOKORO_STYLES_MAX][VX_KOKORO_STEM_MAX];
    int64_t stem_rows[VX_KOKORO_STYLES_MAX];
} vx_kokoro_styles;

/* Reserves 2*channels rows for NAME.weight and NAME.bias; returns their place. */
int64_t vx_kokoro_style_add(vx_kokoro_styles *styles, int64_t channels, const char *format, ...)
    VX_KOKORO_PRINTF(3);
vx_status vx_kokoro_styles_bind(vx_binder *b, vx_kokoro_styles *styles, vx_kokoro_type type,
                                int64_t style_dim);
/* style [1, style_dim] -> out [1, rows], f32, taken on the workspace. */
vx_status vx_kokoro_styles_run(vx_ctx *ctx, const vx_kokoro_styles *styles, const vx_tensor *style,
                               vx_tensor *out);
/* The scale (gamma) and the shift (beta) at `place`, each [channels]. */
void vx_kokoro_style_at(const vx_tensor *made, int64_t place, int64_t channels, vx_tensor *scale,
                        vx_tensor *shift);

/* ---- blocks (blocks.c) ---------------------------------------------------------------------- */

/* AdainResBlk1d: two convolutions of 3 with AdaIN and LeakyReLU(0.2), shortcut, sum over sqrt 2. */
typedef struct vx_kokoro_block {
    int64_t in, out;
    bool up; /* doubles the length */
    vx_kokoro_type type;
    vx_layer conv1, conv2, shortcut;  /* shortcut only when in != out */
    vx_tensor pool_weight, pool_bias; /* only when up */
    int64_t norm1, norm2;             /* places of the styles */
} vx_kokoro_block;

vx_status vx_kokoro_block_bind(vx_binder *b, vx_kokoro_block *block, vx_kokoro_styles *styles,
                               vx_kokoro_type type, int64_t in, int64_t out, bool up,
                               const char *stem);
/* x [L, in] dense -> out [L or 2L, out]; out may be part of x. */
vx_status vx_kokoro_block_run(vx_ctx *ctx, const vx_kokoro_block *block, const vx_tensor *styles,
                              const vx_tensor *x, vx_tensor *out);

/* AdaINResBlock1: three times x += conv(snake(AdaIN(conv_d(snake(AdaIN(x)))))). */
typedef struct vx_kokoro_snake {
    int64_t channels;
    vx_layer conv1[VX_KOKORO_BLOCKS], conv2[VX_KOKORO_BLOCKS];
    vx_tensor alpha1[VX_KOKORO_BLOCKS], alpha2[VX_KOKORO_BLOCKS];
    int64_t norm1[VX_KOKORO_BLOCKS], norm2[VX_KOKORO_BLOCKS];
} vx_kokoro_snake;

vx_status vx_kokoro_snake_bind(vx_binder *b, vx_kokoro_snake *snake, vx_kokoro_styles *styles,
                               vx_kokoro_type type, int64_t channels, int kernel,
                               const int *dilations, const char *stem);
/* In place on x; t1 and t2 are scratch of x's shape. All three with halo for the widest filter. */
vx_status vx_kokoro_snake_run(vx_ctx *ctx, const vx_kokoro_snake *snake, const vx_tensor *styles,
                              vx_tensor *x, vx_tensor *t1, vx_tensor *t2);

/* ---- PL-BERT (albert.c) --------------------------------------------------------------------- */

typedef struct vx_kokoro_albert {
    vx_tensor words, positions, types;
    vx_tensor embed_gamma, embed_beta, attention_gamma, attention_beta, full_gamma, full_beta;
    vx_layer embed, qkv, dense, ffn, ffn_output, encoder; /* encoder: "bert_encoder" */
} vx_kokoro_albert;

vx_status vx_kokoro_albert_bind(vx_binder *b, vx_kokoro_albert *albert,
                                const vx_kokoro_config *config, vx_kokoro_type type);
/* ids [n, 1] i32 -> out [n, hidden_dim], a view. */
vx_status vx_kokoro_albert_run(vx_ctx *ctx, const vx_kokoro_albert *albert,
                               const vx_kokoro_config *config, const vx_tensor *ids,
                               vx_tensor *out);

/* ---- prosody predictor (prosody.c) ---------------------------------------------------------- */

typedef struct vx_kokoro_prosody {
    int layers;
    vx_kokoro_styles styles;
    vx_layer encoder[VX_KOKORO_LAYERS_MAX];
    int64_t encoder_norm[VX_KOKORO_LAYERS_MAX];
    vx_layer lstm, duration, shared;
    vx_kokoro_block curve[2][3]; /* F0, N */
    vx_layer projection[2];      /* F0_proj, N_proj */
} vx_kokoro_prosody;

vx_status vx_kokoro_prosody_bind(vx_binder *b, vx_kokoro_prosody *prosody,
                                 const vx_kokoro_config *config, vx_kokoro_type front,
                                 vx_kokoro_type curves);
/* features [n, hidden + style]: hidden part filled, both parts rewritten; durations [n] on the
 * host, in frames at speed 1, through `chances`, host, [n, bins]. */
vx_status vx_kokoro_prosody_durations(vx_ctx *ctx, const vx_kokoro_prosody *prosody,
                                      const vx_tensor *styles, const vx_tensor *style,
                                      vx_tensor *features, float *chances, float *durations);
/* aligned [T, hidden + style] -> pitch and energy, each [2T, 1] f32 from vx_take_seq. */
vx_status vx_kokoro_prosody_curves(vx_ctx *ctx, const vx_kokoro_prosody *prosody,
                                   const vx_tensor *styles, const vx_tensor *aligned,
                                   vx_tensor *pitch, vx_tensor *energy);

/* ---- text encoder and decoder (decoder.c) --------------------------------------------------- */

typedef struct vx_kokoro_text {
    int layers;
    vx_kokoro_type type;
    vx_tensor embedding;
    vx_layer conv[VX_KOKORO_LAYERS_MAX], lstm;
    vx_tensor gamma[VX_KOKORO_LAYERS_MAX], beta[VX_KOKORO_LAYERS_MAX];
} vx_kokoro_text;

vx_status vx_kokoro_text_bind(vx_binder *b, vx_kokoro_text *text, const vx_kokoro_config *config,
                              vx_kokoro_type type);
/* ids [n, 1] i32 -> out [n, hidden_dim] f32. */
vx_status vx_kokoro_text_run(vx_ctx *ctx, const vx_kokoro_text *text, const vx_tensor *ids,
                             vx_tensor *out);

/* The decoder's widths are constants in its source, 1024 and 64; here twice and an eighth of
 * hidden_dim, so that a small network keeps the proportions. */
typedef struct vx_kokoro_decoder {
    int64_t text, wide, residual; /* 512, 1024, 64 */
    vx_kokoro_type type;
    vx_kokoro_block encode, decode[4];
    vx_layer pitch, energy, text_residual; /* F0_conv, N_conv, asr_res.0 */
} vx_kokoro_decoder;

vx_status vx_kokoro_decoder_bind(vx_binder *b, vx_kokoro_decoder *decoder, vx_kokoro_styles *styles,
                                 const vx_kokoro_config *config, vx_kokoro_type type,
                                 vx_kokoro_type exact);
/* text [n, hidden] by alignment [T, 1] i32, curves [2T, 1] -> out [2T,
 * channels] from vx_take_seq. */
vx_status vx_kokoro_decoder_run(vx_ctx *ctx, const vx_kokoro_decoder *decoder,
                                const vx_tensor *styles, const vx_tensor *text,
                                const vx_tensor *alignment, const vx_tensor *pitch,
                                const vx_tensor *energy, vx_tensor *out);

/* ---- generator (generator.c) ---------------------------------------------------------------- */

typedef struct vx_kokoro_stage {
    int64_t channels, rate, halo;
    vx_layer up, source; /* ups.i, noise_convs.i */
    vx_kokoro_snake source_block, block[VX_KOKORO_BLOCKS];
} vx_kokoro_stage;

typedef struct vx_kokoro_generator {
    vx_kokoro_type type;
    vx_kokoro_stage stage[VX_KOKORO_STAGES];
    vx_layer post;
    vx_tensor harmonic_weight, harmonic_bias; /* m_source.l_linear */
} vx_kokoro_generator;

/* What the source needs beside the pitch. */
typedef struct vx_kokoro_source {
    uint64_t seed, first_sample;
    bool quiet;
} vx_kokoro_source;

/* voiced: ups and conv_post; blocks: residual blocks; exact: filters of the source's spectrum. */
typedef struct vx_kokoro_generator_types {
    vx_kokoro_type voiced, blocks, exact;
} vx_kokoro_generator_types;

vx_status vx_kokoro_generator_bind(vx_binder *b, vx_kokoro_generator *generator,
                                   vx_kokoro_styles *styles, const vx_kokoro_config *config,
                                   const vx_kokoro_generator_types *types);
/* A map of a stage: [rows, channels] with halo for all its filters, taken on the workspace. Stage 0
 * has 20T rows at T frames, stage 1 120T+1. */
vx_status vx_kokoro_generator_map(vx_ctx *ctx, const vx_kokoro_generator *generator, int stage,
                                  int64_t rows, vx_tensor *out);
/* The spectrum of the harmonic source, [120T+1, 22] f32, taken on the workspace. */
vx_status vx_kokoro_generator_spectrum(vx_ctx *ctx, const vx_kokoro_generator *generator,
                                       const vx_tensor *pitch, const vx_kokoro_source *source,
                                       vx_tensor *spectrum);
/* The source at a stage's rate, through its block, into the map `sum`. */
vx_status vx_kokoro_generator_source(vx_ctx *ctx, const vx_kokoro_generator *generator, int stage,
                                     const vx_tensor *styles, const vx_tensor *spectrum,
                                     vx_tensor *sum);
/* sum += upsampled x; x [rows, twice the channels] from vx_take_seq, halo >= 1. */
vx_status vx_kokoro_generator_up(vx_ctx *ctx, const vx_kokoro_generator *generator, int stage,
                                 const vx_tensor *x, vx_tensor *sum);
/* sum = LeakyReLU(mean of the stage's three blocks on sum). */
vx_status vx_kokoro_generator_blocks(vx_ctx *ctx, const vx_kokoro_generator *generator, int stage,
                                     const vx_tensor *styles, float slope, vx_tensor *sum);
/* conv_post and the inverse STFT: x [120T+1, c] -> 600T samples, of which [first, first+count) go
 * to the host. */
vx_status vx_kokoro_generator_wave(vx_ctx *ctx, const vx_kokoro_generator *generator,
                                   const vx_tensor *x, int64_t first, int64_t count,
                                   float *samples);

#endif
