#include "server/studio.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "server/service.h"

/* Of every page: nothing from elsewhere, no inline script, in nobody's frame. */
static const char policy[] = "default-src 'self'; img-src 'self' blob: data:; "
                             "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";

static const char *type_of(const char *name)
{
    const char *end = strrchr(name, '.');
    if (strcmp(end, ".html") == 0) return "text/html; charset=utf-8";
    return strcmp(end, ".css") == 0 ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}

vx_status vx_service_studio(vx_request *r, vx_error *err)
{
    const char *name = r->name != NULL ? r->name : "index.html";
    const char *folder = r->server->serve->studio_dir;
    const vx_studio_file *file = vx_studio_files;
    char path[PATH_MAX];
    while (file->name != NULL && strcmp(file->name, name) != 0)
        file++;
    if (file->name == NULL || !r->server->serve->studio)
        return vx_fail(err, VX_ERR_MISSING, "not_found",
                       "the studio has no such page, or serve.studio is off");
    if (folder != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, file->name);
        VX_TRY(vx_reply_file(r, path, type_of(file->name), NULL, err));
        r->cached = false;
    } else {
        VX_TRY(vx_reply_text(r, 200, type_of(file->name), strdup(file->text)));
    }
    vx_reply_header(r, "Content-Security-Policy", policy);
    vx_reply_header(r, "Referrer-Policy", "no-referrer");
    vx_reply_header(r, "X-Frame-Options", "DENY");
    return VX_OK;
}
