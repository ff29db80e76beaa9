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

void vx_square_place(const vx_square *s, double x, double y, double at[2])
{
    x -= s->x;
    y -= s->y;
    at[0] = (x * s->cos + y * s->sin) / s->side + 0.5;
    at[1] = (y * s->cos - x * s->sin) / s->side + 0.5;
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
            double at[2];
            vx_square_place(square, i + 0.5, j + 0.5, at);
            uint8_t m = (uint8_t)lround(255 * ramp(at[0]) * ramp(at[1]));
            mask[(size_t)j * (size_t)width + (size_t)i] = m;
            if (m == 0) continue;
            if (i < paste->left) paste->left = i;
            if (i >= paste->right) paste->right = i + 1;
            if (j < paste->top) paste->top = j;
            paste->bottom = j + 1;
        }
}

/* The inset's colour under a pixel of the picture; where that lies in the square. */
static void inset_at(const vx_paste *p, const vx_picture *inset, int i, int j, double at[2],
                     uint8_t over[3])
{
    vx_square_place(&p->square, i + 0.5, j + 0.5, at);
    double u = fmin(inset->width - 1, fmax(0, at[0] * inset->width - 0.5));
    double v = fmin(inset->height - 1, fmax(0, at[1] * inset->height - 0.5));
    sample(inset, u, v, over);
}

/* Cells of the coarse difference, along a side. */
enum { CELLS = 16 };

typedef struct cells {
    double sum[CELLS][CELLS][3];
    int count[CELLS][CELLS];
} cells;

static int cell_of(double u)
{
    return (int)fmin(CELLS - 1, fmax(0, floor(u * CELLS)));
}

/* The coarse difference at a place: bilinear between the cells' middles; a cell that lies outside
 * the picture is left out. */
static double coarse(const cells *c, const double at[2], int channel)
{
    double u = fmin(CELLS - 1, fmax(0, at[0] * CELLS - 0.5)), v = at[1] * CELLS - 0.5;
    v = fmin(CELLS - 1, fmax(0, v));
    double sum = 0, weight = 0;
    for (int k = 0; k < 4; k++) {
        int x = (int)u + k % 2, y = (int)v + k / 2;
        double w = fmax(0, 1 - fabs(u - x)) * fmax(0, 1 - fabs(v - y));
        if (w == 0 || c->count[y][x] == 0) continue;
        sum += w * c->sum[y][x][channel] / c->count[y][x];
        weight += w;
    }
    return weight > 0 ? sum / weight : 0;
}

/* How much of the fine difference is taken: all of it up to 1/16 of the side from the rim, nothing
 * from 3/16 on. */
static double fine_share(const double at[2])
{
    double in = fmin(fmin(at[0], 1 - at[0]), fmin(at[1], 1 - at[1]));
    return fmin(1, fmax(0, 1.5 - 8 * in));
}

void vx_paste_match(vx_paste *p, const vx_picture *below, const vx_picture *rest, uint8_t *match)
{
    cells c = {0};
    double at[2];
    uint8_t over[3];
    p->match = match;
    memset(match, 128, (size_t)3 * (size_t)below->width * (size_t)below->height);
    for (int j = p->top; j < p->bottom; j++)
        for (int i = p->left; i < p->right; i++) {
            const uint8_t *under = vx_picture_row(below, j) + 3 * (ptrdiff_t)i;
            if (p->mask[(size_t)j * (size_t)below->width + (size_t)i] == 0) continue;
            inset_at(p, rest, i, j, at, over);
            int x = cell_of(at[0]), y = cell_of(at[1]);
            c.count[y][x]++;
            for (int k = 0; k < 3; k++)
                c.sum[y][x][k] += under[k] - over[k];
        }
    for (int j = p->top; j < p->bottom; j++)
        for (int i = p->left; i < p->right; i++) {
            size_t pixel = (size_t)j * (size_t)below->width + (size_t)i;
            const uint8_t *under = vx_picture_row(below, j) + 3 * (ptrdiff_t)i;
            if (p->mask[pixel] == 0) continue;
            inset_at(p, rest, i, j, at, over);
            double share = fine_share(at);
            for (int k = 0; k < 3; k++) {
                double add = share * (under[k] - over[k]) + (1 - share) * coarse(&c, at, k);
                match[3 * pixel + (size_t)k] = (uint8_t)(128 + lround(fmin(127, fmax(-128, add))));
            }
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
            double at[2];
            if (mask[i] == 0) continue;
            inset_at(p, inset, i, j, at, over);
            for (int c = 0; c < 3; c++) {
                int colour = over[c];
                if (p->match != NULL) {
                    colour += p->match[3 * ((ptrdiff_t)j * out->width + i) + c] - 128;
                    colour = colour < 0 ? 0 : colour > 255 ? 255 : colour;
                }
                row[3 * i + c] =
                    (uint8_t)((colour * mask[i] + under[3 * i + c] * (255 - mask[i]) + 127) / 255);
            }
        }
    }
}
