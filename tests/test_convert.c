/* Writers and the converter. The files that it leaves in BUILD/convert-check are for
 * tools/check_converted.py, which opens them with safetensors, bitsandbytes and gguf. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sha256.h"
#include "formats/convert.h"
#include "formats/writer.h"
#include "tensor/quant.h"

#define FOLDER VX_BUILD_DIR "/convert-check/"

/* The model that is converted: one tensor for each rule. */
static const struct {
    const char *name;
    vx_dtype dtype;
    int rank;
    int64_t dim[4];
} model[] = {
    {"fc.weight", VX_F32, 2, {96, 192}},
    {"fc.bias", VX_BF16, 1, {96}},
    {"half.weight", VX_F16, 2, {300, 64}},
    {"odd.weight", VX_BF16, 2, {3, 33}},
    {"lstm_ih", VX_F32, 2, {8, 32}},
    {"token_embedding.weight", VX_BF16, 2, {10, 64}},
    {"conv.weight", VX_F16, 4, {4, 3, 3, 2}},
    {"scale", VX_F32, 0, {1}},
    {"ids", VX_I64, 2, {1, 5}},
};
enum { MODEL = sizeof model / sizeof *model };

static int64_t elements_of(int i)
{
    int64_t n = 1;
    for (int d = 0; d < model[i].rank; d++)
        n *= model[i].dim[d];
    return n;
}

static float *values_of(int i)
{
    float *values = malloc((size_t)elements_of(i) * sizeof *values);
    for (int64_t j = 0; j < elements_of(i); j++)
        values[j] = vx_random_normal((uint64_t)i, VX_STREAM_TEST, (uint64_t)j) * 0.1f;
    return values;
}

static void must(vx_status status, const vx_error *err)
{
    if (status != VX_OK) fail_msg("%s", err->message);
}

static int make_model(void **state)
{
    (void)state;
    vx_error err = {0};
    vx_writer *w;
    must(vx_folder_make(FOLDER, &err), &err);
    must(vx_writer_open(&w, FOLDER "model.safetensors", VX_WRITE_SAFETENSORS, &err), &err);
    must(vx_writer_text(w, "note", "kept", 4, &err), &err);
    for (int i = 0; i < MODEL; i++)
        must(vx_writer_declare(w, model[i].name, model[i].dtype, model[i].rank, model[i].dim, &err),
             &err);
    for (int i = 0; i < MODEL; i++) {
        if (model[i].dtype == VX_I64) {
            static const int64_t ids[5] = {0, 1, INT64_MAX, -1, 4};
            must(vx_writer_bytes(w, ids, sizeof ids, &err), &err);
            continue;
        }
        float *values = values_of(i);
        int64_t n = elements_of(i), half = n / 2;
        must(vx_writer_floats(w, values, half, &err), &err); /* in two pieces */
        must(vx_writer_floats(w, values + half, n - half, &err), &err);
        free(values);
    }
    must(vx_writer_commit(&w, &err), &err);
    assert_null(w);
    return 0;
}

static vx_source *open_good(const char *path)
{
    vx_source *source;
    vx_error err = {0};
    must(vx_source_open(&source, path, &err), &err);
    return source;
}

static vx_convert_report convert(const char *in, const char *out, vx_dtype to)
{
    vx_error err = {0};
    vx_convert_report report;
    const vx_convert_params params = {.in = in, .out = out, .to = to};
    must(vx_convert(&params, &report, &err), &err);
    vx_source *source = open_good(out);
    assert_int_equal(vx_source_count(source), report.tensors);
    vx_source_close(&source);
    return report;
}

/* What is expected of tensor i after its way through `stored`. */
static void expect_values(const vx_source *source, int i, vx_dtype stored)
{
    const vx_source_tensor *t = vx_source_find(source, model[i].name);
    assert_non_null(t);
    if (t->dtype != stored)
        fail_msg("%s is %s, expected %s", t->name, vx_dtype_name(t->dtype), vx_dtype_name(stored));
    int64_t n = elements_of(i);
    assert_int_equal(t->elements, n);
    float *want = values_of(i), *have = malloc((size_t)n * sizeof *have);
    void *bytes = malloc((size_t)n * 4);
    vx_encode(model[i].dtype, want, n, bytes); /* as the model holds it */
    vx_decode(model[i].dtype, bytes, n, want);
    if (stored == VX_NF4) {
        uint8_t codes[VX_NF4_BLOCK / 2];
        for (int64_t j = 0; j < n; j += VX_NF4_BLOCK) {
            int64_t some = n - j < VX_NF4_BLOCK ? n - j : VX_NF4_BLOCK;
            float scale = vx_nf4_encode(want + j, some, codes);
            vx_nf4_decode(codes, scale, some, want + j);
        }
    } else {
        vx_encode(stored, want, n, bytes);
        vx_decode(stored, bytes, n, want);
    }
    assert_int_equal(vx_source_read(source, t, 0, n, have, NULL), VX_OK);
    double error = 0, power = 0;
    for (int64_t j = 0; j < n; j++) {
        error += pow((double)have[j] - want[j], 2);
        power += pow((double)want[j], 2);
    }
    /* Only NF4's own scales are rounded once more, by half a percent at most here. */
    assert_true(sqrt(error / power) <= (stored == VX_NF4 ? 5e-3 : 0));
    free(want);
    free(have);
    free(bytes);
}

static void expect_model(const char *path, const vx_dtype *stored)
{
    vx_source *source = open_good(path);
    for (int i = 0; i < MODEL; i++) {
        if (model[i].dtype != VX_I64) {
            expect_values(source, i, stored[i]);
            continue;
        }
        const vx_source_tensor *t = vx_source_find(source, model[i].name);
        assert_int_equal(t->dtype, VX_I64);
        assert_int_equal(((const int64_t *)t->data)[2], INT64_MAX);
    }
    vx_source_close(&source);
}

static void types_follow_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *out;
        vx_dtype to;
        int quantised;
        vx_dtype stored[MODEL]; /* in the model's order */
    } row[] = {
        {FOLDER "f32.safetensors",
         VX_F32,
         0,
         {VX_F32, VX_F32, VX_F32, VX_F32, VX_F32, VX_F32, VX_F32, VX_F32, VX_I64}},
        {FOLDER "f16.safetensors",
         VX_F16,
         0,
         {VX_F16, VX_F16, VX_F16, VX_F16, VX_F16, VX_F16, VX_F16, VX_F16, VX_I64}},
        {FOLDER "bf16.safetensors",
         VX_BF16,
         0,
         {VX_BF16, VX_BF16, VX_BF16, VX_BF16, VX_BF16, VX_BF16, VX_BF16, VX_BF16, VX_I64}},
        {FOLDER "f16.gguf",
         VX_F16,
         0,
         {VX_F16, VX_F32, VX_F16, VX_F16, VX_F16, VX_F16, VX_F16, VX_F32, VX_I64}},
        {FOLDER "q8_0.gguf",
         VX_Q8_0,
         3,
         {VX_Q8_0, VX_F32, VX_Q8_0, VX_BF16, VX_Q8_0, VX_BF16, VX_F16, VX_F32, VX_I64}},
        {FOLDER "q4_0.gguf",
         VX_Q4_0,
         3,
         {VX_Q4_0, VX_F32, VX_Q4_0, VX_BF16, VX_Q4_0, VX_BF16, VX_F16, VX_F32, VX_I64}},
        {FOLDER "nf4.safetensors",
         VX_NF4,
         3,
         {VX_NF4, VX_BF16, VX_NF4, VX_NF4, VX_F32, VX_BF16, VX_F16, VX_F32, VX_I64}},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        vx_convert_report report = convert(FOLDER "model.safetensors", row[i].out, row[i].to);
        assert_int_equal(report.tensors, MODEL);
        assert_int_equal(report.quantised, row[i].quantised);
        expect_model(row[i].out, row[i].stored);
    }
    /* 0.515869 bytes a weight, for the two matrices that are whole blocks (models.md 5.2). */
    vx_source *source = open_good(FOLDER "nf4.safetensors");
    assert_int_equal(vx_source_find(source, "fc.weight")->bytes, 96 * 192 / 2);
    const vx_source_meta *note = vx_source_meta_find(source, "note");
    assert_non_null(note);
    vx_source_close(&source);
}

static void quantised_files_convert_too(void **state)
{
    (void)state;
    convert(FOLDER "nf4.safetensors", FOLDER "nf4.f32.safetensors", VX_F32);
    convert(FOLDER "q8_0.gguf", FOLDER "q8_0.q4_0.gguf", VX_Q4_0);
    convert(VX_TEST_DATA "/formats/nested.pth", FOLDER "nested.safetensors", VX_F32);
    convert(VX_TEST_DATA "/formats/typed.onnx", FOLDER "typed.safetensors", VX_F16);
    convert(VX_TEST_DATA "/formats/types.gguf", FOLDER "types.gguf", VX_Q8_0);
    /* In place. */
    convert(FOLDER "types.gguf", FOLDER "types.gguf", VX_F16);
    vx_source *source = open_good(FOLDER "types.gguf");
    const vx_source_meta *tokens = vx_source_meta_find(source, "tokenizer.ggml.tokens");
    assert_non_null(tokens);
    assert_int_equal(tokens->count, 4);
    assert_int_equal(vx_meta_int(vx_source_meta_find(source, "general.file_type"), 0), 1);
    vx_source_close(&source);
    /* Dequantised NF4 comes out as the NF4 file itself reads. */
    vx_source *a = open_good(FOLDER "nf4.safetensors"),
              *b = open_good(FOLDER "nf4.f32.safetensors");
    const vx_source_tensor *x = vx_source_find(a, "odd.weight"),
                           *y = vx_source_find(b, "odd.weight");
    float p[99], q[99];
    assert_int_equal(vx_source_read(a, x, 0, 99, p, NULL), VX_OK);
    assert_int_equal(vx_source_read(b, y, 0, 99, q, NULL), VX_OK);
    assert_memory_equal(p, q, sizeof p);
    vx_source_close(&a);
    vx_source_close(&b);
}

static vx_status try(const char *in, const char *out, vx_dtype to, vx_cancel *cancel,
                     const char *part)
{
    vx_error err = {0};
    const vx_convert_params params = {.in = in, .out = out, .to = to, .cancel = cancel};
    vx_status status = vx_convert(&params, NULL, &err);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", err.message, part);
    return status;
}

/* Every file counts, temporary ones too. */
static int files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void write_bad_values(const char *path, float bad)
{
    vx_error err = {0};
    vx_writer *w;
    float values[64] = {0};
    values[37] = bad;
    must(vx_writer_open(&w, path, VX_WRITE_SAFETENSORS, &err), &err);
    must(vx_writer_declare(w, "a.weight", VX_F32, 2, (const int64_t[]){2, 32}, &err), &err);
    must(vx_writer_floats(w, values, 64, &err), &err);
    must(vx_writer_commit(&w, &err), &err);
}

static void refusals_leave_nothing(void **state)
{
    (void)state;
    const char *in = FOLDER "model.safetensors";
    write_bad_values(FOLDER "nan.safetensors", NAN);
    write_bad_values(FOLDER "large.safetensors", 1e6f);
    int before = files_in(FOLDER);
    assert_int_equal(try(in, FOLDER "x.bin", VX_F16, NULL, ".safetensors"), VX_ERR_USAGE);
    assert_int_equal(try(in, FOLDER "x.gguf", VX_NF4, NULL, ".safetensors"), VX_ERR_USAGE);
    assert_int_equal(try(in, FOLDER "x.safetensors", VX_Q8_0, NULL, ".gguf"), VX_ERR_USAGE);
    assert_int_equal(try(in, FOLDER "x.gguf", VX_Q4_K, NULL, "q4_K"), VX_ERR_USAGE);
    assert_int_equal(try(FOLDER "absent", FOLDER "x.gguf", VX_F16, NULL, "no file"),
                     VX_ERR_MISSING);
    assert_int_equal(try(in, FOLDER "absent/x.gguf", VX_F16, NULL, "absent"), VX_ERR_IO);
    const char *plain = VX_TEST_DATA "/formats/plain.safetensors";
    assert_int_equal(try(plain, FOLDER "x.gguf", VX_F16, NULL, "dimensions"), VX_ERR_INPUT);
    assert_int_equal(try(FOLDER "nan.safetensors", FOLDER "x.gguf", VX_Q4_0, NULL, "element 37"),
                     VX_ERR_INPUT);
    assert_int_equal(try(FOLDER "nan.safetensors", FOLDER "x.safetensors", VX_NF4, NULL, "nan"),
                     VX_ERR_INPUT);
    assert_int_equal(try(FOLDER "large.safetensors", FOLDER "x.gguf", VX_F16, NULL, "1e+06"),
                     VX_ERR_INPUT);
    vx_cancel cancel = {0};
    vx_cancel_ask(&cancel);
    assert_int_equal(try(in, FOLDER "x.gguf", VX_F16, &cancel, "cancelled"), VX_ERR_CANCELLED);
    assert_int_equal(files_in(FOLDER), before);
}

/* A disk that fills up after any number of bytes leaves no new file and the old one as it was. */
static void full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const char *in = FOLDER "model.safetensors", *out = FOLDER "full.gguf";
    convert(in, out, VX_F32);
    char first[65], after[65];
    vx_error err = {0};
    must(vx_sha256_file(out, first, &err), &err);
    int before = files_in(FOLDER);
    struct rlimit limit, old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN); /* so that the write fails instead */
    int64_t live = vx_heap_read().live_bytes;
    for (rlim_t bytes = 0; bytes < 70000; bytes += 997) {
        limit = (struct rlimit){bytes, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        vx_status status = try(in, out, VX_F16, NULL, "free some space");
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, VX_ERR_IO);
    }
    signal(SIGXFSZ, handler);
    assert_int_equal(vx_heap_read().live_bytes, live);
    assert_int_equal(files_in(FOLDER), before);
    must(vx_sha256_file(out, after, &err), &err);
    assert_string_equal(first, after);
}

/* A tensor that is read in pieces is never resident as a whole. */
static void mapped_pages_are_given_back(void **state)
{
    (void)state;
    enum { ROWS = 64, COLS = 1 << 19 }; /* 64 MB in bf16 */
    vx_error err = {0};
    vx_writer *w;
    float *row = calloc(COLS, sizeof *row);
    must(vx_writer_open(&w, FOLDER "large.safetensors", VX_WRITE_SAFETENSORS, &err), &err);
    must(vx_writer_declare(w, "large", VX_BF16, 2, (const int64_t[]){ROWS, COLS}, &err), &err);
    for (int i = 0; i < ROWS; i++) {
        row[0] = (float)i;
        must(vx_writer_floats(w, row, COLS, &err), &err);
    }
    must(vx_writer_commit(&w, &err), &err);

    vx_source *source = open_good(FOLDER "large.safetensors");
    const vx_source_tensor *t = vx_source_at(source, 0);
    size_t before = vx_rss_bytes();
    for (int i = 0; i < ROWS; i++) {
        must(vx_source_read(source, t, (int64_t)i * COLS, COLS, row, &err), &err);
        assert_true(row[0] == (float)i);
        assert_true(vx_rss_bytes() < before + (8 << 20));
    }
    vx_source_release(source, t);
    vx_source_close(&source);
    free(row);
    remove(FOLDER "large.safetensors");
}

static void npy_is_read_back(void **state)
{
    (void)state;
    static const int64_t dim[4] = {2, 3, 1, 2};
    float values[12], back[12];
    for (int i = 0; i < 12; i++)
        values[i] = (float)i / 7;
    for (int rank = 0; rank <= 4; rank++) {
        vx_error err = {0};
        must(vx_npy_write(FOLDER "array.npy", rank, dim, values, &err), &err);
        vx_source *source = open_good(FOLDER "array.npy");
        const vx_source_tensor *t = vx_source_at(source, 0);
        assert_int_equal(t->rank, rank);
        assert_memory_equal(t->dim, dim, (size_t)rank * sizeof *dim);
        assert_int_equal(vx_source_read(source, t, 0, t->elements, back, NULL), VX_OK);
        assert_memory_equal(back, values, (size_t)t->elements * sizeof *back);
        vx_source_close(&source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_follow_the_rules), cmocka_unit_test(quantised_files_convert_too),
        cmocka_unit_test(refusals_leave_nothing), cmocka_unit_test(full_disk_leaves_the_old_file),
        cmocka_unit_test(npy_is_read_back),       cmocka_unit_test(mapped_pages_are_given_back),
    };
    return cmocka_run_group_tests(tests, make_model, NULL);
}
