#include "engine/budget.h"

#include <stdio.h>
#include <string.h>

static const double HOST_SHARE = 0.8, DEVICE_SHARE = 0.97, SOFT_SHARE = 0.957;

/* What a card of 12 GB has left for its programs. */
static const size_t CARD_BYTES = 11500000000;

static void on_host(vx_budget *b, const vx_limits *limits)
{
    b->hard_bytes = (size_t)(HOST_SHARE * (double)limits->memory.value);
    snprintf(b->limit, sizeof b->limit, "%g of %s", HOST_SHARE, limits->memory.name);
}

static void on_device(vx_budget *b, const vx_device *device)
{
    b->hard_bytes = CARD_BYTES;
    snprintf(b->limit, sizeof b->limit, "what a card of 12 GB leaves");
    size_t share = (size_t)(DEVICE_SHARE * (double)device->memory_bytes);
    if (share == 0 || share >= CARD_BYTES) return;
    b->hard_bytes = share;
    snprintf(b->limit, sizeof b->limit, "%g of the device's memory", DEVICE_SHARE);
}

vx_budget vx_budget_of(const vx_settings *settings, const vx_device *device,
                       const vx_limits *limits)
{
    vx_budget b = {.hard_bytes = (size_t)settings->hard_bytes};
    if (b.hard_bytes > 0)
        snprintf(b.limit, sizeof b.limit, "budget.hard_bytes");
    else if (strcmp(device->name, "cpu") == 0 && limits->memory.value != SIZE_MAX)
        on_host(&b, limits);
    else
        on_device(&b, device);
    b.soft_bytes = (size_t)(SOFT_SHARE * (double)b.hard_bytes);
    if (settings->soft_bytes > 0) b.soft_bytes = (size_t)settings->soft_bytes;
    if (b.soft_bytes > b.hard_bytes) b.soft_bytes = b.hard_bytes;
    return b;
}
