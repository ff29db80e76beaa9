/* A layer: a matrix, filter or LSTM with its bias. Every model is made of them. */
#ifndef VX_MODELS_LAYER_H
#define VX_MODELS_LAYER_H

#include "backend/ops.h"

typedef struct vx_layer {
    vx_weight w;
    vx_tensor bias; /* [out] f32; rank 0: none */
} vx_layer;

static inline const vx_tensor *vx_layer_bias(const vx_layer *layer)
{
    return layer->bias.rank > 0 ? &layer->bias : NULL;
}

/* out = residual + act(x W^T + bias), over rows; residual may be NULL or out. */
static inline vx_status vx_layer_linear(vx_ctx *ctx, const vx_tensor *x, const vx_layer *layer,
                                        vx_act act, const vx_tensor *residual, vx_tensor *out)
{
    return vx_linear(ctx, &(vx_linear_args){.x = x,
                                            .w = &layer->w,
                                            .bias = vx_layer_bias(layer),
                                            .residual = residual,
                                            .act = act,
                                            .out = out});
}

/* The same of a filter over planes or volumes. */
static inline vx_status vx_layer_conv(vx_ctx *ctx, const vx_tensor *x, const vx_layer *layer,
                                      vx_act act, const vx_tensor *residual, vx_tensor *out)
{
    return vx_conv(ctx, &(vx_conv_args){.x = x,
                                        .w = &layer->w,
                                        .bias = vx_layer_bias(layer),
                                        .residual = residual,
                                        .act = act,
                                        .out = out});
}

#endif
