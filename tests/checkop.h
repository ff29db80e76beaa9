/* The operator checker: every op of a backend against the reference, on random and edge shapes.
 *
 * A case is a body: it asks for tensors, calls the op and returns its status. The checker calls it
 * several times, each time with other hands behind the same calls:
 *   plan       no memory; the workspace measures
 *   reference  inputs as asked, outputs in f32, workspace of the reference's own plan
 *   magnitude  the reference once more on absolute values, when a tolerance needs sum |x||w|
 *   backend    with 1, 2 and 3 workers; the workspace has exactly the planned size
 * and then checks that
 *   - outputs are within their tolerance of the reference, halos zero,
 *   - the bytes are the same for every number of workers,
 *   - inputs, guard bytes around every tensor, weight and workspace, and the gaps between rows are
 *     untouched,
 *   - the run's workspace peak equals the plan's.
 * Everything that a kernel may read but must not use (outputs, workspace, rows behind a sequence)
 * is filled with NaNs before.
 *
 * To add an op: a variant struct whose first field is `const char *label`, a body, a table of
 * variants (edge shapes), if useful a function that draws random variants, and its line in `ops` of
 * checkop.c. */
#ifndef VX_TESTS_CHECKOP_H
#define VX_TESTS_CHECKOP_H

#include <stddef.h>

#include "backend/host.h"
#include "backend/ops.h"

typedef struct co co;

/* ---- what a body asks for -------------------------------------------------------------------- */

/* Values: uniform in offset +- scale; one in 64 is multiplied by `outlier` unless that is 0. All
 * are rounded to the tensor's dtype. {0} gives zeroes. */
typedef struct co_fill {
    double scale, offset, outlier;
} co_fill;

/* Where a tensor lies. {0}: dense, no halo. */
typedef struct co_place {
    int64_t lead; /* columns of somebody else before each row … */
    int64_t gap;  /* … and after it */
    int64_t halo;
    bool seq; /* room as vx_take_seq gives it */
} co_place;

/* |got - want| <= abs + rel |want| + mag M, plus half a unit of bf16 when the output is bf16; M is
 * the same op on absolute values with no activation (see co_act). State the reason beside it. */
typedef struct co_tolerance {
    double abs, rel, mag;
} co_tolerance;

vx_tensor *co_input(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                    co_fill fill);
vx_tensor *co_output(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place,
                     co_tolerance tolerance);
/* Read and written: accumulation, residuals in place. */
vx_tensor *co_inout(co *c, vx_dtype dtype, int64_t rows, int64_t cols, co_place place, co_fill fill,
                    co_tolerance tolerance);
/* An f32 vector [n]; NULL when `absent`, so that a variant can leave it out. */
vx_tensor *co_vector(co *c, bool present, int64_t n, co_fill fill);
/* n numbers in [0, limit): [n, 1] i32. */
const vx_tensor *co_index(co *c, int64_t n, int32_t limit);
/* Plans, takes memory and packs. NULL after a failure, which is reported. */
const vx_weight *co_weight(co *c, vx_weight description, co_fill fill);

/* A picture: any bytes, [rows, cols] u8. */
vx_tensor *co_bytes(co *c, int64_t rows, int64_t cols);

vx_ctx *co_ctx(co *c);
/* The activation, or none in the magnitude run. */
vx_act co_act(const co *c, vx_act act);

/* The type that products asked for in `compute` have on the backend under test: f32 where bf16 is not
 * native. A body asks for weights with this, so that the reference rounds as the backend does. */
vx_dtype co_compute(vx_dtype compute);

/* Replaces the comparison by tolerance for the output asked for last: NULL when got (as f32) is
 * right, else what is wrong, as a static string; both lie in the program's memory (vx_row). *share receives the part of the tolerance used. */
typedef const char *(*co_check_fn)(const vx_tensor *want, const vx_tensor *got, double *share);
void co_check(co *c, co_check_fn check);

/* ---- random variants ------------------------------------------------------------------------- */

typedef struct co_random {
    uint64_t seed, next;
} co_random;

/* A whole number in [low, high]. */
int64_t co_range(co_random *random, int64_t low, int64_t high);
/* f32 or bf16. */
vx_dtype co_dtype(co_random *random);
/* Dense, or with columns before and after; halo 0..3 when allowed. */
co_place co_anywhere(co_random *random, bool halo);

/* ---- the table ------------------------------------------------------------------------------- */

typedef vx_status (*co_body)(co *c, const void *variant);

typedef struct co_op {
    vx_op op;
    co_body body;
    const void *variants;
    int count;
    size_t variant_bytes;
    void (*draw)(co_random *random, void *variant); /* NULL: no random variants */
    const void *bench;                              /* variants of real size */
    int bench_count;
    bool per_element; /* the bench prints ns per element of the first output, else GFLOP/s */
} co_op;

#define CO_OP(name) .op = VX_OP_##name
#define CO_VARIANTS(array)                                                                         \
    .variants = (array), .count = sizeof(array) / sizeof *(array), .variant_bytes = sizeof *(array)
#define CO_BENCH(array) .bench = (array), .bench_count = sizeof(array) / sizeof *(array)

extern const co_op co_copy_op, co_gather_op, co_broadcast_op, co_blend_op, co_gate_op,
    co_depthwise_up2_op;
extern const co_op co_linear_op, co_conv1d_op, co_conv_transpose1d_op, co_attention_op, co_lstm_op;
extern const co_op co_layer_norm_op, co_instance_norm_op;
extern const co_op co_conv_op, co_group_norm_op, co_qk_norm_op;
extern const co_op co_spade_op, co_response_norm_op, co_pool2_op, co_depthwise_op, co_row_gate_op,
    co_motion_input_op, co_motion_field_op, co_warp_op, co_to_picture_op, co_from_picture_op;
extern const co_op co_harmonic_source_op, co_stft_op, co_istft_op;

#endif
