/* Writers of weight files. Output lies under a temporary name until it is whole.
 *
 *     vx_writer *w;
 *     VX_TRY(vx_writer_open(&w, path, VX_WRITE_SAFETENSORS, err));
 *     for every tensor:   vx_writer_declare(w, name, dtype, rank, dim, err)
 *     for every tensor, in the order declared, all its data in pieces of any size:
 *                         vx_writer_floats(w, values, count, err) or vx_writer_bytes
 *     vx_writer_commit(&w, err);        // or vx_writer_abort(&w) after any failure
 *
 * Names and texts are copied. Declaring ends with the first data. Nothing is held in memory but the
 * list of tensors. */
#ifndef VX_FORMATS_WRITER_H
#define VX_FORMATS_WRITER_H

#include "formats/source.h"

typedef struct vx_writer vx_writer;

/* safetensors holds plain types. GGUF holds f32 f16 bf16 f64 i8 i16 i32 i64 q8_0 q4_0, at most four
 * dimensions; names over 63 bytes are written, but tools built on ggml do not open them. */
typedef enum vx_writer_format { VX_WRITE_SAFETENSORS, VX_WRITE_GGUF } vx_writer_format;

/* *writer is NULL on failure: VX_ERR_IO. */
vx_status vx_writer_open(vx_writer **writer, const char *path, vx_writer_format format,
                         vx_error *err);

/* VX_ERR_INPUT for a type, a shape or a name that the format cannot hold. */
vx_status vx_writer_declare(vx_writer *writer, const char *name, vx_dtype dtype, int rank,
                            const int64_t *dim, vx_error *err);

/* Metadata, before the first data. Numbers and copied keys are for GGUF only; a copied key
 * comes from a GGUF source. */
vx_status vx_writer_text(vx_writer *writer, const char *key, const char *text, size_t bytes,
                         vx_error *err);
vx_status vx_writer_u32(vx_writer *writer, const char *key, uint32_t value, vx_error *err);
vx_status vx_writer_copy_meta(vx_writer *writer, const vx_source_meta *meta, vx_error *err);

/* The next bytes of the current tensor as they are to be stored. */
vx_status vx_writer_bytes(vx_writer *writer, const void *data, size_t bytes, vx_error *err);
/* The next elements of the current tensor, which is f32, f16, bf16, q8_0 or q4_0; count is a
 * multiple of its block. */
vx_status vx_writer_floats(vx_writer *writer, const float *src, int64_t count, vx_error *err);

/* All data must have been given. Sets *writer to NULL in every case. */
vx_status vx_writer_commit(vx_writer **writer, vx_error *err);
/* Leaves no file. Sets *writer to NULL; safe on NULL. */
void vx_writer_abort(vx_writer **writer);
/* Bytes written so far. */
uint64_t vx_writer_size(const vx_writer *writer);

/* One f32 array as .npy (format version 1.0, C order). */
vx_status vx_npy_write(const char *path, int rank, const int64_t *dim, const float *data,
                       vx_error *err);

#endif
