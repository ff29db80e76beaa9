/* ZIP archives inside a source: what PyTorch's .pth and NumPy's .npz are made of.
 *
 * Read by the central directory, zip64 included; every entry's local header and extent is checked
 * against the file. Stored entries are used where they lie. Deflated ones are inflated to the heap,
 * to the size that the directory claims and to a total that no honest voice file exceeds. Split and
 * encrypted archives are refused. Checksums are verified for inflated entries only: tensors are
 * read when they are needed. */
#ifndef VX_FORMATS_ZIP_H
#define VX_FORMATS_ZIP_H

#include "formats/source_impl.h"

enum { VX_ZIP_STORED = 0, VX_ZIP_DEFLATED = 8 };

typedef struct vx_zip_entry {
    const char *name; /* any bytes, not NUL-terminated */
    size_t name_bytes;
    int method;
    uint32_t crc;
    uint64_t stored_bytes; /* in the file */
    uint64_t bytes;        /* when inflated; equal for a stored entry */
    const unsigned char *data;
} vx_zip_entry;

/* Owned by the source that it was opened on. */
typedef struct vx_zip {
    const vx_zip_entry *entries; /* in the directory's order */
    const int32_t *by_name;
    int64_t count;
    uint64_t inflated_bytes; /* so far */
} vx_zip;

/* VX_ERR_INPUT also for two entries of one name. */
vx_status vx_zip_open(vx_source *source, vx_zip *zip, vx_error *err);

/* NULL when absent. */
const vx_zip_entry *vx_zip_find(const vx_zip *zip, const char *name, size_t name_bytes);

/* The entry's bytes, inflated when need be. */
vx_status vx_zip_bytes(vx_source *source, vx_zip *zip, const vx_zip_entry *entry,
                       const unsigned char **bytes, vx_error *err);

/* The archive's arrays (npy.c). */
vx_status vx_npz_parse(vx_source *source, vx_zip *zip, vx_error *err);

#endif
