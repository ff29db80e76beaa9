/* LivePortrait's exact savings A1 to A7 (docs/models/LIVEPORTRAIT.md) against the plain form, in double
 * precision: the taps, phases and folds are those that the CPU's filters and the loader use. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/cpu/plane.h"
#include "base/random.h"
#include "models/liveportrait/fold.h"
#include "rig.h"

/* Sums of some thousand products of order one, in another order. */
static const double EXACT = 1e-11;

typedef struct map {
    int64_t d, h, w, c;
    double *v;
} map;

static map make(int64_t d, int64_t h, int64_t w, int64_t c)
{
    map m = {d, h, w, c, vx_heap_alloc((size_t)(d * h * w * c) * sizeof(double))};
    assert_non_null(m.v);
    return m;
}

static map noise(int64_t d, int64_t h, int64_t w, int64_t c, uint64_t seed)
{
    map m = make(d, h, w, c);
    for (int64_t i = 0; i < d * h * w * c; i++)
        m.v[i] = (double)vx_random_normal(seed, VX_STREAM_TEST, (uint64_t)i);
    return m;
}

static double *at(const map *m, int64_t d, int64_t h, int64_t w)
{
    return m->v + ((d * m->h + h) * m->w + w) * m->c;
}

static bool inside(const map *m, int64_t d, int64_t h, int64_t w)
{
    return d >= 0 && d < m->d && h >= 0 && h < m->h && w >= 0 && w < m->w;
}

/* Each pixel `up` times along both axes. */
static map repeat(const map *x, int64_t up)
{
    map y = make(x->d, x->h * up, x->w * up, x->c);
    for (int64_t d = 0; d < y.d; d++)
        for (int64_t h = 0; h < y.h; h++)
            for (int64_t w = 0; w < y.w; w++)
                memcpy(at(&y, d, h, w), at(x, d, h / up, w / up), (size_t)x->c * sizeof(double));
    return y;
}

/* A map kept by cells, 3 × 3 of 4 × 4, as it stands for. */
static map whole(const map *x)
{
    static const int64_t place[4] = {0, 1, 1, 2};
    map y = make(x->d, x->h / 3 * 4, x->w / 3 * 4, x->c);
    for (int64_t h = 0; h < y.h; h++)
        for (int64_t w = 0; w < y.w; w++)
            memcpy(at(&y, 0, h, w), at(x, 0, h / 4 * 3 + place[h % 4], w / 4 * 3 + place[w % 4]),
                   (size_t)x->c * sizeof(double));
    return y;
}

/* The filter as it is published; products with padding are counted like the others. */
static map plain(const vx_weight *f, const float *weights, const map *x, double *products)
{
    const int64_t *k = f->kernel;
    map y = make(x->d, x->h, x->w, f->out);
    for (int64_t p = 0; p < x->d * x->h * x->w; p++)
        for (int64_t o = 0; o < f->out; o++)
            for (int64_t t = 0; t < k[0] * k[1] * k[2]; t++) {
                int64_t d = p / (x->h * x->w) + t / (k[1] * k[2]) - f->pad[0];
                int64_t h = p / x->w % x->h + t / k[2] % k[1] - f->pad[1];
                int64_t w = p % x->w + t % k[2] - f->pad[2];
                *products += (double)f->in;
                if (!inside(x, d, h, w)) continue;
                for (int64_t i = 0; i < f->in; i++)
                    y.v[p * f->out + o] +=
                        (double)weights[(o * f->in + i) * k[0] * k[1] * k[2] + t] *
                        at(x, d, h, w)[i];
            }
    return y;
}

/* Sum of the original taps of a tap of a phase. */
static double summed(const vx_weight *f, const float *weights, int64_t o, int64_t i, int64_t kd,
                     uint32_t ys, uint32_t xs)
{
    const int64_t *k = f->kernel;
    double sum = 0;
    for (int64_t y = 0; y < k[1]; y++)
        for (int64_t x = 0; x < k[2]; x++)
            if (ys >> y & 1 && xs >> x & 1)
                sum += (double)weights[(((o * f->in + i) * k[0] + kd) * k[1] + y) * k[2] + x];
    return sum;
}

/* One output of one phase. Taps whose depth is padding are skipped; others are counted. */
static double phase_output(const vx_weight *f, const float *weights, const map *x,
                           const vx_axis_phase *py, const vx_axis_phase *px, const int64_t first[3],
                           int64_t o, double *products)
{
    double sum = 0;
    for (int64_t kd = 0; kd < f->kernel[0]; kd++)
        for (int64_t ty = 0; ty < py->taps; ty++)
            for (int64_t tx = 0; tx < px->taps; tx++) {
                int64_t d = first[0] + kd, h = first[1] + ty, w = first[2] + tx;
                if (d < 0 || d >= x->d) continue;
                *products += (double)f->in;
                for (int64_t i = 0; i < f->in && inside(x, d, h, w); i++)
                    sum +=
                        summed(f, weights, o, i, kd, py->sum[ty], px->sum[tx]) * at(x, d, h, w)[i];
            }
    return sum;
}

/* The filter by the CPU's phases, over the map as it is kept. */
static map saved(const vx_weight *f, const float *weights, const map *x, double *products)
{
    const vx_cpu_plane *l = f->layout;
    map y = make(x->d, x->h / l->height.in_step * l->height.out_step,
                 x->w / l->width.in_step * l->width.out_step, f->out);
    for (int64_t d = 0; d < y.d; d++)
        for (int64_t h = 0; h < y.h; h++)
            for (int64_t w = 0; w < y.w; w++)
                for (int64_t o = 0; o < f->out; o++) {
                    const vx_axis_phase *py = NULL, *px = NULL;
                    for (int p = 0; p < l->height.phases; p++)
                        if (l->height.phase[p].out == h % l->height.out_step)
                            py = &l->height.phase[p];
                    for (int p = 0; p < l->width.phases; p++)
                        if (l->width.phase[p].out == w % l->width.out_step) px = &l->width.phase[p];
                    assert_true(py != NULL && px != NULL);
                    const int64_t first[3] = {d + l->depth.phase[0].first,
                                              h / l->height.out_step * l->height.in_step +
                                                  py->first,
                                              w / l->width.out_step * l->width.in_step + px->first};
                    at(&y, d, h, w)[o] = phase_output(f, weights, x, py, px, first, o, products);
                }
    return y;
}

static double difference(const map *a, const map *b)
{
    double largest = 0;
    assert_true(a->d == b->d && a->h == b->h && a->w == b->w && a->c == b->c);
    for (int64_t i = 0; i < a->d * a->h * a->w * a->c; i++)
        largest = fmax(largest, fabs(a->v[i] - b->v[i]));
    return largest;
}

typedef struct saving {
    const char *name;
    int64_t kernel[3], depth, upsample;
    bool cells_in, cells_out;
    double share; /* of the plain form's products */
} saving;

static float *random_weights(const vx_weight *f, uint64_t seed)
{
    int64_t count = f->out * f->in * f->kernel[0] * f->kernel[1] * f->kernel[2];
    float *weights = vx_heap_alloc((size_t)count * sizeof *weights);
    for (int64_t i = 0; i < count; i++)
        weights[i] = vx_random_normal(seed, VX_STREAM_TEST, (uint64_t)i);
    return weights;
}

static void check(vx_backend *backend, const saving *s)
{
    vx_error err;
    vx_weight f = vx_weight_conv(2, 3, s->kernel, VX_F32, VX_F32);
    f.upsample = s->upsample;
    f.cells_in = s->cells_in;
    f.cells_out = s->cells_out;
    /* Two outputs are computed; the phases are those of a filter with many (plane.h: fold). */
    vx_weight wide = f;
    wide.out = 64;
    assert_int_equal(vx_weight_plan(backend, &wide, &err), VX_OK);
    f.layout = wide.layout;
    assert_int_equal(((const vx_cpu_plane *)f.layout)->fold, 1);
    float *weights = random_weights(&f, 1);
    map x = noise(s->depth, s->cells_in ? 9 : 4, s->cells_in ? 12 : 5, 3, 2);
    double dense = 0, done = 0;
    map full = s->cells_in ? whole(&x) : repeat(&x, s->upsample);
    map want = plain(&f, weights, &full, &dense), have = saved(&f, weights, &x, &done);
    map compared = s->cells_out ? whole(&have) : repeat(&have, 1);
    double largest = difference(&want, &compared);
    print_message("%-42s largest difference %.1e, products %.4f\n", s->name, largest, done / dense);
    if (!(largest <= EXACT)) fail_msg("%s differs by %g", s->name, largest);
    if (fabs(done / dense - s->share) > 1e-12) fail_msg("%s: %g products", s->name, done / dense);
    vx_heap_free(weights);
    vx_heap_free(x.v);
    vx_heap_free(full.v);
    vx_heap_free(want.v);
    vx_heap_free(have.v);
    vx_heap_free(compared.v);
}

static void filters_are_equal(void **state)
{
    (void)state;
    static const saving savings[] = {
        /* 46 of 48 depth taps of 3 meet no padding at depth 16, 100 of 112 of 7. */
        {"A2 and A3, up_blocks: 3x3x3 after x(1,2,2)",
         {3, 3, 3},
         16,
         2,
         false,
         false,
         12.0 / 27 * 46 / 48},
        {"A3, hourglass: 3x3x3", {3, 3, 3}, 16, 1, false, false, 46.0 / 48},
        {"A3, mask: 7x7x7", {7, 7, 7}, 16, 1, false, false, 100.0 / 112},
        {"A4, up_0.mlp_shared: 3x3 after x2", {1, 3, 3}, 1, 2, false, false, 16.0 / 36},
        {"A5, up_1.mlp_shared: 3x3 after x4", {1, 3, 3}, 1, 4, false, true, 25.0 / 144},
        {"A7, up_1.mlp_gamma, beta: 3x3 over cells", {1, 3, 3}, 1, 1, true, false, 100.0 / 144},
    };
    rig r;
    rig_open(&r, "cpu", 1);
    for (size_t i = 0; i < sizeof savings / sizeof savings[0]; i++)
        check(r.backend, &savings[i]);
    rig_close(&r);
}

/* A6: conv_s(m + mlp_beta(a)) = conv_s(m) + beta_s(a) + conv_s(mlp_beta.bias). */
static void the_shortcut_is_equal(void **state)
{
    (void)state;
    enum { IN = 6, HIDDEN = 5, OUT = 4, COLS = HIDDEN * 9 };
    const int64_t k[3] = {1, 3, 3};
    vx_weight beta = vx_weight_conv(IN, HIDDEN, k, VX_F32, VX_F32), folded = beta;
    folded.out = OUT;
    float *wb = random_weights(&beta, 3), conv_s[OUT * IN], bias[IN], both[OUT * COLS];
    double row[COLS], products = 0, largest = 0;
    for (int i = 0; i < OUT * IN; i++)
        conv_s[i] = vx_random_normal(4, VX_STREAM_TEST, (uint64_t)i);
    for (int i = 0; i < IN; i++)
        bias[i] = vx_random_normal(5, VX_STREAM_TEST, (uint64_t)i);
    map a = noise(1, 4, 5, HIDDEN, 6), m = noise(1, 4, 5, IN, 7);
    map b = plain(&beta, wb, &a, &products);
    double *exact = vx_heap_alloc(sizeof *exact * OUT * COLS);
    for (int o = 0; o < OUT; o++) {
        vx_lp_fold_row(conv_s + (size_t)o * IN, wb, IN, COLS, row);
        memcpy(exact + (size_t)o * COLS, row, sizeof row);
        for (int c = 0; c < COLS; c++)
            both[o * COLS + c] = (float)row[c];
    }
    /* The rounded filter gives the taps' order; the exact one is applied by hand. */
    map rounded = plain(&folded, both, &a, &products);
    for (int64_t p = 0; p < 20; p++)
        for (int o = 0; o < OUT; o++) {
            double want = 0, have, folded_bias;
            for (int i = 0; i < IN; i++)
                want += (double)conv_s[o * IN + i] *
                        (m.v[p * IN + i] + b.v[p * IN + i] + (double)bias[i]);
            vx_lp_fold_row(conv_s + (size_t)o * IN, bias, IN, 1, &folded_bias);
            have = folded_bias;
            for (int i = 0; i < IN; i++)
                have += (double)conv_s[o * IN + i] * m.v[p * IN + i];
            double rough = have + rounded.v[p * OUT + o];
            for (int c = 0; c < COLS; c++) {
                int64_t h = p / 5 + c % 9 / 3 - 1, w = p % 5 + c % 3 - 1;
                if (inside(&a, 0, h, w)) have += exact[o * COLS + c] * at(&a, 0, h, w)[c / 9];
            }
            largest = fmax(largest, fabs(want - have));
            assert_true(fabs(want - rough) < 1e-4);
        }
    print_message("A6, norm_s.mlp_beta in conv_s: largest difference %.1e\n", largest);
    assert_true(largest <= EXACT);
    vx_heap_free(wb);
    vx_heap_free(exact);
    vx_heap_free(a.v);
    vx_heap_free(m.v);
    vx_heap_free(b.v);
    vx_heap_free(rounded.v);
}

/* The folded norm, and what is no variance. */
static void norms_fold(void **state)
{
    (void)state;
    enum { N = 8 };
    float v[4][N], scale[N], shift[N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 4; j++)
            v[j][i] = vx_random_normal(8, VX_STREAM_TEST, (uint64_t)(4 * i + j));
    for (int i = 0; i < N; i++)
        v[3][i] = fabsf(v[3][i]) + 0.1f;
    assert_true(vx_lp_fold_norm(v[0], v[1], v[2], v[3], N, scale, shift));
    for (int i = 0; i < N; i++) {
        double x = 1.7, y = (x - (double)v[2][i]) / sqrt((double)v[3][i] + 1e-5);
        double want = y * (double)v[0][i] + (double)v[1][i];
        assert_true(fabs(want - (x * (double)scale[i] + (double)shift[i])) <
                    1e-6 * (1 + fabs(want)));
    }
    v[3][5] = -0.1f;
    assert_false(vx_lp_fold_norm(v[0], v[1], v[2], v[3], N, scale, shift));
    v[3][5] = NAN;
    assert_false(vx_lp_fold_norm(v[0], v[1], v[2], v[3], N, scale, shift));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_equal),
        cmocka_unit_test(the_shortcut_is_equal),
        cmocka_unit_test(norms_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
