/* Opening and describing the Vulkan backend; the table. */
#include "backend/vulkan/vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- options ---- */

static void read_options(vx_vk_options *o)
{
    static const char *const engines[VX_VK_ENGINES] = {"lanes", "tiles"};
    const char *text = getenv("VORTEX_VULKAN");
    *o = (vx_vk_options){.engine = -1};
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        if (length == 8 && strncmp(text, "validate", 8) == 0) o->validate = true;
        if (strncmp(text, "shuffle=", 8) == 0) o->shuffle = strtoull(text + 8, NULL, 10);
        for (int i = 0; i < VX_VK_ENGINES; i++)
            if (length == strlen(engines[i]) && strncmp(text, engines[i], length) == 0)
                o->engine = i;
        text += length + (text[length] == ',');
    }
}

/* ---- the table ---- */

/* Without arguments' addresses a plan makes the pipelines that its run needs. */
#define VX_VK_ASK(op)                                                                              \
    case VX_OP_##op:                                                                               \
        vx_vk_##op(&work, args);                                                                   \
        break;

static bool supports(vx_backend *backend, vx_op op, const void *args)
{
    vx_vk_work work = {.vk = vx_vk_of(backend)};
    switch (op) {
        VX_OPS(VX_VK_ASK)
    default:
        return false;
    }
    return work.status == VX_OK;
}

#define VX_VK_RUN(op)                                                                              \
    static vx_status run_##op(vx_ctx *ctx, const void *args, vx_dev scratch)                       \
    {                                                                                              \
        vx_vk_work work = {.vk = vx_vk_of(ctx->backend),                                           \
                           .lane = ctx->lane->state,                                               \
                           .scratch = scratch.at,                                                  \
                           .err = ctx->err};                                                       \
        vx_vk_##op(&work, args);                                                                   \
        return work.status;                                                                        \
    }
VX_OPS(VX_VK_RUN)

#define VX_VK_NEED(op)                                                                             \
    static size_t scratch_##op(vx_backend *backend, const void *args)                              \
    {                                                                                              \
        return vx_vk_##op##_scratch(backend, args);                                                \
    }
VX_VK_SCRATCH(VX_VK_NEED)

static void close_vulkan(vx_backend *backend)
{
    vx_vk *vk = vx_vk_of(backend);
    vx_vk_pipes_close(vk);
    vx_vk_device_close(vk);
    pthread_mutex_destroy(&vk->lock);
    vx_heap_free(vk);
}

static const vx_backend_ops vulkan_ops = {.name = "vulkan",
                                          .close = close_vulkan,
                                          .supports = supports,
                                          .reserve = vx_vk_reserve,
                                          .unreserve = vx_vk_unreserve,
                                          .memory = vx_vk_memory,
                                          .lane_open = vx_vk_lane_open,
                                          .lane_close = vx_vk_lane_close,
                                          .flush = vx_vk_flush,
                                          .finish = vx_vk_finish,
                                          .abandon = vx_vk_abandon,
                                          .write = vx_vk_write,
                                          .read = vx_vk_read,
                                          .upload = vx_vk_upload,
                                          .download = vx_vk_download,
                                          .weight_plan = vx_vk_weight_plan,
                                          .weight_pack = vx_vk_weight_pack,
                                          .weight_pack_stored = vx_vk_weight_pack_stored,
#define VX_VK_LINE(name)      .op[VX_OP_##name].run = run_##name,
#define VX_VK_NEED_LINE(name) .op[VX_OP_##name].scratch = scratch_##name,
                                          VX_OPS(VX_VK_LINE) VX_VK_SCRATCH(VX_VK_NEED_LINE)};

/* ---- the device ---- */

/* Blocks are whole multiples of this below the device's limit, so that its own alignment fits. */
static const uint64_t BLOCK_STEP = 64 << 20;

/* Rates are guesses of the kind until a probe has measured them: a CPU that poses as a device does
 * some operations a cycle, a card some teraflops. They bound a submission and nothing else. */
static void describe(vx_vk *vk)
{
    static const char *const engines[VX_VK_ENGINES] = {"lanes, f32", "tiles, f32"};
    vx_backend *b = &vk->backend;
    vx_device *d = &b->device;
    bool cpu = vk->facts.type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    vk->engine = cpu ? VX_VK_LANES : VX_VK_TILES;
    if (vk->options.engine >= 0) vk->engine = (vx_vk_engine)vk->options.engine;
    snprintf(d->name, sizeof d->name, "vulkan");
    snprintf(d->title, sizeof d->title, "%.95s", vk->facts.name);
    snprintf(d->level, sizeof d->level, "%s", engines[vk->engine]);
    snprintf(d->library, sizeof d->library, "%.47s", vk->facts.driver);
    d->flops_per_s_f32 = cpu ? 4e9 : 2e12;
    d->bytes_per_s = cpu ? 4e9 : 1e11;
    d->efficiency = 1;
    d->memory_bytes = vk->facts.memory_bytes;
    d->alignment = 256; /* the largest that Vulkan lets a device ask for (required limits) */
    d->allocation_max = vk->facts.allocation_max / BLOCK_STEP * BLOCK_STEP;
    d->overhead[0] = "driver";
    d->overhead[1] = "driver and context";
    b->workers = 1;
    b->half = VX_BF16;
    b->native = VX_F32;
    b->flush_s = 0.25;
    b->flops_per_s = d->flops_per_s_f32;
    b->bytes_per_s = d->bytes_per_s;
}

uint32_t vx_vk_group(const vx_vk *vk)
{
    (void)vk;
    return 64;
}

vx_status vx_backend_open_vulkan(vx_backend **out, const char *name, vx_error *err)
{
    *out = NULL;
    vx_vk *vk = vx_heap_alloc(sizeof *vk);
    if (vk == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the Vulkan backend");
    pthread_mutex_init(&vk->lock, NULL);
    vk->backend.ops = &vulkan_ops;
    read_options(&vk->options);
    vx_status status = vx_vk_device_open(vk, name, err);
    if (status == VX_OK) status = vx_vk_pipes_open(vk, err);
    if (status != VX_OK) {
        close_vulkan(&vk->backend);
        return status;
    }
    describe(vk);
    *out = &vk->backend;
    return VX_OK;
}
