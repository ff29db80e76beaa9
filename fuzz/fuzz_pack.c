/* Packs from any bytes, models' configurations included: what is not a pack is refused with its line, and what is
 * one is planned on a card, because the sizes of a plan are products of what it says. */
#include <stdlib.h>
#include <string.h>

#include "slot/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plan(const vx_pack *pack)
{
    vx_settings settings;
    vx_error err = {0};
    vx_plan *out = vx_heap_alloc(sizeof *out);
    vx_settings_default(&settings);
    settings.frames_max = 200;
    vx_engine_params params = {VX_OUR_PARTS, .settings = &settings, .pack = pack,
                               .wants = VX_WANT_ALL};
    vx_status status = vx_engine_plan(&params, "rtx3060", out, &err);
    if (status == VX_ERR_INTERNAL || (status != VX_OK && err.message[0] == '\0')) abort();
    /* The sum has not wrapped: it is no less than any part of it. */
    for (int i = 0; i < out->region_count && status == VX_OK; i++)
        if (out->region[i].bytes > out->total_bytes) abort();
    vx_heap_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vx_pack pack;
    vx_error err = {0};
    vx_status status = vx_pack_parse(&pack, "/nonexistent", (const char *)data, size, &err);
    if (status == VX_OK)
        plan(&pack);
    else if (status != VX_ERR_INPUT || strcmp(err.code, "bad_pack") != 0 || err.message[0] == '\0')
        abort();
    vx_pack_close(&pack);
    return 0;
}
