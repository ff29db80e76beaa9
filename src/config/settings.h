/* Settings: vortex.yaml (docs/SETTINGS.md), overridden by the command line. */
#ifndef VX_CONFIG_SETTINGS_H
#define VX_CONFIG_SETTINGS_H

#include "base/log.h"
#include "config/schema.h"
#include "config/serve.h"

#define VX_LOG_LEVEL_NAMES "error|warn|info|debug"

/* Sets of result buffers (pipeline_depth). */
enum { VX_SETS_MAX = 4 };

typedef struct vx_settings {
    vx_yaml *document;               /* owns every text below; NULL when there is no file */
    const char *device;              /* "cpu", "vulkan", "vulkan:…" */
    int64_t threads;                 /* 0: one for each processor this process may run on */
    const char *pack;                /* NULL: toon, else speech */
    int64_t soft_bytes;              /* memory: a warning above it; 0: as vx_budget_of says */
    int64_t hard_bytes;              /* memory: nothing is planned beyond it; 0: the same */
    int64_t free_bytes;              /* memory: a slot ends when the machine has less left */
    double slot_seconds;             /* the longest slot; 0: the pack's */
    int64_t slot_width, slot_height; /* the largest film; 0: the pack's */
    int64_t lanes;                   /* 2: audio and actor side by side; 1: one after the other */
    int64_t queue;                   /* slots that may wait */
    int64_t pipeline_depth;          /* sets of result buffers: leases that may be held */
    int64_t timeout_floor_ms, timeout_ceiling_ms; /* of a stage */
    double timeout_factor;                        /* times what the stage has been taking */
    int64_t frames_max; /* Kokoro: the longest chunk, in frames of 25 ms */
    /* vx_flux_modulations: resident, or streamed from the file once a prompt */
    int flux_modulations;
    bool flux_encoder;        /* a resident engine begins pictures with pictures too */
    double side_seconds;      /* the longest speech beside a film; 0: none beside one */
    double loudness;          /* of films: LUFS, or VX_LOUDNESS_OFF */
    double face_score;        /* what a face scores at least that is one */
    int log_level;            /* vx_log_level */
    const char *metrics_file; /* written at the opening and after each slot; NULL: none */
    vx_list voices;           /* vx_voice_alias, before the pack's */
    vx_serve_settings serve;
} vx_settings;

/* Everything at its default. */
void vx_settings_default(vx_settings *settings);

/* Reads `path`, or, when it is NULL, $XDG_CONFIG_HOME/vortex/vortex.yaml if that is there.
 * VX_ERR_MISSING when a path was given and there is no file, VX_ERR_INPUT with code "bad_settings"
 * and the line. Close it in any case. */
vx_status vx_settings_read(vx_settings *settings, const char *path, vx_error *err);
vx_status vx_settings_parse(vx_settings *settings, const char *name, const char *text, size_t bytes,
                            vx_error *err);
/* Safe on a zeroed or closed one. */
void vx_settings_close(vx_settings *settings);

#endif
