/* Versions of vortex.h: structs of parameters of a program that was compiled with any of them.
 *
 * A new field goes to the end of its struct in vortex.h, VORTEX_API grows by one there, and api.c
 * gets a row that says how long the structs are from then on. */
#ifndef VX_SERVICE_API_H
#define VX_SERVICE_API_H

#include <vortex/vortex.h>

#include "base/status.h"

/* VX_ERR_MISSING when a caller of version `api` is newer than the library. */
vx_status vx_api_check(int api, vx_error *err);

/* The caller's params as this library knows them: what the caller's version lacks is zero, and so
 * is everything when `from` is NULL. VX_ERR_MISSING when the caller is newer than the library.
 * to->only stays the caller's array, whose elements vx_api_only reads. */
vx_status vx_api_open_params(vx_open_params *to, const vx_open_params *from, int api,
                             vx_error *err);
vx_status vx_api_only(vx_submit_params *to, const vx_open_params *open, size_t index, int api,
                      vx_error *err);
vx_status vx_api_submit_params(vx_submit_params *to, const vx_submit_params *from, int api,
                               vx_error *err);

#endif
