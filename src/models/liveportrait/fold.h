/* Reading weights with what follows or surrounds them folded in; private to this folder. */
#ifndef VX_MODELS_LIVEPORTRAIT_FOLD_H
#define VX_MODELS_LIVEPORTRAIT_FOLD_H

#include "models/liveportrait/parts.h"

/* One filter or matrix of a checkpoint and what is folded into it. */
typedef struct vx_lp_spec {
    const char *name;    /* prefix: NAME.weight, NAME.bias */
    const char *norm;    /* batch norm that follows, or NULL */
    const char *stacked; /* a second filter below the first (mlp_beta), or NULL */
    int64_t out, in;     /* of one of them */
    int64_t kernel[3];   /* 0: 1 */
    int64_t stride;      /* 0: 1; more: height and width, without padding */
    bool no_depth_pad;   /* the filter spans the whole depth */
    int64_t depth; /* 0: 1; more: input channel c·depth + d of the file is d·(in/depth) + c here */
    bool no_bias;
    bool spectral; /* weight_orig over u^T W v; a plain weight is taken as it is */
    int upsample;  /* 0: 1 */
    bool cells_in, cells_out;
    int64_t first_row, row_step; /* rows first_row, first_row + row_step, …; 0: all in order */
    bool once; /* of a layer that runs once for a picture: stored and computed in f32 */
} vx_lp_spec;

/* As a filter (VX_WEIGHT_CONV) and as a matrix (VX_WEIGHT_LINEAR). */
vx_status vx_lp_bind_conv(vx_liveportrait *lp, vx_binder *b, const vx_lp_spec *spec,
                          vx_layer *layer);
vx_status vx_lp_bind_linear(vx_liveportrait *lp, vx_binder *b, const vx_lp_spec *spec,
                            vx_layer *layer);
/* A batch norm alone, as a diagonal matrix. */
vx_status vx_lp_bind_affine(vx_liveportrait *lp, vx_binder *b, const char *norm, int64_t channels,
                            vx_layer *layer);
/* NAME.weight and NAME.bias, or other endings, as vectors. */
vx_status vx_lp_bind_norm(vx_binder *b, const char *name, const char *gamma, const char *beta,
                          int64_t channels, vx_lp_norm *norm);
vx_status vx_lp_bind_vector(vx_binder *b, const char *name, int64_t n, vx_tensor *out);
/* Depthwise [C, 1, k, k] as [k, k, C]. */
vx_status vx_lp_bind_depthwise(vx_binder *b, const char *name, int64_t channels, int64_t k,
                               vx_tensor *out);
/* A shortcut's two layers: conv_s is PREFIX.conv_s with conv_s·(norm_s.mlp_beta.bias) as its bias,
 * beta_s is conv_s·(norm_s.mlp_beta) as one 3 × 3 filter [out, hidden]. */
vx_status vx_lp_bind_shortcut(vx_liveportrait *lp, vx_binder *b, const char *prefix, int64_t out,
                              int64_t in, int64_t hidden, bool cells_in, vx_layer *conv_s,
                              vx_layer *beta_s);

/* One row of a product of matrices: out [cols] = row [n] · matrix [n, cols]. */
void vx_lp_fold_row(const float *row, const float *matrix, int64_t n, int64_t cols, double *out);
/* Batch norm as y = x*scale + shift; false when a variance is not >= 0. */
bool vx_lp_fold_norm(const float *gamma, const float *beta, const float *mean, const float *var,
                     int64_t n, float *scale, float *shift);

#endif
