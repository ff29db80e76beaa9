/* The budget: how much memory a plan may take, and who says so.
 *
 * The settings' figures hold where they are given. Otherwise the hard limit is 0.8 of the smallest
 * of what the machine and the process's control groups allow, which leaves the rest to the system
 * and to neighbours; on a card, which is ours alone, it is 0.97 of its memory and at most what a
 * card of 12 GB has. The soft limit is 0.957 of the hard one, as 11.0 is of 11.5. */
#ifndef VX_ENGINE_BUDGET_H
#define VX_ENGINE_BUDGET_H

#include "backend/backend.h"
#include "base/limits.h"
#include "config/settings.h"

typedef struct vx_budget {
    size_t soft_bytes, hard_bytes;
    char limit[VX_LIMIT_NAME + 16]; /* what hard_bytes is: "0.8 of the machine's memory" */
} vx_budget;

vx_budget vx_budget_of(const vx_settings *settings, const vx_device *device,
                       const vx_limits *limits);

#endif
