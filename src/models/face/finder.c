/* The finder: a pyramid of maps, a box for each of 48 x 48 cells. */
#include <math.h>
#include <stdlib.h>

#include "models/face/parts.h"

static const vx_act NONE = {.kind = VX_ACT_NONE}, RELU = {.kind = VX_ACT_RELU};

/* Two steps and the shortcut around them. */
static vx_status run_block(const vx_face *f, vx_ctx *ctx, int index, vx_tensor *x)
{
    vx_finder_shape s = vx_finder_shapes[index];
    int64_t side = x->dim[0] / s.stride;
    vx_tensor y, narrow, shortcut;
    VX_TRY(vx_face_take(ctx, side, s.out, &y));
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_face_take(ctx, side, s.mid, &narrow));
    VX_TRY(vx_face_step_run(ctx, x, &f->finder.block[index][0], s.stride, RELU, NULL, &narrow));
    VX_TRY(vx_face_step_run(ctx, &narrow, &f->finder.block[index][1], 1, NONE, NULL, &y));
    VX_TRY(vx_face_shortcut(ctx, x, s.stride, &shortcut));
    VX_TRY(vx_face_join(ctx, &shortcut, RELU, NULL, &y));
    vx_release(ctx, mark);
    *x = y;
    vx_observe(ctx, x, "finder.block.%d", index);
    return VX_OK;
}

/* *x becomes the small map, enlarged, and the skipped one together. */
static vx_status run_level(const vx_face *f, vx_ctx *ctx, int index, const vx_tensor *skip,
                           vx_tensor *x)
{
    vx_finder_level l = vx_finder_levels[index];
    int64_t side = l.side, wide = side + 2;
    vx_tensor y, small, large, repeat, repeated;
    VX_TRY(vx_face_take(ctx, side, l.out, &y));
    vx_mark mark = vx_mark_now(ctx);
    VX_TRY(vx_face_take(ctx, side / 2, l.out, &small));
    VX_TRY(vx_layer_linear(ctx, x, &f->finder.lateral[index], RELU, NULL, &small));
    VX_TRY(vx_take(ctx, VX_I32, 1, (const int64_t[]){wide * wide}, &repeat));
    VX_TRY(vx_upload(ctx, f->repeat[index], &repeat));
    VX_TRY(vx_face_take(ctx, wide, l.out, &repeated));
    vx_tensor rows = vx_reshape(&small, 2, (const int64_t[]){side * side / 4, l.out});
    vx_tensor to = vx_reshape(&repeated, 2, (const int64_t[]){wide * wide, l.out});
    VX_TRY(vx_gather(ctx, &(vx_gather_args){.table = &rows, .index = &repeat, .out = &to}));
    VX_TRY(vx_face_take(ctx, side, l.out, &large));
    VX_TRY(vx_depthwise(
        ctx, &(vx_depthwise_args){
                 .x = &repeated, .weight = &f->finder.enlarge[index], .stride = 1, .out = &large}));
    VX_TRY(vx_layer_linear(ctx, skip, &f->finder.skip[index], RELU, &large, &y));
    vx_release(ctx, mark);
    *x = y;
    return VX_OK;
}

/* rgb -> cells [VX_FACE_GRID², VX_FACE_COLUMNS]. Every map stays until the caller releases them. */
static vx_status run(const vx_face *f, vx_ctx *ctx, const uint8_t *rgb, vx_tensor *cells)
{
    vx_tensor x, early[VX_FINDER_LEVELS];
    VX_TRY(vx_face_stem(ctx, rgb, -1, &f->finder.stem, RELU, &x));
    vx_observe(ctx, &x, "finder.stem");
    int block = 0;
    for (; block < 15; block++) {
        VX_TRY(run_block(f, ctx, block, &x));
        if (block == 4) early[2] = x;
        if (block == 7) early[1] = x;
        if (block == 10) early[0] = x;
    }
    for (int level = 0; level < VX_FINDER_LEVELS; level++) {
        VX_TRY(run_level(f, ctx, level, &early[level], &x));
        for (int i = 0; i < (level < 2 ? 2 : 1); i++)
            VX_TRY(run_block(f, ctx, block++, &x));
    }
    vx_tensor rows = vx_reshape(&x, 2, (const int64_t[]){VX_FACE_GRID * VX_FACE_GRID, vx_cols(&x)});
    vx_tensor score = vx_slice_cols(cells, 0, 1);
    vx_tensor box = vx_slice_cols(cells, 1, VX_FACE_COLUMNS - 1);
    VX_TRY(vx_layer_linear(ctx, &rows, &f->finder.score, NONE, NULL, &score));
    return vx_layer_linear(ctx, &rows, &f->finder.box, NONE, NULL, &box);
}

/* tensors_to_detections_calculator.cc with face_detection_full_range_common.pbtxt: everything is
 * relative to the middle of the cell, in pixels of the square; logits are clipped. */
void vx_face_decode(int64_t cell, float logit, const float box[16], vx_face_seen *seen)
{
    const float step = (float)VX_FACE_SIDE / VX_FACE_GRID;
    float x = ((float)(cell % VX_FACE_GRID) + 0.5f) * step;
    float y = ((float)(cell / VX_FACE_GRID) + 0.5f) * step;
    *seen = (vx_face_seen){.score = 1 / (1 + expf(-fminf(fmaxf(logit, -80), 80))),
                           .x = x + box[0],
                           .y = y + box[1],
                           .width = box[2],
                           .height = box[3]};
    for (int i = 0; i < VX_FACE_POINTS; i++) {
        seen->point[i][0] = x + box[4 + 2 * i];
        seen->point[i][1] = y + box[5 + 2 * i];
    }
}

static int surest_first(const void *a, const void *b)
{
    const vx_face_seen *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

static float overlap(const vx_face_seen *a, const vx_face_seen *b)
{
    float w = fminf(a->x + a->width / 2, b->x + b->width / 2) -
              fmaxf(a->x - a->width / 2, b->x - b->width / 2);
    float h = fminf(a->y + a->height / 2, b->y + b->height / 2) -
              fmaxf(a->y - a->height / 2, b->y - b->height / 2);
    if (!(w > 0) || !(h > 0)) return 0;
    return w * h / (a->width * a->height + b->width * b->height - w * h);
}

/* sum += weight·seen, over everything but the score. */
static void add(vx_face_seen *sum, const vx_face_seen *seen, float weight)
{
    sum->x += weight * seen->x;
    sum->y += weight * seen->y;
    sum->width += weight * seen->width;
    sum->height += weight * seen->height;
    for (int i = 0; i < 2 * VX_FACE_POINTS; i++)
        sum->point[i / 2][i % 2] += weight * seen->point[i / 2][i % 2];
}

int vx_face_merge(vx_face_seen *seen, int count)
{
    int kept = 0;
    qsort(seen, (size_t)count, sizeof *seen, surest_first);
    while (count > kept) {
        vx_face_seen first = seen[kept], mean = {.score = first.score};
        float weight = 0;
        int left = kept + 1;
        for (int i = kept; i < count; i++) {
            /* The surest is itself, even where it has no area. */
            if (i > kept && overlap(&seen[i], &first) <= 0.3f) {
                seen[left++] = seen[i];
                continue;
            }
            add(&mean, &seen[i], seen[i].score);
            weight += seen[i].score;
        }
        vx_face_seen whole = {.score = first.score};
        add(&whole, &mean, 1 / weight);
        seen[kept++] = whole;
        count = left;
    }
    return kept;
}

vx_status vx_face_find(vx_face *f, vx_ctx *ctx, const uint8_t *rgb, float least,
                       vx_face_seen seen[VX_FACE_SEEN_MAX], int *count)
{
    const int64_t cells = (int64_t)VX_FACE_GRID * VX_FACE_GRID;
    vx_mark mark = vx_mark_now(ctx);
    vx_tensor out;
    int found = 0;
    VX_TRY(vx_take2(ctx, VX_F32, cells, VX_FACE_COLUMNS, &out));
    VX_TRY(run(f, ctx, rgb, &out));
    vx_observe(ctx, &out, "finder.cells");
    VX_TRY(vx_download(ctx, &out, f->cells));
    vx_release(ctx, mark);
    VX_TRY(vx_finish(ctx));
    if (ctx->plan) return VX_OK;
    for (int64_t i = 0; i < cells; i++) {
        const float *cell = f->cells + i * VX_FACE_COLUMNS;
        vx_face_decode(i, cell[0], cell + 1, &f->seen[found]);
        /* A box of no size is none, nor is one of a NaN. */
        const vx_face_seen *s = &f->seen[found];
        found += s->score >= least && s->width > 0 && s->height > 0 && isfinite(s->x + s->y);
    }
    found = vx_face_merge(f->seen, found);
    *count = found < VX_FACE_SEEN_MAX ? found : VX_FACE_SEEN_MAX;
    memcpy(seen, f->seen, (size_t)*count * sizeof *seen);
    return VX_OK;
}
