#include "media/sound.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "base/mem.h"
#include "media/av.h"

enum { CHANNELS_MAX = 64 };

/* One reading: from the packets to the growing block of samples. */
typedef struct reading {
    const char *path;
    vx_av_input in;
    int stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    SwrContext *resampler;
    AVChannelLayout layout; /* what the resampler was made for, with format and rate */
    int format, rate;
    vx_sound *sound;
    int64_t room, count_max;
    vx_error *err;
} reading;

static vx_status fail_reading(reading *r, int code)
{
    return vx_fail_at(r->err, vx_av_status(code, VX_ERR_INPUT), "bad_sound", r->path, 0,
                      "the sound of %s is broken: %s; convert it to WAV", r->path,
                      vx_av_strerror(code).text);
}

/* Makes the resampler for the frame's kind of sound, or keeps the one there is. */
static int prepare_resampler(reading *r)
{
    const AVFrame *f = r->frame;
    AVChannelLayout layout = {0};
    if (f->ch_layout.nb_channels < 1 || f->ch_layout.nb_channels > CHANNELS_MAX ||
        f->sample_rate < 1)
        return AVERROR_INVALIDDATA;
    if (r->resampler != NULL && f->format == r->format && f->sample_rate == r->rate &&
        av_channel_layout_compare(&f->ch_layout, &r->layout) == 0)
        return 0;
    swr_free(&r->resampler);
    /* A default layout of that many channels: the names of the speakers do not matter for a mean. */
    av_channel_layout_default(&layout, f->ch_layout.nb_channels);
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    int result = swr_alloc_set_opts2(&r->resampler, &mono, AV_SAMPLE_FMT_FLT, r->sound->sample_rate,
                                     &layout, f->format, f->sample_rate, 0, NULL);
    double mean[CHANNELS_MAX];
    for (int i = 0; i < layout.nb_channels; i++)
        mean[i] = 1.0 / layout.nb_channels;
    if (result >= 0) result = swr_set_matrix(r->resampler, mean, layout.nb_channels);
    if (result >= 0) result = swr_init(r->resampler);
    if (result >= 0) result = av_channel_layout_copy(&r->layout, &f->ch_layout);
    av_channel_layout_uninit(&layout);
    r->format = f->format;
    r->rate = f->sample_rate;
    return result;
}

static vx_status make_room(reading *r, int64_t more)
{
    int64_t needed = r->sound->count + more;
    if (needed <= r->room) return VX_OK;
    int64_t room = needed + needed / 2 + 65536;
    float *grown = vx_heap_grow(r->sound->samples, (size_t)room * sizeof *grown);
    if (grown == NULL)
        return vx_fail_at(r->err, VX_ERR_MEMORY, "no_memory", r->path, 0,
                          "not enough memory for the sound of %s; free some memory", r->path);
    r->sound->samples = grown;
    r->room = room;
    return VX_OK;
}

/* Converts the frame (or with `end` what the resampler still holds) and appends it. */
static vx_status append(reading *r, bool end)
{
    const uint8_t **in = end ? NULL : (const uint8_t **)r->frame->extended_data;
    int in_count = end ? 0 : r->frame->nb_samples;
    int bound = swr_get_out_samples(r->resampler, in_count);
    if (bound < 0) return fail_reading(r, bound);
    VX_TRY(make_room(r, bound));
    float *dst = r->sound->samples + r->sound->count;
    int got = swr_convert(r->resampler, (uint8_t **)&dst, bound, in, in_count);
    if (got < 0) return fail_reading(r, got);
    for (int i = 0; i < got; i++)
        if (!isfinite(dst[i])) dst[i] = 0.0f;
    r->sound->count += got;
    if (r->sound->count > r->count_max)
        return vx_fail_at(r->err, VX_ERR_INPUT, "too_long", r->path, 0,
                          "the sound of %s lasts longer than the %.6g s allowed; cut it", r->path,
                          (double)r->count_max / r->sound->sample_rate);
    return VX_OK;
}

/* All frames that the decoder has ready. */
static vx_status drain(reading *r)
{
    for (;;) {
        int result = avcodec_receive_frame(r->decoder, r->frame);
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return VX_OK;
        if (result >= 0) {
            if (r->sound->count == 0 && r->resampler == NULL &&
                r->frame->best_effort_timestamp != AV_NOPTS_VALUE)
                r->sound->start_s = (double)r->frame->best_effort_timestamp *
                                    av_q2d(r->in.format->streams[r->stream]->time_base);
            result = prepare_resampler(r);
        }
        if (result < 0) return fail_reading(r, result);
        VX_TRY(append(r, false));
        av_frame_unref(r->frame);
    }
}

/* Cuts off what no player plays: the encoder's priming, which stands before zero on the file's time
 * line, and the padding of the last packet, which stands after the track's duration. */
static void trim(const reading *r)
{
    vx_sound *sound = r->sound;
    const AVStream *stream = r->in.format->streams[r->stream];
    int64_t early = llround(-sound->start_s * sound->sample_rate);
    if (early > 0) {
        if (early > sound->count) early = sound->count;
        sound->count -= early;
        memmove(sound->samples, sound->samples + early, (size_t)sound->count * sizeof(float));
        sound->start_s = 0;
    }
    if (stream->duration <= 0) return;
    int64_t length =
        llround((double)stream->duration * av_q2d(stream->time_base) * sound->sample_rate);
    length += sound->sample_rate / 1000; /* MP4 rounds it to milliseconds */
    /* Not where the file merely says something wrong about itself. */
    int64_t packet = av_rescale(2048, sound->sample_rate, r->rate);
    if (sound->count > length && sound->count - length < packet) sound->count = length;
}

/* True for a WAV that was written to a pipe: its header promises the longest file there is, so its
 * last packet always looks cut. */
static bool is_streamed(const vx_av_input *in)
{
    uint8_t length[4];
    if (strcmp(in->format->iformat->name, "wav") != 0) return false;
    return pread(in->fd, length, 4, 4) == 4 && memcmp(length, "\xFF\xFF\xFF\xFF", 4) == 0;
}

static vx_status read_packets(reading *r)
{
    bool streamed = is_streamed(&r->in);
    for (;;) {
        int result = av_read_frame(r->in.format, r->packet);
        if (result == AVERROR_EOF) break;
        if (result < 0) return fail_reading(r, result);
        bool ours = r->packet->stream_index == r->stream;
        bool cut = (r->packet->flags & AV_PKT_FLAG_CORRUPT) != 0 && !streamed;
        if (ours && cut) result = AVERROR_INVALIDDATA;
        if (ours && !cut) result = avcodec_send_packet(r->decoder, r->packet);
        av_packet_unref(r->packet);
        /* A damaged packet before the first sound is how recordings of broadcasts begin. */
        if (result == AVERROR_INVALIDDATA && r->sound->count == 0) continue;
        if (result < 0) return fail_reading(r, result);
        if (ours) VX_TRY(drain(r));
    }
    avcodec_send_packet(r->decoder, NULL);
    VX_TRY(drain(r));
    if (r->resampler != NULL) VX_TRY(append(r, true));
    if (r->resampler != NULL) trim(r);
    if (r->sound->count == 0)
        return vx_fail_at(r->err, VX_ERR_INPUT, "bad_sound", r->path, 0,
                          "%s holds no sound at all; give another file", r->path);
    return VX_OK;
}

static vx_status open_stream(reading *r)
{
    VX_TRY(vx_av_input_open(&r->in, r->path, r->err));
    r->stream = av_find_best_stream(r->in.format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (r->stream < 0)
        return vx_fail_at(r->err, VX_ERR_INPUT, "bad_sound", r->path, 0,
                          "%s has no sound track; give a file with sound", r->path);
    for (unsigned i = 0; i < r->in.format->nb_streams; i++)
        if ((int)i != r->stream) r->in.format->streams[i]->discard = AVDISCARD_ALL;
    VX_TRY(vx_av_decoder_open(&r->decoder, &r->in, r->stream, r->path, r->err));
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    return r->packet != NULL && r->frame != NULL ? VX_OK : fail_reading(r, AVERROR(ENOMEM));
}

vx_status vx_sound_read(vx_sound *sound, const char *path, int sample_rate, double seconds_max,
                        vx_error *err)
{
    assert(sample_rate >= 8000 && sample_rate <= 192000);
    assert(seconds_max > 0 && seconds_max < 1e6);
    *sound = (vx_sound){.sample_rate = sample_rate};
    reading r = {.path = path,
                 .sound = sound,
                 .count_max = (int64_t)ceil(seconds_max * sample_rate),
                 .err = err};
    vx_status status = open_stream(&r);
    if (status == VX_OK) status = read_packets(&r);
    swr_free(&r.resampler);
    av_channel_layout_uninit(&r.layout);
    av_frame_free(&r.frame);
    av_packet_free(&r.packet);
    avcodec_free_context(&r.decoder);
    vx_av_input_close(&r.in);
    if (status != VX_OK) vx_sound_free(sound);
    return status;
}

void vx_sound_free(vx_sound *sound)
{
    vx_heap_free(sound->samples);
    *sound = (vx_sound){0};
}
