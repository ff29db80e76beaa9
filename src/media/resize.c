#include "media/resize.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* 32 bits hold the sum of 8-bit values times weights that add up to 1, with two bits to spare for
 * the overshoot of the cubic. */
enum { FRACTION_BITS = 32 - 8 - 2 };

/* ---- filters --------------------------------------------------------------------------------- */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= 3.14159265358979323846;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

typedef struct kernel {
    double (*weight)(double x);
    double support; /* half its width at scale 1 */
} kernel;

static kernel kernel_of(vx_filter filter)
{
    switch (filter) {
    case VX_FILTER_BOX:
        return (kernel){box, 0.5};
    case VX_FILTER_BILINEAR:
        return (kernel){triangle, 1.0};
    case VX_FILTER_BICUBIC:
        return (kernel){cubic, 2.0};
    case VX_FILTER_LANCZOS:
        break;
    }
    return (kernel){lanczos, 3.0};
}

/* ---- weights --------------------------------------------------------------------------------- */

/* One direction: for each output position the first source position, how many there are, and their
 * weights, `taps` apart. */
typedef struct axis {
    int count, taps;
    int32_t *first, *length, *weight;
} axis;

static double stretch_of(int in, int whole)
{
    double scale = (double)in / whole;
    return scale < 1.0 ? 1.0 : scale;
}

static int taps_of(vx_filter filter, int in, int whole)
{
    return (int)ceil(kernel_of(filter).support * stretch_of(in, whole)) * 2 + 1;
}

/* Weights in double at `fine` first (taps of them), then in fixed point. */
static void fill_axis(axis *a, vx_filter filter, int in, int whole, int start, double *fine)
{
    kernel k = kernel_of(filter);
    double scale = (double)in / whole, stretch = stretch_of(in, whole);
    double support = k.support * stretch, shrink = 1.0 / stretch;
    for (int i = 0; i < a->count; i++) {
        double centre = (start + i + 0.5) * scale, sum = 0;
        int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        for (int x = first; x < end; x++) {
            fine[x - first] = k.weight((x - centre + 0.5) * shrink);
            sum += fine[x - first];
        }
        int32_t *weight = a->weight + (size_t)i * a->taps;
        for (int x = 0; x < end - first; x++) {
            double w = (sum != 0.0 ? fine[x] / sum : fine[x]) * (1 << FRACTION_BITS);
            weight[x] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
        }
        a->first[i] = first;
        a->length[i] = end - first;
    }
}

/* ---- passes ---------------------------------------------------------------------------------- */

static uint8_t clip8(int32_t sum)
{
    int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_row(const uint8_t *src, const axis *columns, uint8_t *dst)
{
    for (int i = 0; i < columns->count; i++, dst += 3) {
        const uint8_t *p = src + 3 * (size_t)columns->first[i];
        const int32_t *weight = columns->weight + (size_t)i * columns->taps;
        int32_t r = 1 << (FRACTION_BITS - 1), g = r, b = r;
        for (int x = 0; x < columns->length[i]; x++, p += 3) {
            r += p[0] * weight[x];
            g += p[1] * weight[x];
            b += p[2] * weight[x];
        }
        dst[0] = clip8(r);
        dst[1] = clip8(g);
        dst[2] = clip8(b);
    }
}

/* `rows` rows of `bytes` bytes, each `stride` after the one before, into one. */
static void blend_rows(const uint8_t *src, ptrdiff_t stride, const int32_t *weight, int rows,
                       int bytes, uint8_t *dst)
{
    for (int x = 0; x < bytes; x++) {
        int32_t sum = 1 << (FRACTION_BITS - 1);
        for (int y = 0; y < rows; y++)
            sum += src[y * stride + x] * weight[y];
        dst[x] = clip8(sum);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Where the parts of the scratch lie. */
typedef struct layout {
    axis columns, rows;
    double *fine;
    uint8_t *middle; /* what stands between the passes: rows of the window's width, or one row */
    size_t bytes;
} layout;

static size_t place(size_t *at, size_t bytes)
{
    size_t here = *at;
    *at += (bytes + 7) & ~(size_t)7;
    return here;
}

/* Pillow 13 begins with the rows where that saves most work; the order shows in the rounding. */
static bool rows_go_first(const vx_resize_params *p, int in_width, int in_height)
{
    return p->height < in_height && p->width != in_width &&
           in_height - p->height > 2 * (int64_t)(in_width - p->width);
}

/* scratch NULL: only the size is of interest. */
static layout lay_out(const vx_resize_params *p, int in_width, int in_height, void *scratch)
{
    layout l = {.columns = {.count = p->out_width, .taps = taps_of(p->filter, in_width, p->width)},
                .rows = {.count = p->out_height, .taps = taps_of(p->filter, in_height, p->height)}};
    char *base = scratch;
    axis *axes[2] = {&l.columns, &l.rows};
    int most = l.columns.taps > l.rows.taps ? l.columns.taps : l.rows.taps;
    size_t fine = place(&l.bytes, (size_t)most * sizeof(double));
    if (base != NULL) l.fine = (double *)(void *)(base + fine);
    for (int i = 0; i < 2; i++) {
        axis *a = axes[i];
        size_t first = place(&l.bytes, (size_t)a->count * sizeof(int32_t));
        size_t length = place(&l.bytes, (size_t)a->count * sizeof(int32_t));
        size_t weight = place(&l.bytes, (size_t)a->count * (size_t)a->taps * sizeof(int32_t));
        if (base == NULL) continue;
        a->first = (int32_t *)(void *)(base + first);
        a->length = (int32_t *)(void *)(base + length);
        a->weight = (int32_t *)(void *)(base + weight);
    }
    size_t pixels = rows_go_first(p, in_width, in_height)
                        ? (size_t)in_width
                        : (size_t)in_height * (size_t)p->out_width;
    size_t middle = place(&l.bytes, pixels * 3);
    if (base != NULL) l.middle = (uint8_t *)(base + middle);
    return l;
}

size_t vx_resize_bytes(const vx_resize_params *params, int in_width, int in_height)
{
    return lay_out(params, in_width, in_height, NULL).bytes;
}

/* Columns first: source rows shrink into the middle, then those are blended. A side that keeps its
 * length is not filtered at all. */
static void resize_columns_first(const vx_picture *in, const vx_picture *out,
                                 const vx_resize_params *p, const layout *l)
{
    bool columns_stay = p->width == in->width, rows_stay = p->height == in->height;
    size_t row_bytes = (size_t)p->out_width * 3;
    int last = p->out_height - 1;
    int begin = rows_stay ? p->top : l->rows.first[0];
    int end = rows_stay ? p->top + p->out_height : l->rows.first[last] + l->rows.length[last];
    for (int y = begin; y < end; y++) {
        uint8_t *dst = rows_stay ? vx_picture_row(out, y - p->top) : l->middle + y * row_bytes;
        if (columns_stay)
            memcpy(dst, vx_picture_row(in, y) + 3 * (size_t)p->left, row_bytes);
        else
            resize_row(vx_picture_row(in, y), &l->columns, dst);
    }
    for (int y = 0; y < p->out_height && !rows_stay; y++)
        blend_rows(l->middle + (size_t)l->rows.first[y] * row_bytes, (ptrdiff_t)row_bytes,
                   l->rows.weight + (size_t)y * l->rows.taps, l->rows.length[y], (int)row_bytes,
                   vx_picture_row(out, y));
}

/* Rows first, each into one middle row, which is then shrunk; both sides change. */
static void resize_rows_first(const vx_picture *in, const vx_picture *out,
                              const vx_resize_params *p, const layout *l)
{
    int last = p->out_width - 1;
    size_t begin = 3 * (size_t)l->columns.first[0];
    size_t end = 3 * (size_t)(l->columns.first[last] + l->columns.length[last]);
    for (int y = 0; y < p->out_height; y++) {
        blend_rows(vx_picture_row(in, l->rows.first[y]) + begin, in->stride,
                   l->rows.weight + (size_t)y * l->rows.taps, l->rows.length[y], (int)(end - begin),
                   l->middle + begin);
        resize_row(l->middle, &l->columns, vx_picture_row(out, y));
    }
}

void vx_resize(const vx_picture *in, const vx_picture *out, const vx_resize_params *params,
               void *scratch)
{
    const vx_resize_params *p = params;
    assert(out->width == p->out_width && out->height == p->out_height);
    assert(p->left >= 0 && p->left + p->out_width <= p->width);
    assert(p->top >= 0 && p->top + p->out_height <= p->height);
    layout l = lay_out(p, in->width, in->height, scratch);
    fill_axis(&l.columns, p->filter, in->width, p->width, p->left, l.fine);
    fill_axis(&l.rows, p->filter, in->height, p->height, p->top, l.fine);
    if (rows_go_first(p, in->width, in->height))
        resize_rows_first(in, out, p, &l);
    else
        resize_columns_first(in, out, p, &l);
}

vx_resize_params vx_resize_cover(const vx_picture *in, int width, int height)
{
    double scale = fmax((double)width / in->width, (double)height / in->height);
    vx_resize_params p = {.filter = VX_FILTER_BICUBIC,
                          .width = (int)fmax(width, round(in->width * scale)),
                          .height = (int)fmax(height, round(in->height * scale)),
                          .out_width = width,
                          .out_height = height};
    p.left = (p.width - width) / 2;
    p.top = (p.height - height) / 2;
    return p;
}

/* ---- CLIP ------------------------------------------------------------------------------------ */

static vx_resize_params clip_params(int in_width, int in_height, int size)
{
    int64_t shorter = in_width < in_height ? in_width : in_height;
    int width = (int)(size * (int64_t)in_width / shorter);
    int height = (int)(size * (int64_t)in_height / shorter);
    return (vx_resize_params){VX_FILTER_BICUBIC,   width, height, (width - size) / 2,
                              (height - size) / 2, size,  size};
}

size_t vx_clip_pixels_bytes(int in_width, int in_height, int size)
{
    vx_resize_params params = clip_params(in_width, in_height, size);
    return vx_resize_bytes(&params, in_width, in_height);
}

void vx_clip_pixels(const vx_picture *in, int size, uint8_t *out, void *scratch)
{
    vx_resize_params params = clip_params(in->width, in->height, size);
    vx_picture window = {out, size, size, (ptrdiff_t)size * 3};
    vx_resize(in, &window, &params, scratch);
}
