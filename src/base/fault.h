/* What errno says, as a status and a sentence: one table for all who open, read and write. */
#ifndef VX_BASE_FAULT_H
#define VX_BASE_FAULT_H

#include "base/status.h"

/* "cannot read PATH: no such file; check the path". `cause` is an errno. Only what is not there is
 * VX_ERR_MISSING; a path that cannot be one is VX_ERR_INPUT, no memory VX_ERR_MEMORY, all else
 * VX_ERR_IO: a file that exists and cannot be opened is not a missing one. */
vx_status vx_fail_read(vx_error *err, int cause, const char *path);

/* The same for outputs, always VX_ERR_IO: verb is "write" or "move into place". */
vx_status vx_fail_write(vx_error *err, int cause, const char *verb, const char *path);

#endif
