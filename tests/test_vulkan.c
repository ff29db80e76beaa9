/* What the Vulkan backend makes of a driver that fails: its functions are put in place of the system's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ops.h"
#include "backend/vulkan/api.h"

static PFN_vkGetInstanceProcAddr real;
static PFN_vkGetDeviceProcAddr real_of_device;
static const char *failing; /* the call that fails … */
static VkResult failure;    /* … and how */

static VKAPI_ATTR VkResult VKAPI_CALL fail_submit(VkQueue queue, uint32_t count,
                                                  const VkSubmitInfo2 *info, VkFence fence)
{
    (void)queue, (void)count, (void)info, (void)fence;
    return failure;
}

static VKAPI_ATTR VkResult VKAPI_CALL fail_allocate(VkDevice device,
                                                    const VkMemoryAllocateInfo *info,
                                                    const VkAllocationCallbacks *calls,
                                                    VkDeviceMemory *memory)
{
    (void)device, (void)info, (void)calls, (void)memory;
    return failure;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL of_device(VkDevice device, const char *name)
{
    if (failing != NULL && strcmp(name, failing) == 0)
        return strcmp(name, "vkQueueSubmit2") == 0 ? (PFN_vkVoidFunction)fail_submit
                                                   : (PFN_vkVoidFunction)fail_allocate;
    return real_of_device(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL of_instance(VkInstance instance, const char *name)
{
    if (strcmp(name, "vkGetDeviceProcAddr") != 0) return real(instance, name);
    real_of_device = (PFN_vkGetDeviceProcAddr)real(instance, name);
    return (PFN_vkVoidFunction)of_device;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL nothing(VkInstance instance, const char *name)
{
    (void)instance, (void)name;
    return NULL;
}

static void a_loader_without_functions_is_none(void **state)
{
    (void)state;
    vx_backend *backend;
    vx_error err = {0};
    vx_vk_loader = nothing;
    assert_int_equal(vx_backend_open_vulkan(&backend, "", &err), VX_ERR_MISSING);
    assert_null(backend);
    assert_string_equal(err.code, "no_vulkan");
}

static vx_backend *open_failing(const char *call, VkResult how)
{
    const char *device = getenv("VX_DEVICE");
    vx_backend *backend;
    vx_error err = {0};
    void *library = device != NULL ? dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) skip();
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    memcpy(&real, &symbol, sizeof symbol);
    vx_vk_loader = of_instance;
    failing = call;
    failure = how;
    if (vx_backend_open_device(&backend, device, NULL, &err) != VX_OK) fail_msg("%s", err.message);
    return backend;
}

static void a_lost_device_is_said(void **state)
{
    (void)state;
    vx_backend *backend = open_failing("vkQueueSubmit2", VK_ERROR_DEVICE_LOST);
    vx_lane lane;
    vx_memory *memory;
    vx_error err = {0};
    vx_room room = {.place = VX_PLACE_DEVICE, .bytes = 4096};
    char bytes[64] = "";
    assert_int_equal(vx_backend_reserve(backend, &room, 1, &memory, &err), VX_OK);
    assert_int_equal(vx_lane_open(&lane, backend, &err), VX_OK);
    vx_ctx ctx = {.backend = backend, .lane = &lane, .err = &err};
    assert_int_equal(vx_write(&lane, room.at, bytes, sizeof bytes, &err), VX_OK);
    assert_int_equal(vx_finish(&ctx), VX_ERR_IO);
    assert_string_equal(err.code, "device_lost");
    vx_lane_close(&lane);
    vx_backend_unreserve(backend, &memory);
    vx_backend_close(&backend);
}

static void memory_that_is_refused_is_said(void **state)
{
    (void)state;
    vx_backend *backend = open_failing("vkAllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY);
    vx_memory *memory;
    vx_error err = {0};
    vx_room room = {.place = VX_PLACE_DEVICE, .bytes = 4096};
    assert_int_equal(vx_backend_reserve(backend, &room, 1, &memory, &err), VX_ERR_MEMORY);
    assert_null(memory);
    assert_string_equal(err.code, "does_not_fit");
    vx_backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loader_without_functions_is_none),
        cmocka_unit_test(a_lost_device_is_said),
        cmocka_unit_test(memory_that_is_refused_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
