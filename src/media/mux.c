#include "media/mux.h"

#include <assert.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/av.h"
#include "media/yuv.h"

enum {
    WRITE_BUFFER_BYTES = 1 << 16,
    CRF_DEFAULT = 20,
    AUDIO_BITS_PER_S = 96000 /* mono speech at 24 kHz: transparent, and below AAC's ceiling there */
};

typedef struct track {
    AVCodecContext *encoder;
    AVStream *stream;
    AVFrame *frame;
    int64_t next; /* timestamp of the next frame, in the encoder's time base */
} track;

struct vx_mux {
    vx_outfile file;
    vx_status file_status; /* the first failure of writing, which the libraries only pass on */
    vx_error file_error;
    uint64_t position; /* where the library's next bytes belong */
    AVIOContext *io;
    AVFormatContext *format;
    AVPacket *packet;
    track video, audio;
    int audio_filled;      /* samples waiting in audio.frame */
    vx_picture last;       /* a copy of the previous frame's pixels */
    bool failed, has_last; /* failed: only abort makes sense */
    bool ended;            /* vx_mux_end was called */
};

/* ---- bytes to the file ----------------------------------------------------------------------- */

#if LIBAVFORMAT_VERSION_MAJOR >= 61
static int write_bytes(void *opaque, const uint8_t *data, int size)
#else
static int write_bytes(void *opaque, uint8_t *data, int size)
#endif
{
    vx_mux *mux = opaque;
    if (mux->file_status == VX_OK)
        mux->file_status =
            vx_outfile_write_at(&mux->file, mux->position, data, (size_t)size, &mux->file_error);
    if (mux->file_status != VX_OK) return AVERROR(EIO);
    mux->position += (uint64_t)size;
    return size;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    vx_mux *mux = opaque;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE) return (int64_t)mux->file.written;
    if (whence == SEEK_CUR) offset += (int64_t)mux->position;
    if (whence == SEEK_END) offset += (int64_t)mux->file.written;
    if (offset < 0) return AVERROR(EINVAL);
    mux->position = (uint64_t)offset;
    return offset;
}

/* Marks the mux as failed and puts the cause in words: the disk's own if there was one. */
static vx_status fail_mux(vx_mux *mux, int code, const char *doing, vx_error *err)
{
    mux->failed = true;
    if (mux->file_status != VX_OK) {
        if (err != NULL) *err = mux->file_error;
        return mux->file_status;
    }
    return vx_fail(err, vx_av_status(code, VX_ERR_INTERNAL), "encode_failed",
                   "%s failed: %s; try other output settings", doing, vx_av_strerror(code).text);
}

size_t vx_mux_bytes(int width, int height, int threads)
{
    enum { FIXED = 16000000, OF_PIXEL = 75, OF_PIXEL_AND_THREAD = 12 };
    assert(width > 0 && height > 0 && threads > 0);
    size_t of_pixel = OF_PIXEL + OF_PIXEL_AND_THREAD * (size_t)threads;
    return FIXED + of_pixel * (size_t)width * (size_t)height;
}

/* ---- opening --------------------------------------------------------------------------------- */

static vx_status check_params(const vx_mux_params *p, vx_error *err)
{
    int den = p->fps_den != 0 ? p->fps_den : 1;
    if (p->width < 16 || p->height < 16 || p->width > VX_IMAGE_SIDE_MAX ||
        p->height > VX_IMAGE_SIDE_MAX)
        return vx_fail(err, VX_ERR_USAGE, "bad_size",
                       "a film of %dx%d is not possible; sides go from 16 to %d", p->width,
                       p->height, VX_IMAGE_SIDE_MAX);
    if (den < 0 || p->fps_num < den || (int64_t)p->fps_num > 240 * (int64_t)den)
        return vx_fail(err, VX_ERR_USAGE, "bad_fps",
                       "%d/%d frames per second are not possible; choose 1 to 240", p->fps_num,
                       den);
    if (p->sample_rate != 0 && (p->sample_rate < 8000 || p->sample_rate > 48000))
        return vx_fail(err, VX_ERR_USAGE, "bad_sample_rate",
                       "sound of %d samples per second is not possible; choose 8000 to 48000",
                       p->sample_rate);
    if (p->crf < 0 || p->crf > 51)
        return vx_fail(err, VX_ERR_USAGE, "bad_quality",
                       "a quality (CRF) of %d is not possible; choose 1 (best) to 51", p->crf);
    if (p->container == VX_MP4 && p->path != NULL && strcmp(p->path, "-") == 0)
        return vx_fail(err, VX_ERR_USAGE, "bad_output",
                       "MP4 cannot be written to a pipe; choose a file or the container mkv");
    return VX_OK;
}

static int open_video(vx_mux *mux, const vx_mux_params *p)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = mux->video.encoder = avcodec_alloc_context3(codec);
    if (encoder == NULL) return AVERROR(ENOMEM);
    AVRational fps = {p->fps_num, p->fps_den != 0 ? p->fps_den : 1};
    encoder->width = (p->width + 1) & ~1;
    encoder->height = (p->height + 1) & ~1;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = av_inv_q(fps);
    encoder->framerate = fps;
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->color_range = AVCOL_RANGE_MPEG;
    encoder->colorspace = AVCOL_SPC_BT709;
    encoder->color_primaries = AVCOL_PRI_BT709;
    encoder->color_trc = AVCOL_TRC_BT709;
    encoder->chroma_sample_location = AVCHROMA_LOC_LEFT;
    encoder->thread_count = p->threads > 0 ? p->threads : 1;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    av_opt_set(encoder->priv_data, "preset", p->preset != NULL ? p->preset : "veryfast", 0);
    av_opt_set_double(encoder->priv_data, "crf", p->crf > 0 ? p->crf : CRF_DEFAULT, 0);
    int result = avcodec_open2(encoder, codec, NULL);
    if (result < 0) return result;
    AVFrame *frame = mux->video.frame = av_frame_alloc();
    if (frame == NULL) return AVERROR(ENOMEM);
    frame->format = encoder->pix_fmt;
    frame->width = encoder->width;
    frame->height = encoder->height;
    frame->color_range = encoder->color_range;
    frame->colorspace = encoder->colorspace;
    return av_frame_get_buffer(frame, 0);
}

static int open_audio(vx_mux *mux, const vx_mux_params *p)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == NULL) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = mux->audio.encoder = avcodec_alloc_context3(codec);
    if (encoder == NULL) return AVERROR(ENOMEM);
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = p->sample_rate;
    encoder->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    encoder->time_base = (AVRational){1, p->sample_rate};
    encoder->bit_rate = AUDIO_BITS_PER_S;
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    int result = avcodec_open2(encoder, codec, NULL);
    if (result < 0) return result;
    AVFrame *frame = mux->audio.frame = av_frame_alloc();
    if (frame == NULL) return AVERROR(ENOMEM);
    frame->format = encoder->sample_fmt;
    frame->sample_rate = p->sample_rate;
    frame->nb_samples = encoder->frame_size;
    frame->ch_layout = encoder->ch_layout;
    return av_frame_get_buffer(frame, 0);
}

static int add_stream(vx_mux *mux, track *t)
{
    t->stream = avformat_new_stream(mux->format, NULL);
    if (t->stream == NULL) return AVERROR(ENOMEM);
    t->stream->time_base = t->encoder->time_base;
    if (t->encoder->codec_type == AVMEDIA_TYPE_VIDEO) {
        t->stream->avg_frame_rate = t->encoder->framerate;
        t->stream->sample_aspect_ratio = t->encoder->sample_aspect_ratio;
    }
    return avcodec_parameters_from_context(t->stream->codecpar, t->encoder);
}

static int open_io(vx_mux *mux)
{
    uint8_t *buffer = av_malloc(WRITE_BUFFER_BYTES);
    if (buffer == NULL) return AVERROR(ENOMEM);
    mux->io = avio_alloc_context(buffer, WRITE_BUFFER_BYTES, 1, mux, NULL, write_bytes, seek_bytes);
    if (mux->io == NULL) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    if (!mux->file.seekable) mux->io->seekable = 0;
    return 0;
}

static int open_container(vx_mux *mux, const vx_mux_params *p)
{
    bool mp4 = p->container == VX_MP4;
    int result = avformat_alloc_output_context2(&mux->format, NULL, mp4 ? "mp4" : "matroska", NULL);
    if (result < 0) return result;
    AVFormatContext *format = mux->format;
    format->pb = mux->io;
    format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    /* Packets of one stream wait for the other's, however late those come. */
    format->max_interleave_delta = 0;
    /* Matroska: sound before zero is priming, which its codec delay already tells. */
    if (!mp4) format->avoid_negative_ts = 0;
    /* To move its index to the front the MP4 writer reads its own file again, by name. */
    const char *temp = vx_outfile_temp_path(&mux->file);
    format->url = av_asprintf("file:%s", temp != NULL ? temp : "");
    if (format->url == NULL) return AVERROR(ENOMEM);
    if (p->title != NULL) av_dict_set(&format->metadata, "title", p->title, 0);
    if (p->comment != NULL) av_dict_set(&format->metadata, "comment", p->comment, 0);
    result = add_stream(mux, &mux->video);
    if (result >= 0 && mux->audio.encoder != NULL) result = add_stream(mux, &mux->audio);
    AVDictionary *options = NULL;
    if (result >= 0 && mp4) result = av_dict_set(&options, "movflags", "+faststart", 0);
    if (result >= 0) result = avformat_write_header(format, &options);
    av_dict_free(&options);
    return result;
}

static vx_status start(vx_mux *mux, const vx_mux_params *p, vx_error *err)
{
    VX_TRY(vx_outfile_open(&mux->file, p->path, err));
    if (p->container == VX_MP4 && !mux->file.seekable)
        return vx_fail_at(err, VX_ERR_USAGE, "bad_output", p->path, 0,
                          "MP4 cannot be written to %s, which has no positions; choose a file or "
                          "the container mkv",
                          p->path);
    VX_TRY(vx_image_new(&mux->last, p->width, p->height, err));
    mux->packet = av_packet_alloc();
    int result = mux->packet != NULL ? open_video(mux, p) : AVERROR(ENOMEM);
    if (result >= 0 && p->sample_rate > 0) result = open_audio(mux, p);
    if (result == AVERROR_ENCODER_NOT_FOUND)
        return vx_fail(err, VX_ERR_MISSING, "no_encoder",
                       "FFmpeg's libavcodec here has no libx264 or no AAC encoder; install a build "
                       "with both");
    if (result >= 0) result = open_io(mux);
    if (result >= 0) result = open_container(mux, p);
    return result >= 0 ? VX_OK : fail_mux(mux, result, "opening the film", err);
}

vx_status vx_mux_open(vx_mux **mux, const vx_mux_params *params, vx_error *err)
{
    *mux = NULL;
    vx_av_quiet();
    VX_TRY(check_params(params, err));
    vx_mux *m = vx_heap_alloc(sizeof *m);
    if (m == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to open a film");
    vx_status status = start(m, params, err);
    if (status != VX_OK)
        vx_mux_abort(&m);
    else
        *mux = m;
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Hands one frame (NULL: no more) to the encoder and what comes out of it to the container. */
static int encode(vx_mux *mux, track *t, AVFrame *frame)
{
    int result = avcodec_send_frame(t->encoder, frame);
    while (result >= 0) {
        result = avcodec_receive_packet(t->encoder, mux->packet);
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return 0;
        if (result < 0) return result;
        if (t == &mux->video && mux->packet->duration == 0) mux->packet->duration = 1;
        av_packet_rescale_ts(mux->packet, t->encoder->time_base, t->stream->time_base);
        mux->packet->stream_index = t->stream->index;
        result = av_interleaved_write_frame(mux->format, mux->packet);
    }
    return result;
}

/* Remembers the frame; false when it equals the one before. */
static bool frame_changed(vx_mux *mux, const vx_picture *frame)
{
    bool changed = !mux->has_last;
    size_t bytes = (size_t)frame->width * 3;
    for (int y = 0; y < frame->height; y++) {
        uint8_t *old = vx_picture_row(&mux->last, y);
        if (!changed && memcmp(old, vx_picture_row(frame, y), bytes) != 0) changed = true;
        if (changed) memcpy(old, vx_picture_row(frame, y), bytes);
    }
    mux->has_last = true;
    return changed;
}

vx_status vx_mux_frame(vx_mux *mux, const vx_picture *frame, vx_error *err)
{
    assert(frame->width == mux->last.width);
    assert(frame->height == mux->last.height);
    assert(!mux->failed);
    AVFrame *planes = mux->video.frame;
    int result = 0;
    if (frame_changed(mux, frame)) {
        result = av_frame_make_writable(planes);
        if (result >= 0) vx_rgb_to_yuv420(frame, planes->data, planes->linesize);
    }
    planes->pts = mux->video.next++;
    if (result >= 0) result = encode(mux, &mux->video, planes);
    return result >= 0 ? VX_OK : fail_mux(mux, result, "encoding a frame", err);
}

static int flush_samples(vx_mux *mux)
{
    AVFrame *frame = mux->audio.frame;
    frame->nb_samples = mux->audio_filled;
    frame->pts = mux->audio.next;
    mux->audio.next += mux->audio_filled;
    mux->audio_filled = 0;
    int result = encode(mux, &mux->audio, frame);
    return result < 0 ? result : av_frame_make_writable(frame);
}

vx_status vx_mux_samples(vx_mux *mux, const float *samples, int64_t n, vx_error *err)
{
    assert(mux->audio.encoder != NULL);
    assert(!mux->failed);
    int frame_size = mux->audio.encoder->frame_size, result = 0;
    for (int64_t i = 0; i < n && result >= 0; i++) {
        float s = samples[i];
        s = s > 1.0f ? 1.0f : s < -1.0f ? -1.0f : s == s ? s : 0.0f;
        ((float *)(void *)mux->audio.frame->data[0])[mux->audio_filled++] = s;
        if (mux->audio_filled == frame_size) result = flush_samples(mux);
    }
    return result >= 0 ? VX_OK : fail_mux(mux, result, "encoding sound", err);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void release(vx_mux *mux)
{
    for (int i = 0; i < 2; i++) {
        track *t = i == 0 ? &mux->video : &mux->audio;
        avcodec_free_context(&t->encoder);
        av_frame_free(&t->frame);
    }
    av_packet_free(&mux->packet);
    avformat_free_context(mux->format);
    if (mux->io != NULL) av_freep(&mux->io->buffer);
    avio_context_free(&mux->io);
    vx_image_free(&mux->last);
    vx_heap_free(mux);
}

static vx_status end_streams(vx_mux *mux, vx_error *err)
{
    if (mux->video.next == 0)
        return vx_fail(err, VX_ERR_USAGE, "no_frames", "a film needs at least one frame");
    if (mux->audio.encoder != NULL && mux->audio.next + mux->audio_filled == 0)
        return vx_fail(err, VX_ERR_USAGE, "no_samples", "a film with sound needs a sample of it");
    int result = 0;
    if (mux->audio_filled > 0) result = flush_samples(mux);
    if (result >= 0 && mux->audio.encoder != NULL) result = encode(mux, &mux->audio, NULL);
    if (result >= 0) result = encode(mux, &mux->video, NULL);
    if (result >= 0) result = av_write_trailer(mux->format);
    if (result >= 0) avio_flush(mux->io);
    if (result >= 0 && mux->file_status != VX_OK) result = AVERROR(EIO);
    return result >= 0 ? VX_OK : fail_mux(mux, result, "ending the film", err);
}

vx_status vx_mux_end(vx_mux *m, vx_error *err)
{
    assert(!m->failed && !m->ended);
    VX_TRY(end_streams(m, err));
    m->ended = true;
    return VX_OK;
}

vx_status vx_mux_finish(vx_mux **mux, vx_error *err)
{
    vx_mux *m = *mux;
    assert(m != NULL);
    assert(!m->failed);
    vx_status status = m->ended ? VX_OK : end_streams(m, err);
    if (status == VX_OK) status = vx_outfile_commit(&m->file, err);
    vx_mux_abort(mux);
    return status;
}

void vx_mux_abort(vx_mux **mux)
{
    if (*mux == NULL) return;
    vx_outfile_abort(&(*mux)->file);
    release(*mux);
    *mux = NULL;
}
