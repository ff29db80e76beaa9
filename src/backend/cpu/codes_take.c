/* Rows that a file keeps in codes, put into panels (codes.h) without being decoded: a transposition
 * of 64 rows, nibble by nibble or byte by byte. */
#include "backend/cpu/codes.h"

/* 64 rows of 64 bytes: a piece of a panel that stays in the L1 cache. */
enum { SIDE = 64 };
typedef uint8_t square[SIDE][SIDE];

typedef struct taking {
    const vx_cpu_layout *l;
    const vx_stored_rows *parts;
    int count;
    char *data;
} taking;

bool vx_codes_fit(const vx_cpu_layout *l, const vx_stored_rows *parts, int count)
{
    vx_dtype store = l->key.store;
    if (store != VX_NF4 && store != VX_Q8_0 && store != VX_Q4_0) return false;
    int64_t row = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].dtype != store || parts[i].cols != l->in || row % VX_PANEL != 0) return false;
        if (store == VX_NF4 && row * (l->in / VX_NF4_BLOCK) % VX_NF4_NESTED_BLOCK != 0)
            return false;
        if (store == VX_NF4 &&
            memcmp(parts[i].map, parts[0].map, VX_CODES_MAP * sizeof(float)) != 0)
            return false;
        row += parts[i].rows;
    }
    return row == l->key.out;
}

/* ---- transposing --------------------------------------------------------------------------- */

/* Swaps the bits of a under mask << shift with those of b under mask. */
static inline void swap(uint64_t *a, uint64_t *b, int shift, uint64_t mask)
{
    uint64_t differ = (*a >> shift ^ *b) & mask;
    *b ^= differ;
    *a ^= differ << shift;
}

/* out[p][q] = in[q][p], p < width, a multiple of 8, squares of 8 x 8 in eight words at a time. */
static void transpose(square in, int64_t width, uint8_t *out)
{
    for (int64_t p = 0; p < width; p += 8)
        for (int64_t q = 0; q < SIDE; q += 8) {
            uint64_t word[8];
            for (int i = 0; i < 8; i++)
                memcpy(&word[i], &in[q + i][p], sizeof word[i]);
            for (int i = 0; i < 4; i++)
                swap(&word[i], &word[i + 4], 32, 0x00000000FFFFFFFF);
            for (int i = 0; i < 4; i++)
                swap(&word[i / 2 * 4 + i % 2], &word[i / 2 * 4 + i % 2 + 2], 16,
                     0x0000FFFF0000FFFF);
            for (int i = 0; i < 8; i += 2)
                swap(&word[i], &word[i + 1], 8, 0x00FF00FF00FF00FF);
            for (int i = 0; i < 8; i++)
                memcpy(out + (p + i) * SIDE + q, &word[i], sizeof word[i]);
        }
}

/* Rows of nibbles, the even element of each pair in the high one, as `width` groups of 16 words.
 * Byte m of word 2c + parity has columns 16m + c and 16m + 8 + c. */
static void weave(square rows, int64_t width, uint8_t *out)
{
    square woven;
    for (int c = 0; c < 8; c++)
        for (int m = 0; m < 4; m++) {
            const uint8_t *low = rows[16 * m + c], *high = rows[16 * m + 8 + c];
            uint8_t *even = woven[8 * c + m], *odd = woven[8 * c + 4 + m];
            for (int p = 0; p < SIDE; p++) {
                even[p] = (uint8_t)(low[p] >> 4 | (high[p] & 0xF0));
                odd[p] = (uint8_t)((low[p] & 0x0F) | high[p] << 4);
            }
        }
    transpose(woven, width, out);
}

/* ---- panels -------------------------------------------------------------------------------- */

/* A q4_0 block has elements 0..15 in its low nibbles and 16..31 in its high ones. */
static void pair_up(const uint8_t *block, uint8_t *pairs)
{
    for (int p = 0; p < 8; p++) {
        pairs[p] = (uint8_t)(block[2 * p] << 4 | (block[2 * p + 1] & 0x0F));
        pairs[8 + p] = (uint8_t)((block[2 * p] & 0xF0) | block[2 * p + 1] >> 4);
    }
}

static void take_nibbles(const vx_cpu_layout *l, const vx_stored_rows *part, int64_t first,
                         int64_t cols, char *panel)
{
    enum { BLOCK = 18 };
    bool nf4 = l->key.store == VX_NF4;
    int64_t bytes = l->in / 2;
    size_t row_bytes = vx_row_bytes(VX_Q4_0, l->in);
    square rows;
    memset(rows, nf4 ? 0x77 : 0x88, sizeof rows); /* columns that are not there stand for 0 */
    for (int64_t at = 0; at < bytes; at += SIDE) {
        int64_t width = bytes - at < SIDE ? bytes - at : SIDE;
        for (int64_t c = 0; c < cols; c++) {
            if (nf4) {
                memcpy(rows[c], part->codes + (first + c) * bytes + at, (size_t)width);
                continue;
            }
            const uint8_t *block = part->codes + (size_t)(first + c) * row_bytes + at / 16 * BLOCK;
            for (int64_t i = 0; i < width; i += 16, block += BLOCK)
                pair_up(block + 2, rows[c] + i);
        }
        weave(rows, width, (uint8_t *)panel + at * SIDE);
    }
}

static void take_bytes(const vx_cpu_layout *l, const vx_stored_rows *part, int64_t first,
                       int64_t cols, char *panel)
{
    enum { BLOCK = 34, PAIRS = 16 };
    size_t row_bytes = vx_row_bytes(VX_Q8_0, l->in);
    memset(panel, 0, vx_codes_bytes(VX_Q8_0, l->in));
    for (int64_t b = 0; b < l->in / 32; b++)
        for (int64_t c = 0; c < cols; c++) {
            const uint8_t *block = part->codes + (size_t)(first + c) * row_bytes + b * BLOCK + 2;
            char *out = panel + (b * PAIRS * VX_PANEL + c) * 2;
            for (int64_t p = 0; p < PAIRS; p++)
                memcpy(out + p * VX_PANEL * 2, block + 2 * p, 2);
        }
}

static void take_scales(const vx_cpu_layout *l, const vx_stored_rows *part, int64_t first,
                        int64_t cols, char *scales)
{
    int64_t blocks = l->in / vx_codes_block(l->key.store);
    size_t block_bytes = l->key.store == VX_NF4 ? 0 : vx_row_bytes(l->key.store, 32);
    for (int64_t c = 0; c < cols; c++)
        for (int64_t b = 0; b < blocks; b++) {
            int64_t index = (first + c) * blocks + b;
            if (l->key.store == VX_NF4)
                scales[b * VX_PANEL + c] = (char)part->scales[index];
            else
                memcpy(scales + (b * VX_PANEL + c) * 2, part->codes + (size_t)index * block_bytes,
                       2);
        }
}

static void take_panel(void *arg, int64_t panel, int worker)
{
    (void)worker;
    const taking *t = arg;
    const vx_cpu_layout *l = t->l;
    const vx_stored_rows *part = t->parts;
    int64_t first = panel * VX_PANEL;
    while (first >= part->rows)
        first -= part++->rows;
    int64_t cols = part->rows - first < VX_PANEL ? part->rows - first : VX_PANEL;
    char *out = t->data + (size_t)panel * l->panel_bytes;
    size_t codes = vx_codes_bytes(l->key.store, l->in);
    if (l->key.store == VX_Q8_0)
        take_bytes(l, part, first, cols, out);
    else
        take_nibbles(l, part, first, cols, out);
    memset(out + codes, 0, l->panel_bytes - codes);
    take_scales(l, part, first, cols, out + codes);
}

vx_status vx_codes_take(vx_pool *pool, const vx_cpu_layout *l, const vx_stored_rows *parts,
                        int count, void *data)
{
    taking t = {.l = l, .parts = parts, .count = count, .data = data};
    float *groups = (float *)(void *)(t.data + (size_t)l->panels * l->panel_bytes);
    memset(groups, 0, vx_codes_shared_bytes(l->key.store, l->key.out, l->in));
    if (l->key.store == VX_NF4) {
        memcpy(groups, parts[0].map, VX_CODES_MAP * sizeof *groups);
        groups += VX_CODES_MAP;
    }
    for (int i = 0; i < count && l->key.store == VX_NF4; i++) {
        int64_t n = vx_codes_groups(parts[i].rows, l->in);
        for (int64_t g = 0; g < n; g++, groups += 2) {
            memcpy(groups, parts[i].nested + (size_t)g * sizeof(float), sizeof(float));
            groups[1] = parts[i].offset;
        }
    }
    return vx_pool_run(pool, NULL, l->panels, take_panel, &t);
}
