/* Status codes and error text.
 *
 * Every function that can fail returns a vx_status. The sentence that a user reads lies in a
 * vx_error that the caller owns: what went wrong, why, and what to do about it. No global state. */
#ifndef VX_BASE_STATUS_H
#define VX_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

/* 0 is success, negatives are failures. The command line's exit code is the negated status. */
typedef enum vx_status {
    VX_OK = 0,
    VX_ERR_INTERNAL =
        -1, /* a fault of ours: the plan and the run disagree, a library broke its word */
    VX_ERR_USAGE = -2,     /* a flag or an argument of the API makes no sense */
    VX_ERR_INPUT = -3,     /* recipe, text, image or weights are bad */
    VX_ERR_MISSING = -4,   /* a model, voice or library is not there */
    VX_ERR_MEMORY = -5,    /* does not fit the memory budget, or memory pressure */
    VX_ERR_DEADLINE = -6,  /* deadline, timeout, or the queue is full */
    VX_ERR_CANCELLED = -7, /* the caller asked for it */
    VX_ERR_IO = -8,        /* a device, a disk or a pipe failed */
    VX_ERR_VERIFY = -9     /* the result is there but failed its verification */
} vx_status;

/* The last failure of one call chain. Zero-initialise; valid after a function returned a failure.
 */
typedef struct vx_error {
    vx_status status;
    int line;          /* 1-based line in `file`, 0 when unknown */
    char code[32];     /* machine-readable, e.g. "bad_recipe" */
    char file[256];    /* the input at fault, "" when none */
    char message[768]; /* one sentence: what, why, what to do */
} vx_error;

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
