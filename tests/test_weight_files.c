/* Weight files where they lie: shards, folders, prefixes, and files that are cut while they are read. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "formats/entry.h"
#include "formats/guard.h"
#include "models/binder.h"
#include "safetensors_make.h"

static char root[64];
static made m;

static const char *at(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/vortex-weights-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command) == 0 ? 0 : -1;
}

/* A file with one tensor of that name, f32 [1]. */
static void put_tensor(const char *file, const char *name, float value)
{
    made_start(&m, NULL);
    made_add(&m, name, "F32", "[1]", &value, 4);
    made_write(&m, at(file));
}

static void put_text(const char *file, const char *text)
{
    assert_int_equal(vx_file_write(at(file), text, strlen(text), NULL), VX_OK);
}

/* ---- entries */

typedef struct opened {
    vx_source *sources[4];
    int count;
    vx_status status;
    vx_error err;
} opened;

static opened open_entry(const char *name)
{
    opened o = {0};
    o.status = vx_entry_open(at(name), o.sources, 4, &o.count, &o.err);
    return o;
}

static void close_entry(opened *o)
{
    for (int i = 0; i < o->count; i++)
        vx_source_close(&o->sources[i]);
}

static void expect_files(const char *entry, int count, const char *last)
{
    opened o = open_entry(entry);
    if (o.status != VX_OK) fail_msg("%s", o.err.message);
    assert_int_equal(o.count, count);
    assert_string_equal(vx_source_path(o.sources[count - 1]), at(last));
    close_entry(&o);
}

static void expect_failure(const char *entry, vx_status status, const char *part)
{
    opened o = open_entry(entry);
    close_entry(&o);
    if (o.status != status || strstr(o.err.message, part) == NULL)
        fail_msg("%s: status %d, \"%s\" instead of %d with \"%s\"", entry, o.status, o.err.message,
                 status, part);
}

static void entries_are_files_indices_and_folders(void **state)
{
    (void)state;
    put_tensor("one.safetensors", "a", 1);
    expect_files("one.safetensors", 1, "one.safetensors");
    assert_true(vx_entry_bytes(at("one.safetensors")) > 60);

    mkdir(at("f"), 0755);
    expect_failure("f", VX_ERR_INPUT, "holds no weight file");
    put_text("f/config.json", "{\"_class_name\": \"X\"}");
    put_tensor("f/pytorch_model.bin", "a", 1); /* recognised by content */
    expect_files("f", 1, "f/pytorch_model.bin");
    put_tensor("f/model.safetensors", "a", 1);
    expect_files("f", 1, "f/model.safetensors");
    put_tensor("f/model.fp16.safetensors", "a", 1);
    expect_failure("f", VX_ERR_INPUT, "model.fp16.safetensors and model.safetensors");
    put_tensor("f/m-1.safetensors", "a", 1);
    put_tensor("f/m-2.safetensors", "b", 1);
    put_text("f/m.safetensors.index.json",
             "{\"metadata\": {\"total_size\": 8}, \"weight_map\": {\"a\": \"m-1.safetensors\", "
             "\"c\": \"m-1.safetensors\", \"b\": \"m-2.safetensors\"}}");
    expect_files("f", 2, "f/m-2.safetensors");
    expect_files("f/m.safetensors.index.json", 2, "f/m-2.safetensors");
    assert_int_equal(vx_entry_bytes(at("f")), vx_entry_bytes(at("f/m.safetensors.index.json")));
    assert_true(vx_entry_bytes(at("f")) >
                vx_entry_bytes(at("f/m-1.safetensors")) + vx_entry_bytes(at("f/m-2.safetensors")));
    put_text("f/n.safetensors.index.json", "{}");
    expect_failure("f", VX_ERR_INPUT, "m.safetensors.index.json and n.safetensors.index.json");
}

static void bad_entries_are_named(void **state)
{
    (void)state;
    expect_failure("absent", VX_ERR_MISSING, "absent");
    put_text("i.index.json", "{\"weight_map\": {\"a\": \"gone.safetensors\"}}");
    expect_failure("i.index.json", VX_ERR_MISSING, "gone.safetensors, which the index");
    assert_int_equal(vx_entry_bytes(at("i.index.json")), -1);
    put_text("i.index.json", "{\"weight_map\": {\"a\": \"../one.safetensors\"}}");
    expect_failure("i.index.json", VX_ERR_INPUT, "beside it");
    put_text("i.index.json", "{\"weight_map\": {\"a\": 3}}");
    expect_failure("i.index.json", VX_ERR_INPUT, "beside it");
    put_text("i.index.json", "{\"weights\": 1}");
    expect_failure("i.index.json", VX_ERR_INPUT, "weight_map");
    put_text("i.index.json", "<html>");
    expect_failure("i.index.json", VX_ERR_INPUT, "no index");
    put_text(
        "i.index.json",
        "{\"weight_map\": {\"a\": \"1\", \"b\": \"2\", \"c\": \"3\", \"d\": \"4\", \"e\": \"5\"}}");
    for (int i = 1; i <= 5; i++)
        put_tensor((char[]){(char)('0' + i), '\0'}, "a", 1);
    expect_failure("i.index.json", VX_ERR_INPUT, "4 is the most");
    mkdir(at("pipe"), 0755);
    put_text("pipe/model_index.json", "{}");
    expect_failure("pipe", VX_ERR_INPUT, "whole diffusers pipeline");
    put_tensor("pipe/flux1-schnell.safetensors", "a", 1);
    expect_failure("pipe", VX_ERR_INPUT, "whole diffusers pipeline");
    if (geteuid() == 0) return; /* who may read everything */
    chmod(at("one.safetensors"), 0);
    expect_failure("one.safetensors", VX_ERR_IO, "Permission denied");
}

static void descriptors_run_out_with_a_sentence(void **state)
{
    (void)state;
    int held[1024], count = 0;
    put_tensor("one.safetensors", "a", 1);
    struct rlimit old, low;
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    low.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &low);
    while (count < 1024 && (held[count] = dup(0)) >= 0)
        count++;
    opened o = open_entry("one.safetensors");
    for (int i = 0; i < count; i++)
        close(held[i]);
    setrlimit(RLIMIT_NOFILE, &old);
    close_entry(&o);
    assert_int_equal(o.status, VX_ERR_IO);
    assert_non_null(strstr(o.err.message, "Too many open files"));
}

/* ---- prefixes */

static const char *const prefixes[] = {"model.inner.", "vae.", NULL};

static void names_are_found_behind_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *in_file, *asked;
        bool found;
    } cases[] = {
        {"a.weight", "a.weight", true},
        {"vae.a.weight", "a.weight", true},
        {"model.inner.a.weight", "a.weight", true},
        {"model.inner.model.inner.a.weight", "a.weight", true},
        {"vae.vae.a.weight", "a.weight", true},
        {"vae.vae.vae.a.weight", "a.weight", false},
        {"model.inner.vae.a.weight", "a.weight", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vx_error err = {0};
        const vx_source_tensor *tensor;
        const vx_source *source;
        made_start(&m, NULL);
        made_add(&m, cases[i].in_file, "F32", "[1]", NULL, 4);
        vx_source *file = made_open(&m);
        const vx_binder b = {
            .sources = &file, .source_count = 1, .prefixes = prefixes, .err = &err};
        vx_status status =
            vx_binder_need(&b, cases[i].asked, 1, (const int64_t[]){1}, &tensor, &source);
        assert_int_equal(status, cases[i].found ? VX_OK : VX_ERR_INPUT);
        if (cases[i].found) assert_string_equal(tensor->name, cases[i].in_file);
        vx_source_close(&file);
        free(m.file);
    }
}

/* Without a prefix comes before every prefix, and the first of the list before the second. */
static void prefixes_have_an_order(void **state)
{
    (void)state;
    made_start(&m, NULL);
    made_add(&m, "vae.a", "F32", "[1]", NULL, 4);
    made_add(&m, "model.inner.a", "F32", "[1]", NULL, 4);
    made_add(&m, "vae.b", "F32", "[1]", NULL, 4);
    made_add(&m, "b", "F32", "[1]", NULL, 4);
    vx_source *file = made_open(&m);
    const vx_binder b = {.sources = &file, .source_count = 1, .prefixes = prefixes};
    assert_string_equal(vx_binder_find(&b, "a", NULL)->name, "model.inner.a");
    assert_string_equal(vx_binder_find(&b, "b", NULL)->name, "b");
    vx_source_close(&file);
    free(m.file);
}

static void expect_miss(const char *const *names, int count, const char *part)
{
    vx_error err = {0};
    const vx_source_tensor *tensor;
    const vx_source *source;
    made_start(&m, NULL);
    for (int i = 0; i < count; i++)
        made_add(&m, names[i], "F32", "[1]", NULL, 4);
    vx_source *file = made_open(&m);
    const vx_binder b = {.sources = &file, .source_count = 1, .prefixes = prefixes, .err = &err};
    assert_int_equal(vx_binder_need(&b, "a.weight", 1, (const int64_t[]){1}, &tensor, &source),
                     VX_ERR_INPUT);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", err.message, part);
    vx_source_close(&file);
    free(m.file);
}

static void a_miss_says_what_the_file_has(void **state)
{
    (void)state;
    static const char *const foreign[] = {"x.y.z.a.weight"};
    expect_miss(foreign, 1, "under the prefix \"x.y.z.\"");
    static const char *const others[] = {"te.clip.blocks.0.w", "te.clip.blocks.1.w", "vae.b.1.w",
                                         "alone", "double_blocks.3.w"};
    expect_miss(others, 5, "\"te.clip.\", \"vae.b.\", \"double_blocks.\")");
    static const char *const plain[] = {"alone"};
    expect_miss(plain, 1, "no prefix");
    static const char *const gptq[] = {"a.qweight", "a.g_idx"};
    expect_miss(gptq, 2, "GPTQ");
    static const char *const refused[] = {"vae.a.weight", "vae.a.weight_scale_2"};
    expect_miss(refused, 2, "\"vae.a.weight_scale_2\" beside it");
}

/* ---- files that shrink */

enum { VALUES = 64 << 10 }; /* 256 KB of f32 */

static void put_long(const char *file)
{
    static float values[VALUES];
    FILE *out = fopen(at(file), "wb");
    char header[256];
    uint64_t length = (uint64_t)snprintf(
        header, sizeof header, "{\"w\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[0,%d]}}",
        VALUES, VALUES * 4);
    for (int i = 0; i < VALUES; i++)
        values[i] = 1;
    assert_non_null(out);
    fwrite(&length, 8, 1, out);
    fwrite(header, 1, length, out);
    fwrite(values, sizeof values, 1, out);
    assert_int_equal(fclose(out), 0);
}

/* Runs `act` in a child process and gives how that ended: its exit code, or 128 + the signal. */
static int in_child(int (*act)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(act());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) return __LINE__ % 100 + 1;                                               \
    } while (0)

static int read_cut_by(off_t length)
{
    vx_source *source;
    vx_error err = {0};
    float value;
    const char *path = at("long.safetensors");
    CHECK(vx_source_open(&source, path, NULL) == VX_OK);
    const vx_source_tensor *t = vx_source_find(source, "w");
    CHECK(vx_source_read(source, t, 0, 1, &value, NULL) == VX_OK && value == 1);
    CHECK(vx_source_intact(source, NULL) == VX_OK);
    CHECK(truncate(path, length) == 0);
    vx_status status = vx_source_read(source, t, VALUES - 1, 1, &value, &err);
    if (status == VX_OK) status = vx_source_intact(source, &err); /* less than a page is missing */
    CHECK(status == VX_ERR_IO);
    CHECK(strstr(err.message, path) != NULL && strstr(err.message, "shorter") != NULL);
    CHECK(vx_source_intact(source, NULL) == VX_ERR_IO);
    vx_source_close(&source);
    return 0;
}

static int read_cut_to_nothing(void)
{
    return read_cut_by(0);
}
static int read_cut_in_half(void)
{
    return read_cut_by(VALUES * 2);
}
static int read_cut_by_a_few_bytes(void)
{
    return read_cut_by(VALUES * 4);
}

/* The hash and a walk over all of it end the same way. */
static int hash_while_cut(void)
{
    vx_source *source;
    char hex[65];
    CHECK(vx_source_open(&source, at("long.safetensors"), NULL) == VX_OK);
    CHECK(truncate(at("long.safetensors"), 100) == 0);
    CHECK(vx_source_sha256(source, hex, NULL) == VX_ERR_IO);
    vx_source_close(&source);
    return 0;
}

static void files_that_shrink_are_an_error(void **state)
{
    (void)state;
    static int (*const acts[])(void) = {read_cut_to_nothing, read_cut_in_half,
                                        read_cut_by_a_few_bytes, hash_while_cut};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        put_long("long.safetensors");
        assert_int_equal(in_child(acts[i]), 0);
    }
}

static volatile sig_atomic_t host_saw;

static void host_handler(int number)
{
    (void)number;
    host_saw++;
    _exit(77);
}

/* A fault that is none of ours reaches the host's handler while a file is open, … */
static int host_fault(void)
{
    vx_source *source;
    signal(SIGBUS, host_handler);
    CHECK(vx_source_open(&source, at("long.safetensors"), NULL) == VX_OK);
    raise(SIGBUS);
    return 1;
}

/* … ends the process where the host has none, … */
static int bare_fault(void)
{
    vx_source *source;
    signal(SIGBUS, SIG_DFL);
    CHECK(vx_source_open(&source, at("long.safetensors"), NULL) == VX_OK);
    raise(SIGBUS);
    return 1;
}

/* … and the handler is gone with the last file. */
static int handler_goes(void)
{
    vx_source *a, *b;
    struct sigaction now;
    signal(SIGBUS, host_handler);
    CHECK(vx_source_open(&a, at("long.safetensors"), NULL) == VX_OK);
    CHECK(vx_source_open(&b, at("long.safetensors"), NULL) == VX_OK);
    vx_source_close(&a);
    CHECK(sigaction(SIGBUS, NULL, &now) == 0 && now.sa_handler != host_handler);
    vx_source_close(&b);
    CHECK(sigaction(SIGBUS, NULL, &now) == 0 && now.sa_handler == host_handler);
    return 0;
}

static void faults_of_the_host_stay_its_own(void **state)
{
    (void)state;
    put_long("long.safetensors");
    assert_int_equal(in_child(host_fault), 77);
    assert_int_equal(in_child(bare_fault), 128 + SIGBUS);
    assert_int_equal(in_child(handler_goes), 0);
}

static void more_files_than_guards_are_refused(void **state)
{
    (void)state;
    static vx_source *sources[VX_GUARDS_MAX + 1];
    vx_error err = {0};
    put_tensor("one.safetensors", "a", 1);
    int count = 0;
    while (count <= VX_GUARDS_MAX &&
           vx_source_open(&sources[count], at("one.safetensors"), &err) == VX_OK)
        count++;
    assert_int_equal(count, VX_GUARDS_MAX);
    assert_string_equal(err.code, "too_many_files");
    while (count > 0)
        vx_source_close(&sources[--count]);
}

static void nothing_is_leaked(void **state)
{
    (void)state;
    assert_int_equal(vx_heap_read().live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_files_indices_and_folders),
        cmocka_unit_test(bad_entries_are_named),
        cmocka_unit_test(descriptors_run_out_with_a_sentence),
        cmocka_unit_test(names_are_found_behind_prefixes),
        cmocka_unit_test(prefixes_have_an_order),
        cmocka_unit_test(a_miss_says_what_the_file_has),
        cmocka_unit_test(files_that_shrink_are_an_error),
        cmocka_unit_test(faults_of_the_host_stay_its_own),
        cmocka_unit_test(more_files_than_guards_are_refused),
        cmocka_unit_test(nothing_is_leaked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
