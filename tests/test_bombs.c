/* Small files that promise much: each command takes at most 64 MB more address space for one than for a small
 * ordinary input, stays resident within the plan, and ends in a result or a sentence. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "media_helpers.h"
#include "sanitized.h"

#define PROGRAM VX_BUILD_DIR "/vortex"
#define MOVING  VX_TEST_DATA "/animate/whole"
#define FACE    VX_SOURCE_DIR "/examples/presenter.png"
#define SLOTS   VX_TEST_DATA "/slot/pack"
#define ALL     VX_TEST_DATA "/slot/all"
#define PROMPT  VX_TEST_DATA "/slot/prompt.yaml"

enum { MORE_BYTES = 64 << 20 };

/* ---- making files ------------------------------------------------------------------------------ */

typedef struct bytes {
    uint8_t *data;
    size_t count;
} bytes;

static void put(bytes *b, const void *data, size_t count)
{
    b->data = realloc(b->data, b->count + count);
    assert_non_null(b->data);
    if (data != NULL)
        memcpy(b->data + b->count, data, count);
    else
        memset(b->data + b->count, 0, count);
    b->count += count;
}

static void put32(bytes *b, uint32_t value)
{
    const uint8_t big[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
    put(b, big, 4);
}

static void put_text(bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

static const char *keep(bytes *b, const char *name)
{
    const char *path = scratch(name);
    assert_int_equal(vx_file_write(path, b->data, b->count, NULL), VX_OK);
    free(b->data);
    *b = (bytes){0};
    return path;
}

/* Samples of 8 bits at any rate. */
static void make_wav(const char *name, uint32_t rate)
{
    enum { SAMPLES = 4000 };
    uint8_t head[44] = "RIFF....WAVEfmt \x10\0\0\0\1\0\1\0";
    const uint32_t words[4] = {36 + SAMPLES, rate, rate, SAMPLES};
    bytes b = {0};
    memcpy(head + 4, &words[0], 4);
    memcpy(head + 24, &words[1], 4);
    memcpy(head + 28, &words[2], 4);
    head[32] = 1;
    head[34] = 8;
    memcpy(head + 36, "data", 4);
    memcpy(head + 40, &words[3], 4);
    put(&b, head, sizeof head);
    put(&b, NULL, SAMPLES);
    memset(b.data + 44, 128, SAMPLES);
    keep(&b, name);
}

static uint8_t crc8(const uint8_t *data, size_t count)
{
    uint8_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)(crc << 1 ^ (crc & 128 ? 7 : 0));
    }
    return crc;
}

static uint16_t crc16(const uint8_t *data, size_t count)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(data[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? 0x8005 : 0));
    }
    return crc;
}

/* Frames of 65,535 equal samples of 14 bytes each (FLAC, constant subframes). */
static void make_flac(const char *name, uint32_t rate, int frames)
{
    bytes b = {0};
    put_text(&b, "fLaC");
    put32(&b, 0x80000022); /* the only block: STREAMINFO */
    put32(&b, 0xFFFFFFFF); /* blocks of 65535 */
    put(&b, NULL, 6);
    put32(&b, rate << 12 | 15 << 4); /* one channel of 16 bits */
    put(&b, NULL, 4 + 16);
    for (int i = 0; i < frames; i++) {
        /* Size in 16 bits at the end, the rate STREAMINFO's, mono, 16 bits. */
        uint8_t frame[] = {0xFF, 0xF8, 0x70, 0x08, (uint8_t)i, 0xFF, 0xFE, 0, 0, 0, 0, 0, 0};
        frame[7] = crc8(frame, 7);
        uint16_t crc = crc16(frame, 11);
        frame[11] = (uint8_t)(crc >> 8);
        frame[12] = (uint8_t)crc;
        put(&b, frame, sizeof frame);
    }
    keep(&b, name);
}

/* A box begins where b ends; close_box writes its length. */
static size_t open_box(bytes *b, const char *type)
{
    put32(b, 0);
    put_text(b, type);
    return b->count - 8;
}

static void close_box(bytes *b, size_t at)
{
    const uint32_t length = (uint32_t)(b->count - at);
    for (int i = 0; i < 4; i++)
        b->data[at + (size_t)i] = (uint8_t)(length >> (24 - 8 * i));
}

static void put_words(bytes *b, const char *type, const uint32_t *words, size_t count)
{
    size_t at = open_box(b, type);
    for (size_t i = 0; i < count; i++)
        put32(b, words[i]);
    close_box(b, at);
}

#define WORDS(b, type, ...)                                                                        \
    put_words(b, type, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* An MP4 whose one track has `count` samples of one byte, by its header; edits: a part of them, taken so many times
 * over, of which ten are there; pieces: in a movie fragment. */
static void make_index(const char *name, uint32_t count, uint32_t edits, bool pieces)
{
    bytes b = {0};
    WORDS(&b, "ftyp", 0x69736F6D, 0, 0x69736F6D);
    size_t moov = open_box(&b, "moov");
    WORDS(&b, "mvhd", 0, 0, 0, 1000, count, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0,
          0x40000000, 0, 0, 0, 0, 0, 0, 2);
    size_t trak = open_box(&b, "trak");
    WORDS(&b, "tkhd", 7, 0, 0, 1, 0, count, 0, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0,
          0x40000000, 64 << 16, 48 << 16);
    if (edits > 0) {
        size_t edts = open_box(&b, "edts"), elst = open_box(&b, "elst");
        put32(&b, 0);
        put32(&b, edits);
        for (int i = 0; i < 10; i++) {
            put32(&b, count);
            put32(&b, 0);
            put32(&b, 0x10000);
        }
        close_box(&b, elst);
        close_box(&b, edts);
    }
    size_t mdia = open_box(&b, "mdia");
    WORDS(&b, "mdhd", 0, 0, 0, 1000, count, 0);
    WORDS(&b, "hdlr", 0, 0, 0x76696465, 0, 0, 0, 0);
    size_t minf = open_box(&b, "minf"), stbl = open_box(&b, "stbl");
    uint32_t here = pieces ? 0 : count;
    WORDS(&b, "stsd", 0, 1, 86, 0x6D703476, 0, 1, 0, 0, 0, 0, 64 << 16 | 48, 0x480000, 0x480000, 0,
          0x10000, 0, 0, 0, 0, 0, 0, 0, 0x18FFFF);
    WORDS(&b, "stts", 0, 1, here, 1);
    WORDS(&b, "stsc", 0, 1, 1, here, 1);
    WORDS(&b, "stsz", 0, 1, here);
    WORDS(&b, "stco", 0, 1, 600);
    close_box(&b, stbl);
    close_box(&b, minf);
    close_box(&b, mdia);
    close_box(&b, trak);
    if (pieces) {
        size_t mvex = open_box(&b, "mvex");
        WORDS(&b, "trex", 0, 1, 1, 1, 1, 0);
        close_box(&b, mvex);
    }
    close_box(&b, moov);
    if (pieces) {
        size_t moof = open_box(&b, "moof");
        WORDS(&b, "mfhd", 0, 1);
        size_t traf = open_box(&b, "traf");
        WORDS(&b, "tfhd", 0x20000, 1);
        WORDS(&b, "trun", 0, count);
        close_box(&b, traf);
        close_box(&b, moof);
    }
    WORDS(&b, "mdat", 0, 0, 0, 0);
    keep(&b, name);
}

/* Bits of an H.264 stream, the first of a byte its highest. */
typedef struct bits {
    bytes *to;
    uint8_t byte;
    int count;
} bits;

static void put_bits(bits *b, uint32_t value, int count)
{
    while (count-- > 0) {
        b->byte = (uint8_t)(b->byte << 1 | (value >> count & 1));
        if (++b->count < 8) continue;
        put(b->to, &b->byte, 1);
        b->count = 0;
    }
}

/* ue(v) of ITU-T H.264, 9.1. */
static void put_ue(bits *b, uint32_t value)
{
    int length = 0;
    while ((value + 1) >> (length + 1) != 0)
        length++;
    put_bits(b, 0, length);
    put_bits(b, value + 1, length + 1);
}

/* Begins a unit of the byte stream (annex B). */
static bits open_unit(bytes *b, uint8_t header)
{
    put(b, (const uint8_t[]){0, 0, 0, 1, header}, 5);
    return (bits){.to = b};
}

static void close_unit(bits *b)
{
    put_bits(b, 1, 1);
    while (b->count != 0)
        put_bits(b, 0, 1);
}

/* A film of `side` x `side` grey pixels that keeps 16 reference pictures: one picture of its own, whose blocks are all
 * predicted from nothing, and 17 that repeat it. */
static void make_h264(const char *name, uint32_t side)
{
    bytes stream = {0};
    uint32_t blocks = side / 16;
    bits b = open_unit(&stream, 0x67); /* sequence: baseline, level 6.2 */
    put_bits(&b, 66 << 16 | 62, 24);
    const uint32_t sequence[] = {0, 0, 2, 16, 0}; /* id, frame numbers, order, references */
    for (int i = 0; i < 4; i++)
        put_ue(&b, sequence[i]);
    put_bits(&b, 0, 1);
    put_ue(&b, blocks - 1);
    put_ue(&b, blocks - 1);
    put_bits(&b, 12, 4); /* frames, 8x8 inference; no cropping, nothing more */
    close_unit(&b);
    b = open_unit(&stream, 0x68); /* picture: CAVLC */
    put_ue(&b, 0);
    put_ue(&b, 0);
    put_bits(&b, 0, 2);
    for (int i = 0; i < 3; i++)
        put_ue(&b, 0); /* slice groups, references */
    put_bits(&b, 0, 3);
    for (int i = 0; i < 3; i++)
        put_ue(&b, 0); /* quantisers */
    put_bits(&b, 0, 3);
    close_unit(&b);
    for (uint32_t n = 0; n < 18; n++) {
        b = open_unit(&stream, n == 0 ? 0x65 : 0x61);
        put_ue(&b, 0);
        put_ue(&b, n == 0 ? 7 : 5); /* I or P */
        put_ue(&b, 0);
        put_bits(&b, n % 16, 4);
        if (n == 0) put_ue(&b, 0);              /* identifier */
        put_bits(&b, 0, n == 0 ? 2 : 3);        /* flags of references */
        put_ue(&b, 0);                          /* quantiser */
        if (n > 0) put_ue(&b, blocks * blocks); /* all skipped */
        for (uint32_t i = 0; n == 0 && i < blocks * blocks; i++)
            put_bits(&b, 0x27, 8); /* 16x16 by the mean, nothing coded */
        close_unit(&b);
    }
    keep(&stream, name);
}

/* A Matroska file that promises a codec's description of so many bytes and ends. */
static void make_mkv(const char *name, uint32_t count)
{
    bytes b = {0};
    put(&b, "\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska", 16);
    put(&b, "\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
    put(&b, "\x16\x54\xAE\x6B\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12); /* tracks */
    put(&b, "\xAE\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9);
    put(&b, "\xD7\x81\x01\x83\x81\x01\x86\x8FV_MPEG4/ISO/AVC", 23);
    put(&b, "\x63\xA2\x08", 3); /* a length of five bytes */
    put32(&b, count);
    put(&b, NULL, 100);
    keep(&b, name);
}

static void put_chunk(bytes *b, const char *type, const void *data, size_t count)
{
    put32(b, (uint32_t)count);
    put_text(b, type);
    put(b, data, count);
    put32(b, (uint32_t)crc32(0, b->data + b->count - count - 4, (uInt)(count + 4)));
}

/* Black, of 8 or 16 bits and 3 or 4 channels. */
static void make_png(const char *name, uint32_t width, uint32_t height, int depth, bool clear)
{
    size_t row = 1 + (size_t)width * (clear ? 4 : 3) * (size_t)depth / 8;
    uint8_t *line = calloc(1, row), packed[65536];
    const uint8_t *signature = (const uint8_t *)"\x89PNG\r\n\x1A\n";
    bytes b = {0}, head = {0}, data = {0};
    z_stream z = {0};
    assert_int_equal(deflateInit(&z, 1), Z_OK);
    for (uint32_t y = 0; y <= height; y++) {
        z.next_in = line;
        z.avail_in = y < height ? (uInt)row : 0;
        do {
            z.next_out = packed;
            z.avail_out = sizeof packed;
            deflate(&z, y < height ? Z_NO_FLUSH : Z_FINISH);
            put(&data, packed, sizeof packed - z.avail_out);
        } while (z.avail_out == 0);
    }
    deflateEnd(&z);
    put32(&head, width);
    put32(&head, height);
    put(&head, (const uint8_t[]){(uint8_t)depth, clear ? 6 : 2, 0, 0, 0}, 5);
    put(&b, signature, 8);
    put_chunk(&b, "IHDR", head.data, head.count);
    put_chunk(&b, "IDAT", data.data, data.count);
    put_chunk(&b, "IEND", NULL, 0);
    free(line);
    free(head.data);
    free(data.data);
    keep(&b, name);
}

/* One grey pixel on a canvas of 65535x65535, or so many frames of it. */
static void make_gif(const char *name, uint16_t side, int frames)
{
    static const uint8_t frame[] = {0x21, 0xF9, 4, 0, 1, 0, 0, 0, 0x2C, 0, 0, 0,
                                    0,    1,    0, 1, 0, 0, 2, 2, 0x44, 1, 0};
    bytes b = {0};
    put_text(&b, "GIF89a");
    put(&b,
        (const uint8_t[]){(uint8_t)side, (uint8_t)(side >> 8), (uint8_t)side, (uint8_t)(side >> 8),
                          0x80, 0, 0, 0, 0, 0, 128, 128, 128},
        13);
    for (int i = 0; i < frames; i++)
        put(&b, frame, sizeof frame);
    put(&b, ";", 1);
    keep(&b, name);
}

/* An uncompressed TIFF that says it is grey, 8192x8192, and holds nothing. */
static void make_tiff(const char *name)
{
    static const uint16_t tags[][2] = {{256, 8192}, {257, 8192}, {258, 8},    {259, 8},    {262, 1},
                                       {273, 8},    {277, 1},    {278, 8192}, {279, 65000}};
    enum { TAGS = sizeof tags / sizeof *tags };
    bytes b = {0};
    put(&b, "II*\0\x08\0\0\0", 8);
    put(&b, (const uint8_t[]){TAGS, 0}, 2);
    for (size_t i = 0; i < TAGS; i++) {
        const uint16_t entry[6] = {tags[i][0], 3, 1, 0, tags[i][1], 0};
        put(&b, entry, sizeof entry);
    }
    put(&b, NULL, 1000);
    keep(&b, name);
}

/* A WebP whose first chunk, of a still or of an animation's first frame, promises 16383x16383 without losses. */
static void make_webp(const char *name, bool animated)
{
    static const uint8_t image[] = {'V', 'P',  '8',  'L',  6,    0,    0,
                                    0,   0x2F, 0xFE, 0xBF, 0xFF, 0x0F, 0};
    bytes b = {0};
    put(&b, "RIFF\0\0\0\0WEBP", 12);
    if (animated) {
        put(&b, "VP8X\x0A\0\0\0\2\0\0\0\xFE\x3F\0\xFE\x3F\0", 18);
        put(&b, "ANIM\6\0\0\0\0\0\0\0\0\0", 14);
        put(&b, "ANMF\x1E\0\0\0\0\0\0\0\0\0\xFE\x3F\0\xFE\x3F\0\0\0\0\0", 24);
    }
    put(&b, image, sizeof image);
    b.data[4] = (uint8_t)(b.count - 8);
    keep(&b, name);
}

/* ---- running the program ----------------------------------------------------------------------- */

typedef struct outcome {
    int code;
    size_t space, resident; /* at their highest, bytes */
    char output[65536];     /* stdout */
    char errors[4096];      /* stderr */
} outcome;

static size_t peak_of(pid_t pid)
{
    char path[64], line[256];
    size_t kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmPeak: %zu", &kib) == 1) break;
    if (f != NULL) fclose(f);
    return kib << 10;
}

static void read_back(const char *name, char *text, size_t room)
{
    int fd = open(scratch(name), O_RDONLY);
    ssize_t got = read(fd, text, room - 1);
    text[got > 0 ? got : 0] = '\0';
    close(fd);
}

static int limited = RLIMIT_AS; /* what run limits */

static void start(const char *const *arguments, size_t space_max)
{
    struct rlimit limit = {space_max, space_max}, seconds = {60, 60};
    int out = open(scratch("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int errors = open(scratch("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    if (space_max > 0) setrlimit((__rlimit_resource_t)limited, &limit);
    setrlimit(RLIMIT_CPU, &seconds);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execv(PROGRAM, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

/* Runs the program; space_max 0: no limit. The trace tells how large it was when it ended. */
static void run(const char *const *arguments, size_t space_max, outcome *o)
{
    int status = 0;
    struct rusage usage = {0};
    *o = (outcome){0};
    pid_t child = fork();
    if (child == 0) start(arguments, space_max);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status)); /* at execv */
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL),
                     0);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    while (wait4(child, &status, 0, &usage) == child && WIFSTOPPED(status)) {
        bool ends = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
        if (ends) o->space = peak_of(child);
        ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)(ends ? 0 : WSTOPSIG(status)));
    }
    assert_true(WIFEXITED(status));
    o->code = WEXITSTATUS(status);
    o->resident = (size_t)usage.ru_maxrss << 10;
    read_back("out", o->output, sizeof o->output);
    read_back("err", o->errors, sizeof o->errors);
}

/* What the process may have resident: the plan, and what it had before there was an engine. A command that opens none
 * before the file is read, and tells no plan, may have as much more as it may take. */
static size_t allowed_bytes(const outcome *ordinary)
{
    json_t *doc = json_loads(ordinary->output, JSON_DISABLE_EOF_CHECK, NULL);
    const json_t *memory = json_object_get(doc, "memory");
    size_t planned = (size_t)json_integer_value(json_object_get(memory, "planned_bytes"));
    size_t measured = (size_t)json_integer_value(json_object_get(memory, "measured_peak_bytes"));
    json_decref(doc);
    if (memory == NULL) return ordinary->resident + MORE_BYTES;
    assert_true(planned > 0 && measured > 0 && measured < ordinary->resident);
    return planned + ordinary->resident - measured;
}

/* One bomb against the ordinary input's run. A refusal is one line. */
static int check(const char *what, const outcome *o, const outcome *ordinary, size_t planned)
{
    const char *line = o->errors;
    int lines = 0;
    for (const char *c = o->errors; *c != '\0'; c++)
        if (*c == '\n') {
            lines += strncmp(line, "vortex: ", 8) == 0;
            if (c[1] != '\0') line = c + 1;
        }
    bool said = o->code == 0 || ((o->code == 3 || o->code == 5) && lines == 1);
    print_message("%-14s exit %d, resident %+.1f MB of a plan of %.1f: %.100s\n", what, o->code,
                  (double)o->resident / 1e6, (double)planned / 1e6, o->code != 0 ? line : "");
    if (said && o->resident <= planned && o->space <= ordinary->space + MORE_BYTES) return 0;
    print_error("%s: exit %d, %zu resident, planned %zu: %s\n", what, o->code, o->resident, planned,
                o->errors);
    return 1;
}

/* A command with one file to read, its arguments but for that file's. */
typedef struct command {
    const char *ordinary; /* of a name in the scratch folder */
    const char *const *bombs;
    const char *arguments[16]; /* NULL where the file stands */
} command;

/* Each bomb under the limit that the ordinary input sets. */
static int try_all(const command *c)
{
    const char *arguments[20] = {PROGRAM, "--threads", "1", "--json"};
    char input[320], film[320];
    int failed = 0, count = 4;
    outcome ordinary, o;
    snprintf(film, sizeof film, "%s", scratch("o.mp4"));
    for (int i = 0; c->arguments[i] != NULL; i++)
        arguments[count++] = strcmp(c->arguments[i], "INPUT") == 0  ? input
                             : strcmp(c->arguments[i], "FILM") == 0 ? film
                                                                    : c->arguments[i];
    snprintf(input, sizeof input, "%s", scratch(c->ordinary));
    run(arguments, 0, &ordinary);
    if (ordinary.code != 0) print_error("%s", ordinary.errors);
    assert_int_equal(ordinary.code, 0);
    assert_true(ordinary.space > 0);
    size_t allowed = allowed_bytes(&ordinary);
    for (const char *const *bomb = c->bombs; *bomb != NULL; bomb++) {
        snprintf(input, sizeof input, "%s", scratch(*bomb));
        run(arguments, ordinary.space + MORE_BYTES, &o);
        failed += check(*bomb, &o, &ordinary, allowed);
    }
    return failed;
}

static void sounds_and_films(void **state)
{
    (void)state;
    static const char *const sounds[] = {"one.wav", "ten.flac", "hundred.flac", "long.flac", NULL};
    static const char *const films[] = {"stsz.mp4",   "elst.mp4",  "trun.mp4", "canvas.gif",
                                        "large.h264", "track.mkv", NULL};
    static const char *const judged[] = {"stsz.mp4",   "elst.mp4",   "trun.mp4",  "canvas.gif",
                                         "large.h264", "frames.gif", "track.mkv", NULL};
    static const command commands[] = {
        {"small.wav",
         sounds,
         {"--pack", MOVING, "animate", FACE, "--audio", "INPUT", "-o", "FILM"}},
        {"small.gif", films, {"--pack", MOVING, "animate", FACE, "--drive", "INPUT", "-o", "FILM"}},
        {"small.gif", judged, {"--pack", SLOTS, "score", "INPUT", "a b c"}}};
    int failed = 0;
    make_wav("small.wav", 8000);
    make_wav("one.wav", 1);
    make_flac("ten.flac", 10, 3);
    make_flac("hundred.flac", 100, 3);
    make_flac("long.flac", 4000, 120); /* half an hour */
    make_gif("small.gif", 64, 3);
    make_index("stsz.mp4", 80000000, 0, false);
    make_index("elst.mp4", 800000, 10, false);
    make_index("trun.mp4", 80000000, 0, true);
    make_gif("frames.gif", 64, 10000);
    make_gif("canvas.gif", 65535, 1);
    make_h264("large.h264", 8192);
    make_mkv("track.mkv", 200000000);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        failed += try_all(&commands[i]);
    assert_int_equal(failed, 0);
    clear_scratch();
}

/* What no bound of ours foresees: without a limit from outside a block of 200 MB is not taken either. */
static void a_block_has_a_limit(void **state)
{
    (void)state;
    char input[320];
    outcome ordinary, o;
    const char *arguments[] = {PROGRAM, "--threads", "1",     "--pack", SLOTS,
                               "score", input,       "a b c", NULL};
    make_gif("small.gif", 64, 3);
    make_mkv("track.mkv", 200000000);
    snprintf(input, sizeof input, "%s", scratch("small.gif"));
    run(arguments, 0, &ordinary);
    snprintf(input, sizeof input, "%s", scratch("track.mkv"));
    run(arguments, 0, &o);
    assert_int_equal(o.code, 3);
    assert_true(o.space < ordinary.space);
    clear_scratch();
}

static void pictures_of_recipes(void **state)
{
    (void)state;
    static const char *const names[] = {"deep.png", "wide.png",   "still.webp", "moving.webp",
                                        "big.tiff", "canvas.gif", "frames.gif", "zero"};
    outcome ordinary, o;
    int failed = 0;
    make_png("small.png", 64, 64, 8, false);
    make_png("deep.png", 8192, 8192, 16, true);
    make_png("wide.png", 5600, 5600, 8, false);
    make_webp("still.webp", false);
    make_webp("moving.webp", true);
    make_tiff("big.tiff");
    make_gif("canvas.gif", 65535, 1);
    make_gif("frames.gif", 64, 10000);
    assert_int_equal(symlink("/dev/zero", scratch("zero")), 0);
    for (int i = -1; i < (int)(sizeof names / sizeof *names); i++) {
        const char *name = i < 0 ? "small.png" : names[i];
        char recipe[512], film[320], report[320], path[320];
        int n = snprintf(recipe, sizeof recipe,
                         "audio_track: {script: Read the lead., voice_id: narrator}\n"
                         "visual_track: {image: %s}\n",
                         scratch(name));
        assert_int_equal(vx_file_write(scratch("r.yaml"), recipe, (size_t)n, NULL), VX_OK);
        snprintf(film, sizeof film, "%s", scratch("o.mp4"));
        snprintf(report, sizeof report, "%s", scratch("r.json"));
        snprintf(path, sizeof path, "%s", scratch("r.yaml"));
        const char *const arguments[] = {PROGRAM,    "--threads", "1",  "--json", "--pack",
                                         SLOTS,      "generate",  path, "-o",     film,
                                         "--report", report,      NULL};
        static size_t planned;
        run(arguments, i < 0 ? 0 : ordinary.space + MORE_BYTES, i < 0 ? &ordinary : &o);
        if (i >= 0) {
            failed += check(name, &o, &ordinary, planned);
            continue;
        }
        assert_int_equal(ordinary.code, 0);
        planned = allowed_bytes(&ordinary);
    }
    assert_int_equal(failed, 0);
    clear_scratch();
}

/* A slot whose address space ends somewhere, from hardly more than the program takes to nearly what the slot does:
 * a film or a refusal, and never a signal. */
static void little_address_space(void **state)
{
    (void)state;
    enum { LIMITS = 16, LEAST_BYTES = 40 << 20 };
    outcome nothing, ordinary, o;
    char film[320];
    int failed = 0, refused = 0;
    const char *none[] = {PROGRAM, "--version", NULL};
    const char *arguments[] = {PROGRAM,    "--threads", "1",  "--pack", ALL,
                               "generate", PROMPT,      "-o", film,     NULL};
    snprintf(film, sizeof film, "%s", scratch("o.mp4"));
    run(none, 0, &nothing);
    run(arguments, 0, &ordinary);
    assert_int_equal(ordinary.code, 0);
    size_t least = nothing.space + LEAST_BYTES, room = ordinary.space - least;
    for (size_t i = 0; i < LIMITS; i++) {
        char limit[32];
        snprintf(limit, sizeof limit, "%zu MB", (least + room / LIMITS * i) / 1000000);
        run(arguments, least + room / LIMITS * i, &o);
        refused += o.code == 5;
        failed += check(limit, &o, &ordinary, ordinary.resident + MORE_BYTES);
    }
    /* Memory of its own has a limit too: from less than is reserved to all that there may be. */
    limited = RLIMIT_DATA;
    for (size_t most = 64 << 20; most <= (size_t)256 << 20; most += 32 << 20) {
        run(arguments, most, &o);
        failed += check("data", &o, &ordinary, ordinary.resident + MORE_BYTES);
    }
    limited = RLIMIT_AS;
    assert_int_equal(failed, 0);
    assert_true(refused > 0);
    clear_scratch();
}

int main(void)
{
    if (SANITIZED) return 77; /* sanitizers take terabytes of address space */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sounds_and_films),
        cmocka_unit_test(a_block_has_a_limit),
        cmocka_unit_test(pictures_of_recipes),
        cmocka_unit_test(little_address_space),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
