/* The transformer's weights, private to this folder. */
#ifndef VX_MODELS_FLUX_TRANSFORMER_WEIGHTS_H
#define VX_MODELS_FLUX_TRANSFORMER_WEIGHTS_H

#include "models/flux/transformer.h"
#include "models/layer.h"
#include "models/stack.h"

/* A modulation's matrix; where it lies in its files when it is streamed. */
typedef struct flux_modulation {
    vx_layer linear;
    vx_stack rows;
} flux_modulation;

/* One stream (picture or text) of a double block. */
typedef struct flux_stream {
    flux_modulation mod;      /* [6D, D]: shift, scale, gate of attention, then of the MLP */
    vx_layer qkv, proj;       /* [3D, D], [D, D] */
    vx_tensor q_norm, k_norm; /* [head_dim] */
    vx_layer mlp0, mlp2;      /* [4D, D], [D, 4D] */
} flux_stream;

typedef struct flux_double {
    flux_stream img, txt;
} flux_double;

/* linear1 is bound as two matrices, because only its MLP rows pass through GELU. */
typedef struct flux_single {
    flux_modulation mod;      /* [3D, D]: shift, scale, gate */
    vx_layer qkv, mlp;        /* [3D, D], [4D, D] */
    vx_layer linear2;         /* [D, 5D] */
    vx_tensor q_norm, k_norm; /* [head_dim] */
} flux_single;

struct vx_flux {
    vx_flux_config config;
    vx_dtype store, compute;
    vx_layer img_in, txt_in, time_in, time_out, vector_in, vector_out;
    flux_double dbl[VX_FLUX_DOUBLE_MAX];
    flux_single single[VX_FLUX_SINGLE_MAX];
    flux_modulation final_mod; /* [2D, D]: shift, scale */
    vx_layer final;            /* [channels, D] */
    vx_flux_modulations modulations;
    size_t slot_bytes; /* the largest streamed matrix; all of them are packed into `slot` in turn */
    vx_dev slot;
    float *staging; /* host, VX_STAGING_FLOATS: rows of a streamed matrix on their way; else NULL */
    int64_t tokens_max;
    float *turns; /* host, [tokens_max, head_dim]: the rotation table on its way */
};

static inline int64_t flux_width(const vx_flux *flux)
{
    return (int64_t)flux->config.heads * flux->config.head_dim;
}

/* Channels of the sinusoidal time embedding (modules/layers.py timestep_embedding). */
enum { FLUX_TIME_CHANNELS = 256 };

#endif
