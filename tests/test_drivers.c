/* Films as phones, cameras and screen recorders write them: turned, of uneven pace, with late sound; and readers
 * that are asked to stop. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "base/file.h"
#include "base/mem.h"
#include "media/mux.h"
#include "media/pace.h"
#include "media/sound.h"
#include "media/turn.h"
#include "media/video.h"
#include "media_helpers.h"

enum { W = 64, H = 48, RATE = 48000 };

/* ---- films ------------------------------------------------------------------------------------- */

static int grey_of(int i)
{
    return 40 + 10 * i;
}

/* Writes grey frames i at the given milliseconds, and a second of sound, level 0.5, from sound_ms on (negative:
 * none), as Matroska. */
static void write_uneven(const char *path, const int *ms, int frames, int sound_ms)
{
    AVFormatContext *format;
    assert_true(avformat_alloc_output_context2(&format, NULL, "matroska", path) >= 0);
    AVStream *film = avformat_new_stream(format, NULL), *sound = NULL;
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    encoder->width = W;
    encoder->height = H;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = (AVRational){1, 1000};
    encoder->gop_size = 1;
    encoder->global_quality = 2 * FF_QP2LAMBDA;
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_GLOBAL_HEADER;
    assert_true(avcodec_open2(encoder, codec, NULL) >= 0);
    avcodec_parameters_from_context(film->codecpar, encoder);
    film->time_base = encoder->time_base;
    if (sound_ms >= 0) {
        sound = avformat_new_stream(format, NULL);
        sound->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
        sound->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
        sound->codecpar->format = AV_SAMPLE_FMT_S16;
        sound->codecpar->sample_rate = RATE;
        sound->codecpar->bits_per_coded_sample = 16;
        av_channel_layout_default(&sound->codecpar->ch_layout, 1);
        sound->time_base = (AVRational){1, 1000};
    }
    assert_true(avio_open(&format->pb, path, AVIO_FLAG_WRITE) >= 0);
    assert_true(avformat_write_header(format, NULL) >= 0);
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    frame->width = W;
    frame->height = H;
    frame->format = AV_PIX_FMT_YUV420P;
    for (int i = 0; i < frames; i++) {
        assert_true(av_frame_get_buffer(frame, 0) >= 0);
        memset(frame->data[0], grey_of(i), (size_t)frame->linesize[0] * H);
        memset(frame->data[1], 128, (size_t)frame->linesize[1] * H / 2);
        memset(frame->data[2], 128, (size_t)frame->linesize[2] * H / 2);
        frame->pts = ms[i];
        assert_true(avcodec_send_frame(encoder, frame) >= 0);
        assert_true(avcodec_receive_packet(encoder, packet) >= 0);
        packet->stream_index = 0;
        av_packet_rescale_ts(packet, encoder->time_base, film->time_base);
        assert_true(av_interleaved_write_frame(format, packet) >= 0);
        frame->buf[0] == NULL ? (void)0 : av_buffer_unref(&frame->buf[0]);
        av_buffer_unref(&frame->buf[1]);
        av_buffer_unref(&frame->buf[2]);
    }
    for (int part = 0; part < 10 && sound != NULL; part++) {
        assert_true(av_new_packet(packet, RATE / 10 * 2) >= 0);
        for (int i = 0; i < RATE / 10; i++)
            memcpy(packet->data + 2 * i, &(int16_t){16384}, 2);
        packet->stream_index = 1;
        packet->pts = packet->dts = sound_ms + 100 * part;
        packet->duration = 100;
        av_packet_rescale_ts(packet, (AVRational){1, 1000}, sound->time_base);
        assert_true(av_interleaved_write_frame(format, packet) >= 0);
    }
    av_write_trailer(format);
    avio_closep(&format->pb);
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&encoder);
    avformat_free_context(format);
}

/* Which frame it is, by its grey in studio range. */
static int frame_at(const vx_picture *p)
{
    int grey = vx_picture_row(p, p->height / 2)[3 * (p->width / 2)];
    return (int)lround((grey * 219.0 / 255 + 16 - 40) / 10);
}

static void frames_are_shown_at_their_times(void **state)
{
    (void)state;
    static const int ms[8] = {0, 200, 400, 450, 500, 550, 600, 650};
    write_uneven(scratch("u.mkv"), ms, 8, -1);
    for (int k = 0; k < 3; k++) {
        int asked = k == 0 ? 0 : k == 1 ? 10 : 60;
        vx_video *video;
        vx_error err = {0};
        assert_int_equal(vx_video_open(&video, scratch("u.mkv"), NULL, &err), VX_OK);
        assert_int_equal(vx_video_pace(video, asked, 1, &err), VX_OK);
        const vx_video_info *info = vx_video_about(video);
        int fps = asked > 0 ? asked : 24; /* the median step is 50 ms */
        assert_int_equal(info->fps_num, fps);
        assert_int_equal(info->frames, (int)ceil(0.7 * fps - 1e-6));
        for (int i = 0; i <= info->frames; i++) {
            vx_picture frame;
            bool ended;
            int shown = 0;
            assert_int_equal(vx_video_next(video, &frame, NULL, &ended, &err), VX_OK);
            assert_int_equal(ended, i == info->frames);
            while (shown < 7 && ms[shown + 1] <= 1000.0 * i / fps + 0.1)
                shown++;
            if (!ended) assert_int_equal(frame_at(&frame), shown);
        }
        vx_video_close(&video);
    }
    /* Key frames by the same times: 17 frames, 0, 4, 8, 12, 16. */
    vx_video *video;
    vx_picture picture[5];
    int64_t index[5], frames;
    assert_int_equal(vx_video_open(&video, scratch("u.mkv"), NULL, NULL), VX_OK);
    assert_int_equal(vx_video_key_frames(video, 5, index, picture, &frames, NULL), VX_OK);
    assert_int_equal(frames, 17);
    static const int expected[5] = {0, 0, 1, 4, 7};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(index[i], 4 * i);
        assert_int_equal(frame_at(&picture[i]), expected[i]);
        vx_image_free(&picture[i]);
    }
    vx_video_close(&video);
    clear_scratch();
}

static void rates_are_told_from_times(void **state)
{
    (void)state;
    static const struct {
        int num, den, claimed_num, claimed_den, tick_ms, jitter_ms;
        int expected_num, expected_den;
        bool constant;
    } cases[] = {
        {25, 1, 25, 1, 0, 0, 25, 1, true},
        {30000, 1001, 30000, 1001, 1, 0, 30000, 1001, true}, /* in whole milliseconds */
        {30000, 1001, 0, 1, 0, 0, 30000, 1001, true},
        {24000, 1001, 15, 1, 0, 0, 24000, 1001, true}, /* a wrong claim */
        {12, 1, 12, 1, 1, 0, 12, 1, true},
        {30, 1, 2997, 100, 1, 9, 30, 1, false}, /* a phone's */
        {57, 1, 57, 1, 1, 9, 60, 1, false},
        {15, 1, 15, 1, 1, 20, 24, 1, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        enum { N = 300 };
        int64_t time[N];
        double tick = cases[k].tick_ms > 0 ? 1e-3 : 1.0 / cases[k].num;
        for (int i = 0; i < N; i++) {
            double at = (double)i * cases[k].den / cases[k].num +
                        (i % 7 == 3 ? cases[k].jitter_ms * 1e-3 : 0);
            time[(i * 7) % N] = llround(at / tick);
        }
        vx_pace pace = vx_pace_of(time, N, tick, cases[k].claimed_num, cases[k].claimed_den);
        assert_int_equal(pace.constant, cases[k].constant);
        assert_int_equal(pace.num, cases[k].expected_num);
        assert_int_equal(pace.den, cases[k].expected_den);
        assert_true(fabs(pace.seconds - (double)N * cases[k].den / cases[k].num) < 0.03);
    }
    int64_t still[3] = {5, 5, 5};
    assert_int_equal(vx_pace_of(still, 1, 1e-3, 0, 1).num, 24);
    assert_int_equal(vx_pace_of(still, 3, 1e-3, 30, 1).num, 30);
    assert_int_equal(vx_pace_frames(0.7, 10, 1), 7);
    assert_int_equal(vx_pace_frames(1e-9, 24, 1), 1);
}

static void late_sound_stays_late(void **state)
{
    (void)state;
    static const int ms[25] = {0,   40,  80,  120, 160, 200, 240, 280, 320, 360, 400, 440, 480,
                               520, 560, 600, 640, 680, 720, 760, 800, 840, 880, 920, 960};
    vx_sound sound;
    write_uneven(scratch("l.mkv"), ms, 19, 300);
    assert_int_equal(vx_sound_read(&sound, scratch("l.mkv"), RATE, 10, NULL, NULL), VX_OK);
    assert_int_equal(vx_sound_begin(&sound, 0, NULL), VX_OK);
    int64_t first = 0;
    while (first < sound.count && fabsf(sound.samples[first]) < 0.1f)
        first++;
    assert_in_range(first, RATE * 3 / 10 - 50, RATE * 3 / 10 + 50);
    assert_in_range(sound.count, RATE * 13 / 10 - 50, RATE * 13 / 10 + 50);
    vx_sound_free(&sound);
    clear_scratch();
}

/* ---- turned films ------------------------------------------------------------------------------ */

/* A film of 64x48 whose left part is white and whose upper part is grey, turned by a matrix in its header. */
static void write_turned(const char *path, const int32_t matrix[4])
{
    vx_mux_params params = {.path = path, .width = W, .height = H, .fps_num = 25};
    vx_mux *mux;
    vx_picture picture;
    char *data;
    size_t bytes;
    assert_int_equal(vx_mux_open(&mux, &params, NULL), VX_OK);
    assert_int_equal(vx_image_new(&picture, W, H, NULL), VX_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            memset(vx_picture_row(&picture, y) + 3 * x, x < W / 4 ? 255 : y < H / 4 ? 128 : 0, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vx_mux_frame(mux, &picture, NULL), VX_OK);
    assert_int_equal(vx_mux_finish(&mux, NULL), VX_OK);
    vx_image_free(&picture);
    assert_int_equal(vx_file_read(path, 1 << 20, &data, &bytes, NULL), VX_OK);
    char *tkhd = memmem(data, bytes, "tkhd", 4);
    assert_non_null(tkhd);
    static const int place[4] = {0, 1, 3, 4}; /* a b c d; u, v and the rest stay */
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            tkhd[44 + 4 * place[i] + k] = (char)((uint32_t)(matrix[i] * 65536) >> (24 - 8 * k));
    assert_int_equal(vx_file_write(path, data, bytes, NULL), VX_OK);
    vx_heap_free(data);
}

static int level_at(const vx_picture *p, double x, double y)
{
    return vx_picture_row(p, (int)(y * p->height))[3 * (int)(x * p->width)];
}

static void films_stand_upright(void **state)
{
    (void)state;
    /* x' = a x + c y, y' = b x + d y; where the white edge and the grey edge then are: left, right, top, bottom. */
    static const struct {
        int32_t matrix[4];
        int orientation;
        double white[2], grey[2];
    } cases[] = {
        {{1, 0, 0, 1}, 1, {0.1, 0.9}, {0.9, 0.1}},   {{-1, 0, 0, 1}, 2, {0.9, 0.9}, {0.1, 0.1}},
        {{-1, 0, 0, -1}, 3, {0.9, 0.1}, {0.1, 0.9}}, {{1, 0, 0, -1}, 4, {0.1, 0.1}, {0.9, 0.9}},
        {{0, 1, 1, 0}, 5, {0.9, 0.1}, {0.1, 0.9}},   {{0, 1, -1, 0}, 6, {0.1, 0.1}, {0.9, 0.9}},
        {{0, -1, -1, 0}, 7, {0.1, 0.9}, {0.9, 0.1}}, {{0, -1, 1, 0}, 8, {0.9, 0.9}, {0.1, 0.1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vx_video *video;
        vx_picture frame;
        bool ended;
        vx_error err = {0};
        bool swap = vx_turn_swaps(cases[i].orientation);
        write_turned(scratch("t.mp4"), cases[i].matrix);
        assert_int_equal(vx_video_open(&video, scratch("t.mp4"), NULL, &err), VX_OK);
        assert_int_equal(vx_video_about(video)->width, swap ? H : W);
        assert_int_equal(vx_video_about(video)->height, swap ? W : H);
        assert_int_equal(vx_video_next(video, &frame, NULL, &ended, &err), VX_OK);
        assert_int_equal(frame.width, swap ? H : W);
        assert_true(level_at(&frame, cases[i].white[0], cases[i].white[1]) > 230);
        int grey = level_at(&frame, cases[i].grey[0], cases[i].grey[1]);
        assert_true(grey > 100 && grey < 160);
        assert_true(level_at(&frame, 0.5, 0.5) < 30);
        vx_video_close(&video);
    }
    clear_scratch();
}

/* ---- asked to stop ------------------------------------------------------------------------------ */

static void *ask_later(void *cancel)
{
    usleep(50000);
    vx_cancel_ask(cancel);
    return NULL;
}

/* A pipe that nobody writes to, and one whose writer is silent. */
static void readers_of_pipes_stop(void **state)
{
    (void)state;
    const char *fifo = scratch("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (int k = 0; k < 6; k++) {
        vx_cancel cancel = {0};
        pthread_t thread;
        vx_error err = {0};
        int writer = k % 2 == 0 ? -1 : open(fifo, O_RDWR | O_CLOEXEC);
        assert_int_equal(pthread_create(&thread, NULL, ask_later, &cancel), 0);
        vx_picture picture;
        vx_sound sound;
        vx_video *video;
        vx_image_reading reading = {.cancel = &cancel};
        vx_status status = k / 2 == 0   ? vx_image_read(&picture, fifo, &reading, &err)
                           : k / 2 == 1 ? vx_sound_read(&sound, fifo, RATE, 10, &cancel, &err)
                                        : vx_video_open(&video, fifo, &cancel, &err);
        pthread_join(thread, NULL);
        if (writer >= 0) close(writer);
        assert_int_equal(status, VX_ERR_CANCELLED);
        assert_string_equal(err.code, "cancelled");
    }
    clear_scratch();
}

/* One SIGINT, exit 7, one sentence: the command line waiting for a silent pipe. */
static void one_signal_is_enough(void **state)
{
    (void)state;
    const char *fifo = scratch("fifo"), *film = scratch("o.mp4"), *said = scratch("said");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    for (int k = 0; k < 3; k++) {
        const char *flag = k == 0 ? "--audio" : "--drive";
        const char *portrait = k == 2 ? fifo : VX_SOURCE_DIR "/examples/presenter.png";
        int status;
        pid_t child = fork();
        if (child == 0) {
            dup2(open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
            execl(VX_BUILD_DIR "/vortex", "vortex", "--pack", VX_TEST_DATA "/animate/whole",
                  "animate", portrait, flag, fifo, "-o", film, NULL);
            _exit(127);
        }
        int writer = open(fifo, O_RDWR | O_CLOEXEC);
        /* It has opened the pipe when a descriptor of it shows, within a minute; then it waits. */
        char link[64], target[320];
        for (int look = 0, found = 0; look < 6000 && !found; look++, usleep(10000))
            for (int fd = 3; fd < 12 && !found; fd++) {
                snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)child, fd);
                ssize_t n = readlink(link, target, sizeof target - 1);
                target[n > 0 ? n : 0] = '\0';
                found = strcmp(target, fifo) == 0;
            }
        usleep(20000);
        kill(child, SIGINT);
        assert_int_equal(waitpid(child, &status, 0), child);
        close(writer);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
        char *text;
        size_t bytes;
        assert_int_equal(vx_file_read(said, 4096, &text, &bytes, NULL), VX_OK);
        assert_non_null(strstr(text, "cancelled"));
        assert_ptr_equal(strchr(text, '\n'), text + bytes - 1);
        vx_heap_free(text);
    }
    clear_scratch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_shown_at_their_times),
        cmocka_unit_test(rates_are_told_from_times),
        cmocka_unit_test(late_sound_stays_late),
        cmocka_unit_test(films_stand_upright),
        cmocka_unit_test(readers_of_pipes_stop),
        cmocka_unit_test(one_signal_is_enough),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
