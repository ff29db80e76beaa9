/* Filters over planes and volumes (vx_conv), as sums of matrix products (taps.h).
 *
 * A tile of output pixels takes one row of taps at a time: for each pixel and tap a pointer to the
 * channels it reads, or to zeroes where that is padding. Times a packed panel of 64 output channels
 * that is a part of the result; the rows of taps are added up. Rows of taps that meet nothing but
 * padding are skipped.
 *
 * Nearest upsampling and maps kept by cells (backend.h) are exact savings: the output is split into
 * phases, by where in its cell a pixel lies, and each phase is an own small filter over the map as
 * it is, whose taps are sums of the original ones.
 *
 * A filter of few outputs would leave most of a vector of columns empty: `fold` neighbouring
 * outputs of a row then are one cell, their columns side by side, each with its taps one further
 * and zeroes for the rest. */
#ifndef VX_BACKEND_CPU_PLANE_H
#define VX_BACKEND_CPU_PLANE_H

#include "backend/cpu/onednn.h"

/* One axis of a phase: tap t reads input in_step*cell + first + t and is the sum of the original
 * taps whose bits are set in sum[t]. */
enum { VX_AXIS_TAPS_MAX = 16, VX_AXIS_PHASES_MAX = 4 };
typedef struct vx_axis_phase {
    int64_t out, first, taps;
    uint32_t sum[VX_AXIS_TAPS_MAX];
} vx_axis_phase;

typedef struct vx_axis {
    int64_t in_step, out_step; /* input and output positions of one cell */
    int phases;
    vx_axis_phase phase[VX_AXIS_PHASES_MAX];
} vx_axis;

/* vx_weight.layout of these filters. Interned: one for each different description. */
typedef struct vx_cpu_plane {
    struct vx_cpu_plane *next;
    vx_weight key;
    vx_dtype type; /* of the products */
    vx_axis depth, height, width;
    int64_t fold;
    int64_t words; /* of 32 bits that a pixel's channels fill */
    int64_t panels, columns,
        last; /* of VX_PANEL columns; columns together, and of the last panel */
    /* Where the weights of (height phase, width phase) begin; then depth tap, height tap, panel,
     * width tap, word, column. */
    size_t offset[VX_AXIS_PHASES_MAX][VX_AXIS_PHASES_MAX];
    size_t bytes;
} vx_cpu_plane;

/* Whether a weight is packed this way: a filter with more than a row of taps, or
 * over structured maps. */
bool vx_cpu_is_plane(const vx_weight *w);

vx_status vx_cpu_plane_plan(vx_cpu *cpu, vx_weight *w, vx_error *err);
vx_status vx_cpu_plane_pack(vx_cpu *cpu, vx_weight *w, vx_fetch_fn fetch, void *arg, float *staging,
                            size_t staging_floats, vx_error *err);
void vx_cpu_planes_free(vx_cpu *cpu);

#endif
