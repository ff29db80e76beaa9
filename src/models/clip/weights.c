/* Binding: one list of weights under transformers' names; other namings are translated.
 *
 *   transformers   vision_model.encoder.layers.N.self_attn.{q,k,v}_proj.weight   visual_projection
 * [e,w] OpenAI,        visual.transformer.resblocks.N.attn.in_proj_weight [3w,w]     visual.proj
 * [w,e] open_clip      transformer.resblocks.N.attn.in_proj_weight text_projection [w,e] text alone
 * encoder.layers.N.… without the prefix text_model. */
#include "models/clip/weights.h"

#include <stdio.h>

#include "base/mem.h"
#include "models/stack.h"

enum { NAME_MAX_BYTES = 160 };

/* Where rows come from: rows [first_row, …) of a tensor, or columns of it when transposed. */
/* transformers' block member -> OpenAI's. */
static const char *const block_members[][2] = {
    {"layer_norm1.", "ln_1."},
    {"layer_norm2.", "ln_2."},
    {"self_attn.out_proj.", "attn.out_proj."},
    {"mlp.fc1.", "mlp.c_fc."},
    {"mlp.fc2.", "mlp.c_proj."},
};

/* transformers' other names -> OpenAI's. */
static const char *const names[][2] = {
    {"vision_model.embeddings.class_embedding", "visual.class_embedding"},
    {"vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"},
    {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
    {"vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"},
    {"vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"},
    {"vision_model.post_layernorm.weight", "visual.ln_post.weight"},
    {"vision_model.post_layernorm.bias", "visual.ln_post.bias"},
    {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
    {"text_model.final_layer_norm.weight", "ln_final.weight"},
    {"text_model.final_layer_norm.bias", "ln_final.bias"},
};

/* ComfyUI's all-in-one files, diffusers' pipelines, LDM's and others' files. */
static const char *const prefixes[] = {"text_encoders.clip_l.transformer.",
                                       "text_encoders.clip_l.",
                                       "text_encoder.",
                                       "cond_stage_model.transformer.",
                                       "cond_stage_model.model.",
                                       "conditioner.embedders.0.transformer.",
                                       "clip_l.transformer.",
                                       "clip_l.",
                                       "transformer.",
                                       "clip.",
                                       "model.",
                                       NULL};

static const vx_source_tensor *find(const vx_binder *b, const char *name, const vx_source **source)
{
    const vx_source_tensor *tensor = vx_binder_find(b, name, source);
    static const char text_prefix[] = "text_model.";
    if (tensor == NULL && strncmp(name, text_prefix, sizeof text_prefix - 1) == 0)
        tensor = vx_binder_find(b, name + sizeof text_prefix - 1, source);
    return tensor;
}

/* OpenAI's name for one of transformers'; false when there is none of the same shape. */
static bool openai_name(const char *hf, char *out, size_t room)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i][0], hf) == 0) {
            snprintf(out, room, "%s", names[i][1]);
            return true;
        }
    int layer, used = 0;
    const char *tower = strncmp(hf, "vision_model.", 13) == 0 ? "visual." : "";
    const char *rest = strstr(hf, "encoder.layers.");
    if (rest == NULL || sscanf(rest, "encoder.layers.%d.%n", &layer, &used) != 1 || used == 0)
        return false;
    for (size_t i = 0; i < sizeof block_members / sizeof block_members[0]; i++) {
        size_t length = strlen(block_members[i][0]);
        if (strncmp(rest + used, block_members[i][0], length) == 0) {
            snprintf(out, room, "%stransformer.resblocks.%d.%s%s", tower, layer,
                     block_members[i][1], rest + used + length);
            return true;
        }
    }
    return false;
}

/* Finds the rows of transformers' tensor `name` [rows, cols] under whichever name the file has. */
static vx_status locate(vx_binder *b, const char *name, int64_t rows, int64_t cols, vx_rows_of *out)
{
    char other[NAME_MAX_BYTES];
    const int64_t dim[2] = {rows, cols};
    *out = (vx_rows_of){.rows = rows, .cols = cols};
    out->tensor = find(b, name, &out->source);
    if (out->tensor != NULL)
        return vx_binder_need(b, out->tensor->name, 2, dim, &out->tensor, &out->source);
    if (openai_name(name, other, sizeof other) && vx_binder_find(b, other, NULL) != NULL)
        return vx_binder_need(b, other, 2, dim, &out->tensor, &out->source);
    /* q, k and v are thirds of one tensor there; projections are transposed. */
    int layer;
    char which, kind[8];
    const char *rest = strstr(name, "encoder.layers.");
    if (rest != NULL &&
        sscanf(rest, "encoder.layers.%d.self_attn.%c_proj.%7s", &layer, &which, kind) == 3) {
        snprintf(other, sizeof other, "%stransformer.resblocks.%d.attn.in_proj_%s",
                 strncmp(name, "vision_model.", 13) == 0 ? "visual." : "", layer, kind);
        if (vx_binder_find(b, other, NULL) != NULL) {
            out->first_row = rows * (which == 'q' ? 0 : which == 'k' ? 1 : 2);
            return vx_binder_need(b, other, 2, (const int64_t[]){3 * rows, cols}, &out->tensor,
                                  &out->source);
        }
    }
    const char *projection = strcmp(name, "visual_projection.weight") == 0 ? "visual.proj"
                             : strcmp(name, "text_projection.weight") == 0 ? "text_projection"
                                                                           : NULL;
    if (projection != NULL && vx_binder_find(b, projection, NULL) != NULL) {
        out->transposed = true;
        return vx_binder_need(b, projection, 2, (const int64_t[]){cols, rows}, &out->tensor,
                              &out->source);
    }
    return vx_binder_need(b, name, 2, dim, &out->tensor, &out->source);
}

/* A vector is a column: n rows of one element, so that a third of in_proj_bias is found like the
 * rest. */
static vx_status bind_vector(vx_binder *b, vx_tensor *out, int64_t n, const char *name)
{
    vx_stack rows = {.count = 1};
    if (!b->plan) VX_TRY(locate(b, name, n, 1, &rows.part[0]));
    return vx_bind_table(b, out, VX_F32, 1, n, vx_fetch_stack_as_row, &rows);
}

static vx_status bind_table(vx_binder *b, vx_tensor *out, vx_dtype dtype, int64_t rows,
                            int64_t cols, const char *name)
{
    vx_stack stack = {.count = 1};
    if (!b->plan) VX_TRY(locate(b, name, rows, cols, &stack.part[0]));
    return vx_bind_table(b, out, dtype, rows, cols, vx_fetch_stack, &stack);
}

static vx_status bind_linear(vx_clip *clip, vx_binder *b, vx_weight *w, int64_t out, int64_t in,
                             const char *name)
{
    vx_stack rows = {.count = 1};
    *w = vx_weight_linear(out, in, clip->store, clip->compute);
    if (!b->plan) VX_TRY(locate(b, name, out, in, &rows.part[0]));
    VX_TRY(vx_bind_weight(b, w, vx_fetch_stack, &rows));
    if (!b->plan) vx_stack_release(&rows);
    return VX_OK;
}

static vx_status bind_block(vx_clip *clip, vx_binder *b, const vx_clip_tower *t, const char *tower,
                            int layer, vx_clip_block *block)
{
    char prefix[64], name[NAME_MAX_BYTES], second[NAME_MAX_BYTES];
    int64_t w = t->width;
    snprintf(prefix, sizeof prefix, "%s.encoder.layers.%d", tower, layer);
    const struct {
        const char *name;
        vx_tensor *out;
        int64_t n;
    } vectors[] = {
        {"layer_norm1.weight", &block->ln1_w, w},  {"layer_norm1.bias", &block->ln1_b, w},
        {"layer_norm2.weight", &block->ln2_w, w},  {"layer_norm2.bias", &block->ln2_b, w},
        {"self_attn.q_proj.bias", &block->q_b, w}, {"self_attn.out_proj.bias", &block->o_b, w},
        {"mlp.fc1.bias", &block->fc1_b, t->mlp},   {"mlp.fc2.bias", &block->fc2_b, w},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        snprintf(name, sizeof name, "%s.%s", prefix, vectors[i].name);
        VX_TRY(bind_vector(b, vectors[i].out, vectors[i].n, name));
    }
    const struct {
        const char *name;
        vx_weight *out;
        int64_t rows, cols;
    } matrices[] = {
        {"self_attn.q_proj.weight", &block->q, w, w},
        {"self_attn.out_proj.weight", &block->o, w, w},
        {"mlp.fc1.weight", &block->fc1, t->mlp, w},
        {"mlp.fc2.weight", &block->fc2, w, t->mlp},
    };
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
        snprintf(name, sizeof name, "%s.%s", prefix, matrices[i].name);
        VX_TRY(bind_linear(clip, b, matrices[i].out, matrices[i].rows, matrices[i].cols, name));
    }
    /* Keys and values are one matrix, since the last block makes both for all tokens and queries
     * for one. */
    vx_stack kv = {.count = 2}, kv_bias = {.count = 2};
    snprintf(name, sizeof name, "%s.self_attn.k_proj.weight", prefix);
    snprintf(second, sizeof second, "%s.self_attn.v_proj.weight", prefix);
    if (!b->plan) {
        VX_TRY(locate(b, name, w, w, &kv.part[0]));
        VX_TRY(locate(b, second, w, w, &kv.part[1]));
    }
    block->kv = vx_weight_linear(2 * w, w, clip->store, clip->compute);
    VX_TRY(vx_bind_weight(b, &block->kv, vx_fetch_stack, &kv));
    if (!b->plan) vx_stack_release(&kv);
    snprintf(name, sizeof name, "%s.self_attn.k_proj.bias", prefix);
    snprintf(second, sizeof second, "%s.self_attn.v_proj.bias", prefix);
    if (!b->plan) {
        VX_TRY(locate(b, name, w, 1, &kv_bias.part[0]));
        VX_TRY(locate(b, second, w, 1, &kv_bias.part[1]));
    }
    VX_TRY(vx_bind_table(b, &block->kv_b, VX_F32, 2 * w, 1, vx_fetch_stack, &kv_bias));
    return VX_OK;
}

/* Patch filters [vw, 3, p, p] with each row reordered to y, x, channel, as pixels lie in memory. */
static vx_status fetch_patch(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_rows_of *r = arg;
    int64_t pp = r->cols / 3;
    float row[3 * 256];
    for (int64_t i = 0; i < count; i++, dst += r->cols)
        for (int64_t at = 0; at < pp; at += 256) {
            int64_t n = pp - at < 256 ? pp - at : 256;
            for (int64_t ch = 0; ch < 3; ch++)
                VX_TRY(vx_source_read(r->source, r->tensor, (first + i) * r->cols + ch * pp + at, n,
                                      row + ch * 256, err));
            for (int64_t k = 0; k < n; k++)
                for (int64_t ch = 0; ch < 3; ch++)
                    dst[(at + k) * 3 + ch] = row[ch * 256 + k];
        }
    return VX_OK;
}

/* Row 0 is the class token's embedding plus its position, the others are positions. */
static vx_status fetch_positions(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_stack *s = arg;
    const vx_rows_of *positions = &s->part[0], *class_embedding = &s->part[1];
    VX_TRY(vx_rows_read(positions, first, count, dst, err));
    for (int64_t c = 0; first == 0 && c < positions->cols; c++) {
        float value;
        VX_TRY(vx_source_read(class_embedding->source, class_embedding->tensor, c, 1, &value, err));
        dst[c] += value;
    }
    return VX_OK;
}

static vx_status bind_image_tower(vx_clip *clip, vx_binder *b)
{
    const vx_clip_config *c = &clip->config;
    int64_t w = c->vision.width, grid = c->image_size / c->patch, tokens = grid * grid + 1;
    int64_t patch_cols = (int64_t)3 * c->patch * c->patch;
    vx_rows_of patch = {0};
    vx_stack positions = {.count = 2};
    if (!b->plan) {
        const int64_t dim[4] = {w, 3, c->patch, c->patch};
        VX_TRY(locate(b, "vision_model.embeddings.position_embedding.weight", tokens, w,
                      &positions.part[0]));
        VX_TRY(locate(b, "vision_model.embeddings.class_embedding", w, 1, &positions.part[1]));
        const char *name = "vision_model.embeddings.patch_embedding.weight";
        if (vx_binder_find(b, name, NULL) == NULL &&
            vx_binder_find(b, "visual.conv1.weight", NULL) != NULL)
            name = "visual.conv1.weight";
        patch.cols = patch_cols;
        VX_TRY(vx_binder_need(b, name, 4, dim, &patch.tensor, &patch.source));
    }
    clip->patch = vx_weight_linear(w, patch_cols, clip->dense, clip->compute);
    VX_TRY(vx_bind_weight(b, &clip->patch, fetch_patch, &patch));
    VX_TRY(vx_bind_table(b, &clip->positions, VX_F32, tokens, w, fetch_positions, &positions));
    VX_TRY(bind_vector(b, &clip->pre_w, w, "vision_model.pre_layrnorm.weight"));
    VX_TRY(bind_vector(b, &clip->pre_b, w, "vision_model.pre_layrnorm.bias"));
    VX_TRY(bind_vector(b, &clip->post_w, w, "vision_model.post_layernorm.weight"));
    VX_TRY(bind_vector(b, &clip->post_b, w, "vision_model.post_layernorm.bias"));
    for (int i = 0; i < c->vision.layers; i++)
        VX_TRY(bind_block(clip, b, &c->vision, "vision_model", i, &clip->vision[i]));
    return bind_linear(clip, b, &clip->vision_projection, c->embed, w, "visual_projection.weight");
}

static vx_status bind_text_tower(vx_clip *clip, vx_binder *b)
{
    const vx_clip_config *c = &clip->config;
    int64_t w = c->text.width;
    vx_dtype table = clip->dense == VX_F32 ? VX_F32 : VX_F16;
    VX_TRY(bind_table(b, &clip->tokens, table, c->vocab, w,
                      "text_model.embeddings.token_embedding.weight"));
    VX_TRY(bind_table(b, &clip->text_positions, VX_F32, c->context, w,
                      "text_model.embeddings.position_embedding.weight"));
    VX_TRY(bind_vector(b, &clip->final_w, w, "text_model.final_layer_norm.weight"));
    VX_TRY(bind_vector(b, &clip->final_b, w, "text_model.final_layer_norm.bias"));
    for (int i = 0; i < c->text.layers; i++)
        VX_TRY(bind_block(clip, b, &c->text, "text_model", i, &clip->text[i]));
    if (clip->parts & VX_CLIP_TEXT_PROJECTION)
        VX_TRY(bind_linear(clip, b, &clip->text_projection, c->embed, w, "text_projection.weight"));
    return VX_OK;
}

vx_status vx_clip_bind(vx_clip *clip, vx_binder *b)
{
    b->prefixes = prefixes;
    if (clip->parts & VX_CLIP_IMAGE) VX_TRY(bind_image_tower(clip, b));
    if (clip->parts & VX_CLIP_TEXT) VX_TRY(bind_text_tower(clip, b));
    return VX_OK;
}

vx_status vx_clip_open(vx_clip **out, const vx_clip_config *config, vx_dtype precision,
                       vx_dtype native, int parts, vx_error *err)
{
    assert(parts & (VX_CLIP_IMAGE | VX_CLIP_TEXT));
    vx_clip *clip = vx_heap_alloc(sizeof *clip);
    *out = clip;
    if (clip != NULL) {
        size_t image_bytes = 3 * (size_t)config->image_size * (size_t)config->image_size;
        static_assert(VX_CLIP_IMAGES_MAX >= sizeof(float), "one image of floats has room, too");
        clip->config = *config;
        clip->parts = parts;
        clip->store = precision;
        clip->compute = precision == VX_F32 ? VX_F32 : native;
        clip->dense = precision == VX_F32 || precision == VX_BF16 ? precision : VX_F16;
        clip->vision = vx_heap_alloc(sizeof *clip->vision * (size_t)config->vision.layers);
        clip->text = vx_heap_alloc(sizeof *clip->text * (size_t)config->text.layers);
        clip->patches = vx_heap_alloc(VX_CLIP_IMAGES_MAX * image_bytes);
        if (clip->vision != NULL && clip->text != NULL && clip->patches != NULL) return VX_OK;
    }
    vx_clip_close(out);
    return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the description of clip");
}

void vx_clip_close(vx_clip **clip)
{
    if (*clip == NULL) return;
    vx_heap_free((*clip)->vision);
    vx_heap_free((*clip)->text);
    vx_heap_free((*clip)->patches);
    vx_heap_free(*clip);
    *clip = NULL;
}

const vx_clip_config *vx_clip_configuration(const vx_clip *clip)
{
    return &clip->config;
}
