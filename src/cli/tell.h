/* A word at the end: what a command has made, where, and how it came out. */
#ifndef VX_CLI_TELL_H
#define VX_CLI_TELL_H

#include "cli/cli.h"

/* One line on stderr, when that is a terminal and neither --quiet nor --json was given. Control
 * characters are shown as '?'. */
void vx_tell(const vx_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
