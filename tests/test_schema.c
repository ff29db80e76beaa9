/* Recipes and the schema: what is right is read, what is wrong is refused with its line. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/recipe.h"

static int refused; /* malformed recipes so far; the last test counts them */

static vx_status parse(vx_recipe *recipe, const char *text, size_t bytes, vx_error *err)
{
    *err = (vx_error){0};
    return vx_recipe_parse(recipe, "r.yaml", "folder", text, bytes, err);
}

/* Expects a refusal on `line` whose message contains `part`. */
static void refuse_bytes(const char *text, size_t bytes, int line, const char *part)
{
    vx_recipe recipe;
    vx_error err;
    int64_t live = vx_heap_read().live_bytes;
    vx_status status = parse(&recipe, text, bytes, &err);
    if (status != VX_ERR_INPUT || err.line != line || strstr(err.message, part) == NULL)
        print_error("%.*s\n--> status %d, line %d: %s\nwanted line %d: …%s…\n",
                    bytes < 400 ? (int)bytes : 400, text, status, err.line, err.message, line,
                    part);
    assert_int_equal(status, VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_recipe");
    assert_string_equal(err.file, "r.yaml");
    assert_int_equal(err.line, line);
    assert_non_null(strstr(err.message, part));
    assert_null(recipe.document);
    assert_int_equal(vx_heap_read().live_bytes, live);
    refused++;
}

static void refuse(const char *text, int line, const char *part)
{
    refuse_bytes(text, strlen(text), line, part);
}

static void a_full_recipe_is_read(void **state)
{
    (void)state;
    const char *text = "# every field\n"
                       "slot_id: full-1\n"
                       "seed: 9223372036854775807\n"
                       "deadline_ms: 60_000\n";
    refuse(text, 4, "deadline_ms is '60_000'");
    text =
        "slot_id: full-1\n"
        "seed: 9223372036854775807\n"
        "deadline_ms: 60000\n"
        "audio_track:\n"
        "  script: |\n    Hello \"there\".\n    It's Vortex.\n"
        "  voice_id: af_heart:0.7,af_bella:0.3\n"
        "  speed: 1.25\n  mood: manic\n  fit: truncate\n"
        "visual_track:\n"
        "  prompt: 'it''s a ''''face'''' ''a'' ''b'' ''c'' ''d'' ''e'' ''f'' ''g'' ''h'' ''i'''\n"
        "  negative_prompt: \"\"\n"
        "  image: a/b.png\n"
        "  face: [10, 20.5, 3e1, 40, 50, 60]\n"
        "  moods: [{at_s: 0, mood: sad}, {at_s: 2.5, mood: angry}]\n"
        "output: {width: 512, height: 0x200, fps: 24, max_seconds: 45, container: mkv}\n"
        "verify: {enabled: false, threshold_b: 0.7, threshold_l: 0, outlier: 0.15}\n";
    vx_recipe r;
    vx_error err;
    assert_int_equal(parse(&r, text, strlen(text), &err), VX_OK);
    assert_string_equal(r.slot_id, "full-1");
    assert_true(r.seed == INT64_MAX);
    assert_int_equal(r.deadline_ms, 60000);
    assert_string_equal(r.audio.script, "Hello \"there\".\nIt's Vortex.\n");
    assert_string_equal(r.audio.voice_id, "af_heart:0.7,af_bella:0.3");
    assert_true(r.audio.speed == 1.25);
    assert_int_equal(r.audio.mood, VX_MOOD_MANIC);
    assert_int_equal(r.audio.fit, VX_FIT_TRUNCATE);
    assert_string_equal(r.visual.prompt, "it's a ''face'' 'a' 'b' 'c' 'd' 'e' 'f' 'g' 'h' 'i'");
    assert_string_equal(r.visual.negative_prompt, "");
    assert_string_equal(r.visual.image, "a/b.png");
    assert_string_equal(r.visual.image_file.folder, "folder");
    assert_true(r.visual.image_file.confined);
    const double *face = r.visual.face.items;
    assert_int_equal(r.visual.face.count, 6);
    assert_true(face[1] == 20.5 && face[2] == 30 && face[5] == 60);
    const vx_mood_at *moods = r.visual.moods.items;
    assert_int_equal(r.visual.moods.count, 2);
    assert_true(moods[1].at_s == 2.5 && moods[1].mood == VX_MOOD_ANGRY);
    assert_true(r.output.width == 512 && r.output.height == 512 && r.output.fps == 24);
    assert_int_equal(r.output.container, VX_MKV);
    assert_false(r.verify.enabled);
    assert_true(r.verify.threshold_b == 0.7 && r.verify.threshold_l == 0);
    vx_recipe_close(&r);
    vx_recipe_close(&r);
}

static void a_short_recipe_has_defaults(void **state)
{
    (void)state;
    const char *json = "\xEF\xBB\xBF{\"audio_track\": {\"script\": \"Gr\\u00fc\xC3\x9F Gott \\ud83d"
                       "\\ude00\"},\r\n\t\"visual_track\": {\"image\": \"/a.png\"}}";
    const char *yaml = "---\naudio_track: {script: Grüß Gott 😀}\nvisual_track: {image: /a.png}\n"
                       "...\n";
    char first[65] = "";
    for (int i = 0; i < 2; i++) {
        const char *text = i == 0 ? json : yaml;
        vx_recipe r;
        vx_error err;
        vx_status status = parse(&r, text, strlen(text), &err);
        if (status != VX_OK) print_error("%s\n", err.message);
        assert_int_equal(status, VX_OK);
        assert_string_equal(r.audio.script, "Grüß Gott 😀");
        assert_int_equal(r.seed, 0);
        assert_int_equal(r.deadline_ms, 0);
        assert_null(r.audio.voice_id);
        assert_true(r.audio.speed == 1);
        assert_int_equal(r.audio.mood, -1);
        assert_int_equal(r.audio.fit, VX_FIT_ERROR);
        assert_null(r.visual.prompt);
        assert_string_equal(r.visual.image, "/a.png");
        assert_int_equal(r.visual.face.count, 0);
        assert_int_equal(r.output.width, 0);
        assert_int_equal(r.output.container, -1);
        assert_true(r.verify.enabled);
        assert_true(r.verify.threshold_b < 0 && r.verify.outlier < 0);
        /* Named by the hash of its bytes. */
        assert_memory_equal(r.slot_id, "slot-", 5);
        assert_memory_equal(r.slot_id + 5, r.sha256, 16);
        assert_string_not_equal(r.sha256, first);
        strcpy(first, r.sha256);
        vx_recipe_close(&r);
    }
}

/* What stands before the line with the key at fault. */
#define TOP    "audio_track: {script: hi}\nvisual_track: {image: a.png}\n"
#define AUDIO  "visual_track: {image: a.png}\naudio_track:\n  script: hi\n  "
#define VISUAL "audio_track: {script: hi}\nvisual_track:\n  image: a.png\n  "
#define OUTPUT TOP "output:\n  "
#define VERIFY TOP "verify:\n  "

/* One wrong value for one key at a time. Values that are right for some key are left out of that
 * key's row. */
static void every_wrong_value_is_refused_on_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        int line;
        const char *key, *values; /* separated by ';' */
    } rows[] = {
        {TOP, 3, "slot_id", "[];{};true;;null;~;a b;../x;.hidden;a/b;\"\";\"a\\nb\";é"},
        {TOP, 3, "seed",
         "-1;1.5;9223372036854775808;18446744073709551616;x;\"1\";[1];{a: 1};;true;1e3;"
         ".inf;.nan;0b1;1_000;0o8;0xG;+;+-1;--1;0x8000000000000000;99999999999999999999"},
        {TOP, 3, "deadline_ms", "0;-5;1.0;86400001;soon;'7';[];~;false;60s"},
        {AUDIO, 4, "voice_id", "[af_heart];{a: 1};1;true;;\"\";'';\"a\\nb\";|"},
        {AUDIO, 4, "speed",
         "0;0.49;2.01;-1;fast;\"1\";[1];{};;.inf;.nan;-.inf;1e9;1,5;1.2.3;"
         "true;0.5x"},
        {AUDIO, 4, "mood", "happy;Neutral;1;;[calm];{};neutral calm;\"\";excitedd;NULL"},
        {AUDIO, 4, "fit", "cut;;0;[error];{};Error;true"},
        {VISUAL, 4, "prompt", "[a];{a: b};;~;12;true;\"\""},
        {VISUAL, 4, "negative_prompt", "[a];{a: b};~;12;false"},
        {VISUAL, 4, "face",
         "1;;[];[1,2,3,4,5];[1,2,3,4,5,6,7];[1,2,3,4,5,x];[1,2,3,4,5,-1];"
         "[1,2,3,4,5,1e9];[[1],2,3,4,5,6];{a: 1};\"1 2 3 4 5 6\";"
         "[1,2,3,4,5,.nan];[1,2,3,4,5,]"},
        {VISUAL, 4, "moods",
         "calm;[calm];[{}];[{at_s: 1}];[{mood: sad}];"
         "[{at_s: -1, mood: sad}];[{at_s: 46, mood: sad}];"
         "[{at_s: 1, mood: glad}];[{at_s: 1, mood: sad, x: 1}];"
         "[{at_s: 2, mood: sad}, {at_s: 2, mood: calm}];"
         "[{at_s: 2, mood: sad}, {at_s: 1, mood: calm}];{};1;;"
         "[{at: 1, mood: sad}]"},
        {OUTPUT, 4, "width", "0;63;48;100;1040;512.0;wide;-512;\"512\";[512];{};;true;1e2"},
        {OUTPUT, 4, "height", "1;72;1025;.5;tall;[];{};~"},
        {OUTPUT, 4, "fps", "0;-24;61;23.976;film;[24];{};;24fps"},
        {OUTPUT, 4, "max_seconds", "0;45.1;-1;1e10;long;[];{};;.nan"},
        {OUTPUT, 4, "container", "avi;MP4;;1;[mp4];{}"},
        {VERIFY, 4, "enabled", "yes;no;on;1;\"true\";[];{};;tRue"},
        {VERIFY, 4, "threshold_b", "-0.1;2.6;high;[];{};;.nan"},
        {VERIFY, 4, "threshold_l", "-1;9;\"0.7\";[];{};~"},
        {VERIFY, 4, "outlier", "-1e-9;3;x;[];{};null"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (const char *value = rows[i].values;; value++) {
            char text[512];
            snprintf(text, sizeof text, "%s%s: %.*s\n", rows[i].before, rows[i].key,
                     (int)strcspn(value, ";"), value);
            refuse(text, rows[i].line, rows[i].key);
            value += strcspn(value, ";");
            if (*value == '\0') break;
        }
    }
}

/* The same text in every style, with every system's line breaks. */
static void styles_and_breaks_read_alike(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "It's ''two'' lines.\n\nAnd one.", /* what all of them say */
        "'It''s ''''two'''' lines.\n\n\n    And one.'",
        "\"It's ''two'' lines.\\n\\nAnd one.\"",
        "|-\n    It's ''two'' lines.\n\n    And one.",
        ">-\n    It's ''two'' lines.\n\n\n    And one.",
        "It's\n    ''two''\n    lines.\n\n\n    And one.",
    };
    static const char *const breaks[] = {"\n", "\r\n", "\r"};
    for (size_t i = 1; i < sizeof scripts / sizeof scripts[0]; i++)
        for (size_t k = 0; k < 3; k++) {
            char text[400] = "audio_track:~  script: ", *at = text + strlen(text);
            for (const char *c = scripts[i]; *c != '\0'; c++)
                *at++ = *c == '\n' ? '~' : *c;
            strcpy(at, "~visual_track:~  image: a.png~");
            char final[800], *out = final;
            for (const char *c = text; *c != '\0'; c++)
                out = *c == '~' ? stpcpy(out, breaks[k]) : (*out = *c, out + 1);
            *out = '\0';
            vx_recipe r;
            vx_error err;
            vx_status status = parse(&r, final, strlen(final), &err);
            if (status != VX_OK) print_error("%s\n%d: %s\n", final, err.line, err.message);
            assert_int_equal(status, VX_OK);
            assert_string_equal(r.audio.script, scripts[0]);
            vx_recipe_close(&r);
        }
    refuse("seed: 1\r\ndeadline_ms: x\r\n", 2, "deadline_ms");
    refuse("seed: 1\rdeadline_ms: x\r", 2, "deadline_ms");
}

static void wrong_structure_is_refused(void **state)
{
    (void)state;
    refuse("", 1, "is empty");
    refuse("\n\n# only a comment\n", 1, "is empty");
    refuse("---\n", 1, "mapping");
    refuse("just text\n", 1, "mapping");
    refuse("- a\n- b\n", 1, "mapping");
    refuse("42", 1, "mapping");
    refuse("null", 1, "mapping");
    refuse("{}", 1, "audio_track is missing");
    refuse("audio_track: {script: hi}\n", 1, "visual_track is missing");
    refuse("visual_track: {image: a}\n", 1, "audio_track is missing");
    refuse("audio_track: {}\nvisual_track: {image: a}\n", 1, "audio_track.script is missing");
    refuse("audio_track:\nvisual_track: {image: a}\n", 1, "audio_track is a single value");
    refuse("audio_track: [script, hi]\nvisual_track: {image: a}\n", 1, "audio_track is a list");
    refuse("audio_track: {script: hi}\nvisual_track: {}\n", 2, "neither image nor prompt");
    refuse("audio_track: {script: hi}\n\nvisual_track:\n  face: [1,2,3,4,5,6]\n", 4,
           "neither image nor prompt");
    refuse("audio_track: {script: ''}\nvisual_track: {image: a}\n", 1, "script");
    refuse("audio_track: {script: \" \\t\\n \"}\nvisual_track: {image: a}\n", 1, "is empty");
    refuse("audio_track:\n  script: 42\n", 2, "put it in quotes");
    refuse("audio_track:\n  script:\n    - hi\n", 3, "audio_track.script is a list");
    refuse("audio_track:\n  script: >\n", 2, "script");
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    refuse("audio_track:\n  scirpt: hi\n", 2, "did you mean 'script'");
    refuse("audio_trak:\n  script: hi\n", 1, "did you mean 'audio_track'");
    refuse("seed: 1\nSeed: 2\n", 2, "did you mean 'seed'");
    refuse("slot-id: 1\n", 1, "did you mean 'slot_id'");
    refuse("deadlinems: 1\n", 1, "did you mean 'deadline_ms'");
    refuse("audio_track:\n  script: hi\n  volume: 3\n", 3, "known here: script, voice_id");
    refuse("visual_track:\n  image: a\n  moods:\n    - at_s: 1\n      moood: sad\n", 5,
           "visual_track.moods[0]; did you mean 'mood'");
    refuse("output:\n  fsp: 1\n", 2, "did you mean 'fps'");
    refuse("verify:\n  treshold_b: 1\n", 2, "did you mean 'threshold_b'");
    refuse("\"\": 1\n", 1, "unknown key ''");
    refuse("? \n: 1\n", 1, "unknown key ''");
    refuse("1: 1\n", 1, "unknown key '1'");
    refuse("ключ: 1\n", 1, "unknown key 'ключ'");
    refuse("audio_track:\n  script: hi\n  mood: exited\n", 3, "did you mean 'excited'");
}

static void yaml_tricks_are_refused(void **state)
{
    (void)state;
    refuse("seed: &a 1\ndeadline_ms: *a\n", 1, "anchors");
    refuse("seed: 1\ndeadline_ms: *a\n", 2, "anchors");
    refuse("a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n", 1, "anchors");
    refuse("audio_track: &t {script: hi}\nvisual_track:\n  <<: *t\n", 1, "anchors");
    refuse("&a seed: 1\n", 1, "anchors");
    refuse("*a : 1\n", 1, "anchors");
    refuse("seed: 1\n<<: {seed: 2}\n", 2, "merge keys");
    refuse("seed: !!int 1\n", 1, "tags");
    refuse("seed: !!python/object/apply:os.system [id]\n", 1, "tags");
    refuse("! seed: 1\n", 1, "tags");
    refuse("--- !<tag:yaml.org,2002:map>\nseed: 1\n", 1, "tags");
    refuse("seed: 1\nseed: 2\n", 2, "twice");
    refuse("audio_track:\n  script: a\n  speed: 1\n  script: b\n", 4, "first on line 2");
    refuse("{\"seed\": 1,\n\"seed\": 1}", 2, "twice");
    refuse("seed: 1\n\"seed\": 1\n", 2, "twice");
    refuse("? [a, b]\n: 1\n", 1, "a key is a list");
    refuse("? {a: b}\n: 1\n", 1, "a key is a mapping");
    refuse("{[a]: 1}", 1, "a key is a list");
    refuse("seed: 1\n---\nseed: 2\n", 2, "second document");
    refuse("seed: 1\n...\n---\nseed: 2\n", 3, "second document");
    refuse("audio_track: {script: \"a\\0b\"}\n", 1, "NUL");
    refuse("audio_track:\n  script: \"bell \\a\"\n", 2, "control character");
    refuse("audio_track:\n  script: \"\\e[31mred\"\n", 2, "control character");
    refuse("audio_track:\n  script: \"\\x9b\"\n", 2, "control character");
    refuse("\"a\\u0001\": 1\n", 1, "control character");
}

static void broken_text_is_refused(void **state)
{
    (void)state;
    refuse("seed: 1\nname: \xFF\xFE\n", 2, "not UTF-8");
    refuse("seed: 1\n# \xC3\x28\n", 2, "not UTF-8");
    refuse("\xC0\xAF: 1", 1, "not UTF-8");         /* overlong */
    refuse("a: \xED\xA0\x80", 1, "not UTF-8");     /* a lone surrogate */
    refuse("a: \xF4\x90\x80\x80", 1, "not UTF-8"); /* beyond U+10FFFF */
    refuse("a: \xE2\x82", 1, "not UTF-8");         /* cut */
    refuse("\xFF\xFE"
           "a",
           1, "not UTF-8"); /* UTF-16 */
    refuse("seed: 1\n\x1B[2J\n", 2, "control character");
    refuse("\x7F"
           "ELF\x02\x01\x01",
           1, "control character");
    refuse("\x89PNG\r\n\x1A\n", 1, "not UTF-8");
    refuse_bytes("seed: 1\n\0\n", 10, 2, "control character");
    refuse_bytes("\0\0\0 ftypisom", 12, 1, "control character");
    refuse("audio_track: {script: \"\\ud800\"}", 1, "");
    refuse("audio_track: {script: \"\\uDC00x\"}", 1, "");
}

static void broken_yaml_is_refused(void **state)
{
    (void)state;
    refuse("seed: [1\n", 1, "not YAML");
    refuse("seed: {a: 1\n", 1, "not YAML");
    refuse("seed: 1]\n", 1, "");
    refuse("a: b: c\n", 1, "not YAML");
    refuse("audio_track:\n\tscript: hi\n", 2, "not YAML");
    refuse("seed: \"1\n", 1, "not YAML");
    refuse("seed: 'x\n", 1, "not YAML");
    refuse("seed: @x\n", 1, "not YAML");
    refuse("seed: `x\n", 1, "not YAML");
    refuse("seed: %x\n", 1, "not YAML");
    refuse("audio_track:\n    script: a\n  speed: 1\n", 3, "not YAML");
    refuse("seed: 1\n deadline_ms: 2\n", 1, "not YAML");
    refuse("{\"seed\": 1,,}", 1, "not YAML");
    refuse("seed: \"\\q\"\n", 1, "not YAML");
    refuse("seed: \"\\x4\"\n", 1, "not YAML");
    refuse("- a\nb: c\n", 2, "not YAML");
    refuse("a: |9z\n  x\n", 1, "not YAML");
    refuse("%YAML 9.9\n---\nseed: 1\n", 1, "");
    refuse("a\nb: c\n", 1, "");
    refuse("}", 1, "not YAML");
    refuse(":", 1, "unknown key ''");
    refuse("?", 1, "");
    refuse("[", 1, "not YAML");
    refuse("\"", 1, "not YAML");
}

/* Texts that are meant to cost much more than their length. Each must end at once. */
static void bombs_end_quickly(void **state)
{
    (void)state;
    enum { ROOM = VX_YAML_BYTES_MAX + 4096 };
    char *text = vx_heap_alloc(ROOM);
    static const struct {
        const char *head, *body;
        size_t repeats;
        const char *part;
    } bombs[] = {
        {"a: ", "[", 200000, ""},
        {"a: ", "{a: ", 60000, ""},
        {"", "- ", 100000, ""},
        {"", "a: {", 60000, ""},
        {"", "? ", 100000, ""},
        {"a: ", "[[],", 60000, ""},
        {"a: [", "1,", 100000, "more than"},
        {"a: ", "\"", 100001, ""},
        {"a: ", "''", 100001, ""},
        {"", "a: 1\n", 50000, ""},
        {"a: \"", "\\U0001F600", 25000, ""},
        {"a: '", "''", 120000, ""},
        {"", "# comment\n", 25000, "empty"},
        {"", "\n", 200000, "empty"},
        {"", "---\n", 60000, ""},
        {"a: |\n", " x\n", 80000, ""},
        {"a: >\n", " x\n\n", 60000, ""},
        {"a: &b ", "&b ", 60000, ""},
        {"a: ", "!", 200000, ""},
        {"", "%YAML 1.2\n", 20000, ""},
        {"", "%TAG ! a\n", 20000, ""},
        {"", "x", 250000, ""},
        {"", "x ", 120000, ""},
        {"", "a", VX_YAML_BYTES_MAX + 1, "longer than"},
    };
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        size_t used = (size_t)snprintf(text, ROOM, "%s", bombs[i].head);
        size_t span = strlen(bombs[i].body);
        for (size_t k = 0; k < bombs[i].repeats && used + span < ROOM; k++, used += span)
            memcpy(text + used, bombs[i].body, span);
        text[used] = '\0';
        vx_recipe recipe;
        vx_error err;
        clock_t start = clock(); /* of this process alone: others may be busy */
        vx_status status = parse(&recipe, text, used, &err);
        double spent = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (spent > 1) print_message("bomb %zu (%s): %.2f s\n", i, bombs[i].body, spent);
        assert_int_equal(status, VX_ERR_INPUT);
        assert_true(err.line >= 1);
        assert_non_null(strstr(err.message, bombs[i].part));
        assert_true(spent < 5); /* minutes where it is quadratic; sanitizers slow all by ten */
        refused++;
    }
    vx_heap_free(text);
}

static void files_are_read_or_refused(void **state)
{
    (void)state;
    vx_recipe recipe;
    vx_error err = {0};
    assert_int_equal(vx_recipe_read(&recipe, "/nonexistent/r.yaml", &err), VX_ERR_MISSING);
    assert_int_equal(vx_recipe_read(&recipe, "/", &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_recipe");
    assert_int_equal(vx_recipe_read(&recipe, "/dev/zero", &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "longer"));
    assert_int_equal(vx_recipe_read(&recipe, "/proc/self/exe", &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_recipe");
}

static void the_examples_are_recipes(void **state)
{
    (void)state;
    glob_t found;
    assert_int_equal(glob(VX_SOURCE_DIR "/examples/*.yaml", 0, NULL, &found), 0);
    (void)glob(VX_SOURCE_DIR "/examples/*.json", GLOB_APPEND, NULL, &found);
    assert_true(found.gl_pathc >= 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        vx_recipe recipe;
        vx_error err = {0};
        vx_status status = vx_recipe_read(&recipe, found.gl_pathv[i], &err);
        if (status != VX_OK) print_error("%s:%d: %s\n", err.file, err.line, err.message);
        assert_int_equal(status, VX_OK);
        assert_int_equal(vx_recipe_check_files(&recipe, &err), VX_OK);
        vx_recipe_close(&recipe);
    }
    globfree(&found);
}

static void there_were_many(void **state)
{
    (void)state;
    print_message("%d malformed recipes\n", refused);
    assert_true(refused >= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_recipe_is_read),
        cmocka_unit_test(a_short_recipe_has_defaults),
        cmocka_unit_test(every_wrong_value_is_refused_on_its_line),
        cmocka_unit_test(styles_and_breaks_read_alike),
        cmocka_unit_test(wrong_structure_is_refused),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(yaml_tricks_are_refused),
        cmocka_unit_test(broken_text_is_refused),
        cmocka_unit_test(broken_yaml_is_refused),
        cmocka_unit_test(bombs_end_quickly),
        cmocka_unit_test(files_are_read_or_refused),
        cmocka_unit_test(the_examples_are_recipes),
        cmocka_unit_test(there_were_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
