/* Who can be opened by a device's name. */
#include <string.h>

#include "backend/backend.h"

static bool is_vulkan(const char *name)
{
    return strcmp(name, "vulkan") == 0 || (strncmp(name, "vulkan:", 7) == 0 && name[7] != '\0');
}

vx_status vx_backend_device_named(const char *name, vx_error *err)
{
    if (strcmp(name, "cpu") == 0 || is_vulkan(name)) return VX_OK;
    if (strncmp(name, "cuda", 4) == 0)
        return vx_fail(err, VX_ERR_MISSING, "no_device",
                       "NVIDIA's cards are used through Vulkan, not CUDA; say --device vulkan in "
                       "place of '%.40s'",
                       name);
    return vx_fail(err, VX_ERR_USAGE, "bad_usage", "the device is '%.40s' and must be " VX_DEVICES,
                   name);
}

vx_status vx_backend_open_device(vx_backend **backend, const char *name, vx_pool *pool,
                                 vx_error *err)
{
    *backend = NULL;
    VX_TRY(vx_backend_device_named(name, err));
    if (is_vulkan(name))
        return vx_backend_open_vulkan(backend, name[6] == ':' ? name + 7 : "", err);
    return vx_backend_open_cpu(backend, pool, err);
}

vx_status vx_backend_open_planner(vx_backend **backend, const char *name, vx_pool *pool,
                                  vx_error *err)
{
    *backend = NULL;
    vx_status named = vx_backend_device_named(name, err);
    if (named == VX_ERR_USAGE) return vx_backend_open_datasheet(backend, name, err);
    return named == VX_OK ? vx_backend_open_device(backend, name, pool, err) : named;
}
