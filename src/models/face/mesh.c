/* The mesh: one trunk, a head for the points and one that says whether a face is there. */
#include <math.h>

#include "models/face/parts.h"

static const vx_act NONE = {.kind = VX_ACT_NONE}, PRELU = {.kind = VX_ACT_LRELU};

/* A step and the shortcut around it. */
static vx_status run_block(vx_ctx *ctx, const vx_face_step *step, const vx_tensor *slopes,
                           int64_t stride, vx_tensor *x)
{
    vx_tensor y, shortcut;
    VX_TRY(vx_face_take(ctx, x->dim[0] / stride, step->mix.w.out, &y));
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_face_step_run(ctx, x, step, stride, NONE, NULL, &y));
    VX_TRY(vx_face_shortcut(ctx, x, stride, &shortcut));
    VX_TRY(vx_face_join(ctx, &shortcut, PRELU, slopes, &y));
    vx_release(ctx, mark);
    *x = y;
    return VX_OK;
}

static vx_status bend(vx_ctx *ctx, const vx_tensor *slopes, vx_tensor *x)
{
    return vx_blend(
        ctx,
        &(vx_blend_args){.n = 1, .x = {x}, .scale = {1}, .act = PRELU, .slopes = slopes, .out = x});
}

/* x [3, 3, 128] -> out [1, columns]. */
static vx_status run_head(vx_ctx *ctx, const vx_mesh_head *head, const vx_tensor *x, vx_tensor *out)
{
    vx_tensor y;
    VX_TRY(vx_face_take(ctx, 3, head->narrow.w.out, &y));
    VX_TRY(vx_layer_linear(ctx, x, &head->narrow, NONE, NULL, &y));
    VX_TRY(bend(ctx, &head->narrow_slopes, &y));
    VX_TRY(run_block(ctx, &head->last, &head->last_slopes, 1, &y));
    vx_tensor all = vx_reshape(&y, 2, (const int64_t[]){1, vx_elements(&y)});
    return vx_layer_linear(ctx, &all, &head->all, NONE, NULL, out);
}

enum { VALUES = 3 * VX_FACE_MESH_POINTS };

static vx_status run(const vx_face *f, vx_ctx *ctx, const uint8_t *rgb, vx_tensor *points,
                     vx_tensor *presence)
{
    vx_tensor x, branch = {0};
    VX_TRY(vx_face_stem(ctx, rgb, 0, &f->mesh.stem, NONE, &x));
    VX_TRY(bend(ctx, &f->mesh.stem_slopes, &x));
    vx_observe(ctx, &x, "mesh.stem");
    for (int i = 0; i < VX_MESH_BLOCKS; i++) {
        VX_TRY(run_block(ctx, &f->mesh.block[i], &f->mesh.slopes[i], vx_mesh_shapes[i].stride, &x));
        vx_observe(ctx, &x, "mesh.block.%d", i);
        if (i == 13) branch = x;
    }
    VX_TRY(run_head(ctx, &f->mesh.points, &x, points));
    VX_TRY(run_block(ctx, &f->mesh.first, &f->mesh.first_slopes, 2, &branch));
    return run_head(ctx, &f->mesh.presence, &branch, presence);
}

vx_status vx_face_look(vx_face *f, vx_ctx *ctx, const uint8_t *rgb, vx_face_mesh *mesh)
{
    float values[VALUES], logit = 0;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor points, presence;
    VX_TRY(vx_take2(ctx, VX_F32, 1, VALUES, &points));
    VX_TRY(vx_take2(ctx, VX_F32, 1, 1, &presence));
    VX_TRY(run(f, ctx, rgb, &points, &presence));
    vx_observe(ctx, &points, "mesh.points");
    vx_observe(ctx, &presence, "mesh.presence");
    VX_TRY(vx_download(ctx, &points, values));
    VX_TRY(vx_download(ctx, &presence, &logit));
    vx_release(ctx, mark);
    VX_TRY(vx_finish(ctx));
    if (ctx->plan) return VX_OK;
    mesh->presence = 1 / (1 + expf(-fminf(fmaxf(logit, -80), 80)));
    /* x, y and a depth that nothing here reads. */
    for (int i = 0; i < 2 * VX_FACE_MESH_POINTS; i++)
        mesh->point[i / 2][i % 2] = values[i / 2 * 3 + i % 2];
    return VX_OK;
}
