/* vortex bench slot: whole slots on the resident engine, a client of vortex.h like any other. */
#ifndef VX_CLI_BENCH_SLOT_H
#define VX_CLI_BENCH_SLOT_H

#include "cli/cli.h"

/* Opens the engine, makes one slot to warm up and `runs` that count, and prints cold
 * start, percentiles per stage, frames per second and memory. `recipe` may be NULL: a
 * prompt and 8 s of speech. */
vx_status vx_bench_slot(vx_cli *cli, int runs, const char *recipe, vx_error *err);

#endif
