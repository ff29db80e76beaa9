/* About the server itself. */
#ifndef VX_SERVER_SERVICE_H
#define VX_SERVER_SERVICE_H

#include "server/http.h"

vx_status vx_service_health(vx_request *request, vx_error *err);
vx_status vx_service_ready(vx_request *request, vx_error *err);
/* Open to links of other sites, as pages are; they can only be looked at. */
vx_status vx_service_studio(vx_request *request, vx_error *err);
vx_status vx_service_metrics(vx_request *request, vx_error *err);
vx_status vx_service_info(vx_request *request, vx_error *err);
vx_status vx_service_plan(vx_request *request, vx_error *err);
vx_status vx_service_voices(vx_request *request, vx_error *err);
vx_status vx_service_check(vx_request *request, vx_error *err);
vx_status vx_service_memory(vx_request *request, vx_error *err);
vx_status vx_service_openapi(vx_request *request, vx_error *err);

#endif
