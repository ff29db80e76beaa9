#include "cli/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void vx_tell(const vx_cli *cli, const char *format, ...)
{
    char line[4600]; /* a path and some words */
    va_list args;
    if (cli->quiet || cli->json || !isatty(STDERR_FILENO)) return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
    fprintf(stderr, "%s\n", line);
}
