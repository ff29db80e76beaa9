#include "media/sound.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libavutil/opt.h>
#include <libswresample/swresample.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/warnings.h"
#include "media/av.h"

enum {
    CHANNELS_MAX = 64,
    PIECE = 8192, /* samples of a channel that are converted at a time */
    RATE_MIN = 4000,
    RATE_MAX = 768000
};

/* A sum this much below its loudest channel (4.4 dB) has lost something: of two channels that have
 * nothing in common the mean lies 3 dB below one, of one that is alone 6 dB. */
static const double quiet_share = 0.6;

/* Level of the channels beside a centre: ITU-R BS.775's 0.7071, as 0.7. */
static const double side_level = 0.7;

/* One reading: from the packets to the growing block of samples. */
typedef struct reading {
    const char *path;
    vx_cancel *cancel;
    vx_av_input in;
    vx_av_frames frames;
    int stream;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    SwrContext *resampler;
    AVChannelLayout layout; /* what the resampler was made for, with format and rate */
    int format, rate;
    double weight[CHANNELS_MAX];
    float *piece;               /* [channels, PIECE] */
    double power[CHANNELS_MAX]; /* sums of squares, of channels and of the mix */
    double mixed_power;
    int only; /* the channel that is taken alone; -1: the mix */
    vx_sound *sound;
    int64_t count_max;
    vx_error *err;
} reading;

static vx_status fail_reading(reading *r, int code)
{
    if (vx_cancelled(r->cancel)) return vx_fail_cancelled(r->err, r->path);
    return vx_fail_at(r->err, vx_av_status(code, VX_ERR_INPUT), "bad_sound", r->path, 0,
                      "the sound of %s is broken: %s; convert it to WAV", r->path,
                      vx_av_strerror(code).text);
}

static vx_status check_rate(reading *r, int rate)
{
    if (rate >= RATE_MIN && rate <= RATE_MAX) return VX_OK;
    return vx_fail_at(r->err, VX_ERR_INPUT, "bad_sound", r->path, 0,
                      "the sound of %s has %d samples a second, and %d to %d are possible; "
                      "convert it to a WAV of 48000",
                      r->path, rate, RATE_MIN, RATE_MAX);
}

/* What each channel counts in the mix. Six and eight without names are taken for 5.1 and 7.1, whose
 * order WAVE fixes. */
static void weigh(reading *r)
{
    AVChannelLayout named = {0};
    int n = r->frame->ch_layout.nb_channels, counted = 0;
    if (r->frame->ch_layout.order != AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_copy(&named, &r->frame->ch_layout);
    else if (n == 6 || n == 8)
        av_channel_layout_default(&named, n);
    bool centre = n > 1 && av_channel_layout_index_from_channel(&named, AV_CHAN_FRONT_CENTER) >= 0;
    for (int i = 0; i < n; i++) {
        enum AVChannel channel = av_channel_layout_channel_from_index(&named, (unsigned)i);
        bool low = channel == AV_CHAN_LOW_FREQUENCY || channel == AV_CHAN_LOW_FREQUENCY_2;
        r->weight[i] = low ? 0 : centre && channel != AV_CHAN_FRONT_CENTER ? side_level : 1;
        counted += !low;
    }
    for (int i = 0; i < n && !centre; i++)
        r->weight[i] /= counted > 0 ? counted : 1;
    av_channel_layout_uninit(&named);
}

/* Makes the resampler for the frame's kind of sound, or keeps the one there is. */
static int prepare_resampler(reading *r)
{
    const AVFrame *f = r->frame;
    AVChannelLayout layout = {0};
    if (f->ch_layout.nb_channels < 1 || f->ch_layout.nb_channels > CHANNELS_MAX)
        return AVERROR_INVALIDDATA;
    if (r->resampler != NULL && f->format == r->format && f->sample_rate == r->rate &&
        av_channel_layout_compare(&f->ch_layout, &r->layout) == 0)
        return 0;
    swr_free(&r->resampler);
    vx_heap_free(r->piece);
    r->piece = vx_heap_alloc(sizeof(float) * PIECE * (size_t)f->ch_layout.nb_channels);
    if (r->piece == NULL) return AVERROR(ENOMEM);
    /* It mixes nothing, so the names of the speakers do not matter to it. */
    av_channel_layout_default(&layout, f->ch_layout.nb_channels);
    int result =
        swr_alloc_set_opts2(&r->resampler, &layout, AV_SAMPLE_FMT_FLTP, r->sound->sample_rate,
                            &layout, f->format, f->sample_rate, 0, NULL);
    if (result >= 0) result = swr_init(r->resampler);
    if (result >= 0) result = av_channel_layout_copy(&r->layout, &f->ch_layout);
    av_channel_layout_uninit(&layout);
    weigh(r);
    r->format = f->format;
    r->rate = f->sample_rate;
    return result;
}

static vx_status fail_long(const reading *r)
{
    return vx_fail_at(r->err, VX_ERR_INPUT, "too_long", r->path, 0,
                      "the sound of %s lasts longer than the %.6g s allowed; cut it", r->path,
                      (double)r->count_max / r->sound->sample_rate);
}

/* Mixes the piece's first n samples and appends them. */
static vx_status mix(reading *r, int n)
{
    int channels = r->layout.nb_channels;
    if (n > r->count_max - r->sound->count) return fail_long(r);
    float *dst = r->sound->samples + r->sound->count;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            double x = (double)r->piece[(ptrdiff_t)c * PIECE + i];
            if (!isfinite(x)) x = 0;
            r->power[c] += r->weight[c] > 0 ? x * x : 0;
            sum += r->only < 0 ? r->weight[c] * x : c == r->only ? x : 0;
        }
        dst[i] = (float)sum;
        r->mixed_power += sum * sum;
    }
    r->sound->count += n;
    return VX_OK;
}

/* Converts samples [from, from + n) of the frame, or with n = 0 what the resampler still holds. */
static vx_status convert(reading *r, int from, int n)
{
    const uint8_t *in[CHANNELS_MAX];
    float *out[CHANNELS_MAX];
    int channels = r->layout.nb_channels, sample = av_get_bytes_per_sample(r->format), got;
    bool planar = av_sample_fmt_is_planar(r->format) != 0;
    for (int c = 0; c < channels; c++) {
        out[c] = r->piece + (ptrdiff_t)c * PIECE;
        if (n > 0 && (planar || c == 0))
            in[c] = r->frame->extended_data[c] + (ptrdiff_t)from * sample * (planar ? 1 : channels);
    }
    do {
        got = swr_convert(r->resampler, (uint8_t **)out, PIECE, n > 0 ? in : NULL, n);
        if (got < 0) return fail_reading(r, got);
        VX_TRY(mix(r, got));
    } while (n == 0 && got > 0);
    return VX_OK;
}

/* The frame in slices that become half a piece each, so that nothing piles up in the resampler. */
static vx_status append(reading *r)
{
    int slice = (int)(PIECE / 2 * (int64_t)r->rate / r->sound->sample_rate);
    if (slice < 1) slice = 1;
    for (int from = 0; from < r->frame->nb_samples; from += slice) {
        int left = r->frame->nb_samples - from;
        VX_TRY(convert(r, from, left < slice ? left : slice));
    }
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
            VX_TRY(check_rate(r, r->frame->sample_rate));
            result = prepare_resampler(r);
        }
        if (result < 0) return fail_reading(r, result);
        VX_TRY(append(r));
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
        int result =
            vx_cancelled(r->cancel) ? AVERROR_EXIT : av_read_frame(r->in.format, r->packet);
        if (result == AVERROR_EOF && !vx_cancelled(r->cancel)) break;
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
    if (r->resampler != NULL) VX_TRY(convert(r, 0, 0));
    if (r->resampler != NULL) trim(r);
    if (r->sound->count == 0)
        return vx_fail_at(r->err, VX_ERR_INPUT, "bad_sound", r->path, 0,
                          "%s holds no sound at all; give another file", r->path);
    return VX_OK;
}

static vx_status open_stream(reading *r)
{
    VX_TRY(vx_av_input_open(&r->in, r->path, r->cancel, r->err));
    r->stream = av_find_best_stream(r->in.format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
    if (r->stream < 0)
        return vx_fail_at(r->err, VX_ERR_INPUT, "bad_sound", r->path, 0,
                          "%s has no sound track; give a file with sound", r->path);
    for (unsigned i = 0; i < r->in.format->nb_streams; i++)
        if ((int)i != r->stream) r->in.format->streams[i]->discard = AVDISCARD_ALL;
    VX_TRY(check_rate(r, r->in.format->streams[r->stream]->codecpar->sample_rate));
    VX_TRY(vx_av_decoder_open(&r->decoder, &r->frames, &r->in, r->stream, r->path, r->err));
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    return r->packet != NULL && r->frame != NULL ? VX_OK : fail_reading(r, AVERROR(ENOMEM));
}

static void close_stream(reading *r)
{
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->decoder);
    vx_av_input_close(&r->in);
}

/* Refuses by what the packets say they last, or else by when they begin, before any is
 * decoded and kept; where they say neither, or of a pipe, the samples are counted as they
 * come. Begins again at the start. */
static vx_status check_length(reading *r)
{
    /* Priming and padding, which are cut off later, count here. */
    double most = (double)r->count_max / r->sound->sample_rate + 1, lasts = 0;
    int64_t first = AV_NOPTS_VALUE;
    if (r->in.io->seekable == 0) return VX_OK;
    double tick = av_q2d(r->in.format->streams[r->stream]->time_base);
    for (int result = 0; result >= 0;) {
        const AVPacket *p = r->packet;
        result = vx_cancelled(r->cancel) ? AVERROR_EXIT : av_read_frame(r->in.format, r->packet);
        if (vx_cancelled(r->cancel)) return vx_fail_cancelled(r->err, r->path);
        if (result < 0 || p->stream_index != r->stream) {
            av_packet_unref(r->packet);
            continue;
        }
        if (p->duration > 0) lasts += (double)p->duration * tick;
        if (first == AV_NOPTS_VALUE) first = p->pts;
        bool late = lasts == 0 && p->pts != AV_NOPTS_VALUE && first != AV_NOPTS_VALUE &&
                    ((double)p->pts - (double)first) * tick > most;
        av_packet_unref(r->packet);
        if (late || lasts > most) return fail_long(r);
    }
    close_stream(r);
    return open_stream(r);
}

/* ---- memory: a mapping as long as the sound may be, pages taken as they are written --------- */

static bool map_samples(vx_sound *sound, int64_t count)
{
    size_t bytes = sizeof(float) * (size_t)count;
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) return false;
    sound->samples = block;
    sound->mapped = bytes;
    return true;
}

/* Longer or shorter; what is new is silence. */
static bool remap_samples(vx_sound *sound, int64_t count)
{
    size_t bytes = sizeof(float) * (size_t)(count > 0 ? count : 1);
    void *block = mremap(sound->samples, sound->mapped, bytes, MREMAP_MAYMOVE);
    if (block == MAP_FAILED) return false;
    sound->samples = block;
    sound->mapped = bytes;
    return true;
}

static vx_status fail_memory(vx_error *err, const char *path)
{
    return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", path, 0,
                      "not enough memory for the sound%s%s; free some memory",
                      path != NULL ? " of " : "", path != NULL ? path : "");
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Reads the file once; *only tells which channel alone has what the mix has lost, else it is -1. */
static vx_status read_once(reading *r, int *only)
{
    vx_status status =
        map_samples(r->sound, r->count_max) ? open_stream(r) : fail_memory(r->err, r->path);
    if (status == VX_OK) status = check_length(r);
    if (status == VX_OK) status = read_packets(r);
    int loudest = 0;
    for (int c = 1; c < CHANNELS_MAX; c++)
        if (r->power[c] > r->power[loudest]) loudest = c;
    bool lost = r->mixed_power < quiet_share * quiet_share * r->power[loudest];
    *only = status == VX_OK && lost && r->only < 0 ? loudest : -1;
    if (*only >= 0 && r->in.io->seekable == 0) {
        vx_warn("channels_cancel", r->path,
                "the channels of %s cancel each other, and a pipe cannot be read again for one of "
                "them; give a file",
                r->path);
        *only = -1;
    }
    swr_free(&r->resampler);
    vx_heap_free(r->piece);
    av_channel_layout_uninit(&r->layout);
    close_stream(r);
    if (status != VX_OK || *only >= 0) vx_sound_free(r->sound);
    return status;
}

vx_status vx_sound_read(vx_sound *sound, const char *path, int sample_rate, double seconds_max,
                        vx_cancel *cancel, vx_error *err)
{
    assert(sample_rate >= 8000 && sample_rate <= 192000);
    assert(seconds_max > 0 && seconds_max < 1e6);
    int only = -1;
    for (int pass = 0; pass < 2; pass++) {
        *sound = (vx_sound){.sample_rate = sample_rate};
        reading r = {.path = path,
                     .cancel = cancel,
                     .frames = {.bytes_max = VX_FILM_FRAMES_BYTES},
                     .only = only,
                     .sound = sound,
                     .count_max = (int64_t)ceil(seconds_max * sample_rate),
                     .err = err};
        VX_TRY(read_once(&r, &only));
        if (only < 0) break;
    }
    remap_samples(sound, sound->count); /* shorter, which does not fail */
    return VX_OK;
}

vx_status vx_sound_begin(vx_sound *sound, double start_s, vx_error *err)
{
    const double day = 86400;
    double shift = fmax(-day, fmin(day, sound->start_s - start_s)) * sound->sample_rate;
    int64_t more = llround(shift), kept = sound->count + (more < 0 ? more : 0);
    if (kept < 0) kept = 0;
    if (more > 0 && !remap_samples(sound, sound->count + more)) return fail_memory(err, NULL);
    float *from = sound->samples + (more < 0 ? sound->count - kept : 0);
    float *to = sound->samples + (more > 0 ? more : 0);
    memmove(to, from, sizeof(float) * (size_t)kept);
    if (more > 0) memset(sound->samples, 0, sizeof(float) * (size_t)more);
    sound->count = kept + (more > 0 ? more : 0);
    sound->start_s = start_s;
    return VX_OK;
}

void vx_sound_free(vx_sound *sound)
{
    if (sound->samples != NULL) munmap(sound->samples, sound->mapped);
    *sound = (vx_sound){0};
}
