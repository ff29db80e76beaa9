/* The instance, the machine's devices, and the one that is used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/vulkan/vulkan.h"
#include "base/mem.h"

/* ---- the instance ---- */

/* A message is a fault of this backend, and whoever turned validation on wants to see the stack. */
static VKAPI_ATTR VkBool32 VKAPI_CALL complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                               VkDebugUtilsMessageTypeFlagsEXT type,
                                               const VkDebugUtilsMessengerCallbackDataEXT *data,
                                               void *arg)
{
    (void)severity, (void)type, (void)arg;
    fprintf(stderr, "validation: %s\n", data->pMessage);
    abort();
}

static vx_status open_instance(vx_vk *vk, vx_error *err)
{
    VX_TRY(vx_vk_api_open(&vk->api, err));
    const VkDebugUtilsMessengerCreateInfoEXT listen = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = complain};
    const VkValidationFeatureEnableEXT on[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    const VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                              .pNext = &listen,
                                              .enabledValidationFeatureCount = 1,
                                              .pEnabledValidationFeatures = on};
    const char *layers[] = {"VK_LAYER_KHRONOS_validation"};
    const char *extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    const VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                   .pApplicationName = "vortex",
                                   .apiVersion = VK_API_VERSION_1_3};
    bool validate = vk->options.validate;
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &features : NULL,
                                       .pApplicationInfo = &app,
                                       .enabledLayerCount = validate,
                                       .ppEnabledLayerNames = layers,
                                       .enabledExtensionCount = validate,
                                       .ppEnabledExtensionNames = extensions};
    VX_TRY(
        vx_vk_check(vk->api.CreateInstance(&info, NULL, &vk->instance), "vkCreateInstance", err));
    VX_TRY(vx_vk_api_instance(&vk->api, vk->instance, err));
    if (!validate) return VX_OK;
    PFN_vkCreateDebugUtilsMessengerEXT hear =
        (PFN_vkCreateDebugUtilsMessengerEXT)vk->api.GetInstanceProcAddr(
            vk->instance, "vkCreateDebugUtilsMessengerEXT");
    if (hear != NULL) hear(vk->instance, &listen, NULL, &vk->messenger);
    return VX_OK;
}

static void close_instance(vx_vk *vk)
{
    if (vk->messenger != VK_NULL_HANDLE) {
        PFN_vkDestroyDebugUtilsMessengerEXT deafen =
            (PFN_vkDestroyDebugUtilsMessengerEXT)vk->api.GetInstanceProcAddr(
                vk->instance, "vkDestroyDebugUtilsMessengerEXT");
        if (deafen != NULL) deafen(vk->instance, vk->messenger, NULL);
    }
    if (vk->instance != NULL && vk->api.DestroyInstance != NULL)
        vk->api.DestroyInstance(vk->instance, NULL);
    vk->instance = NULL;
    vx_vk_api_close(&vk->api);
}

/* ---- facts ---- */

static bool has_extension(vx_vk *vk, VkPhysicalDevice device, const char *name)
{
    uint32_t count = 0;
    vk->api.EnumerateDeviceExtensionProperties(device, NULL, &count, NULL);
    VkExtensionProperties *have = vx_heap_alloc(sizeof *have * count);
    bool found = false;
    if (have != NULL && vk->api.EnumerateDeviceExtensionProperties(device, NULL, &count, have) >= 0)
        for (uint32_t i = 0; i < count && !found; i++)
            found = strcmp(have[i].extensionName, name) == 0;
    vx_heap_free(have);
    return found;
}

/* An extension may be listed while its feature is off, so the feature is asked for. */
static void read_features(vx_vk *vk, VkPhysicalDevice device, vx_vk_facts *facts)
{
    VkPhysicalDeviceVulkan13Features f13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features f12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &f13};
    VkPhysicalDeviceVulkan11Features f11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, .pNext = &f12};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                   .pNext = &f11};
    vk->api.GetPhysicalDeviceFeatures2(device, &f);
    facts->f16 = f12.shaderFloat16;
    facts->i8 = f12.shaderInt8;
    const struct {
        VkBool32 has;
        const char *what;
    } needs[] = {{f12.bufferDeviceAddress, "buffer device addresses"},
                 {f12.timelineSemaphore, "timeline semaphores"},
                 {f12.scalarBlockLayout, "scalar block layout"},
                 {f12.storageBuffer8BitAccess, "8-bit storage"},
                 {f11.storageBuffer16BitAccess, "16-bit storage"},
                 {f12.shaderInt8, "8-bit integers"},
                 {f.features.shaderInt16, "16-bit integers"},
                 {f.features.shaderInt64, "64-bit integers"},
                 {f13.synchronization2, "synchronization2"},
                 {f13.maintenance4, "maintenance4"}};
    for (size_t i = 0; i < sizeof needs / sizeof *needs && facts->lacks[0] == '\0'; i++)
        if (!needs[i].has) snprintf(facts->lacks, sizeof facts->lacks, "%s", needs[i].what);
}

static void read_memory(vx_vk *vk, VkPhysicalDevice device, vx_vk_facts *facts)
{
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    vk->api.GetPhysicalDeviceMemoryProperties2(device, &memory);
    for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++)
        if (memory.memoryProperties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
            facts->memory_bytes += memory.memoryProperties.memoryHeaps[i].size;
}

static void read_facts(vx_vk *vk, VkPhysicalDevice device, vx_vk_facts *facts)
{
    VkPhysicalDeviceVulkan11Properties p11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES};
    VkPhysicalDeviceVulkan12Properties p12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES, .pNext = &p11};
    VkPhysicalDeviceVulkan13Properties p13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES, .pNext = &p12};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    *facts = (vx_vk_facts){0};
    vk->api.GetPhysicalDeviceProperties2(device, &p);
    snprintf(facts->name, sizeof facts->name, "%s", p.properties.deviceName);
    facts->type = p.properties.deviceType;
    read_memory(vk, device, facts);
    if (p.properties.apiVersion < VK_API_VERSION_1_3) {
        snprintf(facts->lacks, sizeof facts->lacks, "Vulkan 1.3");
        return;
    }
    p.pNext = &p13;
    vk->api.GetPhysicalDeviceProperties2(device, &p);
    snprintf(facts->driver, sizeof facts->driver, "%.100s %.150s", p12.driverName, p12.driverInfo);
    facts->allocation_max = p11.maxMemoryAllocationSize < p13.maxBufferSize
                                ? p11.maxMemoryAllocationSize
                                : p13.maxBufferSize;
    facts->shared_bytes = p.properties.limits.maxComputeSharedMemorySize;
    facts->subgroup = p11.subgroupSize;
    facts->budget = has_extension(vk, device, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    read_features(vk, device, facts);
}

static vx_status enumerate(vx_vk *vk, VkPhysicalDevice *device, uint32_t *count, vx_error *err)
{
    *count = VX_FOUND_DEVICES;
    VkResult result = vk->api.EnumeratePhysicalDevices(vk->instance, count, device);
    if (result == VK_INCOMPLETE) result = VK_SUCCESS; /* sixteen are enough to choose from */
    return vx_vk_check(result, "vkEnumeratePhysicalDevices", err);
}

vx_status vx_backend_find_vulkan(vx_found_device *found, int *count, vx_error *err)
{
    vx_vk vk = {0};
    VkPhysicalDevice device[VX_FOUND_DEVICES];
    vx_vk_facts facts;
    uint32_t devices = 0;
    *count = 0;
    vx_status status = open_instance(&vk, err);
    if (status == VX_OK) status = enumerate(&vk, device, &devices, err);
    for (uint32_t i = 0; i < devices && status == VX_OK; i++) {
        vx_found_device *f = &found[(*count)++];
        read_facts(&vk, device[i], &facts);
        snprintf(f->name, sizeof f->name, "%s", facts.name);
        snprintf(f->driver, sizeof f->driver, "%s", facts.driver);
        snprintf(f->lacks, sizeof f->lacks, "%s", facts.lacks);
        f->memory_bytes = facts.memory_bytes;
        f->software = facts.type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    }
    close_instance(&vk);
    return status;
}

/* ---- choice ---- */

/* Of devices that nobody named: a discrete one comes before an integrated one, more memory before
 * less. 0: one that must be named. */
static double worth(const vx_vk_facts *facts)
{
    if (facts->lacks[0] != '\0') return 0;
    double gigabytes = 1 + (double)facts->memory_bytes / 1e9;
    if (facts->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU) return 1e6 + gigabytes;
    return facts->type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU ? gigabytes : 0;
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, length) == 0) return true;
    return false;
}

/* *chosen is -1 where none is meant. */
static vx_status choose(const vx_vk_facts *facts, int count, const char *name, int *chosen,
                        vx_error *err)
{
    char *end;
    long number = strtol(name, &end, 10);
    bool numbered = name[0] >= '0' && name[0] <= '9' && *end == '\0';
    *chosen = -1;
    for (int i = 0; i < count; i++) {
        if (name[0] == '\0') {
            if (worth(&facts[i]) > (*chosen < 0 ? 0 : worth(&facts[*chosen]))) *chosen = i;
        } else if (numbered ? number == i : contains(facts[i].name, name)) {
            if (*chosen >= 0)
                return vx_fail(err, VX_ERR_USAGE, "which_device",
                               "\"%s\" is part of two devices' names, %s (vulkan:%d) and %s "
                               "(vulkan:%d); name one by its number",
                               name, facts[*chosen].name, *chosen, facts[i].name, i);
            *chosen = i;
        }
    }
    return VX_OK;
}

static vx_status choose_device(vx_vk *vk, const char *name, vx_error *err)
{
    VkPhysicalDevice device[VX_FOUND_DEVICES];
    vx_vk_facts facts[VX_FOUND_DEVICES];
    uint32_t count;
    int chosen;
    VX_TRY(enumerate(vk, device, &count, err));
    for (uint32_t i = 0; i < count; i++)
        read_facts(vk, device[i], &facts[i]);
    VX_TRY(choose(facts, (int)count, name, &chosen, err));
    if (chosen < 0 && name[0] == '\0')
        return vx_fail(
            err, VX_ERR_MISSING, "no_device",
            "there is no GPU with Vulkan 1.3 on this machine; install the card's driver, "
            "or choose --device cpu (a software device must be named, vulkan:NAME)");
    if (chosen < 0)
        return vx_fail(err, VX_ERR_MISSING, "no_device",
                       "there is no Vulkan device \"%.64s\"; 'vortex doctor' lists those there are",
                       name);
    if (facts[chosen].lacks[0] != '\0')
        return vx_fail(err, VX_ERR_MISSING, "no_device",
                       "%s lacks %s; update its driver, or choose --device cpu", facts[chosen].name,
                       facts[chosen].lacks);
    vk->physical = device[chosen];
    vk->facts = facts[chosen];
    return VX_OK;
}

/* ---- the device ---- */

/* The first family that computes; on a GPU the one that does everything, which is never slower. */
static vx_status choose_family(vx_vk *vk, vx_error *err)
{
    VkQueueFamilyProperties family[16];
    uint32_t count = 16;
    vk->api.GetPhysicalDeviceQueueFamilyProperties(vk->physical, &count, family);
    for (vk->family = 0; vk->family < count; vk->family++)
        if (family[vk->family].queueFlags & VK_QUEUE_COMPUTE_BIT) return VX_OK;
    return vx_fail(err, VX_ERR_MISSING, "no_device", "%s cannot compute; choose --device cpu",
                   vk->facts.name);
}

static vx_status create_device(vx_vk *vk, vx_error *err)
{
    VkPhysicalDeviceVulkan13Features u13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .synchronization2 = VK_TRUE,
        .maintenance4 = VK_TRUE};
    VkPhysicalDeviceVulkan12Features u12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &u13,
        .bufferDeviceAddress = VK_TRUE,
        .timelineSemaphore = VK_TRUE,
        .storageBuffer8BitAccess = VK_TRUE,
        .shaderFloat16 = vk->facts.f16,
        .shaderInt8 = VK_TRUE,
        .scalarBlockLayout = VK_TRUE};
    VkPhysicalDeviceVulkan11Features u11 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .pNext = &u12,
        .storageBuffer16BitAccess = VK_TRUE};
    const VkPhysicalDeviceFeatures2 use = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
        .pNext = &u11,
        .features = {.shaderInt64 = VK_TRUE, .shaderInt16 = VK_TRUE}};
    const char *extensions[] = {VK_EXT_MEMORY_BUDGET_EXTENSION_NAME};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = vk->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &use,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = vk->facts.budget,
                                     .ppEnabledExtensionNames = extensions};
    VX_TRY(vx_vk_check(vk->api.CreateDevice(vk->physical, &info, NULL, &vk->device),
                       "vkCreateDevice", err));
    VX_TRY(vx_vk_api_device(&vk->api, vk->device, err));
    vk->api.GetDeviceQueue(vk->device, vk->family, 0, &vk->queue);
    return VX_OK;
}

vx_status vx_vk_device_open(vx_vk *vk, const char *name, vx_error *err)
{
    VX_TRY(open_instance(vk, err));
    VX_TRY(choose_device(vk, name, err));
    VX_TRY(choose_family(vk, err));
    return create_device(vk, err);
}

void vx_vk_device_close(vx_vk *vk)
{
    if (vk->device != NULL && vk->api.DestroyDevice != NULL)
        vk->api.DestroyDevice(vk->device, NULL);
    vk->device = NULL;
    close_instance(vk);
}
