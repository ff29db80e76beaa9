/* The report of a slot (docs/CONTRACTS.md). */
#ifndef VX_ENGINE_REPORT_H
#define VX_ENGINE_REPORT_H

#include <jansson.h>

#include "engine/stage.h"

enum { VX_SLOT_STAGES = 8 };

/* When a stage ran, in seconds since the slot began. */
typedef struct vx_stage_time {
    const char *name;
    double start_s, end_s;
    size_t peak_bytes; /* of the process since the engine opened */
} vx_stage_time;

/* The caller decrefs. NULL when out of memory. */
json_t *vx_report(const vx_slot *slot, const vx_stage_time *stage, int stages, vx_status status,
                  const char *outcome);

#endif
