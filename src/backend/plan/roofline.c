#include "backend/plan/roofline.h"

vx_roofline vx_roofline_of(const vx_device *device, const vx_counts *counts, vx_dtype compute)
{
    double peak = compute == VX_BF16 && device->flops_per_s_bf16 > 0 ? device->flops_per_s_bf16
                                                                     : device->flops_per_s_f32;
    assert(peak > 0);
    assert(device->bytes_per_s > 0);
    assert(device->efficiency > 0 && device->efficiency <= 1);
    double products = counts->flops / peak, bytes = counts->bytes_moved / device->bytes_per_s;
    double longer = bytes > products ? bytes : products;
    return (vx_roofline){.roofline_s = longer,
                         .projected_s = longer / device->efficiency,
                         .memory_bound = bytes > products};
}
