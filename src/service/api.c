#include "service/api.h"

#include <string.h>

/* How long the structs of parameters are in each version of vortex.h. */
static const struct {
    size_t open, submit;
} sizes[VORTEX_API + 1] = {
    [1] = {offsetof(vx_open_params, log), offsetof(vx_submit_params, loudness)},
    [2] = {offsetof(vx_open_params, only_count), offsetof(vx_submit_params, loudness)},
    [3] = {offsetof(vx_open_params, only_count), offsetof(vx_submit_params, kind)},
    [4] = {sizeof(vx_open_params), sizeof(vx_submit_params)},
};

/* What version 1 ended with stays where it was. */
_Static_assert(offsetof(vx_open_params, log) ==
                   offsetof(vx_open_params, cancel) + sizeof(vx_cancel *),
               "vx_open_params grows at its end");
_Static_assert(offsetof(vx_submit_params, loudness) ==
                   offsetof(vx_submit_params, arg) + sizeof(void *),
               "vx_submit_params grows at its end, with a row of its own");
_Static_assert(offsetof(vx_submit_params, kind) == offsetof(vx_submit_params, vtt) + sizeof(char *),
               "vx_submit_params grows at its end, with a row of its own");
_Static_assert(offsetof(vx_result, bytes) == offsetof(vx_result, embedding_l_count) + sizeof(int),
               "vx_result grows at its end");
_Static_assert(sizeof(vx_error) == 2 * sizeof(int) + 32 + 256 + 768, "vx_error does not grow");

int vx_api(void)
{
    return VORTEX_API;
}

vx_status vx_api_check(int api, vx_error *err)
{
    if (api > VORTEX_API)
        return vx_fail(err, VX_ERR_MISSING, "newer_api",
                       "this program was made for version %d of vortex.h, and libvortex %s serves "
                       "versions 1 to %d; install a newer libvortex",
                       api, VX_VERSION, VORTEX_API);
    if (api < 1)
        return vx_fail(err, VX_ERR_USAGE, "bad_usage",
                       "version %d of vortex.h has never been; pass VORTEX_API", api);
    return VX_OK;
}

vx_status vx_api_open_params(vx_open_params *to, const vx_open_params *from, int api, vx_error *err)
{
    *to = (vx_open_params){0};
    VX_TRY(vx_api_check(api, err));
    if (from != NULL) memcpy(to, from, sizes[api].open);
    if (to->only != NULL && to->only_count == 0) to->only_count = 1;
    return VX_OK;
}

vx_status vx_api_only(vx_submit_params *to, const vx_open_params *open, size_t index, int api,
                      vx_error *err)
{
    const char *first = (const char *)open->only;
    return vx_api_submit_params(to, (const void *)(first + index * sizes[api].submit), api, err);
}

vx_status vx_api_submit_params(vx_submit_params *to, const vx_submit_params *from, int api,
                               vx_error *err)
{
    *to = (vx_submit_params){0};
    VX_TRY(vx_api_check(api, err));
    if (from != NULL) memcpy(to, from, sizes[api].submit);
    return VX_OK;
}
