/* Private to src/formats: how a format fills a source.
 *
 * vx_source_open maps the file and hands it to one parser, chosen by the first bytes. A parser adds
 * tensors and metadata, pointing into the mapping; what must be kept besides (names, indices,
 * decoded fields) comes from vx_source_keep and is freed with the source. The parser only returns:
 * on failure the source is closed for it. */
#ifndef VX_FORMATS_SOURCE_IMPL_H
#define VX_FORMATS_SOURCE_IMPL_H

#include <stddef.h>

#include "formats/source.h"

enum {
    /* The largest published checkpoints have some 10^5 tensors; ours have under 2000. */
    VX_SOURCE_TENSORS_MAX = 1 << 18,
    VX_SOURCE_NAME_MAX = 1024, /* bytes; the longest in our models are near 100 */
    VX_SOURCE_META_MAX = 1 << 16
};

/* How values are found when `data` alone doesn't tell. A format's private struct begins with one.
 */
typedef struct vx_source_reader {
    vx_status (*read)(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                      int64_t count, float *dst, vx_error *err);
    /* Fills what is the format's own of *out, whose dtype, rows and cols are set; NULL: never. */
    bool (*stored_rows)(const vx_source_tensor *tensor, int64_t first, vx_stored_rows *out);
    bool computed; /* the values are not those stored, but made of them */
} vx_source_reader;

/* Value types of metadata: GGUF's numbers. */
enum {
    VX_META_TYPE_U8,
    VX_META_TYPE_I8,
    VX_META_TYPE_U16,
    VX_META_TYPE_I16,
    VX_META_TYPE_U32,
    VX_META_TYPE_I32,
    VX_META_TYPE_F32,
    VX_META_TYPE_BOOL,
    VX_META_TYPE_TEXT,
    VX_META_TYPE_ARRAY,
    VX_META_TYPE_U64,
    VX_META_TYPE_I64,
    VX_META_TYPE_F64
};
/* Bytes of one number of that type; 0 for texts, arrays and unknown types. */
size_t vx_meta_type_bytes(int type);

/* What vx_source_meta.private points to. Numbers lie side by side at `at`. One text is `length`
 * bytes there; of an array of texts, number i is a u64 length and its bytes from `at` + starts[i]
 * to starts[i + 1]; the length in the file is not read again. */
typedef struct vx_meta_values {
    const unsigned char *at;
    int type;
    size_t length;
    const uint64_t *starts;   /* NULL unless an array of texts */
    const unsigned char *raw; /* GGUF: type and value as they stand in the file, to be copied */
    size_t raw_bytes;
} vx_meta_values;

struct vx_source {
    char *path;
    const char *format; /* set by the opener before the parser runs */
    const unsigned char *bytes;
    size_t size;
    bool mapped;         /* bytes are ours to unmap */
    int guard;           /* of the mapping (formats/guard.h) */
    int fd;              /* of the mapped file, to notice that it changes; -1 for memory */
    const char *verdict; /* why this is no checkpoint, a sentence; NULL */
    vx_source_tensor *tensors;
    int64_t count, room;
    int32_t *by_name; /* indices in the order of names; made when the parser is done */
    vx_source_meta *metas;
    int64_t meta_count, meta_room;
    struct vx_source_kept *kept; /* list of blocks that die with the source */
    char sha256[65];
};

/* Opens bytes that somebody else owns and keeps until the source is closed. `name` stands for the
 * path in messages. */
vx_status vx_source_open_memory(vx_source **source, const void *bytes, size_t size,
                                const char *name, vx_error *err);

/* Parsers; each checks its own magic first. */
vx_status vx_safetensors_parse(vx_source *source, vx_error *err);
vx_status vx_onnx_parse(vx_source *source, vx_error *err);
vx_status vx_gguf_parse(vx_source *source, vx_error *err);
vx_status vx_npy_parse(vx_source *source, vx_error *err);
/* .pth and .npz; sets source->format to which it is. */
vx_status vx_zip_parse(vx_source *source, vx_error *err);
/* A pickle outside an archive: always refused, with advice. */
vx_status vx_legacy_pth_parse(vx_source *source, vx_error *err);
/* Folds bitsandbytes' quantised weights of an indexed source; the index is void afterwards. */
vx_status vx_bnb_fold(vx_source *source, vx_error *err);
/* Applies what lies beside weights and changes them (companions.c), and sets the verdict; the index
 * is void afterwards. */
vx_status vx_companions_fold(vx_source *source, vx_error *err);
/* The key of safetensors' metadata that it reads. */
#define VX_QUANTISATION_KEY "_quantization_metadata"
/* No parser claims the file: VX_ERR_INPUT, saying what it is and what to give instead. */
vx_status vx_source_not_weights(const vx_source *source, vx_error *err);

/* VX_ERR_INPUT, "PATH is not a usable FORMAT file: <what>". */
vx_status vx_source_bad(const vx_source *source, vx_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* VX_ERR_MEMORY with a sentence. */
vx_status vx_source_no_memory(const vx_source *source, vx_error *err);

/* A name from the file, made harmless and short for a message. Returns `shown`. */
enum { VX_SHOWN = 100 };
const char *vx_source_shown(char shown[VX_SHOWN], const char *name, size_t bytes);

/* Zeroed memory that lives as long as the source; NULL when there is none. */
void *vx_source_keep(vx_source *source, size_t bytes);

/* Adds a tensor: copies and checks the name, checks the dims and fills elements and bytes. data and
 * private are left NULL for the parser to set through *tensor, which is valid until the next call.
 */
vx_status vx_source_add(vx_source *source, const char *name, size_t name_bytes, vx_dtype dtype,
                        int rank, const int64_t *dim, vx_source_tensor **tensor, vx_error *err);
/* Fills dtype, dims, elements and bytes, all else zero. False when the shape is impossible. */
bool vx_source_shape(vx_source_tensor *tensor, vx_dtype dtype, int rank, const int64_t *dim);
/* Tells how far apart (in elements, >= 0) the elements of each dimension of a plain tensor lie. The
 * caller has checked that they stay inside the data. */
vx_status vx_source_set_strides(vx_source *source, vx_source_tensor *tensor, const int64_t *stride,
                                vx_error *err);
/* Where tensors lie, counted from a start of the format's choice. */
typedef struct vx_extent {
    uint64_t begin, end;
} vx_extent;
/* By begin, then by end. */
void vx_extents_sort(vx_extent *extents, int64_t count);
/* Makes vx_source_find work, and refuses a name that comes twice. The opener calls it after the
 * parser; a parser may before. */
vx_status vx_source_index(vx_source *source, vx_error *err);
/* Adds a key; the parser fills the rest. */
vx_status vx_source_add_meta(vx_source *source, const char *key, size_t key_bytes,
                             vx_source_meta **meta, vx_error *err);
/* Adds a key whose value is one text at `text`. */
vx_status vx_source_add_text(vx_source *source, const char *key, const char *text, size_t bytes,
                             vx_error *err);

#endif
