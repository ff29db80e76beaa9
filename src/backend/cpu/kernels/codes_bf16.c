/* A group of codes is one pair of rows: 128 weights, four vectors of bf16 in the order of the
 * panel. Each vector of bf16 is made of two of f32, whose lanes are eight columns with both rows
 * side by side; so a scale fills two lanes. */
#include "backend/cpu/codes.h"
#include "tensor/quant.h"

#include <immintrin.h>

enum { VECTORS = 8, GROUP = 2 * VX_PANEL };

/* 64 scales as eight vectors, each scale twice. */
static inline void spread(const __m512 scale[4], __m512 out[VECTORS])
{
    const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (int i = 0; i < 4; i++) {
        out[2 * i] = _mm512_permutexvar_ps(low, scale[i]);
        out[2 * i + 1] = _mm512_permutexvar_ps(high, scale[i]);
    }
}

/* What nf4's scale bytes stand for. Columns beyond the weight read the last group: their codes are
 * 0 whatever the scale. */
typedef struct nested {
    const float *map, *groups; /* values; factor and offset */
    int64_t per_row, count;    /* blocks of a row; groups */
} nested;

static inline void nf4_scales(const nested *n, const uint8_t *stored, int64_t first_column,
                              int64_t block, __m512 out[VECTORS])
{
    __m512 scale[4];
    for (int i = 0; i < 4; i++) {
        __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(stored + 16 * i)));
        __m512 value = _mm512_i32gather_ps(code, n->map, 4);
        int64_t low = ((first_column + 16 * i) * n->per_row + block) / VX_NF4_NESTED_BLOCK;
        int64_t high = ((first_column + 16 * i + 15) * n->per_row + block) / VX_NF4_NESTED_BLOCK;
        __m512 factor, offset;
        if (low == high && low < n->count) {
            factor = _mm512_set1_ps(n->groups[2 * low]);
            offset = _mm512_set1_ps(n->groups[2 * low + 1]);
        } else {
            float each[2][16];
            for (int c = 0; c < 16; c++) {
                int64_t index =
                    ((first_column + 16 * i + c) * n->per_row + block) / VX_NF4_NESTED_BLOCK;
                index = index < n->count ? index : n->count - 1;
                each[0][c] = n->groups[2 * index];
                each[1][c] = n->groups[2 * index + 1];
            }
            factor = _mm512_loadu_ps(each[0]);
            offset = _mm512_loadu_ps(each[1]);
        }
        /* Not contracted, to give the same bits as codes.c. */
        scale[i] = _mm512_add_ps(_mm512_mul_ps(value, factor), offset);
    }
    spread(scale, out);
}

static inline void f16_scales(const uint16_t *stored, __m512 out[VECTORS])
{
    __m512 scale[4];
    for (int i = 0; i < 4; i++)
        scale[i] = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(stored + 16 * i)));
    spread(scale, out);
}

static inline void store_pair(uint16_t *out, __m512 first, __m512 second)
{
    _mm512_storeu_si512((void *)out, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

static inline void decode_nibbles(const char *codes, __m512 table, const __m512 scale[VECTORS],
                                  uint16_t *out)
{
    __m512i word = _mm512_loadu_si512((const void *)codes);
    for (int j = 0; j < VECTORS; j += 2) {
        /* Only the low four bits of an index count. */
        __m512 first = _mm512_permutexvar_ps(_mm512_srli_epi32(word, (unsigned)(4 * j)), table);
        __m512 second =
            _mm512_permutexvar_ps(_mm512_srli_epi32(word, (unsigned)(4 * j + 4)), table);
        store_pair(out + 16 * j, _mm512_mul_ps(first, scale[j]),
                   _mm512_mul_ps(second, scale[j + 1]));
    }
}

static inline void decode_bytes(const char *codes, const __m512 scale[VECTORS], uint16_t *out)
{
    for (int j = 0; j < VECTORS; j += 2) {
        __m512i first =
            _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(codes + 16 * j)));
        __m512i second = _mm512_cvtepi8_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(codes + 16 * j + 16)));
        store_pair(out + 16 * j, _mm512_mul_ps(_mm512_cvtepi32_ps(first), scale[j]),
                   _mm512_mul_ps(_mm512_cvtepi32_ps(second), scale[j + 1]));
    }
}

void vx_codes_decode_avx512bf16(const vx_cpu_layout *l, const void *data, int64_t panel,
                                uint16_t *out)
{
    vx_dtype store = l->key.store;
    const char *codes = (const char *)data + (size_t)panel * l->panel_bytes;
    const char *stored = codes + vx_codes_bytes(store, l->in);
    const float *map =
        (const float *)(const void *)((const char *)data + (size_t)l->panels * l->panel_bytes);
    nested n = {.map = map, .groups = map + VX_CODES_MAP, .per_row = l->in / VX_NF4_BLOCK};
    n.count = vx_codes_groups(l->key.out, l->in);
    const __m512 table =
        store == VX_NF4 ? _mm512_loadu_ps(vx_nf4_code)
                        : _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
    int64_t rows = vx_codes_rows(l->in), block = vx_codes_block(store);
    if (block == 0) block = rows;
    __m512 scale[VECTORS];
    for (int64_t k = 0; k < rows; k += block) {
        if (store == VX_NF4) {
            nf4_scales(&n, (const uint8_t *)stored + k / block * VX_PANEL, panel * VX_PANEL,
                       k / block, scale);
        } else if (store == VX_INT8_ROW) {
            __m512 each[4];
            for (int i = 0; i < 4; i++)
                each[i] = _mm512_loadu_ps((const float *)(const void *)stored + 16 * i);
            spread(each, scale);
        } else {
            f16_scales((const uint16_t *)(const void *)stored + k / block * VX_PANEL, scale);
        }
        if (store == VX_NF4 || store == VX_Q4_0)
            for (int64_t pair = k / 2; pair < (k + block) / 2; pair++)
                decode_nibbles(codes + pair * GROUP / 2, table, scale, out + pair * GROUP);
        else
            for (int64_t pair = k / 2; pair < (k + block) / 2; pair++)
                decode_bytes(codes + pair * GROUP, scale, out + pair * GROUP);
    }
}
