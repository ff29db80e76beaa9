/* transformers' CLIPConfig. */
#include <stdio.h>

#include "models/clip/clip.h"
#include "models/config.h"

/* The two choices of hidden_act, in the order of vx_clip_tower.act. */
static const char ACTS[] = "quick_gelu|gelu";

/* Keys of every transformers configuration that say nothing about inference. */
#define IGNORED(key) VX_CONFIG_NO_EFFECT(key)
#define COMMON_IGNORED                                                                             \
    IGNORED("model_type"), IGNORED("architectures"), IGNORED("torch_dtype"), IGNORED("dtype"),     \
        IGNORED("transformers_version"), IGNORED("initializer_factor"),                            \
        IGNORED("initializer_range"), IGNORED("attention_dropout"), IGNORED("dropout"),            \
        IGNORED("return_dict"), IGNORED("output_attentions"), IGNORED("output_hidden_states"),     \
        IGNORED("torchscript"), IGNORED("use_bfloat16"), IGNORED("pruned_heads"),                  \
        IGNORED("tie_word_embeddings"), IGNORED("is_encoder_decoder"), IGNORED("is_decoder"),      \
        IGNORED("cross_attention_hidden_size"), IGNORED("add_cross_attention"),                    \
        IGNORED("tie_encoder_decoder"), IGNORED("max_length"), IGNORED("min_length"),              \
        IGNORED("do_sample"), IGNORED("early_stopping"), IGNORED("num_beams"),                     \
        IGNORED("num_beam_groups"), IGNORED("diversity_penalty"), IGNORED("temperature"),          \
        IGNORED("top_k"), IGNORED("top_p"), IGNORED("typical_p"), IGNORED("repetition_penalty"),   \
        IGNORED("length_penalty"), IGNORED("no_repeat_ngram_size"),                                \
        IGNORED("encoder_no_repeat_ngram_size"), IGNORED("bad_words_ids"),                         \
        IGNORED("num_return_sequences"), IGNORED("chunk_size_feed_forward"),                       \
        IGNORED("output_scores"), IGNORED("return_dict_in_generate"),                              \
        IGNORED("forced_bos_token_id"), IGNORED("forced_eos_token_id"),                            \
        IGNORED("remove_invalid_values"), IGNORED("exponential_decay_length_penalty"),             \
        IGNORED("suppress_tokens"), IGNORED("begin_suppress_tokens"), IGNORED("finetuning_task"),  \
        IGNORED("id2label"), IGNORED("label2id"), IGNORED("tokenizer_class"), IGNORED("prefix"),   \
        IGNORED("bos_token_id"), IGNORED("pad_token_id"), IGNORED("sep_token_id"),                 \
        IGNORED("decoder_start_token_id"), IGNORED("task_specific_params"),                        \
        IGNORED("problem_type"), IGNORED("tf_legacy_loss"), IGNORED("logit_scale_init_value")

#define INT_KEY(key, field, low, high) VX_CONFIG_INT_KEY(key, vx_clip_config, field, low, high)
#define TOWER_KEYS(tower)                                                                          \
    INT_KEY("hidden_size", tower.width, 8, 8192),                                                  \
        INT_KEY("num_hidden_layers", tower.layers, 1, VX_CLIP_LAYERS_MAX),                         \
        INT_KEY("num_attention_heads", tower.heads, 1, 128),                                       \
        INT_KEY("intermediate_size", tower.mlp, 8, 32768),                                         \
        {.name = "hidden_act",                                                                     \
         .kind = VX_CONFIG_CHOICE,                                                                 \
         .offset = offsetof(vx_clip_config, tower.act),                                            \
         .choices = ACTS},                                                                         \
        {.name = "layer_norm_eps",                                                                 \
         .kind = VX_CONFIG_FLOAT,                                                                  \
         .offset = offsetof(vx_clip_config, tower.eps),                                            \
         .min = 1e-12,                                                                             \
         .max = 1e-1},                                                                             \
        INT_KEY("projection_dim", embed, 1, 8192)

static const vx_config_key vision_keys[] = {
    TOWER_KEYS(vision),
    INT_KEY("image_size", image_size, 8, 1024),
    INT_KEY("patch_size", patch, 2, 256),
    {.name = "num_channels", .kind = VX_CONFIG_IGNORED},
    COMMON_IGNORED,
    IGNORED("eos_token_id"),
    {0},
};

static const vx_config_key text_keys[] = {
    TOWER_KEYS(text),
    INT_KEY("vocab_size", vocab, 8, 1 << 20),
    INT_KEY("max_position_embeddings", context, 4, VX_CLIP_CONTEXT_MAX),
    INT_KEY("eos_token_id", eos, 0, 1 << 20),
    COMMON_IGNORED,
    {0},
};

static const vx_config_key top_keys[] = {
    {.name = "vision_config", .kind = VX_CONFIG_OBJECT},
    {.name = "text_config", .kind = VX_CONFIG_OBJECT},
    INT_KEY("projection_dim", embed, 1, 8192),
    COMMON_IGNORED,
    IGNORED("vision_config_dict"),
    IGNORED("text_config_dict"),
    IGNORED("eos_token_id"),
    {0},
};

static vx_status check(const vx_clip_config *c, vx_error *err)
{
    if (c->image_size % c->patch != 0)
        return vx_fail(
            err, VX_ERR_INPUT, "bad_config",
            "the configuration of clip has image_size %d, which is no multiple of patch_size %d",
            c->image_size, c->patch);
    const vx_clip_tower *towers[2] = {&c->vision, &c->text};
    for (int i = 0; i < 2; i++)
        if (towers[i]->width % towers[i]->heads != 0)
            return vx_fail(
                err, VX_ERR_INPUT, "bad_config",
                "the configuration of clip has hidden_size %d, which is no multiple of its %d "
                "attention heads",
                towers[i]->width, towers[i]->heads);
    return VX_OK;
}

static const vx_clip_config published_sizes[] = {
    [VX_CLIP_BASE_32] =
        {
            .vision = {.width = 768, .layers = 12, .heads = 12, .mlp = 3072, .eps = 1e-5f},
            .text = {.width = 512, .layers = 12, .heads = 8, .mlp = 2048, .eps = 1e-5f},
            .image_size = 224,
            .patch = 32,
            .vocab = 49408,
            .context = 77,
            .eos = 49407,
            .embed = 512,
        },
    [VX_CLIP_LARGE_14] =
        {
            .vision = {.width = 1024, .layers = 24, .heads = 16, .mlp = 4096, .eps = 1e-5f},
            .text = {.width = 768, .layers = 12, .heads = 12, .mlp = 3072, .eps = 1e-5f},
            .image_size = 224,
            .patch = 14,
            .vocab = 49408,
            .context = 77,
            .eos = 49407,
            .embed = 768,
        },
};

vx_status vx_clip_config_read(const json_t *json, vx_clip_published published,
                              vx_clip_config *config, vx_error *err)
{
    *config = published_sizes[json == NULL ? published : VX_CLIP_BASE_32];
    if (json != NULL && json_object_get(json, "text_config") == NULL &&
        json_object_get(json, "vision_config") == NULL &&
        json_object_get(json, "vocab_size") != NULL) {
        VX_TRY(vx_config_read(json, text_keys, config, "clip text", err));
    } else {
        VX_TRY(vx_config_read(json, top_keys, config, "clip", err));
        int embed = config->embed;
        VX_TRY(vx_config_read(json_object_get(json, "vision_config"), vision_keys, config,
                              "clip vision", err));
        VX_TRY(vx_config_read(json_object_get(json, "text_config"), text_keys, config, "clip text",
                              err));
        /* The inner configurations repeat projection_dim, often with a default that is not meant.
         */
        if (json_object_get(json, "projection_dim") != NULL) config->embed = embed;
    }
    /* Published files carry eos_token_id 2, a leftover: transformers then takes the largest id. */
    if (config->eos == 2) config->eos = config->vocab - 1;
    return check(config, err);
}
