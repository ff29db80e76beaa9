#include "media/av.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/opt.h>

#include "media/image.h"

/* Containers that are read. Playlists and scripts (hls, dash, concat, …) are not among them: they
 * name other files. */
static const char containers[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,"
    "ivf,yuv4mpegpipe,h264,hevc,mpegvideo,asf,wav,w64,mp3,flac,aac,"
    "aiff,caf,au,amr,ac3";

enum { READ_BUFFER_BYTES = 65536, STREAMS_MAX = 64 };

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
    for (;;) {
        ssize_t got = read(in->fd, buffer, (size_t)size);
        if (got > 0) return (int)got;
        if (got == 0) return AVERROR_EOF;
        if (errno != EINTR) return AVERROR(errno);
    }
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

/* Finds out what the streams hold; the decoders that this opens are bounded as ours are. */
static int find_streams(AVFormatContext *format)
{
    unsigned count = format->nb_streams;
    AVDictionary **options = av_calloc(count + 1, sizeof *options);
    if (options == NULL) return AVERROR(ENOMEM);
    for (unsigned i = 0; i < count; i++) {
        av_dict_set_int(&options[i], "max_pixels", (int64_t)VX_IMAGE_SIDE_MAX * VX_IMAGE_SIDE_MAX,
                        0);
        av_dict_set_int(&options[i], "threads", 1, 0);
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
    in->format->pb = in->io;
    in->format->io_open = refuse_open;
    in->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    in->format->max_streams = STREAMS_MAX;
    AVDictionary *options = NULL;
    int result = av_dict_set(&options, "format_whitelist", containers, 0);
    if (result >= 0) result = avformat_open_input(&in->format, NULL, NULL, &options);
    av_dict_free(&options);
    return result < 0 ? result : find_streams(in->format);
}

vx_status vx_av_input_open(vx_av_input *in, const char *path, vx_error *err)
{
    vx_av_quiet();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *in = (vx_av_input){.open = fd >= 0, .fd = fd};
    if (fd < 0)
        return vx_fail_at(err, VX_ERR_INPUT, errno == ENOENT ? "no_such_file" : "bad_media", path,
                          0, "cannot open %s: %s; check the path", path, strerror(errno));
    int result = start(in);
    if (result >= 0) return VX_OK;
    vx_av_input_close(in);
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

/* Called before a frame's memory is allocated: the last point to refuse an absurd size. */
static int get_bounded_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
    if (frame->width > VX_IMAGE_SIDE_MAX || frame->height > VX_IMAGE_SIDE_MAX)
        return AVERROR(ERANGE);
    return avcodec_default_get_buffer2(decoder, frame, flags);
}

vx_status vx_av_decoder_open(AVCodecContext **decoder, const vx_av_input *in, int index,
                             const char *path, vx_error *err)
{
    const AVCodecParameters *parameters = in->format->streams[index]->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    *decoder = NULL;
    if (codec == NULL)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_media", path, 0,
                          "%s uses %s, for which there is no decoder; convert it to H.264 or PCM",
                          path, avcodec_get_name(parameters->codec_id));
    *decoder = avcodec_alloc_context3(codec);
    int result =
        *decoder != NULL ? avcodec_parameters_to_context(*decoder, parameters) : AVERROR(ENOMEM);
    if (result >= 0) {
        (*decoder)->thread_count = 1;
        (*decoder)->pkt_timebase = in->format->streams[index]->time_base;
        (*decoder)->get_buffer2 = get_bounded_buffer;
        result = avcodec_open2(*decoder, codec, NULL);
    }
    if (result >= 0) return VX_OK;
    avcodec_free_context(decoder);
    return vx_fail_at(err, vx_av_status(result, VX_ERR_INPUT), "bad_media", path, 0,
                      "cannot decode %s: %s; convert it to H.264 or PCM", path,
                      vx_av_strerror(result).text);
}
