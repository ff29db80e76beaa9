/* Opening, closing and describing the CPU backend; the table. */
#include "backend/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

#include "backend/cpu/onednn.h"
#include "backend/cpu/peak.h"
#include "backend/cpu/plane.h"
#include "backend/cpu/product.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reserve.h"

/* ---- the device ---------------------------------------------------------------------------- */

/* The processor's name as /proc/cpuinfo gives it; "processor" where it gives none. */
static void read_title(char *title, size_t size)
{
    snprintf(title, size, "processor");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL) return;
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) != 0) continue;
        char *value = strchr(line, ':');
        if (value == NULL) break;
        value += strspn(value + 1, " \t") + 1;
        value[strcspn(value, "\n")] = '\0';
        snprintf(title, size, "%.90s", value);
        break;
    }
    fclose(file);
}

/* What the machine and the control groups allow; 0 when that is not known. */
static size_t memory_bytes(void)
{
    vx_limits limits;
    vx_limits_read(&limits, "");
    return limits.memory.value != SIZE_MAX ? limits.memory.value : 0;
}

/* Bounds, not measurements: a slot is refused when its deadline cannot be met at these rates, so
 * no machine may be faster. Operations that the widest cores of each level start per cycle: two
 * full-width multiply-adds, with pairs of bf16 twice as many, and on AMX one product of 16x16x32
 * in 16 cycles (Intel 64 and IA-32 Optimization Reference Manual, TMUL); no core clocks or reads
 * memory faster for long. The efficiency is what Kokoro reaches of the bound, measured: 365 of
 * 1536 GFLOP/s on two cores of Zen 4, 938 of 12288 on two with AMX (docs/bench/kokoro.md). The
 * overhead was measured (docs/bench/slot.md): oneDNN's compiled kernels, staging and packing of
 * weights, pages of libraries. */
static void describe(vx_device *device, vx_cpu_level level, vx_dtype native, int workers)
{
    static const double f32_per_cycle[VX_CPU_LEVELS] = {16, 32, 64, 64, 64};
    static const char *const levels[VX_CPU_LEVELS] = {"no vector level above SSE2", "AVX2",
                                                      "AVX-512", "AVX-512 with bf16", "AMX"};
    const double bf16_per_cycle = level == VX_CPU_AMX ? 1024 : 128;
    const double hertz = 6e9;
    enum { OVERHEAD = 42000000 };
    snprintf(device->name, sizeof device->name, "cpu");
    read_title(device->title, sizeof device->title);
    snprintf(device->level, sizeof device->level, "%s", levels[level]);
    snprintf(device->library, sizeof device->library, "oneDNN %s", vx_onednn_version());
    device->flops_per_s_f32 = f32_per_cycle[level] * hertz * workers;
    if (native == VX_BF16) device->flops_per_s_bf16 = bf16_per_cycle * hertz * workers;
    device->bytes_per_s = 50e9 * (workers < 4 ? workers : 4);
    device->efficiency = level == VX_CPU_AMX ? 0.076 : 0.24;
    device->memory_bytes = memory_bytes();
    device->alignment = VX_ALIGN;
    device->allocation_max = SIZE_MAX;
    device->overhead_bytes = OVERHEAD;
    device->overhead[0] = "process";
    device->overhead[1] = "libraries and kernels";
}

static void close_cpu(vx_backend *backend)
{
    vx_cpu *cpu = vx_cpu_of(backend);
    vx_cpu_layouts_free(cpu);
    vx_cpu_planes_free(cpu);
    vx_onednn_close(&cpu->onednn);
    pthread_mutex_destroy(&cpu->layout_lock);
    vx_heap_free(cpu);
}

/* ---- the table ----------------------------------------------------------------------------- */

#define VX_CPU_RUN(op)                                                                             \
    static vx_status run_##op(vx_ctx *ctx, const void *args, vx_dev scratch)                       \
    {                                                                                              \
        return vx_cpu_##op(ctx, args, vx_host(scratch));                                           \
    }
#define VX_CPU_NEED(op)                                                                            \
    static size_t scratch_##op(vx_backend *backend, const void *args)                              \
    {                                                                                              \
        return vx_cpu_##op##_scratch(backend, args);                                               \
    }
VX_OPS(VX_CPU_RUN)
VX_CPU_SCRATCH(VX_CPU_NEED)

static const vx_backend_ops cpu_ops = {.name = "cpu",
                                       .close = close_cpu,
                                       .peak = vx_cpu_peak,
                                       VX_HOST_VERBS,
                                       .weight_plan = vx_cpu_weight_plan,
                                       .weight_pack = vx_cpu_weight_pack,
                                       .weight_pack_stored = vx_cpu_weight_pack_stored,
#define VX_CPU_LINE(name)      .op[VX_OP_##name].run = run_##name,
#define VX_CPU_NEED_LINE(name) .op[VX_OP_##name].scratch = scratch_##name,
                                       VX_OPS(VX_CPU_LINE) VX_CPU_SCRATCH(VX_CPU_NEED_LINE)};

vx_status vx_backend_open_cpu(vx_backend **out, vx_pool *pool, vx_error *err)
{
    *out = NULL;
    vx_cpu *cpu = vx_heap_alloc(sizeof *cpu);
    if (cpu == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for the CPU backend");
    vx_status status = vx_onednn_open(&cpu->onednn, err);
    if (status != VX_OK) {
        vx_heap_free(cpu);
        return status;
    }
    pthread_mutex_init(&cpu->layout_lock, NULL);
    cpu->level = vx_onednn_level();
    cpu->pool = pool;
    bool bf16 = cpu->level >= VX_CPU_AVX512_BF16 && vx_onednn_bf16_pays();
    cpu->backend = (vx_backend){.ops = &cpu_ops,
                                .workers = vx_pool_workers(pool),
                                .half = VX_BF16,
                                .native = bf16 ? VX_BF16 : VX_F32,
                                .state = cpu};
    describe(&cpu->backend.device, cpu->level, cpu->backend.native, cpu->backend.workers);
    *out = &cpu->backend;
    return VX_OK;
}
