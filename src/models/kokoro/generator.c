/* The generator (istftnet.py): harmonic source, two upsampling stages, inverse STFT.
 *
 * Memory at T frames: stage 1 works on maps of 120T+1 rows by 128 channels, 36.9 MB each in bf16
 * at T = 1200, and everything else is a third of that or less. Order keeps five of them at most:
 *
 *     sum1 <- source of stage 1        sum1, two of scratch, the source's spectrum
 *     stage 0                          sum1 and maps a third as large
 *     sum1 += ups(x)                   sum1, the upsampled map
 *     blocks of stage 1                sum1, block 0's and block 1's results, two of scratch;
 *                                      block 2 works in sum1 itself */
#include <stdio.h>

#include "models/kokoro/parts.h"

enum { SPECTRUM = 22 }; /* magnitude and angle of 11 bins */

vx_status vx_kokoro_generator_bind(vx_binder *b, vx_kokoro_generator *g, vx_kokoro_styles *styles,
                                   const vx_kokoro_config *config,
                                   const vx_kokoro_generator_types *types)
{
    static const int source_dilations[VX_KOKORO_BLOCKS] = {1, 3, 5};
    static const int source_kernel[VX_KOKORO_STAGES] = {7, 11};
    const vx_kokoro_type type = types->voiced, exact = types->exact;
    char stem[48];
    g->type = type;
    for (int i = 0; i < VX_KOKORO_STAGES; i++) {
        vx_kokoro_stage *s = &g->stage[i];
        int64_t in = config->istftnet.upsample_initial_channel >> i;
        s->rate = config->istftnet.upsample_rates[i];
        s->channels = in / 2;
        s->halo = source_dilations[2] * (source_kernel[i] - 1) / 2;
        s->up.w = vx_weight_conv1d(s->channels, in, 2 * s->rate, s->rate, 1, s->rate / 2,
                                   type.store, type.compute);
        s->up.w.kind = VX_WEIGHT_CONV_TRANSPOSE;
        VX_TRY(vx_kokoro_bind_filter(b, &s->up, "decoder.generator.ups.%d", i));
        for (int j = 0; j < VX_KOKORO_BLOCKS; j++) {
            int kernel = config->istftnet.resblock_kernel_sizes[j];
            const int *dilations = config->istftnet.resblock_dilation_sizes[j];
            for (int k = 0; k < VX_KOKORO_BLOCKS; k++)
                if (dilations[k] * (kernel - 1) / 2 > s->halo)
                    s->halo = dilations[k] * (kernel - 1) / 2;
            snprintf(stem, sizeof stem, "decoder.generator.resblocks.%d", 3 * i + j);
            VX_TRY(vx_kokoro_snake_bind(b, &s->block[j], styles, types->blocks, s->channels, kernel,
                                        dilations, stem));
        }
        /* The source at the stage's rate: a filter of twice the remaining factor, or of 1. */
        int64_t rest = i + 1 < VX_KOKORO_STAGES ? config->istftnet.upsample_rates[i + 1] : 1;
        if (rest > 1)
            s->source.w = vx_weight_conv1d(s->channels, SPECTRUM, 2 * rest, rest, 1, (rest + 1) / 2,
                                           exact.store, exact.compute);
        else
            s->source.w =
                vx_weight_conv1d(s->channels, SPECTRUM, 1, 1, 1, 0, exact.store, exact.compute);
        VX_TRY(vx_kokoro_bind_filter(b, &s->source, "decoder.generator.noise_convs.%d", i));
        snprintf(stem, sizeof stem, "decoder.generator.noise_res.%d", i);
        VX_TRY(vx_kokoro_snake_bind(b, &s->source_block, styles, types->blocks, s->channels,
                                    source_kernel[i], source_dilations, stem));
        s->halo++; /* room for the row that the reflection puts in front */
    }
    VX_TRY(vx_kokoro_bind_conv(b, &g->post, type, SPECTRUM, g->stage[1].channels, 7, 1,
                               "decoder.generator.conv_post"));
    VX_TRY(vx_kokoro_bind_values(b, &g->harmonic_weight, 1, 9,
                                 "decoder.generator.m_source.l_linear.weight"));
    return vx_kokoro_bind_values(b, &g->harmonic_bias, 1, 1,
                                 "decoder.generator.m_source.l_linear.bias");
}

vx_status vx_kokoro_generator_map(vx_ctx *ctx, const vx_kokoro_generator *g, int stage,
                                  int64_t rows, vx_tensor *out)
{
    const vx_kokoro_stage *s = &g->stage[stage];
    return vx_take_seq(ctx, g->type.sequence, rows, s->channels, s->halo, out);
}

/* ---- source --------------------------------------------------------------------------------- */

vx_status vx_kokoro_generator_spectrum(vx_ctx *ctx, const vx_kokoro_generator *g,
                                       const vx_tensor *pitch, const vx_kokoro_source *source,
                                       vx_tensor *spectrum)
{
    int64_t samples = 300 * vx_rows(pitch);
    VX_TRY(
        vx_take_seq(ctx, VX_F32, samples / 5 + 1, SPECTRUM, g->stage[0].source.w.pad[2], spectrum));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor excitation;
    VX_TRY(vx_take2(ctx, VX_F32, samples, 1, &excitation));
    VX_TRY(vx_harmonic_source(ctx, &(vx_harmonic_source_args){.f0 = pitch,
                                                              .weight = &g->harmonic_weight,
                                                              .bias = &g->harmonic_bias,
                                                              .seed = source->seed,
                                                              .first_sample = source->first_sample,
                                                              .noise = !source->quiet,
                                                              .out = &excitation}));
    vx_observe(ctx, &excitation, "excitation");
    VX_TRY(vx_stft(ctx, &(vx_stft_args){.x = &excitation, .out = spectrum}));
    vx_observe(ctx, spectrum, "spectrum");
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_kokoro_generator_source(vx_ctx *ctx, const vx_kokoro_generator *g, int stage,
                                     const vx_tensor *styles, const vx_tensor *spectrum,
                                     vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    const vx_kokoro_stage *s = &g->stage[stage];
    vx_tensor t1, t2;
    VX_TRY(vx_conv1d(
        ctx, &(vx_conv1d_args){
                 .x = spectrum, .w = &s->source.w, .bias = vx_layer_bias(&s->source), .out = out}));
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(out), &t1));
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(out), &t2));
    VX_TRY(vx_kokoro_snake_run(ctx, &s->source_block, styles, out, &t1, &t2));
    vx_observe(ctx, out, "source.%d", stage);
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- stages --------------------------------------------------------------------------------- */

/* The last stage's sum has one row more: the upsampled signal is reflected by one row on the left,
 * u[-1] = u[1]. */
vx_status vx_kokoro_generator_up(vx_ctx *ctx, const vx_kokoro_generator *g, int stage,
                                 const vx_tensor *x, vx_tensor *sum)
{
    vx_mark mark = vx_mark_now(ctx);
    const vx_kokoro_stage *s = &g->stage[stage];
    int64_t rows = vx_rows(x) * s->rate, ahead = vx_rows(sum) - rows;
    assert(ahead == 0 || ahead == 1);
    vx_tensor whole;
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(sum), &whole));
    vx_tensor up = whole;
    up.dim[0] = rows;
    up.halo = whole.halo - ahead; /* one row less behind, where it is shifted */
    up.data = vx_row_at(&whole, ahead);
    VX_TRY(vx_conv_transpose1d(
        ctx, &(vx_conv_transpose1d_args){
                 .x = x, .w = &s->up.w, .bias = vx_layer_bias(&s->up), .out = &up}));
    if (ahead == 1) {
        vx_tensor from = vx_slice_rows(&whole, 2, 1), to = vx_slice_rows(&whole, 0, 1);
        VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &from, .out = &to}));
    }
    VX_TRY(
        vx_blend(ctx, &(vx_blend_args){.n = 2, .x = {sum, &whole}, .scale = {1, 1}, .out = sum}));
    vx_observe(ctx, sum, "sum.%d", stage);
    vx_release(ctx, mark);
    return VX_OK;
}

/* Block j on a copy of `sum`, into `out`; scratch t1, t2. */
static vx_status block_of(vx_ctx *ctx, const vx_kokoro_snake *block, const vx_tensor *styles,
                          const vx_tensor *sum, vx_tensor *out, vx_tensor *t1, vx_tensor *t2)
{
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = sum, .out = out}));
    return vx_kokoro_snake_run(ctx, block, styles, out, t1, t2);
}

vx_status vx_kokoro_generator_blocks(vx_ctx *ctx, const vx_kokoro_generator *g, int stage,
                                     const vx_tensor *styles, float slope, vx_tensor *sum)
{
    vx_mark mark = vx_mark_now(ctx);
    const vx_kokoro_stage *s = &g->stage[stage];
    vx_tensor a, b, t1, t2;
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(sum), &a));
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(sum), &b));
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(sum), &t1));
    VX_TRY(vx_kokoro_generator_map(ctx, g, stage, vx_rows(sum), &t2));
    VX_TRY(block_of(ctx, &s->block[0], styles, sum, &a, &t1, &t2));
    VX_TRY(block_of(ctx, &s->block[1], styles, sum, &b, &t1, &t2));
    VX_TRY(vx_kokoro_snake_run(ctx, &s->block[2], styles, sum, &t1, &t2));
    const float third = 1.0f / 3;
    VX_TRY(vx_blend(ctx, &(vx_blend_args){.n = 3,
                                          .x = {&a, &b, sum},
                                          .scale = {third, third, third},
                                          .act = {VX_ACT_LRELU, slope},
                                          .out = sum}));
    vx_observe(ctx, sum, "stage.%d", stage);
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- the end -------------------------------------------------------------------------------- */

vx_status vx_kokoro_generator_wave(vx_ctx *ctx, const vx_kokoro_generator *g, const vx_tensor *x,
                                   int64_t first, int64_t count, float *samples)
{
    vx_mark mark = vx_mark_now(ctx);
    int64_t rows = vx_rows(x);
    vx_tensor spectrum, wave;
    VX_TRY(vx_take_seq(ctx, VX_F32, rows, SPECTRUM, 0, &spectrum));
    VX_TRY(vx_take2(ctx, VX_F32, 5 * (rows - 1), 1, &wave));
    VX_TRY(vx_conv1d(
        ctx, &(vx_conv1d_args){
                 .x = x, .w = &g->post.w, .bias = vx_layer_bias(&g->post), .out = &spectrum}));
    vx_observe(ctx, &spectrum, "conv_post");
    VX_TRY(vx_istft(ctx, &(vx_istft_args){.x = &spectrum, .out = &wave}));
    vx_tensor kept = vx_slice_rows(&wave, first, count);
    VX_TRY(vx_download(ctx, &kept, samples));
    vx_release(ctx, mark);
    return VX_OK;
}
