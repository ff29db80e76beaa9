#include "engine/advice.h"

#include <stdio.h>

/* Values of the setting flux.modulations (config/settings.c). */
enum { RESIDENT, STREAMED };

/* A setting that may be larger than it need be. */
typedef struct saving {
    const char *text;
    bool (*apply)(vx_engine_params *params, vx_settings *settings); /* false: it is so already */
} saving;

static bool stream_modulations(vx_engine_params *params, vx_settings *settings)
{
    (void)params;
    bool resident = settings->flux_modulations == RESIDENT;
    settings->flux_modulations = STREAMED;
    return resident;
}

static bool hold_one_result(vx_engine_params *params, vx_settings *settings)
{
    bool more = (params->sets > 0 ? params->sets : settings->pipeline_depth) > 1;
    params->sets = 0;
    settings->pipeline_depth = 1;
    return more;
}

static const saving savings[] = {{"flux.modulations: streamed", stream_modulations},
                                 {"pipeline_depth: 1", hold_one_result}};

static void try_saving(const saving *s, const vx_engine_params *params, const char *device,
                       vx_plan *plan, vx_plan *smaller)
{
    vx_settings settings = *params->settings;
    vx_engine_params other = *params;
    other.settings = &settings;
    if (!s->apply(&other, &settings) || vx_engine_plan(&other, device, smaller, NULL) != VX_OK ||
        vx_plan_check(smaller, NULL) != VX_OK)
        return;
    snprintf(plan->advice, sizeof plan->advice, "set %s, which saves %.1f MB and makes it %.1f MB",
             s->text, (double)(plan->total_bytes - smaller->total_bytes) / 1e6,
             (double)smaller->total_bytes / 1e6);
}

void vx_plan_advise(const vx_engine_params *params, const char *device, vx_plan *plan)
{
    if (plan->total_bytes <= plan->budget.hard_bytes) return;
    vx_plan *smaller = vx_heap_alloc(sizeof *smaller);
    for (size_t i = 0; i < sizeof savings / sizeof *savings && smaller != NULL; i++)
        if (plan->advice[0] == '\0') try_saving(&savings[i], params, device, plan, smaller);
    vx_heap_free(smaller);
}
