/* What this process may take of the machine: memory and processors.
 *
 * Asked are the machine itself, every level of the process's control group (versions 1 and 2,
 * wherever they are mounted), the limits of its address space and data, and its affinity mask. The
 * smallest wins and is named, because who is refused wants to know by what. All is read anew by
 * each call: a group's limits may be changed while the process runs. Reading takes no heap of ours
 * and some hundred microseconds. */
#ifndef VX_BASE_LIMITS_H
#define VX_BASE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

enum { VX_LIMIT_NAME = 160 };

/* "control group /a/b, memory.max"; "" when there is no limit. */
typedef struct vx_limit {
    size_t value; /* SIZE_MAX: none, or not known */
    char name[VX_LIMIT_NAME];
} vx_limit;

typedef struct vx_limits {
    bool proc;           /* /proc can be read: resident sizes and what is free are known */
    vx_limit memory;     /* bytes that the process and its neighbours in a group may have in all */
    vx_limit free;       /* bytes of it that are not in use; the page cache counts as free */
    vx_limit address;    /* bytes of address space that RLIMIT_AS leaves to what there is already */
    vx_limit data;       /* bytes of memory of its own that RLIMIT_DATA leaves, in the same way */
    vx_limit processors; /* at least 1 */
} vx_limits;

/* `root` is put before every path of /proc and /sys: "" for this machine, a
 * folder of files for tests. */
void vx_limits_read(vx_limits *limits, const char *root);

/* limits.free alone, which is what a running slot asks for. */
vx_limit vx_limits_free(const char *root);

#endif
