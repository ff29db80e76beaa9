#include "media/sound_out.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include <libavformat/avformat.h>

#include "base/ending.h"
#include "base/mem.h"
#include "media/av.h"
#include "media/av_out.h"
#include "media/av_sound.h"

enum { WAV_HEADER = 44, WAV_UNKNOWN = 0xFFFFFFFF, PCM_PIECE = 2048 };

typedef struct kind {
    const char *ending, *other;  /* `other`: a second one; NULL for none */
    const char *encoder, *muxer; /* FFmpeg's; NULL: our own bytes */
    enum AVCodecID codec;
    const char *name;
} kind;

static const kind kinds[VX_SOUND_FORMATS] = {
    [VX_SOUND_WAV] = {"wav", NULL, NULL, NULL, AV_CODEC_ID_NONE, "WAV"},
    [VX_SOUND_FLAC] = {"flac", NULL, "flac", "flac", AV_CODEC_ID_FLAC, "FLAC"},
    [VX_SOUND_MP3] = {"mp3", NULL, "libmp3lame", "mp3", AV_CODEC_ID_MP3, "MP3"},
    [VX_SOUND_OPUS] = {"opus", "ogg", "libopus", "ogg", AV_CODEC_ID_OPUS, "Ogg Opus"},
    [VX_SOUND_AAC] = {"aac", NULL, "aac", "adts", AV_CODEC_ID_AAC, "AAC"},
    [VX_SOUND_PCM] = {"pcm", NULL, NULL, NULL, AV_CODEC_ID_NONE, "PCM"},
};

struct vx_sound_out {
    const kind *kind;
    vx_av_out out;
    int64_t samples; /* so far */
    vx_av_sound sound;
    AVFormatContext *format;
};

/* ---- which format ---------------------------------------------------------------------------- */

static int format_by_ending(const char *ending)
{
    for (int i = 0; i < VX_SOUND_FORMATS; i++)
        if (strcasecmp(ending, kinds[i].ending) == 0 ||
            (kinds[i].other != NULL && strcasecmp(ending, kinds[i].other) == 0))
            return i;
    return -1;
}

static vx_status no_encoder(const kind *k, vx_error *err)
{
    return vx_fail(err, VX_ERR_MISSING, "no_encoder",
                   "FFmpeg here has no encoder %s for %s; install the package libavcodec-extra, or "
                   "write .wav",
                   k->encoder, k->name);
}

vx_status vx_sound_format_of(const char *path, int given, vx_sound_format *format, vx_error *err)
{
    const char *ending = vx_ending(path);
    int said = format_by_ending(ending);
    if (ending[0] != '\0' && said < 0)
        return vx_fail(
            err, VX_ERR_USAGE, "bad_output",
            "%s ends in .%s, which is no sound that is written here; choose .wav, .flac, "
            ".mp3, .opus, .aac or .pcm",
            path, ending);
    if (given >= 0 && said >= 0 && said != given)
        return vx_fail(err, VX_ERR_USAGE, "bad_output",
                       "%s is to hold %s and its name says %s; rename it or leave --format out",
                       path, kinds[given].name, kinds[said].name);
    *format = given >= 0  ? (vx_sound_format)given
              : said >= 0 ? (vx_sound_format)said
                          : VX_SOUND_WAV;
    const kind *k = &kinds[*format];
    bool there = k->encoder == NULL || avcodec_find_encoder_by_name(k->encoder) != NULL;
    return there ? VX_OK : no_encoder(k, err);
}

/* ---- our own bytes: WAV and PCM -------------------------------------------------------------- */

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value);
    put16(p + 2, value >> 16);
}

static vx_status begin_wav(vx_sound_out *o, int sample_rate, vx_error *err)
{
    uint8_t header[WAV_HEADER];
    memcpy(header, "RIFF....WAVEfmt ", 16);
    put32(header + 4, WAV_UNKNOWN);
    put32(header + 16, 16); /* bytes of the format chunk */
    put16(header + 20, 1);  /* PCM */
    put16(header + 22, 1);  /* channels */
    put32(header + 24, (uint32_t)sample_rate);
    put32(header + 28, (uint32_t)sample_rate * 2);
    put16(header + 32, 2);  /* bytes per frame */
    put16(header + 34, 16); /* bits per sample */
    memcpy(header + 36, "data", 4);
    put32(header + 40, WAV_UNKNOWN);
    return vx_av_out_put(&o->out, header, sizeof header, err);
}

static vx_status end_wav(vx_sound_out *o, vx_error *err)
{
    uint8_t size[4];
    if (!vx_av_out_seekable(&o->out)) return VX_OK;
    put32(size, (uint32_t)o->samples * 2 + WAV_HEADER - 8);
    VX_TRY(vx_av_out_put_at(&o->out, 4, size, sizeof size, err));
    put32(size, (uint32_t)o->samples * 2);
    return vx_av_out_put_at(&o->out, 40, size, sizeof size, err);
}

static vx_status put_pcm(vx_sound_out *o, const float *samples, int64_t n, vx_error *err)
{
    uint8_t bytes[2 * PCM_PIECE];
    if (o->kind == &kinds[VX_SOUND_WAV] && n > (UINT32_MAX - WAV_HEADER) / 2 - o->samples)
        return vx_fail(err, VX_ERR_INPUT, "too_long",
                       "the sound does not fit a WAV file, which ends at 4 GB; make it shorter");
    o->samples += n;
    for (int64_t at = 0; at < n; at += PCM_PIECE) {
        int64_t part = n - at < PCM_PIECE ? n - at : PCM_PIECE;
        for (int64_t i = 0; i < part; i++)
            put16(bytes + 2 * i, (uint32_t)vx_sound_16(samples[at + i]));
        VX_TRY(vx_av_out_put(&o->out, bytes, (size_t)part * 2, err));
    }
    return VX_OK;
}

/* ---- encoders -------------------------------------------------------------------------------- */

/* What went wrong in words: the disk's own if it was that. */
static vx_status fail_out(const vx_sound_out *o, int code, vx_error *err)
{
    if (o->out.status != VX_OK) {
        if (err != NULL) *err = o->out.error;
        return o->out.status;
    }
    return vx_fail(err, vx_av_status(code, VX_ERR_INTERNAL), "encode_failed",
                   "encoding %s failed: %s; write .wav instead", o->kind->name,
                   vx_av_strerror(code).text);
}

static int write_packet(void *arg, AVPacket *packet)
{
    vx_sound_out *o = arg;
    av_packet_rescale_ts(packet, o->sound.encoder->time_base, o->format->streams[0]->time_base);
    packet->stream_index = 0;
    return av_write_frame(o->format, packet);
}

static int begin_encoded(vx_sound_out *o, const AVCodec *codec, int sample_rate)
{
    int result = vx_av_sound_open(&o->sound, codec, sample_rate, vx_av_sound_bits(codec->id),
                                  write_packet, o);
    if (result < 0) return result;
    result = avformat_alloc_output_context2(&o->format, NULL, o->kind->muxer, NULL);
    if (result < 0) return result;
    o->format->pb = o->out.io;
    o->format->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT | AVFMT_FLAG_FLUSH_PACKETS;
    AVStream *stream = avformat_new_stream(o->format, NULL);
    if (stream == NULL) return AVERROR(ENOMEM);
    stream->time_base = o->sound.encoder->time_base;
    result = avcodec_parameters_from_context(stream->codecpar, o->sound.encoder);
    AVDictionary *options = NULL;
    /* A listener to a stream hears a page when it is whole: a fifth of a
     * second, in microseconds. */
    if (result >= 0 && strcmp(o->kind->muxer, "ogg") == 0)
        result = av_dict_set(&options, "page_duration", "200000", 0);
    if (result >= 0 && !vx_av_out_seekable(&o->out) && strcmp(o->kind->muxer, "mp3") == 0)
        result = av_dict_set(&options, "write_xing", "0", 0);
    if (result >= 0) result = avformat_write_header(o->format, &options);
    av_dict_free(&options);
    return result;
}

static int end_encoded(vx_sound_out *o)
{
    int result = vx_av_sound_end(&o->sound);
    if (result >= 0) result = av_write_trailer(o->format);
    if (result >= 0) avio_flush(o->out.io);
    return result >= 0 && o->out.status != VX_OK ? AVERROR(EIO) : result;
}

/* ---- a stream -------------------------------------------------------------------------------- */

static vx_status start(vx_sound_out *o, const vx_sound_out_params *p, vx_error *err)
{
    const AVCodec *codec = NULL;
    if (o->kind->encoder != NULL) {
        codec = avcodec_find_encoder_by_name(o->kind->encoder);
        if (codec == NULL) return no_encoder(o->kind, err);
    }
    VX_TRY(vx_av_out_open(&o->out, p->path, p->write, p->arg, err));
    if (p->format == VX_SOUND_WAV) return begin_wav(o, p->sample_rate, err);
    if (codec == NULL) return VX_OK;
    int result = begin_encoded(o, codec, p->sample_rate);
    return result >= 0 ? VX_OK : fail_out(o, result, err);
}

vx_status vx_sound_out_open(vx_sound_out **out, const vx_sound_out_params *params, vx_error *err)
{
    assert(params->format < VX_SOUND_FORMATS);
    vx_av_quiet();
    vx_sound_out *o = *out = vx_heap_alloc(sizeof *o);
    if (o == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory for a sound");
    o->kind = &kinds[params->format];
    vx_status status = start(o, params, err);
    if (status != VX_OK) vx_sound_out_abort(out);
    return status;
}

vx_status vx_sound_out_put(vx_sound_out *o, const float *samples, int64_t n, vx_error *err)
{
    assert(n >= 0);
    if (o->format == NULL) return put_pcm(o, samples, n, err);
    int result = vx_av_sound_put(&o->sound, samples, n);
    return result >= 0 ? VX_OK : fail_out(o, result, err);
}

vx_status vx_sound_out_finish(vx_sound_out **out, vx_error *err)
{
    vx_sound_out *o = *out;
    vx_status status = VX_OK;
    if (o->kind == &kinds[VX_SOUND_WAV]) status = end_wav(o, err);
    if (o->format != NULL) {
        int result = end_encoded(o);
        if (result < 0) status = fail_out(o, result, err);
    }
    if (status == VX_OK) status = vx_av_out_commit(&o->out, err);
    vx_sound_out_abort(out);
    return status;
}

void vx_sound_out_abort(vx_sound_out **out)
{
    vx_sound_out *o = *out;
    if (o == NULL) return;
    vx_av_sound_close(&o->sound);
    avformat_free_context(o->format);
    vx_av_out_abort(&o->out);
    vx_heap_free(o);
    *out = NULL;
}
