/* Who can be opened by a device's name. */
#include <string.h>

#include "backend/backend.h"

static bool is_vulkan(const char *name)
{
    return strncmp(name, "vulkan", 6) == 0 && (name[6] == '\0' || name[6] == ':');
}

vx_status vx_backend_open_device(vx_backend **backend, const char *name, vx_pool *pool,
                                 vx_error *err)
{
    *backend = NULL;
    if (strcmp(name, "cpu") == 0) return vx_backend_open_cpu(backend, pool, err);
    if (is_vulkan(name))
        return vx_backend_open_vulkan(backend, name[6] == ':' ? name + 7 : "", err);
    return vx_fail(err, VX_ERR_MISSING, "no_device",
                   "device \"%s\" cannot run here: NVIDIA's cards are used through Vulkan; choose "
                   "--device vulkan, or cpu",
                   name);
}

vx_status vx_backend_open_planner(vx_backend **backend, const char *name, vx_pool *pool,
                                  vx_error *err)
{
    if (strcmp(name, "cpu") == 0) return vx_backend_open_cpu(backend, pool, err);
    if (is_vulkan(name)) return vx_backend_open_device(backend, name, pool, err);
    return vx_backend_open_datasheet(backend, name, err);
}
