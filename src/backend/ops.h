/* The ops: one name per operation on every backend.
 *
 * Each takes a context and one struct of arguments. Common rules, unless an op says otherwise:
 *   - tensors are channels-last views (tensor/tensor.h), dtype f32 or bf16 each on its own;
 *     products follow the weight's compute type, everything else is done in f32;
 *   - vectors (bias, gamma, …) are f32, dense, in weight or workspace memory; NULL leaves them out;
 *   - `out` is written whole, its halo zeroed; it overlaps no input unless the op allows it;
 *   - shapes are asserted: a mismatch is a programmer's error. VX_ERR_CANCELLED when the token is
 *     set, VX_ERR_INTERNAL when scratch exceeds the plan or a library fails, VX_ERR_MISSING where
 *     the backend does not support these arguments; `out` is then undefined.
 * An op has read its struct and the views in it when it returns; what they lead to is read and
 * written by the end of the next vx_finish.
 *
 * An op consists of a front (backend/ops.c: checks, counts; then vx_run: scratch, plan or run) and
 * one kernel per backend (backend/<name>/). To add one: its args struct and prototype here, its
 * line in VX_OPS, its front, its kernel in `ref` and `cpu`, its cases in tests/checkop.c. */
#ifndef VX_BACKEND_OPS_H
#define VX_BACKEND_OPS_H

#include "backend/backend.h"

/* ---- activations --------------------------------------------------------------------------- */

typedef enum vx_act_kind {
    VX_ACT_NONE,
    VX_ACT_RELU,
    VX_ACT_LRELU,      /* x < 0 ? slope*x : x */
    VX_ACT_SILU,       /* x * sigmoid(x) */
    VX_ACT_GELU_TANH,  /* 0.5x(1 + tanh(0.7978845608028654(x + 0.044715x^3))) */
    VX_ACT_GELU_ERF,   /* 0.5x(1 + erf(x/sqrt 2)) */
    VX_ACT_QUICK_GELU, /* x * sigmoid(1.702x) */
    VX_ACT_SIGMOID,
    VX_ACT_TANH
} vx_act_kind;

typedef struct vx_act {
    vx_act_kind kind;
    float slope; /* VX_ACT_LRELU only */
} vx_act;

/* ---- moving -------------------------------------------------------------------------------- */

/* out = x, converting the dtype (x may be f16 too); [R, C] each. For concatenation give a slice of
 * columns as out. */
typedef struct vx_copy_args {
    const vx_tensor *x;
    vx_tensor *out;
} vx_copy_args;
vx_status vx_copy(vx_ctx *ctx, const vx_copy_args *a);

/* out[r] = table[index[r]]; table [V, C] (f32, bf16 or f16), index i32 [R], dense, each in [0, V),
 * R = rows of out. Embedding lookup, repetition by durations, nearest upsampling. */
typedef struct vx_gather_args {
    const vx_tensor *table, *index;
    vx_tensor *out;
} vx_gather_args;
vx_status vx_gather(vx_ctx *ctx, const vx_gather_args *a);

/* Every row of out [R, C] becomes the vector x [C]. Style vectors beside a sequence. */
typedef struct vx_broadcast_args {
    const vx_tensor *x;
    vx_tensor *out;
} vx_broadcast_args;
vx_status vx_broadcast(vx_ctx *ctx, const vx_broadcast_args *a);

/* Copies between host memory and a tensor, in the lane's order; nothing happens in a plan.
 * `host` is dense, same dtype. An upload has read `host` when it returns; a download's bytes are
 * there after vx_finish. */
vx_status vx_upload(vx_ctx *ctx, const void *host, vx_tensor *out);
vx_status vx_download(vx_ctx *ctx, const vx_tensor *x, void *host);

/* ---- elementwise --------------------------------------------------------------------------- */

/* out = act(scale[0]*x[0] + scale[1]*x[1] + scale[2]*x[2]); n = 1..3 inputs [R, C]; out may be one
 * of them. slopes [C] f32, dense, or NULL: VX_ACT_LRELU's slope of each column in place of
 * act.slope, which is then not read (PReLU). */
typedef struct vx_blend_args {
    int n;
    const vx_tensor *x[3];
    float scale[3];
    vx_act act;
    const vx_tensor *slopes;
    vx_tensor *out;
} vx_blend_args;
vx_status vx_blend(vx_ctx *ctx, const vx_blend_args *a);

/* out = act(x) * y, the gate of T5's feed-forward; [R, C] each; out may be x or y. */
typedef struct vx_gate_args {
    const vx_tensor *x, *y;
    vx_act act;
    vx_tensor *out;
} vx_gate_args;
vx_status vx_gate(vx_ctx *ctx, const vx_gate_args *a);

/* ---- matrix products ----------------------------------------------------------------------- */

/* out[R, out] = residual + gate * act(x[R, in] W^T + bias).
 * bias [out], gate [out] (a vector that multiplies each row), residual [R, out] may each be NULL;
 * residual may be out itself. w->kind is VX_WEIGHT_LINEAR. */
typedef struct vx_linear_args {
    const vx_tensor *x;
    const vx_weight *w;
    const vx_tensor *bias, *gate, *residual;
    vx_act act;
    vx_tensor *out;
} vx_linear_args;
vx_status vx_linear(vx_ctx *ctx, const vx_linear_args *a);

/* out[R, C] (f32 or bf16) = act(conv(x) + bias) (+ out when accumulate: in place). x [L, in] with
 * halo >= dilation*(k-1)/2 of zeroes standing for the padding; "same" length for stride 1:
 * L_out = floor((L + 2 pad - dilation(k-1) - 1)/stride) + 1. w->kind is VX_WEIGHT_CONV with kernel
 * {1,1,k}. x and out come from vx_take_seq. */
typedef struct vx_conv1d_args {
    const vx_tensor *x;
    const vx_weight *w;
    const vx_tensor *bias;
    vx_act act;
    bool accumulate;
    vx_tensor *out;
} vx_conv1d_args;
vx_status vx_conv1d(vx_ctx *ctx, const vx_conv1d_args *a);

/* Convolution over planes or volumes: x [N, H, W, in] or [N, D, H, W, in] -> out of the same rank,
 * dense, without halo; zero padding and stride as w says. Each pixel of x is repeated w->upsample
 * times along H and W before (nearest), which backends do without making the larger map. out =
 * residual + act(conv(x) + bias); residual is NULL or has out's shape and may be out. */
typedef struct vx_conv_args {
    const vx_tensor *x;
    const vx_weight *w;
    const vx_tensor *bias, *residual;
    vx_act act;
    /* Rows of x over and under those that out answers for, where x is a strip of a larger plane:
     * they take the place of padding. Filters of several rows at stride 1, nothing repeated. */
    int64_t above, below;
    vx_tensor *out;
} vx_conv_args;
vx_status vx_conv(vx_ctx *ctx, const vx_conv_args *a);

/* Transposed convolution with k = 2*stride, pad = stride/2 (torch ConvTranspose1d): out [L*stride,
 * out]. x [L, in] with halo >= 1; out with halo >= pad, from vx_take_seq. w->kind
 * VX_WEIGHT_CONV_TRANSPOSE, rows of [in, k] per output channel. Done as a two-tap convolution with
 * stride*out channels. */
typedef struct vx_conv_transpose1d_args {
    const vx_tensor *x;
    const vx_weight *w;
    const vx_tensor *bias;
    vx_tensor *out;
} vx_conv_transpose1d_args;
vx_status vx_conv_transpose1d(vx_ctx *ctx, const vx_conv_transpose1d_args *a);

/* Depthwise transposed convolution k = 3, stride 2, pad 1, output padding 1 (Kokoro's `pool`):
 * x [L, C] -> out [2L, C]; weight [C, 3] f32, bias [C]. */
typedef struct vx_depthwise_up2_args {
    const vx_tensor *x, *weight, *bias;
    vx_tensor *out;
} vx_depthwise_up2_args;
vx_status vx_depthwise_up2(vx_ctx *ctx, const vx_depthwise_up2_args *a);

/* Scaled dot-product attention over heads: out[Nq, H*D] from q [Nq, H*D], k and v [Nk, H*D], head h
 * in columns [hD, (h+1)D). weights = softmax(scale q k^T + bias), in f32. `causal`: key j > query i
 * is masked. bias NULL or [H, Nq+Nk-1] f32: the value for (h, i, j) is bias[h][j - i + Nq - 1]
 * (T5). `compute` is the type of the two products. The score matrix never exists whole: work goes
 * by tiles of queries. */
typedef struct vx_attention_args {
    const vx_tensor *q, *k, *v;
    int heads;
    float scale;
    bool causal;
    const vx_tensor *bias;
    vx_dtype compute;
    vx_tensor *out;
} vx_attention_args;
vx_status vx_attention(vx_ctx *ctx, const vx_attention_args *a);

/* Bidirectional LSTM, batch 1, zero initial state: x [T, I] -> out [T, 2H], forward in [0, H),
 * backward in [H, 2H). w: kind VX_WEIGHT_LSTM, w->in = I, w->out = 2*4H; source rows [W_ih (I) |
 * W_hh (H)] for the 4H gates of the forward direction in torch's order i, f, g, o, then those of
 * the backward one. bias [2*4H] = b_ih + b_hh in the same order. */
typedef struct vx_lstm_args {
    const vx_tensor *x;
    const vx_weight *w;
    const vx_tensor *bias;
    vx_tensor *out;
} vx_lstm_args;
vx_status vx_lstm(vx_ctx *ctx, const vx_lstm_args *a);

/* ---- norms --------------------------------------------------------------------------------- */

/* Per row: y = (x + add - mean)/sqrt(var + eps); y = y*gamma + beta; out = y*(1 + scale) + shift.
 * add [R, C] or NULL; gamma, beta, scale, shift [C] or NULL. rms: no mean is taken and y = x/rms
 * (T5). sum_out, when not NULL, receives x + add (the residual stream); it may be x or add. */
typedef struct vx_layer_norm_args {
    const vx_tensor *x, *add;
    const vx_tensor *gamma, *beta, *scale, *shift;
    float eps;
    bool rms;
    vx_tensor *sum_out;
    vx_tensor *out;
} vx_layer_norm_args;
vx_status vx_layer_norm(vx_ctx *ctx, const vx_layer_norm_args *a);

/* Per channel over all rows (AdaIN): y = (x - mean)/sqrt(var + eps), biased variance;
 * y = y*(1 + scale) + shift; then act(y), or Snake when alpha is not NULL: y + sin^2(alpha
 * y)/alpha. x [L, C]; scale, shift, alpha [C]; out [L, C], may be x. */
typedef struct vx_instance_norm_args {
    const vx_tensor *x;
    const vx_tensor *scale, *shift, *alpha;
    float eps;
    vx_act act;
    vx_tensor *out;
} vx_instance_norm_args;
vx_status vx_instance_norm(vx_ctx *ctx, const vx_instance_norm_args *a);

/* Over groups of C/groups channels and all pixels of each image: x [N, …, C] -> out, biased
 * variance; y*gamma + beta, then act. gamma, beta [C]. out may be x.
 * A plane can be normed strip by strip: with `factors` and no out, they receive, for
 * one image, what is then read with `factors` and out instead of measuring x: [3, C]
 * f32, y = (x - f0)*f1 + f2. */
typedef struct vx_group_norm_args {
    const vx_tensor *x;
    const vx_tensor *gamma, *beta;
    int groups;
    float eps;
    vx_act act;
    vx_tensor *factors;
    vx_tensor *out;
} vx_group_norm_args;
vx_status vx_group_norm(vx_ctx *ctx, const vx_group_norm_args *a);

/* FLUX's query and key preparation, per head of D channels: y = x/sqrt(mean(x^2) + eps) *
 * weight, then rotation of adjacent pairs: out[2i] = cos y[2i] - sin y[2i+1], out[2i+1] = sin
 * y[2i] + cos y[2i+1].
 * x [R, H*D]; weight [D]; table NULL (no rotation) or [R, D] f32 with cos, sin of pair i at columns
 * 2i and 2i+1. out may be x. Source: black-forest-labs/flux src/flux/math.py, modules/layers.py. */
typedef struct vx_qk_norm_args {
    const vx_tensor *x, *weight, *table;
    int heads;
    float eps;
    vx_tensor *out;
} vx_qk_norm_args;
vx_status vx_qk_norm(vx_ctx *ctx, const vx_qk_norm_args *a);

/* SPADE: y = (x - mean)/sqrt(var + eps) per channel over the pixels of one image; then, pixel by
 * pixel, out = act(y*(1 + gamma) + beta). x [h, w, C]; out [H, W, C], H = up*h, W = up*w: x is read
 * as if repeated `up` times along both. map [H, W, 2C] holds gamma, then beta; [H, W, C] holds
 * gamma alone (beta 0).
 * mean and var [C] replace the image's own statistics when not NULL (batch norm).
 * Source: LivePortrait src/modules/util.py SPADE, SPADEResnetBlock. */
typedef struct vx_spade_args {
    const vx_tensor *x, *map;
    const vx_tensor *mean, *var;
    int64_t up;
    float eps;
    vx_act act;
    vx_tensor *out;
} vx_spade_args;
vx_status vx_spade(vx_ctx *ctx, const vx_spade_args *a);

/* ConvNeXt V2's global response norm: x [R, C]; G_c = |x[:, c]|_2, N_c =
 * G_c/(mean over c of G + eps);
 * out = gamma*(x*N) + beta + x. gamma, beta [C]; out may be x. Source: LivePortrait
 * src/modules/util.py GRN. */
typedef struct vx_response_norm_args {
    const vx_tensor *x, *gamma, *beta;
    float eps;
    vx_tensor *out;
} vx_response_norm_args;
vx_status vx_response_norm(vx_ctx *ctx, const vx_response_norm_args *a);

/* ---- pictures and motion ----------------------------------------------------------------- */

/* Mean, or with `largest` the largest, of 2 × 2 pixels: x [N, H, W, C] or [N, D, H, W, C] -> out
 * with H/2 and W/2 (floor); where out has D/2 too, of 2 × 2 × 2. */
typedef struct vx_pool2_args {
    const vx_tensor *x;
    bool largest;
    vx_tensor *out;
} vx_pool2_args;
vx_status vx_pool2(vx_ctx *ctx, const vx_pool2_args *a);

/* Depthwise filter: x [H, W, C] -> out [h, w, C]; weight [k, k, C] f32, k odd, bias [C]. stride 0:
 * stride 1 and padding (k-1)/2, so that out is as large as x. Else out[i, j] begins at x[stride*i -
 * pad, stride*j - pad], with zeroes around x, and h and w are the caller's: what of the filter
 * hangs over the far ends is so padded. */
typedef struct vx_depthwise_args {
    const vx_tensor *x, *weight, *bias;
    int64_t stride, pad;
    vx_tensor *out;
} vx_depthwise_args;
vx_status vx_depthwise(vx_ctx *ctx, const vx_depthwise_args *a);

/* out[r, c] = x[r, c] * act(s[r]); s [R, 1]; out may be x. For x [.., H, W, C] s may be smaller,
 * [.., h, w, 1] with one map: act(s) is enlarged to H × W, bilinearly, align_corners false, as
 * torch's interpolate. */
typedef struct vx_row_gate_args {
    const vx_tensor *x, *s;
    vx_act act;
    vx_tensor *out;
} vx_row_gate_args;
vx_status vx_row_gate(vx_ctx *ctx, const vx_row_gate_args *a);

/* How a grid position i of n is written as a coordinate, and read back as an index (LivePortrait
 * src/modules/util.py make_coordinate_grid; torch grid_sample with align_corners false).
 * VX_GRID_PUBLISHED: coordinate 2i/(n-1) - 1, index ((x+1)n - 1)/2; so the identity samples
 * i*n/(n-1) - 0.5. VX_GRID_CENTRES: coordinate (2i+1)/n - 1, and the identity samples i. */
typedef enum vx_grid { VX_GRID_PUBLISHED, VX_GRID_CENTRES } vx_grid;

/* The input of the dense-motion network: for the background (k = 0, identity) and each key point k
 * = 1..K, F+1 columns: exp(-|g - x_d|^2/(2*variance)) - exp(-|g - x_s|^2/(2*variance)) (0 for k =
 * 0), then the F features sampled trilinearly (zeroes outside) at g - x_d + x_s.
 * feature [D, H, W, F]; source, driving [K, 3] f32 (x, y, z in -1..1); out [D, H, W, (K+1)(F+1)].
 * Source: LivePortrait src/modules/dense_motion.py, kp2gaussian. */
typedef struct vx_motion_input_args {
    const vx_tensor *feature, *source, *driving;
    vx_grid grid;
    float variance;
    vx_tensor *out;
} vx_motion_input_args;
vx_status vx_motion_input(vx_ctx *ctx, const vx_motion_input_args *a);

/* The displacements: m = softmax over the K+1 logits of each cell; out = sum over k >= 1 of m_k
 * (x_s - x_d)_k. logits [D, H, W, K+1]; out [D, H, W, 3] f32 (x, y, z). LivePortrait's deformation
 * is the grid plus this, because its masks sum to 1; vx_warp adds the grid. */
typedef struct vx_motion_field_args {
    const vx_tensor *logits, *source, *driving;
    vx_tensor *out;
} vx_motion_field_args;
vx_status vx_motion_field(vx_ctx *ctx, const vx_motion_field_args *a);

/* Trilinear sampling (zeroes outside) of x [D, H, W, C] at the grid's coordinates plus the
 * displacements `field` [d, h, w, 3] f32 (x, y, z; the picture is 2 wide). Where the field is
 * smaller it is first enlarged to D × H × W, trilinearly, align_corners false, as torch's
 * interpolate. out [D, H, W, C], or [H, W, D*C] with channel d*C + c. */
typedef struct vx_warp_args {
    const vx_tensor *x, *field;
    vx_grid grid;
    vx_tensor *out;
} vx_warp_args;
vx_status vx_warp(vx_ctx *ctx, const vx_warp_args *a);

/* What a network's picture is made of. */
typedef enum vx_picture_range {
    VX_PICTURE_LOGITS, /* y = sigmoid(x) */
    VX_PICTURE_SIGNED  /* y = x/2 + 1/2, for x in -1..1 */
} vx_picture_range;

/* The picture: x [H, W, 3*f*f], channel rgb*f*f + dy*f + dx -> out [H*f, W*f, 3] u8 = round(255*y),
 * within 0..255. With out f32 y itself. */
typedef struct vx_to_picture_args {
    const vx_tensor *x;
    vx_picture_range range;
    int64_t factor;
    vx_tensor *out;
} vx_to_picture_args;
vx_status vx_to_picture(vx_ctx *ctx, const vx_to_picture_args *a);

/* The way in: x u8, dense, rows of pixels with adjacent channels r, g, b -> out of the same
 * shape, (x/divisor - mean)/deviation, channel by channel; columns are a multiple of 3.
 * deviation 0 is read as 1. */
typedef struct vx_from_picture_args {
    const vx_tensor *x;
    float divisor, mean[3], deviation[3];
    vx_tensor *out;
} vx_from_picture_args;
vx_status vx_from_picture(vx_ctx *ctx, const vx_from_picture_args *a);

/* ---- speech -------------------------------------------------------------------------------- */

/* Kokoro's harmonic source (istftnet.py SineGen + SourceModuleHnNSF; facts: 9 harmonics, 300
 * samples per F0 value, 24 kHz). f0 [F, 1] f32 in Hz -> out [300F, 1] f32 = tanh(bias + sum_k
 * weight_k src_k). weight [9], bias [1]. Phase is accumulated in double and wrapped. Noise: one
 * Philox normal per sample (stream VX_STREAM_VOICE_NOISE, counter = first_sample + sample), scaled
 * by |weight|_2 and 0.003 where voiced (f0 > 10), 0.1/3 elsewhere; none when `noise` is false. */
typedef struct vx_harmonic_source_args {
    const vx_tensor *f0, *weight, *bias;
    uint64_t seed, first_sample;
    bool noise;
    vx_tensor *out;
} vx_harmonic_source_args;
vx_status vx_harmonic_source(vx_ctx *ctx, const vx_harmonic_source_args *a);

/* STFT in polar form: x [S, 1] f32 -> out [S/5 + 1, 22]: magnitude of bins 0..10, then angle of
 * bins 0..10. n_fft 20, hop 5, periodic Hann, centred with reflection. The imaginary part of bins 0
 * and 10, and of every bin of a symmetric frame (the first is one), is +0, so that their angle is 0
 * or +pi. S is a multiple of 5, S > 10. */
typedef struct vx_stft_args {
    const vx_tensor *x;
    vx_tensor *out;
} vx_stft_args;
vx_status vx_stft(vx_ctx *ctx, const vx_stft_args *a);

/* The inverse: x [F, 22] holds log magnitude of bins 0..10, then a number whose sine is the angle
 * in radians -> out [5(F-1), 1] f32: torch.istft's overlap-add with division by the summed squared
 * window. */
typedef struct vx_istft_args {
    const vx_tensor *x;
    vx_tensor *out;
} vx_istft_args;
vx_status vx_istft(vx_ctx *ctx, const vx_istft_args *a);

/* ---- the table ----------------------------------------------------------------------------- */

#define VX_OPS(X)                                                                                  \
    X(copy)                                                                                        \
    X(gather)                                                                                      \
    X(broadcast)                                                                                   \
    X(blend)                                                                                       \
    X(gate)                                                                                        \
    X(linear)                                                                                      \
    X(conv1d)                                                                                      \
    X(conv)                                                                                        \
    X(conv_transpose1d)                                                                            \
    X(depthwise_up2)                                                                               \
    X(attention)                                                                                   \
    X(lstm)                                                                                        \
    X(layer_norm)                                                                                  \
    X(instance_norm)                                                                               \
    X(group_norm)                                                                                  \
    X(qk_norm)                                                                                     \
    X(spade)                                                                                       \
    X(response_norm)                                                                               \
    X(pool2)                                                                                       \
    X(depthwise)                                                                                   \
    X(row_gate)                                                                                    \
    X(motion_input)                                                                                \
    X(motion_field)                                                                                \
    X(warp)                                                                                        \
    X(to_picture)                                                                                  \
    X(from_picture)                                                                                \
    X(harmonic_source)                                                                             \
    X(stft)                                                                                        \
    X(istft)

typedef enum vx_op {
#define VX_OP_ENUM(op) VX_OP_##op,
    VX_OPS(VX_OP_ENUM)
#undef VX_OP_ENUM
        VX_OP_COUNT
} vx_op;

/* As in VX_OPS. */
const char *vx_op_name(vx_op op);

/* What a backend does. `args` is the op's struct. NULL where it says so. */
struct vx_backend_ops {
    const char *name;
    void (*close)(vx_backend *backend);

    /* Facts. `supports` NULL: every op, whatever its arguments. `peak` NULL: none. */
    bool (*supports)(vx_backend *backend, vx_op op, const void *args);
    vx_status (*peak)(vx_backend *backend, double *flops_per_s, vx_error *err);

    /* Memory; data sheets have none of it, nor of what follows. */
    vx_status (*reserve)(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                         vx_error *err);
    void (*unreserve)(vx_backend *backend, vx_memory *memory);
    vx_memory_use (*memory)(vx_backend *backend);
    /* A lane's stack has grown or shrunk by these bytes: for builds that look for
     * mistakes. NULL: none. */
    void (*taken)(vx_backend *backend, vx_dev at, size_t bytes);
    void (*released)(vx_backend *backend, vx_dev at, size_t bytes);

    /* Lanes. NULL: nothing to open, to close, to submit, to wait for. */
    vx_status (*lane_open)(vx_lane *lane, vx_error *err);
    void (*lane_close)(vx_lane *lane);
    vx_status (*flush)(vx_lane *lane, vx_error *err);
    vx_status (*finish)(vx_lane *lane, vx_error *err);
    void (*abandon)(vx_lane *lane); /* NULL: nothing ever waits on a lane */
    vx_status (*write)(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err);
    vx_status (*read)(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err);
    vx_status (*upload)(vx_ctx *ctx, const void *host, vx_tensor *out);
    vx_status (*download)(vx_ctx *ctx, const vx_tensor *x, void *host);

    /* Weights. weight_pack_stored NULL: never taken. */
    vx_status (*weight_plan)(vx_backend *backend, vx_weight *w, vx_error *err);
    vx_status (*weight_pack)(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err);
    vx_status (*weight_pack_stored)(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts,
                                    int count, bool *taken, vx_error *err);

    /* Each op's bytes of scratch for these arguments (NULL: none), and its kernel. `scratch` is
     * VX_ALIGN-aligned. */
    struct {
        size_t (*scratch)(vx_backend *backend, const void *args);
        vx_status (*run)(vx_ctx *ctx, const void *args, vx_dev scratch);
    } op[VX_OP_COUNT];
};

/* For backends that take times on the device: adds a call to its op's row. */
void vx_profile_add(vx_profile *profile, const char *op, double seconds, double flops);

#endif
