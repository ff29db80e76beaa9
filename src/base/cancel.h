/* A cancel token: set by any thread or by a signal handler, read between tiles of every op. */
#ifndef VX_BASE_CANCEL_H
#define VX_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct vx_cancel {
    atomic_int asked; /* lock-free, so a signal handler may set it */
} vx_cancel;

static inline void vx_cancel_ask(vx_cancel *cancel)
{
    atomic_store_explicit(&cancel->asked, 1, memory_order_release);
}
static inline void vx_cancel_clear(vx_cancel *cancel)
{
    atomic_store_explicit(&cancel->asked, 0, memory_order_release);
}
/* NULL is never cancelled. */
static inline bool vx_cancelled(vx_cancel *cancel)
{
    return cancel != NULL && atomic_load_explicit(&cancel->asked, memory_order_acquire) != 0;
}

#endif
