#include "models/liveportrait/liveportrait.h"

#include <math.h>

#include "base/mem.h"
#include "models/liveportrait/parts.h"

/* ---- shared by the parts -------------------------------------------------------------------- */

vx_tensor vx_lp_frame(const vx_tensor *batch, int64_t i)
{
    assert(batch->rank > 1 && i >= 0 && i < batch->dim[0] && vx_dense(batch));
    int64_t rows = vx_rows(batch) / batch->dim[0];
    vx_tensor all = vx_reshape(batch, 2, (const int64_t[]){vx_rows(batch), vx_cols(batch)});
    vx_tensor one = vx_slice_rows(&all, i * rows, rows);
    return vx_reshape(&one, batch->rank - 1, batch->dim + 1);
}

vx_status vx_lp_conv(vx_ctx *ctx, const vx_tensor *x, const vx_lp_layer *layer, vx_act act,
                     const vx_tensor *residual, vx_tensor *out)
{
    return vx_conv(ctx, &(vx_conv_args){.x = x,
                                        .w = &layer->w,
                                        .bias = vx_lp_bias(layer),
                                        .residual = residual,
                                        .act = act,
                                        .out = out});
}

vx_status vx_lp_linear(vx_ctx *ctx, const vx_tensor *x, const vx_lp_layer *layer, vx_act act,
                       const vx_tensor *residual, vx_tensor *out)
{
    return vx_linear(ctx, &(vx_linear_args){.x = x,
                                            .w = &layer->w,
                                            .bias = vx_lp_bias(layer),
                                            .residual = residual,
                                            .act = act,
                                            .out = out});
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Floats that pass through `host`: a picture, M's coordinates, rows of the stitching network. */
static size_t host_floats(const vx_liveportrait_config *c)
{
    size_t picture = 3 * (size_t)c->image_size * (size_t)c->image_size;
    size_t rows = (size_t)VX_LP_STITCH_ROWS * (size_t)(6 * c->points);
    return picture > rows ? picture : rows;
}

vx_status vx_liveportrait_open(vx_liveportrait **out, const vx_liveportrait_config *config,
                               vx_dtype precision, vx_dtype native, int batch, vx_error *err)
{
    assert(batch >= 1 && batch <= VX_PORTRAIT_BATCH_MAX);
    *out = NULL;
    if (precision != VX_F32 && precision != VX_BF16 && precision != VX_F16)
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "LivePortrait's filters cannot be stored as %s; choose f32, bf16 or f16",
                       vx_dtype_name(precision));
    vx_liveportrait *lp = vx_heap_alloc(sizeof *lp);
    if (lp != NULL) lp->host = vx_heap_alloc(host_floats(config) * sizeof *lp->host);
    if (lp == NULL || lp->host == NULL) {
        vx_liveportrait_close(&lp);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for the description of liveportrait");
    }
    lp->config = *config;
    lp->store = precision;
    lp->compute = precision == VX_F32 ? VX_F32 : native;
    lp->batch = batch;
    *out = lp;
    return VX_OK;
}

void vx_liveportrait_close(vx_liveportrait **model)
{
    if (*model != NULL) vx_heap_free((*model)->host);
    vx_heap_free(*model);
    *model = NULL;
}

const vx_liveportrait_config *vx_liveportrait_configuration(const vx_liveportrait *lp)
{
    return &lp->config;
}

int vx_liveportrait_batch(const vx_liveportrait *lp)
{
    return lp->batch;
}

bool vx_liveportrait_stitches(const vx_liveportrait *lp)
{
    return lp->stitches;
}

/* ---- source --------------------------------------------------------------------------------- */

static size_t align(size_t bytes)
{
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

/* The portrait's tensors over `memory`. */
static void shape_portrait(const vx_liveportrait_config *c, void *memory, vx_portrait *p)
{
    int64_t side = vx_liveportrait_feature_side(c), d = c->w.divisor;
    p->features = vx_view(memory, VX_F32, 4, (const int64_t[]){c->depth, side, side, c->channels});
    size_t first = align((size_t)vx_elements(&p->features) * sizeof(float));
    p->compressed = vx_view(memory ? (char *)memory + first : NULL, VX_F32, 4,
                            (const int64_t[]){c->depth / d, side / d, side / d, c->w.compress});
}

size_t vx_liveportrait_source_bytes(const vx_liveportrait *lp)
{
    vx_portrait p;
    shape_portrait(&lp->config, NULL, &p);
    return align((size_t)vx_elements(&p.features) * sizeof(float)) +
           align((size_t)vx_elements(&p.compressed) * sizeof(float));
}

/* The picture as floats 0..1 on the device. */
static vx_status take_picture(vx_liveportrait *lp, vx_ctx *ctx, const uint8_t *rgb, vx_tensor *out)
{
    int64_t side = lp->config.image_size;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){side, side, 3}, out));
    for (int64_t i = 0; i < side * side * 3 && !ctx->plan; i++)
        lp->host[i] = (float)rgb[i] / 255;
    return vx_upload(ctx, lp->host, out);
}

vx_status vx_liveportrait_source(vx_liveportrait *lp, vx_ctx *ctx, const uint8_t *rgb, void *memory,
                                 vx_portrait *out)
{
    assert(ctx->plan || (rgb != NULL && memory != NULL));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor picture;
    shape_portrait(&lp->config, memory, out);
    VX_TRY(take_picture(lp, ctx, rgb, &picture));
    VX_TRY(vx_lp_motion_run(lp, ctx, &picture, &out->motion));
    VX_TRY(vx_lp_appearance_run(lp, ctx, &picture, &out->features));
    VX_TRY(vx_lp_compress(lp, ctx, &out->features, &out->compressed));
    vx_release(ctx, mark);
    if (!ctx->plan)
        vx_liveportrait_keypoints(&lp->config, (const float(*)[3])out->motion.canonical,
                                  &out->motion, out->x_s);
    return VX_OK;
}

vx_status vx_liveportrait_motion(vx_liveportrait *lp, vx_ctx *ctx, const uint8_t *rgb,
                                 vx_motion *out)
{
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor picture;
    VX_TRY(take_picture(lp, ctx, rgb, &picture));
    VX_TRY(vx_lp_motion_run(lp, ctx, &picture, out));
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- key points ----------------------------------------------------------------------------- */

void vx_liveportrait_rotation(float pitch, float yaw, float roll, float out[3][3])
{
    const double degree = 0.017453292519943295; /* pi/180 */
    double cp = cos((double)pitch * degree), sp = sin((double)pitch * degree);
    double cy = cos((double)yaw * degree), sy = sin((double)yaw * degree);
    double cr = cos((double)roll * degree), sr = sin((double)roll * degree);
    /* Rz Ry Rx, camera.py get_rotation_matrix, written transposed. */
    const double m[3][3] = {{cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp},
                            {sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp},
                            {-sy, cy * sp, cy * cp}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] = (float)m[j][i];
}

void vx_liveportrait_keypoints(const vx_liveportrait_config *c, const float (*canonical)[3],
                               const vx_motion *motion, float (*out)[3])
{
    bool before = c->w.expression == VX_EXPRESSION_BEFORE_ROTATION;
    float r[3][3];
    vx_liveportrait_rotation(motion->pitch, motion->yaw, motion->roll, r);
    for (int k = 0; k < c->points; k++) {
        const float *e = motion->expression[k];
        float v[3], x[3];
        for (int i = 0; i < 3; i++)
            v[i] = canonical[k][i] + (before ? e[i] : 0);
        for (int j = 0; j < 3; j++)
            x[j] = v[0] * r[0][j] + v[1] * r[1][j] + v[2] * r[2][j] + (before ? 0 : e[j]);
        for (int j = 0; j < 3; j++)
            out[k][j] = motion->scale * x[j] + (j < 2 ? motion->t[j] : 0);
    }
}

/* ---- stitching ------------------------------------------------------------------------------ */

/* Up to VX_LP_STITCH_ROWS rows: host holds [rows, 6K] on the way in and [rows, 3K + 2] on the way out. */
static vx_status stitch_rows(vx_liveportrait *lp, vx_ctx *ctx, int64_t rows)
{
    const vx_liveportrait_config *c = &lp->config;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x;
    VX_TRY(vx_take2(ctx, VX_F32, rows, 6 * (int64_t)c->points, &x));
    VX_TRY(vx_upload(ctx, lp->host, &x));
    for (int i = 0; i < c->stitch_layers; i++) {
        vx_act act = {.kind = i + 1 < c->stitch_layers ? VX_ACT_RELU : VX_ACT_NONE};
        vx_tensor y;
        VX_TRY(vx_take2(ctx, VX_F32, rows, lp->stitch[i].w.out, &y));
        VX_TRY(vx_lp_linear(ctx, &x, &lp->stitch[i], act, NULL, &y));
        x = y;
    }
    VX_TRY(vx_download(ctx, &x, lp->host));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_liveportrait_stitch(vx_liveportrait *lp, vx_ctx *ctx, const float *x_s, float *x_d,
                                 int n)
{
    if (ctx->plan) return stitch_rows(lp, ctx, VX_LP_STITCH_ROWS);
    assert(lp->stitches);
    int wide = 3 * lp->config.points, deltas = wide + 2;
    for (int first = 0; first < n; first += VX_LP_STITCH_ROWS) {
        int rows = n - first < VX_LP_STITCH_ROWS ? n - first : VX_LP_STITCH_ROWS;
        float *moved = x_d + (ptrdiff_t)first * wide;
        for (int r = 0; r < rows; r++) {
            float *row = lp->host + (ptrdiff_t)r * 2 * wide;
            memcpy(row, x_s, (size_t)wide * sizeof *row);
            memcpy(row + wide, moved + (ptrdiff_t)r * wide, (size_t)wide * sizeof *row);
        }
        VX_TRY(stitch_rows(lp, ctx, rows));
        for (int r = 0; r < rows; r++) {
            const float *delta = lp->host + (ptrdiff_t)r * deltas;
            for (int i = 0; i < wide; i++)
                moved[r * wide + i] += delta[i] + (i % 3 < 2 ? delta[wide + i % 3] : 0);
        }
    }
    return VX_OK;
}

/* ---- frames --------------------------------------------------------------------------------- */

vx_status vx_liveportrait_frames(vx_liveportrait *lp, vx_ctx *ctx, const vx_portrait *portrait,
                                 const float *x_d, int n, uint8_t *rgb, size_t stride)
{
    const vx_liveportrait_config *c = &lp->config;
    assert(n >= 1 && n <= lp->batch);
    assert(ctx->plan || (portrait != NULL && x_d != NULL && rgb != NULL));
    int64_t side = vx_liveportrait_feature_side(c);
    vx_portrait planned;
    if (ctx->plan) {
        shape_portrait(c, NULL, &planned);
        portrait = &planned;
    }
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor source, driving, seg;
    VX_TRY(vx_take2(ctx, VX_F32, c->points, 3, &source));
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){n, c->points, 3}, &driving));
    VX_TRY(vx_take(ctx, lp->compute, 4, (const int64_t[]){n, side, side, c->w.features}, &seg));
    VX_TRY(vx_upload(ctx, portrait->x_s, &source));
    VX_TRY(vx_upload(ctx, x_d, &driving));
    VX_TRY(vx_lp_warping_run(lp, ctx, portrait, &source, &driving, &seg));
    VX_TRY(vx_lp_generator_run(lp, ctx, &seg, ctx->plan ? NULL : rgb, stride));
    vx_release(ctx, mark);
    return VX_OK;
}
