#include "models/liveportrait/liveportrait.h"

#include <math.h>

#include "base/mem.h"
#include "models/liveportrait/parts.h"

/* ---- opening -------------------------------------------------------------------------------- */

/* Floats that pass through `host`: M's coordinates. */
static size_t host_floats(const vx_liveportrait_config *c)
{
    return 2 * (size_t)c->m.input_size * (size_t)c->m.input_size;
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

static size_t floats_bytes(const vx_tensor *t)
{
    return vx_align_up((size_t)vx_elements(t) * sizeof(float));
}

/* The portrait's tensors over `memory`; returns their bytes. */
static size_t shape_portrait(const vx_liveportrait_config *c, vx_dev memory, vx_portrait *p)
{
    int64_t side = vx_liveportrait_feature_side(c), d = c->w.divisor;
    p->features = vx_view(memory, VX_F32, 4, (const int64_t[]){c->depth, side, side, c->channels});
    size_t at = floats_bytes(&p->features);
    p->compressed = vx_view(vx_dev_plus(memory, (int64_t)at), VX_F32, 4,
                            (const int64_t[]){c->depth / d, side / d, side / d, c->w.compress});
    at += floats_bytes(&p->compressed);
    p->points = vx_view2(vx_dev_plus(memory, (int64_t)at), VX_F32, c->points, 3);
    return at + floats_bytes(&p->points);
}

size_t vx_liveportrait_source_bytes(const vx_liveportrait *lp)
{
    vx_portrait p;
    return shape_portrait(&lp->config, VX_DEV_PLAN, &p);
}

/* The picture as floats 0..1 on the device. */
static vx_status take_picture(vx_liveportrait *lp, vx_ctx *ctx, const uint8_t *rgb, vx_tensor *out)
{
    int64_t side = lp->config.image_size;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){side, side, 3}, out));
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor bytes;
    VX_TRY(vx_take(ctx, VX_U8, 3, (const int64_t[]){side, side, 3}, &bytes));
    VX_TRY(vx_upload(ctx, rgb, &bytes));
    VX_TRY(vx_from_picture(ctx, &(vx_from_picture_args){.x = &bytes, .divisor = 255, .out = out}));
    vx_release(ctx, mark);
    return VX_OK;
}

vx_status vx_liveportrait_source(vx_liveportrait *lp, vx_ctx *ctx, const uint8_t *rgb,
                                 vx_dev memory, vx_portrait *out)
{
    assert(memory.at != 0 && (ctx->plan || rgb != NULL));
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
    return vx_upload(ctx, out->x_s, &out->points);
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

/* x_d [n, K, 3] += the network's delta of each point, and its shift of all points along x and y. */
static vx_status stitch(vx_liveportrait *lp, vx_ctx *ctx, const vx_portrait *portrait,
                        vx_tensor *driving)
{
    const vx_liveportrait_config *c = &lp->config;
    int64_t n = driving->dim[0], points = c->points, wide = 3 * points;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor x, delta, shift, moved = vx_reshape(driving, 2, (const int64_t[]){n, wide});
    VX_TRY(vx_take2(ctx, VX_F32, n, 2 * wide, &x));
    vx_tensor left = vx_slice_cols(&x, 0, wide), right = vx_slice_cols(&x, wide, wide);
    vx_tensor source = vx_reshape(&portrait->points, 1, &wide);
    VX_TRY(vx_broadcast(ctx, &(vx_broadcast_args){.x = &source, .out = &left}));
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &moved, .out = &right}));
    for (int i = 0; i < c->stitch_layers; i++) {
        vx_act act = {.kind = i + 1 < c->stitch_layers ? VX_ACT_RELU : VX_ACT_NONE};
        vx_tensor y;
        VX_TRY(vx_take2(ctx, VX_F32, n, lp->stitch[i].w.out, &y));
        VX_TRY(vx_layer_linear(ctx, &x, &lp->stitch[i], act, NULL, &y));
        x = y;
    }
    VX_TRY(vx_take2(ctx, VX_F32, n, wide, &delta));
    VX_TRY(vx_take2(ctx, VX_F32, n * points, 2, &shift));
    vx_tensor deltas = vx_slice_cols(&x, 0, wide);
    VX_TRY(vx_copy(ctx, &(vx_copy_args){.x = &deltas, .out = &delta}));
    for (int64_t i = 0; i < n; i++) {
        vx_tensor row = vx_slice_rows(&x, i, 1), all = vx_slice_rows(&shift, i * points, points);
        vx_tensor t = vx_slice_cols(&row, wide, 2);
        VX_TRY(vx_broadcast(ctx, &(vx_broadcast_args){.x = &t, .out = &all}));
    }
    vx_tensor each = vx_reshape(&delta, 2, (const int64_t[]){n * points, 3});
    vx_tensor plane = vx_slice_cols(&each, 0, 2);
    VX_TRY(vx_blend(
        ctx, &(vx_blend_args){.n = 2, .x = {&plane, &shift}, .scale = {1, 1}, .out = &plane}));
    VX_TRY(vx_blend(
        ctx, &(vx_blend_args){.n = 2, .x = {&moved, &delta}, .scale = {1, 1}, .out = &moved}));
    vx_release(ctx, mark);
    return VX_OK;
}

/* ---- frames --------------------------------------------------------------------------------- */

vx_status vx_liveportrait_frames(vx_liveportrait *lp, vx_ctx *ctx, const vx_portrait *portrait,
                                 const vx_portrait_batch *batch)
{
    const vx_liveportrait_config *c = &lp->config;
    assert(batch->n >= 1 && batch->n <= lp->batch && batch->frames.at != 0);
    assert(ctx->plan || (portrait != NULL && batch->x_d != NULL));
    assert(!batch->stitch || lp->stitches || ctx->plan);
    int64_t side = vx_liveportrait_feature_side(c);
    vx_portrait planned;
    if (ctx->plan) {
        shape_portrait(c, VX_DEV_PLAN, &planned);
        portrait = &planned;
    }
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor driving, seg;
    VX_TRY(vx_take(ctx, VX_F32, 3, (const int64_t[]){batch->n, c->points, 3}, &driving));
    VX_TRY(
        vx_take(ctx, lp->compute, 4, (const int64_t[]){batch->n, side, side, c->w.features}, &seg));
    VX_TRY(vx_upload(ctx, batch->x_d, &driving));
    if (batch->stitch) VX_TRY(stitch(lp, ctx, portrait, &driving));
    vx_observe(ctx, &driving, "x_d");
    VX_TRY(vx_lp_warping_run(lp, ctx, portrait, &portrait->points, &driving, &seg));
    VX_TRY(vx_lp_generator_run(lp, ctx, &seg, batch->frames, batch->stride));
    vx_release(ctx, mark);
    return VX_OK;
}
