/* LivePortrait against a restatement of the official modules on small random networks
 * (tools/liveportrait_parity.py), its work by the plan, its configuration, hostile weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/liveportrait/liveportrait.h"
#include "rig.h"

#define DATA VX_TEST_DATA "/liveportrait/"

static vx_status bind_model(void *model, vx_binder *b)
{
    return vx_liveportrait_bind(model, b);
}

static vx_status plan_frames(void *model, vx_ctx *ctx)
{
    return vx_liveportrait_frames(model, ctx, NULL, NULL, vx_liveportrait_batch(model), NULL, 0);
}

static vx_status plan_source(void *model, vx_ctx *ctx)
{
    vx_portrait portrait;
    return vx_liveportrait_source(model, ctx, NULL, NULL, &portrait);
}

/* ---- work ----------------------------------------------------------------------------------- */

static void published_work_is_counted(void **state)
{
    (void)state;
    rig r;
    vx_liveportrait *model;
    vx_liveportrait_config config;
    rig_open(&r, "cpu", 1);
    rig_must(&r, vx_liveportrait_config_read(NULL, &config, &r.err), "config");
    rig_must(&r, vx_liveportrait_open(&model, &config, VX_BF16, VX_BF16, 4, &r.err), "open");
    rig_plan(&r, bind_model, plan_frames, model);
    double gf = r.planned.flops / 4e9;
    print_message("a frame: %.2f GFLOP; weights %.1f MB, workspace of 4 frames %.1f MB\n", gf,
                  (double)r.weights_bytes / 1e6, (double)r.workspace_bytes / 1e6);
    if (!(gf <= 985 && gf >= 970)) fail_msg("%.2f GFLOP a frame", gf);
    rig_plan(&r, bind_model, plan_source, model);
    print_message("a source: %.2f GFLOP; workspace %.1f MB\n", r.planned.flops / 1e9,
                  (double)r.workspace_bytes / 1e6);
    assert_int_equal(vx_liveportrait_frame_side(&config), 512);
    vx_liveportrait_close(&model);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_work_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
