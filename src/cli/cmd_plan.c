/* vortex plan: memory layout and roofline, before anything loads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/tell.h"
#include "engine/advice.h"
#include "slot/part.h"

typedef struct plan_params {
    const char *svg;
    int64_t pipeline_depth;
} plan_params;

static void print_plan(const vx_plan *plan, const vx_pack *pack, bool fits)
{
    static const char *const kinds[] = {"buffer", "workspace", "weights", "overhead"};
    printf("pack %s %s on %s (%s)\n\n", pack->name, pack->version, plan->device.name,
           plan->device.title);
    printf("%-18s %-18s %-10s %14s\n", "component", "region", "kind", "bytes");
    for (int i = 0; i < plan->region_count; i++)
        printf("%-18s %-18s %-10s %14zu\n", plan->region[i].component, plan->region[i].name,
               kinds[plan->region[i].kind], plan->region[i].bytes);
    printf("%-48s %14zu\n", "total", plan->total_bytes);
    printf("budget: soft %.2f GB, hard %.2f GB (%s): %s\n\n", (double)plan->budget.soft_bytes / 1e9,
           (double)plan->budget.hard_bytes / 1e9, plan->budget.limit,
           fits ? "fits" : "does not fit");
    printf("%-18s %12s %12s %12s %12s %8s\n", "stage", "GFLOP", "MB moved", "roofline", "projected",
           "runs");
    for (int i = 0; i < plan->stage_count; i++) {
        const vx_stage *s = &plan->stage[i];
        printf("%-18s %12.1f %12.1f %10.3f s %10.3f s %8.1f\n", s->name, s->counts.flops / 1e9,
               s->counts.bytes_moved / 1e6, s->roofline_s, s->projected_s, s->runs);
    }
    double roofline_s, projected_s;
    vx_plan_slot(plan, &roofline_s, &projected_s);
    if (plan->seconds > 0)
        printf(
            "a slot of %.0f s: %.1f s by the roofline, about %.1f s projected (runs are those of "
            "the longest slot, stages one after the other)\n",
            plan->seconds, roofline_s, projected_s);
}

static vx_status write_svg(const char *path, const vx_plan *plan, const vx_pack *pack,
                           vx_error *err)
{
    char title[200];
    snprintf(title, sizeof title, "Pack %.80s %.40s on %s", pack->name, pack->version,
             plan->device.name);
    char *svg = vx_plan_svg(plan, title);
    if (svg == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the drawing");
    vx_status status = vx_file_write(path, svg, strlen(svg), err);
    free(svg);
    return status;
}

/* The limits of this process, as one that loads the plan will have them; what is free meanwhile is
 * another matter. */
static const vx_limits *here(void)
{
    static vx_limits limits;
    vx_limits_read(&limits, "");
    limits.free.value = SIZE_MAX;
    return &limits;
}

static vx_status run_plan(vx_cli *cli, void *raw, vx_error *err)
{
    const plan_params *p = raw;
    const char *device = cli->settings.device;
    const vx_limits *limits = strcmp(device, "cpu") == 0 ? here() : NULL;
    vx_pack pack;
    vx_plan plan;
    vx_status status = vx_pack_open(&pack, cli->settings.pack, err);
    vx_engine_params engine = {VX_OUR_PARTS, .settings = &cli->settings, .pack = &pack,
                               .wants = VX_WANT_ALL, .sets = (int)p->pipeline_depth};
    if (status == VX_OK) status = vx_engine_plan(&engine, device, &plan, err);
    if (status == VX_OK) vx_plan_advise(&engine, device, limits, &plan);
    if (status == VX_OK && p->svg != NULL) status = write_svg(p->svg, &plan, &pack, err);
    bool fits = status == VX_OK && vx_plan_check(&plan, limits, NULL) == VX_OK;
    if (status == VX_OK && cli->json)
        status = vx_json_print(vx_plan_document(&plan, fits), err);
    else if (status == VX_OK)
        print_plan(&plan, &pack, fits);
    if (status == VX_OK && p->svg != NULL)
        vx_tell(cli, "%s: the layout of %.1f MB", p->svg, (double)plan.total_bytes * 1e-6);
    if (status == VX_OK) status = vx_plan_check(&plan, limits, err);
    vx_pack_close(&pack);
    return status;
}

static const vx_flag flags[] = {
    VX_FLAG_FILE(OUT, "svg", "svg", 0, "FILE", plan_params, svg,
                 "also draw it: memory to scale, lanes by time"),
    VX_FLAG("pipeline-depth", 0, "N", plan_params, pipeline_depth, INT,
            "sets of result buffers; the settings' without it", .min = 1, .max = VX_SETS_MAX,
            .fallback = "0"),
    VX_FLAGS_END,
};

const vx_command vx_command_plan = {
    .name = "plan",
    .usage = "[--device D] [--svg F.svg]",
    .summary = "memory layout and roofline, before anything loads",
    .details =
        "Needs no model file and no device: D is cpu, or a card known by its datasheet (rtx3060, "
        "rtx4090, h100, …). Exit code 5 when the plan exceeds the hard limit.",
    .flags = flags,
    .params_bytes = sizeof(plan_params),
    .any_device = true,
    .run = run_plan,
};
