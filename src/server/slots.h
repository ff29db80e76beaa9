/* Jobs as clients see them: the routes below /api/v1/slots. */
#ifndef VX_SERVER_SLOTS_H
#define VX_SERVER_SLOTS_H

#include "server/http.h"

vx_status vx_slots_post(vx_request *request, vx_error *err);
vx_status vx_slots_list(vx_request *request, vx_error *err);
vx_status vx_slots_get(vx_request *request, vx_error *err);
vx_status vx_slots_cancel(vx_request *request, vx_error *err);
vx_status vx_slots_delete(vx_request *request, vx_error *err);
vx_status vx_slots_file(vx_request *request, vx_error *err);
vx_status vx_slots_events(vx_request *request, vx_error *err);
vx_status vx_events_of_all(vx_request *request, vx_error *err);
vx_status vx_tickets_post(vx_request *request, vx_error *err);

/* A request is over: the job that it waited for, or whose answer nobody got, goes with it. */
void vx_slots_request_ended(vx_request *request, bool whole);
/* About how long until the queue has a place, in seconds. */
double vx_slots_wait_s(const vx_server *server);

#endif
