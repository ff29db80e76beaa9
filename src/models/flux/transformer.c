#include <math.h>

#include "backend/ops.h"
#include "base/mem.h"
#include "models/flux/transformer_weights.h"

/* Both norms and the query/key norm (modules/layers.py LayerNorm eps=1e-6, RMSNorm). */
static const float EPS = 1e-6f;

/* ---- once per prompt ------------------------------------------------------------------------ */

/* timestep_embedding: cos first, then sin, of 1000·t·10000^(-j/128). */
static void time_embedding(float t, float *row)
{
    enum { HALF = FLUX_TIME_CHANNELS / 2 };
    for (int j = 0; j < HALF; j++) {
        double angle = 1000.0 * (double)t * exp(-log(10000.0) * j / HALF);
        row[j] = (float)cos(angle);
        row[HALF + j] = (float)sin(angle);
    }
}

/* Rotation of picture token (row, col) on axes (0, row, col); text tokens sit
 * at 0 and do not turn. */
static void turn_row(const vx_flux_config *c, int row, int col, float *out)
{
    const double position[3] = {0, row, col};
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < c->axes[axis] / 2; i++) {
            double angle = position[axis] * pow(10000.0, -2.0 * i / c->axes[axis]);
            *out++ = (float)cos(angle);
            *out++ = (float)sin(angle);
        }
}

static vx_status linear(vx_ctx *ctx, const vx_tensor *x, const vx_layer *l, vx_act_kind act,
                        vx_tensor *out)
{
    return vx_layer_linear(ctx, x, l, (vx_act){.kind = act}, NULL, out);
}

/* All vectors that modulate one step, block after block. */
static int64_t modulation_width(const vx_flux *f)
{
    return flux_width(f) *
           (12 * (int64_t)f->config.double_blocks + 3 * (int64_t)f->config.single_blocks + 2);
}

/* vec [steps, D] = time MLP + pooled text MLP, then SiLU, which every modulation applies first. */
static vx_status conditioning(vx_flux *f, vx_ctx *ctx, const vx_tensor *pooled, const float *times,
                              int steps, vx_tensor *vec)
{
    int64_t d = flux_width(f);
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor waves, hidden, vector_hidden, vector, vectors;
    float rows[VX_FLUX_STEPS_MAX * FLUX_TIME_CHANNELS];
    VX_TRY(vx_take2(ctx, VX_F32, steps, FLUX_TIME_CHANNELS, &waves));
    VX_TRY(vx_take2(ctx, VX_F32, steps, d, &hidden));
    VX_TRY(vx_take2(ctx, VX_F32, 1, d, &vector_hidden));
    VX_TRY(vx_take2(ctx, VX_F32, 1, d, &vector));
    VX_TRY(vx_take2(ctx, VX_F32, steps, d, &vectors));
    for (int s = 0; s < steps && !ctx->plan; s++)
        time_embedding(times[s], rows + (ptrdiff_t)s * FLUX_TIME_CHANNELS);
    VX_TRY(vx_upload(ctx, rows, &waves));
    VX_TRY(linear(ctx, pooled, &f->vector_in, VX_ACT_SILU, &vector_hidden));
    VX_TRY(linear(ctx, &vector_hidden, &f->vector_out, VX_ACT_NONE, &vector));
    VX_TRY(vx_broadcast(ctx, &(vx_broadcast_args){.x = &vector, .out = &vectors}));
    VX_TRY(linear(ctx, &waves, &f->time_in, VX_ACT_SILU, &hidden));
    VX_TRY(vx_layer_linear(ctx, &hidden, &f->time_out, (vx_act){0}, &vectors, vec));
    vx_observe(ctx, vec, "flux.vec");
    vx_release(ctx, mark);
    return vx_blend(
        ctx, &(vx_blend_args){
                 .n = 1, .x = {vec}, .scale = {1}, .act = {.kind = VX_ACT_SILU}, .out = vec});
}

/* What vx_flux_prepare needs for the modulations: vec, and where the result goes. */
typedef struct modulating {
    vx_flux *f;
    vx_tensor vec, *all;
    int64_t at;
} modulating;

static vx_status modulate(vx_ctx *ctx, modulating *m, flux_modulation *modulation)
{
    vx_layer *l = &modulation->linear;
    vx_tensor slice = vx_slice_cols(m->all, m->at, l->w.out);
    m->at += l->w.out;
    if (m->f->modulations == VX_FLUX_STREAMED && !ctx->plan) {
        vx_binder binder = {
            .backend = ctx->backend, .lane = ctx->lane, .staging = m->f->staging, .err = ctx->err};
        l->w.data = m->f->slot;
        VX_TRY(vx_pack_stack(&binder, &l->w, &modulation->rows));
    }
    return linear(ctx, &m->vec, l, VX_ACT_NONE, &slice);
}

static vx_status modulate_all(vx_flux *f, vx_ctx *ctx, const vx_tensor *pooled, const float *times,
                              int steps, vx_tensor *all)
{
    const vx_flux_config *c = &f->config;
    vx_mark mark = vx_mark_now(ctx);
    modulating m = {.f = f, .all = all};
    VX_TRY(vx_take2(ctx, VX_F32, steps, flux_width(f), &m.vec));
    VX_TRY(conditioning(f, ctx, pooled, times, steps, &m.vec));
    for (int i = 0; i < c->double_blocks; i++) {
        VX_TRY(modulate(ctx, &m, &f->dbl[i].img.mod));
        VX_TRY(modulate(ctx, &m, &f->dbl[i].txt.mod));
    }
    for (int i = 0; i < c->single_blocks; i++)
        VX_TRY(modulate(ctx, &m, &f->single[i].mod));
    VX_TRY(modulate(ctx, &m, &f->final_mod));
    assert(m.at == modulation_width(f));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_flux_prepare(vx_flux *f, vx_ctx *ctx, const vx_tensor *text, const vx_tensor *pooled,
                          const float *times, int steps, int grid_rows, int grid_cols,
                          vx_flux_prompt *prompt)
{
    const vx_flux_config *c = &f->config;
    int64_t d = flux_width(f), tokens = (int64_t)grid_rows * grid_cols;
    assert(steps >= 1 && steps <= VX_FLUX_STEPS_MAX && tokens > 0);
    *prompt = (vx_flux_prompt){.steps = steps, .grid_rows = grid_rows, .grid_cols = grid_cols};
    VX_TRY(vx_take2(ctx, VX_F32, vx_rows(text), d, &prompt->text));
    VX_TRY(vx_take2(ctx, VX_F32, steps, modulation_width(f), &prompt->modulations));
    VX_TRY(vx_take2(ctx, VX_F32, tokens, c->head_dim, &prompt->turns));
    VX_TRY(modulate_all(f, ctx, pooled, times, steps, &prompt->modulations));
    assert(tokens <= f->tokens_max);
    for (int r = 0; r < grid_rows && !ctx->plan; r++)
        for (int col = 0; col < grid_cols; col++)
            turn_row(c, r, col, f->turns + ((int64_t)r * grid_cols + col) * c->head_dim);
    VX_TRY(vx_upload(ctx, f->turns, &prompt->turns));
    return linear(ctx, text, &f->txt_in, VX_ACT_NONE, &prompt->text);
}

/* ---- one step ------------------------------------------------------------------------------- */

/* What every block reads: this step's vectors, and where in them it stands. */
typedef struct step_vectors {
    vx_tensor all; /* [1, modulation_width] */
    int64_t at, width;
} step_vectors;

static vx_tensor next_vector(step_vectors *v)
{
    vx_tensor slice = vx_slice_cols(&v->all, v->at, v->width);
    slice.ld = v->width; /* one row: dense */
    v->at += v->width;
    return slice;
}

/* y = LN(x)·(1 + scale) + shift, without affine. */
static vx_status modulated(vx_ctx *ctx, const vx_tensor *x, const vx_tensor *shift,
                           const vx_tensor *scale, vx_tensor *y)
{
    return vx_layer_norm(
        ctx, &(vx_layer_norm_args){.x = x, .scale = scale, .shift = shift, .eps = EPS, .out = y});
}

/* RMS norm of queries and keys in place; rotation where there is a table. */
static vx_status prepare_qk(vx_ctx *ctx, const vx_flux_config *c, vx_tensor *qkv,
                            const vx_tensor *q_norm, const vx_tensor *k_norm,
                            const vx_tensor *turns)
{
    int64_t d = (int64_t)c->heads * c->head_dim;
    vx_tensor q = vx_slice_cols(qkv, 0, d), k = vx_slice_cols(qkv, d, d);
    VX_TRY(vx_qk_norm(
        ctx,
        &(vx_qk_norm_args){
            .x = &q, .weight = q_norm, .table = turns, .heads = c->heads, .eps = EPS, .out = &q}));
    return vx_qk_norm(
        ctx,
        &(vx_qk_norm_args){
            .x = &k, .weight = k_norm, .table = turns, .heads = c->heads, .eps = EPS, .out = &k});
}

static vx_status attend(vx_ctx *ctx, const vx_flux *f, const vx_tensor *qkv, vx_tensor *out)
{
    int64_t d = flux_width(f);
    vx_tensor q = vx_slice_cols(qkv, 0, d), k = vx_slice_cols(qkv, d, d),
              v = vx_slice_cols(qkv, 2 * d, d);
    return vx_attention(ctx, &(vx_attention_args){.q = &q,
                                                  .k = &k,
                                                  .v = &v,
                                                  .heads = f->config.heads,
                                                  .scale = 1.0f / sqrtf((float)f->config.head_dim),
                                                  .compute = f->compute,
                                                  .out = out});
}

/* x += gate · l(y) */
static vx_status add_gated(vx_ctx *ctx, const vx_tensor *y, const vx_layer *l,
                           const vx_tensor *gate, vx_tensor *x)
{
    return vx_linear(
        ctx, &(vx_linear_args){
                 .x = y, .w = &l->w, .bias = &l->bias, .gate = gate, .residual = x, .out = x});
}

/* The MLP half of one stream of a double block. */
static vx_status stream_mlp(vx_ctx *ctx, const vx_flux *f, const flux_stream *s,
                            const vx_tensor m[6], vx_tensor *x)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y, hidden;
    VX_TRY(vx_take2(ctx, f->compute, vx_rows(x), flux_width(f), &y));
    VX_TRY(vx_take2(ctx, f->compute, vx_rows(x), 4 * flux_width(f), &hidden));
    VX_TRY(modulated(ctx, x, &m[3], &m[4], &y));
    VX_TRY(linear(ctx, &y, &s->mlp0, VX_ACT_GELU_TANH, &hidden));
    VX_TRY(add_gated(ctx, &hidden, &s->mlp2, &m[5], x));
    vx_release(ctx, mark);
    return VX_OK;
}

static vx_status double_block(vx_ctx *ctx, const vx_flux *f, const flux_double *b,
                              const vx_tensor *turns, step_vectors *v, vx_tensor *txt,
                              vx_tensor *img)
{
    int64_t d = flux_width(f), nt = vx_rows(txt), ni = vx_rows(img);
    vx_tensor mi[6], mt[6], y, qkv, mixed;
    for (int i = 0; i < 6; i++)
        mi[i] = next_vector(v);
    for (int i = 0; i < 6; i++)
        mt[i] = next_vector(v);
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_take2(ctx, f->compute, nt + ni, 3 * d, &qkv));
    VX_TRY(vx_take2(ctx, f->compute, nt + ni, d, &y));
    mixed = y; /* the normed rows are read for the last time before attention writes */
    vx_tensor yt = vx_slice_rows(&y, 0, nt), yi = vx_slice_rows(&y, nt, ni);
    vx_tensor qt = vx_slice_rows(&qkv, 0, nt), qi = vx_slice_rows(&qkv, nt, ni);
    VX_TRY(modulated(ctx, txt, &mt[0], &mt[1], &yt));
    VX_TRY(modulated(ctx, img, &mi[0], &mi[1], &yi));
    VX_TRY(linear(ctx, &yt, &b->txt.qkv, VX_ACT_NONE, &qt));
    VX_TRY(linear(ctx, &yi, &b->img.qkv, VX_ACT_NONE, &qi));
    VX_TRY(prepare_qk(ctx, &f->config, &qt, &b->txt.q_norm, &b->txt.k_norm, NULL));
    VX_TRY(prepare_qk(ctx, &f->config, &qi, &b->img.q_norm, &b->img.k_norm, turns));
    VX_TRY(attend(ctx, f, &qkv, &mixed));
    VX_TRY(add_gated(ctx, &yt, &b->txt.proj, &mt[2], txt));
    VX_TRY(add_gated(ctx, &yi, &b->img.proj, &mi[2], img));
    vx_release(ctx, mark);
    VX_TRY(stream_mlp(ctx, f, &b->txt, mt, txt));
    return stream_mlp(ctx, f, &b->img, mi, img);
}

static vx_status single_block(vx_ctx *ctx, const vx_flux *f, const flux_single *b,
                              const vx_tensor *turns, step_vectors *v, int64_t text_rows,
                              vx_tensor *x)
{
    int64_t d = flux_width(f), n = vx_rows(x);
    vx_tensor shift = next_vector(v), scale = next_vector(v), gate = next_vector(v);
    vx_tensor y, qkv, cat;
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_take2(ctx, f->compute, n, 5 * d, &cat)); /* attention D | MLP 4D */
    VX_TRY(vx_take2(ctx, f->compute, n, d, &y));
    VX_TRY(vx_take2(ctx, f->compute, n, 3 * d, &qkv));
    VX_TRY(modulated(ctx, x, &shift, &scale, &y));
    VX_TRY(linear(ctx, &y, &b->qkv, VX_ACT_NONE, &qkv));
    vx_tensor hidden = vx_slice_cols(&cat, d, 4 * d), mixed = vx_slice_cols(&cat, 0, d);
    VX_TRY(linear(ctx, &y, &b->mlp, VX_ACT_GELU_TANH, &hidden));
    vx_tensor qt = vx_slice_rows(&qkv, 0, text_rows);
    vx_tensor qi = vx_slice_rows(&qkv, text_rows, n - text_rows);
    VX_TRY(prepare_qk(ctx, &f->config, &qt, &b->q_norm, &b->k_norm, NULL));
    VX_TRY(prepare_qk(ctx, &f->config, &qi, &b->q_norm, &b->k_norm, turns));
    VX_TRY(attend(ctx, f, &qkv, &mixed));
    VX_TRY(add_gated(ctx, &cat, &b->linear2, &gate, x));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_flux_step(vx_flux *f, vx_ctx *ctx, const vx_flux_prompt *prompt, int step,
                       const vx_tensor *latent, vx_tensor *velocity)
{
    const vx_flux_config *c = &f->config;
    int64_t d = flux_width(f), nt = vx_rows(&prompt->text), ni = vx_rows(latent);
    assert(step >= 0 && step < prompt->steps);
    assert(ni == (int64_t)prompt->grid_rows * prompt->grid_cols && vx_cols(latent) == c->channels);
    step_vectors v = {.all = vx_slice_rows(&prompt->modulations, step, 1), .width = d};
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, y;
    VX_TRY(vx_take2(ctx, VX_F32, nt + ni, d, &x));
    vx_tensor txt = vx_slice_rows(&x, 0, nt), img = vx_slice_rows(&x, nt, ni);
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &prompt->text, .out = &txt}));
    VX_TRY(linear(ctx, latent, &f->img_in, VX_ACT_NONE, &img));
    for (int i = 0; i < c->double_blocks; i++) {
        VX_TRY(double_block(ctx, f, &f->dbl[i], &prompt->turns, &v, &txt, &img));
        vx_observe(ctx, &x, "flux.step%d.double.%d", step, i);
    }
    for (int i = 0; i < c->single_blocks; i++) {
        VX_TRY(single_block(ctx, f, &f->single[i], &prompt->turns, &v, nt, &x));
        vx_observe(ctx, &x, "flux.step%d.single.%d", step, i);
    }
    vx_tensor shift = next_vector(&v), scale = next_vector(&v);
    VX_TRY(vx_take2(ctx, f->compute, ni, d, &y));
    VX_TRY(modulated(ctx, &img, &shift, &scale, &y));
    VX_TRY(linear(ctx, &y, &f->final, VX_ACT_NONE, velocity));
    vx_release(ctx, mark);
    return VX_OK;
}
