/* The T5 v1.1 encoder that reads FLUX's prompt.
 *
 * Source: Raffel et al., "Exploring the limits of transfer learning"; reference implementation
 * transformers modeling_t5.py (T5EncoderModel). FLUX passes no attention mask: padding attends and
 * is attended to, and all rows go on to the transformer. See docs/models/FLUX.md.
 *
 * ids [n] -> embedding [n, d] -> L × { x += o(attn(RMS x)); x += wo(gelu(wi_0 y) · wi_1
 * y), y = RMS x } -> RMS */
#ifndef VX_MODELS_FLUX_T5_H
#define VX_MODELS_FLUX_T5_H

#include <jansson.h>

#include "models/binder.h"

enum { VX_T5_LAYERS_MAX = 64, VX_T5_TOKENS_MAX = 512 };

typedef struct vx_t5_config {
    int d_model, d_kv, heads, d_ff, layers, vocab;
    int buckets, max_distance; /* of the relative position bias */
    float eps;
} vx_t5_config;

typedef struct vx_t5 vx_t5;

/* transformers' T5 config.json; absent keys have the values of google/t5-v1_1-xxl. */
vx_status vx_t5_config_read(const json_t *json, vx_t5_config *config, vx_error *err);

/* `precision` is how matrices are stored (the embedding: f32, bf16, else f16); f32 computes in f32,
 * others in `native`. `tokens` is the fixed length of the sequence. NULL handle on failure. */
vx_status vx_t5_open(vx_t5 **t5, const vx_t5_config *config, vx_dtype precision, vx_dtype native,
                     int tokens, vx_error *err);
void vx_t5_close(vx_t5 **t5);
const vx_t5_config *vx_t5_configuration(const vx_t5 *t5);

/* Weights by transformers' names or GGUF's (llama.cpp, t5encoder). */
vx_status vx_t5_bind(vx_t5 *t5, vx_binder *binder);

/* ids: host, `tokens` of them (NULL in a plan). out [tokens, d_model] f32. */
vx_status vx_t5_encode(vx_t5 *t5, vx_ctx *ctx, const int32_t *ids, vx_tensor *out);

#endif
