/* SPADE's normalisation for training on a processor: batch norm without parameters, modulation, leaky ReLU.
 *
 *     u = (x - mean) rstd        mean, rstd: over all rows, for each channel
 *     v = u (1 + gamma) + beta
 *     y = v > 0 ? v : slope v
 *
 * Rows are the pixels of a batch, channels last: x, y [rows, channels], gb [rows, 2 channels] with gamma
 * first.  Written out because PyTorch needs five times as long for it in f32.  common.py compiles it.
 */
#include <math.h>
#include <stdint.h>

enum { CHANNELS_MAX = 512, BLOCK = 64 };

/* Adds a block's sums to the whole: f32 inside a block, f64 over the blocks. */
static void flush(double *sum, float *part, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        sum[c] += (double)part[c];
        part[c] = 0;
    }
}

/* Fills mean and rstd [channels], variance [channels] and y.  Returns 0, or 1 for too many channels. */
int modulate_forward(const float *restrict x, const float *restrict gb, int64_t rows,
                     int64_t channels, float slope, float *restrict mean, float *restrict variance,
                     float *restrict rstd, float *restrict y)
{
    double sum[CHANNELS_MAX] = {0}, square[CHANNELS_MAX] = {0};
    float a[CHANNELS_MAX] = {0}, b[CHANNELS_MAX] = {0};
    if (channels > CHANNELS_MAX) return 1;
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels;
        for (int64_t c = 0; c < channels; c++) {
            a[c] += p[c];
            b[c] += p[c] * p[c];
        }
        if (r % BLOCK == BLOCK - 1 || r == rows - 1) {
            flush(sum, a, channels);
            flush(square, b, channels);
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        double m = sum[c] / (double)rows, v = square[c] / (double)rows - m * m;
        mean[c] = (float)m;
        variance[c] = (float)(v > 0 ? v : 0);
        rstd[c] = 1 / sqrtf(variance[c] + 1e-5f);
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *g = gb + 2 * r * channels, *h = g + channels;
        float *q = y + r * channels;
        for (int64_t c = 0; c < channels; c++) {
            float v = (p[c] - mean[c]) * rstd[c] * (1 + g[c]) + h[c];
            q[c] = v > 0 ? v : slope * v;
        }
    }
    return 0;
}

/* From dy [rows, channels] to dx and dgb, of the shapes of x and gb. */
int modulate_backward(const float *restrict dy, const float *restrict x, const float *restrict gb,
                      int64_t rows, int64_t channels, float slope, const float *restrict mean,
                      const float *restrict rstd, float *restrict dx, float *restrict dgb)
{
    double sum[CHANNELS_MAX] = {0}, along[CHANNELS_MAX] = {0};
    float a[CHANNELS_MAX] = {0}, b[CHANNELS_MAX] = {0};
    if (channels > CHANNELS_MAX) return 1;
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels, *g = gb + 2 * r * channels, *h = g + channels;
        const float *d = dy + r * channels;
        float *q = dx + r * channels, *dg = dgb + 2 * r * channels, *dh = dg + channels;
        for (int64_t c = 0; c < channels; c++) {
            float u = (p[c] - mean[c]) * rstd[c];
            float e = u * (1 + g[c]) + h[c] > 0 ? d[c] : slope * d[c];
            float du = e * (1 + g[c]);
            dg[c] = e * u;
            dh[c] = e;
            q[c] = du;
            a[c] += du;
            b[c] += du * u;
        }
        if (r % BLOCK == BLOCK - 1 || r == rows - 1) {
            flush(sum, a, channels);
            flush(along, b, channels);
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        a[c] = (float)(sum[c] / (double)rows);
        b[c] = (float)(along[c] / (double)rows);
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *p = x + r * channels;
        float *q = dx + r * channels;
        for (int64_t c = 0; c < channels; c++)
            q[c] = rstd[c] * (q[c] - a[c] - (p[c] - mean[c]) * rstd[c] * b[c]);
    }
    return 0;
}
