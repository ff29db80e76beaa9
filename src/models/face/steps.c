/* What both networks are made of. */
#include "models/face/parts.h"

static const vx_act NONE = {.kind = VX_ACT_NONE};

vx_status vx_face_step_run(vx_ctx *ctx, const vx_tensor *x, const vx_face_step *step,
                           int64_t stride, vx_act act, const vx_tensor *residual, vx_tensor *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor filtered;
    VX_TRY(vx_face_take(ctx, out->dim[0], vx_cols(x), &filtered));
    /* SAME: what is missing to cover an even side goes before by its half, rounded down: nothing at
     * stride 2, one at stride 1 (tensorflow/core/framework/common_shape_fns.h). */
    VX_TRY(vx_depthwise(ctx, &(vx_depthwise_args){.x = x,
                                                  .weight = &step->filter,
                                                  .bias = &step->filter_bias,
                                                  .stride = stride,
                                                  .pad = stride == 1,
                                                  .out = &filtered}));
    VX_TRY(vx_layer_linear(ctx, &filtered, &step->mix, act, residual, out));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_face_shortcut(vx_ctx *ctx, const vx_tensor *x, int64_t stride, vx_tensor *out)
{
    int64_t side = x->dim[0], columns = vx_cols(x);
    *out = *x;
    if (stride == 1) return VX_OK;
    VX_TRY(vx_face_take(ctx, side / 2, columns, out));
    vx_tensor from = vx_reshape(x, 4, (const int64_t[]){1, side, side, columns});
    vx_tensor to = vx_reshape(out, 4, (const int64_t[]){1, side / 2, side / 2, columns});
    return vx_pool2(ctx, &(vx_pool2_args){.x = &from, .largest = true, .out = &to});
}

vx_status vx_face_join(vx_ctx *ctx, const vx_tensor *x, vx_act act, const vx_tensor *slopes,
                       vx_tensor *out)
{
    int64_t both = vx_cols(x);
    vx_blend_args a = {.n = 1, .x = {out}, .scale = {1, 1}, .act = NONE, .out = out};
    if (vx_cols(out) > both) {
        vx_tensor first = vx_slice_cols(out, 0, both);
        VX_TRY(vx_blend(
            ctx, &(vx_blend_args){.n = 2, .x = {&first, x}, .scale = {1, 1}, .out = &first}));
    } else {
        a.n = 2;
        a.x[1] = x;
    }
    a.act = act;
    a.slopes = slopes;
    return vx_blend(ctx, &a);
}

vx_status vx_face_stem(vx_ctx *ctx, const uint8_t *rgb, float low, const vx_layer *stem, vx_act act,
                       vx_tensor *out)
{
    int64_t side = VX_FACE_SIDE, half = side / 2, columns = stem->w.out;
    VX_TRY(vx_face_take(ctx, half, columns, out));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor bytes, picture;
    VX_TRY(vx_take(ctx, VX_F32, 4, (const int64_t[]){1, side, side, 3}, &picture));
    VX_TRY(vx_take(ctx, VX_U8, 4, picture.dim, &bytes));
    VX_TRY(vx_upload(ctx, rgb, &bytes));
    float width = 1 - low;
    VX_TRY(vx_from_picture(ctx, &(vx_from_picture_args){.x = &bytes,
                                                        .divisor = 255 / width,
                                                        .mean = {-low, -low, -low},
                                                        .deviation = {1, 1, 1},
                                                        .out = &picture}));
    vx_tensor map = vx_reshape(out, 4, (const int64_t[]){1, half, half, columns});
    VX_TRY(vx_layer_conv(ctx, &picture, stem, act, NULL, &map));
    vx_release(ctx, mark);
    return VX_OK;
}
