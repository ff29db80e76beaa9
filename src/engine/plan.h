/* The plan: every byte and every stage, known before anything loads.
 *
 * regions = buffers + lane workspaces + weights + what the driver and libraries take beside our
 * reservation. A plan is filled by running the models' own code on plan contexts (engine/engine.c)
 * and then only read. */
#ifndef VX_ENGINE_PLAN_H
#define VX_ENGINE_PLAN_H

#include <jansson.h>

#include "engine/budget.h"

typedef enum vx_region_kind {
    VX_REGION_BUFFER,
    VX_REGION_WORKSPACE,
    VX_REGION_WEIGHTS,
    VX_REGION_OVERHEAD /* the driver's and libraries' own; not part of our reservation */
} vx_region_kind;

typedef struct vx_region {
    char name[48];
    char component[32]; /* "kokoro", "engine", … */
    vx_region_kind kind;
    vx_place place;
    size_t bytes; /* rounded up to the device's alignment */
} vx_region;

typedef struct vx_stage {
    char name[32];
    int lane;           /* vx_lane_id (engine.h): stages of two lanes may run side by side */
    vx_counts counts;   /* work of one run of the stage at its largest size */
    double roofline_s;  /* max(compute, traffic) at the device's peaks */
    double projected_s; /* with the share of the peak that the device is expected to reach */
    double runs;        /* in the longest slot */
} vx_stage;

/* Limits of a plan: five models with a handful of regions and stages each. */
enum { VX_PLAN_REGIONS = 64, VX_PLAN_STAGES = 32, VX_ADVICE_BYTES = 320 };

typedef struct vx_plan {
    vx_device device;
    int region_count, stage_count;
    vx_region region[VX_PLAN_REGIONS];
    vx_stage stage[VX_PLAN_STAGES];
    double seconds;           /* of the longest slot; 0: not known */
    size_t total_bytes;       /* all regions, overhead included */
    size_t reservation_bytes; /* all regions but the overhead */
    size_t address_bytes;     /* of address space that is no memory: stacks and heaps of threads */
    vx_budget budget;
    /* Settings with which a plan that does not fit would; "" when none are known. */
    char advice[VX_ADVICE_BYTES];
} vx_plan;

/* An empty plan for a device; its overhead is the first region. */
void vx_plan_init(vx_plan *plan, const vx_device *device, const vx_budget *budget);

/* Appends a region and returns its index. Order of calls is order in memory. bytes may be 0. */
int vx_plan_region(vx_plan *plan, vx_region_kind kind, vx_place place, const char *component,
                   const char *name, size_t bytes);
/* Appends a stage with its roofline on the plan's device; `compute` is the type of its products. */
void vx_plan_stage(vx_plan *plan, const char *name, const vx_counts *counts, vx_dtype compute);

/* The longest slot as a roofline and as projected, its stages one after the other. */
void vx_plan_slot(const vx_plan *plan, double *roofline_s, double *projected_s);

/* The component that takes the most bytes, and how many. */
const char *vx_plan_largest(const vx_plan *plan, size_t *bytes);

/* VX_ERR_MEMORY when the total exceeds the hard limit: the sum, what limits it, the largest
 * consumer, what would help. With `limits`, of the process that is to hold it (NULL: of no process
 * yet), also when the address space has no room for the reservation and what comes beside it, or
 * less than the plan is free. */
vx_status vx_plan_check(const vx_plan *plan, const vx_limits *limits, vx_error *err);

/* A drawing of the plan: memory to scale with the limits, and the stages of each lane, to scale by
 * projected time. The caller frees the text with free(). NULL when out of memory. */
char *vx_plan_svg(const vx_plan *plan, const char *title);

/* The document of `vortex plan --json` (docs/CONTRACTS.md); the caller decrefs. NULL when out of
 * memory. */
json_t *vx_plan_document(const vx_plan *plan, bool fits);

#endif
