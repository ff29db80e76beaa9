/* All that Vortex asks of oneDNN, and with peak.c the only place that names it (2.6 or 3; its C
 * API, through dnnl_api.h).
 *
 * The unit is a *product*: out[T, cols] (f32, dense) = sum over taps j of x[r*stride + j*dilation]
 * W_j for rows r of a tile, T one of four sizes. One tap at stride 1 is a matrix product,
 * everything else a "valid" convolution along time: the caller has the halo in the buffer, so there
 * is no padding inside. Any number of rows is cut into tiles of these sizes, so a bounded set of
 * primitives serves every length; tiles this small reach the processor's peak (measured on Zen 4:
 * 64 x 64 tiles 0.95 and more of the 1280 x 3072 x 3072 matmul, in bf16, f32 and u8).
 *
 * At VX_CPU_AMX products of bf16 and of bytes are our own (amx.h), if a row fills whole words.
 *
 * Primitives are single-threaded: whoever creates or runs one holds OpenMP at one thread in the
 * calling thread first, so libgomp never starts a thread of its own. Running is safe from any
 * number of threads at once. Nothing is freed before vx_onednn_close. */
#ifndef VX_BACKEND_CPU_ONEDNN_H
#define VX_BACKEND_CPU_ONEDNN_H

#include "backend/cpu/cpu.h"

/* The level that oneDNN may use here: processor and environment together. */
vx_cpu_level vx_onednn_level(void);
/* Whether bf16 products are faster than f32's at VX_CPU_AVX512_BF16 and later. */
bool vx_onednn_bf16_pays(void);
/* "2.6.3". */
const char *vx_onednn_version(void);

/* Holds OpenMP at one thread in the calling thread. Everything declared here does it itself. */
void vx_onednn_hold_one_thread(void);

/* Columns of a weight panel, and the tile heights, largest first. */
enum { VX_PANEL = 64, VX_TILE_SIZES = 4, VX_TILE_ROWS = 64 };
extern const int vx_tile_rows[VX_TILE_SIZES]; /* 64, 16, 4, 1 */

typedef struct vx_product_shape {
    vx_dtype compute; /* f32, bf16, or u8 for u8 x with s8 weights */
    int cols;         /* 1..VX_PANEL */
    int64_t in;       /* channels */
    int64_t taps, stride, dilation;
    /* The panel's layout is not oneDNN's choice but one that our kernels write: a panel that
     * changes with each run. One tap only; see vx_panel_at. */
    bool open;
} vx_product_shape;

/* Channels that a word of 32 bits holds. */
static inline int64_t vx_word_elements(vx_dtype compute)
{
    return compute == VX_U8 ? 4 : compute == VX_BF16 ? 2 : 1;
}

/* Where weight (k, column) of an open panel lies, in elements: bf16 [in/2][VX_PANEL][2], f32
 * [in][ld]. Rows up to a multiple of VX_PANEL_ROWS are there and must be zero beyond `in`. Any run
 * of rows that starts and ends on such a multiple is itself a panel. */
enum { VX_PANEL_ROWS = 32 };
static inline int64_t vx_panel_at(vx_dtype compute, int64_t ld, int64_t k, int64_t column)
{
    if (compute == VX_U8) return (k / 4 * ld + column) * 4 + k % 4;
    return compute == VX_BF16 ? (k / 2 * ld + column) * 2 + k % 2 : k * ld + column;
}

typedef struct vx_product vx_product;

/* One engine and its products. */
vx_status vx_onednn_open(vx_onednn **onednn, vx_error *err);
void vx_onednn_close(vx_onednn **onednn);

/* The product of that shape, described (not yet compiled) on first use. */
vx_status vx_onednn_product(vx_onednn *onednn, const vx_product_shape *shape,
                            const vx_product **product, vx_error *err);

/* Bytes of one packed panel, and of the scratch that a run of any tile size may need. */
size_t vx_product_weight_bytes(const vx_product *product);
size_t vx_product_scratch_bytes(const vx_product *product);

/* Columns between two rows of an open panel. */
int64_t vx_product_panel_ld(const vx_product *product);

/* Compiles the product's primitives if they are not yet; packing does it too. */
vx_status vx_product_compile(const vx_product *product, vx_error *err);

/* Packs one panel from plain [cols, in, taps] (torch's order): floats, or int8 where compute is u8.
 * Compiles the product's primitives, so that the first run is like every other. */
vx_status vx_product_pack(const vx_product *product, const void *plain, void *packed,
                          vx_error *err);

/* out[T, cols] = product of the rows at x (T rows of `in` for one tap, else the window of
 * (T-1)*stride + (taps-1)*dilation + 1 rows; dense) with one packed panel. T = vx_tile_rows[size].
 * False when oneDNN fails, which is a fault of its or of ours. */
bool vx_product_run(const vx_product *product, int size, const void *x, const void *packed,
                    float *out, void *scratch);

#endif
