/* Devices known by their datasheet: they plan weights and count work, and never run.
 *
 * A weight takes the bytes of its stored form, each of its parts (codes, scales, …) on a multiple
 * of 256 bytes, as cudaMalloc aligns and vector loads like it. No op needs scratch: what a real
 * backend takes beside is known when that backend plans. */
#include <stdio.h>

#include "backend/ops.h"
#include "base/mem.h"
#include "tensor/quant.h"

/* ---- the devices ---------------------------------------------------------------------------- */

/* Of the peak, over a whole network: LivePortrait's warping and generator, 1233.6 GFLOP a frame,
 * take 12.8 ms on an RTX 4090 (KwaiVGI/LivePortrait, assets/docs/speed.md), which is 58 % of its
 * 165 TFLOP/s. */
static const double EFFICIENCY = 0.58;

/* The CUDA context with cuBLASLt's and cuDNN's kernels: 0.3 to 0.5 GB on the cards we know. */
static const size_t OVERHEAD = 500u * 1000 * 1000;

static const double TERA = 1e12, GIGA = 1e9;
static const size_t GIB = (size_t)1 << 30, GB = 1000u * 1000 * 1000;

typedef struct datasheet {
    const char *name, *title;
    double tera_f32;  /* multiply-adds of the ordinary cores, not TF32 */
    double tera_bf16; /* dense tensor products with f32 sums; 0: none in bf16 */
    double giga_bytes;
    int memory;
    bool binary; /* memory in GiB, as graphics cards are sold, else in GB */
} datasheet;

static const datasheet devices[] = {
    /* NVIDIA Turing GPU architecture whitepaper, appendix A (Founders Edition). Its tensor cores
     * know f16 but not bf16. */
    {"rtx2080ti", "NVIDIA GeForce RTX 2080 Ti", 14.2, 0, 616, 11, true},
    /* GeForce RTX 3060 product page: 13 shader and 102 tensor TFLOPS (f16, sparse, f16 sums): a
     * quarter of it is dense with f32 sums; 3584 cores at 1.777 GHz; 192 bit at 15 Gbit/s. */
    {"rtx3060", "NVIDIA GeForce RTX 3060 12 GB", 12.7, 25.6, 360, 12, true},
    /* NVIDIA Ampere GA102 GPU architecture whitepaper, table of the RTX 3090. */
    {"rtx3090", "NVIDIA GeForce RTX 3090", 35.6, 71, 936, 24, true},
    /* NVIDIA Ada GPU architecture whitepaper, appendix A. */
    {"rtx4090", "NVIDIA GeForce RTX 4090", 82.6, 165.2, 1008, 24, true},
    /* NVIDIA L4 datasheet (242 TFLOPS with sparsity). */
    {"l4", "NVIDIA L4", 30.3, 121, 300, 24, false},
    /* NVIDIA A100 80GB datasheet, SXM. */
    {"a100", "NVIDIA A100 SXM 80 GB", 19.5, 312, 2039, 80, false},
    /* NVIDIA H100 datasheet, SXM (1,979 TFLOPS with sparsity). */
    {"h100", "NVIDIA H100 SXM 80 GB", 67, 989, 3350, 80, false},
    /* NVIDIA H200 datasheet, SXM (1,979 TFLOPS with sparsity). */
    {"h200", "NVIDIA H200 SXM 141 GB", 67, 989, 4800, 141, false},
};
enum { DEVICES = sizeof devices / sizeof *devices };

/* ---- weights -------------------------------------------------------------------------------- */

static size_t part(size_t bytes)
{
    return (bytes + 255) & ~(size_t)255;
}

static size_t groups_of(size_t count, size_t group)
{
    return (count + group - 1) / group;
}

/* 0 for a type that no weight is stored as. Rows of block formats are padded to whole blocks; NF4
 * blocks run over the flattened weight. */
static size_t stored_bytes(vx_dtype store, size_t rows, size_t row)
{
    size_t blocks = groups_of(rows * row, VX_NF4_BLOCK);
    switch (store) {
    case VX_F32:
    case VX_BF16:
    case VX_F16:
        return part(rows * row * vx_dtype_bytes(store));
    case VX_INT8_ROW:
        return part(rows * row) + part(rows * sizeof(float));
    case VX_Q8_0:
    case VX_Q4_0:
        return part(rows * vx_row_bytes(store, (int64_t)(groups_of(row, 32) * 32)));
    case VX_NF4: /* codes, scale codes, the scales' scales, their mean */
        return part(groups_of(rows * row, 2)) + part(blocks) +
               part(groups_of(blocks, VX_NF4_NESTED_BLOCK) * sizeof(float)) + part(sizeof(float));
    default:
        return 0;
    }
}

static vx_status weight_plan(vx_backend *backend, vx_weight *w, vx_error *err)
{
    size_t row = (size_t)(w->in * w->kernel[0] * w->kernel[1] * w->kernel[2]);
    if (w->kind == VX_WEIGHT_LSTM) row = (size_t)(w->in + w->out / 8);
    w->bytes = stored_bytes(w->store, (size_t)w->out, row);
    w->layout = NULL;
    bool computes = w->compute == VX_F32 || w->compute == VX_BF16 ||
                    (w->compute == VX_U8 && w->store == VX_INT8_ROW);
    if (w->bytes > 0 && computes) return VX_OK;
    return vx_fail(
        err, VX_ERR_INPUT, "bad_precision",
        "%s has no kernel for weights stored as %s and computed in %s; choose f32, bf16, "
        "f16, int8, q8_0, q4_0 or nf4 with products in f32 or bf16",
        backend->device.title, vx_dtype_name(w->store), vx_dtype_name(w->compute));
}

/* ---- opening -------------------------------------------------------------------------------- */

static void close_datasheet(vx_backend *backend)
{
    vx_heap_free(backend);
}

static const vx_backend_ops datasheet_ops = {
    .name = "datasheet", .close = close_datasheet, .weight_plan = weight_plan};

static const datasheet *find(const char *name)
{
    for (int i = 0; i < DEVICES; i++)
        if (strcmp(devices[i].name, name) == 0) return &devices[i];
    return NULL;
}

static vx_status unknown(const char *name, vx_error *err)
{
    char known[256] = "";
    size_t used = 0;
    for (int i = 0; i < DEVICES && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 devices[i].name);
    return vx_fail(err, VX_ERR_USAGE, "unknown_device",
                   "there is no datasheet of a device called '%.64s'; choose one of %s", name,
                   known);
}

vx_status vx_backend_open_datasheet(vx_backend **out, const char *name, vx_error *err)
{
    *out = NULL;
    const datasheet *d = find(name);
    if (d == NULL) return unknown(name, err);
    vx_backend *backend = vx_heap_alloc(sizeof *backend);
    if (backend == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a device's description");
    *backend = (vx_backend){.ops = &datasheet_ops,
                            .workers = 1,
                            .half = VX_BF16,
                            .native = d->tera_bf16 > 0 ? VX_BF16 : VX_F32};
    vx_device *device = &backend->device;
    snprintf(device->name, sizeof device->name, "%s", d->name);
    snprintf(device->title, sizeof device->title, "%s", d->title);
    device->flops_per_s_f32 = d->tera_f32 * TERA;
    device->flops_per_s_bf16 = d->tera_bf16 * TERA;
    device->bytes_per_s = d->giga_bytes * GIGA;
    device->efficiency = EFFICIENCY;
    device->memory_bytes = (size_t)d->memory * (d->binary ? GIB : GB);
    device->alignment = VX_ALIGN;
    device->allocation_max = SIZE_MAX;
    device->overhead_bytes = OVERHEAD;
    device->overhead[0] = "driver";
    device->overhead[1] = "driver and context";
    *out = backend;
    return VX_OK;
}
