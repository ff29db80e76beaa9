/* Mapped files that somebody shortens.
 *
 * A page of a mapping whose file no longer reaches that far, or whose disk fails, is answered with
 * SIGBUS, which would end the process. While a mapping is guarded such a page reads as zeroes and
 * the guard remembers it, so that the reader can say so. The signal's handler is installed with the
 * first guard and taken away with the last; faults elsewhere go to the handler that was there. */
#ifndef VX_FORMATS_GUARD_H
#define VX_FORMATS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum { VX_GUARDS_MAX = 256, VX_GUARD_NONE = -1 };

/* Guards [at, at + bytes), a private read-only mapping from a page's start. VX_GUARD_NONE when
 * there are too many already. Any thread. */
int vx_guard_add(const void *at, size_t bytes);
/* Before the mapping goes. Safe on VX_GUARD_NONE. */
void vx_guard_remove(int guard);
/* Whether a page was missing so far. */
bool vx_guard_hit(int guard);

#endif
