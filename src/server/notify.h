/* The service manager's protocols: sockets that it opened, and what it is told.
 *
 * Sources: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3); a few lines each and no library.
 */
#ifndef VX_SERVER_NOTIFY_H
#define VX_SERVER_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* How many sockets were passed; they are 3, 4, … and not inherited further. */
int vx_notify_listen_fds(void);
/* "READY=1", "STATUS=…"; nothing when nobody listens at NOTIFY_SOCKET. */
void vx_notify(const char *state);
/* How often to say WATCHDOG=1 at least, in microseconds; 0: nobody waits for it. */
int64_t vx_notify_watchdog_us(void);

#endif
