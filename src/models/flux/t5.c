#include "models/flux/t5.h"

#include <math.h>
#include <stdio.h>

#include "backend/ops.h"
#include "base/mem.h"
#include "models/config.h"
#include "models/stack.h"

typedef struct t5_block {
    vx_tensor attention_norm, ff_norm; /* [d] */
    vx_weight qkv, o;                  /* [3·inner, d], [d, inner] */
    vx_weight wi, wo;                  /* [2·ff, d] wi_0 then wi_1, [d, ff] */
} t5_block;

struct vx_t5 {
    vx_t5_config config;
    vx_dtype store, compute, table;
    int tokens;
    vx_tensor embedding, final_norm; /* [vocab, d], [d] */
    vx_tensor bias; /* [heads, 2·tokens - 1]: block 0's table, spread over distances */
    t5_block block[VX_T5_LAYERS_MAX];
};

#define INT_KEY(key, field, low, high) VX_CONFIG_INT_KEY(key, vx_t5_config, field, low, high)
#define IGNORED(key)                   VX_CONFIG_NO_EFFECT(key)

vx_status vx_t5_config_read(const json_t *json, vx_t5_config *config, vx_error *err)
{
    struct {
        vx_t5_config c;
        int activation;
        bool gated;
    } read = {.c = {.d_model = 4096,
                    .d_kv = 64,
                    .heads = 64,
                    .d_ff = 10240,
                    .layers = 24,
                    .vocab = 32128,
                    .buckets = 32,
                    .max_distance = 128,
                    .eps = 1e-6f},
              .gated = true};
    static const vx_config_key keys[] = {
        INT_KEY("d_model", d_model, 8, 16384),
        INT_KEY("d_kv", d_kv, 2, 512),
        INT_KEY("num_heads", heads, 1, 256),
        INT_KEY("d_ff", d_ff, 8, 65536),
        INT_KEY("num_layers", layers, 1, VX_T5_LAYERS_MAX),
        INT_KEY("vocab_size", vocab, 8, 1 << 20),
        INT_KEY("relative_attention_num_buckets", buckets, 4, 1024),
        INT_KEY("relative_attention_max_distance", max_distance, 8, 1 << 16),
        {.name = "layer_norm_epsilon",
         .kind = VX_CONFIG_FLOAT,
         .offset = offsetof(vx_t5_config, eps),
         .min = 1e-12,
         .max = 1e-1},
        {.name = "feed_forward_proj",
         .kind = VX_CONFIG_CHOICE,
         .offset = sizeof(vx_t5_config),
         .choices = "gated-gelu"},
        {.name = "dense_act_fn",
         .kind = VX_CONFIG_CHOICE,
         .offset = sizeof(vx_t5_config),
         .choices = "gelu_new"},
        IGNORED("model_type"),
        IGNORED("architectures"),
        IGNORED("is_gated_act"),
        IGNORED("num_decoder_layers"),
        IGNORED("dropout_rate"),
        IGNORED("classifier_dropout"),
        IGNORED("initializer_factor"),
        IGNORED("is_encoder_decoder"),
        IGNORED("use_cache"),
        IGNORED("pad_token_id"),
        IGNORED("eos_token_id"),
        IGNORED("decoder_start_token_id"),
        IGNORED("output_past"),
        IGNORED("tie_word_embeddings"),
        IGNORED("torch_dtype"),
        IGNORED("dtype"),
        IGNORED("transformers_version"),
        IGNORED("n_positions"),
        {0},
    };
    VX_TRY(vx_config_read(json, keys, &read, "flux.t5", err));
    *config = read.c;
    return VX_OK;
}

vx_status vx_t5_open(vx_t5 **out, const vx_t5_config *config, vx_dtype precision, vx_dtype native,
                     int tokens, vx_error *err)
{
    assert(tokens >= 1 && tokens <= VX_T5_TOKENS_MAX);
    *out = vx_heap_alloc(sizeof **out);
    if (*out == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the description of flux.t5");
    (*out)->config = *config;
    (*out)->store = precision;
    (*out)->compute = precision == VX_F32 ? VX_F32 : native;
    (*out)->table = precision == VX_F32 || precision == VX_BF16 ? precision : VX_F16;
    (*out)->tokens = tokens;
    return VX_OK;
}

void vx_t5_close(vx_t5 **t5)
{
    vx_heap_free(*t5);
    *t5 = NULL;
}

const vx_t5_config *vx_t5_configuration(const vx_t5 *t5)
{
    return &t5->config;
}

/* ---- binding -------------------------------------------------------------------------------- */

/* Members of a block: transformers' name, then llama.cpp's. */
static const char *const block_names[][2] = {
    {"layer.0.SelfAttention.q.weight", "attn_q.weight"},
    {"layer.0.SelfAttention.k.weight", "attn_k.weight"},
    {"layer.0.SelfAttention.v.weight", "attn_v.weight"},
    {"layer.0.SelfAttention.o.weight", "attn_o.weight"},
    {"layer.0.SelfAttention.relative_attention_bias.weight", "attn_rel_b.weight"},
    {"layer.0.layer_norm.weight", "attn_norm.weight"},
    {"layer.1.DenseReluDense.wi_0.weight", "ffn_gate.weight"},
    {"layer.1.DenseReluDense.wi_1.weight", "ffn_up.weight"},
    {"layer.1.DenseReluDense.wo.weight", "ffn_down.weight"},
    {"layer.1.layer_norm.weight", "ffn_norm.weight"},
};

/* ComfyUI's all-in-one files, diffusers' pipelines, Stability's and others' files. */
static const char *const prefixes[] = {"text_encoders.t5xxl.transformer.",
                                       "text_encoder_2.",
                                       "t5xxl.transformer.",
                                       "t5xxl.",
                                       "transformer.",
                                       "model.",
                                       NULL};

static vx_status find_either(const vx_binder *b, const char *official, const char *gguf,
                             int64_t rows, int64_t cols, vx_rows_of *out)
{
    const int64_t dim[2] = {rows, cols};
    *out = (vx_rows_of){.rows = rows, .cols = cols};
    if (vx_binder_find(b, official, NULL) == NULL && vx_binder_find(b, gguf, NULL) != NULL)
        return vx_binder_need(b, gguf, 2, dim, &out->tensor, &out->source);
    return vx_binder_need(b, official, 2, dim, &out->tensor, &out->source);
}

static vx_status member(const vx_binder *b, int layer, const char *name, int64_t rows, int64_t cols,
                        vx_rows_of *out)
{
    char official[VX_NAME_BYTES], gguf[VX_NAME_BYTES];
    size_t i = 0;
    while (strcmp(block_names[i][0], name) != 0)
        i++;
    snprintf(official, sizeof official, "encoder.block.%d.%s", layer, name);
    snprintf(gguf, sizeof gguf, "enc.blk.%d.%s", layer, block_names[i][1]);
    return find_either(b, official, gguf, rows, cols, out);
}

static vx_status bind_matrix(vx_t5 *t5, vx_binder *b, vx_weight *w, int layer, int64_t rows,
                             int64_t cols, int parts, const char *const *part_names)
{
    vx_stack stack = {.count = parts};
    for (int i = 0; i < parts && !b->plan; i++)
        VX_TRY(member(b, layer, part_names[i], rows, cols, &stack.part[i]));
    *w = vx_weight_linear(rows * parts, cols, t5->store, t5->compute);
    return vx_bind_stack(b, w, &stack);
}

static vx_status bind_vector(vx_binder *b, vx_tensor *out, int64_t n, const vx_rows_of *rows)
{
    vx_stack stack = {.count = 1, .part = {*rows}};
    return vx_bind_table(b, out, VX_F32, 1, n, vx_fetch_stack_as_row, &stack);
}

/* Bucket of a distance key - query (transformers _relative_position_bucket, bidirectional). */
static int bucket_of(int distance, int buckets, int max_distance)
{
    int half = buckets / 2, base = distance > 0 ? half : 0, exact = half / 2;
    int a = abs(distance);
    if (a < exact) return base + a;
    int large = exact + (int)(logf((float)a / (float)exact) /
                              logf((float)max_distance / (float)exact) * (float)(half - exact));
    return base + (large < half - 1 ? large : half - 1);
}

typedef struct bias_rows {
    const vx_t5 *t5;
    vx_rows_of table; /* [buckets, heads] */
} bias_rows;

/* Row `head`: the bias of every distance from -(tokens-1) to tokens-1. */
static vx_status fetch_bias(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const bias_rows *rows = arg;
    const vx_t5_config *c = &rows->t5->config;
    int span = 2 * rows->t5->tokens - 1;
    for (int64_t h = first; h < first + count; h++)
        for (int i = 0; i < span; i++) {
            int bucket = bucket_of(i - rows->t5->tokens + 1, c->buckets, c->max_distance);
            VX_TRY(vx_source_read(rows->table.source, rows->table.tensor,
                                  (int64_t)bucket * c->heads + h, 1, dst++, err));
        }
    return VX_OK;
}

static vx_status bind_block(vx_t5 *t5, vx_binder *b, int layer)
{
    static const char *const qkv[] = {"layer.0.SelfAttention.q.weight",
                                      "layer.0.SelfAttention.k.weight",
                                      "layer.0.SelfAttention.v.weight"};
    static const char *const o[] = {"layer.0.SelfAttention.o.weight"};
    static const char *const wi[] = {"layer.1.DenseReluDense.wi_0.weight",
                                     "layer.1.DenseReluDense.wi_1.weight"};
    static const char *const wo[] = {"layer.1.DenseReluDense.wo.weight"};
    const vx_t5_config *c = &t5->config;
    t5_block *block = &t5->block[layer];
    int64_t inner = (int64_t)c->heads * c->d_kv;
    vx_rows_of norm = {0}, ff_norm = {0};
    if (!b->plan) {
        VX_TRY(member(b, layer, "layer.0.layer_norm.weight", c->d_model, 1, &norm));
        VX_TRY(member(b, layer, "layer.1.layer_norm.weight", c->d_model, 1, &ff_norm));
    }
    VX_TRY(bind_vector(b, &block->attention_norm, c->d_model, &norm));
    VX_TRY(bind_vector(b, &block->ff_norm, c->d_model, &ff_norm));
    VX_TRY(bind_matrix(t5, b, &block->qkv, layer, inner, c->d_model, 3, qkv));
    VX_TRY(bind_matrix(t5, b, &block->o, layer, c->d_model, inner, 1, o));
    VX_TRY(bind_matrix(t5, b, &block->wi, layer, c->d_ff, c->d_model, 2, wi));
    return bind_matrix(t5, b, &block->wo, layer, c->d_model, c->d_ff, 1, wo);
}

vx_status vx_t5_bind(vx_t5 *t5, vx_binder *b)
{
    const vx_t5_config *c = &t5->config;
    bias_rows bias = {.t5 = t5};
    vx_rows_of final = {0};
    vx_stack embedding = {.count = 1};
    b->prefixes = prefixes;
    if (!b->plan) {
        /* Some exports hold the table a second time as encoder.embed_tokens: it is the same. */
        const char *table = vx_binder_find(b, "encoder.embed_tokens.weight", NULL) != NULL &&
                                    vx_binder_find(b, "shared.weight", NULL) == NULL
                                ? "encoder.embed_tokens.weight"
                                : "shared.weight";
        VX_TRY(
            find_either(b, table, "token_embd.weight", c->vocab, c->d_model, &embedding.part[0]));
        VX_TRY(find_either(b, "encoder.final_layer_norm.weight", "enc.output_norm.weight",
                           c->d_model, 1, &final));
        VX_TRY(member(b, 0, "layer.0.SelfAttention.relative_attention_bias.weight", c->buckets,
                      c->heads, &bias.table));
    }
    VX_TRY(vx_bind_table(b, &t5->embedding, t5->table, c->vocab, c->d_model, vx_fetch_stack,
                         &embedding));
    VX_TRY(bind_vector(b, &t5->final_norm, c->d_model, &final));
    VX_TRY(vx_bind_table(b, &t5->bias, VX_F32, c->heads, 2 * t5->tokens - 1, fetch_bias, &bias));
    for (int i = 0; i < c->layers; i++)
        VX_TRY(bind_block(t5, b, i));
    return VX_OK;
}

/* ---- forward -------------------------------------------------------------------------------- */

/* x += o(softmax(q kT + bias) v): no scale, the same bias in every block. */
static vx_status attention(vx_t5 *t5, vx_ctx *ctx, const t5_block *block, vx_tensor *x)
{
    const vx_t5_config *c = &t5->config;
    int64_t inner = (int64_t)c->heads * c->d_kv;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y, qkv, mixed;
    VX_TRY(vx_take2(ctx, t5->compute, t5->tokens, c->d_model, &y));
    VX_TRY(vx_layer_norm(
        ctx, &(vx_layer_norm_args){
                 .x = x, .gamma = &block->attention_norm, .eps = c->eps, .rms = true, .out = &y}));
    VX_TRY(vx_take2(ctx, t5->compute, t5->tokens, 3 * inner, &qkv));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &y, .w = &block->qkv, .out = &qkv}));
    VX_TRY(vx_take2(ctx, t5->compute, t5->tokens, inner, &mixed));
    vx_tensor q = vx_slice_cols(&qkv, 0, inner), k = vx_slice_cols(&qkv, inner, inner),
              v = vx_slice_cols(&qkv, 2 * inner, inner);
    VX_TRY(vx_attention(ctx, &(vx_attention_args){.q = &q,
                                                  .k = &k,
                                                  .v = &v,
                                                  .heads = c->heads,
                                                  .scale = 1.0f,
                                                  .bias = &t5->bias,
                                                  .compute = t5->compute,
                                                  .out = &mixed}));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &mixed, .w = &block->o, .residual = x, .out = x}));
    vx_release(ctx, mark);
    return VX_OK;
}

/* x += wo(gelu(wi_0 y) · wi_1 y). The residual stream is f32: half floats overflow here. */
static vx_status feed_forward(vx_t5 *t5, vx_ctx *ctx, const t5_block *block, vx_tensor *x)
{
    const vx_t5_config *c = &t5->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y, hidden;
    VX_TRY(vx_take2(ctx, t5->compute, t5->tokens, c->d_model, &y));
    VX_TRY(vx_layer_norm(
        ctx, &(vx_layer_norm_args){
                 .x = x, .gamma = &block->ff_norm, .eps = c->eps, .rms = true, .out = &y}));
    VX_TRY(vx_take2(ctx, t5->compute, t5->tokens, 2 * (int64_t)c->d_ff, &hidden));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &y, .w = &block->wi, .out = &hidden}));
    vx_tensor gate = vx_slice_cols(&hidden, 0, c->d_ff),
              up = vx_slice_cols(&hidden, c->d_ff, c->d_ff);
    VX_TRY(vx_gate(
        ctx,
        &(vx_gate_args){.x = &gate, .y = &up, .act = {.kind = VX_ACT_GELU_TANH}, .out = &gate}));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &gate, .w = &block->wo, .residual = x, .out = x}));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_t5_encode(vx_t5 *t5, vx_ctx *ctx, const int32_t *ids, vx_tensor *out)
{
    const vx_t5_config *c = &t5->config;
    assert(vx_rows(out) == t5->tokens && vx_cols(out) == c->d_model && out->dtype == VX_F32);
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, index;
    VX_TRY(vx_take2(ctx, VX_F32, t5->tokens, c->d_model, &x));
    VX_TRY(vx_take2(ctx, VX_I32, t5->tokens, 1, &index));
    VX_TRY(vx_upload(ctx, ids, &index));
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = &t5->embedding, .index = &index, .out = &x}));
    for (int i = 0; i < c->layers; i++) {
        VX_TRY(attention(t5, ctx, &t5->block[i], &x));
        VX_TRY(feed_forward(t5, ctx, &t5->block[i], &x));
        vx_observe(ctx, &x, "t5.block.%d", i);
    }
    VX_TRY(vx_layer_norm(
        ctx, &(vx_layer_norm_args){
                 .x = &x, .gamma = &t5->final_norm, .eps = c->eps, .rms = true, .out = out}));
    vx_observe(ctx, out, "t5.out");
    vx_release(ctx, mark);
    return VX_OK;
}
