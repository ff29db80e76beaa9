/* PL-BERT: ALBERT over phonemes, one layer replayed (transformers' modeling_albert.py). */
#include <math.h>
#include <stdio.h>

#include "models/kokoro/parts.h"

#define GROUP "bert.encoder.albert_layer_groups.0.albert_layers.0."

vx_status vx_kokoro_albert_bind(vx_binder *b, vx_kokoro_albert *a, const vx_kokoro_config *config,
                                vx_kokoro_type type)
{
    int64_t wide = config->plbert.hidden_size, narrow = config->plbert.embedding_size;
    int64_t inner = config->plbert.intermediate_size;
    const struct {
        vx_tensor *out;
        int64_t rows, cols;
        const char *name;
    } values[] = {
        {&a->words, config->n_token, narrow, "bert.embeddings.word_embeddings.weight"},
        {&a->positions, config->plbert.max_position_embeddings, narrow,
         "bert.embeddings.position_embeddings.weight"},
        {&a->types, 2, narrow, "bert.embeddings.token_type_embeddings.weight"},
        {&a->embed_gamma, narrow, 1, "bert.embeddings.LayerNorm.weight"},
        {&a->embed_beta, narrow, 1, "bert.embeddings.LayerNorm.bias"},
        {&a->attention_gamma, wide, 1, GROUP "attention.LayerNorm.weight"},
        {&a->attention_beta, wide, 1, GROUP "attention.LayerNorm.bias"},
        {&a->full_gamma, wide, 1, GROUP "full_layer_layer_norm.weight"},
        {&a->full_beta, wide, 1, GROUP "full_layer_layer_norm.bias"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        VX_TRY(vx_kokoro_bind_values(b, values[i].out, values[i].rows, values[i].cols, "%s",
                                     values[i].name));

    static const char qkv[3][VX_KOKORO_STEM_MAX] = {GROUP "attention.query", GROUP "attention.key",
                                                    GROUP "attention.value"};
    const int64_t qkv_rows[3] = {wide, wide, wide};
    VX_TRY(vx_kokoro_bind_linear(b, &a->embed, type, wide, narrow, true,
                                 "bert.encoder.embedding_hidden_mapping_in"));
    VX_TRY(vx_kokoro_bind_stack(b, &a->qkv, type, wide, 3, qkv, qkv_rows));
    VX_TRY(vx_kokoro_bind_linear(b, &a->dense, type, wide, wide, true, GROUP "attention.dense"));
    VX_TRY(vx_kokoro_bind_linear(b, &a->ffn, type, inner, wide, true, GROUP "ffn"));
    VX_TRY(vx_kokoro_bind_linear(b, &a->ffn_output, type, wide, inner, true, GROUP "ffn_output"));
    return vx_kokoro_bind_linear(b, &a->encoder, type, config->hidden_dim, wide, true,
                                 "bert_encoder");
}

static vx_status linear(vx_ctx *ctx, const vx_layer *layer, const vx_tensor *x, vx_act_kind act,
                        vx_tensor *out)
{
    return vx_linear(
        ctx,
        &(vx_linear_args){
            .x = x, .w = &layer->w, .bias = vx_layer_bias(layer), .act = {act, 0}, .out = out});
}

static vx_status norm(vx_ctx *ctx, const vx_kokoro_config *config, const vx_tensor *x,
                      const vx_tensor *add, const vx_tensor *gamma, const vx_tensor *beta,
                      vx_tensor *out)
{
    return vx_layer_norm(ctx, &(vx_layer_norm_args){.x = x,
                                                    .add = add,
                                                    .gamma = gamma,
                                                    .beta = beta,
                                                    .eps = config->plbert.layer_norm_eps,
                                                    .out = out});
}

/* word + type 0 + position, normalised, then widened. */
static vx_status embed(vx_ctx *ctx, const vx_kokoro_albert *a, const vx_kokoro_config *config,
                       const vx_tensor *ids, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t n = vx_rows(out), narrow = config->plbert.embedding_size;
    vx_tensor word, type, normed, type0 = vx_slice_rows(&a->types, 0, 1),
                                  position = vx_slice_rows(&a->positions, 0, n);
    VX_TRY(vx_take2(ctx, VX_F32, n, narrow, &word));
    VX_TRY(vx_take2(ctx, VX_F32, n, narrow, &type));
    VX_TRY(vx_take2(ctx, VX_F32, n, narrow, &normed));
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = &a->words, .index = ids, .out = &word}));
    VX_TRY(vx_broadcast(ctx, &(vx_broadcast_args){.x = &type0, .out = &type}));
    VX_TRY(vx_blend(ctx,
                    &(vx_blend_args){
                        .n = 3, .x = {&word, &type, &position}, .scale = {1, 1, 1}, .out = &word}));
    VX_TRY(norm(ctx, config, &word, NULL, &a->embed_gamma, &a->embed_beta, &normed));
    VX_TRY(linear(ctx, &a->embed, &normed, VX_ACT_NONE, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* x -> LN(y + ffn(y)) with y = LN(x + attention(x)); in place. */
static vx_status layer(vx_ctx *ctx, const vx_kokoro_albert *a, const vx_kokoro_config *config,
                       vx_tensor *x)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t n = vx_rows(x), wide = vx_cols(x);
    int heads = config->plbert.num_attention_heads;
    vx_tensor qkv, attended, branch, y, inner;
    VX_TRY(vx_take2(ctx, VX_F32, n, 3 * wide, &qkv));
    VX_TRY(vx_take2(ctx, VX_F32, n, wide, &attended));
    VX_TRY(vx_take2(ctx, VX_F32, n, wide, &branch));
    VX_TRY(vx_take2(ctx, VX_F32, n, wide, &y));
    VX_TRY(vx_take2(ctx, VX_F32, n, config->plbert.intermediate_size, &inner));
    vx_tensor q = vx_slice_cols(&qkv, 0, wide), k = vx_slice_cols(&qkv, wide, wide),
              v = vx_slice_cols(&qkv, 2 * wide, wide);
    VX_TRY(linear(ctx, &a->qkv, x, VX_ACT_NONE, &qkv));
    VX_TRY(vx_attention(ctx, &(vx_attention_args){.q = &q,
                                                  .k = &k,
                                                  .v = &v,
                                                  .heads = heads,
                                                  .scale = 1 / sqrtf((float)(wide / heads)),
                                                  .compute = VX_F32,
                                                  .out = &attended}));
    VX_TRY(linear(ctx, &a->dense, &attended, VX_ACT_NONE, &branch));
    VX_TRY(norm(ctx, config, x, &branch, &a->attention_gamma, &a->attention_beta, &y));
    VX_TRY(linear(ctx, &a->ffn, &y, VX_ACT_GELU_TANH, &inner));
    VX_TRY(linear(ctx, &a->ffn_output, &inner, VX_ACT_NONE, &branch));
    VX_TRY(norm(ctx, config, &y, &branch, &a->full_gamma, &a->full_beta, x));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_kokoro_albert_run(vx_ctx *ctx, const vx_kokoro_albert *a,
                               const vx_kokoro_config *config, const vx_tensor *ids, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x;
    VX_TRY(vx_take2(ctx, VX_F32, vx_rows(ids), config->plbert.hidden_size, &x));
    VX_TRY(embed(ctx, a, config, ids, &x));
    for (int i = 0; i < config->plbert.num_hidden_layers; i++)
        VX_TRY(layer(ctx, a, config, &x));
    vx_observe(ctx, &x, "bert");
    VX_TRY(linear(ctx, &a->encoder, &x, VX_ACT_NONE, out));
    vx_observe(ctx, out, "bert_encoder");
    vx_release(ctx, mark);
    return VX_OK;
}
