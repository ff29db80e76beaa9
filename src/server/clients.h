/* What each client has asked for lately: a token bucket for new jobs, in a table that is bounded.
 * A client is a key's name, or an address where there are no keys. */
#ifndef VX_SERVER_CLIENTS_H
#define VX_SERVER_CLIENTS_H

#include <stdbool.h>

enum { VX_CLIENT_NAME = 80, VX_CLIENTS_MAX = 256 };

typedef struct vx_clients {
    struct {
        char name[VX_CLIENT_NAME];
        double tokens, at_s;
    } client[VX_CLIENTS_MAX]; /* who was not here for longest gives way */
    int count;
} vx_clients;

/* Takes one of `per_minute` tokens; false when there is none, and *wait_s is until there is. */
bool vx_clients_take(vx_clients *clients, const char *name, double per_minute, double now_s,
                     double *wait_s);

#endif
