#include "media/video.h"

#include <assert.h>
#include <string.h>

#include <libswscale/swscale.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/av.h"
#include "media/pace.h"
#include "media/turn.h"

struct vx_video {
    char *path;
    vx_cancel *cancel;
    vx_av_input in;
    vx_av_frames memory;
    int stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame; /* the frame decoded last */
    AVFrame *shown; /* the frame that is shown, where that is not the one decoded last */
    struct SwsContext *scaler;
    int scaler_kind[5]; /* what it was made for: width, height, format, matrix, range */
    int orientation;    /* EXIF's; the film's display matrix */
    vx_picture lying;   /* the picture before it is turned; empty where it stands upright */
    vx_picture picture;
    vx_video_info info;
    int64_t packets, frames; /* read so far */
    bool flushing, waiting;  /* waiting: `frame` is decoded and not yet handed out */
    bool paced;              /* frames are picked by their times */
    int64_t turn;            /* number of the frame that a paced film shows next */
};

static vx_status fail_video(const vx_video *v, int code, vx_error *err)
{
    if (vx_cancelled(v->cancel)) return vx_fail_cancelled(err, v->path);
    if (code == AVERROR(ERANGE) && v->memory.refused)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_video", v->path, 0,
                          "the video %s needs more than %.0f MB for its pictures of %dx%d; convert "
                          "it to a smaller size",
                          v->path, (double)v->memory.bytes_max / 1e6, v->memory.width,
                          v->memory.height);
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
        int result =
            vx_cancelled(v->cancel) ? AVERROR_EXIT : av_read_frame(v->in.format, v->packet);
        if (result == AVERROR_EOF) {
            if (vx_cancelled(v->cancel)) return AVERROR_EXIT;
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
static int prepare_scaler(vx_video *v, const AVFrame *f)
{
    const vx_picture *to = v->lying.rgb != NULL ? &v->lying : &v->picture;
    const int kind[5] = {f->width, f->height, f->format, f->colorspace, f->color_range};
    if (v->scaler != NULL && memcmp(kind, v->scaler_kind, sizeof kind) == 0) return 0;
    sws_freeContext(v->scaler);
    v->scaler = sws_getContext(
        f->width, f->height, f->format, to->width, to->height, AV_PIX_FMT_RGB24,
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

/* Converts the frame to v->picture, upright. */
static int convert(vx_video *v, const AVFrame *f)
{
    if (f->width < 1 || f->height < 1 || f->format < 0) return AVERROR_INVALIDDATA;
    int result = prepare_scaler(v, f);
    if (result < 0) return result;
    const vx_picture *to = v->lying.rgb != NULL ? &v->lying : &v->picture;
    uint8_t *const planes[4] = {to->rgb};
    const int strides[4] = {(int)to->stride};
    int rows = sws_scale(v->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
                         planes, strides);
    if (rows >= 0 && to == &v->lying) vx_turn(&v->lying, v->orientation, &v->picture);
    return rows < 0 ? rows : 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int orientation_of(const AVStream *stream)
{
    const uint8_t *matrix = NULL;
    size_t bytes = 0;
    int32_t numbers[9];
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100) /* FFmpeg 6.1 moved it */
    const AVPacketSideData *side =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (side != NULL) {
        matrix = side->data;
        bytes = side->size;
    }
#else
    matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
#endif
    if (matrix == NULL || bytes < sizeof numbers) return 1;
    memcpy(numbers, matrix, sizeof numbers);
    return vx_turn_of_matrix(numbers);
}

static vx_status open_stream(vx_video *v, vx_error *err)
{
    v->memory = (vx_av_frames){.bytes_max = VX_FILM_FRAMES_BYTES};
    VX_TRY(vx_av_input_open(&v->in, v->path, v->cancel, err));
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
    VX_TRY(vx_av_decoder_open(&v->decoder, &v->memory, &v->in, v->stream, v->path, err));
    v->packet = av_packet_alloc();
    v->frame = av_frame_alloc();
    v->shown = av_frame_alloc();
    return v->packet != NULL && v->frame != NULL && v->shown != NULL
               ? VX_OK
               : fail_video(v, AVERROR(ENOMEM), err);
}

static void close_stream(vx_video *v)
{
    av_packet_free(&v->packet);
    av_frame_free(&v->frame);
    av_frame_free(&v->shown);
    avcodec_free_context(&v->decoder);
    vx_av_input_close(&v->in);
    v->packets = v->frames = v->turn = 0;
    v->flushing = v->waiting = false;
}

static double frame_time(const vx_video *v, const AVFrame *frame)
{
    int64_t at = frame->best_effort_timestamp;
    return at == AV_NOPTS_VALUE ? 0.0
                                : (double)at * av_q2d(v->in.format->streams[v->stream]->time_base);
}

/* Opens the stream and decodes its first frame, which waits to be handed out. */
static vx_status start(vx_video *v, vx_error *err)
{
    VX_TRY(open_stream(v, err));
    int result = decode(v);
    if (result < 0 && (vx_cancelled(v->cancel) || v->memory.refused))
        return fail_video(v, result, err);
    if (result == AVERROR_EOF || (result < 0 && v->frames == 0))
        return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_video", v->path, 0,
                          "the video %s holds not one frame that can be decoded; give another",
                          v->path);
    if (result < 0) return fail_video(v, result, err);
    v->waiting = true;
    return VX_OK;
}

/* What there is to say about the film, and pictures of its size. */
static vx_status describe(vx_video *v, vx_error *err)
{
    const AVStream *stream = v->in.format->streams[v->stream];
    AVRational fps = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : (AVRational){0, 1};
    v->orientation = orientation_of(stream);
    bool swap = vx_turn_swaps(v->orientation);
    v->info.width = swap ? v->frame->height : v->frame->width;
    v->info.height = swap ? v->frame->width : v->frame->height;
    v->info.fps_num = fps.num;
    v->info.fps_den = fps.den > 0 ? fps.den : 1;
    v->info.start_s = frame_time(v, v->frame);
    if (v->in.format->duration > 0)
        v->info.duration_s = (double)v->in.format->duration / AV_TIME_BASE;
    vx_status status = vx_image_new(&v->picture, v->info.width, v->info.height, err);
    if (status == VX_OK && v->orientation > 1)
        status = vx_image_new(&v->lying, v->frame->width, v->frame->height, err);
    /* A size that a decoder let through is the file's fault, not the caller's. */
    return status == VX_ERR_USAGE ? fail_video(v, AVERROR_INVALIDDATA, err) : status;
}

vx_status vx_video_open(vx_video **video, const char *path, vx_cancel *cancel, vx_error *err)
{
    *video = NULL;
    vx_video *v = vx_heap_alloc(sizeof *v);
    if (v != NULL) v->path = vx_heap_text(path, strlen(path));
    if (v == NULL || v->path == NULL) {
        vx_heap_free(v);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to open a video");
    }
    v->cancel = cancel;
    vx_status status = start(v, err);
    if (status == VX_OK) status = describe(v, err);
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
    vx_image_free(&v->lying);
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

/* ---- rate ------------------------------------------------------------------------------------ */

/* Times of the stream's packets from here to the end, which in nearly all files are its frames';
 * *timed is false where one has none. */
static vx_status read_times(vx_video *v, int64_t *time, int64_t *count, bool *timed, vx_error *err)
{
    *timed = true;
    for (*count = 0;;) {
        int result =
            vx_cancelled(v->cancel) ? AVERROR_EXIT : av_read_frame(v->in.format, v->packet);
        if (result == AVERROR_EOF && !vx_cancelled(v->cancel)) return VX_OK;
        if (result < 0) return fail_video(v, result, err);
        const AVPacket *p = v->packet;
        bool ours = p->stream_index == v->stream && !(p->flags & AV_PKT_FLAG_DISCARD);
        int64_t at = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
        av_packet_unref(v->packet);
        if (!ours) continue;
        if (*count == VX_FILM_FRAMES_MAX)
            return vx_fail_at(err, VX_ERR_INPUT, "too_long", v->path, 0,
                              "the video %s has more than %d frames; cut it", v->path,
                              VX_FILM_FRAMES_MAX);
        /* Times beyond a year at a nanosecond a tick are no times, and sums of
         * them would overflow. */
        *timed &= at != AV_NOPTS_VALUE && at > -(INT64_MAX >> 8) && at < INT64_MAX >> 8;
        time[(*count)++] = *timed ? at : 0;
    }
}

/* Opens the stream without decoding. */
static vx_status measure(vx_video *v, int64_t *time, vx_pace *pace, vx_error *err)
{
    int64_t count;
    bool timed;
    close_stream(v);
    VX_TRY(open_stream(v, err));
    const AVStream *stream = v->in.format->streams[v->stream];
    AVRational claimed = stream->avg_frame_rate;
    VX_TRY(read_times(v, time, &count, &timed, err));
    if (count < 1) return fail_video(v, AVERROR_INVALIDDATA, err);
    *pace =
        vx_pace_of(time, timed ? count : 1, av_q2d(stream->time_base), claimed.num, claimed.den);
    if (!timed) pace->seconds *= (double)count;
    v->info.frames = count;
    return VX_OK;
}

vx_status vx_video_pace(vx_video *video, int fps_num, int fps_den, vx_error *err)
{
    vx_video *v = video;
    vx_pace pace = {0};
    if (v->in.io->seekable == 0)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_video", v->path, 0,
                          "%s is a pipe, and a film is read more than once; give a file", v->path);
    int64_t *time = vx_heap_alloc(sizeof *time * VX_FILM_FRAMES_MAX);
    if (time == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the times of a film");
    vx_status status = measure(v, time, &pace, err);
    vx_heap_free(time);
    VX_TRY(status);
    if (!(pace.seconds <= VX_FILM_SECONDS_MAX + 1))
        return vx_fail_at(err, VX_ERR_INPUT, "too_long", v->path, 0,
                          "the video %s lasts %.6g s, and %d are the most; cut it", v->path,
                          pace.seconds, VX_FILM_SECONDS_MAX);
    bool asked = fps_num > 0;
    bool same = asked && (int64_t)fps_num * pace.den == (int64_t)pace.num * fps_den;
    v->paced = !pace.constant || (asked && !same);
    v->info.fps_num = asked ? fps_num : pace.num;
    v->info.fps_den = asked ? fps_den : pace.den;
    v->info.duration_s = pace.seconds;
    if (v->paced) v->info.frames = vx_pace_frames(pace.seconds, v->info.fps_num, v->info.fps_den);
    return vx_video_rewind(v, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Makes the next frame of the film the one in v->frame, without converting it. */
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

/* Makes the film's last picture at or before frame `turn`'s time the one in v->shown. */
static vx_status advance_paced(vx_video *v, bool *ended, vx_error *err)
{
    double time_s = v->info.start_s + (double)v->turn * v->info.fps_den / v->info.fps_num;
    *ended = v->turn >= v->info.frames;
    while (!*ended && v->waiting) {
        /* The first is shown in any case; a tenth of a millisecond is no lateness. */
        if (v->shown->buf[0] != NULL && frame_time(v, v->frame) > time_s + 1e-4) break;
        av_frame_unref(v->shown);
        av_frame_move_ref(v->shown, v->frame);
        int result = decode(v);
        v->waiting = result >= 0;
        if (result < 0 && result != AVERROR_EOF) return fail_video(v, result, err);
    }
    v->turn += !*ended;
    return VX_OK;
}

/* The next frame at the film's rate; NULL after the last. */
static vx_status next_frame(vx_video *v, const AVFrame **frame, vx_error *err)
{
    bool ended;
    if (v->paced)
        VX_TRY(advance_paced(v, &ended, err));
    else
        VX_TRY(advance(v, &ended, err));
    *frame = ended ? NULL : v->paced ? v->shown : v->frame;
    return VX_OK;
}

vx_status vx_video_next(vx_video *video, vx_picture *frame, double *time_s, bool *ended,
                        vx_error *err)
{
    const AVFrame *next;
    *frame = (vx_picture){0};
    VX_TRY(next_frame(video, &next, err));
    *ended = next == NULL;
    if (*ended) return VX_OK;
    int result = convert(video, next);
    if (result < 0) return fail_video(video, result, err);
    if (time_s != NULL) *time_s = frame_time(video, next);
    *frame = video->picture;
    return VX_OK;
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
                      int64_t *frames, vx_error *err)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        index[i] = vx_video_key_frame(i, count, expected);
        vx_image_free(&picture[i]);
    }
    for (*frames = 0;; ++*frames) {
        const AVFrame *next;
        VX_TRY(next_frame(v, &next, err));
        if (next == NULL) return VX_OK;
        if (kept == count || index[kept] != *frames) continue;
        int result = convert(v, next);
        if (result < 0) return fail_video(v, result, err);
        for (; kept < count && index[kept] == *frames; kept++)
            VX_TRY(copy_picture(&v->picture, &picture[kept], err));
    }
}

vx_status vx_video_key_frames(vx_video *video, int count, int64_t *index, vx_picture *picture,
                              int64_t *frames, vx_error *err)
{
    assert(count >= 2);
    memset(picture, 0, (size_t)count * sizeof *picture);
    vx_status status = vx_video_pace(video, 0, 1, err);
    int64_t expected = video->info.frames;
    /* Once more when packets and frames are not the same number. */
    for (int attempt = 0; attempt < 2 && status == VX_OK; attempt++) {
        if (attempt > 0) status = vx_video_rewind(video, err);
        if (expected < 1) expected = 1;
        if (status == VX_OK) status = pick(video, count, expected, index, picture, frames, err);
        if (status == VX_OK && *frames == expected) return VX_OK;
        expected = *frames;
    }
    if (status == VX_OK) status = fail_video(video, AVERROR_INVALIDDATA, err);
    for (int i = 0; i < count; i++)
        vx_image_free(&picture[i]);
    return status;
}
