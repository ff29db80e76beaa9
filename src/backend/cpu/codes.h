/* Quantised weights of linear layers: codes stay packed, a worker turns one panel into an open
 * panel of products just before it uses it.
 *
 * A panel (VX_PANEL columns, K rows; columns and rows that the weight lacks stand for 0) is stored
 * in the order in which its bf16 form is written, pairs of rows side by side:
 *
 *     4 bits   [K/2] groups of 16 words; in word l, the nibble at bit 4j is column 8j + l/2,
 *              row l%2
 *     8 bits   [K/2][64 columns][2 rows]
 *     scales   [K/block][64]: nf4 one byte (double quantisation) per 64 rows, q8_0 and q4_0 an
 *              f16 per 32 rows; int8 [64] f32
 *
 * and for nf4, after the last panel, what the scales' bytes stand for: the map of 256 f32 (files
 * differ in its last bits), then a factor and an offset, f32 each, per 256 blocks counted along
 * rows of the source (tensor/quant.h). */
#ifndef VX_BACKEND_CPU_CODES_H
#define VX_BACKEND_CPU_CODES_H

#include "backend/cpu/product.h"

/* The stores that are kept as codes, and their bytes. `in` is a multiple of the store's block. */
bool vx_codes_known(vx_dtype store, int64_t in);
size_t vx_codes_panel_bytes(vx_dtype store, int64_t in);
/* Bytes after the last panel. */
size_t vx_codes_shared_bytes(vx_dtype store, int64_t out, int64_t in);

/* Packing: `codes_open` once, then every row of the source in order, then `codes_close`. */
typedef struct vx_codes_packing {
    const vx_cpu_layout *layout;
    char *data;
    float *scales; /* nf4: of all blocks, until the last row */
    void *row;     /* one row as codes */
} vx_codes_packing;
vx_status vx_codes_open(vx_codes_packing *p, const vx_cpu_layout *layout, void *data,
                        vx_error *err);
void vx_codes_add(vx_codes_packing *p, int64_t index, const float *row);
vx_status vx_codes_close(vx_codes_packing *p, vx_error *err);

/* Rows that a file keeps in the same codes: whether they can be taken as they are (parts begin with
 * a panel and with a group of scales), and taking them, by all workers of the pool. */
bool vx_codes_fit(const vx_cpu_layout *layout, const vx_stored_rows *parts, int count);
vx_status vx_codes_take(vx_pool *pool, const vx_cpu_layout *layout, const vx_stored_rows *parts,
                        int count, void *data);

/* Writes one panel as an open panel of layout->type: weights in f32, rounded to bf16 once. */
void vx_codes_decode(vx_cpu_level level, const vx_cpu_layout *layout, const void *data,
                     int64_t panel, void *out);
/* The bf16 form by vectors; same bits. */
void vx_codes_decode_avx512bf16(const vx_cpu_layout *layout, const void *data, int64_t panel,
                                uint16_t *out);

/* Rows of a panel: `in` up to whole VX_PANEL_ROWS. */
static inline int64_t vx_codes_rows(int64_t in)
{
    return (in + VX_PANEL_ROWS - 1) / VX_PANEL_ROWS * VX_PANEL_ROWS;
}
enum { VX_CODES_MAP = 256 };
/* Groups of nf4's scales. */
int64_t vx_codes_groups(int64_t out, int64_t in);
/* Rows that share a scale; 0: all. */
static inline int64_t vx_codes_block(vx_dtype store)
{
    return store == VX_NF4 ? 64 : store == VX_INT8_ROW ? 0 : 32;
}
/* Bytes of the codes of a panel: its scales follow. */
static inline size_t vx_codes_bytes(vx_dtype store, int64_t in)
{
    bool nibbles = store == VX_NF4 || store == VX_Q4_0;
    return (size_t)(vx_codes_rows(in) * VX_PANEL / (nibbles ? 2 : 1));
}

#endif
