/* Vulkan's functions, found at run time: a program with this backend starts
 * where there is no Vulkan.
 *
 * Calls are fields of a table, api.CreateDevice(…) for vkCreateDevice, so that a test can put its
 * own in their place (vx_vk_loader). */
#ifndef VX_BACKEND_VULKAN_API_H
#define VX_BACKEND_VULKAN_API_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include "base/status.h"

/* Headers of Debian 12 are older than cooperative matrices; the numbers are the registry's
 * (VK_KHR_cooperative_matrix, extension 507). */
#ifndef VK_KHR_cooperative_matrix
#define VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME "VK_KHR_cooperative_matrix"
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR                          \
    ((VkStructureType)1000506000)
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR ((VkStructureType)1000506001)
typedef enum VkComponentTypeKHR {
    VK_COMPONENT_TYPE_FLOAT16_KHR = 0,
    VK_COMPONENT_TYPE_FLOAT32_KHR = 1
} VkComponentTypeKHR;
typedef enum VkScopeKHR { VK_SCOPE_SUBGROUP_KHR = 3 } VkScopeKHR;
typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
typedef struct VkCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    VkComponentTypeKHR AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    VkScopeKHR scope;
} VkCooperativeMatrixPropertiesKHR;
typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(
    VkPhysicalDevice, uint32_t *, VkCooperativeMatrixPropertiesKHR *);
#endif

/* Of the instance. */
#define VX_VK_INSTANCE_CALLS(X)                                                                    \
    X(DestroyInstance)                                                                             \
    X(EnumeratePhysicalDevices)                                                                    \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceMemoryProperties2)                                                          \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(CreateDevice)                                                                                \
    X(GetDeviceProcAddr)

/* Of the device. */
#define VX_VK_DEVICE_CALLS(X)                                                                      \
    X(DestroyDevice)                                                                               \
    X(GetDeviceQueue)                                                                              \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(BindBufferMemory)                                                                            \
    X(GetBufferMemoryRequirements)                                                                 \
    X(GetBufferDeviceAddress)                                                                      \
    X(MapMemory)                                                                                   \
    X(CreateShaderModule)                                                                          \
    X(DestroyShaderModule)                                                                         \
    X(CreatePipelineLayout)                                                                        \
    X(DestroyPipelineLayout)                                                                       \
    X(CreatePipelineCache)                                                                         \
    X(DestroyPipelineCache)                                                                        \
    X(GetPipelineCacheData)                                                                        \
    X(CreateComputePipelines)                                                                      \
    X(DestroyPipeline)                                                                             \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdBindPipeline)                                                                             \
    X(CmdPushConstants)                                                                            \
    X(CmdDispatch)                                                                                 \
    X(CmdPipelineBarrier2)                                                                         \
    X(CmdCopyBuffer)                                                                               \
    X(CmdFillBuffer)                                                                               \
    X(CreateSemaphore)                                                                             \
    X(DestroySemaphore)                                                                            \
    X(GetSemaphoreCounterValue)                                                                    \
    X(WaitSemaphores)                                                                              \
    X(QueueSubmit2)                                                                                \
    X(DeviceWaitIdle)

typedef struct vx_vk_api {
    void *library; /* NULL: a test's functions */
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
    PFN_vkCreateInstance CreateInstance;
#define VX_VK_FIELD(name) PFN_vk##name name;
    VX_VK_INSTANCE_CALLS(VX_VK_FIELD)
    VX_VK_DEVICE_CALLS(VX_VK_FIELD)
#undef VX_VK_FIELD
} vx_vk_api;

/* A test's way in: what is asked in place of the system's loader. NULL: the loader. Set it before
 * anything is opened. */
extern PFN_vkGetInstanceProcAddr vx_vk_loader;

/* Finds the loader. VX_ERR_MISSING where the system has none. */
vx_status vx_vk_api_open(vx_vk_api *api, vx_error *err);
void vx_vk_api_close(vx_vk_api *api);
/* Fills the calls of an instance, of a device. VX_ERR_MISSING by the name of one that is absent. */
vx_status vx_vk_api_instance(vx_vk_api *api, VkInstance instance, vx_error *err);
vx_status vx_vk_api_device(vx_vk_api *api, VkDevice device, vx_error *err);

/* VX_OK, or what a call of Vulkan failed with: VX_ERR_MEMORY where memory was refused, else
 * VX_ERR_IO. `call` is its name. */
vx_status vx_vk_check(VkResult result, const char *call, vx_error *err);

#endif
