#include "config/settings.h"

#include <string.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "config/pack.h"
#include "media/loudness.h"

static vx_status check_device(const vx_yaml *yaml, const vx_yaml_node *node, const void *value,
                              vx_error *err)
{
    vx_status status = vx_backend_device_named(*(const char *const *)value, err);
    if (status == VX_ERR_USAGE)
        return vx_yaml_fail(yaml, node, err, "device is '%.40s' and must be %s",
                            *(const char *const *)value, VX_DEVICES);
    return status;
}

static const vx_field budget_rows[] = {
    VX_ROW(vx_settings, soft_bytes, INT, .min = 1e6, .max = 1e15),
    VX_ROW(vx_settings, hard_bytes, INT, .min = 1e6, .max = 1e15),
    VX_ROW(vx_settings, free_bytes, INT, .min = 0, .max = 1e15, .fallback = "100000000"),
    VX_ROWS_END,
};

static const vx_field slot_rows[] = {
    VX_ROW_AS("max_seconds", vx_settings, slot_seconds, FLOAT, .min = 0.1, .max = 45),
    VX_ROW_AS("width", vx_settings, slot_width, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROW_AS("height", vx_settings, slot_height, INT, .min = 64, .max = 1024, .multiple = 16),
    VX_ROWS_END,
};

/* Ten seconds are forgiven to any stage; the ceiling is an hour, more than the largest models take
 * for a slot on two cores. */
static const vx_field timeout_rows[] = {
    VX_ROW_AS("floor_ms", vx_settings, timeout_floor_ms, INT, .min = 1, .max = 86400000,
              .fallback = "10000"),
    VX_ROW_AS("ceiling_ms", vx_settings, timeout_ceiling_ms, INT, .min = 1, .max = 86400000,
              .fallback = "3600000"),
    VX_ROW_AS("factor", vx_settings, timeout_factor, FLOAT, .min = 1, .max = 100, .fallback = "4"),
    VX_ROWS_END,
};

static const vx_field kokoro_rows[] = {
    /* 40 frames are a second; a chunk of 510 symbols at half speed can reach 75 s. */
    VX_ROW(vx_settings, frames_max, INT, .min = 80, .max = 3000, .fallback = "1200"),
    VX_ROWS_END,
};

static const vx_field flux_rows[] = {
    VX_ROW_AS("modulations", vx_settings, flux_modulations, ENUM, .choices = "resident|streamed",
              .fallback = "resident"),
    VX_ROW_AS("encoder", vx_settings, flux_encoder, BOOL, .fallback = "false"),
    VX_ROWS_END,
};

/* OpenAI's longest text, 4096 characters, at 15 a second. */
static const vx_field speech_rows[] = {
    VX_ROW_AS("max_seconds", vx_settings, side_seconds, FLOAT, .min = 1, .max = 3600,
              .fallback = "300"),
    VX_ROWS_END,
};

static const vx_field audio_rows[] = {
    VX_ROW(vx_settings, loudness, FLOAT, .min = VX_LOUDNESS_MIN, .max = VX_LOUDNESS_MAX,
           .off = true, .fallback = "-16"),
    VX_ROWS_END,
};

static const vx_field face_rows[] = {
    VX_ROW_AS("score", vx_settings, face_score, FLOAT, .min = 0.05, .max = 1, .fallback = "0.5"),
    VX_ROWS_END,
};

static const vx_field log_rows[] = {
    VX_ROW_AS("level", vx_settings, log_level, ENUM, .choices = VX_LOG_LEVEL_NAMES,
              .fallback = "warn"),
    VX_ROWS_END,
};

static const vx_field metrics_rows[] = {
    VX_ROW_AS("file", vx_settings, metrics_file, WORD, .min = 1, .max = 4000),
    VX_ROWS_END,
};

static const vx_field settings_rows[] = {
    VX_ROW(vx_settings, device, WORD, .fallback = "cpu", .check = check_device),
    VX_ROW(vx_settings, threads, INT, .min = 0, .max = VX_WORKERS_MAX),
    VX_ROW(vx_settings, pack, WORD, .min = 1, .max = 1000),
    VX_PART("budget", .fields = budget_rows),
    VX_PART("slot", .fields = slot_rows),
    VX_PART("timeouts", .fields = timeout_rows),
    VX_ROW(vx_settings, lanes, INT, .min = 1, .max = 2, .fallback = "2"),
    VX_ROW(vx_settings, queue, INT, .min = 1, .max = 1024, .fallback = "4"),
    VX_ROW(vx_settings, pipeline_depth, INT, .min = 1, .max = VX_SETS_MAX, .fallback = "1"),
    VX_PART("kokoro", .fields = kokoro_rows),
    VX_PART("flux", .fields = flux_rows),
    VX_PART("speech", .fields = speech_rows),
    VX_PART("audio", .fields = audio_rows),
    VX_PART("face", .fields = face_rows),
    VX_PART("log", .fields = log_rows),
    VX_PART("metrics", .fields = metrics_rows),
    VX_ROW(vx_settings, voices, LIST, .element = &vx_voice_alias_element,
           .size = sizeof(vx_voice_alias), .min = 0, .max = 256),
    VX_ROW(vx_settings, serve, MAP, .fields = vx_serve_rows),
    VX_ROWS_END,
};

void vx_settings_default(vx_settings *settings)
{
    *settings = (vx_settings){0};
    vx_schema_defaults(settings_rows, settings);
}

static vx_status fill(vx_settings *settings, vx_error *err)
{
    vx_yaml *document = settings->document;
    vx_status status = vx_schema_read(document, settings_rows, settings, err);
    const vx_yaml_node *budget = vx_yaml_get(vx_yaml_root(document), "budget");
    if (status == VX_OK && settings->hard_bytes > 0 && settings->soft_bytes > settings->hard_bytes)
        status = vx_yaml_fail(document, budget, err,
                              "budget.soft_bytes is larger than budget.hard_bytes; swap them");
    const vx_yaml_node *timeouts = vx_yaml_get(vx_yaml_root(document), "timeouts");
    if (status == VX_OK && settings->timeout_floor_ms > settings->timeout_ceiling_ms)
        status = vx_yaml_fail(document, timeouts, err,
                              "timeouts.floor_ms is larger than timeouts.ceiling_ms; swap them");
    if (status != VX_OK) vx_settings_close(settings);
    return status;
}

vx_status vx_settings_parse(vx_settings *settings, const char *name, const char *text, size_t bytes,
                            vx_error *err)
{
    *settings = (vx_settings){0};
    VX_TRY(vx_yaml_parse(&settings->document, name, text, bytes, "bad_settings", err));
    return fill(settings, err);
}

vx_status vx_settings_read(vx_settings *settings, const char *path, vx_error *err)
{
    vx_path own;
    vx_settings_default(settings);
    if (path == NULL) {
        if (!vx_path_config(&own, "vortex.yaml") || !vx_path_is_file(own.text)) return VX_OK;
        path = own.text;
    }
    VX_TRY(vx_yaml_load(&settings->document, path, "bad_settings", NULL, err));
    return fill(settings, err);
}

void vx_settings_close(vx_settings *settings)
{
    vx_yaml_close(&settings->document);
    vx_settings_default(settings);
}
