/* Arenas: a region of a backend's memory, cut from the bottom; stacks of workspace.
 *
 *     reservation  | buffers | workspace lane 0 | workspace lane 1 | weights … |
 *
 * A vx_arena is a bump allocator over one region with mark and release. It is arithmetic alone: it
 * never looks at the memory. One that *measures* has no end, and the height that it reached is the
 * plan. A real arena of that size then never fails; if it does, the plan was wrong, and the answer
 * is VX_ERR_INTERNAL, never a larger arena. */
#ifndef VX_BASE_ARENA_H
#define VX_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dev.h"
#include "base/status.h"

/* Every block starts on a multiple of this, wide enough for a cache line and any vector load. A
 * device that asks for more rounds its regions; inside one, kernels are given addresses. */
enum { VX_ALIGN = 64 };

static inline size_t vx_align_up(size_t bytes)
{
    return (bytes + VX_ALIGN - 1) & ~(size_t)(VX_ALIGN - 1);
}

typedef struct vx_arena {
    vx_dev base;
    size_t size;      /* capacity; SIZE_MAX when measuring */
    size_t used;      /* height now */
    size_t peak;      /* highest height so far */
    const char *name; /* purpose, for messages; not owned */
} vx_arena;

/* A mark is a height. */
typedef size_t vx_mark;

/* An arena that measures, from VX_DEV_PLAN on. */
vx_arena vx_arena_measure(const char *name);
/* An arena over memory that somebody else owns; base is VX_ALIGN-aligned and not 0. */
vx_arena vx_arena_over(const char *name, vx_dev base, size_t size);

/* Takes `bytes` (rounded up to VX_ALIGN) and stores the address in *out. Contents are undefined.
 * VX_ERR_INTERNAL when a real arena is too small. */
vx_status vx_arena_take(vx_arena *arena, size_t bytes, vx_dev *out, vx_error *err);

static inline vx_mark vx_arena_mark(const vx_arena *arena)
{
    return arena->used;
}
/* Gives back everything taken since the mark. */
static inline void vx_arena_release(vx_arena *arena, vx_mark mark)
{
    arena->used = mark;
}

#endif
