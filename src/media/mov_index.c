/* Boxes are of ISO/IEC 14496-12 and the QuickTime file format. FFmpeg's demuxer looks for them
 * inside nearly any other, at places that only it knows; so within everything but the media data
 * each occurrence of a box's name counts, wherever it stands. */
#include "media/mov_index.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Boxes outside the media data that are looked at: an index of VX_MOV_ENTRIES_MAX entries of a
 * size, a time, an offset and a composition time has 48 MB. */
enum { PIECE = 65536, OVERLAP = 32, SCANNED_MAX = 64 << 20, CHUNK_SAMPLES = 1024 };

/* The track that is being looked at. */
typedef struct track {
    int64_t samples, chunks, per_chunk, edits;
    int time_tables;   /* boxes of times */
    bool sound, other; /* what handlers it names */
    bool single;       /* each sample lasts one tick: PCM, whose index has chunks */
} track;

typedef struct scan {
    track track;
    int64_t entries, scanned;
    bool packed;
} scan;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The product of what two boxes say, 0..2^32 each, or of such products: a file that exceeds an
 * int64_t is refused as one that reaches it. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static void add(scan *s, int64_t entries)
{
    s->entries = s->entries > INT64_MAX - entries ? INT64_MAX : s->entries + entries;
}

static void end_track(scan *s)
{
    const track *t = &s->track;
    int64_t entries = t->samples;
    /* The demuxer cuts chunks of PCM into pieces of 1024 samples at least. */
    if (t->sound && !t->other && t->single && t->time_tables == 1) {
        int64_t piece = t->per_chunk / CHUNK_SAMPLES + 1;
        entries = times(t->chunks, piece);
    }
    entries = times(entries, larger(t->edits, 1)); /* each edit walks the index anew */
    add(s, entries);
    s->track = (track){0};
}

/* A box whose name stands at p; OVERLAP bytes from p on may be read. */
static void look(scan *s, const uint8_t *p)
{
    track *t = &s->track;
    uint32_t first = be32(p + 8); /* behind version and flags */
    if (memcmp(p, "trak", 4) == 0) {
        end_track(s);
    } else if (memcmp(p, "stsz", 4) == 0 || memcmp(p, "stz2", 4) == 0) {
        t->samples = larger(t->samples, be32(p + 12));
    } else if (memcmp(p, "stts", 4) == 0) {
        t->time_tables++;
        t->single = first == 1 && be32(p + 16) == 1;
    } else if (memcmp(p, "stco", 4) == 0 || memcmp(p, "co64", 4) == 0) {
        t->chunks = larger(t->chunks, first);
    } else if (memcmp(p, "elst", 4) == 0) {
        t->edits = larger(t->edits, first);
    } else if (memcmp(p, "trun", 4) == 0) {
        add(s, first);
    } else if (memcmp(p, "cmov", 4) == 0) {
        s->packed = true;
    } else if (memcmp(p, "soun", 4) == 0) {
        t->sound = true;
    } else if (memcmp(p, "vide", 4) == 0) {
        t->other = true;
    }
}

/* The samples of a chunk: rows of first chunk, samples, description. The largest of the rows that
 * this piece holds. */
static void look_chunks(scan *s, const uint8_t *p, const uint8_t *end)
{
    int64_t rows = be32(p + 8);
    const uint8_t *row = p + 12;
    for (int64_t i = 0; i < rows && end - row >= 12; i++, row += 12)
        s->track.per_chunk = larger(s->track.per_chunk, be32(row + 4));
    /* Of rows beyond the piece nothing is known but that a sample takes a bit of the file. */
    if (rows > (PIECE - OVERLAP) / 12) s->track.single = false;
}

/* Everything in [at, end). False when it cannot be read. */
static bool look_through(scan *s, int fd, int64_t at, int64_t end)
{
    uint8_t piece[2 * PIECE + OVERLAP];
    while (at < end) {
        ssize_t got = pread(fd, piece, 2 * PIECE, at);
        if (got <= 0) return got == 0;
        memset(piece + got, 0, OVERLAP);
        ssize_t here = got > PIECE ? PIECE : got;
        for (ssize_t i = 0; i < here; i++) {
            /* The names that matter begin with one of these letters. */
            if (memchr("stcev", piece[i], 5) == NULL) continue;
            look(s, piece + i);
            if (memcmp(piece + i, "stsc", 4) == 0) look_chunks(s, piece + i, piece + got);
        }
        at += here;
        s->scanned += here;
        if (s->scanned > SCANNED_MAX) return false;
    }
    return true;
}

static bool is_mov(int fd)
{
    static const char *const names[] = {"ftyp", "moov", "mdat", "free", "skip",
                                        "wide", "pnot", "styp", "moof", "uuid"};
    uint8_t head[12];
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memcmp(head + 4, names[i], 4) == 0) return true;
    return false;
}

int64_t vx_mov_index_entries(int fd, int64_t length)
{
    scan s = {0};
    if (!is_mov(fd)) return 0;
    for (int64_t at = 0; at + 8 <= length;) {
        uint8_t head[16] = {0};
        if (pread(fd, head, sizeof head, at) < 8) return INT64_MAX;
        int64_t bytes = be32(head);
        if (bytes == 1) bytes = (int64_t)((uint64_t)be32(head + 8) << 32 | be32(head + 12));
        if (bytes == 0 || bytes > length - at) bytes = length - at;
        if (bytes < 8) bytes = length - at;
        bool media = memcmp(head + 4, "mdat", 4) == 0 || memcmp(head + 4, "free", 4) == 0 ||
                     memcmp(head + 4, "skip", 4) == 0;
        if (!media && !look_through(&s, fd, at, at + bytes)) return INT64_MAX;
        at += bytes;
    }
    end_track(&s);
    return s.packed ? INT64_MAX : s.entries;
}
