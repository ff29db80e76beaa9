/* Answers: what all of them have in common, errors, files. */
#ifndef VX_SERVER_REPLY_H
#define VX_SERVER_REPLY_H

#include "server/http.h"

/* Runs the route of a request whose body is there, or says why not; for the HTTP library. */
enum MHD_Result vx_reply_run(vx_request *request);
enum MHD_Result vx_reply_refused(vx_request *request);
/* Counts a request that is over; `whole`: the client has all of its answer. */
void vx_request_ended(vx_request *request, bool whole);

#endif
