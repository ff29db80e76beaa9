#include "backend/vulkan/api.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

PFN_vkGetInstanceProcAddr vx_vk_loader;

vx_status vx_vk_api_open(vx_vk_api *api, vx_error *err)
{
    *api = (vx_vk_api){.GetInstanceProcAddr = vx_vk_loader};
    if (vx_vk_loader == NULL) {
        api->library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        if (api->library == NULL)
            return vx_fail(err, VX_ERR_MISSING, "no_vulkan",
                           "there is no Vulkan loader on this machine; install libvulkan1 and the "
                           "card's driver, or choose --device cpu");
        void *symbol = dlsym(api->library, "vkGetInstanceProcAddr");
        memcpy(&api->GetInstanceProcAddr, &symbol, sizeof symbol);
    }
    if (api->GetInstanceProcAddr != NULL)
        api->CreateInstance =
            (PFN_vkCreateInstance)api->GetInstanceProcAddr(NULL, "vkCreateInstance");
    if (api->CreateInstance != NULL) return VX_OK;
    vx_vk_api_close(api);
    return vx_fail(err, VX_ERR_MISSING, "no_vulkan",
                   "libvulkan.so.1 is no Vulkan loader; reinstall libvulkan1");
}

void vx_vk_api_close(vx_vk_api *api)
{
    if (api->library != NULL) dlclose(api->library);
    *api = (vx_vk_api){0};
}

static vx_status absent(const char *name, vx_error *err)
{
    return vx_fail(err, VX_ERR_MISSING, "no_vulkan",
                   "this machine's Vulkan has no %s; a driver with Vulkan 1.3 is needed", name);
}

vx_status vx_vk_api_instance(vx_vk_api *api, VkInstance instance, vx_error *err)
{
#define VX_VK_LOAD(name)                                                                           \
    api->name = (PFN_vk##name)api->GetInstanceProcAddr(instance, "vk" #name);                      \
    if (api->name == NULL) return absent("vk" #name, err);
    VX_VK_INSTANCE_CALLS(VX_VK_LOAD)
#undef VX_VK_LOAD
    return VX_OK;
}

vx_status vx_vk_api_device(vx_vk_api *api, VkDevice device, vx_error *err)
{
#define VX_VK_LOAD(name)                                                                           \
    api->name = (PFN_vk##name)api->GetDeviceProcAddr(device, "vk" #name);                          \
    if (api->name == NULL) return absent("vk" #name, err);
    VX_VK_DEVICE_CALLS(VX_VK_LOAD)
#undef VX_VK_LOAD
    return VX_OK;
}

vx_status vx_vk_check(VkResult result, const char *call, vx_error *err)
{
    switch (result) {
    case VK_SUCCESS:
        return VX_OK;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return vx_fail(
            err, VX_ERR_MEMORY, "does_not_fit",
            "the device's driver refused memory (%s); end what else uses it, or choose a "
            "smaller pack",
            call);
    case VK_ERROR_DEVICE_LOST:
        return vx_fail(err, VX_ERR_IO, "device_lost",
                       "the device was lost (%s): its driver reset it or the card fell out; look "
                       "into the kernel's log",
                       call);
    default:
        return vx_fail(err, VX_ERR_IO, "device_failed",
                       "the device's driver failed: %s gave VkResult %d; update the driver, or "
                       "choose --device cpu",
                       call, (int)result);
    }
}
