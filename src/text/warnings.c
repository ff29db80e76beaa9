#include "text/warnings.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

void vx_warn(vx_warnings *warnings, const char *code, size_t where, const char *format, ...)
{
    if (warnings->count == VX_G2P_WARNINGS_MAX) return;
    vx_g2p_warning *warning = &warnings->item[warnings->count++];
    *warning = (vx_g2p_warning){.code = code, .where = where};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(warning->message, sizeof warning->message, format, arguments);
    va_end(arguments);
}

void vx_warn_dropped(vx_warnings *warnings, const vx_clean *clean)
{
    char memory[160];
    vx_strbuf names = vx_strbuf_over(memory, sizeof memory);
    for (size_t i = 0; i < clean->dropped_kinds; i++) {
        uint32_t cp = clean->dropped_cp[i];
        char name[16];
        snprintf(name, sizeof name, "U+%04X", (unsigned)cp);
        if (i > 0) vx_strbuf_put(&names, ", ");
        if (cp > 0x20 && cp != 0x7F && (cp < 0x80 || cp > 0x9F)) {
            vx_strbuf_cp(&names, cp);
            vx_strbuf_put(&names, " ");
        }
        vx_strbuf_put(&names, name);
    }
    const char *more = clean->dropped_kinds == VX_CLEAN_DROPPED_MAX ? " …" : "";
    vx_warn(warnings, "characters_left_out", clean->dropped_where,
            "%zu characters of the text have no sound and are left out: %s%s", clean->dropped,
            names.data, more);
    vx_log(VX_LOG_WARN,
           "%zu characters of the text have no sound and are left out, first at byte %zu: %s%s",
           clean->dropped, clean->dropped_where, names.data, more);
}
