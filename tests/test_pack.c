/* Packs and settings: look-up, defaults, and refusals with their lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "config/pack.h"
#include "config/settings.h"

static char root[64]; /* a folder of our own: root/data is XDG_DATA_HOME, root/p a pack */

static void put(const char *name, const char *text)
{
    vx_path path, folder;
    assert_true(vx_path_join(&path, root, name));
    vx_path_folder(&folder, path.text);
    assert_int_equal(vx_folder_make(folder.text, NULL), VX_OK);
    assert_int_equal(vx_file_write(path.text, text, strlen(text), NULL), VX_OK);
}

static const char *at(const char *name)
{
    static vx_path path;
    assert_true(vx_path_join(&path, root, name));
    return path.text;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/vortex-pack-XXXXXX");
    if (mkdtemp(root) == NULL) return -1;
    setenv("XDG_DATA_HOME", at("data"), 1);
    setenv("XDG_CONFIG_HOME", at("config"), 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) == 0 ? 0 : -1;
}

static void a_full_pack_is_read(void **state)
{
    (void)state;
    put("p/pack.yaml", "name: mine\n"
                       "version: 0.1\n"
                       "license: Apache-2.0\n"
                       "synthetic: true\n"
                       "slot: {width: 256, height: 320, fps: 25, max_seconds: 10}\n"
                       "imagine: {width: 128, height: 128, steps: 2, max_sequence_length: 64}\n"
                       "verify: {threshold_b: 0.1, threshold_l: 0.2, outlier: 0.3}\n"
                       "voices: [{name: narrator, voice: 'af_heart:0.7,af_bella:0.3'}]\n"
                       "components:\n"
                       "  kokoro:\n"
                       "    files: [k.onnx]\n"
                       "    precision: int8\n"
                       "    config: config.json\n"
                       "    voices: voices\n"
                       "    lexicon: lexicon\n"
                       "  flux.transformer:\n"
                       "    files: [a.safetensors, sub/b.safetensors]\n"
                       "    precision: nf4\n"
                       "    config: {num_layers: 2, axes: [1, 2], deep: {x: null, y: 1.5}}\n"
                       "  clip_l: {files: [l.safetensors], tokenizer: merges.txt, precision: f32}\n"
                       "  flux.clip_text: {same_as: clip_l}\n"
                       "  liveportrait: {files: [g.pth], controls: c.npy}\n");
    put("p/config.json", "{\"hidden_dim\": 512, \"vocab\": {\";\": 1, \"\\u02c8\": 156}}");
    put("p/k.onnx", "weights");
    put("p/voices/af_heart.bin", "v");
    put("data/vortex/models/b.safetensors", "found by its bare name");
    put("data/vortex/lexicon/us_gold.json", "{}");

    vx_pack pack;
    vx_error err = {0};
    vx_status status = vx_pack_open(&pack, at("p"), &err);
    if (status != VX_OK) print_error("%s:%d: %s\n", err.file, err.line, err.message);
    assert_int_equal(status, VX_OK);
    assert_string_equal(pack.name, "mine");
    assert_string_equal(pack.version, "0.1");
    assert_true(pack.synthetic);
    assert_true(pack.width == 256 && pack.height == 320 && pack.fps == 25);
    assert_true(pack.max_seconds == 10 && pack.steps == 2 && pack.max_sequence_length == 64);
    assert_true(pack.threshold_b == 0.1 && pack.outlier == 0.3);
    char hex[65];
    assert_int_equal(vx_sha256_file(at("p/pack.yaml"), hex, NULL), VX_OK);
    assert_string_equal(pack.sha256, hex);

    const vx_pack_component *kokoro = &pack.components[VX_COMPONENT_KOKORO];
    assert_true(kokoro->present && kokoro->files[0].found && kokoro->voices.found);
    assert_string_equal(kokoro->files[0].path, at("p/k.onnx"));
    assert_string_equal(kokoro->lexicon.path, at("data/vortex/lexicon"));
    assert_int_equal(kokoro->precision, VX_INT8_ROW);
    assert_int_equal(json_integer_value(json_object_get(kokoro->config, "hidden_dim")), 512);
    const json_t *vocab = json_object_get(kokoro->config, "vocab");
    assert_int_equal(json_integer_value(json_object_get(vocab, "ˈ")), 156);

    const vx_pack_component *flux = &pack.components[VX_COMPONENT_FLUX_TRANSFORMER];
    assert_int_equal(flux->file_count, 2);
    assert_false(flux->files[0].found);
    assert_string_equal(flux->files[0].path, at("data/vortex/models/a.safetensors"));
    assert_true(flux->files[1].found);
    assert_int_equal(flux->precision, VX_NF4);
    const json_t *deep = json_object_get(flux->config, "deep");
    assert_true(json_is_null(json_object_get(deep, "x")));
    assert_true(json_real_value(json_object_get(deep, "y")) == 1.5);

    assert_int_equal(pack.components[VX_COMPONENT_FLUX_CLIP_TEXT].same_as, VX_COMPONENT_CLIP_L);
    assert_false(pack.components[VX_COMPONENT_CLIP_B].present);
    assert_string_equal(pack.components[VX_COMPONENT_LIVEPORTRAIT].controls.name, "c.npy");

    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_KOKORO, "speech", &err), VX_OK);
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_CLIP_B, "verify", &err), VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "clip_b"));
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt", &err),
                     VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "a.safetensors is not there"));
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_FLUX_CLIP_TEXT, "a prompt", &err),
                     VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "l.safetensors"));

    assert_string_equal(vx_pack_voice(&pack, NULL, "narrator"), "af_heart:0.7,af_bella:0.3");
    assert_string_equal(vx_pack_voice(&pack, NULL, NULL), "af_heart:0.7,af_bella:0.3");
    assert_string_equal(vx_pack_voice(&pack, NULL, "am_puck"), "am_puck");
    vx_pack_close(&pack);
    vx_pack_close(&pack);
}

static void packs_are_found_by_name(void **state)
{
    (void)state;
    const char *text = "name: %s\nversion: 1\ncomponents: {}\n";
    char yaml[200];
    snprintf(yaml, sizeof yaml, text, "shared");
    put("data/vortex/packs/speech/pack.yaml", yaml);
    snprintf(yaml, sizeof yaml, text, "local");
    put("cwd/speech/pack.yaml", yaml);
    vx_pack pack;
    vx_error err = {0};
    assert_int_equal(vx_pack_open(&pack, "speech", &err), VX_OK);
    assert_string_equal(pack.name, "shared");
    vx_pack_close(&pack);
    /* A path comes before a name; pack.yaml itself will do. */
    assert_int_equal(chdir(at("cwd")), 0);
    assert_int_equal(vx_pack_open(&pack, "speech", &err), VX_OK);
    assert_string_equal(pack.name, "local");
    vx_pack_close(&pack);
    assert_int_equal(vx_pack_open(&pack, "speech/pack.yaml", &err), VX_OK);
    assert_string_equal(pack.folder, "speech");
    vx_pack_close(&pack);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(vx_pack_open(&pack, "nowhere", &err), VX_ERR_MISSING);
    assert_string_equal(err.code, "no_pack");
    assert_int_equal(vx_pack_open(&pack, "../../etc", &err), VX_ERR_MISSING);
}

static void an_alternative_stands_in(void **state)
{
    (void)state;
    const char *hash =
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"; /* test */
    char yaml[600];
    snprintf(yaml, sizeof yaml,
             "name: alt\nversion: '1'\ncomponents:\n  kokoro:\n    files: [small.onnx]\n"
             "    alternatives: [big.pth]\n    hint: ./run demo fetches it\n"
             "    sources: [{file: big.pth, url: a/b/big.pth, bytes: 4, sha256: %s}]\n",
             hash);
    put("alt/pack.yaml", yaml);
    vx_pack pack;
    vx_error err = {0};
    vx_status status = vx_pack_open(&pack, at("alt"), &err);
    if (status != VX_OK) print_error("%s:%d: %s\n", err.file, err.line, err.message);
    assert_int_equal(status, VX_OK);
    assert_string_equal(pack.components[0].files[0].name, "small.onnx");
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_KOKORO, "speech", &err), VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "models pull kokoro', or ./run demo"));
    vx_pack_close(&pack);
    put("data/vortex/models/big.pth", "test");
    assert_int_equal(vx_pack_open(&pack, at("alt"), &err), VX_OK);
    assert_string_equal(pack.components[0].files[0].name, "big.pth");
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_KOKORO, "speech", &err), VX_OK);
    assert_int_equal(vx_pack_verify(&pack, VX_COMPONENT_KOKORO, &err), VX_OK);
    put("data/vortex/models/big.pth", "tesT");
    assert_int_equal(vx_pack_verify(&pack, VX_COMPONENT_KOKORO, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_weights");
    vx_pack_close(&pack);
}

/* A folder or an index stands for the weights in it; its hash is that of the file it stands for. */
static void folders_are_weights(void **state)
{
    (void)state;
    vx_pack pack;
    vx_error err = {0};
    char hex[65], text[512];
    put("p/transformer/config.json", "{}");
    put("p/transformer/model.safetensors", "test");
    assert_int_equal(vx_sha256_file(at("p/transformer/model.safetensors"), hex, NULL), VX_OK);
    snprintf(text, sizeof text,
             "name: a\nversion: 1\ncomponents:\n  flux.transformer: {files: [transformer], "
             "sha256: [%s]}\n  flux.t5: {files: [loop]}\n",
             hex);
    put("p/pack.yaml", text);
    assert_int_equal(symlink("loop", at("p/loop")), 0);
    assert_int_equal(vx_pack_open(&pack, at("p"), &err), VX_OK);
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_FLUX_TRANSFORMER, "a prompt", &err), VX_OK);
    assert_int_equal(vx_pack_verify(&pack, VX_COMPONENT_FLUX_TRANSFORMER, &err), VX_OK);
    put("p/transformer/model.safetensors", "tesT");
    assert_int_equal(vx_pack_verify(&pack, VX_COMPONENT_FLUX_TRANSFORMER, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "transformer/model.safetensors has SHA-256"));
    put("p/transformer/other.safetensors", "test");
    assert_int_equal(vx_pack_verify(&pack, VX_COMPONENT_FLUX_TRANSFORMER, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "name the one to be used"));
    /* what is there and can't be opened is no missing file */
    assert_int_equal(vx_pack_need(&pack, VX_COMPONENT_FLUX_T5, "a prompt", &err), VX_ERR_IO);
    assert_non_null(strstr(err.message, "p/loop: Too many levels of symbolic links"));
    vx_pack_close(&pack);
}

static void wrong_packs_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *part;
    } bad[] = {
        {"version: 1\ncomponents: {}\n", 1, "name is missing"},
        {"name: a\ncomponents: {}\n", 1, "version is missing"},
        {"name: a\nversion: 1\n", 1, "components is missing"},
        {"name: ../a\nversion: 1\ncomponents: {}\n", 1, "bare file name"},
        {"name: a\nversion: 1\ncomponents:\n  kokoroo: {files: [x]}\n", 4, "'kokoro'"},
        {"name: a\nversion: 1\ncomponents:\n  kokoro: {}\n", 4, "either files or same_as"},
        {"name: a\nversion: 1\ncomponents:\n  kokoro: {files: []}\n", 4, "entries"},
        {"name: a\nversion: 1\ncomponents:\n  kokoro: {files: x}\n", 4, "must be a list"},
        {"name: a\nversion: 1\ncomponents:\n  kokoro: {files: [x], controls: y}\n", 4,
         "unknown key 'controls'"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], precision: q5}\n", 4,
         "precision"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], config: [1]}\n", 4, "config"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], config: none.json}\n", 4,
         "not there"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], config: {a: .inf}}\n", 4,
         "infinite"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], sha256: [abc]}\n", 4,
         "no SHA-256"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b:\n    same_as: clip_l\n", 5, "no files here"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b:\n    same_as: clip_b\n", 5, "no files here"},
        {"name: a\nversion: 1\ncomponents:\n  clip_b: {files: [x], same_as: clip_l}\n", 4,
         "either"},
        {"name: a\nversion: 1\nslot: {width: 100}\ncomponents: {}\n", 3, "multiple of 16"},
        {"name: a\nversion: 1\nvoices: [{name: x}]\ncomponents: {}\n", 3, "voice is missing"},
        {"name: a\nversion: 1\ncomponents:\n  kokoro:\n    files: [x]\n    sources:\n"
         "      - {file: ../../x, url: u, sha256: 9}\n",
         7, "bare file name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put("bad/pack.yaml", bad[i].text);
        int64_t live = vx_heap_read().live_bytes;
        vx_pack pack;
        vx_error err = {0};
        vx_status status = vx_pack_open(&pack, at("bad"), &err);
        if (status != VX_ERR_INPUT || strstr(err.message, bad[i].part) == NULL ||
            err.line != bad[i].line)
            print_error("%s--> %d:%d: %s\n", bad[i].text, status, err.line, err.message);
        assert_int_equal(status, VX_ERR_INPUT);
        assert_string_equal(err.code, "bad_pack");
        assert_int_equal(err.line, bad[i].line);
        assert_non_null(strstr(err.message, bad[i].part));
        assert_int_equal(vx_heap_read().live_bytes, live);
    }
    /* A broken configuration file is named itself. */
    put("bad/pack.yaml", "name: a\nversion: 1\ncomponents:\n"
                         "  clip_b: {files: [x], config: c.json}\n");
    put("bad/c.json", "{\"a\": 1,\n\"a\": 2}");
    vx_pack pack;
    vx_error err = {0};
    assert_int_equal(vx_pack_open(&pack, at("bad"), &err), VX_ERR_INPUT);
    assert_string_equal(err.file, at("bad/c.json"));
    assert_int_equal(err.line, 2);
}

static vx_status count_packs(void *arg, const char *name, const char *folder)
{
    vx_path path;
    assert_true(vx_path_join(&path, folder, "pack.yaml") && vx_path_is_file(path.text));
    *(int *)arg += strcmp(name, "speech") == 0;
    return VX_OK;
}

static void packs_are_listed_once(void **state)
{
    (void)state;
    put("data/vortex/packs/speech/pack.yaml", "name: shared\nversion: 1\ncomponents: {}\n");
    int count = 0;
    assert_int_equal(vx_pack_each(count_packs, &count), VX_OK);
    assert_int_equal(count, 1); /* the source tree has one too */
}

/* Puts what 'models pull' brings for a pack where it brings it. */
static void pull(const char *folder)
{
    vx_pack pack;
    assert_int_equal(vx_pack_open(&pack, folder, NULL), VX_OK);
    for (int c = 0; c < VX_COMPONENTS; c++) {
        const vx_pack_source *sources = pack.components[c].sources.items;
        for (int i = 0; i < pack.components[c].sources.count; i++) {
            char name[600];
            snprintf(name, sizeof name, "data/vortex/models/%s", sources[i].file);
            put(name, "x");
        }
    }
    put("data/vortex/lexicon/us_gold.json", "{}"); /* comes with Kokoro's weights */
    vx_pack_close(&pack);
}

static void is_there(const char *folder, const vx_pack_file *file)
{
    if (file->name != NULL && !file->found)
        fail_msg("%s/pack.yaml names %s, which is neither in the repository nor pulled", folder,
                 file->name);
}

static vx_status look_at_paths(void *arg, const char *name, const char *folder)
{
    (void)name;
    if (strncmp(folder, VX_SOURCE_DIR, strlen(VX_SOURCE_DIR)) != 0) return VX_OK; /* installed */
    pull(folder);
    vx_pack pack;
    assert_int_equal(vx_pack_open(&pack, folder, NULL), VX_OK);
    is_there(folder, &pack.expand);
    for (int c = 0; c < VX_COMPONENTS; c++) {
        const vx_pack_component *component = &pack.components[c];
        for (int i = 0; i < component->file_count; i++)
            is_there(folder, &component->files[i]);
        is_there(folder, &component->tokenizer);
        is_there(folder, &component->controls);
        is_there(folder, &component->voices);
        is_there(folder, &component->lexicon);
    }
    vx_pack_close(&pack);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", at("data"));
    assert_int_equal(system(command), 0); /* the next pack must not live on this one's */
    ++*(int *)arg;
    return VX_OK;
}

static void paths_of_our_packs_resolve(void **state)
{
    (void)state;
    int count = 0;
    assert_int_equal(vx_pack_each(look_at_paths, &count), VX_OK);
    assert_true(count >= 3); /* full, speech, toon */
}

static void settings_have_defaults_and_ranges(void **state)
{
    (void)state;
    vx_settings settings;
    vx_error err = {0};
    assert_int_equal(vx_settings_read(&settings, NULL, &err), VX_OK);
    assert_string_equal(settings.device, "cpu");
    assert_true(settings.soft_bytes == 0 && settings.hard_bytes == 0);
    assert_int_equal(settings.frames_max, 1200);
    assert_int_equal(settings.log_level, VX_LOG_WARN);
    put("config/vortex/vortex.yaml", "device: vulkan:1\nthreads: 2\npack: toon\n"
                                     "budget: {soft_bytes: 1000000000, hard_bytes: 2000000000}\n"
                                     "kokoro: {frames_max: 400}\nlog: {level: debug}\n"
                                     "voices: [{name: a, voice: am_puck}]\n");
    assert_int_equal(vx_settings_read(&settings, NULL, &err), VX_OK);
    assert_string_equal(settings.device, "vulkan:1");
    assert_true(settings.threads == 2 && settings.hard_bytes == 2000000000);
    assert_int_equal(settings.log_level, VX_LOG_DEBUG);
    assert_int_equal(settings.voices.count, 1);
    vx_settings_close(&settings);
    assert_int_equal(vx_settings_read(&settings, at("no.yaml"), &err), VX_ERR_MISSING);
    assert_int_equal(vx_settings_parse(&settings, "s.yaml", "device: cuda:0", 14, &err),
                     VX_ERR_MISSING);
    assert_non_null(strstr(err.message, "through Vulkan"));
    static const char *const bad[] = {
        "device: gpu",
        "device: 'vulkan:'",
        "device: vulcan",
        "threads: -1",
        "threads: 257",
        "budget: {soft_bytes: 9}",
        "budget: {soft_bytes: 3000000, hard_bytes: 2000000}",
        "log: {level: loud}",
        "frames_max: 3",
        "kokoro: {frames_max: 0}",
        "pack: []",
        "voices: {a: b}",
        "budget: 11 GB",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vx_settings_parse(&settings, "s.yaml", bad[i], strlen(bad[i]), &err),
                         VX_ERR_INPUT);
        assert_string_equal(err.code, "bad_settings");
        assert_int_equal(err.line, 1);
        assert_null(settings.document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_pack_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packs_are_found_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_alternative_stands_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_weights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_packs_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packs_are_listed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_of_our_packs_resolve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_have_defaults_and_ranges, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
