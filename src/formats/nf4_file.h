/* bitsandbytes' layout of one 4-bit weight in safetensors, scales quantised too: NAME holds the
 * packed codes, beside it lie NAME.absmax, .nested_absmax, .nested_quant_map, .quant_map and
 * .quant_state.bitsandbytes__nf4. */
#ifndef VX_FORMATS_NF4_FILE_H
#define VX_FORMATS_NF4_FILE_H

#include "formats/writer.h"
#include "tensor/quant.h"

/* Blocks of codes that share a scale, and groups of blocks that share a nested one. */
static inline int64_t vx_nf4_blocks(int64_t elements)
{
    return (elements + VX_NF4_BLOCK - 1) / VX_NF4_BLOCK;
}
static inline int64_t vx_nf4_groups(int64_t elements)
{
    return (vx_nf4_blocks(elements) + VX_NF4_NESTED_BLOCK - 1) / VX_NF4_NESTED_BLOCK;
}

/* Declares all six tensors. */
vx_status vx_nf4_declare(vx_writer *writer, const char *name, int64_t elements, vx_error *err);

/* What follows the packed codes: the scales' codes[vx_nf4_blocks], nested[vx_nf4_groups] and their
 * offset. dim is the weight's shape, `recorded` the type it had (f32, f16 or bf16). */
vx_status vx_nf4_write_scales(vx_writer *writer, const int64_t dim[2], vx_dtype recorded,
                              const uint8_t *codes, const float *nested, float offset,
                              vx_error *err);

#endif
