/* Which script a text's letters are of: only English is spoken. */
#ifndef VX_TEXT_SCRIPTS_H
#define VX_TEXT_SCRIPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VX_SCRIPTS_MAX = 34 };

/* Zeroed at the beginning of a text. */
typedef struct vx_scripts {
    size_t foreign[VX_SCRIPTS_MAX], other; /* letters */
    bool greek;                            /* the last character was a Greek letter */
} vx_scripts;

/* Counts a character. A Greek letter alone is a sign of mathematics and not counted. */
void vx_scripts_count(vx_scripts *scripts, uint32_t code_point);

/* The name of the foreign script most used when more letters are foreign than not, else NULL. */
const char *vx_scripts_foreign(const vx_scripts *scripts);

#endif
