#include "base/status.h"

#include <stdio.h>
#include <string.h>

static vx_status fail_v(vx_error *err, vx_status status, const char *code, const char *file,
                        int line, const char *format, va_list args)
{
    if (err == NULL) return status;
    err->status = status;
    err->line = line;
    snprintf(err->code, sizeof err->code, "%s", code);
    snprintf(err->file, sizeof err->file, "%s", file ? file : "");
    vsnprintf(err->message, sizeof err->message, format, args);
    return status;
}

vx_status vx_fail(vx_error *err, vx_status status, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_v(err, status, code, NULL, 0, format, args);
    va_end(args);
    return status;
}

vx_status vx_fail_at(vx_error *err, vx_status status, const char *code, const char *file, int line,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_v(err, status, code, file, line, format, args);
    va_end(args);
    return status;
}

const char *vx_status_name(vx_status status)
{
    switch (status) {
    case VX_OK:
        return "ok";
    case VX_ERR_INTERNAL:
        return "internal";
    case VX_ERR_USAGE:
        return "usage";
    case VX_ERR_INPUT:
        return "input";
    case VX_ERR_MISSING:
        return "missing";
    case VX_ERR_MEMORY:
        return "memory";
    case VX_ERR_DEADLINE:
        return "deadline";
    case VX_ERR_CANCELLED:
        return "cancelled";
    case VX_ERR_IO:
        return "io";
    case VX_ERR_VERIFY:
        return "verify";
    }
    return "unknown";
}
