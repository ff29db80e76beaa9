/* The prosody predictor: durations of symbols, then pitch and energy of frames (modules.py). */
#include <stdio.h>

#include "models/kokoro/parts.h"

static const float norm_eps = 1e-5f; /* AdaLayerNorm */

static const char *const curve_name[2] = {"F0", "N"};

vx_status vx_kokoro_prosody_bind(vx_binder *b, vx_kokoro_prosody *p, const vx_kokoro_config *config,
                                 vx_kokoro_type front, vx_kokoro_type curves)
{
    int64_t hidden = config->hidden_dim, half = hidden / 2, wide = hidden + config->style_dim;
    p->layers = config->n_layer;
    p->styles.count = 0;
    p->styles.rows = 0;
    for (int i = 0; i < p->layers; i++) {
        VX_TRY(vx_kokoro_bind_lstm(b, &p->encoder[i], front, wide, half,
                                   "predictor.text_encoder.lstms.%d", 2 * i));
        p->encoder_norm[i] = vx_kokoro_style_add(&p->styles, hidden,
                                                 "predictor.text_encoder.lstms.%d.fc", 2 * i + 1);
    }
    VX_TRY(vx_kokoro_bind_lstm(b, &p->lstm, front, wide, half, "predictor.lstm"));
    VX_TRY(vx_kokoro_bind_linear(b, &p->duration, front, config->max_dur, hidden, true,
                                 "predictor.duration_proj.linear_layer"));
    VX_TRY(vx_kokoro_bind_lstm(b, &p->shared, front, wide, half, "predictor.shared"));
    for (int c = 0; c < 2; c++) {
        const int64_t in[3] = {hidden, hidden, half}, out[3] = {hidden, half, half};
        for (int i = 0; i < 3; i++) {
            char stem[32];
            snprintf(stem, sizeof stem, "predictor.%s.%d", curve_name[c], i);
            VX_TRY(vx_kokoro_block_bind(b, &p->curve[c][i], &p->styles, curves, in[i], out[i],
                                        i == 1, stem));
        }
        VX_TRY(vx_kokoro_bind_linear(b, &p->projection[c], curves, 1, half, true,
                                     "predictor.%s_proj", curve_name[c]));
    }
    return vx_kokoro_styles_bind(b, &p->styles, front, config->style_dim);
}

static vx_status lstm(vx_ctx *ctx, const vx_layer *layer, const vx_tensor *x, vx_tensor *out)
{
    return vx_lstm(
        ctx, &(vx_lstm_args){.x = x, .w = &layer->w, .bias = vx_layer_bias(layer), .out = out});
}

vx_status vx_kokoro_prosody_durations(vx_ctx *ctx, const vx_kokoro_prosody *p,
                                      const vx_tensor *styles, const vx_tensor *style,
                                      vx_tensor *features, float *chances, float *durations)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t n = vx_rows(features), hidden = vx_cols(features) - vx_cols(style);
    int64_t bins = p->duration.w.out;
    vx_tensor text = vx_slice_cols(features, 0, hidden),
              beside = vx_slice_cols(features, hidden, vx_cols(style)), y, chance;
    VX_TRY(vx_broadcast(ctx, &(vx_broadcast_args){.x = style, .out = &beside}));
    VX_TRY(vx_take2(ctx, VX_F32, n, hidden, &y));
    for (int i = 0; i < p->layers; i++) {
        vx_tensor scale, shift;
        vx_kokoro_style_at(styles, p->encoder_norm[i], hidden, &scale, &shift);
        VX_TRY(lstm(ctx, &p->encoder[i], features, &y));
        VX_TRY(vx_layer_norm(
            ctx, &(vx_layer_norm_args){
                     .x = &y, .scale = &scale, .shift = &shift, .eps = norm_eps, .out = &text}));
    }
    vx_observe(ctx, features, "features");
    VX_TRY(lstm(ctx, &p->lstm, features, &y));
    VX_TRY(vx_take2(ctx, VX_F32, n, bins, &chance));
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &y,
                                            .w = &p->duration.w,
                                            .bias = vx_layer_bias(&p->duration),
                                            .act = {VX_ACT_SIGMOID, 0},
                                            .out = &chance}));
    VX_TRY(vx_download(ctx, &chance, chances));
    VX_TRY(vx_finish(ctx));
    for (int64_t i = 0; i < n && !ctx->plan; i++) {
        double sum = 0;
        for (int64_t j = 0; j < bins; j++)
            sum += chances[i * bins + j];
        durations[i] = (float)sum;
    }
    vx_release(ctx, mark);
    return VX_OK;
}

/* One curve: three blocks, the second doubling the length, and a projection to one value. */
static vx_status curve(vx_ctx *ctx, const vx_kokoro_prosody *p, int c, const vx_tensor *styles,
                       const vx_tensor *x, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor y[3];
    for (int i = 0; i < 3; i++) {
        const vx_kokoro_block *block = &p->curve[c][i];
        int64_t rows = i == 0 ? vx_rows(x) : 2 * vx_rows(x);
        VX_TRY(vx_take2(ctx, block->type.sequence, rows, block->out, &y[i]));
        VX_TRY(vx_kokoro_block_run(ctx, block, styles, i == 0 ? x : &y[i - 1], &y[i]));
    }
    VX_TRY(vx_linear(ctx, &(vx_linear_args){.x = &y[2],
                                            .w = &p->projection[c].w,
                                            .bias = vx_layer_bias(&p->projection[c]),
                                            .out = out}));
    vx_observe(ctx, out, "%s", curve_name[c]);
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_kokoro_prosody_curves(vx_ctx *ctx, const vx_kokoro_prosody *p, const vx_tensor *styles,
                                   const vx_tensor *aligned, vx_tensor *pitch, vx_tensor *energy)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x;
    VX_TRY(vx_take2(ctx, VX_F32, vx_rows(aligned), p->shared.w.out / 4, &x));
    VX_TRY(lstm(ctx, &p->shared, aligned, &x));
    VX_TRY(curve(ctx, p, 0, styles, &x, pitch));
    VX_TRY(curve(ctx, p, 1, styles, &x, energy));
    vx_release(ctx, mark);
    return VX_OK;
}
