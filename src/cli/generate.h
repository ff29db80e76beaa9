/* What the two ways of vortex generate share: one slot, or many. */
#ifndef VX_CLI_GENERATE_H
#define VX_CLI_GENERATE_H

#include <jansson.h>

#include "cli/resident.h"

typedef struct vx_generate_params {
    const char *out, *report, *sheet, *srt, *vtt;
    double loudness;
    int subtitles;
    int64_t deadline_ms;
    bool lines, fail_fast;
} vx_generate_params;

/* What the flags say of a film, without its paths. `subtitles` is room for a word. */
vx_submit_params vx_generate_film(const vx_generate_params *params, char subtitles[16]);

/* The report to its path (NULL: none) and a word to the terminal; *report (may be NULL) is the
 * caller's to decref. */
vx_status vx_generate_deliver(const vx_cli *cli, const char *out, const char *path,
                              const vx_result *result, json_t **report, vx_error *err);

/* Several recipes, or lines of them. The first failure's status, when all has been tried. */
vx_status vx_generate_many(const vx_cli *cli, const vx_generate_params *params, vx_error *err);

#endif
