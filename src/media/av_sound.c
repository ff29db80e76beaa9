#include "media/av_sound.h"

#include <math.h>
#include <stdbool.h>

/* Frames for encoders that take any length (FLAC's own choice is 4608 at these rates). */
enum { FRAME_SAMPLES = 4096 };

float vx_sound_clip(float x)
{
    return x > 1.0f ? 1.0f : x < -1.0f ? -1.0f : x == x ? x : 0.0f;
}

int16_t vx_sound_16(float x)
{
    return (int16_t)lrintf(vx_sound_clip(x) * 32767.0f);
}

/* Mono speech: LAME is transparent at 96 kbit/s, and so is AAC's native encoder, but peaks then
 * come out up to 1.3 dB higher, over speech of six voices at four offsets (at 160 kbit/s 0.3 dB, at
 * 192 0.1 dB), and films are to stay under a ceiling (loudness.c). Its fast search keeps peaks at
 * 96 but takes 0.3 dB off a steady tone. Opus by its own recommendation for fullband speech (RFC
 * 6716, section 2.1.1: 28 to 40 kbit/s) with room to spare. */
int64_t vx_av_sound_bits(enum AVCodecID codec)
{
    switch (codec) {
    case AV_CODEC_ID_FLAC:
        return 0;
    case AV_CODEC_ID_OPUS:
        return 64000;
    case AV_CODEC_ID_AAC:
        return 192000;
    default:
        return 96000;
    }
}

int vx_av_sound_open(vx_av_sound *s, const AVCodec *codec, int sample_rate, int64_t bits,
                     vx_av_packet emit, void *arg)
{
    *s = (vx_av_sound){.emit = emit, .arg = arg};
    AVCodecContext *encoder = s->encoder = avcodec_alloc_context3(codec);
    s->packet = av_packet_alloc();
    if (encoder == NULL || s->packet == NULL) return AVERROR(ENOMEM);
    encoder->sample_fmt = codec->id == AV_CODEC_ID_FLAC   ? AV_SAMPLE_FMT_S16
                          : codec->id == AV_CODEC_ID_OPUS ? AV_SAMPLE_FMT_FLT
                                                          : AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = sample_rate;
    encoder->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    encoder->time_base = (AVRational){1, sample_rate};
    encoder->bit_rate = bits;
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    int result = avcodec_open2(encoder, codec, NULL);
    if (result < 0) return result;
    AVFrame *frame = s->frame = av_frame_alloc();
    if (frame == NULL) return AVERROR(ENOMEM);
    frame->format = encoder->sample_fmt;
    frame->sample_rate = sample_rate;
    frame->nb_samples = encoder->frame_size > 0 ? encoder->frame_size : FRAME_SAMPLES;
    frame->ch_layout = encoder->ch_layout;
    return av_frame_get_buffer(frame, 0);
}

/* Hands one frame (NULL: no more) to the encoder and on what comes out of it. */
static int encode(vx_av_sound *s, AVFrame *frame)
{
    int result = avcodec_send_frame(s->encoder, frame);
    while (result >= 0) {
        result = avcodec_receive_packet(s->encoder, s->packet);
        if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return 0;
        if (result >= 0) result = s->emit(s->arg, s->packet);
    }
    return result;
}

static int flush(vx_av_sound *s)
{
    s->frame->nb_samples = s->filled;
    s->frame->pts = s->next;
    s->next += s->filled;
    s->filled = 0;
    int result = encode(s, s->frame);
    return result < 0 ? result : av_frame_make_writable(s->frame);
}

int vx_av_sound_put(vx_av_sound *s, const float *samples, int64_t n)
{
    int room = s->encoder->frame_size > 0 ? s->encoder->frame_size : FRAME_SAMPLES, result = 0;
    bool whole = s->encoder->sample_fmt == AV_SAMPLE_FMT_S16;
    for (int64_t i = 0; i < n && result >= 0; i++) {
        void *data = s->frame->data[0];
        if (whole)
            ((int16_t *)data)[s->filled++] = vx_sound_16(samples[i]);
        else
            ((float *)data)[s->filled++] = vx_sound_clip(samples[i]);
        if (s->filled == room) result = flush(s);
    }
    return result;
}

int vx_av_sound_end(vx_av_sound *s)
{
    int result = s->filled > 0 ? flush(s) : 0;
    return result < 0 ? result : encode(s, NULL);
}

void vx_av_sound_close(vx_av_sound *s)
{
    avcodec_free_context(&s->encoder);
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
}
