/* Reservations. Every block is one buffer over one allocation, so that an address leads to both. */
#include <string.h>

#include "backend/vulkan/vulkan.h"
#include "base/mem.h"
#include "base/reserve.h"

struct vx_memory {
    int blocks; /* of the device, then those that both see */
    vx_vk_block **block;
    void *host; /* rooms of the host's place */
    size_t host_bytes;
};

/* ---- blocks ---- */

/* The first type that has what is wanted, as Vulkan orders them: fast ones first. */
static bool find_type(vx_vk *vk, uint32_t allowed, VkMemoryPropertyFlags want, uint32_t *type)
{
    VkPhysicalDeviceMemoryProperties2 p = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    vk->api.GetPhysicalDeviceMemoryProperties2(vk->physical, &p);
    for (*type = 0; *type < p.memoryProperties.memoryTypeCount; (*type)++)
        if ((allowed >> *type & 1) != 0 &&
            (p.memoryProperties.memoryTypes[*type].propertyFlags & want) == want)
            return true;
    return false;
}

static vx_status allocate(vx_vk *vk, vx_vk_block *b, bool host, vx_error *err)
{
    const VkMemoryPropertyFlags seen =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkMemoryRequirements need;
    uint32_t type;
    vk->api.GetBufferMemoryRequirements(vk->device, b->buffer, &need);
    bool found =
        host ? find_type(vk, need.memoryTypeBits, seen | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                         &type) ||
                   find_type(vk, need.memoryTypeBits, seen, &type)
             : find_type(vk, need.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, &type);
    if (!found)
        return vx_fail(err, VX_ERR_MISSING, "no_device",
                       "%s has no memory of the kind that is needed; choose --device cpu",
                       vk->facts.name);
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                             .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = &flags,
                                       .allocationSize = need.size,
                                       .memoryTypeIndex = type};
    VX_TRY(vx_vk_check(vk->api.AllocateMemory(vk->device, &info, NULL, &b->memory),
                       "vkAllocateMemory", err));
    VX_TRY(vx_vk_check(vk->api.BindBufferMemory(vk->device, b->buffer, b->memory, 0),
                       "vkBindBufferMemory", err));
    if (host)
        VX_TRY(vx_vk_check(vk->api.MapMemory(vk->device, b->memory, 0, VK_WHOLE_SIZE, 0, &b->host),
                           "vkMapMemory", err));
    const VkBufferDeviceAddressInfo where = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                             .buffer = b->buffer};
    b->at = vk->api.GetBufferDeviceAddress(vk->device, &where);
    return VX_OK;
}

static void destroy(vx_vk *vk, vx_vk_block *b)
{
    if (b->buffer != VK_NULL_HANDLE) vk->api.DestroyBuffer(vk->device, b->buffer, NULL);
    if (b->memory != VK_NULL_HANDLE) vk->api.FreeMemory(vk->device, b->memory, NULL);
    vx_heap_free(b);
}

vx_status vx_vk_block_open(vx_vk *vk, uint64_t bytes, bool host, vx_vk_block **block, vx_error *err)
{
    *block = NULL;
    vx_vk_block *b = vx_heap_alloc(sizeof *b);
    if (b == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a block's description");
    b->bytes = bytes;
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    vx_status status = vx_vk_check(vk->api.CreateBuffer(vk->device, &info, NULL, &b->buffer),
                                   "vkCreateBuffer", err);
    if (status == VX_OK) status = allocate(vk, b, host, err);
    if (status != VX_OK) {
        destroy(vk, b);
        return status;
    }
    pthread_mutex_lock(&vk->lock);
    b->next = vk->blocks;
    vk->blocks = b;
    vk->bytes += bytes;
    if (vk->bytes > vk->bytes_peak) vk->bytes_peak = vk->bytes;
    pthread_mutex_unlock(&vk->lock);
    *block = b;
    return VX_OK;
}

void vx_vk_block_close(vx_vk *vk, vx_vk_block **block)
{
    vx_vk_block *b = *block;
    if (b == NULL) return;
    pthread_mutex_lock(&vk->lock);
    vx_vk_block **link = &vk->blocks;
    while (*link != b)
        link = &(*link)->next;
    *link = b->next;
    vk->bytes -= b->bytes;
    pthread_mutex_unlock(&vk->lock);
    destroy(vk, b);
    *block = NULL;
}

const vx_vk_block *vx_vk_block_of(vx_vk *vk, uint64_t at)
{
    pthread_mutex_lock(&vk->lock);
    const vx_vk_block *b = vk->blocks;
    while (b != NULL && (at < b->at || at >= b->at + b->bytes))
        b = b->next;
    pthread_mutex_unlock(&vk->lock);
    assert(b != NULL);
    return b;
}

/* ---- reservations ---- */

/* The rooms of one place, in blocks; *m has room for a block for each. */
static vx_status reserve_place(vx_vk *vk, vx_room *room, int count, vx_place place, vx_memory *m,
                               vx_error *err)
{
    size_t *bytes = vx_heap_alloc((size_t)(3 * count + 1) * sizeof *bytes);
    int *block = vx_heap_alloc((size_t)(count + 1) * sizeof *block), blocks = 0;
    size_t *offset = bytes + count, *block_bytes = bytes + 2 * (ptrdiff_t)count;
    vx_status status =
        bytes != NULL && block != NULL
            ? VX_OK
            : vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a reservation's description");
    int own = 0, first = m->blocks;
    for (int i = 0; i < count && status == VX_OK; i++)
        if (room[i].place == place && room[i].bytes > 0) bytes[own++] = room[i].bytes;
    if (status == VX_OK)
        status = vx_rooms_place(&vk->backend.device, bytes, own, block, offset, block_bytes,
                                &blocks, err);
    for (int i = 0; i < blocks && status == VX_OK; i++) {
        status = vx_vk_block_open(vk, block_bytes[i], place == VX_PLACE_SHARED,
                                  &m->block[m->blocks], err);
        if (status == VX_OK) m->blocks++;
    }
    own = 0;
    for (int i = 0; i < count && status == VX_OK; i++) {
        if (room[i].place != place || room[i].bytes == 0) continue;
        const vx_vk_block *b = m->block[first + block[own]];
        room[i].at = (vx_dev){b->at + offset[own]};
        room[i].host = b->host != NULL ? (char *)b->host + offset[own] : NULL;
        own++;
    }
    vx_heap_free(bytes);
    vx_heap_free(block);
    return status;
}

static vx_status reserve_host(vx_room *room, int count, vx_memory *m, vx_error *err)
{
    for (int i = 0; i < count; i++)
        if (room[i].place == VX_PLACE_HOST) m->host_bytes += vx_align_up(room[i].bytes);
    if (m->host_bytes == 0) return VX_OK;
    VX_TRY(vx_reserve(m->host_bytes, &m->host, err));
    char *at = m->host;
    for (int i = 0; i < count; i++) {
        if (room[i].place != VX_PLACE_HOST) continue;
        room[i].at = (vx_dev){0};
        room[i].host = at;
        at += vx_align_up(room[i].bytes);
    }
    return VX_OK;
}

vx_status vx_vk_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                        vx_error *err)
{
    vx_vk *vk = vx_vk_of(backend);
    vx_memory *m = vx_heap_alloc(sizeof *m);
    if (m != NULL) m->block = vx_heap_alloc((size_t)(2 * count + 1) * sizeof(vx_vk_block *));
    if (m == NULL || m->block == NULL) {
        vx_heap_free(m);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory",
                       "no memory for a reservation's description");
    }
    vx_status status = reserve_place(vk, room, count, VX_PLACE_DEVICE, m, err);
    if (status == VX_OK) status = reserve_place(vk, room, count, VX_PLACE_SHARED, m, err);
    if (status == VX_OK) status = reserve_host(room, count, m, err);
    if (status != VX_OK) {
        vx_vk_unreserve(backend, m);
        return status;
    }
    *memory = m;
    return VX_OK;
}

void vx_vk_unreserve(vx_backend *backend, vx_memory *m)
{
    vx_vk *vk = vx_vk_of(backend);
    vk->api.DeviceWaitIdle(vk->device);
    for (int i = 0; i < m->blocks; i++)
        vx_vk_block_close(vk, &m->block[i]);
    vx_unreserve(m->host, m->host_bytes);
    vx_heap_free(m->block);
    vx_heap_free(m);
}

vx_memory_use vx_vk_memory(vx_backend *backend)
{
    vx_vk *vk = vx_vk_of(backend);
    pthread_mutex_lock(&vk->lock);
    vx_memory_use use = {vk->bytes, vk->bytes_peak};
    pthread_mutex_unlock(&vk->lock);
    return use;
}
