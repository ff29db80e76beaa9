#include "base/arena.h"

#include <assert.h>

vx_arena vx_arena_measure(const char *name)
{
    return (vx_arena){.base = VX_DEV_PLAN, .size = SIZE_MAX, .name = name};
}

vx_arena vx_arena_over(const char *name, vx_dev base, size_t size)
{
    assert(base.at != 0 && base.at % VX_ALIGN == 0);
    return (vx_arena){.base = base, .size = size, .name = name};
}

vx_status vx_arena_take(vx_arena *arena, size_t bytes, vx_dev *out, vx_error *err)
{
    assert(bytes <= SIZE_MAX / 2);
    size_t rounded = vx_align_up(bytes);
    if (rounded > arena->size - arena->used)
        return vx_fail(
            err, VX_ERR_INTERNAL, "plan_exceeded",
            "%s needs %zu more bytes than the %zu that were planned for it; this is a fault of "
            "Vortex, please report the command",
            arena->name, rounded - (arena->size - arena->used), arena->size);
    *out = vx_dev_plus(arena->base, (int64_t)arena->used);
    arena->used += rounded;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return VX_OK;
}
