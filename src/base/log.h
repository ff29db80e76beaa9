/* The log: one line per event on stderr, text on a terminal, JSON lines otherwise.
 *
 * Process-wide, set up once by the program before threads start; the library itself only calls
 * vx_log. A JSON line holds ts (seconds since the epoch), level, msg, then the fields given. */
#ifndef VX_BASE_LOG_H
#define VX_BASE_LOG_H

#include <stdbool.h>

typedef enum vx_log_level { VX_LOG_ERROR, VX_LOG_WARN, VX_LOG_INFO, VX_LOG_DEBUG } vx_log_level;

/* Defaults: warnings and errors, JSON unless stderr is a terminal. */
void vx_log_setup(vx_log_level level, bool json);
bool vx_log_enabled(vx_log_level level);

/* The slot and stage that this thread's lines belong to; NULL for none. Strings are copied. */
void vx_log_scope(const char *slot, const char *stage);

/* One line. The message is formatted; control characters and quotes are escaped. Thread-safe. */
void vx_log(vx_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
