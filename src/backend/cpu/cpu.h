/* The CPU backend: oneDNN for matrix products and convolutions along time, own
 * kernels for the rest.
 *
 * A kernel splits its op into tiles whose number and bounds depend on shapes alone and runs them
 * with vx_pool_run(vx_cpu_pool(ctx), ctx->cancel, …). Kernels that need vector instructions are
 * written once over backend/cpu/simd.h, in kernels/, and compiled once per level
 * (kernels/CMakeLists.txt); the level is chosen at open, never by the compiler. */
#ifndef VX_BACKEND_CPU_CPU_H
#define VX_BACKEND_CPU_CPU_H

#include <pthread.h>

#include "backend/host.h"
#include "backend/ops.h"

/* Instruction levels, each including those before it. The level is what the processor has, lowered
 * by oneDNN's own setting (environment ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA: AVX2, AVX512_CORE,
 * AVX512_CORE_BF16, AVX512_CORE_AMX, …), so that one setting forces oneDNN and our kernels
 * alike. */
typedef enum vx_cpu_level {
    VX_CPU_GENERIC,
    VX_CPU_AVX2,        /* avx2, fma, f16c */
    VX_CPU_AVX512,      /* avx512 f, bw, dq, vl */
    VX_CPU_AVX512_BF16, /* avx512 vnni, bf16 */
    VX_CPU_AMX,         /* amx tile, bf16, int8 */
    VX_CPU_LEVELS
} vx_cpu_level;

typedef struct vx_onednn vx_onednn; /* backend/cpu/onednn.h */

/* vx_backend.state of the CPU backend; constant after open except as said. */
typedef struct vx_cpu {
    vx_backend backend;
    vx_cpu_level level;
    vx_pool *pool;     /* not owned */
    vx_onednn *onednn; /* primitives by shape; thread-safe */
    pthread_mutex_t layout_lock;
    struct vx_cpu_layout *layouts; /* descriptions of weights, under the lock; product.h */
    struct vx_cpu_plane *planes;   /* the same of filters over planes; plane.h */
} vx_cpu;

static inline vx_cpu *vx_cpu_of(vx_backend *backend)
{
    return backend->state;
}
static inline vx_pool *vx_cpu_pool(const vx_ctx *ctx)
{
    return vx_cpu_of(ctx->backend)->pool;
}

/* Rows of a tile for passes over `cols` columns that are not matrix products: about 16 Ki elements,
 * enough to hide the claim and few enough to spread. Depends on the shape alone. */
static inline int64_t vx_cpu_pass_rows(int64_t cols)
{
    int64_t rows = (16 << 10) / (cols > 0 ? cols : 1);
    return rows < 1 ? 1 : rows;
}

static inline int64_t vx_cpu_tiles(int64_t rows, int64_t rows_of_tile)
{
    return (rows + rows_of_tile - 1) / rows_of_tile;
}

/* One kernel per op, and for those of the second list the bytes of scratch that it needs.
 * Contracts: backend/ops.h. */
#define VX_CPU_SCRATCH(X)                                                                          \
    X(depthwise_up2)                                                                               \
    X(layer_norm)                                                                                  \
    X(instance_norm)                                                                               \
    X(harmonic_source)                                                                             \
    X(linear)                                                                                      \
    X(conv1d)                                                                                      \
    X(conv)                                                                                        \
    X(group_norm)                                                                                  \
    X(spade)                                                                                       \
    X(response_norm)                                                                               \
    X(motion_input)                                                                                \
    X(motion_field)                                                                                \
    X(warp)                                                                                        \
    X(from_picture)                                                                                \
    X(to_picture)                                                                                  \
    X(conv_transpose1d)                                                                            \
    X(attention)                                                                                   \
    X(lstm)
#define VX_CPU_KERNEL(op)                                                                          \
    vx_status vx_cpu_##op(vx_ctx *ctx, const vx_##op##_args *a, void *scratch);
#define VX_CPU_BYTES(op) size_t vx_cpu_##op##_scratch(vx_backend *backend, const vx_##op##_args *a);
VX_OPS(VX_CPU_KERNEL)
VX_CPU_SCRATCH(VX_CPU_BYTES)
#undef VX_CPU_KERNEL
#undef VX_CPU_BYTES

/* Values on their way into a packed weight pass through their stored type (f32, bf16, f16), so that
 * every backend computes with the same weights. */
void vx_cpu_round_floats(vx_dtype store, float *row, int64_t count);

vx_status vx_cpu_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err);
vx_status vx_cpu_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg,
                             float *staging, size_t staging_floats, vx_error *err);
vx_status vx_cpu_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts,
                                    int count, bool *taken, vx_error *err);

#endif
