#include "media/yuv.h"

/* BT.709: Kr = 0.2126, Kb = 0.0722; luma scaled by 219/255, chroma by 224/255; 16 fractional bits,
 * chosen so that grey gives chroma 128 exactly. */
enum {
    Y_R = 11966,
    Y_G = 40254,
    Y_B = 4064,
    U_R = -6596,
    U_G = -22188,
    U_B = 28784,
    V_R = 28784,
    V_G = -26145,
    V_B = -2639
};

static void luma_row(const uint8_t *rgb, int width, int padded, uint8_t *luma)
{
    for (int x = 0; x < width; x++) {
        const uint8_t *p = rgb + 3 * (size_t)x;
        luma[x] = (uint8_t)((Y_R * p[0] + Y_G * p[1] + Y_B * p[2] + (16 << 16) + 32768) >> 16);
    }
    if (padded > width) luma[width] = luma[width - 1];
}

/* One chroma sample from columns left, x, right (1 2 1) of two rows: weights add up to 8. */
static void chroma_at(const uint8_t *upper, const uint8_t *lower, int left, int x, int right,
                      uint8_t *u, uint8_t *v)
{
    int sum[3];
    for (int c = 0; c < 3; c++)
        sum[c] = upper[3 * left + c] + 2 * upper[3 * x + c] + upper[3 * right + c] +
                 lower[3 * left + c] + 2 * lower[3 * x + c] + lower[3 * right + c];
    const int half = (128 << 19) + (1 << 18);
    *u = (uint8_t)((U_R * sum[0] + U_G * sum[1] + U_B * sum[2] + half) >> 19);
    *v = (uint8_t)((V_R * sum[0] + V_G * sum[1] + V_B * sum[2] + half) >> 19);
}

static void chroma_row(const uint8_t *upper, const uint8_t *lower, int width, uint8_t *u,
                       uint8_t *v)
{
    int count = (width + 1) / 2;
    chroma_at(upper, lower, 0, 0, width > 1 ? 1 : 0, &u[0], &v[0]);
    for (int i = 1; i < count; i++) {
        int x = 2 * i;
        chroma_at(upper, lower, x - 1, x, x + 1 < width ? x + 1 : x, &u[i], &v[i]);
    }
}

void vx_rgb_to_yuv420(const vx_picture *frame, uint8_t *const plane[3], const int stride[3])
{
    int padded_width = (frame->width + 1) & ~1, padded_height = (frame->height + 1) & ~1;
    for (int y = 0; y < padded_height; y++) {
        const uint8_t *row = vx_picture_row(frame, y < frame->height ? y : frame->height - 1);
        luma_row(row, frame->width, padded_width, plane[0] + (ptrdiff_t)y * stride[0]);
        if (y & 1) continue;
        const uint8_t *next = vx_picture_row(frame, y + 1 < frame->height ? y + 1 : y);
        chroma_row(row, next, frame->width, plane[1] + (ptrdiff_t)(y / 2) * stride[1],
                   plane[2] + (ptrdiff_t)(y / 2) * stride[2]);
    }
}
