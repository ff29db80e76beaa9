#include "base/wait.h"

#include <errno.h>
#include <poll.h>

/* How soon a wish is heard that comes without a signal. A hundredth of the second in
 * which it is answered. */
enum { MOMENT_MS = 10 };

static _Thread_local vx_cancel *scope;

vx_cancel *vx_wait_scope(vx_cancel *cancel)
{
    vx_cancel *before = scope;
    scope = cancel;
    return before;
}

vx_cancel *vx_wait_token(void)
{
    return scope;
}

static vx_status stopped(vx_error *err)
{
    return vx_fail(err, VX_ERR_CANCELLED, "cancelled",
                   "cancelled while waiting for the other end of a pipe");
}

vx_status vx_wait_ready(int fd, short events, vx_error *err)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    for (;;) {
        int ready = poll(&wanted, 1, scope != NULL ? MOMENT_MS : -1);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return VX_OK; /* the call itself will tell */
        if (vx_cancelled(scope)) return stopped(err);
    }
}

vx_status vx_wait_moment(vx_error *err)
{
    if (vx_cancelled(scope)) return stopped(err);
    poll(NULL, 0, MOMENT_MS);
    return vx_cancelled(scope) ? stopped(err) : VX_OK;
}
