#include "engine/plan.h"

#include <stdio.h>

#include "backend/plan/roofline.h"

static const char *const kind_names[] = {"buffer", "workspace", "weights", "overhead"};
static const char *const place_names[] = {"device", "host", "shared"};

void vx_plan_init(vx_plan *plan, const vx_device *device, const vx_budget *budget)
{
    assert(budget->soft_bytes <= budget->hard_bytes);
    *plan = (vx_plan){.device = *device, .budget = *budget};
    if (device->overhead_bytes > 0)
        vx_plan_region(plan, VX_REGION_OVERHEAD, VX_PLACE_DEVICE, device->overhead[0],
                       device->overhead[1], device->overhead_bytes);
}

int vx_plan_region(vx_plan *plan, vx_region_kind kind, vx_place place, const char *component,
                   const char *name, size_t bytes)
{
    assert(plan->region_count < VX_PLAN_REGIONS);
    vx_region *region = &plan->region[plan->region_count];
    size_t unit = plan->device.alignment > VX_ALIGN ? plan->device.alignment : VX_ALIGN;
    size_t rounded = (bytes + unit - 1) & ~(unit - 1);
    *region = (vx_region){.kind = kind, .place = place, .bytes = rounded};
    snprintf(region->component, sizeof region->component, "%s", component);
    snprintf(region->name, sizeof region->name, "%s", name);
    plan->total_bytes += rounded;
    if (kind != VX_REGION_OVERHEAD) plan->reservation_bytes += rounded;
    return plan->region_count++;
}

void vx_plan_stage(vx_plan *plan, const char *name, const vx_counts *counts, vx_dtype compute)
{
    assert(plan->stage_count < VX_PLAN_STAGES);
    vx_stage *stage = &plan->stage[plan->stage_count++];
    *stage = (vx_stage){.counts = *counts, .runs = 1};
    snprintf(stage->name, sizeof stage->name, "%s", name);
    vx_roofline time = vx_roofline_of(&plan->device, counts, compute);
    stage->roofline_s = time.roofline_s;
    stage->projected_s = time.projected_s;
}

void vx_plan_slot(const vx_plan *plan, double *roofline_s, double *projected_s)
{
    *roofline_s = *projected_s = 0;
    for (int i = 0; i < plan->stage_count; i++) {
        *roofline_s += plan->stage[i].runs * plan->stage[i].roofline_s;
        *projected_s += plan->stage[i].runs * plan->stage[i].projected_s;
    }
}

const char *vx_plan_largest(const vx_plan *plan, size_t *bytes)
{
    const char *largest = "";
    *bytes = 0;
    for (int i = 0; i < plan->region_count; i++) {
        size_t sum = 0;
        for (int j = 0; j < plan->region_count; j++)
            if (strcmp(plan->region[j].component, plan->region[i].component) == 0)
                sum += plan->region[j].bytes;
        if (sum > *bytes) {
            *bytes = sum;
            largest = plan->region[i].component;
        }
    }
    return largest;
}

static vx_status check_budget(const vx_plan *plan, const char *advice, vx_error *err)
{
    size_t bytes, hard_bytes = plan->budget.hard_bytes;
    if (plan->total_bytes <= hard_bytes) return VX_OK;
    const char *largest = vx_plan_largest(plan, &bytes);
    return vx_fail(err, VX_ERR_MEMORY, "does_not_fit",
                   "the plan needs %.1f MB, %.1f MB more than the hard limit of %.1f MB (%s); the "
                   "largest consumer is %s with %.1f MB: %s",
                   (double)plan->total_bytes / 1e6, (double)(plan->total_bytes - hard_bytes) / 1e6,
                   (double)hard_bytes / 1e6, plan->budget.limit, largest, (double)bytes / 1e6,
                   advice != NULL ? advice
                                  : "give it a smaller precision or a smaller size in the pack, or "
                                    "raise budget.hard_bytes");
}

/* Whether a limit of the process has room for the reservation and for what comes beside it. */
static vx_status check_limit(const vx_plan *plan, const vx_limit *limit, size_t beside,
                             const char *kind, const char *advice, vx_error *err)
{
    if (limit->value == SIZE_MAX || plan->reservation_bytes + beside <= limit->value) return VX_OK;
    return vx_fail(
        err, VX_ERR_MEMORY, "does_not_fit",
        "the plan reserves %.1f MB and needs %.1f MB of %s beside it, and %s has %.1f MB "
        "left; %s",
        (double)plan->reservation_bytes / 1e6, (double)beside / 1e6, kind, limit->name,
        (double)limit->value / 1e6,
        advice != NULL ? advice : "raise that limit or choose a smaller pack");
}

vx_status vx_plan_check(const vx_plan *plan, const vx_limits *limits, vx_error *err)
{
    const char *advice = plan->advice[0] != '\0' ? plan->advice : NULL;
    VX_TRY(check_budget(plan, advice, err));
    if (limits == NULL) return VX_OK;
    size_t beside = plan->total_bytes - plan->reservation_bytes;
    VX_TRY(check_limit(plan, &limits->address, beside + plan->address_bytes, "address space",
                       advice, err));
    VX_TRY(check_limit(plan, &limits->data, beside, "memory", advice, err));
    if (plan->total_bytes <= limits->free.value) return VX_OK;
    return vx_fail(err, VX_ERR_MEMORY, "does_not_fit",
                   "the plan needs %.1f MB, and only %.1f MB are free (%s); end other programs%s%s",
                   (double)plan->total_bytes / 1e6, (double)limits->free.value / 1e6,
                   limits->free.name, advice != NULL ? ", or " : " or choose a smaller pack",
                   advice != NULL ? advice : "");
}

json_t *vx_plan_document(const vx_plan *plan, bool fits)
{
    json_t *regions = json_array(), *stages = json_array();
    for (int i = 0; i < plan->region_count; i++) {
        const vx_region *r = &plan->region[i];
        json_array_append_new(regions,
                              json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", r->name, "kind",
                                        kind_names[r->kind], "component", r->component, "place",
                                        place_names[r->place], "bytes", (json_int_t)r->bytes));
    }
    for (int i = 0; i < plan->stage_count; i++) {
        const vx_stage *s = &plan->stage[i];
        json_array_append_new(stages, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "name", s->name,
                                                "runs", s->runs, "flops", s->counts.flops,
                                                "bytes_moved", s->counts.bytes_moved, "roofline_s",
                                                s->roofline_s, "projected_s", s->projected_s));
    }
    size_t bytes;
    double roofline_s, projected_s;
    vx_plan_slot(plan, &roofline_s, &projected_s);
    const char *largest = vx_plan_largest(plan, &bytes);
    const char *advice = plan->advice[0] != '\0' ? plan->advice : NULL;
    return json_pack(
        "{s:s, s:o, s:I, s:{s:I, s:I, s:s}, s:b, s:s?, s:{s:s, s:I}, s:o, s:{s:f, s:f, s:f}}",
        "device", plan->device.name, "regions", regions, "total_bytes",
        (json_int_t)plan->total_bytes, "budget", "soft_bytes", (json_int_t)plan->budget.soft_bytes,
        "hard_bytes", (json_int_t)plan->budget.hard_bytes, "limit", plan->budget.limit, "fits",
        fits, "advice", advice, "largest", "component", largest, "bytes", (json_int_t)bytes,
        "stages", stages, "slot", "seconds", plan->seconds, "roofline_s", roofline_s, "projected_s",
        projected_s);
}
