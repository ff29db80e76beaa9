/* Who can be opened by a device's name. */
#include <string.h>

#include "backend/backend.h"

vx_status vx_backend_open_device(vx_backend **backend, const char *name, vx_pool *pool,
                                 vx_error *err)
{
    *backend = NULL;
    if (strcmp(name, "cpu") == 0) return vx_backend_open_cpu(backend, pool, err);
    return vx_fail(
        err, VX_ERR_MISSING, "no_device",
        "device \"%s\" cannot run here: this build has no GPU backend; choose --device cpu", name);
}

vx_status vx_backend_open_planner(vx_backend **backend, const char *name, vx_pool *pool,
                                  vx_error *err)
{
    if (strcmp(name, "cpu") == 0) return vx_backend_open_cpu(backend, pool, err);
    return vx_backend_open_datasheet(backend, name, err);
}
