/* Films that are streamed while they are made: fragments, the same pictures and sound as the
 * file's, the type before the first byte, an end in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "media/sound.h"
#include "media/video.h"
#include "slot_rig.h"

enum { PATIENCE_MS = 60000, BYTES_MAX = 1 << 22, BOXES_MAX = 64 };

/* Long enough for several fragments. */
#define RECIPE(output)                                                                             \
    "slot_id: stream\nseed: 3\naudio_track: {script: \"Read the lead. Then read it again, and "    \
    "say it aloud. Who led "                                                                       \
    "whom, and where? Read the lead.\", voice_id: narrator}\nvisual_track: {prompt: a b "          \
    "c}\noutput: {" output "}\n"

/* What comes, and when. */
typedef struct stream {
    vx_job *job;
    uint8_t bytes[BYTES_MAX];
    size_t count;
    atomic_llong frames;
    int64_t frames_at_first_fragment; /* -1: it has not come */
    size_t refuse_after;              /* 0: everything is taken */
    bool typed;                       /* the type was there at the first byte */
} stream;

static void count_frame(void *arg, int64_t index, const vx_frame *frame)
{
    stream *s = arg;
    (void)frame;
    atomic_store(&s->frames, index + 1);
}

static int take(void *arg, const void *bytes, size_t count)
{
    stream *s = arg;
    if (s->count == 0) s->typed = vx_job_mime(s->job) != NULL;
    if (s->refuse_after > 0 && s->count > s->refuse_after) return 1;
    assert_true(s->count + count <= BYTES_MAX);
    memcpy(s->bytes + s->count, bytes, count);
    s->count += count;
    if (s->frames_at_first_fragment < 0 && memmem(s->bytes, s->count, "moof", 4) != NULL)
        s->frames_at_first_fragment = atomic_load(&s->frames);
    return 0;
}

static stream *new_stream(void)
{
    stream *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->frames_at_first_fragment = -1;
    return s;
}

static const vx_result *stream_film(slot_rig *r, const char *recipe, const char *path, stream *s)
{
    vx_submit_params params = {.text = recipe,
                               .path = path,
                               .confined = true,
                               .frame = count_frame,
                               .write = take,
                               .arg = s};
    assert_int_equal(vx_submit(r->vortex, &params, &s->job, &r->err), VX_OK);
    assert_int_equal(vx_job_wait(s->job, PATIENCE_MS), VX_OK);
    const vx_result *result = vx_job_result(s->job);
    if (strcmp(result->outcome, "done") != 0) fprintf(stderr, "%s\n", result->error.message);
    return result;
}

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The top boxes' names, one after the other, "ftypmoovmoofmdat…". */
static void boxes_of(const stream *s, char names[4 * BOXES_MAX + 1])
{
    size_t at = 0;
    int count = 0;
    for (; at + 8 <= s->count && count < BOXES_MAX; count++) {
        memcpy(names + (size_t)4 * count, s->bytes + at + 4, 4);
        assert_true(word_at(s->bytes + at) >= 8);
        at += word_at(s->bytes + at);
    }
    names[4 * count] = '\0';
    assert_int_equal(at, s->count);
}

/* Every frame and every sample of two films; a stream's last packet of sound is
 * not cut to its length. */
static void assert_same_film(const char *a, const char *b)
{
    vx_video *video[2];
    vx_sound sound[2];
    vx_picture frame[2] = {{0}};
    const char *path[2] = {a, b};
    int64_t frames = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vx_video_open(&video[i], path[i], NULL, NULL), VX_OK);
        assert_int_equal(vx_sound_read(&sound[i], path[i], 48000, 60, NULL, NULL), VX_OK);
    }
    enum { PACKET = 1024 };
    assert_in_range(sound[1].count, sound[0].count, sound[0].count + PACKET);
    assert_memory_equal(sound[0].samples, sound[1].samples, (size_t)sound[0].count * sizeof(float));
    for (;; frames++) {
        bool ended[2];
        for (int i = 0; i < 2; i++)
            assert_int_equal(vx_video_next(video[i], &frame[i], NULL, &ended[i], NULL), VX_OK);
        assert_int_equal(ended[0], ended[1]);
        if (ended[0]) break;
        assert_memory_equal(frame[0].rgb, frame[1].rgb,
                            (size_t)frame[0].stride * (size_t)frame[0].height);
    }
    assert_true(frames > 24);
    for (int i = 0; i < 2; i++) {
        vx_sound_free(&sound[i]);
        vx_video_close(&video[i]);
    }
}

static void a_film_is_streamed_in_fragments(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    stream *s = new_stream(), *again = new_stream();
    char file[128], streamed[128], names[4 * BOXES_MAX + 1];
    snprintf(file, sizeof file, "%s/file.mp4", r.folder);
    snprintf(streamed, sizeof streamed, "%s/streamed.mp4", r.folder);
    const vx_result *result = stream_film(&r, RECIPE(""), file, s);
    assert_string_equal(result->outcome, "done");
    assert_true(s->typed);
    const char *mime = vx_job_mime(s->job);
    assert_memory_equal(mime, "video/mp4; codecs=\"avc1.64", 25);
    assert_non_null(strstr(mime, ", mp4a.40.2\""));
    boxes_of(s, names);
    assert_memory_equal(names, "ftypmoovmoofmdatmoofmdat", 24);
    /* It can be played before it is whole. */
    assert_true(s->frames_at_first_fragment > 0);
    assert_true(s->frames_at_first_fragment < result->frames);
    vx_job_free(&s->job);
    assert_int_equal(vx_file_write(streamed, s->bytes, s->count, NULL), VX_OK);
    assert_same_film(file, streamed);
    /* Alone it is the same stream. */
    result = stream_film(&r, RECIPE(""), NULL, again);
    assert_null(result->path);
    assert_int_equal(again->count, s->count);
    assert_memory_equal(again->bytes, s->bytes, s->count);
    vx_job_free(&again->job);
    free(s);
    free(again);
    slot_rig_close(&r);
}

/* A fragment lasts a second at most: its first track's samples are at most a second of frames. */
static void fragments_are_short(void **state)
{
    (void)state;
    enum { FPS = 12 };
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    stream *s = new_stream();
    int64_t frames = stream_film(&r, RECIPE("fps: 12"), NULL, s)->frames, seen = 0;
    const uint8_t *end = s->bytes + s->count, *at = s->bytes;
    while ((at = memmem(at, (size_t)(end - at), "moof", 4)) != NULL) {
        const uint8_t *track = memmem(at, (size_t)(end - at), "tfhd", 4);
        const uint8_t *run = memmem(at, (size_t)(end - at), "trun", 4);
        assert_true(track != NULL && run != NULL);
        at += 4;
        if (word_at(track + 8) != 1) continue; /* sound alone, at the end */
        assert_in_range(word_at(run + 8), 1, FPS);
        seen += word_at(run + 8);
    }
    assert_int_equal(seen, frames);
    vx_job_free(&s->job);
    free(s);
    slot_rig_close(&r);
}

static void a_recipe_may_want_matroska(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    stream *s = new_stream();
    char file[128], streamed[128];
    snprintf(file, sizeof file, "%s/file.mkv", r.folder);
    snprintf(streamed, sizeof streamed, "%s/streamed.mkv", r.folder);
    stream_film(&r, RECIPE("container: mkv, subtitles: track"), file, s);
    assert_memory_equal(s->bytes, "\x1A\x45\xDF\xA3", 4);
    assert_memory_equal(vx_job_mime(s->job), "video/x-matroska; codecs=", 25);
    assert_int_equal(vx_file_write(streamed, s->bytes, s->count, NULL), VX_OK);
    assert_same_film(file, streamed);
    vx_job_free(&s->job);
    free(s);
    slot_rig_close(&r);
}

/* Whoever reads may leave: the film is cancelled, nothing stays, the next one is made. */
static void a_reader_may_leave(void **state)
{
    (void)state;
    slot_rig r;
    slot_rig_open(&r, ALL_PACK, "");
    stream *s = new_stream();
    s->refuse_after = 1000;
    assert_string_equal(stream_film(&r, RECIPE(""), slot_rig_path(&r, "left.mp4"), s)->outcome,
                        "cancelled");
    assert_int_equal(slot_rig_files(&r), 0);
    vx_job_free(&s->job);
    char hex[65];
    assert_true(slot_rig_make(&r, "next.mp4", hex));
    free(s);
    slot_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_film_is_streamed_in_fragments),
        cmocka_unit_test(fragments_are_short),
        cmocka_unit_test(a_recipe_may_want_matroska),
        cmocka_unit_test(a_reader_may_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
