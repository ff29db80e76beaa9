/* The log: one line per event on stderr, text on a terminal, JSON lines otherwise; or whatever a
 * host makes of it (vortex.h).
 *
 * Process-wide. A JSON line holds ts (seconds since the epoch), level, msg, then the fields given.
 * A stderr that is closed is nobody's fault: its lines are lost and raise nothing. */
#ifndef VX_BASE_LOG_H
#define VX_BASE_LOG_H

#include <stdbool.h>

#include <vortex/status.h>

typedef void (*vx_log_sink)(void *arg, const vx_log_line *line);

/* Defaults: warnings and errors, JSON unless stderr is a terminal. The program sets this up once,
 * before threads start. */
void vx_log_setup(vx_log_level level, bool json);
/* The level alone, at any time. */
void vx_log_set_level(vx_log_level level);
bool vx_log_enabled(vx_log_level level);

/* Lines go to `sink` instead, one at a time; what it logs itself is dropped. */
void vx_log_take(vx_log_sink sink, void *arg);
/* Lines go to stderr again, unless somebody else has taken them since. The sink isn't running when
 * this returns. */
void vx_log_give_back(vx_log_sink sink, void *arg);

/* The slot and stage that this thread's lines belong to; NULL for none. Strings are copied. */
void vx_log_scope(const char *slot, const char *stage);

/* One line. The message is formatted; control characters and quotes are escaped. Thread-safe. */
void vx_log(vx_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line of level "info" that is written where warnings are: what a server owes for each job. */
void vx_log_always(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
