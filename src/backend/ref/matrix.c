/* Reference: linear layers, convolutions, attention, LSTM. */
#include "backend/ref/ref.h"

#include <math.h>

static const float *weight_row(const vx_weight *w, int64_t out)
{
    return (const float *)vx_host(w->data) + out * vx_ref_row_floats(w);
}

vx_status vx_ref_linear(vx_ctx *ctx, const vx_linear_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    const vx_weight *w = a->w;
    for (int64_t r = 0; r < vx_rows(a->x); r++) {
        for (int64_t o = 0; o < w->out; o++) {
            const float *row = weight_row(w, o);
            double sum = vx_ref_at(a->bias, o, 0);
            for (int64_t i = 0; i < w->in; i++)
                sum += vx_ref_operand(w->compute, vx_ref_get(a->x, r, i)) *
                       vx_ref_operand(w->compute, row[i]);
            double y = vx_ref_at(a->gate, o, 1) * vx_ref_act(a->act, sum);
            if (a->residual) y += vx_ref_get(a->residual, r, o);
            vx_ref_set(a->out, r, o, y);
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Sum over taps and channels for output row r; rows outside x count as zero. */
static double conv_at(const vx_conv1d_args *a, int64_t r, int64_t out)
{
    const vx_weight *w = a->w;
    const float *row = weight_row(w, out);
    int64_t taps = w->kernel[2];
    double sum = vx_ref_at(a->bias, out, 0);
    for (int64_t k = 0; k < taps; k++) {
        int64_t source = r * w->stride[2] + k * w->dilation[2] - w->pad[2];
        if (source < 0 || source >= vx_rows(a->x)) continue;
        for (int64_t i = 0; i < w->in; i++)
            sum += vx_ref_operand(w->compute, vx_ref_get(a->x, source, i)) *
                   vx_ref_operand(w->compute, row[i * taps + k]);
    }
    return sum;
}

vx_status vx_ref_conv1d(vx_ctx *ctx, const vx_conv1d_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        for (int64_t o = 0; o < a->w->out; o++) {
            double y = vx_ref_act(a->act, conv_at(a, r, o));
            if (a->accumulate) y += vx_ref_get(a->out, r, o);
            vx_ref_set(a->out, r, o, y);
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Tap k of input row i lands on output row stride*i + k - pad. */
vx_status vx_ref_conv_transpose1d(vx_ctx *ctx, const vx_conv_transpose1d_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    const vx_weight *w = a->w;
    int64_t stride = w->stride[2], taps = w->kernel[2];
    for (int64_t r = 0; r < vx_rows(a->out); r++) {
        for (int64_t o = 0; o < w->out; o++) {
            const float *row = weight_row(w, o);
            double sum = vx_ref_at(a->bias, o, 0);
            for (int64_t k = (r + w->pad[2]) % stride; k < taps; k += stride) {
                int64_t source = (r + w->pad[2] - k) / stride;
                if (r + w->pad[2] < k || source >= vx_rows(a->x)) continue;
                for (int64_t i = 0; i < w->in; i++)
                    sum += vx_ref_operand(w->compute, vx_ref_get(a->x, source, i)) *
                           vx_ref_operand(w->compute, row[i * taps + k]);
            }
            vx_ref_set(a->out, r, o, sum);
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

size_t vx_ref_attention_scratch(vx_backend *backend, const vx_attention_args *a)
{
    (void)backend;
    return (size_t)vx_rows(a->k) * sizeof(double);
}

/* The weights of query i in head h, normalised, into `score`; `keys` of them are not masked. */
static void attention_scores(const vx_attention_args *a, int h, int64_t i, int64_t keys,
                             double *score)
{
    int64_t width = vx_cols(a->q) / a->heads, nq = vx_rows(a->q), nk = vx_rows(a->k);
    double largest = -INFINITY, total = 0;
    for (int64_t j = 0; j < keys; j++) {
        double sum = 0;
        for (int64_t d = h * width; d < (h + 1) * width; d++)
            sum += vx_ref_operand(a->compute, vx_ref_get(a->q, i, d)) *
                   vx_ref_operand(a->compute, vx_ref_get(a->k, j, d));
        score[j] =
            (double)a->scale * sum + vx_ref_at(a->bias, h * (nq + nk - 1) + j - i + nq - 1, 0);
        largest = fmax(largest, score[j]);
    }
    for (int64_t j = 0; j < keys; j++) {
        score[j] = exp(score[j] - largest);
        total += score[j];
    }
    for (int64_t j = 0; j < keys; j++)
        score[j] /= total;
}

vx_status vx_ref_attention(vx_ctx *ctx, const vx_attention_args *a, void *scratch)
{
    (void)ctx;
    double *score = scratch;
    int64_t width = vx_cols(a->q) / a->heads, nk = vx_rows(a->k);
    for (int h = 0; h < a->heads; h++) {
        for (int64_t i = 0; i < vx_rows(a->q); i++) {
            int64_t keys = a->causal ? i + 1 : nk;
            attention_scores(a, h, i, keys, score);
            for (int64_t d = h * width; d < (h + 1) * width; d++) {
                double sum = 0;
                for (int64_t j = 0; j < keys; j++)
                    sum += score[j] * vx_ref_operand(a->compute, vx_ref_get(a->v, j, d));
                vx_ref_set(a->out, i, d, sum);
            }
        }
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* Hidden state, cell state and the four gates of one direction. */
size_t vx_ref_lstm_scratch(vx_backend *backend, const vx_lstm_args *a)
{
    (void)backend;
    return (size_t)(a->w->out / 8) * 6 * sizeof(double);
}

static void lstm_step(const vx_lstm_args *a, int backward, int64_t t, double *state)
{
    const vx_weight *w = a->w;
    int64_t hidden = w->out / 8;
    double *h = state, *c = state + hidden, *gate = state + 2 * hidden;
    for (int64_t g = 0; g < 4 * hidden; g++) {
        const float *row = weight_row(w, backward * 4 * hidden + g);
        gate[g] = vx_ref_at(a->bias, backward * 4 * hidden + g, 0);
        for (int64_t i = 0; i < w->in; i++)
            gate[g] += vx_ref_operand(w->compute, row[i]) *
                       vx_ref_operand(w->compute, vx_ref_get(a->x, t, i));
        for (int64_t i = 0; i < hidden; i++)
            gate[g] +=
                vx_ref_operand(w->compute, row[w->in + i]) * vx_ref_operand(w->compute, h[i]);
    }
    vx_act sigmoid = {.kind = VX_ACT_SIGMOID};
    for (int64_t i = 0; i < hidden; i++) {
        double in = vx_ref_act(sigmoid, gate[i]), forget = vx_ref_act(sigmoid, gate[hidden + i]);
        double out = vx_ref_act(sigmoid, gate[3 * hidden + i]);
        c[i] = forget * c[i] + in * tanh(gate[2 * hidden + i]);
        h[i] = out * tanh(c[i]);
        vx_ref_set(a->out, t, backward * hidden + i, h[i]);
    }
}

vx_status vx_ref_lstm(vx_ctx *ctx, const vx_lstm_args *a, void *scratch)
{
    (void)ctx;
    int64_t rows = vx_rows(a->x), hidden = a->w->out / 8;
    for (int backward = 0; backward < 2; backward++) {
        memset(scratch, 0, (size_t)(2 * hidden) * sizeof(double));
        for (int64_t step = 0; step < rows; step++)
            lstm_step(a, backward, backward ? rows - 1 - step : step, scratch);
    }
    vx_ref_zero_halo(a->out);
    return VX_OK;
}

/* A pixel of a plane or volume: image, depth, height, width. */
typedef struct pixel {
    int64_t n, d, h, w;
} pixel;

static int64_t pixel_row(const vx_tensor *t, pixel p)
{
    int64_t depth = t->rank == 5 ? t->dim[1] : 1;
    return ((p.n * depth + p.d) * t->dim[t->rank - 3] + p.h) * t->dim[t->rank - 2] + p.w;
}

/* Where pixel p of a full map lies in one kept by cells, 3 of 4 (vx_weight.cells_in), and back. */
static int64_t into_cells(int64_t p)
{
    static const int64_t place[4] = {0, 1, 1, 2};
    return p / 4 * 3 + place[p % 4];
}
static int64_t out_of_cells(int64_t p)
{
    static const int64_t place[3] = {0, 1, 3};
    return p / 3 * 4 + place[p % 3];
}

/* Row of x under tap (kd, kh, kw) of output pixel `at`; -1 where that is padding. */
static int64_t tap_row(const vx_tensor *x, const vx_weight *w, pixel at, int64_t kd, int64_t kh,
                       int64_t kw)
{
    int64_t depth = x->rank == 5 ? x->dim[1] : 1;
    int64_t height = x->dim[x->rank - 3] * w->upsample, width = x->dim[x->rank - 2] * w->upsample;
    if (w->cells_in) {
        height = height / 3 * 4;
        width = width / 3 * 4;
    }
    int64_t d = at.d * w->stride[0] + kd * w->dilation[0] - w->pad[0];
    int64_t h = at.h * w->stride[1] + kh * w->dilation[1] - w->pad[1];
    int64_t v = at.w * w->stride[2] + kw * w->dilation[2] - w->pad[2];
    if (d < 0 || d >= depth || h < 0 || h >= height || v < 0 || v >= width) return -1;
    if (w->cells_in) return pixel_row(x, (pixel){at.n, d, into_cells(h), into_cells(v)});
    return pixel_row(x, (pixel){at.n, d, h / w->upsample, v / w->upsample});
}

static double conv_pixel(const vx_conv_args *a, pixel at, int64_t out)
{
    const vx_weight *w = a->w;
    const float *row = weight_row(w, out);
    int64_t taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    double sum = vx_ref_at(a->bias, out, 0);
    for (int64_t k = 0; k < taps; k++) {
        int64_t source = tap_row(a->x, w, at, k / (w->kernel[1] * w->kernel[2]),
                                 k / w->kernel[2] % w->kernel[1], k % w->kernel[2]);
        for (int64_t i = 0; i < w->in && source >= 0; i++)
            sum += vx_ref_operand(w->compute, vx_ref_get(a->x, source, i)) *
                   vx_ref_operand(w->compute, row[i * taps + k]);
    }
    return sum;
}

vx_status vx_ref_conv(vx_ctx *ctx, const vx_conv_args *a, void *scratch)
{
    (void)ctx, (void)scratch;
    const vx_tensor *out = a->out;
    int64_t depth = out->rank == 5 ? out->dim[1] : 1;
    int64_t height = out->dim[out->rank - 3], width = out->dim[out->rank - 2];
    for (int64_t r = 0; r < vx_rows(out); r++) {
        pixel at = {.w = r % width,
                    .h = r / width % height,
                    .d = r / (width * height) % depth,
                    .n = r / (width * height * depth)};
        if (a->w->cells_out) {
            at.h = out_of_cells(at.h);
            at.w = out_of_cells(at.w);
        }
        at.h += a->above;
        for (int64_t o = 0; o < a->w->out; o++) {
            double y = vx_ref_act(a->act, conv_pixel(a, at, o));
            if (a->residual) y += vx_ref_get(a->residual, r, o);
            vx_ref_set(out, r, o, y);
        }
    }
    return VX_OK;
}
