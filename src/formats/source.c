#include "formats/source_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "formats/guard.h"
#include "tensor/quant.h"

/* A read of this many bytes gives its pages back at once: a tensor of a gigabyte that is read
 * in pieces, or a filter of fifty megabytes that is read by rows, then never has more than a
 * piece of it resident. */
enum { LONG_READ = 32 << 10 };

/* A heap block that dies with the source; its contents follow. */
struct vx_source_kept {
    struct vx_source_kept *next;
    _Alignas(16) unsigned char content[];
};

/* ---- failures */

vx_status vx_source_bad(const vx_source *source, vx_error *err, const char *format, ...)
{
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0,
                      "%s is not a usable %s file: %s", source->path, source->format, detail);
}

vx_status vx_source_no_memory(const vx_source *source, vx_error *err)
{
    return vx_fail_at(err, VX_ERR_MEMORY, "no_memory", source->path, 0,
                      "not enough memory for the table of tensors in %s; free some memory",
                      source->path);
}

const char *vx_source_shown(char shown[VX_SHOWN], const char *name, size_t bytes)
{
    size_t length = bytes < VX_SHOWN - 1 ? bytes : VX_SHOWN - 1;
    for (size_t i = 0; i < length; i++)
        shown[i] = name[i] >= ' ' && name[i] <= '~' && name[i] != '"' ? name[i] : '?';
    shown[length] = '\0';
    return shown;
}

/* ---- what parsers build */

void *vx_source_keep(vx_source *source, size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(struct vx_source_kept)) return NULL;
    struct vx_source_kept *kept = vx_heap_alloc(sizeof *kept + bytes);
    if (kept == NULL) return NULL;
    kept->next = source->kept;
    source->kept = kept;
    return kept->content;
}

static bool is_clean_text(const char *text, size_t bytes)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text, *end = at + bytes;
    while (at < end) {
        utf8proc_int32_t symbol;
        utf8proc_ssize_t step = utf8proc_iterate(at, end - at, &symbol);
        if (step <= 0 || symbol < 0x20 || (symbol >= 0x7F && symbol < 0xA0)) return false;
        at += step;
    }
    return true;
}

static vx_status keep_name(vx_source *source, const char *name, size_t bytes, const char **kept,
                           vx_error *err)
{
    char shown[VX_SHOWN];
    if (bytes == 0 || bytes > VX_SOURCE_NAME_MAX)
        return vx_source_bad(source, err, "it holds a name of %zu bytes, allowed are 1 to %d",
                             bytes, VX_SOURCE_NAME_MAX);
    if (!is_clean_text(name, bytes))
        return vx_source_bad(source, err, "the name \"%s\" is not clean UTF-8 text",
                             vx_source_shown(shown, name, bytes));
    char *copy = vx_source_keep(source, bytes + 1);
    if (copy == NULL) return vx_source_no_memory(source, err);
    memcpy(copy, name, bytes);
    *kept = copy;
    return VX_OK;
}

/* Makes room for one more item of a list, doubling. */
static vx_status make_room(vx_source *source, void **list, int64_t count, int64_t *room,
                           int64_t most, size_t item_bytes, vx_error *err)
{
    if (count < *room) return VX_OK;
    if (count >= most)
        return vx_source_bad(source, err, "it holds more than %lld entries", (long long)most);
    int64_t wanted = *room == 0 ? 64 : *room * 2;
    void *grown = vx_heap_grow(*list, (size_t)wanted * item_bytes);
    if (grown == NULL) return vx_source_no_memory(source, err);
    *list = grown;
    *room = wanted;
    return VX_OK;
}

bool vx_source_shape(vx_source_tensor *tensor, vx_dtype dtype, int rank, const int64_t *dim)
{
    if (rank < 0 || rank > VX_SOURCE_RANK_MAX) return false;
    *tensor = (vx_source_tensor){.dtype = dtype, .rank = rank, .elements = 1};
    for (int i = 0; i < VX_SOURCE_RANK_MAX; i++) {
        tensor->dim[i] = i < rank ? dim[i] : 1;
        if (tensor->dim[i] < 0 ||
            __builtin_mul_overflow(tensor->elements, tensor->dim[i], &tensor->elements) ||
            tensor->elements > INT64_MAX / 16)
            return false;
    }
    if (dtype == VX_NF4) { /* blocks run through the flattened tensor, the last may be short */
        tensor->bytes = (uint64_t)(tensor->elements + 1) / 2;
        return true;
    }
    if (tensor->dim[rank > 0 ? rank - 1 : 0] % vx_dtype_block(dtype) != 0) return false;
    tensor->bytes = vx_row_bytes(dtype, tensor->elements);
    return true;
}

vx_status vx_source_add(vx_source *source, const char *name, size_t name_bytes, vx_dtype dtype,
                        int rank, const int64_t *dim, vx_source_tensor **tensor, vx_error *err)
{
    char shown[VX_SHOWN];
    vx_source_shown(shown, name, name_bytes);
    VX_TRY(make_room(source, (void **)&source->tensors, source->count, &source->room,
                     VX_SOURCE_TENSORS_MAX, sizeof *source->tensors, err));
    vx_source_tensor t;
    if (!vx_source_shape(&t, dtype, rank, dim))
        return vx_source_bad(source, err,
                             "the shape of tensor \"%s\" is impossible: over %d dimensions, too "
                             "large, or rows that are not whole blocks of %s",
                             shown, VX_SOURCE_RANK_MAX, vx_dtype_name(dtype));
    VX_TRY(keep_name(source, name, name_bytes, &t.name, err));
    source->tensors[source->count] = t;
    *tensor = &source->tensors[source->count++];
    return VX_OK;
}

vx_status vx_source_add_meta(vx_source *source, const char *key, size_t key_bytes,
                             vx_source_meta **meta, vx_error *err)
{
    VX_TRY(make_room(source, (void **)&source->metas, source->meta_count, &source->meta_room,
                     VX_SOURCE_META_MAX, sizeof *source->metas, err));
    vx_source_meta added = {0};
    VX_TRY(keep_name(source, key, key_bytes, &added.key, err));
    source->metas[source->meta_count] = added;
    *meta = &source->metas[source->meta_count++];
    return VX_OK;
}

static int compare_extents(const void *a, const void *b)
{
    const vx_extent *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

void vx_extents_sort(vx_extent *extents, int64_t count)
{
    qsort(extents, (size_t)count, sizeof *extents, compare_extents);
}

/* ---- opening */

/* Which parser the first bytes ask for; NULL for none. */
static vx_status (*choose_parser(vx_source *source))(vx_source *, vx_error *)
{
    static const struct {
        const char *format;
        size_t offset, length;
        const char *magic;
        vx_status (*parse)(vx_source *, vx_error *);
    } table[] = {
        {"safetensors", 8, 1, "{", vx_safetensors_parse},
        {"gguf", 0, 4, "GGUF", vx_gguf_parse},
        {"npy", 0, 6, "\x93NUMPY", vx_npy_parse},
        {"zip", 0, 4, "PK\3\4", vx_zip_parse},
        {"pth", 0, 1, "\x80", vx_legacy_pth_parse},
        /* ir_version is the first field of every exporter's ModelProto */
        {"onnx", 0, 1, "\x08", vx_onnx_parse},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (source->size < table[i].offset + table[i].length) continue;
        if (memcmp(source->bytes + table[i].offset, table[i].magic, table[i].length) != 0) continue;
        source->format = table[i].format;
        return table[i].parse;
    }
    return NULL;
}

static int compare_names(const void *a, const void *b, void *arg)
{
    const vx_source *source = arg;
    return strcmp(source->tensors[*(const int32_t *)a].name,
                  source->tensors[*(const int32_t *)b].name);
}

/* Sorted, so that no choice of names makes a look-up slow, and equal names are neighbours. */
vx_status vx_source_index(vx_source *source, vx_error *err)
{
    vx_heap_free(source->by_name);
    source->by_name = vx_heap_alloc((size_t)source->count * sizeof *source->by_name);
    if (source->by_name == NULL) return vx_source_no_memory(source, err);
    for (int64_t i = 0; i < source->count; i++)
        source->by_name[i] = (int32_t)i;
    qsort_r(source->by_name, (size_t)source->count, sizeof *source->by_name, compare_names, source);
    for (int64_t i = 1; i < source->count; i++) {
        const char *name = source->tensors[source->by_name[i]].name;
        char shown[VX_SHOWN];
        if (strcmp(source->tensors[source->by_name[i - 1]].name, name) == 0)
            return vx_source_bad(source, err, "it holds tensor \"%s\" twice",
                                 vx_source_shown(shown, name, strlen(name)));
    }
    return VX_OK;
}

static vx_status parse(vx_source *source, vx_error *err)
{
    vx_status (*parser)(vx_source *, vx_error *) = choose_parser(source);
    if (parser == NULL) return vx_source_not_weights(source, err);
    VX_TRY(parser(source, err));
    if (source->count == 0) return vx_source_bad(source, err, "it holds no tensors");
    VX_TRY(vx_source_index(source, err));
    VX_TRY(vx_companions_fold(source, err));
    VX_TRY(vx_source_index(source, err));
    return vx_source_intact(source, err);
}

static vx_source *make_source(const char *path)
{
    vx_source *source = vx_heap_alloc(sizeof *source);
    if (source == NULL) return NULL;
    source->format = "weight";
    source->guard = VX_GUARD_NONE;
    source->fd = -1;
    source->path = vx_heap_text(path, strlen(path));
    if (source->path == NULL) vx_source_close(&source);
    return source;
}

vx_status vx_source_open_memory(vx_source **source, const void *bytes, size_t size,
                                const char *name, vx_error *err)
{
    *source = NULL;
    vx_source *opened = make_source(name);
    if (opened == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to open %s", name);
    opened->bytes = bytes;
    opened->size = size;
    vx_status status = parse(opened, err);
    if (status == VX_OK)
        *source = opened;
    else
        vx_source_close(&opened);
    return status;
}

static vx_status map_file(vx_source *source, int fd, vx_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return vx_fail_read(err, errno, source->path);
    if (S_ISDIR(info.st_mode))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0,
                          "%s is a folder; give the weight file in it", source->path);
    if (!S_ISREG(info.st_mode))
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0,
                          "%s is not a regular file; give a weight file", source->path);
    if (info.st_size == 0)
        return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0,
                          "%s is empty; download it again", source->path);
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return vx_fail_read(err, errno, source->path);
    source->bytes = bytes;
    source->size = (size_t)info.st_size;
    source->mapped = true;
    source->guard = vx_guard_add(bytes, source->size);
    if (source->guard != VX_GUARD_NONE) return VX_OK;
    return vx_fail_at(err, VX_ERR_IO, "too_many_files", source->path, 0,
                      "%d weight files are open already, which is the most; close some",
                      VX_GUARDS_MAX);
}

vx_status vx_source_open(vx_source **source, const char *path, vx_error *err)
{
    *source = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe must not block here */
    if (fd < 0) return vx_fail_read(err, errno, path);
    vx_source *opened = make_source(path);
    if (opened == NULL) {
        close(fd);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to open %s", path);
    }
    opened->fd = fd;
    vx_status status = map_file(opened, fd, err);
    if (status == VX_OK) status = parse(opened, err);
    if (status == VX_OK)
        *source = opened;
    else
        vx_source_close(&opened);
    return status;
}

void vx_source_close(vx_source **source)
{
    if (source == NULL || *source == NULL) return;
    vx_source *s = *source;
    *source = NULL;
    while (s->kept != NULL) {
        struct vx_source_kept *next = s->kept->next;
        vx_heap_free(s->kept);
        s->kept = next;
    }
    vx_guard_remove(s->guard);
    if (s->mapped) munmap((void *)s->bytes, s->size);
    if (s->fd >= 0) close(s->fd);
    vx_heap_free(s->tensors);
    vx_heap_free(s->by_name);
    vx_heap_free(s->metas);
    vx_heap_free(s->path);
    vx_heap_free(s);
}

/* ---- whether it can be relied on */

vx_status vx_source_check(const vx_source *source, vx_error *err)
{
    if (source->verdict == NULL) return VX_OK;
    return vx_fail_at(err, VX_ERR_INPUT, "bad_weights", source->path, 0, "%s %s", source->path,
                      source->verdict);
}

static vx_status shrank(const vx_source *source, vx_error *err)
{
    return vx_fail_at(
        err, VX_ERR_IO, "read_failed", source->path, 0,
        "%s became shorter than %zu bytes while it was read, or its disk fails; put it "
        "back and start again",
        source->path, source->size);
}

vx_status vx_source_intact(const vx_source *source, vx_error *err)
{
    struct stat info;
    if (!source->mapped) return VX_OK;
    if (vx_guard_hit(source->guard)) return shrank(source, err);
    /* Less than a page that is missing reads as zeroes without a fault. */
    if (fstat(source->fd, &info) == 0 && (size_t)info.st_size < source->size)
        return shrank(source, err);
    return VX_OK;
}

/* ---- reading */

const char *vx_source_path(const vx_source *source)
{
    return source->path;
}

const char *vx_source_format(const vx_source *source)
{
    return source->format;
}

/* Gives back the pages that [at, at+bytes) touches, and what the kernel maps around a page that is
 * read (64 KB windows, fault_around_bytes): small tensors would leave most of a file resident. */
static void forget(const vx_source *source, const unsigned char *at, uint64_t bytes)
{
    enum { AROUND = 64 << 10 };
    if (!source->mapped || bytes == 0) return;
    uintptr_t begin = (uintptr_t)at & ~(uintptr_t)(AROUND - 1), first = (uintptr_t)source->bytes;
    uintptr_t end = ((uintptr_t)at + bytes + AROUND - 1) & ~(uintptr_t)(AROUND - 1);
    if (begin < first) begin = first;
    if (end > first + source->size) end = first + source->size;
    madvise((void *)begin, end - begin, MADV_DONTNEED);
}

vx_status vx_source_sha256(vx_source *source, char hex[65], vx_error *err)
{
    enum { STEP = 1 << 22 };
    if (source->sha256[0] == '\0') {
        vx_sha256 hash;
        vx_sha256_start(&hash);
        for (size_t at = 0; at < source->size; at += STEP) {
            size_t bytes = source->size - at < STEP ? source->size - at : STEP;
            vx_sha256_add(&hash, source->bytes + at, bytes);
            forget(source, source->bytes + at, bytes);
        }
        VX_TRY(vx_source_intact(source, err));
        vx_sha256_finish(&hash, source->sha256);
    }
    memcpy(hex, source->sha256, 65);
    return VX_OK;
}

int64_t vx_source_count(const vx_source *source)
{
    return source->count;
}

const vx_source_tensor *vx_source_at(const vx_source *source, int64_t index)
{
    assert(index >= 0);
    assert(index < source->count);
    return &source->tensors[index];
}

const vx_source_tensor *vx_source_find(const vx_source *source, const char *name)
{
    int64_t low = 0, high = source->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const vx_source_tensor *tensor = &source->tensors[source->by_name[middle]];
        int order = strcmp(name, tensor->name);
        if (order == 0) return tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Values that a parser decoded lie on the heap, not in the mapping. */
static bool lies_in_file(const vx_source *source, const unsigned char *at)
{
    return at >= source->bytes && at < source->bytes + source->size;
}

vx_status vx_source_read(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                         int64_t count, float *dst, vx_error *err)
{
    assert(first >= 0);
    assert(count >= 0);
    assert(first <= tensor->elements - count);
    if (count == 0) return VX_OK;
    const vx_source_reader *reader = tensor->private;
    if (reader != NULL) {
        VX_TRY(reader->read(source, tensor, first, count, dst, err));
        return vx_guard_hit(source->guard) ? shrank(source, err) : VX_OK;
    }
    int64_t block = vx_dtype_block(tensor->dtype);
    if (first % block != 0 || count % block != 0)
        return vx_source_bad(source, err,
                             "\"%s\" is stored in blocks of %lld, which a part of a row cuts; "
                             "convert the file to another type",
                             tensor->name, (long long)block);
    const unsigned char *at = tensor->data;
    at += vx_row_bytes(tensor->dtype, first);
    size_t bytes = vx_row_bytes(tensor->dtype, count);
    vx_decode(tensor->dtype, at, count, dst);
    if (vx_guard_hit(source->guard)) return shrank(source, err);
    if (bytes >= LONG_READ && lies_in_file(source, at)) forget(source, at, bytes);
    return VX_OK;
}

bool vx_source_stored_rows(const vx_source_tensor *tensor, int64_t first, int64_t rows,
                           vx_stored_rows *out)
{
    bool blocks = tensor->dtype == VX_Q8_0 || tensor->dtype == VX_Q4_0;
    if (tensor->rank != 2 || tensor->data == NULL || (!blocks && tensor->dtype != VX_NF4))
        return false;
    assert(first >= 0 && rows >= 0 && first <= tensor->dim[0] - rows);
    *out = (vx_stored_rows){.dtype = tensor->dtype, .rows = rows, .cols = tensor->dim[1]};
    if (out->cols % vx_dtype_block(tensor->dtype) != 0) return false;
    const vx_source_reader *reader = tensor->private;
    if (reader != NULL)
        return reader->stored_rows != NULL && reader->stored_rows(tensor, first, out);
    out->codes = tensor->data;
    out->codes += (size_t)first * vx_row_bytes(tensor->dtype, out->cols);
    return blocks;
}

void vx_source_release(const vx_source *source, const vx_source_tensor *tensor)
{
    if (lies_in_file(source, tensor->data)) forget(source, tensor->data, tensor->bytes);
    vx_stored_rows all;
    if (tensor->dtype == VX_NF4 && tensor->rank == 2 &&
        vx_source_stored_rows(tensor, 0, tensor->dim[0], &all) && lies_in_file(source, all.scales))
        forget(source, all.scales, (uint64_t)(tensor->elements / VX_NF4_BLOCK));
}
