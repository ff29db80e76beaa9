/* Bodies of requests for films and scores from any bytes: the first line is the content type. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/wish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/vortex-fuzz-wish-XXXXXX";
static vx_server server;

/* "slot:ID" asks the journal, which is empty here. */
static void close_journal(void)
{
    char command[128];
    vx_journal_close(&server.journal);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command) != 0) abort();
}

static void open_journal(void)
{
    if (mkdtemp(folder) == NULL || vx_journal_open(&server.journal, folder, NULL) != VX_OK) abort();
    atexit(close_journal);
}

static vx_request request_of(const char *type, char *body, size_t bytes)
{
    return (vx_request){.server = &server, .content_type = type, .body = body, .body_bytes = bytes};
}

static void check_failure(vx_status status, const vx_error *err)
{
    if (status != VX_ERR_INPUT || err->message[0] == '\0' || err->code[0] == '\0') abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static vx_serve_settings settings;
    const uint8_t *line = size > 0 ? memchr(data, '\n', size) : NULL;
    if (line == NULL) return 0;
    if (server.journal == NULL) open_journal();
    vx_schema_defaults(vx_serve_rows, &settings);
    server.serve = &settings;
    char *type = vx_heap_text((const char *)data, (size_t)(line - data));
    size_t bytes = size - (size_t)(line - data) - 1;
    char *body = vx_heap_text((const char *)line + 1, bytes);
    vx_wish wish = {0};
    vx_error err = {0};
    vx_request request = request_of(type, body, bytes);
    vx_status status = vx_wish_of(&request, &wish, &err);
    if (status == VX_OK &&
        (wish.text == NULL || !json_is_object(wish.recipe) || strlen(wish.sha256) != 64))
        abort();
    if (status != VX_OK) check_failure(status, &err);
    vx_wish_free(&wish);
    json_t *json = NULL;
    err = (vx_error){0};
    request = request_of(type, body, bytes);
    status = vx_wish_score(&request, &wish, &json, &err);
    if (status != VX_OK) check_failure(status, &err);
    json_decref(json);
    vx_wish_free(&wish);
    vx_heap_free(type);
    vx_heap_free(body);
    return 0;
}
