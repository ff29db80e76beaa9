#include "media/warp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Positions in 1/256 of a pixel. */
enum { SUB = 256 };

static const uint8_t black[3];

static const uint8_t *pixel(const vx_picture *p, int x, int y)
{
    if (x < 0 || y < 0 || x >= p->width || y >= p->height) return black;
    return vx_picture_row(p, y) + 3 * (ptrdiff_t)x;
}

/* The colour around a position in pixel centres; beyond the last centres it is the edge's. */
static void sample(const vx_picture *in, double x, double y, uint8_t out[3])
{
    double fx = floor(x), fy = floor(y);
    int ix = (int)fx, iy = (int)fy;
    int wx = (int)((x - fx) * SUB), wy = (int)((y - fy) * SUB);
    const uint8_t *a = pixel(in, ix, iy), *b = pixel(in, ix + 1, iy);
    const uint8_t *c = pixel(in, ix, iy + 1), *d = pixel(in, ix + 1, iy + 1);
    for (int i = 0; i < 3; i++) {
        int upper = a[i] * (SUB - wx) + b[i] * wx, lower = c[i] * (SUB - wx) + d[i] * wx;
        out[i] = (uint8_t)((upper * (SUB - wy) + lower * wy + SUB * SUB / 2) / (SUB * SUB));
    }
}

void vx_square_at(const vx_square *s, double u, double v, double at[2])
{
    u = (u - 0.5) * s->side;
    v = (v - 0.5) * s->side;
    at[0] = s->x + u * s->cos - v * s->sin;
    at[1] = s->y + u * s->sin + v * s->cos;
}

double vx_square_angle(const vx_square *s)
{
    return atan2(s->sin, s->cos) * 180 / M_PI;
}

/* Adds the bilinear sample at a place of the square. */
static void add_sample(const vx_picture *in, const vx_square *s, double u, double v, int sum[3])
{
    uint8_t colour[3];
    double x = s->x + u * s->cos - v * s->sin, y = s->y + u * s->sin + v * s->cos;
    /* Far outside is black without a look, so that no position overflows. */
    if (x < -1 || y < -1 || x > in->width + 1 || y > in->height + 1) return;
    sample(in, x - 0.5, y - 0.5, colour);
    for (int c = 0; c < 3; c++)
        sum[c] += colour[c];
}

void vx_warp_out(const vx_picture *in, const vx_square *s, int samples, const vx_picture *out)
{
    assert(samples >= 1 && samples <= 16);
    double step = s->side / out->width / samples;
    int all = samples * samples;
    for (int j = 0; j < out->height; j++) {
        uint8_t *row = vx_picture_row(out, j);
        for (int i = 0; i < out->width; i++) {
            int sum[3] = {0};
            for (int k = 0; k < all; k++) {
                double u = (i * samples + k % samples + 0.5) * step - 0.5 * s->side;
                double v = (j * samples + k / samples + 0.5) * step - 0.5 * s->side;
                add_sample(in, s, u, v, sum);
            }
            for (int c = 0; c < 3; c++)
                row[3 * i + c] = (uint8_t)((sum[c] + all / 2) / all);
        }
    }
}

/* Where a pixel's centre lies in the square, 0..1. */
static void place(const vx_square *s, int i, int j, double *u, double *v)
{
    double x = i + 0.5 - s->x, y = j + 0.5 - s->y;
    *u = (x * s->cos + y * s->sin) / s->side + 0.5;
    *v = (y * s->cos - x * s->sin) / s->side + 0.5;
}

static double ramp(double u)
{
    return fmin(1, fmax(0, 32 * fmin(u, 1 - u)));
}

void vx_paste_prepare(vx_paste *paste, const vx_square *square, uint8_t *mask, int width,
                      int height)
{
    *paste = (vx_paste){.square = *square, .mask = mask, .left = width, .top = height};
    for (int j = 0; j < height; j++)
        for (int i = 0; i < width; i++) {
            double u, v;
            place(square, i, j, &u, &v);
            uint8_t m = (uint8_t)lround(255 * ramp(u) * ramp(v));
            mask[(size_t)j * (size_t)width + (size_t)i] = m;
            if (m == 0) continue;
            if (i < paste->left) paste->left = i;
            if (i >= paste->right) paste->right = i + 1;
            if (j < paste->top) paste->top = j;
            paste->bottom = j + 1;
        }
}

void vx_paste_in(const vx_paste *p, const vx_picture *below, const vx_picture *inset,
                 const vx_picture *out)
{
    for (int j = p->top; j < p->bottom; j++) {
        const uint8_t *mask = p->mask + (size_t)j * (size_t)out->width;
        const uint8_t *under = vx_picture_row(below, j);
        uint8_t *row = vx_picture_row(out, j), over[3];
        for (int i = p->left; i < p->right; i++) {
            double u, v;
            if (mask[i] == 0) continue;
            place(&p->square, i, j, &u, &v);
            u = fmin(inset->width - 1, fmax(0, u * inset->width - 0.5));
            v = fmin(inset->height - 1, fmax(0, v * inset->height - 0.5));
            sample(inset, u, v, over);
            for (int c = 0; c < 3; c++)
                row[3 * i + c] =
                    (uint8_t)((over[c] * mask[i] + under[3 * i + c] * (255 - mask[i]) + 127) / 255);
        }
    }
}
