/* What would make a plan fit that does not. */
#ifndef VX_ENGINE_ADVICE_H
#define VX_ENGINE_ADVICE_H

#include "engine/engine.h"

/* Fills plan->advice when vx_plan_check refuses the plan and settings with smaller values would
 * make it fit: one alone where that is enough, else several. Each that comes into question is
 * planned with. */
void vx_plan_advise(const vx_engine_params *params, const char *device, const vx_limits *limits,
                    vx_plan *plan);

#endif
