/* LivePortrait's frame in its plain form: what the savings of docs/models/LIVEPORTRAIT.md are measured against.
 *
 *     portrait_plain [-n N] [--threads N] [--json]
 *
 * W and G at the published size over random filters, a batch of frames as the engine takes it: the source's
 * features compressed for every frame, maps enlarged before their filters, SPADE's filters at full size, the
 * shortcut's beta branch on its own. Filters skip rows of taps that meet only padding, as they always do. The
 * pictures mean nothing; time and work do not depend on the values. Prints seconds and work of one frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/host.h"
#include "backend/ops.h"
#include "base/reserve.h"
#include "base/clock.h"
#include "base/mem.h"
#include "models/liveportrait/liveportrait.h"

enum { POINTS = 21, DEPTH = 16, SIDE = 64, BATCH = VX_PORTRAIT_BATCH, LAYERS = 96, RUNS_MAX = 100 };

static const vx_act NONE = {.kind = VX_ACT_NONE}, RELU = {.kind = VX_ACT_RELU},
                    LRELU = {.kind = VX_ACT_LRELU, .slope = 0.2f};

typedef struct net {
    vx_ctx ctx;
    vx_dtype type;
    vx_lane lane;
    vx_weight layer[LAYERS]; /* in the order of their use */
    int layers, next;
    int32_t *index[2]; /* rows of a map enlarged by 2 and by 4 */
    vx_error err;
} net;

/* Filters are small and all alike; packing them should take no time. */
static vx_status fetch(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    (void)first, (void)err;
    const vx_weight *w = arg;
    int64_t floats = w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    for (int64_t i = 0; i < count * floats; i++)
        dst[i] = (float)(i * 37 % 101 - 50) * (0.02f / (float)floats);
    return VX_OK;
}

/* The next filter; made when it is met for the first time. */
static vx_status take_layer(net *t, int64_t in, int64_t out, const int64_t kernel[3], vx_weight **w)
{
    *w = &t->layer[t->next++];
    if (t->next <= t->layers) return VX_OK;
    assert(t->next <= LAYERS);
    t->layers = t->next;
    **w = vx_weight_conv(out, in, kernel, t->type, t->type);
    if (kernel[0] == DEPTH) (*w)->pad[0] = 0;
    VX_TRY(vx_weight_plan(t->ctx.backend, *w, &t->err));
    void *memory;
    VX_TRY(vx_reserve((*w)->bytes, &memory, &t->err));
    (*w)->data = vx_host_dev(memory);
    enum { STAGING = 1 << 20 };
    float *staging = vx_heap_alloc(STAGING * sizeof *staging);
    if (staging == NULL) return vx_fail(&t->err, VX_ERR_MEMORY, "no_memory", "no memory");
    vx_status status = vx_weight_pack(&t->lane, *w, fetch, *w, staging, STAGING, &t->err);
    vx_heap_free(staging);
    return status;
}

/* out = residual + act(filter(x)); k x k taps, and k (all of the depth: DEPTH) along it for volumes. */
static vx_status filter(net *t, const vx_tensor *x, int64_t depth, int64_t k, vx_act act,
                        const vx_tensor *residual, vx_tensor *out)
{
    vx_weight *w;
    VX_TRY(take_layer(t, vx_cols(x), vx_cols(out), (const int64_t[]){depth, k, k}, &w));
    return vx_conv(&t->ctx,
                   &(vx_conv_args){.x = x, .w = w, .residual = residual, .act = act, .out = out});
}

static vx_tensor frame_of(const vx_tensor *batch, int64_t i)
{
    int64_t rows = vx_rows(batch) / batch->dim[0];
    vx_tensor all = vx_reshape(batch, 2, (const int64_t[]){vx_rows(batch), vx_cols(batch)});
    vx_tensor one = vx_slice_rows(&all, i * rows, rows);
    return vx_reshape(&one, batch->rank - 1, batch->dim + 1);
}

/* Every plane of x [.., h, w, C], n of them, enlarged into out. */
static vx_status enlarge(net *t, const vx_tensor *x, int64_t n, int64_t up, vx_tensor *out)
{
    int64_t rows = vx_rows(x) / n, side = x->dim[x->rank - 2];
    int32_t *index = t->index[up == 4];
    for (int64_t r = 0; r < rows * up * up; r++)
        index[r] = (int32_t)(r / (side * up) / up * side + r % (side * up) / up);
    vx_tensor from = vx_reshape(x, 2, (const int64_t[]){vx_rows(x), vx_cols(x)});
    vx_tensor to = vx_reshape(out, 2, (const int64_t[]){vx_rows(out), vx_cols(out)});
    for (int64_t i = 0; i < n; i++) {
        vx_tensor table = vx_slice_rows(&from, i * rows, rows);
        vx_tensor target = vx_slice_rows(&to, i * rows * up * up, rows * up * up);
        vx_tensor rows_of = vx_view2(vx_host_dev(index), VX_I32, vx_rows(&target), 1);
        VX_TRY(vx_gather(&t->ctx,
                         &(vx_gather_args){.table = &table, .index = &rows_of, .out = &target}));
    }
    return VX_OK;
}

static vx_status volume(net *t, int64_t side, int64_t channels, vx_tensor *out)
{
    return vx_take(&t->ctx, t->type, 5, (const int64_t[]){BATCH, DEPTH, side, side, channels}, out);
}

static vx_status put(net *t, const vx_tensor *x, vx_tensor *map, int64_t at)
{
    vx_tensor columns = vx_slice_cols(map, at, vx_cols(x));
    return vx_copy(&t->ctx, &(vx_copy_args){.x = x, .out = &columns});
}

/* ---- W -------------------------------------------------------------------------------------- */

/* skip[0] is the network's input; *out [.., 142]. */
static vx_status hourglass(net *t, vx_tensor *skip, vx_tensor *out)
{
    static const int64_t width[6] = {32, 64, 128, 256, 512, 1024};
    for (int i = 0; i < 5; i++) {
        vx_tensor full;
        VX_TRY(volume(t, SIDE >> (i + 1), width[i + 1], &skip[i + 1]));
        vx_mark mark = vx_mark_now(&t->ctx);
        VX_TRY(volume(t, SIDE >> i, width[i + 1], &full));
        VX_TRY(filter(t, &skip[i], 3, 3, RELU, NULL, &full));
        VX_TRY(vx_pool2(&t->ctx, &(vx_pool2_args){.x = &full, .out = &skip[i + 1]}));
        vx_release(&t->ctx, mark);
    }
    vx_tensor x = skip[5];
    for (int i = 4; i >= 0; i--) {
        vx_tensor both, large, up;
        VX_TRY(volume(t, SIDE >> i, width[i] + vx_cols(&skip[i]), &both));
        vx_mark mark = vx_mark_now(&t->ctx);
        VX_TRY(volume(t, SIDE >> i, vx_cols(&x), &large));
        VX_TRY(volume(t, SIDE >> i, width[i], &up));
        VX_TRY(enlarge(t, &x, BATCH * DEPTH, 2, &large));
        VX_TRY(filter(t, &large, 3, 3, RELU, NULL, &up));
        VX_TRY(put(t, &up, &both, 0));
        VX_TRY(put(t, &skip[i], &both, width[i]));
        vx_release(&t->ctx, mark);
        x = both;
    }
    *out = x;
    return VX_OK;
}

static vx_status warping(net *t, const vx_tensor *features, const vx_tensor *points, vx_tensor *seg)
{
    vx_tensor skip[6], both, prediction, logits, field, gate, warped, hidden, compressed;
    VX_TRY(volume(t, SIDE, 142, &prediction));
    vx_mark mark = vx_mark_now(&t->ctx);
    VX_TRY(volume(t, SIDE, 110, &skip[0]));
    for (int64_t i = 0; i < BATCH; i++) {
        vx_tensor out = frame_of(&skip[0], i);
        VX_TRY(
            vx_take(&t->ctx, VX_F32, 5, (const int64_t[]){1, DEPTH, SIDE, SIDE, 4}, &compressed));
        VX_TRY(filter(t, features, 1, 1, RELU, NULL, &compressed));
        vx_tensor one = frame_of(&compressed, 0);
        VX_TRY(vx_motion_input(&t->ctx, &(vx_motion_input_args){.feature = &one,
                                                                .source = points,
                                                                .driving = points,
                                                                .variance = 0.01f,
                                                                .out = &out}));
    }
    VX_TRY(hourglass(t, skip, &both));
    VX_TRY(filter(t, &both, 3, 3, RELU, NULL, &prediction));
    vx_release(&t->ctx, mark);
    VX_TRY(vx_take(&t->ctx, VX_F32, 5, (const int64_t[]){BATCH, DEPTH, SIDE, SIDE, 22}, &logits));
    VX_TRY(vx_take(&t->ctx, VX_F32, 4, (const int64_t[]){DEPTH, SIDE, SIDE, 3}, &field));
    VX_TRY(vx_take(&t->ctx, VX_F32, 5, (const int64_t[]){BATCH, 1, SIDE, SIDE, 1}, &gate));
    VX_TRY(vx_take(&t->ctx, t->type, 4, (const int64_t[]){BATCH, SIDE, SIDE, 512}, &warped));
    VX_TRY(vx_take(&t->ctx, t->type, 4, (const int64_t[]){BATCH, SIDE, SIDE, 256}, &hidden));
    VX_TRY(filter(t, &prediction, 7, 7, NONE, NULL, &logits));
    VX_TRY(filter(t, &prediction, DEPTH, 7, NONE, NULL, &gate));
    vx_tensor source = frame_of(features, 0);
    for (int64_t i = 0; i < BATCH; i++) {
        vx_tensor in = frame_of(&logits, i), out = frame_of(&warped, i);
        VX_TRY(vx_motion_field(
            &t->ctx, &(vx_motion_field_args){
                         .logits = &in, .source = points, .driving = points, .out = &field}));
        VX_TRY(vx_warp(&t->ctx, &(vx_warp_args){.x = &source, .field = &field, .out = &out}));
    }
    VX_TRY(filter(t, &warped, 1, 3, LRELU, NULL, &hidden));
    VX_TRY(filter(t, &hidden, 1, 1, NONE, NULL, seg));
    return vx_row_gate(
        &t->ctx,
        &(vx_row_gate_args){.x = seg, .s = &gate, .act = {.kind = VX_ACT_SIGMOID}, .out = seg});
}

/* ---- G -------------------------------------------------------------------------------------- */

static vx_status maps(net *t, vx_dtype type, int64_t n, int64_t side, int64_t channels,
                      vx_tensor *out)
{
    return vx_take(&t->ctx, type, 4, (const int64_t[]){n, side, side, channels}, out);
}

/* out = filter(act(spade(x))) + residual; seg has out's size. */
static vx_status half_block(net *t, const vx_tensor *seg, const vx_tensor *x, int64_t k, vx_act act,
                            const vx_tensor *residual, vx_tensor *out)
{
    int64_t n = out->dim[0], side = out->dim[1], cols = vx_cols(x);
    vx_mark mark = vx_mark_now(&t->ctx);
    vx_tensor shared, map, modulated;
    VX_TRY(maps(t, t->type, n, side, cols, &modulated));
    vx_mark inner = vx_mark_now(&t->ctx);
    VX_TRY(maps(t, t->type, n, side, 128, &shared));
    VX_TRY(maps(t, t->type, n, side, 2 * cols, &map));
    VX_TRY(filter(t, seg, 1, 3, RELU, NULL, &shared));
    VX_TRY(filter(t, &shared, 1, 3, NONE, NULL, &map));
    for (int64_t i = 0; i < n; i++) {
        vx_tensor in = frame_of(x, i), by = frame_of(&map, i), to = frame_of(&modulated, i);
        VX_TRY(vx_spade(&t->ctx, &(vx_spade_args){.x = &in,
                                                  .map = &by,
                                                  .up = side / x->dim[1],
                                                  .eps = 1e-5f,
                                                  .act = act,
                                                  .out = &to}));
    }
    vx_release(&t->ctx, inner);
    VX_TRY(filter(t, &modulated, 1, k, NONE, residual, out));
    vx_release(&t->ctx, mark);
    return VX_OK;
}

static vx_status block(net *t, const vx_tensor *seg, const vx_tensor *x, vx_tensor *out)
{
    int64_t wide = vx_cols(x), narrow = vx_cols(out);
    vx_mark mark = vx_mark_now(&t->ctx);
    vx_tensor hidden;
    VX_TRY(maps(t, t->type, out->dim[0], out->dim[1], narrow, &hidden));
    VX_TRY(half_block(t, seg, x, 3, LRELU, NULL, &hidden));
    if (wide != narrow) VX_TRY(half_block(t, seg, x, 1, NONE, NULL, out));
    VX_TRY(half_block(t, seg, &hidden, 3, LRELU, wide != narrow ? out : x, out));
    vx_release(&t->ctx, mark);
    return VX_OK;
}

static vx_status generator(net *t, const vx_tensor *seg, vx_tensor *picture)
{
    vx_tensor x, logits, normed;
    VX_TRY(maps(t, VX_F32, BATCH, SIDE, 512, &x));
    VX_TRY(filter(t, seg, 1, 3, NONE, NULL, &x));
    for (int i = 0; i < 6; i++)
        VX_TRY(block(t, seg, &x, &x));
    int first = t->next;
    for (int64_t i = 0; i < BATCH; i++) {
        vx_mark mark = vx_mark_now(&t->ctx);
        vx_tensor of_seg = frame_of(seg, i), of_x = frame_of(&x, i), up[2], large[2];
        of_x = vx_reshape(&of_x, 4, (const int64_t[]){1, SIDE, SIDE, 512});
        t->next = first;
        for (int k = 0; k < 2; k++) {
            VX_TRY(maps(t, VX_F32, 1, SIDE << (k + 1), k ? 64 : 256, &up[k]));
            VX_TRY(maps(t, t->type, 1, SIDE << (k + 1), 256, &large[k]));
            VX_TRY(enlarge(t, &of_seg, 1, 2 << k, &large[k]));
            VX_TRY(block(t, &large[k], k ? &up[0] : &of_x, &up[k]));
        }
        VX_TRY(maps(t, t->type, 1, 4 * SIDE, 64, &normed));
        VX_TRY(maps(t, VX_F32, 1, 4 * SIDE, 12, &logits));
        VX_TRY(vx_blend(
            &t->ctx,
            &(vx_blend_args){.n = 1, .x = {&up[1]}, .scale = {1}, .act = LRELU, .out = &normed}));
        VX_TRY(filter(t, &normed, 1, 3, NONE, NULL, &logits));
        vx_tensor plane = frame_of(&logits, 0);
        VX_TRY(vx_to_picture(&t->ctx,
                             &(vx_to_picture_args){.x = &plane, .factor = 2, .out = picture}));
        vx_release(&t->ctx, mark);
    }
    return VX_OK;
}

static vx_status frames(net *t)
{
    vx_tensor features, points, seg, picture;
    vx_mark mark = vx_mark_now(&t->ctx);
    t->next = 0;
    VX_TRY(vx_take(&t->ctx, VX_F32, 5, (const int64_t[]){1, DEPTH, SIDE, SIDE, 32}, &features));
    VX_TRY(vx_take2(&t->ctx, VX_F32, POINTS, 3, &points));
    VX_TRY(maps(t, t->type, BATCH, SIDE, 256, &seg));
    VX_TRY(vx_take(&t->ctx, VX_U8, 3, (const int64_t[]){8 * SIDE, 8 * SIDE, 3}, &picture));
    for (int64_t i = 0; i < vx_elements(&features) && !t->ctx.plan; i++)
        ((float *)vx_host(features.data))[i] = (float)(i * 29 % 97) / 97;
    for (int64_t i = 0; i < POINTS * 3 && !t->ctx.plan; i++)
        ((float *)vx_host(points.data))[i] = (float)(i * 13 % 31 - 15) / 31;
    vx_mark inner = vx_mark_now(&t->ctx);
    VX_TRY(warping(t, &features, &points, &seg));
    vx_release(&t->ctx, inner);
    VX_TRY(generator(t, &seg, &picture));
    vx_release(&t->ctx, mark);
    return VX_OK;
}

/* ---- the program ---------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static vx_status measure(net *t, vx_backend *backend, int runs, double *seconds, double *flops)
{
    vx_arena plan = vx_arena_measure("plan");
    void *memory;
    t->type = backend->native;
    for (int i = 0; i < 2; i++) {
        t->index[i] = vx_heap_alloc(sizeof(int32_t) * 16 * SIDE * SIDE);
        if (t->index[i] == NULL) return vx_fail(&t->err, VX_ERR_MEMORY, "no_memory", "no memory");
    }
    VX_TRY(vx_lane_open(&t->lane, backend, &t->err));
    t->ctx = (vx_ctx){.backend = backend, .workspace = &plan, .plan = true, .err = &t->err};
    VX_TRY(frames(t));
    *flops = t->ctx.counts.flops / BATCH;
    VX_TRY(vx_reserve(plan.peak, &memory, &t->err));
    vx_arena room = vx_arena_over("workspace", vx_host_dev(memory), plan.peak);
    t->ctx.workspace = &room;
    t->ctx.plan = false;
    t->ctx.lane = &t->lane;
    for (int run = -1; run < runs; run++) {
        double start = vx_now_s();
        VX_TRY(frames(t));
        if (run >= 0) seconds[run] = (vx_now_s() - start) / BATCH;
    }
    vx_unreserve(memory, plan.peak);
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    return VX_OK;
}

int main(int argc, char **argv)
{
    static net t;
    double seconds[RUNS_MAX], flops = 0;
    int runs = 3, threads = 2;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            runs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--json") == 0)
            json = true;
        else
            runs = 0;
    }
    if (runs < 1 || runs > RUNS_MAX || threads < 1 || threads > 256) {
        fprintf(stderr, "usage: portrait_plain [-n N] [--threads N] [--json]\n");
        return 2;
    }
    vx_pool *pool = NULL;
    vx_backend *backend = NULL;
    vx_status status = vx_pool_open(&pool, threads, &t.err);
    if (status == VX_OK) status = vx_backend_open_cpu(&backend, pool, &t.err);
    if (status == VX_OK) status = measure(&t, backend, runs, seconds, &flops);
    if (status != VX_OK)
        fprintf(stderr, "portrait_plain: %s\n", t.err.message);
    else if (json)
        printf("{\"median_s\": %.6f, \"flops\": %.0f}\n", seconds[runs / 2], flops);
    else
        printf("plain form: %.3f s, %.1f GFLOP a frame\n", seconds[runs / 2], flops / 1e9);
    for (int i = 0; i < t.layers; i++)
        vx_unreserve(vx_host(t.layer[i].data), t.layer[i].bytes);
    for (int i = 0; i < 2; i++)
        vx_heap_free(t.index[i]);
    vx_backend_close(&backend);
    vx_pool_close(&pool);
    return status == VX_OK ? 0 : 1;
}
