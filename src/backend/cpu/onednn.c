#include "backend/cpu/onednn.h"

#include <dnnl.h>

vx_cpu_level vx_onednn_level(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    /* The values are sets of bits, so that a later level contains the earlier ones. */
    if ((isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        return VX_CPU_AVX512_BF16;
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core) return VX_CPU_AVX512;
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2) return VX_CPU_AVX2;
    return VX_CPU_GENERIC;
}
