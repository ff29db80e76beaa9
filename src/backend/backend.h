/* Backends, contexts and weights: what a model's forward function stands on.
 *
 * A model is written once against the ops of backend/ops.h. The same code runs in two ways:
 *
 *   plan   ctx->plan is true: addresses are numbers, ops check shapes, count work and stack
 *          their scratch on a measuring arena. No device is needed and nothing is computed.
 *   run    the backend's kernels execute, taking scratch from the lane's arena, which has the
 *          planned size.
 *
 * A backend owns memory and time. Memory: it reserves what the plan lists, and only it follows a
 * vx_dev. Time: work is put on a lane in order, goes to the device when the lane is flushed, and is
 * done after a finish.
 *
 * Backends: `ref` (plain C, the oracle of every test), `cpu` (oneDNN and own kernels), `vulkan`
 * (GPUs), and devices that are known by their datasheet only, which can plan but not run
 * (backend/plan). */
#ifndef VX_BACKEND_BACKEND_H
#define VX_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/pool.h"
#include "base/status.h"
#include "tensor/quant.h"
#include "tensor/tensor.h"

typedef struct vx_backend vx_backend;
typedef struct vx_backend_ops vx_backend_ops; /* backend/ops.h */
typedef struct vx_lane vx_lane;

/* ---- devices ------------------------------------------------------------------------------- */

/* What the roofline needs. For the CPU the rates are bounds of its kind (cpu/cpu.c). */
typedef struct vx_device {
    char name[64];    /* "cpu", "rtx3060", … */
    char title[96];   /* for people: the processor's or the card's name */
    char level[48];   /* for people: instructions, or engine, that kernels are chosen by */
    char library[48]; /* for people: whose kernels beside our own, and its version; "": none */
    double flops_per_s_f32;  /* dense matrix peak */
    double flops_per_s_bf16; /* 0: bf16 is not native, f32 is used instead */
    double bytes_per_s;      /* memory bandwidth */
    double efficiency;       /* share of the peak that is projected, 0..1 */
    size_t memory_bytes;     /* capacity; 0 unknown */
    size_t overhead_bytes;   /* taken beside our reservation, by what `overhead` says */
    const char *overhead[2]; /* who takes it and for what: "driver", "driver and context" */
    size_t alignment;        /* of a region, a power of two, at least VX_ALIGN */
    size_t
        allocation_max; /* bytes of one allocation; no region straddles two. SIZE_MAX: no limit */
} vx_device;

struct vx_backend {
    const vx_backend_ops *ops;
    vx_device device;
    int workers;     /* for scratch that is kept per worker; 1 on devices without workers */
    vx_dtype half;   /* 16-bit type of activations: VX_BF16 or VX_F16 */
    vx_dtype native; /* type of products that half precision asks for: a 16-bit one, or VX_F32 where
                        there is none that is faster */
    /* A lane is flushed when work of so many seconds, at the rates that a probe at open
     * measured, is on it. 0: an op is done when it returns, so each is a flush of its own and
     * there is nothing to measure. */
    double flush_s;
    double flops_per_s, bytes_per_s; /* the probe's; valid when flush_s > 0 */
    size_t
        /* of the process before the first reservation; where memory is the process's */
        before_bytes;
    void *state; /* the backend's own */
};

/* The CPU: oneDNN and own kernels. `pool` stays the caller's and must outlive the backend. */
vx_status vx_backend_open_cpu(vx_backend **backend, vx_pool *pool, vx_error *err);
/* The oracle: plain C in f32 with double accumulators, one thread. For tests. */
vx_status vx_backend_open_ref(vx_backend **backend, vx_error *err);
/* A GPU, or what poses as one (backend/vulkan): "" the best that there is, a number of the list
 * that `vortex doctor` prints, or part of a name. VX_ERR_MISSING where there is none. */
vx_status vx_backend_open_vulkan(vx_backend **backend, const char *name, vx_error *err);
/* What the machine's Vulkan lists, in the order of the numbers that devices are named by. */
typedef struct vx_found_device {
    char name[256], driver[256];
    size_t memory_bytes;
    bool software;  /* a CPU that poses as a device: it must be named */
    char lacks[64]; /* what it would need; "": nothing */
} vx_found_device;
enum { VX_FOUND_DEVICES = 16 };
/* At most VX_FOUND_DEVICES. VX_ERR_MISSING where there is no Vulkan. */
vx_status vx_backend_find_vulkan(vx_found_device *found, int *count, vx_error *err);
/* A device by its datasheet: plans, never runs. VX_ERR_USAGE for an unknown name, listing the
 * known. */
vx_status vx_backend_open_datasheet(vx_backend **backend, const char *name, vx_error *err);
void vx_backend_close(vx_backend **backend);

/* What a device may be called, as flags and settings say it. */
#define VX_DEVICES "cpu, vulkan, vulkan:N or vulkan:NAME"
/* Whether a device can have that name, wherever it runs. VX_ERR_MISSING for cuda…, with the
 * sentence that says why; VX_ERR_USAGE for others. */
vx_status vx_backend_device_named(const char *name, vx_error *err);

/* The backend that runs on the device called `name` in settings and flags. VX_ERR_MISSING where
 * this build has none. */
vx_status vx_backend_open_device(vx_backend **backend, const char *name, vx_pool *pool,
                                 vx_error *err);
/* The same for a plan, which a datasheet serves as well. */
vx_status vx_backend_open_planner(vx_backend **backend, const char *name, vx_pool *pool,
                                  vx_error *err);

/* What the device multiplies at best, operations per second, by one large product of its
 * vendor's library in `native`; half a second. Not while an op runs. VX_ERR_MISSING for a
 * backend without one. */
vx_status vx_backend_peak(vx_backend *backend, double *flops_per_s, vx_error *err);

/* ---- memory -------------------------------------------------------------------------------- */

/* Who follows addresses into a region. */
typedef enum vx_place {
    VX_PLACE_DEVICE, /* ops */
    VX_PLACE_HOST,   /* this program */
    VX_PLACE_SHARED  /* both: ops write, the program reads after a finish */
} vx_place;

/* A piece of a reservation. */
typedef struct vx_room {
    vx_place place;
    size_t bytes;
    vx_dev at; /* valid after vx_backend_reserve unless the place is the host's */
    void
        *host; /* valid then; NULL where the place is the device's and that has memory of its own */
} vx_room;

/* Where rooms of one kind of memory lie when an allocation has at most allocation_max bytes: room
 * i in allocation block[i] at offset[i]. Rooms keep their order; one that does not fit behind its
 * neighbour begins the next allocation. block_bytes has room for `count`. VX_ERR_MEMORY for a
 * room above the limit. */
vx_status vx_rooms_place(const vx_device *device, const size_t *bytes, int count, int *block,
                         size_t *offset, size_t *block_bytes, int *blocks, vx_error *err);

typedef struct vx_memory vx_memory; /* a reservation, the backend's own */

/* Reserves the rooms and sets their addresses; every page is touched. VX_ERR_MEMORY when the system
 * or the device has less. A reservation ends before its backend does. */
vx_status vx_backend_reserve(vx_backend *backend, vx_room *room, int count, vx_memory **memory,
                             vx_error *err);
void vx_backend_unreserve(vx_backend *backend, vx_memory **memory); /* safe on NULL; sets NULL */

/* Bytes of the device's memory that this program takes, without what it had taken before the
 * backend's first reservation, and their highest value since. 0 where the system does not say. */
typedef struct vx_memory_use {
    size_t now, peak;
} vx_memory_use;
vx_memory_use vx_backend_memory(vx_backend *backend);

/* ---- lanes --------------------------------------------------------------------------------- */

/* Time by op name, for benches. */
typedef struct vx_profile_row {
    const char *op;
    int64_t calls;
    double seconds, flops;
} vx_profile_row;
enum { VX_PROFILE_ROWS = 64 };
typedef struct vx_profile {
    int rows;
    vx_profile_row row[VX_PROFILE_ROWS];
} vx_profile;

/* An order of work on a backend. One thread at a time puts work on it; two
 * lanes run side by side. */
struct vx_lane {
    vx_backend *backend;
    vx_profile *profile; /* NULL: times are not taken. Valid after a finish */
    _Atomic int64_t uploads, downloads;
    double pending_s; /* planned seconds of work that was not flushed */
    int64_t flushes;
    void *state; /* the backend's own */
};

vx_status vx_lane_open(vx_lane *lane, vx_backend *backend, vx_error *err);
void vx_lane_close(vx_lane *lane); /* after a finish; safe on {0} */

/* Dense copies, in the lane's order. A write has read `host` when it returns; what a read brings is
 * there after a finish. */
vx_status vx_write(vx_lane *lane, vx_dev to, const void *host, size_t bytes, vx_error *err);
vx_status vx_read(vx_lane *lane, vx_dev from, void *host, size_t bytes, vx_error *err);

/* ---- weights ------------------------------------------------------------------------------- */

typedef enum vx_weight_kind {
    VX_WEIGHT_LINEAR,         /* [out, in] */
    VX_WEIGHT_CONV,           /* [out, in, kd, kh, kw], torch's order */
    VX_WEIGHT_CONV_TRANSPOSE, /* 1-D: [out, in, k] after swapping torch's [in, out, k] */
    VX_WEIGHT_LSTM            /* both directions: rows of [W_ih | W_hh], see vx_lstm */
} vx_weight_kind;

/* A matrix or filter in the backend's own layout. Fill the description, ask vx_weight_plan for
 * `bytes`, give it memory, then vx_weight_pack. Biases, norms and tables are plain vx_tensors
 * instead. */
typedef struct vx_weight {
    vx_weight_kind kind;
    vx_dtype store;   /* as kept: f32 bf16 f16 int8 q8_0 q4_0 nf4 */
    vx_dtype compute; /* of the products: f32, bf16, or u8 (int8 weights, quantised activations) */
    int64_t out, in;
    int64_t kernel[3]; /* depth, height, width; 1 where unused; a 1-D filter is {1, 1, k} */
    int64_t stride[3], dilation[3], pad[3];
    int64_t pad_end[3]; /* 2-D and 3-D filters: zeroes at the far end beyond `pad` */
    int64_t upsample; /* 2-D and 3-D filters: each pixel is repeated so often along H and W first */
    /* The map before (cells_in) or after (cells_out) the filter has cells of 4 x 4 pixels whose two
     * middle rows are equal, and whose two middle columns are; it is kept without the repetition,
     * 3 x 3 a cell. A 3 x 3 filter over a map upsampled by 4 has such a result. */
    bool cells_in, cells_out;
    size_t bytes; /* valid after vx_weight_plan */
    vx_dev data;  /* `bytes` of device memory; not owned */
    void *layout; /* the backend's own description, owned by the backend; valid after
                     vx_weight_plan */
} vx_weight;

/* Rows of the source in float: rows [first, first+count) of `out`, each row all of [in, kd, kh, kw]
 * in torch's order, count*in*kd*kh*kw floats. Called with rising `first` that covers every row
 * once. */
typedef vx_status (*vx_fetch_fn)(void *arg, int64_t first, int64_t count, float *dst,
                                 vx_error *err);

/* Describes a linear layer / a filter; kernel, stride and dilation are 1 and pad 0 until set. */
vx_weight vx_weight_linear(int64_t out, int64_t in, vx_dtype store, vx_dtype compute);
vx_weight vx_weight_conv1d(int64_t out, int64_t in, int64_t k, int64_t stride, int64_t dilation,
                           int64_t pad, vx_dtype store, vx_dtype compute);

/* A 2-D ({1, kh, kw}) or 3-D filter, stride 1, padded by (k-1)/2. */
vx_weight vx_weight_conv(int64_t out, int64_t in, const int64_t kernel[3], vx_dtype store,
                         vx_dtype compute);

/* Sets w->bytes and w->layout. VX_ERR_INPUT for a store/compute pair that the backend does not
 * have. */
vx_status vx_weight_plan(vx_backend *backend, vx_weight *w, vx_error *err);

/* Converts from float rows into w->data, in the lane's order: ops before it have read the old
 * contents, ops after it see the new. `staging` holds `staging_floats`, at least one row, and is
 * free again when it returns. */
vx_status vx_weight_pack(vx_lane *lane, vx_weight *w, vx_fetch_fn fetch, void *arg, float *staging,
                         size_t staging_floats, vx_error *err);

/* The same from rows that a file keeps in the codes of w->store: `count` parts, one below the
 * other, which make up all rows. They are put into the backend's layout as they are, by all
 * workers. *taken is false, and nothing done, where the backend keeps this weight otherwise or the
 * parts meet inside one of its units; then vx_weight_pack does it. */
vx_status vx_weight_pack_stored(vx_lane *lane, vx_weight *w, const vx_stored_rows *parts, int count,
                                bool *taken, vx_error *err);

/* ---- contexts ------------------------------------------------------------------------------ */

/* Work counted by ops, in a plan and in a run alike. */
typedef struct vx_counts {
    double flops;       /* 2 per multiply-add, padding taps included */
    double bytes_moved; /* operands read once and results written once per op */
    int64_t ops;
} vx_counts;

/* Sees a model's intermediate results by name, "vision.layers.3" say; for parity with the reference
 * implementations. What stands in the tensor is read with vx_download during the call. */
typedef struct vx_ctx vx_ctx;
typedef void (*vx_observe_fn)(void *arg, vx_ctx *ctx, const char *name, const vx_tensor *tensor);

/* What a forward function is given. Not thread-safe: one thread per context. */
struct vx_ctx {
    vx_backend *backend;
    vx_lane *lane;       /* NULL in a plan */
    vx_arena *workspace; /* the lane's stack; measuring in a plan */
    vx_cancel *cancel;   /* may be NULL; read before each flush */
    bool plan;
    vx_counts counts;
    vx_observe_fn observe; /* NULL outside parity tests */
    void *observe_arg;
    vx_error *err; /* where failures are described; may be NULL */
};

/* Shows a tensor to the observer, if there is one; the name is formatted only then. */
void vx_observe(vx_ctx *ctx, const vx_tensor *tensor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Gives the device what is on the lane. VX_ERR_CANCELLED, and nothing more begins,
 * when the token is set. */
vx_status vx_flush(vx_ctx *ctx);
/* Flushes and waits until all of it is done, also after a cancel, which it
 * returns. Nothing in a plan. */
vx_status vx_finish(vx_ctx *ctx);

/* After a failure: forgets what was not flushed and what reads would have brought, and waits for
 * the rest, so that the device is idle and no host memory is written later. */
void vx_abandon(vx_ctx *ctx);

/* A tensor on the lane's stack; contents undefined. Give back with vx_release. */
vx_status vx_take(vx_ctx *ctx, vx_dtype dtype, int rank, const int64_t *dim, vx_tensor *out);
static inline vx_status vx_take2(vx_ctx *ctx, vx_dtype dtype, int64_t rows, int64_t cols,
                                 vx_tensor *out)
{
    return vx_take(ctx, dtype, 2, (const int64_t[]){rows, cols}, out);
}
/* Bytes there without a shape. */
vx_status vx_take_bytes(vx_ctx *ctx, size_t bytes, vx_dev *out);

/* A sequence for convolutions: [rows, cols] with a zeroed halo of `halo` rows and room for `rows`
 * rounded up to VX_SEQ_TILE, because kernels write whole tiles; what lies between the rows' end and
 * the room's end is scratch of whoever writes the tensor next, except that the halo is zero
 * whenever an op returns. */
enum { VX_SEQ_TILE = 512 };
vx_status vx_take_seq(vx_ctx *ctx, vx_dtype dtype, int64_t rows, int64_t cols, int64_t halo,
                      vx_tensor *out);

static inline vx_mark vx_mark_now(const vx_ctx *ctx)
{
    return vx_arena_mark(ctx->workspace);
}
void vx_release(vx_ctx *ctx, vx_mark mark);

#endif
