/* The settings of `vortex serve` (docs/SETTINGS.md, `serve.*`). */
#ifndef VX_CONFIG_SERVE_H
#define VX_CONFIG_SERVE_H

#include "config/schema.h"

typedef struct vx_serve_settings {
    vx_list listen;           /* const char *: "ADDR:PORT", "unix:PATH"; none: 127.0.0.1:8420 */
    const char *api_key_file; /* NULL: no keys */
    bool open;                /* a public address without keys is meant */
    bool metrics_open;        /* /metrics needs no key */
    const char *public_url;   /* "https://HOST/BASE" as clients see us; NULL: as we listen */
    vx_list allow_hosts;      /* const char *: more values of Host */
    vx_list cors;             /* const char *: origins */
    bool studio;              /* the pages at / */
    const char *studio_dir;   /* NULL: those compiled in */
    const char *results;      /* NULL: $XDG_STATE_HOME/vortex/results */
    int64_t keep_seconds, keep_bytes, keep_count;
    int64_t body_bytes, upload_bytes, header_bytes;
    int64_t script_chars, speech_chars;
    int64_t connections, per_client;
    int64_t header_ms, body_ms, idle_ms;
    int64_t jobs_per_client, jobs_per_minute;
    int64_t detach_grace_ms, drain_ms;
} vx_serve_settings;

extern const vx_field vx_serve_rows[];

#endif
