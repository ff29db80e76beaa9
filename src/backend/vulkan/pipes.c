/* Pipelines, and their cache on disk.
 *
 * The file holds the SHA-256 of what follows it, in hex, and the driver's own data: a driver may
 * trust what it is given, so nothing reaches it that this program has not written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"

enum { PIPES = 1024, HASH_BYTES = 64, CACHE_BYTES_MAX = 256 << 20 };

#include "backend/vulkan/spirv/code.inc"

static const struct {
    const char *name;
    const uint32_t *words;
    size_t bytes;
} code[VX_VK_SHADERS] = {
#define VX_VK_SHADER(name) {#name, code_##name, sizeof code_##name},
#include "backend/vulkan/spirv/list.inc"
#undef VX_VK_SHADER
};

typedef struct pipe_key {
    vx_vk_shader shader;
    uint32_t constant[VX_VK_CONSTANTS];
} pipe_key;

struct vx_vk_pipes {
    VkPipelineLayout layout;
    VkPipelineCache cache;
    size_t cached; /* bytes that were read from the file */
    char path[512];
    VkShaderModule module[VX_VK_SHADERS];
    int count;
    pipe_key key[PIPES];
    VkPipeline pipe[PIPES];
};

/* ---- the file ---- */

/* One for each device and driver, in the user's cache; "" where there is no such folder. */
static void name_cache(vx_vk *vk, char *path, size_t room)
{
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    vk->api.GetPhysicalDeviceProperties2(vk->physical, &p);
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool given = cache != NULL && cache[0] == '/';
    path[0] = '\0';
    if (!given && (home == NULL || home[0] != '/')) return;
    int used =
        snprintf(path, room, "%s%s/vortex/vulkan-", given ? cache : home, given ? "" : "/.cache");
    for (size_t i = 0; i < VK_UUID_SIZE && used > 0 && (size_t)used < room; i++)
        used +=
            snprintf(path + used, room - (size_t)used, "%02x", p.properties.pipelineCacheUUID[i]);
    if (used < 0 || (size_t)used >= room) path[0] = '\0';
}

/* What the file holds when it is whole; else nothing, and the cache begins empty. */
static char *read_cache(const char *path, size_t *bytes)
{
    char *data = NULL, hex[65];
    *bytes = 0;
    if (path[0] == '\0' || vx_file_read_from(path, VX_FILE_REGULAR, CACHE_BYTES_MAX, NULL, &data,
                                             bytes, NULL) != VX_OK)
        return NULL;
    if (*bytes > HASH_BYTES) {
        vx_sha256_bytes(data + HASH_BYTES, *bytes - HASH_BYTES, hex);
        if (memcmp(hex, data, HASH_BYTES) == 0) return data;
    }
    vx_log(VX_LOG_WARN, "%s is damaged and is made anew", path);
    vx_heap_free(data);
    *bytes = 0;
    return NULL;
}

/* A cache that can't be written costs time at the next start and nothing else. */
static void write_cache(vx_vk *vk, vx_vk_pipes *p)
{
    size_t bytes = 0;
    char folder[sizeof p->path], *data = NULL, hex[65];
    vx_error err = {0};
    if (p->path[0] == '\0' || p->count == 0) return;
    if (vk->api.GetPipelineCacheData(vk->device, p->cache, &bytes, NULL) != VK_SUCCESS ||
        bytes <= p->cached || bytes > CACHE_BYTES_MAX - HASH_BYTES)
        return;
    data = vx_heap_alloc(bytes + HASH_BYTES);
    if (data == NULL || vk->api.GetPipelineCacheData(vk->device, p->cache, &bytes,
                                                     data + HASH_BYTES) != VK_SUCCESS) {
        vx_heap_free(data);
        return;
    }
    vx_sha256_bytes(data + HASH_BYTES, bytes, hex);
    memcpy(data, hex, HASH_BYTES);
    snprintf(folder, sizeof folder, "%s", p->path);
    *strrchr(folder, '/') = '\0';
    if (vx_folder_make(folder, &err) != VX_OK ||
        vx_file_write(p->path, data, bytes + HASH_BYTES, &err) != VX_OK)
        vx_log(VX_LOG_INFO, "the device's pipelines are not kept: %s", err.message);
    vx_heap_free(data);
}

/* ---- life ---- */

vx_status vx_vk_pipes_open(vx_vk *vk, vx_error *err)
{
    vx_vk_pipes *p = vk->pipes = vx_heap_alloc(sizeof *p);
    if (p == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a table of pipelines");
    const VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, VX_VK_PUSH_BYTES};
    const VkPipelineLayoutCreateInfo layout = {.sType =
                                                   VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &push};
    VX_TRY(vx_vk_check(vk->api.CreatePipelineLayout(vk->device, &layout, NULL, &p->layout),
                       "vkCreatePipelineLayout", err));
    name_cache(vk, p->path, sizeof p->path);
    char *data = read_cache(p->path, &p->cached);
    if (data != NULL) p->cached -= HASH_BYTES;
    const VkPipelineCacheCreateInfo cache = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                             .initialDataSize = p->cached,
                                             .pInitialData =
                                                 data != NULL ? data + HASH_BYTES : NULL};
    vx_status status = vx_vk_check(vk->api.CreatePipelineCache(vk->device, &cache, NULL, &p->cache),
                                   "vkCreatePipelineCache", err);
    vx_heap_free(data);
    return status;
}

void vx_vk_pipes_close(vx_vk *vk)
{
    vx_vk_pipes *p = vk->pipes;
    if (p == NULL) return;
    if (p->cache != VK_NULL_HANDLE) {
        write_cache(vk, p);
        vk->api.DestroyPipelineCache(vk->device, p->cache, NULL);
    }
    for (int i = 0; i < p->count; i++)
        vk->api.DestroyPipeline(vk->device, p->pipe[i], NULL);
    for (int i = 0; i < VX_VK_SHADERS; i++)
        if (p->module[i] != VK_NULL_HANDLE)
            vk->api.DestroyShaderModule(vk->device, p->module[i], NULL);
    if (p->layout != VK_NULL_HANDLE) vk->api.DestroyPipelineLayout(vk->device, p->layout, NULL);
    vx_heap_free(p);
    vk->pipes = NULL;
}

VkPipelineLayout vx_vk_pipe_layout(const vx_vk *vk)
{
    return vk->pipes->layout;
}

/* ---- pipelines ---- */

static vx_status make(vx_vk *vk, const pipe_key *key, VkPipeline *pipe, vx_error *err)
{
    VkShaderModule *module = &vk->pipes->module[key->shader];
    const VkShaderModuleCreateInfo words = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                            .codeSize = code[key->shader].bytes,
                                            .pCode = code[key->shader].words};
    if (*module == VK_NULL_HANDLE)
        VX_TRY(vx_vk_check(vk->api.CreateShaderModule(vk->device, &words, NULL, module),
                           "vkCreateShaderModule", err));
    VkSpecializationMapEntry entry[VX_VK_CONSTANTS];
    for (uint32_t i = 0; i < VX_VK_CONSTANTS; i++)
        entry[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    const VkSpecializationInfo constants = {VX_VK_CONSTANTS, entry, sizeof key->constant,
                                            key->constant};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = *module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = vk->pipes->layout};
    return vx_vk_check(
        vk->api.CreateComputePipelines(vk->device, vk->pipes->cache, 1, &info, NULL, pipe),
        "vkCreateComputePipelines", err);
}

static vx_status find(vx_vk *vk, const pipe_key *key, VkPipeline *pipe, vx_error *err)
{
    vx_vk_pipes *p = vk->pipes;
    for (int i = 0; i < p->count; i++)
        if (memcmp(&p->key[i], key, sizeof *key) == 0) {
            *pipe = p->pipe[i];
            return VX_OK;
        }
    if (p->count == PIPES)
        return vx_fail(err, VX_ERR_INTERNAL, "too_many_pipelines",
                       "more than %d pipelines are asked for; this is a fault of ours", PIPES);
    VX_TRY(make(vk, key, pipe, err));
    vx_log(VX_LOG_DEBUG, "pipeline %d: %s", p->count, code[key->shader].name);
    p->key[p->count] = *key;
    p->pipe[p->count++] = *pipe;
    return VX_OK;
}

vx_status vx_vk_pipe(vx_vk *vk, vx_vk_shader shader, const uint32_t *constants, int count,
                     VkPipeline *pipe, vx_error *err)
{
    pipe_key key = {.shader = shader};
    assert(count >= 1 && count <= VX_VK_CONSTANTS);
    memcpy(key.constant, constants, (size_t)count * sizeof *constants);
    pthread_mutex_lock(&vk->lock);
    vx_status status = find(vk, &key, pipe, err);
    pthread_mutex_unlock(&vk->lock);
    return status;
}
