#include "media/image.h"

#include <assert.h>
#include <string.h>

#include <libavutil/frame.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/av.h"
#include "media/image_probe.h"

/* ---- pictures -------------------------------------------------------------------------------- */

vx_status vx_image_new(vx_picture *picture, int width, int height, vx_error *err)
{
    *picture = (vx_picture){0};
    if (width < 1 || height < 1 || width > VX_IMAGE_SIDE_MAX || height > VX_IMAGE_SIDE_MAX)
        return vx_fail(err, VX_ERR_USAGE, "bad_size",
                       "a picture of %dx%d is not possible; sides go from 1 to %d", width, height,
                       VX_IMAGE_SIDE_MAX);
    uint8_t *rgb = vx_heap_alloc((size_t)width * (size_t)height * 3);
    if (rgb == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "not enough memory for a picture of %dx%d; free some memory", width, height);
    *picture = (vx_picture){rgb, width, height, (ptrdiff_t)width * 3};
    return VX_OK;
}

void vx_image_free(vx_picture *picture)
{
    vx_heap_free(picture->rgb);
    *picture = (vx_picture){0};
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

/* Room for one row's work: three component lines, two chroma source lines, one wide line. */
typedef struct line_room {
    uint8_t *component[3];
    uint8_t *near, *far;
    uint16_t *wide;
    void *block;
} line_room;

static bool take_lines(line_room *room, int width)
{
    size_t line = ((size_t)width + 63) & ~(size_t)63;
    uint8_t *block = vx_heap_alloc(line * 7);
    if (block == NULL) return false;
    *room = (line_room){.component = {block, block + line, block + 2 * line},
                        .near = block + 3 * line,
                        .far = block + 4 * line,
                        .wide = (uint16_t *)(void *)(block + 5 * line),
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

static void palette_line(const AVFrame *frame, int y, uint8_t *rgb)
{
    const uint8_t *index = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
    for (int x = 0; x < frame->width; x++, rgb += 3) {
        uint32_t argb;
        memcpy(&argb, frame->data[1] + 4 * index[x], 4);
        rgb[0] = (uint8_t)(argb >> 16);
        rgb[1] = (uint8_t)(argb >> 8);
        rgb[2] = (uint8_t)argb;
    }
}

/* Any pixel format the decoders give; `picture` has the frame's size. False without memory. */
static bool convert_frame(const AVFrame *frame, const AVPixFmtDescriptor *desc,
                          const vx_picture *picture)
{
    line_room room;
    if (!take_lines(&room, frame->width)) return false;
    bool colour = desc->nb_components >= 3;
    bool rgb = (desc->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    bool full_range = is_full_range(frame);
    for (int y = 0; y < frame->height; y++) {
        uint8_t *dst = vx_picture_row(picture, y);
        if (desc->flags & AV_PIX_FMT_FLAG_PAL) {
            palette_line(frame, y, dst);
            continue;
        }
        read_line(frame, desc, 0, y, frame->width, room.component[0], room.wide);
        for (int c = 1; c < 3 && colour; c++) {
            if (rgb)
                read_line(frame, desc, c, y, frame->width, room.component[c], room.wide);
            else
                chroma_line(frame, desc, c, y, &room, room.component[c]);
        }
        if (!colour)
            interleave(room.component[0], room.component[0], room.component[0],
                       frame->format == AV_PIX_FMT_MONOWHITE, frame->width, dst);
        else if (rgb)
            interleave(room.component[0], room.component[1], room.component[2], false, frame->width,
                       dst);
        else
            ycc_to_rgb(room.component[0], room.component[1], room.component[2], full_range,
                       frame->width, dst);
    }
    vx_heap_free(room.block);
    return true;
}

/* Turns *picture (dense, on the heap) as EXIF's orientation 2..8 says. */
static vx_status orient(vx_picture *picture, int orientation, vx_error *err)
{
    if (orientation <= 1) return VX_OK;
    bool swap = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    vx_picture old = *picture, turned;
    VX_TRY(
        vx_image_new(&turned, swap ? old.height : old.width, swap ? old.width : old.height, err));
    for (int y = 0; y < turned.height; y++) {
        uint8_t *dst = vx_picture_row(&turned, y);
        for (int x = 0; x < turned.width; x++, dst += 3) {
            int source_x = swap ? y : x, source_y = swap ? x : y;
            if (from_right) source_x = old.width - 1 - source_x;
            if (from_bottom) source_y = old.height - 1 - source_y;
            memcpy(dst, vx_picture_row(&old, source_y) + (ptrdiff_t)source_x * 3, 3);
        }
    }
    vx_image_free(&old);
    *picture = turned;
    return VX_OK;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static enum AVCodecID codec_of(vx_image_format format)
{
    switch (format) {
    case VX_IMAGE_PNG:
        return AV_CODEC_ID_PNG;
    case VX_IMAGE_JPEG:
        return AV_CODEC_ID_MJPEG;
    case VX_IMAGE_WEBP:
        return AV_CODEC_ID_WEBP;
    case VX_IMAGE_GIF:
        return AV_CODEC_ID_GIF;
    case VX_IMAGE_BMP:
        return AV_CODEC_ID_BMP;
    case VX_IMAGE_TIFF:
        return AV_CODEC_ID_TIFF;
    case VX_IMAGE_PNM:
        return AV_CODEC_ID_PPM;
    case VX_IMAGE_QOI:
        return AV_CODEC_ID_QOI;
    case VX_IMAGE_UNKNOWN:
        break;
    }
    return AV_CODEC_ID_NONE;
}

/* The size that was refused, so that the message can name it. */
typedef struct decode_state {
    int width, height;
} decode_state;

static int get_bounded_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
    decode_state *state = decoder->opaque;
    state->width = frame->width;
    state->height = frame->height;
    if (frame->width > VX_IMAGE_SIDE_MAX || frame->height > VX_IMAGE_SIDE_MAX)
        return AVERROR(ERANGE);
    return avcodec_default_get_buffer2(decoder, frame, flags);
}

static int decode_frame(AVCodecContext *decoder, const void *data, size_t bytes, AVFrame *frame)
{
    AVPacket *packet = av_packet_alloc();
    int result = packet != NULL ? av_new_packet(packet, (int)bytes) : AVERROR(ENOMEM);
    if (result >= 0) {
        memcpy(packet->data, data, bytes);
        packet->flags |= AV_PKT_FLAG_KEY;
        result = avcodec_send_packet(decoder, packet);
    }
    if (result >= 0) result = avcodec_receive_frame(decoder, frame);
    if (result == AVERROR(EAGAIN)) {
        avcodec_send_packet(decoder, NULL);
        result = avcodec_receive_frame(decoder, frame);
    }
    av_packet_free(&packet);
    return result;
}

static int open_decoder(AVCodecContext **decoder, vx_image_format format, decode_state *state)
{
    const AVCodec *codec = avcodec_find_decoder(codec_of(format));
    if (codec == NULL) return AVERROR_DECODER_NOT_FOUND;
    *decoder = avcodec_alloc_context3(codec);
    if (*decoder == NULL) return AVERROR(ENOMEM);
    (*decoder)->thread_count = 1;
    (*decoder)->idct_algo = FF_IDCT_FAAN; /* nearest to libjpeg: 1 level in 2 % of samples */
    (*decoder)->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    (*decoder)->opaque = state;
    (*decoder)->get_buffer2 = get_bounded_buffer;
    return avcodec_open2(*decoder, codec, NULL);
}

static vx_status fail_decode(int result, const decode_state *state, const char *name, vx_error *err)
{
    if (state->width > VX_IMAGE_SIDE_MAX || state->height > VX_IMAGE_SIDE_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is %dx%d, and sides may be at most %d; make it smaller",
                          name, state->width, state->height, VX_IMAGE_SIDE_MAX);
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_image", name, 0,
                      "the image %s is broken: %s; save it again as PNG", name,
                      vx_av_strerror(result).text);
}

static vx_status decode_probed(vx_picture *picture, const void *data, size_t bytes,
                               const vx_image_info *info, const char *name, vx_error *err)
{
    AVCodecContext *decoder = NULL;
    AVFrame *frame = av_frame_alloc();
    decode_state state = {0};
    int result = frame != NULL ? open_decoder(&decoder, info->format, &state) : AVERROR(ENOMEM);
    if (result >= 0) result = decode_frame(decoder, data, bytes, frame);
    vx_status status = VX_OK;
    const AVPixFmtDescriptor *desc = NULL;
    if (result >= 0) {
        desc = av_pix_fmt_desc_get(frame->format);
        bool usable = desc != NULL && frame->width > 0 && frame->height > 0 &&
                      frame->data[0] != NULL && desc->comp[0].depth <= 16 &&
                      (desc->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT)) == 0;
        if (!usable || (frame->flags & AV_FRAME_FLAG_CORRUPT)) result = AVERROR_INVALIDDATA;
    }
    if (result < 0)
        status = fail_decode(result, &state, name, err);
    else
        status = vx_image_new(picture, frame->width, frame->height, err);
    if (status == VX_OK && !convert_frame(frame, desc, picture))
        status = vx_fail_at(err, VX_ERR_MEMORY, "no_memory", name, 0,
                            "not enough memory to convert %s; free some memory", name);
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
    return status;
}

vx_status vx_image_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                          vx_error *err)
{
    *picture = (vx_picture){0};
    vx_av_quiet();
    vx_image_info info = vx_image_probe(data, bytes);
    if (info.format == VX_IMAGE_UNKNOWN || bytes > VX_IMAGE_BYTES_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "%s is no image that can be read; give a PNG, JPEG, WebP, GIF, BMP, "
                          "TIFF, PNM or QOI",
                          name);
    if (!info.whole)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is cut short; copy it again", name);
    if (info.animated)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "%s is an animated WebP; give a still image", name);
    vx_status status = decode_probed(picture, data, bytes, &info, name, err);
    if (status == VX_OK) status = orient(picture, info.orientation, err);
    if (status != VX_OK) vx_image_free(picture);
    return status;
}

vx_status vx_image_read(vx_picture *picture, const char *path, vx_error *err)
{
    *picture = (vx_picture){0};
    char *data;
    size_t bytes;
    vx_status status = vx_file_read(path, VX_IMAGE_BYTES_MAX, &data, &bytes, err);
    VX_TRY(status);
    status = vx_image_decode(picture, data, bytes, path, err);
    vx_heap_free(data);
    return status;
}

/* ---- PNG out --------------------------------------------------------------------------------- */

static int encode_png(const vx_picture *picture, AVPacket *packet)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (codec == NULL) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    int result = encoder != NULL && frame != NULL ? 0 : AVERROR(ENOMEM);
    if (result >= 0) {
        encoder->width = frame->width = picture->width;
        encoder->height = frame->height = picture->height;
        encoder->pix_fmt = AV_PIX_FMT_RGB24;
        frame->format = AV_PIX_FMT_RGB24;
        encoder->time_base = (AVRational){1, 1};
        encoder->flags |= AV_CODEC_FLAG_BITEXACT;
        encoder->thread_count = 1;
        av_opt_set(encoder->priv_data, "pred", "mixed", 0);
        result = avcodec_open2(encoder, codec, NULL);
    }
    if (result >= 0) result = av_frame_get_buffer(frame, 0);
    for (int y = 0; y < picture->height && result >= 0; y++)
        memcpy(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], vx_picture_row(picture, y),
               (size_t)picture->width * 3);
    if (result >= 0) result = avcodec_send_frame(encoder, frame);
    if (result >= 0) result = avcodec_send_frame(encoder, NULL);
    if (result >= 0) result = avcodec_receive_packet(encoder, packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return result;
}

vx_status vx_image_write_png(const vx_picture *picture, const char *path, vx_error *err)
{
    assert(picture->rgb != NULL);
    vx_av_quiet();
    AVPacket *packet = av_packet_alloc();
    int result = packet != NULL ? encode_png(picture, packet) : AVERROR(ENOMEM);
    vx_status status;
    if (result < 0)
        status = vx_fail_at(err, vx_av_status(result, VX_ERR_INTERNAL), "png_failed", path, 0,
                            "cannot encode %s as PNG: %s", path, vx_av_strerror(result).text);
    else
        status = vx_file_write(path, packet->data, (size_t)packet->size, err);
    av_packet_free(&packet);
    return status;
}
