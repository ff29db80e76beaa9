/* Memory of the process in one piece, for as long as an engine lives. */
#ifndef VX_BASE_RESERVE_H
#define VX_BASE_RESERVE_H

#include <stddef.h>

#include "base/status.h"

#if defined(__SANITIZE_ADDRESS__)
#define VX_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VX_ASAN 1
#endif
#endif
/* Builds that look for mistakes fill what was given back with 0xFF, a NaN in every float format
 * we use, and under ASan forbid to touch it. Optimised builds skip it: it would cost a pass
 * over memory per release. */
#if defined(VX_ASAN) || !defined(__OPTIMIZE__)
#define VX_POISON 1
#endif

/* One anonymous mapping, 2 MiB aligned, huge pages asked for, every page touched before it returns:
 * what does not fit the machine fails here and not in the middle of a slot. VX_ERR_MEMORY when
 * refused. */
vx_status vx_reserve(size_t bytes, void **out, vx_error *err);
void vx_unreserve(void *base, size_t bytes); /* safe on NULL */

/* Nobody reads [at, at + bytes) until vx_unpoison; nothing happens without VX_POISON. */
void vx_poison(void *at, size_t bytes);
void vx_unpoison(void *at, size_t bytes);

#endif
