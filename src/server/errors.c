#include "server/errors.h"

#include <string.h>

#include "base/json_text.h"

static const char INVALID[] = "invalid_request_error", SERVER[] = "server_error";

static const vx_http_error by_code[] = {
    {401, "authentication_error", "invalid_api_key", false, false},
    {403, "permission_error", "bad_host", false, false},
    {403, "permission_error", "cross_origin", false, false},
    {404, INVALID, "not_found", false, false},
    {404, INVALID, "job_not_found", false, false},
    {404, INVALID, "model_not_found", false, false},
    {404, INVALID, "not_ready", false, false},
    {405, INVALID, "method_not_allowed", false, false},
    {409, INVALID, "idempotency_conflict", false, true},
    {410, INVALID, "expired", false, false},
    {413, INVALID, "body_too_large", false, false},
    {415, INVALID, "unsupported_media_type", false, false},
    {416, INVALID, "range_not_satisfiable", false, false},
    {429, "rate_limit_error", "busy", true, false},
    {429, "rate_limit_error", "too_many_jobs", true, false},
    {431, INVALID, "header_too_large", false, false},
    {501, INVALID, "not_in_pack", false, true},
    {503, SERVER, "draining", true, false},
    {503, SERVER, "loading", true, false},
    {503, SERVER, "memory_pressure", true, false},
    {504, SERVER, "deadline", false, true},
    {504, SERVER, "timeout", false, true},
};

static vx_http_error by_status(vx_status status)
{
    switch (status) {
    case VX_ERR_INPUT:
    case VX_ERR_USAGE:
        return (vx_http_error){400, INVALID, NULL, false, false};
    case VX_ERR_MISSING:
        return (vx_http_error){501, INVALID, "not_in_pack", false, true};
    case VX_ERR_MEMORY:
        return (vx_http_error){503, SERVER, "memory_pressure", true, false};
    case VX_ERR_DEADLINE:
        return (vx_http_error){504, SERVER, "deadline", false, true};
    case VX_ERR_CANCELLED:
        return (vx_http_error){500, SERVER, "cancelled", false, true};
    case VX_ERR_IO:
        return (vx_http_error){500, SERVER, "io_error", false, false};
    default:
        return (vx_http_error){500, SERVER, "internal", false, false};
    }
}

vx_http_error vx_http_error_of(const vx_error *err)
{
    for (size_t i = 0; i < sizeof by_code / sizeof *by_code; i++)
        if (strcmp(by_code[i].code, err->code) == 0) return by_code[i];
    vx_http_error e = by_status(err->status);
    if (e.code == NULL) e.code = err->code;
    if (strcmp(err->code, "device_error") == 0) e.code = "device_error";
    return e;
}

json_t *vx_http_error_json(const vx_error *err, const char *param)
{
    vx_http_error e = vx_http_error_of(err);
    const char *message = err->message;
    /* Such a sentence says what could not be written or read where: the log's business. */
    if (err->status == VX_ERR_IO)
        message = "the server can't write or read its files; its log says more";
    json_t *error = json_pack("{s:o, s:s, s:s?, s:s}", "message", vx_json_text(message), "type",
                              e.type, "param", param, "code", e.code);
    if (error != NULL && err->line > 0 && e.http == 400)
        json_object_set_new(error, "line", json_integer(err->line));
    return error != NULL ? json_pack("{s:o}", "error", error) : NULL;
}
