/* Captions: cues by sentences, clauses and words; their files; the film's own track and key frames. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavformat/avformat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/warnings.h"
#include "media/mux.h"
#include "media/video.h"
#include "slot/burn.h"
#include "text/utf8.h"
#include "media_helpers.h"

enum { WORDS_MAX = 400 };

/* A speech in which each word of the text takes `seconds`, and marks are spoken as they stand. */
typedef struct speech {
    vx_spoken spoken;
    vx_g2p_word word[WORDS_MAX];
    vx_speech_span span[WORDS_MAX];
    uint32_t symbol[4 * WORDS_MAX];
} speech;

static speech said;

static bool is_mark(uint32_t c)
{
    return c < 0x80 ? strchr(".,;:!?", (int)c) != NULL : c == 0x2026 || c == 0x2014;
}

static const vx_spoken *say(const char *text, double seconds)
{
    memset(&said, 0, sizeof said);
    vx_spoken *s = &said.spoken;
    *s = (vx_spoken){.text = text,
                     .bytes = strlen(text),
                     .word = said.word,
                     .word_span = said.span,
                     .symbol = said.symbol};
    for (size_t at = 0, end; at < s->bytes; at = end + (text[end] == ' ')) {
        end = at + strcspn(text + at, " ");
        size_t first = at, last = end;
        uint32_t c;
        while (last > first && (vx_utf8_before(text, last, &c), is_mark(c)))
            last -= vx_utf8_before(text, last, &c);
        if (last > first) {
            int64_t i = s->words++;
            said.word[i] = (vx_g2p_word){.text_start = (uint32_t)first,
                                         .text_length = (uint32_t)(last - first),
                                         .symbol_start = (uint32_t)s->symbols,
                                         .symbols = 1};
            said.span[i] = (vx_speech_span){(int64_t)((double)i * seconds * VX_KOKORO_RATE),
                                            (int64_t)((double)(i + 1) * seconds * VX_KOKORO_RATE)};
            said.symbol[s->symbols++] = 'x';
        }
        while (last < end) {
            last += vx_utf8_decode(text + last, end - last, &c);
            said.symbol[s->symbols++] = c;
        }
        said.symbol[s->symbols++] = ' ';
    }
    s->count = (int64_t)(((double)s->words * seconds + 1) * VX_KOKORO_RATE);
    return s;
}

/* Every cue keeps the rules; their texts one after the other, '|' between them. */
static const char *cues_of(const vx_spoken *s)
{
    static char all[8192];
    vx_captions captions = vx_captions_of(s);
    vx_caption cue;
    double last = 0;
    all[0] = '\0';
    while (vx_captions_next(&captions, &cue)) {
        const char *line = cue.text;
        assert_true(cue.start_s >= last && cue.end_s > cue.start_s);
        assert_true(cue.end_s - cue.start_s <= 6 + 1e-9);
        last = cue.end_s;
        int lines = 0;
        for (; line != NULL; lines++) {
            const char *end = strchr(line, '\n');
            assert_in_range(vx_utf8_count(line, end != NULL ? (size_t)(end - line) : strlen(line)),
                            1, VX_CAPTION_LINE);
            line = end != NULL ? end + 1 : NULL;
        }
        assert_in_range(lines, 1, 2);
        if (all[0] != '\0') strcat(all, "|");
        strcat(all, cue.text);
    }
    return all;
}

static void cues_end_with_sentences(void **state)
{
    (void)state;
    assert_string_equal(cues_of(say("Good evening, everybody.", 0.4)), "Good evening, everybody.");
    /* Short ones share a line. */
    assert_string_equal(cues_of(say("Stop! Wait. Who are you?", 0.4)), "Stop! Wait. Who are you?");
    assert_string_equal(
        cues_of(say("This is the first sentence of two. This is the second one of them.", 0.3)),
        "This is the first sentence of two.|This is the second one of them.");
    /* An abbreviation's stop is not spoken and ends nothing: the fourth symbol is Dr's. */
    const vx_spoken *s = say("We shall ask old Dr. Ferdinand Montgomery. He is here.", 0.3);
    for (int64_t i = 0; i < s->symbols; i++)
        if (i < 11 && said.symbol[i] == '.') said.symbol[i] = ' ';
    assert_string_equal(cues_of(s), "We shall ask old Dr. Ferdinand Montgomery.|He is here.");
}

static void long_sentences_are_cut_at_clauses(void **state)
{
    (void)state;
    assert_string_equal(
        cues_of(say("When the night is clear and there is no moon, we can see about three thousand "
                    "stars with our own eyes, and nearly all of them are brighter than the sun.",
                    0.2)),
        "When the night is clear\nand there is no moon,|"
        "we can see about three thousand\nstars with our own eyes,|"
        "and nearly all of them\nare brighter than the sun.");
    /* No mark at all: two full lines, then the rest. */
    const char *text = cues_of(say("one two three four five six seven eight nine ten eleven twelve "
                                   "thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
                                   0.2));
    assert_non_null(strchr(text, '|'));
    /* Slow speech: six seconds are the bound before the lines are. */
    assert_string_equal(cues_of(say("one two three four five six seven", 1.5)),
                        "one two three four|five six seven");
}

static void text_is_the_scripts_own(void **state)
{
    (void)state;
    assert_string_equal(cues_of(say("\"Caf\xC3\xA9,\"  he <b>said</b>, \n well-known...", 0.4)),
                        "\"Caf\xC3\xA9,\" he said, well-known...");
    char longest[200];
    memset(longest, 'w', 150);
    longest[150] = '\0';
    assert_int_equal(strlen(cues_of(say(longest, 9))), VX_CAPTION_LINE);
    assert_string_equal(cues_of(say("", 1)), "");
}

/* A web page's text: its words are those that a reader would see. */
static void pasted_text_is_shown_as_it_reads(void **state)
{
    (void)state;
    static const char *const words[] = {"Tom",  "&amp;amp;", "Jerry&#39;s", "cat", "is",
                                        "here", "Next",      "one",         "two"};
    memset(&said, 0, sizeof said);
    vx_spoken *s = &said.spoken;
    s->text = "<p>&quot;Tom &amp;amp; Jerry&#39;s <a href='x y' class=\"a b\">cat</a>&nbsp;is&#7; "
              "here</p><p>Next</p>one<br>two &lt;b&gt;&copy;&quot;";
    s->bytes = strlen(s->text);
    s->word = said.word;
    s->word_span = said.span;
    s->symbol = said.symbol;
    const char *at = s->text;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++, s->words++) {
        at = strstr(at, words[i]);
        said.word[i] = (vx_g2p_word){.text_start = (uint32_t)(at - s->text),
                                     .text_length = (uint32_t)strlen(words[i])};
        said.span[i] = (vx_speech_span){(int64_t)i * 2400, (int64_t)(i + 1) * 2400};
        at += strlen(words[i]);
    }
    s->count = 48000;
    assert_string_equal(cues_of(s),
                        "\"Tom & Jerry's cat\xC2\xA0is\nhere Next one two <b>\xC2\xA9\"");
}

static void files_are_as_players_want_them(void **state)
{
    (void)state;
    const vx_spoken *s = say("Tom & Jerry <i>run</i> away.", 0.5);
    char *data;
    size_t bytes;
    assert_int_equal(vx_captions_write_srt(s, scratch("a.srt"), NULL), VX_OK);
    assert_int_equal(vx_file_read(scratch("a.srt"), 9999, &data, &bytes, NULL), VX_OK);
    assert_string_equal(data, "1\n00:00:00,000 --> 00:00:02,900\nTom & Jerry run away.\n\n");
    vx_heap_free(data);
    assert_int_equal(vx_captions_write_vtt(s, scratch("a.vtt"), NULL), VX_OK);
    assert_int_equal(vx_file_read(scratch("a.vtt"), 9999, &data, &bytes, NULL), VX_OK);
    assert_string_equal(data, "WEBVTT\n\n00:00:00.000 --> 00:00:02.900\n"
                              "Tom <00:00:00.500>&amp; <00:00:01.000>Jerry <00:00:01.500>run "
                              "<00:00:02.000>away.\n\n");
    vx_heap_free(data);
    assert_int_equal(vx_captions_write_srt(s, scratch("no/a.srt"), NULL), VX_ERR_IO);
    clear_scratch();
}

static void make_film(const char *path, vx_container container, const vx_spoken *s)
{
    vx_captions captions = vx_captions_of(s);
    vx_mux_params p = {.path = path,
                       .container = container,
                       .width = 64,
                       .height = 64,
                       .fps_num = 10,
                       .captions = vx_captions_feed,
                       .captions_arg = &captions};
    vx_mux *mux;
    vx_picture picture;
    assert_int_equal(vx_mux_open(&mux, &p, NULL), VX_OK);
    assert_int_equal(vx_image_new(&picture, 64, 64, NULL), VX_OK);
    for (int i = 0; i < 65; i++) {
        memset(picture.rgb, 40 * (i % 7), (size_t)64 * 64 * 3);
        assert_int_equal(vx_mux_frame(mux, &picture, NULL), VX_OK);
    }
    vx_image_free(&picture);
    assert_int_equal(vx_mux_finish(&mux, NULL), VX_OK);
}

static void films_hold_captions_and_key_frames(void **state)
{
    (void)state;
    for (int mkv = 0; mkv < 2; mkv++) {
        const char *path = scratch(mkv ? "f.mkv" : "f.mp4");
        make_film(path, mkv ? VX_MKV : VX_MP4,
                  say("One is here, the first of them all. Two is here, the second.", 0.4));
        AVFormatContext *film = NULL;
        assert_int_equal(avformat_open_input(&film, path, NULL, NULL), 0);
        assert_true(avformat_find_stream_info(film, NULL) >= 0);
        assert_int_equal(film->nb_streams, 2);
        const AVStream *text = film->streams[1];
        assert_int_equal(text->codecpar->codec_id, mkv ? AV_CODEC_ID_SUBRIP : AV_CODEC_ID_MOV_TEXT);
        assert_string_equal(av_dict_get(text->metadata, "language", NULL, 0)->value, "eng");
        AVPacket *packet = av_packet_alloc();
        int cues = 0;
        while (av_read_frame(film, packet) >= 0) {
            const AVStream *stream = film->streams[packet->stream_index];
            double at = (double)packet->pts * av_q2d(stream->time_base);
            if (packet->stream_index == 0) {
                /* Key frames at 0, 2, 4 and 6 s and nowhere else. */
                bool due = fabs(at - 2 * round(at / 2)) < 0.01;
                assert_int_equal((packet->flags & AV_PKT_FLAG_KEY) != 0, due);
            } else if (packet->size > 2) {
                static const char *const want[] = {"One is here, the first of them all.",
                                                   "Two is here, the second."};
                static const double start[] = {0, 3.2};
                int skip = mkv ? 0 : 2;
                assert_int_equal(packet->size - skip, strlen(want[cues]));
                assert_memory_equal(packet->data + skip, want[cues], strlen(want[cues]));
                assert_true(fabs(at - start[cues]) < 0.002);
                cues++;
            }
            av_packet_unref(packet);
        }
        assert_int_equal(cues, 2);
        av_packet_free(&packet);
        avformat_close_input(&film);
    }
    clear_scratch();
}

/* ---- drawn into the film --------------------------------------------------------------------- */

enum { FILM_WIDTH = 320, FILM_HEIGHT = 240, GREY = 128 };

static _Alignas(16) char letters_memory[1600000];

/* Whether the picture is as it was within the rows and columns. */
static bool untouched(const vx_picture *p, int x0, int y0, int x1, int y1)
{
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            if (vx_picture_row(p, y)[3 * x] != GREY) return false;
    return true;
}

static void captions_are_drawn_inside_the_safe_area(void **state)
{
    (void)state;
    /* Words of 0.4 s; the second cue has two lines, the widest that there can be. */
    const vx_spoken *s = say("Here is one. WWWWWWWW WWWWWWWW WWWWWWWW WWWWWWW WWWW "
                             "WWWWWWWW WWWWWWWW WWWWWWWW WWWWWWW.",
                             0.4);
    vx_burn burn;
    vx_picture p;
    vx_warnings warnings;
    vx_warnings_init(&warnings);
    assert_true(vx_burn_bytes() <= sizeof letters_memory);
    assert_int_equal(vx_image_new(&p, FILM_WIDTH, FILM_HEIGHT, NULL), VX_OK);
    vx_warnings *outer = vx_warnings_scope(&warnings);
    assert_int_equal(vx_burn_open(&burn, s, 10, FILM_WIDTH, FILM_HEIGHT, letters_memory,
                                  vx_burn_bytes(), "output.subtitles", NULL),
                     VX_OK);
    vx_warnings_scope(outer);
    assert_int_equal(warnings.count, 1); /* W's as wide as that are small */
    assert_string_equal(warnings.item[0].code, "captions_small");
    int64_t calls = vx_heap_read().calls;
    for (int i = 0; i < 70; i++) {
        memset(p.rgb, GREY, (size_t)3 * FILM_WIDTH * FILM_HEIGHT);
        bool drawn = vx_burn_frame(&burn, i, &p);
        assert_int_equal(drawn, i < 52);
        assert_int_equal(untouched(&p, 0, 0, FILM_WIDTH, FILM_HEIGHT), !drawn);
        assert_true(untouched(&p, 0, 0, FILM_WIDTH / 20, FILM_HEIGHT));
        assert_true(untouched(&p, FILM_WIDTH * 19 / 20, 0, FILM_WIDTH, FILM_HEIGHT));
        assert_true(untouched(&p, 0, FILM_HEIGHT * 19 / 20, FILM_WIDTH, FILM_HEIGHT));
        assert_true(untouched(&p, 0, 0, FILM_WIDTH, FILM_HEIGHT * 3 / 4));
        /* White letters on their dark box. */
        int darkest = 255, brightest = 0;
        for (int k = 0; k < 3 * FILM_WIDTH * FILM_HEIGHT; k++) {
            darkest = p.rgb[k] < darkest ? p.rgb[k] : darkest;
            brightest = p.rgb[k] > brightest ? p.rgb[k] : brightest;
        }
        if (drawn) assert_true(darkest < GREY / 2 && brightest > GREY + 64);
    }
    assert_int_equal(vx_heap_read().calls, calls);
    vx_image_free(&p);
}

/* A still picture's frames are the same ones, so what was drawn must go again. */
static void a_caption_goes_from_a_film_that_stands_still(void **state)
{
    (void)state;
    vx_burn burn;
    vx_picture p, frame;
    const vx_spoken *s = say("Here it is.", 0.4);
    assert_int_equal(vx_image_new(&p, 128, 128, NULL), VX_OK);
    memset(p.rgb, GREY, (size_t)3 * 128 * 128);
    assert_int_equal(
        vx_burn_open(&burn, s, 10, 128, 128, letters_memory, vx_burn_bytes(), "", NULL), VX_OK);
    vx_mux_params params = {.path = scratch("b.mkv"),
                            .container = VX_MKV,
                            .width = 128,
                            .height = 128,
                            .fps_num = 10,
                            .draw = vx_burn_frame,
                            .draw_arg = &burn};
    vx_mux *mux;
    assert_int_equal(vx_mux_open(&mux, &params, NULL), VX_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(vx_mux_frame(mux, &p, NULL), VX_OK);
        assert_true(untouched(&p, 0, 0, 128, 128));
    }
    assert_int_equal(vx_mux_finish(&mux, NULL), VX_OK);
    vx_image_free(&p);
    vx_video *video;
    bool ended = false;
    assert_int_equal(vx_video_open(&video, scratch("b.mkv"), NULL, NULL), VX_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(vx_video_next(video, &frame, NULL, &ended, NULL), VX_OK);
        assert_false(ended);
        int darkest = 255;
        for (int k = 0; k < 3 * 128; k++)
            darkest =
                vx_picture_row(&frame, 115)[k] < darkest ? vx_picture_row(&frame, 115)[k] : darkest;
        /* Spoken for 1.2 s, and it stays for 0.4 s more. */
        assert_int_equal(darkest < GREY * 3 / 4, i < 16);
    }
    vx_video_close(&video);
    clear_scratch();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cues_end_with_sentences),
        cmocka_unit_test(long_sentences_are_cut_at_clauses),
        cmocka_unit_test(text_is_the_scripts_own),
        cmocka_unit_test(pasted_text_is_shown_as_it_reads),
        cmocka_unit_test(files_are_as_players_want_them),
        cmocka_unit_test(films_hold_captions_and_key_frames),
        cmocka_unit_test(captions_are_drawn_inside_the_safe_area),
        cmocka_unit_test(a_caption_goes_from_a_film_that_stands_still),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
