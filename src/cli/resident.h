/* The engine behind a command: opened through vortex.h for the jobs of the command line, with a
 * bar while it loads and works. */
#ifndef VX_CLI_RESIDENT_H
#define VX_CLI_RESIDENT_H

#include <vortex/vortex.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/progress.h"

/* One bar at a time: the stage that runs. */
typedef struct vx_bar {
    vx_progress progress;
    const char *stage; /* NULL: none is shown */
    char label[64];
    bool quiet;
} vx_bar;

typedef struct vx_resident {
    const vx_cli *cli;
    vx_vortex *vortex;
    vx_bar bar;
    vx_outfile out;     /* of a job whose bytes go to stdout */
    vx_error out_error; /* why they do not */
} vx_resident;

/* Opens it with what `count` jobs need; NULL: with all that the pack has. Close it in any case. */
vx_status vx_resident_open(vx_resident *r, const vx_cli *cli, const vx_submit_params *only,
                           size_t count, vx_error *err);
void vx_resident_close(vx_resident *r);

/* Submits the job with the bar and the command line's seed, waits for its end and passes an
 * interrupt on. With `to_stdout` the bytes of what is made go there. The job's own status, with
 * *job to be freed by the caller; NULL when it was refused. */
vx_status vx_resident_make(vx_resident *r, vx_submit_params *params, bool to_stdout, vx_job **job,
                           vx_error *err);

#endif
