/* The text encoder (modules.py) and the decoder in front of the generator (istftnet.py). */
#include <stdio.h>

#include "models/kokoro/parts.h"

/* ---- text encoder --------------------------------------------------------------------------- */

vx_status vx_kokoro_text_bind(vx_binder *b, vx_kokoro_text *text, const vx_kokoro_config *config,
                              vx_kokoro_type type)
{
    int64_t hidden = config->hidden_dim;
    text->layers = config->n_layer;
    text->type = type;
    VX_TRY(vx_kokoro_bind_values(b, &text->embedding, config->n_token, hidden,
                                 "text_encoder.embedding.weight"));
    for (int i = 0; i < text->layers; i++) {
        VX_TRY(vx_kokoro_bind_conv(b, &text->conv[i], type, hidden, hidden,
                                   config->text_encoder_kernel_size, 1, "text_encoder.cnn.%d.0",
                                   i));
        VX_TRY(
            vx_kokoro_bind_values(b, &text->gamma[i], hidden, 1, "text_encoder.cnn.%d.1.gamma", i));
        VX_TRY(
            vx_kokoro_bind_values(b, &text->beta[i], hidden, 1, "text_encoder.cnn.%d.1.beta", i));
    }
    return vx_kokoro_bind_lstm(b, &text->lstm, type, hidden, hidden / 2, "text_encoder.lstm");
}

vx_status vx_kokoro_text_run(vx_ctx *ctx, const vx_kokoro_text *text, const vx_tensor *ids,
                             vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t n = vx_rows(out), hidden = vx_cols(out), halo = text->conv[0].w.pad[2];
    vx_tensor x, y;
    VX_TRY(vx_take_seq(ctx, text->type.sequence, n, hidden, halo, &x));
    VX_TRY(vx_take_seq(ctx, text->type.sequence, n, hidden, halo, &y));
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = &text->embedding, .index = ids, .out = &x}));
    for (int i = 0; i < text->layers; i++) {
        VX_TRY(vx_conv1d(ctx, &(vx_conv1d_args){.x = &x,
                                                .w = &text->conv[i].w,
                                                .bias = vx_layer_bias(&text->conv[i]),
                                                .out = &y}));
        VX_TRY(vx_layer_norm(ctx, &(vx_layer_norm_args){.x = &y,
                                                        .gamma = &text->gamma[i],
                                                        .beta = &text->beta[i],
                                                        .eps = 1e-5f,
                                                        .out = &x}));
        VX_TRY(vx_blend(
            ctx, &(vx_blend_args){
                     .n = 1, .x = {&x}, .scale = {1}, .act = {VX_ACT_LRELU, 0.2f}, .out = &x}));
    }
    VX_TRY(vx_lstm(
        ctx, &(vx_lstm_args){
                 .x = &x, .w = &text->lstm.w, .bias = vx_layer_bias(&text->lstm), .out = out}));
    vx_observe(ctx, out, "text_encoder");
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- decoder -------------------------------------------------------------------------------- */

/* A curve's filter: k 3, stride 2, pad 1, one channel. */
static vx_status bind_curve(vx_binder *b, vx_layer *layer, vx_kokoro_type type, const char *stem)
{
    layer->w = vx_weight_conv1d(1, 1, 3, 2, 1, 1, type.store, type.compute);
    return vx_kokoro_bind_filter(b, layer, "%s", stem);
}

vx_status vx_kokoro_decoder_bind(vx_binder *b, vx_kokoro_decoder *d, vx_kokoro_styles *styles,
                                 const vx_kokoro_config *config, vx_kokoro_type type,
                                 vx_kokoro_type exact)
{
    d->text = config->hidden_dim;
    d->wide = 2 * d->text;
    d->residual = d->text / 8;
    d->type = type;
    int64_t joined = d->wide + d->residual + 2;
    VX_TRY(vx_kokoro_block_bind(b, &d->encode, styles, type, d->text + 2, d->wide, false,
                                "decoder.encode"));
    for (int i = 0; i < 4; i++) {
        char stem[32];
        snprintf(stem, sizeof stem, "decoder.decode.%d", i);
        int64_t out = i < 3 ? d->wide : config->istftnet.upsample_initial_channel;
        VX_TRY(vx_kokoro_block_bind(b, &d->decode[i], styles, type, joined, out, i == 3, stem));
    }
    VX_TRY(bind_curve(b, &d->pitch, exact, "decoder.F0_conv"));
    VX_TRY(bind_curve(b, &d->energy, exact, "decoder.N_conv"));
    return vx_kokoro_bind_linear(b, &d->text_residual, type, d->residual, d->text, true,
                                 "decoder.asr_res.0");
}

/* A curve at one value per frame, into column `at` of both inputs. */
static vx_status place_curve(vx_ctx *ctx, const vx_layer *layer, const vx_tensor *x,
                             const vx_tensor *first, int64_t first_at, const vx_tensor *joined,
                             int64_t joined_at)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y, a = vx_slice_cols(first, first_at, 1), b = vx_slice_cols(joined, joined_at, 1);
    VX_TRY(vx_take_seq(ctx, VX_F32, vx_rows(first), 1, 0, &y));
    VX_TRY(vx_conv1d(
        ctx, &(vx_conv1d_args){.x = x, .w = &layer->w, .bias = vx_layer_bias(layer), .out = &y}));
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &y, .out = &a}));
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &y, .out = &b}));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_kokoro_decoder_run(vx_ctx *ctx, const vx_kokoro_decoder *d, const vx_tensor *styles,
                                const vx_tensor *text, const vx_tensor *alignment,
                                const vx_tensor *pitch, const vx_tensor *energy, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t frames = vx_rows(out) / 2;
    /* first: text | pitch | energy; joined: x | residual of the text | pitch | energy. */
    vx_tensor first, joined;
    VX_TRY(vx_take2(ctx, d->type.sequence, frames, d->text + 2, &first));
    VX_TRY(vx_take2(ctx, d->type.sequence, frames, d->wide + d->residual + 2, &joined));
    vx_tensor spoken = vx_slice_cols(&first, 0, d->text), x = vx_slice_cols(&joined, 0, d->wide),
              residual = vx_slice_cols(&joined, d->wide, d->residual);
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = text, .index = alignment, .out = &spoken}));
    VX_TRY(place_curve(ctx, &d->pitch, pitch, &first, d->text, &joined, d->wide + d->residual));
    VX_TRY(place_curve(ctx, &d->energy, energy, &first, d->text + 1, &joined,
                       d->wide + d->residual + 1));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &spoken,
                                            .w = &d->text_residual.w,
                                            .bias = vx_layer_bias(&d->text_residual),
                                            .out = &residual}));
    VX_TRY(vx_kokoro_block_run(ctx, &d->encode, styles, &first, &x));
    vx_observe(ctx, &x, "decoder.encode");
    for (int i = 0; i < 3; i++) {
        VX_TRY(vx_kokoro_block_run(ctx, &d->decode[i], styles, &joined, &x));
        vx_observe(ctx, &x, "decoder.decode.%d", i);
    }
    VX_TRY(vx_kokoro_block_run(ctx, &d->decode[3], styles, &joined, out));
    vx_observe(ctx, out, "decoder.decode.3");
    vx_release(ctx, mark);
    return VX_OK;
}
