/* What clients are told as it happens: the last 256 events, for server-sent events that resume. */
#ifndef VX_SERVER_EVENTS_H
#define VX_SERVER_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { VX_EVENTS = 256, VX_EVENT_ID = 40, VX_EVENT_OWNER = 80 };

typedef struct vx_event {
    int64_t number; /* from 1 */
    char job[VX_EVENT_ID], owner[VX_EVENT_OWNER];
    bool last;  /* nothing of this job comes after it */
    bool all;   /* not of one job: told to all who listen to all */
    char *text; /* "id: 7\nevent: stage\ndata: {…}\n\n" */
} vx_event;

typedef struct vx_events {
    vx_event ring[VX_EVENTS];
    int64_t count; /* of all so far; the next has number count + 1 */
} vx_events;

/* Adds one; `data` is released. Lost when memory is. `job` is "" for what concerns all. */
void vx_events_add(vx_events *events, const char *name, const char *job, const char *owner,
                   json_t *data, bool last);
/* The first event behind `number` that a listener is to hear: of one job, or of an owner's jobs and
 * all the rest for job "". NULL: none yet. */
const vx_event *vx_events_next(const vx_events *events, int64_t number, const char *job,
                               const char *owner);
/* Whether everything behind `number` is still there. */
bool vx_events_hold(const vx_events *events, int64_t number);
void vx_events_close(vx_events *events);

#endif
