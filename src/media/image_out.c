#include "media/image_out.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include "base/ending.h"
#include "base/file.h"
#include "media/av.h"

enum {
    QUALITY = 2
}; /* the encoder's finest but one, which is indistinguishable at a third of the bytes */

static vx_status kind_of(const char *path, bool *jpeg, vx_error *err)
{
    const char *ending = vx_ending(path);
    *jpeg = strcasecmp(ending, "jpg") == 0 || strcasecmp(ending, "jpeg") == 0;
    if (*jpeg || ending[0] == '\0' || strcasecmp(ending, "png") == 0) return VX_OK;
    return vx_fail(err, VX_ERR_USAGE, "bad_output",
                   "%s ends in .%s, which is no picture that is written here; choose .png or .jpg",
                   path, ending);
}

vx_status vx_image_write_check(const char *path, vx_error *err)
{
    bool jpeg;
    VX_TRY(kind_of(path, &jpeg, err));
    if (jpeg && avcodec_find_encoder(AV_CODEC_ID_MJPEG) == NULL)
        return vx_fail(err, VX_ERR_MISSING, "no_encoder",
                       "FFmpeg here has no encoder for JPEG; install the package "
                       "libavcodec-extra, or write .png");
    return VX_OK;
}

/* ITU-R BT.601 in full range, as JFIF prescribes. */
static void to_planes(const vx_picture *picture, AVFrame *frame)
{
    for (int y = 0; y < picture->height; y++) {
        const uint8_t *p = vx_picture_row(picture, y);
        for (int x = 0; x < picture->width; x++, p += 3) {
            float luma = 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
            float value[3] = {luma, 128 + ((float)p[2] - luma) / 1.772f,
                              128 + ((float)p[0] - luma) / 1.402f};
            for (int c = 0; c < 3; c++)
                frame->data[c][y * frame->linesize[c] + x] =
                    (uint8_t)lrintf(fminf(fmaxf(value[c], 0), 255));
        }
    }
}

static int encode_jpeg(const vx_picture *picture, AVPacket *packet)
{
    AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MJPEG));
    AVFrame *frame = av_frame_alloc();
    int result = encoder != NULL && frame != NULL ? 0 : AVERROR(ENOMEM);
    if (result >= 0) {
        encoder->width = frame->width = picture->width;
        encoder->height = frame->height = picture->height;
        encoder->pix_fmt = AV_PIX_FMT_YUVJ444P;
        frame->format = AV_PIX_FMT_YUVJ444P;
        encoder->color_range = frame->color_range = AVCOL_RANGE_JPEG;
        encoder->time_base = (AVRational){1, 25};
        encoder->thread_count = 1;
        encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
        encoder->global_quality = frame->quality = QUALITY * FF_QP2LAMBDA;
        result = avcodec_open2(encoder, NULL, NULL);
    }
    if (result >= 0) result = av_frame_get_buffer(frame, 0);
    if (result >= 0) to_planes(picture, frame);
    if (result >= 0) result = avcodec_send_frame(encoder, frame);
    if (result >= 0) result = avcodec_receive_packet(encoder, packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return result;
}

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

/* Encodes into *packet, which the caller frees in any case. `name` is for messages. */
static vx_status encode(const vx_picture *picture, bool jpeg, const char *name, AVPacket **packet,
                        vx_error *err)
{
    assert(picture->rgb != NULL);
    vx_av_quiet();
    *packet = av_packet_alloc();
    int result = AVERROR(ENOMEM);
    if (*packet != NULL)
        result = jpeg ? encode_jpeg(picture, *packet) : encode_png(picture, *packet);
    if (result >= 0) return VX_OK;
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INTERNAL),
                      jpeg ? "jpeg_failed" : "png_failed", name, 0, "cannot encode %s as %s: %s",
                      name, jpeg ? "JPEG" : "PNG", vx_av_strerror(result).text);
}

vx_status vx_image_write(const vx_picture *picture, const char *path, vx_error *err)
{
    bool jpeg;
    AVPacket *packet;
    VX_TRY(vx_image_write_check(path, err));
    VX_TRY(kind_of(path, &jpeg, err));
    vx_status status = encode(picture, jpeg, path, &packet, err);
    if (status == VX_OK) status = vx_file_write(path, packet->data, (size_t)packet->size, err);
    av_packet_free(&packet);
    return status;
}

vx_status vx_image_write_png(const vx_picture *picture, const char *path, vx_error *err)
{
    AVPacket *packet;
    vx_status status = encode(picture, false, path, &packet, err);
    if (status == VX_OK) status = vx_file_write(path, packet->data, (size_t)packet->size, err);
    av_packet_free(&packet);
    return status;
}

vx_status vx_image_give(const vx_picture *picture, bool jpeg,
                        int (*write)(void *arg, const void *bytes, size_t count), void *arg,
                        vx_error *err)
{
    AVPacket *packet;
    vx_status status = encode(picture, jpeg, "the picture", &packet, err);
    if (status == VX_OK && write(arg, packet->data, (size_t)packet->size) != 0)
        status = vx_fail(err, VX_ERR_CANCELLED, "cancelled",
                         "whoever was given the picture does not want it");
    av_packet_free(&packet);
    return status;
}
