/* Arenas: one reservation, cut into regions; stacks of workspace inside.
 *
 *     reservation  | buffers | workspace lane 0 | workspace lane 1 | weights … |
 *
 * A vx_arena is a bump allocator over one region with mark and release. The same type without
 * memory behind it (base NULL) *measures*: it hands out NULL pointers and records how high it was
 * stacked, and that height is the plan. A real arena of that size then never fails; if it does, the
 * plan was wrong, and the answer is VX_ERR_INTERNAL, never a larger arena.
 *
 * In debug and ASan builds released memory is filled with 0xFF, a NaN in every float format we use.
 */
#ifndef VX_BASE_ARENA_H
#define VX_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Every block starts on a multiple of this, wide enough for a cache line and any vector load. */
enum { VX_ALIGN = 64 };

static inline size_t vx_align_up(size_t bytes)
{
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

typedef struct vx_arena {
    char *base;       /* NULL: measuring */
    size_t size;      /* capacity; ignored when measuring */
    size_t used;      /* height now */
    size_t peak;      /* highest height so far */
    const char *name; /* purpose, for messages; not owned */
} vx_arena;

/* A mark is a height. */
typedef size_t vx_mark;

/* An arena that measures. */
vx_arena vx_arena_measure(const char *name);
/* An arena over memory that somebody else owns; base must be VX_ALIGN-aligned. */
vx_arena vx_arena_over(const char *name, void *base, size_t size);

/* Takes `bytes` (rounded up to VX_ALIGN) and stores the address in *out, NULL when measuring.
 * Contents are undefined. VX_ERR_INTERNAL when a real arena is too small. */
vx_status vx_arena_take(vx_arena *arena, size_t bytes, void **out, vx_error *err);

static inline vx_mark vx_arena_mark(const vx_arena *arena)
{
    return arena->used;
}
/* Gives back everything taken since the mark. */
void vx_arena_release(vx_arena *arena, vx_mark mark);

/* One anonymous mapping, 2 MiB aligned, huge pages asked for, every page touched before it returns:
 * what does not fit the machine fails here and not in the middle of a slot. VX_ERR_MEMORY when
 * refused. */
vx_status vx_reserve(size_t bytes, void **out, vx_error *err);
void vx_unreserve(void *base, size_t bytes);

#endif
