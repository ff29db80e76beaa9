/* Quantised formats against first principles; fixtures from other tools are in test_formats. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "tensor/quant.h"

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void scale_map_follows_its_rule(void **state)
{
    (void)state;
    static const double power[7] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
    float map[256] = {0, 1};
    int count = 2;
    for (int i = 0; i < 7; i++) {
        int bins = 1 << i;
        float edge[65], step = (1.0f - 0.1f) / (float)bins;
        for (int j = 0; j <= bins; j++)
            edge[j] = j < (bins + 1) / 2 ? 0.1f + step * (float)j : 1.0f - step * (float)(bins - j);
        for (int j = 0; j < bins; j++) {
            float centre = (float)power[i] * ((edge[j] + edge[j + 1]) / 2);
            map[count++] = centre;
            map[count++] = -centre;
        }
    }
    assert_int_equal(count, 256);
    qsort(map, 256, sizeof *map, by_value);
    assert_memory_equal(map, vx_nf4_scale_map, sizeof map);
    assert_true(vx_nf4_scale_map[127] == 0.0f);
    assert_true(vx_nf4_scale_map[255] == 1.0f);
}

static void fill_normal(float *dst, int64_t count, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++)
        dst[i] = 0.02f * vx_random_normal(seed, VX_STREAM_TEST, (uint64_t)i);
}

static double relative_rms(const float *a, const float *b, int64_t count)
{
    double error = 0, power = 0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        power += (double)a[i] * a[i];
    }
    return sqrt(error / power);
}

/* The figures that models.md 5.1 measured on Gaussian weights. */
static void errors_are_the_formats_own(void **state)
{
    (void)state;
    enum { N = 1 << 16, ROW = 4096 };
    static float w[N], back[N];
    static uint8_t stored[N * 4];
    fill_normal(w, N, 1);
    static const struct {
        vx_dtype dtype;
        double low, high;
    } row[] = {{VX_F32, 0, 0},
               {VX_F16, 1e-4, 3e-4},
               {VX_BF16, 1e-3, 3e-3},
               {VX_Q8_0, 0.0050, 0.0058},
               {VX_Q4_0, 0.083, 0.089}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        vx_encode(row[i].dtype, w, N, stored);
        vx_decode(row[i].dtype, stored, N, back);
        double rms = relative_rms(w, back, N);
        print_message("%s: %.3g\n", vx_dtype_name(row[i].dtype), rms);
        assert_true(rms >= row[i].low && rms <= row[i].high);
    }
    for (int i = 0; i < N; i += VX_NF4_BLOCK) {
        float scale = vx_nf4_encode(w + i, VX_NF4_BLOCK, stored);
        vx_nf4_decode(stored, scale, VX_NF4_BLOCK, back + i);
    }
    double nf4 = relative_rms(w, back, N);
    assert_true(nf4 > 0.0915 && nf4 < 0.0925);

    for (int i = 0; i < N; i += ROW) {
        int8_t *codes = (int8_t *)stored;
        float scale = vx_int8_encode(w + i, ROW, codes);
        for (int j = 0; j < ROW; j++)
            back[i + j] = (float)codes[j] * scale;
    }
    double int8 = relative_rms(w, back, N);
    assert_true(int8 > 0.0078 && int8 < 0.0095);
}

/* Double quantisation adds less than a hundredth of a percent point to NF4's error. */
static void double_quantisation_is_almost_free(void **state)
{
    (void)state;
    enum { BLOCKS = 3000, N = BLOCKS * VX_NF4_BLOCK }; /* the last nested block is partial */
    float *w = malloc(N * sizeof *w), *one = malloc(N * sizeof *w), *two = malloc(N * sizeof *w);
    static float scales[BLOCKS], nested[12];
    static uint8_t codes[BLOCKS], packed[VX_NF4_BLOCK / 2 * BLOCKS];
    fill_normal(w, N, 2);
    for (int b = 0; b < BLOCKS; b++) {
        scales[b] = vx_nf4_encode(w + b * 64, 64, packed + b * 32);
        vx_nf4_decode(packed + b * 32, scales[b], 64, one + b * 64);
    }
    float offset = vx_nf4_scales_encode(scales, BLOCKS, codes, nested);
    for (int b = 0; b < BLOCKS; b++) {
        float scale = vx_nf4_scale_decode(codes[b], nested[b / VX_NF4_NESTED_BLOCK], offset);
        vx_nf4_decode(packed + b * 32, scale, 64, two + b * 64);
    }
    double single = relative_rms(w, one, N), twice = relative_rms(w, two, N);
    assert_true(twice - single < 1e-4);
    assert_true(twice > single);
    free(w);
    free(one);
    free(two);
}

static void nf4_takes_the_nearest_code(void **state)
{
    (void)state;
    for (int i = -1000; i <= 1000; i++) {
        float pair[2] = {1.0f, (float)i / 1000}, back[2];
        uint8_t code;
        float scale = vx_nf4_encode(pair, 2, &code);
        assert_true(scale == 1.0f);
        assert_int_equal(code >> 4, 15); /* the first element is the high nibble */
        vx_nf4_decode(&code, scale, 2, back);
        for (int c = 0; c < 16; c++)
            assert_true(fabsf(back[1] - pair[1]) <= fabsf(vx_nf4_code[c] - pair[1]) + 1e-7f);
    }
}

static void zeroes_and_oddities_are_defined(void **state)
{
    (void)state;
    float src[64] = {0}, back[64];
    uint8_t stored[64];
    assert_true(vx_nf4_encode(src, 64, stored) == 0.0f);
    for (int i = 0; i < 32; i++)
        assert_int_equal(stored[i], 0x77);
    const vx_dtype dtype[] = {VX_Q8_0, VX_Q4_0};
    for (int i = 0; i < 2; i++) {
        vx_encode(dtype[i], src, 32, stored);
        vx_decode(dtype[i], stored, 32, back);
        for (int j = 0; j < 32; j++)
            assert_true(back[j] == 0.0f);
    }
    src[3] = NAN;
    src[5] = INFINITY;
    for (int i = 0; i < 2; i++)
        vx_encode(dtype[i], src, 32, stored);
    vx_nf4_encode(src, 64, stored);
    int8_t codes[64];
    vx_int8_encode(src, 64, codes);
    float scales[3] = {0, 0, 0}, nested;
    assert_true(vx_nf4_scales_encode(scales, 3, stored, &nested) == 0.0f);
    assert_int_equal(stored[0], 127);
    assert_true(vx_nf4_scale_decode(stored[0], nested, 0) == 0.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_map_follows_its_rule),
        cmocka_unit_test(errors_are_the_formats_own),
        cmocka_unit_test(double_quantisation_is_almost_free),
        cmocka_unit_test(nf4_takes_the_nearest_code),
        cmocka_unit_test(zeroes_and_oddities_are_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
