#include "formats/writer.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/gguf.h"
#include "formats/source_impl.h"
#include "tensor/quant.h"

enum { SCRATCH_BYTES = 1 << 16, GGUF_RANK_MAX = 4 };

/* Bytes that grow. */
typedef struct text {
    char *at;
    size_t bytes, room;
} text;

typedef struct declared {
    char *name;
    vx_source_tensor shape; /* dtype, dims, elements, bytes */
} declared;

struct vx_writer {
    vx_outfile file;
    char *path;
    vx_writer_format format;
    declared *tensors;
    int64_t count, room;
    text keys; /* GGUF: keys as they will stand in the file */
    uint64_t key_count;
    json_t *texts; /* safetensors: __metadata__ */
    bool started;
    int64_t current; /* the tensor that takes data */
    uint64_t left;   /* bytes that it still needs */
    unsigned char scratch[SCRATCH_BYTES];
};

static vx_status no_memory(vx_error *err)
{
    return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                   "not enough memory to write the weight file; free some memory");
}

static vx_status append(text *t, const void *data, size_t bytes, vx_error *err)
{
    if (bytes > t->room - t->bytes) {
        size_t wanted = (t->bytes + bytes) * 2;
        char *grown = vx_heap_grow(t->at, wanted);
        if (grown == NULL) return no_memory(err);
        t->at = grown;
        t->room = wanted;
    }
    if (bytes > 0) memcpy(t->at + t->bytes, data, bytes);
    t->bytes += bytes;
    return VX_OK;
}

static vx_status append_u32(text *t, uint32_t value, vx_error *err)
{
    return append(t, &value, sizeof value, err);
}

static vx_status append_u64(text *t, uint64_t value, vx_error *err)
{
    return append(t, &value, sizeof value, err);
}

static vx_status append_text(text *t, const char *value, size_t bytes, vx_error *err)
{
    VX_TRY(append_u64(t, bytes, err));
    return append(t, value, bytes, err);
}

/* ---- opening and closing */

static void free_writer(vx_writer **writer)
{
    vx_writer *w = *writer;
    *writer = NULL;
    for (int64_t i = 0; i < w->count; i++)
        vx_heap_free(w->tensors[i].name);
    vx_heap_free(w->tensors);
    vx_heap_free(w->keys.at);
    json_decref(w->texts);
    vx_heap_free(w->path);
    vx_heap_free(w);
}

vx_status vx_writer_open(vx_writer **writer, const char *path, vx_writer_format format,
                         vx_error *err)
{
    *writer = NULL;
    vx_writer *w = vx_heap_alloc(sizeof *w);
    if (w == NULL) return no_memory(err);
    w->format = format;
    w->path = vx_heap_text(path, strlen(path));
    w->texts = json_object();
    vx_status status =
        w->path != NULL && w->texts != NULL ? vx_outfile_open(&w->file, path, err) : no_memory(err);
    if (status == VX_OK)
        *writer = w;
    else
        free_writer(&w);
    return status;
}

void vx_writer_abort(vx_writer **writer)
{
    if (writer == NULL || *writer == NULL) return;
    vx_outfile_abort(&(*writer)->file);
    free_writer(writer);
}

uint64_t vx_writer_size(const vx_writer *writer)
{
    return writer->file.written;
}

/* ---- declaring */

static const char *safetensors_type(vx_dtype dtype)
{
    switch (dtype) {
    case VX_F32:
        return "F32";
    case VX_F16:
        return "F16";
    case VX_BF16:
        return "BF16";
    case VX_F64:
        return "F64";
    case VX_I8:
        return "I8";
    case VX_U8:
        return "U8";
    case VX_I16:
        return "I16";
    case VX_I32:
        return "I32";
    case VX_I64:
        return "I64";
    case VX_BOOL:
        return "BOOL";
    case VX_F8_E4M3:
        return "F8_E4M3";
    default:
        return NULL;
    }
}

vx_status vx_writer_declare(vx_writer *writer, const char *name, vx_dtype dtype, int rank,
                            const int64_t *dim, vx_error *err)
{
    assert(!writer->started);
    bool gguf = writer->format == VX_WRITE_GGUF;
    bool known = gguf ? vx_gguf_type(dtype) >= 0 : safetensors_type(dtype) != NULL;
    if (!known)
        return vx_fail_at(err, VX_ERR_INPUT, "cannot_hold", writer->path, 0,
                          "tensor \"%s\" is %s, which %s does not hold; choose another type", name,
                          vx_dtype_name(dtype), gguf ? "GGUF" : "safetensors");
    if (gguf && rank > GGUF_RANK_MAX)
        return vx_fail_at(err, VX_ERR_INPUT, "cannot_hold", writer->path, 0,
                          "tensor \"%s\" has %d dimensions and GGUF holds at most %d; write "
                          "safetensors instead",
                          name, rank, GGUF_RANK_MAX);
    declared d = {0};
    if (!vx_source_shape(&d.shape, dtype, rank, dim))
        return vx_fail_at(err, VX_ERR_INPUT, "cannot_hold", writer->path, 0,
                          "tensor \"%s\" has rows that are not whole blocks of %s", name,
                          vx_dtype_name(dtype));
    if (writer->count == writer->room) {
        int64_t wanted = writer->room == 0 ? 64 : writer->room * 2;
        declared *grown = vx_heap_grow(writer->tensors, (size_t)wanted * sizeof *grown);
        if (grown == NULL) return no_memory(err);
        writer->tensors = grown;
        writer->room = wanted;
    }
    d.name = vx_heap_text(name, strlen(name));
    if (d.name == NULL) return no_memory(err);
    writer->tensors[writer->count++] = d;
    return VX_OK;
}

vx_status vx_writer_text(vx_writer *writer, const char *key, const char *text_at, size_t bytes,
                         vx_error *err)
{
    assert(!writer->started);
    if (writer->format == VX_WRITE_SAFETENSORS) {
        json_t *value = json_stringn(text_at, bytes);
        if (value == NULL)
            return vx_fail_at(err, VX_ERR_INPUT, "cannot_hold", writer->path, 0,
                              "the metadata \"%s\" is not UTF-8 text; leave it out", key);
        return json_object_set_new(writer->texts, key, value) == 0 ? VX_OK : no_memory(err);
    }
    VX_TRY(append_text(&writer->keys, key, strlen(key), err));
    VX_TRY(append_u32(&writer->keys, VX_META_TYPE_TEXT, err));
    VX_TRY(append_text(&writer->keys, text_at, bytes, err));
    writer->key_count++;
    return VX_OK;
}

vx_status vx_writer_u32(vx_writer *writer, const char *key, uint32_t value, vx_error *err)
{
    assert(!writer->started);
    assert(writer->format == VX_WRITE_GGUF);
    VX_TRY(append_text(&writer->keys, key, strlen(key), err));
    VX_TRY(append_u32(&writer->keys, VX_META_TYPE_U32, err));
    VX_TRY(append_u32(&writer->keys, value, err));
    writer->key_count++;
    return VX_OK;
}

vx_status vx_writer_copy_meta(vx_writer *writer, const vx_source_meta *meta, vx_error *err)
{
    const vx_meta_values *values = meta->private;
    assert(!writer->started);
    assert(writer->format == VX_WRITE_GGUF);
    assert(values->raw != NULL);
    VX_TRY(append_text(&writer->keys, meta->key, strlen(meta->key), err));
    VX_TRY(append(&writer->keys, values->raw, values->raw_bytes, err));
    writer->key_count++;
    return VX_OK;
}

/* ---- headers */

static json_t *describe(const vx_source_tensor *shape, uint64_t begin)
{
    json_t *dims = json_array();
    for (int i = 0; i < shape->rank; i++)
        json_array_append_new(dims, json_integer(shape->dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", safetensors_type(shape->dtype), "shape", dims,
                     "data_offsets", (json_int_t)begin,
                     (json_int_t)begin + (json_int_t)shape->bytes);
}

static vx_status write_safetensors_header(vx_writer *w, vx_error *err)
{
    json_t *header = json_object();
    if (json_object_size(w->texts) > 0) json_object_set(header, "__metadata__", w->texts);
    uint64_t begin = 0;
    bool good = header != NULL;
    for (int64_t i = 0; good && i < w->count; i++) {
        const declared *d = &w->tensors[i];
        if (json_object_get(header, d->name) != NULL) {
            json_decref(header);
            return vx_fail_at(err, VX_ERR_INPUT, "cannot_hold", w->path, 0,
                              "two tensors would be called \"%s\"", d->name);
        }
        good = json_object_set_new(header, d->name, describe(&d->shape, begin)) == 0;
        begin += d->shape.bytes;
    }
    char *json = good ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (json == NULL) return no_memory(err);
    size_t length = strlen(json);
    uint64_t padded = (length + 7) & ~(uint64_t)7; /* so that the data starts aligned */
    vx_status status = vx_outfile_write(&w->file, &padded, sizeof padded, err);
    if (status == VX_OK) status = vx_outfile_write(&w->file, json, length, err);
    if (status == VX_OK) status = vx_outfile_write(&w->file, "       ", padded - length, err);
    free(json);
    return status;
}

/* Zeroes up to the next multiple of GGUF's alignment. */
static vx_status align(vx_writer *w, vx_error *err)
{
    static const char zeroes[VX_GGUF_ALIGNMENT];
    size_t over = w->file.written % VX_GGUF_ALIGNMENT;
    return over == 0 ? VX_OK : vx_outfile_write(&w->file, zeroes, VX_GGUF_ALIGNMENT - over, err);
}

static vx_status build_gguf_infos(vx_writer *w, text *infos, vx_error *err)
{
    uint64_t offset = 0;
    for (int64_t i = 0; i < w->count; i++) {
        const vx_source_tensor *shape = &w->tensors[i].shape;
        int rank = shape->rank > 0 ? shape->rank : 1; /* ggml has no scalars */
        VX_TRY(append_text(infos, w->tensors[i].name, strlen(w->tensors[i].name), err));
        VX_TRY(append_u32(infos, (uint32_t)rank, err));
        for (int d = rank - 1; d >= 0; d--)
            VX_TRY(append_u64(infos, (uint64_t)shape->dim[d], err));
        VX_TRY(append_u32(infos, (uint32_t)vx_gguf_type(shape->dtype), err));
        VX_TRY(append_u64(infos, offset, err));
        offset += (shape->bytes + VX_GGUF_ALIGNMENT - 1) & ~(uint64_t)(VX_GGUF_ALIGNMENT - 1);
    }
    return VX_OK;
}

static vx_status write_gguf_header(vx_writer *w, vx_error *err)
{
    text header = {0};
    vx_status status = append(&header, "GGUF", 4, err);
    if (status == VX_OK) status = append_u32(&header, VX_GGUF_VERSION, err);
    if (status == VX_OK) status = append_u64(&header, (uint64_t)w->count, err);
    if (status == VX_OK) status = append_u64(&header, w->key_count, err);
    if (status == VX_OK) status = append(&header, w->keys.at, w->keys.bytes, err);
    if (status == VX_OK) status = build_gguf_infos(w, &header, err);
    if (status == VX_OK) status = vx_outfile_write(&w->file, header.at, header.bytes, err);
    vx_heap_free(header.at);
    return status == VX_OK ? align(w, err) : status;
}

/* ---- data */

/* Moves on to the next tensor that needs data. */
static vx_status advance(vx_writer *w, vx_error *err)
{
    while (w->left == 0 && w->current < w->count) {
        if (w->format == VX_WRITE_GGUF) VX_TRY(align(w, err));
        if (++w->current < w->count) w->left = w->tensors[w->current].shape.bytes;
    }
    return VX_OK;
}

static vx_status start(vx_writer *w, vx_error *err)
{
    if (w->started) return VX_OK;
    w->started = true;
    VX_TRY(w->format == VX_WRITE_GGUF ? write_gguf_header(w, err)
                                      : write_safetensors_header(w, err));
    w->current = -1;
    return advance(w, err);
}

vx_status vx_writer_bytes(vx_writer *writer, const void *data, size_t bytes, vx_error *err)
{
    if (bytes == 0) return VX_OK;
    VX_TRY(start(writer, err));
    assert(bytes <= writer->left);
    VX_TRY(vx_outfile_write(&writer->file, data, bytes, err));
    writer->left -= bytes;
    return advance(writer, err);
}

vx_status vx_writer_floats(vx_writer *writer, const float *src, int64_t count, vx_error *err)
{
    if (count == 0) return VX_OK;
    VX_TRY(start(writer, err));
    assert(writer->current < writer->count);
    vx_dtype dtype = writer->tensors[writer->current].shape.dtype;
    int64_t block = vx_dtype_block(dtype);
    int64_t step = SCRATCH_BYTES / (int64_t)vx_row_bytes(dtype, block) * block;
    for (int64_t at = 0; at < count; at += step) {
        int64_t some = count - at < step ? count - at : step;
        vx_encode(dtype, src + at, some, writer->scratch);
        VX_TRY(vx_writer_bytes(writer, writer->scratch, vx_row_bytes(dtype, some), err));
    }
    return VX_OK;
}

vx_status vx_writer_commit(vx_writer **writer, vx_error *err)
{
    vx_writer *w = *writer;
    vx_status status = start(w, err);
    if (status == VX_OK) {
        assert(w->current == w->count);
        status = vx_outfile_commit(&w->file, err);
    }
    vx_writer_abort(writer);
    return status;
}

/* ---- NPY */

vx_status vx_npy_write(const char *path, int rank, const int64_t *dim, const float *data,
                       vx_error *err)
{
    char header[512] = "\x93NUMPY\x01";
    int64_t elements = 1;
    assert(rank >= 0 && rank <= VX_SOURCE_RANK_MAX);
    size_t at = 10;
    at += (size_t)snprintf(header + at, sizeof header - at,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++) {
        at += (size_t)snprintf(header + at, sizeof header - at, i == 0 ? "%lld," : " %lld,",
                               (long long)dim[i]);
        elements *= dim[i];
    }
    if (rank > 1) at--; /* only a tuple of one keeps its comma */
    at += (size_t)snprintf(header + at, sizeof header - at, "), }");
    while ((at + 1) % 64 != 0) /* the data starts on a multiple of 64, after a newline */
        header[at++] = ' ';
    header[at++] = '\n';
    uint16_t length = (uint16_t)(at - 10);
    memcpy(header + 8, &length, sizeof length);
    vx_outfile out;
    VX_TRY(vx_outfile_open(&out, path, err));
    vx_status status = vx_outfile_write(&out, header, at, err);
    if (status == VX_OK)
        status = vx_outfile_write(&out, data, (size_t)elements * sizeof *data, err);
    if (status == VX_OK) return vx_outfile_commit(&out, err);
    vx_outfile_abort(&out);
    return status;
}
