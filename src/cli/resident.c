#include "cli/resident.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/pool.h"

/* How soon an interrupt reaches the job. */
enum { POLL_MS = 20 };

static void end_bar(vx_bar *bar)
{
    if (bar->stage != NULL) vx_progress_end(&bar->progress);
    bar->stage = NULL;
}

static void show(void *arg, const char *stage, double share)
{
    vx_bar *bar = &((vx_resident *)arg)->bar;
    if (bar->stage == NULL || strcmp(bar->label, stage) != 0) {
        end_bar(bar);
        snprintf(bar->label, sizeof bar->label, "%s", stage);
        bar->stage = bar->label;
        vx_progress_start(&bar->progress, bar->quiet, bar->label, "");
    }
    vx_progress_update(&bar->progress, (uint64_t)(share * 1000), 1000);
}

static void show_loading(void *arg, const char *component, double share)
{
    if (component[0] != '\0') show(arg, component, share);
}

/* Of the library 0 is the settings'; of --threads it is all that there are. */
static int threads_of(const vx_cli *cli)
{
    vx_limits limits;
    if (cli->threads != 0) return cli->threads > 0 ? (int)cli->threads : 0;
    vx_limits_read(&limits, "");
    return limits.processors.value < VX_WORKERS_MAX ? (int)limits.processors.value : VX_WORKERS_MAX;
}

vx_status vx_resident_open(vx_resident *r, const vx_cli *cli, const vx_submit_params *only,
                           size_t count, vx_error *err)
{
    char level[8];
    *r = (vx_resident){.cli = cli, .bar = {.quiet = cli->quiet}};
    vx_open_params open = {.settings = cli->config,
                           .pack = cli->pack,
                           .device = cli->device,
                           .threads = threads_of(cli),
                           .only = only,
                           .only_count = count,
                           .progress = show_loading,
                           .progress_arg = r,
                           .cancel = cli->cancel,
                           .log_level = vx_choice_name(VX_LOG_LEVEL_NAMES, cli->settings.log_level,
                                                       level, sizeof level)};
    vx_status status = vx_open(&r->vortex, &open, err);
    end_bar(&r->bar);
    return status;
}

void vx_resident_close(vx_resident *r)
{
    vx_close(&r->vortex, 0);
}

static int to_out(void *arg, const void *bytes, size_t count)
{
    vx_resident *r = arg;
    return -vx_outfile_write(&r->out, bytes, count, &r->out_error);
}

static vx_status make(vx_resident *r, vx_submit_params *params, bool to_stdout, vx_job **job,
                      vx_error *err)
{
    bool interrupted = false;
    params->progress = show;
    params->arg = r;
    if (to_stdout) params->write = to_out;
    params->has_seed = r->cli->seed >= 0;
    params->seed = r->cli->seed;
    VX_TRY(vx_submit(r->vortex, params, job, err));
    while (vx_job_wait(*job, POLL_MS) != VX_OK) {
        if (!interrupted && vx_cancelled(r->cli->cancel)) vx_job_cancel(*job);
        interrupted = vx_cancelled(r->cli->cancel);
    }
    end_bar(&r->bar);
    const vx_result *result = vx_job_result(*job);
    if (result->error.status != VX_OK) *err = result->error;
    return result->error.status;
}

vx_status vx_resident_make(vx_resident *r, vx_submit_params *params, bool to_stdout, vx_job **job,
                           vx_error *err)
{
    *job = NULL;
    r->out_error = (vx_error){0};
    if (to_stdout) VX_TRY(vx_outfile_open(&r->out, "-", err));
    vx_status status = make(r, params, to_stdout, job, err);
    if (!to_stdout) return status;
    if (r->out_error.status != VX_OK) {
        *err = r->out_error;
        status = err->status;
    }
    if (status == VX_OK || status == VX_ERR_VERIFY) {
        vx_status closed = vx_outfile_commit(&r->out, err);
        return closed != VX_OK ? closed : status;
    }
    vx_outfile_abort(&r->out);
    return status;
}
