/* What `vortex bench liveportrait` times: a portrait of noise that nods. */
#ifndef VX_CLI_BENCH_PORTRAIT_H
#define VX_CLI_BENCH_PORTRAIT_H

#include "models/liveportrait/liveportrait.h"

typedef struct vx_bench_portrait vx_bench_portrait;

/* `memory` holds vx_liveportrait_source_bytes, `frames` a batch of frames of 8-bit RGB; both stay
 * the caller's and, as `model`, must outlive the bench. NULL on failure. */
vx_status vx_bench_portrait_open(vx_bench_portrait **bench, vx_liveportrait *model, vx_dev memory,
                                 vx_dev frames, vx_error *err);
void vx_bench_portrait_close(vx_bench_portrait **bench); /* safe on NULL; sets NULL */

/* The source once, then a batch of frames. `parts` receives the networks: motion_extractor and
 * appearance for the source, warping and generator for one frame; `frame` the seconds and
 * operations of one frame. The lane has a profile, which receives the ops of all together. */
vx_status vx_bench_portrait_run(vx_bench_portrait *bench, vx_ctx *ctx, vx_profile *parts,
                                vx_profile_row *frame);

#endif
