#include "server/clients.h"

#include <stdio.h>
#include <string.h>

bool vx_clients_take(vx_clients *c, const char *name, double per_minute, double now_s,
                     double *wait_s)
{
    int index = 0, oldest = 0;
    for (; index < c->count && strcmp(c->client[index].name, name) != 0; index++)
        if (c->client[index].at_s < c->client[oldest].at_s) oldest = index;
    if (index == c->count) {
        if (c->count < VX_CLIENTS_MAX)
            c->count++;
        else
            index = oldest;
        snprintf(c->client[index].name, sizeof c->client[index].name, "%s", name);
        c->client[index].tokens = per_minute;
        c->client[index].at_s = now_s;
    }
    double rate = per_minute / 60, tokens = c->client[index].tokens;
    tokens += (now_s - c->client[index].at_s) * rate;
    if (tokens > per_minute) tokens = per_minute;
    *wait_s = tokens < 1 ? (1 - tokens) / rate : 0;
    c->client[index].at_s = now_s;
    c->client[index].tokens = tokens < 1 ? tokens : tokens - 1;
    return tokens >= 1;
}
