/* Which paths there are. The same table writes openapi.json. */
#include <stdio.h>
#include <string.h>

#include "server/direct.h"
#include "server/http.h"
#include "server/service.h"
#include "server/slots.h"

static const char JSON[] = "application/json";

const vx_route vx_routes[] = {
    {VX_GET, "/", vx_service_studio, VX_ROUTE_OPEN | VX_ROUTE_PAGE, "The studio, for people",
     "text/html"},
    {VX_GET, "/studio/{name}", vx_service_studio, VX_ROUTE_OPEN | VX_ROUTE_PAGE,
     "What the studio's page consists of", "text/javascript"},
    {VX_GET, "/healthz", vx_service_health, VX_ROUTE_OPEN, "The process listens", JSON},
    {VX_GET, "/readyz", vx_service_ready, VX_ROUTE_OPEN, "Jobs are taken", JSON},
    {VX_GET, "/metrics", vx_service_metrics, 0, "Metrics for Prometheus", "text/plain"},
    {VX_GET, "/api/v1/info", vx_service_info, 0, "What this server is and can", JSON},
    {VX_GET, "/api/v1/plan", vx_service_plan, 0, "What was planned, to the byte", JSON},
    {VX_GET, "/api/v1/voices", vx_service_voices, 0, "Who can speak", JSON},
    {VX_GET, "/api/v1/memory", vx_service_memory, 0, "How its memory stands", JSON},
    {VX_GET, "/api/v1/openapi.json", vx_service_openapi, 0, "This document", JSON},
    {VX_POST, "/api/v1/slots", vx_slots_post, VX_ROUTE_JSON | VX_ROUTE_MULTIPART,
     "Makes a film from a recipe; ?wait=1 answers with the film itself", JSON},
    {VX_GET, "/api/v1/slots", vx_slots_list, 0,
     "Jobs, newest first; ?after=ID&limit=N&order=asc|desc&status=S", JSON},
    {VX_GET, "/api/v1/slots/{id}", vx_slots_get, 0, "A job", JSON},
    {VX_DELETE, "/api/v1/slots/{id}", vx_slots_delete, 0, "Cancels a job and forgets it", JSON},
    {VX_POST, "/api/v1/slots/{id}/cancel", vx_slots_cancel, VX_ROUTE_JSON | VX_ROUTE_EMPTY,
     "Cancels a job", JSON},
    {VX_GET, "/api/v1/slots/{id}/events", vx_slots_events, VX_ROUTE_TICKET,
     "What happens to a job, as it happens", "text/event-stream"},
    {VX_GET, "/api/v1/slots/{id}/{name}", vx_slots_file, VX_ROUTE_TICKET,
     "A file of a job: film.mp4, sheet.png, report.json, captions.vtt …",
     "application/octet-stream"},
    {VX_GET, "/api/v1/events", vx_events_of_all, 0, "What happens to all jobs and the queue",
     "text/event-stream"},
    {VX_POST, "/api/v1/speech", vx_direct_speech, VX_ROUTE_JSON,
     "Speech, streamed; \"timings\": true gives lines of JSON, \"stream\": false a whole file",
     "audio/wav"},
    {VX_POST, "/api/v1/pictures", vx_direct_picture, VX_ROUTE_JSON, "A picture from a prompt",
     "image/png"},
    {VX_POST, "/api/v1/score", vx_direct_score, VX_ROUTE_JSON | VX_ROUTE_MULTIPART,
     "How well prompts fit a picture", JSON},
    {VX_POST, "/api/v1/recipes/check", vx_service_check, VX_ROUTE_JSON | VX_ROUTE_MULTIPART,
     "Whether a recipe would be taken", JSON},
    {VX_POST, "/api/v1/tickets", vx_tickets_post, VX_ROUTE_JSON,
     "A ticket for one job's files, for those that can send no key", JSON},
    {.path = NULL},
};

/* Whether a path is a route's; what stands in its braces is put where it belongs. */
static bool fits(const char *path, const vx_uri *uri, const char **id, const char **name)
{
    *id = *name = NULL;
    if (uri->segments == 0) return strcmp(path, "/") == 0;
    for (int i = 0; i < uri->segments; i++) {
        if (*path != '/') return false;
        size_t length = strcspn(++path, "/");
        if (path[0] == '{')
            *(path[1] == 'i' ? id : name) = uri->segment[i];
        else if (strlen(uri->segment[i]) != length || strncmp(path, uri->segment[i], length) != 0)
            return false;
        path += length;
    }
    return *path == '\0';
}

static const char *method_name(vx_method method)
{
    return method == VX_GET ? "GET" : method == VX_POST ? "POST" : "DELETE";
}

const vx_route *vx_route_find(const vx_uri *uri, const char *method, const char **id,
                              const char **name, bool *other_method)
{
    *other_method = false;
    for (const vx_route *route = vx_routes; route->path != NULL; route++) {
        if (!fits(route->path, uri, id, name)) continue;
        if (strcmp(method_name(route->method), method) == 0) return route;
        *other_method = true;
    }
    return NULL;
}

void vx_route_methods(const vx_uri *uri, char *text, size_t room)
{
    const char *id, *name;
    size_t used = 0;
    text[0] = '\0';
    for (const vx_route *route = vx_routes; route->path != NULL; route++)
        if (fits(route->path, uri, &id, &name) && used < room)
            used += (size_t)snprintf(text + used, room - used, "%s%s%s", used > 0 ? ", " : "",
                                     method_name(route->method),
                                     route->method == VX_GET ? ", HEAD" : "");
}

/* ---- openapi.json ---------------------------------------------------------------------------- */

static json_t *parameters(const char *path)
{
    json_t *list = json_array();
    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{'))
        json_array_append_new(list, json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", at + 1,
                                              strcspn(at + 1, "}"), "in", "path", "required", 1,
                                              "schema", "type", "string"));
    return list;
}

static json_t *operation(const vx_route *route)
{
    json_t *o =
        json_pack("{s:s, s:o, s:{s:{s:s, s:{s:{}}}, s:{s:s, s:{s:{s:{s:s}}}}}}", "summary",
                  route->summary, "parameters", parameters(route->path), "responses", "2XX",
                  "description", "done", "content", route->answer, "default", "description",
                  "an error", "content", JSON, "schema", "$ref", "#/components/schemas/Error");
    json_t *content = json_object();
    if ((route->flags & VX_ROUTE_JSON) != 0)
        json_object_set_new(content, JSON, json_pack("{s:{s:s}}", "schema", "type", "object"));
    if ((route->flags & VX_ROUTE_MULTIPART) != 0)
        json_object_set_new(content, "multipart/form-data",
                            json_pack("{s:{s:s}}", "schema", "type", "object"));
    if (json_object_size(content) > 0)
        json_object_set_new(o, "requestBody", json_pack("{s:O}", "content", content));
    json_decref(content);
    if ((route->flags & VX_ROUTE_OPEN) != 0) json_object_set_new(o, "security", json_array());
    return o;
}

json_t *vx_route_openapi(void)
{
    json_t *paths = json_object();
    for (const vx_route *route = vx_routes; route->path != NULL; route++) {
        json_t *path = json_object_get(paths, route->path);
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        json_object_set_new(path,
                            route->method == VX_GET    ? "get"
                            : route->method == VX_POST ? "post"
                                                       : "delete",
                            operation(route));
    }
    json_t *error =
        json_pack("{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:[s,s]}, s:{s:s}, s:{s:s}}}}}", "type",
                  "object", "properties", "error", "type", "object", "properties", "message",
                  "type", "string", "type", "type", "string", "param", "type", "string", "null",
                  "code", "type", "string", "line", "type", "integer");
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:[{s:[]}], s:{s:{s:o}, s:{s:{s:s, s:s}}}}",
                     "openapi", "3.1.0", "info", "title", "vortex", "version", vx_version(),
                     "paths", paths, "security", "bearer", "components", "schemas", "Error", error,
                     "securitySchemes", "bearer", "type", "http", "scheme", "bearer");
}
