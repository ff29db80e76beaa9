/* Names: the original file's, e.g. decoder.up.3.block.0.conv1.weight. Levels of the decoder run
 * from the coarsest (highest number) to 0; diffusers counts them the other way. */
#include "models/flux/vae.h"

#include <math.h>
#include <stdio.h>

#include "backend/ops.h"
#include "base/mem.h"
#include "models/layer.h"
#include "models/stack.h"

/* Every group norm (autoencoder.py: eps=1e-6). */
static const float EPS = 1e-6f;
static const vx_act SWISH = {.kind = VX_ACT_SILU};
static const vx_act NONE = {.kind = VX_ACT_NONE};

typedef struct norm {
    vx_tensor gamma, beta;
} norm;

typedef struct resblock {
    norm norm1, norm2;
    vx_layer conv1, conv2, shortcut; /* shortcut 1×1 only where channels change */
    int in, out;
} resblock;

typedef struct attention_block {
    norm norm;
    vx_weight qkv, proj; /* 1×1 convolutions, as matrices */
    vx_tensor qkv_b, proj_b;
} attention_block;

typedef struct level {
    resblock block[VX_VAE_BLOCKS_MAX];
    vx_layer resample; /* up or down; none at the finest (decoder) or coarsest (encoder) level */
} level;

typedef struct half {
    vx_layer conv_in, conv_out;
    resblock mid1, mid2;
    attention_block attention;
    level level[VX_VAE_LEVELS_MAX];
    norm norm_out;
} half;

struct vx_vae {
    vx_vae_config config;
    vx_dtype store, compute;
    int parts;
    int64_t strip; /* elements */
    half decoder, encoder;
};

/* ---- opening -------------------------------------------------------------------------------- */

vx_status vx_vae_open(vx_vae **out, const vx_vae_config *config, vx_dtype precision,
                      vx_dtype native, int parts, vx_error *err)
{
    *out = vx_heap_alloc(sizeof **out);
    if (*out == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for the description of flux.vae");
    (*out)->config = *config;
    (*out)->store = precision;
    (*out)->compute = precision == VX_F32 ? VX_F32 : native;
    (*out)->parts = parts;
    (*out)->strip = VX_VAE_STRIP;
    return VX_OK;
}

void vx_vae_set_strip(vx_vae *vae, int64_t elements)
{
    vae->strip = elements;
}

void vx_vae_close(vx_vae **vae)
{
    vx_heap_free(*vae);
    *vae = NULL;
}

const vx_vae_config *vx_vae_configuration(const vx_vae *vae)
{
    return &vae->config;
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const prefixes[] = {"vae.", "first_stage_model.", "model.", NULL};

/* diffusers' members of a residual or attention block, after the original's. */
static const char *const members[][2] = {
    {"nin_shortcut.", "conv_shortcut."},
    {"norm.", "group_norm."},
    {"q.", "to_q."},
    {"k.", "to_k."},
    {"v.", "to_v."},
    {"proj_out.", "to_out.0."},
};

/* The tail of a block's member under diffusers' names. */
static const char *member_tail(const char *tail, char *room, size_t bytes)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        size_t length = strlen(members[i][0]);
        if (strncmp(tail, members[i][0], length) == 0) {
            snprintf(room, bytes, "%s%s", members[i][1], tail + length);
            return room;
        }
    }
    return tail;
}

/* diffusers' name of an original one. */
static void diffusers_name(const vx_vae_config *c, const char *name, char *out)
{
    char tail[VX_NAME_BYTES];
    int l, j, used = 0;
    bool decoder = strncmp(name, "decoder.", 8) == 0;
    const char *side = decoder ? "decoder" : "encoder", *rest = name + 8;
    const char *levels = decoder ? "up_blocks" : "down_blocks";
    if (sscanf(rest, "mid.block_%d.%n", &j, &used) == 1 && used > 0)
        snprintf(out, VX_NAME_BYTES, "%s.mid_block.resnets.%d.%s", side, j - 1,
                 member_tail(rest + used, tail, sizeof tail));
    else if (sscanf(rest, "mid.attn_%d.%n", &j, &used) == 1 && used > 0)
        snprintf(out, VX_NAME_BYTES, "%s.mid_block.attentions.%d.%s", side, j - 1,
                 member_tail(rest + used, tail, sizeof tail));
    else if (sscanf(rest, decoder ? "up.%d.block.%d.%n" : "down.%d.block.%d.%n", &l, &j, &used) ==
                 2 &&
             used > 0)
        snprintf(out, VX_NAME_BYTES, "%s.%s.%d.resnets.%d.%s", side, levels,
                 decoder ? c->levels - 1 - l : l, j, member_tail(rest + used, tail, sizeof tail));
    else if (sscanf(rest, "up.%d.upsample.%n", &l, &used) == 1 && used > 0)
        snprintf(out, VX_NAME_BYTES, "%s.up_blocks.%d.upsamplers.0.%s", side, c->levels - 1 - l,
                 rest + used);
    else if (sscanf(rest, "down.%d.downsample.%n", &l, &used) == 1 && used > 0)
        snprintf(out, VX_NAME_BYTES, "%s.down_blocks.%d.downsamplers.0.%s", side, l, rest + used);
    else if (strncmp(rest, "norm_out.", 9) == 0)
        snprintf(out, VX_NAME_BYTES, "%s.conv_norm_out.%s", side, rest + 9);
    else
        snprintf(out, VX_NAME_BYTES, "%s", name);
}

static vx_status find_rows(const vx_vae *vae, const vx_binder *b, const char *name, int rank,
                           const int64_t *dim, vx_rows_of *out)
{
    char other[VX_NAME_BYTES];
    *out = (vx_rows_of){.rows = dim[0], .cols = 1};
    for (int i = 1; i < rank; i++)
        out->cols *= dim[i];
    diffusers_name(&vae->config, name, other);
    if (vx_binder_find(b, name, NULL) == NULL && vx_binder_find(b, other, NULL) != NULL)
        return vx_binder_need(b, other, rank, dim, &out->tensor, &out->source);
    return vx_binder_need(b, name, rank, dim, &out->tensor, &out->source);
}

/* ---- binding -------------------------------------------------------------------------------- */

static vx_status bind_vector(vx_vae *vae, vx_binder *b, vx_tensor *out, int64_t n,
                             const char *prefix, const char *kind)
{
    char name[VX_NAME_BYTES];
    vx_stack stack = {.count = 1};
    snprintf(name, sizeof name, "%s.%s", prefix, kind);
    if (!b->plan) VX_TRY(find_rows(vae, b, name, 1, &n, &stack.part[0]));
    return vx_bind_table(b, out, VX_F32, 1, n, vx_fetch_stack_as_row, &stack);
}

static vx_status bind_norm(vx_vae *vae, vx_binder *b, norm *n, int channels, const char *prefix)
{
    VX_TRY(bind_vector(vae, b, &n->gamma, channels, prefix, "weight"));
    return bind_vector(vae, b, &n->beta, channels, prefix, "bias");
}

/* A k×k filter. upsample 2 repeats pixels first. A downsampling one has stride 2 and, as in the
 * reference, its single row and column of padding at the far ends only. */
static vx_status bind_conv(vx_vae *vae, vx_binder *b, vx_layer *c, int out, int in, int k,
                           int upsample, int stride, const char *prefix)
{
    char name[VX_NAME_BYTES];
    const int64_t dim[4] = {out, in, k, k};
    vx_stack stack = {.count = 1};
    snprintf(name, sizeof name, "%s.weight", prefix);
    if (!b->plan) VX_TRY(find_rows(vae, b, name, 4, dim, &stack.part[0]));
    c->w = vx_weight_conv(out, in, (const int64_t[]){1, k, k}, vae->store, vae->compute);
    c->w.upsample = upsample;
    if (stride == 2) {
        c->w.stride[1] = c->w.stride[2] = 2;
        c->w.pad[1] = c->w.pad[2] = 0;
        c->w.pad_end[1] = c->w.pad_end[2] = 1;
    }
    VX_TRY(vx_bind_stack(b, &c->w, &stack));
    return bind_vector(vae, b, &c->bias, out, prefix, "bias");
}

static vx_status bind_resblock(vx_vae *vae, vx_binder *b, resblock *r, int in, int out,
                               const char *prefix)
{
    char name[VX_NAME_BYTES];
    r->in = in;
    r->out = out;
    snprintf(name, sizeof name, "%s.norm1", prefix);
    VX_TRY(bind_norm(vae, b, &r->norm1, in, name));
    snprintf(name, sizeof name, "%s.conv1", prefix);
    VX_TRY(bind_conv(vae, b, &r->conv1, out, in, 3, 1, 1, name));
    snprintf(name, sizeof name, "%s.norm2", prefix);
    VX_TRY(bind_norm(vae, b, &r->norm2, out, name));
    snprintf(name, sizeof name, "%s.conv2", prefix);
    VX_TRY(bind_conv(vae, b, &r->conv2, out, out, 3, 1, 1, name));
    snprintf(name, sizeof name, "%s.nin_shortcut", prefix);
    return in == out ? VX_OK : bind_conv(vae, b, &r->shortcut, out, in, 1, 1, 1, name);
}

static vx_status bind_attention(vx_vae *vae, vx_binder *b, attention_block *a, int channels,
                                const char *prefix)
{
    static const char *const parts[] = {"q", "k", "v"};
    char name[VX_NAME_BYTES];
    const int64_t c = channels, dim[2] = {c, c};
    vx_stack qkv = {.count = 3}, bias = {.count = 3}, proj = {.count = 1};
    snprintf(name, sizeof name, "%s.norm", prefix);
    VX_TRY(bind_norm(vae, b, &a->norm, channels, name));
    for (int i = 0; i < 3 && !b->plan; i++) {
        snprintf(name, sizeof name, "%s.%s.weight", prefix, parts[i]);
        VX_TRY(find_rows(vae, b, name, 2, dim, &qkv.part[i]));
        snprintf(name, sizeof name, "%s.%s.bias", prefix, parts[i]);
        VX_TRY(find_rows(vae, b, name, 1, dim, &bias.part[i]));
    }
    snprintf(name, sizeof name, "%s.proj_out.weight", prefix);
    if (!b->plan) VX_TRY(find_rows(vae, b, name, 2, dim, &proj.part[0]));
    a->qkv = vx_weight_linear(3 * c, c, vae->store, vae->compute);
    a->proj = vx_weight_linear(c, c, vae->store, vae->compute);
    VX_TRY(vx_bind_stack(b, &a->qkv, &qkv));
    VX_TRY(vx_bind_table(b, &a->qkv_b, VX_F32, 1, 3 * c, vx_fetch_stack_as_row, &bias));
    VX_TRY(vx_bind_stack(b, &a->proj, &proj));
    snprintf(name, sizeof name, "%s.proj_out", prefix);
    return bind_vector(vae, b, &a->proj_b, c, name, "bias");
}

static vx_status bind_mid(vx_vae *vae, vx_binder *b, half *h, const char *which)
{
    char name[VX_NAME_BYTES];
    int top = vae->config.channels[vae->config.levels - 1];
    snprintf(name, sizeof name, "%s.mid.block_1", which);
    VX_TRY(bind_resblock(vae, b, &h->mid1, top, top, name));
    snprintf(name, sizeof name, "%s.mid.attn_1", which);
    if (vae->config.mid_attention) VX_TRY(bind_attention(vae, b, &h->attention, top, name));
    snprintf(name, sizeof name, "%s.mid.block_2", which);
    return bind_resblock(vae, b, &h->mid2, top, top, name);
}

static vx_status bind_decoder(vx_vae *vae, vx_binder *b)
{
    const vx_vae_config *c = &vae->config;
    half *h = &vae->decoder;
    char name[VX_NAME_BYTES];
    int at = c->channels[c->levels - 1];
    VX_TRY(bind_conv(vae, b, &h->conv_in, at, c->z, 3, 1, 1, "decoder.conv_in"));
    VX_TRY(bind_mid(vae, b, h, "decoder"));
    for (int l = c->levels - 1; l >= 0; l--) {
        for (int j = 0; j <= c->blocks; j++) {
            snprintf(name, sizeof name, "decoder.up.%d.block.%d", l, j);
            VX_TRY(bind_resblock(vae, b, &h->level[l].block[j], at, c->channels[l], name));
            at = c->channels[l];
        }
        snprintf(name, sizeof name, "decoder.up.%d.upsample.conv", l);
        if (l > 0) VX_TRY(bind_conv(vae, b, &h->level[l].resample, at, at, 3, 2, 1, name));
    }
    VX_TRY(bind_norm(vae, b, &h->norm_out, at, "decoder.norm_out"));
    return bind_conv(vae, b, &h->conv_out, 3, at, 3, 1, 1, "decoder.conv_out");
}

static vx_status bind_encoder(vx_vae *vae, vx_binder *b)
{
    const vx_vae_config *c = &vae->config;
    half *h = &vae->encoder;
    char name[VX_NAME_BYTES];
    int at = c->channels[0];
    VX_TRY(bind_conv(vae, b, &h->conv_in, at, 3, 3, 1, 1, "encoder.conv_in"));
    for (int l = 0; l < c->levels; l++) {
        for (int j = 0; j < c->blocks; j++) {
            snprintf(name, sizeof name, "encoder.down.%d.block.%d", l, j);
            VX_TRY(bind_resblock(vae, b, &h->level[l].block[j], at, c->channels[l], name));
            at = c->channels[l];
        }
        snprintf(name, sizeof name, "encoder.down.%d.downsample.conv", l);
        if (l + 1 < c->levels)
            VX_TRY(bind_conv(vae, b, &h->level[l].resample, at, at, 3, 1, 2, name));
    }
    VX_TRY(bind_mid(vae, b, h, "encoder"));
    VX_TRY(bind_norm(vae, b, &h->norm_out, at, "encoder.norm_out"));
    return bind_conv(vae, b, &h->conv_out, 2 * c->z, at, 3, 1, 1, "encoder.conv_out");
}

vx_status vx_vae_bind(vx_vae *vae, vx_binder *b)
{
    b->prefixes = prefixes;
    if (vae->parts & VX_VAE_DECODER) VX_TRY(bind_decoder(vae, b));
    if (vae->parts & VX_VAE_ENCODER) VX_TRY(bind_encoder(vae, b));
    return VX_OK;
}

/* ---- forward -------------------------------------------------------------------------------- */

static vx_status take_map(vx_ctx *ctx, vx_dtype dtype, int64_t rows, int64_t cols, int64_t channels,
                          vx_tensor *out)
{
    return vx_take(ctx, dtype, 4, (const int64_t[]){1, rows, cols, channels}, out);
}

static vx_status run_conv(vx_ctx *ctx, const vx_tensor *x, const vx_layer *c,
                          const vx_tensor *residual, vx_tensor *out)
{
    return vx_layer_conv(ctx, x, c, (vx_act){0}, residual, out);
}

static vx_status run_norm(const vx_vae *vae, vx_ctx *ctx, const vx_tensor *x, const norm *n,
                          vx_act act, vx_tensor *out)
{
    return vx_group_norm(ctx, &(vx_group_norm_args){.x = x,
                                                    .gamma = &n->gamma,
                                                    .beta = &n->beta,
                                                    .groups = vae->config.groups,
                                                    .eps = EPS,
                                                    .act = act,
                                                    .out = out});
}

/* Rows [first, first + count) of a map. */
static vx_tensor strip_of(const vx_tensor *x, int64_t first, int64_t count)
{
    vx_tensor rows = vx_slice_rows(x, first * x->dim[2], count * x->dim[2]);
    return vx_reshape(&rows, 4, (const int64_t[]){1, count, x->dim[2], vx_cols(x)});
}

/* out = conv(swish(norm(x))), 3 x 3, strip by strip, so that the normed map never exists whole. The
 * norm's statistics are those of the whole map and a strip has the rows that its neighbours'
 * filters read: every element is the same as without strips, to the bit. */
static vx_status norm_and_conv(const vx_vae *vae, vx_ctx *ctx, const vx_tensor *x, const norm *n,
                               const vx_layer *c, vx_tensor *out)
{
    int64_t rows = x->dim[1], cols = x->dim[2], channels = vx_cols(x);
    int64_t step = vae->strip / (cols * channels);
    step = step < 1 ? 1 : step > rows ? rows : step;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor factors, room;
    VX_TRY(vx_take2(ctx, VX_F32, 3, channels, &factors));
    VX_TRY(take_map(ctx, vae->compute, step < rows ? step + 2 : rows, cols, channels, &room));
    vx_group_norm_args args = {.x = x,
                               .gamma = &n->gamma,
                               .beta = &n->beta,
                               .groups = vae->config.groups,
                               .eps = EPS,
                               .act = SWISH,
                               .factors = &factors};
    VX_TRY(vx_group_norm(ctx, &args));
    for (int64_t first = 0; first < rows; first += step) {
        int64_t count = rows - first < step ? rows - first : step;
        int64_t above = first > 0, below = first + count < rows;
        vx_tensor from = strip_of(x, first - above, above + count + below);
        vx_tensor normed = strip_of(&room, 0, above + count + below);
        vx_tensor to = strip_of(out, first, count);
        args.x = &from;
        args.out = &normed;
        VX_TRY(vx_group_norm(ctx, &args));
        VX_TRY(vx_conv(ctx, &(vx_conv_args){.x = &normed,
                                            .w = &c->w,
                                            .bias = &c->bias,
                                            .above = above,
                                            .below = below,
                                            .out = &to}));
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* out = shortcut(x) + conv2(swish(norm2(conv1(swish(norm1(x)))))). x and out are different memory,
 * except that out may be x when the channels stay. */
static vx_status run_resblock(const vx_vae *vae, vx_ctx *ctx, const resblock *r, const vx_tensor *x,
                              vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor hidden;
    VX_TRY(take_map(ctx, vae->compute, x->dim[1], x->dim[2], r->out, &hidden));
    VX_TRY(norm_and_conv(vae, ctx, x, &r->norm1, &r->conv1, &hidden));
    VX_TRY(run_norm(vae, ctx, &hidden, &r->norm2, SWISH, &hidden));
    if (r->in != r->out) VX_TRY(run_conv(ctx, x, &r->shortcut, NULL, out));
    VX_TRY(run_conv(ctx, &hidden, &r->conv2, r->in != r->out ? out : x, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* x += proj(attention over all positions, one head). */
static vx_status run_attention(const vx_vae *vae, vx_ctx *ctx, const attention_block *a,
                               vx_tensor *x)
{
    int64_t channels = vx_cols(x), positions = x->dim[1] * x->dim[2];
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor normed, qkv, mixed;
    VX_TRY(take_map(ctx, vae->compute, x->dim[1], x->dim[2], channels, &normed));
    VX_TRY(vx_take2(ctx, vae->compute, positions, 3 * channels, &qkv));
    VX_TRY(run_norm(vae, ctx, x, &a->norm, NONE, &normed));
    vx_tensor rows = vx_reshape(&normed, 2, (const int64_t[]){positions, channels});
    vx_tensor x_rows = vx_reshape(x, 2, (const int64_t[]){positions, channels});
    VX_TRY(vx_linear(ctx,
                     &(vx_linear_args){.x = &rows, .w = &a->qkv, .bias = &a->qkv_b, .out = &qkv}));
    mixed = rows; /* normed is not read again */
    vx_tensor q = vx_slice_cols(&qkv, 0, channels), k = vx_slice_cols(&qkv, channels, channels),
              v = vx_slice_cols(&qkv, 2 * channels, channels);
    VX_TRY(vx_attention(ctx, &(vx_attention_args){.q = &q,
                                                  .k = &k,
                                                  .v = &v,
                                                  .heads = 1,
                                                  .scale = 1.0f / sqrtf((float)channels),
                                                  .compute = vae->compute,
                                                  .out = &mixed}));
    VX_TRY(vx_linear(
        ctx,
        &(vx_linear_args){
            .x = &mixed, .w = &a->proj, .bias = &a->proj_b, .residual = &x_rows, .out = &x_rows}));
    vx_release(ctx, mark);
    return VX_OK;
}

static vx_status run_mid(const vx_vae *vae, vx_ctx *ctx, const half *h, vx_tensor *x)
{
    VX_TRY(run_resblock(vae, ctx, &h->mid1, x, x));
    if (vae->config.mid_attention) VX_TRY(run_attention(vae, ctx, &h->attention, x));
    return run_resblock(vae, ctx, &h->mid2, x, x);
}

/* Two maps take turns: a level reads one and writes the other. Each has room for the largest that
 * it ever holds; the stack below them stays in order. */
typedef struct maps {
    vx_dev memory[2];
    vx_dtype dtype;
    int next;
} maps;

static vx_tensor next_map(maps *m, int64_t rows, int64_t cols, int64_t channels)
{
    vx_dev memory = m->memory[m->next];
    m->next ^= 1;
    return vx_view(memory, m->dtype, 4, (const int64_t[]){1, rows, cols, channels});
}

/* The rooms of both, of which `next` is the one that the next map takes. */
typedef struct rooms {
    int64_t elements[2];
    int next;
} rooms;

static void grow(rooms *r, int64_t elements)
{
    if (elements > r->elements[r->next]) r->elements[r->next] = elements;
    r->next ^= 1;
}

/* The maps that decoding rows x cols (encoding to them) passes through, in its order. */
static rooms decoder_rooms(const vx_vae_config *c, int64_t rows, int64_t cols)
{
    rooms r = {0};
    int at = c->channels[c->levels - 1];
    grow(&r, rows * cols * at);
    for (int l = c->levels - 1; l >= 0; l--) {
        if (at != c->channels[l]) grow(&r, rows * cols * c->channels[l]);
        at = c->channels[l];
        rows *= 2;
        cols *= 2;
        if (l > 0) grow(&r, rows * cols * at);
    }
    return r;
}

static rooms encoder_rooms(const vx_vae_config *c, int64_t rows, int64_t cols)
{
    rooms r = {0};
    int at = c->channels[0];
    grow(&r, rows * cols * at);
    for (int l = 0; l < c->levels; l++) {
        if (at != c->channels[l]) grow(&r, rows * cols * c->channels[l]);
        at = c->channels[l];
        rows /= 2;
        cols /= 2;
        if (l + 1 < c->levels) grow(&r, rows * cols * at);
    }
    return r;
}

static vx_status take_maps(const vx_vae *vae, vx_ctx *ctx, rooms r, maps *m)
{
    *m = (maps){.dtype = vae->compute};
    for (int i = 0; i < 2; i++) {
        vx_tensor room;
        VX_TRY(vx_take2(ctx, vae->compute, 1, r.elements[i], &room));
        m->memory[i] = room.data;
    }
    return VX_OK;
}

vx_status vx_vae_decode(vx_vae *vae, vx_ctx *ctx, const vx_tensor *z, vx_tensor *picture)
{
    const vx_vae_config *c = &vae->config;
    const half *h = &vae->decoder;
    assert(vae->parts & VX_VAE_DECODER);
    assert(z->rank == 3 && z->dim[2] == c->z && vx_dense(z));
    int64_t rows = z->dim[0], cols = z->dim[1];
    vx_mark mark = vx_mark_now(ctx);
    maps m;
    VX_TRY(take_maps(vae, ctx, decoder_rooms(c, rows, cols), &m));
    vx_tensor in = vx_reshape(z, 4, (const int64_t[]){1, rows, cols, c->z});
    vx_tensor x = next_map(&m, rows, cols, c->channels[c->levels - 1]);
    VX_TRY(run_conv(ctx, &in, &h->conv_in, NULL, &x));
    VX_TRY(run_mid(vae, ctx, h, &x));
    vx_observe(ctx, &x, "vae.mid");
    for (int l = c->levels - 1; l >= 0; l--) {
        for (int j = 0; j <= c->blocks; j++) {
            const resblock *r = &h->level[l].block[j];
            vx_tensor y = r->in == r->out ? x : next_map(&m, rows, cols, r->out);
            VX_TRY(run_resblock(vae, ctx, r, &x, &y));
            x = y;
        }
        if (l > 0) {
            rows *= 2;
            cols *= 2;
            vx_tensor y = next_map(&m, rows, cols, c->channels[l]);
            VX_TRY(run_conv(ctx, &x, &h->level[l].resample, NULL, &y));
            x = y;
        }
        vx_observe(ctx, &x, "vae.up.%d", l);
    }
    VX_TRY(run_norm(vae, ctx, &x, &h->norm_out, SWISH, &x));
    vx_tensor out = vx_reshape(picture, 4, (const int64_t[]){1, rows, cols, 3});
    VX_TRY(run_conv(ctx, &x, &h->conv_out, NULL, &out));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_vae_encode(vx_vae *vae, vx_ctx *ctx, const vx_tensor *picture, vx_tensor *mean)
{
    const vx_vae_config *c = &vae->config;
    const half *h = &vae->encoder;
    assert(vae->parts & VX_VAE_ENCODER);
    assert(picture->rank == 3 && picture->dim[2] == 3 && vx_dense(picture));
    int64_t rows = picture->dim[0], cols = picture->dim[1], scale = (int64_t)1 << (c->levels - 1);
    assert(rows % scale == 0 && cols % scale == 0);
    vx_mark mark = vx_mark_now(ctx);
    maps m;
    VX_TRY(take_maps(vae, ctx, encoder_rooms(c, rows, cols), &m));
    vx_tensor in = vx_reshape(picture, 4, (const int64_t[]){1, rows, cols, 3});
    vx_tensor x = next_map(&m, rows, cols, c->channels[0]);
    VX_TRY(run_conv(ctx, &in, &h->conv_in, NULL, &x));
    for (int l = 0; l < c->levels; l++) {
        for (int j = 0; j < c->blocks; j++) {
            const resblock *r = &h->level[l].block[j];
            vx_tensor y = r->in == r->out ? x : next_map(&m, rows, cols, r->out);
            VX_TRY(run_resblock(vae, ctx, r, &x, &y));
            x = y;
        }
        if (l + 1 < c->levels) {
            rows /= 2;
            cols /= 2;
            vx_tensor y = next_map(&m, rows, cols, c->channels[l]);
            VX_TRY(run_conv(ctx, &x, &h->level[l].resample, NULL, &y));
            x = y;
        }
    }
    VX_TRY(run_mid(vae, ctx, h, &x));
    VX_TRY(run_norm(vae, ctx, &x, &h->norm_out, SWISH, &x));
    vx_tensor moments;
    VX_TRY(take_map(ctx, VX_F32, rows, cols, (int64_t)2 * c->z, &moments));
    VX_TRY(run_conv(ctx, &x, &h->conv_out, NULL, &moments));
    vx_tensor means = vx_slice_cols(&moments, 0, c->z); /* then log variances, which are not used */
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &means, .out = mean}));
    vx_release(ctx, mark);
    return VX_OK;
}
