#include "media/image.h"

#include <assert.h>
#include <string.h>

#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/warnings.h"
#include "media/av.h"
#include "media/image_convert.h"
#include "media/image_heif.h"
#include "media/image_probe.h"
#include "media/turn.h"

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

/* ---- decoding -------------------------------------------------------------------------------- */

static enum AVCodecID codec_of(vx_image_format format)
{
    static const enum AVCodecID codecs[] = {
        [VX_IMAGE_PNG] = AV_CODEC_ID_PNG,   [VX_IMAGE_JPEG] = AV_CODEC_ID_MJPEG,
        [VX_IMAGE_WEBP] = AV_CODEC_ID_WEBP, [VX_IMAGE_GIF] = AV_CODEC_ID_GIF,
        [VX_IMAGE_BMP] = AV_CODEC_ID_BMP,   [VX_IMAGE_TIFF] = AV_CODEC_ID_TIFF,
        [VX_IMAGE_PNM] = AV_CODEC_ID_PPM,   [VX_IMAGE_QOI] = AV_CODEC_ID_QOI,
        [VX_IMAGE_TGA] = AV_CODEC_ID_TARGA};
    return codecs[format];
}

/* One picture on its way in. */
typedef struct decoding {
    const char *name;
    vx_image_reading *reading;
    vx_image_info info;
    vx_av_frames frames;
    AVCodecContext *decoder;
    AVFrame *frame;
} decoding;

static void free_nothing(void *opaque, uint8_t *data)
{
    (void)opaque;
    (void)data;
}

/* `padded`: VX_FILE_PADDING zero bytes follow the data, which then need no copy. */
static int decode_frame(decoding *d, const uint8_t *data, size_t bytes, bool padded)
{
    AVPacket *packet = av_packet_alloc();
    int result = packet != NULL ? 0 : AVERROR(ENOMEM);
    if (result >= 0 && padded) {
        packet->buf = av_buffer_create((uint8_t *)(uintptr_t)data, bytes, free_nothing, NULL,
                                       AV_BUFFER_FLAG_READONLY);
        packet->data = (uint8_t *)(uintptr_t)data;
        packet->size = (int)bytes;
        result = packet->buf != NULL ? 0 : AVERROR(ENOMEM);
    } else if (result >= 0) {
        result = av_new_packet(packet, (int)bytes);
        if (result >= 0) memcpy(packet->data, data, bytes);
    }
    if (result >= 0) {
        packet->flags |= AV_PKT_FLAG_KEY;
        result = avcodec_send_packet(d->decoder, packet);
    }
    if (result >= 0) result = avcodec_receive_frame(d->decoder, d->frame);
    if (result == AVERROR(EAGAIN)) {
        avcodec_send_packet(d->decoder, NULL);
        result = avcodec_receive_frame(d->decoder, d->frame);
    }
    av_packet_free(&packet);
    return result;
}

/* How often a JPEG must be halved so that neither the decoder's picture (three bytes a pixel at
 * most), nor its coefficients, nor the RGB goes beyond the bound. */
static int halvings(const decoding *d)
{
    size_t most = d->frames.bytes_max;
    int n = 0;
    int longest = d->info.width > d->info.height ? d->info.width : d->info.height;
    while (n < 3 && (((size_t)d->info.width >> n) * ((size_t)d->info.height >> n) * 3 > most ||
                     longest >> n > VX_IMAGE_SIDE_MAX))
        n++;
    return n;
}

static int open_decoder(decoding *d)
{
    const AVCodec *codec = avcodec_find_decoder(codec_of(d->info.format));
    if (codec == NULL) return AVERROR_DECODER_NOT_FOUND;
    d->decoder = avcodec_alloc_context3(codec);
    if (d->decoder == NULL) return AVERROR(ENOMEM);
    d->decoder->thread_count = 1;
    d->decoder->idct_algo = FF_IDCT_FAAN; /* nearest to libjpeg: 1 level in 2 % of samples */
    d->decoder->err_recognition = AV_EF_EXPLODE | AV_EF_CRCCHECK;
    d->decoder->max_pixels = VX_IMAGE_PIXELS_MAX;
    if (d->info.format == VX_IMAGE_JPEG) {
        d->decoder->lowres = halvings(d);
        /* The fine transform makes whole blocks only. */
        if (d->decoder->lowres > 0) d->decoder->idct_algo = FF_IDCT_AUTO;
    }
    vx_av_count_frames(d->decoder, &d->frames);
    return avcodec_open2(d->decoder, codec, NULL);
}

static vx_status fail_decode(int result, const decoding *d, vx_error *err)
{
    int w = d->frames.width, h = d->frames.height;
    if (w > VX_IMAGE_SIDE_MAX || h > VX_IMAGE_SIDE_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", d->name, 0,
                          "the image %s is %dx%d, and sides may be at most %d; make it smaller",
                          d->name, w, h, VX_IMAGE_SIDE_MAX);
    if (d->frames.refused)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", d->name, 0,
                          "the image %s is %dx%d and takes more than %.0f MB to decode; make it "
                          "smaller, or save it as JPEG",
                          d->name, w, h, (double)d->frames.bytes_max / 1e6);
    if (result == AVERROR(EINVAL)) /* max_pixels, or a header that contradicts itself */
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", d->name, 0,
                          "the image %s has more than %d million pixels, or is broken; make it "
                          "smaller, or save it again as PNG",
                          d->name, (int)(VX_IMAGE_PIXELS_MAX / 1000000));
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_image", d->name, 0,
                      "the image %s is broken: %s; save it again as PNG", d->name,
                      vx_av_strerror(result).text);
}

static bool is_usable(const AVFrame *frame, const AVPixFmtDescriptor *desc)
{
    return desc != NULL && frame->width > 0 && frame->height > 0 && frame->data[0] != NULL &&
           desc->comp[0].depth <= 16 &&
           (desc->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_FLOAT)) == 0 &&
           (frame->flags & AV_FRAME_FLAG_CORRUPT) == 0;
}

/* The decoded frame becomes the picture. */
static vx_status take_frame(decoding *d, vx_picture *picture, bool *blended, vx_error *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(d->frame->format);
    if (!is_usable(d->frame, desc)) return fail_decode(AVERROR_INVALIDDATA, d, err);
    const vx_image_info *info = &d->info;
    int width = d->frame->width, height = d->frame->height;
    if (info->animated) {
        if (info->left + width > info->width || info->top + height > info->height)
            return fail_decode(AVERROR_INVALIDDATA, d, err);
        width = info->width;
        height = info->height;
    }
    vx_image_sink sink;
    VX_TRY(vx_image_sink_open(&sink, picture, width, height, info->orientation,
                              d->reading->side_max, d->reading->background, d->name, err));
    bool done = vx_image_convert(d->frame, desc, info->opaque, info->left, info->top, &sink);
    vx_image_sink_close(&sink);
    *blended = sink.blended;
    if (info->format == VX_IMAGE_JPEG) { /* as it was before the decoder halved it */
        width = info->width;
        height = info->height;
    }
    vx_image_say_size(d->reading, width, height, info->orientation);
    if (done) return VX_OK;
    vx_image_free(picture);
    return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", d->name, 0,
                      "not enough memory to convert %s; free some memory", d->name);
}

/* A progressive JPEG keeps its coefficients, two bytes each, until the last scan. */
static vx_status check_jpeg(const decoding *d, vx_error *err)
{
    const vx_image_info *info = &d->info;
    int64_t pixels = (int64_t)info->width * info->height;
    size_t heap = d->reading->heap_max > 0 ? d->reading->heap_max : VX_IMAGE_DECODED_MAX;
    if (info->coefficient_bytes <= (int64_t)heap && pixels <= VX_IMAGE_PIXELS_MAX) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_image", d->name, 0,
                      "the %s JPEG %s is %dx%d, too large to decode; make it smaller%s",
                      info->coefficient_bytes > 0 ? "progressive" : "baseline", d->name,
                      info->width, info->height,
                      info->coefficient_bytes > 0 ? ", or save it without progression" : "");
}

static vx_status decode_probed(decoding *d, vx_picture *picture, const uint8_t *data, size_t bytes,
                               bool padded, vx_error *err)
{
    bool blended = false;
    vx_status status = VX_OK;
    if (d->info.format == VX_IMAGE_HEIF) {
        status = vx_heif_decode(picture, data, bytes, d->name, d->reading, &blended, err);
    } else {
        if (d->info.format == VX_IMAGE_JPEG) VX_TRY(check_jpeg(d, err));
        d->frame = av_frame_alloc();
        int result = d->frame != NULL ? open_decoder(d) : AVERROR(ENOMEM);
        if (result >= 0) result = decode_frame(d, data, bytes, padded);
        status = result < 0 ? fail_decode(result, d, err) : take_frame(d, picture, &blended, err);
        av_frame_free(&d->frame);
        avcodec_free_context(&d->decoder);
    }
    if (status == VX_OK && blended)
        vx_warn("transparent", d->name, "%s is transparent in places; the background shows there",
                d->name);
    return status;
}

/* The first frame of an animated WebP as a still one, on the heap. */
static vx_status take_first(decoding *d, const uint8_t *data, size_t bytes, uint8_t **still,
                            size_t *still_bytes, vx_error *err)
{
    *still = vx_heap_alloc(bytes + VX_WEBP_HEAD + VX_FILE_PADDING);
    if (*still == NULL)
        return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", d->name, 0,
                          "not enough memory to read %s; free some memory", d->name);
    *still_bytes = vx_webp_first(&d->info, data, bytes, *still);
    return *still_bytes > 0 ? VX_OK : fail_decode(AVERROR_INVALIDDATA, d, err);
}

static vx_status decode(vx_picture *picture, const uint8_t *data, size_t bytes, bool padded,
                        const char *name, vx_image_reading *reading, vx_error *err)
{
    vx_image_reading plain = {0};
    if (reading == NULL) reading = &plain;
    decoding d = {.name = name, .reading = reading, .info = vx_image_probe(data, bytes)};
    size_t most = VX_IMAGE_DECODED_MAX;
    if (reading->memory != NULL && reading->memory_bytes < most) most = reading->memory_bytes;
    d.frames = (vx_av_frames){
        .bytes_max = most, .memory = reading->memory, .memory_bytes = reading->memory_bytes};
    vx_av_quiet();
    if (d.info.format == VX_IMAGE_UNKNOWN || bytes > VX_IMAGE_BYTES_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "%s is no image that can be read; give a PNG, JPEG, WebP, HEIC, AVIF, "
                          "GIF, BMP, TIFF, TGA, PNM or QOI",
                          name);
    if (!d.info.whole)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_image", name, 0,
                          "the image %s is cut short; copy it again", name);
    if (vx_cancelled(reading->cancel)) return vx_fail_cancelled(err, name);
    uint8_t *still = NULL;
    vx_status status = VX_OK;
    if (d.info.animated) {
        status = take_first(&d, data, bytes, &still, &bytes, err);
        data = still;
        padded = true;
    }
    if (status == VX_OK) status = decode_probed(&d, picture, data, bytes, padded, err);
    vx_heap_free(still);
    return status;
}

vx_status vx_image_decode(vx_picture *picture, const void *data, size_t bytes, const char *name,
                          vx_image_reading *reading, vx_error *err)
{
    *picture = (vx_picture){0};
    return decode(picture, data, bytes, reading != NULL && reading->padded, name, reading, err);
}

vx_status vx_image_read(vx_picture *picture, const char *path, vx_image_reading *reading,
                        vx_error *err)
{
    *picture = (vx_picture){0};
    char *data;
    size_t bytes;
    vx_status status =
        vx_file_read_from(path, VX_FILE_ANY, VX_IMAGE_BYTES_MAX,
                          reading != NULL ? reading->cancel : NULL, &data, &bytes, err);
    VX_TRY(status);
    status = decode(picture, (const uint8_t *)data, bytes, true, path, reading, err);
    vx_heap_free(data);
    return status;
}
