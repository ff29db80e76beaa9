/* SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. */
#ifndef VX_BASE_SHA256_H
#define VX_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct vx_sha256 {
    uint32_t state[8];
    uint64_t bytes; /* taken so far */
    uint8_t block[64];
} vx_sha256;

void vx_sha256_start(vx_sha256 *hash);
void vx_sha256_add(vx_sha256 *hash, const void *data, size_t bytes);
/* The digest in lower-case hex with a NUL. Start again before the next use. */
void vx_sha256_finish(vx_sha256 *hash, char hex[65]);

/* Start, add, finish in one. */
void vx_sha256_bytes(const void *data, size_t bytes, char hex[65]);
/* A whole file, read through a small buffer. VX_ERR_MISSING when there is none, VX_ERR_IO when it
 * can't be read. */
vx_status vx_sha256_file(const char *path, char hex[65], vx_error *err);

#endif
