/* Weight files that lie: every claim that a parser could trust, made wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/source_impl.h"

#define DATA VX_TEST_DATA "/formats/"

static void expect_refusal(const void *bytes, size_t size, const char *part)
{
    vx_source *source;
    vx_error err = {0};
    vx_status status = vx_source_open_memory(&source, bytes, size, "bad", &err);
    vx_source_close(&source);
    if (status != VX_ERR_INPUT) fail_msg("status %d where \"%s\" was expected", status, part);
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not mention \"%s\"", err.message, part);
}

static void no_prefix_of_a_file_opens(void **state)
{
    (void)state;
    static const char *const names[] = {"plain.safetensors", "int8.safetensors", "typed.onnx",
                                        "single.pt",         "protocol4.pth",    "f4.npy",
                                        "fortran.npy",       "version2.npy",     "stored.npz",
                                        "deflated.npz",      "types.gguf"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char path[512], *bytes;
        size_t size;
        snprintf(path, sizeof path, DATA "%s", names[n]);
        assert_int_equal(vx_file_read(path, 1 << 20, &bytes, &size, NULL), VX_OK);
        for (size_t cut = 0; cut < size; cut++) {
            char *part = malloc(cut + 1); /* exact, so that ASan sees a read beyond it */
            memcpy(part, bytes, cut);
            vx_source *source;
            vx_error err = {0};
            vx_status status = vx_source_open_memory(&source, part, cut, path, &err);
            /* A model cut before its last fields still has its weights; so has a GGUF file without
             * the padding at its end. */
            bool whole = strstr(names[n], ".onnx") != NULL ||
                         (strstr(names[n], ".gguf") != NULL && cut + 32 > size);
            if (status == VX_OK && !whole) fail_msg("%s opens when cut at %zu", path, cut);
            if (status != VX_OK) assert_true(err.message[0] != '\0');
            vx_source_close(&source);
            free(part);
        }
        vx_heap_free(bytes);
    }
}

/* A safetensors file of this header and that many zero bytes of data. */
static void refuse_header(const char *json, size_t data_bytes, const char *part)
{
    uint64_t length = strlen(json);
    char *file = calloc(1, 8 + length + data_bytes);
    memcpy(file, &length, 8);
    memcpy(file + 8, json, length);
    expect_refusal(file, 8 + length + data_bytes, part);
    free(file);
}

static void safetensors_lies_are_named(void **state)
{
    (void)state;
    refuse_header("{}", 0, "no tensors");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "holds tensor \"a\" twice");
    refuse_header("{\"__metadata__\":{\"x\":1}}", 0, "holds \"x\", which is not text");
    refuse_header("{\"a\":", 0, "not a JSON mapping");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
                  "truncated");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 9, "follow");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "overlap");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],"
                  "\"data_offsets\":[0,0]}}",
                  0, "impossible");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,0]}}", 0, "shape");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],"
                  "\"data_offsets\":[0,4]}}",
                  4, "shape");
    refuse_header("{\"a\":{\"dtype\":\"F8_E8M0\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "F8_E8M0");
    refuse_header("{\"a\\u001b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                  "clean UTF-8");
    refuse_header("{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "0 bytes");
    refuse_header("{\"a\":[]}", 0, "dtype");
    refuse_header("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "1..0");
    uint64_t lie = UINT64_MAX;
    char file[9];
    memcpy(file, &lie, 8);
    file[8] = '{';
    expect_refusal(file, 9, "claims");
}

static void quantised_lies_are_named(void **state)
{
    (void)state;
    refuse_header("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                  "\"w.quant_state.bitsandbytes__fp4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[1,2]}}",
                  2, "FP4");
    refuse_header("{\"w.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[0,1]}}",
                  1, "codes are not there");
    refuse_header("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                  "\"w.quant_state.bitsandbytes__nf4\":{\"dtype\":\"U8\",\"shape\":[1],"
                  "\"data_offsets\":[1,2]}}",
                  2, "description");
    refuse_header("{\"f.weight\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[0,4]},"
                  "\"f.SCB\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "row scales");
}

static void unknown_files_get_advice(void **state)
{
    (void)state;
#define REFUSE(text, part) expect_refusal(text, sizeof(text) - 1, part)
    REFUSE("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull");
    REFUSE("<html>not found</html>", "web page");
    REFUSE("\r\n <!DOCTYPE html><html></html>", "web page");
    REFUSE("\xef\xbb\xbf<?xml version=\"1.0\"?><Error/>", "XML");
    REFUSE("Access to model x/y is restricted.", "token");
    REFUSE("Entry not found", "check the address");
    REFUSE("{\n  \"metadata\": {},\n  \"weight_map\": {\"a\": \"b.safetensors\"}}", "index");
    REFUSE("{\"model\":{}, \"weight_map\": {}}", "index");
    REFUSE("{\"model_\": {\"a\":1}, \"weight_map\": {}}", "index"); /* '{' where a header begins */
    REFUSE("{\"_class_name\": \"FluxTransformer2DModel\"}", "configuration");
    REFUSE("[1, 2, 3]", "JSON");
    REFUSE("tjgg\1\0\0\0\0\0\0\0", "before GGUF");
    REFUSE("FUGG\0\0\0\3", "little-endian");
    REFUSE("\x89HDF\r\n\x1a\n", "HDF5");
    REFUSE("\x1f\x8b\x08", "gzip");
    REFUSE("PK\5\6\0\0", "empty zip");
    REFUSE("\x89PNG\r\n\x1a\n", "picture");
    REFUSE("\0\0\0\0\0\0\0\0\0\0\0\0", "zeroes");
    REFUSE("\4\0\0\0\0\0\0\0 \n{}", "white space");
    REFUSE("anything else", "no weight file");
    vx_source *source;
    vx_error err = {0};
    assert_int_equal(vx_source_open(&source, DATA "absent", &err), VX_ERR_MISSING);
    assert_null(source);
    assert_int_equal(vx_source_open(&source, DATA, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "is a folder"));
    assert_int_equal(vx_source_open(&source, "/dev/null", &err), VX_ERR_INPUT);
}

/* ---- files from other tools that are refused on purpose */

static void refuse_file(const char *name, const char *part)
{
    char path[512], *bytes;
    size_t size;
    snprintf(path, sizeof path, DATA "%s", name);
    assert_int_equal(vx_file_read(path, 1 << 20, &bytes, &size, NULL), VX_OK);
    expect_refusal(bytes, size, part);
    vx_heap_free(bytes);
}

static void refusals_tell_what_to_do(void **state)
{
    (void)state;
    refuse_file("legacy.bad.pth", "torch.save");
    refuse_file("script.bad.pth", "TorchScript");
    refuse_file("command.bad.pth", "posix.system");
    refuse_file("object.bad.npy", "|O");
    refuse_file("big_endian.bad.npy", ">f4");
}

/* ---- archives made here */

typedef struct buffer {
    unsigned char bytes[1 << 16];
    size_t size;
} buffer;

static void put(buffer *b, const void *bytes, size_t size)
{
    assert_true(b->size + size <= sizeof b->bytes);
    memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

static void put_number(buffer *b, uint64_t value, int bytes)
{
    put(b, &value, (size_t)bytes);
}

/* An entry to be written, and the lies about it. */
typedef struct entry {
    const char *name;
    const void *data;
    size_t size;
    int method;
    uint64_t claimed; /* inflated size; 0 for the true one */
    uint32_t crc;
} entry;

static void make_zip(buffer *b, const entry *entries, int count)
{
    size_t offset[8];
    b->size = 0;
    for (int i = 0; i < count; i++) {
        const entry *e = &entries[i];
        offset[i] = b->size;
        put_number(b, 0x04034b50, 4);
        put(b, (const char[22]){0}, 22); /* sizes come from the directory */
        put_number(b, strlen(e->name), 2);
        put_number(b, 0, 2);
        put(b, e->name, strlen(e->name));
        put(b, e->data, e->size);
    }
    size_t directory = b->size;
    for (int i = 0; i < count; i++) {
        const entry *e = &entries[i];
        put_number(b, 0x02014b50, 4);
        put_number(b, 0, 4);
        put_number(b, 0, 2);
        put_number(b, (uint64_t)e->method, 2);
        put_number(b, 0, 4);
        put_number(b, e->crc, 4);
        put_number(b, e->size, 4);
        put_number(b, e->claimed ? e->claimed : e->size, 4);
        put_number(b, strlen(e->name), 2);
        put_number(b, 0, 8);
        put_number(b, 0, 4);
        put_number(b, offset[i], 4);
        put(b, e->name, strlen(e->name));
    }
    size_t length = b->size - directory;
    put_number(b, 0x06054b50, 4);
    put_number(b, 0, 4);
    put_number(b, (uint64_t)count, 2);
    put_number(b, (uint64_t)count, 2);
    put_number(b, length, 4);
    put_number(b, directory, 4);
    put_number(b, 0, 2);
}

static buffer archive; /* one at a time; too large for a stack under ASan */

static void refuse_pickle(const void *pickle, size_t size, const char *part)
{
    static const float values[4] = {1, 2, 3, 4};
    const entry entries[] = {{"a/data.pkl", pickle, size, 0, 0, 0},
                             {"a/data/0", values, sizeof values, 0, 0, 0}};
    make_zip(&archive, entries, 2);
    expect_refusal(archive.bytes, archive.size, part);
}
#define REFUSE_PICKLE(text, part) refuse_pickle(text, sizeof(text) - 1, part)

/* The pickle of {"w": tensor} with these offset, sizes and strides as opcodes. */
#define TENSOR(offset, sizes, strides)                                                             \
    "\x80\x02}X\1\0\0\0w"                                                                          \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"                  \
    "X\1\0\0\0\x30X\3\0\0\0cpuK\4tQ" offset sizes strides "\x89NtRs."

static void pickles_stay_inside_their_storage(void **state)
{
    (void)state;
    static const char good[] = TENSOR("K\1", "K\3\x85", "K\1\x85");
    static const float values[4] = {1, 2, 3, 4};
    const entry entries[] = {{"a/data.pkl", good, sizeof good - 1, 0, 0, 0},
                             {"a/data/0", values, sizeof values, 0, 0, 0}};
    make_zip(&archive, entries, 2);
    vx_source *source;
    vx_error err = {0};
    if (vx_source_open_memory(&source, archive.bytes, archive.size, "good", &err) != VX_OK)
        fail_msg("%s", err.message);
    float back[3];
    vx_source_read(source, vx_source_find(source, "w"), 0, 3, back, NULL);
    assert_memory_equal(back, values + 1, sizeof back);
    vx_source_close(&source);

    REFUSE_PICKLE(TENSOR("K\2", "K\3\x85", "K\1\x85"), "beyond its storage");
    REFUSE_PICKLE(TENSOR("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"), "beyond its storage");
    REFUSE_PICKLE(TENSOR("K\0", "K\3\x85", "K\2\x85"), "beyond its storage");
    REFUSE_PICKLE(TENSOR("K\0", "K\5\x85", "K\0\x85"), "repeats");
    REFUSE_PICKLE(TENSOR("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85"), "beyond its storage");
    REFUSE_PICKLE(TENSOR("K\0", "\x8a\x08\0\0\0\0\0\0\0\x40\x85", "K\1\x85"), "impossible");
    REFUSE_PICKLE(TENSOR("K\0", "K\1\x85", "K\1K\1\x86"), "not described");
    REFUSE_PICKLE(TENSOR("K\0", "N\x85", "K\1\x85"), "not described");
}

static void pickles_build_nothing_else(void **state)
{
    (void)state;
    REFUSE_PICKLE("cos\nsystem\n(X\2\0\0\0idtR.", "os.system");
    REFUSE_PICKLE("\x80\4\x8c\10builtins\x8c\4eval\x93.", "builtins.eval");
    REFUSE_PICKLE("\x80\2(ios\nsystem\n.", "opcode 0x69");
    REFUSE_PICKLE("\x80\2)\x81.", "opcode 0x81");
    REFUSE_PICKLE("ctorch\nFloatStorage\n)R.", "called");
    REFUSE_PICKLE("K\1)R.", "no callee");
    REFUSE_PICKLE("K\1}b.", "attributes");
    REFUSE_PICKLE("\x80\x09.", "protocol");
    REFUSE_PICKLE("K\1Q.", "storage");
    REFUSE_PICKLE("h\0.", "not kept");
    REFUSE_PICKLE("}r\xff\xff\xff\x7f.", "memo number");
    REFUSE_PICKLE("}q\1q\2.", "memo number"); /* more numbers than values */
    REFUSE_PICKLE("t.", "mark");
    REFUSE_PICKLE("\x87.", "stack is empty");
    REFUSE_PICKLE("K\1(\x85.", "stack is empty"); /* what lies below a mark is out of reach */
    REFUSE_PICKLE("}(K\1u.", "no value");
    REFUSE_PICKLE("X\xff\xff\xff\xff.", "breaks off");
    REFUSE_PICKLE("\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "breaks off");
    REFUSE_PICKLE("cos", "breaks off");
    REFUSE_PICKLE("}", "breaks off");
    REFUSE_PICKLE(".", "stack is empty");
    REFUSE_PICKLE("}.", "no tensors");
}

/* The same deflated. What is refused takes no more memory than the text and 64 MB: nodes, stack and marks at
 * their bounds. */
static void refuse_deflated(const char *text, size_t size, const char *part)
{
    enum { PACKED = 1 << 15 };
    static unsigned char packed[PACKED];
    z_stream stream = {.next_in = (unsigned char *)text,
                       .avail_in = (unsigned)size,
                       .next_out = packed,
                       .avail_out = PACKED};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    int result = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    if (result != Z_STREAM_END) fail_msg("the test's bomb packs to more than %d bytes", PACKED);
    const entry bomb = {"a/data.pkl",
                        packed,
                        stream.total_out,
                        8,
                        size,
                        (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)size)};
    make_zip(&archive, &bomb, 1);
    int64_t before = vx_heap_read().bytes;
    expect_refusal(archive.bytes, archive.size, part);
    assert_in_range(vx_heap_read().bytes - before, 0, (int64_t)size + (64 << 20));
}

static void pickle_bombs_fizzle(void **state)
{
    (void)state;
    char text[8192];
    /* 4000 lists inside one another. */
    size_t at = 0;
    for (int i = 0; i < 4000; i++)
        text[at++] = ']';
    for (int i = 0; i < 3999; i++)
        text[at++] = 'a';
    text[at++] = '.';
    refuse_pickle(text, at, "nested deeper");

    /* Each of 30 lists holds the one before twice: 2^30 visits if they were followed. */
    memcpy(text, "]q", 3); /* with the NUL: entry 0 */
    at = 3;
    for (int i = 1; i < 30; i++) {
        const char level[] = {']', 'q', (char)i, '(', 'h', (char)(i - 1), 'h', (char)(i - 1), 'e'};
        memcpy(text + at, level, sizeof level);
        at += sizeof level;
    }
    text[at++] = '.';
    refuse_pickle(text, at, "unfold");

    /* A pickle that is long because it is deflated keeps what it names within what it made: marks without
     * end, and a memo number that is far above what was made. */
    size_t long_bytes = (size_t)6 << 20;
    char *longer = malloc(long_bytes);
    memset(longer, '(', long_bytes);
    refuse_deflated(longer, long_bytes, "stacks more");
    memset(longer, 0, long_bytes);
    for (size_t i = 0; i + 9 < long_bytes - 16; i += 9)
        longer[i] = '\x95'; /* FRAME, which says nothing */
    longer[long_bytes / 9 * 9 - 18] = '}';
    memcpy(longer + long_bytes / 9 * 9 - 17, "r\0\0\x50\0.", 6);
    refuse_deflated(longer, long_bytes, "memo number");
    free(longer);

    /* A list that holds itself. */
    refuse_pickle("]q\0h\0a.", 7, "nested deeper");
}

/* A stored NPY whose sizes, offset and directory stand in zip64 fields; `lie` is added to the offset
 * of the directory record. */
static void make_zip64(buffer *b, uint64_t lie)
{
    static const char header[] =
        "\x93NUMPY\1\0\x40\0{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    char array[96] = {0};
    size_t length = 10 + 0x40;
    memset(array, ' ', length);
    memcpy(array, header, sizeof header - 1);
    const float values[2] = {1.5f, -2};
    memcpy(array + length, values, sizeof values);
    length += sizeof values;
    b->size = 0;
    put_number(b, 0x04034b50, 4);
    put(b, (const char[22]){0}, 22);
    put_number(b, 5, 4); /* name, no extra */
    put(b, "a.npy", 5);
    put(b, array, length);
    uint64_t directory = b->size;
    put_number(b, 0x02014b50, 4);
    put(b, (const char[16]){0}, 16);
    put_number(b, UINT64_MAX, 8); /* both sizes */
    put_number(b, 5, 2);
    put_number(b, 28, 2);
    put(b, (const char[10]){0}, 10);
    put_number(b, UINT32_MAX, 4);
    put(b, "a.npy", 5);
    put_number(b, 1, 2);
    put_number(b, 24, 2);
    put_number(b, length, 8);
    put_number(b, length, 8);
    put_number(b, 0, 8); /* local header */
    uint64_t record = b->size;
    put_number(b, 0x06064b50, 4);
    put_number(b, 44, 8);
    put_number(b, 45 | 45 << 16, 4);
    put_number(b, 0, 8);
    put_number(b, 1, 8);
    put_number(b, 1, 8);
    put_number(b, record - directory, 8);
    put_number(b, directory, 8);
    put_number(b, 0x07064b50, 4);
    put_number(b, 0, 4);
    put_number(b, record + lie, 8);
    put_number(b, 1, 4);
    put_number(b, 0x06054b50, 4);
    put_number(b, 0, 4);
    put_number(b, UINT64_MAX, 8); /* counts and the directory's size */
    put_number(b, UINT64_MAX, 4);
    put_number(b, 0, 2);
}

static void zip64_archives_open(void **state)
{
    (void)state;
    make_zip64(&archive, 0);
    vx_source *source;
    vx_error err = {0};
    if (vx_source_open_memory(&source, archive.bytes, archive.size, "zip64", &err) != VX_OK)
        fail_msg("%s", err.message);
    float values[2];
    assert_string_equal(vx_source_format(source), "npz");
    const vx_source_tensor *tensor = vx_source_find(source, "a");
    assert_non_null(tensor);
    assert_int_equal(vx_source_read(source, tensor, 0, 2, values, NULL), VX_OK);
    assert_true(values[0] == 1.5f);
    assert_true(values[1] == -2.0f);
    vx_source_close(&source);
    for (int shift = 0; shift < 64; shift += 7) {
        make_zip64(&archive, UINT64_C(1) << shift);
        expect_refusal(archive.bytes, archive.size, "zip64");
    }
}

static void archives_that_lie_are_refused(void **state)
{
    (void)state;
    static const char pickle[] = "}.";
    entry one = {"a/data.pkl", pickle, 2, 0, 0, 0};
    make_zip(&archive, &one, 1);
    size_t end = archive.size - 22, directory = end - 46 - strlen(one.name);
    static const struct {
        bool in_end;
        size_t at;
        unsigned char value;
        const char *part;
    } lies[] = {
        {true, 10, 9, "beyond the file"},        /* entries */
        {true, 18, 9, "beyond the file"},        /* offset of the directory */
        {true, 4, 1, "split"},                   /* disk */
        {false, 43, 9, "not where"},             /* local header */
        {false, 21, 9, "beyond the end"},        /* stored size */
        {false, 24, 9, "two sizes"},             /* inflated size */
        {false, 8, 1, "encrypted"},              /* flags */
        {false, 28, 99, "directory is damaged"}, /* length of the name */
        {false, 10, 12, "method 12"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        buffer *copy = malloc(sizeof *copy);
        *copy = archive;
        copy->bytes[(lies[i].in_end ? end : directory) + lies[i].at] = lies[i].value;
        expect_refusal(copy->bytes, copy->size, lies[i].part);
        free(copy);
    }
    const entry twice[] = {one, one};
    make_zip(&archive, twice, 2);
    expect_refusal(archive.bytes, archive.size, "twice");
    const entry other = {"readme", "x", 1, 0, 0, 0};
    make_zip(&archive, &other, 1);
    expect_refusal(archive.bytes, archive.size, "neither");
    const entry lost = {"a.npy", "\x93NUMPY\1\0\xff\xff{}", 12, 0, 0, 0};
    make_zip(&archive, &lost, 1);
    expect_refusal(archive.bytes, archive.size, "claims");
}

static void zip_bombs_are_not_unpacked(void **state)
{
    (void)state;
    static unsigned char zeroes[1 << 16], packed[1 << 10];
    z_stream stream = {.next_in = zeroes,
                       .avail_in = sizeof zeroes,
                       .next_out = packed,
                       .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    int64_t before = vx_heap_read().bytes;
    entry bomb = {"a.npy", packed, stream.total_out, 8, 0xFFFFFFF0u, 0};
    make_zip(&archive, &bomb, 1);
    expect_refusal(archive.bytes, archive.size, "unpack to more");
    bomb.claimed = 200 << 20;
    make_zip(&archive, &bomb, 1);
    expect_refusal(archive.bytes, archive.size, "claims to unpack");
    bomb.claimed = 1 << 10; /* more comes out than was claimed */
    make_zip(&archive, &bomb, 1);
    expect_refusal(archive.bytes, archive.size, "does not unpack");
    bomb.claimed = sizeof zeroes; /* true, but the checksum is wrong */
    bomb.crc = 1;
    make_zip(&archive, &bomb, 1);
    expect_refusal(archive.bytes, archive.size, "does not unpack");
    assert_true(vx_heap_read().bytes - before < 1 << 20);
}

static void refuse_npy(const char *header, size_t data_bytes, const char *part)
{
    buffer *b = &archive;
    b->size = 0;
    put(b, "\x93NUMPY\1\0", 8);
    put_number(b, strlen(header), 2);
    put(b, header, strlen(header));
    memset(b->bytes + b->size, 0, data_bytes);
    b->size += data_bytes;
    expect_refusal(b->bytes, b->size, part);
}

static void npy_lies_are_named(void **state)
{
    (void)state;
    refuse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, "needs 8");
    refuse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, "needs 8");
    refuse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0,
               "damaged");
    refuse_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (4611686018427387904, 16)}", 0,
               "impossible");
    refuse_npy("{'descr': '<f4', 'fortran_order': Maybe, 'shape': ()}", 4, "damaged");
    refuse_npy("{'descr': '<f4', 'shape': ()}", 4, "damaged");
    refuse_npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, "plain");
    refuse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "damaged");
    refuse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (", 4, "damaged");
    refuse_npy("__import__('os').system('id')", 4, "damaged");
}

/* ---- GGUF */

static void put_text(buffer *b, const char *text)
{
    put_number(b, strlen(text), 8);
    put(b, text, strlen(text));
}

static void begin_gguf(buffer *b, uint32_t version, uint64_t tensors, uint64_t keys)
{
    b->size = 0;
    put(b, "GGUF", 4);
    put_number(b, version, 4);
    put_number(b, tensors, 8);
    put_number(b, keys, 8);
}

static void put_info(buffer *b, const char *name, uint32_t rank, uint64_t size, uint32_t type,
                     uint64_t offset)
{
    put_text(b, name);
    put_number(b, rank, 4);
    for (uint32_t i = 0; i < rank && i < 16; i++)
        put_number(b, size, 8);
    put_number(b, type, 4);
    put_number(b, offset, 8);
}

/* One tensor of f32 [1], or what is claimed in its place, and 64 bytes of data. */
static void refuse_info(uint32_t rank, uint64_t size, uint32_t type, uint64_t offset,
                        const char *part)
{
    begin_gguf(&archive, 3, 1, 0);
    put_info(&archive, "w", rank, size, type, offset);
    put(&archive, (const char[96]){0}, 96);
    expect_refusal(archive.bytes, archive.size, part);
}

/* One key of this type with that value, 8 bytes at most. */
static void refuse_key(uint32_t type, uint64_t value, int bytes, const char *part)
{
    begin_gguf(&archive, 3, 0, 1);
    put_text(&archive, "general.alignment");
    put_number(&archive, type, 4);
    put_number(&archive, value, bytes);
    expect_refusal(archive.bytes, archive.size, part);
}

static void gguf_lies_are_named(void **state)
{
    (void)state;
    begin_gguf(&archive, 1, 0, 0);
    expect_refusal(archive.bytes, archive.size, "version 1");
    begin_gguf(&archive, 0x03000000, 0, 0);
    expect_refusal(archive.bytes, archive.size, "byte order");
    begin_gguf(&archive, 3, 0, 0);
    expect_refusal(archive.bytes, archive.size, "no tensors");
    begin_gguf(&archive, 3, UINT64_MAX, 0);
    expect_refusal(archive.bytes, archive.size, "cannot be");
    begin_gguf(&archive, 3, 0, UINT64_MAX);
    expect_refusal(archive.bytes, archive.size, "breaks off");
    refuse_info(1, 1000, 0, 0, "needs 4000");
    refuse_info(1, 1, 0, 1 << 20, "truncated");
    refuse_info(1, 1, 0, UINT64_MAX - 31, "truncated");
    refuse_info(1, 1, 0, 4, "not aligned");
    refuse_info(1, 256, 21, 0, "ggml type IQ3_S");
    refuse_info(1, 256, 39, 0, "ggml type MXFP4");
    refuse_info(1, 256, 99, 0, "ggml type number 99");
    refuse_info(1, 33, 8, 0, "impossible");
    refuse_info(2, UINT64_C(1) << 62, 0, 0, "impossible");
    refuse_info(1, UINT64_MAX, 0, 0, "impossible");
    refuse_info(9, 1, 0, 0, "dimensions");
    refuse_info(UINT32_MAX, 1, 0, 0, "dimensions");
    refuse_key(4, 0, 4, "alignment");
    refuse_key(4, 48, 4, "alignment");
    refuse_key(6, 32, 4, "alignment");
    refuse_key(13, 32, 4, "unknown type");
    refuse_key(8, UINT64_MAX, 8, "breaks off");
    refuse_key(9, 9, 4, "breaks off");
    begin_gguf(&archive, 3, 0, 1);
    put_text(&archive, "a");
    put_number(&archive, 9, 4); /* an array of arrays */
    put_number(&archive, 9, 4);
    put_number(&archive, 1, 8);
    expect_refusal(archive.bytes, archive.size, "array of type 9");
    archive.size -= 12;
    put_number(&archive, 8, 4); /* more texts than there are bytes */
    put_number(&archive, UINT64_MAX / 8, 8);
    expect_refusal(archive.bytes, archive.size, "beyond the file");
    begin_gguf(&archive, 3, 2, 0);
    put_info(&archive, "a", 1, 16, 0, 0);
    put_info(&archive, "b", 1, 1, 0, 32);
    put(&archive, (const char[128]){0}, 128);
    expect_refusal(archive.bytes, archive.size, "overlap");
    begin_gguf(&archive, 3, 2, 0);
    put_info(&archive, "a", 1, 1, 0, 0);
    put_info(&archive, "a", 1, 1, 0, 32);
    put(&archive, (const char[128]){0}, 128);
    expect_refusal(archive.bytes, archive.size, "twice");
}

/* ---- ONNX */

/* A model whose graph has this one initialiser, lengths below 128. */
static void refuse_initialiser(const char *tensor, size_t bytes, const char *part)
{
    buffer *b = &archive;
    b->size = 0;
    put(b, "\x08\x08\x3a", 3);
    put_number(b, bytes + 2, 1);
    put(b, "\x2a", 1);
    put_number(b, bytes, 1);
    put(b, tensor, bytes);
    expect_refusal(b->bytes, b->size, part);
}
#define REFUSE_INITIALISER(text, part) refuse_initialiser(text, sizeof(text) - 1, part)

static void onnx_lies_are_named(void **state)
{
    (void)state;
#define NAMED "\x42\1w"
    REFUSE_INITIALISER("\x08\2\x10\1" NAMED, "0 values where its shape asks for 2");
    REFUSE_INITIALISER("\x08\2\x10\1" NAMED "\x4a\4abcd", "needs 8 bytes");
    REFUSE_INITIALISER("\x08\1\x10\1" NAMED "\x22\3abc", "0 values");
    REFUSE_INITIALISER("\x08\1\x10\3" NAMED "\x28\1\x28\1", "2 values");
    REFUSE_INITIALISER("\x08\1\x10\1" NAMED "\x28\1", "0 values"); /* a float as an integer */
    REFUSE_INITIALISER("\x08\1\x10\x08" NAMED, "data type 8");
    REFUSE_INITIALISER("\x08\1\x10\1" NAMED "\x70\1", "another file");
    REFUSE_INITIALISER("\x08\1\x10\1" NAMED "\x6a\1x", "another file");
    REFUSE_INITIALISER("\x08\1\x10\1\x4a\4abcd", "0 bytes");
    REFUSE_INITIALISER("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x10\1" NAMED, "damaged");
    REFUSE_INITIALISER("\x08\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x10\1" NAMED, "impossible");
    REFUSE_INITIALISER("\x0a\3\1\1\x80", "damaged");
    REFUSE_INITIALISER("\x08\x80\x80\x80\x80\1\x10\7" NAMED, "typed fields");
    REFUSE_INITIALISER("\x4a\x7f", "damaged");
    REFUSE_INITIALISER("\x0b", "damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_prefix_of_a_file_opens),
        cmocka_unit_test(safetensors_lies_are_named),
        cmocka_unit_test(quantised_lies_are_named),
        cmocka_unit_test(unknown_files_get_advice),
        cmocka_unit_test(refusals_tell_what_to_do),
        cmocka_unit_test(pickles_stay_inside_their_storage),
        cmocka_unit_test(pickles_build_nothing_else),
        cmocka_unit_test(pickle_bombs_fizzle),
        cmocka_unit_test(zip64_archives_open),
        cmocka_unit_test(archives_that_lie_are_refused),
        cmocka_unit_test(zip_bombs_are_not_unpacked),
        cmocka_unit_test(npy_lies_are_named),
        cmocka_unit_test(gguf_lies_are_named),
        cmocka_unit_test(onnx_lies_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
