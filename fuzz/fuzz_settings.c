/* Settings from any bytes: valid ones keep their ranges, all others are refused with their line. */
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "config/pack.h"
#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vx_settings s;
    vx_error err = {0};
    vx_status status = vx_settings_parse(&s, "fuzz.yaml", (const char *)data, size, &err);
    if (status == VX_OK) {
        if (vx_backend_device_named(s.device, NULL) != VX_OK || s.threads < 0 ||
            s.threads > VX_WORKERS_MAX || (s.hard_bytes > 0 && s.soft_bytes > s.hard_bytes) ||
            s.queue < 1 || s.lanes < 1 || s.pipeline_depth < 1 || s.pipeline_depth > VX_SETS_MAX ||
            s.timeout_floor_ms > s.timeout_ceiling_ms)
            abort();
        const vx_voice_alias *alias = s.voices.items;
        for (int i = 0; i < s.voices.count; i++)
            if (alias[i].name[0] == '\0' || alias[i].voice[0] == '\0') abort();
    } else if (status == VX_ERR_MISSING) { /* device: cuda */
        if (err.message[0] == '\0') abort();
    } else if (status != VX_ERR_INPUT || strcmp(err.code, "bad_settings") != 0 || err.line < 1 ||
               err.message[0] == '\0') {
        abort();
    }
    vx_settings_close(&s);
    return 0;
}
