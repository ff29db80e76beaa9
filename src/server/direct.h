/* Jobs that are their request: speech, pictures, scores. They end with it, and nothing of them is
 * kept on the disk. */
#ifndef VX_SERVER_DIRECT_H
#define VX_SERVER_DIRECT_H

#include "server/http.h"

vx_status vx_direct_speech(vx_request *request, vx_error *err);
vx_status vx_direct_picture(vx_request *request, vx_error *err);
vx_status vx_direct_score(vx_request *request, vx_error *err);

/* Looks at all: what has ended is told to its request. */
void vx_direct_look(vx_server *server);
/* The request of one is over. */
void vx_direct_request_ended(vx_request *request);
void vx_direct_cancel_all(vx_server *server);
/* How many there are of a kind and of a client; NULL and -1 for all. */
int vx_direct_count(const vx_server *server, const char *client, int kind, vx_state state);

#endif
