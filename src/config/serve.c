#include "config/serve.h"

#include <string.h>

static vx_status check_origin(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                              vx_error *err)
{
    const char *text = *(const char *const *)value, *host = strstr(text, "://");
    bool http = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    if (!http || strpbrk(host + 3, "/*") != NULL || host[3] == '\0')
        return vx_yaml_fail(yaml, node, err,
                            "'%.60s' is no origin; write one exactly, as https://example.org",
                            text);
    return VX_OK;
}

static vx_status check_url(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                           vx_error *err)
{
    const char *text = *(const char *const *)value;
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return vx_yaml_fail(yaml, node, err,
                            "public_url is '%.60s' and must begin with http:// or https://", text);
    return VX_OK;
}

static const vx_field word_element = {.type = VX_FIELD_WORD, .min = 1, .max = 200};
static const vx_field origin_element = {
    .type = VX_FIELD_WORD, .min = 1, .max = 200, .check = check_origin};

const vx_field vx_serve_rows[] = {
    VX_ROW(vx_serve_settings, listen, LIST, .element = &word_element, .size = sizeof(char *),
           .min = 1, .max = 8),
    VX_ROW(vx_serve_settings, api_key_file, WORD, .min = 1, .max = 1000),
    VX_ROW(vx_serve_settings, open, BOOL, .fallback = "false"),
    VX_ROW(vx_serve_settings, metrics_open, BOOL, .fallback = "false"),
    VX_ROW(vx_serve_settings, public_url, WORD, .min = 1, .max = 200, .check = check_url),
    VX_ROW(vx_serve_settings, allow_hosts, LIST, .element = &word_element, .size = sizeof(char *),
           .min = 0, .max = 64),
    VX_ROW(vx_serve_settings, cors, LIST, .element = &origin_element, .size = sizeof(char *),
           .min = 0, .max = 64),
    VX_ROW(vx_serve_settings, results, WORD, .min = 1, .max = 1000),
    VX_ROW(vx_serve_settings, studio, BOOL, .fallback = "true"),
    VX_ROW(vx_serve_settings, studio_dir, WORD, .min = 1, .max = 1000),
    VX_ROW(vx_serve_settings, keep_seconds, INT, .min = 0, .max = 1e9, .fallback = "86400"),
    VX_ROW(vx_serve_settings, keep_bytes, INT, .min = 0, .max = 1e15, .fallback = "2000000000"),
    VX_ROW(vx_serve_settings, keep_count, INT, .min = 0, .max = 100000, .fallback = "1000"),
    VX_ROW(vx_serve_settings, body_bytes, INT, .min = 1000, .max = 1e8, .fallback = "1000000"),
    VX_ROW(vx_serve_settings, upload_bytes, INT, .min = 1000, .max = 1e9, .fallback = "20000000"),
    VX_ROW(vx_serve_settings, header_bytes, INT, .min = 1000, .max = 1e6, .fallback = "16000"),
    VX_ROW(vx_serve_settings, script_chars, INT, .min = 1, .max = 100000, .fallback = "4096"),
    VX_ROW(vx_serve_settings, speech_chars, INT, .min = 1, .max = 100000, .fallback = "4096"),
    VX_ROW(vx_serve_settings, connections, INT, .min = 1, .max = 4096, .fallback = "256"),
    VX_ROW(vx_serve_settings, per_client, INT, .min = 1, .max = 4096, .fallback = "16"),
    VX_ROW(vx_serve_settings, header_ms, INT, .min = 1, .max = 3600000, .fallback = "10000"),
    VX_ROW(vx_serve_settings, body_ms, INT, .min = 1, .max = 3600000, .fallback = "60000"),
    VX_ROW(vx_serve_settings, idle_ms, INT, .min = 1, .max = 3600000, .fallback = "60000"),
    VX_ROW(vx_serve_settings, jobs_per_client, INT, .min = 1, .max = 1024, .fallback = "4"),
    VX_ROW(vx_serve_settings, jobs_per_minute, INT, .min = 1, .max = 100000, .fallback = "60"),
    VX_ROW(vx_serve_settings, detach_grace_ms, INT, .min = 0, .max = 3600000, .fallback = "0"),
    VX_ROW(vx_serve_settings, drain_ms, INT, .min = 0, .max = 3600000, .fallback = "60000"),
    VX_ROWS_END,
};
