#include "formats/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Bounds what a small archive can make of itself in memory. A full set of
 * Kokoro voices is 28 MB. */
enum { INFLATED_MAX = 256 << 20 };

/* Sizes and signatures of APPNOTE.TXT 4.3. */
enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    COMMENT_MAX = 65535
};
static const uint32_t local_magic = 0x04034b50, central_magic = 0x02014b50, end_magic = 0x06054b50,
                      end64_magic = 0x06064b50, locator_magic = 0x07064b50;

static uint64_t load(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* Where the central directory lies. */
typedef struct directory {
    uint64_t offset, bytes, count;
} directory;

/* The end record, searched backwards over the archive's comment. */
static const unsigned char *find_end(const vx_source *source)
{
    if (source->size < END_BYTES) return NULL;
    size_t lowest =
        source->size > END_BYTES + COMMENT_MAX ? source->size - END_BYTES - COMMENT_MAX : 0;
    for (size_t at = source->size - END_BYTES + 1; at-- > lowest;)
        if (load(source->bytes + at, 4) == end_magic &&
            at + END_BYTES + load(source->bytes + at + 20, 2) == source->size)
            return source->bytes + at;
    return NULL;
}

static vx_status find_directory(const vx_source *source, directory *d, vx_error *err)
{
    const unsigned char *end = find_end(source);
    if (end == NULL)
        return vx_source_bad(source, err, "the directory at its end is missing; it is truncated");
    size_t end_at = (size_t)(end - source->bytes);
    *d = (directory){
        .offset = load(end + 16, 4), .bytes = load(end + 12, 4), .count = load(end + 10, 2)};
    bool split = load(end + 4, 2) != 0 || load(end + 6, 2) != 0;
    if (end_at >= LOCATOR_BYTES && load(end - LOCATOR_BYTES, 4) == locator_magic) {
        uint64_t at = load(end - LOCATOR_BYTES + 8, 8);
        if (at > end_at - LOCATOR_BYTES || end_at - LOCATOR_BYTES - at < END64_BYTES ||
            load(source->bytes + at, 4) != end64_magic)
            return vx_source_bad(source, err, "its zip64 directory record is not where it says");
        const unsigned char *end64 = source->bytes + at;
        *d = (directory){.offset = load(end64 + 48, 8),
                         .bytes = load(end64 + 40, 8),
                         .count = load(end64 + 32, 8)};
        split = load(end64 + 16, 4) != 0 || load(end64 + 20, 4) != 0;
    }
    if (split)
        return vx_source_bad(source, err, "it is one part of a split archive; join the parts");
    if (d->offset > end_at || d->bytes > end_at - d->offset || d->count > d->bytes / CENTRAL_BYTES)
        return vx_source_bad(source, err,
                             "its directory claims %llu entries at byte %llu, beyond the file",
                             (unsigned long long)d->count, (unsigned long long)d->offset);
    if (d->count > VX_SOURCE_TENSORS_MAX)
        return vx_source_bad(source, err, "it holds %llu entries, at most %d are read",
                             (unsigned long long)d->count, VX_SOURCE_TENSORS_MAX);
    return VX_OK;
}

/* Replaces the sizes that the 32-bit fields could not hold. False when the extra field lacks them.
 */
static bool read_zip64(const unsigned char *extra, size_t bytes, uint64_t *values[3])
{
    while (bytes >= 4) {
        uint64_t id = load(extra, 2), length = load(extra + 2, 2);
        if (length > bytes - 4) return false;
        if (id == 1) {
            const unsigned char *at = extra + 4;
            for (int i = 0; i < 3; i++) {
                if (*values[i] != UINT32_MAX) continue;
                if ((size_t)(extra + 4 + length - at) < 8) return false;
                *values[i] = load(at, 8);
                at += 8;
            }
            return true;
        }
        extra += 4 + length;
        bytes -= 4 + length;
    }
    return *values[0] != UINT32_MAX && *values[1] != UINT32_MAX && *values[2] != UINT32_MAX;
}

/* Finds an entry's data behind its local header. */
static vx_status locate(const vx_source *source, vx_zip_entry *entry, uint64_t offset,
                        vx_error *err)
{
    char shown[VX_SHOWN];
    vx_source_shown(shown, entry->name, entry->name_bytes);
    if (source->size < LOCAL_BYTES || offset > source->size - LOCAL_BYTES ||
        load(source->bytes + offset, 4) != local_magic)
        return vx_source_bad(source, err, "its entry \"%s\" is not where the directory says",
                             shown);
    const unsigned char *local = source->bytes + offset;
    uint64_t skip = LOCAL_BYTES + load(local + 26, 2) + load(local + 28, 2);
    uint64_t rest = source->size - offset;
    if (skip > rest || entry->stored_bytes > rest - skip)
        return vx_source_bad(source, err,
                             "its entry \"%s\" claims %llu bytes, beyond the end of the file",
                             shown, (unsigned long long)entry->stored_bytes);
    if (entry->method == VX_ZIP_STORED && entry->stored_bytes != entry->bytes)
        return vx_source_bad(source, err, "its stored entry \"%s\" claims two sizes", shown);
    entry->data = local + skip;
    return VX_OK;
}

static vx_status read_entry(const vx_source *source, const unsigned char **at,
                            const unsigned char *end, vx_zip_entry *entry, vx_error *err)
{
    const unsigned char *c = *at;
    if (end - c < CENTRAL_BYTES || load(c, 4) != central_magic)
        return vx_source_bad(source, err, "its directory is damaged");
    size_t name_bytes = load(c + 28, 2), extra_bytes = load(c + 30, 2),
           comment_bytes = load(c + 32, 2);
    if ((size_t)(end - c) - CENTRAL_BYTES < name_bytes + extra_bytes + comment_bytes)
        return vx_source_bad(source, err, "its directory is damaged");
    *entry = (vx_zip_entry){.name = (const char *)c + CENTRAL_BYTES,
                            .name_bytes = name_bytes,
                            .method = (int)load(c + 10, 2),
                            .crc = (uint32_t)load(c + 16, 4),
                            .stored_bytes = load(c + 20, 4),
                            .bytes = load(c + 24, 4)};
    uint64_t offset = load(c + 42, 4);
    uint64_t *values[3] = {&entry->bytes, &entry->stored_bytes, &offset};
    if (!read_zip64(c + CENTRAL_BYTES + name_bytes, extra_bytes, values))
        return vx_source_bad(source, err, "its directory is damaged");
    if (load(c + 8, 2) & 1)
        return vx_source_bad(source, err, "it is encrypted; unpack and pack it without a password");
    *at = c + CENTRAL_BYTES + name_bytes + extra_bytes + comment_bytes;
    return locate(source, entry, offset, err);
}

static int compare_entries(const vx_zip_entry *entry, const char *name, size_t name_bytes)
{
    size_t common = entry->name_bytes < name_bytes ? entry->name_bytes : name_bytes;
    int order = memcmp(entry->name, name, common);
    if (order != 0) return order;
    return entry->name_bytes < name_bytes ? -1 : entry->name_bytes > name_bytes;
}

static int compare_indices(const void *a, const void *b, void *arg)
{
    const vx_zip_entry *entries = arg, *y = &entries[*(const int32_t *)b];
    return compare_entries(&entries[*(const int32_t *)a], y->name, y->name_bytes);
}

vx_status vx_zip_open(vx_source *source, vx_zip *zip, vx_error *err)
{
    directory d = {0};
    VX_TRY(find_directory(source, &d, err));
    vx_zip_entry *entries = vx_source_keep(source, d.count * sizeof *entries);
    int32_t *by_name = vx_source_keep(source, d.count * sizeof *by_name);
    if (entries == NULL || by_name == NULL) return vx_source_no_memory(source, err);
    const unsigned char *at = source->bytes + d.offset, *end = at + d.bytes;
    for (uint64_t i = 0; i < d.count; i++) {
        VX_TRY(read_entry(source, &at, end, &entries[i], err));
        by_name[i] = (int32_t)i;
    }
    qsort_r(by_name, d.count, sizeof *by_name, compare_indices, entries);
    for (uint64_t i = 1; i < d.count; i++) {
        char shown[VX_SHOWN];
        const vx_zip_entry *entry = &entries[by_name[i]];
        if (compare_indices(&by_name[i - 1], &by_name[i], entries) == 0)
            return vx_source_bad(source, err, "it holds the entry \"%s\" twice",
                                 vx_source_shown(shown, entry->name, entry->name_bytes));
    }
    *zip = (vx_zip){.entries = entries, .by_name = by_name, .count = (int64_t)d.count};
    return VX_OK;
}

const vx_zip_entry *vx_zip_find(const vx_zip *zip, const char *name, size_t name_bytes)
{
    int64_t low = 0, high = zip->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const vx_zip_entry *entry = &zip->entries[zip->by_name[middle]];
        int order = compare_entries(entry, name, name_bytes);
        if (order == 0) return entry;
        if (order > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool inflate_entry(const vx_zip_entry *entry, unsigned char *dst)
{
    /* Within INFLATED_MAX, so that zlib's 32-bit counts hold; deflate
     * shrinks 1032 times at most. */
    if (entry->stored_bytes > UINT32_MAX) return false;
    z_stream stream = {.next_in = (unsigned char *)entry->data,
                       .avail_in = (unsigned)entry->stored_bytes,
                       .next_out = dst,
                       .avail_out = (unsigned)entry->bytes};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    bool good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == entry->bytes;
    inflateEnd(&stream);
    return good && crc32(0, dst, (unsigned)entry->bytes) == entry->crc;
}

vx_status vx_zip_bytes(vx_source *source, vx_zip *zip, const vx_zip_entry *entry,
                       const unsigned char **bytes, vx_error *err)
{
    char shown[VX_SHOWN];
    vx_source_shown(shown, entry->name, entry->name_bytes);
    *bytes = entry->data;
    if (entry->method == VX_ZIP_STORED) return VX_OK;
    if (entry->method != VX_ZIP_DEFLATED)
        return vx_source_bad(source, err,
                             "its entry \"%s\" is compressed by method %d; use deflate", shown,
                             entry->method);
    if (entry->bytes > INFLATED_MAX || zip->inflated_bytes > INFLATED_MAX - entry->bytes)
        return vx_source_bad(source, err,
                             "its entries unpack to more than %d bytes; store them uncompressed",
                             INFLATED_MAX);
    if (entry->bytes / 1032 > entry->stored_bytes)
        return vx_source_bad(source, err, "its entry \"%s\" claims to unpack to %llu bytes", shown,
                             (unsigned long long)entry->bytes);
    zip->inflated_bytes += entry->bytes;
    unsigned char *dst = vx_source_keep(source, entry->bytes);
    if (dst == NULL) return vx_source_no_memory(source, err);
    if (!inflate_entry(entry, dst))
        return vx_source_bad(source, err, "its entry \"%s\" does not unpack; it is damaged", shown);
    *bytes = dst;
    return VX_OK;
}
