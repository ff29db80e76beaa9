#include "server/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vx_events_add(vx_events *e, const char *name, const char *job, const char *owner, json_t *data,
                   bool last)
{
    vx_event *event = &e->ring[e->count % VX_EVENTS];
    char *json = json_dumps(data, JSON_COMPACT);
    json_decref(data);
    if (json == NULL) return;
    char *text = NULL;
    if (asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)e->count + 1, name, json) >=
        0) {
        free(event->text);
        event->text = text;
        event->number = ++e->count;
        event->last = last;
        event->all = job[0] == '\0';
        snprintf(event->job, sizeof event->job, "%s", job);
        snprintf(event->owner, sizeof event->owner, "%s", owner);
    }
    free(json);
}

const vx_event *vx_events_next(const vx_events *e, int64_t number, const char *job,
                               const char *owner)
{
    int64_t first = e->count > VX_EVENTS ? e->count - VX_EVENTS + 1 : 1;
    for (int64_t n = number >= first ? number + 1 : first; n <= e->count; n++) {
        const vx_event *event = &e->ring[(n - 1) % VX_EVENTS];
        if (job[0] != '\0' ? strcmp(event->job, job) == 0
                           : event->all || strcmp(event->owner, owner) == 0)
            return event;
    }
    return NULL;
}

bool vx_events_hold(const vx_events *e, int64_t number)
{
    return number >= 0 && number <= e->count && number >= e->count - VX_EVENTS;
}

void vx_events_close(vx_events *e)
{
    for (int i = 0; i < VX_EVENTS; i++)
        free(e->ring[i].text);
    memset(e, 0, sizeof *e);
}
