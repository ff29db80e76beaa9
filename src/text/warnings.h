/* What a text's front end has to say of a text: kept for the result, and in the log. */
#ifndef VX_TEXT_WARNINGS_H
#define VX_TEXT_WARNINGS_H

#include "text/clean.h"
#include "text/g2p.h"

typedef struct vx_warnings {
    vx_g2p_warning item[VX_G2P_WARNINGS_MAX];
    size_t count;
} vx_warnings;

/* Keeps a warning; what there is no room for is lost. */
__attribute__((format(printf, 4, 5))) void vx_warn(vx_warnings *warnings, const char *code,
                                                   size_t where, const char *format, ...);
/* What the text holds that is not spoken, by name; to the log too. */
void vx_warn_dropped(vx_warnings *warnings, const vx_clean *clean);

#endif
