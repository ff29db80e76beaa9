/* Binding of the transformer: Black Forest Labs' names, translated to diffusers'
 * where a file has those. */
#include "models/flux/transformer_weights.h"

#include <stdio.h>

#include "base/mem.h"
#include "models/config.h"
#include "models/stack.h"

#define INT_KEY(key, field, low, high) VX_CONFIG_INT_KEY(key, flux_read, c.field, low, high)
#define IGNORED(key)                   VX_CONFIG_NO_EFFECT(key)

typedef struct flux_read {
    vx_flux_config c;
    bool guidance;
    int patch;
} flux_read;

vx_status vx_flux_config_read(const json_t *json, vx_flux_config *config, vx_error *err)
{
    flux_read read = {.c = {.channels = 64,
                            .context = 4096,
                            .pooled = 768,
                            .heads = 24,
                            .head_dim = 128,
                            .double_blocks = 19,
                            .single_blocks = 38,
                            .axes = {16, 56, 56}}};
    static const vx_config_key keys[] = {
        INT_KEY("in_channels", channels, 4, 1024),
        INT_KEY("joint_attention_dim", context, 8, 16384),
        INT_KEY("pooled_projection_dim", pooled, 8, 16384),
        INT_KEY("num_attention_heads", heads, 1, 128),
        INT_KEY("attention_head_dim", head_dim, 8, 512),
        INT_KEY("num_layers", double_blocks, 0, VX_FLUX_DOUBLE_MAX),
        INT_KEY("num_single_layers", single_blocks, 0, VX_FLUX_SINGLE_MAX),
        {.name = "axes_dims_rope",
         .kind = VX_CONFIG_INTS,
         .offset = offsetof(flux_read, c.axes),
         .min = 0,
         .max = 512,
         .count = 3},
        {.name = "guidance_embeds",
         .kind = VX_CONFIG_BOOL,
         .offset = offsetof(flux_read, guidance)},
        {.name = "patch_size",
         .kind = VX_CONFIG_INT,
         .offset = offsetof(flux_read, patch),
         .min = 1,
         .max = 1},
        IGNORED("out_channels"),
        {0},
    };
    VX_TRY(vx_config_read(json, keys, &read, "flux.transformer", err));
    if (read.guidance)
        return vx_fail(
            err, VX_ERR_INPUT, "bad_config",
            "the configuration of flux.transformer asks for guidance_embeds (FLUX.1-dev), which "
            "is not implemented; use FLUX.1-schnell");
    int turned = read.c.axes[0] + read.c.axes[1] + read.c.axes[2];
    if (turned != read.c.head_dim || read.c.axes[0] % 2 || read.c.axes[1] % 2 || read.c.axes[2] % 2)
        return vx_fail(
            err, VX_ERR_INPUT, "bad_config",
            "the configuration of flux.transformer has axes_dims_rope that are not even or do not "
            "add up to attention_head_dim %d",
            read.c.head_dim);
    *config = read.c;
    return VX_OK;
}

vx_status vx_flux_open(vx_flux **out, const vx_flux_config *config, vx_dtype precision,
                       vx_dtype native, vx_flux_modulations modulations, int64_t tokens_max,
                       vx_error *err)
{
    vx_flux *f = *out = vx_heap_alloc(sizeof **out);
    bool streamed = modulations == VX_FLUX_STREAMED;
    if (f != NULL) {
        f->tokens_max = tokens_max;
        f->turns = vx_heap_alloc((size_t)(tokens_max * config->head_dim) * sizeof *f->turns);
        if (streamed) f->staging = vx_heap_alloc(VX_STAGING_FLOATS * sizeof *f->staging);
    }
    if (f == NULL || f->turns == NULL || (streamed && f->staging == NULL)) {
        vx_flux_close(out);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for the description of flux.transformer");
    }
    f->config = *config;
    f->modulations = modulations;
    f->store = precision;
    f->compute = precision == VX_F32 ? VX_F32 : native;
    return VX_OK;
}

void vx_flux_close(vx_flux **flux)
{
    if (*flux != NULL) {
        vx_heap_free((*flux)->turns);
        vx_heap_free((*flux)->staging);
    }
    vx_heap_free(*flux);
    *flux = NULL;
}

const vx_flux_config *vx_flux_configuration(const vx_flux *flux)
{
    return &flux->config;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* diffusers splits some matrices; parts of equal rows except where noted. */
typedef struct translation {
    const char *bfl;
    const char *diffusers[4];
} translation;

static const translation double_names[] = {
    {"img_mod.lin", {"norm1.linear"}},
    {"txt_mod.lin", {"norm1_context.linear"}},
    {"img_attn.qkv", {"attn.to_q", "attn.to_k", "attn.to_v"}},
    {"txt_attn.qkv", {"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"}},
    {"img_attn.norm.query_norm", {"attn.norm_q"}},
    {"img_attn.norm.key_norm", {"attn.norm_k"}},
    {"txt_attn.norm.query_norm", {"attn.norm_added_q"}},
    {"txt_attn.norm.key_norm", {"attn.norm_added_k"}},
    {"img_attn.proj", {"attn.to_out.0"}},
    {"txt_attn.proj", {"attn.to_add_out"}},
    {"img_mlp.0", {"ff.net.0.proj"}},
    {"img_mlp.2", {"ff.net.2"}},
    {"txt_mlp.0", {"ff_context.net.0.proj"}},
    {"txt_mlp.2", {"ff_context.net.2"}},
};
/* linear1 is asked for in two ranges of rows (see find_rows), so its parts stand under two keys. */
static const translation single_names[] = {
    {"modulation.lin", {"norm.linear"}},  {"linear1:qkv", {"attn.to_q", "attn.to_k", "attn.to_v"}},
    {"linear1:mlp", {"proj_mlp"}},        {"linear2", {"proj_out"}},
    {"norm.query_norm", {"attn.norm_q"}}, {"norm.key_norm", {"attn.norm_k"}},
};
static const translation top_names[] = {
    {"img_in", {"x_embedder"}},
    {"txt_in", {"context_embedder"}},
    {"time_in.in_layer", {"time_text_embed.timestep_embedder.linear_1"}},
    {"time_in.out_layer", {"time_text_embed.timestep_embedder.linear_2"}},
    {"vector_in.in_layer", {"time_text_embed.text_embedder.linear_1"}},
    {"vector_in.out_layer", {"time_text_embed.text_embedder.linear_2"}},
    {"final_layer.linear", {"proj_out"}},
    {"final_layer.adaLN_modulation.1", {"norm_out.linear"}},
};

/* A tensor that is wanted: member `name` of block `layer` of `family`, or a top tensor. */
typedef struct wanted {
    const char *family; /* "double_blocks", "single_blocks" or "" */
    int layer;
    const char *name; /* BFL's member, ':' introducing a range of rows */
    const char *kind; /* "weight", "bias" or "scale" */
    int64_t first_row, rows, file_rows, cols;
} wanted;

/* ComfyUI's and WebUI's all-in-one files, diffusers' pipelines, training scripts. */
static const char *const prefixes[] = {"model.diffusion_model.", "transformer.", "diffusion_model.",
                                       "model.", NULL};

static const translation *translate(const wanted *w)
{
    const translation *table = top_names;
    size_t count = sizeof top_names / sizeof top_names[0];
    if (strcmp(w->family, "double_blocks") == 0) {
        table = double_names;
        count = sizeof double_names / sizeof double_names[0];
    } else if (strcmp(w->family, "single_blocks") == 0) {
        table = single_names;
        count = sizeof single_names / sizeof single_names[0];
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].bfl, w->name) == 0) return &table[i];
    assert(!"every member has a translation");
    return NULL;
}

static void bfl_name(const wanted *w, char *out)
{
    char block[48] = "";
    int length = (int)strcspn(w->name, ":");
    if (w->family[0] != '\0') snprintf(block, sizeof block, "%s.%d.", w->family, w->layer);
    snprintf(out, VX_NAME_BYTES, "%s%.*s.%s", block, length, w->name, w->kind);
}

static void diffusers_name(const wanted *w, const char *member, char *out)
{
    /* QK-norm scales are called weight there. */
    const char *kind = strcmp(w->kind, "scale") == 0 ? "weight" : w->kind;
    const char *family = strcmp(w->family, "double_blocks") == 0   ? "transformer_blocks"
                         : strcmp(w->family, "single_blocks") == 0 ? "single_transformer_blocks"
                                                                   : "";
    if (family[0] != '\0')
        snprintf(out, VX_NAME_BYTES, "%s.%d.%s.%s", family, w->layer, member, kind);
    else
        snprintf(out, VX_NAME_BYTES, "%s.%s", member, kind);
}

/* Finds the wanted rows under whichever names the file has. */
static vx_status find_rows(const vx_binder *b, const wanted *w, vx_stack *stack)
{
    char name[VX_NAME_BYTES];
    *stack = (vx_stack){.count = 1};
    vx_rows_of *part = &stack->part[0];
    *part = (vx_rows_of){.first_row = w->first_row, .rows = w->rows, .cols = w->cols};
    bfl_name(w, name);
    if (vx_binder_find(b, name, NULL) != NULL)
        return vx_binder_need(b, name, 2, (const int64_t[]){w->file_rows, w->cols}, &part->tensor,
                              &part->source);
    const translation *t = translate(w);
    diffusers_name(w, t->diffusers[0], name);
    if (vx_binder_find(b, name, NULL) == NULL) {
        bfl_name(w, name);
        return vx_binder_need(b, name, 2, (const int64_t[]){w->file_rows, w->cols}, &part->tensor,
                              &part->source);
    }
    int parts = 0;
    while (parts < 4 && t->diffusers[parts] != NULL)
        parts++;
    bool swapped = strcmp(t->diffusers[0], "norm_out.linear") == 0;
    stack->count = swapped ? 2 : parts;
    int64_t rows = w->rows / stack->count;
    for (int i = 0; i < stack->count; i++) {
        part = &stack->part[i];
        *part = (vx_rows_of){.rows = rows, .cols = w->cols};
        diffusers_name(w, t->diffusers[swapped ? 0 : i], name);
        VX_TRY(vx_binder_need(b, name, 2, (const int64_t[]){swapped ? w->rows : rows, w->cols},
                              &part->tensor, &part->source));
        /* diffusers' rows are scale, shift; ours are shift, scale. */
        if (swapped) part->first_row = i == 0 ? rows : 0;
    }
    return VX_OK;
}

/* ---- binding -------------------------------------------------------------------------------- */

/* The bias beside the weight `w`. */
static vx_status bind_bias(vx_binder *b, vx_layer *l, wanted w)
{
    vx_stack bias = {0};
    w.kind = "bias";
    w.cols = 1;
    if (!b->plan) VX_TRY(find_rows(b, &w, &bias));
    return vx_bind_table(b, &l->bias, VX_F32, 1, w.rows, vx_fetch_stack_as_row, &bias);
}

static vx_status bind_range(vx_flux *f, vx_binder *b, vx_layer *l, const char *family, int layer,
                            const char *name, int64_t file_rows, int64_t first_row, int64_t rows,
                            int64_t cols)
{
    vx_stack weight = {0};
    wanted w = {family, layer, name, "weight", first_row, rows, file_rows, cols};
    if (!b->plan) VX_TRY(find_rows(b, &w, &weight));
    l->w = vx_weight_linear(rows, cols, f->store, f->compute);
    VX_TRY(vx_bind_stack(b, &l->w, &weight));
    return bind_bias(b, l, w);
}

static vx_status bind_linear(vx_flux *f, vx_binder *b, vx_layer *l, const char *family, int layer,
                             const char *name, int64_t rows, int64_t cols)
{
    return bind_range(f, b, l, family, layer, name, rows, 0, rows, cols);
}

/* A matrix that is streamed is described only, and shares the slot with all others. */
static vx_status bind_modulation(vx_flux *f, vx_binder *b, flux_modulation *m, const char *family,
                                 int layer, const char *name, int64_t rows)
{
    int64_t d = flux_width(f);
    if (f->modulations == VX_FLUX_RESIDENT)
        return bind_linear(f, b, &m->linear, family, layer, name, rows, d);
    wanted w = {family, layer, name, "weight", 0, rows, rows, d};
    if (!b->plan) VX_TRY(find_rows(b, &w, &m->rows));
    m->linear.w = vx_weight_linear(rows, d, f->store, f->compute);
    VX_TRY(vx_weight_plan(b->backend, &m->linear.w, b->err));
    if (m->linear.w.bytes > f->slot_bytes) f->slot_bytes = m->linear.w.bytes;
    return bind_bias(b, &m->linear, w);
}

static vx_status bind_scale(vx_flux *f, vx_binder *b, vx_tensor *out, const char *family, int layer,
                            const char *name)
{
    vx_stack stack = {0};
    int64_t n = f->config.head_dim;
    if (!b->plan) VX_TRY(find_rows(b, &(wanted){family, layer, name, "scale", 0, n, n, 1}, &stack));
    return vx_bind_table(b, out, VX_F32, 1, n, vx_fetch_stack_as_row, &stack);
}

static vx_status bind_stream(vx_flux *f, vx_binder *b, flux_stream *s, int layer, const char *which)
{
    static const char family[] = "double_blocks";
    int64_t d = flux_width(f);
    bool img = which[0] == 'i';
    VX_TRY(
        bind_modulation(f, b, &s->mod, family, layer, img ? "img_mod.lin" : "txt_mod.lin", 6 * d));
    VX_TRY(
        bind_linear(f, b, &s->qkv, family, layer, img ? "img_attn.qkv" : "txt_attn.qkv", 3 * d, d));
    VX_TRY(bind_scale(f, b, &s->q_norm, family, layer,
                      img ? "img_attn.norm.query_norm" : "txt_attn.norm.query_norm"));
    VX_TRY(bind_scale(f, b, &s->k_norm, family, layer,
                      img ? "img_attn.norm.key_norm" : "txt_attn.norm.key_norm"));
    VX_TRY(
        bind_linear(f, b, &s->proj, family, layer, img ? "img_attn.proj" : "txt_attn.proj", d, d));
    VX_TRY(bind_linear(f, b, &s->mlp0, family, layer, img ? "img_mlp.0" : "txt_mlp.0", 4 * d, d));
    return bind_linear(f, b, &s->mlp2, family, layer, img ? "img_mlp.2" : "txt_mlp.2", d, 4 * d);
}

static vx_status bind_single(vx_flux *f, vx_binder *b, flux_single *s, int layer)
{
    static const char family[] = "single_blocks";
    int64_t d = flux_width(f);
    VX_TRY(bind_modulation(f, b, &s->mod, family, layer, "modulation.lin", 3 * d));
    VX_TRY(bind_range(f, b, &s->qkv, family, layer, "linear1:qkv", 7 * d, 0, 3 * d, d));
    VX_TRY(bind_range(f, b, &s->mlp, family, layer, "linear1:mlp", 7 * d, 3 * d, 4 * d, d));
    VX_TRY(bind_linear(f, b, &s->linear2, family, layer, "linear2", d, 5 * d));
    VX_TRY(bind_scale(f, b, &s->q_norm, family, layer, "norm.query_norm"));
    return bind_scale(f, b, &s->k_norm, family, layer, "norm.key_norm");
}

vx_status vx_flux_bind(vx_flux *f, vx_binder *b)
{
    const vx_flux_config *c = &f->config;
    int64_t d = flux_width(f);
    b->prefixes = prefixes;
    VX_TRY(bind_linear(f, b, &f->img_in, "", 0, "img_in", d, c->channels));
    VX_TRY(bind_linear(f, b, &f->txt_in, "", 0, "txt_in", d, c->context));
    VX_TRY(bind_linear(f, b, &f->time_in, "", 0, "time_in.in_layer", d, FLUX_TIME_CHANNELS));
    VX_TRY(bind_linear(f, b, &f->time_out, "", 0, "time_in.out_layer", d, d));
    VX_TRY(bind_linear(f, b, &f->vector_in, "", 0, "vector_in.in_layer", d, c->pooled));
    VX_TRY(bind_linear(f, b, &f->vector_out, "", 0, "vector_in.out_layer", d, d));
    for (int i = 0; i < c->double_blocks; i++) {
        VX_TRY(bind_stream(f, b, &f->dbl[i].img, i, "img"));
        VX_TRY(bind_stream(f, b, &f->dbl[i].txt, i, "txt"));
    }
    for (int i = 0; i < c->single_blocks; i++)
        VX_TRY(bind_single(f, b, &f->single[i], i));
    VX_TRY(bind_modulation(f, b, &f->final_mod, "", 0, "final_layer.adaLN_modulation.1", 2 * d));
    if (f->modulations == VX_FLUX_STREAMED)
        VX_TRY(vx_arena_take(b->weights, f->slot_bytes, &f->slot, b->err));
    return bind_linear(f, b, &f->final, "", 0, "final_layer.linear", c->channels, d);
}
