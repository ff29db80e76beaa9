#include "media/av.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/imgutils.h>
#include <libavutil/opt.h>

#include "base/file.h"
#include "media/image.h"
#include "media/mov_index.h"

/* Containers that are read. Playlists and scripts (hls, dash, concat, …) are not among them: they
 * name other files. */
static const char containers[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,"
    "ivf,yuv4mpegpipe,h264,hevc,mpegvideo,asf,wav,w64,mp3,flac,aac,"
    "aiff,caf,au,amr,ac3";

/* Decoders that are used, by FFmpeg's names: what cameras, phones, screen recorders, editors and
 * broadcasts of today and of the last decades write. */
static const char codecs[] =
    "h264,hevc,vp8,vp9,libdav1d,libaom-av1,av1,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,"
    "msmpeg4,h263,h263p,flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,mjpegb,gif,png,rawvideo,prores,dnxhd,"
    "dvvideo,ffv1,huffyuv,ffvhuff,utvideo,qtrle,cinepak,svq1,svq3,v210,"
    "aac,aac_latm,mp1float,mp1,mp2float,mp2,mp3float,mp3,ac3,eac3,dca,vorbis,libvorbis,opus,"
    "libopus,"
    "flac,alac,amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,wmav1,wmav2,wmapro,wmalossless,"
    "wavpack,speex,libspeex,gsm,gsm_ms,libgsm,libgsm_ms,g722,g726,nellymoser,"
    "adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_swf,adpcm_yamaha,"
    "pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_u16le,pcm_u16be,pcm_s24le,pcm_s24be,pcm_u24le,pcm_u24be,"
    "pcm_s32le,pcm_s32be,pcm_u32le,pcm_u32be,pcm_s64le,pcm_s64be,pcm_f16le,pcm_f24le,pcm_f32le,"
    "pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd,pcm_s16le_planar,"
    "pcm_s16be_planar,pcm_s24le_planar,pcm_s32le_planar,pcm_s8_planar";

enum { READ_BUFFER_BYTES = 65536, STREAMS_MAX = 32 };

static void silence(void)
{
    av_log_set_level(AV_LOG_QUIET);
}

void vx_av_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence);
}

vx_av_text vx_av_strerror(int code)
{
    vx_av_text result = {{0}};
    av_strerror(code, result.text, sizeof result.text);
    return result;
}

vx_status vx_av_status(int code, vx_status status)
{
    return code == AVERROR(ENOMEM) ? VX_ERR_MEMORY : status;
}

static int read_packet(void *opaque, uint8_t *buffer, int size)
{
    const vx_av_input *in = opaque;
    ssize_t got = vx_read_cancellable(in->fd, buffer, (size_t)size, in->cancel);
    if (got > 0) return (int)got;
    return got == 0 ? AVERROR_EOF : AVERROR(errno);
}

static int interrupted(void *opaque)
{
    const vx_av_input *in = opaque;
    return vx_cancelled(in->cancel);
}

static int64_t seek(void *opaque, int64_t offset, int whence)
{
    const vx_av_input *in = opaque;
    if (whence == AVSEEK_SIZE) {
        struct stat info;
        return fstat(in->fd, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : AVERROR(ENOSYS);
    }
    off_t at = lseek(in->fd, offset, whence & ~AVSEEK_FORCE);
    return at < 0 ? AVERROR(errno) : at;
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                       AVDictionary **options)
{
    (void)format;
    (void)url;
    (void)flags;
    (void)options;
    *io = NULL;
    return AVERROR(EACCES);
}

/* Finds out what the streams hold; the decoders that this opens are bounded as ours are. Packets of
 * streams that nobody will look at are dropped, lest each opens a decoder with frames of its
 * own. */
static int find_streams(AVFormatContext *format)
{
    unsigned count = format->nb_streams;
    int film = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    int sound = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    AVDictionary **options = av_calloc(count + 1, sizeof *options);
    if (options == NULL) return AVERROR(ENOMEM);
    for (unsigned i = 0; i < count; i++) {
        av_dict_set_int(&options[i], "max_pixels", VX_FILM_PIXELS_MAX, 0);
        av_dict_set_int(&options[i], "threads", 1, 0);
        if (film >= 0 && sound >= 0 && (int)i != film && (int)i != sound)
            format->streams[i]->discard = AVDISCARD_ALL;
    }
    int result = avformat_find_stream_info(format, options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    av_free(options);
    return result;
}

static int start(vx_av_input *in)
{
    uint8_t *buffer = av_malloc(READ_BUFFER_BYTES);
    if (buffer == NULL) return AVERROR(ENOMEM);
    in->io = avio_alloc_context(buffer, READ_BUFFER_BYTES, 0, in, read_packet, NULL, seek);
    if (in->io == NULL) {
        av_free(buffer);
        return AVERROR(ENOMEM);
    }
    if (lseek(in->fd, 0, SEEK_CUR) < 0) in->io->seekable = 0; /* a pipe */
    in->format = avformat_alloc_context();
    if (in->format == NULL) return AVERROR(ENOMEM);
    in->format->interrupt_callback = (AVIOInterruptCB){interrupted, in};
    in->format->pb = in->io;
    in->format->io_open = refuse_open;
    in->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    in->format->max_streams = STREAMS_MAX;
    AVDictionary *options = NULL;
    int result = av_dict_set(&options, "format_whitelist", containers, 0);
    if (result >= 0) result = av_dict_set(&options, "codec_whitelist", codecs, 0);
    if (result >= 0) result = avformat_open_input(&in->format, NULL, NULL, &options);
    av_dict_free(&options);
    return result < 0 ? result : find_streams(in->format);
}

vx_status vx_av_input_open(vx_av_input *in, const char *path, vx_cancel *cancel, vx_error *err)
{
    int fd;
    int64_t length;
    vx_av_quiet();
    *in = (vx_av_input){.fd = -1};
    vx_status status = vx_file_open(path, VX_FILE_ANY, &fd, &length, err);
    if (status != VX_OK) { /* what the user named is input, not a part of ours */
        if (err != NULL) err->status = VX_ERR_INPUT;
        return VX_ERR_INPUT;
    }
    *in = (vx_av_input){.open = true, .fd = fd, .cancel = cancel};
    int result = 0;
    if (length < 0 || vx_mov_index_entries(fd, length) <= VX_MOV_ENTRIES_MAX)
        result = start(in);
    else
        result = AVERROR(ERANGE);
    if (result >= 0) return VX_OK;
    vx_av_input_close(in);
    if (vx_cancelled(cancel)) return vx_fail_cancelled(err, path);
    if (result == AVERROR(ERANGE))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_media", path, 0,
                          "the index of %s promises more than %d frames; cut the film or convert "
                          "it to MP4",
                          path, VX_MOV_ENTRIES_MAX);
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_media", path, 0,
                      "%s is no sound or video that can be read: %s; convert it to MP4 or WAV",
                      path, vx_av_strerror(result).text);
}

void vx_av_input_close(vx_av_input *in)
{
    if (!in->open) return;
    avformat_close_input(&in->format);
    if (in->io != NULL) av_freep(&in->io->buffer);
    avio_context_free(&in->io);
    close(in->fd);
    *in = (vx_av_input){.fd = -1};
}

/* ---- frames' memory -------------------------------------------------------------------------- */

/* What a buffer is given back to. */
typedef struct frame_memory {
    vx_av_frames *frames;
    size_t bytes;
    bool lent; /* lies in frames->memory */
} frame_memory;

static void free_frame(void *opaque, uint8_t *data)
{
    frame_memory *memory = opaque;
    memory->frames->used -= memory->bytes;
    if (memory->lent)
        memory->frames->lent = false;
    else
        av_free(data);
    av_free(memory);
}

static AVBufferRef *take_frame(vx_av_frames *frames, size_t bytes)
{
    if (bytes > frames->bytes_max - frames->used) {
        frames->refused = true;
        return NULL;
    }
    frame_memory *memory = av_malloc(sizeof *memory);
    if (memory == NULL) return NULL;
    bool lend = frames->memory != NULL && !frames->lent && bytes <= frames->memory_bytes;
    *memory = (frame_memory){.frames = frames, .bytes = bytes, .lent = lend};
    uint8_t *data = lend ? memset(frames->memory, 0, bytes) : av_mallocz(bytes);
    AVBufferRef *buffer =
        data != NULL ? av_buffer_create(data, bytes, free_frame, memory, 0) : NULL;
    if (buffer == NULL) {
        if (!lend) av_free(data);
        av_free(memory);
        return NULL;
    }
    frames->used += bytes;
    frames->lent |= lend;
    return buffer;
}

/* Line sizes that suit the decoder, and what the planes take together; the arithmetic is that of
 * FFmpeg's own allocator (avcodec_align_dimensions2 says by how much decoders overrun). */
static int lay_out(AVCodecContext *decoder, const AVFrame *frame, int linesize[4], size_t plane[4])
{
    int width = frame->width, height = frame->height, align[AV_NUM_DATA_POINTERS], uneven;
    ptrdiff_t wide[4];
    avcodec_align_dimensions2(decoder, &width, &height, align);
    do {
        int result = av_image_fill_linesizes(linesize, frame->format, width);
        if (result < 0) return result;
        width += width & ~(width - 1); /* doubles its lowest bit until all planes are aligned */
        uneven = 0;
        for (int i = 0; i < 4; i++)
            uneven |= linesize[i] % align[i];
    } while (uneven != 0);
    for (int i = 0; i < 4; i++)
        wide[i] = linesize[i];
    return av_image_fill_plane_sizes(plane, frame->format, height, wide);
}

/* Called before a picture's memory is allocated: the last point to refuse an absurd size. */
static int get_counted_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
    enum { SLACK = 64 }; /* behind each plane, for reads of whole vectors; also the alignment */
    vx_av_frames *frames = decoder->opaque;
    int linesize[4];
    size_t plane[4], bytes = SLACK;
    if (decoder->codec_type != AVMEDIA_TYPE_VIDEO)
        return avcodec_default_get_buffer2(decoder, frame, flags);
    frames->width = frame->width;
    frames->height = frame->height;
    if (frame->width > VX_IMAGE_SIDE_MAX || frame->height > VX_IMAGE_SIDE_MAX)
        return AVERROR(ERANGE);
    int result = lay_out(decoder, frame, linesize, plane);
    if (result < 0) return result;
    for (int i = 0; i < 4; i++)
        if (plane[i] > 0) bytes += (plane[i] + 2 * SLACK - 1) & ~(size_t)(SLACK - 1);
    frame->buf[0] = take_frame(frames, bytes);
    if (frame->buf[0] == NULL) return frames->refused ? AVERROR(ERANGE) : AVERROR(ENOMEM);
    uint8_t *at =
        (uint8_t *)(((uintptr_t)frame->buf[0]->data + SLACK - 1) & ~(uintptr_t)(SLACK - 1));
    memset(frame->data, 0, sizeof frame->data);
    for (int i = 0; i < 4; i++) {
        frame->linesize[i] = linesize[i];
        if (plane[i] == 0) continue;
        frame->data[i] = at;
        at += (plane[i] + 2 * SLACK - 1) & ~(size_t)(SLACK - 1);
    }
    frame->extended_data = frame->data;
    return 0;
}

void vx_av_count_frames(AVCodecContext *decoder, vx_av_frames *frames)
{
    decoder->opaque = frames;
    decoder->get_buffer2 = get_counted_buffer;
}

vx_status vx_av_decoder_open(AVCodecContext **decoder, vx_av_frames *frames, const vx_av_input *in,
                             int index, const char *path, vx_error *err)
{
    const AVCodecParameters *parameters = in->format->streams[index]->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    AVDictionary *options = NULL;
    *decoder = NULL;
    if (codec == NULL)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_media", path, 0,
                          "%s uses %s, for which there is no decoder; convert it to H.264 or PCM",
                          path, avcodec_get_name(parameters->codec_id));
    if ((int64_t)parameters->width * parameters->height > VX_FILM_PIXELS_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_media", path, 0,
                          "the video %s is %dx%d, and 4096x2304 pixels are the most that is read; "
                          "make it smaller",
                          path, parameters->width, parameters->height);
    *decoder = avcodec_alloc_context3(codec);
    int result =
        *decoder != NULL ? avcodec_parameters_to_context(*decoder, parameters) : AVERROR(ENOMEM);
    if (result >= 0) result = av_dict_set(&options, "codec_whitelist", codecs, 0);
    if (result >= 0) {
        (*decoder)->thread_count = 1;
        (*decoder)->pkt_timebase = in->format->streams[index]->time_base;
        (*decoder)->max_pixels = VX_FILM_PIXELS_MAX;
        vx_av_count_frames(*decoder, frames);
        result = avcodec_open2(*decoder, codec, &options);
    }
    av_dict_free(&options);
    if (result >= 0) return VX_OK;
    avcodec_free_context(decoder);
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_media", path, 0,
                      "cannot decode the %s of %s: %s; convert it to H.264 or PCM",
                      avcodec_get_name(parameters->codec_id), path, vx_av_strerror(result).text);
}
