#include "backend/cpu/plane.h"

#include "backend/cpu/taps.h"
#include "base/mem.h"

bool vx_cpu_is_plane(const vx_weight *w)
{
    return w->kind == VX_WEIGHT_CONV &&
           (w->kernel[0] > 1 || w->kernel[1] > 1 || w->upsample > 1 || w->cells_in);
}

/* ---- phases -------------------------------------------------------------------------------- */

/* The taps of a phase along one axis; `bits[t]` are the original taps that tap t sums. */
static void add_phase(vx_axis *axis, int64_t out, int64_t first, int64_t taps, const uint32_t *bits)
{
    vx_axis_phase *p = &axis->phase[axis->phases++];
    *p = (vx_axis_phase){.out = out, .first = first, .taps = taps};
    for (int64_t t = 0; t < taps; t++)
        p->sum[t] = bits[t];
}

/* Three taps w0 w1 w2 over pixels that repeat. A cell of two: w0 p + (w1+w2) c and (w0+w1)
 * c + w2 n; of four, the two middle outputs are (w0+w1+w2) c. Kept by cells of three (a, b,
 * b, c): see backend.h. */
static vx_axis describe_axis(const vx_weight *w, int axis)
{
    static const uint32_t plain[VX_AXIS_TAPS_MAX] = {
        1,      1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
        1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
    enum { W0 = 1, W1 = 2, W2 = 4 };
    vx_axis a = {.in_step = 1, .out_step = 1};
    if (axis > 0 && w->cells_in) {
        a.in_step = 3;
        a.out_step = 4;
        add_phase(&a, 0, -1, 3, plain);
        add_phase(&a, 1, 0, 2, (uint32_t[]){W0, W1 | W2});
        add_phase(&a, 2, 1, 2, (uint32_t[]){W0 | W1, W2});
        add_phase(&a, 3, 1, 3, plain);
    } else if (axis > 0 && w->upsample == 2) {
        a.out_step = 2;
        add_phase(&a, 0, -1, 2, (uint32_t[]){W0, W1 | W2});
        add_phase(&a, 1, 0, 2, (uint32_t[]){W0 | W1, W2});
    } else if (axis > 0 && w->upsample == 4) {
        a.out_step = w->cells_out ? 3 : 4;
        add_phase(&a, 0, -1, 2, (uint32_t[]){W0, W1 | W2});
        add_phase(&a, 1, 0, 1, (uint32_t[]){W0 | W1 | W2});
        if (!w->cells_out) add_phase(&a, 2, 0, 1, (uint32_t[]){W0 | W1 | W2});
        add_phase(&a, a.out_step - 1, 0, 2, (uint32_t[]){W0 | W1, W2});
    } else {
        a.in_step = w->stride[axis];
        add_phase(&a, 0, -w->pad[axis], w->kernel[axis], plain);
    }
    return a;
}

static int64_t columns_of(int64_t out)
{
    return (out + VX_TAPS_COLS - 1) / VX_TAPS_COLS * VX_TAPS_COLS;
}

/* How many outputs to fold: what costs the fewest products. Up to 16 columns reach four fifths of
 * the rate (measured). */
static int64_t fold_of(const vx_weight *w)
{
    int64_t best = 1;
    double least = 0;
    if (w->upsample > 1 || w->cells_in || w->stride[2] != 1) return 1;
    for (int64_t fold = 1; fold <= 8; fold *= 2) {
        int64_t taps = w->kernel[2] + fold - 1, columns = columns_of(fold * w->out);
        if (fold > 1 && (taps > VX_AXIS_TAPS_MAX || fold * w->out > VX_PANEL)) break;
        double cost = (double)(columns * taps) / (double)fold * (columns <= 16 ? 1.25 : 1);
        if (fold > 1 && cost >= least) continue;
        best = fold;
        least = cost;
    }
    return best;
}

/* Along a row: a cell of folded outputs reads the taps of all of them. */
static vx_axis fold_axis(const vx_weight *w, int64_t fold)
{
    vx_axis a = {.in_step = fold, .out_step = fold, .phases = 1};
    a.phase[0] = (vx_axis_phase){.first = -w->pad[2], .taps = w->kernel[2] + fold - 1};
    return a;
}

/* ---- planning ------------------------------------------------------------------------------ */

static bool same(const vx_weight *a, const vx_weight *b)
{
    bool equal = a->store == b->store && a->compute == b->compute && a->out == b->out &&
                 a->in == b->in && a->upsample == b->upsample && a->cells_in == b->cells_in &&
                 a->cells_out == b->cells_out;
    for (int i = 0; i < 3; i++)
        equal = equal && a->kernel[i] == b->kernel[i] && a->stride[i] == b->stride[i] &&
                a->pad[i] == b->pad[i];
    return equal;
}

static bool supported(const vx_weight *w)
{
    bool floating = w->store == VX_F32 || w->store == VX_BF16 || w->store == VX_F16;
    bool small = true;
    for (int i = 0; i < 3; i++)
        small = small && w->kernel[i] <= VX_AXIS_TAPS_MAX && w->dilation[i] == 1;
    return floating && small && (w->compute == VX_F32 || w->compute == VX_BF16) &&
           (w->upsample == 1 || w->upsample == 2 || w->upsample == 4);
}

static void describe(const vx_cpu *cpu, vx_cpu_plane *l)
{
    const vx_weight *w = &l->key;
    l->type = w->compute == VX_BF16 && cpu->backend.native != VX_BF16 ? VX_F32 : w->compute;
    l->depth = describe_axis(w, 0);
    l->height = describe_axis(w, 1);
    l->fold = fold_of(w);
    l->width = l->fold > 1 ? fold_axis(w, l->fold) : describe_axis(w, 2);
    l->words = l->type == VX_BF16 ? (w->in + 1) / 2 : w->in;
    l->panels = (w->out + VX_PANEL - 1) / VX_PANEL;
    l->columns = columns_of(l->fold * w->out);
    l->last = l->columns - (l->panels - 1) * VX_PANEL;
    for (int y = 0; y < l->height.phases; y++)
        for (int x = 0; x < l->width.phases; x++) {
            int64_t taps =
                l->depth.phase[0].taps * l->height.phase[y].taps * l->width.phase[x].taps;
            l->offset[y][x] = l->bytes;
            l->bytes += vx_align_up((size_t)(taps * l->words * l->columns) * sizeof(float));
        }
}

static vx_status find(vx_cpu *cpu, const vx_weight *w, vx_cpu_plane **plane, vx_error *err)
{
    *plane = cpu->planes;
    while (*plane != NULL && !same(&(*plane)->key, w))
        *plane = (*plane)->next;
    if (*plane != NULL) return VX_OK;
    vx_cpu_plane *l = vx_heap_alloc(sizeof *l);
    if (l == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to describe a filter");
    l->key = *w;
    l->key.data = (vx_dev){0};
    l->key.layout = NULL;
    describe(cpu, l);
    l->next = cpu->planes;
    cpu->planes = *plane = l;
    return VX_OK;
}

vx_status vx_cpu_plane_plan(vx_cpu *cpu, vx_weight *w, vx_error *err)
{
    if (!supported(w))
        return vx_fail(err, VX_ERR_INPUT, "bad_precision",
                       "the CPU has no kernel for filters stored as %s and computed in %s; choose "
                       "f32, bf16 or "
                       "f16 for this component",
                       vx_dtype_name(w->store), vx_dtype_name(w->compute));
    vx_cpu_plane *plane;
    pthread_mutex_lock(&cpu->layout_lock);
    vx_status status = find(cpu, w, &plane, err);
    pthread_mutex_unlock(&cpu->layout_lock);
    if (status != VX_OK) return status;
    w->layout = plane;
    w->bytes = plane->bytes;
    return VX_OK;
}

void vx_cpu_planes_free(vx_cpu *cpu)
{
    while (cpu->planes != NULL) {
        vx_cpu_plane *l = cpu->planes;
        cpu->planes = l->next;
        vx_heap_free(l);
    }
}

/* ---- packing ------------------------------------------------------------------------------- */

/* Sum of one output channel's taps (height bits, width bits) at depth d for every input channel:
 * source [in, kd, kh, kw] -> out [in]. */
static void sum_taps(const vx_weight *w, const float *source, int64_t d, uint32_t ys, uint32_t xs,
                     float *out)
{
    int64_t kh = w->kernel[1], kw = w->kernel[2], taps = w->kernel[0] * kh * kw;
    for (int64_t i = 0; i < w->in; i++) {
        float sum = 0;
        for (int64_t y = 0; y < kh; y++)
            for (int64_t x = 0; x < kw; x++)
                if (ys >> y & 1 && xs >> x & 1) sum += source[i * taps + (d * kh + y) * kw + x];
        out[i] = sum;
    }
}

/* Puts one output channel's inputs under one tap into its column. */
static void put_column(const vx_cpu_plane *l, const float *plain, int64_t cols, int64_t column,
                       char *target)
{
    for (int64_t i = 0; i < l->key.in; i++)
        if (l->type == VX_BF16)
            ((uint16_t *)(void *)target)[(i / 2 * cols + column) * 2 + i % 2] =
                vx_f32_to_bf16(plain[i]);
        else
            ((float *)(void *)target)[i * cols + column] = plain[i];
}

/* The bit of a folded output's tap, counted from its first one; 0 when it has no such tap. */
static uint32_t folded_tap(const vx_weight *w, int64_t tap)
{
    return tap >= 0 && tap < w->kernel[2] ? 1u << tap : 0;
}

/* Packs one panel for every phase and tap. rows: `count` output channels, as fetched. */
static void pack_panel(const vx_weight *w, int64_t panel, int64_t count, const float *rows,
                       float *plain)
{
    const vx_cpu_plane *l = w->layout;
    int64_t row_floats = w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    int64_t cols = panel == l->panels - 1 ? l->last : VX_PANEL;
    size_t tap_bytes = (size_t)(l->words * cols) * sizeof(float);
    for (int y = 0; y < l->height.phases; y++)
        for (int x = 0; x < l->width.phases; x++) {
            const vx_axis_phase *py = &l->height.phase[y], *px = &l->width.phase[x];
            for (int64_t k = 0; k < w->kernel[0] * py->taps; k++) {
                size_t row = (size_t)(k * px->taps * l->words * l->columns) * sizeof(float);
                char *target =
                    (char *)vx_host(w->data) + l->offset[y][x] + row +
                    (size_t)(px->taps * panel) * VX_PANEL * (size_t)l->words * sizeof(float);
                for (int64_t s = 0; s < px->taps; s++, target += tap_bytes)
                    for (int64_t c = 0; c < count * l->fold; c++) {
                        uint32_t taps = l->fold > 1 ? folded_tap(w, s - c / w->out) : px->sum[s];
                        if (taps == 0) continue;
                        sum_taps(w, rows + c % w->out * row_floats, k / py->taps,
                                 py->sum[k % py->taps], taps, plain);
                        put_column(l, plain, cols, c, target);
                    }
            }
        }
}

vx_status vx_cpu_plane_pack(vx_cpu *cpu, vx_weight *w, vx_fetch_fn fetch, void *arg, float *staging,
                            size_t staging_floats, vx_error *err)
{
    (void)cpu;
    const vx_cpu_plane *l = w->layout;
    int64_t row_floats = w->in * w->kernel[0] * w->kernel[1] * w->kernel[2];
    int64_t step = (int64_t)(staging_floats / (size_t)row_floats);
    assert(step >= 1 && l->bytes == w->bytes);
    int64_t together = w->out < VX_PANEL ? w->out : VX_PANEL;
    float *rows = vx_heap_alloc((size_t)(together * row_floats) * sizeof *rows);
    float *plain = vx_heap_alloc((size_t)w->in * sizeof *plain);
    vx_status status = VX_OK;
    if (rows == NULL || plain == NULL)
        status = vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to pack a filter");
    memset(vx_host(w->data), 0, l->bytes); /* columns and halves of words that the weight lacks */
    for (int64_t first = 0, have = 0; first < w->out && status == VX_OK;) {
        int64_t left = w->out - first, room = VX_PANEL - have;
        int64_t count = left < step ? left : step;
        count = count < room ? count : room;
        status = fetch(arg, first, count, staging, err);
        memcpy(rows + have * row_floats, staging, (size_t)(count * row_floats) * sizeof *rows);
        if (status == VX_OK)
            vx_cpu_round_floats(w->store, rows + have * row_floats, count * row_floats);
        have += count;
        first += count;
        if (status == VX_OK && (have == VX_PANEL || first == w->out)) {
            pack_panel(w, (first - 1) / VX_PANEL, have, rows, plain);
            have = 0;
        }
    }
    vx_heap_free(rows);
    vx_heap_free(plain);
    return status;
}
