/* Weight files: one read-only view over safetensors, PyTorch .pth, ONNX initialisers, GGUF and
 * NPY/NPZ.
 *
 * A source is mapped, never copied whole, and nothing in it is ever executed. Opening parses the
 * header and checks every length, offset and shape against the file; a tensor that opened is safe
 * to read. */
#ifndef VX_FORMATS_SOURCE_H
#define VX_FORMATS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/dtype.h"

typedef struct vx_source vx_source;

enum { VX_SOURCE_RANK_MAX = 8 };

/* A tensor of the file. Owned by the source and valid until it is closed. */
typedef struct vx_source_tensor {
    const char *name;
    vx_dtype dtype;                  /* as stored */
    int rank;                        /* 0 for a scalar */
    int64_t dim[VX_SOURCE_RANK_MAX]; /* outermost first, as torch prints it; beyond rank 1 */
    int64_t elements;
    uint64_t bytes; /* stored bytes, scales of block formats excluded */
    const void
        *data; /* into the mapping, unaligned; NULL where the file holds values another way */
    const void *private; /* the format's own: strides, scales, typed fields */
} vx_source_tensor;

/* Opens by content, not by name. *source is NULL on failure. VX_ERR_INPUT for a truncated or lying
 * file, with what was expected and what was found; VX_ERR_MISSING when there is no such file. */
vx_status vx_source_open(vx_source **source, const char *path, vx_error *err);
void vx_source_close(vx_source **source);

const char *vx_source_path(const vx_source *source);
const char *
vx_source_format(const vx_source *source); /* "safetensors", "pth", "onnx", "gguf", "npy" */
/* SHA-256 of the whole file in hex, computed on first use. */
vx_status vx_source_sha256(vx_source *source, char hex[65], vx_error *err);

int64_t vx_source_count(const vx_source *source);
const vx_source_tensor *vx_source_at(const vx_source *source, int64_t index);
/* By exact name, hashed; NULL when absent. */
const vx_source_tensor *vx_source_find(const vx_source *source, const char *name);

/* Elements [first, first+count) in row-major order as float, whatever the stored type (integers as
 * their value, block formats dequantised: then first and count are multiples of the block). */
vx_status vx_source_read(const vx_source *source, const vx_source_tensor *tensor, int64_t first,
                         int64_t count, float *dst, vx_error *err);

/* Tells the system that this tensor's pages are not needed again, so that a mapped file does not
 * count towards resident memory. Contents stay readable. */
void vx_source_release(const vx_source *source, const vx_source_tensor *tensor);

#endif
