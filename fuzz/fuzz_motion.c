/* Motion tables and timings from any bytes: what is accepted keeps its promises and can be driven. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "drive/drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_motion(const vx_motion_table *m)
{
    if (m->count < 1 || !(m->fps >= 1 && m->fps <= VX_MOTION_FPS_MAX)) abort();
    for (int64_t i = 0; i < m->count; i++)
        for (int c = 0; c < VX_MOTION_COLUMNS; c++)
            if (!(m->pose[i].value[c] >= vx_motion_ranges[c].least &&
                  m->pose[i].value[c] <= vx_motion_ranges[c].most))
                abort();
}

static void check_timings(const vx_timings *t)
{
    static vx_pose pose[48];
    vx_motion_table m = {.fps = 24, .count = 48, .pose = pose};
    vx_drive_request r = {.phone = t->phone, .phones = t->count};
    for (int64_t i = 0; i < t->count; i++)
        if (!(t->phone[i].start_s >= 0 && t->phone[i].end_s >= t->phone[i].start_s)) abort();
    void *memory = vx_heap_alloc(vx_drive_bytes(m.count));
    vx_drive(&r, &m, memory);
    vx_heap_free(memory);
    check_motion(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vx_motion_table motion;
    vx_timings timings;
    vx_error err = {0};
    vx_status status = vx_motion_parse(&motion, "fuzz", (const char *)data, size, &err);
    if (status == VX_OK) check_motion(&motion);
    if (status != VX_OK && (status != VX_ERR_INPUT || err.message[0] == '\0')) abort();
    vx_motion_free(&motion);
    status = vx_timings_parse(&timings, "fuzz", (const char *)data, size, &err);
    if (status == VX_OK) check_timings(&timings);
    if (status != VX_OK && (status != VX_ERR_INPUT || err.message[0] == '\0')) abort();
    vx_timings_free(&timings);
    return 0;
}
