/* What the fuzzers of media files share: the bytes as a file that exists in memory alone. */
#ifndef FUZZ_MEDIA_H
#define FUZZ_MEDIA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/status.h"

/* Its path, valid until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        vx_log_setup(VX_LOG_ERROR, false);
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    return path;
}

/* What a file makes fail is told in words, and is neither our fault nor wrong usage. */
static inline void fuzz_refused(vx_status status, const vx_error *err)
{
    if (status == VX_ERR_INTERNAL || status == VX_ERR_USAGE || err->message[0] == '\0') abort();
}

#endif
