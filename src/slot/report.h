/* The report of a slot (docs/CONTRACTS.md). */
#ifndef VX_SLOT_REPORT_H
#define VX_SLOT_REPORT_H

#include <jansson.h>

#include "slot/stage.h"

/* The caller decrefs. NULL when out of memory. */
json_t *vx_report(vx_slot *slot, vx_status status);

#endif
