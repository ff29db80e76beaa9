/* Styles: every AdaIN's and AdaLN's scale and shift out of one product. */
#include <stdarg.h>
#include <stdio.h>

#include "models/kokoro/parts.h"

int64_t vx_kokoro_style_add(vx_kokoro_styles *styles, int64_t channels, const char *format, ...)
{
    assert(styles->count < VX_KOKORO_STYLES_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(styles->stem[styles->count], sizeof styles->stem[0], format, args);
    va_end(args);
    styles->stem_rows[styles->count++] = 2 * channels;
    int64_t place = styles->rows;
    styles->rows += 2 * channels;
    return place;
}

vx_status vx_kokoro_styles_bind(vx_binder *b, vx_kokoro_styles *styles, vx_kokoro_type type,
                                int64_t style_dim)
{
    return vx_kokoro_bind_stack(b, &styles->layer, type, style_dim, styles->count,
                                (const char(*)[VX_KOKORO_STEM_MAX])styles->stem, styles->stem_rows);
}

vx_status vx_kokoro_styles_run(vx_ctx *ctx, const vx_kokoro_styles *styles, const vx_tensor *style,
                               vx_tensor *out)
{
    VX_TRY(vx_take2(ctx, VX_F32, 1, styles->rows, out));
    return vx_linear(ctx, &(vx_linear_args){.x = style,
                                            .w = &styles->layer.w,
                                            .bias = vx_layer_bias(&styles->layer),
                                            .out = out});
}

void vx_kokoro_style_at(const vx_tensor *made, int64_t place, int64_t channels, vx_tensor *scale,
                        vx_tensor *shift)
{
    assert(place + 2 * channels <= vx_cols(made));
    vx_tensor a = vx_slice_cols(made, place, channels),
              b = vx_slice_cols(made, place + channels, channels);
    *scale = vx_view(a.data, VX_F32, 1, &channels);
    *shift = vx_view(b.data, VX_F32, 1, &channels);
}
