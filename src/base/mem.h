/* Host heap with counters.
 *
 * After start-up nothing on the slot path may allocate in proportion to the work. All of Vortex's
 * own heap use goes through these functions, so that a test can read the counters before and after.
 */
#ifndef VX_BASE_MEM_H
#define VX_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

typedef struct vx_heap_counts {
    int64_t calls;      /* allocations since process start */
    int64_t bytes;      /* bytes asked for since process start */
    int64_t live_bytes; /* bytes not yet freed */
} vx_heap_counts;

/* Zeroed memory aligned to 64 bytes, or NULL when there is none. bytes == 0 gives a valid pointer.
 */
void *vx_heap_alloc(size_t bytes);

/* Grows or shrinks, keeping the contents; new bytes are zero. On failure returns NULL and *keeps*
 * ptr. */
void *vx_heap_grow(void *ptr, size_t bytes);

/* NULL is fine. */
void vx_heap_free(void *ptr);

/* A copy of a string of `length` bytes with a terminating NUL, or NULL. */
char *vx_heap_text(const char *text, size_t length);

vx_heap_counts vx_heap_read(void);

/* Resident size of this process now, in bytes (Linux /proc); 0 when unknown. */
size_t vx_rss_bytes(void);
/* Highest resident size since start or since the last vx_rss_reset_peak. */
size_t vx_rss_peak_bytes(void);
/* Starts a new peak measurement (Linux clear_refs); false when the kernel refuses. */
int vx_rss_reset_peak(void);

#endif
