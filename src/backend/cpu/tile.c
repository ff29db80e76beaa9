#include "backend/cpu/tile.h"

const vx_tile_finish_fn vx_tile_finish[VX_CPU_LEVELS] = VX_SIMD_TABLE_BF16(vx_tile_finish);
const vx_tile_convert_fn vx_tile_convert[VX_CPU_LEVELS] = VX_SIMD_TABLE_BF16(vx_tile_convert);
