#include "media/image_convert.h"

#include <string.h>

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "media/turn.h"

/* ---- rows on their way into a picture -------------------------------------------------------- */

vx_status vx_image_sink_open(vx_image_sink *sink, vx_picture *picture, int width, int height,
                             int orientation, int side_max, const uint8_t *background,
                             const char *name, vx_error *err)
{
    static const uint8_t white[3] = {255, 255, 255};
    int longest = width > height ? width : height, reduce = 1;
    if (side_max > 0 && longest >= 2 * side_max) reduce = longest / side_max;
    int w = (width + reduce - 1) / reduce, h = (height + reduce - 1) / reduce;
    *sink = (vx_image_sink){.width = width,
                            .height = height,
                            .reduce = reduce,
                            .orientation = orientation,
                            .background = background != NULL ? background : white};
    if (longest > VX_IMAGE_SIDE_MAX) /* an animation's canvas, which no decoder has seen */
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is %dx%d, and sides may be at most %d; make it smaller",
                          name, width, height, VX_IMAGE_SIDE_MAX);
    if ((size_t)w * (size_t)h * 3 > VX_IMAGE_DECODED_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is %dx%d, and %d million pixels are the most that is read; "
                          "make it smaller",
                          name, width, height, (int)(VX_IMAGE_DECODED_MAX / 3000000));
    bool swap = vx_turn_swaps(orientation);
    VX_TRY(vx_image_new(picture, swap ? h : w, swap ? w : h, err));
    sink->picture = picture;
    sink->line = vx_heap_alloc((size_t)width * 3);
    sink->sums = vx_heap_alloc((size_t)w * 3 * sizeof *sink->sums);
    if (sink->line != NULL && sink->sums != NULL) return VX_OK;
    vx_image_sink_close(sink);
    vx_image_free(picture);
    return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", name, 0,
                      "not enough memory to convert %s; free some memory", name);
}

void vx_image_sink_close(vx_image_sink *sink)
{
    vx_heap_free(sink->line);
    vx_heap_free(sink->sums);
    sink->line = NULL;
    sink->sums = NULL;
}

void vx_image_say_size(vx_image_reading *reading, int width, int height, int orientation)
{
    bool swap = vx_turn_swaps(orientation);
    reading->width = swap ? height : width;
    reading->height = swap ? width : height;
}

/* Adds the line to the sums; the last of a block of rows turns them into a row of means. */
static const uint8_t *reduced(vx_image_sink *sink, int y, int out_width)
{
    int k = sink->reduce, first = y / k * k;
    if (y == first) memset(sink->sums, 0, (size_t)out_width * 3 * sizeof *sink->sums);
    for (int x = 0; x < sink->width; x++)
        for (int c = 0; c < 3; c++)
            sink->sums[x / k * 3 + c] += sink->line[3 * x + c];
    if (y + 1 < first + k && y + 1 < sink->height) return NULL;
    for (int x = 0; x < out_width; x++) {
        int across = sink->width - x * k < k ? sink->width - x * k : k;
        uint32_t count = (uint32_t)across * (uint32_t)(y + 1 - first);
        for (int c = 0; c < 3; c++)
            sink->line[3 * x + c] = (uint8_t)((sink->sums[3 * x + c] + count / 2) / count);
    }
    return sink->line;
}

void vx_image_sink_row(vx_image_sink *sink, int y, const uint8_t *alpha)
{
    int out_width = (sink->width + sink->reduce - 1) / sink->reduce;
    for (int x = 0; x < sink->width && alpha != NULL; x++) {
        int a = alpha[x];
        if (a == 255) continue;
        sink->blended = true;
        for (int c = 0; c < 3; c++)
            sink->line[3 * x + c] =
                (uint8_t)((sink->line[3 * x + c] * a + sink->background[c] * (255 - a) + 127) /
                          255);
    }
    const uint8_t *row = sink->reduce > 1 ? reduced(sink, y, out_width) : sink->line;
    if (row == NULL) return;
    int out_height = (sink->height + sink->reduce - 1) / sink->reduce;
    vx_turn_row(row, y / sink->reduce, out_width, out_height, sink->orientation, sink->picture);
}

/* ---- from a decoder's planes to RGB ---------------------------------------------------------- */

static uint8_t clip8(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One component of one row in 8 bits: deeper samples keep their high byte, shallower ones are
 * stretched to the full range. */
static void read_line(const AVFrame *frame, const AVPixFmtDescriptor *desc, int component, int y,
                      int width, uint8_t *dst, uint16_t *wide)
{
    const uint8_t *planes[4] = {frame->data[0], frame->data[1], frame->data[2], frame->data[3]};
    int depth = desc->comp[component].depth;
    av_read_image_line(wide, planes, frame->linesize, desc, 0, y, component, width, 0);
    int max = (1 << depth) - 1;
    for (int x = 0; x < width; x++) {
        if (depth >= 8)
            dst[x] = (uint8_t)(wide[x] >> (depth - 8));
        else
            dst[x] = (uint8_t)((wide[x] * 255 + max / 2) / max);
    }
}

/* Room for one row's work: four component lines, two chroma source lines, one wide line. */
typedef struct line_room {
    uint8_t *component[4];
    uint8_t *near, *far;
    uint16_t *wide;
    void *block;
} line_room;

static bool take_lines(line_room *room, int width)
{
    size_t line = ((size_t)width + 63) & ~(size_t)63;
    uint8_t *block = vx_heap_alloc(line * 8);
    if (block == NULL) return false;
    *room = (line_room){.component = {block, block + line, block + 2 * line, block + 3 * line},
                        .near = block + 4 * line,
                        .far = block + 5 * line,
                        .wide = (uint16_t *)(void *)(block + 6 * line),
                        .block = block};
    return true;
}

/* Triangle upsampling of halved chroma, as libjpeg's "fancy upsampling" does it: the nearer sample
 * weighs 3, the farther 1, in both directions; the rounding biases are libjpeg's, and
 * libwebp's where odd_bias is 8 and not 7. `lower` tells which of the two picture rows of a chroma
 * row this is. */
static void stretch_line(const uint8_t *near, const uint8_t *far, bool mix_rows, bool lower,
                         bool stretch, int odd_bias, int chroma_width, int width, uint8_t *dst)
{
    for (int x = 0; x < width; x++) {
        int c = stretch ? x >> 1 : x;
        int side = x & 1 ? c + 1 : c - 1;
        if (side < 0 || side >= chroma_width) side = c;
        int here = mix_rows ? 3 * near[c] + far[c] : near[c];
        int there = mix_rows ? 3 * near[side] + far[side] : near[side];
        if (stretch && mix_rows)
            dst[x] = (uint8_t)((3 * here + there + (x & 1 ? odd_bias : 8)) >> 4);
        else if (stretch)
            dst[x] = (uint8_t)((3 * here + there + (x & 1 ? 2 : 1)) >> 2);
        else if (mix_rows)
            dst[x] = (uint8_t)((here + (lower ? 2 : 1)) >> 2);
        else
            dst[x] = (uint8_t)here;
    }
}

static bool is_full_range(const AVFrame *frame)
{
    return frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
           frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P ||
           frame->format == AV_PIX_FMT_YUVJ440P || frame->format == AV_PIX_FMT_YUVJ411P;
}

/* Chroma line `component` for picture row y at full width. */
static void chroma_line(const AVFrame *frame, const AVPixFmtDescriptor *desc, int component, int y,
                        const line_room *room, uint8_t *dst)
{
    int width = frame->width;
    int chroma_width = AV_CEIL_RSHIFT(width, desc->log2_chroma_w);
    int chroma_height = AV_CEIL_RSHIFT(frame->height, desc->log2_chroma_h);
    /* 4:1:1 and rarer are plain boxes, and so is a width of which libjpeg makes no triangles. */
    if (desc->log2_chroma_w > 1 || desc->log2_chroma_h > 1 ||
        (desc->log2_chroma_w == 1 && chroma_width <= 2)) {
        read_line(frame, desc, component, y >> desc->log2_chroma_h, chroma_width, room->near,
                  room->wide);
        for (int x = 0; x < width; x++)
            dst[x] = room->near[x >> desc->log2_chroma_w];
        return;
    }
    bool mix_rows = desc->log2_chroma_h == 1;
    bool lower = (y & 1) != 0;
    int near = mix_rows ? y >> 1 : y;
    int far = lower ? near + 1 : near - 1;
    if (far < 0 || far >= chroma_height) far = near;
    read_line(frame, desc, component, near, chroma_width, room->near, room->wide);
    if (mix_rows) read_line(frame, desc, component, far, chroma_width, room->far, room->wide);
    stretch_line(room->near, room->far, mix_rows, lower, desc->log2_chroma_w == 1,
                 is_full_range(frame) ? 7 : 8, chroma_width, width, dst);
}

/* ITU-R BT.601, which JPEG (JFIF) and WebP prescribe; full range in 16-bit fixed point as libjpeg
 * computes it, or studio range (WebP). */
static void ycc_to_rgb(const uint8_t *luma, const uint8_t *cb, const uint8_t *cr, bool full_range,
                       int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, rgb += 3) {
        int u = cb[x] - 128, v = cr[x] - 128;
        if (full_range) { /* 1.402, 0.344136, 0.714136, 1.772 */
            rgb[0] = clip8(luma[x] + ((91881 * v + 32768) >> 16));
            rgb[1] = clip8(luma[x] + ((-22554 * u - 46802 * v + 32768) >> 16));
            rgb[2] = clip8(luma[x] + ((116130 * u + 32768) >> 16));
        } else { /* the same over 255/219 and 255/224, with libwebp's 14-bit constants */
            int base = 19077 * luma[x] >> 8;
            rgb[0] = clip8((base + (26149 * cr[x] >> 8) - 14234) >> 6);
            rgb[1] = clip8((base - (6419 * cb[x] >> 8) - (13320 * cr[x] >> 8) + 8708) >> 6);
            rgb[2] = clip8((base + (33050 * cb[x] >> 8) - 17685) >> 6);
        }
    }
}

static void interleave(const uint8_t *r, const uint8_t *g, const uint8_t *b, bool invert, int width,
                       uint8_t *rgb)
{
    uint8_t flip = invert ? 255 : 0;
    for (int x = 0; x < width; x++, rgb += 3) {
        rgb[0] = r[x] ^ flip;
        rgb[1] = g[x] ^ flip;
        rgb[2] = b[x] ^ flip;
    }
}

static void palette_line(const AVFrame *frame, int y, uint8_t *rgb, uint8_t *alpha)
{
    const uint8_t *index = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    for (int x = 0; x < frame->width; x++, rgb += 3) {
        uint32_t argb;
        memcpy(&argb, frame->data[1] + 4 * index[x], 4);
        rgb[0] = (uint8_t)(argb >> 16);
        rgb[1] = (uint8_t)(argb >> 8);
        rgb[2] = (uint8_t)argb;
        alpha[x] = (uint8_t)(argb >> 24);
    }
}

/* A frame's line in RGB; alpha[0] is set to 255 or less for each pixel where the frame has such. */
static void frame_line(const AVFrame *frame, const AVPixFmtDescriptor *desc, int y,
                       const line_room *room, uint8_t *dst)
{
    bool colour = desc->nb_components >= 3, rgb = (desc->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    uint8_t *const *line = room->component;
    int width = frame->width;
    if (desc->flags & AV_PIX_FMT_FLAG_PAL) {
        palette_line(frame, y, dst, line[3]);
        return;
    }
    read_line(frame, desc, 0, y, width, line[0], room->wide);
    for (int c = 1; c < 3 && colour; c++) {
        if (rgb)
            read_line(frame, desc, c, y, width, line[c], room->wide);
        else
            chroma_line(frame, desc, c, y, room, line[c]);
    }
    if (desc->flags & AV_PIX_FMT_FLAG_ALPHA)
        read_line(frame, desc, desc->nb_components - 1, y, width, line[3], room->wide);
    if (!colour)
        interleave(line[0], line[0], line[0], frame->format == AV_PIX_FMT_MONOWHITE, width, dst);
    else if (rgb)
        interleave(line[0], line[1], line[2], false, width, dst);
    else
        ycc_to_rgb(line[0], line[1], line[2], is_full_range(frame), width, dst);
}

bool vx_image_convert(const AVFrame *frame, const AVPixFmtDescriptor *desc, bool opaque, int left,
                      int top, vx_image_sink *sink)
{
    line_room room;
    if (!take_lines(&room, frame->width > sink->width ? frame->width : sink->width)) return false;
    bool whole = left == 0 && top == 0 && frame->width >= sink->width;
    bool clear = !opaque && (desc->flags & (AV_PIX_FMT_FLAG_ALPHA | AV_PIX_FMT_FLAG_PAL)) != 0;
    for (int y = 0; y < sink->height; y++) {
        bool inside = y >= top && y - top < frame->height;
        for (int x = 0; x < sink->width && (!whole || !inside); x++)
            memcpy(sink->line + 3 * x, sink->background, 3);
        memset(room.component[3], 255, (size_t)frame->width);
        if (inside) frame_line(frame, desc, y - top, &room, sink->line + 3 * left);
        if (clear && left > 0) {
            memmove(room.component[3] + left, room.component[3], (size_t)frame->width);
            memset(room.component[3], 255, (size_t)left);
        }
        for (int x = left + frame->width; x < sink->width && clear; x++)
            room.component[3][x] = 255;
        vx_image_sink_row(sink, y, clear ? room.component[3] : NULL);
    }
    vx_heap_free(room.block);
    return true;
}
