/* Kokoro put together: open, bind, front, round, decode. */
#include "models/kokoro/kokoro.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "models/kokoro/parts.h"

struct vx_kokoro {
    vx_kokoro_config config;
    int64_t frames_max;
    vx_kokoro_type front;  /* decides durations */
    vx_kokoro_type exact;  /* small filters whose values are angles or pitch */
    vx_kokoro_type voiced; /* text encoder, decoder, generator */
    vx_kokoro_type blocks; /* the generator's residual blocks: nine tenths of the work */
    vx_kokoro_styles voice_styles;
    vx_kokoro_albert albert;
    vx_kokoro_prosody prosody;
    vx_kokoro_text text;
    vx_kokoro_decoder decoder;
    vx_kokoro_generator generator;
    float *chances; /* host, [tokens_max, max_dur]: what durations are sums of */
};

enum { FRAMES_DEFAULT = 1200 };

vx_status vx_kokoro_open(vx_kokoro **model, vx_backend *backend, const vx_kokoro_params *params,
                         vx_error *err)
{
    const vx_kokoro_config *c = &params->config;
    vx_kokoro *m = *model = vx_heap_alloc(sizeof *m);
    if (m != NULL)
        m->chances = vx_heap_alloc((size_t)c->plbert.max_position_embeddings * (size_t)c->max_dur *
                                   sizeof *m->chances);
    if (m == NULL || m->chances == NULL) {
        vx_kokoro_close(model);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the description of kokoro");
    }
    m->config = *c;
    m->frames_max = params->frames_max > 0 ? params->frames_max : FRAMES_DEFAULT;
    m->exact = (vx_kokoro_type){VX_F32, VX_F32, VX_F32};
    m->front = m->exact;
    m->voiced = m->exact;
    if (params->precision != VX_F32)
        m->voiced = (vx_kokoro_type){VX_BF16, backend->native, backend->half};
    m->blocks = m->voiced;
    if (params->precision == VX_INT8_ROW)
        m->blocks = (vx_kokoro_type){VX_INT8_ROW, VX_U8, backend->half};
    return VX_OK;
}

void vx_kokoro_close(vx_kokoro **model)
{
    if (*model != NULL) vx_heap_free((*model)->chances);
    vx_heap_free(*model);
    *model = NULL;
}

const vx_kokoro_config *vx_kokoro_configuration(const vx_kokoro *model)
{
    return &model->config;
}

int64_t vx_kokoro_tokens_max(const vx_kokoro *model)
{
    return model->config.plbert.max_position_embeddings;
}

int64_t vx_kokoro_frames_max(const vx_kokoro *model)
{
    return model->frames_max;
}

/* ONNX initialisers are found through a table that holds for one file. */
static vx_status check_onnx(const vx_binder *b)
{
    if (b->plan || b->source_count == 0 || strcmp(vx_source_format(b->sources[0]), "onnx") != 0)
        return VX_OK;
    char sha256[65];
    VX_TRY(vx_source_sha256(b->sources[0], sha256, b->err));
    if (strcmp(sha256, vx_kokoro_onnx_sha256) == 0) return VX_OK;
    return vx_fail_at(b->err, VX_ERR_INPUT, "bad_weights", vx_source_path(b->sources[0]), 0,
                      "%s is an ONNX file that is not known (SHA-256 %s); Kokoro is read from "
                      "kokoro-v1.0.int8.onnx (%s), kokoro-v1_0.pth or a safetensors copy of it",
                      vx_source_path(b->sources[0]), sha256, vx_kokoro_onnx_sha256);
}

vx_status vx_kokoro_bind(vx_kokoro *m, vx_binder *b)
{
    const vx_kokoro_config *c = &m->config;
    VX_TRY(check_onnx(b));
    m->voice_styles.count = 0;
    m->voice_styles.rows = 0;
    VX_TRY(vx_kokoro_albert_bind(b, &m->albert, c, m->front));
    VX_TRY(vx_kokoro_prosody_bind(b, &m->prosody, c, m->front, m->exact));
    VX_TRY(vx_kokoro_text_bind(b, &m->text, c, m->voiced));
    VX_TRY(vx_kokoro_decoder_bind(b, &m->decoder, &m->voice_styles, c, m->voiced, m->exact));
    const vx_kokoro_generator_types types = {m->voiced, m->blocks, m->exact};
    VX_TRY(vx_kokoro_generator_bind(b, &m->generator, &m->voice_styles, c, &types));
    return vx_kokoro_styles_bind(b, &m->voice_styles, m->voiced, c->style_dim);
}

/* One half of the utterance's style, and all scales and shifts that follow from it. */
static vx_status take_styles(vx_ctx *ctx, const vx_kokoro *m, const vx_kokoro_utterance *u,
                             bool prosody, vx_tensor *style, vx_tensor *made)
{
    int64_t width = m->config.style_dim;
    *style = vx_slice_cols(&u->style_row, prosody ? width : 0, width);
    style->ld = width; /* one row: dense */
    return vx_kokoro_styles_run(ctx, prosody ? &m->prosody.styles : &m->voice_styles, style, made);
}

vx_status vx_kokoro_front(const vx_kokoro *m, vx_ctx *ctx, vx_kokoro_utterance *u)
{
    const vx_kokoro_config *c = &m->config;
    assert(u->tokens >= 3 && u->tokens <= vx_kokoro_tokens_max(m));
    VX_TRY(vx_take2(ctx, VX_F32, u->tokens, c->hidden_dim + c->style_dim, &u->features));
    VX_TRY(vx_take2(ctx, VX_F32, 1, 2 * (int64_t)c->style_dim, &u->style_row));
    VX_TRY(vx_take2(ctx, VX_I32, u->tokens, 1, &u->token_ids));
    VX_TRY(vx_upload(ctx, u->style, &u->style_row));
    VX_TRY(vx_upload(ctx, u->ids, &u->token_ids));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor style, made, text = vx_slice_cols(&u->features, 0, c->hidden_dim);
    VX_TRY(take_styles(ctx, m, u, true, &style, &made));
    VX_TRY(vx_kokoro_albert_run(ctx, &m->albert, c, &u->token_ids, &text));
    VX_TRY(vx_kokoro_prosody_durations(ctx, &m->prosody, &made, &style, &u->features, m->chances,
                                       u->durations));
    for (int64_t i = 0; i < u->tokens && !ctx->plan; i++)
        u->durations[i] /= u->speed;
    vx_release(ctx, mark);
    return VX_OK;
}

int64_t vx_kokoro_round(const float *durations, int64_t tokens, int32_t *spans)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < tokens; i++) {
        float whole = rintf(durations[i]); /* the default rounding mode: half to even */
        /* The comparison is false for a NaN too, which weights of a broken file may give. */
        spans[i] = whole >= 1 && whole < 1e6f ? (int32_t)whole : 1;
        sum += spans[i];
    }
    return sum;
}

static void align(const vx_kokoro_utterance *u)
{
    int64_t frame = 0;
    for (int64_t i = 0; i < u->tokens; i++)
        for (int32_t k = 0; k < u->spans[i]; k++)
            u->alignment[frame++] = (int32_t)i;
    assert(frame == u->frames);
}

/* Pitch and energy, [2T, 1] each, into tensors of the caller. */
static vx_status curves(vx_ctx *ctx, const vx_kokoro *m, const vx_kokoro_utterance *u,
                        const vx_tensor *alignment, vx_tensor *pitch, vx_tensor *energy)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor style, made, aligned;
    VX_TRY(take_styles(ctx, m, u, true, &style, &made));
    VX_TRY(vx_take2(ctx, VX_F32, u->frames, vx_cols(&u->features), &aligned));
    VX_TRY(vx_gather(
        ctx, &(vx_gather_args){.table = &u->features, .index = alignment, .out = &aligned}));
    VX_TRY(vx_kokoro_prosody_curves(ctx, &m->prosody, &made, &aligned, pitch, energy));
    vx_release(ctx, mark);
    return VX_OK;
}

/* The decoder's output, ready for the first stage: [2T, channels], LeakyReLU'd. */
static vx_status decoded(vx_ctx *ctx, const vx_kokoro *m, const vx_kokoro_utterance *u,
                         const vx_tensor *made, const vx_tensor *alignment, const vx_tensor *pitch,
                         const vx_tensor *energy, vx_tensor *x)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor text;
    VX_TRY(vx_take2(ctx, VX_F32, u->tokens, m->config.hidden_dim, &text));
    VX_TRY(vx_kokoro_text_run(ctx, &m->text, &u->token_ids, &text));
    VX_TRY(vx_kokoro_decoder_run(ctx, &m->decoder, made, &text, alignment, pitch, energy, x));
    vx_release(ctx, mark);
    return vx_blend(
        ctx,
        &(vx_blend_args){.n = 1, .x = {x}, .scale = {1}, .act = {VX_ACT_LRELU, 0.1f}, .out = x});
}

vx_status vx_kokoro_decode(const vx_kokoro *m, vx_ctx *ctx, vx_kokoro_utterance *u,
                           int64_t first_sample, int64_t count, float *samples)
{
    assert(first_sample >= 0 && count >= 0);
    assert(first_sample + count <= u->frames * VX_KOKORO_FRAME);
    assert(u->frames >= 1 && u->frames <= m->frames_max);
    if (!ctx->plan) align(u);
    const vx_kokoro_generator *g = &m->generator;
    int64_t long_rows = 2 * u->frames * g->stage[0].rate;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor alignment, pitch, energy, style, made, last, first, x, spectrum;
    VX_TRY(vx_take2(ctx, VX_I32, u->frames, 1, &alignment));
    VX_TRY(vx_upload(ctx, u->alignment, &alignment));
    VX_TRY(vx_take_seq(ctx, VX_F32, 2 * u->frames, 1, 1, &pitch));
    VX_TRY(vx_take_seq(ctx, VX_F32, 2 * u->frames, 1, 1, &energy));
    VX_TRY(curves(ctx, m, u, &alignment, &pitch, &energy));
    VX_TRY(take_styles(ctx, m, u, false, &style, &made));

    /* What both stages get from the source comes first: see generator.c. */
    VX_TRY(vx_kokoro_generator_map(ctx, g, 1, long_rows * g->stage[1].rate + 1, &last));
    vx_mark first_stage = vx_mark_now(ctx);
    VX_TRY(vx_kokoro_generator_map(ctx, g, 0, long_rows, &first));
    vx_mark source = vx_mark_now(ctx);
    VX_TRY(vx_kokoro_generator_spectrum(
        ctx, g, &pitch, &(vx_kokoro_source){u->seed, u->first_sample, u->quiet}, &spectrum));
    VX_TRY(vx_kokoro_generator_source(ctx, g, 0, &made, &spectrum, &first));
    VX_TRY(vx_kokoro_generator_source(ctx, g, 1, &made, &spectrum, &last));
    vx_release(ctx, source);

    VX_TRY(vx_take_seq(ctx, m->voiced.sequence, 2 * u->frames,
                       m->config.istftnet.upsample_initial_channel, 1, &x));
    VX_TRY(decoded(ctx, m, u, &made, &alignment, &pitch, &energy, &x));
    VX_TRY(vx_kokoro_generator_up(ctx, g, 0, &x, &first));
    VX_TRY(vx_kokoro_generator_blocks(ctx, g, 0, &made, 0.1f, &first));
    VX_TRY(vx_kokoro_generator_up(ctx, g, 1, &first, &last));
    vx_release(ctx, first_stage);
    VX_TRY(vx_kokoro_generator_blocks(ctx, g, 1, &made, 0.01f, &last)); /* torch's default slope */
    VX_TRY(vx_kokoro_generator_wave(ctx, g, &last, first_sample, count, samples));
    vx_release(ctx, mark);
    return vx_finish(ctx);
}
