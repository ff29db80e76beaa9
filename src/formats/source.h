/* Weight files: one read-only view over safetensors, PyTorch .pth, ONNX initialisers, GGUF and
 * NPY/NPZ.
 *
 * A source is mapped, never copied whole, and nothing in it is ever executed. Opening parses the
 * header and checks every length, offset and shape against the file; a tensor that opened is safe
 * to read. A file that is shortened while it is open reads as zeroes from there on; reading then
 * fails, and vx_source_intact tells.
 *
 * Names are the file's own. Nested dicts of a .pth are joined with '.', a file that holds one
 * unnamed array (NPY, a .pth that is a tensor) shows it as "data", and the members of an NPZ lose
 * their ".npy". A weight that bitsandbytes quantised (NF4, int8) appears under its own name with
 * its logical shape; the tensors that hold its scales are not listed. The same holds for scales of
 * fp8 and int8 weights (docs/FORMATS.md): values are scale times code. A weight beside which
 * something lies that isn't known to leave it alone can be listed but not read.
 *
 * Opening, the hash and closing belong to one thread at a time; the rest may be called from many.
 */
#ifndef VX_FORMATS_SOURCE_H
#define VX_FORMATS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/quant.h"

typedef struct vx_source vx_source;

enum { VX_SOURCE_RANK_MAX = 8 };

/* A tensor of the file. Owned by the source and valid until it is closed. */
typedef struct vx_source_tensor {
    const char *name;                /* UTF-8 without control characters */
    vx_dtype dtype;                  /* as stored */
    int rank;                        /* 0 for a scalar */
    int64_t dim[VX_SOURCE_RANK_MAX]; /* outermost first, as torch prints it; beyond rank 1 */
    int64_t elements;
    uint64_t bytes;      /* stored bytes, scales kept elsewhere (nf4, int8) excluded */
    const void *data;    /* `bytes` of stored elements, unaligned, little-endian, row-major unless
                            `private` says otherwise; NULL only when there are none */
    const void *private; /* the format's own: strides, scales; NULL when `data` tells all */
} vx_source_tensor;

/* Opens by content, not by name. *source is NULL on failure. VX_ERR_INPUT for a truncated or lying
 * file, with what was expected and what was found; VX_ERR_MISSING when there is no such file. */
vx_status vx_source_open(vx_source **source, const char *path, vx_error *err);
/* Sets *source to NULL; safe on NULL. */
void vx_source_close(vx_source **source);

const char *vx_source_path(const vx_source *source);
/* "safetensors", "pth", "onnx", "gguf", "npy", "npz" */
const char *vx_source_format(const vx_source *source);
/* SHA-256 of the whole file in hex, computed on first use. */
vx_status vx_source_sha256(vx_source *source, char hex[65], vx_error *err);

int64_t vx_source_count(const vx_source *source);
/* VX_ERR_INPUT when the names in the file say that it is something else than a checkpoint: a LoRA,
 * weights quantised as GPTQ or AWQ. For those who miss a tensor, or want all of them. */
vx_status vx_source_check(const vx_source *source, vx_error *err);
/* VX_ERR_INPUT when that tensor can be listed but not read, by name and with the reason. */
vx_status vx_source_usable(const vx_source *source, const vx_source_tensor *tensor, vx_error *err);
/* VX_ERR_IO when the file became shorter, or failed to be read, since it was opened. */
vx_status vx_source_intact(const vx_source *source, vx_error *err);
/* Applies the scales that lie in one file to weights that lie in another: shards of one checkpoint.
 * Call it once, before any tensor is asked for. */
vx_status vx_sources_join(vx_source **sources, int count, vx_error *err);

/* In the file's order. */
const vx_source_tensor *vx_source_at(const vx_source *source, int64_t index);
/* By exact name; NULL when absent. */
const vx_source_tensor *vx_source_find(const vx_source *source, const char *name);

/* Elements [first, first+count) in row-major order as float, whatever the stored type (integers as
 * their value, block formats dequantised; for GGUF's blocks first and count are multiples of the
 * block). A stretch of a megabyte or more gives its pages of the mapping back when it is read. */
vx_status vx_source_read(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                         int64_t count, float *dst, vx_error *err);

/* Rows [first, first + rows) of a matrix as they are stored, for those who keep weights in the
 * same codes. False when the tensor is of another kind, or when its scales are grouped across
 * the ends of these rows. */
bool vx_source_stored_rows(const vx_source_tensor *tensor, int64_t first, int64_t rows,
                           vx_stored_rows *out);

/* Tells the system that this tensor's pages are not needed again, so that a mapped file does not
 * count towards resident memory. Contents stay readable. */
void vx_source_release(const vx_source *source, const vx_source_tensor *tensor);

/* ---- key-value metadata: GGUF's keys and safetensors' __metadata__ */

typedef enum vx_meta_kind { VX_META_INT, VX_META_FLOAT, VX_META_BOOL, VX_META_TEXT } vx_meta_kind;

/* One key. Owned by the source. Read its values with the functions below. */
typedef struct vx_source_meta {
    const char *key;
    vx_meta_kind kind; /* of every element */
    bool array;
    int64_t count;       /* elements; 1 unless an array */
    const void *private; /* where and how they lie */
} vx_source_meta;

int64_t vx_source_meta_count(const vx_source *source);
const vx_source_meta *vx_source_meta_at(const vx_source *source, int64_t index);
/* By exact key; NULL when absent. */
const vx_source_meta *vx_source_meta_find(const vx_source *source, const char *key);

/* Element `index` in [0, count). A u64 beyond int64 gives INT64_MAX. */
int64_t vx_meta_int(const vx_source_meta *meta, int64_t index);  /* INT and BOOL */
double vx_meta_float(const vx_source_meta *meta, int64_t index); /* FLOAT, INT and BOOL */
/* TEXT: `*bytes` of it, not NUL-terminated, any bytes. */
const char *vx_meta_text(const vx_source_meta *meta, int64_t index, size_t *bytes);

#endif
