/* From official names to the backend's weights. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/kokoro/parts.h"

enum { STACK_MAX = VX_KOKORO_STYLES_MAX };

#define FORMAT_STEM(text, format)                                                                  \
    char text[VX_KOKORO_NAME_MAX - 32];                                                            \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vsnprintf(text, sizeof(text), format, args);                                               \
        va_end(args);                                                                              \
    } while (0)

static vx_status find(const vx_binder *b, const char *stem, const char *ending, int rank,
                      const int64_t *dim, vx_kokoro_tensor *out)
{
    char name[VX_KOKORO_NAME_MAX];
    snprintf(name, sizeof name, "%s%s", stem, ending);
    return vx_kokoro_find(b, name, rank, dim, out);
}

static vx_status fetch_rows(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_kokoro_tensor *t = arg;
    return vx_kokoro_read(t, first, count, t->cols, dst, err);
}

static vx_status bind_vector(vx_binder *b, vx_tensor *out, int64_t n, const char *stem,
                             const char *ending)
{
    vx_kokoro_tensor t = {0};
    if (!b->plan) VX_TRY(find(b, stem, ending, 1, &n, &t));
    VX_TRY(vx_bind_table(b, out, VX_F32, n, 1, fetch_rows, &t));
    *out = vx_view(out->data, VX_F32, 1, &n);
    return VX_OK;
}

vx_status vx_kokoro_bind_values(vx_binder *b, vx_tensor *out, int64_t rows, int64_t cols,
                                const char *format, ...)
{
    FORMAT_STEM(name, format);
    if (cols == 1) return bind_vector(b, out, rows, name, "");
    vx_kokoro_tensor t = {0};
    if (!b->plan) VX_TRY(find(b, name, "", 2, (const int64_t[]){rows, cols}, &t));
    VX_TRY(vx_bind_table(b, out, VX_F32, rows, cols, fetch_rows, &t));
    if (!b->plan) vx_kokoro_done(&t);
    return VX_OK;
}

/* The weight of `layer` from STEM.weight of torch shape dim, then the bias. */
static vx_status bind_layer(vx_binder *b, vx_layer *layer, int rank, const int64_t *dim, bool bias,
                            const char *stem)
{
    vx_kokoro_tensor t = {0};
    if (!b->plan) VX_TRY(find(b, stem, ".weight", rank, dim, &t));
    VX_TRY(vx_bind_weight(b, &layer->w, fetch_rows, &t));
    if (!b->plan) vx_kokoro_done(&t);
    layer->bias.rank = 0;
    return bias ? bind_vector(b, &layer->bias, layer->w.out, stem, ".bias") : VX_OK;
}

vx_status vx_kokoro_bind_linear(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t out,
                                int64_t in, bool bias, const char *format, ...)
{
    FORMAT_STEM(stem, format);
    layer->w = vx_weight_linear(out, in, type.store, type.compute);
    return bind_layer(b, layer, 2, (const int64_t[]){out, in}, bias, stem);
}

vx_status vx_kokoro_bind_conv(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t out,
                              int64_t in, int64_t kernel, int64_t dilation, const char *format, ...)
{
    FORMAT_STEM(stem, format);
    layer->w = vx_weight_conv1d(out, in, kernel, 1, dilation, dilation * (kernel - 1) / 2,
                                type.store, type.compute);
    return bind_layer(b, layer, 3, (const int64_t[]){out, in, kernel}, true, stem);
}

/* torch keeps a transposed filter as [in, out, k]; the backend takes rows of [in, k] per output. */
static vx_status fetch_swapped(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const vx_layer *layer = ((void **)arg)[0];
    const vx_kokoro_tensor *t = ((void **)arg)[1];
    float *row = ((void **)arg)[2];
    int64_t kernel = layer->w.kernel[2], in = layer->w.in;
    for (int64_t i = 0; i < in; i++) {
        VX_TRY(vx_kokoro_read(t, i, 1, t->cols, row, err));
        for (int64_t o = 0; o < count; o++)
            memcpy(dst + (o * in + i) * kernel, row + (first + o) * kernel,
                   (size_t)kernel * sizeof *row);
    }
    return VX_OK;
}

vx_status vx_kokoro_bind_filter(vx_binder *b, vx_layer *layer, const char *format, ...)
{
    FORMAT_STEM(stem, format);
    vx_weight *w = &layer->w;
    if (w->kind == VX_WEIGHT_CONV)
        return bind_layer(b, layer, 3, (const int64_t[]){w->out, w->in, w->kernel[2]}, true, stem);

    assert(w->kind == VX_WEIGHT_CONV_TRANSPOSE);
    vx_kokoro_tensor t = {0};
    int64_t row_floats = w->out * w->kernel[2];
    assert(row_floats <= VX_STAGING_FLOATS / 2);
    void *arg[3] = {layer, &t, NULL};
    if (!b->plan) {
        /* One input's row lies at the end of the staging memory, which the packing then lacks. */
        VX_TRY(find(b, stem, ".weight", 3, (const int64_t[]){w->in, w->out, w->kernel[2]}, &t));
        arg[2] = b->staging + VX_STAGING_FLOATS - row_floats;
    }
    VX_TRY(vx_bind_place(b, w));
    if (vx_binder_loads(b)) {
        VX_TRY(vx_weight_pack(b->lane, w, fetch_swapped, arg, b->staging,
                              (size_t)(VX_STAGING_FLOATS - row_floats), b->err));
        vx_kokoro_done(&t);
    }
    return bind_vector(b, &layer->bias, w->out, stem, ".bias");
}

/* ---- matrices that are put together --------------------------------------------------------- */

typedef struct stack_part {
    vx_kokoro_tensor t;
    int64_t first; /* row of the whole where it begins */
} stack_part;

typedef struct stack {
    int count;
    stack_part part[STACK_MAX];
} stack;

static vx_status fetch_stack(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const stack *s = arg;
    for (int i = 0; i < s->count; i++) {
        const stack_part *p = &s->part[i];
        int64_t from = first > p->first ? first : p->first;
        int64_t end = p->first + p->t.rows, to = first + count < end ? first + count : end;
        if (from >= to) continue;
        VX_TRY(vx_kokoro_read(&p->t, from - p->first, to - from, p->t.cols,
                              dst + (from - first) * p->t.cols, err));
    }
    return VX_OK;
}

/* Finds STEM[i]ENDING of rank 1 or 2 for every part. */
static vx_status find_stack(const vx_binder *b, stack *s, int count,
                            const char (*stem)[VX_KOKORO_STEM_MAX], const int64_t *rows,
                            const char *ending, int rank, int64_t in)
{
    int64_t first = 0;
    s->count = b->plan ? 0 : count;
    for (int i = 0; i < s->count; i++) {
        VX_TRY(find(b, stem[i], ending, rank, (const int64_t[]){rows[i], in}, &s->part[i].t));
        s->part[i].first = first;
        first += rows[i];
    }
    return VX_OK;
}

vx_status vx_kokoro_bind_stack(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t in,
                               int count, const char (*stem)[VX_KOKORO_STEM_MAX],
                               const int64_t *rows)
{
    assert(count <= STACK_MAX);
    int64_t total = 0;
    for (int i = 0; i < count; i++)
        total += rows[i];
    stack s;
    layer->w = vx_weight_linear(total, in, type.store, type.compute);
    VX_TRY(find_stack(b, &s, count, stem, rows, ".weight", 2, in));
    VX_TRY(vx_bind_weight(b, &layer->w, fetch_stack, &s));
    for (int i = 0; i < s.count; i++)
        vx_kokoro_done(&s.part[i].t);
    VX_TRY(find_stack(b, &s, count, stem, rows, ".bias", 1, 1));
    VX_TRY(vx_bind_table(b, &layer->bias, VX_F32, total, 1, fetch_stack, &s));
    layer->bias = vx_view(layer->bias.data, VX_F32, 1, &total);
    return VX_OK;
}

/* Rows of both directions, [W_ih | W_hh] each; or of the two biases, added. */
typedef struct lstm_rows {
    vx_kokoro_tensor ih[2], hh[2];
} lstm_rows;

static vx_status fetch_lstm(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const lstm_rows *l = arg;
    int64_t gates = l->ih[0].rows, in = l->ih[0].cols, ld = in + l->hh[0].cols;
    for (int64_t r = 0, n; r < count; r += n) {
        int d = (first + r) / gates > 0;
        int64_t row = first + r - d * gates;
        n = count - r < gates - row ? count - r : gates - row;
        VX_TRY(vx_kokoro_read(&l->ih[d], row, n, ld, dst + r * ld, err));
        VX_TRY(vx_kokoro_read(&l->hh[d], row, n, ld, dst + r * ld + in, err));
    }
    return VX_OK;
}

static vx_status fetch_lstm_bias(void *arg, int64_t first, int64_t count, float *dst, vx_error *err)
{
    const lstm_rows *l = arg;
    int64_t gates = l->ih[0].rows;
    for (int64_t r = 0; r < count; r++) {
        int d = (first + r) / gates > 0;
        float input, hidden;
        VX_TRY(vx_kokoro_read(&l->ih[d], first + r - d * gates, 1, 1, &input, err));
        VX_TRY(vx_kokoro_read(&l->hh[d], first + r - d * gates, 1, 1, &hidden, err));
        dst[r] = input + hidden;
    }
    return VX_OK;
}

static vx_status find_lstm(const vx_binder *b, lstm_rows *l, const char *stem, bool bias,
                           int64_t gates, int64_t in, int64_t hidden)
{
    static const char *const ending[2][2][2] = {
        {{".weight_ih_l0", ".weight_ih_l0_reverse"}, {".weight_hh_l0", ".weight_hh_l0_reverse"}},
        {{".bias_ih_l0", ".bias_ih_l0_reverse"}, {".bias_hh_l0", ".bias_hh_l0_reverse"}}};
    for (int d = 0; d < 2 && !b->plan; d++) {
        const int64_t ih[2] = {gates, in}, hh[2] = {gates, hidden};
        VX_TRY(find(b, stem, ending[bias][0][d], bias ? 1 : 2, ih, &l->ih[d]));
        VX_TRY(find(b, stem, ending[bias][1][d], bias ? 1 : 2, hh, &l->hh[d]));
    }
    return VX_OK;
}

vx_status vx_kokoro_bind_lstm(vx_binder *b, vx_layer *layer, vx_kokoro_type type, int64_t in,
                              int64_t hidden, const char *format, ...)
{
    FORMAT_STEM(stem, format);
    lstm_rows l;
    int64_t total = 8 * hidden;
    layer->w = vx_weight_linear(total, in, type.store, type.compute);
    layer->w.kind = VX_WEIGHT_LSTM;
    VX_TRY(find_lstm(b, &l, stem, false, 4 * hidden, in, hidden));
    VX_TRY(vx_bind_weight(b, &layer->w, fetch_lstm, &l));
    for (int d = 0; d < 2 && !b->plan; d++) {
        vx_kokoro_done(&l.ih[d]);
        vx_kokoro_done(&l.hh[d]);
    }
    VX_TRY(find_lstm(b, &l, stem, true, 4 * hidden, in, hidden));
    VX_TRY(vx_bind_table(b, &layer->bias, VX_F32, total, 1, fetch_lstm_bias, &l));
    layer->bias = vx_view(layer->bias.data, VX_F32, 1, &total);
    return VX_OK;
}
