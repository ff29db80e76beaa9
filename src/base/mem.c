#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each block is preceded by its size, in a header that keeps the 64-byte alignment. */
enum { HEADER_BYTES = 64 };

static _Atomic int64_t heap_calls, heap_bytes, heap_live;

void *vx_heap_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * HEADER_BYTES) return NULL;
    size_t rounded = (bytes + HEADER_BYTES + 63) & ~(size_t)63;
    char *block = aligned_alloc(64, rounded);
    if (block == NULL) return NULL;
    memcpy(block, &bytes, sizeof bytes);
    memset(block + HEADER_BYTES, 0, rounded - HEADER_BYTES);
    atomic_fetch_add(&heap_calls, 1);
    atomic_fetch_add(&heap_bytes, (int64_t)bytes);
    atomic_fetch_add(&heap_live, (int64_t)bytes);
    return block + HEADER_BYTES;
}

static size_t block_bytes(const void *ptr)
{
    size_t bytes;
    memcpy(&bytes, (const char *)ptr - HEADER_BYTES, sizeof bytes);
    return bytes;
}

void *vx_heap_grow(void *ptr, size_t bytes)
{
    void *grown = vx_heap_alloc(bytes);
    if (grown == NULL || ptr == NULL) return grown;
    size_t old = block_bytes(ptr);
    memcpy(grown, ptr, old < bytes ? old : bytes);
    vx_heap_free(ptr);
    return grown;
}

void vx_heap_free(void *ptr)
{
    if (ptr == NULL) return;
    atomic_fetch_sub(&heap_live, (int64_t)block_bytes(ptr));
    free((char *)ptr - HEADER_BYTES);
}

char *vx_heap_text(const char *text, size_t length)
{
    assert(text != NULL || length == 0);
    if (length == SIZE_MAX) return NULL;
    char *copy = vx_heap_alloc(length + 1);
    if (copy != NULL && length > 0) memcpy(copy, text, length);
    return copy;
}

vx_heap_counts vx_heap_read(void)
{
    return (vx_heap_counts){atomic_load(&heap_calls), atomic_load(&heap_bytes),
                            atomic_load(&heap_live)};
}

/* Reads one "Name:   N kB" line of /proc/self/status. */
static size_t status_kib(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    if (f == NULL) return 0;
    char line[256];
    size_t length = strlen(name), kib = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            kib = strtoull(line + length + 1, NULL, 10);
            break;
        }
    }
    fclose(f);
    return kib;
}

size_t vx_rss_bytes(void)
{
    return status_kib("VmRSS") * 1024;
}

size_t vx_rss_peak_bytes(void)
{
    return status_kib("VmHWM") * 1024;
}

int vx_rss_reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (f == NULL) return 0;
    int written = fputs("5", f) >= 0; /* 5 resets the peak, see proc(5) */
    return fclose(f) == 0 && written;
}
