/* What would make a plan fit that does not. */
#ifndef VX_ENGINE_ADVICE_H
#define VX_ENGINE_ADVICE_H

#include "engine/engine.h"

/* Fills plan->advice with a setting and what it saves, when the plan exceeds its budget and one
 * setting alone is enough; each that comes into question is planned with. */
void vx_plan_advise(const vx_engine_params *params, const char *device, vx_plan *plan);

#endif
