/* Whether a request may be at all, before anything of it is used: how it is framed, where it comes
 * from, whose key it has. */
#ifndef VX_SERVER_ACCESS_H
#define VX_SERVER_ACCESS_H

#include "server/http.h"

/* One length and never two, one Host, headers within their limit; else the connection closes. */
vx_status vx_access_framing(vx_request *request, vx_error *err);
/* Host names us, and no foreign page asks: "bad_host", "cross_origin". */
vx_status vx_access_site(vx_request *request, vx_error *err);
/* Fills owner and client; "invalid_api_key". */
vx_status vx_access_key(vx_request *request, vx_error *err);

#endif
