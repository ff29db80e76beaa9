#include "media/mux.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>

#include "base/ending.h"
#include "base/mem.h"
#include "media/av.h"
#include "media/av_out.h"
#include "media/av_sound.h"
#include "media/yuv.h"

enum {
    CRF_DEFAULT = 20,
    KEY_SECONDS = 2, /* between two key frames: how far a player has to go back to seek */
    /* Of the encoder. The bytes depend on it, so it is neither the machine's
     * number nor the caller's. */
    VIDEO_THREADS = 2,
    FRAGMENT_US = 1000000 /* of a stream */
};

/* A container under way: the file's, the stream's. */
typedef struct outlet {
    vx_av_out out;
    vx_container container;
    bool fragments;
    AVFormatContext *format; /* NULL: there is none */
    AVStream *video_stream, *sound_stream, *caption_stream;
} outlet;

enum { OUTLETS = 2 };

struct vx_mux {
    outlet outlet[OUTLETS];
    AVPacket *packet, *copy;
    AVCodecContext *video;
    AVFrame *planes;
    char mime[80];
    int64_t frames;     /* given so far */
    int64_t key_frames; /* frames from one key frame to the next */
    vx_av_sound sound;  /* encoder NULL: a film without sound */
    vx_picture last;    /* a copy of the previous frame's pixels */
    bool (*draw)(void *arg, int64_t index, const vx_picture *picture);
    void *draw_arg;
    bool failed, has_last; /* failed: only abort makes sense */
    bool ended;            /* vx_mux_end was called */
};

/* Marks the mux as failed and puts the cause in words: the disk's own if there was one. */
static vx_status fail_mux(vx_mux *mux, int code, const char *doing, vx_error *err)
{
    mux->failed = true;
    for (int i = 0; i < OUTLETS; i++) {
        const vx_av_out *out = &mux->outlet[i].out;
        if (out->status == VX_OK) continue;
        if (err != NULL) *err = out->error;
        return out->status;
    }
    /* So libx264 says, without a reason, that it got no memory or no thread. */
    if (code == AVERROR_EXTERNAL) code = AVERROR(ENOMEM);
    return vx_fail(err, vx_av_status(code, VX_ERR_INTERNAL), "encode_failed", "%s failed: %s; %s",
                   doing, vx_av_strerror(code).text,
                   code == AVERROR(ENOMEM) ? "free some memory" : "try other output settings");
}

size_t vx_mux_bytes(int width, int height)
{
    enum { FIXED = 16000000, OF_PIXEL = 75, OF_PIXEL_AND_THREAD = 12 };
    assert(width > 0 && height > 0);
    size_t of_pixel = OF_PIXEL + OF_PIXEL_AND_THREAD * VIDEO_THREADS;
    return FIXED + of_pixel * (size_t)width * (size_t)height;
}

vx_status vx_container_of(const char *path, int given, vx_container *container, vx_error *err)
{
    const char *ending = vx_ending(path);
    if (ending[0] == '\0')
        *container = given >= 0 ? (vx_container)given : strcmp(path, "-") == 0 ? VX_MKV : VX_MP4;
    else if (strcasecmp(ending, "mp4") == 0 || strcasecmp(ending, "mkv") == 0)
        *container = strcasecmp(ending, "mkv") == 0 ? VX_MKV : VX_MP4;
    else
        return vx_fail(err, VX_ERR_USAGE, "bad_output",
                       "%s ends in .%s, which is no film that is written here; choose .mp4 or .mkv",
                       path, ending);
    return VX_OK;
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

/* With its AVX-512 code the macroblock tree of libx264 (core 164) gives one of several results for
 * the same frames, in about one film of 64x64 in twenty. With AVX2's, with plain C or without the
 * tree there was one result in more than a hundred films each. */
static void avoid_avx512(AVCodecContext *encoder)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        av_opt_set(encoder->priv_data, "x264-params",
                   "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2", 0);
#else
    (void)encoder;
#endif
}

static int open_video(vx_mux *mux, const vx_mux_params *p)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = mux->video = avcodec_alloc_context3(codec);
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
    encoder->thread_count = VIDEO_THREADS;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    encoder->gop_size = (int)llround(KEY_SECONDS * av_q2d(fps));
    av_opt_set_int(encoder->priv_data, "sc_threshold", 0, 0); /* no other key frames between */
    av_opt_set(encoder->priv_data, "preset", p->preset != NULL ? p->preset : "veryfast", 0);
    av_opt_set_double(encoder->priv_data, "crf", p->crf > 0 ? p->crf : CRF_DEFAULT, 0);
    avoid_avx512(encoder);
    int result = avcodec_open2(encoder, codec, NULL);
    if (result < 0) return result;
    AVFrame *frame = mux->planes = av_frame_alloc();
    if (frame == NULL) return AVERROR(ENOMEM);
    frame->format = encoder->pix_fmt;
    frame->width = encoder->width;
    frame->height = encoder->height;
    frame->color_range = encoder->color_range;
    frame->colorspace = encoder->colorspace;
    return av_frame_get_buffer(frame, 0);
}

/* Hands a packet of either encoder to the containers. */
static int write_packet(vx_mux *mux, AVPacket *packet, const AVCodecContext *encoder, bool sound)
{
    int result = 0;
    for (int i = 0; i < OUTLETS && result >= 0; i++) {
        const outlet *o = &mux->outlet[i];
        if (o->format == NULL) continue;
        const AVStream *stream = sound ? o->sound_stream : o->video_stream;
        result = av_packet_ref(mux->copy, packet);
        if (result < 0) break;
        av_packet_rescale_ts(mux->copy, encoder->time_base, stream->time_base);
        mux->copy->stream_index = stream->index;
        result = av_interleaved_write_frame(o->format, mux->copy);
    }
    av_packet_unref(packet);
    return result;
}

static int write_sound(void *arg, AVPacket *packet)
{
    vx_mux *mux = arg;
    return write_packet(mux, packet, mux->sound.encoder, true);
}

static int open_sound(vx_mux *mux, const vx_mux_params *p)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (codec == NULL) return AVERROR_ENCODER_NOT_FOUND;
    return vx_av_sound_open(&mux->sound, codec, p->sample_rate, vx_av_sound_bits(codec->id),
                            write_sound, mux);
}

static int add_stream(outlet *o, const AVCodecContext *encoder, AVStream **stream)
{
    AVStream *added = *stream = avformat_new_stream(o->format, NULL);
    if (added == NULL) return AVERROR(ENOMEM);
    added->time_base = encoder->time_base;
    if (encoder->codec_type == AVMEDIA_TYPE_VIDEO) {
        added->avg_frame_rate = encoder->framerate;
        added->sample_aspect_ratio = encoder->sample_aspect_ratio;
    }
    return avcodec_parameters_from_context(added->codecpar, encoder);
}

/* How an MP4 draws its captions, the text sample entry of 3GPP TS 26.245 after its first eight
 * bytes: below, centred, white, no box of its own, one font. */
static const uint8_t text_entry[] = {0, 0, 0, 0,             /* display flags */
                                     1, 0xFF,                /* centred, at the bottom */
                                     0, 0, 0, 0,             /* background */
                                     0, 0, 0, 0, 0, 0, 0, 0, /* the box is the whole picture */
                                     /* style: font 1, 16 points, white */
                                     0, 0, 0, 0, 0, 1, 0, 16, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 18,
                                     'f', 't', 'a', 'b', 0, 1, 0, 1, 5, 'S', 'e', 'r', 'i', 'f'};

static int add_caption_stream(outlet *o, bool mp4)
{
    AVStream *stream = o->caption_stream = avformat_new_stream(o->format, NULL);
    if (stream == NULL) return AVERROR(ENOMEM);
    stream->time_base = (AVRational){1, 1000};
    AVCodecParameters *p = stream->codecpar;
    p->codec_type = AVMEDIA_TYPE_SUBTITLE;
    p->codec_id = mp4 ? AV_CODEC_ID_MOV_TEXT : AV_CODEC_ID_SUBRIP;
    stream->disposition = AV_DISPOSITION_DEFAULT;
    if (mp4) {
        p->extradata = av_mallocz(sizeof text_entry + AV_INPUT_BUFFER_PADDING_SIZE);
        if (p->extradata == NULL) return AVERROR(ENOMEM);
        memcpy(p->extradata, text_entry, sizeof text_entry);
        p->extradata_size = sizeof text_entry;
    }
    return av_dict_set(&stream->metadata, "language", "eng", 0);
}

/* Matroska takes a cue as it is, MP4 after its length. */
static int write_caption(vx_mux *mux, const outlet *o, const vx_mux_caption *caption)
{
    AVPacket *packet = mux->packet;
    bool counted = o->container == VX_MP4;
    size_t length = strlen(caption->text);
    int result = av_new_packet(packet, (int)length + 2 * counted);
    if (result < 0) return result;
    if (counted) {
        packet->data[0] = (uint8_t)(length >> 8);
        packet->data[1] = (uint8_t)length;
    }
    memcpy(packet->data + 2 * counted, caption->text, length);
    packet->pts = packet->dts = llround(caption->start_s * 1000);
    packet->duration = llround(caption->end_s * 1000) - packet->pts;
    packet->flags |= AV_PKT_FLAG_KEY;
    packet->stream_index = o->caption_stream->index;
    av_packet_rescale_ts(packet, (AVRational){1, 1000}, o->caption_stream->time_base);
    return av_interleaved_write_frame(o->format, packet);
}

static int write_captions(vx_mux *mux, const vx_mux_params *p)
{
    vx_mux_caption caption;
    int result = 0;
    while (result >= 0 && p->captions(p->captions_arg, &caption))
        for (int i = 0; i < OUTLETS && result >= 0; i++)
            if (mux->outlet[i].format != NULL)
                result = write_caption(mux, &mux->outlet[i], &caption);
    return result;
}

/* To move its index to the front the MP4 writer reads its own file again. Fragments of MP4
 * come with the header's track times once the first of them is known (delay_moov), so that
 * priming stays declared. */
static int set_options(const outlet *o, AVDictionary **options)
{
    if (o->container != VX_MP4) return 0;
    if (!o->fragments) return av_dict_set(options, "movflags", "+faststart", 0);
    int result = av_dict_set(options, "movflags", "+empty_moov+delay_moov+default_base_moof", 0);
    if (result >= 0) result = av_dict_set_int(options, "frag_duration", FRAGMENT_US, 0);
    return result;
}

static int open_container(vx_mux *mux, outlet *o, const vx_mux_params *p)
{
    bool mp4 = o->container == VX_MP4;
    int result = avformat_alloc_output_context2(&o->format, NULL, mp4 ? "mp4" : "matroska", NULL);
    if (result < 0) return result;
    AVFormatContext *format = o->format;
    format->pb = o->out.io;
    format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    /* Packets of one stream wait for the other's, however late those come. */
    format->max_interleave_delta = 0;
    /* Matroska: sound before zero is priming, which its codec delay already tells. */
    if (!mp4) format->avoid_negative_ts = 0;
    if (o->out.write != NULL) format->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    const char *temp = o->out.write == NULL ? vx_outfile_temp_path(&o->out.file) : NULL;
    format->url = av_asprintf("file:%s", temp != NULL ? temp : "");
    if (format->url == NULL) return AVERROR(ENOMEM);
    if (p->title != NULL) av_dict_set(&format->metadata, "title", p->title, 0);
    if (p->comment != NULL) av_dict_set(&format->metadata, "comment", p->comment, 0);
    result = add_stream(o, mux->video, &o->video_stream);
    if (result >= 0 && mux->sound.encoder != NULL)
        result = add_stream(o, mux->sound.encoder, &o->sound_stream);
    if (result >= 0 && p->captions != NULL) result = add_caption_stream(o, mp4);
    AVDictionary *options = NULL;
    if (result >= 0) result = set_options(o, &options);
    if (result >= 0) result = avformat_write_header(format, &options);
    av_dict_free(&options);
    return result;
}

/* Profile, constraints and level stand after the byte that begins the sequence parameter set. */
static void name_codecs(vx_mux *mux)
{
    const AVCodecContext *v = mux->video;
    const outlet *stream = &mux->outlet[OUTLETS - 1];
    const uint8_t *sps = NULL;
    for (int i = 0; i + 7 < v->extradata_size && sps == NULL; i++)
        if (memcmp(v->extradata + i, (const uint8_t[]){0, 0, 1}, 3) == 0 &&
            (v->extradata[i + 3] & 0x1F) == 7)
            sps = v->extradata + i + 4;
    if (sps == NULL) return;
    snprintf(mux->mime, sizeof mux->mime, "video/%s; codecs=\"avc1.%02x%02x%02x%s\"",
             stream->container == VX_MP4 ? "mp4" : "x-matroska", sps[0], sps[1], sps[2],
             mux->sound.encoder != NULL ? ", mp4a.40.2" : "");
}

static vx_status open_outs(vx_mux *mux, const vx_mux_params *p, vx_error *err)
{
    outlet *file = &mux->outlet[0], *stream = &mux->outlet[1];
    file->container = p->container;
    stream->container = p->stream;
    stream->fragments = true;
    if (p->write != NULL) VX_TRY(vx_av_out_open(&stream->out, NULL, p->write, p->write_arg, err));
    if (p->path == NULL && p->write != NULL) return VX_OK;
    VX_TRY(vx_av_out_open(&file->out, p->path, NULL, NULL, err));
    if (p->container == VX_MP4 && !vx_av_out_seekable(&file->out))
        return vx_fail_at(err, VX_ERR_USAGE, "bad_output", p->path, 0,
                          "MP4 cannot be written to %s, which has no positions; choose a file or "
                          "the container mkv",
                          p->path);
    return VX_OK;
}

static vx_status start(vx_mux *mux, const vx_mux_params *p, vx_error *err)
{
    VX_TRY(open_outs(mux, p, err));
    VX_TRY(vx_image_new(&mux->last, p->width, p->height, err));
    mux->draw = p->draw;
    mux->draw_arg = p->draw_arg;
    mux->packet = av_packet_alloc();
    mux->copy = av_packet_alloc();
    bool memory = mux->packet != NULL && mux->copy != NULL;
    int result = memory ? open_video(mux, p) : AVERROR(ENOMEM);
    if (result >= 0 && p->sample_rate > 0) result = open_sound(mux, p);
    if (result == AVERROR_ENCODER_NOT_FOUND)
        return vx_fail(err, VX_ERR_MISSING, "no_encoder",
                       "FFmpeg's libavcodec here has no libx264 or no AAC encoder; install a build "
                       "with both");
    if (result >= 0) name_codecs(mux);
    for (int i = 0; i < OUTLETS && result >= 0; i++)
        if (mux->outlet[i].out.io != NULL) result = open_container(mux, &mux->outlet[i], p);
    if (result >= 0 && p->captions != NULL) result = write_captions(mux, p);
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
static int encode(vx_mux *mux, AVFrame *frame)
{
    int result = avcodec_send_frame(mux->video, frame);
    while (result >= 0) {
        result = avcodec_receive_packet(mux->video, mux->packet);
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return 0;
        if (result < 0) return result;
        if (mux->packet->duration == 0) mux->packet->duration = 1;
        result = write_packet(mux, mux->packet, mux->video, false);
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
    AVFrame *planes = mux->planes;
    int result = 0;
    bool changed = frame_changed(mux, frame);
    if (mux->draw != NULL && mux->draw(mux->draw_arg, mux->frames, &mux->last)) {
        changed = true;
        mux->has_last = false;
    }
    if (changed) {
        result = av_frame_make_writable(planes);
        if (result >= 0) vx_rgb_to_yuv420(&mux->last, planes->data, planes->linesize);
    }
    planes->pts = mux->frames++;
    if (result >= 0) result = encode(mux, planes);
    return result >= 0 ? VX_OK : fail_mux(mux, result, "encoding a frame", err);
}

vx_status vx_mux_samples(vx_mux *mux, const float *samples, int64_t n, vx_error *err)
{
    assert(mux->sound.encoder != NULL);
    assert(!mux->failed);
    int result = vx_av_sound_put(&mux->sound, samples, n);
    return result >= 0 ? VX_OK : fail_mux(mux, result, "encoding sound", err);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void release(vx_mux *mux)
{
    avcodec_free_context(&mux->video);
    av_frame_free(&mux->planes);
    vx_av_sound_close(&mux->sound);
    av_packet_free(&mux->packet);
    av_packet_free(&mux->copy);
    for (int i = 0; i < OUTLETS; i++) {
        avformat_free_context(mux->outlet[i].format);
        vx_av_out_abort(&mux->outlet[i].out);
    }
    vx_image_free(&mux->last);
    vx_heap_free(mux);
}

static vx_status end_streams(vx_mux *mux, vx_error *err)
{
    if (mux->frames == 0)
        return vx_fail(err, VX_ERR_USAGE, "no_frames", "a film needs at least one frame");
    if (mux->sound.encoder != NULL && mux->sound.next + mux->sound.filled == 0)
        return vx_fail(err, VX_ERR_USAGE, "no_samples", "a film with sound needs a sample of it");
    int result = 0;
    if (mux->sound.encoder != NULL) result = vx_av_sound_end(&mux->sound);
    if (result >= 0) result = encode(mux, NULL);
    for (int i = 0; i < OUTLETS && result >= 0; i++) {
        outlet *o = &mux->outlet[i];
        if (o->format == NULL) continue;
        result = av_write_trailer(o->format);
        if (result >= 0) avio_flush(o->out.io);
        if (result >= 0 && o->out.status != VX_OK) result = AVERROR(EIO);
    }
    return result >= 0 ? VX_OK : fail_mux(mux, result, "ending the film", err);
}

const char *vx_mux_mime(const vx_mux *mux)
{
    return mux->mime;
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
    for (int i = 0; i < OUTLETS && status == VX_OK; i++)
        if (m->outlet[i].format != NULL) status = vx_av_out_commit(&m->outlet[i].out, err);
    vx_mux_abort(mux);
    return status;
}

void vx_mux_abort(vx_mux **mux)
{
    if (*mux == NULL) return;
    release(*mux);
    *mux = NULL;
}
