#include "formats/nf4_file.h"

#include <stdio.h>
#include <string.h>

enum { STATE_BYTES = 256 };

static vx_status declare_beside(vx_writer *writer, const char *name, const char *suffix,
                                vx_dtype dtype, int64_t count, vx_error *err)
{
    char full[2048];
    snprintf(full, sizeof full, "%s%s", name, suffix);
    return vx_writer_declare(writer, full, dtype, 1, &count, err);
}

vx_status vx_nf4_declare(vx_writer *w, const char *name, int64_t elements, vx_error *err)
{
    const int64_t packed[2] = {(elements + 1) / 2, 1};
    VX_TRY(vx_writer_declare(w, name, VX_U8, 2, packed, err));
    VX_TRY(declare_beside(w, name, ".absmax", VX_U8, vx_nf4_blocks(elements), err));
    VX_TRY(declare_beside(w, name, ".nested_absmax", VX_F32, vx_nf4_groups(elements), err));
    VX_TRY(declare_beside(w, name, ".nested_quant_map", VX_F32, 256, err));
    VX_TRY(declare_beside(w, name, ".quant_map", VX_F32, 16, err));
    return declare_beside(w, name, ".quant_state.bitsandbytes__nf4", VX_U8, STATE_BYTES, err);
}

static vx_status write_state(vx_writer *writer, const int64_t dim[2], vx_dtype recorded,
                             float offset, vx_error *err)
{
    static const char *const types[] = {
        [VX_F32] = "float32", [VX_BF16] = "bfloat16", [VX_F16] = "float16"};
    char state[STATE_BYTES + 1];
    int length = snprintf(state, sizeof state,
                          "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"%s\", "
                          "\"shape\": [%lld, %lld], \"nested_blocksize\": %d, "
                          "\"nested_dtype\": \"float32\", \"nested_offset\": %.9g",
                          VX_NF4_BLOCK, types[recorded], (long long)dim[0], (long long)dim[1],
                          VX_NF4_NESTED_BLOCK, (double)offset);
    /* The text was declared before the offset was known: spaces fill it up. */
    memset(state + length, ' ', (size_t)(STATE_BYTES - length));
    state[STATE_BYTES - 1] = '}';
    return vx_writer_bytes(writer, state, STATE_BYTES, err);
}

vx_status vx_nf4_write_scales(vx_writer *w, const int64_t dim[2], vx_dtype recorded,
                              const uint8_t *codes, const float *nested, float offset,
                              vx_error *err)
{
    int64_t elements = dim[0] * dim[1];
    VX_TRY(vx_writer_bytes(w, codes, (size_t)vx_nf4_blocks(elements), err));
    VX_TRY(vx_writer_bytes(w, nested, (size_t)vx_nf4_groups(elements) * sizeof *nested, err));
    VX_TRY(vx_writer_floats(w, vx_nf4_scale_map, 256, err));
    VX_TRY(vx_writer_floats(w, vx_nf4_code, 16, err));
    return write_state(w, dim, recorded, offset, err);
}
