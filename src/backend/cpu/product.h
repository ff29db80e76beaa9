/* Weights in panels, and the one loop that runs linear layers and convolutions along time over
 * them.
 *
 *     weight data   | panel 0 | panel 1 | … | last panel |    VX_PANEL output columns each
 *
 * The rows of an op are cut into tiles of 64, then 16, 4 and 1; the columns into groups of panels.
 * A unit of work is one tile of rows and one group of columns: the worker converts the rows' window
 * to the compute type if it has another, runs one product per panel into a private f32 tile that
 * stays in its L1 cache, and finishes it into the output. Weights kept as codes (codes.h) go the
 * other way round: a unit is one panel and up to 1,024 rows, so that decoding the panel is paid by
 * many tiles. */
#ifndef VX_BACKEND_CPU_PRODUCT_H
#define VX_BACKEND_CPU_PRODUCT_H

#include "backend/cpu/onednn.h"
#include "backend/cpu/tile.h"

/* vx_weight.layout of this backend. Interned: one for each different description. */
typedef struct vx_cpu_layout {
    struct vx_cpu_layout *next;
    vx_weight key; /* the description it stands for, without data */
    /* What the weight's products run in: the compute type asked for, or f32 where the processor
     * lacks it. */
    vx_dtype type;
    bool codes;          /* kept as codes, decoded panel by panel */
    int64_t in, columns; /* of the products; a transposed filter has stride*out columns */
    int64_t taps, stride, dilation;
    int64_t panels;         /* the last one has `columns` modulo VX_PANEL columns, if not 0 */
    const vx_product *full; /* NULL when there is no full panel */
    const vx_product *last; /* the last panel's; equal to `full` when that is full */
    size_t panel_bytes, last_bytes; /* multiples of VX_ALIGN */
    size_t recurrent_offset;        /* LSTM: after the panels, see lstm.h */
    size_t scale_offset; /* u8: after the panels, f32 [columns] scales, then sums of the codes */
    size_t bytes;
} vx_cpu_layout;

void vx_cpu_layouts_free(vx_cpu *cpu);

/* Cuts rows into tiles, largest first: tiles of size i are first[i] .. first[i+1]. Returns how
 * many. */
int64_t vx_cpu_cut(int64_t rows, int64_t first[VX_TILE_SIZES + 1]);
/* The size of a tile, and its first row. */
int vx_cpu_tile(const int64_t first[VX_TILE_SIZES + 1], int64_t tile, int64_t *row);
/* The status of an op whose product failed. */
vx_status vx_cpu_product_failed(vx_error *err);

typedef struct vx_cpu_job {
    const vx_cpu_layout *layout;
    const void *weights;
    const void *x; /* first row of output row 0's window */
    vx_dtype x_dtype;
    int64_t x_ld;
    int64_t rows; /* of output */
    vx_epilogue epilogue;
    float inverse_scale, zero; /* type u8: how x becomes bytes, see quantise.h */
    /* Columns of the first row before `head` and of the last row from `tail` on are left out. */
    int64_t head, tail;
} vx_cpu_job;

/* Scratch for a job of these rows, all workers together; more rows never need less. Only the
 * layout, x and rows of the job are read. */
size_t vx_cpu_job_scratch(const vx_cpu *cpu, const vx_cpu_job *job);
vx_status vx_cpu_job_run(vx_ctx *ctx, const vx_cpu_job *job, void *scratch);

#endif
