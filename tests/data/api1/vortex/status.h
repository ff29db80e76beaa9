/* Status codes and error text of Vortex; part of vortex.h. */
#ifndef VORTEX_STATUS_H
#define VORTEX_STATUS_H

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

#endif
