#include "media/video.h"

#include <assert.h>
#include <string.h>

#include <libswscale/swscale.h>

#include "base/mem.h"
#include "media/av.h"

struct vx_video {
    char *path;
    vx_av_input in;
    int stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame; /* the frame decoded last */
    struct SwsContext *scaler;
    int scaler_kind[5]; /* what it was made for: width, height, format, matrix, range */
    vx_picture picture;
    vx_video_info info;
    int64_t packets, frames; /* read so far */
    bool flushing, waiting;  /* waiting: `frame` is decoded and not yet handed out */
};

static vx_status fail_video(const vx_video *v, int code, vx_error *err)
{
    return vx_fail_at(err, vx_av_status(code, VX_ERR_INPUT), "bad_video", v->path, 0,
                      "the video %s is broken after frame %lld: %s; convert it again", v->path,
                      (long long)v->frames, vx_av_strerror(code).text);
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* True when the index of an MP4 promises packets that the file no longer holds. */
static bool cut_short(const vx_video *v)
{
    if (strncmp(v->in.format->iformat->name, "mov,", 4) != 0) return false;
    return v->packets < avformat_index_get_entries_count(v->in.format->streams[v->stream]);
}

/* Feeds the decoder one packet of our stream, or the end. */
static int feed(vx_video *v)
{
    for (;;) {
        int result = av_read_frame(v->in.format, v->packet);
        if (result == AVERROR_EOF) {
            if (cut_short(v)) return AVERROR_INVALIDDATA;
            v->flushing = true;
            return avcodec_send_packet(v->decoder, NULL);
        }
        if (result < 0) return result;
        bool ours = v->packet->stream_index == v->stream;
        bool cut = (v->packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
        if (ours) {
            v->packets++;
            result = cut ? AVERROR_INVALIDDATA : avcodec_send_packet(v->decoder, v->packet);
        }
        av_packet_unref(v->packet);
        /* Recordings of broadcasts begin in the middle of things. */
        if (result == AVERROR_INVALIDDATA && v->frames == 0) continue;
        if (ours) return result;
    }
}

/* The next frame into v->frame; AVERROR_EOF after the last. */
static int decode(vx_video *v)
{
    for (;;) {
        int result = avcodec_receive_frame(v->decoder, v->frame);
        if (result >= 0) {
            v->frames++;
            return 0;
        }
        bool early = result == AVERROR_INVALIDDATA && v->frames == 0;
        if (result != AVERROR(EAGAIN) && !early) return result;
        if (v->flushing) return AVERROR_EOF;
        result = feed(v);
        if (result < 0) return result;
    }
}

/* Makes the converter for the frame's kind of picture, or keeps the one there is. Where the file
 * does not name its matrix it is BT.601, the decoders' convention. */
static int prepare_scaler(vx_video *v)
{
    const AVFrame *f = v->frame;
    const int kind[5] = {f->width, f->height, f->format, f->colorspace, f->color_range};
    if (v->scaler != NULL && memcmp(kind, v->scaler_kind, sizeof kind) == 0) return 0;
    sws_freeContext(v->scaler);
    v->scaler = sws_getContext(
        f->width, f->height, f->format, v->picture.width, v->picture.height, AV_PIX_FMT_RGB24,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT, NULL, NULL, NULL);
    if (v->scaler == NULL) return AVERROR(ENOSYS);
    int matrix = f->colorspace == AVCOL_SPC_BT709        ? SWS_CS_ITU709
                 : f->colorspace == AVCOL_SPC_BT2020_NCL ? SWS_CS_BT2020
                 : f->colorspace == AVCOL_SPC_SMPTE240M  ? SWS_CS_SMPTE240M
                                                         : SWS_CS_ITU601;
    sws_setColorspaceDetails(v->scaler, sws_getCoefficients(matrix),
                             f->color_range == AVCOL_RANGE_JPEG,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    memcpy(v->scaler_kind, kind, sizeof kind);
    return 0;
}

/* Converts v->frame to v->picture. */
static int convert(vx_video *v)
{
    const AVFrame *f = v->frame;
    if (f->width < 1 || f->height < 1 || f->format < 0) return AVERROR_INVALIDDATA;
    int result = prepare_scaler(v);
    if (result < 0) return result;
    uint8_t *const planes[4] = {v->picture.rgb};
    const int strides[4] = {(int)v->picture.stride};
    int rows = sws_scale(v->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
                         planes, strides);
    return rows < 0 ? rows : 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static vx_status open_stream(vx_video *v, vx_error *err)
{
    VX_TRY(vx_av_input_open(&v->in, v->path, err));
    AVFormatContext *format = v->in.format;
    v->stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (v->stream < 0)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_video", v->path, 0,
                          "%s has no video track; give a film or an image", v->path);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if ((int)i != v->stream) format->streams[i]->discard = AVDISCARD_ALL;
        if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            v->info.has_sound = true;
    }
    VX_TRY(vx_av_decoder_open(&v->decoder, &v->in, v->stream, v->path, err));
    v->packet = av_packet_alloc();
    v->frame = av_frame_alloc();
    return v->packet != NULL && v->frame != NULL ? VX_OK : fail_video(v, AVERROR(ENOMEM), err);
}

static void close_stream(vx_video *v)
{
    av_packet_free(&v->packet);
    av_frame_free(&v->frame);
    avcodec_free_context(&v->decoder);
    vx_av_input_close(&v->in);
    v->packets = v->frames = 0;
    v->flushing = v->waiting = false;
}

static double frame_time(const vx_video *v)
{
    int64_t at = v->frame->best_effort_timestamp;
    return at == AV_NOPTS_VALUE ? 0.0
                                : (double)at * av_q2d(v->in.format->streams[v->stream]->time_base);
}

/* Opens the stream and decodes its first frame, which waits to be handed out. */
static vx_status start(vx_video *v, vx_error *err)
{
    VX_TRY(open_stream(v, err));
    int result = decode(v);
    if (result == AVERROR(ERANGE))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_video", v->path, 0,
                          "the video %s is too large; sides may be at most %d", v->path,
                          VX_IMAGE_SIDE_MAX);
    if (result == AVERROR_EOF || (result < 0 && v->frames == 0))
        return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_video", v->path, 0,
                          "the video %s holds not one frame that can be decoded; give another",
                          v->path);
    if (result < 0) return fail_video(v, result, err);
    v->waiting = true;
    return VX_OK;
}

vx_status vx_video_open(vx_video **video, const char *path, vx_error *err)
{
    *video = NULL;
    vx_video *v = vx_heap_alloc(sizeof *v);
    if (v != NULL) v->path = vx_heap_text(path, strlen(path));
    if (v == NULL || v->path == NULL) {
        vx_heap_free(v);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to open a video");
    }
    vx_status status = start(v, err);
    if (status == VX_OK) {
        const AVStream *stream = v->in.format->streams[v->stream];
        AVRational fps =
            stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : (AVRational){0, 1};
        v->info.width = v->frame->width;
        v->info.height = v->frame->height;
        v->info.fps_num = fps.num;
        v->info.fps_den = fps.den > 0 ? fps.den : 1;
        v->info.start_s = frame_time(v);
        if (v->in.format->duration > 0)
            v->info.duration_s = (double)v->in.format->duration / AV_TIME_BASE;
        status = vx_image_new(&v->picture, v->info.width, v->info.height, err);
        /* A size that a decoder let through is the file's fault, not the caller's. */
        if (status == VX_ERR_USAGE) status = fail_video(v, AVERROR_INVALIDDATA, err);
    }
    if (status != VX_OK)
        vx_video_close(&v);
    else
        *video = v;
    return status;
}

void vx_video_close(vx_video **video)
{
    vx_video *v = *video;
    if (v == NULL) return;
    close_stream(v);
    sws_freeContext(v->scaler);
    vx_image_free(&v->picture);
    vx_heap_free(v->path);
    vx_heap_free(v);
    *video = NULL;
}

const vx_video_info *vx_video_about(const vx_video *video)
{
    return &video->info;
}

vx_status vx_video_rewind(vx_video *video, vx_error *err)
{
    close_stream(video);
    return start(video, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Makes the next frame the current one, without converting it. */
static vx_status advance(vx_video *v, bool *ended, vx_error *err)
{
    *ended = false;
    assert(v->frame != NULL); /* after a failed rewind only close makes sense */
    if (v->waiting) {
        v->waiting = false;
        return VX_OK;
    }
    int result = decode(v);
    *ended = result == AVERROR_EOF;
    return result < 0 && !*ended ? fail_video(v, result, err) : VX_OK;
}

vx_status vx_video_next(vx_video *video, vx_picture *frame, double *time_s, bool *ended,
                        vx_error *err)
{
    *frame = (vx_picture){0};
    VX_TRY(advance(video, ended, err));
    if (*ended) return VX_OK;
    int result = convert(video);
    if (result < 0) return fail_video(video, result, err);
    if (time_s != NULL) *time_s = frame_time(video);
    *frame = video->picture;
    return VX_OK;
}

/* Packets of the stream from here to the end: in nearly all files the number of frames. */
static vx_status count_packets(vx_video *v, int64_t *count, vx_cancel *cancel, vx_error *err)
{
    for (*count = v->packets;;) {
        if (vx_cancelled(cancel))
            return vx_fail(err, VX_ERR_CANCELLED, "cancelled", "reading %s was cancelled", v->path);
        int result = av_read_frame(v->in.format, v->packet);
        if (result == AVERROR_EOF) return VX_OK;
        if (result < 0) return fail_video(v, result, err);
        if (v->packet->stream_index == v->stream && !(v->packet->flags & AV_PKT_FLAG_DISCARD))
            ++*count;
        av_packet_unref(v->packet);
    }
}

static vx_status copy_picture(const vx_picture *from, vx_picture *to, vx_error *err)
{
    VX_TRY(vx_image_new(to, from->width, from->height, err));
    memcpy(to->rgb, from->rgb, (size_t)from->stride * (size_t)from->height);
    return VX_OK;
}

/* Decodes all frames, keeping the key frames of a film of `expected` frames; *frames is what there
 * really was. */
static vx_status pick(vx_video *v, int count, int64_t expected, int64_t *index, vx_picture *picture,
                      int64_t *frames, vx_cancel *cancel, vx_error *err)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        index[i] = vx_video_key_frame(i, count, expected);
        vx_image_free(&picture[i]);
    }
    for (*frames = 0;; ++*frames) {
        bool ended;
        if (vx_cancelled(cancel))
            return vx_fail(err, VX_ERR_CANCELLED, "cancelled", "reading %s was cancelled", v->path);
        VX_TRY(advance(v, &ended, err));
        if (ended) return VX_OK;
        if (kept == count || index[kept] != *frames) continue;
        int result = convert(v);
        if (result < 0) return fail_video(v, result, err);
        for (; kept < count && index[kept] == *frames; kept++)
            VX_TRY(copy_picture(&v->picture, &picture[kept], err));
    }
}

vx_status vx_video_key_frames(vx_video *video, int count, int64_t *index, vx_picture *picture,
                              int64_t *frames, vx_cancel *cancel, vx_error *err)
{
    assert(count >= 2);
    memset(picture, 0, (size_t)count * sizeof *picture);
    int64_t expected = 0;
    vx_status status = vx_video_rewind(video, err);
    if (status == VX_OK) status = count_packets(video, &expected, cancel, err);
    /* Once more when packets and frames are not the same number. */
    for (int attempt = 0; attempt < 2 && status == VX_OK; attempt++) {
        status = vx_video_rewind(video, err);
        if (expected < 1) expected = 1;
        if (status == VX_OK)
            status = pick(video, count, expected, index, picture, frames, cancel, err);
        if (status == VX_OK && *frames == expected) return VX_OK;
        expected = *frames;
    }
    if (status == VX_OK) status = fail_video(video, AVERROR_INVALIDDATA, err);
    for (int i = 0; i < count; i++)
        vx_image_free(&picture[i]);
    return status;
}
