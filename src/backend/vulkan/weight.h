/* Where the pieces of a weight lie: weight.c. */
#ifndef VX_BACKEND_VULKAN_WEIGHT_H
#define VX_BACKEND_VULKAN_WEIGHT_H

#include "backend/vulkan/vulkan.h"

typedef struct vx_vk_layout {
    int64_t rows, taps, in, pad; /* pad: channels of a tap, with the zeroes behind them */
    size_t row_bytes;
    int64_t groups;             /* nf4 */
    size_t scales, nested, map; /* offsets of what int8 and nf4 have behind the rows */
    size_t state;               /* LSTM: offset of the state's rows … */
    int64_t state_pad;          /* … and their channels */
    size_t bytes;               /* of all */
} vx_vk_layout;

vx_vk_layout vx_vk_layout_of(const vx_weight *w);

#endif
