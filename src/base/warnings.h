/* Warnings: what was done otherwise than it was asked for, in the log and in the document that
 * tells of the work (docs/CONTRACTS.md, warnings).
 *
 * Whoever does a piece of work owns a list and makes it its thread's for that time; code below says
 *
 *     vx_warn("silent", path, "%s is silent from end to end", path);
 *
 * and needs to know neither the list nor whether there is one. Work that is spread over threads
 * gives each of them the same list: adding is thread-safe. Fixed memory: what goes beyond
 * VX_WARNINGS_MAX is counted. */
#ifndef VX_BASE_WARNINGS_H
#define VX_BASE_WARNINGS_H

#include <jansson.h>
#include <pthread.h>

enum { VX_WARNINGS_MAX = 24 };

typedef struct vx_warning {
    char code[32];  /* a short snake_case word */
    char where[96]; /* the recipe's key, the flag, the file or the word; "" when it is the whole */
    char message[320]; /* one sentence; overlong text is cut */
} vx_warning;

typedef struct vx_warnings {
    pthread_mutex_t lock;
    int count;
    int more; /* that found no room */
    vx_warning item[VX_WARNINGS_MAX];
} vx_warnings;

void vx_warnings_init(vx_warnings *list);

/* Makes `list` (NULL: none) the calling thread's and returns what was before, to be put back. */
vx_warnings *vx_warnings_scope(vx_warnings *list);

/* One warning: a line of the log, and an entry of the thread's list unless it is there already.
 * `where` may be NULL. */
void vx_warn(const char *code, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* [{code, message, where}], where null when it is the whole; a last entry "more" says how many
 * found no room. The caller decrefs; NULL when out of memory. */
json_t *vx_warnings_json(vx_warnings *list);

#endif
