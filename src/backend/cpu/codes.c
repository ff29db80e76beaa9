#include "backend/cpu/codes.h"

#include "base/mem.h"
#include "tensor/quant.h"

/* ---- sizes --------------------------------------------------------------------------------- */

bool vx_codes_known(vx_dtype store, int64_t in)
{
    switch (store) {
    case VX_NF4:
    case VX_Q8_0:
    case VX_Q4_0:
        return in % vx_codes_block(store) == 0;
    case VX_INT8_ROW:
        return true;
    default:
        return false;
    }
}

size_t vx_codes_panel_bytes(vx_dtype store, int64_t in)
{
    size_t scales = VX_PANEL * sizeof(float);
    if (store == VX_NF4) scales = (size_t)(in / 64) * VX_PANEL;
    if (store == VX_Q8_0 || store == VX_Q4_0) scales = (size_t)(in / 32) * VX_PANEL * 2;
    return vx_align_up(vx_codes_bytes(store, in) + scales);
}

int64_t vx_codes_groups(int64_t out, int64_t in)
{
    int64_t blocks = out * (in / VX_NF4_BLOCK);
    return (blocks + VX_NF4_NESTED_BLOCK - 1) / VX_NF4_NESTED_BLOCK;
}

size_t vx_codes_shared_bytes(vx_dtype store, int64_t out, int64_t in)
{
    return store == VX_NF4
               ? vx_align_up((size_t)(VX_CODES_MAP + 2 * vx_codes_groups(out, in)) * sizeof(float))
               : 0;
}

static char *panel_of(const vx_cpu_layout *l, const void *data, int64_t panel)
{
    return (char *)(uintptr_t)data + (size_t)panel * l->panel_bytes;
}

/* ---- packing ------------------------------------------------------------------------------- */

vx_status vx_codes_open(vx_codes_packing *p, const vx_cpu_layout *layout, void *data, vx_error *err)
{
    const vx_weight *w = &layout->key;
    *p = (vx_codes_packing){.layout = layout, .data = data};
    p->row =
        vx_heap_alloc((size_t)w->in * 2); /* the widest form of a row: bytes and their scales */
    if (w->store == VX_NF4)
        p->scales = vx_heap_alloc((size_t)(w->out * (w->in / VX_NF4_BLOCK)) * sizeof(float));
    if (p->row == NULL || (w->store == VX_NF4 && p->scales == NULL)) {
        vx_heap_free(p->row);
        vx_heap_free(p->scales);
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to pack weights");
    }
    /* Every column and row that is not there decodes to 0: nf4's code for that is 7, q4_0's 8. */
    memset(data, 0, layout->bytes);
    for (int64_t i = 0; i < layout->panels; i++)
        if (w->store == VX_NF4 || w->store == VX_Q4_0)
            memset(panel_of(layout, data, i), w->store == VX_NF4 ? 0x77 : 0x88,
                   vx_codes_bytes(w->store, w->in));
    return VX_OK;
}

static void set_nibble(char *codes, int64_t k, int64_t column, uint8_t code)
{
    int64_t word = column % 8 * 2 + k % 2, nibble = column / 8;
    uint8_t *byte = (uint8_t *)codes + k / 2 * 64 + word * 4 + nibble / 2;
    int shift = nibble % 2 ? 4 : 0;
    *byte = (uint8_t)((*byte & ~(15u << shift)) | (unsigned)code << shift);
}

static void set_byte(char *codes, int64_t k, int64_t column, int8_t code)
{
    codes[(k / 2 * VX_PANEL + column) * 2 + k % 2] = (char)code;
}

static void add_nf4(vx_codes_packing *p, int64_t index, const float *row, char *codes)
{
    int64_t in = p->layout->in, column = index % VX_PANEL;
    uint8_t *packed = p->row;
    for (int64_t b = 0; b < in / VX_NF4_BLOCK; b++) {
        p->scales[index * (in / VX_NF4_BLOCK) + b] =
            vx_nf4_encode(row + b * VX_NF4_BLOCK, VX_NF4_BLOCK, packed);
        for (int64_t i = 0; i < VX_NF4_BLOCK; i++)
            set_nibble(codes, b * VX_NF4_BLOCK + i, column,
                       i % 2 ? packed[i / 2] & 15 : packed[i / 2] >> 4);
    }
}

/* q8_0 and q4_0: blocks of an f16 scale and 32 codes. */
static void add_blocks(vx_codes_packing *p, int64_t index, const float *row, char *codes,
                       char *scales)
{
    const vx_weight *w = &p->layout->key;
    int64_t column = index % VX_PANEL;
    size_t block_bytes = vx_row_bytes(w->store, 32);
    vx_encode(w->store, row, w->in, p->row);
    for (int64_t b = 0; b < w->in / 32; b++) {
        const uint8_t *block = (const uint8_t *)p->row + (size_t)b * block_bytes;
        memcpy(scales + (b * VX_PANEL + column) * 2, block, 2);
        for (int64_t i = 0; i < 32; i++) {
            if (w->store == VX_Q8_0)
                set_byte(codes, b * 32 + i, column, (int8_t)block[2 + i]);
            else
                set_nibble(codes, b * 32 + i, column,
                           i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4);
        }
    }
}

void vx_codes_add(vx_codes_packing *p, int64_t index, const float *row)
{
    const vx_weight *w = &p->layout->key;
    char *codes = panel_of(p->layout, p->data, index / VX_PANEL);
    char *scales = codes + vx_codes_bytes(w->store, w->in);
    if (w->store == VX_NF4) {
        add_nf4(p, index, row, codes);
    } else if (w->store != VX_INT8_ROW) {
        add_blocks(p, index, row, codes, scales);
    } else {
        float scale = vx_int8_encode(row, w->in, p->row);
        memcpy(scales + index % VX_PANEL * (int64_t)sizeof scale, &scale, sizeof scale);
        for (int64_t k = 0; k < w->in; k++)
            set_byte(codes, k, index % VX_PANEL, ((const int8_t *)p->row)[k]);
    }
}

/* nf4's second quantisation needs the scales of the whole weight. */
static vx_status close_nf4(vx_codes_packing *p, vx_error *err)
{
    const vx_cpu_layout *l = p->layout;
    int64_t per_row = l->in / VX_NF4_BLOCK, blocks = l->key.out * per_row;
    uint8_t *bytes = vx_heap_alloc((size_t)blocks);
    if (bytes == NULL) return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory to pack weights");
    float *map = (float *)(void *)panel_of(l, p->data, l->panels), *nested = map + VX_CODES_MAP;
    memcpy(map, vx_nf4_scale_map, sizeof vx_nf4_scale_map);
    int64_t groups = vx_codes_groups(l->key.out, l->in);
    float offset = vx_nf4_scales_encode(p->scales, blocks, bytes, nested);
    for (int64_t i = groups - 1; i >= 0; i--) {
        nested[2 * i] = nested[i];
        nested[2 * i + 1] = offset;
    }
    for (int64_t column = 0; column < l->key.out; column++) {
        char *scales = panel_of(l, p->data, column / VX_PANEL) + vx_codes_bytes(VX_NF4, l->in);
        for (int64_t b = 0; b < per_row; b++)
            scales[b * VX_PANEL + column % VX_PANEL] = (char)bytes[column * per_row + b];
    }
    vx_heap_free(bytes);
    return VX_OK;
}

vx_status vx_codes_close(vx_codes_packing *p, vx_error *err)
{
    vx_status status = p->layout->key.store == VX_NF4 ? close_nf4(p, err) : VX_OK;
    vx_heap_free(p->row);
    vx_heap_free(p->scales);
    return status;
}

/* ---- decoding ------------------------------------------------------------------------------ */

/* The scales of one block of rows, for all 64 columns of a panel. */
static void block_scales(const vx_cpu_layout *l, const void *data, int64_t panel, int64_t block,
                         float scale[VX_PANEL])
{
    const char *stored = panel_of(l, data, panel) + vx_codes_bytes(l->key.store, l->in);
    if (l->key.store == VX_INT8_ROW) {
        memcpy(scale, stored, VX_PANEL * sizeof *scale);
    } else if (l->key.store == VX_NF4) {
        const float *map = (const float *)(const void *)panel_of(l, data, l->panels);
        for (int64_t c = 0; c < VX_PANEL; c++) {
            int64_t column = panel * VX_PANEL + c;
            int64_t index = column * (l->in / VX_NF4_BLOCK) + block;
            /* Columns that are not there have codes that stand for 0 whatever the scale. */
            const float *group = map + VX_CODES_MAP + 2 * (index / VX_NF4_NESTED_BLOCK);
            float value = map[(uint8_t)stored[block * VX_PANEL + c]];
            scale[c] = column < l->key.out ? value * group[0] + group[1] : 0;
        }
    } else {
        for (int64_t c = 0; c < VX_PANEL; c++) {
            uint16_t half;
            memcpy(&half, stored + (block * VX_PANEL + c) * 2, sizeof half);
            scale[c] = vx_f16_to_f32(half);
        }
    }
}

/* The value of a code before its scale. */
static float code_at(vx_dtype store, const char *codes, int64_t k, int64_t column)
{
    if (store == VX_Q8_0 || store == VX_INT8_ROW)
        return (float)(int8_t)codes[(k / 2 * VX_PANEL + column) * 2 + k % 2];
    int64_t word = column % 8 * 2 + k % 2, nibble = column / 8;
    uint8_t byte = (uint8_t)codes[k / 2 * 64 + word * 4 + nibble / 2];
    int code = nibble % 2 ? byte >> 4 : byte & 15;
    return store == VX_NF4 ? vx_nf4_code[code] : (float)(code - 8);
}

void vx_codes_decode(vx_cpu_level level, const vx_cpu_layout *l, const void *data, int64_t panel,
                     void *out)
{
    if (level >= VX_CPU_AVX512_BF16 && l->type == VX_BF16) {
        vx_codes_decode_avx512bf16(l, data, panel, out);
        return;
    }
    bool is_last = panel + 1 == l->panels;
    int64_t ld = vx_product_panel_ld(is_last ? l->last : l->full);
    int64_t cols = is_last ? l->columns - panel * VX_PANEL : VX_PANEL;
    int64_t rows = vx_codes_rows(l->in), block = vx_codes_block(l->key.store);
    const char *codes = panel_of(l, data, panel);
    float scale[VX_PANEL];
    for (int64_t k = 0; k < rows; k++) {
        if (block == 0 ? k == 0 : k % block == 0)
            block_scales(l, data, panel, block == 0 ? 0 : k / block, scale);
        for (int64_t c = 0; c < ld; c++) {
            float w = c < cols ? code_at(l->key.store, codes, k, c) * scale[c] : 0;
            int64_t place = vx_panel_at(l->type, ld, k, c);
            if (l->type == VX_BF16)
                ((uint16_t *)out)[place] = vx_f32_to_bf16(w);
            else
                ((float *)out)[place] = w;
        }
    }
}
