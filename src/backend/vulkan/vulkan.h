/* The Vulkan backend: what its files share.
 *
 *   api       the loader's functions
 *   device    instance, list of devices, choice, features
 *   memory    reservations in blocks, host-visible rings
 *   pipes     pipelines, by shader and specialisation constants; their cache on disk
 *   record    lanes: commands with the ranges that they read and write, barriers from those,
 *             submissions, waits
 *   weight    packing, in rows of the source's order
 *   moves, product, …  ops: each turns its arguments into dispatches
 *   shaders/  their programs; spirv/ what tools/spirv.sh made of them
 *
 * A place is a device address, which shaders follow as a pointer; so there are no descriptors, and
 * arguments are push constants. Validation cannot see what a shader reaches so: the ranges that
 * each command states are all that barriers come from, and `shuffle` betrays one that is
 * forgotten. */
#ifndef VX_BACKEND_VULKAN_VULKAN_H
#define VX_BACKEND_VULKAN_VULKAN_H

#include <pthread.h>

#include "backend/ops.h"
#include "backend/vulkan/api.h"

enum {
    VX_VK_CONSTANTS = 16,   /* of a pipeline; the first is the workgroup's size */
    VX_VK_PUSH_BYTES = 128, /* what every device has (Vulkan 1.3, required limits) */
    VX_VK_RANGES = 8        /* of a command */
};

/* ---- devices */

/* What is chosen by. */
typedef struct vx_vk_facts {
    char name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE], driver[VK_MAX_DRIVER_INFO_SIZE];
    VkPhysicalDeviceType type;
    uint64_t memory_bytes;   /* of the device's own heaps */
    uint64_t allocation_max; /* of one buffer and its memory */
    uint32_t shared_bytes;   /* of a workgroup */
    uint32_t subgroup;       /* invocations of one, as the device likes it */
    bool budget;             /* VK_EXT_memory_budget */
    bool f16, i8;            /* arithmetic */
    uint32_t f16_tile[3];    /* f16 x f16 -> f32 of cooperative matrices: M, N, K; 0: none */
    char lacks[64];          /* what it would need; "": nothing */
} vx_vk_facts;

/* How products are taken. */
typedef enum vx_vk_engine {
    VX_VK_LANES, /* a lane has a column: for CPUs that pose as devices */
    VX_VK_TILES, /* tiles in shared memory, scalar */
    VX_VK_ENGINES
} vx_vk_engine;

/* What tests ask for in VORTEX_VULKAN, words with commas between: docs/GPU.md. */
typedef struct vx_vk_options {
    bool validate;
    uint64_t shuffle; /* 0: commands run in their order */
    int engine;       /* -1: chosen by the device */
} vx_vk_options;

typedef struct vx_vk_block vx_vk_block;
typedef struct vx_vk_pipes vx_vk_pipes;

typedef struct vx_vk {
    vx_backend backend; /* first: what the verbs are given */
    vx_vk_api api;
    vx_vk_options options;
    vx_vk_facts facts;
    vx_vk_engine engine;
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
    pthread_mutex_t lock;     /* of the queue, the blocks and the pipelines */
    vx_vk_block *blocks;      /* all that there are, the last one first */
    size_t bytes, bytes_peak; /* allocated */
    vx_vk_pipes *pipes;
} vx_vk;

static inline vx_vk *vx_vk_of(vx_backend *backend)
{
    return (vx_vk *)backend;
}

/* Opens the device that `name` means: "" the discrete GPU with the most memory, else an integrated
 * one; a number that of the list; else part of its name in any case. VX_ERR_MISSING where there is
 * none, VX_ERR_USAGE where two match. */
vx_status vx_vk_device_open(vx_vk *vk, const char *name, vx_error *err);
void vx_vk_device_close(vx_vk *vk);

/* ---- memory */

struct vx_vk_block {
    VkDeviceMemory memory;
    VkBuffer buffer;
    uint64_t at, bytes;
    void *host; /* NULL where the host does not see it */
    vx_vk_block *next;
};

/* `host`: seen by both; `cached` as well where the host reads it. */
vx_status vx_vk_block_open(vx_vk *vk, uint64_t bytes, bool host, vx_vk_block **block,
                           vx_error *err);
void vx_vk_block_close(vx_vk *vk, vx_vk_block **block); /* safe on NULL; sets NULL */
/* The block that holds an address. */
const vx_vk_block *vx_vk_block_of(vx_vk *vk, uint64_t at);

vx_status vx_vk_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                        vx_error *err);
void vx_vk_unreserve(vx_backend *backend, vx_memory *memory);
vx_memory_use vx_vk_memory(vx_backend *backend);

/* ---- pipelines */

/* One program of spirv/. */
typedef enum vx_vk_shader {
#define VX_VK_SHADER(name) VX_VK_##name,
#include "backend/vulkan/spirv/list.inc"
#undef VX_VK_SHADER
    VX_VK_SHADERS
} vx_vk_shader;

vx_status vx_vk_pipes_open(vx_vk *vk, vx_error *err);
void vx_vk_pipes_close(vx_vk *vk);
/* The pipeline of these specialisation constants; made when a plan, or else a run, first asks. */
vx_status vx_vk_pipe(vx_vk *vk, vx_vk_shader shader, const uint32_t *constants, int count,
                     VkPipeline *pipe, vx_error *err);
VkPipelineLayout vx_vk_pipe_layout(const vx_vk *vk);

/* ---- lanes */

typedef struct vx_vk_range {
    uint64_t at, bytes;
    bool write;
} vx_vk_range;

typedef struct vx_vk_lane vx_vk_lane;

vx_status vx_vk_lane_open(vx_lane *lane, vx_error *err);
void vx_vk_lane_close(vx_lane *lane);
vx_status vx_vk_flush(vx_lane *lane, vx_error *err);
vx_status vx_vk_finish(vx_lane *lane, vx_error *err);
void vx_vk_abandon(vx_lane *lane);
vx_status vx_vk_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err);
vx_status vx_vk_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err);
vx_status vx_vk_upload(vx_ctx *ctx, const void *host, vx_tensor *out);
vx_status vx_vk_download(vx_ctx *ctx, const vx_tensor *x, void *host);

/* Host memory of the lane from which the next vx_vk_staged copies, at most VX_VK_STAGE bytes. */
enum { VX_VK_STAGE = 4 << 20 };
vx_status vx_vk_stage(vx_lane *lane, size_t bytes, void **host, vx_error *err);
vx_status vx_vk_staged(vx_lane *lane, vx_dev to, size_t bytes, vx_error *err);

/* ---- ops */

/* What an op's dispatches go to. Without a lane their pipelines are made and nothing is recorded:
 * so a plan makes what its run needs. A failure is kept, and what follows it does nothing. */
typedef struct vx_vk_work {
    vx_vk *vk;
    vx_vk_lane *lane;
    uint64_t scratch;
    vx_status status;
    vx_error *err;
} vx_vk_work;

/* Says that the backend has no kernel for these arguments. */
void vx_vk_refuse(vx_vk_work *work);
/* x * y * z workgroups. `push` is copied. */
typedef struct vx_vk_dispatch {
    vx_vk_shader shader;
    uint32_t constant[VX_VK_CONSTANTS];
    int constants;
    const void *push;
    uint32_t push_bytes, size[3];
    vx_vk_range range[VX_VK_RANGES];
    int ranges;
} vx_vk_dispatch;
void vx_vk_do(vx_vk_work *work, const vx_vk_dispatch *d);
/* Adds what a tensor's rows and halo cover; nothing for NULL. */
void vx_vk_reads(vx_vk_dispatch *d, const vx_tensor *t);
void vx_vk_writes(vx_vk_dispatch *d, const vx_tensor *t);
void vx_vk_reads_bytes(vx_vk_dispatch *d, uint64_t at, uint64_t bytes);
void vx_vk_writes_bytes(vx_vk_dispatch *d, uint64_t at, uint64_t bytes);
/* Sizes for one invocation per element, in workgroups of constant[0]. */
void vx_vk_each(vx_vk_dispatch *d, int64_t elements);
/* Ends an op: zeroes the halo of what it wrote. */
void vx_vk_zero_halo(vx_vk_work *work, const vx_tensor *t);

static inline uint64_t vx_vk_at(const vx_tensor *t)
{
    return t != NULL ? t->data.at : 0;
}
static inline uint32_t vx_vk_ld(const vx_tensor *t)
{
    return t != NULL ? (uint32_t)t->ld : 0;
}
static inline uint32_t vx_vk_type(const vx_tensor *t)
{
    return t != NULL ? (uint32_t)t->dtype : 0;
}
/* Invocations of a workgroup that shares nothing. */
uint32_t vx_vk_group(const vx_vk *vk);

/* Every op; vulkan.c makes their lines of the table. */
#define VX_VK_OP(op) void vx_vk_##op(vx_vk_work *work, const vx_##op##_args *a);
VX_OPS(VX_VK_OP)
#undef VX_VK_OP
/* Those of them that need scratch. */
#define VX_VK_SCRATCH(X)                                                                           \
    X(instance_norm) X(group_norm) X(spade) X(response_norm) X(lstm) X(harmonic_source)
#define VX_VK_BYTES(op)                                                                            \
    size_t vx_vk_##op##_scratch(vx_backend *backend, const vx_##op##_args *args);
VX_VK_SCRATCH(VX_VK_BYTES)
#undef VX_VK_BYTES

/* ---- weights */

vx_status vx_vk_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err);
vx_status vx_vk_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                            float *staging, size_t staging_floats, vx_error *err);
vx_status vx_vk_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts,
                                   int count, bool *taken, vx_error *err);

#endif
