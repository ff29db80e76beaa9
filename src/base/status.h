/* Status codes and error text.
 *
 * Every function that can fail returns a vx_status. The sentence that a user reads lies in a
 * vx_error that the caller owns: what went wrong, why, and what to do about it. No global state. */
#ifndef VX_BASE_STATUS_H
#define VX_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#include <vortex/status.h>

/* Fills *err (may be NULL) and returns `status`, so that a failure is one statement:
 *     return vx_fail(err, VX_ERR_INPUT, "bad_weights", "…", …);
 * `code` is a short snake_case word. Overlong text is cut. */
vx_status vx_fail(vx_error *err, vx_status status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the input's name and line. `file` may be NULL. */
vx_status vx_fail_at(vx_error *err, vx_status status, const char *code, const char *file, int line,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));

/* A short English name of the status, for logs. Never NULL. */
const char *vx_status_name(vx_status status);

/* Returns from the calling function when `expr` is not VX_OK. */
#define VX_TRY(expr)                                                                               \
    do {                                                                                           \
        vx_status vx_try_status = (expr);                                                          \
        if (vx_try_status != VX_OK) return vx_try_status;                                          \
    } while (0)

#endif
