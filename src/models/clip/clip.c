/* The forward pass of both towers.
 *
 * Residual stream f32, everything else in the compute type. The last block of a tower is needed at
 * one token only (class or EOS): keys and values are made for all tokens, the rest for that one. */
#include "models/clip/clip.h"

#include <math.h>

#include "backend/ops.h"
#include "models/clip/weights.h"

/* One pre-norm block. x [groups*tokens, w] f32 is the residual stream of `groups` sequences; `keep`
 * rows of each sequence, from row `first_kept`, go through everything, all rows give keys and
 * values. With keep == tokens the block updates x in place and *out is x; else *out [groups*keep,
 * w] is new memory. */
static vx_status block(vx_ctx *ctx, const vx_clip_tower *t, const vx_clip_block *b, vx_dtype dtype,
                       int64_t groups, int64_t first_kept, int64_t keep, bool causal, vx_tensor *x,
                       vx_tensor *out)
{
    int64_t rows = vx_rows(x), tokens = rows / groups, w = t->width, kept = groups * keep;
    bool whole = keep == tokens;
    assert(whole || keep == 1);
    if (!whole) VX_TRY(vx_take2(ctx, VX_F32, kept, w, out));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor normed, q, kv, mixed, hidden;
    VX_TRY(vx_take2(ctx, dtype, rows, w, &normed));
    VX_TRY(vx_take2(ctx, dtype, kept, w, &q));
    VX_TRY(vx_take2(ctx, dtype, rows, 2 * w, &kv));
    VX_TRY(vx_layer_norm(
        ctx, &(vx_layer_norm_args){
                 .x = x, .gamma = &b->ln1_w, .beta = &b->ln1_b, .eps = t->eps, .out = &normed}));
    /* One row of each sequence is a matrix whose rows lie `tokens` rows apart. */
    vx_tensor x_kept = *x, normed_kept = normed;
    if (!whole) {
        x_kept = vx_slice_rows(x, first_kept, 1);
        normed_kept = vx_slice_rows(&normed, first_kept, 1);
        x_kept.dim[0] = normed_kept.dim[0] = kept;
        x_kept.ld = normed_kept.ld = tokens * w;
    }
    VX_TRY(vx_linear(ctx,
                     &(vx_linear_args){.x = &normed_kept, .w = &b->q, .bias = &b->q_b, .out = &q}));
    VX_TRY(
        vx_linear(ctx, &(vx_linear_args){.x = &normed, .w = &b->kv, .bias = &b->kv_b, .out = &kv}));
    VX_TRY(vx_take2(ctx, dtype, kept, w, &mixed));
    for (int64_t g = 0; g < groups; g++) {
        vx_tensor qg = vx_slice_rows(&q, g * keep, keep),
                  og = vx_slice_rows(&mixed, g * keep, keep);
        vx_tensor kvg = vx_slice_rows(&kv, g * tokens, tokens);
        vx_tensor kg = vx_slice_cols(&kvg, 0, w), vg = vx_slice_cols(&kvg, w, w);
        VX_TRY(vx_attention(ctx, &(vx_attention_args){.q = &qg,
                                                      .k = &kg,
                                                      .v = &vg,
                                                      .heads = t->heads,
                                                      .scale = 1.0f / sqrtf((float)(w / t->heads)),
                                                      .causal = causal && whole,
                                                      .compute = dtype,
                                                      .out = &og}));
    }
    vx_tensor *stream = whole ? x : out;
    VX_TRY(vx_linear(
        ctx, &(vx_linear_args){
                 .x = &mixed, .w = &b->o, .bias = &b->o_b, .residual = &x_kept, .out = stream}));
    vx_tensor normed2 = vx_slice_rows(&normed, 0, kept);
    VX_TRY(vx_layer_norm(
        ctx,
        &(vx_layer_norm_args){
            .x = stream, .gamma = &b->ln2_w, .beta = &b->ln2_b, .eps = t->eps, .out = &normed2}));
    VX_TRY(vx_take2(ctx, dtype, kept, t->mlp, &hidden));
    vx_act act = {.kind = t->act == 0 ? VX_ACT_QUICK_GELU : VX_ACT_GELU_ERF};
    VX_TRY(vx_linear(
        ctx, &(vx_linear_args){
                 .x = &normed2, .w = &b->fc1, .bias = &b->fc1_b, .act = act, .out = &hidden}));
    VX_TRY(vx_linear(
        ctx,
        &(vx_linear_args){
            .x = &hidden, .w = &b->fc2, .bias = &b->fc2_b, .residual = stream, .out = stream}));
    vx_release(ctx, mark);
    if (whole) *out = *x;
    return VX_OK;
}

/* All blocks of a tower; *last [groups, w] is the stream at row `kept_row` of each sequence. */
static vx_status blocks(vx_ctx *ctx, const vx_clip_tower *t, const vx_clip_block *b, vx_dtype dtype,
                        const char *tower, int64_t groups, int64_t kept_row, bool causal,
                        vx_tensor *x, vx_tensor *last)
{
    int64_t tokens = vx_rows(x) / groups;
    for (int i = 0; i < t->layers; i++) {
        bool final = i + 1 == t->layers && tokens > 1;
        VX_TRY(block(ctx, t, &b[i], dtype, groups, final ? kept_row : 0, final ? 1 : tokens, causal,
                     x, last));
        vx_observe(ctx, last, "%s.layers.%d", tower, i);
    }
    return VX_OK;
}

/* Scales each of n rows to length 1. */
static void normalise(float *embed, int n, int width)
{
    for (int i = 0; i < n; i++) {
        float *row = embed + (ptrdiff_t)i * width;
        double sum = 0;
        for (int c = 0; c < width; c++)
            sum += (double)row[c] * (double)row[c];
        float scale = sum > 0 ? (float)(1.0 / sqrt(sum)) : 0;
        for (int c = 0; c < width; c++)
            row[c] *= scale;
    }
}

/* Rows of patches: patch (r, c) is its pixels in the order y, x, channel; the weights are bound to
 * match. A pixel has `bytes` bytes. */
static void cut_patches(const char *pixels, int size, int patch, size_t bytes, char *rows)
{
    int grid = size / patch;
    size_t line = bytes * (size_t)patch;
    for (int r = 0; r < grid; r++)
        for (int c = 0; c < grid; c++)
            for (int y = 0; y < patch; y++, rows += line)
                memcpy(rows, pixels + (size_t)((r * patch + y) * size + c * patch) * bytes, line);
}

/* Patches of `n` images on the device, in one copy. */
static vx_status upload_patches(vx_clip *clip, vx_ctx *ctx, const void *pixels, int n,
                                vx_tensor *out)
{
    const vx_clip_config *c = &clip->config;
    size_t pixel = 3 * vx_dtype_bytes(out->dtype);
    size_t image = (size_t)c->image_size * (size_t)c->image_size * pixel;
    for (int i = 0; i < n && !ctx->plan; i++)
        cut_patches((const char *)pixels + (size_t)i * image, c->image_size, c->patch, pixel,
                    (char *)clip->patches + (size_t)i * image);
    return vx_upload(ctx, clip->patches, out);
}

/* All images' patches: [n*patches, 3pp] f32. */
static vx_status take_patches(vx_clip *clip, vx_ctx *ctx, const void *pixels, vx_dtype dtype, int n,
                              vx_tensor *out)
{
    const vx_clip_config *c = &clip->config;
    int64_t grid = c->image_size / c->patch, patches = grid * grid,
            floats = patches * 3 * c->patch * c->patch;
    VX_TRY(vx_take2(ctx, VX_F32, n * patches, floats / patches, out));
    for (int i = 0; i < n && dtype == VX_F32; i++) {
        vx_tensor one = vx_slice_rows(out, i * patches, patches);
        const float *image = ctx->plan ? NULL : (const float *)pixels + i * floats;
        VX_TRY(upload_patches(clip, ctx, image, 1, &one));
    }
    if (dtype == VX_F32) return VX_OK;
    vx_tensor bytes;
    VX_TRY(vx_take2(ctx, VX_U8, n * patches, floats / patches, &bytes));
    VX_TRY(upload_patches(clip, ctx, pixels, n, &bytes));
    /* OpenAI's statistics of the training images (CLIP, clip/clip.py). */
    return vx_from_picture(
        ctx, &(vx_from_picture_args){.x = &bytes,
                                     .divisor = 255,
                                     .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                                     .deviation = {0.26862954f, 0.26130258f, 0.27577711f},
                                     .out = out});
}

/* x [n*tokens, vw]: class token and projected patches, positions added. */
static vx_status embed_image(vx_clip *clip, vx_ctx *ctx, const void *pixels, vx_dtype dtype, int n,
                             vx_tensor *x)
{
    const vx_clip_config *c = &clip->config;
    int64_t grid = c->image_size / c->patch, patches = grid * grid, tokens = patches + 1;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor rows;
    VX_TRY(take_patches(clip, ctx, pixels, dtype, n, &rows));
    vx_tensor class_row = vx_slice_rows(&clip->positions, 0, 1);
    vx_tensor patch_positions = vx_slice_rows(&clip->positions, 1, patches);
    for (int i = 0; i < n; i++) {
        vx_tensor image = vx_slice_rows(&rows, i * patches, patches),
                  first = vx_slice_rows(x, i * tokens, 1),
                  rest = vx_slice_rows(x, i * tokens + 1, patches);
        VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &class_row, .out = &first}));
        VX_TRY(vx_linear(
            ctx, &(vx_linear_args){
                     .x = &image, .w = &clip->patch, .residual = &patch_positions, .out = &rest}));
    }
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_clip_image(vx_clip *clip, vx_ctx *ctx, const void *pixels, vx_dtype dtype, int n,
                        float *embed)
{
    assert(dtype == VX_U8 || dtype == VX_F32);
    assert(n <= VX_CLIP_IMAGES_MAX);
    assert(clip->parts & VX_CLIP_IMAGE);
    assert(n >= 1 && (ctx->plan || (pixels != NULL && embed != NULL)));
    const vx_clip_config *c = &clip->config;
    int64_t grid = c->image_size / c->patch, tokens = grid * grid + 1;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor raw, x, last, normed, out;
    VX_TRY(vx_take2(ctx, VX_F32, n, c->embed, &out));
    VX_TRY(vx_take2(ctx, VX_F32, n * tokens, c->vision.width, &x));
    VX_TRY(vx_take2(ctx, VX_F32, n * tokens, c->vision.width, &raw));
    VX_TRY(embed_image(clip, ctx, pixels, dtype, n, &raw));
    VX_TRY(vx_layer_norm(ctx, &(vx_layer_norm_args){.x = &raw,
                                                    .gamma = &clip->pre_w,
                                                    .beta = &clip->pre_b,
                                                    .eps = c->vision.eps,
                                                    .out = &x}));
    vx_observe(ctx, &x, "vision.pre");
    VX_TRY(blocks(ctx, &c->vision, clip->vision, clip->compute, "vision", n, 0, false, &x, &last));
    VX_TRY(vx_take2(ctx, VX_F32, n, c->vision.width, &normed));
    VX_TRY(vx_layer_norm(ctx, &(vx_layer_norm_args){.x = &last,
                                                    .gamma = &clip->post_w,
                                                    .beta = &clip->post_b,
                                                    .eps = c->vision.eps,
                                                    .out = &normed}));
    VX_TRY(vx_linear(ctx,
                     &(vx_linear_args){.x = &normed, .w = &clip->vision_projection, .out = &out}));
    VX_TRY(vx_download(ctx, &out, embed));
    vx_release(ctx, mark);
    VX_TRY(vx_finish(ctx));
    if (!ctx->plan) normalise(embed, n, c->embed);
    return VX_OK;
}

/* The tokens that count: causal attention never looks past the first EOS. */
static int used_tokens(const int32_t *ids, int count, int eos)
{
    for (int i = 0; i < count; i++)
        if (ids[i] == eos) return i + 1;
    return count;
}

vx_status vx_clip_text(vx_clip *clip, vx_ctx *ctx, const int32_t *ids, int count, vx_tensor *pooled,
                       float *embed)
{
    const vx_clip_config *c = &clip->config;
    assert(clip->parts & VX_CLIP_TEXT);
    assert(count >= 1 && count <= c->context && (ctx->plan || ids != NULL));
    bool project = (clip->parts & VX_CLIP_TEXT_PROJECTION) != 0;
    assert(embed == NULL || project);
    int used = ctx->plan ? count : used_tokens(ids, count, c->eos);
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, index, last, out;
    VX_TRY(vx_take2(ctx, VX_F32, used, c->text.width, &x));
    VX_TRY(vx_take2(ctx, VX_I32, used, 1, &index));
    VX_TRY(vx_upload(ctx, ids, &index));
    vx_tensor positions = vx_slice_rows(&clip->text_positions, 0, used);
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = &clip->tokens, .index = &index, .out = &x}));
    VX_TRY(
        vx_blend(ctx, &(vx_blend_args){.n = 2, .x = {&x, &positions}, .scale = {1, 1}, .out = &x}));
    VX_TRY(blocks(ctx, &c->text, clip->text, clip->compute, "text", 1, used - 1, true, &x, &last));
    vx_tensor normed, at_eos = vx_slice_rows(&last, vx_rows(&last) - 1, 1);
    if (pooled != NULL)
        normed = *pooled;
    else
        VX_TRY(vx_take2(ctx, VX_F32, 1, c->text.width, &normed));
    VX_TRY(vx_layer_norm(ctx, &(vx_layer_norm_args){.x = &at_eos,
                                                    .gamma = &clip->final_w,
                                                    .beta = &clip->final_b,
                                                    .eps = c->text.eps,
                                                    .out = &normed}));
    if (project) {
        VX_TRY(vx_take2(ctx, VX_F32, 1, c->embed, &out));
        VX_TRY(vx_linear(
            ctx, &(vx_linear_args){.x = &normed, .w = &clip->text_projection, .out = &out}));
        if (embed != NULL) VX_TRY(vx_download(ctx, &out, embed));
    }
    vx_release(ctx, mark);
    if (ctx->plan || embed == NULL) return VX_OK;
    VX_TRY(vx_finish(ctx));
    normalise(embed, 1, c->embed);
    return VX_OK;
}
